//! The heat of each rack as it is now: measured where it can be, assumed the worst where not.

use crate::site::{Cdu, Rack, Site};
use crate::snapshot::{Now, Snapshot};

/// A rack's electric power now, kW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    /// Power, kW: a good reading, or what stands in for it.
    pub(super) power_kw: f64,
    /// Whether it is a good reading.
    pub(super) measured: bool,
    /// The most that it may be, kW: the rated power, or the reading where that is more.
    pub(super) cap_kw: f64,
}

/// The level of every rack, by `RackId`.
///
/// A rack without a good power reading is given its part of what its CDU's coolant carries away beyond the measured
/// racks; where flow or temperatures are missing too, the last reading plus what it may have risen since, or the rated
/// power where it never reported.
pub(super) fn levels(site: &Site, snapshot: &Snapshot, now: Now) -> Vec<Level> {
    let mut levels: Vec<Level> = site.racks.iter().map(|rack| measured(rack, snapshot)).collect();
    for cdu in &site.cdus {
        let lost = |levels: &[Level], rack: usize| levels.get(rack).is_some_and(|level| !level.measured);
        if !cdu.racks.iter().any(|rack| lost(&levels, rack.0)) {
            continue;
        }
        let share = share_of_rating(site, cdu, snapshot, &levels);
        for id in &cdu.racks {
            let (Some(rack), true) = (site.racks.get(id.0), lost(&levels, id.0)) else {
                continue;
            };
            let power_kw = share.map_or_else(
                || aged(rack, site, snapshot, now),
                |share| share * rack.nameplate.rated_kw,
            );
            let cap_kw = rack.nameplate.rated_kw;
            if let Some(level) = levels.get_mut(id.0) {
                *level = Level {
                    power_kw: power_kw.clamp(0.0, cap_kw),
                    measured: false,
                    cap_kw,
                };
            }
        }
    }
    levels
}

fn measured(rack: &Rack, snapshot: &Snapshot) -> Level {
    let rated_kw = rack.nameplate.rated_kw;
    match snapshot.get(rack.points.power) {
        Some(power) => {
            let power_kw = power.get().max(0.0);
            Level {
                power_kw,
                measured: true,
                cap_kw: rated_kw.max(power_kw),
            }
        }
        None => Level {
            power_kw: rated_kw,
            measured: false,
            cap_kw: rated_kw,
        },
    }
}

/// Power of the racks without a reading as a share of their rated power, by the CDU's heat balance.
fn share_of_rating(site: &Site, cdu: &Cdu, snapshot: &Snapshot, levels: &[Level]) -> Option<f64> {
    let points = &cdu.points;
    let flow = snapshot.get(points.secondary_flow)?;
    let supply = snapshot.get(points.secondary_supply_temperature)?;
    let rise = snapshot.get(points.secondary_return_temperature)? - supply;
    let heat_kw = cdu
        .nameplate
        .coolant
        .heat_of_flow(flow, rise, supply.get() + 0.5 * rise.get())?
        .get();
    let (mut known_kw, mut unknown_kw) = (0.0, 0.0);
    for id in &cdu.racks {
        let (rack, level) = (site.racks.get(id.0)?, levels.get(id.0)?);
        if level.measured {
            known_kw += level.power_kw * rack.nameplate.liquid_fraction;
        } else {
            unknown_kw += rack.nameplate.rated_kw * rack.nameplate.liquid_fraction;
        }
    }
    (unknown_kw > 0.0).then(|| ((heat_kw - known_kw) / unknown_kw).clamp(0.0, 1.0))
}

/// The last reading, of whatever quality, plus what it may have risen since; the rated power without one.
fn aged(rack: &Rack, site: &Site, snapshot: &Snapshot, now: Now) -> f64 {
    let last = rack.points.power.and_then(|point| {
        let reading = snapshot.reading(point.id())?;
        Some(reading.value + reading.age_s(now) * site.spec(point.id()).slew_per_s)
    });
    last.unwrap_or(rack.nameplate.rated_kw)
}
