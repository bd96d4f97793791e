//! Heat: what is handed over and how warm, and whether what the loops carry closes with what is put in.

use super::State;
use super::meter::{Booked, good};
use crate::site::{MeterRole, Site};
use crate::snapshot::Snapshot;
use thermo::Coolant;

/// Heat by the exchangers' own reading; what is not read is not claimed.
pub(super) fn exchangers(site: &Site, snapshot: &Snapshot, state: &mut State, dt_s: f64) -> Booked {
    let all = site.reuse.iter().zip(&mut state.reuse).map(|(unit, rate)| {
        let read = good(snapshot, unit.points.heat);
        let booked = rate.add(Some(read.unwrap_or(0.0).max(0.0)), dt_s).unwrap_or_default();
        Booked {
            estimated: read.is_none(),
            ..booked
        }
    });
    all.fold(Booked::default(), Booked::and)
}

/// Temperature at which heat is handed over, degC: the heat meter's supply, else that of the exchangers by their heat.
pub(super) fn handed_over_c(site: &Site, snapshot: &Snapshot) -> Option<f64> {
    let meters = site.meters.iter().filter(|meter| meter.role == MeterRole::ReusedHeat);
    let metered = meters.filter_map(|meter| good(snapshot, meter.points.supply_temperature));
    let (mut sum_kw, mut weighted) = (0.0, 0.0);
    for unit in &site.reuse {
        if let (Some(kw), Some(c)) = (
            good(snapshot, unit.points.heat),
            good(snapshot, unit.points.network_supply_temperature),
        ) {
            sum_kw += kw.max(0.0);
            weighted += kw.max(0.0) * c;
        }
    }
    let mixed = (sum_kw > 0.0).then(|| weighted / sum_kw);
    metered.reduce(f64::max).or(mixed)
}

/// What the loops carry by flow and temperatures, and the electricity that turns into it: IT, the pumps of CDUs and loops,
/// the fans of air units. Where a hall has no air units, the racks' air heat leaves by another way. `None` where a loop's
/// reading is missing.
pub(super) fn balance(
    site: &Site,
    snapshot: &Snapshot,
    it_kwh: f64,
    equipment: &[Booked],
    dt_s: f64,
) -> Option<(f64, f64)> {
    let carried_kw: Option<f64> = site
        .loops
        .iter()
        .map(|unit| {
            let flow = good(snapshot, unit.points.flow)?;
            let supply = good(snapshot, unit.points.supply_temperature)?;
            let back = good(snapshot, unit.points.return_temperature)?;
            Some(flow * Coolant::Water.kw_per_lpm_k(0.5 * (supply + back)) * (back - supply))
        })
        .sum();
    let rated: f64 = site.racks.iter().map(|rack| rack.nameplate.rated_kw).sum();
    let liquid = site
        .racks
        .iter()
        .map(|rack| rack.nameplate.rated_kw * rack.nameplate.liquid_fraction);
    let share = if site.air_units.is_empty() {
        liquid.sum::<f64>() / rated
    } else {
        1.0
    };
    let fans = site.cdus.len() + site.loops.len();
    let rejection = fans..fans + site.rejection.len();
    let inside = equipment
        .iter()
        .enumerate()
        .filter(|(place, _)| !rejection.contains(place));
    let machines: f64 = inside.map(|(_, own)| own.amount).sum();
    Some((carried_kw? * dt_s / 3600.0, share * it_kwh + machines))
}

/// Mean setpoint of the air that the air units supply, degC.
pub(super) fn intake_setpoint_c(site: &Site, snapshot: &Snapshot) -> Option<f64> {
    let setpoints = site.air_units.iter();
    let known: Vec<f64> = setpoints
        .filter_map(|unit| good(snapshot, unit.points.supply_air_temperature_setpoint))
        .collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}
