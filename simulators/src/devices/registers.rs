//! A device's register map over the plant's signals.
//!
//! Nothing is stored here: a read is encoded from the plant and a write decoded to it, through the same
//! profile that the controller reads the device with.

use crate::plant::{Plant, SignalId, WriteError};
use std::sync::Arc;
use wire::profile::{Access, Mapping, Place, Raw, Register, Table};
use wire::{ModbusMap, Point, Profile, codec};

/// Most registers in one read by the Modbus standard.
const MOST_REGISTERS: u16 = 125;
/// Most bits in one read by the Modbus standard.
const MOST_BITS: u16 = 2000;

/// Why a profile and an equipment make no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The profile is for MQTT.
    #[error("profile {0} is not for Modbus: choose one with a [modbus] section")]
    NotModbus(String),
    /// No quantity of the profile is a signal of the equipment.
    #[error("the plant has no signal {0}.<quantity> of this profile: check the equipment's id and profile")]
    NoSignals(String),
}

/// Why a request is refused, as Modbus says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// An address that the device does not have, or does not take writes at.
    Address,
    /// A count or value that the device does not take.
    Value,
}

/// An equipment behind a register map.
#[derive(Debug, Clone)]
pub struct Device {
    id: String,
    unit: u8,
    profile: Arc<Profile>,
    map: ModbusMap,
    /// For each point of the profile its signal; a quantity that the plant does not have reads as "no value".
    signals: Vec<Option<SignalId>>,
}

impl Device {
    /// The equipment `id` of `plant` as `profile` maps it, at Modbus unit `unit`.
    ///
    /// # Errors
    /// For a profile that is not for Modbus, or of which the equipment has no quantity.
    pub fn new(id: &str, unit: u8, profile: Arc<Profile>, plant: &Plant) -> Result<Self, DeviceError> {
        let Mapping::Modbus(map) = &profile.mapping else {
            return Err(DeviceError::NotModbus(profile.name.clone()));
        };
        let map = map.clone();
        let signals: Vec<_> = profile
            .points
            .iter()
            .map(|point| plant.signal(&format!("{id}.{}", point.name)))
            .collect();
        if signals.iter().all(Option::is_none) {
            return Err(DeviceError::NoSignals(id.to_owned()));
        }
        Ok(Self {
            id: id.to_owned(),
            unit,
            profile,
            map,
            signals,
        })
    }

    /// The Modbus unit that it answers to.
    pub fn unit(&self) -> u8 {
        self.unit
    }

    /// The equipment.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The point and the value of a write that begins at `address`; `None` where there is none.
    pub(super) fn meant(&self, table: Table, address: u16, words: &[u16]) -> Option<(&str, f64)> {
        let (point, register, _) = self
            .points(table)
            .find(|(_, register, _)| register.address == address)?;
        let words = words.get(..usize::from(register.raw.registers()))?;
        let value = match words {
            [bit] if register.raw == Raw::Bit => codec::decode_bit(point, *bit != 0),
            words => codec::decode(point, words),
        };
        Some((&point.name, value.ok()?))
    }

    /// Whether it is off the network at the moment.
    pub(super) fn is_silent(&self, plant: &Plant) -> bool {
        self.signals
            .iter()
            .flatten()
            .next()
            .is_some_and(|signal| plant.is_silent(*signal))
    }

    /// Points of a table with their registers and signals.
    fn points(&self, table: Table) -> impl Iterator<Item = (&Point, &Register, Option<SignalId>)> {
        self.profile
            .points
            .iter()
            .zip(&self.signals)
            .filter_map(move |(point, signal)| match &point.place {
                Place::Register(register) if register.table == table => Some((point, register, *signal)),
                _ => None,
            })
    }

    /// Reads `count` words (bits of a bit table as 0 or 1) from `address`.
    pub(super) fn read(&self, plant: &Plant, table: Table, address: u16, count: u16) -> Result<Vec<u16>, Refusal> {
        let bits = matches!(table, Table::Coil | Table::Discrete);
        let most = if bits {
            MOST_BITS
        } else {
            self.map.max_block.min(MOST_REGISTERS)
        };
        if count == 0 || count > most {
            return Err(Refusal::Value);
        }
        let mut words: Vec<Option<u16>> = vec![None; usize::from(count)];
        for (point, register, signal) in self.points(table) {
            for (offset, word) in encoded(point, register, signal.map(|id| plant.measure(id)))
                .into_iter()
                .enumerate()
            {
                let place = usize::from(register.address) + offset;
                if let Some(slot) = place
                    .checked_sub(usize::from(address))
                    .and_then(|place| words.get_mut(place))
                {
                    *slot = Some(slot.unwrap_or(0) | word);
                }
            }
        }
        self.gaps_allowed(&words)?;
        Ok(words.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Unused registers read as 0 where the device lets a block span them, and are refused where it does not, at either
    /// end of a block too.
    fn gaps_allowed(&self, words: &[Option<u16>]) -> Result<(), Refusal> {
        let mut gap = 0;
        for word in words {
            gap = if word.is_some() { 0 } else { gap + 1 };
            if gap > usize::from(self.map.max_gap) {
                return Err(Refusal::Address);
            }
        }
        let ends = [words.first(), words.last()];
        if ends.iter().all(|end| end.copied().flatten().is_some()) {
            Ok(())
        } else {
            Err(Refusal::Address)
        }
    }

    /// Writes words (bits of a bit table as 0 or 1) from `address`: whole writable points only, and either all or none.
    pub(super) fn write(&self, plant: &mut Plant, table: Table, address: u16, words: &[u16]) -> Result<(), Refusal> {
        let mut writes = Vec::new();
        let mut rest = words;
        let mut next = address;
        while !rest.is_empty() {
            let writable = self.points(table).find(|(point, register, _)| {
                register.address == next && point.access == Access::ReadWrite && !register.raw.is_part()
            });
            let (point, register, signal) = writable.ok_or(Refusal::Address)?;
            let count = register.raw.registers();
            let (own, others) = rest.split_at_checked(usize::from(count)).ok_or(Refusal::Address)?;
            let value = match own {
                [bit] if register.raw == Raw::Bit => codec::decode_bit(point, *bit != 0),
                own => codec::decode(point, own),
            };
            writes.push((signal.ok_or(Refusal::Address)?, value.map_err(|_| Refusal::Value)?));
            rest = others;
            next = next.wrapping_add(count);
        }
        // A block is taken whole or not at all: where the plant refuses one value, those before it are put back.
        let before: Vec<f64> = writes.iter().map(|(signal, _)| plant.truth(*signal)).collect();
        for (done, (signal, value)) in writes.iter().enumerate() {
            if let Err(error) = plant.write(*signal, *value) {
                for ((signal, _), old) in writes.iter().zip(&before).take(done) {
                    if plant.write(*signal, *old).is_err() {
                        tracing::warn!("a setpoint could not be put back after a refused block write");
                    }
                }
                return Err(if matches!(error, WriteError::OutOfRange { .. }) {
                    Refusal::Value
                } else {
                    Refusal::Address
                });
            }
        }
        Ok(())
    }
}

/// The registers of a point: its value, or what its manual gives for "no value", or zero.
fn encoded(point: &Point, register: &Register, value: Option<f64>) -> Vec<u16> {
    if register.raw.is_part() {
        let off = vec![0];
        return value.map_or(off.clone(), |value| codec::encode(point, value).unwrap_or(off));
    }
    let words = value.and_then(|value| codec::encode(point, value).ok());
    words.unwrap_or_else(|| codec::words(register, register.sentinels.first().copied().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::{RejectionKind, demo_hall};

    fn cdu() -> (Plant, Device) {
        let mut plant = Plant::new(&demo_hall::spec(), 1).unwrap();
        demo_hall::run(&mut plant, 600.0, 5.0, 80.0, demo_hall::MILD);
        let profile = Arc::new(wire::embedded::profile("generic-cdu").unwrap());
        let device = Device::new("cdu1", 1, profile, &plant).unwrap();
        (plant, device)
    }

    fn place(device: &Device, name: &str) -> (Point, Register) {
        let point = device
            .profile
            .points
            .iter()
            .find(|point| point.name == name)
            .unwrap()
            .clone();
        let Place::Register(register) = point.place.clone() else {
            panic!("{name} is no register")
        };
        (point, register)
    }

    #[test]
    fn every_point_reads_what_the_sensor_reads() {
        let (plant, device) = cdu();
        for (point, signal) in device.profile.points.iter().zip(&device.signals) {
            let (_, register) = place(&device, &point.name);
            let words = device
                .read(&plant, register.table, register.address, register.raw.registers())
                .unwrap();
            let got = if register.raw == Raw::Bit {
                codec::decode_bit(point, words[0] != 0)
            } else {
                codec::decode(point, &words)
            };
            let want = plant.measure(signal.unwrap_or_else(|| panic!("no signal for {}", point.name)));
            let resolution = codec::resolution(point).max(1e-3 * want.abs());
            assert!(
                (got.unwrap() - want).abs() <= resolution,
                "{}: {got:?} {want}",
                point.name
            );
        }
    }

    #[test]
    fn blocks_as_planned_are_all_readable() {
        let mut spec = demo_hall::spec();
        spec.rejection[1].kind = RejectionKind::DryCooler;
        spec.rejection[2].kind = RejectionKind::Chiller;
        let plant = Plant::new(&spec, 1).unwrap();
        for (id, name) in [
            ("ct2", "dry-cooler"),
            ("ct3", "chiller"),
            ("cdu1", "generic-cdu"),
            ("fws", "pump-skid"),
            ("ct1", "tower-cell"),
            ("ahu1", "air-unit"),
            ("hx1", "reuse-exchanger"),
            ("meter_it", "power-meter"),
            ("meter_makeup", "water-meter"),
            ("meter_reuse", "heat-meter"),
        ] {
            let profile = Arc::new(wire::embedded::profile(name).unwrap());
            let device = Device::new(id, 1, Arc::clone(&profile), &plant).unwrap();
            for block in wire::plan::blocks(&profile) {
                let words = device.read(&plant, block.table, block.start, block.count);
                assert_eq!(
                    words.map(|words| words.len()),
                    Ok(usize::from(block.count)),
                    "{name} {block:?}"
                );
            }
            let missing: Vec<&str> = profile
                .points
                .iter()
                .zip(&device.signals)
                .filter(|(_, s)| s.is_none())
                .map(|(p, _)| p.name.as_str())
                .collect();
            assert!(missing.is_empty(), "{name}: {missing:?}");
        }
    }

    #[test]
    fn setpoints_are_written_and_read_back() {
        let (mut plant, device) = cdu();
        let (point, register) = place(&device, "secondary_supply_temperature_setpoint");
        let words = codec::encode(&point, 27.5).unwrap();
        device
            .write(&mut plant, register.table, register.address, &words)
            .unwrap();
        assert_eq!(
            device.read(&plant, register.table, register.address, register.raw.registers()),
            Ok(words)
        );
        assert!((demo_hall::truth(&plant, "cdu1.secondary_supply_temperature_setpoint") - 27.5).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        let (mut plant, device) = cdu();
        let (point, setpoint) = place(&device, "secondary_supply_temperature_setpoint");
        let (_, flow) = place(&device, "secondary_flow");
        assert_eq!(
            device.read(&plant, Table::Input, flow.address, 126),
            Err(Refusal::Value)
        );
        assert_eq!(device.read(&plant, Table::Input, flow.address, 0), Err(Refusal::Value));
        assert_eq!(device.read(&plant, Table::Input, 40_000, 2), Err(Refusal::Address));
        assert_eq!(device.read(&plant, Table::Input, 65_535, 2), Err(Refusal::Address));
        assert_eq!(
            device.write(&mut plant, flow.table, flow.address, &[1]),
            Err(Refusal::Address)
        );
        assert_eq!(
            device.write(&mut plant, Table::Holding, 60_000, &[1]),
            Err(Refusal::Address)
        );
        let cold = codec::encode(&Point { min: -100.0, ..point }, 3.0).unwrap();
        assert_eq!(
            device.write(&mut plant, setpoint.table, setpoint.address, &cold),
            Err(Refusal::Value)
        );
    }

    #[test]
    fn a_wrong_id_or_profile_is_named() {
        let plant = Plant::new(&demo_hall::spec(), 1).unwrap();
        let profile = |name: &str| Arc::new(wire::embedded::profile(name).unwrap());
        assert_eq!(
            Device::new("cdu9", 1, profile("generic-cdu"), &plant).unwrap_err(),
            DeviceError::NoSignals("cdu9".into())
        );
        assert!(matches!(
            Device::new("rack01", 1, profile("rack-mqtt"), &plant),
            Err(DeviceError::NotModbus(_))
        ));
    }
}
