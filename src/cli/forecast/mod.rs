//! `isotherm forecast`: the forecast beside the service.

#[cfg(feature = "sim")]
mod evaluate;
mod job;

use super::Failure;

/// Arguments of `isotherm forecast`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Tell what a job will draw and cost, and when it would best start.
    Job(job::Args),
    /// Replay a trace in time order without a look ahead, and score the forecast beside its rivals.
    #[cfg(feature = "sim")]
    Evaluate(evaluate::Args),
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Job(args) => job::run(args),
        #[cfg(feature = "sim")]
        Command::Evaluate(args) => evaluate::run(args),
    }
}
