//! The coolant of a loop, and the flow that carries a heat.

use crate::{KelvinDelta, Kilowatts, LitresPerMinute, glycol, water};
use serde::{Deserialize, Serialize};

/// What flows in a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coolant {
    /// Water.
    Water,
    /// 25 % propylene glycol by mass.
    Pg25,
}

impl Coolant {
    /// Density at a temperature in degC, kg/m3, held at the nearest end of the fit outside it.
    pub fn density_kg_m3(self, t_c: f64) -> f64 {
        match self {
            Self::Water => water::clamped::density_kg_m3(t_c),
            Self::Pg25 => glycol::clamped::density_kg_m3(t_c),
        }
    }

    /// Specific heat at a temperature in degC, kJ/(kg K), held at the nearest end of the fit outside it.
    pub fn specific_heat_kj_kg_k(self, t_c: f64) -> f64 {
        match self {
            Self::Water => water::clamped::specific_heat_kj_kg_k(t_c),
            Self::Pg25 => glycol::clamped::specific_heat_kj_kg_k(t_c),
        }
    }

    /// Heat carried per flow and kelvin at a temperature in degC, kW per (L/min) and K.
    pub fn kw_per_lpm_k(self, t_c: f64) -> f64 {
        self.density_kg_m3(t_c) * self.specific_heat_kj_kg_k(t_c) / 60_000.0
    }

    /// The flow that carries `heat` at a temperature rise, with properties at `t_c` degC; `None` without a rise.
    pub fn flow_for_heat(self, heat: Kilowatts, rise: KelvinDelta, t_c: f64) -> Option<LitresPerMinute> {
        LitresPerMinute::new(heat.get() / (self.kw_per_lpm_k(t_c) * rise.get()))
    }

    /// The heat that a flow carries at a temperature rise, with properties at `t_c` degC.
    pub fn heat_of_flow(self, flow: LitresPerMinute, rise: KelvinDelta, t_c: f64) -> Option<Kilowatts> {
        Kilowatts::new(flow.get() * rise.get() * self.kw_per_lpm_k(t_c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_close;

    #[test]
    fn flow_per_kilowatt_at_10_k() {
        let flow = |coolant: Coolant, kw, k| {
            let (heat, rise) = (Kilowatts::new(kw).unwrap(), KelvinDelta::new(k).unwrap());
            coolant.flow_for_heat(heat, rise, 30.0).unwrap().get()
        };
        assert_close(flow(Coolant::Pg25, 1.0, 10.0), 1.498_74, 1e-4);
        assert_close(flow(Coolant::Water, 1.0, 10.0), 1.441_76, 1e-4);
        assert_close(flow(Coolant::Pg25, 115.0, 10.0), 172.355, 1e-4);
    }

    #[test]
    fn no_rise_has_no_flow() {
        let heat = Kilowatts::new(1.0).unwrap();
        assert_eq!(
            Coolant::Water.flow_for_heat(heat, KelvinDelta::new(0.0).unwrap(), 30.0),
            None
        );
    }
}
