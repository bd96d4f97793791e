//! Reports: the books of a period as an energy manager signs them, an authority asks for them and a tenant pays by them.
//!
//! | file | subject |
//! |---|---|
//! | `period` | `2026`, `2026-11`, `2026-11-25`, `all` |
//! | `gather` | the pages of the books of a period, summed |
//! | `closing` | what must be equal, and by how much it is not |
//! | `disclosure` | the fields of Delegated Regulation (EU) 2024/1364, and dated thresholds |
//! | `savings` | savings against baselines beside the plant, with intervals |
//! | `html`, `svg`, `csv`, `text` | the forms |
//!
//! A report is made from counters alone. Everything that is not measured is marked, and what is not known is not stated.

mod closing;
mod csv;
mod disclosure;
mod gather;
mod html;
mod period;
mod savings;
mod svg;
mod text;

pub use closing::Closing;
pub use csv::csv;
pub use disclosure::{Field, Verdict};
pub use gather::{Gathered, gather};
pub use html::html;
pub use period::{Period, PeriodError};
pub use savings::{BASELINES, CONFIDENCE, Hour, Saving, SavingDay, Savings, savings};
pub use text::text;

use crate::ledger::{Amounts, Counter, Indicator, JobShare, Totals, cooling_equipment, list};
use crate::site::Site;
use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeMap;

/// Jobs that are listed one by one, the dearest first; the others count in the sums.
const JOBS: usize = 50;

/// A report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the site.
    pub site: String,
    /// Currency of every amount of money.
    pub currency: String,
    /// SHA-256 of the configuration that the report was made with.
    pub configuration: String,
    /// Version of Isotherm.
    pub version: &'static str,
    /// The period.
    pub period: Period,
    /// Part of the period that the books cover, 0 to 1.
    pub coverage: f64,
    /// Part of what is covered that rests on an estimate in place of a meter, 0 to 1.
    pub estimated: f64,
    /// How often meters are read and books are closed.
    pub interval: String,
    /// Indicators, with what they are made of.
    pub indicators: Vec<Indicator>,
    /// Limits of the law or a contract.
    pub verdicts: Vec<Verdict>,
    /// Fields of Delegated Regulation (EU) 2024/1364.
    pub disclosure: Vec<Field>,
    /// Every counter.
    pub counters: Vec<Counter>,
    /// The same, for programs.
    pub totals: Totals,
    /// The energy balance.
    pub balance: Vec<BalanceRow>,
    /// What must be equal, and how nearly it is.
    pub closings: Vec<Closing>,
    /// Energy of each cooling equipment, kWh.
    pub equipment: BTreeMap<String, f64>,
    /// Energy by zone.
    pub zones: BTreeMap<String, ZoneEnergy>,
    /// Cycles of concentration by counters (make-up over blowdown and drift) and by conductivity.
    pub cycles_of_concentration: [Option<f64>; 2],
    /// Mean temperature of the heat handed over, by its energy, degC.
    pub reused_c: Option<f64>,
    /// Savings of cooling energy against the baselines; `None` where no shadow ran.
    pub savings: Option<Savings>,
    /// What racks used.
    pub racks: BTreeMap<String, Amounts>,
    /// What tenants used.
    pub tenants: BTreeMap<String, Amounts>,
    /// What users used.
    pub users: BTreeMap<String, Amounts>,
    /// The dearest jobs.
    pub jobs: Vec<JobShare>,
    /// Jobs in all.
    pub job_count: usize,
    /// What fell on GPUs without a job.
    pub idle: Amounts,
    /// Each day, or each month of a longer period.
    pub parts: Vec<Part>,
    /// Meters with their class.
    pub meters: Vec<MeterNote>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// A line of the energy balance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BalanceRow {
    /// `in` or `out`.
    pub side: &'static str,
    /// What.
    pub name: &'static str,
    /// kWh.
    pub kwh: f64,
    /// Where it comes from.
    pub from: &'static str,
}

/// Energy of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ZoneEnergy {
    /// Of its racks, as attributed, kWh.
    pub it_kwh: f64,
    /// Of its cooling equipment, kWh.
    pub cooling_kwh: f64,
}

/// A day or a month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// `2026-11-25` or `2026-11`.
    pub name: String,
    /// Part of it that the books cover.
    pub coverage: f64,
    /// Its counters.
    pub totals: Totals,
    /// Its indicators.
    pub indicators: crate::ledger::Indicators,
}

/// A meter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeterNote {
    /// Name.
    pub name: String,
    /// What it counts.
    pub role: String,
    /// Largest error of its class, as a share of the reading.
    pub class: f64,
}

/// Makes a report of what was gathered.
pub fn make(site: &Site, period: Period, gathered: &Gathered) -> Report {
    let totals = Totals::sum(gathered.days.values());
    let covered = totals.covered_s;
    let length_s = f64::from(period.days()) * 86_400.0;
    let indicators = list(site, &totals);
    let (tenants, users, racks) = (gathered.tenants(), gathered.users(), gathered.racks(site));
    let names: Vec<&str> = cooling_equipment(site).collect();
    let by_equipment = totals.cooling_kwh_by_equipment.iter().copied();
    let equipment: BTreeMap<String, f64> = names.iter().map(|name| (*name).to_owned()).zip(by_equipment).collect();
    let mut jobs: Vec<JobShare> = gathered.jobs.values().cloned().collect();
    jobs.sort_by(|a, b| b.used.cost.total_cmp(&a.used.cost).then_with(|| a.id.cmp(&b.id)));
    let job_count = jobs.len();
    jobs.truncate(JOBS);
    let over = |value: f64, base: f64| (base > 0.0).then(|| value / base);
    let reused_c = over(totals.reused_kwh_c, totals.reused_known_kwh);
    let cycles = [
        over(totals.makeup_l, totals.blowdown_l + totals.drift_l).filter(|cycles| *cycles > 1.0),
        over(totals.concentration_weighted_l, totals.concentration_l),
    ];
    Report {
        site: site.name.clone(),
        currency: site.currency.clone(),
        configuration: site.hash.clone(),
        version: env!("CARGO_PKG_VERSION"),
        coverage: (covered / length_s).min(1.0),
        estimated: if covered > 0.0 {
            totals.estimated_s / covered
        } else {
            0.0
        },
        interval: format!(
            "meters every {} s, books closed every 15 minutes, indicators from the period's counters",
            site.control.cycle_s
        ),
        verdicts: disclosure::verdicts(site, &indicators, &period),
        disclosure: disclosure::fields(site, &totals, gathered),
        counters: totals.counters(),
        balance: balance(site, &totals),
        closings: closing::closings(site, &totals, &racks, gathered),
        zones: zones(site, &equipment, &racks),
        savings: savings(&gathered.hours),
        equipment,
        cycles_of_concentration: cycles,
        reused_c,
        racks,
        tenants,
        users,
        jobs,
        job_count,
        idle: gathered.idle,
        parts: parts(gathered),
        meters: site
            .meters
            .iter()
            .map(|meter| MeterNote {
                name: meter.name.clone(),
                role: meter.role.name().to_owned(),
                class: meter.class,
            })
            .collect(),
        notes: notes(site, &totals, &period),
        indicators,
        totals,
        period,
    }
}

/// Electricity in, heat out. What the loops carried is scaled to the time in which all their readings were known.
fn balance(site: &Site, totals: &Totals) -> Vec<BalanceRow> {
    let row = |side, name, kwh, from| BalanceRow { side, name, kwh, from };
    let count = site.cdus.len() + site.loops.len();
    let fans: f64 = totals
        .cooling_kwh_by_equipment
        .iter()
        .skip(count)
        .take(site.rejection.len())
        .sum();
    let carried = if totals.heat_input_kwh > 0.0 {
        let into_loops = totals.it_kwh + totals.cooling_kwh - fans;
        totals.loop_heat_kwh / totals.heat_input_kwh * into_loops
    } else {
        totals.it_kwh + totals.cooling_kwh - fans
    };
    let unaccounted = totals.site_kwh - carried - fans - totals.other_kwh();
    vec![
        row("in", "IT equipment", totals.it_kwh, "IT meter"),
        row("in", "cooling equipment", totals.cooling_kwh, "cooling meter"),
        row(
            "in",
            "lights, losses, offices",
            totals.other_kwh(),
            "site meter less the two above",
        ),
        row(
            "out",
            "heat handed to the network",
            totals.reused_kwh,
            "heat meter at the hand-over",
        ),
        row(
            "out",
            "heat rejected to outdoor air",
            carried - totals.reused_kwh,
            "loops' flow and temperatures less the above",
        ),
        row("out", "fans and compressors of heat rejection", fans, "their own power"),
        row(
            "out",
            "lights, losses, offices",
            totals.other_kwh(),
            "as above, leaves by the building",
        ),
        row("out", "closing error", unaccounted, "what is left"),
    ]
}

fn zones(
    site: &Site,
    equipment: &BTreeMap<String, f64>,
    racks: &BTreeMap<String, Amounts>,
) -> BTreeMap<String, ZoneEnergy> {
    let mut zones: BTreeMap<String, ZoneEnergy> = BTreeMap::new();
    let mut zone = |id: crate::site::ZoneId, it_kwh: f64, cooling_kwh: f64| {
        let Some(of) = site.zones.get(id.0) else { return };
        let sum = zones.entry(of.name.clone()).or_default();
        sum.it_kwh += it_kwh;
        sum.cooling_kwh += cooling_kwh;
    };
    for rack in &site.racks {
        zone(rack.zone, racks.get(&rack.name).map_or(0.0, |used| used.it_kwh), 0.0);
    }
    let units = (site.cdus.iter().map(|unit| (&unit.name, unit.zone)))
        .chain(site.loops.iter().map(|unit| (&unit.name, unit.zone)))
        .chain(site.rejection.iter().map(|unit| (&unit.name, unit.zone)))
        .chain(site.air_units.iter().map(|unit| (&unit.name, unit.zone)));
    for (name, id) in units {
        zone(id, 0.0, equipment.get(name).copied().unwrap_or(0.0));
    }
    zones
}

/// Days, or months where there are more than two months of days.
fn parts(gathered: &Gathered) -> Vec<Part> {
    let by_month = gathered.days.len() > 62;
    let mut parts: BTreeMap<String, (f64, Vec<&Totals>)> = BTreeMap::new();
    for (day, totals) in &gathered.days {
        let date = period::date_of(*day);
        let (name, length_s) = if by_month {
            (
                date.strftime("%Y-%m").to_string(),
                f64::from(date.days_in_month()) * 86_400.0,
            )
        } else {
            (date.to_string(), 86_400.0)
        };
        let part = parts.entry(name).or_insert((length_s, vec![]));
        part.1.push(totals);
    }
    let parts = parts.into_iter().map(|(name, (length_s, all))| {
        let totals = Totals::sum(all);
        Part {
            name,
            coverage: (totals.covered_s / length_s).min(1.0),
            indicators: crate::ledger::indicators(&totals),
            totals,
        }
    });
    parts.collect()
}

fn notes(site: &Site, totals: &Totals, period: &Period) -> Vec<String> {
    let mut notes = Vec::new();
    if period.interim {
        notes.push("Interim values: the indicators are defined over twelve months.".to_owned());
    }
    if totals.co2e_profile_kwh > 0.0 {
        notes.push(format!(
            "Location-based carbon of {:.0} % of the energy rests on a daily profile or another year's hours.",
            100.0 * totals.co2e_profile_kwh / totals.site_kwh.max(f64::MIN_POSITIVE)
        ));
    }
    let source = &site.grid.settings.source;
    if !source.is_empty() {
        notes.push(format!("Factors of contract, margin and generation's water: {source}."));
    }
    if site.ledger.compute_fraction.is_some() {
        notes.push("ITUE and TUE rest on a stated share of IT energy that reaches computing parts.".to_owned());
    }
    if site.ledger.reclaimed_fraction > 0.0 {
        notes.push("Reclaimed water rests on a stated share of the make-up.".to_owned());
    }
    notes.push(
        "Liquid cooling takes server fans out of IT energy: PUE can rise while energy falls. TUE shows it.".to_owned(),
    );
    notes
}

/// First and last day that has books.
pub fn span(gathered: &Gathered) -> Option<(Date, Date)> {
    let first = gathered.days.keys().next()?;
    let last = gathered.days.keys().next_back()?;
    Some((period::date_of(*first), period::date_of(*last)))
}

#[cfg(test)]
mod tests;
