//! Training: several learners for each of two targets compete on time-ordered folds; the best is kept, and judged on later
//! jobs than any that it was chosen or learned from.

use super::JobModel;
use super::features::{GpuPower, Groups, History, LAST_MEAN, LAST_PEAK, Lesson, Memory, NAMES, Row, Submission, WIDTH};
use super::learner::{Learner, Regressor};
use crate::snapshot::FinishedJob;
use serde::{Deserialize, Serialize};

/// Fewest finished jobs that a model can be made from.
pub const FEWEST_JOBS: usize = 60;

/// Groups of jobs that a model remembers.
const GROUPS: usize = 4096;

/// Share of the jobs, by submit time, that the learners see before they are judged on the rest.
const TRAINING_SHARE: f64 = 0.7;

/// Why no model came out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// Too little data.
    #[error(
        "{have} finished jobs are too few to train on; give at least {FEWEST_JOBS}, with some that end before others begin"
    )]
    TooFew {
        /// Jobs that could be used.
        have: usize,
    },
    /// A job that cannot be.
    #[error("job {id}: {what}")]
    BadJob {
        /// The job's id.
        id: String,
        /// What is wrong and what is expected.
        what: &'static str,
    },
    /// A learner failed.
    #[error("{0}")]
    Learner(String),
}

/// Errors of a predictor on the jobs held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean absolute error, W per GPU.
    pub mae_w: f64,
    /// Mean absolute error as a share of the true value, jobs below 1 W left out.
    pub mape: f64,
}

/// How one target came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetReport {
    /// `mean power` or `peak power`.
    pub target: String,
    /// The learner that was kept.
    pub kept: String,
    /// Score of each learner and of the naive forecasts.
    pub scores: Vec<(String, Score)>,
}

/// What is known of a training, for the model's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Finished jobs in all.
    pub jobs: usize,
    /// Jobs that the judged learners saw.
    pub training_jobs: usize,
    /// Later jobs on which they were judged.
    pub held_out_jobs: usize,
    /// First submit and last end, wall ms.
    pub span_ms: (i64, i64),
    /// Users and accounts in the data.
    pub users: usize,
    /// Largest job, GPUs.
    pub largest_gpus: u32,
    /// Smallest and largest mean power per GPU in the data, W.
    pub range_w: (f64, f64),
    /// Seed of the forest.
    pub seed: u64,
    /// Mean and peak.
    pub targets: Vec<TargetReport>,
}

/// Trains a model of mean and peak power per GPU. The same jobs and seed give the same model.
///
/// Features use only what had finished when a job was submitted. The learners compete on two folds of the first 70 % by
/// submit time, each later than what was learned from; all are then judged on the last 30 %, which had no part in the
/// choice, having learned from those of the first 70 % that ended before. The chosen one is then fitted on all.
///
/// # Errors
/// Too few jobs, a job with impossible figures, or a learner that fails.
pub fn train(jobs: &[FinishedJob], seed: u64) -> Result<(JobModel, TrainingReport), TrainError> {
    fit_all(jobs, seed, true)
}

/// As [`train`]; `whole` fits the chosen learners on all jobs and not on the earlier ones alone.
fn fit_all(jobs: &[FinishedJob], seed: u64, whole: bool) -> Result<(JobModel, TrainingReport), TrainError> {
    jobs.iter().try_for_each(check)?;
    let mut jobs: Vec<&FinishedJob> = jobs.iter().collect();
    jobs.sort_by(|a, b| a.submit_ms.cmp(&b.submit_ms).then_with(|| a.id.cmp(&b.id)));
    let Prepared {
        rows,
        last_finished,
        history,
    } = prepare(&jobs);
    let Split { early, late } = split(&jobs);
    let late: Vec<usize> = late.collect();
    if jobs.len() < FEWEST_JOBS || early.len() < FEWEST_JOBS / 3 {
        return Err(TrainError::TooFew {
            have: if jobs.len() < FEWEST_JOBS {
                jobs.len()
            } else {
                early.len()
            },
        });
    }

    let fit =
        |name: &str, wanted: fn(&GpuPower) -> f64, last_run: usize| -> Result<(Regressor, TargetReport), TrainError> {
            let truth: Vec<f64> = jobs.iter().map(|job| wanted(&GpuPower::from(*job))).collect();
            let error_of = |learner: Learner, train: &[usize], test: &[usize]| -> Result<Vec<(f64, f64)>, TrainError> {
                let fitted = learner
                    .fit(&pick(&rows, train), &pick(&truth, train), last_run, seed)
                    .map_err(TrainError::Learner)?;
                let pairs = test
                    .iter()
                    .filter_map(|i| Some((fitted.predict(rows.get(*i)?), *truth.get(*i)?)));
                Ok(pairs.collect())
            };
            let (mut scores, mut best) = (Vec::new(), (f64::INFINITY, Learner::LastRun));
            for learner in Learner::ALL {
                let mut folded = Vec::new();
                for (train, test) in folds(&early) {
                    folded.extend(error_of(learner, train, test)?);
                }
                let in_folds = score(folded.into_iter());
                if in_folds.mae_w < best.0 {
                    best = (in_folds.mae_w, learner);
                }
                scores.push((
                    learner.name().to_owned(),
                    score(error_of(learner, &early, &late)?.into_iter()),
                ));
            }
            let naive = late
                .iter()
                .filter_map(|i| Some((wanted(last_finished.get(*i)?), *truth.get(*i)?)));
            scores.push(("last finished job of the user".to_owned(), score(naive)));
            let mean = pick(&truth, &early).iter().sum::<f64>() / early.len() as f64;
            scores.push((
                "training mean".to_owned(),
                score(late.iter().filter_map(|i| Some((mean, *truth.get(*i)?)))),
            ));
            let report = TargetReport {
                target: name.to_owned(),
                kept: best.1.name().to_owned(),
                scores,
            };
            let kept = if whole {
                best.1.fit(&rows, &truth, last_run, seed)
            } else {
                best.1.fit(&pick(&rows, &early), &pick(&truth, &early), last_run, seed)
            };
            Ok((kept.map_err(TrainError::Learner)?, report))
        };
    let (mean, mean_report) = fit("mean power", |power| power.mean_w, LAST_MEAN)?;
    let (peak, peak_report) = fit("peak power", |power| power.peak_w, LAST_PEAK)?;

    let highest = jobs.iter().fold(0.0, |highest: f64, job| highest.max(job.peak_gpu_w));
    let model = JobModel {
        mean,
        peak,
        history,
        seen: (0..WIDTH)
            .map(|feature| {
                rows.iter()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), row| {
                        (low.min(row[feature]), high.max(row[feature]))
                    })
            })
            .collect(),
        ceiling_w: 1.25 * highest.max(1.0),
    };
    let report = report(&jobs, (early.len(), late.len()), seed, vec![mean_report, peak_report]);
    Ok((model, report))
}

fn report(
    jobs: &[&FinishedJob],
    (learned, held_out): (usize, usize),
    seed: u64,
    targets: Vec<TargetReport>,
) -> TrainingReport {
    let mut users: Vec<&str> = jobs.iter().map(|job| job.user.as_str()).collect();
    users.sort_unstable();
    users.dedup();
    TrainingReport {
        jobs: jobs.len(),
        training_jobs: learned,
        held_out_jobs: held_out,
        span_ms: jobs.iter().fold((i64::MAX, i64::MIN), |(a, b), job| {
            (a.min(job.submit_ms), b.max(job.end_ms))
        }),
        users: users.len(),
        largest_gpus: jobs.iter().map(|job| job.gpus).max().unwrap_or(0),
        range_w: jobs.iter().fold((f64::INFINITY, 0.0), |(a, b), job| {
            (job.mean_gpu_w.min(a), job.mean_gpu_w.max(b))
        }),
        seed,
        targets,
    }
}

/// The jobs of a training as a learner sees them, for a comparison with learners outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Examination {
    /// What the features are.
    pub features: Vec<&'static str>,
    /// The jobs in order of submit.
    pub jobs: Vec<Examined>,
    /// The learner that was chosen for the mean on folds of the earlier jobs.
    pub learner: &'static str,
    /// The chosen learner, fitted on the earlier jobs.
    pub model: JobModel,
}

/// One job of an [`Examination`].
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// The scheduler's id.
    pub id: String,
    /// Whether it is one of those that were learned from, or one of the later ones; `None` for neither.
    pub held_out: Option<bool>,
    /// Its features, known at submit.
    pub row: Vec<f64>,
    /// Mean power per GPU, W.
    pub mean_w: f64,
    /// What the last finished job of its user drew, W.
    pub last_w: f64,
    /// What the chosen learner says of it, W.
    pub predicted_w: f64,
}

/// Fits the learners that [`train`] would choose to the earlier 70 % of the jobs and asks them for all.
///
/// # Errors
/// As [`train`].
pub fn examine(jobs: &[FinishedJob], seed: u64) -> Result<Examination, TrainError> {
    let (model, report) = fit_all(jobs, seed, false)?;
    let learner = Learner::ALL.iter().find(|learner| {
        report
            .targets
            .first()
            .is_some_and(|target| target.kept == learner.name())
    });
    let mut sorted: Vec<&FinishedJob> = jobs.iter().collect();
    sorted.sort_by(|a, b| a.submit_ms.cmp(&b.submit_ms).then_with(|| a.id.cmp(&b.id)));
    let prepared = prepare(&sorted);
    let split = split(&sorted);
    let examined = sorted.iter().enumerate().filter_map(|(index, job)| {
        let row = prepared.rows.get(index)?;
        Some(Examined {
            id: job.id.clone(),
            held_out: if split.late.contains(&index) {
                Some(true)
            } else {
                split.early.contains(&index).then_some(false)
            },
            row: row.to_vec(),
            mean_w: job.mean_gpu_w,
            last_w: prepared.last_finished.get(index)?.mean_w,
            predicted_w: model.mean.predict(row).clamp(0.0, model.ceiling_w),
        })
    });
    Ok(Examination {
        features: NAMES.to_vec(),
        jobs: examined.collect(),
        learner: learner.map_or("", |learner| learner.name()),
        model,
    })
}

/// What a model says of each job with what had finished when it was submitted, in the order given.
pub fn replay(model: &JobModel, jobs: &[FinishedJob]) -> Vec<GpuPower> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|index| jobs.get(*index).map(|job| (job.submit_ms, job.id.clone())));
    let sorted: Vec<&FinishedJob> = order.iter().filter_map(|index| jobs.get(*index)).collect();
    let mut predicted = vec![
        GpuPower {
            mean_w: 0.0,
            peak_w: 0.0
        };
        jobs.len()
    ];
    for (index, row) in order.into_iter().zip(prepare(&sorted).rows) {
        let mean_w = model.mean.predict(&row).clamp(0.0, model.ceiling_w);
        if let Some(predicted) = predicted.get_mut(index) {
            *predicted = GpuPower {
                mean_w,
                peak_w: model.peak.predict(&row).clamp(mean_w, model.ceiling_w),
            };
        }
    }
    predicted
}

struct Split {
    early: Vec<usize>,
    late: std::ops::Range<usize>,
}

/// The first 70 % by submit time that ended before the rest were submitted, and the rest.
fn split(jobs: &[&FinishedJob]) -> Split {
    let cut = (jobs.len() as f64 * TRAINING_SHARE).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length"
    )]
    let cut = cut as usize;
    let split_ms = jobs.get(cut).map_or(i64::MAX, |job| job.submit_ms);
    let ended = |index: &usize| jobs.get(*index).is_some_and(|job| job.end_ms <= split_ms);
    Split {
        early: (0..cut).filter(ended).collect(),
        late: cut..jobs.len(),
    }
}

fn check(job: &FinishedJob) -> Result<(), TrainError> {
    let bad = |what| {
        Err(TrainError::BadJob {
            id: job.id.clone(),
            what,
        })
    };
    if job.gpus == 0 {
        return bad("has no GPUs; leave such jobs out");
    }
    if job.end_ms <= job.start_ms || job.start_ms < job.submit_ms {
        return bad("must be submitted, start and end in this order");
    }
    if !job.time_limit_s.is_finite() || job.time_limit_s < 0.0 {
        return bad("has a time limit that is no duration; write 0 for none");
    }
    let possible = |watts: f64| watts.is_finite() && (0.0..=100_000.0).contains(&watts);
    if !possible(job.mean_gpu_w) || !possible(job.peak_gpu_w) || job.peak_gpu_w < job.mean_gpu_w {
        return bad("needs a mean power per GPU of 0 to 100000 W and a peak that is not below it");
    }
    Ok(())
}

struct Prepared {
    rows: Vec<Row>,
    last_finished: Vec<GpuPower>,
    history: History,
}

/// Goes through the jobs as time did: at each submit only what had ended by then is known.
fn prepare(jobs: &[&FinishedJob]) -> Prepared {
    let mut by_end: Vec<&FinishedJob> = jobs.to_vec();
    by_end.sort_by(|a, b| a.end_ms.cmp(&b.end_ms).then_with(|| a.id.cmp(&b.id)));
    let mut ended = by_end.into_iter().peekable();
    let mut history = History::default();
    let learn = |history: &mut History, job: &FinishedJob| {
        history.learn(&Groups::of(&Submission::from(job)), &Lesson::from(job), None, GROUPS);
    };
    let (mut rows, mut last_finished) = (Vec::with_capacity(jobs.len()), Vec::with_capacity(jobs.len()));
    for job in jobs {
        while let Some(over) = ended.next_if(|over| over.end_ms <= job.submit_ms) {
            learn(&mut history, over);
        }
        let submission = Submission::from(*job);
        let groups = Groups::of(&submission);
        let memory = Memory {
            trained: &history,
            recent: None,
        };
        rows.push(memory.row(&submission, &groups));
        last_finished.push(memory.last_finished(&groups));
    }
    ended.for_each(|over| learn(&mut history, over));
    Prepared {
        rows,
        last_finished,
        history,
    }
}

/// Two folds in order of time: half for the third quarter, and three quarters for the last.
fn folds(early: &[usize]) -> [(&[usize], &[usize]); 2] {
    let (half, most) = (early.len() / 2, early.len() * 3 / 4);
    let (first, rest) = early.split_at(half);
    let (until, last) = early.split_at(most);
    let (third, _) = rest.split_at(most - half);
    [(first, third), (until, last)]
}

fn pick<T: Copy>(all: &[T], chosen: &[usize]) -> Vec<T> {
    chosen.iter().filter_map(|index| all.get(*index).copied()).collect()
}

fn score(pairs: impl Iterator<Item = (f64, f64)>) -> Score {
    let (mut n, mut error, mut shares, mut share) = (0.0, 0.0, 0.0, 0.0);
    for (predicted, truth) in pairs {
        n += 1.0;
        error += (predicted - truth).abs();
        if truth >= 1.0 {
            shares += 1.0;
            share += (predicted - truth).abs() / truth;
        }
    }
    Score {
        mae_w: error / f64::max(n, 1.0),
        mape: share / f64::max(shares, 1.0),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Jobs whose power follows the user and the kind of work, with noise from a linear congruence.
    pub(in crate::forecast) fn jobs(count: u32) -> Vec<FinishedJob> {
        let mut random = 12345_u64;
        let mut draw = move || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 40) as f64 / f64::from(1 << 24)
        };
        let job = |index: u32| {
            let user = index * 7 % 11;
            let (kind, level) = [("train", 1000.0), ("eval", 600.0), ("serve", 400.0)][(index * 5 % 3) as usize];
            let mean_gpu_w = level + 20.0 * f64::from(user) + 60.0 * (draw() - 0.5);
            let submit_ms = i64::from(index) * 600_000;
            FinishedJob {
                id: index.to_string(),
                user: format!("user{user}"),
                account: format!("account{}", user % 3),
                name: format!("{kind}-{index}"),
                partition: "gpu".into(),
                gpus: 1 << (index % 6),
                nodes: 1 + (1 << (index % 6)) / 4,
                time_limit_s: 86_400.0,
                submit_ms,
                start_ms: submit_ms + 60_000,
                end_ms: submit_ms + 3_660_000,
                mean_gpu_w,
                peak_gpu_w: mean_gpu_w * 1.2 + 10.0 * draw(),
                ramp_s: None,
            }
        };
        (0..count).map(job).collect()
    }

    #[test]
    fn training_beats_the_naive_forecasts_on_later_jobs() {
        let (model, report) = train(&jobs(400), 1).unwrap();
        for target in &report.targets {
            let of = |name: &str| target.scores.iter().find(|(scored, _)| scored == name).unwrap().1;
            let kept = of(&target.kept);
            assert!(kept.mae_w < 0.3 * of("training mean").mae_w, "{target:?}");
            assert!(
                kept.mae_w < 0.3 * of("last finished job of the user").mae_w,
                "{target:?}"
            );
        }
        assert_eq!(report.held_out_jobs, 120);
        assert!(model.check().is_ok());
    }

    #[test]
    fn the_same_jobs_and_seed_give_the_same_model_whatever_their_order() {
        let mut jobs = jobs(150);
        let first = train(&jobs, 3).unwrap();
        jobs.reverse();
        assert_eq!(first, train(&jobs, 3).unwrap());
    }

    #[test]
    fn impossible_jobs_are_named() {
        let with = |change: fn(&mut FinishedJob)| {
            let mut jobs = jobs(100);
            change(&mut jobs[42]);
            train(&jobs, 1).unwrap_err().to_string()
        };
        assert!(with(|job| job.gpus = 0).starts_with("job 42: has no GPUs"));
        assert!(with(|job| job.end_ms = 0).contains("in this order"));
        assert!(with(|job| job.mean_gpu_w = f64::NAN).contains("mean power per GPU"));
        assert!(with(|job| job.peak_gpu_w = 1.0).contains("peak"));
        assert!(with(|job| job.time_limit_s = -1.0).contains("time limit"));
        assert!(matches!(train(&jobs(20), 1), Err(TrainError::TooFew { have: 20 })));
    }
}
