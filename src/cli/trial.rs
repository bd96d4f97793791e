//! `isotherm trial`: strategies against a simulated plant in virtual time.

use super::{Failure, load_site, matrix, savings, tradeoff, tune};
use crate::ledger::Page;
use crate::store::{Books, StoreError};
use crate::trial::{self, Axis, Contender, Disturbance, GridEvent, Load, Options, Trial, WeatherSource};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Arguments of `isotherm trial`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(super) struct Args {
    /// Site file (TOML), or the name of an embedded site: `demo`, `frontier`, `chilled_water`.
    #[arg(long, default_value = "demo")]
    site: PathBuf,
    /// Weather: a CSV of hourly rows (columns `dry_bulb_c`, `rh_pct`, `pressure_pa`) or an EPW file; without
    /// it the built-in generator.
    #[arg(long)]
    weather: Option<PathBuf>,
    /// Jobs from a trace (CSV).
    #[arg(long, conflicts_with_all = ["heat", "synthetic"])]
    jobs: Option<PathBuf>,
    /// Measured heat per CDU (CSV: `time_s`, then one column a CDU in W); no queue is known.
    #[arg(long, conflicts_with = "synthetic")]
    heat: Option<PathBuf>,
    /// Jobs of the built-in generator, with this seed.
    #[arg(long)]
    synthetic: Option<u64>,
    /// Length in days.
    #[arg(long, default_value_t = 1.0)]
    days: f64,
    /// First day of the year, MM-DD.
    #[arg(long, default_value = "07-01")]
    start: String,
    /// Seed of the plant: as-built deviations and sensor noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Strategies, separated by commas: `fixed`, `trim_respond`, `predictive`, and `oracle`, the bound.
    #[arg(long, value_delimiter = ',', default_value = "fixed,trim_respond,predictive")]
    strategies: Vec<Contender>,
    /// A grid event: the power of cooling is to fall by a share from an hour of the trial on, announced some minutes ahead,
    /// such as `cut=0.15,at_h=15,for_min=30,notice_min=15`.
    #[arg(long, value_name = "EVENT", conflicts_with = "matrix")]
    grid_event: Option<GridEvent>,
    /// Begin with step tests from which the model learns the plant.
    #[arg(long, conflicts_with = "matrix")]
    commission: bool,
    /// How far every parameter of the plant is off its drawings at most, as a share up to 0.5.
    #[arg(long, default_value_t = 0.0, conflicts_with = "matrix")]
    parameters_off: f64,
    /// Every sensor reads wrong by the limit of its class.
    #[arg(long, conflicts_with = "matrix")]
    sensors_at_limit: bool,
    /// The first so many CDUs have fouled exchangers.
    #[arg(long, default_value_t = 0, conflicts_with = "matrix")]
    fouled_cdus: usize,
    /// The last so many CDUs have clogged strainers.
    #[arg(long, default_value_t = 0, conflicts_with = "matrix")]
    clogged_cdus: usize,
    /// The first so many tower cells are out of service.
    #[arg(long, default_value_t = 0, conflicts_with = "matrix")]
    lost_cells: usize,
    /// Run every cell of a matrix (TOML, see `config/matrix/`) over the cores, instead of one trial.
    #[arg(long, conflicts_with_all = ["weather", "jobs", "heat", "synthetic"])]
    matrix: Option<PathBuf>,
    /// Folder from which a matrix's traces and weathers are looked for.
    #[arg(long, default_value = ".", requires = "matrix")]
    data: PathBuf,
    /// Search the parameters of a strategy on the matrix's cells as training, and print them for the site's file.
    #[arg(long, requires = "matrix", value_name = "STRATEGY", value_parser = ["trim_respond"])]
    tune: Option<String>,
    /// How many parameter sets a search tries.
    #[arg(long, default_value_t = 60, requires = "tune")]
    evaluations: usize,
    /// Run `predictive` under other prices of water and carbon, and mark the front of these, separated by commas: `energy`,
    /// `water`, `carbon`, `cost`.
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["matrix", "json", "strategies"])]
    tradeoff: Vec<Axis>,
    /// Plot the first two of `--tradeoff` into this file.
    #[arg(long, requires = "tradeoff")]
    svg: Option<PathBuf>,
    /// Run `fixed`, `trim_respond` and `predictive` and hold the savings that the books of the last state, week by week, against
    /// what the plants really saved.
    #[arg(long, conflicts_with_all = ["matrix", "tradeoff", "record"])]
    savings: bool,
    /// Write the books of the (one) strategy into this new directory, for `isotherm report --store`.
    #[arg(long, conflicts_with_all = ["matrix", "tradeoff"], value_name = "DIR")]
    record: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(file) = &args.matrix {
        if args.tune.is_some() {
            return tune::run(file, &args.data, args.evaluations, args.seed);
        }
        return matrix::run(file, &args.data, args.json);
    }
    let site = load_site(&args.site)?;
    let options = Options {
        weather: args.weather.clone().map_or(WeatherSource::BuiltIn, WeatherSource::File),
        load: match (&args.jobs, &args.heat) {
            (Some(file), _) => Load::Jobs(file.clone()),
            (None, Some(file)) => Load::Heat(file.clone()),
            (None, None) => Load::Synthetic(args.synthetic.unwrap_or(args.seed)),
        },
        days: args.days,
        start: args.start.clone(),
        seed: args.seed,
        strategies: args.strategies.clone(),
        disturbance: Disturbance {
            name: String::new(),
            parameters_off: args.parameters_off.clamp(0.0, 0.5),
            sensors_at_limit: args.sensors_at_limit,
            fouled_cdus: args.fouled_cdus,
            clogged_cdus: args.clogged_cdus,
            lost_cells: args.lost_cells,
        },
        commission: args.commission,
        grid_event: args.grid_event,
        model: None,
    };
    if !args.tradeoff.is_empty() {
        return tradeoff::run(&site, &options, &args.tradeoff, args.svg.as_deref());
    }
    if args.savings {
        return savings::run(&site, &options, args.json);
    }
    let mut recorder = args
        .record
        .as_deref()
        .map(|dir| Recorder::new(dir, &options))
        .transpose()?;
    let bar = progress(&options);
    let mut keep = |page: Page, _: f64| {
        if let Some(recorder) = &mut recorder {
            recorder.keep(&page);
        }
    };
    let told = |run: Contender, share: f64| {
        bar.set_message(run.name());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 1000")]
        bar.set_position((share * 1000.0) as u64);
    };
    let result = trial::run_recorded(&site, &options, told, &mut keep);
    bar.finish_and_clear();
    let result = result.map_err(|error| Failure::of("run the trial", &error))?;
    if args.json {
        let text = serde_json::to_string_pretty(&result).map_err(|error| Failure::of("write JSON", &error))?;
        println!("{text}");
    } else {
        print(&result, &site.currency);
    }
    recorder.map_or(Ok(()), |recorder| recorder.finish(&result))
}

/// Keeps the books of a trial.
struct Recorder {
    books: Books,
    failed: Option<StoreError>,
}

impl Recorder {
    fn new(dir: &Path, options: &Options) -> Result<Self, Failure> {
        if options.strategies.len() != 1 {
            return Err(Failure::Run(
                "--record keeps the books of one strategy: add --strategies trim_respond, or another one".to_owned(),
            ));
        }
        let books = Books::open(dir).map_err(|error| Failure::of("open the books", &error))?;
        if !books.is_empty() {
            return Err(Failure::Run(format!(
                "{} has books already: name a new directory",
                dir.display()
            )));
        }
        Ok(Self { books, failed: None })
    }

    fn keep(&mut self, page: &Page) {
        if self.failed.is_none() {
            self.failed = self.books.append(page.from_ms, page).err();
        }
    }

    /// Says how near the books are to what the plant really used and moved.
    fn finish(self, trial: &Trial) -> Result<(), Failure> {
        if let Some(error) = self.failed {
            return Err(Failure::of("keep the books", &error));
        }
        eprintln!(
            "{:<14}{:>18}{:>18}{:>12}{:>10}",
            "books", "plant's truth", "books", "error", "class"
        );
        for truth in trial.runs.iter().flat_map(|run| &run.truth) {
            let within = if truth.error().abs() <= truth.class {
                "within class"
            } else {
                "BEYOND CLASS"
            };
            eprintln!(
                "{:<14}{:>18.1}{:>18.1}{:>10.3} %{:>8.1} %  {within}",
                truth.name,
                truth.plant,
                truth.books,
                100.0 * truth.error(),
                100.0 * truth.class
            );
        }
        Ok(())
    }
}

/// A bar where a person watches, nothing where not.
fn progress(options: &Options) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg:13} {wide_bar} {percent:>3} % {eta:>4}");
    ProgressBar::new(1000 * options.strategies.len() as u64).with_style(style.unwrap_or(ProgressStyle::default_bar()))
}

/// A line of the table: its name and its cell.
type Row = (&'static str, fn(&trial::Run) -> String);

/// The same of a grid event.
type GridRow = (&'static str, fn(&trial::GridScore) -> f64);

fn print(trial: &Trial, currency: &str) {
    println!(
        "{}: {} days from {}, weather {}, load {}, plant seed {}",
        trial.site, trial.days, trial.start, trial.weather, trial.load, trial.seed
    );
    let rows: [Row; 20] = [
        ("IT kWh", |r| format!("{:.0}", r.it_kwh)),
        ("cooling kWh", |r| format!("{:.1}", r.cooling_kwh)),
        ("PUE", |r| format!("{:.4}", r.pue)),
        ("WUE L/kWh", |r| format!("{:.3}", r.wue_l_per_kwh)),
        ("ERF", |r| format!("{:.3}", r.erf)),
        ("CUE kg/kWh", |r| format!("{:.4}", r.cue_kg_per_kwh)),
        ("water L", |r| format!("{:.0}", r.water_l)),
        ("reused kWh", |r| format!("{:.0}", r.reused_kwh)),
        ("CO2e kg", |r| format!("{:.0}", r.co2e_kg)),
        ("beyond limits K min", |r| format!("{:.2}", r.limit_k_min)),
        ("worst chip margin K", |r| format!("{:.2}", r.worst_margin_k)),
        ("actuator travel", |r| format!("{:.0}", r.travel)),
        ("chiller starts", |r| format!("{}", r.chiller_starts)),
        ("books' error", |r| percent(Some(r.books_error))),
        ("saves vs fixed", |r| percent(r.saving_vs_fixed)),
        ("saves vs trim_respond", |r| percent(r.saving_vs_trim_respond)),
        ("cost saved vs fixed", |r| percent(r.cost_saving_vs_fixed)),
        ("cost saved vs trim_r.", |r| percent(r.cost_saving_vs_trim_respond)),
        ("share of bound, cost", |r| percent(r.share_of_bound)),
        ("share of bound, energy", |r| percent(r.energy_share_of_bound)),
    ];
    let line = |name: &str, value: &dyn Fn(&trial::Run) -> String| {
        let cells: Vec<String> = trial.runs.iter().map(|run| format!("{:>16}", value(run))).collect();
        println!("{name:<24}{}", cells.join(""));
    };
    line("", &|run| run.strategy.to_owned());
    for (name, value) in &rows {
        line(name, value);
    }
    line(&format!("cooling cost {currency}"), &|run| format!("{:.2}", run.cost));
    let hours = trial.runs.iter().map(|run| run.model_errors.len()).max().unwrap_or(0);
    for hour in 0..hours {
        line(&format!("model error after {hour} h"), &|run| {
            percent(run.model_errors.get(hour).copied())
        });
    }
    if trial.runs.iter().any(|run| run.grid_event.is_some()) {
        let rows: [GridRow; 4] = [
            ("grid event: target kW", |score| score.target_kw),
            ("  mean kW in it", |score| score.mean_kw),
            ("  worst 5 min kW", |score| score.worst_kw),
            ("  mean kW in the hour after", |score| score.after_kw),
        ];
        for (name, value) in rows {
            line(name, &|run| {
                run.grid_event
                    .as_ref()
                    .map_or("-".to_owned(), |score| format!("{:.2}", value(score)))
            });
        }
    }
    if let Some(first) = trial.runs.first() {
        for equipment in first.cooling_kwh_by_equipment.keys() {
            line(&format!("  {equipment} kWh"), &|run| {
                run.cooling_kwh_by_equipment
                    .get(equipment)
                    .map_or("-".to_owned(), |kwh| format!("{kwh:.1}"))
            });
        }
        for limit in first.limit_k_min_by_limit.keys() {
            line(&format!("  {limit}"), &|run| {
                run.limit_k_min_by_limit
                    .get(limit)
                    .map_or("-".to_owned(), |sum| format!("{sum:.2}"))
            });
        }
    }
    line("x real time", &|run| format!("{:.0}", run.speedup));
    line("fingerprint", &|run| run.fingerprint.clone());
}

pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.2} %", share * 100.0))
}
