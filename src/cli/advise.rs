//! `isotherm advise`: the advice that stands in a record, what came of what was taken, and what a change of the plant would
//! have brought over the recorded time.

use super::{Failure, load_site};
use crate::advice::{PerDay, Retrofit, State};
use crate::control::WhatIf;
use crate::service::{Checkpoint, Entry};
use crate::site::Site;
use crate::store::Store;
use std::path::{Path, PathBuf};

/// Recorded time between two looks, s.
const LOOK_S: f64 = 600.0;
/// Longest time that one look stands for, s.
const STANDS_S: f64 = 1800.0;
const DAYS_A_YEAR: f64 = 365.25;

/// Arguments of `isotherm advise`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The site file.
    site: PathBuf,
    /// Directory of the record; without it the site's `store.dir`.
    #[arg(long)]
    store: Option<PathBuf>,
    /// A change of the plant (TOML), to be weighed on the recorded time.
    #[arg(long)]
    retrofit: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let site = load_site(&args.site)?;
    let dir = args.store.clone().unwrap_or_else(|| PathBuf::from(&site.store.dir));
    match &args.retrofit {
        None => standing(&site, &dir),
        Some(file) => weigh(&site, &dir, file),
    }
}

fn entries(dir: &Path) -> Result<impl Iterator<Item = Result<Entry, Failure>>, Failure> {
    let entries = Store::records::<Entry>(dir).map_err(|error| Failure::of("read the record", &error))?;
    Ok(entries.map(|entry| entry.map_err(|error| Failure::Record(format!("the record is damaged: {error}")))))
}

fn standing(site: &Site, dir: &Path) -> Result<(), Failure> {
    let mut last: Option<State> = None;
    for entry in entries(dir)? {
        if let Entry::Checkpoint(checkpoint) = entry? {
            last = Some(checkpoint.mind.advice);
        }
    }
    let state = last.ok_or_else(|| Failure::Record(format!("{} holds no cycle yet", dir.display())))?;
    let currency = &site.currency;
    let open = state.open();
    if open.is_empty() {
        println!("no advice stands");
    }
    for advice in open {
        println!("{}. {}: {}", advice.id, advice.text, advice.action);
        println!(
            "   saves {} a day; confidence {:.0} %",
            amounts(&advice.per_day, currency),
            100.0 * advice.confidence
        );
        println!("   risk: {}", advice.risk);
    }
    for taken in state.taken() {
        let came = taken.came().map_or_else(
            || "not known yet".to_owned(),
            |came| format!("{:.2} {currency}", came.money),
        );
        println!(
            "taken by {}: {} of {}; promised {:.2} {currency} a day, came {came} over {:.0} h",
            taken.by,
            taken.kind.name(),
            taken.subject,
            taken.promised.money,
            taken.watched_s / 3600.0
        );
    }
    Ok(())
}

fn amounts(per_day: &PerDay, currency: &str) -> String {
    format!(
        "{:.2} {currency}, {:.1} kWh, {:.0} L, {:.1} kg CO2e",
        per_day.money, per_day.kwh, per_day.litres, per_day.co2e_kg
    )
}

/// Runs the identified model over the record, once with the plant as it is and once with the change.
fn weigh(site: &Site, dir: &Path, file: &Path) -> Result<(), Failure> {
    let wrong = |what: String| Failure::Run(format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| Failure::of("read the retrofit", &error))?;
    let retrofit: Retrofit = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let after = retrofit.apply(site).map_err(wrong)?;

    let mut mind: Option<Box<Checkpoint>> = None;
    let (mut looked_ms, mut covered_s, mut saved) = (None::<i64>, 0.0, PerDay::default());
    for entry in entries(dir)? {
        let record = match entry? {
            Entry::Checkpoint(checkpoint) => {
                mind = Some(checkpoint);
                continue;
            }
            Entry::Cycle(record) => record,
        };
        let since_s = looked_ms.map_or(LOOK_S, |at| record.now.wall_ms.saturating_sub(at) as f64 / 1000.0);
        let Some(known) = mind.as_ref().filter(|_| since_s >= LOOK_S) else {
            continue;
        };
        let rates = |site: &Site| {
            let control = &known.mind.control;
            WhatIf::new(site, &record.inputs.snapshot, &record.heat, control, record.now).rates(None)
        };
        let (Some(now), Some(then)) = (rates(site), rates(&after)) else {
            continue;
        };
        looked_ms = Some(record.now.wall_ms);
        let hours = since_s.min(STANDS_S) / 3600.0;
        let less = now.less(then);
        let carbon_g = site.carbon_g_per_kwh(record.now.wall_ms, record.now.local_hour());
        covered_s += 3600.0 * hours;
        saved.money += hours * less.money_per_h;
        saved.kwh += hours * less.kw;
        saved.litres += hours * less.litres_per_h;
        saved.co2e_kg += hours * less.kw * carbon_g / 1000.0;
    }
    if covered_s <= 0.0 {
        return Err(Failure::Record(format!(
            "{} holds no time in which the predictive strategy knew the plant: record some days with it first",
            dir.display()
        )));
    }
    let days = covered_s / 86_400.0;
    let per_day = PerDay {
        money: saved.money / days,
        kwh: saved.kwh / days,
        litres: saved.litres / days,
        co2e_kg: saved.co2e_kg / days,
    };
    println!("{}, {:.0} {}", retrofit.name, retrofit.cost, site.currency);
    println!(
        "saves {} a day, on {days:.1} recorded days",
        amounts(&per_day, &site.currency)
    );
    if per_day.money > 0.0 {
        let years = retrofit.cost / (per_day.money * DAYS_A_YEAR);
        println!("pays back in {years:.1} years, if all of the year is like the recorded days");
    } else {
        println!("it never pays back");
    }
    if days < 300.0 {
        println!("less than a year is recorded: the season is in these figures");
    }
    Ok(())
}
