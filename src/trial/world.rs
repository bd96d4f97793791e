//! The world of a trial or a demo: the site's plant in weather, under a load, beside a district network.

use crate::site::Site;
use flate2::read::GzDecoder;
use jiff::ZonedDateTime;
use jiff::civil::Date;
use simulators::heat_trace::{HeatLoad, HeatTrace};
use simulators::jobs::{self, Cluster, Generator, RackNodes, Scheduler, Source};
use simulators::network::DistrictNetwork;
use simulators::plant::{Plant, PlantSpec};
use simulators::weather::{Climate, Weather};
use simulators::world::{self, World};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest trace or weather file that is read, bytes after unpacking.
const FILE_MAX: u64 = 1 << 30;

/// Where the weather comes from.
#[derive(Debug, Clone)]
pub enum WeatherSource {
    /// The built-in generator of a temperate climate.
    BuiltIn,
    /// A CSV of hourly rows or an EPW file, plain or gzip.
    File(PathBuf),
}

/// What heats the racks.
#[derive(Debug, Clone)]
pub enum Load {
    /// Jobs made up from a seed.
    Synthetic(u64),
    /// Jobs of a trace: CSV, plain or gzip.
    Jobs(PathBuf),
    /// Measured heat of each CDU: CSV, plain or gzip. No queue is known.
    Heat(PathBuf),
}

impl Load {
    /// Its name in results.
    pub fn name(&self) -> String {
        match self {
            Self::Synthetic(seed) => format!("synthetic {seed}"),
            Self::Jobs(file) | Self::Heat(file) => file_name(file),
        }
    }
}

impl WeatherSource {
    /// Its name in results.
    pub fn name(&self) -> String {
        match self {
            Self::BuiltIn => "built-in".to_owned(),
            Self::File(file) => file_name(file),
        }
    }
}

fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Why a world could not be built.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The plant has mistakes.
    #[error("the site describes a plant that cannot be built")]
    Plant(#[from] simulators::plant::SpecError),
    /// A file could not be read.
    #[error("`{}` could not be read", file.display())]
    Read {
        /// File.
        file: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A file has another form than it should.
    #[error("`{}`: {message}", file.display())]
    Form {
        /// File.
        file: PathBuf,
        /// Line and what to write instead.
        message: String,
    },
    /// The racks do not make a cluster.
    #[error("the racks do not make a cluster")]
    Cluster(#[from] jobs::ClusterError),
    /// The first day is not a day.
    #[error("`{0}` is not a day of the year: write MM-DD, such as 07-01")]
    Start(String),
}

/// Builds the world of a site, `year_s` seconds after the start of the year (local standard time). `days` is how much of
/// a job trace is laid over the run.
pub fn build_world(
    site: &Site,
    spec: &PlantSpec,
    weather: &WeatherSource,
    load: &Load,
    year_s: f64,
    days: f64,
    seed: u64,
) -> Result<World, WorldError> {
    let weather = match weather {
        WeatherSource::BuiltIn => Weather::generated(Climate::TEMPERATE, seed),
        WeatherSource::File(file) => Weather::parse(&read(file)?).map_err(|error| form(file, &error))?,
    };
    let load = match load {
        Load::Synthetic(seed) => {
            let cluster = cluster(site)?;
            let generator = Generator::new(cluster.gpus(), cluster.gpus_per_node(), *seed);
            world::Load::Jobs(Box::new(Scheduler::new(
                cluster,
                Source::Generated(Box::new(generator)),
            )))
        }
        Load::Jobs(file) => {
            let cluster = cluster(site)?;
            let text = read(file)?;
            let listed = if text
                .lines()
                .next()
                .is_some_and(|header| header.contains("creation_time"))
            {
                jobs::alibaba_pods(&text, cluster.gpus(), cluster.gpus_per_node(), days)
            } else {
                jobs::surf_lisa(&text, cluster.gpus(), cluster.gpus_per_node(), days)
            }
            .map_err(|error| form(file, &error))?;
            world::Load::Jobs(Box::new(Scheduler::new(
                cluster,
                Source::listed(listed, days * 86_400.0),
            )))
        }
        Load::Heat(file) => {
            let trace = HeatTrace::parse(&read(file)?).map_err(|error| form(file, &error))?;
            world::Load::Heat(HeatLoad::new(trace, spec).map_err(|error| form(file, &error))?)
        }
    };
    let network = if site.reuse.is_empty() {
        DistrictNetwork::NONE
    } else {
        DistrictNetwork::LOW_TEMPERATURE
    };
    Ok(World::new(Plant::new(spec, seed)?, weather, load, network, year_s))
}

pub(super) fn cluster(site: &Site) -> Result<Cluster, WorldError> {
    let racks = site.racks.iter().map(|rack| RackNodes {
        idle_kw: rack.nameplate.idle_kw,
        rated_kw: rack.nameplate.rated_kw,
        gpus: rack.nameplate.gpus,
        nodes: rack.nodes.clone(),
    });
    Ok(Cluster::new(racks.collect())?)
}

/// Seconds from the start of the year to a moment, local standard time.
pub fn year_s(local: &ZonedDateTime) -> f64 {
    let (day, time) = (local.date().day_of_year() - 1, local.time());
    f64::from(day) * 86_400.0
        + f64::from(time.hour()) * 3600.0
        + f64::from(time.minute()) * 60.0
        + f64::from(time.second())
}

/// Seconds from the start of a (common) year to a day `MM-DD`.
pub(super) fn start_s(day: &str) -> Result<f64, WorldError> {
    let wrong = || WorldError::Start(day.to_owned());
    let date: Date = format!("2025-{day}").parse().map_err(|_| wrong())?;
    Ok(f64::from(date.day_of_year() - 1) * 86_400.0)
}

pub(super) fn form(file: &Path, error: &dyn std::error::Error) -> WorldError {
    WorldError::Form {
        file: file.to_owned(),
        message: error.to_string(),
    }
}

/// A text file, plain or gzip.
pub(super) fn read(file: &Path) -> Result<String, WorldError> {
    let fail = |source| WorldError::Read {
        file: file.to_owned(),
        source,
    };
    let opened = File::open(file).map_err(fail)?;
    let mut text = String::new();
    if file.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(opened)
            .take(FILE_MAX)
            .read_to_string(&mut text)
            .map_err(fail)?;
    } else {
        opened.take(FILE_MAX).read_to_string(&mut text).map_err(fail)?;
    }
    Ok(text)
}
