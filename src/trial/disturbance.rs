//! Plants that are not what their drawings say: wrong parameters, biased sensors, fouling, a lost cell.

use serde::{Deserialize, Serialize};
use simulators::plant::{PlantSpec, RejectionKind};
use simulators::random::Random;

/// Stream of the parameters' chance, apart from those that the plant draws itself.
const STREAM: u64 = 7;
/// Approach of a fouled exchanger over that of a clean one.
const FOULED: f64 = 1.5;
/// Pressure that the primary side of a CDU with a clogged strainer takes, over that of a clean one.
const CLOGGED: f64 = 2.0;
/// Power that a pump takes at its rated point at least, over its hydraulic power: a good pump and motor.
const PUMP_LEAST: f64 = 1.0 / 0.80;

/// How a plant differs from its drawings, beyond the few per cent by which every plant does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disturbance {
    /// Name in tables.
    pub name: String,
    /// Every parameter is off by up to this share either way, drawn from the plant's seed: approaches, pump and fan power,
    /// pressures, volumes, chips' resistances.
    pub parameters_off: f64,
    /// Every sensor reads wrong by the limit of its class, one way or the other.
    pub sensors_at_limit: bool,
    /// The first CDUs whose exchangers are fouled.
    pub fouled_cdus: usize,
    /// The last CDUs whose primary strainers are clogged.
    pub clogged_cdus: usize,
    /// The first tower cells that are out of service.
    pub lost_cells: usize,
}

impl Disturbance {
    /// Makes the plant differ.
    pub(super) fn apply(&self, spec: &mut PlantSpec, seed: u64) {
        let mut random = Random::new(seed, STREAM);
        let mut off = |value: &mut f64| *value *= random.range(1.0 - self.parameters_off, 1.0 + self.parameters_off);
        for unit in &mut spec.loops {
            let hydraulic_kw = unit.pump_flow_lpm * unit.pump_head_kpa / 60_000.0;
            off(&mut unit.volume_l);
            off(&mut unit.transport_s);
            off(&mut unit.pump_kw);
            unit.pump_kw = unit.pump_kw.max(PUMP_LEAST * hydraulic_kw);
        }
        for unit in &mut spec.cdus {
            let hydraulic_kw = unit.secondary_flow_lpm * unit.secondary_pressure_kpa / 60_000.0;
            off(&mut unit.approach_k);
            off(&mut unit.primary_pressure_kpa);
            off(&mut unit.volume_l);
            off(&mut unit.pump_kw);
            unit.pump_kw = unit.pump_kw.max(PUMP_LEAST * hydraulic_kw);
        }
        for rack in &mut spec.racks {
            off(&mut rack.chip_resistance_k_per_kw);
        }
        for unit in &mut spec.rejection {
            off(&mut unit.approach_k);
            off(&mut unit.power_kw);
        }
        for unit in &mut spec.reuse {
            off(&mut unit.approach_k);
        }
        for unit in &mut spec.air_units {
            off(&mut unit.approach_k);
            off(&mut unit.fan_kw);
        }
        spec.sensors_at_limit = self.sensors_at_limit;
        for unit in spec.cdus.iter_mut().take(self.fouled_cdus) {
            unit.approach_k *= FOULED;
        }
        for unit in spec.cdus.iter_mut().rev().take(self.clogged_cdus) {
            unit.primary_pressure_kpa *= CLOGGED;
        }
        let towers = spec
            .rejection
            .iter_mut()
            .filter(|unit| unit.kind == RejectionKind::TowerCell);
        for unit in towers.take(self.lost_cells) {
            unit.out_of_service = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{COMMS_TIMEOUT_S, plant_spec};
    use simulators::plant::Plant;

    fn disturbed(disturbance: &Disturbance, seed: u64) -> (PlantSpec, PlantSpec) {
        let site = crate::site::load_embedded("demo").unwrap().unwrap();
        let drawn = plant_spec(&site, COMMS_TIMEOUT_S);
        let mut built = drawn.clone();
        disturbance.apply(&mut built, seed);
        (drawn, built)
    }

    #[test]
    fn without_a_disturbance_the_drawings_hold() {
        let (drawn, built) = disturbed(&Disturbance::default(), 3);
        assert_eq!(drawn, built);
    }

    #[test]
    fn parameters_are_off_within_their_share_and_the_plant_can_be_built() {
        let disturbance = Disturbance {
            parameters_off: 0.2,
            sensors_at_limit: true,
            fouled_cdus: 1,
            lost_cells: 1,
            ..Disturbance::default()
        };
        for seed in 0..20 {
            let (drawn, built) = disturbed(&disturbance, seed);
            let ratio = built.racks[3].chip_resistance_k_per_kw / drawn.racks[3].chip_resistance_k_per_kw;
            assert!((0.8..=1.2).contains(&ratio) && (ratio - 1.0).abs() > 1e-6, "{ratio}");
            let fouled = built.cdus[0].approach_k / drawn.cdus[0].approach_k;
            assert!((0.8 * FOULED..=1.2 * FOULED).contains(&fouled), "{fouled}");
            assert!(built.rejection[0].out_of_service && !built.rejection[1].out_of_service);
            Plant::new(&built, seed).unwrap();
        }
    }
}
