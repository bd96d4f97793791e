//! `isotherm forecast`: the forecast beside the service.

mod evaluate;

use super::Failure;

/// Arguments of `isotherm forecast`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Replay a trace in time order without a look ahead, and score the forecast beside its rivals.
    Evaluate(evaluate::Args),
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Evaluate(args) => evaluate::run(args),
    }
}
