//! `isotherm report`: the books of a period.

use super::{Failure, load_site};
use crate::ledger::Page;
use crate::report::{self, Period};
use crate::service::Checkpoint;
use crate::site::Site;
use crate::store::{Books, saved_mind};
use std::path::{Path, PathBuf};

/// Arguments of `isotherm report`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The site file.
    site: PathBuf,
    /// Directory of the record; without it the site's `store.dir`.
    #[arg(long)]
    store: Option<PathBuf>,
    /// A year, month or day (`2026`, `2026-11`, `2026-11-25`), or two days (`2026-11-01..2026-11-25`); without it all days.
    #[arg(long)]
    period: Option<String>,
    /// Form of the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal.
    Text,
    /// One page with charts that needs nothing else.
    Html,
    /// One tidy table with every job.
    Csv,
    /// For programs.
    Json,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let site = load_site(&args.site)?;
    let dir = args.store.clone().unwrap_or_else(|| PathBuf::from(&site.store.dir));
    let period = args.period.as_deref().map(Period::parse).transpose();
    let period = period.map_err(|error| Failure::of("read --period", &error))?;
    let pages = Books::read::<Page>(&dir).map_err(|error| Failure::of("read the books", &error))?;
    let gathered = report::gather(pages, open_page(&dir, &site), period.as_ref())
        .map_err(|error| Failure::Record(format!("the books are damaged: {error}")))?;
    let Some((from, to)) = report::span(&gathered) else {
        let when = args
            .period
            .as_deref()
            .map_or(String::new(), |period| format!(" of {period}"));
        return Err(Failure::Record(format!("{} holds no books{when} yet", dir.display())));
    };
    let period = period.unwrap_or_else(|| Period::between("all days with books", from, to));
    let made = report::make(&site, period, &gathered);
    match args.format {
        Format::Text => print!("{}", report::text(&made)),
        Format::Html => print!("{}", report::html(&made)),
        Format::Csv => print!("{}", report::csv(&made, gathered.jobs.values())),
        Format::Json => {
            let text = serde_json::to_string_pretty(&made).map_err(|error| Failure::of("write JSON", &error))?;
            println!("{text}");
        }
    }
    Ok(())
}

/// The page that the controller has not closed yet, from the memory that it saves every minute and on stop.
fn open_page(dir: &Path, site: &Site) -> Option<Page> {
    let bytes = saved_mind(dir)?;
    let checkpoint: Checkpoint = postcard::from_bytes(&bytes).ok()?;
    checkpoint.mind.ledger.open_page(site)
}
