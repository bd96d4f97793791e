//! The Prometheus text format.

use std::fmt::Write as _;

/// Text under way; samples belong to the family that was opened last.
pub(super) struct Exposition {
    text: String,
    name: &'static str,
}

impl Exposition {
    pub(super) fn new() -> Self {
        Self {
            text: String::with_capacity(128 * 1024),
            name: "",
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        if !value.is_finite() {
            return;
        }
        self.text.push_str(self.name);
        for (index, (label, value)) in labels.iter().enumerate() {
            self.write(format_args!("{}{label}=\"", if index == 0 { '{' } else { ',' }));
            for character in value.chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
        }
        self.write(format_args!("{} {value}\n", if labels.is_empty() { "" } else { "}" }));
    }

    /// A family of one sample without labels.
    pub(super) fn single(&mut self, name: &'static str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(&[], value);
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        self.text.write_fmt(arguments).ok();
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
        let mut out = Exposition::new();
        out.family("isotherm_a", "gauge", "Help.");
        out.sample(&[("tag", "a\"b\\c\nd"), ("unit", "K")], 1.5);
        out.sample(&[], f64::NAN);
        out.sample(&[], f64::INFINITY);
        out.sample(&[], -0.25);
        let expected = "# HELP isotherm_a Help.\n# TYPE isotherm_a gauge\n\
                        isotherm_a{tag=\"a\\\"b\\\\c\\nd\",unit=\"K\"} 1.5\nisotherm_a -0.25\n";
        assert_eq!(out.into_text(), expected);
    }
}
