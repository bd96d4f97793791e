//! Indicators by their standard, formed from the counters of a period and from nothing else.
//!
//! The standards define them over twelve months; over a shorter period they are interim values.

use super::Totals;
use serde::{Deserialize, Serialize};

/// Indicators by their standard; `None` without IT energy (or site energy, where that is below the line).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Indicators {
    /// Power usage effectiveness (ISO/IEC 30134-2): site over IT energy.
    pub pue: Option<f64>,
    /// Partial PUE of cooling: IT and cooling over IT energy.
    pub ppue_cooling: Option<f64>,
    /// Renewable energy factor (30134-3): renewable over site energy.
    pub r#ref: Option<f64>,
    /// Energy reuse factor (30134-6): reused over site energy, at most 1.
    pub erf: Option<f64>,
    /// Energy reuse effectiveness: site less reused over IT energy.
    pub ere: Option<f64>,
    /// Carbon usage effectiveness (30134-8), kg/kWh.
    pub cue_kg_per_kwh: Option<f64>,
    /// Water usage effectiveness (30134-9), L/kWh, from all water taken in on site.
    pub wue_l_per_kwh: Option<f64>,
}

/// Forms the indicators of a period.
pub fn indicators(totals: &Totals) -> Indicators {
    let has_it = totals.it_kwh > 0.0;
    let per_it = |value: f64| has_it.then(|| value / totals.it_kwh);
    let per_site = |value: f64| (has_it && totals.site_kwh > 0.0).then(|| value / totals.site_kwh);
    let erf = per_site(totals.reused_kwh).map(|erf| erf.min(1.0));
    let pue = per_it(totals.site_kwh);
    Indicators {
        pue,
        ppue_cooling: per_it(totals.it_kwh + totals.cooling_kwh),
        r#ref: per_site(totals.renewable_kwh),
        erf,
        ere: pue.zip(erf).map(|(pue, erf)| (1.0 - erf) * pue),
        cue_kg_per_kwh: per_it(totals.co2e_kg),
        wue_l_per_kwh: per_it(totals.makeup_l),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<f64>, expect: f64) {
        let found = found.unwrap();
        assert!((found / expect - 1.0).abs() < 1e-4, "{found}, expected {expect}");
    }

    #[test]
    fn the_worked_values_of_the_standards_definitions() {
        let year = Totals {
            site_kwh: 12e6,
            it_kwh: 10e6,
            cooling_kwh: 0.9e6,
            renewable_kwh: 9e6,
            reused_kwh: 1.8e6,
            co2e_kg: 12e6 * 0.35,
            makeup_l: 14_000e3,
            ..Totals::default()
        };
        let found = indicators(&year);
        close(found.pue, 1.2);
        close(found.ppue_cooling, 1.09);
        close(found.r#ref, 0.75);
        close(found.erf, 0.15);
        close(found.ere, 1.02);
        close(found.cue_kg_per_kwh, 0.42);
        close(found.wue_l_per_kwh, 1.4);
    }

    #[test]
    fn nothing_is_claimed_without_it_energy_and_reuse_never_exceeds_the_site() {
        let idle = Totals {
            site_kwh: 5.0,
            reused_kwh: 1.0,
            ..Totals::default()
        };
        assert_eq!(indicators(&idle), Indicators::default());
        let odd = Totals {
            it_kwh: 1.0,
            site_kwh: 1.0,
            reused_kwh: 3.0,
            ..Totals::default()
        };
        close(indicators(&odd).erf, 1.0);
    }
}
