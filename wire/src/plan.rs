//! Which blocks of registers to read.

#![deny(clippy::indexing_slicing)]

use crate::profile::{Mapping, ModbusMap, Place, Profile, Table};

/// Bits that an answer carries in the room of one register: 125 registers or 2000 bits at most (Modbus application
/// protocol 1.1b3, functions 1 to 4).
const BITS_A_REGISTER: u32 = 16;

/// One read request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The table.
    pub table: Table,
    /// First protocol address.
    pub start: u16,
    /// Registers or bits.
    pub count: u16,
    /// The profile's points that lie in it.
    pub points: Vec<usize>,
}

/// The fewest blocks, in order of address, that cover every point of a Modbus profile once, within the device's
/// largest block and without bridging more unused registers than it allows. Empty for an MQTT profile.
pub fn blocks(profile: &Profile) -> Vec<Block> {
    let Mapping::Modbus(map) = &profile.mapping else {
        return Vec::new();
    };
    let mut spans: Vec<(Table, u16, u16, usize)> = Vec::new();
    for (index, point) in profile.points.iter().enumerate() {
        if let Place::Register(register) = &point.place {
            spans.push((register.table, register.address, register.raw.registers(), index));
        }
    }
    spans.sort_unstable();

    let mut blocks: Vec<Block> = Vec::new();
    for (table, start, count, index) in spans {
        if let Some(block) = blocks.last_mut()
            && block.table == table
            && let Some(longer) = extended(block, start, count, map)
        {
            block.count = longer;
            block.points.push(index);
        } else {
            blocks.push(Block {
                table,
                start,
                count,
                points: vec![index],
            });
        }
    }
    blocks
}

/// The length of a block made to hold a further value; `None` where the device's limits forbid it.
fn extended(block: &Block, start: u16, count: u16, map: &ModbusMap) -> Option<u16> {
    // Wider than u16: the last register is number 65535.
    let block_end = u32::from(block.start) + u32::from(block.count);
    let end = (u32::from(start) + u32::from(count)).max(block_end);
    let gap = u32::from(start).saturating_sub(block_end);
    let longer = end - u32::from(block.start);
    let most = match block.table {
        Table::Coil | Table::Discrete => BITS_A_REGISTER * u32::from(map.max_block),
        Table::Input | Table::Holding => u32::from(map.max_block),
    };
    // A value beside a hole is read, the hole itself never: only what lies between the two spans counts.
    let spans_hole = gap > 0
        && map.unreadable.iter().any(|hole| {
            let (first, last) = (u32::from(hole.range.0), u32::from(hole.range.1));
            hole.table == block.table && first < u32::from(start) && last >= block_end
        });
    let allowed = gap <= u32::from(map.max_gap) && longer <= most && !spans_hole;
    u16::try_from(longer).ok().filter(|_| allowed)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;
    use crate::profile::{Access, Order, Point, Raw, Register, Unreadable, WordOrder};
    use proptest::prelude::*;
    use thermo::Unit;

    fn profile(table: Table, addresses: &[(u16, bool)], max_block: u16, max_gap: u16) -> Profile {
        let points = addresses.iter().enumerate().map(|(index, (address, wide))| Point {
            name: format!("p{index}"),
            unit: Unit::Celsius,
            scale: 1.0,
            offset: 0.0,
            access: Access::Read,
            place: Place::Register(Register {
                table,
                address: *address,
                raw: match table {
                    Table::Coil | Table::Discrete => Raw::Bit,
                    Table::Input | Table::Holding if *wide => Raw::F32,
                    Table::Input | Table::Holding => Raw::U16,
                },
                words: WordOrder::HighFirst,
                bytes: Order::HighFirst,
                sentinels: vec![],
            }),
            min: 0.0,
            max: 1.0,
        });
        Profile {
            name: "test".into(),
            description: String::new(),
            source: String::new(),
            points: points.collect(),
            mapping: Mapping::Modbus(ModbusMap {
                base: 0,
                max_block,
                max_gap,
                request_pause_ms: 0,
                connect_delay_ms: 0,
                answer_ms: None,
                poll_s: None,
                hold_connection: true,
                write_single: true,
                unreadable: Vec::new(),
            }),
        }
    }

    fn shape(blocks: &[Block]) -> Vec<(u16, u16)> {
        blocks.iter().map(|block| (block.start, block.count)).collect()
    }

    #[test]
    fn neighbours_share_a_block_and_gaps_split_it() {
        let addresses = [(10, true), (0, false), (1, false), (12, false), (14, false)];
        let found = blocks(&profile(Table::Input, &addresses, 125, 1));
        assert_eq!(shape(&found), [(0, 2), (10, 5)]);
    }

    #[test]
    fn a_hole_is_never_spanned_however_large_the_gap_may_be() {
        let addresses = [(0, false), (2, false), (5, false), (8, false)];
        let mut with_hole = profile(Table::Input, &addresses, 125, 20);
        if let Mapping::Modbus(map) = &mut with_hole.mapping {
            map.unreadable = vec![
                Unreadable {
                    table: Table::Input,
                    range: (3, 4),
                },
                Unreadable {
                    table: Table::Holding,
                    range: (6, 7),
                },
            ];
        }
        assert_eq!(shape(&blocks(&with_hole)), [(0, 3), (5, 4)]);
    }

    #[test]
    fn the_last_register_of_a_table_is_read() {
        let addresses = [(65_534, false), (65_535, false)];
        assert_eq!(
            shape(&blocks(&profile(Table::Holding, &addresses, 125, 0))),
            [(65_534, 2)]
        );
    }

    #[test]
    fn a_block_holds_sixteen_bits_for_each_register() {
        let addresses: Vec<_> = (0..40).map(|address| (address, false)).collect();
        let found = blocks(&profile(Table::Discrete, &addresses, 2, 0));
        assert_eq!(shape(&found), [(0, 32), (32, 8)]);
    }

    proptest! {
        #[test]
        fn every_point_is_read_once_within_the_limits(
            addresses in proptest::collection::vec((0u16..2000, any::<bool>()), 1..60),
            max_block in 2u16..=125, max_gap in 0u16..20,
        ) {
            let profile = profile(Table::Input, &addresses, max_block, max_gap);
            let found = blocks(&profile);
            let mut seen: Vec<usize> = found.iter().flat_map(|block| block.points.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..addresses.len()).collect::<Vec<_>>());
            for block in &found {
                prop_assert!(block.count <= max_block);
                let mut read_to = block.start;
                for index in &block.points {
                    let (address, wide) = addresses[*index];
                    let end = address + 1 + u16::from(wide);
                    prop_assert!(address >= block.start && end <= block.start + block.count);
                    prop_assert!(address <= read_to + max_gap, "{} unused", address - read_to);
                    read_to = read_to.max(end);
                }
                prop_assert_eq!(read_to, block.start + block.count);
            }
        }
    }
}
