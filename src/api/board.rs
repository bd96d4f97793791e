//! Where the service hangs out each cycle and the readers look: the latest view and the events.

use super::JobDesk;
use super::actions::{ActionView, KEPT};
use super::metrics::{self, EventCounts, Take};
use super::requests::Answer;
use super::sheet::Sheet;
use super::view::{
    AdviceView, AlarmView, BooksView, CduView, ControlView, DeviceView, EventView, FeedView, ForecastView, ForwardView,
    JobView, JobsView, Mode, PaceView, PairView, RackView, RideView, ScoreView, StoreView, View, ZoneView, rounded,
    rounded_band,
};
use crate::advice;
use crate::alarms::Alarm;
use crate::cycle::CycleRecord;
use crate::ledger;
use crate::site::{EquipmentId, PointId, Site};
use crate::snapshot::{Event, HORIZONS, HORIZONS_S, HeatBand, JobState, Request};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use tokio::sync::{broadcast, watch};

/// Events kept for `/api/v1/events`.
pub const EVENTS: usize = 500;
/// Events in a view.
const EVENTS_IN_VIEW: usize = 40;
/// How far back an event in the same words is found and counted instead of listed again.
const EVENTS_MERGED: usize = 30;
/// Alarms in a view.
const ALARMS_IN_VIEW: usize = 200;
/// Jobs in a view.
const JOBS_IN_VIEW: usize = 200;

/// What the edges know beside the record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Edges {
    /// Real time that the step took, ms.
    pub step_ms: f64,
    /// Cycles that began late.
    pub late: u64,
    /// Steps that took too long.
    pub overruns: u64,
    /// Device links.
    pub devices: Vec<DeviceView>,
    /// The link to the scheduler.
    pub feed: FeedView,
    /// The local record.
    pub store: StoreView,
    /// The forwarding, where there is one.
    pub forward: Option<ForwardView>,
    /// The other controller of a pair, where there is one.
    pub pair: Option<PairView>,
    /// What happened there.
    pub events: Vec<Event>,
    /// The alarms, oldest first.
    pub alarms: Vec<Alarm>,
    /// Advice.
    pub advice: advice::State,
}

/// The figures of one cycle under the names of `/metrics`, for the record.
#[derive(Debug, Clone)]
pub struct Figures {
    site: Arc<Site>,
    view: Arc<View>,
    event_counts: EventCounts,
}

impl Figures {
    /// Hands out each sample: the family's name without `isotherm_`, labels without the site, value. Points are not
    /// among them: their samples come from the snapshot, with times of their own.
    pub fn each(&self, take: Take<'_>) {
        metrics::samples(&self.site, &self.view, &self.event_counts, take);
    }
}

/// What outlives one view.
#[derive(Debug)]
pub(super) struct Memory {
    /// Newest last.
    pub events: VecDeque<EventView>,
    /// Occurrences by severity and code since start.
    pub event_counts: EventCounts,
    /// What people asked and what became of it, newest last.
    pub actions: VecDeque<ActionView>,
    /// Oldest first.
    pub alarms: Vec<AlarmView>,
    /// Events noted since start.
    noted: u64,
}

impl Memory {
    fn act(&mut self, site: &Site, request: &Request, answer: &Answer, wall_ms: i64) {
        let seq = self.actions.back().map_or(1, |last| last.seq + 1);
        self.actions
            .push_back(ActionView::of(site, request, answer, wall_ms, seq));
        if self.actions.len() > KEPT {
            self.actions.pop_front();
        }
    }
}

/// The readers' end.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub view: watch::Receiver<Option<Arc<View>>>,
    pub memory: Arc<Mutex<Memory>>,
    pub answers: broadcast::Sender<Arc<Answer>>,
}

impl Seen {
    /// The memory; a writer that panicked left it whole, since every change to it is one push.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn latest(&self) -> Option<Arc<View>> {
        self.view.borrow().clone()
    }
}

/// The writer's end: turns the record of each cycle into a view.
pub struct Board {
    site: Arc<Site>,
    desk: Arc<dyn JobDesk>,
    mode: Mode,
    speed: f64,
    points: BTreeMap<EquipmentId, Vec<PointId>>,
    view: watch::Sender<Option<Arc<View>>>,
    seen: Seen,
}

impl Board {
    pub(super) fn new(site: Arc<Site>, mode: Mode, speed: f64, desk: Arc<dyn JobDesk>) -> (Self, Seen) {
        let mut points: BTreeMap<EquipmentId, Vec<PointId>> = BTreeMap::new();
        for (index, spec) in site.points.iter().enumerate() {
            points.entry(spec.equipment).or_default().push(PointId(index));
        }
        let memory = Memory {
            events: VecDeque::new(),
            event_counts: BTreeMap::new(),
            actions: VecDeque::new(),
            alarms: Vec::new(),
            noted: 0,
        };
        let (view, seen_view) = watch::channel(None);
        let seen = Seen {
            view: seen_view,
            memory: Arc::new(Mutex::new(memory)),
            answers: broadcast::Sender::new(64),
        };
        (
            Self {
                site,
                desk,
                mode,
                speed,
                points,
                view,
                seen: seen.clone(),
            },
            seen,
        )
    }

    /// Shows a cycle: views, events and answers to the requests that it took; answers the figures of `/metrics`.
    pub fn show(&mut self, record: &CycleRecord, edges: Edges) -> Figures {
        let alarms: Vec<AlarmView> = edges.alarms.iter().map(AlarmView::of).collect();
        let events = {
            let mut memory = self.seen.memory();
            memory.alarms = alarms;
            for event in record.events.iter().chain(&edges.events) {
                memory.note(record.cycle, record.now.wall_ms, event);
            }
            memory.events.iter().rev().take(EVENTS_IN_VIEW).cloned().collect()
        };
        let view = Arc::new(self.view(record, edges, events));
        let event_counts = self.seen.memory().event_counts.clone();
        self.view.send_replace(Some(Arc::clone(&view)));
        for request in &record.inputs.requests {
            // Nobody waits where the request did not come over REST.
            let answer = Arc::new(Answer::of(&self.site, request, record));
            self.seen.memory().act(&self.site, request, &answer, record.now.wall_ms);
            drop(self.seen.answers.send(answer));
        }
        Figures {
            site: Arc::clone(&self.site),
            view,
            event_counts,
        }
    }

    fn view(&self, record: &CycleRecord, edges: Edges, events: Vec<EventView>) -> View {
        let site = &*self.site;
        let sheet = Sheet::new(site, &self.points, record);
        let racks: Vec<RackView> = (site.racks.iter().enumerate())
            .map(|(index, _)| RackView {
                equipment: sheet.equipment(EquipmentId::Rack(crate::site::RackId(index))),
                heat: band(&record.heat.racks, index),
            })
            .collect();
        let rides = advice::ride_through(site, &record.inputs.snapshot, &record.heat);
        let cdus = site.cdus.iter().enumerate().map(|(index, cdu)| {
            let margins = cdu.racks.iter().filter_map(|rack| {
                let rack = &racks.get(rack.0)?.equipment;
                Some((rack.good("chip_margin")?, rack.name.clone()))
            });
            let worst = margins.min_by(|a, b| a.0.total_cmp(&b.0));
            CduView {
                equipment: sheet.equipment(EquipmentId::Cdu(crate::site::CduId(index))),
                heat: band(&record.heat.cdus, index),
                worst_margin_k: worst.as_ref().map(|(margin, _)| *margin),
                worst_rack: worst.map(|(_, rack)| rack),
                ride: rides.get(index).map_or_else(RideView::default, |ride| RideView {
                    flow_s: ride.flow_s.map(rounded),
                    pump_s: ride.pump_s.map(rounded),
                    tower_s: ride.tower_s.map(rounded),
                }),
            }
        });
        let cdus = cdus.collect();
        View {
            site: site.name.clone(),
            cycle: record.cycle,
            wall_ms: record.now.wall_ms,
            mode: self.mode,
            speed: self.speed,
            pace: PaceView {
                period_s: site.control.cycle_s,
                step_ms: rounded(edges.step_ms),
                late: edges.late,
                overruns: edges.overruns,
            },
            control: control(record),
            zones: zones(site, record),
            loops: sheet.all(site.loops.len(), |index| EquipmentId::Loop(crate::site::LoopId(index))),
            rejection: sheet.all(site.rejection.len(), |index| {
                EquipmentId::Rejection(crate::site::RejectionId(index))
            }),
            reuse: sheet.all(site.reuse.len(), |index| {
                EquipmentId::Reuse(crate::site::ReuseId(index))
            }),
            air_units: sheet.all(site.air_units.len(), |index| {
                EquipmentId::AirUnit(crate::site::AirUnitId(index))
            }),
            meters: sheet.all(site.meters.len(), |index| {
                EquipmentId::Meter(crate::site::MeterId(index))
            }),
            weather: site.weather.as_ref().map(|_| sheet.equipment(EquipmentId::Weather)),
            cdus,
            racks,
            forecast: ForecastView {
                source: record.heat.source,
                horizons_s: HORIZONS_S,
                notes: record.heat.notes.clone(),
                demotions: record.heat.demotions.clone(),
                covered: record.heat.covered.map(|share| share.map(rounded)),
            },
            jobs: self.jobs(record, edges.feed),
            books: books(record),
            devices: edges.devices,
            store: edges.store,
            forward: edges.forward,
            pair: edges.pair,
            advice: AdviceView::of(&edges.advice),
            alarms: edges
                .alarms
                .iter()
                .rev()
                .take(ALARMS_IN_VIEW)
                .map(AlarmView::of)
                .collect(),
            events,
            readings: sheet.readings,
            shown: Instant::now(),
            json: OnceLock::new(),
        }
    }

    fn jobs(&self, record: &CycleRecord, feed: FeedView) -> JobsView {
        let queue = &record.inputs.queue;
        let mut shown = JobsView {
            age_s: queue.mono_ms.map(|at| record.now.seconds_since(at)),
            feed,
            ..JobsView::default()
        };
        let outlooks = self.desk.outlooks();
        let to_come: BTreeMap<&str, f64> = (outlooks.iter().flat_map(|all| &all.jobs))
            .map(|outlook| (outlook.job.id.as_str(), outlook.to_come.it_kwh))
            .collect();
        let mut list = Vec::with_capacity(queue.jobs.len());
        for job in &queue.jobs {
            let (rank, state, start_ms) = match job.state {
                JobState::Starting { start_ms } => (0, "starting", Some(start_ms)),
                JobState::Running { start_ms } => (1, "running", Some(start_ms)),
                JobState::Pending { expected_start_ms } => (2, "pending", expected_start_ms),
            };
            match job.state {
                JobState::Starting { .. } => shown.starting += 1,
                JobState::Running { .. } => {
                    shown.running += 1;
                    shown.running_gpus += u64::from(job.gpus);
                }
                JobState::Pending { .. } => shown.pending += 1,
            }
            list.push((rank, start_ms.unwrap_or(i64::MAX), state, start_ms, job));
        }
        list.sort_by_key(|(rank, start, ..)| (*rank, *start));
        let list = list.into_iter().take(JOBS_IN_VIEW);
        shown.list = list
            .map(|(_, _, state, start_ms, job)| JobView {
                id: job.id.clone(),
                state,
                start_ms,
                name: job.name.clone(),
                user: job.user.clone(),
                partition: job.partition.clone(),
                gpus: job.gpus,
                nodes: job.node_count,
                time_limit_s: job.time_limit_s,
                to_come_kwh: to_come.get(job.id.as_str()).copied().map(rounded),
            })
            .collect();
        shown
    }
}

impl Memory {
    fn note(&mut self, cycle: u64, wall_ms: i64, event: &Event) {
        *self
            .event_counts
            .entry((event.severity, event.code.clone()))
            .or_default() += 1;
        let same =
            |seen: &EventView| seen.code == event.code && seen.subject == event.subject && seen.text == event.text;
        let known = self.events.iter().rev().take(EVENTS_MERGED).position(same);
        let known = known.and_then(|back| self.events.remove(self.events.len() - 1 - back));
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.noted += 1;
        self.events.push_back(EventView {
            seq: self.noted,
            cycle,
            wall_ms,
            severity: event.severity,
            code: event.code.clone(),
            subject: event.subject.clone(),
            text: event.text.clone(),
            times: known.map_or(0, |known| known.times) + 1,
        });
    }
}

fn band(bands: &[HeatBand], index: usize) -> HeatBand {
    let unknown = HeatBand {
        now_kw: f64::NAN,
        mean_kw: [f64::NAN; HORIZONS],
        lower_kw: [f64::NAN; HORIZONS],
        upper_kw: [f64::NAN; HORIZONS],
    };
    bands.get(index).map_or(unknown, rounded_band)
}

fn control(record: &CycleRecord) -> ControlView {
    let plan = &record.plan;
    ControlView {
        strategy: plan.strategy,
        imposed: record.inputs.imposed.is_some(),
        status: plan.status,
        sentence: plan.report.sentence.clone(),
        binding: plan.report.binding.clone(),
        cost_per_h: plan.report.cost_per_h.clone(),
        expected_cooling_kw: plan.report.cooling_kw,
        as_found_per_h: plan.report.as_found_per_h,
        worth_per_h: plan.report.worth_per_h.clone(),
        findings: plan.report.findings.clone(),
        model_error: plan.report.model_error,
        commissioning: plan.report.commissioning,
        load_target: plan.report.load_target,
        changes: record.safety.changes.clone(),
    }
}

fn zones(site: &Site, record: &CycleRecord) -> Vec<ZoneView> {
    let zones = site.zones.iter().zip(&record.safety.zones);
    zones
        .map(|(zone, report)| ZoneView {
            name: zone.name.clone(),
            level: report.level,
            authority: report.authority,
            wanted: report.wanted,
            causes: report.causes.clone(),
        })
        .collect()
}

fn books(record: &CycleRecord) -> BooksView {
    let today_indicators = ledger::indicators(&record.account.today);
    let total_indicators = ledger::indicators(&record.account.total);
    BooksView {
        account: record.account.clone(),
        today_score: ScoreView::of(&today_indicators),
        total_score: ScoreView::of(&total_indicators),
        today_indicators,
        total_indicators,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Severity;

    #[test]
    fn the_ring_is_bounded_and_counts_what_is_said_again() {
        let mut memory = Memory {
            events: VecDeque::new(),
            event_counts: BTreeMap::new(),
            alarms: Vec::new(),
            actions: VecDeque::new(),
            noted: 0,
        };
        let event = |text: String| Event {
            severity: Severity::Info,
            code: "a".into(),
            subject: "b".into(),
            text,
        };
        for cycle in 0..2000 {
            memory.note(cycle, 0, &event("the same".into()));
            memory.note(cycle, 0, &event(format!("new {cycle}")));
        }
        assert_eq!(memory.events.len(), EVENTS);
        assert_eq!(memory.event_counts.get(&(Severity::Info, "a".to_owned())), Some(&4000));
        let repeated: Vec<_> = memory.events.iter().filter(|event| event.text == "the same").collect();
        assert_eq!(repeated.len(), 1);
        assert_eq!((repeated[0].times, repeated[0].cycle), (2000, 1999));
    }
}
