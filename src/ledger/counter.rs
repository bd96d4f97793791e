//! Follows one meter's counter.

use serde::{Deserialize, Serialize};

/// A counter falls by at least this share of its range when it rolls over; a smaller fall is a reset.
const ROLLOVER_FALL: f64 = 0.5;

/// The memory of one counter.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Counter {
    last: Option<f64>,
    /// Estimated while the counter was silent: already in the books when it answers again.
    bridged: f64,
}

impl Counter {
    /// What has passed in this interval. `reading` is the counter, `estimate` what powers or flows say; answers the amount
    /// and whether it rests on the estimate.
    pub(super) fn advance(&mut self, reading: Option<f64>, rollover: f64, estimate: f64) -> (f64, bool) {
        let Some(now) = reading else {
            self.bridged += estimate;
            return (estimate, true);
        };
        let Some(last) = self.last.replace(now) else {
            // The first reading says nothing of the interval before it.
            return (estimate, true);
        };
        let fall = last - now;
        let counted = if fall <= 0.0 {
            -fall
        } else if fall >= ROLLOVER_FALL * rollover {
            rollover - fall
        } else {
            // A new or reset meter: what it counted before is in the books, what it missed is the estimate.
            self.bridged = 0.0;
            return (estimate, true);
        };
        let passed = counted - self.bridged;
        self.bridged = 0.0;
        (passed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn follow(readings: &[Option<f64>], rollover: f64, estimate: f64) -> f64 {
        let mut counter = Counter::default();
        readings
            .iter()
            .map(|reading| counter.advance(*reading, rollover, estimate).0)
            .sum()
    }

    #[test]
    fn differences_add_up() {
        assert!((follow(&[Some(10.0), Some(12.0), Some(15.0)], 1000.0, 0.0) - 5.0).abs() < 1e-12);
    }

    #[test]
    fn a_rollover_goes_on_and_a_reset_does_not_go_back() {
        assert!((follow(&[Some(998.0), Some(3.0)], 1000.0, 0.0) - 5.0).abs() < 1e-12);
        assert!((follow(&[Some(400.0), Some(1.0), Some(2.0)], 1000.0, 0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_gap_is_estimated_and_then_put_right() {
        // 4 counted over two silent intervals in which 3 each were estimated.
        let total = follow(&[Some(10.0), None, None, Some(14.0), Some(15.0)], 1000.0, 3.0) - 3.0;
        assert!((total - 5.0).abs() < 1e-12, "{total}");
    }

    proptest! {
        #[test]
        fn however_gaps_fall_the_total_is_the_counters(steps in proptest::collection::vec((0.0..5.0f64, any::<bool>()), 1..40)) {
            let mut counter = Counter::default();
            let mut value = 100.0;
            let first = counter.advance(Some(value), 1e6, 0.0).0;
            let mut total = first;
            for (step, silent) in &steps {
                value += step;
                total += counter.advance((!silent).then_some(value), 1e6, 1.0).0;
            }
            total += counter.advance(Some(value), 1e6, 1.0).0;
            prop_assert!((total - (value - 100.0)).abs() < 1e-9);
        }
    }
}
