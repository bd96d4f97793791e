//! Indicators: ratios formed from counters, last and never averaged.

use super::Totals;
use serde::{Deserialize, Serialize};

/// Indicators by their standard, formed from counters; `None` without IT energy.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Indicators {
    /// Power usage effectiveness (ISO/IEC 30134-2).
    pub pue: Option<f64>,
    /// Renewable energy factor (30134-3).
    pub r#ref: Option<f64>,
    /// Energy reuse factor (30134-6).
    pub erf: Option<f64>,
    /// Carbon usage effectiveness (30134-8), kg/kWh.
    pub cue_kg_per_kwh: Option<f64>,
    /// Water usage effectiveness (30134-9), L/kWh.
    pub wue_l_per_kwh: Option<f64>,
}

/// Forms the indicators of a period. Periods shorter than twelve months are interim by the standards.
pub fn indicators(totals: &Totals) -> Indicators {
    let per_it = |value: f64| (totals.it_kwh > 0.0).then(|| value / totals.it_kwh);
    let per_site = |value: f64| (totals.site_kwh > 0.0).then(|| value / totals.site_kwh);
    Indicators {
        pue: per_it(totals.site_kwh),
        r#ref: per_site(totals.renewable_kwh),
        // Reused heat beyond all energy would be a meter's error; the factor ends at 1.
        erf: per_site(totals.reused_kwh).map(|factor| factor.min(1.0)),
        cue_kg_per_kwh: per_it(totals.co2e_kg),
        wue_l_per_kwh: per_it(totals.makeup_l),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_example_of_the_standards() {
        let totals = Totals {
            it_kwh: 10e6,
            site_kwh: 12e6,
            reused_kwh: 1.8e6,
            renewable_kwh: 9e6,
            co2e_kg: 12e6 * 0.35,
            makeup_l: 14e6,
            ..Totals::default()
        };
        let found = indicators(&totals);
        for (value, expected) in [
            (found.pue, 1.2),
            (found.r#ref, 0.75),
            (found.erf, 0.15),
            (found.cue_kg_per_kwh, 0.42),
            (found.wue_l_per_kwh, 1.4),
        ] {
            assert!(
                (value.unwrap() - expected).abs() < 1e-9,
                "{value:?}, expected {expected}"
            );
        }
    }

    #[test]
    fn without_it_energy_there_is_no_ratio_and_reuse_ends_at_one() {
        assert_eq!(indicators(&Totals::default()), Indicators::default());
        let totals = Totals {
            site_kwh: 1.0,
            reused_kwh: 2.0,
            ..Totals::default()
        };
        assert_eq!(indicators(&totals).erf, Some(1.0));
    }
}
