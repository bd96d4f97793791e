//! A job's energy, cooling share, water, carbon and money: spent so far and to come.

use super::curve::{Amounts, Curves};
use super::meter::Metered;
use crate::snapshot::{Job, JobState, Now};
use serde::Serialize;

/// When and how strongly a job is expected to draw.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Span {
    /// Start or expected start, wall ms; where the scheduler expects none, now.
    pub start_ms: i64,
    /// Expected end, wall ms.
    pub end_ms: i64,
    /// Expected power, kW.
    pub mean_kw: f64,
    /// Largest expected power, kW.
    pub peak_kw: f64,
}

/// A job as it is expected to go on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobOutlook {
    /// The job.
    #[serde(skip)]
    pub job: Job,
    /// When and how strongly it draws.
    pub span: Span,
    /// Whether the power is measured by now.
    pub measured: bool,
    /// What it has drawn so far; `None` where it does not run or was not watched.
    pub spent: Option<Amounts>,
    /// What is to come.
    pub to_come: Amounts,
}

impl JobOutlook {
    /// The outlook of a job with its predicted power (mean and peak, kW in all) and run time, s; `metered` is what is
    /// measured of it while it runs.
    pub fn new(
        job: &Job,
        (mean_kw, peak_kw): (f64, f64),
        run_s: f64,
        metered: Option<&Metered>,
        curves: &Curves,
        now: Now,
    ) -> Self {
        let start_ms = match job.state {
            JobState::Running { start_ms } => start_ms.min(now.wall_ms),
            JobState::Starting { start_ms } => start_ms.max(now.wall_ms),
            JobState::Pending { expected_start_ms } => expected_start_ms.unwrap_or(now.wall_ms).max(now.wall_ms),
        };
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
        let end_ms = start_ms.saturating_add((1000.0 * run_s) as i64).max(now.wall_ms);
        let level_kw = metered
            .filter(|metered| metered.watched_s >= TRUSTED_S)
            .map(|metered| metered.level_kw);
        let mean_kw = level_kw.unwrap_or(mean_kw);
        let spent = metered.and_then(|metered| {
            let drawn = curves.between(metered.mean_kw()?, start_ms, now.wall_ms);
            Some(drawn)
        });
        Self {
            job: job.clone(),
            span: Span {
                start_ms,
                end_ms,
                mean_kw,
                peak_kw: peak_kw.max(metered.map_or(0.0, |metered| metered.peak_kw)).max(mean_kw),
            },
            measured: level_kw.is_some(),
            spent,
            to_come: curves.between(mean_kw, start_ms.max(now.wall_ms), end_ms),
        }
    }
}

/// A job loads data first: its level counts from then on, s.
const TRUSTED_S: f64 = 420.0;

/// Every job at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlooks {
    /// When, wall ms.
    pub wall_ms: i64,
    /// The jobs, in the queue's order.
    pub jobs: Vec<JobOutlook>,
    /// What a kWh costs when.
    pub curves: Curves,
}

impl Outlooks {
    /// The outlook of a job.
    pub fn job(&self, id: &str) -> Option<&JobOutlook> {
        self.jobs.iter().find(|outlook| outlook.job.id == id)
    }
}
