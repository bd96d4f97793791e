//! `isotherm trial --tune trim_respond`: searches the parameters of a site's trim and respond, and prints them.

use super::{Failure, matrix};
use crate::trial::{Tried, tune};
use std::path::Path;

pub(super) fn run(file: &Path, data: &Path, evaluations: usize, seed: u64) -> Result<(), Failure> {
    let (sites, cells) = matrix::load(file, data)?;
    let [site] = sites.as_slice() else {
        return Err(Failure::Run(format!(
            "`{}` names {} sites: write one, for parameters are of one site",
            file.display(),
            sites.len()
        )));
    };
    let mut count = 0;
    let (own, best) = tune(site, &cells, evaluations, seed, |tried, better| {
        count += 1;
        eprintln!(
            "{count:>4}/{evaluations}  {}{}",
            summary(tried, &site.currency),
            if better { "  best so far" } else { "" }
        );
    })
    .map_err(|error| Failure::of("tune", &error))?;
    let settings = &best.settings;
    println!("# As it was: {}", summary(&own, &site.currency));
    println!("# Found:     {}", summary(&best, &site.currency));
    println!(
        "# isotherm trial --tune trim_respond --matrix {} --evaluations {evaluations} --seed {seed}",
        file.display()
    );
    println!("[control.trim_respond]");
    for (name, value) in [
        ("step_s", settings.step_s),
        ("air_step_s", settings.air_step_s),
        ("ignored_requests", settings.ignored_requests),
        ("trim", settings.trim),
        ("respond", settings.respond),
        ("respond_max", settings.respond_max),
        ("pressure_floor", settings.pressure_floor),
        ("start_reserve_k", settings.start_reserve_k),
    ] {
        println!("{name} = {value}");
    }
    Ok(())
}

fn summary(tried: &Tried, currency: &str) -> String {
    format!(
        "{:.0} kWh, {:.2} {currency} with carbon, {:.2} K min beyond limits",
        tried.cooling_kwh, tried.objective, tried.limit_k_min
    )
}
