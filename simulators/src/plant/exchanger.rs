//! Heat exchangers by effectiveness and number of transfer units.
//!
//! Kays and London, *Compact Heat Exchangers*, 3rd ed., for the counterflow relation; the off-design
//! conductance follows from film coefficients that rise with flow to the power 0.8 (turbulent) on
//! both sides of a thin wall.

/// Effectiveness of a counterflow exchanger with `ntu` transfer units and capacity ratio `c` (smaller over larger, 0 to 1).
pub fn eps_counterflow(ntu: f64, c: f64) -> f64 {
    if c > 1.0 - 1e-6 {
        return ntu / (1.0 + ntu);
    }
    let e = libm::exp(-ntu * (1.0 - c));
    (1.0 - e) / (1.0 - c * e)
}

/// Transfer units that give a counterflow exchanger the effectiveness `eps` (below 1) at capacity ratio `c`.
pub fn ntu_counterflow(eps: f64, c: f64) -> f64 {
    if c > 1.0 - 1e-6 {
        return eps / (1.0 - eps);
    }
    libm::log((1.0 - eps * c) / (1.0 - eps)) / (1.0 - c)
}

/// A counterflow exchanger whose conductance falls with the flow on either side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchanger {
    /// Half of the film resistance at rated flow, K/kW.
    film_k_per_kw: f64,
    /// Fouling and wall resistance, K/kW.
    fouling_k_per_kw: f64,
    hot_rated: f64,
    cold_rated: f64,
}

impl Exchanger {
    /// An exchanger with conductance `ua_kw_k` at the rated capacity flows `hot_rated` and `cold_rated` (kW/K), of which
    /// the share `fouling` (0 to 1) of the resistance does not depend on flow.
    pub(super) fn new(ua_kw_k: f64, hot_rated: f64, cold_rated: f64, fouling: f64) -> Self {
        Self {
            film_k_per_kw: 0.5 * (1.0 - fouling) / ua_kw_k,
            fouling_k_per_kw: fouling / ua_kw_k,
            hot_rated,
            cold_rated,
        }
    }

    /// The same exchanger with only the share `clean` of its conductance at rated flow.
    pub(super) fn fouled(self, clean: f64) -> Self {
        let clean_k_per_kw = 2.0 * self.film_k_per_kw + self.fouling_k_per_kw;
        Self {
            fouling_k_per_kw: self.fouling_k_per_kw + clean_k_per_kw * (1.0 / clean.max(0.01) - 1.0),
            ..self
        }
    }

    /// Conductance at the capacity flows `hot` and `cold`, kW/K.
    pub(super) fn ua(&self, hot: f64, cold: f64) -> f64 {
        let film =
            libm::pow((hot / self.hot_rated).max(1e-3), -0.8) + libm::pow((cold / self.cold_rated).max(1e-3), -0.8);
        1.0 / (self.film_k_per_kw * film + self.fouling_k_per_kw)
    }

    /// Heat per kelvin between the two inlets at the capacity flows `hot` and `cold`, kW/K.
    pub(super) fn heat_per_k(&self, hot: f64, cold: f64) -> f64 {
        let (least, most) = (hot.min(cold), hot.max(cold));
        if least <= 0.0 {
            0.0
        } else {
            least * eps_counterflow(self.ua(hot, cold) / least, least / most)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-4 * want.abs(), "{got} is not {want}");
    }

    #[test]
    fn published_points() {
        close(eps_counterflow(3.0, 0.75), 0.817_117_8);
        close(eps_counterflow(3.0, 1.0), 0.75);
        close(ntu_counterflow(0.8, 0.75), 2.772_588_7);
    }

    /// A 1300 kW unit at 4 K approach: the data sheet's point, then half load at 60 % flow on both sides.
    #[test]
    fn cdu_off_its_rated_point() {
        let (hot, cold) = (130.2597, 135.0135);
        let eps = 1300.0 / (hot * (4.0 + 1300.0 / hot));
        close(eps, 0.713_878);
        let ua = ntu_counterflow(eps, hot / cold) * hot;
        close(ua, 311.5092);
        let exchanger = Exchanger::new(ua, hot, cold, 0.0);
        close(exchanger.ua(0.6 * hot, 0.6 * cold), 207.0102);
        let heat_per_k = exchanger.heat_per_k(0.6 * hot, 0.6 * cold);
        close(heat_per_k / (0.6 * hot), 0.735_178);
        let inlet_difference = 650.0 / heat_per_k;
        close(inlet_difference - 650.0 / (0.6 * hot), 2.9958);
    }

    proptest! {
        #[test]
        fn transfer_units_invert_effectiveness(ntu in 0.05..8.0f64, c in 0.0..1.0f64) {
            let back = ntu_counterflow(eps_counterflow(ntu, c), c);
            prop_assert!((back - ntu).abs() < 1e-5 * ntu.max(1.0), "{back} is not {ntu}");
        }

        #[test]
        fn heat_never_exceeds_the_smaller_stream(ua in 1.0..1000.0f64, hot in 0.1..300.0f64, cold in 0.1..300.0f64) {
            let heat = Exchanger::new(ua, 100.0, 100.0, 0.1).heat_per_k(hot, cold);
            prop_assert!(heat > 0.0 && heat <= hot.min(cold) * (1.0 + 1e-12));
        }
    }
}
