//! CSV tables without quotes, by the names of their columns.

use crate::trial::world::{WorldError, form};
use std::path::Path;

/// Columns of a CSV without quotes, by name.
pub(super) struct Columns<'a> {
    file: &'a Path,
    places: Vec<usize>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(file: &'a Path, text: &str, names: &[&str]) -> Result<Self, WorldError> {
        let header: Vec<&str> = text.lines().next().unwrap_or("").split(',').map(str::trim).collect();
        let place = |name: &&str| {
            header.iter().position(|known| known == name).ok_or_else(|| {
                wrong(
                    file,
                    1,
                    &format!("column {name} is missing: the header needs {}", names.join(", ")),
                )
            })
        };
        Ok(Self {
            file,
            places: names.iter().map(place).collect::<Result<_, _>>()?,
        })
    }

    /// The fields of a line in the order of the names.
    pub(super) fn fields<'b>(&self, line: &'b str) -> Vec<&'b str> {
        let all: Vec<&str> = line.split(',').map(str::trim).collect();
        self.places
            .iter()
            .map(|place| all.get(*place).copied().unwrap_or(""))
            .collect()
    }

    pub(super) fn number(&self, line: usize, field: &str) -> Result<f64, WorldError> {
        let parsed = field.parse().ok().filter(|value: &f64| value.is_finite());
        parsed.ok_or_else(|| wrong(self.file, line, &format!("{field:?} stands where a number is needed")))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("line {line}: {what}")]
struct Wrong {
    line: usize,
    what: String,
}

pub(super) fn wrong(file: &Path, line: usize, what: &str) -> WorldError {
    form(
        file,
        &Wrong {
            line,
            what: what.to_owned(),
        },
    )
}

/// Lines after the header with their numbers.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let all = text.lines().enumerate().skip(1);
    all.filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| (index + 1, line))
}
