//! Slurm's compact lists of nodes: `r[01-04,07]n[1-2],login1`.

/// Most names that one list may stand for; a longer one is hostile or a mistake.
pub const MOST_NODES: usize = 100_000;

/// The names of a list, in its order; the last bracket of a name runs fastest, as `scontrol show hostnames` prints them.
///
/// # Errors
/// What is wrong with the list, in words.
pub fn expand(list: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for form in parts(list)? {
        let mut partial = vec![String::new()];
        for piece in pieces(form)? {
            let options = match piece {
                Piece::Plain(text) => vec![text.to_owned()],
                Piece::Ranges(ranges) => numbers(ranges)?,
            };
            if names.len().saturating_add(partial.len().saturating_mul(options.len())) > MOST_NODES {
                return Err(format!(
                    "a node list stands for more than {MOST_NODES} nodes: {}",
                    start_of(list)
                ));
            }
            partial = partial
                .iter()
                .flat_map(|before| options.iter().map(move |more| format!("{before}{more}")))
                .collect();
        }
        names.append(&mut partial);
    }
    Ok(names)
}

enum Piece<'a> {
    Plain(&'a str),
    Ranges(&'a str),
}

/// The list cut at its commas outside brackets; empty and `(null)` lists have no parts.
fn parts(list: &str) -> Result<Vec<&str>, String> {
    let list = list.trim();
    if list.is_empty() || list == "(null)" || list == "None assigned" {
        return Ok(Vec::new());
    }
    let mut inside = false;
    let cut = |letter: char| {
        match letter {
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
        letter == ',' && !inside
    };
    let parts: Vec<&str> = list.split(cut).collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(format!("a node list has an empty name: {}", start_of(list)));
    }
    Ok(parts)
}

fn pieces(form: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = form;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((ranges, after)) = after.split_once(']') else {
            return Err(format!("a node list has a `[` without `]`: {}", start_of(form)));
        };
        if before.contains(']') || ranges.contains('[') {
            return Err(format!("a node list has brackets out of order: {}", start_of(form)));
        }
        pieces.push(Piece::Plain(before));
        pieces.push(Piece::Ranges(ranges));
        rest = after;
    }
    if rest.contains(']') {
        return Err(format!("a node list has a `]` without `[`: {}", start_of(form)));
    }
    pieces.push(Piece::Plain(rest));
    Ok(pieces)
}

fn numbers(ranges: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("a node list has a range that cannot be read: [{}]", start_of(ranges));
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|digit| digit.is_ascii_digit());
        plain.then(|| digits.parse::<usize>().ok()).flatten().ok_or_else(wrong)
    };
    let mut all = Vec::new();
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (low, high) = (number(first)?, number(last)?);
        if low > high || high - low >= MOST_NODES || all.len() > MOST_NODES {
            return Err(wrong());
        }
        let width = first.len();
        all.extend((low..=high).map(|number| format!("{number:0width$}")));
    }
    Ok(all)
}

/// Enough of a text to recognise it in a message.
fn start_of(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_expanded_in_slurms_order() {
        assert_eq!(
            expand("r[01-02,07]n[1-2],login1").unwrap(),
            ["r01n1", "r01n2", "r02n1", "r02n2", "r07n1", "r07n2", "login1"]
        );
        assert_eq!(
            expand("gpu[9-11].hall").unwrap(),
            ["gpu9.hall", "gpu10.hall", "gpu11.hall"]
        );
        assert_eq!(expand("").unwrap(), Vec::<String>::new());
        assert_eq!(expand("(null)").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_a_list_is_refused() {
        for list in [
            "a,",
            ",a",
            "n[1",
            "n1]",
            "n[]",
            "n[3-1]",
            "n[a-b]",
            "n[[1]]",
            "n[1-]",
            "n[0-999999999]",
            "n]1[",
        ] {
            assert!(expand(list).is_err(), "{list}");
        }
        assert!(expand("a[0-9999]b[0-9999]c[0-9999]").unwrap_err().contains("more than"));
    }

    proptest! {
        #[test]
        fn a_range_has_all_its_numbers(low in 0_usize..5000, more in 0_usize..300, width in 1_usize..6) {
            let names = expand(&format!("n[{low:0width$}-{}]x", low + more)).unwrap();
            prop_assert_eq!(names.len(), more + 1);
            prop_assert_eq!(&names[0], &format!("n{low:0width$}x"));
            let last: usize = names[more][1..].trim_end_matches('x').parse().unwrap();
            prop_assert_eq!(last, low + more);
        }

        #[test]
        fn plain_names_are_themselves(names in proptest::collection::vec("[a-z][a-z0-9.-]{0,8}", 1..20)) {
            prop_assert_eq!(expand(&names.join(",")).unwrap(), names);
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,40}") {
            if let Ok(names) = expand(&text) {
                prop_assert!(names.len() <= MOST_NODES);
            }
        }

        #[test]
        fn hostile_brackets_are_answered(text in "[\\[\\]0-9a,-]{0,40}") {
            if let Ok(names) = expand(&text) {
                prop_assert!(names.len() <= MOST_NODES);
            }
        }
    }
}
