//! The one step that the service, the trial and the replay all call.

use super::record::Commanded;
use super::{CycleRecord, Mind};
use crate::forecast::JobModel;
use crate::safety::{Command, Commands};
use crate::site::{PointId, Site, StrategyKind};
use crate::snapshot::{Author, Duty, Event, JobQueue, Now, Request, RequestKind, Severity, Snapshot};
use crate::{advice, alarms, control, forecast, ledger, safety, shadow};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What stays the same from cycle to cycle.
#[derive(Debug, Clone)]
pub struct Core {
    /// The facility.
    pub site: Arc<Site>,
    /// The trained model.
    pub model: Arc<JobModel>,
    /// Whether records carry the fingerprint of the memory (its cost grows with the memory).
    pub fingerprints: bool,
    /// What its records are named by.
    pub basis: Basis,
}

/// What a record was made with, each named by a SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Basis {
    /// The whole configuration.
    pub site: String,
    /// The limits alone.
    pub limits: String,
    /// The model.
    pub model: String,
}

impl Core {
    /// A core with its basis.
    pub fn new(site: Arc<Site>, model: Arc<JobModel>, fingerprints: bool) -> Self {
        let basis = Basis {
            site: site.hash.clone(),
            limits: site.limits_hash.clone(),
            model: model.hash().unwrap_or_default(),
        };
        Self {
            site,
            model,
            fingerprints,
            basis,
        }
    }

    /// Goes on with another model.
    pub fn adopt(&mut self, model: Arc<JobModel>) {
        self.basis.model = model.hash().unwrap_or_default();
        self.model = model;
    }
}

/// What a cycle looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// Readings.
    pub snapshot: Snapshot,
    /// Jobs.
    pub queue: JobQueue,
    /// Requests from people and programs.
    pub requests: Vec<Request>,
    /// A strategy that the supervisor imposes for this cycle, after a plan that took too long.
    pub imposed: Option<StrategyKind>,
    /// Whether it is our turn to write.
    pub duty: Duty,
    /// What the edges have to tell: a feed that was lost, a model that was changed.
    pub notices: Vec<Event>,
}

/// What a cycle answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// To be written.
    pub commands: Commands,
    /// To be kept.
    pub record: CycleRecord,
}

/// How far ahead the uncertainty gate looks, s.
const AHEAD_S: f64 = 300.0;

/// One control cycle: assess, forecast, plan, judge, account. Never fails: every failure is a value that still
/// yields safe commands.
pub fn step(core: &Core, mind: &mut Mind, inputs: Inputs, now: Now) -> Outcome {
    let site = &*core.site;
    let mind_before = if core.fingerprints { mind.fingerprint() } else { 0 };
    mind.cycle += 1;
    let mut events = inputs.notices.clone();
    events.extend(adopt_strategy(mind, &inputs.requests));

    events.extend(control::hear(
        site,
        &inputs.snapshot,
        &inputs.requests,
        &mut mind.control,
        now,
    ));

    mind.safety.take_duty(inputs.duty);
    let mut facts = safety::assess(site, &inputs.snapshot, &mut mind.safety, now);
    let heat = forecast::forecast(
        site,
        &core.model,
        &inputs.snapshot,
        &inputs.queue,
        &mut mind.forecast,
        now,
    );
    facts.expect_heat(heat.cdus.iter().map(|band| band.peak_upper_kw(AHEAD_S)));
    events.extend(mind.forecast.take_events());
    let strategy = inputs.imposed.unwrap_or(mind.strategy);
    let plan = control::plan(site, strategy, &inputs.snapshot, &heat, &mut mind.control, now);
    events.extend(control::news(&mut mind.control));
    let (commands, report) = safety::judge(
        site,
        &facts,
        &plan,
        &inputs.requests,
        &inputs.snapshot,
        &mut mind.safety,
        now,
    );
    let shadow = shadow::watch(site, &inputs.snapshot, &heat, &mut mind.shadow, now);
    let (account, page) = ledger::close(site, &inputs.snapshot, &inputs.queue, shadow, &mut mind.ledger, now);

    events.extend(report.events.iter().cloned());
    let held = held(site, &commands);
    let looked_at = advice::Cycle {
        site,
        snapshot: &inputs.snapshot,
        heat: &heat,
        plan: &plan,
        held: &held,
        control: &mind.control,
        now,
    };
    events.extend(advice::consider(&looked_at, &inputs.requests, &mut mind.advice));
    let told = alarms::attend(&events, &inputs.requests, &mut mind.alarms, now);
    events.extend(told);
    let commanded = commands.iter().map(|command| Commanded {
        point: command.point(),
        value: command.value(),
        author: command.author().clone(),
    });
    let record = CycleRecord {
        cycle: mind.cycle,
        basis: core.basis.clone(),
        now,
        mind_before,
        mind_after: if core.fingerprints { mind.fingerprint() } else { 0 },
        heat,
        plan,
        safety: report,
        commands: commanded.collect(),
        account,
        page,
        events,
        inputs,
    };
    Outcome { commands, record }
}

/// The setpoints that the strategy does not decide: held by a person, or not commanded at all.
fn held(site: &Site, commands: &Commands) -> Vec<PointId> {
    let mut decided: Vec<PointId> = commands
        .iter()
        .filter(|command| !matches!(command.author(), Author::Operator(_)))
        .map(Command::point)
        .collect();
    decided.sort_unstable();
    let writable = site.points.iter().enumerate().filter(|(_, spec)| spec.write.is_some());
    let points = writable.map(|(index, _)| PointId(index));
    points.filter(|point| decided.binary_search(point).is_err()).collect()
}

/// A change of strategy asked for by a person takes effect in the cycle that sees it.
fn adopt_strategy(mind: &mut Mind, requests: &[Request]) -> Vec<Event> {
    let mut events = Vec::new();
    for request in requests {
        let RequestKind::SetStrategy { strategy } = request.kind else {
            continue;
        };
        mind.strategy = strategy;
        let who = match &request.author {
            Author::Operator(name) | Author::Bus(name) => name.as_str(),
            Author::Strategy(_) | Author::Safety | Author::Release => "the controller",
        };
        events.push(Event {
            severity: Severity::Info,
            code: "strategy_changed".into(),
            subject: "control".into(),
            text: format!("{who} set the strategy to {}", strategy.name()),
        });
    }
    events
}
