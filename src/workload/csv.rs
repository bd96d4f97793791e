//! Tables as text: a header, then rows, with the fields between separators; a field may be quoted.

use super::FeedError;

/// A table whose columns are found by name.
pub(super) struct Table<'a> {
    header: Vec<String>,
    lines: std::str::Lines<'a>,
    line: usize,
    separator: char,
}

/// One row.
pub(super) struct Row<'a> {
    header: &'a [String],
    fields: Vec<String>,
    /// Line in the text, from 1.
    pub(super) line: usize,
}

impl<'a> Table<'a> {
    /// Reads the header; names are compared without case.
    pub(super) fn new(text: &'a str, separator: char) -> Self {
        let mut lines = text.lines();
        let header = lines.next().unwrap_or("").trim_start_matches('\u{feff}');
        let header = fields(header, separator)
            .into_iter()
            .map(|name| name.trim().to_ascii_lowercase())
            .collect();
        Self {
            header,
            lines,
            line: 1,
            separator,
        }
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.header.iter().any(|name| name == column)
    }

    /// Refuses a table that lacks one of the columns.
    pub(super) fn require(&self, columns: &[&str]) -> Result<(), FeedError> {
        let missing: Vec<&str> = columns.iter().copied().filter(|column| !self.has(column)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(FeedError::Line {
            line: 1,
            what: format!(
                "the header lacks {}; it has {}",
                missing.join(", "),
                self.header.join(", ")
            ),
        })
    }

    /// The next row that is not empty.
    pub(super) fn next_row(&mut self) -> Option<Row<'_>> {
        loop {
            let line = self.lines.next()?;
            self.line += 1;
            if !line.trim().is_empty() {
                return Some(Row {
                    header: &self.header,
                    fields: fields(line, self.separator),
                    line: self.line,
                });
            }
        }
    }
}

impl Row<'_> {
    /// The field of a column, trimmed; empty where the column or the field is missing.
    pub(super) fn text(&self, column: &str) -> &str {
        let place = self.header.iter().position(|name| name == column);
        place
            .and_then(|place| self.fields.get(place))
            .map_or("", |field| field.trim())
    }

    /// A finite number; `None` where the field is empty.
    pub(super) fn optional(&self, column: &str) -> Result<Option<f64>, FeedError> {
        match self.text(column) {
            "" => Ok(None),
            text => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(self.error(format!(
                    "{column} must be a number, not `{}`",
                    text.chars().take(40).collect::<String>()
                ))),
            },
        }
    }

    /// A finite number.
    pub(super) fn number(&self, column: &str) -> Result<f64, FeedError> {
        self.optional(column)?
            .ok_or_else(|| self.error(format!("{column} is empty; a number is needed")))
    }

    /// A whole number from 0.
    pub(super) fn count(&self, column: &str) -> Result<u32, FeedError> {
        let number = self.optional(column)?.unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within range")]
        if (0.0..=1e9).contains(&number) {
            Ok(number.ceil() as u32)
        } else {
            Err(self.error(format!("{column} must be a count from 0, not {number}")))
        }
    }

    pub(super) fn error(&self, what: String) -> FeedError {
        FeedError::Line { line: self.line, what }
    }
}

/// Cuts a line at its separators; within double quotes they are text, and a doubled quote is one.
fn fields(line: &str, separator: char) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '"' && quoted && letters.next_if_eq(&'"').is_some() {
            fields.last_mut().into_iter().for_each(|field| field.push('"'));
        } else if letter == '"' {
            quoted = !quoted;
        } else if letter == separator && !quoted {
            fields.push(String::new());
        } else {
            fields.last_mut().into_iter().for_each(|field| field.push(letter));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_separators() {
        assert_eq!(
            fields(r#"1,"a, b",,"say ""x""",z"#, ','),
            ["1", "a, b", "", r#"say "x""#, "z"]
        );
        assert_eq!(fields("", '|'), [""]);
    }

    #[test]
    fn errors_name_line_and_column() {
        let mut table = Table::new("ID,gpus\n\n7,many\n", ',');
        assert!(
            table
                .require(&["id", "end_s"])
                .unwrap_err()
                .to_string()
                .contains("lacks end_s")
        );
        let row = table.next_row().unwrap();
        assert_eq!(
            row.count("gpus").unwrap_err().to_string(),
            "line 3: gpus must be a number, not `many`"
        );
        assert!(row.number("start_s").is_err());
        assert!(table.next_row().is_none());
    }
}
