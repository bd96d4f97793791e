//! `isotherm user`: a token for a person, and the entry for the users' file.

use super::Failure;
use crate::api::{random, to_hex};
use sha2::{Digest, Sha256};

/// Arguments of `isotherm user`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name under which actions are recorded.
    name: String,
    /// What the person may do: look, hold setpoints and stop, or raise authority and change the strategy as well.
    #[arg(long, default_value = "viewer", value_parser = ["viewer", "operator", "engineer"])]
    role: String,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let plain = |letter: char| letter.is_alphanumeric() || "-_. ".contains(letter);
    if args.name.is_empty() || args.name.chars().count() > 64 || !args.name.chars().all(plain) {
        return Err(Failure::Run(
            "a name has 1 to 64 letters, digits, spaces and -_. : write another".to_owned(),
        ));
    }
    let token = to_hex(&random().map_err(|error| Failure::of("draw a token", &error))?);
    // The token goes to the person, the entry to the file: only the hash is kept.
    eprintln!("token of {}, shown this once: {token}", args.name);
    println!(
        "[[user]]\nname = \"{}\"\nrole = \"{}\"\ntoken_sha256 = \"{}\"",
        args.name,
        args.role,
        to_hex(&Sha256::digest(&token))
    );
    Ok(())
}
