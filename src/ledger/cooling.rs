//! Electricity of each cooling equipment: by its power reading, else by its speed and nameplate.

use super::State;
use super::meter::{Booked, good};
use crate::site::{RejectionKind, Site};
use crate::snapshot::Snapshot;
use thermo::{Count, Fraction, Kilowatts};

/// Names of the cooling equipment, in the order in which the ledger keeps it: CDUs, loops, heat rejection, air units.
pub fn equipment(site: &Site) -> impl Iterator<Item = &str> {
    let cdus = site.cdus.iter().map(|item| item.name.as_str());
    let loops = site.loops.iter().map(|item| item.name.as_str());
    let rejection = site.rejection.iter().map(|item| item.name.as_str());
    let air_units = site.air_units.iter().map(|item| item.name.as_str());
    cdus.chain(loops).chain(rejection).chain(air_units)
}

/// Adds a cycle of every equipment.
pub(super) fn add(site: &Site, snapshot: &Snapshot, state: &mut State, dt_s: f64) -> Vec<Booked> {
    let cdus = site.cdus.iter().map(|item| {
        let plate = &item.nameplate;
        let read = good::<Kilowatts>(snapshot, item.points.power);
        (
            read,
            plate.pump_kw * cube(good::<Fraction>(snapshot, item.points.pump_speed)),
        )
    });
    let loops = site.loops.iter().map(|item| {
        let plate = &item.nameplate;
        let read = good::<Kilowatts>(snapshot, item.points.power);
        let running = good::<Count>(snapshot, item.points.pumps_running).unwrap_or(plate.pumps as f64);
        (
            read,
            plate.pump_kw * running * cube(good::<Fraction>(snapshot, item.points.pump_speed)),
        )
    });
    let rejection = site.rejection.iter().map(|item| {
        let plate = &item.nameplate;
        let read = good::<Kilowatts>(snapshot, item.points.power);
        let speed = good::<Fraction>(snapshot, item.points.fan_speed);
        let share = match plate.kind {
            RejectionKind::TowerCell | RejectionKind::DryCooler => cube(speed),
            // A compressor's power follows its load, not the cube of a speed.
            RejectionKind::Chiller => speed.unwrap_or(1.0),
        };
        (read, plate.power_kw * share)
    });
    let air_units = site.air_units.iter().map(|item| {
        let read = good::<Kilowatts>(snapshot, item.points.power);
        (
            read,
            item.nameplate.fan_kw * cube(good::<Fraction>(snapshot, item.points.fan_speed)),
        )
    });
    let all = cdus.chain(loops).chain(rejection).chain(air_units);
    let booked = all.zip(&mut state.cooling).map(|((read, curve_kw), rate)| {
        let booked = rate.add(Some(read.unwrap_or(curve_kw)), dt_s).unwrap_or_default();
        Booked {
            estimated: read.is_none(),
            ..booked
        }
    });
    booked.collect()
}

/// Share of rated power at a speed by the affinity law; all of it where the speed is not known.
fn cube(speed: Option<f64>) -> f64 {
    speed.map_or(1.0, |speed| speed * speed * speed)
}
