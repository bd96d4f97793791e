//! The power of single jobs: the job model of the service against the last finished job and the mean, on jobs later than
//! any that it learned from.

use super::trace::Trace;
use crate::forecast;
use crate::snapshot::{Job, JobState};
use serde::Serialize;
use std::time::Instant;

/// Scores of mean power per GPU on the jobs held out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobScores {
    /// Jobs learned from and held out.
    pub learned: usize,
    /// See `learned`.
    pub held_out: usize,
    /// The learner that was chosen.
    pub learner: String,
    /// Mean absolute error, W, and mean absolute error as a share of the true value.
    pub mae_w: f64,
    /// See `mae_w`.
    pub mape: f64,
    /// The same of the last finished job of the user.
    pub mae_w_last: f64,
    /// See `mae_w_last`.
    pub mape_last: f64,
    /// The same of the mean of the jobs learned from.
    pub mae_w_mean: f64,
    /// See `mae_w_mean`.
    pub mape_mean: f64,
    /// Mean prediction over mean truth.
    pub calibration: f64,
    /// Time to choose and fit the learners, s.
    pub train_s: f64,
    /// Time of one prediction on one core, features included, us.
    pub predict_us: f64,
}

/// Fewer held-out jobs than these tell nothing.
const FEWEST: usize = 10;

pub(super) fn score(trace: &Trace, seed: u64) -> Option<JobScores> {
    let began = Instant::now();
    let examination = forecast::examine(&trace.finished, seed).ok()?;
    let train_s = began.elapsed().as_secs_f64();
    let late: Vec<_> = examination
        .jobs
        .iter()
        .filter(|job| job.held_out == Some(true))
        .collect();
    let early: Vec<_> = examination
        .jobs
        .iter()
        .filter(|job| job.held_out == Some(false))
        .collect();
    if late.len() < FEWEST {
        return None;
    }
    let mean_w = early.iter().map(|job| job.mean_w).sum::<f64>() / early.len().max(1) as f64;
    let count = late.len() as f64;
    let mae = |of: &dyn Fn(&forecast::Examined) -> f64| {
        late.iter().map(|job| (of(job) - job.mean_w).abs()).sum::<f64>() / count
    };
    let mape = |of: &dyn Fn(&forecast::Examined) -> f64| {
        late.iter()
            .map(|job| (of(job) - job.mean_w).abs() / job.mean_w.max(1.0))
            .sum::<f64>()
            / count
    };
    Some(JobScores {
        learned: early.len(),
        held_out: late.len(),
        learner: examination.learner.to_owned(),
        mae_w: mae(&|job| job.predicted_w),
        mape: mape(&|job| job.predicted_w),
        mae_w_last: mae(&|job| job.last_w),
        mape_last: mape(&|job| job.last_w),
        mae_w_mean: mae(&|_| mean_w),
        mape_mean: mape(&|_| mean_w),
        calibration: late.iter().map(|job| job.predicted_w).sum::<f64>()
            / late.iter().map(|job| job.mean_w).sum::<f64>().max(1e-9),
        train_s,
        predict_us: predict_us(trace, &examination.model),
    })
}

fn predict_us(trace: &Trace, model: &forecast::JobModel) -> f64 {
    let jobs: Vec<Job> = trace
        .finished
        .iter()
        .take(1000)
        .map(|job| Job {
            id: job.id.clone(),
            state: JobState::Pending {
                expected_start_ms: None,
            },
            user: job.user.clone(),
            account: job.account.clone(),
            name: job.name.clone(),
            partition: job.partition.clone(),
            gpus: job.gpus,
            node_count: job.nodes,
            nodes: vec![],
            submit_ms: job.submit_ms,
            time_limit_s: job.time_limit_s,
        })
        .collect();
    let began = Instant::now();
    let mut sum = 0.0;
    for job in &jobs {
        sum += std::hint::black_box(model.predict(job)).mean_w;
    }
    std::hint::black_box(sum);
    1e6 * began.elapsed().as_secs_f64() / jobs.len().max(1) as f64
}
