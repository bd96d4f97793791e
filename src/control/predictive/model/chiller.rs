//! Chillers: compressor power by a fraction of Carnot's efficiency, fitted to the nameplate, and part-load losses.
//!
//! The empirical curves of data sheets end at some 9 degC of leaving water; loops for liquid cooling run at 15 to 30, where
//! a Carnot fraction is what still holds (ASHRAE Handbook, HVAC Systems and Equipment, chapter on liquid chilling).

use crate::site::RejectionNameplate;

/// Condensing temperature above the air on the condenser, K.
const CONDENSER_K: f64 = 10.0;
/// Leaving water above the evaporating temperature, K.
const EVAPORATOR_K: f64 = 2.5;
/// Least lift that head-pressure control keeps, K.
const LEAST_LIFT_K: f64 = 10.0;
/// Power at no load, and its growth with load and its square, as shares of full-load power.
const PART_LOAD: [f64; 3] = [0.22, 0.30, 0.48];
/// Change of capacity per kelvin of leaving water and of condenser air.
const CAPACITY_PER_K: (f64, f64) = (0.02, -0.008);
const KELVIN: f64 = 273.15;

/// A chiller, its rated leaving temperature being the one that it is set to as found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChillerModel<'a> {
    pub plate: &'a RejectionNameplate,
    /// Leaving water at the rated point, degC.
    pub rated_c: f64,
    /// Learned power over the nameplate's law.
    pub ratio: f64,
}

impl ChillerModel<'_> {
    /// Largest heat that one chiller takes at a leaving temperature in air of `ambient_c`, kW.
    pub(crate) fn capacity_kw(&self, leaving_c: f64, ambient_c: f64) -> f64 {
        let share = 1.0
            + CAPACITY_PER_K.0 * (leaving_c - self.rated_c)
            + CAPACITY_PER_K.1 * (ambient_c - self.plate.design_ambient_c);
        self.plate.rated_kw * share.clamp(0.4, 1.2)
    }

    /// Power of one chiller that takes `heat_kw`, kW.
    pub(crate) fn power_kw(&self, heat_kw: f64, leaving_c: f64, ambient_c: f64) -> f64 {
        if heat_kw <= 0.0 {
            return 0.0;
        }
        let rated_cop = self.plate.rated_kw / self.plate.power_kw;
        let cop = rated_cop * carnot(leaving_c, ambient_c) / carnot(self.rated_c, self.plate.design_ambient_c);
        let load = heat_kw / self.plate.rated_kw;
        let part = PART_LOAD[0] + load * (PART_LOAD[1] + load * PART_LOAD[2]);
        self.ratio * self.plate.rated_kw / cop * part
    }
}

/// Carnot's cooling efficiency between the evaporator and the condenser.
fn carnot(leaving_c: f64, ambient_c: f64) -> f64 {
    let cold = leaving_c - EVAPORATOR_K;
    let hot = (ambient_c + CONDENSER_K).max(cold + LEAST_LIFT_K);
    (cold + KELVIN) / (hot - cold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::{RejectionKind, load_embedded};
    use proptest::prelude::*;

    fn plate() -> RejectionNameplate {
        let site = load_embedded("chilled_water").unwrap().unwrap();
        let found = site
            .rejection
            .iter()
            .find(|unit| unit.nameplate.kind == RejectionKind::Chiller);
        found.unwrap().nameplate.clone()
    }

    #[test]
    fn a_chiller_meets_its_nameplate() {
        let plate = plate();
        let model = ChillerModel {
            plate: &plate,
            rated_c: 16.0,
            ratio: 1.0,
        };
        assert!((model.power_kw(plate.rated_kw, 16.0, plate.design_ambient_c) - plate.power_kw).abs() < 1e-9);
        assert!((model.capacity_kw(16.0, plate.design_ambient_c) - plate.rated_kw).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn more_lift_and_more_heat_cost_more(leaving in 8.0..24.0f64, air in 20.0..40.0f64, heat in 100.0..900.0f64) {
            let plate = plate();
            let model = ChillerModel { plate: &plate, rated_c: 16.0, ratio: 1.0 };
            let power = model.power_kw(heat, leaving, air);
            prop_assert!(model.power_kw(heat, leaving - 1.0, air) >= power);
            prop_assert!(model.power_kw(heat, leaving, air + 1.0) >= power);
            prop_assert!(model.power_kw(heat + 10.0, leaving, air) > power);
        }
    }
}
