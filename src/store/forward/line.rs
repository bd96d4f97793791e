//! The line protocol of `InfluxDB`, which many servers read: one sample a line.

use super::Row;
use crate::store::names::SeriesName;
use std::fmt::Write as _;

/// Rows as lines, with the site as a tag. Times are ms.
pub(super) fn encode(site: &str, rows: &[Row]) -> String {
    let mut text = String::with_capacity(rows.len() * 96);
    for run in rows.chunk_by(|(a, _), (b, _)| a == b) {
        let Some((name, _)) = run.first() else { continue };
        let head = head(site, name);
        for (_, sample) in run {
            // Writing to a string cannot fail.
            writeln!(text, "{head}{} {}", sample.value, sample.ms).ok();
        }
    }
    text
}

/// A line up to its value.
fn head(site: &str, name: &SeriesName) -> String {
    let mut head = "isotherm".to_owned();
    let labels = name
        .labels
        .iter()
        .map(|(label, value)| (label.as_str(), value.as_str()));
    for (label, value) in std::iter::once(("site", site)).chain(labels) {
        // An empty tag is an error of the whole line.
        if !value.is_empty() {
            head.push(',');
            escape(&mut head, label);
            head.push('=');
            escape(&mut head, value);
        }
    }
    head.push(' ');
    escape(&mut head, &name.family);
    head.push('=');
    head
}

/// Commas, equals signs and spaces are escaped. A line break would end the line, and a backslash before them would mean
/// something else to every server: those become `_`.
fn escape(line: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            ',' | '=' | ' ' => {
                line.push('\\');
                line.push(letter);
            }
            '\\' => line.push('_'),
            letter if letter.is_control() => line.push('_'),
            letter => line.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Quality;
    use crate::store::Sample;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn row(name: SeriesName, ms: i64, value: f64) -> Row {
        let quality = Quality::Good;
        (Arc::new(name), Sample { ms, value, quality })
    }

    #[test]
    fn lines_are_as_documented() {
        let flow = SeriesName::point("cdu1.secondary_flow", "L/min");
        let energy = SeriesName::new("energy_kilowatt_hours_total", &[("use", "it"), ("empty", "")]);
        let rows = [
            row(flow.clone(), 1_780_000_000_000, 412.5),
            row(flow, 1_780_000_005_000, 413.0),
            row(energy, 1_780_000_000_000, 81.2),
        ];
        let lines = "isotherm,site=hall\\ 7\\,\\ b,tag=cdu1.secondary_flow,unit=L/min point=412.5 1780000000000\n\
                     isotherm,site=hall\\ 7\\,\\ b,tag=cdu1.secondary_flow,unit=L/min point=413 1780000005000\n\
                     isotherm,site=hall\\ 7\\,\\ b,use=it energy_kilowatt_hours_total=81.2 1780000000000\n";
        assert_eq!(encode("hall 7, b", &rows), lines);
    }

    /// Splits at an unescaped letter.
    fn split(text: &str, at: char) -> Vec<String> {
        let (mut parts, mut escaped) = (vec![String::new()], false);
        for letter in text.chars() {
            if letter == at && !escaped {
                parts.push(String::new());
            } else if let Some(last) = parts.last_mut() {
                last.push(letter);
            }
            escaped = letter == '\\' && !escaped;
        }
        parts
    }

    proptest! {
        #[test]
        fn whatever_a_label_says_a_row_stays_one_line_of_three_parts(value in "\\PC*|[\\\\ ,=\n\r\t\"]{0,9}", number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
            let text = encode("s", &[row(SeriesName::new("a", &[("b", &value)]), 5, number)]);
            prop_assert_eq!(text.matches('\n').count(), 1);
            let parts = split(text.trim_end_matches('\n'), ' ');
            prop_assert_eq!(parts.len(), 3);
            let tags = split(&parts[0], ',');
            prop_assert_eq!(tags.len(), if value.is_empty() { 2 } else { 3 });
            prop_assert!(tags[1..].iter().all(|tag| split(tag, '=').len() == 2));
            let read: f64 = parts[1].strip_prefix("a=").unwrap().parse().unwrap();
            prop_assert_eq!(read.to_bits(), number.to_bits());
        }
    }
}
