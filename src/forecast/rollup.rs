//! From jobs to racks: what running jobs will go on drawing, and what starting and waiting jobs will add.
//!
//! Every rack begins at its measured power. Its power above idle is shared out among its running jobs by what each is
//! known to draw, and each part then moves with the job's ramp and rhythm, and to nothing with the chance that it ends.
//! Out come the changes by the jobs' own pace, by starts and by ends, each as expected and as likely (every chance rounded
//! to what is likelier), and a high course in which nothing ends and every likely start happens at its peak.

use super::blend::Changes;
use super::dips::{self, Candidate};
use super::lasting::{Lasting, Outlook};
use super::level::Level;
use super::starts::Starts;
use super::tracked::{Jobs, Tracked, above_idle_kw};
use crate::site::Site;
use crate::snapshot::{HORIZONS, HORIZONS_S, Job, JobQueue, JobState, Now};

/// Share of its prediction that a job draws while it loads.
const LOADING: f64 = 0.12;
/// Time at work until a job's own level has replaced the prediction, s.
const TRUST_S: f64 = 120.0;
/// Starts at least this likely are in the high course.
pub(super) const LIKELY: f64 = 0.25;
/// A job with at least this share of its racks' GPUs has its ramp timed.
const DOMINANT: f64 = 0.6;
/// Ages at which a job first seen is still young enough to have its ramp timed, s.
const FROM_START_S: f64 = 45.0;

/// Powers at each horizon, kW electric.
pub(super) type Course = [f64; HORIZONS];

/// What the queue says of the racks to come.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rollup {
    /// Change of power by ramps and rhythms, starts and ends, by rack.
    pub(super) changes: Vec<[Changes; HORIZONS]>,
    /// Power in the high course without the starts whose place is open, by rack.
    pub(super) high: Vec<Course>,
    /// Variance of the power by starts and ends, kW2, by rack and by CDU.
    pub(super) rack_variance: Vec<Course>,
    pub(super) cdu_variance: Vec<Course>,
    /// GPUs that are free, by rack.
    pub(super) free_gpus: Vec<f64>,
    /// Likely starts whose place is open: GPUs in all and the largest power per GPU, W, by horizon.
    pub(super) open: [(f64, f64); HORIZONS],
    /// GPUs of all jobs, and of those unlike any that is known.
    pub(super) gpus: (f64, f64),
}

/// What stays the same over one rollup.
struct Round<'a> {
    site: &'a Site,
    lasting: Outlook,
    now: Now,
    dt_s: f64,
    /// Measured over assumed power above idle, by rack; `None` where it is not measured or nothing runs.
    measured: Vec<Option<f64>>,
    /// Which of the jobs are in a dip.
    dipped: Vec<bool>,
}

/// Chances of one job: that it runs then (pending) or has ended by then (running), by horizon.
type Chances = [f64; HORIZONS];

/// Rolls the followed jobs up to racks, and learns what running jobs draw in the `dt_s` seconds since the last cycle.
pub(super) fn roll(
    site: &Site,
    queue: &JobQueue,
    jobs: &mut Jobs,
    (lasting, starts): (&Lasting, &Starts),
    levels: &[Level],
    now: Now,
    dt_s: f64,
) -> Rollup {
    let course = |level: &Level| [level.power_kw; HORIZONS];
    let flat: Vec<Course> = levels.iter().map(course).collect();
    let mut rollup = Rollup {
        changes: vec![[Changes::default(); HORIZONS]; levels.len()],
        high: flat,
        rack_variance: vec![[0.0; HORIZONS]; levels.len()],
        cdu_variance: vec![[0.0; HORIZONS]; site.cdus.len()],
        free_gpus: free_gpus(site, queue, jobs),
        open: [(0.0, 0.0); HORIZONS],
        gpus: (0.0, 0.0),
    };
    let mut round = Round {
        site,
        lasting: lasting.outlook(running(queue, now)),
        now,
        dt_s,
        measured: vec![],
        dipped: vec![],
    };
    round.share_out(queue, jobs, levels);
    let chances: Vec<Chances> = jobs
        .values()
        .map(|tracked| round.chances(queue, tracked, starts))
        .collect();
    let freed = freed(queue, jobs, &chances);
    for (index, (tracked, chances)) in jobs.values_mut().zip(&chances).enumerate() {
        let Some(job) = queue.jobs.get(tracked.place) else {
            continue;
        };
        rollup.gpus.0 += f64::from(job.gpus);
        rollup.gpus.1 += if tracked.foreign { f64::from(job.gpus) } else { 0.0 };
        match job.state {
            JobState::Running { .. } => round.run(&mut rollup, (index, tracked), job, chances),
            JobState::Starting { .. } | JobState::Pending { .. } => {
                round.start(&mut rollup, tracked, job, chances, &freed);
            }
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

/// Ages and limits of the jobs that run, s.
fn running(queue: &JobQueue, now: Now) -> impl Iterator<Item = (f64, f64)> {
    queue.jobs.iter().filter_map(move |job| match job.state {
        JobState::Running { start_ms } => Some((age_s(start_ms, now), job.time_limit_s)),
        JobState::Starting { .. } | JobState::Pending { .. } => None,
    })
}

/// GPUs that are expected to be freed, by horizon.
fn freed(queue: &JobQueue, jobs: &Jobs, chances: &[Chances]) -> Course {
    let mut freed = [0.0; HORIZONS];
    for (tracked, chances) in jobs.values().zip(chances) {
        let running = queue
            .jobs
            .get(tracked.place)
            .filter(|job| matches!(job.state, JobState::Running { .. }));
        for (freed, chance) in freed.iter_mut().zip(chances).filter(|_| running.is_some()) {
            *freed += f64::from(tracked.gpus()) * chance;
        }
    }
    freed
}

fn age_s(start_ms: i64, now: Now) -> f64 {
    now.wall_ms.saturating_sub(start_ms).max(0) as f64 / 1000.0
}

/// What a running job of this age is taken to draw, as a share of its prediction, before its racks are looked at.
fn assumed_share(tracked: &Tracked, age_s: f64, dipped: bool) -> f64 {
    if age_s < tracked.life.ramp_s {
        LOADING
    } else if dipped {
        tracked.rhythm.in_dip().max(0.01)
    } else {
        tracked.rhythm.level.max(0.02)
    }
}

impl Round<'_> {
    /// Compares what racks draw with what their jobs are taken to draw, and finds the jobs that are in a dip.
    fn share_out(&mut self, queue: &JobQueue, jobs: &Jobs, levels: &[Level]) {
        let ages: Vec<Option<f64>> = jobs
            .values()
            .map(|tracked| match queue.jobs.get(tracked.place)?.state {
                JobState::Running { start_ms } => Some(age_s(start_ms, self.now)),
                JobState::Starting { .. } | JobState::Pending { .. } => None,
            })
            .collect();
        let drawn = |dipped: &[bool]| {
            let mut sums = vec![0.0; levels.len()];
            for ((tracked, age_s), dipped) in jobs.values().zip(&ages).zip(dipped) {
                let Some(age_s) = age_s else { continue };
                let share = assumed_share(tracked, *age_s, *dipped);
                for placed in &tracked.placed {
                    if let Some(sum) = sums.get_mut(placed.rack) {
                        *sum += share * placed.mean_kw;
                    }
                }
            }
            sums
        };
        let above_idle = |(level, rack): (&Level, &crate::site::Rack)| {
            level
                .measured
                .then(|| (level.power_kw - rack.nameplate.idle_kw).max(0.0))
        };
        let measured: Vec<Option<f64>> = levels.iter().zip(&self.site.racks).map(above_idle).collect();
        let candidates: Vec<Option<Candidate<'_>>> = jobs
            .values()
            .zip(&ages)
            .map(|(tracked, age_s)| {
                let working = age_s.is_some_and(|age_s| age_s >= tracked.life.ramp_s);
                (working && tracked.rhythm.settled()).then(|| Candidate {
                    placed: &tracked.placed,
                    level: tracked.rhythm.level,
                    in_dip: tracked.rhythm.in_dip(),
                    was: tracked.rhythm.dipped(),
                })
            })
            .collect();
        let at_work = drawn(&vec![false; jobs.len()]);
        self.dipped = dips::find(&candidates, &at_work, &measured);
        let assumed = if self.dipped.contains(&true) {
            drawn(&self.dipped)
        } else {
            at_work
        };
        let ratio = |(measured, assumed): (Option<f64>, f64)| {
            (assumed > 1e-6).then(|| measured.map(|kw| kw / assumed)).flatten()
        };
        self.measured = measured.into_iter().zip(assumed).map(ratio).collect();
    }

    fn chances(&self, queue: &JobQueue, tracked: &Tracked, starts: &Starts) -> Chances {
        let Some(job) = queue.jobs.get(tracked.place) else {
            return [0.0; HORIZONS];
        };
        match job.state {
            JobState::Running { start_ms } => {
                let age_s = age_s(start_ms, self.now);
                let lasted_s = &tracked.life.lasted_s;
                HORIZONS_S.map(|ahead_s| self.lasting.end_chance(age_s, job.time_limit_s, lasted_s, ahead_s))
            }
            JobState::Starting { start_ms }
            | JobState::Pending {
                expected_start_ms: Some(start_ms),
            } => {
                let lead_s = start_ms.saturating_sub(self.now.wall_ms).max(0) as f64 / 1000.0;
                self.running_then(tracked, job, starts, |ahead_s| (ahead_s - lead_s).max(0.0))
            }
            JobState::Pending {
                expected_start_ms: None,
            } => {
                // It may start at any time: half-way stands for all.
                self.running_then(tracked, job, starts, |ahead_s| 0.5 * ahead_s)
            }
        }
    }

    /// The chance that a job which has not started runs then: it must start in time and not have ended again.
    fn running_then(&self, tracked: &Tracked, job: &Job, starts: &Starts, run_s: impl Fn(f64) -> f64) -> Chances {
        let mut chances = starts.chances(job, self.now);
        for (chance, ahead_s) in chances.iter_mut().zip(HORIZONS_S).filter(|(chance, _)| **chance > 0.0) {
            let ended = self
                .lasting
                .end_chance(0.0, job.time_limit_s, &tracked.life.lasted_s, run_s(ahead_s));
            *chance *= 1.0 - ended;
        }
        chances
    }

    fn run(&self, rollup: &mut Rollup, (index, tracked): (usize, &mut Tracked), job: &Job, ends: &Chances) {
        let JobState::Running { start_ms } = job.state else {
            return;
        };
        let (age_s, ramp_s) = (age_s(start_ms, self.now), tracked.life.ramp_s);
        let dipped = self.dipped.get(index).copied().unwrap_or(false);
        let assumed = assumed_share(tracked, age_s, dipped);
        let trust = ((age_s - ramp_s) / TRUST_S).clamp(0.0, 1.0);
        let (mut drawn_kw, mut predicted_kw) = (0.0, 0.0);
        for placed in &tracked.placed {
            if let Some(ratio) = self.measured.get(placed.rack).copied().flatten() {
                drawn_kw += ratio * assumed * placed.mean_kw;
                predicted_kw += placed.mean_kw;
            }
        }
        if predicted_kw <= 0.0 {
            return;
        }
        let share = drawn_kw / predicted_kw;
        let mut then = [0.0; HORIZONS];
        for (then, ahead_s) in then.iter_mut().zip(HORIZONS_S) {
            *then = if age_s + ahead_s < ramp_s {
                share
            } else {
                1.0 + trust * (tracked.rhythm.expect(share, ahead_s, self.now.mono_ms) - 1.0)
            };
        }
        let mut spread = Spread::default();
        for placed in &tracked.placed {
            let Some(ratio) = self.measured.get(placed.rack).copied().flatten() else {
                continue;
            };
            let rack = placed.rack;
            let (Some(changes), Some(high)) = (rollup.changes.get_mut(rack), rollup.high.get_mut(rack)) else {
                continue;
            };
            let part_kw = ratio * assumed * placed.mean_kw;
            let young_peak_kw = (1.0 - trust) * placed.peak_kw + trust * part_kw;
            let level_kw = (1.0 + trust * (tracked.rhythm.level - 1.0)) * placed.mean_kw;
            for h in 0..HORIZONS {
                let then_kw = then[h] * placed.mean_kw;
                changes[h].pace += then_kw - part_kw;
                changes[h].ends.0 -= then_kw * ends[h];
                changes[h].ends.1 -= if ends[h] > 0.5 { then_kw } else { 0.0 };
                high[h] += level_kw.max(part_kw).max(young_peak_kw) - part_kw;
            }
            spread.add(self.site, rollup, rack, part_kw.max(level_kw), ends);
        }
        spread.close(rollup, ends);
        self.learn(tracked, (age_s, ramp_s), (drawn_kw, share), dipped);
    }

    /// Learns from what a running job draws.
    fn learn(&self, tracked: &mut Tracked, (age_s, ramp_s): (f64, f64), (drawn_kw, share): (f64, f64), dipped: bool) {
        let first_s = *tracked.first_s.get_or_insert(age_s);
        if tracked.ramp_s.is_none() && first_s <= FROM_START_S && share > 0.5 && self.fills(tracked) {
            tracked.ramp_s = Some(age_s);
        }
        if age_s >= ramp_s {
            tracked.rhythm.observe(share, self.dt_s, self.now.mono_ms, dipped);
        }
        tracked.observed_s += self.dt_s;
        tracked.drawn_kws += drawn_kw * self.dt_s;
        tracked.peak_kw = tracked.peak_kw.max(drawn_kw);
    }

    /// Whether a job has most of its racks to itself.
    fn fills(&self, tracked: &Tracked) -> bool {
        let (mut gpus, mut all) = (0.0, 0.0);
        for placed in &tracked.placed {
            gpus += placed.gpus;
            all += self
                .site
                .racks
                .get(placed.rack)
                .map_or(0.0, |rack| f64::from(rack.nameplate.gpus));
        }
        gpus >= DOMINANT * all
    }

    fn start(&self, rollup: &mut Rollup, tracked: &Tracked, job: &Job, chances: &Chances, freed: &Course) {
        let gpus = f64::from(job.gpus);
        let free: f64 = rollup.free_gpus.iter().sum();
        let ramp_s = tracked.life.ramp_s;
        let start_ms = match job.state {
            JobState::Starting { start_ms } => Some(start_ms),
            JobState::Pending { expected_start_ms } => expected_start_ms,
            JobState::Running { .. } => None,
        };
        let lead_s = start_ms.map_or(0.0, |start_ms| {
            start_ms.saturating_sub(self.now.wall_ms) as f64 / 1000.0
        });
        let announced = matches!(job.state, JobState::Starting { .. });
        for (h, ahead_s) in HORIZONS_S.into_iter().enumerate() {
            let chance = chances[h];
            if chance <= 0.0 {
                continue;
            }
            // While it loads it draws little; an estimate is not exact enough to tell.
            let share = if announced && lead_s + ramp_s > ahead_s {
                LOADING
            } else {
                1.0
            };
            if tracked.placed.is_empty() {
                // Anywhere: in proportion to what is free, as far as there is room.
                let room = free + freed[h];
                let part = gpus.min(room) / room.max(1.0);
                let racks = rollup.changes.iter_mut().zip(&self.site.racks);
                for ((changes, rack), free) in racks.zip(&rollup.free_gpus) {
                    let added_kw = share * above_idle_kw(rack, part * free, tracked.power.mean_w);
                    changes[h].starts.0 += chance * added_kw;
                    changes[h].starts.1 += if chance > 0.5 { added_kw } else { 0.0 };
                }
                if chance >= LIKELY {
                    let (open_gpus, watts) = &mut rollup.open[h];
                    *open_gpus += gpus;
                    *watts = watts.max(tracked.power.peak_w);
                }
            }
            for placed in &tracked.placed {
                if let Some(changes) = rollup.changes.get_mut(placed.rack) {
                    changes[h].starts.0 += chance * share * placed.mean_kw;
                    changes[h].starts.1 += if chance > 0.5 { share * placed.mean_kw } else { 0.0 };
                }
                if let Some(high) = rollup.high.get_mut(placed.rack).filter(|_| chance >= LIKELY) {
                    high[h] += placed.peak_kw;
                }
            }
        }
        if tracked.placed.is_empty() {
            open_spread(self.site, rollup, tracked, gpus, chances);
        } else {
            let mut spread = Spread::default();
            for placed in &tracked.placed {
                spread.add(self.site, rollup, placed.rack, placed.mean_kw, chances);
            }
            spread.close(rollup, chances);
        }
    }
}

/// What one job adds to the variance of its CDUs: its racks come and go together.
#[derive(Default)]
struct Spread {
    cdu: usize,
    kw: f64,
}

impl Spread {
    fn add(&mut self, site: &Site, rollup: &mut Rollup, rack: usize, kw: f64, chances: &Chances) {
        let Some(cdu) = site.racks.get(rack).map(|rack| rack.cdu.0) else {
            return;
        };
        if let Some(variance) = rollup.rack_variance.get_mut(rack) {
            add_variance(variance, kw, chances);
        }
        if cdu != self.cdu {
            self.close(rollup, chances);
            self.cdu = cdu;
        }
        self.kw += kw;
    }

    fn close(&mut self, rollup: &mut Rollup, chances: &Chances) {
        if let Some(variance) = rollup.cdu_variance.get_mut(self.cdu) {
            add_variance(variance, self.kw, chances);
        }
        self.kw = 0.0;
    }
}

fn add_variance(variance: &mut Course, kw: f64, chances: &Chances) {
    for (variance, chance) in variance.iter_mut().zip(chances) {
        *variance += chance * (1.0 - chance) * kw * kw;
    }
}

/// A start whose place is open can come to any rack with room.
fn open_spread(site: &Site, rollup: &mut Rollup, tracked: &Tracked, gpus: f64, chances: &Chances) {
    let free: f64 = rollup.free_gpus.iter().sum();
    if free < 1.0 || chances.iter().all(|chance| *chance <= 0.01) {
        return;
    }
    for cdu in 0..site.cdus.len() {
        let (mut cdu_kw, mut cdu_free) = (0.0, 0.0);
        for id in &site.cdus[cdu].racks {
            let (Some(rack), Some(room)) = (site.racks.get(id.0), rollup.free_gpus.get(id.0).copied()) else {
                continue;
            };
            let kw = above_idle_kw(rack, gpus.min(room), tracked.power.mean_w);
            if let Some(variance) = rollup.rack_variance.get_mut(id.0) {
                add_variance(
                    variance,
                    kw,
                    &chances.map(|chance| chance * (gpus.min(room) / free).min(1.0)),
                );
            }
            cdu_kw += kw;
            cdu_free += room;
        }
        let at_most_kw = cdu_kw.min(cdu_kw / cdu_free.max(1.0) * gpus);
        if let Some(variance) = rollup.cdu_variance.get_mut(cdu) {
            add_variance(
                variance,
                at_most_kw,
                &chances.map(|chance| chance * (cdu_free / free).min(1.0)),
            );
        }
    }
}

/// The next likely starts, soonest first, as notes.
pub(super) fn expected_starts(queue: &JobQueue, jobs: &Jobs, starts: &Starts, now: Now, most: usize) -> Vec<String> {
    let mut expected: Vec<(i64, &Job, &Tracked)> = jobs
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
            (starts.chances(job, now)[HORIZONS - 1] >= LIKELY).then_some((start_ms, job, tracked))
        })
        .collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.id.cmp(&b.1.id)));
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
    expected.into_iter().take(most).map(note).collect()
}
