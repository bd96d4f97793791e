//! Runs strategies one after the other through the core, each on its own copy of the same world.

use super::jobs::Queue;
use super::plant::COMMS_TIMEOUT_S;
use super::score::{Run, Trial};
use super::signals::Signals;
use super::watch::Watch;
use super::world::{Load, WeatherSource, WorldError, build_world, start_s};
use crate::cycle::{Core, Inputs, Mind, step};
use crate::forecast::JobModel;
use crate::ledger::Totals as Books;
use crate::site::{Authority, Site, StrategyKind};
use crate::snapshot::Now;
use simulators::plant::Totals;
use simulators::world::World;
use std::sync::Arc;
use std::time::Instant;

/// Time before the score begins: the plant warms up and the controller passes its boot, s.
const WARM_UP_S: f64 = 3600.0;

/// The plant's own substep and that of the watch, s.
const WATCH_S: f64 = 5.0;

/// Midnight of 1 January 2025 UTC, ms: virtual time lies in a common year.
const YEAR_MS: i64 = 1_735_689_600_000;

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
    /// Strategies.
    pub strategies: Vec<StrategyKind>,
    /// A trained model in place of the embedded one.
    pub model: Option<JobModel>,
}

/// Runs every strategy and compares them. `progress` hears the strategy and the share of all work done.
pub fn run(site: &Site, options: &Options, mut progress: impl FnMut(StrategyKind, f64)) -> Result<Trial, WorldError> {
    let mut site = site.clone();
    for zone in &mut site.zones {
        // A trial asks what a strategy can do; bounded authority is for the first weeks on a live plant.
        zone.authority = Authority::Full;
    }
    let world = build_world(
        &site,
        &options.weather,
        &options.load,
        start_s(&options.start)?,
        options.days,
        options.seed,
        COMMS_TIMEOUT_S.max(4.0 * site.control.cycle_s),
    )?;
    let site = Arc::new(site);
    let model = Arc::new(options.model.clone().unwrap_or_else(JobModel::embedded));
    let mut trial = Trial {
        site: site.name.clone(),
        days: options.days,
        seed: options.seed,
        start: options.start.clone(),
        weather: match &options.weather {
            WeatherSource::BuiltIn => "built-in".to_owned(),
            WeatherSource::File(file) => file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        },
        load: match &options.load {
            Load::Synthetic(seed) => format!("synthetic {seed}"),
            Load::Jobs(file) | Load::Heat(file) => file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        },
        runs: Vec::new(),
    };
    for (done, strategy) in options.strategies.iter().enumerate() {
        let core = Core {
            site: Arc::clone(&site),
            model: Arc::clone(&model),
            fingerprints: false,
        };
        let share = |part: f64| done as f64 + part;
        let run = run_one(&core, *strategy, world.clone(), options.days, |part| {
            progress(*strategy, share(part));
        });
        trial.runs.push(run);
    }
    trial.compare();
    Ok(trial)
}

fn run_one(core: &Core, strategy: StrategyKind, mut world: World, days: f64, mut progress: impl FnMut(f64)) -> Run {
    let site = &*core.site;
    let signals = Signals::bind(site, world.plant());
    for tag in signals.missing(site) {
        tracing::warn!(tag, "the simulated plant has no such signal: the point never reports");
    }
    let mut mind = Mind::new(strategy);
    let mut queue = Queue::default();
    let mut clock = VirtualClock::new(site, &world);
    let cycle_s = site.control.cycle_s;
    let began = Instant::now();

    let mut warm_up = Money::default();
    let mut turn = |world: &mut World, watch: Option<&mut Watch>, money: &mut Money| {
        let now = clock.now(world);
        let snapshot = signals.snapshot(site, world.plant_mut(), now);
        let queue = queue.read(world.scheduler(), clock.epoch_ms, now);
        let inputs = Inputs {
            snapshot,
            queue,
            requests: Vec::new(),
            imposed: None,
        };
        let outcome = step(core, &mut mind, inputs, now);
        signals.apply(world.plant_mut(), &outcome.commands);
        let before = world.plant().totals();
        pass(world, watch, cycle_s);
        money.add(site, now, &before, &world.plant().totals());
        outcome.record.account.total
    };
    let mut books_before = Books::default();
    for _ in 0..cycles(WARM_UP_S, cycle_s) {
        books_before = turn(&mut world, None, &mut warm_up);
    }
    let truth_before = world.plant().totals();
    let mut watch = Watch::new(site, world.plant());
    let mut money = Money::default();
    let mut books = books_before.clone();
    let count = cycles(days * 86_400.0, cycle_s);
    for cycle in 0..count {
        books = turn(&mut world, Some(&mut watch), &mut money);
        if cycle % 256 == 0 {
            progress(cycle as f64 / count as f64);
        }
    }
    let simulated_s = WARM_UP_S + days * 86_400.0;
    let speedup = simulated_s / began.elapsed().as_secs_f64().max(1e-9);
    let truth = world.plant().totals();
    score(
        strategy,
        speedup,
        mind.fingerprint(),
        &truth_before,
        &truth,
        (&books_before, &books),
        &watch,
        &money,
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive count"
)]
fn cycles(span_s: f64, cycle_s: f64) -> u64 {
    (span_s / cycle_s).round().max(1.0) as u64
}

/// Lets one cycle pass, watched at every substep of the plant.
fn pass(world: &mut World, mut watch: Option<&mut Watch>, cycle_s: f64) {
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

/// Virtual time: the site's local standard time of a common year.
struct VirtualClock {
    epoch_ms: i64,
    offset_s: i32,
}

impl VirtualClock {
    fn new(site: &Site, world: &World) -> Self {
        let winter = jiff::Timestamp::from_millisecond(YEAR_MS).unwrap_or_default();
        let offset_s = jiff::tz::TimeZone::get(&site.time_zone).map_or(0, |zone| zone.to_offset(winter).seconds());
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a year")]
        let start_ms = (world.year_s() * 1000.0) as i64;
        Self {
            epoch_ms: YEAR_MS + start_ms - i64::from(offset_s) * 1000,
            offset_s,
        }
    }

    fn now(&mut self, world: &World) -> Now {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive milliseconds of a trial"
        )]
        let mono_ms = (world.elapsed_s() * 1000.0).round() as u64;
        Now {
            mono_ms,
            wall_ms: self.epoch_ms.saturating_add_unsigned(mono_ms),
            utc_offset_s: self.offset_s,
        }
    }
}

/// What the true flows of a cycle cost.
#[derive(Debug, Default)]
struct Money {
    cooling_cost: f64,
    co2e_kg: f64,
}

impl Money {
    fn add(&mut self, site: &Site, now: Now, before: &Totals, after: &Totals) {
        let hour = now.local_hour();
        let prices = &site.prices;
        let water_l = after.makeup_l + after.spray_l - before.makeup_l - before.spray_l;
        self.cooling_cost += (after.cooling_kwh - before.cooling_kwh) * prices.energy_at(hour)
            + water_l / 1000.0 * prices.water_per_m3
            + (after.blowdown_l - before.blowdown_l) / 1000.0 * prices.sewer_per_m3
            - (after.reused_kwh - before.reused_kwh) * prices.heat_per_kwh;
        self.co2e_kg += (after.site_kwh() - before.site_kwh()) * prices.carbon_g_per_kwh_at(hour) / 1000.0;
    }
}

#[expect(clippy::too_many_arguments, reason = "each is one source of the score, used once")]
fn score(
    strategy: StrategyKind,
    speedup: f64,
    fingerprint: u64,
    before: &Totals,
    after: &Totals,
    books: (&Books, &Books),
    watch: &Watch,
    money: &Money,
) -> Run {
    let it_kwh = after.it_kwh - before.it_kwh;
    let cooling_kwh = after.cooling_kwh - before.cooling_kwh;
    let site_kwh = after.site_kwh() - before.site_kwh();
    let water_l = after.makeup_l + after.spray_l - before.makeup_l - before.spray_l;
    let reused_kwh = after.reused_kwh - before.reused_kwh;
    let equipment = after.equipment_kwh.iter().zip(&before.equipment_kwh);
    let by_limit = watch.by_limit();
    let (books_before, books_after) = books;
    let error = |true_value: f64, booked: f64| {
        if true_value > 1.0 {
            ((booked - true_value) / true_value).abs()
        } else {
            0.0
        }
    };
    let books_error = [
        error(it_kwh, books_after.it_kwh - books_before.it_kwh),
        error(cooling_kwh, books_after.cooling_kwh - books_before.cooling_kwh),
        error(water_l, books_after.makeup_l - books_before.makeup_l),
        error(reused_kwh, books_after.reused_kwh - books_before.reused_kwh),
    ];
    Run {
        strategy: strategy.name(),
        speedup,
        fingerprint: format!("{fingerprint:016x}"),
        it_kwh,
        cooling_kwh,
        cooling_kwh_by_equipment: equipment
            .map(|((name, kwh), (_, was))| (name.clone(), kwh - was))
            .collect(),
        pue: site_kwh / it_kwh,
        wue_l_per_kwh: water_l / it_kwh,
        erf: reused_kwh / site_kwh,
        cue_kg_per_kwh: money.co2e_kg / it_kwh,
        water_l,
        reused_kwh,
        cost: money.cooling_cost,
        co2e_kg: money.co2e_kg,
        limit_k_min: by_limit.values().sum(),
        limit_k_min_by_limit: by_limit,
        worst_margin_k: watch.worst_margin_k(),
        travel: watch.travel(),
        books_error: books_error.into_iter().fold(0.0, f64::max),
        saving_vs_fixed: None,
        saving_vs_trim_respond: None,
        cost_saving_vs_fixed: None,
        cost_saving_vs_trim_respond: None,
    }
}
