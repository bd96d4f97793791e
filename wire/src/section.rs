//! Sections of a TOML file, read key by key, so that one pass finds every mistake.

use crate::profile::ProfileError;
use serde::Deserialize;
use std::cell::RefCell;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, ValueDeserializer};

/// A file's text, and the mistakes found in it so far.
pub(crate) struct Source<'a> {
    file: &'a str,
    text: &'a str,
    mistakes: RefCell<Vec<ProfileError>>,
}

impl<'a> Source<'a> {
    /// A text of a file, which `file` names in the mistakes.
    pub(crate) const fn new(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            mistakes: RefCell::new(Vec::new()),
        }
    }

    /// The text's table, without what is not TOML, which is a mistake.
    pub(crate) fn document(&self) -> Spanned<DeTable<'a>> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let offset = error.span().map(|span| span.start);
            self.note(offset, "syntax".into(), error.message().replace('\n', ", "));
        }
        document
    }

    /// A key's first mistake is told; further ones often follow from it.
    fn note(&self, offset: Option<usize>, key: String, message: String) {
        let line = |offset| self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        let line = offset.map(line);
        let mut mistakes = self.mistakes.borrow_mut();
        if !mistakes.iter().any(|told| told.line == line && told.key == key) {
            mistakes.push(ProfileError {
                file: self.file.into(),
                line,
                key,
                message,
            });
        }
    }

    /// Whether there is no mistake so far.
    pub(crate) fn is_good(&self) -> bool {
        self.mistakes.borrow().is_empty()
    }

    /// Hands over all mistakes, in the order of their lines.
    pub(crate) fn take_mistakes(&self) -> Vec<ProfileError> {
        let mut mistakes = self.mistakes.take();
        mistakes.sort_by_key(|mistake| mistake.line);
        mistakes
    }
}

/// One table of a file.
pub(crate) struct Section<'a> {
    source: &'a Source<'a>,
    path: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The table of a whole file.
    pub(crate) fn root(source: &'a Source<'a>, document: &'a Spanned<DeTable<'a>>) -> Self {
        Self {
            source,
            path: String::new(),
            span: document.span(),
            table: document.get_ref(),
            known: Vec::new(),
        }
    }

    fn inner(&self, path: String, span: Range<usize>, table: &'a DeTable<'a>) -> Self {
        Self {
            source: self.source,
            path,
            span,
            table,
            known: Vec::new(),
        }
    }

    /// The table of a key; `None` where there is none.
    pub(crate) fn table(&mut self, key: &'static str) -> Option<Self> {
        self.known.push(key);
        let value = self.table.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(key, format!("write a section [{key}]"));
            return None;
        };
        Some(self.inner(key.into(), value.span(), table))
    }

    /// The tables of an array. Each is called by its name, or by its number from 1 where it has none.
    pub(crate) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        self.known.push(key);
        let items = self.table.get(key).and_then(|value| value.get_ref().as_array());
        let sections = items.into_iter().flatten().enumerate().filter_map(|(index, item)| {
            let table = item.get_ref().as_table()?;
            let name = table.get("name").and_then(|name| name.get_ref().as_str());
            let name = name.map_or_else(|| (index + 1).to_string(), str::to_owned);
            Some(self.inner(format!("{key}.{name}"), item.span(), table))
        });
        let sections: Vec<_> = sections.collect();
        if sections.is_empty() || Some(sections.len()) != items.map(|items| items.len()) {
            self.wrong(key, format!("write one or more sections [[{key}]]"));
        }
        sections
    }

    /// The value of a key; a mistake where it is missing or is not what is wanted.
    pub(crate) fn required<T: Deserialize<'a>>(&mut self, key: &'static str, wanted: &str) -> Option<T> {
        if !self.table.contains_key(key) {
            self.wrong(key, format!("write {wanted}"));
        }
        self.optional(key, wanted)
    }

    /// The value of a key; `None` where it is missing. A mistake where it is not what is wanted.
    pub(crate) fn optional<T: Deserialize<'a>>(&mut self, key: &'static str, wanted: &str) -> Option<T> {
        self.known.push(key);
        let value = self.table.get(key)?;
        let read = T::deserialize(ValueDeserializer::from(value.clone())).ok();
        if read.is_none() {
            let written = self.source.text.get(value.span()).unwrap_or_default();
            self.wrong(key, format!("`{written}` does not fit: write {wanted}"));
        }
        read
    }

    /// Leaves keys unread that have a meaning, but not without another one.
    pub(crate) fn skip(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    /// Notes a mistake, at the key where it is written, else at the section's head.
    pub(crate) fn wrong(&self, key: &str, message: impl Into<String>) {
        let offset = match self.table.get_key_value(key) {
            Some((key, _)) => key.span().start,
            None => self.span.start,
        };
        let dot = if self.path.is_empty() { "" } else { "." };
        self.source
            .note(Some(offset), format!("{}{dot}{key}", self.path), message.into());
    }

    /// Ends the reading: keys that nobody asked for are mistakes.
    pub(crate) fn finish(self) {
        for key in self.table.keys().map(|key| key.get_ref().as_ref()) {
            if !self.known.contains(&key) {
                let known = self.known.join(", ");
                self.wrong(key, format!("has no meaning here: write one of {known}"));
            }
        }
    }
}
