//! What flow a rack needs at a coolant supply temperature, and which limit asks for it.

use super::carries;
use crate::site::{Rack, RackNameplate};
use serde::{Deserialize, Serialize};
use thermo::Coolant;

/// Chip-to-inlet resistance over relative flow: 0.3 to 0.5 for cold plates.
const CHIP_EXPONENT: f64 = 0.4;
/// Steps of the search for the flow that rides through a surge.
const SURGE_STEPS: u32 = 6;

/// What bounds the flow of a rack from below.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RackNeed<'a> {
    pub plate: &'a RackNameplate,
    /// Learned chip rise over the nameplate's.
    pub chip_ratio: f64,
    /// Liquid heat that control must be ready for, kW.
    pub upper_kw: f64,
    /// Liquid heat that a step may bring before the next cycle can answer, kW.
    pub step_kw: f64,
    /// Liquid heat below which safety does not let the flow's minimum fall, kW.
    pub least_kw: f64,
}

/// Limits that a rack is held to: at the upper heat the targets, right after a step short of the critical values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RackLimits {
    /// Smallest chip margin at the upper heat, K.
    pub margin_k: f64,
    /// Smallest chip margin right after a step, K.
    pub step_margin_k: f64,
    /// Warmest coolant return at the upper heat, degC.
    pub return_c: f64,
    /// Warmest coolant return right after a step, degC.
    pub step_return_c: f64,
}

/// Which limit asks for a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Binds {
    /// The flow that safety asks for.
    MinimumFlow,
    /// Coolant return at the upper heat.
    ReturnTemperature,
    /// Chip margin at the upper heat.
    ChipMargin,
    /// Margin and return right after a step.
    StepReadiness,
}

impl Binds {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::MinimumFlow => "minimum flow",
            Self::ReturnTemperature => "return temperature",
            Self::ChipMargin => "chip margin",
            Self::StepReadiness => "readiness for a sudden start",
        }
    }
}

impl RackNeed<'_> {
    /// Least share of the nameplate flow at a coolant supply, and which limit asks for it; infinite where no flow does. A
    /// step warms the coolant itself by `surge_k` at the nameplate flow before the CDU's valve has followed, and by more at
    /// less flow.
    pub(crate) fn flow_share(
        &self,
        supply_c: f64,
        coolant: Coolant,
        limits: &RackLimits,
        surge_k: f64,
    ) -> (f64, Binds) {
        let plate = self.plate;
        let minimum = plate.min_flow_lpm_per_kw * self.upper_kw.max(self.least_kw) / plate.flow_lpm;
        let by_return = |kw: f64, return_c: f64| {
            let rise_k = return_c - supply_c;
            if rise_k > 0.0 {
                kw / (carries(coolant) * rise_k) / plate.flow_lpm
            } else {
                f64::INFINITY
            }
        };
        let warm = by_return(self.upper_kw, limits.return_c);
        let chip = self.by_chip(self.upper_kw, plate.chip_limit_c - limits.margin_k - supply_c);
        let step_rise_k = limits.step_return_c - supply_c;
        let step_return = if step_rise_k > 0.0 {
            (surge_k + self.step_kw / (carries(coolant) * plate.flow_lpm)) / step_rise_k
        } else {
            f64::INFINITY
        };
        let step = self
            .by_chip_in_surge(plate.chip_limit_c - limits.step_margin_k - supply_c, surge_k)
            .max(step_return);
        [
            (warm, Binds::ReturnTemperature),
            (chip, Binds::ChipMargin),
            (step, Binds::StepReadiness),
        ]
        .into_iter()
        .fold(
            (minimum, Binds::MinimumFlow),
            |most, next| if next.0 > most.0 { next } else { most },
        )
    }

    /// The flow at which the chip's rise right after a step and the coolant's own surge stay within `rise_allowed_k`.
    fn by_chip_in_surge(&self, rise_allowed_k: f64, surge_k: f64) -> f64 {
        let mut share = self.by_chip(self.step_kw, rise_allowed_k);
        if !share.is_finite() || share <= 0.0 || surge_k <= 0.0 {
            return share;
        }
        let rise_k = self.chip_ratio * chip_rise_k(self.plate, self.step_kw, 1.0);
        // Newton's method on a convex falling sum from the left: it never overshoots.
        for _ in 0..SURGE_STEPS {
            let chip_k = rise_k * libm::pow(share, -CHIP_EXPONENT);
            let beyond_k = chip_k + surge_k / share - rise_allowed_k;
            let slope = CHIP_EXPONENT * chip_k / share + surge_k / (share * share);
            share += (beyond_k / slope).max(0.0);
            if beyond_k < 0.01 {
                break;
            }
        }
        share
    }

    fn by_chip(&self, heat_kw: f64, rise_allowed_k: f64) -> f64 {
        if rise_allowed_k <= 0.0 {
            return f64::INFINITY;
        }
        let rise_k = self.chip_ratio * chip_rise_k(self.plate, heat_kw, 1.0);
        libm::pow(rise_k / rise_allowed_k, 1.0 / CHIP_EXPONENT)
    }
}

/// Rise of the hottest chip above the coolant inlet by the nameplate, K, at a liquid heat and a share of the flow.
pub(crate) fn chip_rise_k(plate: &RackNameplate, heat_kw: f64, flow_share: f64) -> f64 {
    let load = heat_kw / (plate.rated_kw * plate.liquid_fraction);
    plate.chip_kw * load * plate.chip_resistance_k_per_kw * libm::pow(flow_share.max(0.02), -CHIP_EXPONENT)
}

/// Liquid heat of a rack at full load, kW.
pub(crate) fn full_heat_kw(rack: &Rack) -> f64 {
    rack.nameplate.rated_kw * rack.nameplate.liquid_fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;
    use proptest::prelude::*;

    const LIMITS: RackLimits = RackLimits {
        margin_k: 11.0,
        step_margin_k: 9.0,
        return_c: 57.0,
        step_return_c: 59.0,
    };

    proptest! {
        #[test]
        fn warmer_supply_and_more_heat_never_need_less_flow(supply in 20.0..42.0f64, heat in 5.0..104.0f64, more in 0.0..5.0f64) {
            let site = load_embedded("demo").unwrap().unwrap();
            let need = |kw: f64| RackNeed {
                plate: &site.racks[0].nameplate, chip_ratio: 1.0, upper_kw: kw, step_kw: kw, least_kw: 26.0,
            };
            let flow = |c: f64, kw: f64| need(kw).flow_share(c, Coolant::Pg25, &LIMITS, 2.0).0;
            prop_assert!(flow(supply + more, heat) >= flow(supply, heat));
            prop_assert!(flow(supply, heat + more) >= flow(supply, heat));
        }

        #[test]
        fn the_flow_asked_for_keeps_every_limit(supply in 20.0..38.0f64, heat in 30.0..104.0f64, ratio in 0.8..1.2f64, surge in 0.0..4.0f64) {
            let site = load_embedded("demo").unwrap().unwrap();
            let plate = &site.racks[0].nameplate;
            let need = RackNeed { plate, chip_ratio: ratio, upper_kw: heat, step_kw: 104.4, least_kw: 26.0 };
            let (share, _) = need.flow_share(supply, Coolant::Pg25, &LIMITS, surge);
            prop_assume!(share.is_finite());
            let lpm = share * plate.flow_lpm;
            let margin = |kw: f64| plate.chip_limit_c - supply - ratio * chip_rise_k(plate, kw, share);
            let back = |kw: f64| supply + kw / (carries(Coolant::Pg25) * lpm);
            prop_assert!(lpm >= 0.9 * heat - 1e-6);
            prop_assert!(margin(heat) >= LIMITS.margin_k - 1e-6 && margin(104.4) - surge / share >= LIMITS.step_margin_k - 0.02);
            prop_assert!(back(heat) <= LIMITS.return_c + 1e-6 && back(104.4) + surge / share <= LIMITS.step_return_c + 1e-6);
        }
    }
}
