//! Reads what holds for a whole Modbus device.

use super::{ORDER, Orders, WORD_ORDER};
use crate::profile::{Mapping, ModbusMap, Table, Unreadable};
use crate::section::Section;
use serde::Deserialize;

/// Registers that one read may ask for (Modbus application protocol 1.1b3, functions 3 and 4).
const REGISTERS_MAX: u16 = 125;

const HOLES: &str = "a list such as [{ table = \"holding\", from = 100, to = 110 }], in the manual's count";
const PAUSE: &str = "milliseconds, a whole number";

/// One entry of `unreadable`, in the manual's count.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hole {
    table: Table,
    from: u32,
    to: u32,
}

/// The map, and the orders that hold where a point states none. What is wrong is replaced, so that the points are
/// checked all the same.
pub(super) fn read(mut section: Section<'_>) -> (Mapping, Orders) {
    let base = "0 for protocol addresses, 1 where the manual counts from 1";
    let max_block = format!("1 to {REGISTERS_MAX} registers");
    let mut map = ModbusMap {
        base: section.required("base", base).unwrap_or(0),
        max_block: section.required("max_block", &max_block).unwrap_or(REGISTERS_MAX),
        max_gap: section.optional("max_gap", "a number of registers").unwrap_or(0),
        request_pause_ms: section.optional("request_pause_ms", PAUSE).unwrap_or(0),
        connect_delay_ms: section.optional("connect_delay_ms", PAUSE).unwrap_or(0),
        answer_ms: section.optional("answer_ms", PAUSE),
        poll_s: section.optional("poll_s", "seconds"),
        hold_connection: section.optional("hold_connection", "true or false").unwrap_or(true),
        write_single: section.optional("write_single", "true or false").unwrap_or(true),
        unreadable: Vec::new(),
    };
    let orders = Orders {
        words: section.optional("words", WORD_ORDER).unwrap_or_default(),
        bytes: section.optional("bytes", ORDER).unwrap_or_default(),
    };
    if map.base > 1 {
        section.wrong("base", format!("write {base}"));
    }
    if map.max_block == 0 || map.max_block > REGISTERS_MAX {
        section.wrong("max_block", format!("write {max_block}"));
    }
    if map.answer_ms.is_some_and(|ms| !(10..=60_000).contains(&ms)) {
        section.wrong("answer_ms", "write 10 to 60000 ms");
    }
    if map.poll_s.is_some_and(|seconds| !(0.1..=86_400.0).contains(&seconds)) {
        section.wrong("poll_s", "write 0.1 to 86400 s");
    }
    let holes: Vec<Hole> = section.optional("unreadable", HOLES).unwrap_or_default();
    for hole in holes {
        let protocol = |address: u32| u16::try_from(address.checked_sub(map.base.into())?).ok();
        match (protocol(hole.from), protocol(hole.to)) {
            (Some(first), Some(last)) if first <= last => map.unreadable.push(Unreadable {
                table: hole.table,
                range: (first, last),
            }),
            _ => section.wrong("unreadable", format!("write {HOLES}, with from no larger than to")),
        }
    }
    section.finish();
    (Mapping::Modbus(map), orders)
}
