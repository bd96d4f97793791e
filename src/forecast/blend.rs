//! Which course to believe: several forecasts of one quantity, weighed by how they did of late.
//!
//! The weights are inverse powers of the recent mean absolute errors (Bates and Granger 1969, with a high power, so that
//! the best counts nearly alone). Staying as it is, persistence, is always among them: a queue that tells nothing of the
//! heat makes the forecast no worse than that.

use serde::{Deserialize, Serialize};

/// Forecasts that are weighed, see [`courses`].
pub(super) const COURSES: usize = 8;

/// How sharply errors decide: squarings of their ratio, which make its 64th power.
const SQUARINGS: usize = 6;

/// Outcomes after which the older count less than half.
const MEMORY: f64 = 2000.0;

/// Outcomes that the assumption of equal errors counts for.
const PRIOR: f64 = 24.0;

/// An outcome tells which course is better where they differ by more than this, as a share of the rating, and by more than
/// half of what persistence is usually off: in quiet hours all are alike, and say nothing of the next start.
const APART: f64 = 0.002;

/// Recent errors of each course, as a share of the rating.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Blend {
    errors: [f32; COURSES],
    count: f32,
    /// Mean absolute error of persistence, over all outcomes, and how many there were.
    usual: f32,
    outcomes: f32,
}

/// What a queue says of an item at one horizon, as changes from the present, kW.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Changes {
    /// By the ramps and rhythms of the jobs that run.
    pub(super) pace: f64,
    /// By starts: expected, and if what is likelier than not happens.
    pub(super) starts: (f64, f64),
    /// The same by ends; not positive.
    pub(super) ends: (f64, f64),
}

impl Changes {
    /// A share of them.
    pub(super) fn times(&self, share: f64) -> Self {
        Self {
            pace: share * self.pace,
            starts: (share * self.starts.0, share * self.starts.1),
            ends: (share * self.ends.0, share * self.ends.1),
        }
    }

    /// Adds those of another item.
    pub(super) fn add(&mut self, other: &Self) {
        self.pace += other.pace;
        self.starts.0 += other.starts.0;
        self.starts.1 += other.starts.1;
        self.ends.0 += other.ends.0;
        self.ends.1 += other.ends.1;
    }
}

/// The courses of an item at one horizon, kW: persistence; what is expected; what is likely; both by half; and with starts
/// alone, ends alone, or neither. Where one job takes over from another, starts and ends are best left out together.
pub(super) fn courses(still: f64, changes: &Changes) -> [f64; COURSES] {
    let Changes { pace, starts, ends } = *changes;
    let calm = still + pace;
    [
        still,
        calm + starts.0 + ends.0,
        calm + starts.1 + ends.1,
        calm + 0.5 * (starts.0 + ends.0),
        calm + 0.5 * (starts.1 + ends.1),
        calm + starts.1,
        calm + ends.1,
        calm,
    ]
}

impl Blend {
    /// Adds an outcome: the error of each course as a share of the rating.
    pub(super) fn learn(&mut self, errors: [f64; COURSES]) {
        self.outcomes = narrow((f64::from(self.outcomes) + 1.0).min(MEMORY));
        let usual = f64::from(self.usual);
        self.usual = narrow(usual + (errors[0].abs() - usual) / f64::from(self.outcomes));
        let apart = errors
            .iter()
            .fold(0.0, |most: f64, error| most.max((error - errors[0]).abs()));
        if apart <= (0.5 * usual).max(APART) {
            return;
        }
        let weight = 1.0 / (f64::from(self.count) + 1.0).min(MEMORY);
        for (known, error) in self.errors.iter_mut().zip(errors) {
            *known = narrow(f64::from(*known) + weight * (error.abs() - f64::from(*known)));
        }
        self.count = narrow((f64::from(self.count) + 1.0).min(MEMORY));
    }

    /// Weights of the courses, of sum 1. With nothing known the expected course is believed.
    pub(super) fn weights(&self) -> [f64; COURSES] {
        let least = self
            .errors
            .iter()
            .fold(f32::INFINITY, |least, error| least.min(*error))
            .max(1e-6);
        let known = f64::from(self.count) / (f64::from(self.count) + PRIOR);
        let weight = |error: &f32| {
            let ratio = f64::from(*error).max(1e-6) / f64::from(least);
            let worse = (0..SQUARINGS).fold(ratio, |power, _| power * power);
            1.0 / worse
        };
        let earned: Vec<f64> = self.errors.iter().map(weight).collect();
        let sum: f64 = earned.iter().sum();
        let mut weights = [0.0; COURSES];
        for (index, (weight, earned)) in weights.iter_mut().zip(earned).enumerate() {
            let assumed = f64::from(index == 1);
            *weight = (1.0 - known) * assumed + known * earned / sum.max(1e-300);
        }
        weights
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for an error")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_course_wins_and_a_useless_queue_leaves_persistence() {
        let mut blend = Blend::default();
        assert!((blend.weights()[1] - 1.0).abs() < 1e-12);
        for _ in 0..500 {
            blend.learn([0.10, 0.05, 0.02, 0.07, 0.06, 0.09, 0.09, 0.1]);
        }
        assert!(blend.weights()[2] > 0.9, "{:?}", blend.weights());
        for _ in 0..5000 {
            blend.learn([0.01, 0.05, 0.04, 0.03, 0.025, 0.03, 0.03, 0.02]);
        }
        assert!(blend.weights()[0] > 0.9, "{:?}", blend.weights());
        assert!((blend.weights().iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn quiet_hours_do_not_speak_for_persistence() {
        let mut blend = Blend::default();
        for _ in 0..200 {
            blend.learn([0.2, 0.02, 0.02, 0.1, 0.1, 0.02, 0.2, 0.2]);
        }
        let before = blend.weights();
        for step in 0..10_000 {
            let noise = if step % 2 == 0 { 0.01 } else { -0.01 };
            blend.learn([noise; COURSES].map(|error| error * 1.01));
        }
        assert!(before.iter().zip(blend.weights()).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
