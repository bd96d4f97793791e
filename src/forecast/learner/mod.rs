//! The learners, and the small forms in which their results are kept: plain numbers that are checked when read and
//! predict in microseconds.
//!
//! | learner | from |
//! |---|---|
//! | elastic net | linfa, on centred and scaled features |
//! | random forest, extra trees, gradient boosting of squares | smartcore |
//! | boosted medians | our own histogram boosting of the absolute error, from the user's last run or from the median |
//! | last run | no learning: what the user's last finished job drew |

mod boost;
mod linear;
mod trees;

use super::features::Row;
use boost::Start;
use linear::Linear;
use serde::{Deserialize, Serialize};
use trees::Trees;

/// A fitted function from a job's features to a power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Regressor {
    /// Linear on centred and scaled features.
    Linear(Linear),
    /// A sum or a mean of trees.
    Trees(Trees),
}

impl Regressor {
    /// The same answer whatever the job.
    pub(super) fn constant(value: f64) -> Self {
        Self::Linear(Linear::constant(value))
    }

    pub(super) fn predict(&self, row: &Row) -> f64 {
        match self {
            Self::Linear(linear) => linear.predict(row),
            Self::Trees(trees) => trees.predict(row),
        }
    }

    /// Whether every number and index makes sense: a file may hold anything.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Linear(linear) => linear.check(),
            Self::Trees(trees) => trees.check(),
        }
    }
}

/// Who competes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learner {
    LastRun,
    ElasticNet,
    RandomForest,
    ExtraTrees,
    GradientBoosting,
    MediansFromLastRun,
    BoostedMedians,
}

impl Learner {
    pub(super) const ALL: [Self; 7] = [
        Self::LastRun,
        Self::ElasticNet,
        Self::RandomForest,
        Self::ExtraTrees,
        Self::GradientBoosting,
        Self::MediansFromLastRun,
        Self::BoostedMedians,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::LastRun => "last run of the user",
            Self::ElasticNet => "elastic net",
            Self::RandomForest => "random forest",
            Self::ExtraTrees => "extra trees",
            Self::GradientBoosting => "gradient boosting",
            Self::MediansFromLastRun => "boosted medians from the last run",
            Self::BoostedMedians => "boosted medians",
        }
    }

    /// Fits to rows in order of time. The same rows, targets and seed give the same answer.
    ///
    /// `last_run` is the place of the feature that carries the target of the user's last run.
    ///
    /// # Errors
    /// What the learner says.
    pub(super) fn fit(self, rows: &[Row], targets: &[f64], last_run: usize, seed: u64) -> Result<Regressor, String> {
        match self {
            Self::LastRun => Ok(Regressor::Linear(Linear::feature(last_run))),
            Self::ElasticNet => Linear::fit(rows, targets).map(Regressor::Linear),
            Self::RandomForest => Trees::random_forest(rows, targets, seed).map(Regressor::Trees),
            Self::ExtraTrees => Trees::extra_trees(rows, targets, seed).map(Regressor::Trees),
            Self::GradientBoosting => Trees::gradient_boosting(rows, targets, seed).map(Regressor::Trees),
            Self::MediansFromLastRun => boost::fit(rows, targets, Start::Feature(last_run)).map(Regressor::Trees),
            Self::BoostedMedians => boost::fit(rows, targets, Start::Median).map(Regressor::Trees),
        }
    }
}
