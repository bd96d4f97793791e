//! Water by path: make-up and blowdown counted, drift estimated, evaporation what is left.

use super::State;
use super::meter::{Booked, Counter, Plate, good};
use crate::site::{PointId, RejectionKind, Site};
use crate::snapshot::{Now, Snapshot};
use serde::{Deserialize, Serialize};

/// Drift of a modern eliminator as a share of the circulation: manufacturers state 0.0005 to 0.002 %.
const DRIFT: f64 = 1e-5;

/// Heat of evaporation near 30 degC, kWh/L (2430 kJ/kg), and the share of a tower's heat that evaporates.
const LATENT_KWH_PER_L: f64 = 2430.0 / 3600.0;
const LATENT_SHARE: f64 = 0.85;

/// The counters of one heat-rejection unit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct CellBook {
    makeup: Counter,
    blowdown: Counter,
    spray: Counter,
}

/// What the units' own counters add: make-up with spray, and blowdown; `None` where a tower cell has none.
pub(super) fn cells(
    site: &Site,
    snapshot: &Snapshot,
    state: &mut State,
    ceiling_l_per_h: f64,
    now: Now,
) -> (Option<Booked>, Option<Booked>) {
    let (mut makeup, mut blowdown) = (Some(Booked::default()), Some(Booked::default()));
    for (unit, book) in site.rejection.iter().zip(&mut state.cells) {
        let count = |counter: &mut Counter, point: Option<PointId>, value: Option<f64>| {
            let largest = site.points.get(point?.0)?.plausible.1;
            let plate = Plate {
                // Counters of whole litres: the register's largest value is one less than its span.
                rollover: largest + 1.0,
                ceiling_per_h: ceiling_l_per_h,
            };
            // A counter that is silent for a while makes up for it when it returns.
            let nothing = Booked {
                estimated: value.is_none(),
                ..Booked::default()
            };
            let known = value.is_some() || counter.is_known();
            counter.add(value, Some(nothing).filter(|_| known), plate, now)
        };
        let points = &unit.points;
        let spray = count(
            &mut book.spray,
            id(points.water_volume),
            good(snapshot, points.water_volume),
        );
        if let Some(spray) = spray {
            makeup = makeup.map(|sum| sum.and(spray));
        }
        if unit.nameplate.kind == RejectionKind::TowerCell {
            let own = count(
                &mut book.makeup,
                id(points.makeup_volume),
                good(snapshot, points.makeup_volume),
            );
            makeup = makeup.zip(own).map(|(sum, own)| sum.and(own));
            let own = count(
                &mut book.blowdown,
                id(points.blowdown_volume),
                good(snapshot, points.blowdown_volume),
            );
            blowdown = blowdown.zip(own).map(|(sum, own)| sum.and(own));
        }
    }
    (makeup, blowdown)
}

fn id<Q>(point: Option<crate::site::Point<Q>>) -> Option<PointId> {
    point.map(crate::site::Point::id)
}

/// Drift of a cycle, L: a share of what circulates over the towers.
pub(super) fn drift_l(site: &Site, snapshot: &Snapshot, dt_s: f64) -> f64 {
    let circulation_lpm: f64 = (site.loops.iter())
        .map(|facility_loop| {
            let units = facility_loop
                .rejection
                .iter()
                .filter_map(|unit| site.rejection.get(unit.0));
            let cells = units.filter(|unit| unit.nameplate.kind == RejectionKind::TowerCell);
            let rated_lpm: f64 = cells.map(|cell| cell.nameplate.flow_lpm).sum();
            if rated_lpm > 0.0 {
                good(snapshot, facility_loop.points.flow).unwrap_or(rated_lpm).max(0.0)
            } else {
                0.0
            }
        })
        .sum();
    circulation_lpm * dt_s / 60.0 * DRIFT
}

/// What the basins' conductivity says in a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Concentration {
    /// Rated circulation of the cells whose conductivity is known, over the cycle, L.
    pub(super) circulated_l: f64,
    /// The same times their cycles of concentration.
    pub(super) weighted_l: f64,
}

/// Cycles of concentration by conductivity: the basin's over the make-up water's.
pub(super) fn concentration(site: &Site, snapshot: &Snapshot, dt_s: f64) -> Concentration {
    let mut sum = Concentration::default();
    let Some(makeup) = site.ledger.makeup_us_cm else {
        return sum;
    };
    for unit in &site.rejection {
        if let Some(basin) = good(snapshot, unit.points.conductivity).filter(|basin| *basin > 0.0) {
            let litres = unit.nameplate.flow_lpm * dt_s / 60.0;
            sum.circulated_l += litres;
            sum.weighted_l += litres * basin / makeup;
        }
    }
    sum
}

/// Cycles of concentration of the site's towers: as measured, else as the blowdown is set to keep; `None` without towers.
pub(super) fn cycles_of_concentration(site: &Site, measured: Concentration) -> Option<f64> {
    let towers = site
        .rejection
        .iter()
        .filter(|unit| unit.nameplate.kind == RejectionKind::TowerCell);
    let set = towers
        .map(|unit| unit.nameplate.cycles_of_concentration)
        .reduce(f64::min)?;
    let seen = measured.weighted_l / measured.circulated_l;
    // Below 1.1 nothing is concentrated: fresh water, or a probe in air.
    Some(if seen.is_finite() && seen > 1.1 { seen } else { set })
}

/// Make-up for a heat rejected by towers, L: `M = E CoC / (CoC - 1)`.
pub(super) fn makeup_for_heat_l(heat_kwh: f64, cycles: f64) -> f64 {
    LATENT_SHARE * heat_kwh.max(0.0) / LATENT_KWH_PER_L * cycles / (cycles - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makeup_follows_the_heat_and_the_cycles() {
        // 1 MWh all latent evaporates 1481.481 L; at 5 cycles the make-up is 1851.852 L, at 3 it is 2222.222 L.
        for (cycles, expect) in [(5.0, 1851.852), (3.0, 2222.222)] {
            let found = makeup_for_heat_l(1000.0, cycles) / LATENT_SHARE;
            assert!((found - expect).abs() < 1e-3, "{found}");
        }
    }
}
