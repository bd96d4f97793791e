//! A CDU as modelled: pump, secondary flow, primary flow.

use super::carries;
use super::exchanger::Exchanger;
use crate::site::{Cdu, CduNameplate};
use serde::{Deserialize, Serialize};
use thermo::Coolant;

/// Share of a CDU's rated electric power that controls and drive take at any flow; the rest follows the cube law.
const FIXED_SHARE: f64 = 0.12;

/// Learned ratios of a CDU.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct CduRatios {
    /// Differential pressure over the nameplate's square law.
    pub resistance: f64,
    /// Pump power over the nameplate's law.
    pub pump: f64,
    /// Exchanger conductance over the nameplate's.
    pub ua: f64,
    /// Primary flow through the open valve over the nameplate's law.
    pub primary: f64,
    /// How long telling readings have shaped them.
    pub told: Told,
}

/// Time of telling readings, s, up to a day.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    pub resistance: f64,
    pub ua: f64,
    pub primary: f64,
}

impl Default for CduRatios {
    fn default() -> Self {
        Self {
            resistance: 1.0,
            pump: 1.0,
            ua: 1.0,
            primary: 1.0,
            told: Told::default(),
        }
    }
}

/// A CDU as modelled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CduModel<'a> {
    pub plate: &'a CduNameplate,
    pub exchanger: Exchanger,
    ratios: CduRatios,
    /// Heat per kelvin of the rated secondary flow, kW/K.
    secondary: f64,
}

impl<'a> CduModel<'a> {
    pub(crate) fn new(cdu: &'a Cdu, ratios: CduRatios) -> Self {
        let plate = &cdu.nameplate;
        let secondary = plate.secondary_flow_lpm * carries(plate.coolant);
        let primary = plate.primary_flow_lpm * carries(Coolant::Water);
        // At the rated point the coolant leaves `approach_k` above the facility water and returns hotter by Q/C.
        let drive_k = plate.approach_k + plate.rated_kw / secondary;
        Self {
            plate,
            exchanger: Exchanger::rated(plate.rated_kw, secondary, primary, drive_k, ratios.ua),
            ratios,
            secondary,
        }
    }

    /// Secondary flow as a share of the nameplate's at a differential pressure.
    pub(crate) fn flow_share(&self, kpa: f64) -> f64 {
        (kpa.max(0.0) / (self.plate.secondary_pressure_kpa * self.ratios.resistance)).sqrt()
    }

    /// Differential pressure at a share of the nameplate flow, kPa.
    pub(crate) fn pressure_kpa(&self, share: f64) -> f64 {
        self.plate.secondary_pressure_kpa * self.ratios.resistance * share * share
    }

    /// Pump power at a share of the nameplate flow, kW.
    pub(crate) fn pump_kw(&self, share: f64) -> f64 {
        self.plate.pump_kw * self.ratios.pump * (FIXED_SHARE + (1.0 - FIXED_SHARE) * share * share * share)
    }

    /// Share of the nameplate primary flow that holds `supply_c` under `heat_kw`; `None` where no flow does.
    pub(crate) fn primary_share(&self, heat_kw: f64, share: f64, supply_c: f64, water_c: f64) -> Option<f64> {
        let return_c = supply_c + heat_kw / (share * self.secondary).max(1e-6);
        self.exchanger.cold_share(heat_kw, share, return_c - water_c)
    }

    /// Pressure difference between the facility headers that drives a share of the primary flow through the open valve, kPa.
    pub(crate) fn branch_kpa(&self, primary: f64) -> f64 {
        let relative = primary / self.ratios.primary;
        self.plate.primary_pressure_kpa * relative * relative
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;

    #[test]
    fn a_cdu_meets_its_nameplate() {
        let site = load_embedded("demo").unwrap().unwrap();
        let model = CduModel::new(&site.cdus[0], CduRatios::default());
        let plate = &site.cdus[0].nameplate;
        let share = model
            .primary_share(plate.rated_kw, 1.0, 24.0 + plate.approach_k, 24.0)
            .unwrap();
        assert!((share - 1.0).abs() < 0.01, "{share}");
        assert!((model.pump_kw(1.0) - plate.pump_kw).abs() < 1e-9);
        assert!((model.flow_share(plate.secondary_pressure_kpa) - 1.0).abs() < 1e-12);
        assert!((model.branch_kpa(1.0) - plate.primary_pressure_kpa).abs() < 1e-9);
    }
}
