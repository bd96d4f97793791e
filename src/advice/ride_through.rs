//! Time to the first critical limit after a loss, from heat balances of what is stored in the plant now.
//!
//! Each is the time in which the present heat warms the stored heat capacity by the distance to the limit, with nothing
//! taken away any more; no credit is given for anything that would help (operators, valves, power caps), so that the true
//! time is longer.
//!
//! - Loss of flow: chips alone. `t = c * dT / load`, with `c` = 0.661 kJ/K per kW of chip: die 60, cold plate 200 and the
//!   0.1 L of coolant trapped in it 401 J/K for a part of 1 kW. A two-node model gives 8.0 s for 10 K where this gives 6.6.
//! - Loss of a pump of the facility loop: the coolant of the CDU, `t = rho V c_p dT / Q`.
//! - Loss of heat rejection, pumps running: the loop's water and the coolant of its CDUs, with the water first warming by
//!   what the CDU's exchanger has in hand: supply less water less the approach at this load.

use crate::site::{CduId, Site};
use crate::snapshot::{HeatForecast, Snapshot};
use thermo::{Coolant, Quantity};

/// Heat capacity at a chip without flow, kJ/K per kW of its rated power.
const CHIP_KJ_PER_K_KW: f64 = 0.661;
/// Temperature at which coolant properties are taken, degC.
const PROPERTY_C: f64 = 35.0;
/// Heat below which there is nothing to lose, kW.
const LEAST_KW: f64 = 1.0;
/// Longest time that is told, s: beyond a day other things decide.
const LONGEST_S: f64 = 86_400.0;

/// How long a CDU and its racks stay within the site's critical limits, s; `None` where a reading is missing or there is
/// no heat.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RideThrough {
    /// After the coolant stands still.
    pub flow_s: Option<f64>,
    /// After the facility water to the CDU stands still, the CDU's own pumps running.
    pub pump_s: Option<f64>,
    /// After the loop's heat rejection stops, all pumps running.
    pub tower_s: Option<f64>,
}

/// Heat capacity of a volume, kJ/K.
fn stored(coolant: Coolant, litres: f64) -> f64 {
    // kW per (L/min) and K, times 60 s, is kJ per L and K.
    coolant.kw_per_lpm_k(PROPERTY_C) * 60.0 * litres
}

fn time_s(kj_per_k: f64, rise_k: f64, heat_kw: f64) -> Option<f64> {
    let time_s = kj_per_k * rise_k.max(0.0) / heat_kw;
    (heat_kw > LEAST_KW && time_s.is_finite()).then_some(time_s.min(LONGEST_S))
}

/// The times of each CDU, by `CduId`.
pub fn ride_through(site: &Site, snapshot: &Snapshot, heat: &HeatForecast) -> Vec<RideThrough> {
    (0..site.cdus.len())
        .map(|id| one(site, snapshot, heat, CduId(id)).unwrap_or_default())
        .collect()
}

fn one(site: &Site, snapshot: &Snapshot, heat: &HeatForecast, id: CduId) -> Option<RideThrough> {
    let cdu = site.cdus.get(id.0)?;
    let own_kw = heat.cdus.get(id.0)?.now_kw;
    let limits = &site.limits;
    let (mut chips_s, mut margin_k): (Option<f64>, Option<f64>) = (None, None);
    for rack in cdu.racks.iter().filter_map(|rack| site.racks.get(rack.0)) {
        let Some(left) = snapshot.get(rack.points.chip_margin).map(Quantity::get) else {
            continue;
        };
        let rise_k = (left - limits.chip_margin_k.critical).max(0.0);
        margin_k = Some(margin_k.map_or(rise_k, |least| least.min(rise_k)));
        let load = snapshot
            .get(rack.points.power)
            .map(|kw| kw.get() / rack.nameplate.rated_kw);
        if let Some(load) = load.filter(|load| *load > 0.01) {
            let own_s = CHIP_KJ_PER_K_KW * rise_k / load;
            chips_s = Some(chips_s.map_or(own_s, |least| least.min(own_s)).min(LONGEST_S));
        }
    }
    let supply_c = snapshot.get(cdu.points.secondary_supply_temperature).map(Quantity::get);
    let rise_k = match (margin_k, supply_c.map(|c| limits.secondary_supply_c.critical - c)) {
        (Some(chips), Some(supply)) => Some(chips.min(supply)),
        (one, other) => one.or(other),
    };
    let Some(rise_k) = rise_k else {
        return Some(RideThrough {
            flow_s: chips_s,
            ..RideThrough::default()
        });
    };
    let coolant = |unit: &crate::site::Cdu| stored(unit.nameplate.coolant, unit.nameplate.volume_l);
    let around = site.loops.get(cdu.facility_loop.0)?;
    let mut loop_kw = 0.0;
    let mut loop_kj_per_k = stored(Coolant::Water, around.nameplate.volume_l);
    for id in &around.cdus {
        loop_kw += heat.cdus.get(id.0)?.now_kw;
        loop_kj_per_k += coolant(site.cdus.get(id.0)?);
    }
    let water_c = snapshot.get(cdu.points.primary_supply_temperature).map(Quantity::get);
    let in_hand_k = supply_c
        .zip(water_c)
        .map(|(supply, water)| (supply - water - cdu.nameplate.approach_k * own_kw / cdu.nameplate.rated_kw).max(0.0));
    Some(RideThrough {
        flow_s: chips_s,
        pump_s: time_s(coolant(cdu), rise_k, own_kw),
        tower_s: time_s(loop_kj_per_k, rise_k + in_hand_k.unwrap_or(0.0), loop_kw),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{HORIZONS, HeatBand, HeatSource, Now, Quality, Reading};

    #[test]
    fn stored_heat_vectors() {
        // 115 kW into 50 L of PG25: 0.575 K/s, 10 K in 17.4 s; 1 MW into 1 m3 of water: 41.8 s for 10 K.
        let pg25_s = time_s(stored(Coolant::Pg25, 50.0), 10.0, 115.0).unwrap();
        assert!((pg25_s - 17.4).abs() < 0.1, "{pg25_s}");
        let water_s = time_s(stored(Coolant::Water, 1000.0), 10.0, 1000.0).unwrap();
        assert!((water_s - 41.8).abs() < 0.4, "{water_s}");
    }

    fn site_and_snapshot(warmer_k: f64) -> (Site, Snapshot, HeatForecast) {
        let site = crate::site::load_embedded("demo").unwrap().unwrap();
        let now = Now {
            mono_ms: 0,
            wall_ms: 0,
            utc_offset_s: 0,
        };
        let mut snapshot = Snapshot::empty(site.points.len(), now);
        let mut put = |tag: &str, value: f64| {
            let id = site.point(tag).unwrap();
            snapshot.readings[id.0] = Some(Reading {
                value,
                quality: Quality::Good,
                mono_ms: 0,
            });
        };
        for rack in &site.racks {
            put(&format!("{}.chip_margin", rack.name), 20.0 - warmer_k);
            put(&format!("{}.power", rack.name), 96.0);
        }
        for cdu in &site.cdus {
            put(&format!("{}.secondary_supply_temperature", cdu.name), 32.0 + warmer_k);
            put(&format!("{}.primary_supply_temperature", cdu.name), 24.0 + warmer_k);
        }
        let band = HeatBand {
            now_kw: 334.0,
            mean_kw: [334.0; HORIZONS],
            lower_kw: [300.0; HORIZONS],
            upper_kw: [360.0; HORIZONS],
        };
        let heat = HeatForecast {
            source: HeatSource::Queue,
            cdus: vec![band; site.cdus.len()],
            racks: vec![band; site.racks.len()],
            notes: vec![],
            demotions: Vec::new(),
            covered: [None; HORIZONS],
        };
        (site, snapshot, heat)
    }

    #[test]
    fn chips_have_seconds_coolant_tens_of_seconds_and_the_loop_minutes() {
        let (site, snapshot, heat) = site_and_snapshot(0.0);
        let times = ride_through(&site, &snapshot, &heat)[0];
        let (flow, pump, tower) = (times.flow_s.unwrap(), times.pump_s.unwrap(), times.tower_s.unwrap());
        // 15 K to the critical margin at four fifths of the rated load.
        assert!((flow - 0.661 * 15.0 / 0.8).abs() < 1e-9, "{flow}");
        assert!(flow < pump && pump < tower, "{flow} {pump} {tower}");
        let (_, warmer, _) = site_and_snapshot(3.0);
        let sooner = ride_through(&site, &warmer, &heat)[0];
        assert!(sooner.pump_s < times.pump_s && sooner.flow_s < times.flow_s && sooner.tower_s < times.tower_s);
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let (site, snapshot, heat) = site_and_snapshot(0.0);
        let empty = Snapshot::empty(site.points.len(), snapshot.now);
        assert_eq!(ride_through(&site, &empty, &heat)[0], RideThrough::default());
    }
}
