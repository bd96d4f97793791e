//! The tick: take a snapshot, step, hand out the commands, keep the record, show the view.

use super::clock::Clock;
use super::keeper::{Checkpoint, Entry, Keeper};
use super::learning::Learning;
use super::pairing::Pairing;
use super::show::{Around, show};
use super::watch::Watch;
use crate::api::Board;
use crate::cycle::{self, Core, CycleRecord, Inputs, Mind};
use crate::field::Field;
use crate::jobs::Sight;
use crate::safety::{self, Commands};
use crate::site::{Site, StrategyKind};
use crate::snapshot::{Duty, Event, Now, Request};
use crate::store::Forwarder;
use crate::workload::Feed;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Plant time between two checkpoints of the memory, s.
const CHECKPOINT_S: f64 = 60.0;

/// Cycles on trim and respond after a plan that took longer than half the period.
const IMPOSED_CYCLES: u32 = 20;

/// How the last cycles went, for the page and the metrics.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// Real time of the last step.
    pub step: Duration,
    /// Cycles that started more than half a period late.
    pub late: u64,
    /// Steps that took longer than half a period.
    pub overruns: u64,
}

/// What the loop owns.
pub(super) struct ControlLoop {
    pub core: Core,
    pub mind: Mind,
    pub clock: Clock,
    pub field: Field,
    pub feed: Feed,
    pub learning: Learning,
    /// What the first cycle has to record.
    pub notices: Vec<Event>,
    /// The other controller of a pair, where there is one.
    pub pairing: Option<Pairing>,
    pub keeper: Keeper,
    pub forwarder: Option<Forwarder>,
    pub board: Board,
    pub requests: mpsc::Receiver<Request>,
    pub stop: watch::Receiver<bool>,
}

impl ControlLoop {
    /// Runs until told to stop, or until a step panics; then gives every point back, whatever happened.
    pub(super) async fn run(mut self) -> Ended {
        let period = self.clock.real(self.core.site.control.cycle_s);
        self.first_readings(period).await;
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let (mut pace, mut watch) = (Pace::default(), Watch::default());
        let mut imposed_left = 0_u32;
        let mut checkpointed_ms = None;
        let mut due = Instant::now();

        let ended = loop {
            tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => break Ended::Asked,
                // Whoever takes over begins at once.
                () = turns(self.pairing.as_mut()) => ticks.reset(),
                _ = ticks.tick() => {}
            }
            let began = Instant::now();
            if began.saturating_duration_since(due) > period / 2 {
                pace.late += 1;
            }
            due = began + period;

            let now = self.clock.now();
            if checkpointed_ms.is_none_or(|at| now.seconds_since(at) >= CHECKPOINT_S) {
                let checkpoint = Checkpoint {
                    now,
                    mind: self.mind.clone(),
                    adopted: false,
                };
                self.keeper.keep(Entry::Checkpoint(Box::new(checkpoint)), None);
                checkpointed_ms = Some(now.mono_ms);
            }
            self.adopt(now);
            let inputs = self.inputs(now, imposed_left > 0);
            imposed_left = imposed_left.saturating_sub(1);

            let (core, mind) = (&self.core, &mut self.mind);
            let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| cycle::step(core, mind, inputs, now))) else {
                break Ended::Panicked;
            };
            pace.step = began.elapsed();
            if pace.step > period / 2 {
                pace.overruns += 1;
                imposed_left = IMPOSED_CYCLES;
                tracing::warn!(
                    step_ms = pace.step.as_millis(),
                    "the step took over half the period: trim and respond takes over for {IMPOSED_CYCLES} cycles"
                );
            }

            self.field.apply(&outcome.commands);
            if let Some(pairing) = &mut self.pairing {
                pairing.share(&self.core, &self.mind, now, false);
            }
            for event in &outcome.record.events {
                log(event);
            }
            self.learning.see(sight(&self.core.site, &outcome.record));
            let around = Around {
                mind: &self.mind,
                pace: &pace,
                field: &self.field,
                feed: self.feed.status(),
                keeper: &self.keeper,
                forwarder: self.forwarder.as_ref(),
                pairing: self.pairing.as_ref(),
                watch: &mut watch,
            };
            let figures = show(&mut self.board, &outcome.record, around);
            self.keeper.keep(Entry::Cycle(Box::new(outcome.record)), Some(figures));
            notify(&[sd_notify::NotifyState::Watchdog]);
            if self.mind.cycle == 1 {
                notify(&[sd_notify::NotifyState::Ready]);
            }
        };
        Box::pin(self.release(&ended)).await;
        ended
    }

    /// Waits until every required point has reported, at most one period: a first cycle on an empty snapshot would only
    /// say that nothing is known yet.
    async fn first_readings(&self, period: Duration) {
        const LOOK: Duration = Duration::from_millis(20);
        let site = &self.core.site;
        let reported = || {
            let readings = self.field.take_snapshot(self.clock.now()).readings;
            site.points
                .iter()
                .zip(&readings)
                .all(|(point, reading)| !point.required || reading.is_some())
        };
        let looks = async {
            while !reported() {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(period, looks).await.is_err() {
            tracing::info!("not every required point has reported within a cycle: control begins all the same");
        }
    }

    /// Goes on from the other controller's memory, where it shared one; the record has it as a checkpoint.
    fn adopt(&mut self, now: Now) {
        let Some(pairing) = &mut self.pairing else { return };
        if let Some(checkpoint) = pairing.adopt(&self.core, now) {
            tracing::info!(
                cycle = checkpoint.mind.cycle,
                "the other controller's memory is taken up"
            );
            self.mind.clone_from(&checkpoint.mind);
            self.keeper.keep(Entry::Checkpoint(Box::new(checkpoint)), None);
        }
    }

    fn inputs(&mut self, now: Now, imposed: bool) -> Inputs {
        let mut requests = self.field.take_requests();
        while let Ok(request) = self.requests.try_recv() {
            requests.push(request);
        }
        let mut notices = std::mem::take(&mut self.notices);
        let mut duty = Duty::Alone;
        if let Some(pairing) = &mut self.pairing {
            let (turn, events) = pairing.look();
            duty = turn;
            notices.extend(events);
        }
        notices.extend(self.feed.take_notices());
        for swap in self.learning.take_swaps() {
            // The model changes between two cycles; the record of each names the one that it used.
            if let Some(model) = swap.model {
                self.core.adopt(model);
            }
            notices.push(swap.event);
        }
        Inputs {
            snapshot: self.field.take_snapshot(now),
            queue: self.feed.queue(),
            duty,
            notices,
            requests,
            imposed: (imposed && self.mind.strategy == StrategyKind::Predictive).then_some(StrategyKind::TrimRespond),
        }
    }

    /// Shutdown and panic take the same path to the plant as found, unless another controller goes on from here.
    async fn release(mut self, ended: &Ended) {
        notify(&[sd_notify::NotifyState::Stopping]);
        let now = self.clock.now();
        if self.pairing.as_ref().is_some_and(Pairing::can_hand_over) {
            tracing::info!(?ended, "every point is left as it is to the other controller");
        } else {
            let commands: Commands = safety::release(&self.core.site, &mut self.mind.safety, now);
            tracing::info!(
                points = commands.len(),
                ?ended,
                "every point is given back to the plant as found"
            );
            self.field.apply(&commands);
        }
        self.field.shutdown().await;
        if let Some(mut pairing) = self.pairing {
            if *ended == Ended::Asked {
                pairing.share(&self.core, &self.mind, now, true);
            }
            pairing.resign().await;
        }
        self.learning.finish();
        if let Some(forwarder) = self.forwarder {
            forwarder.stop().await;
        }
        let checkpoint = Checkpoint {
            now,
            mind: self.mind,
            adopted: false,
        };
        self.keeper.keep(Entry::Checkpoint(Box::new(checkpoint)), None);
        self.keeper.finish();
    }
}

/// Waits for a change of turns; forever for a controller alone.
async fn turns(pairing: Option<&mut Pairing>) {
    match pairing {
        Some(pairing) => pairing.turns().await,
        None => std::future::pending().await,
    }
}

/// What a cycle shows of jobs. A queue that the forecast no longer believes says nothing of starts and ends.
fn sight(site: &Site, record: &CycleRecord) -> Sight {
    let (queue, now) = (&record.inputs.queue, record.now);
    let fresh = queue
        .mono_ms
        .is_some_and(|read| now.seconds_since(read) <= site.forecast.queue_timeout_s);
    let snapshot = &record.inputs.snapshot;
    let power = |rack: &crate::site::Rack| snapshot.get(rack.points.power).map(|power| power.get().max(0.0));
    Sight {
        now,
        queue: fresh.then(|| queue.jobs.clone()),
        rack_kw: site.racks.iter().map(power).collect(),
        total: record.account.total.clone(),
    }
}

/// Why the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Somebody asked.
    Asked,
    /// A step panicked: a bug. The points were released.
    Panicked,
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}

pub(super) fn log(event: &Event) {
    use crate::snapshot::Severity;
    let (code, subject, text) = (&event.code, &event.subject, &event.text);
    match event.severity {
        Severity::Info => tracing::info!(code, subject, "{text}"),
        Severity::Warning => tracing::warn!(code, subject, "{text}"),
        Severity::Alarm => tracing::error!(code, subject, "{text}"),
    }
}
