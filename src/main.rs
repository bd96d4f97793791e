//! The `isotherm` binary: everything is in the library's `cli` room.

use std::process::ExitCode;

fn main() -> ExitCode {
    isotherm::cli::run()
}
