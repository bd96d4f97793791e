//! Guards: when not to trust the forecast. Each demotes it one step, says why, and lets it return by itself when clean.
//!
//! | guard | trips | returns |
//! |---|---|---|
//! | foreign jobs | most GPUs of the queue belong to jobs unlike any that the model or the service knows | when they are fewer |
//! | drift | CUSUM of residuals that are worse than persistence and lie on one side | when it has run down |
//! | coverage | the interval has covered far less than its share | when it covers again |
//! | persistence | the same of persistence's own interval: nothing holds but plain feedback | when it covers again |
//!
//! While demoted, the forecast that is not trusted is still made and judged, which is how it comes clean.

use super::horizon::{Came, Horizon};
use crate::snapshot::{Demotion, Event, Guard, HORIZONS, Now, Severity};
use serde::{Deserialize, Serialize};

/// Share of the queue's GPUs on foreign jobs that trips, and that lets return.
const FOREIGN: (f64, f64) = (0.5, 0.3);
/// Share that intervals must cover not to trip, and to return, at a wanted share of 0.9.
const COVERED: (f64, f64) = (0.65, 0.8);
/// Outcomes before coverage is judged.
const JUDGED: u32 = 1000;
/// CUSUM of standardised residuals: allowance and limit (Page 1954). Neighbouring outcomes share their cause, so the limit
/// is that of some forty outcomes at the clip.
const ALLOWANCE: f64 = 0.5;
const LIMIT: f64 = 90.0;
const CLIP: f64 = 3.0;
/// Outcomes before drift is judged, and memory of their spread.
const SPREAD: f64 = 2000.0;
const FIRST: f64 = 100.0;
/// Clean time before a guard lets return, s.
const CLEAN_S: f64 = 600.0;
/// Horizon whose residuals are watched for drift: 15 min.
pub(super) const WATCHED: usize = 2;

/// One guard's state.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Latch {
    /// Since when it is tripped, and since when it is clean while tripped, monotonic ms.
    since_ms: Option<u64>,
    clean_ms: Option<u64>,
}

impl Latch {
    fn turn(&mut self, trips: bool, clean: bool, now: Now) {
        if self.since_ms.is_none() {
            if trips {
                *self = Self {
                    since_ms: Some(now.mono_ms),
                    clean_ms: None,
                };
            }
            return;
        }
        if !clean {
            self.clean_ms = None;
        } else if now.seconds_since(*self.clean_ms.get_or_insert(now.mono_ms)) >= CLEAN_S {
            *self = Self::default();
        }
    }
}

/// Page's CUSUM on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Cusum {
    up: f64,
    down: f64,
    spread: f64,
    count: f64,
}

impl Cusum {
    fn add(&mut self, came: Came) {
        let residual = came.residual;
        self.count = (self.count + 1.0).min(SPREAD);
        self.spread += (residual.abs() - self.spread) / self.count;
        if self.count < FIRST {
            return;
        }
        // No fault of the queue where persistence is off as well.
        let worse = residual.abs() > came.still.abs();
        let standard = if worse {
            (residual / (1.25 * self.spread).max(1e-3)).clamp(-CLIP, CLIP)
        } else {
            0.0
        };
        self.up = (self.up + standard - ALLOWANCE).clamp(0.0, 1.5 * LIMIT);
        self.down = (self.down - standard - ALLOWANCE).clamp(0.0, 1.5 * LIMIT);
    }

    fn worst(&self) -> f64 {
        self.up.max(self.down)
    }
}

/// All guards.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Guards {
    latches: [Latch; 4],
    cusum: Cusum,
}

impl Guards {
    /// Hears how a forecast from the queue came out at [`WATCHED`].
    pub(super) fn hear(&mut self, came: Came) {
        self.cusum.add(came);
    }

    /// Judges, and answers what is demoted now. `gpus` are those of all jobs and those of foreign ones; `None` without a
    /// queue, which clears nothing and trips nothing.
    pub(super) fn judge(
        &mut self,
        gpus: Option<(f64, f64)>,
        queue: &[Horizon; HORIZONS],
        persistence: &[Horizon; HORIZONS],
        coverage: f64,
        now: Now,
    ) -> Vec<Demotion> {
        let foreign = gpus.filter(|(all, _)| *all > 0.0).map(|(all, foreign)| foreign / all);
        let (low, fair) = (COVERED.0 * coverage / 0.9, COVERED.1 * coverage / 0.9);
        let (of_queue, of_persistence) = (covered(queue), covered(persistence));
        let worst = self.cusum.worst();
        let [jobs, drift, cover, still] = &mut self.latches;
        if let Some(foreign) = foreign {
            jobs.turn(foreign > FOREIGN.0, foreign < FOREIGN.1, now);
        }
        if gpus.is_some() {
            drift.turn(worst > LIMIT, worst < 0.25 * LIMIT, now);
            cover.turn(of_queue < low, of_queue > fair, now);
        }
        still.turn(of_persistence < low, of_persistence > fair, now);
        let why = |guard: Guard| match guard {
            Guard::ForeignJobs => format!(
                "{:.0} % of the GPUs in the queue belong to jobs unlike any that the model knows: train it on the site's own jobs",
                100.0 * foreign.unwrap_or(0.0)
            ),
            Guard::Drift => format!(
                "forecasts of {:.0} min have been off to one side for long (CUSUM {worst:.0}, limit {LIMIT:.0}): check nodes and feed, or train anew",
                crate::snapshot::HORIZONS_S[WATCHED] / 60.0
            ),
            Guard::Coverage => format!(
                "the interval covered {:.0} % of late, not {:.0} %: rack power alone is trusted",
                100.0 * of_queue,
                100.0 * coverage
            ),
            Guard::Persistence => format!(
                "the interval of rack power covered {:.0} % of late, not {:.0} %: the rating is the bound",
                100.0 * of_persistence,
                100.0 * coverage
            ),
        };
        let tripped = Guard::ALL.into_iter().zip(&self.latches);
        tripped
            .filter_map(|(guard, latch)| {
                latch.since_ms.map(|since_ms| Demotion {
                    guard,
                    since_ms,
                    why: why(guard),
                })
            })
            .collect()
    }
}

/// The share covered of late at [`WATCHED`], 1 until enough outcomes tell.
fn covered(horizons: &[Horizon; HORIZONS]) -> f64 {
    let (covered, judged) = horizons[WATCHED].interval.covered();
    if judged >= JUDGED { covered } else { 1.0 }
}

/// What to tell of guards that tripped or came clean.
pub(super) fn events(before: &[Guard], demotions: &[Demotion]) -> Vec<Event> {
    let tripped = demotions
        .iter()
        .filter(|demotion| !before.contains(&demotion.guard))
        .map(|demotion| Event {
            severity: Severity::Warning,
            code: "forecast_demoted".into(),
            subject: "forecast".into(),
            text: demotion.why.clone(),
        });
    let cleared = before
        .iter()
        .filter(|guard| demotions.iter().all(|demotion| demotion.guard != **guard));
    let restored = cleared.map(|guard| Event {
        severity: Severity::Info,
        code: "forecast_restored".into(),
        subject: "forecast".into(),
        text: format!("the guard `{}` is clean again", guard.name()),
    });
    tripped.chain(restored).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::interval::Side;

    fn at(s: u64) -> Now {
        Now {
            mono_ms: 1000 * s,
            wall_ms: 0,
            utc_offset_s: 0,
        }
    }

    fn names(demotions: &[Demotion]) -> Vec<Guard> {
        demotions.iter().map(|demotion| demotion.guard).collect()
    }

    #[test]
    fn foreign_jobs_demote_and_known_ones_restore() {
        let (mut guards, still) = (Guards::default(), <[Horizon; HORIZONS]>::default());
        let mut judge = |gpus, s| guards.judge(gpus, &still, &still, 0.9, at(s));
        assert!(judge(Some((100.0, 40.0)), 0).is_empty());
        let demoted = judge(Some((100.0, 60.0)), 5);
        assert_eq!(names(&demoted), [Guard::ForeignJobs]);
        assert!(demoted[0].why.starts_with("60 % of the GPUs"));
        assert_eq!(judge(Some((100.0, 40.0)), 10).len(), 1, "not yet clean");
        assert_eq!(judge(None, 20).len(), 1, "nothing known clears nothing");
        assert_eq!(judge(Some((100.0, 0.0)), 30).len(), 1);
        assert_eq!(judge(Some((100.0, 0.0)), 600).len(), 1, "clean for too short a time");
        assert!(judge(Some((100.0, 0.0)), 631).is_empty());
    }

    #[test]
    fn a_bias_trips_the_cusum_and_its_end_clears_it() {
        let (mut guards, still) = (Guards::default(), <[Horizon; HORIZONS]>::default());
        for step in 0..500 {
            let residual = if step % 2 == 0 { 0.02 } else { -0.02 };
            guards.hear(Came { residual, still: 0.0 });
        }
        assert!(guards.judge(Some((1.0, 0.0)), &still, &still, 0.9, at(0)).is_empty());
        for _ in 0..80 {
            guards.hear(Came {
                residual: 0.1,
                still: 0.01,
            });
        }
        let demoted = guards.judge(Some((1.0, 0.0)), &still, &still, 0.9, at(5));
        assert_eq!(names(&demoted), [Guard::Drift]);
        for _ in 0..300 {
            guards.hear(Came {
                residual: 0.0,
                still: 0.01,
            });
        }
        guards.judge(Some((1.0, 0.0)), &still, &still, 0.9, at(10));
        assert!(guards.judge(Some((1.0, 0.0)), &still, &still, 0.9, at(700)).is_empty());
    }

    #[test]
    fn a_swing_that_persistence_misses_too_is_no_drift() {
        let mut guards = Guards::default();
        let still = <[Horizon; HORIZONS]>::default();
        for step in 0..2000 {
            let residual = if step > 1000 { 0.2 } else { 0.01 };
            guards.hear(Came { residual, still: 0.3 });
        }
        assert!(guards.judge(Some((1.0, 0.0)), &still, &still, 0.9, at(0)).is_empty());
    }

    #[test]
    fn an_interval_that_does_not_hold_demotes_to_the_next_step() {
        let mut bad = <[Horizon; HORIZONS]>::default();
        for _ in 0..1200 {
            bad[WATCHED].interval.learn(0.5, Side::Above, 0.9);
        }
        let good = <[Horizon; HORIZONS]>::default();
        let mut guards = Guards::default();
        assert_eq!(
            names(&guards.judge(Some((1.0, 0.0)), &bad, &good, 0.9, at(0))),
            [Guard::Coverage]
        );
        assert_eq!(
            names(&Guards::default().judge(None, &good, &bad, 0.9, at(0))),
            [Guard::Persistence]
        );
        let events = events(
            &[Guard::Drift],
            &guards.judge(Some((1.0, 0.0)), &bad, &good, 0.9, at(5)),
        );
        assert_eq!(events.len(), 2);
        assert!(events.iter().any(|event| event.code == "forecast_restored"));
    }
}
