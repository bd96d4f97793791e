//! Counterflow exchangers off their rated point, by effectiveness and number of transfer units (Kays and London).

/// Conductance of each side over its relative flow: turbulent flow in plates and finned tubes.
const CONDUCTANCE_EXPONENT: f64 = 0.8;
/// Largest cold flow over its rated one that is looked for.
const MOST_FLOW: f64 = 2.0;
/// Steps of the search for a flow; each at least halves the bracket's error in practice.
const SEARCH_STEPS: u32 = 8;

/// An exchanger at its rated point, with the learned ratio of its conductance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchanger {
    /// Heat per kelvin of the hot side's flow at the rated point, kW/K.
    hot: f64,
    /// The same of the cold side.
    cold: f64,
    /// Conductance at the rated point, kW/K.
    ua: f64,
}

impl Exchanger {
    /// An exchanger that passes `heat_kw` at flows of `hot` and `cold` kW/K with `drive_k` between the two inlets, its
    /// conductance `ratio` times what that takes.
    pub(crate) fn rated(heat_kw: f64, hot: f64, cold: f64, drive_k: f64, ratio: f64) -> Self {
        let least = hot.min(cold);
        let effectiveness = (heat_kw / (least * drive_k)).clamp(0.05, 0.98);
        let ua = ratio * least * transfer_units(effectiveness, least / hot.max(cold));
        Self { hot, cold, ua }
    }

    /// Heat per kelvin of both sides at shares of their rated flows, kW/K.
    pub(crate) fn sides(&self, hot_share: f64, cold_share: f64) -> (f64, f64) {
        (hot_share * self.hot, cold_share * self.cold)
    }

    /// Conductance at shares of the rated flows, kW/K: half of the rated resistance on each side.
    pub(crate) fn ua(&self, hot_share: f64, cold_share: f64) -> f64 {
        self.ua * 2.0 / (resistance(hot_share) + resistance(cold_share))
    }

    /// Heat at shares of the rated flows with `drive_k` between the two inlets, kW.
    pub(crate) fn heat_kw(&self, hot_share: f64, cold_share: f64, drive_k: f64) -> f64 {
        self.heat_at(hot_share * self.hot, resistance(hot_share), cold_share, drive_k)
    }

    fn heat_at(&self, hot: f64, hot_resistance: f64, cold_share: f64, drive_k: f64) -> f64 {
        let cold = cold_share * self.cold;
        let (least, most) = (hot.min(cold), hot.max(cold));
        if least <= 0.0 {
            return 0.0;
        }
        let ua = self.ua * 2.0 / (hot_resistance + resistance(cold_share));
        effectiveness(ua / least, least / most) * least * drive_k
    }

    /// Share of the rated cold flow that takes `heat_kw`; `None` where twice the rated flow does not.
    pub(crate) fn cold_share(&self, heat_kw: f64, hot_share: f64, drive_k: f64) -> Option<f64> {
        let (hot, hot_resistance) = (hot_share * self.hot, resistance(hot_share));
        let beyond = |share: f64| self.heat_at(hot, hot_resistance, share, drive_k) - heat_kw;
        if heat_kw <= 0.0 {
            return Some(0.0);
        }
        // Even a perfect exchanger needs the flow that carries the heat over the whole difference; most need less than
        // twice of it.
        let (mut low, mut high) = (heat_kw / (self.cold * drive_k.max(1e-6)), MOST_FLOW);
        if low >= high {
            return None;
        }
        let (mut f_low, mut f_high) = (beyond(low), 0.0);
        let near = 2.0 * low;
        if near < high {
            match beyond(near) {
                f if f < 0.0 => (low, f_low) = (near, f),
                f => (high, f_high) = (near, f),
            }
        }
        if high >= MOST_FLOW {
            f_high = beyond(MOST_FLOW);
            if f_high < 0.0 {
                return None;
            }
        }
        // Regula falsi with the Illinois rule: heat rises with flow and flattens, so plain secants would creep.
        for _ in 0..SEARCH_STEPS {
            let middle = (low * f_high - high * f_low) / (f_high - f_low);
            let f = beyond(middle);
            if f < 0.0 {
                (low, f_low) = (middle, f);
                f_high *= 0.5;
            } else {
                (high, f_high) = (middle, f);
                f_low *= 0.5;
            }
            if f.abs() < 2e-3 * heat_kw {
                return Some(middle);
            }
        }
        Some(high)
    }
}

fn resistance(share: f64) -> f64 {
    libm::pow(share.max(0.01), -CONDUCTANCE_EXPONENT)
}

/// Effectiveness of a counterflow exchanger.
pub(crate) fn effectiveness(units: f64, ratio: f64) -> f64 {
    if (1.0 - ratio).abs() < 1e-6 {
        return units / (1.0 + units);
    }
    let decay = libm::exp(-units * (1.0 - ratio));
    (1.0 - decay) / (1.0 - ratio * decay)
}

/// Its inverse: the number of transfer units of an effectiveness below 1.
pub(crate) fn transfer_units(effectiveness: f64, ratio: f64) -> f64 {
    if (1.0 - ratio).abs() < 1e-6 {
        return effectiveness / (1.0 - effectiveness);
    }
    libm::log((1.0 - ratio * effectiveness) / (1.0 - effectiveness)) / (1.0 - ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn worked_values() {
        for (found, expected) in [
            (effectiveness(3.0, 0.75), 0.817_117_8),
            (effectiveness(3.0, 1.0), 0.75),
            (transfer_units(0.8, 0.75), 2.772_588_7),
        ] {
            assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
    }

    /// A CDU of 1300 kW at 4 K approach, 1950 L/min of PG25 and of water.
    #[test]
    fn a_cdu_off_its_rated_point() {
        let (hot, cold) = (130.2597, 135.0135);
        let cdu = Exchanger::rated(1300.0, hot, cold, 4.0 + 1300.0 / hot, 1.0);
        assert!((cdu.ua(1.0, 1.0) - 311.5092).abs() < 0.01);
        assert!((cdu.ua(0.6, 0.6) - 207.0102).abs() < 0.01);
        // Half the heat at 60 % of both flows leaves an approach of 2.9958 K.
        let drive_k = 2.9958 + 650.0 / (0.6 * hot);
        assert!((cdu.heat_kw(0.6, 0.6, drive_k) - 650.0).abs() < 0.1);
    }

    proptest! {
        #[test]
        fn the_flow_found_takes_the_heat(heat in 20.0..1300.0f64, share in 0.2..1.2f64, drive in 4.0..30.0f64) {
            let cdu = Exchanger::rated(1300.0, 130.0, 135.0, 14.0, 1.0);
            match cdu.cold_share(heat, share, drive) {
                Some(cold) => prop_assert!((cdu.heat_kw(share, cold, drive) - heat).abs() < 0.02 * heat),
                None => prop_assert!(cdu.heat_kw(share, MOST_FLOW, drive) < heat),
            }
        }
    }
}
