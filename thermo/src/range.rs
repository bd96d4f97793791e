//! The error of a property asked for outside the range of its fit.

use core::fmt;

/// A property was asked for outside the range in which its formula holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutOfRange {
    /// What was out of range, with its unit, such as `water temperature, degC`.
    pub what: &'static str,
    /// The value asked for.
    pub value: f64,
    /// Smallest value allowed.
    pub low: f64,
    /// Largest value allowed.
    pub high: f64,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {}; it must be from {} to {}",
            self.what, self.value, self.low, self.high
        )
    }
}

impl core::error::Error for OutOfRange {}

/// `value` where it is within `low..=high`; NaN is not.
pub(crate) fn within(what: &'static str, value: f64, low: f64, high: f64) -> Result<f64, OutOfRange> {
    if value >= low && value <= high {
        Ok(value)
    } else {
        Err(OutOfRange { what, value, low, high })
    }
}
