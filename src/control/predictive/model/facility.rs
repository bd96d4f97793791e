//! A facility-water loop's pumps, and heat export.

use super::carries;
use super::exchanger::Exchanger;
use crate::site::{FacilityLoop, ReuseNameplate, Site};
use thermo::Coolant;

/// Part of a pump's rated head that pipes outside the hall take at rated flow.
const PIPE_SHARE: f64 = 0.4;
/// Head at no flow over that at rated flow.
const SHUT_OFF: f64 = 1.25;
/// Speed below which the rest of the pumps take over from one, and above which one more starts: usual settings of skids.
pub(crate) const STAGES: (f64, f64) = (0.80, 0.92);
/// Least efficiency of a pump far from its best flow, of that at its best.
const LEAST_EFFICIENCY: f64 = 0.2;

/// Flow of a loop with all pumps at their rated point, L/min.
pub(crate) fn rated_flow_lpm(unit: &FacilityLoop) -> f64 {
    unit.nameplate.pump_flow_lpm * unit.nameplate.pumps as f64
}

/// Pressure that a branch of a loop takes at its rated flow, kPa: that of its CDUs; data sheets of coils state none.
pub(crate) fn branch_kpa(site: &Site, unit: &FacilityLoop) -> f64 {
    let cdus = unit
        .cdus
        .iter()
        .map(|id| site.cdus[id.0].nameplate.primary_pressure_kpa);
    cdus.fold(0.0, f64::max)
}

/// Head of the pumps, kPa: the headers' and what pipes outside the hall take.
fn head_kpa(unit: &FacilityLoop, flow_lpm: f64, header_kpa: f64) -> f64 {
    let share = flow_lpm / rated_flow_lpm(unit);
    header_kpa + PIPE_SHARE * unit.nameplate.pump_head_kpa * share * share
}

/// Speed at which a number of pumps makes a flow at a header pressure: affinity laws on a quadratic curve.
pub(crate) fn pump_speed(unit: &FacilityLoop, running: f64, flow_lpm: f64, header_kpa: f64) -> f64 {
    let plate = &unit.nameplate;
    let each = flow_lpm / (running * plate.pump_flow_lpm);
    let head = head_kpa(unit, flow_lpm, header_kpa) / plate.pump_head_kpa;
    ((head + (SHUT_OFF - 1.0) * each * each) / SHUT_OFF).max(0.0).sqrt()
}

/// Pumps that a skid comes to run from `running`: lead-lag staging by speed, one after the other.
pub(crate) fn staged_pumps(unit: &FacilityLoop, running: f64, flow_lpm: f64, header_kpa: f64) -> f64 {
    let most = unit.nameplate.pumps as f64;
    let mut running = running.clamp(1.0, most);
    while running < most && pump_speed(unit, running, flow_lpm, header_kpa) > STAGES.1 {
        running += 1.0;
    }
    while running > 1.0 && pump_speed(unit, running - 1.0, flow_lpm, header_kpa) < STAGES.0 {
        running -= 1.0;
    }
    running
}

/// Pumps that usually run at a flow, where the skid does not say.
pub(crate) fn usual_pumps(unit: &FacilityLoop, flow_lpm: f64, header_kpa: f64) -> f64 {
    staged_pumps(unit, 1.0, flow_lpm, header_kpa)
}

/// Power of a number of a loop's pumps, kW: hydraulic work over the efficiencies of pump, motor and drive. The pump's falls
/// with the square of the distance from its best flow at its speed; the others fall steeply at small loads (Bernier and
/// Bourret, ASHRAE Journal 41/12, 1999).
pub(crate) fn pump_kw(unit: &FacilityLoop, running: f64, flow_lpm: f64, header_kpa: f64) -> f64 {
    let plate = &unit.nameplate;
    let head = head_kpa(unit, flow_lpm, header_kpa) / plate.pump_head_kpa;
    let speed = pump_speed(unit, running, flow_lpm, header_kpa).clamp(plate.pump_min_speed, 1.0);
    let each = flow_lpm / (running * plate.pump_flow_lpm);
    let off_best = each / speed - 1.0;
    let load = (each * head / (1.0 - off_best * off_best).max(LEAST_EFFICIENCY)).max(1e-3);
    running * plate.pump_kw * load * drive_efficiency(1.0, 1.0) / drive_efficiency(load, speed)
}

/// Efficiency of motor and variable-speed drive at shares of the rated load and speed.
fn drive_efficiency(load: f64, speed: f64) -> f64 {
    let motor = 0.941_87 * (1.0 - libm::exp(-9.04 * load));
    let drive = 0.5067 + speed * (1.283 + speed * (-1.42 + speed * 0.5842));
    motor * drive
}

/// Heat that a network takes from facility water, kW, its valve fully open: what the exchanger passes, with the network's flow
/// throttled until its supply is as warm as the contract says, and at most `demand_kw`.
pub(crate) fn export_kw(plate: &ReuseNameplate, flow_lpm: f64, return_c: f64, network_c: f64, demand_kw: f64) -> f64 {
    let network = plate.network_flow_lpm * carries(Coolant::Water);
    // The data sheet states no facility flow: taken as large as the network's.
    let drive_k = plate.approach_k + plate.rated_kw / network;
    let exchanger = Exchanger::rated(plate.rated_kw, network, network, drive_k, 1.0);
    let hot_share = flow_lpm / plate.network_flow_lpm;
    let heat = |share: f64| exchanger.heat_kw(hot_share, share, return_c - network_c);
    let warm_enough = |share: f64| network_c + heat(share) / (network * share) >= plate.min_supply_c;
    let (mut low, mut high) = (0.0, 1.0);
    if return_c <= network_c {
        return 0.0;
    }
    if !warm_enough(high) {
        for _ in 0..8 {
            let middle = 0.5 * (low + high);
            if warm_enough(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        high = low;
    }
    if high <= 0.0 {
        0.0
    } else {
        heat(high).min(plate.rated_kw).min(demand_kw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;

    #[test]
    fn drive_efficiency_vectors() {
        for (load, speed, expected) in [
            (1.0, 1.0, 0.941_758 * 0.9539),
            (0.5, 0.5, 0.931_614 * 0.866_225),
            (0.2, 0.2, 0.787_420 * 0.711_174),
        ] {
            assert!((drive_efficiency(load, speed) - expected).abs() < 2e-5);
        }
    }

    #[test]
    fn pumps_meet_their_nameplate() {
        let site = load_embedded("demo").unwrap().unwrap();
        let unit = &site.loops[0];
        let header = 0.6 * unit.nameplate.pump_head_kpa;
        assert!((pump_kw(unit, 2.0, rated_flow_lpm(unit), header) - 2.0 * unit.nameplate.pump_kw).abs() < 1e-9);
    }

    #[test]
    fn export_follows_the_contract() {
        let site = load_embedded("demo").unwrap().unwrap();
        let plate = &site.reuse[0].nameplate;
        let export = |back: f64, demand_kw: f64| export_kw(plate, 1200.0, back, 27.0, demand_kw);
        assert!(export(26.0, 500.0).abs() < 1e-9, "colder than the network");
        assert!(export(29.5, 500.0).abs() < 1e-9, "never as warm as the contract says");
        assert!(export(34.0, 500.0) > 100.0 && export(38.0, 500.0) > export(34.0, 500.0));
        assert!((export(38.0, 60.0) - 60.0).abs() < 1e-9, "little demand");
        assert!(export(60.0, 900.0) <= plate.rated_kw);
    }
}
