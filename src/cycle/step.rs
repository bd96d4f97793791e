//! The one step that the service, the trial and the replay all call.

use super::record::Commanded;
use super::{CycleRecord, Mind};
use crate::forecast::JobModel;
use crate::safety::Commands;
use crate::site::{Site, StrategyKind};
use crate::snapshot::{Author, Event, JobQueue, Now, Request, RequestKind, Severity, Snapshot};
use crate::{control, forecast, ledger, safety};
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
}

/// What a cycle answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// To be written.
    pub commands: Commands,
    /// To be kept.
    pub record: CycleRecord,
}

/// One control cycle: assess, forecast, plan, judge, account. Never fails: every failure is a value that still
/// yields safe commands.
pub fn step(core: &Core, mind: &mut Mind, inputs: Inputs, now: Now) -> Outcome {
    let site = &*core.site;
    let mind_before = if core.fingerprints { mind.fingerprint() } else { 0 };
    mind.cycle += 1;
    let mut events = adopt_strategy(mind, &inputs.requests);

    let facts = safety::assess(site, &inputs.snapshot, &mut mind.safety, now);
    let heat = forecast::forecast(
        site,
        &core.model,
        &inputs.snapshot,
        &inputs.queue,
        &mut mind.forecast,
        now,
    );
    events.extend(mind.forecast.take_events());
    let strategy = inputs.imposed.unwrap_or(mind.strategy);
    let plan = control::plan(site, strategy, &inputs.snapshot, &heat, &mut mind.control, now);
    let (commands, report) = safety::judge(
        site,
        &facts,
        &plan,
        &inputs.requests,
        &inputs.snapshot,
        &mut mind.safety,
        now,
    );
    let account = ledger::close(site, &inputs.snapshot, &mut mind.ledger, now);

    events.extend(report.events.iter().cloned());
    let commanded = commands.iter().map(|command| Commanded {
        point: command.point(),
        value: command.value(),
        author: command.author().clone(),
    });
    let record = CycleRecord {
        cycle: mind.cycle,
        now,
        mind_before,
        mind_after: if core.fingerprints { mind.fingerprint() } else { 0 },
        heat,
        plan,
        safety: report,
        commands: commanded.collect(),
        account,
        events,
        inputs,
    };
    Outcome { commands, record }
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
            Author::Operator(name) => name.as_str(),
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
