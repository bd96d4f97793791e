//! Many trials at once: sites by loads by weathers by seasons by plants, over the cores.

use super::contender::Contender;
use super::disturbance::Disturbance;
use super::grid_event::GridEvent;
use super::run::{Options, run};
use super::score::{Run, Trial};
use super::world::{Load, WeatherSource, WorldError};
use crate::site::Site;
use serde::{Deserialize, Serialize};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// A matrix as its TOML file states it; every combination is a cell. Paths of traces and weathers start from the folder
/// that is given on the command line.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// Length of each trial, days.
    pub days: f64,
    /// First days, `MM-DD`.
    pub starts: Vec<String>,
    /// Weather files.
    pub weathers: Vec<PathBuf>,
    /// Who runs.
    pub strategies: Vec<Contender>,
    /// Seeds of the plants.
    #[serde(default = "first_seed")]
    pub seeds: Vec<u64>,
    /// Sites with their loads.
    #[serde(rename = "site")]
    pub sites: Vec<SiteLoads>,
    /// A grid's cut of the power of cooling in every trial.
    #[serde(default)]
    pub grid_event: Option<GridEvent>,
    /// How the plants differ from their drawings; without any, as plants usually do.
    #[serde(rename = "plant", default = "as_built")]
    pub plants: Vec<Disturbance>,
}

fn first_seed() -> Vec<u64> {
    vec![1]
}

fn as_built() -> Vec<Disturbance> {
    vec![Disturbance::default()]
}

/// A site and what heats it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteLoads {
    /// Site file, from the matrix file's folder, or the name of an embedded site.
    pub file: PathBuf,
    /// Measured heat of CDUs.
    #[serde(default)]
    pub heat: Vec<PathBuf>,
    /// Traces of jobs.
    #[serde(default)]
    pub jobs: Vec<PathBuf>,
    /// Seeds of made-up jobs.
    #[serde(default)]
    pub synthetic: Vec<u64>,
}

/// Why a matrix cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// The file is not a matrix.
    #[error("the matrix cannot be read: {0}")]
    Form(#[from] toml::de::Error),
    /// A list without an entry, so that there is no cell.
    #[error("the matrix has no cell: write at least one entry in `{0}`")]
    Empty(&'static str),
    /// A plant that would be another plant.
    #[error("parameters_off of plant `{0}` is out of range: write 0 to 0.5")]
    Off(String),
    /// A grid event that cannot be.
    #[error("the matrix cannot be run: {0}")]
    GridEvent(String),
    /// A trial could not be run.
    #[error("the cell {cell} cannot be run")]
    Cell {
        /// Which.
        cell: String,
        /// Cause.
        source: WorldError,
    },
}

/// A trial of the matrix: which site, and how.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Place of the site in [`Matrix::sites`].
    pub site: usize,
    /// The trial's options.
    pub options: Options,
}

/// Everything that a matrix found.
#[derive(Debug, Clone, Serialize)]
pub struct MatrixResult {
    /// The means, by plant and strategy.
    pub summary: Vec<Summary>,
    /// Every trial, in the order of the file.
    pub cells: Vec<Trial>,
}

/// The means of one strategy over the cells of one kind of plant.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Name of the disturbance.
    pub plant: String,
    /// Strategy.
    pub strategy: String,
    /// Number of cells.
    pub cells: usize,
    /// Cooling energy of all cells, kWh.
    pub cooling_kwh: f64,
    /// Mean over the cells of the energy saved against `fixed`, as a share.
    pub saving_vs_fixed: Option<f64>,
    /// The same against `trim_respond`.
    pub saving_vs_trim_respond: Option<f64>,
    /// Mean share of the bound's advantage over `trim_respond`, by cost with carbon.
    pub share_of_bound: Option<f64>,
    /// The same by cooling energy.
    pub energy_share_of_bound: Option<f64>,
    /// Largest sum of degree-minutes beyond limits in a cell, K min.
    pub worst_limit_k_min: f64,
    /// Cells in which it went further beyond limits than `trim_respond`.
    pub beyond_trim_respond: usize,
}

impl Matrix {
    /// Reads a matrix file's text.
    pub fn parse(text: &str) -> Result<Self, MatrixError> {
        let matrix: Self = toml::from_str(text)?;
        let empty = [
            (matrix.starts.is_empty(), "starts"),
            (matrix.weathers.is_empty(), "weathers"),
            (matrix.strategies.is_empty(), "strategies"),
            (matrix.seeds.is_empty(), "seeds"),
            (matrix.sites.is_empty(), "site"),
            (matrix.plants.is_empty(), "plant"),
            (
                matrix.sites.iter().any(SiteLoads::is_empty),
                "heat, jobs or synthetic of a site",
            ),
        ];
        let wild = matrix
            .plants
            .iter()
            .find(|plant| !(0.0..=0.5).contains(&plant.parameters_off));
        if let Some(plant) = wild {
            return Err(MatrixError::Off(plant.name.clone()));
        }
        if let Some(event) = &matrix.grid_event {
            event.check().map_err(MatrixError::GridEvent)?;
        }
        match empty.into_iter().find(|(empty, _)| *empty) {
            Some((_, list)) => Err(MatrixError::Empty(list)),
            None => Ok(matrix),
        }
    }

    /// Every cell, traces and weathers looked for under `data`.
    pub fn cells(&self, data: &Path) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (site, loads) in self.sites.iter().enumerate() {
            for load in loads.all(data) {
                for weather in &self.weathers {
                    for start in &self.starts {
                        for plant in &self.plants {
                            cells.extend(self.seeds.iter().map(|seed| Cell {
                                site,
                                options: Options {
                                    weather: WeatherSource::File(data.join(weather)),
                                    load: load.clone(),
                                    days: self.days,
                                    start: start.clone(),
                                    seed: *seed,
                                    strategies: self.strategies.clone(),
                                    disturbance: plant.clone(),
                                    commission: false,
                                    grid_event: self.grid_event,
                                    model: None,
                                },
                            }));
                        }
                    }
                }
            }
        }
        cells
    }
}

impl SiteLoads {
    fn is_empty(&self) -> bool {
        self.heat.is_empty() && self.jobs.is_empty() && self.synthetic.is_empty()
    }

    fn all(&self, data: &Path) -> Vec<Load> {
        let heat = self.heat.iter().map(|file| Load::Heat(data.join(file)));
        let jobs = self.jobs.iter().map(|file| Load::Jobs(data.join(file)));
        let synthetic = self.synthetic.iter().map(|seed| Load::Synthetic(*seed));
        heat.chain(jobs).chain(synthetic).collect()
    }
}

/// Runs cells on every core. `sites` are those of the cells' [`Cell::site`]; `progress` hears how many cells are done.
pub fn run_cells(sites: &[Site], cells: &[Cell], mut progress: impl FnMut(usize)) -> Result<Vec<Trial>, MatrixError> {
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(cells.len());
    let mut done: Vec<Option<Trial>> = vec![None; cells.len()];
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some((place, cell, site)) = take(next, cells, sites) {
                    let trial = run(site, &cell.options, |_, _| {}).map_err(|source| MatrixError::Cell {
                        cell: cell.options.load.name() + ", " + &cell.options.start,
                        source,
                    });
                    let failed = trial.is_err();
                    if sender.send((place, trial)).is_err() || failed {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (count, (place, trial)) in receiver.iter().enumerate() {
            if let Some(slot) = done.get_mut(place) {
                *slot = Some(trial?);
            }
            progress(count + 1);
        }
        Ok::<(), MatrixError>(())
    })?;
    Ok(done.into_iter().flatten().collect())
}

/// The next cell that nobody has taken.
fn take<'a>(next: &AtomicUsize, cells: &'a [Cell], sites: &'a [Site]) -> Option<(usize, &'a Cell, &'a Site)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    let cell = cells.get(place)?;
    Some((place, cell, sites.get(cell.site)?))
}

/// The means over trials, by plant and strategy.
pub fn summarise(cells: Vec<Trial>) -> MatrixResult {
    let mut summary: Vec<Summary> = Vec::new();
    for trial in &cells {
        for run in &trial.runs {
            let known = summary
                .iter()
                .any(|line| line.plant == trial.plant && line.strategy == run.strategy);
            if !known {
                summary.push(line(&cells, &trial.plant, run.strategy));
            }
        }
    }
    MatrixResult { summary, cells }
}

fn line(cells: &[Trial], plant: &str, strategy: &str) -> Summary {
    let of = |trial: &Trial, name: &str| trial.runs.iter().find(|run| run.strategy == name).cloned();
    let trials: Vec<&Trial> = cells.iter().filter(|trial| trial.plant == plant).collect();
    let runs: Vec<Run> = trials.iter().filter_map(|trial| of(trial, strategy)).collect();
    let mean = |value: fn(&Run) -> Option<f64>| {
        let values: Vec<f64> = runs.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let further = trials.iter().filter(|trial| {
        let kept = of(trial, "trim_respond").map_or(0.0, |run| run.limit_k_min);
        of(trial, strategy).is_some_and(|run| run.limit_k_min > kept + super::score::KEPT_K_MIN)
    });
    Summary {
        plant: plant.to_owned(),
        strategy: strategy.to_owned(),
        cells: runs.len(),
        cooling_kwh: runs.iter().map(|run| run.cooling_kwh).sum(),
        saving_vs_fixed: mean(|run| run.saving_vs_fixed),
        saving_vs_trim_respond: mean(|run| run.saving_vs_trim_respond),
        share_of_bound: mean(|run| run.share_of_bound),
        energy_share_of_bound: mean(|run| run.energy_share_of_bound),
        worst_limit_k_min: runs.iter().map(|run| run.limit_k_min).fold(0.0, f64::max),
        beyond_trim_respond: further.count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        days = 0.02
        starts = ["01-15", "07-15"]
        weathers = ["chicago.csv"]
        strategies = ["trim_respond", "predictive"]
        [[site]]
        file = "demo"
        synthetic = [1, 2]
    "#;

    #[test]
    fn every_combination_is_a_cell() {
        let cells = Matrix::parse(SMALL).unwrap().cells(Path::new("traces"));
        assert_eq!(cells.len(), 4);
        assert!(
            matches!(&cells[0].options.weather, WeatherSource::File(file) if file == Path::new("traces/chicago.csv"))
        );
    }

    #[test]
    fn mistakes_say_where_and_what_to_write() {
        let message = |text: &str| Matrix::parse(text).unwrap_err().to_string();
        assert!(message(&SMALL.replace("days", "day")).contains("unknown field `day`"));
        assert!(message(&SMALL.replace("\"predictive\"", "\"greedy\"")).contains("write fixed, trim_respond"));
        assert!(message(&SMALL.replace("[1, 2]", "[]")).contains("at least one entry in `heat, jobs or synthetic"));
        assert!(message(&SMALL.replace("[\"chicago.csv\"]", "[]")).contains("`weathers`"));
        let wild = format!("{SMALL}[[plant]]\nname = \"wild\"\nparameters_off = 2");
        assert!(message(&wild).contains("plant `wild`"));
    }

    #[test]
    fn cells_come_back_in_order_and_agree_with_single_trials() {
        let site = crate::site::load_embedded("demo").unwrap().unwrap();
        let mut cells = Matrix::parse(SMALL).unwrap().cells(Path::new(""));
        for cell in &mut cells {
            cell.options.weather = WeatherSource::BuiltIn;
        }
        let mut heard = 0;
        let trials = run_cells(std::slice::from_ref(&site), &cells, |done| heard = done).unwrap();
        assert_eq!((trials.len(), heard), (4, 4));
        let alone = run(&site, &cells[2].options, |_, _| {}).unwrap();
        assert_eq!(alone.runs[1].fingerprint, trials[2].runs[1].fingerprint);
        let found = summarise(trials);
        assert_eq!(found.summary.len(), 2);
        assert_eq!(found.summary[1].cells, 4);
        let mean = found
            .cells
            .iter()
            .map(|trial| trial.runs[1].saving_vs_trim_respond.unwrap())
            .sum::<f64>()
            / 4.0;
        assert!((found.summary[1].saving_vs_trim_respond.unwrap() - mean).abs() < 1e-12);
    }

    #[test]
    fn a_file_that_is_not_there_names_its_cell() {
        let site = crate::site::load_embedded("demo").unwrap().unwrap();
        let cells = Matrix::parse(SMALL).unwrap().cells(Path::new("nowhere"));
        let error = run_cells(std::slice::from_ref(&site), &cells, |_| {}).unwrap_err();
        assert!(error.to_string().contains("synthetic 1, 01-15"), "{error}");
    }
}
