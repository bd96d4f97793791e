//! From jobs to racks: what running jobs will go on drawing, and what starting and waiting jobs will add.
//!
//! Every rack begins at its measured power. Its power above idle is shared out among its running jobs by what each is
//! predicted to draw, and each part then moves to the job's own recent level, to its prediction while it is young, and
//! to nothing with the chance that it ends. Two courses come out: the expected one, and a high one in which nothing
//! ends and every likely start happens at its peak.

use super::level::Level;
use super::tracked::{Jobs, Tracked, above_idle_kw};
use crate::site::Site;
use crate::snapshot::{HORIZONS, HORIZONS_S, Job, JobQueue, JobState, Now};

/// A job loads data first: what it draws before this age says nothing of its level, s.
const LOADING_S: f64 = 180.0;
/// Time after that until its own level has replaced the prediction, s.
const TRUST_S: f64 = 240.0;
/// Memory of a job's own level, s.
const LEVEL_S: f64 = 1200.0;
/// Dips (checkpoints, evaluations) last about this long before a job is back at its level, s.
const DIP_S: f64 = 90.0;
/// A start that has not come this long after it was expected is no longer counted on, s.
const OVERDUE_S: f64 = 300.0;
/// Starts at least this likely are in the high course.
const LIKELY: f64 = 0.25;
/// Most that a start by the scheduler's own estimate is believed, until it is announced.
const ESTIMATE: f64 = 0.9;
/// Share of freed GPUs that a waiting job takes over where enough wait: not every job fits every hole.
const REFILL: f64 = 0.8;

/// Powers at each horizon, kW electric.
pub(super) type Course = [f64; HORIZONS];

/// What the queue says of the racks to come.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rollup {
    /// Expected power, by rack.
    pub(super) mean: Vec<Course>,
    /// Power in the high course without the starts whose place is open, by rack.
    pub(super) high: Vec<Course>,
    /// GPUs that are free, by rack.
    pub(super) free_gpus: Vec<f64>,
    /// Likely starts whose place is open: GPUs in all and the largest power per GPU, W, by horizon.
    pub(super) open: [(f64, f64); HORIZONS],
}

/// The chance that a job ends within `ahead_s`, at an age, by its time limit: run times are taken as spread evenly up
/// to the limit, and without one a job is as likely to last as long again as it has.
fn end_chance(age_s: f64, limit_s: f64, ahead_s: f64) -> f64 {
    if limit_s <= 0.0 {
        return ahead_s / (ahead_s + age_s + 600.0);
    }
    // Past its limit a job is being killed.
    (ahead_s / (limit_s - age_s).max(60.0)).min(1.0)
}

/// The chance that a job runs in `ahead_s`, where it is announced or expected to start in `lead_s`.
fn start_chance(state: &JobState, now: Now, ahead_s: f64) -> f64 {
    let lead_s = |start_ms: i64| start_ms.saturating_sub(now.wall_ms) as f64 / 1000.0;
    match *state {
        JobState::Starting { start_ms } if lead_s(start_ms) > -OVERDUE_S => f64::from(lead_s(start_ms) <= ahead_s),
        JobState::Pending {
            expected_start_ms: Some(start_ms),
        } if lead_s(start_ms) > -OVERDUE_S => {
            // Estimates move with every job that ends early or late; the farther the start, the more.
            let spread_s = (0.3 * lead_s(start_ms).abs()).max(60.0);
            ESTIMATE * (0.5 + 0.5 * (ahead_s - lead_s(start_ms)) / spread_s).clamp(0.0, 1.0)
        }
        JobState::Starting { .. } | JobState::Pending { .. } | JobState::Running { .. } => 0.0,
    }
}

/// Rolls the followed jobs up to racks, and learns what running jobs draw in the `dt_s` seconds since the last cycle.
pub(super) fn roll(site: &Site, queue: &JobQueue, jobs: &mut Jobs, levels: &[Level], now: Now, dt_s: f64) -> Rollup {
    let course = |level: &Level| [level.power_kw; HORIZONS];
    let mut rollup = Rollup {
        mean: levels.iter().map(course).collect(),
        high: levels.iter().map(course).collect(),
        free_gpus: free_gpus(site, queue, jobs),
        open: [(0.0, 0.0); HORIZONS],
    };
    let shared = share_out(site, queue, jobs, levels);
    let ends = Ends::of(queue, jobs, now);
    for tracked in jobs.values_mut() {
        let Some(job) = queue.jobs.get(tracked.place) else {
            continue;
        };
        match job.state {
            JobState::Running { start_ms } => {
                let age_s = now.wall_ms.saturating_sub(start_ms).max(0) as f64 / 1000.0;
                run(&mut rollup, tracked, job, age_s, &shared, &ends, dt_s);
            }
            JobState::Starting { .. } | JobState::Pending { .. } => start(&mut rollup, site, tracked, job, now, &ends),
        }
    }
    rollup
}

fn free_gpus(site: &Site, queue: &JobQueue, jobs: &Jobs) -> Vec<f64> {
    let mut free: Vec<f64> = site.racks.iter().map(|rack| f64::from(rack.nameplate.gpus)).collect();
    for tracked in jobs.values() {
        if !queue.jobs.get(tracked.place).is_some_and(|job| tracked.holds_gpus(job)) {
            continue;
        }
        for placed in &tracked.placed {
            if let Some(free) = free.get_mut(placed.rack) {
                *free = (*free - placed.gpus).max(0.0);
            }
        }
    }
    free
}

/// For each rack, measured over predicted power above idle of the jobs that run on it; `None` where it is not measured
/// or none runs.
fn share_out(site: &Site, queue: &JobQueue, jobs: &Jobs, levels: &[Level]) -> Vec<Option<f64>> {
    let mut predicted = vec![0.0; levels.len()];
    for tracked in jobs.values() {
        let running = queue
            .jobs
            .get(tracked.place)
            .is_some_and(|job| matches!(job.state, JobState::Running { .. }));
        for placed in tracked.placed.iter().filter(|_| running) {
            if let Some(sum) = predicted.get_mut(placed.rack) {
                *sum += placed.mean_kw;
            }
        }
    }
    let ratio = |((level, rack), predicted): ((&Level, &crate::site::Rack), f64)| {
        let above_idle_kw = (level.power_kw - rack.nameplate.idle_kw).max(0.0);
        (level.measured && predicted > 1e-6).then(|| above_idle_kw / predicted)
    };
    levels.iter().zip(&site.racks).zip(predicted).map(ratio).collect()
}

/// GPUs that are expected to be freed, in all and of them how many a waiting job takes over, by horizon.
struct Ends {
    freed_gpus: Course,
    refill: Course,
}

impl Ends {
    fn of(queue: &JobQueue, jobs: &Jobs, now: Now) -> Self {
        let (mut freed_gpus, mut waiting_gpus) = ([0.0; HORIZONS], [0.0; HORIZONS]);
        for job in jobs.values().filter_map(|tracked| queue.jobs.get(tracked.place)) {
            let gpus = f64::from(job.gpus);
            for (h, ahead_s) in HORIZONS_S.into_iter().enumerate() {
                if let JobState::Running { start_ms } = job.state {
                    let age_s = now.wall_ms.saturating_sub(start_ms).max(0) as f64 / 1000.0;
                    freed_gpus[h] += gpus * end_chance(age_s, job.time_limit_s, ahead_s);
                } else {
                    waiting_gpus[h] += gpus * (1.0 - start_chance(&job.state, now, ahead_s));
                }
            }
        }
        let mut refill = [0.0; HORIZONS];
        for (refill, (freed, waiting)) in refill.iter_mut().zip(freed_gpus.into_iter().zip(waiting_gpus)) {
            *refill = REFILL * (waiting / f64::max(freed, 1.0)).min(1.0);
        }
        Self { freed_gpus, refill }
    }
}

fn run(
    rollup: &mut Rollup,
    tracked: &mut Tracked,
    job: &Job,
    age_s: f64,
    shared: &[Option<f64>],
    ends: &Ends,
    dt_s: f64,
) {
    let trust = ((age_s - LOADING_S) / TRUST_S).clamp(0.0, 1.0);
    // What it is to settle at, as a share of the prediction.
    let settled = 1.0 + trust * (tracked.ratio - 1.0);
    let (mut drawn_kw, mut predicted_kw) = (0.0, 0.0);
    for placed in &tracked.placed {
        let Some(ratio) = shared.get(placed.rack).copied().flatten() else {
            continue;
        };
        let (Some(mean), Some(high)) = (rollup.mean.get_mut(placed.rack), rollup.high.get_mut(placed.rack)) else {
            continue;
        };
        let part_kw = ratio * placed.mean_kw;
        drawn_kw += part_kw;
        predicted_kw += placed.mean_kw;
        let settled_kw = settled * placed.mean_kw;
        let young_peak_kw = (1.0 - trust) * placed.peak_kw + trust * part_kw;
        for (h, ahead_s) in HORIZONS_S.into_iter().enumerate() {
            let kept = trust * libm::exp(-ahead_s / DIP_S);
            let level_kw = settled_kw + kept * (part_kw - settled_kw);
            let ends_kw = end_chance(age_s, job.time_limit_s, ahead_s) * (1.0 - ends.refill[h]) * level_kw;
            mean[h] += level_kw - ends_kw - part_kw;
            high[h] += settled_kw.max(part_kw).max(young_peak_kw) - part_kw;
        }
    }
    if age_s > LOADING_S && predicted_kw > 0.0 {
        // The mean since loading at first, then of the last while.
        let memory_s = (age_s - LOADING_S).min(LEVEL_S);
        tracked.ratio += (drawn_kw / predicted_kw - tracked.ratio) * (dt_s / memory_s.max(1.0)).min(1.0);
    }
    if predicted_kw > 0.0 {
        tracked.observed_s += dt_s;
        tracked.drawn_kws += drawn_kw * dt_s;
        tracked.peak_kw = tracked.peak_kw.max(drawn_kw);
    }
}

fn start(rollup: &mut Rollup, site: &Site, tracked: &Tracked, job: &Job, now: Now, ends: &Ends) {
    let gpus = f64::from(job.gpus);
    let free: f64 = rollup.free_gpus.iter().sum();
    for (h, ahead_s) in HORIZONS_S.into_iter().enumerate() {
        let chance = start_chance(&job.state, now, ahead_s);
        if chance <= 0.0 {
            continue;
        }
        if tracked.placed.is_empty() {
            // Anywhere: in proportion to what is free, as far as there is room.
            let room = free + ends.freed_gpus[h];
            let share = chance * gpus.min(room) / room.max(1.0);
            for ((mean, rack), free) in rollup.mean.iter_mut().zip(&site.racks).zip(&rollup.free_gpus) {
                mean[h] += above_idle_kw(rack, share * free, tracked.power.mean_w);
            }
            if chance >= LIKELY {
                let (open_gpus, watts) = &mut rollup.open[h];
                *open_gpus += gpus;
                *watts = watts.max(tracked.power.peak_w);
            }
        }
        for placed in &tracked.placed {
            if let Some(mean) = rollup.mean.get_mut(placed.rack) {
                mean[h] += chance * placed.mean_kw;
            }
            if let Some(high) = rollup.high.get_mut(placed.rack).filter(|_| chance >= LIKELY) {
                high[h] += placed.peak_kw;
            }
        }
    }
}

/// The next likely starts, soonest first, as notes.
pub(super) fn expected_starts(queue: &JobQueue, jobs: &Jobs, now: Now, most: usize) -> Vec<String> {
    let horizon_s = HORIZONS_S[HORIZONS - 1];
    let mut starts: Vec<(i64, &Job, &Tracked)> = jobs
        .values()
        .filter_map(|tracked| {
            let job = queue.jobs.get(tracked.place)?;
            let (JobState::Starting { start_ms }
            | JobState::Pending {
                expected_start_ms: Some(start_ms),
            }) = job.state
            else {
                return None;
            };
            (start_chance(&job.state, now, horizon_s) >= LIKELY).then_some((start_ms, job, tracked))
        })
        .collect();
    starts.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
    let note = |(start_ms, job, tracked): (i64, &Job, &Tracked)| {
        let minutes = start_ms.saturating_sub(now.wall_ms).max(0) as f64 / 60_000.0;
        let kw = f64::from(job.gpus) * tracked.power.mean_w.min(1e5) / 1000.0;
        let surely = if matches!(job.state, JobState::Starting { .. }) {
            "is announced"
        } else {
            "is expected"
        };
        format!(
            "job {} ({} GPUs, about {kw:.0} kW) {surely} to start in {minutes:.0} min",
            job.id, job.gpus
        )
    };
    starts.into_iter().take(most).map(note).collect()
}
