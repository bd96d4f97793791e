//! The layers of the configuration: embedded defaults, the site's file, the environment.
//!
//! [`Layers`] keeps, beside the merged tables, the line of every key of both files, so that a
//! mistake found much later can still say where it was written.

use super::Mistake;
use config::{Config, Environment, File, FileFormat, Map};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// The classes of equipment, in the order in which they are read: what `[[<class>]]` and `[defaults.<class>]` name.
pub(super) const CLASSES: &[&str] = &[
    "loop",
    "cdu",
    "rack",
    "tower_cell",
    "dry_cooler",
    "chiller",
    "reuse",
    "air_unit",
    "meter",
    "weather",
    "feed",
    "building",
];

const DEFAULTS: &str = include_str!("../../config/defaults.toml");
const DEFAULTS_NAME: &str = "defaults.toml";
const PREFIX: &str = "ISOTHERM";
const SEPARATOR: &str = "__";

/// The merged configuration and where each part of it was written.
pub(super) struct Layers {
    /// All layers in one.
    pub(super) merged: Table,
    site: Source,
    defaults: Source,
    /// Key path (lower case) to the text of the variable.
    environment: BTreeMap<String, String>,
}

/// One file: its name, and the line of each key path.
struct Source {
    name: String,
    lines: BTreeMap<String, usize>,
}

impl Layers {
    /// Puts the layers together; the mistakes are those of TOML's grammar.
    ///
    /// `variables` are the environment: every name is looked at, only those with the prefix count.
    pub(super) fn read(name: &str, text: &str, variables: Map<String, String>) -> Result<Self, Vec<Mistake>> {
        let site = Source::read(name, text)?;
        let defaults = Source::read(DEFAULTS_NAME, DEFAULTS)?;
        let environment = overrides(&variables);
        let merged = Config::builder()
            .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
            .add_source(File::from_str(text, FileFormat::Toml))
            .add_source(
                Environment::with_prefix(PREFIX)
                    .separator(SEPARATOR)
                    .try_parsing(true)
                    .source(Some(variables)),
            )
            .build()
            .and_then(Config::try_deserialize)
            .map_err(|error| vec![Mistake::at(name, None, "", error.to_string())])?;
        Ok(Self {
            merged,
            site,
            defaults,
            environment,
        })
    }

    /// The text of the environment variable that sets a key, before it was taken for a number.
    pub(super) fn variable(&self, path: &str) -> Option<&str> {
        self.environment.get(&path.to_lowercase()).map(String::as_str)
    }

    /// Whether the site's file or the environment sets a key, not only the defaults.
    pub(super) fn is_overridden(&self, path: &str) -> bool {
        self.site.lines.contains_key(path) || self.is_in_environment(path)
    }

    /// Whether the environment sets a key, or creates a table by setting a key below it.
    fn is_in_environment(&self, path: &str) -> bool {
        let path = path.to_lowercase();
        let below = format!("{path}.");
        let created = || !self.site.lines.contains_key(&path) && !self.defaults.lines.contains_key(&path);
        self.environment.contains_key(&path)
            || (created() && self.environment.keys().any(|key| key.starts_with(&below)))
    }

    /// A mistake at the place where its key was written: the key itself, else the default that it was taken from, else
    /// the table in which it is missing. The embedded defaults have no mistakes of their own, so they are never named.
    pub(super) fn mistake(&self, path: &str, message: String) -> Mistake {
        let alternatives = self.alternatives(path);
        for key in &alternatives {
            if self.is_in_environment(key) {
                return Mistake::at("environment", None, key, message);
            }
            if let Some(line) = self.site.lines.get(key) {
                return Mistake::at(&self.site.name, Some(*line), key, message);
            }
        }
        // What no file says of a point is said of its class: once, not for each of its equipment.
        let key = if path.starts_with("points.") {
            alternatives.get(1).map_or(path, String::as_str)
        } else {
            path
        };
        let mut parents = std::iter::successors(Some(key), |inner| inner.rsplit_once('.').map(|(outer, _)| outer));
        let line = parents.find_map(|parent| self.site.lines.get(parent));
        Mistake::at(&self.site.name, line.copied(), key, message)
    }

    /// A key path and the paths of the defaults that stand in for it.
    fn alternatives(&self, path: &str) -> Vec<String> {
        let mut all = vec![path.to_owned()];
        let mut parts = path.splitn(3, '.');
        let (Some(first), Some(second), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return all;
        };
        if first == "points" {
            if let Some(class) = self.class_of(second) {
                all.push(format!("points.{class}.{rest}"));
            }
            if let Some((_, field)) = rest.rsplit_once('.') {
                all.push(format!("defaults.point.{field}"));
            }
        } else if CLASSES.contains(&first) {
            all.push(format!("defaults.{first}.{rest}"));
        }
        all
    }

    /// The class of the equipment with an id.
    pub(super) fn class_of(&self, id: &str) -> Option<&'static str> {
        CLASSES
            .iter()
            .copied()
            .find(|class| self.items(class).iter().any(|(label, _)| label == id))
    }

    /// The items of a class with their labels: `[[cdu]]`, or the single table `[weather]`.
    pub(super) fn items(&self, class: &str) -> Vec<(String, &Value)> {
        match self.merged.get(class) {
            Some(Value::Array(items)) => labels(items.iter().map(|item| item.get("id").and_then(Value::as_str)))
                .into_iter()
                .zip(items)
                .collect(),
            Some(item @ Value::Table(table)) if matches!(class, "weather" | "building") => {
                let id = table.get("id").and_then(Value::as_str).unwrap_or(class);
                vec![(id.to_owned(), item)]
            }
            _ => vec![],
        }
    }
}

impl Source {
    fn read(name: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let mistake = |error: &toml::de::Error| {
                let line = error.span().map(|span| line_at(text, span.start));
                Mistake::at(name, line, "", error.message().replace('\n', ", "))
            };
            return Err(errors.iter().map(mistake).collect());
        }
        let mut lines = BTreeMap::new();
        collect_lines(text, "", table.get_ref(), &mut lines);
        Ok(Self {
            name: name.to_owned(),
            lines,
        })
    }
}

/// The environment's part: variables with the prefix, as key paths.
fn overrides(variables: &Map<String, String>) -> BTreeMap<String, String> {
    let prefix = format!("{PREFIX}{SEPARATOR}").to_lowercase();
    let path = |name: &String| {
        Some(
            name.to_lowercase()
                .strip_prefix(&prefix)?
                .replace(&SEPARATOR.to_lowercase(), "."),
        )
    };
    variables
        .iter()
        .filter_map(|(name, value)| Some((path(name)?, value.clone())))
        .collect()
}

/// What names each item in key paths: its id, or its number from 1 where it has none of its own.
fn labels<'a>(ids: impl Iterator<Item = Option<&'a str>>) -> Vec<String> {
    let mut labels: Vec<String> = vec![];
    for (index, id) in ids.enumerate() {
        let own = id.filter(|id| !id.is_empty() && !labels.iter().any(|label| label == id));
        labels.push(own.map_or_else(|| format!("[{}]", index + 1), str::to_owned));
    }
    labels
}

fn collect_lines(text: &str, path: &str, table: &DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let mut path = path.to_owned();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key.get_ref());
        lines.insert(path.clone(), line_at(text, key.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => collect_lines(text, &path, inner, lines),
            DeValue::Array(items) => collect_item_lines(text, &path, items, lines),
            _ => {}
        }
    }
}

fn collect_item_lines(text: &str, path: &str, items: &[Spanned<DeValue<'_>>], lines: &mut BTreeMap<String, usize>) {
    let ids = items
        .iter()
        .map(|item| item.get_ref().get("id").and_then(|id| id.get_ref().as_str()));
    for (label, item) in labels(ids).iter().zip(items) {
        let path = format!("{path}.{label}");
        lines.insert(path.clone(), line_at(text, item.span().start));
        if let DeValue::Table(inner) = item.get_ref() {
            collect_lines(text, &path, inner, lines);
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Lays `upper` over `lower`, table by table.
pub(super) fn lay_over(lower: &mut Table, upper: &Table) {
    for (key, value) in upper {
        match (lower.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay_over(below, above),
            _ => {
                lower.insert(key.clone(), value.clone());
            }
        }
    }
}
