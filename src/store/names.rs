//! The name of a series: that of its family in `/metrics` without `isotherm_`, and its labels but for the site.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A family and its labels, such as `point{tag="cdu1.secondary_flow",unit="L/min"}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesName {
    /// The family: letters, digits and `_`.
    pub family: String,
    /// Labels in the order of the family.
    pub labels: Vec<(String, String)>,
}

/// The family of every point.
pub(super) const POINT: &str = "point";

impl SeriesName {
    /// A name with borrowed parts.
    pub fn new(family: &str, labels: &[(&str, &str)]) -> Self {
        let owned = |(label, value): &(&str, &str)| ((*label).to_owned(), (*value).to_owned());
        Self {
            family: family.to_owned(),
            labels: labels.iter().map(owned).collect(),
        }
    }

    /// The name of a point.
    pub fn point(tag: &str, unit: &str) -> Self {
        Self::new(POINT, &[("tag", tag), ("unit", unit)])
    }

    /// Whether this is the name with these parts.
    pub fn is(&self, family: &str, labels: &[(&str, &str)]) -> bool {
        self.family == family
            && self.labels.len() == labels.len()
            && (self.labels.iter().zip(labels)).all(|(own, other)| own.0 == other.0 && own.1 == other.1)
    }

    /// The value of a label.
    pub fn label(&self, label: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(name, _)| name == label);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for SeriesName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.family)?;
        for (index, (label, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{label}={value:?}", if index == 0 { '{' } else { ',' })?;
        }
        f.write_str(if self.labels.is_empty() { "" } else { "}" })
    }
}
