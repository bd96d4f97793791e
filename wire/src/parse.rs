//! Reads a profile file and finds every mistake in it.

mod point;
#[cfg(test)]
mod tests;

use crate::profile::{Mapping, ModbusMap, MqttMap, Order, Point, Profile, ProfileError};
use crate::section::{Section, Source};

/// Registers that one read may ask for (Modbus application protocol 1.1b3, functions 3 and 4).
const REGISTERS_MAX: u16 = 125;

const ORDER: &str = "high_first or low_first";
const POINTER: &str = "a JSON pointer such as `/field` or `/object/field`, with ~1 for / and ~0 for ~ in a name";

/// The orders that hold where a point states none.
#[derive(Clone, Copy, Default)]
struct Orders {
    words: Order,
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
    match (root.table("modbus"), root.table("mqtt")) {
        (Some(modbus), None) => Some(read_modbus(modbus)),
        (None, Some(mqtt)) => Some((Mapping::Mqtt(read_mqtt(mqtt)), Orders::default())),
        _ => {
            root.wrong("modbus", "write one of the sections [modbus] and [mqtt]");
            None
        }
    }
}

fn read_modbus(mut section: Section<'_>) -> (Mapping, Orders) {
    let base = "0 for protocol addresses, 1 where the manual counts from 1";
    let max_block = format!("1 to {REGISTERS_MAX} registers");
    let pause = "milliseconds, a whole number";
    let map = ModbusMap {
        base: section.required("base", base).unwrap_or(0),
        max_block: section.required("max_block", &max_block).unwrap_or(REGISTERS_MAX),
        max_gap: section.optional("max_gap", "a number of registers").unwrap_or(0),
        request_pause_ms: section.optional("request_pause_ms", pause).unwrap_or(0),
        connect_delay_ms: section.optional("connect_delay_ms", pause).unwrap_or(0),
    };
    let orders = Orders {
        words: section.optional("words", ORDER).unwrap_or_default(),
        bytes: section.optional("bytes", ORDER).unwrap_or_default(),
    };
    if map.base > 1 {
        section.wrong("base", format!("write {base}"));
    }
    if map.max_block == 0 || map.max_block > REGISTERS_MAX {
        section.wrong("max_block", format!("write {max_block}"));
    }
    section.finish();
    (Mapping::Modbus(map), orders)
}

fn read_mqtt(mut section: Section<'_>) -> MqttMap {
    let topic = "one topic with `{device}` for the device's id, without # or +";
    let map = MqttMap {
        topic: section.required("topic", topic).unwrap_or_else(|| "{device}".into()),
        timestamp: read_pointer(&mut section, "timestamp"),
        quality: read_pointer(&mut section, "quality"),
        sequence: read_pointer(&mut section, "sequence"),
    };
    if !map.topic.contains("{device}") || map.topic.contains(['#', '+']) {
        section.wrong("topic", format!("write {topic}"));
    }
    section.finish();
    map
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
