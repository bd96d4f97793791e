//! Calibrated intervals: adaptive conformal inference with two sides, one for each horizon.
//!
//! Residuals of forecasts, divided by how uncertain each was held to be, join a ring of recent ones; the bounds are the
//! forecast plus their conformal quantiles. The levels of the quantiles follow the misses (Gibbs and Candes 2021:
//! alpha += gamma (target - miss)), because the load's habits change. The upper side answers for half of the misses, the
//! lower side for those of both together: where the upper bound may not come down further (it never lies below the present
//! or below an announced start), the lower one takes what is left, so that the interval as a whole covers its share.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Residuals kept for each horizon.
const KEPT: usize = 384;

/// Step of the levels for each residual.
const GAMMA: f64 = 0.012;

/// How far the levels may go below 0, where the bounds reach beyond every residual that is remembered, and above.
const LEVELS: (f64, f64) = (-0.5, 0.5);

/// Growth of a bound beyond the extreme residual for each unit of level below 0.
const GROWTH: f64 = 10.0;

/// Fewest residuals from which bounds are taken.
const FEWEST: usize = 20;

/// Memory of the share that is covered, in residuals.
const RECENT: f64 = 1000.0;

/// The bounds of one forecast at one horizon.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Interval {
    /// Levels at which the quantiles are taken, below and above; `None` until the first residual.
    levels: Option<(f64, f64)>,
    /// Recent residuals, oldest first, and the same in order of size.
    recent: VecDeque<f32>,
    sorted: Vec<f32>,
    /// Share that was covered of late, and how many it rests on.
    covered: f64,
    judged: u32,
}

/// Where an outcome lay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Below,
    Within,
    Above,
}

impl Interval {
    /// What to add to a forecast for its lower and its upper bound, in units of its uncertainty; infinite while too little
    /// is known to tell.
    pub(super) fn margins(&self, coverage: f64) -> (f64, f64) {
        let (low, high) = self.levels.unwrap_or_else(|| start(coverage));
        let n = self.sorted.len();
        let (Some(least), Some(most)) = (self.sorted.first(), self.sorted.last()) else {
            return (f64::NEG_INFINITY, f64::INFINITY);
        };
        if n < FEWEST {
            return (f64::NEG_INFINITY, f64::INFINITY);
        }
        // Where the level asks for more than is remembered, the bound grows until it holds.
        let beyond = |extreme: f32, level: f64| f64::from(extreme) * (1.0 + GROWTH * (1.0 / (n as f64 + 1.0) - level));
        let lower = conformal_rank(n, low).and_then(|rank| self.sorted.get(n - rank));
        let upper = conformal_rank(n, high).and_then(|rank| self.sorted.get(rank - 1));
        (
            lower.map_or_else(|| beyond(*least, low), |residual| f64::from(*residual)),
            upper.map_or_else(|| beyond(*most, high), |residual| f64::from(*residual)),
        )
    }

    /// Learns from an outcome: its residual in units of its uncertainty, and where it lay.
    pub(super) fn learn(&mut self, residual: f64, side: Side, coverage: f64) {
        let (low, high) = self.levels.unwrap_or_else(|| start(coverage));
        let miss = 1.0 - coverage;
        let (any, above) = (f64::from(side != Side::Within), f64::from(side == Side::Above));
        self.levels = Some((
            (low + GAMMA * (miss - any)).clamp(LEVELS.0, LEVELS.1),
            (high + GAMMA * (0.5 * miss - above)).clamp(LEVELS.0, LEVELS.1),
        ));
        self.judged = self.judged.saturating_add(1);
        self.covered += (1.0 - any - self.covered) / f64::from(self.judged).min(RECENT);
        self.keep(residual);
    }

    /// Share that was covered of late, and how many outcomes it rests on.
    pub(super) fn covered(&self) -> (f64, u32) {
        (self.covered, self.judged)
    }

    fn keep(&mut self, residual: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a residual")]
        let residual = residual as f32;
        if self.recent.len() >= KEPT
            && let Some(oldest) = self.recent.pop_front()
        {
            let place = self.sorted.partition_point(|known| known.total_cmp(&oldest).is_lt());
            if place < self.sorted.len() {
                self.sorted.remove(place);
            }
        }
        self.recent.push_back(residual);
        let place = self.sorted.partition_point(|known| known.total_cmp(&residual).is_lt());
        self.sorted.insert(place, residual);
    }
}

/// Both sides share the misses at first.
const fn start(coverage: f64) -> (f64, f64) {
    (0.5 * (1.0 - coverage), 0.5 * (1.0 - coverage))
}

/// Rank, from 1, of the residual that bounds `n` earlier ones and the next with a miss of at most `alpha`;
/// `None` where so few cannot tell (split conformal prediction: the smallest k with k >= (n + 1)(1 - alpha)).
fn conformal_rank(n: usize, alpha: f64) -> Option<usize> {
    // Products such as 200 x 0.95 may come out a hair above the whole number that they are.
    let rank = ((n as f64 + 1.0) * (1.0 - alpha) - 1e-9).ceil().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most n")]
    (rank <= n as f64).then_some(rank as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_are_those_of_the_literature() {
        assert_eq!(conformal_rank(99, 0.1), Some(90));
        assert_eq!(conformal_rank(50, 0.1), Some(46));
        assert_eq!(conformal_rank(199, 0.05), Some(190));
        assert_eq!(conformal_rank(8, 0.1), None);
    }

    fn uniform() -> impl FnMut() -> f64 {
        let mut random = 42_u64;
        move || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    /// Share of residuals within the bounds in each stretch of `stretch`; the upper bound never lies below `floor`.
    fn coverage(residuals: &[f64], stretch: usize, floor: f64) -> Vec<f64> {
        let (mut interval, mut inside) = (Interval::default(), Vec::new());
        for residual in residuals {
            let (lower, upper) = interval.margins(0.9);
            let side = if *residual < lower {
                Side::Below
            } else if *residual > upper.max(floor) {
                Side::Above
            } else {
                Side::Within
            };
            inside.push(f64::from(side == Side::Within));
            interval.learn(*residual, side, 0.9);
        }
        inside
            .chunks_exact(stretch)
            .map(|chunk| chunk.iter().sum::<f64>() / stretch as f64)
            .collect()
    }

    #[test]
    fn every_stretch_is_covered_though_the_habits_change() {
        let mut draw = uniform();
        let residuals: Vec<f64> = (0..6000)
            .map(|step| {
                let scale = if (step / 2000) % 2 == 0 { 1.0 } else { 4.0 };
                scale * (draw() + draw() + draw() - 1.2)
            })
            .collect();
        for covered in coverage(&residuals, 1000, f64::NEG_INFINITY) {
            assert!((covered - 0.9).abs() < 0.02, "{covered}");
        }
    }

    #[test]
    fn the_lower_side_takes_what_the_upper_may_not() {
        let mut draw = uniform();
        let residuals: Vec<f64> = (0..4000).map(|_| draw() - 0.5).collect();
        for covered in coverage(&residuals, 1000, 0.6).iter().skip(1) {
            assert!((covered - 0.9).abs() < 0.02, "{covered}");
        }
    }

    proptest! {
        #[test]
        fn bounds_are_in_order_and_bounded_in_memory(residuals in proptest::collection::vec(-1.0..1.0_f64, 1..900)) {
            let mut interval = Interval::default();
            for residual in residuals {
                let (lower, upper) = interval.margins(0.9);
                prop_assert!(lower <= upper);
                interval.learn(residual, Side::Within, 0.9);
                prop_assert!(interval.sorted.is_sorted() && interval.sorted.len() == interval.recent.len());
            }
            prop_assert!(interval.recent.len() <= KEPT);
        }
    }
}
