//! `isotherm report`: the energy, water, heat, carbon and cost of each recorded day.

use super::{Failure, load_site};
use crate::ledger::{Totals, indicators};
use crate::service::Entry;
use crate::store::Store;
use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `isotherm report`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The site file.
    site: PathBuf,
    /// Directory of the record; without it the site's `store.dir`.
    #[arg(long)]
    store: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// One day of the books. All days are interim periods: the indicators' standards ask for twelve months.
#[derive(Debug, Serialize)]
struct Day {
    date: Date,
    coverage: f64,
    estimated: f64,
    it_kwh: f64,
    site_kwh: f64,
    cooling_kwh: f64,
    pue: Option<f64>,
    wue_l_per_kwh: Option<f64>,
    erf: Option<f64>,
    r#ref: Option<f64>,
    cue_kg_per_kwh: Option<f64>,
    makeup_l: f64,
    evaporation_l: f64,
    drift_l: f64,
    blowdown_l: f64,
    reused_kwh: f64,
    co2e_kg: f64,
    cost: f64,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let site = load_site(&args.site)?;
    let dir = args.store.clone().unwrap_or_else(|| PathBuf::from(&site.store.dir));
    let entries = Store::records::<Entry>(&dir).map_err(|error| Failure::of("read the record", &error))?;

    let mut last_of_day: BTreeMap<i64, Totals> = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(|error| Failure::Record(format!("the record is damaged: {error}")))?;
        if let Entry::Cycle(record) = entry {
            last_of_day.insert(record.now.local_day(), record.account.today);
        }
    }
    if last_of_day.is_empty() {
        return Err(Failure::Record(format!("{} holds no cycle yet", dir.display())));
    }
    let days: Vec<Day> = last_of_day.iter().map(|(day, totals)| close(*day, totals)).collect();
    if args.json {
        let text = serde_json::to_string_pretty(&days).map_err(|error| Failure::of("write JSON", &error))?;
        println!("{text}");
    } else {
        print(&site.name, &site.currency, &days);
    }
    Ok(())
}

fn close(day: i64, totals: &Totals) -> Day {
    let ratios = indicators(totals);
    let epoch = Date::constant(1970, 1, 1);
    Day {
        date: epoch.checked_add(jiff::Span::new().days(day)).unwrap_or(epoch),
        coverage: totals.covered_s / 86_400.0,
        estimated: if totals.covered_s > 0.0 {
            totals.estimated_s / totals.covered_s
        } else {
            0.0
        },
        it_kwh: totals.it_kwh,
        site_kwh: totals.site_kwh,
        cooling_kwh: totals.cooling_kwh,
        pue: ratios.pue,
        wue_l_per_kwh: ratios.wue_l_per_kwh,
        erf: ratios.erf,
        r#ref: ratios.r#ref,
        cue_kg_per_kwh: ratios.cue_kg_per_kwh,
        makeup_l: totals.makeup_l,
        evaporation_l: totals.evaporation_l,
        drift_l: totals.drift_l,
        blowdown_l: totals.blowdown_l,
        reused_kwh: totals.reused_kwh,
        co2e_kg: totals.co2e_kg,
        cost: totals.cost,
    }
}

fn print(site: &str, currency: &str, days: &[Day]) {
    println!("{site}: days are interim periods (indicators are defined over twelve months)");
    println!(
        "{:<10} {:>6} {:>6} {:>10} {:>10} {:>9} {:>6} {:>6} {:>6} {:>6} {:>6} {:>9} {:>9} {:>9} {:>10}",
        "day",
        "cover",
        "estim",
        "IT kWh",
        "site kWh",
        "cool kWh",
        "PUE",
        "WUE",
        "ERF",
        "REF",
        "CUE",
        "water L",
        "reuse kWh",
        "CO2e kg",
        currency
    );
    let ratio = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    for day in days {
        println!(
            "{:<10} {:>5.1}% {:>5.1}% {:>10.1} {:>10.1} {:>9.1} {:>6} {:>6} {:>6} {:>6} {:>6} {:>9.0} {:>9.1} {:>9.1} {:>10.2}",
            day.date,
            day.coverage * 100.0,
            day.estimated * 100.0,
            day.it_kwh,
            day.site_kwh,
            day.cooling_kwh,
            ratio(day.pue),
            ratio(day.wue_l_per_kwh),
            ratio(day.erf),
            ratio(day.r#ref),
            ratio(day.cue_kg_per_kwh),
            day.makeup_l,
            day.reused_kwh,
            day.co2e_kg,
            day.cost,
        );
    }
}
