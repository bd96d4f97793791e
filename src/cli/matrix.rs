//! `isotherm trial --matrix`: many trials over the cores, one table or one JSON.

use super::trial::percent;
use super::{Failure, load_site};
use crate::site::Site;
use crate::trial::{Cell, Matrix, MatrixResult, Trial, run_cells, summarise};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;

pub(super) fn run(file: &Path, data: &Path, json: bool) -> Result<(), Failure> {
    let (sites, cells) = load(file, data)?;
    let found = summarise(run_all(&sites, &cells)?);
    if json {
        let text = serde_json::to_string_pretty(&found).map_err(|error| Failure::of("write JSON", &error))?;
        println!("{text}");
    } else {
        print(&found);
    }
    Ok(())
}

/// A matrix file's sites and cells.
pub(super) fn load(file: &Path, data: &Path) -> Result<(Vec<Site>, Vec<Cell>), Failure> {
    let fail = |error: &dyn std::error::Error| Failure::of(&format!("read the matrix `{}`", file.display()), error);
    let text = std::fs::read_to_string(file).map_err(|error| fail(&error))?;
    let matrix = Matrix::parse(&text).map_err(|error| fail(&error))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let site = |path: &Path| {
        let beside = folder.join(path);
        load_site(if beside.exists() { &beside } else { path })
    };
    let sites: Result<Vec<Site>, Failure> = matrix.sites.iter().map(|loads| site(&loads.file)).collect();
    Ok((sites?, matrix.cells(data)))
}

/// Runs cells, with a bar where a person watches.
pub(super) fn run_all(sites: &[Site], cells: &[Cell]) -> Result<Vec<Trial>, Failure> {
    let bar = if std::io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("{pos}/{len} cells {wide_bar} {eta:>4}");
        ProgressBar::new(cells.len() as u64).with_style(style.unwrap_or(ProgressStyle::default_bar()))
    } else {
        ProgressBar::hidden()
    };
    let trials = run_cells(sites, cells, |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    trials.map_err(|error| Failure::of("run the matrix", &error))
}

fn print(found: &MatrixResult) {
    for trial in &found.cells {
        let plant = if trial.plant.is_empty() {
            "as built"
        } else {
            &trial.plant
        };
        println!(
            "{} | {} | {} | {} days from {} | plant {plant}, seed {}",
            trial.site, trial.weather, trial.load, trial.days, trial.start, trial.seed
        );
        for run in &trial.runs {
            println!(
                "  {:<14}{:>12.1} kWh{:>12.0} L{:>9.2} K min   vs fixed{:>10}   vs trim_respond{:>10}   of the bound{:>10}{}",
                run.strategy,
                run.cooling_kwh,
                run.water_l,
                run.limit_k_min,
                percent(run.saving_vs_fixed),
                percent(run.saving_vs_trim_respond),
                percent(run.share_of_bound),
                if trial.bound == Some(run.strategy) {
                    ", it is the bound"
                } else {
                    ""
                },
            );
        }
    }
    println!(
        "\n{:<14}{:<14}{:>6}{:>14}{:>10}{:>16}{:>12}{:>12}{:>12}{:>14}",
        "plant",
        "strategy",
        "cells",
        "cooling kWh",
        "vs fixed",
        "vs trim_respond",
        "bound, cost",
        "bound, kWh",
        "worst K min",
        "beyond trim_r."
    );
    for line in &found.summary {
        println!(
            "{:<14}{:<14}{:>6}{:>14.0}{:>10}{:>16}{:>12}{:>12}{:>12.2}{:>14}",
            if line.plant.is_empty() { "as built" } else { &line.plant },
            line.strategy,
            line.cells,
            line.cooling_kwh,
            percent(line.saving_vs_fixed),
            percent(line.saving_vs_trim_respond),
            percent(line.share_of_bound),
            percent(line.energy_share_of_bound),
            line.worst_limit_k_min,
            line.beyond_trim_respond,
        );
    }
}
