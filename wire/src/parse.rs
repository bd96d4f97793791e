//! Reads a profile file and finds every mistake in it.

mod modbus;
mod mqtt;
mod point;
#[cfg(test)]
mod tests;

use crate::profile::{DsxMap, Mapping, Order, Point, Profile, ProfileError, WordOrder};
use crate::section::{Section, Source};

const ORDER: &str = "high_first or low_first";
const WORD_ORDER: &str = "high_first, low_first, or for 64 bits pairs_swapped or halves_swapped";
const POINTER: &str = "a JSON pointer such as `/field` or `/object/field`, with ~1 for / and ~0 for ~ in a name";

/// The orders that hold where a point states none.
#[derive(Clone, Copy, Default)]
struct Orders {
    words: WordOrder,
    bytes: Order,
}

impl Profile {
    /// Reads a profile. `file` names it in errors; the profile's name is its stem.
    ///
    /// ```
    /// let text = r#"
    ///     [profile]
    ///     description = "Flow meter"
    ///     source = "Maker's manual, edition 3, page 12"
    ///     [modbus]
    ///     base = 1
    ///     max_block = 20
    ///     [[point]]
    ///     name = "flow"
    ///     unit = "m3/h"
    ///     table = "input"
    ///     address = 7
    ///     type = "u16"
    ///     scale = 0.1
    ///     min = 0
    ///     max = 600
    /// "#;
    /// let profile = wire::Profile::parse(text, "flow-meter.toml").unwrap();
    /// // 60 tenths of a cubic metre per hour are 100 L/min.
    /// let flow = wire::codec::decode(&profile.points[0], &[60]).unwrap();
    /// assert!((flow - 100.0).abs() < 1e-9);
    /// ```
    ///
    /// # Errors
    /// Every mistake found, in the order of the lines, each with what to write instead.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<ProfileError>> {
        let source = Source::new(file, text);
        let document = source.document();
        // A mistake of syntax hides what follows it, which would then be told as missing.
        let profile = if source.is_good() {
            read_file(Section::root(&source, &document), stem(file))
        } else {
            None
        };
        profile
            .filter(|_| source.is_good())
            .ok_or_else(|| source.take_mistakes())
    }
}

fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name)
}

/// The profile of a file. Mistakes are noted in the source; `None` where they leave nothing to return.
fn read_file(mut root: Section<'_>, name: &str) -> Option<Profile> {
    let head = read_head(&mut root);
    let mapping = read_mapping(&mut root);
    let sections = root.tables("point");
    root.finish();
    // Which keys a point has depends on the mapping.
    let (mapping, orders) = mapping?;
    let mut points: Vec<Point> = Vec::new();
    for mut section in sections {
        if let Some(point) = point::read(&mut section, &mapping, orders) {
            point::check_beside(&section, &point, &points);
            points.push(point);
        }
        section.finish();
    }
    let (description, source) = head?;
    Some(Profile {
        name: name.to_owned(),
        description,
        source,
        mapping,
        points,
    })
}

/// Description and source.
fn read_head(root: &mut Section<'_>) -> Option<(String, String)> {
    let Some(mut head) = root.table("profile") else {
        root.wrong("profile", "write a section [profile] with description and source");
        return None;
    };
    let description = head.required("description", "one line that says what the device is");
    let source = head.required("source", "the document that the map was taken from");
    head.finish();
    Some((description?, source?))
}

/// How the points travel. A value that is wrong is replaced, so that the points are checked all the same.
fn read_mapping(root: &mut Section<'_>) -> Option<(Mapping, Orders)> {
    match (root.table("modbus"), root.table("mqtt"), root.table("dsx")) {
        (Some(section), None, None) => Some(modbus::read(section)),
        (None, Some(section), None) => Some((Mapping::Mqtt(mqtt::read(section)), Orders::default())),
        (None, None, Some(mut section)) => {
            let wanted = "the object type of the bus, such as \"CDU\"";
            let object_type = section.required("object_type", wanted).unwrap_or_default();
            section.finish();
            Some((Mapping::Dsx(DsxMap { object_type }), Orders::default()))
        }
        _ => {
            root.wrong("modbus", "write one of the sections [modbus], [mqtt] and [dsx]");
            None
        }
    }
}

fn read_pointer(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    let pointer: String = section.optional(key, POINTER)?;
    // RFC 6901: a tilde only opens ~0 or ~1.
    let mut after_tildes = pointer.split('~').skip(1);
    if !pointer.starts_with('/') || !after_tildes.all(|rest| rest.starts_with(['0', '1'])) {
        section.wrong(key, format!("`{pointer}` does not fit: write {POINTER}"));
    }
    Some(pointer)
}
