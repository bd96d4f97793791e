//! Heat and mass exchange of water and air in the fill of a tower.
//!
//! Effectiveness method for saturated air: Braun, Klein and Mitchell, *Effectiveness models for cooling
//! towers and cooling coils*, ASHRAE Transactions 95(2), 1989.

use super::air::{Air, Saturated};
use super::exchanger::ntu_counterflow;
use super::pipe::WATER_KJ_L_K;
use super::spec::RejectionSpec;

/// Design ratio of water to air, kg/kg.
const WATER_OVER_AIR: f64 = 1.2;
/// Transfer units go as (water/air) to this power (1 + n with n = -0.6).
const NTU_EXPONENT: f64 = 0.4;
/// Share of the full-fan cooling that natural draught gives with the fan off.
const FREE_CONVECTION: f64 = 0.125;

/// The fill of one cell.
#[derive(Debug, Clone)]
pub(super) struct Fill {
    /// Transfer units at the design ratio of water to air.
    pub ntu_rated: f64,
    air_rated_kg_s: f64,
}

impl Fill {
    /// The fill that meets the rated point, or why there is none.
    pub(super) fn rated(spec: &RejectionSpec, pressure_pa: f64) -> Result<Self, String> {
        let saturated = Saturated::new(pressure_pa);
        let water = spec.flow_lpm / 60.0;
        let out_c = spec.design_ambient_c + spec.approach_k;
        let in_c = out_c + spec.rated_kw / (water * WATER_KJ_L_K);
        let air = water / WATER_OVER_AIR;
        let (h_in, h_out, h_air) = (
            saturated.at(in_c).0,
            saturated.at(out_c).0,
            saturated.at(spec.design_ambient_c).0,
        );
        let eps = spec.rated_kw / (air * (h_in - h_air));
        let m_star = WATER_OVER_AIR.recip() * (h_in - h_out) / ((in_c - out_c) * WATER_KJ_L_K);
        if eps >= 0.98 || eps * m_star >= 0.98 {
            return Err(format!(
                "{}: no tower cools {:.0} L/min by {:.1} K to {:.1} K above a wet bulb of {:.1} degC: write a larger approach_k or flow_lpm",
                spec.id,
                spec.flow_lpm,
                in_c - out_c,
                spec.approach_k,
                spec.design_ambient_c
            ));
        }
        Ok(Self {
            ntu_rated: ntu_counterflow_any(eps, m_star),
            air_rated_kg_s: air,
        })
    }

    /// Heat (kW) and evaporation (kg/s) of `water` L/s at `in_c`; `guess_c` is the last leaving temperature.
    pub(super) fn advance(&self, air: &Air, speed: f64, water: f64, in_c: f64, guess_c: f64) -> (f64, f64) {
        if water <= 1e-6 {
            return (0.0, 0.0);
        }
        // Below a tenth of full speed the fan is a hindrance to the draught at most.
        let (share, speed) = if speed < 0.1 {
            (FREE_CONVECTION, 1.0)
        } else {
            (1.0, speed)
        };
        let air_kg_s = self.air_rated_kg_s * speed;
        let ntu = self.ntu_rated * libm::pow(water / air_kg_s / WATER_OVER_AIR, NTU_EXPONENT);
        let capacity = water * WATER_KJ_L_K;
        let first = braun(air, ntu, capacity, air_kg_s, in_c, guess_c);
        let exchange = braun(air, ntu, capacity, air_kg_s, in_c, in_c - first.heat_kw / capacity);
        (share * exchange.heat_kw, share * exchange.evaporation_kg_s)
    }
}

/// What crosses from water to air.
struct Exchange {
    heat_kw: f64,
    evaporation_kg_s: f64,
}

/// One evaluation of the effectiveness model with the saturation slope between `in_c` and `out_c`.
fn braun(air: &Air, ntu: f64, capacity_kw_k: f64, air_kg_s: f64, in_c: f64, out_c: f64) -> Exchange {
    let saturated = &air.saturated;
    let (h_in, _) = saturated.at(in_c);
    let out_c = if (in_c - out_c).abs() < 0.05 {
        in_c - 0.05
    } else {
        out_c
    };
    let slope = (h_in - saturated.at(out_c).0) / (in_c - out_c);
    let m_star = air_kg_s * slope / capacity_kw_k;
    let eps = if (1.0 - m_star).abs() < 1e-6 {
        ntu / (1.0 + ntu)
    } else {
        // The same relation on both sides, written so that a trickle of water, with air in great excess, has no overflow.
        let e = libm::exp(-ntu * (1.0 - m_star).abs());
        if m_star < 1.0 {
            (1.0 - e) / (1.0 - m_star * e)
        } else {
            (1.0 - e) / (m_star - e)
        }
    };
    let heat_kw = eps * air_kg_s * (h_in - air.enthalpy);
    let passed = libm::exp(-ntu);
    let h_effective = air.enthalpy + heat_kw / air_kg_s / (1.0 - passed);
    let w_effective = saturated.humidity_at_enthalpy(h_effective);
    let w_out = w_effective + (air.humidity_ratio - w_effective) * passed;
    Exchange {
        heat_kw,
        evaporation_kg_s: (air_kg_s * (w_out - air.humidity_ratio)).max(0.0),
    }
}

/// Transfer units for a capacity ratio that may exceed 1: the counterflow relation holds there as it stands.
fn ntu_counterflow_any(eps: f64, m_star: f64) -> f64 {
    if m_star > 1.0 + 1e-6 {
        libm::log((1.0 - eps * m_star) / (1.0 - eps)) / (1.0 - m_star)
    } else {
        ntu_counterflow(eps, m_star)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::spec::RejectionKind;
    use super::*;

    fn close(got: f64, want: f64, tolerance: f64) {
        assert!((got - want).abs() <= tolerance * want.abs(), "{got} is not {want}");
    }

    pub(crate) fn spec() -> RejectionSpec {
        RejectionSpec {
            id: "ct1".into(),
            facility_loop: "fws".into(),
            kind: RejectionKind::TowerCell,
            rated_kw: 1000.0,
            power_kw: 15.0,
            flow_lpm: 1800.0,
            approach_k: 4.0,
            design_ambient_c: 24.0,
            min_speed: 0.25,
            cycles_of_concentration: 5.0,
            spray: false,
            out_of_service: false,
            default_supply_c: 25.0,
        }
    }

    /// A bypass that is all but open leaves a trickle: it leaves at the wet bulb, and nothing overflows.
    #[test]
    fn a_trickle_of_water_has_a_finite_answer() {
        let fill = Fill::rated(&spec(), 101_325.0).unwrap();
        let air = Air::new(-2.7, -3.9, 0.77, 99_524.0);
        for water in [2e-6, 1e-4, 0.01, 0.3, 3.0, 30.0] {
            for speed in [0.0, 0.25, 1.0] {
                let (heat_kw, evaporation) = fill.advance(&air, speed, water, 37.0, 19.0);
                let out_c = 37.0 - heat_kw / (water * WATER_KJ_L_K);
                assert!(
                    (-5.0..37.0).contains(&out_c) && evaporation >= 0.0,
                    "{water} L/s, {speed}: {out_c}"
                );
            }
        }
    }

    /// Water 50 kg/s at 35 degC, air 40 kg/s at 30 degC and 50 %, NTU = 2.3 (mw/ma)^0.28.
    #[test]
    fn worked_point_of_the_effectiveness_model() {
        let air = Air::new(30.0, 22.005, 0.5, 101_325.0);
        let ntu = 2.3 * libm::pow(50.0 / 40.0, 1.0 - 0.72);
        close(ntu, 2.448_289, 1e-4);
        let mut out_c = 30.0;
        let mut exchange = braun(&air, ntu, 50.0 * 4.186, 40.0, 35.0, out_c);
        for _ in 0..20 {
            out_c = 35.0 - exchange.heat_kw / (50.0 * 4.186);
            exchange = braun(&air, ntu, 50.0 * 4.186, 40.0, 35.0, out_c);
        }
        close(exchange.heat_kw, 1818.225, 5e-4);
        close(out_c, 26.312_83, 5e-4);
        close(exchange.evaporation_kg_s, 0.672_019, 2e-3);
    }

    #[test]
    fn the_rated_point_is_met() {
        let fill = Fill::rated(&spec(), 101_325.0).unwrap();
        let air = Air::new(30.0, 24.0, 0.6, 101_325.0);
        let mut guess = 28.0;
        let in_c = 28.0 + 1000.0 / (30.0 * WATER_KJ_L_K);
        let mut heat = 0.0;
        for _ in 0..10 {
            heat = fill.advance(&air, 1.0, 30.0, in_c, guess).0;
            guess = in_c - heat / (30.0 * WATER_KJ_L_K);
        }
        close(heat, 1000.0, 0.02);
    }

    #[test]
    fn more_fan_or_drier_air_gives_colder_water() {
        let fill = Fill::rated(&spec(), 101_325.0).unwrap();
        let heat = |speed, wet_bulb_c| {
            fill.advance(&Air::new(28.0, wet_bulb_c, 0.5, 101_325.0), speed, 30.0, 36.0, 30.0)
                .0
        };
        for speeds in [[0.0, 0.25], [0.25, 0.5], [0.5, 0.75], [0.75, 1.0]] {
            assert!(heat(speeds[0], 20.0) < heat(speeds[1], 20.0), "{speeds:?}");
        }
        let dry = fill.advance(&Air::new(30.0, 18.0, 0.3, 101_325.0), 1.0, 30.0, 36.0, 30.0);
        let humid = fill.advance(&Air::new(30.0, 28.0, 0.85, 101_325.0), 1.0, 30.0, 36.0, 30.0);
        assert!(dry.0 > humid.0);
    }

    #[test]
    fn an_impossible_rated_point_is_refused() {
        let error = Fill::rated(
            &RejectionSpec {
                rated_kw: 9000.0,
                approach_k: 1.0,
                ..spec()
            },
            101_325.0,
        );
        assert!(error.is_err_and(|e| e.contains("approach_k")));
    }
}
