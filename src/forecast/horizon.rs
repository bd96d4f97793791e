//! One horizon of one kind of item (racks or CDUs): forecasts wait until their time has come, then the blend and the
//! interval learn from what came.
//!
//! Every so often the forecasts of a few items, in turn, are kept until the horizon has passed. Items are pooled: all are
//! judged as a share of their rating.

use super::blend::{Blend, COURSES};
use super::features::narrow;
use super::interval::{Interval, Side};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Items kept at a time.
const ITEMS_A_SAMPLE: usize = 4;

/// Uncertainty that every forecast has, as a share of the rating; what starts and ends add comes on top.
pub(super) const LEAST_SCALE: f64 = 0.02;

/// What waits for one horizon.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Horizon {
    pub(super) blend: Blend,
    pub(super) interval: Interval,
    waiting: VecDeque<Waiting>,
    sampled_ms: Option<u64>,
    turn: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Waiting {
    due_ms: u64,
    items: Vec<Kept>,
}

/// A forecast of one item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Made {
    /// The courses that were weighed, kW.
    pub(super) courses: [f64; COURSES],
    /// What was published, kW.
    pub(super) mean_kw: f64,
    pub(super) lower_kw: f64,
    pub(super) upper_kw: f64,
    /// Its uncertainty, as a share of the rating.
    pub(super) scale: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Kept {
    item: usize,
    courses: [f32; COURSES],
    mean_kw: f32,
    lower_kw: f32,
    upper_kw: f32,
    scale: f32,
}

/// What came of a forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Came {
    /// Actual less forecast, as a share of the rating.
    pub(super) residual: f64,
    /// The same of persistence.
    pub(super) still: f64,
}

impl Horizon {
    /// Learns from the forecasts whose time has come. `actual` answers an item's value, kW, and its rating, kW; `None`
    /// where it was not measured. Hands what came to `hear`.
    pub(super) fn mature(
        &mut self,
        horizon_s: f64,
        coverage: f64,
        now_ms: u64,
        actual: impl Fn(usize) -> Option<(f64, f64)>,
        mut hear: impl FnMut(Came),
    ) {
        while self.waiting.front().is_some_and(|waiting| waiting.due_ms <= now_ms) {
            let Some(waiting) = self.waiting.pop_front() else { break };
            // After a pause the present says little of the moment for which the forecast was made.
            if (now_ms - waiting.due_ms) as f64 > 500.0 * horizon_s {
                continue;
            }
            for kept in waiting.items {
                let Some((actual_kw, rating_kw)) = actual(kept.item) else {
                    continue;
                };
                let share = |kw: f32| (actual_kw - f64::from(kw)) / rating_kw;
                // A forecast is kept in seven digits; a reading that has not moved is no miss.
                let slack_kw = 1e-5 * rating_kw;
                let side = if actual_kw > f64::from(kept.upper_kw) + slack_kw {
                    Side::Above
                } else if actual_kw < f64::from(kept.lower_kw) - slack_kw {
                    Side::Below
                } else {
                    Side::Within
                };
                let residual = share(kept.mean_kw);
                let errors = kept.courses.map(share);
                self.blend.learn(errors);
                self.interval
                    .learn(residual / f64::from(kept.scale).max(1e-6), side, coverage);
                hear(Came {
                    residual,
                    still: errors[0],
                });
            }
        }
    }

    /// Keeps a few of these forecasts where it is time to, `samples` times in a horizon.
    pub(super) fn sample(
        &mut self,
        horizon_s: f64,
        samples: f64,
        now_ms: u64,
        items: usize,
        forecast: impl Fn(usize) -> Option<Made>,
    ) {
        let period_ms = 1000.0 * horizon_s / samples;
        let early = |last: u64| (now_ms.saturating_sub(last) as f64) < period_ms;
        if items == 0 || self.sampled_ms.is_some_and(early) {
            return;
        }
        self.sampled_ms = Some(now_ms);
        let chosen = (0..items.min(ITEMS_A_SAMPLE)).map(|offset| (self.turn + offset) % items);
        let kept = chosen.filter_map(|item| {
            forecast(item).map(|made| Kept {
                item,
                courses: made.courses.map(narrow),
                mean_kw: narrow(made.mean_kw),
                lower_kw: narrow(made.lower_kw),
                upper_kw: narrow(made.upper_kw),
                scale: narrow(made.scale),
            })
        });
        let kept: Vec<Kept> = kept.collect();
        self.turn = (self.turn + ITEMS_A_SAMPLE) % items;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an hour in milliseconds"
        )]
        let due_ms = now_ms + (1000.0 * horizon_s) as u64;
        self.waiting.push_back(Waiting { due_ms, items: kept });
    }

    /// Forgets what waits: the clock has started anew.
    pub(super) fn restart(&mut self) {
        self.waiting.clear();
        self.sampled_ms = None;
    }
}
