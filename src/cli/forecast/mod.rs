//! `isotherm forecast`: the forecast beside the service.

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
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Job(args) => job::run(args),
    }
}
