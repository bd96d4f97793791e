//! Where the families go: into the Prometheus text format, or sample by sample to the record.

use std::fmt::Write as _;

/// Takes a sample: family without `isotherm_`, labels, value.
pub type Take<'a> = &'a mut dyn FnMut(&str, &[(&str, &str)], f64);

/// Families under way; samples belong to the one that was opened last.
pub(super) struct Exposition<'a> {
    name: &'static str,
    into: Into<'a>,
}

enum Into<'a> {
    /// Text, with the site as a label of every sample.
    Text {
        text: String,
        site: &'a str,
    },
    Samples(Take<'a>),
}

impl<'a> Exposition<'a> {
    pub(super) fn text(site: &'a str) -> Self {
        let text = String::with_capacity(128 * 1024);
        Self {
            name: "",
            into: Into::Text { text, site },
        }
    }

    pub(super) fn samples(take: Take<'a>) -> Self {
        Self {
            name: "",
            into: Into::Samples(take),
        }
    }

    pub(super) fn into_text(self) -> String {
        match self.into {
            Into::Text { text, .. } => text,
            Into::Samples(_) => String::new(),
        }
    }

    pub(super) fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        if let Into::Text { text, .. } = &mut self.into {
            // Writing to a string cannot fail, here and below.
            write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n").ok();
        }
    }

    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        if !value.is_finite() {
            return;
        }
        match &mut self.into {
            Into::Samples(take) => take(self.name.trim_start_matches("isotherm_"), labels, value),
            Into::Text { text, site } => {
                text.push_str(self.name);
                let all = [("site", *site)];
                for (index, (label, value)) in all.iter().chain(labels).enumerate() {
                    write!(text, "{}{label}=\"", if index == 0 { '{' } else { ',' }).ok();
                    for character in value.chars() {
                        match character {
                            '\\' => text.push_str("\\\\"),
                            '"' => text.push_str("\\\""),
                            '\n' => text.push_str("\\n"),
                            other => text.push(other),
                        }
                    }
                    text.push('"');
                }
                writeln!(text, "}} {value}").ok();
            }
        }
    }

    /// A family of one sample without labels.
    pub(super) fn single(&mut self, name: &'static str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(&[], value);
    }
}

/// A condition as a value.
pub(super) fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_unknown_values_have_no_sample() {
        let mut out = Exposition::text("hall \"7\"");
        out.family("isotherm_a", "gauge", "Help.");
        out.sample(&[("tag", "a\"b\\c\nd"), ("unit", "K")], 1.5);
        out.sample(&[], f64::NAN);
        out.sample(&[], f64::INFINITY);
        out.sample(&[], -0.25);
        let expected = "# HELP isotherm_a Help.\n# TYPE isotherm_a gauge\n\
                        isotherm_a{site=\"hall \\\"7\\\"\",tag=\"a\\\"b\\\\c\\nd\",unit=\"K\"} 1.5\n\
                        isotherm_a{site=\"hall \\\"7\\\"\"} -0.25\n";
        assert_eq!(out.into_text(), expected);
    }

    #[test]
    fn samples_are_named_without_the_prefix_and_without_the_site() {
        let mut seen = Vec::new();
        let mut take = |name: &str, labels: &[(&str, &str)], value: f64| {
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            seen.push((name.to_owned(), labels, value));
        };
        let mut out = Exposition::samples(&mut take);
        out.family("isotherm_a_total", "counter", "Help.");
        out.sample(&[("tag", "b")], 2.0);
        out.sample(&[], f64::NAN);
        assert_eq!(seen, [("a_total".to_owned(), vec!["tag=b".to_owned()], 2.0)]);
    }
}
