//! Calibrated upper bounds: adaptive conformal inference, one for each horizon.
//!
//! Every so often the forecast of a few items (CDUs or racks, in turn) is kept until its horizon has passed; then the
//! residual, actual less forecast as a share of the item's rating, joins a ring of recent ones. The bound is the
//! forecast plus their conformal quantile. The level of that quantile follows the misses (Gibbs and Candes 2021:
//! alpha += gamma (target - miss)), because the load's habits change.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Residuals kept for each horizon: 16 horizons long, so that an hour ahead remembers most of a day.
const KEPT: usize = 256;

/// Forecasts kept in each horizon's time, and items in each.
const SAMPLES_A_HORIZON: f64 = 4.0;
const ITEMS_A_SAMPLE: usize = 4;

/// Step of the level for each residual.
const GAMMA: f64 = 0.005;

/// The bound of one forecast at one horizon.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Interval {
    /// Level of misses at which the quantile is taken; `None` until the first residual.
    alpha: Option<f64>,
    /// Residuals as a share of the rating; `next` is the oldest once the ring is full.
    residuals: Vec<f32>,
    next: usize,
    /// Conformal quantile of the residuals, `None` while they are too few.
    quantile: Option<f32>,
    waiting: VecDeque<Waiting>,
    sampled_ms: Option<u64>,
    turn: usize,
}

/// Forecasts that wait for their horizon to pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Waiting {
    due_ms: u64,
    items: Vec<Expected>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Expected {
    item: usize,
    forecast_kw: f32,
    upper_kw: f32,
}

impl Interval {
    /// What to add to a forecast, as a share of the item's rating; `None` while nothing is known, which means no bound.
    /// Never negative: a forecast that used to be too high may be right when a job starts.
    pub(super) fn margin(&self) -> Option<f64> {
        self.quantile.map(|quantile| f64::from(quantile).max(0.0))
    }

    /// Learns from the forecasts whose time has come. `actual` answers an item's value, kW, and its rating, kW; `None`
    /// where it was not measured.
    pub(super) fn mature(
        &mut self,
        horizon_s: f64,
        coverage: f64,
        now_ms: u64,
        actual: impl Fn(usize) -> Option<(f64, f64)>,
    ) {
        let before = self.residuals.len() + self.next;
        while let Some(waiting) = self.waiting.front().filter(|waiting| waiting.due_ms <= now_ms).cloned() {
            self.waiting.pop_front();
            // After a pause the present says little of the moment for which the forecast was made.
            if (now_ms - waiting.due_ms) as f64 > 500.0 * horizon_s {
                continue;
            }
            for expected in waiting.items {
                let Some((actual_kw, rating_kw)) = actual(expected.item) else {
                    continue;
                };
                let missed = actual_kw > f64::from(expected.upper_kw);
                self.alpha = Some(adapt(self.alpha.unwrap_or(1.0 - coverage), 1.0 - coverage, missed));
                self.keep((actual_kw - f64::from(expected.forecast_kw)) / rating_kw);
            }
        }
        if before != self.residuals.len() + self.next {
            self.quantile = quantile(&self.residuals, self.alpha.unwrap_or(1.0 - coverage));
        }
    }

    /// Keeps a few of these forecasts, (forecast, upper bound) in kW by item, where it is time to.
    pub(super) fn sample(
        &mut self,
        horizon_s: f64,
        now_ms: u64,
        items: usize,
        forecast: impl Fn(usize) -> Option<(f64, f64)>,
    ) {
        let period_ms = 1000.0 * horizon_s / SAMPLES_A_HORIZON;
        if items == 0
            || self
                .sampled_ms
                .is_some_and(|last| (now_ms.saturating_sub(last) as f64) < period_ms)
        {
            return;
        }
        self.sampled_ms = Some(now_ms);
        let chosen = (0..items.min(ITEMS_A_SAMPLE)).map(|offset| (self.turn + offset) % items);
        let expected = chosen.filter_map(|item| {
            forecast(item).map(|(forecast_kw, upper_kw)| Expected {
                item,
                forecast_kw: narrow(forecast_kw),
                upper_kw: narrow(upper_kw),
            })
        });
        let items_kept: Vec<Expected> = expected.collect();
        self.turn = (self.turn + ITEMS_A_SAMPLE) % items;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an hour in milliseconds"
        )]
        let due_ms = now_ms + (1000.0 * horizon_s) as u64;
        self.waiting.push_back(Waiting {
            due_ms,
            items: items_kept,
        });
    }

    /// Forgets what waits: the clock has started anew.
    pub(super) fn restart(&mut self) {
        self.waiting.clear();
        self.sampled_ms = None;
    }

    fn keep(&mut self, residual: f64) {
        let residual = narrow(residual);
        if self.residuals.len() < KEPT {
            self.residuals.push(residual);
        } else if let Some(oldest) = self.residuals.get_mut(self.next) {
            *oldest = residual;
            self.next = (self.next + 1) % KEPT;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a residual")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// The level after a hit or a miss, held between never and half the time.
fn adapt(alpha: f64, target: f64, missed: bool) -> f64 {
    (alpha + GAMMA * (target - f64::from(missed))).clamp(0.0, 0.5)
}

/// Rank, from 1, of the residual that bounds `n` earlier ones and the next with a miss of at most `alpha`;
/// `None` where so few cannot tell (split conformal prediction: the smallest k with k >= (n + 1)(1 - alpha)).
fn conformal_rank(n: usize, alpha: f64) -> Option<usize> {
    // Products such as 200 x 0.95 may come out a hair above the whole number that they are.
    let rank = ((n as f64 + 1.0) * (1.0 - alpha) - 1e-9).ceil().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most n")]
    (rank <= n as f64).then_some(rank as usize)
}

fn quantile(residuals: &[f32], alpha: f64) -> Option<f32> {
    let rank = conformal_rank(residuals.len(), alpha)?;
    let mut sorted = residuals.to_vec();
    let (_, nth, _) = sorted.select_nth_unstable_by(rank - 1, f32::total_cmp);
    Some(*nth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_and_levels_are_those_of_the_literature() {
        assert_eq!(conformal_rank(99, 0.1), Some(90));
        assert_eq!(conformal_rank(50, 0.1), Some(46));
        assert_eq!(conformal_rank(199, 0.05), Some(190));
        assert_eq!(conformal_rank(8, 0.1), None);
        assert!((adapt(0.1, 0.1, true) - 0.0955).abs() < 1e-12);
        assert!((adapt(0.1, 0.1, false) - 0.1005).abs() < 1e-12);
    }

    /// Runs persistence over a series and answers the share of values at or below the bound, once there is one.
    fn coverage(series: &[f64], horizon_s: u32, wanted: f64) -> f64 {
        let mut interval = Interval::default();
        let (mut covered, mut bounded) = (0.0, 0.0);
        let (step_s, steps_ahead) = (5, horizon_s as usize / 5);
        let horizon_s = f64::from(horizon_s);
        for (step, value) in series.iter().enumerate() {
            let now_ms = step as u64 * 1000 * step_s;
            interval.mature(horizon_s, wanted, now_ms, |_| Some((*value, 100.0)));
            let upper = interval.margin().map_or(f64::INFINITY, |margin| value + 100.0 * margin);
            interval.sample(horizon_s, now_ms, 1, |_| Some((*value, upper)));
            let ahead = step + steps_ahead;
            if let Some(actual) = series.get(ahead).filter(|_| upper.is_finite()) {
                bounded += 1.0;
                covered += f64::from(*actual <= upper);
            }
        }
        assert!(interval.residuals.len() <= KEPT && interval.waiting.len() <= 6);
        covered / bounded
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

    #[test]
    fn the_bound_holds_as_often_as_asked_on_an_autoregressive_load() {
        let mut uniform = uniform();
        let mut value = 50.0;
        let series: Vec<f64> = (0..200_000)
            .map(|_| {
                let noise: f64 = (0..6).map(|_| uniform() - 0.5).sum();
                value = 50.0 + 0.98 * (value - 50.0) + noise;
                value
            })
            .collect();
        for (horizon_s, wanted) in [(60, 0.9), (300, 0.9), (900, 0.95)] {
            let got = coverage(&series, horizon_s, wanted);
            assert!((got - wanted).abs() < 0.015, "{got} for {wanted} at {horizon_s} s");
        }
    }

    #[test]
    fn coverage_returns_after_the_load_has_changed_its_habits() {
        let mut uniform = uniform();
        let series: Vec<f64> = (0..100_000)
            .map(|step| 50.0 + (uniform() - 0.5) * if step < 50_000 { 2.0 } else { 40.0 })
            .collect();
        let got = coverage(&series, 60, 0.9);
        assert!((got - 0.9).abs() < 0.02, "{got}");
    }

    proptest! {
        #[test]
        fn the_quantile_leaves_no_more_above_it_than_asked(
            residuals in proptest::collection::vec(-1.0_f32..1.0, 1..300), alpha in 0.0..0.5,
        ) {
            match quantile(&residuals, alpha) {
                Some(bound) => {
                    let above = residuals.iter().filter(|residual| **residual > bound).count() as f64;
                    prop_assert!(above <= alpha * (residuals.len() as f64 + 1.0));
                }
                None => prop_assert!((residuals.len() as f64) < (residuals.len() as f64 + 1.0) * (1.0 - alpha)),
            }
        }
    }
}
