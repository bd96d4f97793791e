//! Jobs in the queue as the forecast follows them: what each is predicted to draw, where it stands, and what its racks
//! say that it draws.

use super::JobModel;
use super::features::{GpuPower, Groups, History, Lesson, Life, Memory, Submission};
use super::rhythm::Rhythm;
use super::starts::{Starts, Waits};
use crate::site::{Rack, Site};
use crate::snapshot::{Job, JobQueue, JobState, Now};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Jobs followed at most: a longer queue is cut, and the note says so.
pub(super) const MOST_JOBS: usize = 16_384;

/// Groups of jobs remembered from service.
const GROUPS: usize = 1024;

/// A job that was watched for less says little of its kind, s.
const SHORTEST_LESSON_S: f64 = 300.0;

/// Every job's expectations are looked up anew once in so many cycles, in turn.
const LOOK_AGAIN: u64 = 16;

/// A job as it is followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tracked {
    groups: Groups,
    /// Predicted power per GPU, and by the model alone.
    pub(super) power: GpuPower,
    model: GpuPower,
    /// Whether it is unlike any that the model or the service knows.
    pub(super) foreign: bool,
    /// How jobs of its kind start and end.
    pub(super) life: Life,
    /// Where its GPUs are; empty while it has no nodes.
    pub(super) placed: Vec<Placed>,
    /// Nodes that no rack of the site has.
    pub(super) unknown_nodes: usize,
    gpus: u32,
    nodes: usize,
    /// When it entered each class of lead while it waited.
    waits: Waits,
    /// What it draws as a share of its prediction above idle.
    pub(super) rhythm: Rhythm,
    /// Time over which it was measured, s, and energy above idle in it, kWs.
    pub(super) observed_s: f64,
    pub(super) drawn_kws: f64,
    /// Largest power above idle, kW.
    pub(super) peak_kw: f64,
    /// Its age when it was first measured and when it was first seen at work, s.
    pub(super) first_s: Option<f64>,
    pub(super) ramp_s: Option<f64>,
    /// Its age and its limit in the last cycle, s; `None` before it ran.
    last: Option<(f64, f64)>,
    submit_ms: i64,
    /// Its place in this cycle's queue.
    pub(super) place: usize,
    cycle: u64,
}

/// The part of a job on one rack.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Placed {
    /// Index of the rack.
    pub(super) rack: usize,
    /// GPUs on it.
    pub(super) gpus: f64,
    /// Predicted mean and peak above idle, kW.
    pub(super) mean_kw: f64,
    pub(super) peak_kw: f64,
}

/// Power of `gpus` GPUs of a rack above idle, kW, where each with its share of the node draws `watts`.
///
/// Held between idle and the rated power of the rack: the rack cannot draw more, whatever a model says.
pub(super) fn above_idle_kw(rack: &Rack, gpus: f64, watts: f64) -> f64 {
    let (idle_kw, rated_kw, of) = (
        rack.nameplate.idle_kw,
        rack.nameplate.rated_kw,
        f64::from(rack.nameplate.gpus.max(1)),
    );
    gpus * (watts / 1000.0 - idle_kw / of).clamp(0.0, ((rated_kw - idle_kw) / of).max(0.0))
}

/// Jobs by id.
pub(super) type Jobs = BTreeMap<String, Tracked>;

/// What is learned from jobs in service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Experience {
    /// What jobs drew and how long they ran.
    pub(super) history: History,
    /// How the scheduler's estimates came true.
    pub(super) starts: Starts,
}

/// Brings the followed jobs up to date with the queue. Predictions are made once for a job and again when its nodes
/// become known; jobs that are gone become lessons.
pub(super) fn refresh(
    jobs: &mut Jobs,
    experience: &mut Experience,
    site: &Site,
    model: &JobModel,
    queue: &JobQueue,
    cycle: u64,
    now: Now,
) {
    let mut finder = Finder { site, index: None };
    for (place, job) in queue.jobs.iter().take(MOST_JOBS).enumerate() {
        match jobs.get_mut(&job.id) {
            Some(tracked) if tracked.nodes == job.nodes.len() && tracked.gpus == job.gpus => {
                tracked.place = place;
                tracked.cycle = cycle;
                tracked.live(experience, model, job, cycle, now);
            }
            known => {
                let waits = known.map(|known| std::mem::take(&mut known.waits)).unwrap_or_default();
                let mut tracked = follow(&mut finder, model, &experience.history, job, place, cycle);
                tracked.waits = waits;
                tracked.live(experience, model, job, cycle, now);
                jobs.insert(job.id.clone(), tracked);
            }
        }
    }
    jobs.retain(|_, job| {
        let kept = job.cycle == cycle;
        if let (false, Some((age_s, time_limit_s))) = (kept, job.last) {
            if job.observed_s >= SHORTEST_LESSON_S.min(0.5 * age_s) && job.observed_s > 0.0 {
                let lesson = job.lesson(site, age_s, time_limit_s);
                experience
                    .history
                    .learn(&job.groups, &lesson, Some(&model.history), GROUPS);
            } else {
                experience.history.lasting.learn(age_s, time_limit_s);
            }
        }
        kept
    });
}

fn follow(
    finder: &mut Finder<'_>,
    model: &JobModel,
    history: &History,
    job: &Job,
    place: usize,
    cycle: u64,
) -> Tracked {
    let submission = Submission::from(job);
    let groups = Groups::of(&submission);
    let prediction = model.predict_with(&submission, &groups, Some(history));
    let power = prediction.power;
    let memory = Memory {
        trained: &model.history,
        recent: Some(history),
    };
    let life = memory.life(&groups);
    // A pending job may name nodes that it would get; they count once it has them or is announced on them.
    let (racks, unknown_nodes) = finder.racks(&job.nodes);
    let gpus_a_node = f64::from(job.gpus) / job.nodes.len().max(1) as f64;
    let placed = racks.into_iter().filter_map(|(rack, nodes)| {
        let gpus = gpus_a_node * f64::from(nodes);
        let of = finder.site.racks.get(rack)?;
        let (mean_kw, peak_kw) = (
            above_idle_kw(of, gpus, power.mean_w),
            above_idle_kw(of, gpus, power.peak_w),
        );
        Some(Placed {
            rack,
            gpus,
            mean_kw,
            peak_kw,
        })
    });
    Tracked {
        groups,
        power,
        model: prediction.model,
        foreign: prediction.foreign,
        life,
        placed: placed.collect(),
        unknown_nodes,
        gpus: job.gpus,
        nodes: job.nodes.len(),
        waits: Waits::new(),
        rhythm: Rhythm::default(),
        observed_s: 0.0,
        drawn_kws: 0.0,
        peak_kw: 0.0,
        first_s: None,
        ramp_s: None,
        last: None,
        submit_ms: job.submit_ms,
        place,
        cycle,
    }
}

impl Tracked {
    /// Whether its GPUs are taken: it runs or its start is announced.
    pub(super) fn holds_gpus(&self, job: &Job) -> bool {
        !self.placed.is_empty() && !matches!(job.state, JobState::Pending { .. })
    }

    /// GPUs in all.
    pub(super) const fn gpus(&self) -> u32 {
        self.gpus
    }

    /// Takes note of its state in this cycle.
    fn live(&mut self, experience: &mut Experience, model: &JobModel, job: &Job, cycle: u64, now: Now) {
        match job.state {
            JobState::Pending { .. } => Starts::watch(&mut self.waits, job, now),
            JobState::Starting { start_ms } | JobState::Running { start_ms } => {
                if !self.waits.is_empty() {
                    experience.starts.learn(&self.waits, start_ms);
                    self.waits = Waits::new();
                }
            }
        }
        if let JobState::Running { start_ms } = job.state {
            let age_s = now.wall_ms.saturating_sub(start_ms).max(0) as f64 / 1000.0;
            self.last = Some((age_s, job.time_limit_s));
        }
        // What its forerunners teach meanwhile.
        if cycle.wrapping_add(self.place as u64).is_multiple_of(LOOK_AGAIN) {
            let memory = Memory {
                trained: &model.history,
                recent: Some(&experience.history),
            };
            self.life = memory.life(&self.groups);
            self.foreign &= !memory.knows_user(&self.groups);
        }
    }

    /// What it drew in the end, per GPU with the share of the node.
    fn lesson(&self, site: &Site, age_s: f64, time_limit_s: f64) -> Lesson {
        let idle_kw = |placed: &Placed| {
            site.racks.get(placed.rack).map_or(0.0, |rack| {
                placed.gpus * rack.nameplate.idle_kw / f64::from(rack.nameplate.gpus.max(1))
            })
        };
        let gpus: f64 = self.placed.iter().map(|placed| placed.gpus).sum();
        let idle_kw: f64 = self.placed.iter().map(idle_kw).sum();
        let watts = |kw: f64| 1000.0 * (idle_kw + kw) / gpus.max(1e-9);
        Lesson {
            power: GpuPower {
                mean_w: watts(self.drawn_kws / self.observed_s),
                peak_w: watts(self.peak_kw),
            },
            lasted_s: Some(age_s),
            ramp_s: self.ramp_s,
            time_limit_s,
            submit_ms: self.submit_ms,
            predicted: Some(self.model),
        }
    }
}

/// Finds the racks of nodes. Node lists mostly run on in the order of the racks, so the next node is looked for there
/// first; only where that fails is an index of all nodes made.
struct Finder<'a> {
    site: &'a Site,
    index: Option<BTreeMap<&'a str, (usize, usize)>>,
}

impl<'a> Finder<'a> {
    /// (rack, nodes on it) for each rack, and how many nodes are on none.
    fn racks(&mut self, nodes: &[String]) -> (Vec<(usize, u32)>, usize) {
        let mut counts: Vec<(usize, u32)> = Vec::new();
        let mut unknown = 0;
        let mut last = None;
        for node in nodes {
            last = last
                .and_then(|place| self.next(place, node))
                .or_else(|| self.look_up(node));
            match (last, counts.last_mut()) {
                (None, _) => unknown += 1,
                (Some((rack, _)), Some((counted, count))) if *counted == rack => *count += 1,
                (Some((rack, _)), _) => counts.push((rack, 1)),
            }
        }
        (counts, unknown)
    }

    fn next(&self, (rack, index): (usize, usize), node: &str) -> Option<(usize, usize)> {
        let at = |rack: usize, index: usize| self.site.racks.get(rack).and_then(|of| of.nodes.get(index));
        let matches = |rack: usize, index: usize| at(rack, index).is_some_and(|name| name == node);
        if matches(rack, index + 1) {
            Some((rack, index + 1))
        } else {
            matches(rack + 1, 0).then_some((rack + 1, 0))
        }
    }

    fn look_up(&mut self, node: &str) -> Option<(usize, usize)> {
        let site: &'a Site = self.site;
        let index = self.index.get_or_insert_with(|| {
            let racks = site.racks.iter().enumerate();
            racks
                .flat_map(|(rack, of)| {
                    of.nodes
                        .iter()
                        .enumerate()
                        .map(move |(k, name)| (name.as_str(), (rack, k)))
                })
                .collect()
        });
        index.get(node).copied()
    }
}
