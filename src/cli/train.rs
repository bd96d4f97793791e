//! `isotherm train`: a model of job power from finished jobs, with its card.

use super::{Failure, count, load_site};
use crate::forecast::{self, LARGEST_MODEL};
use crate::service::finished::Finished;
use crate::snapshot::FinishedJob;
use crate::workload::{finished, telemetry};
use jiff::tz::TimeZone;
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `isotherm train`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Finished jobs: a dump of `sacct -P` with `ConsumedEnergyRaw`, or a CSV with a header (see the documentation of the
    /// workload room).
    #[arg(long, required_unless_present_any = ["synthetic", "store"])]
    jobs: Option<PathBuf>,
    /// Measured power of nodes, for a dump of `sacct -P` without energy: a CSV of `time_s`, `node` and `power_w`.
    #[arg(long, requires = "jobs")]
    power: Option<PathBuf>,
    /// Jobs that finished in service: the directory of a controller's record.
    #[arg(long, conflicts_with_all = ["jobs", "power"])]
    store: Option<PathBuf>,
    /// Jobs of the built-in generator with this seed, in place of a file.
    #[cfg(feature = "sim")]
    #[arg(long, conflicts_with_all = ["jobs", "store"])]
    synthetic: Option<u64>,
    /// How many synthetic jobs.
    #[cfg(feature = "sim")]
    #[arg(long, default_value_t = 6000)]
    count: usize,
    /// Site whose nodes the synthetic jobs run on, and whose time zone a dump's times are in.
    #[arg(long, default_value = "demo")]
    site: PathBuf,
    /// Name of the model.
    #[arg(long, default_value = "site-1")]
    name: String,
    /// Directory for `<name>.model` and its card `<name>.md`.
    #[arg(long, default_value = "models")]
    out: PathBuf,
    /// Seed of the forest.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (jobs, source) = jobs(args)?;
    let (model, report) = forecast::train(&jobs, args.seed).map_err(|error| Failure::of("train", &error))?;
    let bytes = model
        .to_bytes()
        .map_err(|error| Failure::of("serialise the model", &error))?;
    let hash = model.hash().map_err(|error| Failure::of("hash the model", &error))?;
    let card = forecast::card(&args.name, &source, &hash, &report);

    fs::create_dir_all(&args.out).map_err(|error| Failure::of("make the directory of the model", &error))?;
    let (model_file, card_file) = (file(&args.out, &args.name, "model"), file(&args.out, &args.name, "md"));
    fs::write(&model_file, &bytes).map_err(|error| Failure::of("write the model", &error))?;
    fs::write(&card_file, &card).map_err(|error| Failure::of("write the model's card", &error))?;
    println!("{card}");
    println!(
        "{} of {} bytes (at most {LARGEST_MODEL}) from {}, card {}",
        model_file.display(),
        bytes.len(),
        count(jobs.len(), "job"),
        card_file.display()
    );
    Ok(())
}

fn file(dir: &Path, name: &str, extension: &str) -> PathBuf {
    dir.join(format!("{name}.{extension}"))
}

/// The jobs and a sentence that says where they come from.
fn jobs(args: &Args) -> Result<(Vec<FinishedJob>, String), Failure> {
    let site = load_site(&args.site)?;
    #[cfg(feature = "sim")]
    if let Some(seed) = args.synthetic {
        let jobs = crate::trial::synthetic_history(&site, seed, args.count)
            .map_err(|error| Failure::of("make up jobs", &error))?;
        let source = format!(
            "jobs of the simulators' generator (seed {seed}) on the {} hall: made up, with the habits of AI training, \
             fine-tuning, evaluation and inference",
            site.name
        );
        return Ok((jobs, source));
    }
    if let Some(store) = &args.store {
        let jobs = Finished::beside(store).read();
        let jobs = jobs.map_err(|error| Failure::of("read the jobs that finished in service", &error))?;
        let source = format!(
            "jobs that finished in service at the site {}, with power from rack readings",
            site.name
        );
        return Ok((jobs, source));
    }
    let Some(file) = &args.jobs else {
        return Err(Failure::Run("no jobs: write --jobs FILE or --store DIR".into()));
    };
    let text = fs::read_to_string(file).map_err(|error| Failure::of("read the jobs", &error))?;
    let zone = TimeZone::get(&site.time_zone).map_err(|error| Failure::of("find the site's time zone", &error))?;
    if let Some(power) = &args.power {
        let power = fs::read_to_string(power).map_err(|error| Failure::of("read the power", &error))?;
        let joined = telemetry::join(&text, &power, &zone);
        let joined = joined.map_err(|error| Failure::of("join accounting and power", &error))?;
        let source = format!(
            "accounting of the site {} with measured power of nodes; {} jobs shared a node and {} were not measured",
            site.name, joined.shared, joined.unmeasured
        );
        return Ok((joined.jobs, source));
    }
    let jobs = finished::parse(&text, &zone).map_err(|error| Failure::of("read the jobs", &error))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Ok((jobs, format!("accounting of the site {} ({name})", site.name)))
}
