//! Reads a profile file and finds every mistake in it.

use crate::profile::{
    Access, Mapping, ModbusMap, MqttMap, Order, Place, Point, Profile, ProfileError, Raw, Register, Table,
};
use crate::unit::DeviceUnit;
use serde::Deserialize;
use std::collections::BTreeSet;
use toml::Spanned;

/// Registers that one read may ask for (Modbus application protocol 1.1b3, functions 3 and 4).
const REGISTERS_MAX: u16 = 125;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    profile: RawHead,
    modbus: Option<RawModbus>,
    mqtt: Option<RawMqtt>,
    #[serde(default)]
    point: Vec<Spanned<RawPoint>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead {
    description: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModbus {
    base: u16,
    max_block: u16,
    #[serde(default)]
    max_gap: u16,
    #[serde(default)]
    request_pause_ms: u32,
    #[serde(default)]
    connect_delay_ms: u32,
    #[serde(default)]
    words: Order,
    #[serde(default)]
    bytes: Order,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMqtt {
    topic: String,
    timestamp: Option<String>,
    quality: Option<String>,
    sequence: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoint {
    name: String,
    unit: String,
    min: f64,
    max: f64,
    #[serde(default)]
    access: Access,
    #[serde(default = "one")]
    scale: f64,
    #[serde(default)]
    offset: f64,
    table: Option<Table>,
    address: Option<u32>,
    r#type: Option<String>,
    bit: Option<u8>,
    words: Option<Order>,
    bytes: Option<Order>,
    #[serde(default)]
    sentinels: Vec<u64>,
    pointer: Option<String>,
}

const fn one() -> f64 {
    1.0
}

impl Profile {
    /// Reads a profile. `file` names it in errors; the profile's name is its stem.
    ///
    /// # Errors
    /// Every mistake found, each with its line and what to write instead.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<ProfileError>> {
        let raw: RawFile = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| line_of(text, span.start));
            vec![ProfileError {
                file: file.into(),
                line,
                key: "file".into(),
                message: error.message().to_owned(),
            }]
        })?;
        let mut check = Check {
            file,
            text,
            errors: Vec::new(),
        };
        let mapping = check.mapping(&raw);
        let points: Vec<Point> = match &mapping {
            Some(mapping) => raw
                .point
                .iter()
                .filter_map(|point| check.point(point, mapping, raw.modbus.as_ref()))
                .collect(),
            None => Vec::new(),
        };
        check.names(&raw.point);
        match mapping {
            Some(mapping) if check.errors.is_empty() => Ok(Self {
                name: file
                    .rsplit('/')
                    .next()
                    .unwrap_or(file)
                    .trim_end_matches(".toml")
                    .to_owned(),
                description: raw.profile.description,
                source: raw.profile.source,
                mapping,
                points,
            }),
            _ => Err(check.errors),
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

struct Check<'a> {
    file: &'a str,
    text: &'a str,
    errors: Vec<ProfileError>,
}

impl Check<'_> {
    fn wrong(&mut self, at: Option<usize>, key: String, message: impl Into<String>) {
        let line = at.map(|offset| line_of(self.text, offset));
        self.errors.push(ProfileError {
            file: self.file.into(),
            line,
            key,
            message: message.into(),
        });
    }

    fn mapping(&mut self, raw: &RawFile) -> Option<Mapping> {
        match (&raw.modbus, &raw.mqtt) {
            (Some(map), None) => {
                if map.base > 1 {
                    self.wrong(
                        None,
                        "modbus.base".into(),
                        "write 0 for protocol addresses, 1 where the manual counts from 1",
                    );
                }
                if map.max_block == 0 || map.max_block > REGISTERS_MAX {
                    self.wrong(
                        None,
                        "modbus.max_block".into(),
                        format!("write 1 to {REGISTERS_MAX} registers"),
                    );
                }
                Some(Mapping::Modbus(ModbusMap {
                    base: map.base,
                    max_block: map.max_block,
                    max_gap: map.max_gap,
                    request_pause_ms: map.request_pause_ms,
                    connect_delay_ms: map.connect_delay_ms,
                }))
            }
            (None, Some(map)) => {
                for (key, pointer) in [
                    ("timestamp", &map.timestamp),
                    ("quality", &map.quality),
                    ("sequence", &map.sequence),
                ] {
                    if let Some(pointer) = pointer {
                        self.pointer(None, &format!("mqtt.{key}"), pointer);
                    }
                }
                if !map.topic.contains("{device}") || map.topic.contains(['#', '+']) {
                    self.wrong(
                        None,
                        "mqtt.topic".into(),
                        "write one topic with `{device}` for the device's id, without # or +",
                    );
                }
                Some(Mapping::Mqtt(MqttMap {
                    topic: map.topic.clone(),
                    timestamp: map.timestamp.clone(),
                    quality: map.quality.clone(),
                    sequence: map.sequence.clone(),
                }))
            }
            _ => {
                self.wrong(None, "modbus".into(), "write one of the sections [modbus] and [mqtt]");
                None
            }
        }
    }

    fn pointer(&mut self, at: Option<usize>, key: &str, pointer: &str) {
        if !pointer.starts_with('/') || pointer.len() > 200 {
            self.wrong(
                at,
                key.into(),
                format!("`{pointer}` is not a JSON pointer: write `/field` or `/object/field`"),
            );
        }
    }

    fn point(&mut self, raw: &Spanned<RawPoint>, mapping: &Mapping, modbus: Option<&RawModbus>) -> Option<Point> {
        let (at, point) = (Some(raw.span().start), raw.get_ref());
        let key = |field: &str| format!("point.{}.{field}", point.name);
        let before = self.errors.len();
        let Some(unit) = DeviceUnit::named(&point.unit) else {
            self.wrong(
                at,
                key("unit"),
                format!("`{}` is unknown: write one of {}", point.unit, DeviceUnit::NAMES),
            );
            return None;
        };
        if !point.scale.is_finite() || point.scale == 0.0 || !point.offset.is_finite() {
            self.wrong(
                at,
                key("scale"),
                "write a finite scale other than 0 and a finite offset",
            );
        }
        if !(point.min.is_finite() && point.max.is_finite() && point.min < point.max) {
            self.wrong(
                at,
                key("min"),
                "write a plausible range with min below max, in the point's unit",
            );
        }
        let place = match (mapping, modbus) {
            (Mapping::Modbus(map), Some(defaults)) => self.register(at, point, map, defaults).map(Place::Register),
            _ => self.json_place(at, point),
        }?;
        if self.errors.len() > before {
            return None;
        }
        let (a, b) = (unit.to_canonical(point.min), unit.to_canonical(point.max));
        Some(Point {
            name: point.name.clone(),
            unit: unit.canonical,
            scale: point.scale * unit.scale,
            offset: point.offset * unit.scale + unit.offset,
            access: point.access,
            place,
            min: a.min(b),
            max: a.max(b),
        })
    }

    fn json_place(&mut self, at: Option<usize>, point: &RawPoint) -> Option<Place> {
        let key = |field: &str| format!("point.{}.{field}", point.name);
        let Some(pointer) = &point.pointer else {
            self.wrong(
                at,
                key("pointer"),
                "write the JSON pointer of the field, such as `/power_kw`",
            );
            return None;
        };
        self.pointer(at, &key("pointer"), pointer);
        if point.access == Access::ReadWrite {
            self.wrong(at, key("access"), "a telemetry topic is read only: leave access out");
        }
        Some(Place::Pointer(pointer.clone()))
    }

    fn register(
        &mut self,
        at: Option<usize>,
        point: &RawPoint,
        map: &ModbusMap,
        defaults: &RawModbus,
    ) -> Option<Register> {
        let key = |field: &str| format!("point.{}.{field}", point.name);
        let Some(table) = point.table else {
            self.wrong(at, key("table"), "write coil, discrete, input or holding");
            return None;
        };
        let Some(written) = point.address else {
            self.wrong(at, key("address"), "write the register's address");
            return None;
        };
        let bits = matches!(table, Table::Coil | Table::Discrete);
        let raw = match (bits, point.r#type.as_deref(), point.bit) {
            (true, None | Some("bit"), None) => Raw::Bit,
            (false, None | Some("bit"), Some(bit)) if bit < 16 => Raw::BitOf(bit),
            (false, Some("u16"), None) => Raw::U16,
            (false, Some("i16"), None) => Raw::I16,
            (false, Some("u32"), None) => Raw::U32,
            (false, Some("i32"), None) => Raw::I32,
            (false, Some("f32"), None) => Raw::F32,
            (false, Some("u64"), None) => Raw::U64,
            (false, Some("i64"), None) => Raw::I64,
            (false, Some("f64"), None) => Raw::F64,
            _ => {
                self.wrong(at, key("type"), "write u16, i16, u32, i32, f32, u64, i64 or f64; or `bit = 0..15` for a bit of a register; nothing for a coil or discrete");
                return None;
            }
        };
        let writable = point.access == Access::ReadWrite;
        if writable && (matches!(table, Table::Input | Table::Discrete) || matches!(raw, Raw::BitOf(_))) {
            self.wrong(
                at,
                key("access"),
                "only coils and whole holding registers can be written",
            );
        }
        let address = u16::try_from(written)
            .ok()
            .and_then(|address| address.checked_sub(map.base));
        let Some(address) = address.filter(|address| address.checked_add(raw.registers()).is_some()) else {
            self.wrong(
                at,
                key("address"),
                format!("write {} to 65535, with room for the value's registers", map.base),
            );
            return None;
        };
        Some(Register {
            table,
            address,
            raw,
            words: point.words.unwrap_or(defaults.words),
            bytes: point.bytes.unwrap_or(defaults.bytes),
            sentinels: point.sentinels.clone(),
        })
    }

    fn names(&mut self, points: &[Spanned<RawPoint>]) {
        let mut seen = BTreeSet::new();
        for raw in points {
            let (at, name) = (Some(raw.span().start), &raw.get_ref().name);
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            {
                self.wrong(
                    at,
                    format!("point.{name}.name"),
                    "write a snake_case name of letters, digits and _",
                );
            }
            if !seen.insert(name) {
                self.wrong(
                    at,
                    format!("point.{name}.name"),
                    "this name is taken by an earlier point",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[profile]
description = "test"
source = "none"
[modbus]
base = 1
max_block = 100
[[point]]
name = "supply"
unit = "degF"
table = "input"
address = 10
type = "i16"
scale = 0.1
min = 0.0
max = 200.0
"#;

    #[test]
    fn base_scale_and_unit_are_folded_in() {
        let profile = Profile::parse(GOOD, "config/profiles/test.toml").unwrap();
        let point = &profile.points[0];
        assert_eq!(profile.name, "test");
        let Place::Register(register) = &point.place else {
            panic!("a register")
        };
        assert_eq!(register.address, 9);
        // 212.0 degF as 2120 tenths is 100 degC.
        assert!((2120.0 * point.scale + point.offset - 100.0).abs() < 1e-9);
        assert!((point.max - 93.333_333).abs() < 1e-5);
    }

    fn mistakes(text: &str) -> Vec<String> {
        Profile::parse(text, "p.toml")
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_lines() {
        let text = GOOD
            .replace("base = 1", "base = 2")
            .replace("unit = \"degF\"", "unit = \"furlong\"")
            + "[[point]]\nname = \"supply\"\nunit = \"kW\"\ntable = \"input\"\naddress = 70000\ntype = \"u16\"\nmin = 1.0\nmax = 0.0\naccess = \"read_write\"\n";
        let found = mistakes(&text).join("\n");
        for expected in [
            "modbus.base",
            "p.toml:8: point.supply.unit",
            "p.toml:17: point.supply.min",
            "point.supply.access",
            "point.supply.address",
            "this name is taken",
        ] {
            assert!(found.contains(expected), "{expected} not in\n{found}");
        }
    }

    #[test]
    fn unknown_keys_and_missing_sections_are_mistakes() {
        assert!(mistakes(&GOOD.replace("scale = 0.1", "scael = 0.1"))[0].contains("scael"));
        assert!(
            mistakes(&GOOD.replace("[modbus]\nbase = 1\nmax_block = 100\n", ""))[0].contains("[modbus] and [mqtt]")
        );
    }
}
