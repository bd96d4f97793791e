//! `isotherm forecast`: what the models say.

mod job;

use super::Failure;
use clap::Subcommand;

/// Arguments of `isotherm forecast`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell what a job will draw and cost, and when it would best start.
    Job(job::Args),
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        What::Job(args) => job::run(args),
    }
}
