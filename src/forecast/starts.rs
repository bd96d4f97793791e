//! When pending jobs start: the scheduler's own estimates, corrected by how they came true.
//!
//! Estimates rest on time limits and move with every job that ends early, so they are mostly late; where starts are
//! planned, they are exact. For each class of lead (the time to the stated start) it is counted how often jobs that
//! entered it were running when each horizon had passed. A start that does not come is no longer counted on.

use crate::snapshot::{HORIZONS, HORIZONS_S, Job, JobState, Now};
use serde::{Deserialize, Serialize};

/// A start that has not come this long after it was expected is no longer counted on, s.
pub(super) const OVERDUE_S: f64 = 300.0;

/// Most that a start by the scheduler's own estimate is believed before it was seen to keep its word.
const ESTIMATE: f64 = 0.9;

/// Entries that the assumption counts for.
const PRIOR: f64 = 3.0;

/// Entries after which the older half counts half.
const MEMORY: f32 = 100.0;

/// Classes of lead: due now, within each horizon, later, and without a statement.
const CLASSES: usize = HORIZONS + 3;

/// How estimates came true.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Starts {
    /// Entries by class, and how many of them ran within each horizon.
    seen: [f32; CLASSES],
    ran: [[f32; HORIZONS]; CLASSES],
}

/// When a pending job entered each class, wall ms.
pub(super) type Waits = Vec<(u8, i64)>;

/// The class of a pending job; `None` where it runs, is announced or is overdue.
fn class(job: &Job, now: Now) -> Option<usize> {
    let JobState::Pending { expected_start_ms } = job.state else {
        return None;
    };
    let Some(start_ms) = expected_start_ms else {
        return Some(CLASSES - 1);
    };
    let lead_s = start_ms.saturating_sub(now.wall_ms) as f64 / 1000.0;
    if lead_s < -OVERDUE_S {
        return None;
    }
    if lead_s <= 0.0 {
        return Some(0);
    }
    let within = HORIZONS_S.iter().position(|horizon_s| lead_s <= *horizon_s);
    Some(within.map_or(HORIZONS + 1, |index| index + 1))
}

impl Starts {
    /// Notes the class that a pending job is in.
    pub(super) fn watch(waits: &mut Waits, job: &Job, now: Now) {
        let Some(class) = class(job, now).and_then(|class| u8::try_from(class).ok()) else {
            return;
        };
        if !waits.iter().any(|(known, _)| *known == class) {
            waits.push((class, now.wall_ms));
        }
    }

    /// Learns from a job that started at `start_ms`.
    pub(super) fn learn(&mut self, waits: &Waits, start_ms: i64) {
        for (class, since_ms) in waits {
            let class = usize::from(*class);
            let (Some(seen), Some(ran)) = (self.seen.get_mut(class), self.ran.get_mut(class)) else {
                continue;
            };
            if *seen >= MEMORY {
                *seen *= 0.5;
                for count in ran.iter_mut() {
                    *count *= 0.5;
                }
            }
            *seen += 1.0;
            let waited_s = start_ms.saturating_sub(*since_ms) as f64 / 1000.0;
            for (count, horizon_s) in ran.iter_mut().zip(HORIZONS_S) {
                // A queue is read every few seconds; a start on the border came in time.
                *count += if waited_s <= horizon_s + 10.0 { 1.0 } else { 0.0 };
            }
        }
    }

    /// The chance that a job which does not run yet runs when each horizon has passed.
    pub(super) fn chances(&self, job: &Job, now: Now) -> [f64; HORIZONS] {
        let lead_s = |start_ms: i64| start_ms.saturating_sub(now.wall_ms) as f64 / 1000.0;
        match job.state {
            JobState::Starting { start_ms } if lead_s(start_ms) > -OVERDUE_S => {
                HORIZONS_S.map(|ahead_s| f64::from(lead_s(start_ms) <= ahead_s))
            }
            JobState::Pending { expected_start_ms } => {
                let Some(class) = class(job, now) else {
                    return [0.0; HORIZONS];
                };
                let assumed = |ahead_s: f64| {
                    expected_start_ms.map_or(0.0, |start_ms| {
                        // The farther the start, the more its estimate will move.
                        let spread_s = (0.3 * lead_s(start_ms).abs()).max(60.0);
                        ESTIMATE * (0.5 + 0.5 * (ahead_s - lead_s(start_ms)) / spread_s).clamp(0.0, 1.0)
                    })
                };
                let (seen, ran) = (f64::from(self.seen[class]), self.ran[class]);
                let mut chances = [0.0; HORIZONS];
                for ((chance, ran), ahead_s) in chances.iter_mut().zip(ran).zip(HORIZONS_S) {
                    *chance = (f64::from(ran) + PRIOR * assumed(ahead_s)) / (seen + PRIOR);
                }
                chances
            }
            JobState::Starting { .. } | JobState::Running { .. } => [0.0; HORIZONS],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: f64) -> Now {
        Now {
            mono_ms: 0,
            #[expect(clippy::cast_possible_truncation, reason = "seconds of a test")]
            wall_ms: (1000.0 * s) as i64,
            utc_offset_s: 0,
        }
    }

    fn pending(expected_s: Option<f64>) -> Job {
        Job {
            id: "1".into(),
            state: JobState::Pending {
                expected_start_ms: expected_s.map(|s| at(s).wall_ms),
            },
            user: String::new(),
            account: String::new(),
            name: String::new(),
            partition: String::new(),
            gpus: 1,
            node_count: 1,
            nodes: vec![],
            submit_ms: 0,
            time_limit_s: 0.0,
        }
    }

    /// Forty jobs whose start is stated as `stated_s` after they are submitted and comes after `true_s`.
    fn taught(stated_s: Option<f64>, true_s: f64) -> Starts {
        let mut starts = Starts::default();
        for _ in 0..40 {
            let (mut waits, job) = (Waits::new(), pending(stated_s));
            let mut s = 0.0;
            while s < true_s {
                Starts::watch(&mut waits, &job, at(s));
                s += 5.0;
            }
            starts.learn(&waits, at(true_s).wall_ms);
        }
        starts
    }

    #[test]
    fn statements_that_are_kept_become_certain() {
        let starts = taught(Some(1800.0), 1800.0);
        let chances = starts.chances(&pending(Some(1800.0)), at(0.0));
        assert!(chances[2] < 0.05 && chances[3] > 0.9, "{chances:?}");
        let chances = starts.chances(&pending(Some(1800.0)), at(1600.0));
        assert!(chances[0] < 0.1 && chances[1] > 0.9, "{chances:?}");
    }

    #[test]
    fn starts_that_come_early_or_without_a_statement_are_expected_early() {
        let early = taught(Some(7200.0), 600.0).chances(&pending(Some(7200.0)), at(0.0));
        assert!(early[1] < 0.1 && early[2] > 0.9, "{early:?}");
        let unstated = taught(None, 200.0).chances(&pending(None), at(0.0));
        assert!(unstated[0] < 0.1 && unstated[1] > 0.9, "{unstated:?}");
    }

    #[test]
    fn an_overdue_start_is_no_longer_counted_on() {
        let chances = Starts::default().chances(&pending(Some(0.0)), at(OVERDUE_S + 1.0));
        assert!(chances.iter().all(|chance| *chance <= 0.0));
    }
}
