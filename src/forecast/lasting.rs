//! How long jobs run: the chance that a running job ends soon, from its age, its limit and what finished before.
//!
//! Three witnesses are heard. Without any, a job is as likely to last as long again as it has (a Pareto tail, the shape
//! of most published run times), or is spread evenly up to its limit. All finished jobs together tell the share of their
//! limit that jobs use, or their run times. The last runs of the same user and name count most, the more there are.

use super::features::LASTED;
use serde::{Deserialize, Serialize};

/// Steps of the share of the limit that was used.
const SHARES: usize = 40;

/// Steps of run times, from 8 s, and how many make an octave: jobs that repeat, or share a limit that nobody states, end
/// at the same age.
const TIMES: usize = 384;
const AN_OCTAVE: f64 = 24.0;

/// Jobs after which the older half counts half.
const MEMORY: f32 = 800.0;

/// Jobs that the assumption without witnesses counts for.
const PRIOR: f64 = 4.0;

/// Run times of finished jobs, as a share of the limit where they had one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Lasting {
    shares: Vec<f32>,
    times: Vec<f32>,
}

impl Lasting {
    /// Whether enough jobs have ended to tell.
    pub(super) fn tells(&self) -> bool {
        self.shares.iter().chain(&self.times).sum::<f32>() >= 20.0
    }

    /// Adds a finished job.
    pub(super) fn learn(&mut self, lasted_s: f64, limit_s: f64) {
        let (counts, bin, steps) = if limit_s > 0.0 {
            (&mut self.shares, share_bin(lasted_s / limit_s), SHARES)
        } else {
            (&mut self.times, time_bin(lasted_s), TIMES)
        };
        counts.resize(steps, 0.0);
        if let Some(count) = counts.get_mut(whole(bin)) {
            *count += 1.0;
        }
        if counts.iter().sum::<f32>() > MEMORY {
            for count in counts.iter_mut() {
                *count *= 0.5;
            }
        }
    }

    /// What these run times say beside the jobs that run now, of (age, limit) in s.
    ///
    /// Those that run have outlived their age: without them short jobs, which end first, would seem to be all there is.
    pub(super) fn outlook(&self, running: impl Iterator<Item = (f64, f64)>) -> Outlook {
        let mut outlook = Outlook {
            shares: Survival::of(&self.shares, SHARES),
            times: Survival::of(&self.times, TIMES),
        };
        for (age_s, limit_s) in running {
            if limit_s > 0.0 {
                outlook.shares.outlived(share_bin(age_s / limit_s));
            } else {
                outlook.times.outlived(time_bin(age_s));
            }
        }
        outlook.shares.sum();
        outlook.times.sum();
        outlook
    }
}

/// Run times in a form that answers at once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outlook {
    shares: Survival,
    times: Survival,
}

/// How many jobs reached each step, and how many ended in it or later.
#[derive(Debug, Clone, PartialEq)]
struct Survival {
    /// Ended in each step, then in each or later.
    ended: Vec<f64>,
    /// Run now at each step, then at each or later.
    running: Vec<f64>,
}

impl Survival {
    fn of(counts: &[f32], steps: usize) -> Self {
        let mut ended: Vec<f64> = counts.iter().map(|count| f64::from(*count)).collect();
        ended.resize(steps + 1, 0.0);
        Self {
            ended,
            running: vec![0.0; steps + 1],
        }
    }

    fn outlived(&mut self, place: f64) {
        if let Some(count) = self.running.get_mut(whole(place)) {
            *count += 1.0;
        }
    }

    fn sum(&mut self) {
        for counts in [&mut self.ended, &mut self.running] {
            let mut later = 0.0;
            for count in counts.iter_mut().rev() {
                later += *count;
                *count = later;
            }
        }
    }

    fn beyond(counts: &[f64], place: f64) -> f64 {
        let (step, part) = (whole(place), place - place.floor());
        let at = |step: usize| counts.get(step).copied().unwrap_or(0.0);
        (1.0 - part) * at(step) + part * at(step + 1)
    }

    /// Chance of an end between two places for one that has reached the first, with the assumption `prior`.
    fn hazard(&self, from: f64, until: f64, prior: f64) -> f64 {
        let (at, then) = (Self::beyond(&self.ended, from), Self::beyond(&self.ended, until));
        let risked = at + Self::beyond(&self.running, from);
        (at - then + PRIOR * prior.min(1.0)) / (risked + PRIOR)
    }
}

impl Outlook {
    /// The chance that a job of this age (s) ends within `ahead_s`. `lasted_s` are the run times of the last runs of its
    /// kind, 0 where there are fewer; `limit_s` is 0 for none.
    pub(super) fn end_chance(&self, age_s: f64, limit_s: f64, lasted_s: &[f32; LASTED], ahead_s: f64) -> f64 {
        let (age_s, then_s) = (age_s.max(0.0), age_s.max(0.0) + ahead_s);
        let general = if limit_s > 0.0 {
            if age_s >= limit_s {
                // Past its limit a job is being killed.
                return (ahead_s / 60.0).min(1.0);
            }
            let even = ahead_s / (limit_s - age_s).max(60.0);
            self.shares
                .hazard(share_bin(age_s / limit_s), share_bin(then_s / limit_s), even)
        } else {
            let pareto = ahead_s / (ahead_s + age_s + 600.0);
            self.times.hazard(time_bin(age_s), time_bin(then_s), pareto)
        };
        let (mut longer, mut ended, mut known) = (0.0, 0.0, 0.0);
        for lasted_s in lasted_s.iter().map(|s| f64::from(*s)).filter(|s| *s > 0.0) {
            known += 1.0;
            // The same job rarely takes the same time to the second.
            if 1.03 * lasted_s + 5.0 > age_s {
                longer += 1.0;
                ended += f64::from(1.03 * lasted_s + 5.0 <= then_s);
            }
        }
        if longer <= 0.0 {
            return general.clamp(0.0, 1.0);
        }
        // Having outlived its forerunners says that it is not like them.
        let weight = longer / (longer + 2.0) * longer / known;
        (general + weight * (ended / longer - general)).clamp(0.0, 1.0)
    }
}

/// Place of a share of the limit, in steps.
fn share_bin(share: f64) -> f64 {
    (share * (SHARES as f64 - 1.0)).clamp(0.0, SHARES as f64 - 1e-6)
}

/// Place of a run time, in steps.
fn time_bin(lasted_s: f64) -> f64 {
    (AN_OCTAVE * libm::log2(lasted_s.max(8.0) / 8.0)).clamp(0.0, TIMES as f64 - 1e-6)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the steps"
)]
fn whole(place: f64) -> usize {
    place as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: [f32; LASTED] = [0.0; LASTED];

    #[test]
    fn without_witnesses_the_limit_or_the_age_tells() {
        let nothing = Lasting::default().outlook(std::iter::empty());
        assert!((nothing.end_chance(0.0, 3600.0, &NONE, 900.0) - 0.25).abs() < 1e-9);
        assert!((nothing.end_chance(3600.0, 3600.0, &NONE, 60.0) - 1.0).abs() < 1e-9);
        assert!(nothing.end_chance(100_000.0, 0.0, &NONE, 900.0) < 0.01);
    }

    #[test]
    fn jobs_that_use_half_of_their_limit_are_found_out() {
        let mut lasting = Lasting::default();
        for _ in 0..200 {
            lasting.learn(5000.0, 10_000.0);
        }
        let lasting = lasting.outlook(std::iter::empty());
        assert!(lasting.end_chance(1000.0, 10_000.0, &NONE, 900.0) < 0.05);
        assert!(lasting.end_chance(4700.0, 10_000.0, &NONE, 900.0) > 0.8);
    }

    #[test]
    fn the_last_runs_of_the_same_kind_count_most() {
        let mut lasting = Lasting::default();
        for index in 0..100 {
            lasting.learn(100.0 * f64::from(index), 0.0);
        }
        let lasting = lasting.outlook(std::iter::empty());
        let same = [3000.0; LASTED];
        assert!(lasting.end_chance(2900.0, 0.0, &same, 900.0) > 0.7);
        assert!(lasting.end_chance(1000.0, 0.0, &same, 900.0) < 0.15);
        let outlived = lasting.end_chance(8000.0, 0.0, &same, 900.0);
        assert!((outlived - lasting.end_chance(8000.0, 0.0, &NONE, 900.0)).abs() < 1e-12);
    }

    #[test]
    fn jobs_that_still_run_count_as_having_outlived_the_short_ones() {
        let mut lasting = Lasting::default();
        for _ in 0..50 {
            lasting.learn(600.0, 0.0);
        }
        let alone = lasting.outlook(std::iter::empty()).end_chance(300.0, 0.0, &NONE, 600.0);
        let beside = lasting.outlook((0..200).map(|_| (50_000.0, 0.0)));
        assert!(
            alone > 0.9 && beside.end_chance(300.0, 0.0, &NONE, 600.0) < 0.3,
            "{alone}"
        );
    }

    proptest! {
        #[test]
        fn a_chance_is_one_and_grows_with_the_time(
            lasted in proptest::collection::vec((1.0..1e6_f64, prop_oneof![Just(0.0), 60.0..1e6_f64]), 0..50),
            age_s in 0.0..1e6_f64, limit_s in prop_oneof![Just(0.0), 60.0..1e6_f64], ahead_s in 1.0..3600.0_f64,
        ) {
            let mut lasting = Lasting::default();
            for (lasted_s, limit_s) in lasted {
                lasting.learn(lasted_s, limit_s);
            }
            let lasting = lasting.outlook([(500.0, 0.0), (500.0, 3600.0)].into_iter());
            let soon = lasting.end_chance(age_s, limit_s, &NONE, ahead_s);
            let later = lasting.end_chance(age_s, limit_s, &NONE, 2.0 * ahead_s);
            prop_assert!((0.0..=1.0).contains(&soon) && soon <= later + 1e-9, "{} {}", soon, later);
        }
    }
}
