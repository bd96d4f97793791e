//! A hand-made cycle in which everything has a value.

use crate::{SETPOINT, START_MS};
use isotherm::cycle::{Commanded, CycleRecord, Inputs};
use isotherm::forecast::JobModel;
use isotherm::jobs::{Desk, Outlooks};
use isotherm::ledger::{Account, Totals};
use isotherm::safety::{Change, Level, SafetyReport, ZoneReport};
use isotherm::site::{Authority, Site, StrategyKind};
use isotherm::snapshot::{
    Author, Duty, Event, HORIZONS, HeatBand, HeatForecast, HeatSource, Job, JobQueue, JobState, Now, Plan, PlanReport,
    PlanStatus, Quality, Reading, Request, RequestKind, Setpoint, Severity, Snapshot,
};
use std::sync::Arc;

/// The record of a cycle with the requests that it took. An override is granted, an authority is not.
pub(crate) fn record(site: &Site, cycle: u64, requests: Vec<Request>) -> CycleRecord {
    let wall_ms = START_MS + i64::try_from(cycle).unwrap() * 5000;
    let now = Now {
        mono_ms: cycle * 5000,
        wall_ms,
        utc_offset_s: 3600,
    };
    let setpoint = site.point(SETPOINT).unwrap();
    let held = requests.iter().find_map(|request| match request.kind {
        RequestKind::Override { value, .. } => Some(Commanded {
            point: setpoint,
            value,
            author: request.author.clone(),
        }),
        _ => None,
    });
    let planned = Commanded {
        point: setpoint,
        value: 31.5,
        author: Author::Strategy(StrategyKind::Predictive),
    };
    let band = HeatBand {
        now_kw: 300.0,
        mean_kw: [310.0; HORIZONS],
        lower_kw: [300.0; HORIZONS],
        upper_kw: [340.0; HORIZONS],
    };
    let event = |severity, code: &str, text: String| Event {
        severity,
        code: code.into(),
        subject: "cdu1".into(),
        text,
    };
    CycleRecord {
        cycle,
        basis: isotherm::cycle::Basis::default(),
        now,
        inputs: Inputs {
            snapshot: snapshot(site, now),
            queue: JobQueue {
                mono_ms: Some(now.mono_ms),
                jobs: vec![job(wall_ms)],
            },
            requests,
            imposed: None,
            duty: Duty::Alone,
            notices: Vec::new(),
        },
        mind_before: 0,
        mind_after: 0,
        heat: HeatForecast {
            source: HeatSource::Queue,
            cdus: vec![band; site.cdus.len()],
            racks: vec![band; site.racks.len()],
            notes: vec!["job 4712 is expected in 4 min".into()],
            demotions: vec![],
            covered: [None; HORIZONS],
        },
        plan: Plan {
            strategy: StrategyKind::Predictive,
            status: PlanStatus::Complete,
            setpoints: vec![Setpoint {
                point: setpoint,
                value: 33.0,
            }],
            report: PlanReport {
                sentence: "Coolant at 31.5 degC.".into(),
                ..PlanReport::default()
            },
        },
        safety: judged(site),
        commands: vec![held.unwrap_or(planned)],
        account: account(),
        page: None,
        events: vec![
            event(Severity::Warning, "stale_reading", "cdu1.secondary_flow is old".into()),
            event(Severity::Info, "job_start", format!("job {cycle} starts")),
        ],
    }
}

/// Every point has a good value, but one that is old and one that never came.
fn snapshot(site: &Site, now: Now) -> Snapshot {
    let mut snapshot = Snapshot::empty(site.points.len(), now);
    for (index, slot) in snapshot.readings.iter_mut().enumerate() {
        let value = 20.0 + f64::from(u32::try_from(index).unwrap() % 7);
        *slot = Some(Reading {
            value,
            quality: Quality::Good,
            mono_ms: now.mono_ms,
        });
    }
    let stale = site.point("cdu1.secondary_flow").unwrap();
    snapshot.readings[stale.0] = Some(Reading {
        value: 500.0,
        quality: Quality::Stale,
        mono_ms: 0,
    });
    snapshot.readings[site.point("cdu1.power").unwrap().0] = None;
    snapshot
}

fn judged(site: &Site) -> SafetyReport {
    let zone = ZoneReport {
        level: Level::Guarded,
        authority: Authority::Bounded,
        wanted: Authority::Full,
        causes: vec!["cdu1 is warm".into()],
    };
    let change = Change {
        tag: SETPOINT.into(),
        wanted: 33.0,
        given: Some(31.5),
        why: "rises 0.5 K a minute".into(),
    };
    SafetyReport {
        zones: vec![zone; site.zones.len()],
        changes: vec![change],
        ..SafetyReport::default()
    }
}

fn account() -> Account {
    let totals = Totals {
        covered_s: 60.0,
        it_kwh: 20.0,
        site_kwh: 21.0,
        cooling_kwh: 1.0,
        cooling_kwh_by_equipment: vec![0.5],
        ..Totals::default()
    };
    Account {
        it_kw: 1200.0,
        cooling_kw: 60.0,
        today: totals.clone(),
        total: totals,
        ..Account::default()
    }
}

fn job(wall_ms: i64) -> Job {
    Job {
        id: "4711".into(),
        state: JobState::Running { start_ms: wall_ms },
        user: "u1".into(),
        account: "a".into(),
        name: "train \"x\"".into(),
        partition: "gpu".into(),
        gpus: 64,
        node_count: 8,
        nodes: vec![],
        submit_ms: wall_ms,
        time_limit_s: 3600.0,
    }
}

/// A job that runs and one that waits, at a site that has measured its cooling.
pub(crate) fn outlooks(site: &Arc<Site>) -> Outlooks {
    let now = Now {
        mono_ms: 0,
        wall_ms: START_MS,
        utc_offset_s: 3600,
    };
    let mut desk = Desk::new(Arc::clone(site), Arc::new(JobModel::embedded()));
    let total = Totals {
        it_kwh: 100.0,
        site_kwh: 110.0,
        cooling_kwh: 6.0,
        makeup_l: 90.0,
        ..Totals::default()
    };
    desk.measured(&total, 3.0);
    let waiting = Job {
        id: "research/train".into(),
        state: JobState::Pending {
            expected_start_ms: Some(START_MS + 60_000),
        },
        ..job(START_MS)
    };
    let running = Job {
        id: "4711".into(),
        ..job(START_MS)
    };
    desk.outlooks(&[running, waiting], now)
}
