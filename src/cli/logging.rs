//! Logs by `tracing`, as text or JSON, filtered by `ISOTHERM_LOG` (for example `info,isotherm::field=debug`).

use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. A second call has no effect.
pub(super) fn start(json: bool) {
    let filter = EnvFilter::try_from_env("ISOTHERM_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = if json {
        logs.json().try_init()
    } else {
        logs.with_ansi(io::stderr().is_terminal()).try_init()
    };
    if let Err(error) = started {
        eprintln!("logging was started before: {error}");
    }
}
