//! The demo hall on paper: every reading is what the test says it is, every device takes what is written.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use isotherm::safety::{self, AskKind, Commands, Level, SafetyReport, State};
use isotherm::site::{Authority, PointId, Site, StrategyKind, load_embedded};
use isotherm::snapshot::{
    Author, Event, Now, Plan, PlanReport, PlanStatus, Quality, Reading, Request, RequestKind, Setpoint, Snapshot,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a healthy hall at half load says, by quantity; by tag where one differs.
const HEALTHY: &[(&str, f64)] = &[
    ("secondary_supply_temperature", 30.0),
    ("secondary_return_temperature", 37.5),
    ("secondary_flow", 420.0),
    ("secondary_differential_pressure", 67.1),
    ("primary_supply_temperature", 24.0),
    ("primary_return_temperature", 31.0),
    ("primary_flow", 450.0),
    ("pump_speed", 0.6),
    ("pumps_running", 2.0),
    ("comms_timeout", 60.0),
    ("liquid_supply_temperature", 30.0),
    ("liquid_return_temperature", 37.5),
    ("liquid_flow", 105.0),
    ("chip_margin", 30.0),
    ("supply_temperature", 24.0),
    ("return_temperature", 31.0),
    ("flow", 1800.0),
    ("differential_pressure", 120.0),
    ("leaving_temperature", 22.0),
    ("fan_speed", 0.5),
    ("running", 1.0),
    ("room_temperature", 24.0),
    ("room_relative_humidity", 0.4),
    ("supply_air_temperature", 20.0),
    ("return_air_temperature", 27.0),
    ("dry_bulb", 18.0),
    ("relative_humidity", 0.6),
    ("pressure", 100.0),
];

/// Power of a rack that fits the temperatures above, kW.
pub(super) const RACK_KW: f64 = 60.0;

#[derive(Clone)]
pub(super) struct Bench {
    pub(super) site: Site,
    pub(super) state: State,
    now: Now,
    values: BTreeMap<PointId, f64>,
    lost: BTreeMap<PointId, Option<Reading>>,
    bad: BTreeSet<PointId>,
    deaf: BTreeSet<PointId>,
    frozen: BTreeSet<PointId>,
    /// Readings that a test has set: they no longer follow the rest of the hall.
    pinned: BTreeSet<PointId>,
    plan: BTreeMap<PointId, f64>,
    upper_kw: Option<Vec<f64>>,
    requests: Vec<Request>,
    pub(super) commands: BTreeMap<PointId, (f64, Author)>,
    pub(super) report: SafetyReport,
    events: Vec<Event>,
}

impl Bench {
    /// The demo hall before its first cycle.
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The demo hall, changed.
    pub(super) fn with(change: impl FnOnce(&mut Site)) -> Self {
        let mut site = load_embedded("demo").unwrap().unwrap();
        change(&mut site);
        Self::of(site)
    }

    /// A hall of this site.
    pub(super) fn of(site: Site) -> Self {
        let mut values = BTreeMap::new();
        for (index, spec) in site.points.iter().enumerate() {
            let healthy = HEALTHY.iter().find(|(quantity, _)| *quantity == spec.quantity);
            let value = match spec.write {
                Some(write) => write.release,
                None if spec.quantity == "power" && spec.tag.starts_with('r') => RACK_KW,
                None => healthy.map_or(0.0, |(_, value)| *value),
            };
            values.insert(PointId(index), value);
        }
        let now = Now {
            mono_ms: 1_000_000,
            wall_ms: 1_750_000_000_000,
            utc_offset_s: 7200,
        };
        Self {
            site,
            state: State::default(),
            now,
            values,
            lost: BTreeMap::new(),
            bad: BTreeSet::new(),
            deaf: BTreeSet::new(),
            frozen: BTreeSet::new(),
            pinned: BTreeSet::new(),
            plan: BTreeMap::new(),
            upper_kw: None,
            requests: Vec::new(),
            commands: BTreeMap::new(),
            report: SafetyReport::default(),
            events: Vec::new(),
        }
    }

    pub(super) fn id(&self, tag: &str) -> PointId {
        self.site.point(tag).unwrap_or_else(|| panic!("no point {tag}"))
    }

    pub(super) fn cycle_s(&self) -> f64 {
        self.site.control.cycle_s
    }

    /// A reading, from the next cycle on.
    pub(super) fn set(mut self, tag: &str, value: f64) -> Self {
        let id = self.id(tag);
        self.values.insert(id, value);
        self.pinned.insert(id);
        self.lost.remove(&id);
        self.bad.remove(&id);
        self
    }

    /// A reading that follows the rest of the hall again, from the next cycle on.
    pub(super) fn unset(mut self, tag: &str) -> Self {
        let id = self.id(tag);
        self.pinned.remove(&id);
        self
    }

    /// No new sample of a point any more; `forget` also its last one, as after a restart of the gateway.
    pub(super) fn lose(mut self, tag: &str) -> Self {
        let id = self.id(tag);
        let last = Reading {
            value: self.hall()[&id],
            quality: Quality::Good,
            mono_ms: self.now.mono_ms,
        };
        self.lost.insert(id, Some(last));
        self
    }

    /// A point that reports nothing, not even an old value.
    pub(super) fn silence(mut self, tag: &str) -> Self {
        let id = self.id(tag);
        self.lost.insert(id, None);
        self
    }

    /// A point whose device flags its value.
    pub(super) fn doubt(mut self, tag: &str) -> Self {
        let id = self.id(tag);
        self.bad.insert(id);
        self
    }

    /// A point that takes no writes.
    pub(super) fn refuse(mut self, tag: &str) -> Self {
        let id = self.id(tag);
        self.deaf.insert(id);
        self
    }

    /// A sensor that repeats its value to the last bit; all others tremble by less than any rule here can feel.
    pub(super) fn freeze(mut self, tag: &str) -> Self {
        let id = self.id(tag);
        let value = self.hall()[&id];
        self.values.insert(id, value);
        self.pinned.insert(id);
        self.frozen.insert(id);
        self
    }

    fn tremble(&self, id: PointId) -> f64 {
        let spec = &self.site.points[id.0];
        let odd = self.now.mono_ms / 5000 % 2 == 1;
        if !odd || spec.write.is_some() || self.frozen.contains(&id) {
            0.0
        } else if spec.quantity.ends_with("temperature") {
            1e-4
        } else if spec.quantity == "chip_margin" {
            -1e-4
        } else {
            0.0
        }
    }

    /// The plan from the next cycle on.
    pub(super) fn plan(mut self, tag: &str, value: f64) -> Self {
        let id = self.id(tag);
        self.plan.insert(id, value);
        self
    }

    /// The upper bound of every CDU's heat, kW, from the next cycle on.
    pub(super) fn foresee(mut self, upper_kw: f64) -> Self {
        self.upper_kw = Some(vec![upper_kw; self.site.cdus.len()]);
        self
    }

    /// What is asked of others, as (kind, of whom).
    pub(super) fn asks(&self) -> Vec<(AskKind, &str)> {
        self.report.asks.iter().map(|ask| (ask.kind, ask.of.as_str())).collect()
    }

    /// A request of an operator in the next cycle.
    pub(super) fn ask(self, kind: RequestKind) -> Self {
        self.ask_as(Author::Operator("engineer".into()), kind)
    }

    pub(super) fn ask_as(mut self, author: Author, kind: RequestKind) -> Self {
        let why = String::new();
        self.requests.push(Request { author, kind, why });
        self
    }

    pub(super) fn override_for(self, tag: &str, value: f64, for_s: f64) -> Self {
        let point = self.id(tag);
        self.ask(RequestKind::Override { point, value, for_s })
    }

    pub(super) fn authority(self, authority: Authority) -> Self {
        self.ask(RequestKind::SetAuthority {
            zone: isotherm::site::ZoneId(0),
            authority,
        })
    }

    /// The readings of a hall whose equipment does what it is told: pressures and supplies are at their setpoints, flows
    /// and returns are what follows from them. What a test has set stays.
    fn hall(&self) -> BTreeMap<PointId, f64> {
        let mut values = self.values.clone();
        let get = |values: &BTreeMap<PointId, f64>, tag: &str| values[&self.id(tag)];
        let follow = |values: &mut BTreeMap<PointId, f64>, tag: &str, value: f64| {
            let id = self.id(tag);
            if !self.pinned.contains(&id) {
                values.insert(id, value);
            }
        };
        for unit in &self.site.loops {
            let kpa = get(&values, &format!("{}.differential_pressure_setpoint", unit.name));
            follow(&mut values, &format!("{}.differential_pressure", unit.name), kpa);
        }
        for cdu in &self.site.cdus {
            let tag = |quantity: &str| format!("{}.{quantity}", cdu.name);
            let kpa = get(&values, &tag("secondary_differential_pressure_setpoint"));
            let lpm = 420.0 * (kpa / 67.1).sqrt();
            follow(&mut values, &tag("secondary_differential_pressure"), kpa);
            follow(&mut values, &tag("secondary_flow"), lpm);
            let setpoint_c = get(&values, &tag("secondary_supply_temperature_setpoint"));
            follow(&mut values, &tag("secondary_supply_temperature"), setpoint_c);
            let supply_c = get(&values, &tag("secondary_supply_temperature"));
            let racks: Vec<&str> = cdu
                .racks
                .iter()
                .map(|rack| self.site.racks[rack.0].name.as_str())
                .collect();
            let kw: f64 = racks.iter().map(|rack| get(&values, &format!("{rack}.power"))).sum();
            let return_c = supply_c + 7.5 * kw / (4.0 * RACK_KW) * 420.0 / lpm;
            follow(&mut values, &tag("secondary_return_temperature"), return_c);
            let water = self.site.loops[cdu.facility_loop.0].name.as_str();
            let water_c = get(&values, &format!("{water}.supply_temperature"));
            follow(&mut values, &tag("primary_supply_temperature"), water_c);
            for rack in racks {
                follow(&mut values, &format!("{rack}.liquid_supply_temperature"), supply_c);
                follow(&mut values, &format!("{rack}.liquid_return_temperature"), return_c);
                follow(&mut values, &format!("{rack}.liquid_flow"), lpm / 4.0);
            }
        }
        values
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::empty(self.site.points.len(), self.now);
        for (id, value) in &self.hall() {
            let fresh = Reading {
                value: value + self.tremble(*id),
                quality: Quality::Good,
                mono_ms: self.now.mono_ms,
            };
            let mut reading = match self.lost.get(id) {
                Some(last) => *last,
                None => Some(fresh),
            };
            if let Some(reading) = &mut reading {
                let timeout_s = self.site.points[id.0].timeout_s;
                if self.now.seconds_since(reading.mono_ms) > timeout_s {
                    reading.quality = Quality::Stale;
                }
                if self.bad.contains(id) {
                    reading.quality = Quality::Bad;
                }
            }
            snapshot.readings[id.0] = reading;
        }
        snapshot
    }

    /// One cycle; the devices then hold what was commanded.
    pub(super) fn cycle(mut self) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds of a test"
        )]
        let step_ms = (self.cycle_s() * 1000.0) as u64;
        self.now.mono_ms += step_ms;
        self.now.wall_ms = self.now.wall_ms.saturating_add_unsigned(step_ms);
        let snapshot = self.snapshot();
        let plan = Plan {
            strategy: StrategyKind::TrimRespond,
            status: PlanStatus::Complete,
            setpoints: self
                .plan
                .iter()
                .map(|(point, value)| Setpoint {
                    point: *point,
                    value: *value,
                })
                .collect(),
            report: PlanReport::default(),
        };
        let mut facts = safety::assess(&self.site, &snapshot, &mut self.state, self.now);
        if let Some(upper_kw) = &self.upper_kw {
            facts.expect_heat(upper_kw.iter().copied());
        }
        let requests = std::mem::take(&mut self.requests);
        let (commands, report) = safety::judge(
            &self.site,
            &facts,
            &plan,
            &requests,
            &snapshot,
            &mut self.state,
            self.now,
        );
        self.take(&commands);
        self.events.extend(report.events.iter().cloned());
        self.report = report;
        self
    }

    fn take(&mut self, commands: &Commands) {
        self.commands.clear();
        for command in commands.iter() {
            self.commands
                .insert(command.point(), (command.value(), command.author().clone()));
            if !self.deaf.contains(&command.point()) {
                self.pinned.remove(&command.point());
                self.values.insert(command.point(), command.value());
            }
        }
    }

    /// Cycles until so many seconds have passed.
    pub(super) fn run(mut self, seconds: f64) -> Self {
        let mut passed = 0.0;
        while passed < seconds - 1e-9 {
            self = self.cycle();
            passed += self.cycle_s();
        }
        self
    }

    /// Gives every point back, as on shutdown.
    pub(super) fn release(mut self) -> Self {
        let commands = safety::release(&self.site, &mut self.state, self.now);
        self.take(&commands);
        self
    }

    /// What was commanded in the last cycle.
    pub(super) fn commanded(&self, tag: &str) -> Option<f64> {
        self.commands.get(&self.id(tag)).map(|(value, _)| *value)
    }

    pub(super) fn author(&self, tag: &str) -> Option<&Author> {
        self.commands.get(&self.id(tag)).map(|(_, author)| author)
    }

    #[track_caller]
    pub(super) fn expect(self, tag: &str, value: f64) -> Self {
        let found = self.commanded(tag);
        assert!(
            found.is_some_and(|found| (found - value).abs() < 1e-3),
            "{tag}: {found:?}, expected {value}"
        );
        self
    }

    #[track_caller]
    pub(super) fn expect_unwritten(self, tag: &str) -> Self {
        assert_eq!(self.commanded(tag), None, "{tag}");
        self
    }

    #[track_caller]
    pub(super) fn expect_level(self, level: Level) -> Self {
        assert_eq!(self.report.zones[0].level, level, "{:?}", self.report.zones[0].causes);
        self
    }

    #[track_caller]
    pub(super) fn expect_authority(self, authority: Authority) -> Self {
        assert_eq!(
            self.report.zones[0].authority, authority,
            "{:?}",
            self.report.zones[0].causes
        );
        self
    }

    /// How often an event was told since the last call; forgets all.
    #[track_caller]
    pub(super) fn expect_events(mut self, code: &str, times: usize) -> Self {
        let found = self.events.iter().filter(|event| event.code == code).count();
        assert_eq!(found, times, "{code} in {:#?}", self.events);
        self.events.clear();
        self
    }

    #[track_caller]
    pub(super) fn expect_event_about(self, code: &str, subject: &str) -> Self {
        let found = self
            .events
            .iter()
            .any(|event| event.code == code && event.subject == subject);
        assert!(found, "{code} about {subject} in {:#?}", self.events);
        self
    }

    /// Events so far are of no interest.
    pub(super) fn hush(mut self) -> Self {
        self.events.clear();
        self
    }

    /// A hall in steady operation: booted, taken over from local control, following a plan of its own values.
    pub(super) fn steady() -> Self {
        Self::new()
            .plan("cdu1.secondary_supply_temperature_setpoint", 25.0)
            .plan("cdu1.secondary_differential_pressure_setpoint", 100.0)
            .run(60.0)
            .run(240.0)
            .hush()
    }
}

pub(super) const SUPPLY: &str = "cdu1.secondary_supply_temperature_setpoint";
pub(super) const PRESSURE: &str = "cdu1.secondary_differential_pressure_setpoint";
pub(super) const OTHER_PRESSURE: &str = "cdu2.secondary_differential_pressure_setpoint";
pub(super) const LOOP_PRESSURE: &str = "loop1.differential_pressure_setpoint";
