//! Which blocks of registers to read.

#![deny(clippy::indexing_slicing)]

use crate::profile::{Mapping, Place, Profile, Table};

/// Bits that one read may ask for (Modbus application protocol 1.1b3, functions 1 and 2).
const BITS_MAX: u16 = 2000;

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
            let end = register.address.saturating_add(register.raw.registers());
            spans.push((register.table, register.address, end, index));
        }
    }
    spans.sort_unstable();

    let mut blocks: Vec<Block> = Vec::new();
    for (table, start, end, index) in spans {
        let most = if matches!(table, Table::Coil | Table::Discrete) {
            BITS_MAX
        } else {
            map.max_block
        };
        if let Some(block) = blocks.last_mut()
            && block.table == table
        {
            let block_end = block.start.saturating_add(block.count);
            let gap = start.saturating_sub(block_end);
            let count = end.max(block_end) - block.start;
            if gap <= map.max_gap && count <= most {
                block.count = count;
                block.points.push(index);
                continue;
            }
        }
        blocks.push(Block {
            table,
            start,
            count: end - start,
            points: vec![index],
        });
    }
    blocks
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;
    use crate::profile::{Access, ModbusMap, Order, Point, Raw, Register};
    use proptest::prelude::*;
    use thermo::Unit;

    fn profile(addresses: &[(u16, bool)], max_block: u16, max_gap: u16) -> Profile {
        let points = addresses.iter().enumerate().map(|(index, (address, wide))| Point {
            name: format!("p{index}"),
            unit: Unit::Celsius,
            scale: 1.0,
            offset: 0.0,
            access: Access::Read,
            place: Place::Register(Register {
                table: Table::Input,
                address: *address,
                raw: if *wide { Raw::F32 } else { Raw::U16 },
                words: Order::HighFirst,
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
            }),
        }
    }

    #[test]
    fn neighbours_share_a_block_and_gaps_split_it() {
        let found = blocks(&profile(
            &[(10, true), (0, false), (1, false), (12, false), (14, false)],
            125,
            1,
        ));
        let shape: Vec<(u16, u16)> = found.iter().map(|block| (block.start, block.count)).collect();
        assert_eq!(shape, [(0, 2), (10, 5)]);
    }

    proptest! {
        #[test]
        fn every_point_is_read_once_within_the_limits(
            addresses in proptest::collection::vec((0u16..2000, any::<bool>()), 1..60),
            max_block in 2u16..=125, max_gap in 0u16..20,
        ) {
            let profile = profile(&addresses, max_block, max_gap);
            let found = blocks(&profile);
            let mut seen: Vec<usize> = found.iter().flat_map(|block| block.points.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..addresses.len()).collect::<Vec<_>>());
            for block in &found {
                prop_assert!(block.count <= max_block);
                for index in &block.points {
                    let (address, wide) = addresses[*index];
                    prop_assert!(address >= block.start);
                    prop_assert!(address + 1 + u16::from(wide) <= block.start + block.count);
                }
            }
        }
    }
}
