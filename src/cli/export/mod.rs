//! `isotherm export`: samples of a record as CSV or Parquet, one row a sample.

mod csv;
#[cfg(feature = "parquet")]
mod parquet;

use super::Failure;
use crate::store::{Archive, Bucket, Sample, SeriesName, Tier};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Arguments of `isotherm export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Directory of the record.
    #[arg(long)]
    store: PathBuf,
    /// First moment: `2026-11-01`, or `2026-11-01T06:00:00Z`.
    #[arg(long, value_parser = moment)]
    from: Timestamp,
    /// Moment after the last one.
    #[arg(long, value_parser = moment)]
    to: Timestamp,
    /// `csv` or `parquet`.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// How fine: every sample, or buckets of a minute or of 15 min of the days that are over.
    #[arg(long, value_enum, default_value_t = Fineness::Raw)]
    tier: Fineness,
    /// Only series whose name contains this text, such as `cdu1.` or `energy_kilowatt_hours_total`; may be repeated.
    #[arg(long)]
    series: Vec<String>,
    /// File to write; without it the standard output.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Csv,
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Fineness {
    Raw,
    #[value(name = "1m")]
    Minutes,
    #[value(name = "15m")]
    Quarters,
}

/// A day (UTC) or a moment.
fn moment(text: &str) -> Result<Timestamp, String> {
    let day = text.parse::<Date>().ok().filter(|_| !text.contains('T'));
    let moment = match day {
        Some(day) => TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)),
        None => text.parse::<Timestamp>(),
    };
    moment.map_err(|_| "write a day such as 2026-11-01 (UTC), or a moment such as 2026-11-01T06:00:00Z".to_owned())
}

/// What takes the rows of an export.
trait Table {
    fn sample(&mut self, name: &SeriesName, sample: &Sample) -> io::Result<()>;
    fn bucket(&mut self, name: &SeriesName, bucket: &Bucket) -> io::Result<()>;
    /// Ends a series.
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn finish(self: Box<Self>) -> io::Result<()>;
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let fail = |step: &str, error: io::Error| Failure::of(step, &error);
    if args.from >= args.to {
        return Err(Failure::Run(
            "there is nothing between --from and --to: write --from before --to".into(),
        ));
    }
    if !args.store.is_dir() {
        let dir = args.store.display();
        return Err(Failure::Run(format!(
            "`{dir}` is no directory: write that of a record, such as data"
        )));
    }
    let archive = Archive::open(&args.store).map_err(|error| Failure::of("read the record", &error))?;
    let mut names = archive.series();
    names.retain(|name| {
        let text = name.to_string();
        args.series.is_empty() || args.series.iter().any(|wanted| text.contains(wanted.as_str()))
    });
    let out: Box<dyn Write + Send> = match &args.out {
        Some(path) => Box::new(File::create(path).map_err(|error| fail("create the file", error))?),
        None => Box::new(io::stdout()),
    };
    let out = BufWriter::with_capacity(1 << 18, out);
    let raw = args.tier == Fineness::Raw;
    let mut table: Box<dyn Table> = match args.format {
        Format::Csv => Box::new(csv::Csv::begin(out, raw).map_err(|error| fail("write", error))?),
        #[cfg(feature = "parquet")]
        Format::Parquet => Box::new(parquet::Parquet::begin(out, raw).map_err(|error| fail("write", error))?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            return Err(Failure::Run(
                "this build has no Parquet: build it with `--features parquet`, or write --format csv".into(),
            ));
        }
    };
    let written = names
        .iter()
        .try_for_each(|name| series(&archive, args, name, &mut *table));
    match written.and_then(|()| table.finish()) {
        // A reader such as `head` that has enough is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| fail("write", error)),
    }
}

fn series(archive: &Archive, args: &Args, name: &SeriesName, table: &mut dyn Table) -> io::Result<()> {
    let (from_ms, to_ms) = (args.from.as_millisecond(), args.to.as_millisecond());
    let mut written = Ok(());
    let tier = match args.tier {
        Fineness::Raw => {
            archive.samples(name, from_ms, to_ms, &mut |sample| {
                if written.is_ok() {
                    written = table.sample(name, sample);
                }
            });
            written?;
            return table.end();
        }
        Fineness::Minutes => Tier::Minutes,
        Fineness::Quarters => Tier::Quarters,
    };
    archive.buckets(tier, name, from_ms, to_ms, &mut |bucket| {
        if written.is_ok() {
            written = table.bucket(name, bucket);
        }
    });
    written?;
    table.end()
}

const fn quality(sample: &Sample) -> &'static str {
    match sample.quality {
        crate::snapshot::Quality::Good => "good",
        crate::snapshot::Quality::Bad => "bad",
        crate::snapshot::Quality::Stale => "stale",
    }
}
