//! Names of a rack's nodes in the compact form of schedulers: `r01n[01-18]`, `gpu[1,3,7-9]`.

use super::findings::Findings;

/// No rack has more nodes than this; a longer range is a slip of the keyboard.
const MOST: usize = 4096;

/// Expands a rack's list of names; what cannot be read is a mistake at that rack.
pub(super) fn expand_all(forms: &[String], path: &str, findings: &Findings<'_>) -> Vec<String> {
    let mut names = vec![];
    for (index, form) in forms.iter().enumerate() {
        match expand(form) {
            Some(more) => names.extend(more),
            None => findings.add(
                format!("{path}.nodes.[{}]", index + 1),
                format!("cannot be read: `{form}`; write a name, or a range such as \"n[001-018]\" or \"n[1,4-6]\""),
            ),
        }
    }
    names
}

/// The names that one form stands for; `None` where it is malformed, empty or too long.
fn expand(form: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = form.split_once('[') else {
        let plain = !form.is_empty() && !form.contains(|letter: char| letter == ']' || letter.is_whitespace());
        return plain.then(|| vec![form.to_owned()]);
    };
    let (ranges, after) = rest.split_once(']')?;
    if after.contains(['[', ']']) {
        return None;
    }
    let mut names = vec![];
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (low, high) = (number(first)?, number(last)?);
        if low > high || high - low >= MOST || names.len() + (high - low) >= MOST {
            return None;
        }
        let width = first.len();
        names.extend((low..=high).map(|number| format!("{before}{number:0width$}{after}")));
    }
    Some(names)
}

fn number(digits: &str) -> Option<usize> {
    let plain = digits.len() <= 9 && digits.bytes().all(|digit| digit.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_their_leading_zeros() {
        assert_eq!(expand("r01n[08-11]").unwrap(), ["r01n08", "r01n09", "r01n10", "r01n11"]);
        assert_eq!(
            expand("gpu[1,3,7-8].hall").unwrap(),
            ["gpu1.hall", "gpu3.hall", "gpu7.hall", "gpu8.hall"]
        );
        assert_eq!(expand("login").unwrap(), ["login"]);
    }

    #[test]
    fn malformed_ranges_are_refused() {
        for form in [
            "",
            "n[3-1]",
            "n[]",
            "n[1",
            "n1]",
            "n[a-b]",
            "n[1-2][3-4]",
            "n[0-99999]",
            "n[1-]",
            "n[+1]",
        ] {
            assert_eq!(expand(form), None, "{form}");
        }
    }
}
