//! A job as submitted, and its true utilisation over its life.

use crate::random::{mix, unit_interval};
use serde::{Deserialize, Serialize};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobClass {
    /// Many racks in step: all start, dip for checkpoints and fail together.
    Pretraining,
    /// A few nodes, with pauses for evaluation.
    FineTuning,
    /// Short bursts.
    Evaluation,
    /// A service that follows its users through the day.
    Inference,
}

/// A job as submitted. What only time will tell, its run time and power, stays inside the simulator.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The scheduler's number.
    pub id: u64,
    /// User.
    pub user: String,
    /// Account.
    pub account: String,
    /// Job name.
    pub name: String,
    /// Partition.
    pub partition: String,
    /// GPUs in all.
    pub gpus: u32,
    /// Time limit asked for, s.
    pub time_limit_s: f64,
    /// Submit time, s.
    pub submit_s: f64,
    /// True run time, s.
    pub(crate) run_s: f64,
    /// True utilisation.
    pub(crate) profile: Profile,
}

/// Utilisation of a job's GPUs over its life: 0 is idle, 1 the rated rack power.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Profile {
    /// What it does.
    pub class: JobClass,
    /// Utilisation at work, 0 to 1.
    pub level: f64,
    /// Time from one checkpoint, evaluation or burst to the next, s.
    pub period_s: f64,
    /// Length of the dip in each period, s.
    pub dip_s: f64,
    /// Failures: (time since start, time until all nodes are back), s.
    pub failures: Vec<(f64, f64)>,
    /// Seed of what is random in it.
    pub seed: u64,
}

/// The node's own preparation before any load, s: the start is known this long before the power moves.
pub(super) const PROLOG_S: f64 = 20.0;
/// Loading data and building the model before the first step of all nodes together, s.
const LOADING_S: f64 = 60.0;
/// Time from loading to full load, s.
const STEP_S: f64 = 4.0;
/// Utilisation while loading, and in a dip.
const LOADING: f64 = 0.12;
/// See `LOADING`.
const DIP: f64 = 0.25;

impl Profile {
    /// Utilisation `since_s` seconds after the start, at `hour` of the day (0 to 24).
    pub(crate) fn utilisation(&self, since_s: f64, hour: f64) -> f64 {
        let working_s = since_s - PROLOG_S - LOADING_S;
        if since_s < PROLOG_S {
            return 0.0;
        }
        if working_s < 0.0 {
            return LOADING * self.level;
        }
        if let Some((from, lasts)) = self
            .failures
            .iter()
            .find(|(from, lasts)| since_s >= *from && since_s < from + lasts)
        {
            // The job dies at once; its nodes load again in the last minute before they are back.
            return if since_s > from + lasts - LOADING_S {
                LOADING * self.level
            } else {
                0.02
            };
        }
        let rise = (working_s / STEP_S).min(1.0);
        let level = LOADING + rise * (1.0 - LOADING);
        self.level * level * self.rhythm(working_s, hour) * (1.0 + 0.03 * self.flutter(since_s))
    }

    /// Share of the level at work, by class.
    fn rhythm(&self, working_s: f64, hour: f64) -> f64 {
        let phase_s = working_s % self.period_s;
        let in_dip = working_s > self.period_s && phase_s < self.dip_s;
        match self.class {
            JobClass::Pretraining | JobClass::FineTuning => {
                if in_dip {
                    DIP
                } else {
                    1.0
                }
            }
            JobClass::Evaluation => {
                if phase_s < 0.6 * self.period_s {
                    1.0
                } else {
                    0.45
                }
            }
            JobClass::Inference => {
                let evening = -libm::cos(core::f64::consts::TAU * (hour - 3.5) / 24.0);
                0.62 + 0.38 * evening + 0.06 * self.flutter(working_s / 20.0)
            }
        }
    }

    /// Noise in -1 to 1 that changes every 15 s.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds of a job's life"
    )]
    fn flutter(&self, since_s: f64) -> f64 {
        2.0 * unit_interval(mix(self.seed ^ (since_s / 15.0) as u64)) - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(class: JobClass) -> Profile {
        Profile {
            class,
            level: 0.9,
            period_s: 1200.0,
            dip_s: 40.0,
            failures: vec![(5000.0, 300.0)],
            seed: 9,
        }
    }

    #[test]
    fn pretraining_steps_up_in_seconds_dips_and_fails() {
        let p = profile(JobClass::Pretraining);
        assert!(p.utilisation(10.0, 12.0) <= 0.0, "the prolog draws nothing");
        assert!(p.utilisation(70.0, 12.0) < 0.2);
        assert!(p.utilisation(90.0, 12.0) > 0.85, "all nodes step together");
        assert!(p.utilisation(80.0 + 1210.0, 12.0) < 0.3, "checkpoint");
        assert!(p.utilisation(80.0 + 1260.0, 12.0) > 0.85);
        assert!(p.utilisation(5010.0, 12.0) < 0.05, "failure");
        assert!(p.utilisation(5400.0, 12.0) > 0.85, "restart");
    }

    #[test]
    fn inference_follows_the_day() {
        let p = profile(JobClass::Inference);
        assert!(p.utilisation(8000.0, 15.5) > 2.0 * p.utilisation(8000.0, 3.5));
    }
}
