//! Reads one point of a profile file.

use super::{ORDER, Orders, POINTER, WORD_ORDER, read_pointer};
use crate::profile::{Access, DsxPoint, Mapping, ModbusMap, Payload, Place, Point, Raw, Register, Table, WordOrder};
use crate::section::Section;
use crate::unit::DeviceUnit;

const ADDRESS: &str = "the register's address";
const TYPE: &str = "u16, i16, u32, i32, f32, u64, i64 or f64, or for a part of a register `bit = 0..15`, `bits = [low, high]` \
                    or `any_of = mask`";

/// The point of a section; `None` where mistakes leave nothing to return.
pub(super) fn read(section: &mut Section<'_>, mapping: &Mapping, orders: Orders) -> Option<Point> {
    let name = read_name(section);
    let unit = read_unit(section);
    let scale = section.optional("scale", "a number other than 0").unwrap_or(1.0);
    let offset = section.optional("offset", "a number").unwrap_or(0.0_f64);
    if !f64::is_normal(scale) {
        section.wrong("scale", "write a finite number other than 0");
    }
    if !offset.is_finite() {
        section.wrong("offset", "write a finite number");
    }
    let range = read_range(section, unit);
    let (place, access) = match mapping {
        Mapping::Modbus(map) => {
            let access = section.optional("access", "read or read_write").unwrap_or_default();
            let register = read_register(section, map, orders, access);
            (register.map(Place::Register), access)
        }
        Mapping::Mqtt(map) => {
            let place = match map.payload {
                Payload::Json | Payload::Batch { .. } => read_json_place(section),
                Payload::Number => section
                    .required("topic", "what stands for the point in the place of {point}")
                    .map(Place::Topic),
                Payload::Sparkplug => section.required("metric", "the metric's name").map(Place::Metric),
            };
            (place, Access::Read)
        }
        Mapping::Dsx(_) => read_dsx_place(section),
    };
    let (unit, (min, max)) = (unit?, range?);
    Some(Point {
        name: name?,
        unit: unit.canonical,
        scale: scale * unit.scale,
        offset: offset * unit.scale + unit.offset,
        access,
        place: place?,
        min,
        max,
    })
}

fn read_name(section: &mut Section<'_>) -> Option<String> {
    let wanted = "a snake_case name of letters, digits and _";
    let name: String = section.required("name", wanted)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        section.wrong("name", format!("write {wanted}"));
    }
    Some(name)
}

fn read_unit(section: &mut Section<'_>) -> Option<DeviceUnit> {
    let wanted = format!("one of {}", DeviceUnit::NAMES);
    let name: String = section.required("unit", &wanted)?;
    let unit = DeviceUnit::named(&name);
    if unit.is_none() {
        section.wrong("unit", format!("`{name}` is unknown: write {wanted}"));
    }
    unit
}

/// The plausible range, canonical unit.
fn read_range(section: &mut Section<'_>, unit: Option<DeviceUnit>) -> Option<(f64, f64)> {
    let min = section.required("min", "the smallest plausible value, in the point's unit");
    let max = section.required("max", "the largest plausible value, in the point's unit");
    let (min, max): (f64, f64) = (min?, max?);
    if !(min.is_finite() && max.is_finite() && min < max) {
        section.wrong("min", "write a plausible range with min below max, in the point's unit");
    }
    let unit = unit?;
    let (least, most) = unit.range();
    for (key, value) in [("min", min), ("max", max)] {
        if value < least || value > most {
            let wanted = if value < least {
                format!("{least} or more")
            } else {
                format!("{most} or less")
            };
            section.wrong(key, format!("no quantity of this unit goes so far: write {wanted}"));
        }
    }
    Some((unit.to_canonical(min), unit.to_canonical(max)))
}

fn read_json_place(section: &mut Section<'_>) -> Option<Place> {
    let pointer = read_pointer(section, "pointer");
    if pointer.is_none() {
        section.wrong("pointer", format!("write {POINTER}"));
    }
    pointer.map(Place::Pointer)
}

fn read_dsx_place(section: &mut Section<'_>) -> (Option<Place>, Access) {
    let areas = "a list of areas, such as [\"Secondary\", \"Supply\"]";
    let kind = "a point type of the bus, such as \"LiquidTemperature\"";
    let point_type: Option<String> = section.required("point_type", kind);
    let request: Option<String> = section.optional("request", kind);
    let access = if request.is_some() {
        Access::ReadWrite
    } else {
        Access::Read
    };
    let place = DsxPoint {
        point_type: point_type.clone().unwrap_or_default(),
        process_area: section.optional("process_area", areas).unwrap_or_default(),
        setpoint: section.optional("setpoint", "true or false").unwrap_or(false),
        request,
        request_area: section.optional("request_area", areas).unwrap_or_default(),
    };
    (point_type.map(|_| Place::Dsx(place)), access)
}

fn read_register(section: &mut Section<'_>, map: &ModbusMap, orders: Orders, access: Access) -> Option<Register> {
    let table: Option<Table> = section.required("table", "coil, discrete, input or holding");
    let written: Option<u32> = section.required("address", ADDRESS);
    let Some(table) = table else {
        section.skip(&["type", "bit", "bits", "any_of", "words", "bytes", "sentinels"]);
        return None;
    };
    let mut register = Register {
        table,
        address: 0,
        raw: Raw::Bit,
        words: orders.words,
        bytes: orders.bytes,
        sentinels: Vec::new(),
    };
    if matches!(table, Table::Input | Table::Holding) {
        let raw = read_raw(section);
        register.words = section.optional("words", WORD_ORDER).unwrap_or(orders.words);
        register.bytes = section.optional("bytes", ORDER).unwrap_or(orders.bytes);
        register.sentinels = read_sentinels(section, raw);
        register.raw = raw?;
        if matches!(register.words, WordOrder::PairsSwapped | WordOrder::HalvesSwapped) && register.raw.registers() < 4
        {
            // Of two registers both mean the same as low_first, and of one nothing.
            register.words = WordOrder::LowFirst;
        }
    }
    let fixed = matches!(table, Table::Input | Table::Discrete) || register.raw.is_part();
    for hole in map.unreadable.iter().filter(|hole| hole.table == table) {
        let (first, last) = (u32::from(hole.range.0), u32::from(hole.range.1));
        let start = written.unwrap_or(0).saturating_sub(map.base.into());
        if start <= last && start + u32::from(register.raw.registers()) > first {
            section.wrong(
                "address",
                "the profile says that this may not be read: correct `unreadable` or the address",
            );
        }
    }
    if access == Access::ReadWrite && fixed {
        section.wrong("access", "only coils and whole holding registers can be written");
    }
    let registers = register.raw.registers();
    if registers > map.max_block {
        let message = format!("the value takes {registers} registers: write a max_block of that or more");
        section.wrong("type", message);
    }
    let last = 65_536 - u32::from(registers);
    let address = written?.checked_sub(u32::from(map.base));
    let address = address.filter(|address| *address <= last);
    let Some(address) = address.and_then(|address| u16::try_from(address).ok()) else {
        let (first, last) = (map.base, last + u32::from(map.base));
        section.wrong(
            "address",
            format!("write {first} to {last}, so that the value has room"),
        );
        return None;
    };
    Some(Register { address, ..register })
}

fn read_raw(section: &mut Section<'_>) -> Option<Raw> {
    let kind: Option<String> = section.optional("type", TYPE);
    let bit: Option<u8> = section.optional("bit", "0 to 15, 0 the lowest");
    let bits: Option<[u8; 2]> = section.optional("bits", "[low, high], 0 to 15, 0 the lowest");
    let any_of: Option<u16> = section.optional("any_of", "a mask of 16 bits, such as 0x00F0");
    let part = match (bit, bits, any_of) {
        (bit, None, None) => bit.filter(|bit| *bit < 16).map(Raw::BitOf),
        (None, Some([low, high]), None) if low < high && high < 16 => Some(Raw::Field(low, high)),
        (None, None, Some(mask)) if mask != 0 => Some(Raw::AnyOf(mask)),
        _ => None,
    };
    let given = bit.is_some() || bits.is_some() || any_of.is_some();
    let raw = match (kind.as_deref(), given.then_some(())) {
        (None | Some("bit"), Some(())) => part,
        (Some("u16"), None) => Some(Raw::U16),
        (Some("i16"), None) => Some(Raw::I16),
        (Some("u32"), None) => Some(Raw::U32),
        (Some("i32"), None) => Some(Raw::I32),
        (Some("f32"), None) => Some(Raw::F32),
        (Some("u64"), None) => Some(Raw::U64),
        (Some("i64"), None) => Some(Raw::I64),
        (Some("f64"), None) => Some(Raw::F64),
        _ => None,
    };
    if raw.is_none() {
        section.wrong("type", format!("write {TYPE}"));
    }
    raw
}

fn read_sentinels(section: &mut Section<'_>, raw: Option<Raw>) -> Vec<u64> {
    let bits = 16 * u32::from(raw.map_or(4, Raw::registers));
    let wanted = format!("a list of raw values as unsigned numbers of {bits} bits, such as [0x8000]");
    let sentinels: Vec<u64> = section.optional("sentinels", &wanted).unwrap_or_default();
    if sentinels
        .iter()
        .any(|sentinel| sentinel.checked_shr(bits).unwrap_or(0) != 0)
    {
        section.wrong("sentinels", format!("write {wanted}"));
    }
    sentinels
}

/// Whether a point can stand beside the earlier ones: a name of its own, and no register or field half shared.
pub(super) fn check_beside(section: &Section<'_>, point: &Point, earlier: &[Point]) {
    if earlier.iter().any(|other| other.name == point.name) {
        section.wrong("name", "this name is taken by an earlier point");
    }
    for other in earlier {
        match (&point.place, &other.place) {
            (Place::Register(a), Place::Register(b)) if a.table == b.table => {
                let both_written = point.access == Access::ReadWrite && other.access == Access::ReadWrite;
                if overlap(a, b) && (both_written || !may_share(a, b)) {
                    let message = format!("{} has registers of this value: write another address", other.name);
                    section.wrong("address", message);
                }
            }
            (Place::Pointer(a), Place::Pointer(b)) if within(a, b) || within(b, a) => {
                let message = format!("{} has this field or a part of it: write another pointer", other.name);
                section.wrong("pointer", message);
            }
            (Place::Topic(a), Place::Topic(b)) | (Place::Metric(a), Place::Metric(b)) if a == b => {
                section.wrong(
                    "name",
                    format!("{} has this topic or metric: write another", other.name),
                );
            }
            (Place::Dsx(a), Place::Dsx(b)) if a == b => {
                section.wrong("point_type", format!("{} is the same point of the bus", other.name));
            }
            _ => {}
        }
    }
}

fn overlap(a: &Register, b: &Register) -> bool {
    let end = |register: &Register| u32::from(register.address) + u32::from(register.raw.registers());
    u32::from(a.address) < end(b) && u32::from(b.address) < end(a)
}

/// The same registers may be read as two values, and bits beside a whole word; half of another value is a wrong address.
fn may_share(a: &Register, b: &Register) -> bool {
    a.raw.is_part() || b.raw.is_part() || (a.address == b.address && a.raw.registers() == b.raw.registers())
}

/// Whether a JSON pointer leads to a field or to a part of it.
fn within(pointer: &str, outer: &str) -> bool {
    let rest = pointer.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
