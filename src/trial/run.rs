//! Runs strategies one after the other through the core, each on its own copy of the same world.

use super::clock::VirtualClock;
use super::contender::Contender;
use super::disturbance::Disturbance;
use super::grid_event::{Grid, GridEvent};
use super::money::Money;
use super::oracle::Oracle;
use super::plant::{COMMS_TIMEOUT_S, plant_spec};
use super::score::{Run, Scored, Trial};
use super::signals::{Ears, Signals};
use super::watch::{Mark, Watch};
use super::world::{Load, WeatherSource, WorldError, build_world, start_s};
use crate::cycle::{Core, Inputs, Mind, step};
use crate::forecast::JobModel;
use crate::ledger::{Page, Totals as Books};
use crate::site::{Authority, Site};
use crate::snapshot::{Author, Duty, Now, PlanReport, Request, RequestKind};
use simulators::world::World;
use std::sync::Arc;
use std::time::Instant;

/// Time before the score begins: the plant warms up and the controller passes its boot, s.
const WARM_UP_S: f64 = 3600.0;

/// Hours of a run of which the model's error is kept.
const ERROR_HOURS: usize = 7;

/// The plant's own substep and that of the watch, s.
const WATCH_S: f64 = 5.0;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Weather.
    pub weather: WeatherSource,
    /// Load.
    pub load: Load,
    /// Length that is scored, days.
    pub days: f64,
    /// First day, `MM-DD`.
    pub start: String,
    /// Seed of the plant.
    pub seed: u64,
    /// Who runs.
    pub strategies: Vec<Contender>,
    /// How the plant differs from its drawings beyond what is usual.
    pub disturbance: Disturbance,
    /// Whether `predictive` begins with step tests.
    pub commission: bool,
    /// A grid's cut of the power of cooling.
    pub grid_event: Option<GridEvent>,
    /// A trained model in place of the embedded one.
    pub model: Option<JobModel>,
}

/// Runs every strategy and compares them. `progress` hears the strategy and the share of all work done.
pub fn run(site: &Site, options: &Options, progress: impl FnMut(Contender, f64)) -> Result<Trial, WorldError> {
    run_recorded(site, options, progress, &mut |_, _| {})
}

/// [`run`], with the pages of the books handed to `keep`, from the first moment on, each with the plant's true cooling energy
/// until the cycle that closed it, kWh.
pub fn run_recorded(
    site: &Site,
    options: &Options,
    mut progress: impl FnMut(Contender, f64),
    keep: &mut dyn FnMut(Page, f64),
) -> Result<Trial, WorldError> {
    let mut site = site.clone();
    for zone in &mut site.zones {
        // A trial asks what a strategy can do; bounded authority is for the first weeks on a live plant.
        zone.authority = Authority::Full;
    }
    let mut spec = plant_spec(&site, COMMS_TIMEOUT_S.max(4.0 * site.control.cycle_s));
    options.disturbance.apply(&mut spec, options.seed);
    let world = build_world(
        &site,
        &spec,
        &options.weather,
        &options.load,
        start_s(&options.start)?,
        options.days,
        options.seed,
    )?;
    let site = Arc::new(site);
    let model = Arc::new(options.model.clone().unwrap_or_else(JobModel::embedded));
    let mut trial = Trial {
        site: site.name.clone(),
        days: options.days,
        seed: options.seed,
        start: options.start.clone(),
        weather: options.weather.name(),
        load: options.load.name(),
        plant: options.disturbance.name.clone(),
        runs: Vec::new(),
        bound: None,
    };
    for (done, strategy) in options.strategies.iter().enumerate() {
        let core = Core::new(Arc::clone(&site), Arc::clone(&model), false);
        let share = |part: f64| done as f64 + part;
        let report = |part| progress(*strategy, share(part));
        let run = run_one(&core, *strategy, world.clone(), options, report, keep);
        trial.runs.push(run);
    }
    trial.compare();
    Ok(trial)
}

/// The bench that a contender runs on: the site's points bound to the plant, and its clock.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    pub(super) core: &'a Core,
    pub(super) signals: Signals,
    pub(super) clock: VirtualClock,
}

/// Who sits at the bench.
enum Pilot<'a> {
    Service(Box<Mind>, Ears),
    Oracle(Box<Oracle<'a>>),
}

impl Pilot<'_> {
    /// One cycle's commands, written to the plant; answers the books.
    fn turn(
        &mut self,
        bench: &Bench<'_>,
        world: &mut World,
        now: Now,
        requests: Vec<Request>,
        keep: &mut dyn FnMut(Page, f64),
    ) -> (Books, Option<PlanReport>) {
        match self {
            Self::Service(mind, ears) => {
                let mut inputs = bench.inputs(world, ears, now);
                inputs.requests.extend(requests);
                let outcome = step(bench.core, mind, inputs, now);
                bench.signals.apply(world.plant_mut(), &outcome.commands);
                if let Some(page) = outcome.record.page {
                    keep(*page, world.plant().totals().cooling_kwh);
                }
                (outcome.record.account.total, Some(outcome.record.plan.report))
            }
            Self::Oracle(oracle) => (oracle.turn(world, now), None),
        }
    }

    fn fingerprint(&self) -> u64 {
        match self {
            Self::Service(mind, _) => mind.fingerprint(),
            Self::Oracle(oracle) => oracle.fingerprint(),
        }
    }
}

impl Bench<'_> {
    /// What the controller may know now.
    pub(super) fn inputs(&self, world: &World, ears: &mut Ears, now: Now) -> Inputs {
        Inputs {
            snapshot: self.signals.hear(&self.core.site, world.plant(), ears, now),
            queue: ears.queue.read(world, self.clock.epoch_ms, now),
            requests: Vec::new(),
            imposed: None,
            duty: Duty::Alone,
            notices: Vec::new(),
        }
    }
}

fn run_one(
    core: &Core,
    contender: Contender,
    mut world: World,
    options: &Options,
    mut progress: impl FnMut(f64),
    keep: &mut dyn FnMut(Page, f64),
) -> Run {
    let days = options.days;
    let site = &*core.site;
    let bench = Bench {
        core,
        signals: Signals::bind(site, world.plant()),
        clock: VirtualClock::new(site, &world),
    };
    for tag in bench.signals.missing(site) {
        tracing::warn!(tag, "the simulated plant has no such signal: the point never reports");
    }
    let mut pilot = match contender {
        Contender::Strategy(kind) => Pilot::Service(Box::new(Mind::new(kind)), Ears::default()),
        Contender::Oracle => Pilot::Oracle(Box::new(Oracle::new(&bench))),
    };
    let cycle_s = site.control.cycle_s;
    let began = Instant::now();

    let mut books_before = Books::default();
    let mut errors = Vec::new();
    for _ in 0..cycles(WARM_UP_S, cycle_s) {
        let now = bench.clock.now(&world);
        let requests = if options.commission && errors.is_empty() {
            vec![Request {
                author: Author::Operator("trial".to_owned()),
                kind: RequestKind::Commission { begin: true },
                why: String::new(),
            }]
        } else {
            Vec::new()
        };
        let (totals, report) = pilot.turn(&bench, &mut world, now, requests, keep);
        books_before = totals;
        note_error(&mut errors, world.elapsed_s(), report.as_ref());
        pass(&mut world, None, cycle_s);
    }
    let truth_before = world.plant().totals();
    let mut watch = Watch::new(site, world.plant(), Mark::Critical);
    let mut money = Money::default();
    let mut books = books_before.clone();
    let count = cycles(days * 86_400.0, cycle_s);
    let mut grid = options.grid_event.map(Grid::new);
    let mut before = truth_before.clone();
    for cycle in 0..count {
        let now = bench.clock.now(&world);
        let elapsed_s = cycle as f64 * cycle_s;
        let requests = grid.as_mut().map_or_else(Vec::new, |grid| grid.requests(elapsed_s));
        let (totals, report) = pilot.turn(&bench, &mut world, now, requests, keep);
        books = totals;
        note_error(&mut errors, world.elapsed_s(), report.as_ref());
        pass(&mut world, Some(&mut watch), cycle_s);
        let after = world.plant().totals();
        money.add(site, now, &before, &after);
        if let Some(grid) = &mut grid {
            grid.observe(elapsed_s, report.as_ref(), after.cooling_kwh - before.cooling_kwh);
        }
        before = after;
        if cycle % 256 == 0 {
            progress(cycle as f64 / count as f64);
        }
    }
    if let Pilot::Service(mind, _) = &pilot
        && let Some(page) = mind.ledger.open_page(site)
    {
        keep(page, before.cooling_kwh);
    }
    let simulated_s = WARM_UP_S + days * 86_400.0;
    Scored {
        contender: contender.name(),
        speedup: simulated_s / began.elapsed().as_secs_f64().max(1e-9),
        fingerprint: pilot.fingerprint(),
        truth: (&truth_before, &before),
        books: (&books_before, &books),
        site,
        watch: &watch,
        money: &money,
        model_errors: errors.iter().map(|(_, error)| *error).collect(),
        grid: grid.and_then(|grid| grid.score(cycle_s)),
    }
    .run()
}

/// Notes the model's error, once an hour of the first [`ERROR_HOURS`].
fn note_error(errors: &mut Vec<(f64, f64)>, elapsed_s: f64, report: Option<&PlanReport>) {
    let due = errors.last().map_or(0.0, |(at, _)| at + 3600.0);
    if let Some(error) = report.and_then(|report| report.model_error)
        && elapsed_s + 1e-6 >= due
        && errors.len() < ERROR_HOURS
    {
        errors.push((due.max(elapsed_s), error));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive count"
)]
pub(super) fn cycles(span_s: f64, cycle_s: f64) -> u64 {
    (span_s / cycle_s).round().max(1.0) as u64
}

/// Lets one cycle pass, watched at every substep of the plant.
pub(super) fn pass(world: &mut World, mut watch: Option<&mut Watch>, cycle_s: f64) {
    let steps = (cycle_s / WATCH_S).ceil().max(1.0);
    let dt_s = cycle_s / steps;
    let mut passed = 0.0;
    while passed < cycle_s - 1e-9 {
        world.advance(dt_s);
        if let Some(watch) = &mut watch {
            watch.observe(world.plant(), dt_s);
        }
        passed += dt_s;
    }
}
