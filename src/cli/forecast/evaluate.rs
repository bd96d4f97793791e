//! `isotherm forecast evaluate`: the forecast against a trace.

use crate::cli::{Failure, load_site};
use crate::trial::backtest::{self, Evaluation, HorizonScore, JobScores, Source};
use clap::ValueEnum;
use std::path::PathBuf;

/// Arguments of `isotherm forecast evaluate`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The trace.
    #[arg(long, value_enum, default_value = "synthetic")]
    trace: TraceName,
    /// Directory of the public traces, one folder a trace; else that of `ISOTHERM_DATA`, else `../shared/data`.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Hall of the synthetic jobs.
    #[arg(long, default_value = "demo")]
    site: PathBuf,
    /// Seed of the synthetic jobs.
    #[arg(long, default_value_t = 7)]
    jobs_seed: u64,
    /// Length of the synthetic trace, days, 0.5 to 60.
    #[arg(long, default_value_t = 8.0, value_parser = days)]
    days: f64,
    /// Share of the trace that the forecast only learns from, 0 to 0.9.
    #[arg(long, default_value_t = 0.3, value_parser = share)]
    from: f64,
    /// Seed of the learners.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write features, folds and series as CSV into this directory, for learners outside.
    #[arg(long)]
    export: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum TraceName {
    /// Jobs of the simulators' generator.
    Synthetic,
    /// Four days of a SURF cluster.
    SurfLisa,
    /// Twelve hours of heat of Frontier's CDUs; nothing is known of jobs.
    FrontierCduHeat,
    /// The pods of a GPU cluster.
    #[value(name = "alibaba_gpu_2023")]
    AlibabaGpu2023,
    /// Mean power of training runs, for job models alone.
    ZeusDnnPower,
}

fn days(text: &str) -> Result<f64, String> {
    within(text, 0.5, 60.0)
}

fn share(text: &str) -> Result<f64, String> {
    within(text, 0.0, 0.9)
}

fn within(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (low..=high).contains(number));
    number.ok_or_else(|| format!("write a number from {low} to {high}"))
}

pub(in crate::cli) fn run(args: &Args) -> Result<(), Failure> {
    let site = load_site(&args.site)?;
    let data = args.data.clone().unwrap_or_else(|| {
        std::env::var_os("ISOTHERM_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from)
    });
    let source = match args.trace {
        TraceName::Synthetic => Source::Synthetic {
            seed: args.jobs_seed,
            days: args.days,
        },
        TraceName::SurfLisa => Source::SurfLisa(data.join("surf_lisa")),
        TraceName::FrontierCduHeat => Source::FrontierCduHeat(data.join("frontier_cdu_heat")),
        TraceName::AlibabaGpu2023 => Source::AlibabaGpu2023(data.join("alibaba_gpu_2023")),
        TraceName::ZeusDnnPower => Source::ZeusDnnPower(data.join("zeus_dnn_power")),
    };
    let trace = source
        .trace(&site)
        .map_err(|error| Failure::of("make the trace", &error))?;
    if let Some(folder) = &args.export {
        backtest::export(&trace, args.seed, folder).map_err(|error| Failure::of("write the tables", &error))?;
    }
    let evaluation = backtest::evaluate(&trace, args.from, args.seed, |part| tracing::info!(part, "evaluating"));
    if args.json {
        let text = serde_json::to_string_pretty(&evaluation).map_err(|error| Failure::of("write JSON", &error))?;
        println!("{text}");
    } else {
        print(&evaluation);
    }
    Ok(())
}

fn print(evaluation: &Evaluation) {
    println!(
        "{}: {} jobs, {:.1} days on {} racks behind {} CDUs of {:.1} kW, {:.1} kW on average; scored from {:.0} % on",
        evaluation.trace,
        evaluation.jobs_in_trace,
        evaluation.days,
        evaluation.racks,
        evaluation.cdus,
        evaluation.rating_kw,
        evaluation.mean_kw,
        100.0 * evaluation.from
    );
    if let Some(jobs) = &evaluation.jobs {
        print_jobs(jobs);
    }
    if evaluation.horizons.is_empty() {
        return;
    }
    println!(
        "one forecast of all racks and CDUs took {:.0} us\n\nHeat of a CDU, kW. persist. is persistence, bound the known future; 90 % is what the interval covered, in all and in\nthe worst and best day; swings are changes of more than 15 % of the rating within 5 min.\n",
        evaluation.forecast_us
    );
    println!(
        "{:<9} {:>3} | {:>8} {:>8} {:>8} {:>8} | {:>8} {:>8} {:>8} | {:>6} {:>13} {:>7} | {:>6} {:>6} {:>6} {:>6} | {:>6} {:>6} {:>6}",
        "knows",
        "min",
        "MAE",
        "persist.",
        "mean",
        "bound",
        "p95",
        "persist.",
        "bound",
        "90 %",
        "of days",
        "width",
        "swings",
        "recall",
        "right",
        "lead s",
        "starts",
        "recall",
        "lead s"
    );
    for row in &evaluation.horizons {
        println!("{}", line(row));
    }
}

fn line(row: &HorizonScore) -> String {
    let kw = |kw: Option<f64>| kw.map_or_else(|| "-".to_owned(), |kw| format!("{kw:.2}"));
    let share = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", 100.0 * share));
    let seconds = |s: Option<f64>| s.map_or_else(|| "-".to_owned(), |s| format!("{s:.0}"));
    format!(
        "{:<9} {:>3} | {:>8.2} {:>8.2} {:>8.2} {:>8} | {:>8.2} {:>8.2} {:>8} | {:>4.1} % {:>5.1}-{:<5.1} % {:>7.1} | {:>6} {:>6} {:>6} {:>6} | {:>6} {:>6} {:>6}",
        row.knowledge,
        row.minutes,
        row.mae,
        row.mae_persistence,
        row.mae_mean,
        kw(row.mae_bound),
        row.p95,
        row.p95_persistence,
        kw(row.p95_bound),
        100.0 * row.coverage90,
        100.0 * row.coverage90_days.0,
        100.0 * row.coverage90_days.1,
        row.width90,
        row.swings,
        share(row.swing_recall),
        share(row.swing_precision),
        seconds(row.swing_lead_s),
        row.start_swings,
        share(row.start_swing_recall),
        seconds(row.start_swing_lead_s),
    )
}

fn print_jobs(jobs: &JobScores) {
    println!(
        "\nMean power of a job, W per GPU, on {} later jobs than the {} learned from ({}; learned in {:.1} s, {:.1} us a prediction):",
        jobs.held_out, jobs.learned, jobs.learner, jobs.train_s, jobs.predict_us
    );
    for (name, mae_w, mape) in [
        ("ours", jobs.mae_w, jobs.mape),
        ("last finished job", jobs.mae_w_last, jobs.mape_last),
        ("training mean", jobs.mae_w_mean, jobs.mape_mean),
    ] {
        println!("  {name:<18} MAE {mae_w:>7.1}   MAPE {:>5.1} %", 100.0 * mape);
    }
    println!("  predicted over true in all: {:.3}", jobs.calibration);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn numbers_out_of_range_are_refused_with_what_to_write() {
        let parse = |text: &[&str]| Line::try_parse_from([&["evaluate"], text].concat()).map(|line| line.args);
        assert!(parse(&["--from", "0.7", "--trace", "surf_lisa"]).is_ok());
        assert!(parse(&["--trace", "alibaba_gpu_2023"]).is_ok());
        for wrong in [["--from", "1.5"], ["--days", "0"], ["--days", "NaN"]] {
            assert!(
                parse(&wrong).unwrap_err().to_string().contains("write a number from"),
                "{wrong:?}"
            );
        }
    }
}
