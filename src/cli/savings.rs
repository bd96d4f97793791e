//! `isotherm trial --savings`: the savings that the books state, week by week, beside what the plants really saved.

use super::Failure;
use crate::ledger::Page;
use crate::report::{self, BASELINES};
use crate::site::Site;
use crate::trial::{self, Options};
use serde::Serialize;

const WEEK_DAYS: i64 = 7;

/// One week against one baseline.
#[derive(Debug, Serialize)]
struct Week {
    number: i64,
    baseline: &'static str,
    true_kwh: f64,
    stated_kwh: f64,
    plus_minus_kwh: f64,
    days_counted: usize,
    within: bool,
}

/// True cooling energy at the end of each local day, and the pages.
#[derive(Default)]
struct Kept {
    pages: Vec<Page>,
    at_end: std::collections::BTreeMap<i64, f64>,
}

pub(super) fn run(site: &Site, options: &Options, json: bool) -> Result<(), Failure> {
    let mut all = Vec::new();
    for name in ["fixed", "trim_respond", "predictive"] {
        let strategies = vec![name.parse().map_err(Failure::Run)?];
        let mut kept = Kept::default();
        let options = Options {
            strategies,
            ..options.clone()
        };
        trial::run_recorded(site, &options, |_, _| {}, &mut |page, cooling_kwh| {
            kept.at_end.insert(page.day, cooling_kwh);
            kept.pages.push(page);
        })
        .map_err(|error| Failure::of("run the trial", &error))?;
        all.push(kept);
    }
    let [fixed, trim, own] = all.as_slice() else {
        return Err(Failure::Run("not every strategy ran".to_owned()));
    };
    let weeks = weeks(site, [fixed, trim], own);
    if json {
        let text = serde_json::to_string_pretty(&weeks).map_err(|error| Failure::of("write JSON", &error))?;
        println!("{text}");
        return Ok(());
    }
    println!(
        "{}: {} days from {}, plant seed {}; savings of predictive, kWh a week, intervals at {:.0} %",
        site.name,
        options.days,
        options.start,
        options.seed,
        100.0 * report::CONFIDENCE
    );
    println!(
        "{:>5} {:<13} {:>10} {:>10} {:>10} {:>5}",
        "week", "against", "true", "stated", "+-", "days"
    );
    for week in &weeks {
        println!(
            "{:>5} {:<13} {:>10.0} {:>10.0} {:>10.0} {:>5} {}",
            week.number,
            week.baseline,
            week.true_kwh,
            week.stated_kwh,
            week.plus_minus_kwh,
            week.days_counted,
            if week.within { "within" } else { "BEYOND" }
        );
    }
    for name in BASELINES {
        let own: Vec<_> = weeks.iter().filter(|week| week.baseline == name).collect();
        let within = own.iter().filter(|week| week.within).count();
        println!(
            "against {name}: {within} of {} weeks within the stated interval",
            own.len()
        );
    }
    Ok(())
}

/// Whole weeks from the first whole day on. Only days that count are compared, on both sides.
fn weeks(site: &Site, baselines: [&Kept; 2], own: &Kept) -> Vec<Week> {
    let mut weeks = Vec::new();
    let Some((&first, _)) = own.at_end.iter().next() else {
        return weeks;
    };
    // The first day has the warm-up in it.
    let used = |kept: &Kept, day: i64| Some(kept.at_end.get(&day)? - kept.at_end.get(&(day - 1))?);
    let last = own.at_end.keys().next_back().copied().unwrap_or(first);
    for week in 0.. {
        let from = first + 1 + week * WEEK_DAYS;
        let to = from + WEEK_DAYS;
        if to > last {
            break;
        }
        let pages = own.pages.iter().filter(|page| (from..to).contains(&page.day)).cloned();
        let gathered = report::gather(pages.map(Ok::<_, std::convert::Infallible>), None, None);
        let Ok(gathered) = gathered;
        let Some(savings) = report::make(
            site,
            report::Period::between("week", jiff::civil::Date::MIN, jiff::civil::Date::MIN),
            &gathered,
        )
        .savings
        else {
            continue;
        };
        for (place, baseline) in BASELINES.into_iter().enumerate() {
            let counted = (from..to).zip(&savings.days).filter(|(_, day)| day.counts);
            let true_kwh: f64 = counted
                .filter_map(|(day, _)| Some(used(baselines[place], day)? - used(own, day)?))
                .sum();
            let stated = savings.total[place];
            weeks.push(Week {
                number: week + 1,
                baseline,
                true_kwh,
                stated_kwh: stated.saved_kwh,
                plus_minus_kwh: stated.plus_minus_kwh,
                days_counted: savings.counted,
                within: (stated.saved_kwh - true_kwh).abs() <= stated.plus_minus_kwh,
            });
        }
    }
    weeks
}
