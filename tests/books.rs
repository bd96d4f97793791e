//! The books of a trial: within the meters' class of what the plant really used, and closing.

#![cfg(feature = "sim")]

use isotherm::ledger::{IDLE, Page};
use isotherm::report::{Period, gather, make, span};
use isotherm::site::load_embedded;
use isotherm::trial::{Disturbance, Load, Options, WeatherSource, run_recorded};
use std::convert::Infallible;

#[test]
fn a_trials_books_are_within_class_and_close() {
    let site = load_embedded("demo").unwrap().unwrap();
    let options = Options {
        weather: WeatherSource::BuiltIn,
        load: Load::Synthetic(1),
        days: 0.2,
        start: "07-14".into(),
        seed: 1,
        strategies: vec!["trim_respond".parse().unwrap()],
        disturbance: Disturbance::default(),
        commission: false,
        grid_event: None,
        model: None,
    };
    let mut pages: Vec<Page> = Vec::new();
    let trial = run_recorded(&site, &options, |_, _| {}, &mut |page, _| pages.push(page)).unwrap();
    for truth in &trial.runs[0].truth {
        // Whole litres and kilowatt-hours of a counter weigh more in hours than in a year.
        let resolution = 2.0 / truth.plant;
        assert!(truth.error().abs() <= truth.class + resolution, "{truth:?}");
    }
    let Ok(gathered) = gather(pages.into_iter().map(Ok::<_, Infallible>), None, None);
    let (from, to) = span(&gathered).unwrap();
    let report = make(&site, Period::between("all", from, to), &gathered);
    let it = trial.runs[0].truth.iter().find(|truth| truth.name == "it_kwh").unwrap();
    assert!(
        (report.totals.it_kwh - it.books).abs() < 1e-6,
        "the report has what the books have"
    );
    for row in report.closings.iter().filter(|row| row.tolerance <= 0.001) {
        assert!(row.closes, "{row:?}");
    }
    assert!(report.job_count > 0 && !report.tenants.contains_key(IDLE));
    let savings = report.savings.unwrap();
    assert!(savings.days.iter().all(|day| day.nmbe.abs() < 0.2), "{savings:?}");
}
