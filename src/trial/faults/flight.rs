//! One world flown with the controller, or under the plant's local control alone.

use crate::cycle::{Core, Mind, step};
use crate::safety::{Ask, AskKind, Level};
use crate::site::{Authority, Site};
use crate::snapshot::Severity;
use crate::trial::clock::VirtualClock;
use crate::trial::plant::{COMMS_TIMEOUT_S, plant_spec};
use crate::trial::run::{Bench, pass};
use crate::trial::signals::{Ears, Signals};
use crate::trial::watch::{Mark, Watch};
use crate::trial::world::{Load, WeatherSource, WorldError, build_world};
use simulators::faults::Schedule;
use simulators::world::World;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Cycles until the scheduler follows what it is asked for.
const FOLLOWED_CYCLES: usize = 2;

/// What was seen in one cycle.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Time at its end, s of the world.
    pub at_s: f64,
    /// Degree-minutes beyond the critical limits that it added, K min.
    pub beyond_k_min: f64,
    /// Smallest true chip margin, K.
    pub margin_k: f64,
    /// The worst level of all zones.
    pub level: Level,
    /// Warnings and alarms that began, by code and subject.
    pub told: Vec<(String, String)>,
}

/// A world with or without a controller; a clone flies on by itself.
#[derive(Clone)]
pub(super) struct Flight<'a> {
    bench: &'a Bench<'a>,
    pub(super) world: World,
    pilot: Option<(Mind, Ears)>,
    /// Caps on the racks' power on their way to the scheduler, kW; none where nobody follows them.
    asked: Option<VecDeque<Vec<f64>>>,
}

/// The core of a fault trial: the site as it is, but with full authority, since a trial asks what control can do.
pub(super) fn core(site: &Site) -> Core {
    let mut site = site.clone();
    for zone in &mut site.zones {
        zone.authority = Authority::Full;
    }
    Core::new(Arc::new(site), Arc::new(crate::forecast::JobModel::embedded()), false)
}

/// The world of a seed, `year_s` after the start of the year.
pub(super) fn world(site: &Site, seed: u64, year_s: f64, days: f64) -> Result<World, WorldError> {
    let spec = plant_spec(site, COMMS_TIMEOUT_S.max(4.0 * site.control.cycle_s));
    let (weather, load) = (WeatherSource::BuiltIn, Load::Synthetic(seed));
    build_world(site, &spec, &weather, &load, year_s, days, seed)
}

/// The bench of a world.
pub(super) fn bench<'a>(core: &'a Core, world: &World) -> Bench<'a> {
    Bench {
        core,
        signals: Signals::bind(&core.site, world.plant()),
        clock: VirtualClock::new(&core.site, world),
    }
}

impl<'a> Flight<'a> {
    pub(super) fn new(bench: &'a Bench<'a>, world: World, controlled: bool) -> Self {
        let mind = || Mind::new(bench.core.site.control.strategy);
        Self {
            bench,
            world,
            pilot: controlled.then(|| (mind(), Ears::default())),
            asked: Some(VecDeque::new()),
        }
    }

    /// Nobody follows what the controller asks of others.
    pub(super) fn alone(mut self, alone: bool) -> Self {
        self.asked = (!alone).then(VecDeque::new);
        self
    }

    pub(super) fn with_faults(mut self, faults: Schedule) -> Self {
        self.world.set_faults(faults);
        self
    }

    /// One cycle.
    pub(super) fn fly(&mut self, watch: &mut Watch) -> Seen {
        let site = &*self.bench.core.site;
        let (mut level, mut told) = (Level::Normal, Vec::new());
        if let Some((mind, ears)) = &mut self.pilot {
            let now = self.bench.clock.now(&self.world);
            let inputs = self.bench.inputs(&self.world, ears, now);
            let outcome = step(self.bench.core, mind, inputs, now);
            self.bench.signals.apply(self.world.plant_mut(), &outcome.commands);
            level = outcome
                .record
                .safety
                .zones
                .iter()
                .map(|zone| zone.level)
                .max()
                .unwrap_or_default();
            if let Some(asked) = &mut self.asked {
                asked.push_back(caps_kw(site, &outcome.record.safety.asks));
                if asked.len() > FOLLOWED_CYCLES
                    && let Some(caps_kw) = asked.pop_front()
                {
                    self.world.plant_mut().cap_racks(&caps_kw);
                }
            }
            let events = outcome.record.events.into_iter();
            let matters = events.filter(|event| event.severity >= Severity::Warning && event.code != "level_changed");
            told = matters.map(|event| (event.code, event.subject)).collect();
        }
        let before = watch.total();
        pass(&mut self.world, Some(watch), site.control.cycle_s);
        Seen {
            at_s: self.world.elapsed_s(),
            beyond_k_min: watch.total() - before,
            margin_k: watch.margin_k(self.world.plant()),
            level,
            told,
        }
    }

    /// Cycles until the world's time is `until_s`.
    pub(super) fn until(&mut self, until_s: f64) -> Vec<Seen> {
        self.watched(until_s).0
    }

    /// The same, with the degree-minutes beyond each limit, K min.
    pub(super) fn watched(&mut self, until_s: f64) -> (Vec<Seen>, BTreeMap<String, f64>) {
        let mut watch = Watch::new(&self.bench.core.site, self.world.plant(), Mark::Critical);
        let mut seen = Vec::new();
        while self.world.elapsed_s() < until_s - 1e-6 {
            seen.push(self.fly(&mut watch));
        }
        (seen, watch.by_limit())
    }
}

/// What the asks let each rack draw, kW. Electrical isolation is a person's or the building's act and takes longer than
/// these flights; the scheduler caps such a rack at once.
fn caps_kw(site: &Site, asks: &[Ask]) -> Vec<f64> {
    let cap = |rack: &crate::site::Rack| {
        let own = asks.iter().filter(|ask| ask.of == rack.name);
        let caps = own.filter_map(|ask| match ask.kind {
            AskKind::PowerCap => ask.kw,
            AskKind::ElectricalIsolation => Some(0.0),
            AskKind::LiquidIsolation | AskKind::NoNewJobs => None,
        });
        caps.fold(f64::INFINITY, f64::min)
    };
    site.racks.iter().map(cap).collect()
}

/// The first moment at which one flight tells something that the other has not told until then, s of the world; and
/// whether it was ever at a higher level at the same time.
pub(super) fn difference(faulty: &[Seen], healthy: &[Seen], cycle_s: f64) -> (Option<f64>, Level) {
    let mut known = BTreeSet::new();
    let (mut first, mut worst) = (None, Level::Normal);
    for (ill, well) in faulty.iter().zip(healthy) {
        known.extend(well.told.iter().cloned());
        let news = ill.told.iter().any(|told| !known.contains(told));
        let higher = ill.level > well.level;
        if first.is_none() && (news || higher) {
            first = Some(ill.at_s - cycle_s);
        }
        if higher {
            worst = worst.max(ill.level);
        }
    }
    (first, worst)
}
