//! Savings against a baseline that ran in the model beside the plant, in the manner of ASHRAE Guideline 14 and IPMVP
//! (option D, calibrated simulation).
//!
//! A day's saving is the baseline's energy less that of the setpoints in force, both by the same model, so that what the
//! model has wrong alike falls out. Whether the model may be believed is asked of the meter: hour by hour its energy under
//! the setpoints in force is held against what was metered. Days that fail are shown and not counted.

use super::period::date_of;
use crate::ledger::Totals;
use serde::Serialize;
use std::collections::BTreeMap;

/// Guideline 14, section 5.3.2.4: criteria of a calibrated hourly model.
const CV_RMSE_MAX: f64 = 0.30;
const NMBE_MAX: f64 = 0.10;
/// Hours of a day that the shadow must cover.
const HOURS_MIN: usize = 20;
/// Confidence that the interval is stated at, and its normal quantile.
pub const CONFIDENCE: f64 = 0.90;
const QUANTILE: f64 = 1.645;

/// How far the model may be wrong where the plant does not run, as a share of the baseline's energy, at the stated
/// confidence: assumed, not calibrated. See docs/books.md.
const EXTRAPOLATION: [f64; 2] = [0.20, 0.25];

/// The baselines.
pub const BASELINES: [&str; 2] = ["fixed", "trim_respond"];

/// What an hour says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hour {
    pub(super) covered_s: f64,
    pub(super) metered: f64,
    pub(super) model: f64,
    /// In the order of [`BASELINES`].
    pub(super) baselines: [f64; 2],
}

impl Hour {
    pub(super) fn add(&mut self, totals: &Totals) {
        self.covered_s += totals.shadow_s;
        self.metered += totals.shadow_metered_kwh;
        self.model += totals.shadow_model_kwh;
        self.baselines[0] += totals.shadow_fixed_kwh;
        self.baselines[1] += totals.shadow_trim_respond_kwh;
    }
}

/// A day's savings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SavingDay {
    /// The day.
    pub date: String,
    /// Hours that the shadow covers.
    pub hours: usize,
    /// Metered energy of the cooling equipment in them, kWh.
    pub metered_kwh: f64,
    /// Root mean square error of the model's hours over their mean.
    pub cv_rmse: f64,
    /// Bias of the model: mean of metered less modelled over the mean.
    pub nmbe: f64,
    /// Whether the day meets the criteria and counts.
    pub counts: bool,
    /// Savings, in the order of [`BASELINES`].
    pub savings: [Saving; 2],
}

/// A saving with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Saving {
    /// Energy of the baseline, kWh: what was metered and the saving.
    pub baseline_kwh: f64,
    /// Energy saved, kWh.
    pub saved_kwh: f64,
    /// Half of the interval at [`CONFIDENCE`], kWh.
    pub plus_minus_kwh: f64,
}

/// Savings of a period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Savings {
    /// Names of the baselines.
    pub baselines: [&'static str; 2],
    /// Confidence of the intervals.
    pub confidence: f64,
    /// Each day.
    pub days: Vec<SavingDay>,
    /// Days that count.
    pub counted: usize,
    /// The sum over the days that count. What the model has wrong is taken to be wrong alike on all of them.
    pub total: [Saving; 2],
}

/// The savings of hours, keyed by local day and hour; `None` where no shadow ran.
pub fn savings(hours: &BTreeMap<(i64, i64), Hour>) -> Option<Savings> {
    let mut by_day: BTreeMap<i64, Vec<Hour>> = BTreeMap::new();
    for ((day, _), hour) in hours {
        // An hour that is covered by half says something; what it lacks is left out on both sides.
        if hour.covered_s >= 1800.0 {
            by_day.entry(*day).or_default().push(*hour);
        }
    }
    let days: Vec<SavingDay> = by_day.iter().map(|(day, hours)| of_day(*day, hours)).collect();
    if days.is_empty() {
        return None;
    }
    let mut total = [Saving::default(); 2];
    for day in days.iter().filter(|day| day.counts) {
        for (sum, own) in total.iter_mut().zip(&day.savings) {
            sum.baseline_kwh += own.baseline_kwh;
            sum.saved_kwh += own.saved_kwh;
            sum.plus_minus_kwh += own.plus_minus_kwh;
        }
    }
    Some(Savings {
        baselines: BASELINES,
        confidence: CONFIDENCE,
        counted: days.iter().filter(|day| day.counts).count(),
        days,
        total,
    })
}

fn of_day(day: i64, hours: &[Hour]) -> SavingDay {
    let count = hours.len() as f64;
    let sum = |of: &dyn Fn(&Hour) -> f64| hours.iter().map(of).sum::<f64>();
    let (metered, model) = (sum(&|hour| hour.metered), sum(&|hour| hour.model));
    let mean = metered / count;
    let squares = sum(&|hour| (hour.metered - hour.model) * (hour.metered - hour.model));
    let free = (count - 1.0).max(1.0);
    let cv_rmse = (squares / free).sqrt() / mean;
    let nmbe = (metered - model) / (free * mean);
    let counts = hours.len() >= HOURS_MIN && cv_rmse <= CV_RMSE_MAX && nmbe.abs() <= NMBE_MAX;
    let savings = [0, 1].map(|which: usize| {
        let baseline = sum(&|hour| hour.baselines.get(which).copied().unwrap_or(0.0));
        let saved = baseline - model;
        // The bias on the meter counts in full; what scatters from hour to hour averages out over a day.
        let bias = (metered - model).abs();
        let scatter = QUANTILE * cv_rmse * mean * count.sqrt();
        let beyond = EXTRAPOLATION.get(which).copied().unwrap_or(0.0) * baseline;
        Saving {
            baseline_kwh: metered + saved,
            saved_kwh: saved,
            plus_minus_kwh: (bias * bias + scatter * scatter + beyond * beyond).sqrt(),
        }
    });
    SavingDay {
        date: date_of(day).to_string(),
        hours: hours.len(),
        metered_kwh: metered,
        cv_rmse,
        nmbe,
        counts,
        savings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(model: f64) -> BTreeMap<(i64, i64), Hour> {
        let hour = Hour {
            covered_s: 3600.0,
            metered: 10.0,
            model,
            baselines: [40.0, 15.0],
        };
        (0..24).map(|n| ((20_000, n), hour)).collect()
    }

    #[test]
    fn a_day_that_the_meter_does_not_bear_out_is_shown_and_not_counted() {
        let good = savings(&day(10.5)).unwrap();
        assert_eq!((good.counted, good.days.len()), (1, 1));
        let [fixed, trim] = good.total;
        assert!((fixed.saved_kwh - 24.0 * 29.5).abs() < 1e-9 && (trim.saved_kwh - 24.0 * 4.5).abs() < 1e-9);
        assert!(
            (good.days[0].nmbe + 24.0 * 0.5 / 230.0).abs() < 1e-9,
            "{}",
            good.days[0].nmbe
        );
        let bad = savings(&day(13.0)).unwrap();
        assert_eq!((bad.counted, bad.days.len()), (0, 1));
        assert!(bad.total[0].saved_kwh.abs() < 1e-9);
        assert!(savings(&BTreeMap::new()).is_none());
    }

    #[test]
    fn a_day_with_too_few_hours_is_not_counted() {
        let few: BTreeMap<_, _> = day(10.0).into_iter().take(19).collect();
        assert_eq!(savings(&few).unwrap().counted, 0);
    }
}
