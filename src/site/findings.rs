//! The mistakes found so far, and how they are worded.

use super::Mistake;
use super::layers::Layers;
use std::cell::RefCell;

/// The mistakes found so far, by key path.
pub(super) struct Findings<'a> {
    pub(super) layers: &'a Layers,
    found: RefCell<Vec<(String, String)>>,
    /// Mistakes in other files, whose place is known.
    elsewhere: RefCell<Vec<Mistake>>,
}

impl<'a> Findings<'a> {
    pub(super) const fn new(layers: &'a Layers) -> Self {
        Self {
            layers,
            found: RefCell::new(vec![]),
            elsewhere: RefCell::new(vec![]),
        }
    }

    /// Notes a mistake; of several at one key the first counts.
    pub(super) fn add(&self, path: impl Into<String>, message: impl Into<String>) {
        let path = path.into();
        let mut found = self.found.borrow_mut();
        if !found.iter().any(|(known, _)| *known == path) {
            found.push((path, message.into()));
        }
    }

    /// Notes a mistake in another file.
    pub(super) fn add_elsewhere(&self, mistake: Mistake) {
        self.elsewhere.borrow_mut().push(mistake);
    }

    /// Every mistake once, in the order of the files.
    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        let mut mistakes = self.elsewhere.into_inner();
        let found = self.found.into_inner().into_iter();
        mistakes.extend(found.map(|(path, message)| self.layers.mistake(&path, message)));
        mistakes.sort_by(|a, b| (&a.file, a.line, &a.key).cmp(&(&b.file, b.line, &b.key)));
        mistakes.dedup();
        once_for_a_class(mistakes, self.layers)
    }
}

/// What is wrong alike in many items of a class and written in none of them is said once: one line under
/// `[defaults.<class>]` mends them all.
fn once_for_a_class(mistakes: Vec<Mistake>, layers: &Layers) -> Vec<Mistake> {
    let class_and_key = |mistake: &Mistake| {
        let mut parts = mistake.key.splitn(3, '.');
        let (class, _, key) = (parts.next()?, parts.next()?, parts.next()?);
        (!layers.is_overridden(&mistake.key)).then(|| (class.to_owned(), key.to_owned()))
    };
    let mut kept: Vec<(Mistake, usize)> = vec![];
    for mistake in mistakes {
        let name = class_and_key(&mistake);
        match kept
            .iter_mut()
            .find(|(first, _)| name.is_some() && class_and_key(first) == name && first.message == mistake.message)
        {
            Some((_, more)) => *more += 1,
            None => kept.push((mistake, 0)),
        }
    }
    let with_count = |(mut mistake, more): (Mistake, usize)| {
        if more > 0 {
            mistake.message = format!("{}; the same for {more} more", mistake.message);
        }
        mistake
    };
    kept.into_iter().map(with_count).collect()
}

/// `unknown key "x"`, with the nearest of the known names, or all of them where there are few.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("unknown {what} `{name}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("unknown {what} `{name}`; there is none"),
        None if known.len() <= 16 => format!("unknown {what} `{name}`; write one of {}", known.join(", ")),
        None => format!("unknown {what} `{name}`"),
    }
}

/// The known name that `name` is most likely a misspelling of: at most a third of its letters are wrong.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known
        .iter()
        .map(|candidate| (edit_distance(name, candidate), *candidate))
        .min()?;
    (near.0 * 3 <= name.chars().count()).then_some(near.1)
}

/// Levenshtein distance: the fewest letters to insert, drop or replace.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_suggested_and_far_ones_are_not() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(
            unknown("key", "cylce_s", &["strategy", "cycle_s"]),
            "unknown key `cylce_s`; did you mean `cycle_s`?"
        );
        assert_eq!(
            unknown("key", "zzz", &["strategy", "cycle_s"]),
            "unknown key `zzz`; write one of strategy, cycle_s"
        );
        assert_eq!(unknown("loop", "x", &[]), "unknown loop `x`; there is none");
    }
}
