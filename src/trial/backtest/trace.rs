//! A trace: the power of every rack over time, and the jobs behind it, as each level of knowledge shows them.

use crate::site::Site;
use crate::snapshot::{FinishedJob, Job, JobQueue, JobState, Now, Quality, Reading, Snapshot};

/// Start events are announced this long before the power moves, s.
pub(super) const ANNOUNCED_S: f64 = 30.0;

/// What the forecast is let know beside rack power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Pending jobs with the scheduler's expected starts, and requested limits.
    Queue,
    /// Start events alone, 30 s ahead, and what has been announced and runs.
    Announced,
    /// Nothing.
    Blind,
}

impl Knowledge {
    /// All levels, the richest first.
    pub const ALL: [Self; 3] = [Self::Queue, Self::Announced, Self::Blind];

    /// Its name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Announced => "announced",
            Self::Blind => "blind",
        }
    }
}

/// A job of a trace; times in s from the trace's beginning.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TraceJob {
    /// The job with its nodes; its state is filled in.
    pub(super) job: Job,
    /// From when it is shown as pending.
    pub(super) shown_s: f64,
    /// Start that the scheduler states while it waits.
    pub(super) expected_s: Option<f64>,
    /// Start, and when its power begins to move.
    pub(super) start_s: f64,
    pub(super) moves_s: f64,
    pub(super) end_s: f64,
    /// Mean power per GPU over its run, W.
    pub(super) mean_w: f64,
}

/// The power of every rack of a site over time, and the jobs behind it.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Its name.
    pub name: String,
    /// The hall.
    pub site: Site,
    /// From sample to sample, s.
    pub step_s: f64,
    /// Samples.
    pub steps: usize,
    /// Wall time of its beginning, ms.
    pub(super) epoch_ms: i64,
    /// Electric power, kW: racks of the first step, then of the next.
    pub(super) rack_kw: Vec<f32>,
    /// Jobs in order of their start.
    pub(super) jobs: Vec<TraceJob>,
    /// The scheduler's own queue where it is recorded: from which step on, and the jobs.
    pub(super) queues: Vec<(usize, Vec<Job>)>,
    /// All jobs that ended, with their power, for the job models.
    pub(super) finished: Vec<FinishedJob>,
    /// Whether anything is known of jobs.
    pub(super) has_jobs: bool,
}

impl Trace {
    /// The time of a step.
    pub(super) fn now(&self, step: usize) -> Now {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "milliseconds of a trace"
        )]
        let mono_ms = (step as f64 * self.step_s * 1000.0).round() as u64;
        Now {
            mono_ms,
            wall_ms: self.epoch_ms.saturating_add_unsigned(mono_ms),
            utc_offset_s: 0,
        }
    }

    /// Wall time of a moment, ms.
    pub(super) fn wall_ms(&self, s: f64) -> i64 {
        wall_ms(self.epoch_ms, s)
    }

    /// Rack power at a step.
    pub(super) fn racks(&self, step: usize) -> &[f32] {
        let racks = self.site.racks.len();
        self.rack_kw.get(step * racks..(step + 1) * racks).unwrap_or_default()
    }

    /// The readings of a step.
    pub(super) fn read(&self, step: usize, snapshot: &mut Snapshot) {
        let now = self.now(step);
        snapshot.now = now;
        for (rack, kw) in self.site.racks.iter().zip(self.racks(step)) {
            let reading = rack
                .points
                .power
                .and_then(|point| snapshot.readings.get_mut(point.id().0));
            if let Some(reading) = reading {
                *reading = Some(Reading {
                    value: f64::from(*kw),
                    quality: Quality::Good,
                    mono_ms: now.mono_ms,
                });
            }
        }
    }

    /// Heat into the liquid of every CDU at every step, kW, one series a CDU.
    pub(super) fn cdu_heat(&self) -> Vec<Vec<f32>> {
        let of = |cdu: &crate::site::Cdu| {
            let racks: Vec<(usize, f64)> = cdu
                .racks
                .iter()
                .filter_map(|id| Some((id.0, self.site.racks.get(id.0)?.nameplate.liquid_fraction)))
                .collect();
            let heat = |step: usize| {
                let powers = self.racks(step);
                let kw = racks
                    .iter()
                    .map(|(rack, liquid)| liquid * f64::from(powers.get(*rack).copied().unwrap_or(0.0)));
                #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a power")]
                let kw = kw.sum::<f64>() as f32;
                kw
            };
            (0..self.steps).map(heat).collect()
        };
        self.site.cdus.iter().map(of).collect()
    }

    /// Rating of every CDU by its racks, kW into the liquid.
    pub(super) fn ratings(&self) -> Vec<f64> {
        let rated = |cdu: &crate::site::Cdu| {
            let racks = cdu.racks.iter().filter_map(|id| self.site.racks.get(id.0));
            racks
                .map(|rack| rack.nameplate.rated_kw * rack.nameplate.liquid_fraction)
                .sum()
        };
        self.site.cdus.iter().map(rated).collect()
    }
}

pub(super) fn wall_ms(epoch_ms: i64, s: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a trace")]
    let ms = (s * 1000.0).round() as i64;
    epoch_ms.saturating_add(ms)
}

/// The queue at one level of knowledge, made anew only when it changes.
pub(super) struct Shown<'a> {
    trace: &'a Trace,
    knowledge: Knowledge,
    /// Times at which something changes, s, soonest last.
    changes: Vec<f64>,
    /// Jobs that are not shown yet start here.
    first: usize,
    recorded: usize,
    queue: JobQueue,
}

impl<'a> Shown<'a> {
    pub(super) fn new(trace: &'a Trace, knowledge: Knowledge) -> Self {
        let announced = |job: &TraceJob| job.moves_s - ANNOUNCED_S;
        let mut changes: Vec<f64> = trace
            .jobs
            .iter()
            .flat_map(|job| match knowledge {
                Knowledge::Queue => [job.shown_s, job.start_s, job.end_s],
                Knowledge::Announced => [announced(job), job.start_s.max(job.moves_s), job.end_s],
                Knowledge::Blind => [f64::INFINITY; 3],
            })
            .collect();
        changes.sort_by(|a, b| b.total_cmp(a));
        Self {
            trace,
            knowledge,
            changes,
            first: 0,
            recorded: 0,
            queue: JobQueue::default(),
        }
    }

    /// The queue at a step.
    pub(super) fn at(&mut self, step: usize) -> &JobQueue {
        if self.knowledge == Knowledge::Blind || !self.trace.has_jobs {
            return &self.queue;
        }
        self.queue.mono_ms = Some(self.trace.now(step).mono_ms);
        if self.knowledge == Knowledge::Queue && !self.trace.queues.is_empty() {
            while let Some((_, jobs)) = self.trace.queues.get(self.recorded).filter(|(from, _)| *from <= step) {
                self.queue.jobs.clone_from(jobs);
                self.recorded += 1;
            }
            return &self.queue;
        }
        let now_s = step as f64 * self.trace.step_s;
        let mut changed = false;
        while self.changes.last().is_some_and(|change_s| *change_s <= now_s) {
            self.changes.pop();
            changed = true;
        }
        if changed {
            self.queue.jobs = self.shown(now_s);
        }
        &self.queue
    }

    fn shown(&mut self, now_s: f64) -> Vec<Job> {
        let jobs = &self.trace.jobs;
        while jobs.get(self.first).is_some_and(|job| job.end_s <= now_s) {
            self.first += 1;
        }
        // A job is shown at most an hour before it starts in traces without a recorded queue; days where it waits long.
        let mut shown = Vec::new();
        for job in jobs.iter().skip(self.first) {
            if job.shown_s > now_s + 86_400.0 {
                break;
            }
            if job.end_s <= now_s {
                continue;
            }
            let start_ms = self.trace.wall_ms(job.start_s);
            let state = match self.knowledge {
                Knowledge::Queue if now_s >= job.start_s => Some(JobState::Running { start_ms }),
                Knowledge::Queue => (now_s >= job.shown_s).then(|| JobState::Pending {
                    expected_start_ms: job.expected_s.map(|s| self.trace.wall_ms(s)),
                }),
                Knowledge::Announced if now_s >= job.start_s.max(job.moves_s) => Some(JobState::Running { start_ms }),
                Knowledge::Announced => (now_s >= job.moves_s - ANNOUNCED_S).then_some(JobState::Starting { start_ms }),
                Knowledge::Blind => None,
            };
            let Some(state) = state else { continue };
            let pending = matches!(state, JobState::Pending { .. });
            shown.push(Job {
                state,
                nodes: if pending { vec![] } else { job.job.nodes.clone() },
                ..job.job.clone()
            });
        }
        shown
    }
}
