//! When a deferrable job would best start: the start times within its deadline with the least cost, carbon or water.

use super::curve::{Amounts, Curves};
use serde::Serialize;

/// Starts are tried this far apart, ms.
const STEP_MS: i64 = 15 * 60_000;

/// Longest time to a deadline, ms: beyond two weeks the same days only repeat.
const LONGEST_MS: i64 = 14 * 86_400_000;

/// What is to be least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Money.
    Cost,
    /// Carbon.
    Carbon,
    /// Water.
    Water,
}

impl Goal {
    fn of(self, amounts: &Amounts) -> f64 {
        match self {
            Self::Cost => amounts.cost,
            Self::Carbon => amounts.co2e_kg,
            Self::Water => amounts.water_l,
        }
    }
}

/// A start and what the job amounts to then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Window {
    /// Start, wall ms.
    pub start_ms: i64,
    /// Expected end, wall ms.
    pub end_ms: i64,
    /// What it amounts to.
    pub amounts: Amounts,
}

/// A start that is best for a goal, and what waiting for it saves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// What is least.
    pub goal: Goal,
    /// When.
    pub best: Window,
    /// What is saved against the earliest start: less is positive.
    pub saves: Amounts,
}

/// Why there is no advice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The job does not fit before its deadline.
    #[error("the job is expected to run {run_min} min and its deadline is in {left_min} min: no start is early enough")]
    TooLate {
        /// Expected run time, min.
        run_min: i64,
        /// Time to the deadline, min.
        left_min: i64,
    },
    /// The deadline is too far away.
    #[error("the deadline is more than 14 days away: give an earlier one")]
    TooFar,
}

/// The earliest start, and the best for each goal, of a job of `kw` that runs for `run_ms` and may start from `from_ms` on
/// and must end by `deadline_ms` (wall ms). Of equal starts the earliest is best.
pub fn advise(
    curves: &Curves,
    kw: f64,
    run_ms: i64,
    from_ms: i64,
    deadline_ms: i64,
) -> Result<(Window, [Advice; 3]), WindowError> {
    let run_ms = run_ms.max(1);
    let left_ms = deadline_ms.saturating_sub(from_ms);
    if left_ms > LONGEST_MS {
        return Err(WindowError::TooFar);
    }
    if left_ms < run_ms {
        return Err(WindowError::TooLate {
            run_min: run_ms / 60_000,
            left_min: left_ms.max(0) / 60_000,
        });
    }
    let window = |start_ms: i64| Window {
        start_ms,
        end_ms: start_ms + run_ms,
        amounts: curves.between(kw, start_ms, start_ms + run_ms),
    };
    let soonest = window(from_ms);
    let last_ms = deadline_ms - run_ms;
    // Full quarters of an hour, and the last start there is.
    let quarters = (0..=left_ms / STEP_MS).map(|step| (from_ms / STEP_MS + 1 + step) * STEP_MS);
    let starts: Vec<Window> = quarters
        .take_while(|start_ms| *start_ms < last_ms)
        .chain([last_ms])
        .map(window)
        .collect();
    let advice = |goal: Goal| {
        // What differs by less than a thousandth is not worth waiting for.
        let least = |best: Window, next: &Window| {
            let (best_value, next_value) = (goal.of(&best.amounts), goal.of(&next.amounts));
            if next_value < best_value - 1e-3 * best_value.abs() {
                *next
            } else {
                best
            }
        };
        let best = starts.iter().fold(soonest, least);
        Advice {
            goal,
            best,
            saves: soonest.amounts - best.amounts,
        }
    };
    Ok((soonest, [Goal::Cost, Goal::Carbon, Goal::Water].map(advice)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::Profile;
    use crate::ledger::Totals;
    use crate::site::load_embedded;
    use crate::snapshot::Now;
    use proptest::prelude::*;

    const HOUR_MS: i64 = 3_600_000;

    fn curves() -> Curves {
        let site = load_embedded("demo").unwrap().unwrap();
        let mut profile = Profile::default();
        profile.observe(
            &Totals {
                it_kwh: 100.0,
                site_kwh: 110.0,
                cooling_kwh: 6.0,
                makeup_l: 100.0,
                ..Totals::default()
            },
            0.0,
        );
        let now = Now {
            mono_ms: 0,
            wall_ms: 0,
            utc_offset_s: 0,
        };
        Curves::new(&site, &profile, now)
    }

    #[test]
    fn a_job_is_moved_to_cheap_and_to_clean_hours() {
        // Submitted at 17:00, when electricity is dearest; due at 17:00 the next day; two hours at 100 kW.
        let (from_ms, run_ms) = (17 * HOUR_MS, 2 * HOUR_MS);
        let (soonest, [cost, carbon, water]) =
            advise(&curves(), 100.0, run_ms, from_ms, from_ms + 24 * HOUR_MS).unwrap();
        assert_eq!(soonest.start_ms, from_ms);
        assert_eq!(cost.best.start_ms, 35 * HOUR_MS, "11:00, where the cheap window begins");
        assert!((cost.saves.cost - 220.0 * (0.26 - 0.13)).abs() < 1e-6, "{cost:?}");
        assert_eq!(carbon.best.start_ms, 36 * HOUR_MS, "12:00 to 14:00 is cleanest");
        assert!(
            (carbon.saves.co2e_kg - 110.0 * (0.375 + 0.415 - 0.5)).abs() < 1e-6,
            "{carbon:?}"
        );
        assert_eq!(water.best, soonest, "nothing is known that would make waiting worth it");
        assert_eq!(water.saves, Amounts::default());
    }

    #[test]
    fn what_cannot_be_is_said() {
        let curves = curves();
        let late = advise(&curves, 1.0, 2 * HOUR_MS, 0, HOUR_MS).unwrap_err().to_string();
        assert!(late.contains("120 min") && late.contains("60 min"), "{late}");
        assert_eq!(advise(&curves, 1.0, 1, 0, i64::MAX), Err(WindowError::TooFar));
    }

    proptest! {
        #[test]
        fn no_advice_is_worse_than_going_at_once_or_too_late(
            from_h in 0_i64..48, run_min in 1_i64..2000, left_min in 1_i64..5000, kw in 0.1_f64..1e4,
        ) {
            let (from_ms, run_ms) = (from_h * HOUR_MS, run_min * 60_000);
            let deadline_ms = from_ms + left_min * 60_000;
            match advise(&curves(), kw, run_ms, from_ms, deadline_ms) {
                Ok((soonest, all)) => for advice in all {
                    prop_assert!(advice.goal.of(&advice.saves) >= -1e-9);
                    prop_assert!(advice.best.start_ms >= soonest.start_ms && advice.best.end_ms <= deadline_ms);
                },
                Err(error) => prop_assert!(run_min > left_min, "{error}"),
            }
        }
    }
}
