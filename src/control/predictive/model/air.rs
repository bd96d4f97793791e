//! An air unit and its room.

use super::carries;
use super::exchanger::Exchanger;
use crate::site::{AirUnit, AirUnitNameplate};
use serde::{Deserialize, Serialize};
use thermo::Coolant;

/// Density times specific heat of air near 30 degC, kJ/(m3 K).
const AIR_CARRIES: f64 = 1.16;
/// Electric power of a fan over relative speed: the cube law less drive losses.
const FAN_EXPONENT: f64 = 2.7;

/// Learned ratios of an air unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct AirRatios {
    /// Warming of the air over what the racks' air heat gives it.
    pub heat: f64,
    /// Share of the unit's warm return in the room's air, 0 to 1.
    pub mixing: f64,
    /// Coil conductance over the nameplate's.
    pub ua: f64,
    /// Fan power over the nameplate's law.
    pub fan: f64,
    /// Water flow through the open coil over the nameplate's at the rated pressure of the loop's branches.
    pub water: f64,
}

impl Default for AirRatios {
    fn default() -> Self {
        Self {
            heat: 1.0,
            mixing: 0.5,
            ua: 1.0,
            fan: 1.0,
            water: 1.0,
        }
    }
}

/// An air unit as modelled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AirModel<'a> {
    pub plate: &'a AirUnitNameplate,
    pub coil: Exchanger,
    ratios: AirRatios,
}

/// How an air unit runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AirPoint {
    /// Fan speed, 0 to 1.
    pub speed: f64,
    /// Supply air, degC.
    pub supply_c: f64,
    /// Share of the nameplate water flow.
    pub water: f64,
}

impl<'a> AirModel<'a> {
    pub(crate) fn new(unit: &'a AirUnit, ratios: AirRatios) -> Self {
        let plate = &unit.nameplate;
        let air = AIR_CARRIES * plate.air_flow_m3_s;
        let water = plate.water_flow_lpm * carries(Coolant::Water);
        // The coil's hot side is the air: it returns Q/C above the supply, which is `approach_k` above the water.
        let drive_k = plate.approach_k + plate.rated_kw / air;
        Self {
            plate,
            coil: Exchanger::rated(plate.rated_kw, air, water, drive_k, ratios.ua),
            ratios,
        }
    }

    /// Warming of the air on its way through the room at a fan speed, K.
    pub(crate) fn warming_k(&self, heat_kw: f64, speed: f64) -> f64 {
        self.ratios.heat * heat_kw / (AIR_CARRIES * self.plate.air_flow_m3_s * speed.max(0.01))
    }

    /// Warmest supply air that keeps the room at `room_c` at a fan speed, degC.
    pub(crate) fn supply_c(&self, heat_kw: f64, speed: f64, room_c: f64) -> f64 {
        room_c - self.ratios.mixing * self.warming_k(heat_kw, speed)
    }

    /// How the unit keeps the room at `room_c` at a fan speed with water of `water_c`; `None` where its coil cannot.
    pub(crate) fn at_speed(&self, heat_kw: f64, speed: f64, room_c: f64, water_c: f64) -> Option<AirPoint> {
        let supply_c = self.supply_c(heat_kw, speed, room_c);
        let drive_k = supply_c + self.warming_k(heat_kw, speed) - water_c;
        // The coil carries what warms the air, also where that is not what the racks' meters say.
        let water = self.coil.cold_share(self.ratios.heat * heat_kw, speed, drive_k)?;
        (supply_c > water_c).then_some(AirPoint { speed, supply_c, water })
    }

    /// Pressure difference between the facility headers that drives a share of the water flow through the open coil, where
    /// a branch's rated pressure is `branch_kpa`, kPa.
    pub(crate) fn branch_kpa(&self, water: f64, branch_kpa: f64) -> f64 {
        let relative = water / self.ratios.water;
        branch_kpa * relative * relative
    }

    /// Fan power at a speed, kW.
    pub(crate) fn fan_kw(&self, speed: f64) -> f64 {
        self.ratios.fan * self.fan_law_kw(speed)
    }

    /// Fan power by the nameplate, kW.
    pub(crate) fn fan_law_kw(&self, speed: f64) -> f64 {
        self.plate.fan_kw * libm::pow(speed.clamp(0.0, 1.0), FAN_EXPONENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;
    use proptest::prelude::*;

    #[test]
    fn an_air_unit_meets_its_nameplate() {
        let site = load_embedded("demo").unwrap().unwrap();
        let plate = &site.air_units[0].nameplate;
        let model = AirModel::new(
            &site.air_units[0],
            AirRatios {
                mixing: 0.0,
                ..AirRatios::default()
            },
        );
        let point = model
            .at_speed(plate.rated_kw, 1.0, 20.0 + plate.approach_k, 20.0)
            .unwrap();
        assert!((point.water - 1.0).abs() < 0.01, "{point:?}");
        assert!((model.fan_kw(1.0) - plate.fan_kw).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn a_faster_fan_allows_warmer_air(heat in 20.0..300.0f64, speed in 0.3..0.9f64) {
            let site = load_embedded("demo").unwrap().unwrap();
            let model = AirModel::new(&site.air_units[0], AirRatios::default());
            prop_assert!(model.supply_c(heat, speed + 0.1, 28.0) > model.supply_c(heat, speed, 28.0));
        }
    }
}
