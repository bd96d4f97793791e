//! Indicators by their standard, formed from the counters of a period and from nothing else.
//!
//! The standards define them over twelve months; over a shorter period they are interim values.

use super::Totals;
use crate::site::Site;
use serde::{Deserialize, Serialize};

/// Indicators by their standard; `None` without IT energy (or site energy, where that is below the line).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Indicators {
    /// Power usage effectiveness (ISO/IEC 30134-2): site over IT energy.
    pub pue: Option<f64>,
    /// Partial PUE of cooling: IT and cooling over IT energy.
    pub ppue_cooling: Option<f64>,
    /// IT energy over the energy of computing parts (Patterson et al., ISC 2013).
    pub itue: Option<f64>,
    /// Site energy over the energy of computing parts: ITUE times PUE.
    pub tue: Option<f64>,
    /// Renewable energy factor (30134-3): renewable over site energy.
    pub r#ref: Option<f64>,
    /// Energy reuse factor (30134-6): reused over site energy, at most 1.
    pub erf: Option<f64>,
    /// Energy reuse effectiveness: site less reused over IT energy.
    pub ere: Option<f64>,
    /// Cooling efficiency ratio (30134-7): heat removed over electricity for cooling.
    pub cer: Option<f64>,
    /// Carbon usage effectiveness (30134-8), location-based, kg/kWh.
    pub cue_kg_per_kwh: Option<f64>,
    /// The same, market-based.
    pub cue_market_kg_per_kwh: Option<f64>,
    /// Water usage effectiveness (30134-9), L/kWh, from all water taken in on site.
    pub wue_l_per_kwh: Option<f64>,
    /// The same with the water of generation.
    pub wue_source_l_per_kwh: Option<f64>,
    /// Efficiency score of a site, 0 to 100: see `green_metric`.
    pub green_metric: Option<f64>,
}

/// `GreenMetric`: one number to lay sites side by side, defined openly and standardised by nobody. Four parts from 0 to 1
/// with their weights: energy 1/PUE (0.4); water 1/(1 + WUE/1.8) and carbon 1/(1 + CUE/0.4), each 1 at nothing and a half
/// at a wholly evaporative site or a grid of 400 g/kWh (0.2 each); reuse ERF/0.2, full at the 20 % that the German `EnEfG` asks of
/// data centres from 2028 on (0.2). Not a substitute for any of its parts.
fn green_metric(pue: f64, wue: f64, cue: f64, erf: f64) -> f64 {
    let reuse = (erf / 0.2).min(1.0);
    100.0 * (0.4 / pue + 0.2 / (1.0 + wue / 1.8) + 0.2 / (1.0 + cue / 0.4) + 0.2 * reuse)
}

/// Share of a period's energy from which a factor is taken to hold for all of it.
const KNOWN: f64 = 0.999;

/// Forms the indicators of a period.
pub fn indicators(totals: &Totals) -> Indicators {
    let over = |value: f64, base: f64| (totals.it_kwh > 0.0 && base > 0.0).then(|| value / base);
    let per_it = |value: f64| over(value, totals.it_kwh);
    let erf = over(totals.reused_kwh, totals.site_kwh).map(|erf| erf.min(1.0));
    let pue = per_it(totals.site_kwh);
    let market = totals.market_kwh > KNOWN * totals.site_kwh;
    let source = totals.source_water_l > 0.0;
    let (cue, wue) = (per_it(totals.co2e_kg), per_it(totals.makeup_l));
    let score = |((pue, wue), (cue, erf))| green_metric(pue, wue, cue, erf);
    Indicators {
        green_metric: pue.zip(wue).zip(cue.zip(erf)).map(score),
        pue,
        ppue_cooling: per_it(totals.it_kwh + totals.cooling_kwh),
        itue: over(totals.it_kwh, totals.compute_kwh),
        tue: over(totals.site_kwh, totals.compute_kwh),
        r#ref: over(totals.renewable_kwh, totals.site_kwh),
        erf,
        ere: pue.zip(erf).map(|(pue, erf)| (1.0 - erf) * pue),
        cer: over(totals.it_kwh + totals.cooling_kwh, totals.cooling_kwh),
        cue_kg_per_kwh: cue,
        cue_market_kg_per_kwh: per_it(totals.co2e_market_kg).filter(|_| market),
        wue_l_per_kwh: wue,
        wue_source_l_per_kwh: per_it(totals.makeup_l + totals.source_water_l).filter(|_| source),
    }
}

/// What an indicator is, beside its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Key, such as `pue`.
    pub key: &'static str,
    /// Name in words.
    pub name: &'static str,
    /// Standard and edition, or the paper.
    pub edition: &'static str,
    /// Its formula in terms of the counters.
    pub formula: &'static str,
    /// Unit; empty for a ratio of energies.
    pub unit: &'static str,
    /// Category of the standard, where it has any.
    pub category: Option<u8>,
}

/// An indicator of a period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Indicator {
    /// What it is.
    #[serde(flatten)]
    pub setting: Setting,
    /// Its value; `None` where a counter that it needs is not known.
    pub value: Option<f64>,
    /// What stands above and below the line.
    pub counters: [f64; 2],
    /// Part of its counters that rests on estimates, 0 to 1.
    pub estimated: f64,
}

/// Where an indicator's category comes from.
enum Category {
    None,
    Given(u8),
    /// The metering point of the IT energy.
    Metering,
}

/// Whose estimated part an indicator has.
enum Basis {
    Site,
    Cooling,
    Compute,
    Reused,
    Carbon,
    Water,
}

/// An indicator: key, name, edition, formula and unit; and how it comes from the counters.
struct Row {
    setting: (&'static str, &'static str, &'static str, &'static str, &'static str),
    category: Category,
    basis: Basis,
    value: fn(&Indicators) -> Option<f64>,
    counters: fn(&Totals) -> [f64; 2],
}

const ROWS: [Row; 12] = [
    Row {
        setting: (
            "pue",
            "Power usage effectiveness",
            "ISO/IEC 30134-2:2016, EN 50600-4-2:2016",
            "site_kwh / it_kwh",
            "",
        ),
        category: Category::Metering,
        basis: Basis::Site,
        value: |v| v.pue,
        counters: |t| [t.site_kwh, t.it_kwh],
    },
    Row {
        setting: (
            "ppue_cooling",
            "Partial PUE of cooling",
            "ISO/IEC 30134-2:2016, derivatives",
            "(it_kwh + cooling_kwh) / it_kwh",
            "",
        ),
        category: Category::Metering,
        basis: Basis::Cooling,
        value: |v| v.ppue_cooling,
        counters: |t| [t.it_kwh + t.cooling_kwh, t.it_kwh],
    },
    Row {
        setting: (
            "itue",
            "IT power usage effectiveness",
            "Patterson et al., ISC 2013",
            "it_kwh / compute_kwh",
            "",
        ),
        category: Category::None,
        basis: Basis::Compute,
        value: |v| v.itue,
        counters: |t| [t.it_kwh, t.compute_kwh],
    },
    Row {
        setting: (
            "tue",
            "Total power usage effectiveness",
            "Patterson et al., ISC 2013",
            "site_kwh / compute_kwh",
            "",
        ),
        category: Category::None,
        basis: Basis::Compute,
        value: |v| v.tue,
        counters: |t| [t.site_kwh, t.compute_kwh],
    },
    Row {
        setting: (
            "ref",
            "Renewable energy factor",
            "ISO/IEC 30134-3:2016, EN 50600-4-3:2016",
            "renewable_kwh / site_kwh",
            "",
        ),
        category: Category::None,
        basis: Basis::Site,
        value: |v| v.r#ref,
        counters: |t| [t.renewable_kwh, t.site_kwh],
    },
    Row {
        setting: (
            "erf",
            "Energy reuse factor",
            "ISO/IEC 30134-6:2021, EN 50600-4-6:2020",
            "reused_kwh / site_kwh",
            "",
        ),
        category: Category::None,
        basis: Basis::Reused,
        value: |v| v.erf,
        counters: |t| [t.reused_kwh, t.site_kwh],
    },
    Row {
        setting: (
            "ere",
            "Energy reuse effectiveness",
            "The Green Grid, White Paper 29 (2010)",
            "(site_kwh - reused_kwh) / it_kwh",
            "",
        ),
        category: Category::None,
        basis: Basis::Reused,
        value: |v| v.ere,
        counters: |t| [t.site_kwh - t.reused_kwh, t.it_kwh],
    },
    Row {
        setting: (
            "cer",
            "Cooling efficiency ratio",
            "ISO/IEC 30134-7:2023, EN 50600-4-7:2020",
            "(it_kwh + cooling_kwh) / cooling_kwh",
            "",
        ),
        category: Category::None,
        basis: Basis::Cooling,
        value: |v| v.cer,
        counters: |t| [t.it_kwh + t.cooling_kwh, t.cooling_kwh],
    },
    Row {
        setting: (
            "cue",
            "Carbon usage effectiveness, location-based",
            "ISO/IEC 30134-8:2022, EN 50600-4-8:2022",
            "co2e_kg / it_kwh",
            "kg/kWh",
        ),
        category: Category::None,
        basis: Basis::Carbon,
        value: |v| v.cue_kg_per_kwh,
        counters: |t| [t.co2e_kg, t.it_kwh],
    },
    Row {
        setting: (
            "cue_market",
            "Carbon usage effectiveness, market-based",
            "ISO/IEC 30134-8:2022; GHG Protocol Scope 2 (2015)",
            "co2e_market_kg / it_kwh",
            "kg/kWh",
        ),
        category: Category::None,
        basis: Basis::Site,
        value: |v| v.cue_market_kg_per_kwh,
        counters: |t| [t.co2e_market_kg, t.it_kwh],
    },
    Row {
        setting: (
            "wue",
            "Water usage effectiveness, on site",
            "ISO/IEC 30134-9:2022, EN 50600-4-9:2022",
            "makeup_l / it_kwh",
            "L/kWh",
        ),
        category: Category::Given(1),
        basis: Basis::Water,
        value: |v| v.wue_l_per_kwh,
        counters: |t| [t.makeup_l, t.it_kwh],
    },
    Row {
        setting: (
            "wue_source",
            "Water usage effectiveness, with generation",
            "ISO/IEC 30134-9:2022; The Green Grid, White Paper 35 (2011)",
            "(makeup_l + source_water_l) / it_kwh",
            "L/kWh",
        ),
        category: Category::Given(3),
        basis: Basis::Water,
        value: |v| v.wue_source_l_per_kwh,
        counters: |t| [t.makeup_l + t.source_water_l, t.it_kwh],
    },
];

/// Every indicator of a period with what it is and what it is made of.
pub fn list(site: &Site, totals: &Totals) -> Vec<Indicator> {
    let values = indicators(totals);
    let rows = ROWS.iter().map(|row| {
        let (key, name, edition, formula, unit) = row.setting;
        Indicator {
            setting: Setting {
                key,
                name,
                edition,
                formula,
                unit,
                category: match row.category {
                    Category::None => None,
                    Category::Given(category) => Some(category),
                    Category::Metering => Some(site.ledger.it_metering.category()),
                },
            },
            value: (row.value)(&values),
            counters: (row.counters)(totals),
            estimated: estimated(site, totals, &row.basis),
        }
    });
    rows.collect()
}

/// The estimated part of what an indicator is made of, 0 to 1: that of its worst counter.
fn estimated(site: &Site, totals: &Totals, basis: &Basis) -> f64 {
    let part = |estimated: f64, all: f64| {
        if all > 0.0 { (estimated / all).min(1.0) } else { 0.0 }
    };
    let it = part(totals.it_estimated_kwh, totals.it_kwh);
    let whole = part(totals.site_estimated_kwh, totals.site_kwh).max(it);
    match basis {
        Basis::Site => whole,
        Basis::Cooling => part(totals.cooling_estimated_kwh, totals.cooling_kwh).max(it),
        Basis::Compute if site.ledger.compute_fraction.is_some() => 1.0,
        Basis::Compute => it,
        Basis::Reused => part(totals.reused_estimated_kwh, totals.reused_kwh).max(whole),
        Basis::Carbon => part(totals.co2e_profile_kwh, totals.site_kwh).max(whole),
        Basis::Water => part(totals.makeup_estimated_l, totals.makeup_l).max(it),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<f64>, expect: f64) {
        let found = found.unwrap();
        assert!((found / expect - 1.0).abs() < 1e-4, "{found}, expected {expect}");
    }

    fn year() -> Totals {
        Totals {
            site_kwh: 12e6,
            it_kwh: 10e6,
            compute_kwh: 9.4e6,
            cooling_kwh: 0.9e6,
            renewable_kwh: 9e6,
            reused_kwh: 1.8e6,
            co2e_kg: 12e6 * 0.35,
            co2e_market_kg: 12e6 * 0.1,
            market_kwh: 12e6,
            makeup_l: 14_000e3,
            source_water_l: 12e6 * 1.6,
            ..Totals::default()
        }
    }

    #[test]
    fn the_worked_values_of_the_standards_definitions() {
        let found = indicators(&year());
        for (value, expect) in [
            (found.pue, 1.2),
            (found.ppue_cooling, 1.09),
            (found.itue, 1.063_829_8),
            (found.tue, 1.276_595_7),
            (found.r#ref, 0.75),
            (found.erf, 0.15),
            (found.ere, 1.02),
            (found.cer, 12.111),
            (found.cue_kg_per_kwh, 0.42),
            (found.cue_market_kg_per_kwh, 0.12),
            (found.wue_l_per_kwh, 1.4),
            (found.wue_source_l_per_kwh, 3.32),
        ] {
            close(value, expect);
        }
        // 0.4/1.2 + 0.2/(1 + 1.4/1.8) + 0.2/(1 + 0.42/0.4) + 0.2 x 0.75
        close(found.green_metric, 69.339);
        // 20,000 L of diesel at 2.68 kg/L beside the electricity.
        let with_diesel = Totals {
            co2e_kg: 12e6 * 0.35 + 20_000.0 * 2.68,
            ..year()
        };
        close(indicators(&with_diesel).cue_kg_per_kwh, 0.425_36);
    }

    #[test]
    fn the_list_says_the_same_from_its_two_counters() {
        let site = crate::site::load_embedded("demo").unwrap().unwrap();
        for row in list(&site, &year()) {
            let value = row.value.unwrap();
            close(Some(row.counters[0] / row.counters[1]), value);
        }
    }

    #[test]
    fn nothing_is_claimed_without_it_energy_or_factors_and_reuse_never_exceeds_the_site() {
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
        let found = indicators(&odd);
        close(found.erf, 1.0);
        assert_eq!(
            (found.tue, found.cue_market_kg_per_kwh, found.wue_source_l_per_kwh),
            (None, None, None)
        );
    }
}
