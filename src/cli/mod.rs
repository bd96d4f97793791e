//! The command line: one file a subcommand.
//!
//! Exit codes: 0 done; 1 failed while running; 2 wrong usage; 3 mistakes in the configuration;
//! 4 the record or a replay does not hold.

mod advise;
mod audit;
mod check;
mod commission;
#[cfg(feature = "sim")]
mod demo;
#[cfg(feature = "sim")]
mod dsx;
mod export;
#[cfg(feature = "sim")]
mod faults;
mod forecast;
mod live;
mod logging;
#[cfg(feature = "sim")]
mod matrix;
mod model;
mod points;
mod replay;
mod report;
mod run;
#[cfg(feature = "sim")]
mod savings;
#[cfg(feature = "sim")]
mod tradeoff;
mod train;
#[cfg(feature = "sim")]
mod trial;
#[cfg(feature = "sim")]
mod tune;
mod user;

#[cfg(feature = "sim")]
use crate::site::StrategyKind;
use crate::site::{self, Mistake, Site};
use clap::{Parser, Subcommand};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Predictive, auditable cooling control for liquid-cooled AI data centres.
#[derive(Debug, Parser)]
#[command(name = "isotherm", version, about)]
struct Cli {
    /// Log as one JSON object a line.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a simulated plant with real Modbus and MQTT devices, the controller and the dashboard.
    #[cfg(feature = "sim")]
    Demo(demo::Args),
    /// Control the plant that a site file describes.
    Run(run::Args),
    /// Report every mistake in a site file.
    Check(check::Args),
    /// List, read, watch and hold points of a plant.
    Points(points::Args),
    /// Verify the point map on a live plant, test steps within a band, and write the report.
    Commission(commission::Args),
    /// Run strategies against a simulated plant in virtual time and compare them.
    #[cfg(feature = "sim")]
    Trial(Box<trial::Args>),
    /// Break a simulated plant in every known way, with the controller and without it.
    #[cfg(feature = "sim")]
    Faults(faults::Args),
    /// The controller on the NVIDIA DSX Exchange bus of a simulated building management system.
    #[cfg(feature = "sim")]
    Dsx(dsx::Args),
    /// Train a model of job power from finished jobs.
    Train(train::Args),
    /// List, show and change the models of a controller.
    Model(model::Args),
    /// Ask the models.
    Forecast(forecast::Args),
    /// Report energy, water, heat, carbon and cost of a period: indicators, balance, shares of jobs and tenants.
    Report(report::Args),
    /// Verify the record's hash chains and list who did what and why.
    Audit(audit::Args),
    /// Write the recorded samples as CSV or Parquet.
    Export(export::Args),
    /// Print the advice of a record, or what a change of the plant would have brought over it.
    Advise(advise::Args),
    /// Make a token for a person, and the entry for the file of users.
    User(user::Args),
    /// Run recorded cycles again and compare every bit.
    Replay(replay::Args),
}

/// Why a subcommand ended early.
#[derive(Debug)]
enum Failure {
    /// The configuration has mistakes.
    Configuration(Vec<Mistake>),
    /// The record or a replay does not hold.
    Record(String),
    /// Anything else, as a chain of causes.
    Run(String),
}

impl Failure {
    /// A failure of a step, with the chain of its causes: "failed to {step}: {error}: {cause}".
    fn of(step: &str, error: &dyn std::error::Error) -> Self {
        let mut text = format!("failed to {step}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing to a String cannot fail.
            let _infallible = write!(text, ": {cause}");
            source = cause.source();
        }
        Self::Run(text)
    }
}

/// Parses the command line and runs it.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    logging::start(cli.log_json);
    let done = match cli.command {
        #[cfg(feature = "sim")]
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Points(args) => points::run(&args),
        Command::Commission(args) => commission::run(&args),
        #[cfg(feature = "sim")]
        Command::Trial(args) => trial::run(&args),
        #[cfg(feature = "sim")]
        Command::Faults(args) => faults::run(&args),
        #[cfg(feature = "sim")]
        Command::Dsx(args) => dsx::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Forecast(args) => forecast::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Advise(args) => advise::run(&args),
        Command::User(args) => user::run(&args),
        Command::Replay(args) => replay::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Configuration(mistakes)) => {
            for mistake in &mistakes {
                eprintln!("{mistake}");
            }
            eprintln!("{} in the configuration", count(mistakes.len(), "mistake"));
            ExitCode::from(3)
        }
        Err(Failure::Record(text)) => {
            eprintln!("{text}");
            ExitCode::from(4)
        }
        Err(Failure::Run(text)) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Loads a site: a file, or one of the embedded sites by name (`demo`, `frontier`, `chilled_water`, `dsx`).
fn load_site(file: &Path) -> Result<Site, Failure> {
    if !file.exists()
        && let Some(embedded) = file.to_str().and_then(site::load_embedded)
    {
        return embedded.map_err(Failure::Configuration);
    }
    site::load(file).map_err(Failure::Configuration)
}

/// A strategy by its name.
#[cfg(feature = "sim")]
fn strategy(name: &str) -> Result<StrategyKind, String> {
    [StrategyKind::Fixed, StrategyKind::TrimRespond, StrategyKind::Predictive]
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| "write fixed, trim_respond or predictive".to_owned())
}

/// "1 mistake", "2 mistakes".
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
