//! Learned models: job power, heat per rack and CDU, intervals.
//!
//! | file | subject |
//! |---|---|
//! | `job` | the model of job power |
//! | `features` | what is known of a job at submit, as numbers |
//! | `learner` | elastic net, forests, boosting |
//! | `train` | training, with an honest comparison |
//! | `registry` | models as files, and their cards |
//! | `recent` | what finished in service, for predictions outside a cycle |
//! | `level` | rack power now, or what stands in for it |
//! | `tracked` | the jobs of the queue: predicted, placed, measured |
//! | `starts`, `lasting` | when pending jobs start, and how long running ones go on |
//! | `rhythm`, `dips` | a running job's level, and its dips: which job is in one, and when the next come |
//! | `rollup` | from jobs to racks at each horizon |
//! | `blend` | which course to believe: persistence is always among them |
//! | `interval` | calibrated bounds |
//! | `horizon` | forecasts that wait for their time, then teach blend and interval |
//! | `guards` | when not to trust the forecast |
//! | `heat` | all of it together: the forecast |
//!
//! The forecast degrades in steps and says so: with the queue and rack power it moves with jobs; with rack power alone
//! it is persistence with a calibrated bound; without that it takes heat from the coolant, or the nameplate. A rack that
//! is not measured has its rated heat for an upper bound, so that losing a reading never asks for less cooling.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod blend;
mod dips;
mod features;
mod guards;
mod heat;
mod horizon;
mod interval;
mod job;
mod lasting;
mod learner;
mod level;
mod recent;
mod registry;
mod rhythm;
mod rollup;
mod starts;
mod tracked;
mod train;

pub use crate::snapshot::FinishedJob;
pub use features::GpuPower;
pub use heat::{State, forecast};
pub use job::JobModel;
pub use recent::Recent;
pub use registry::{LARGEST_MODEL, ModelError, card};
pub use train::{
    Examination, Examined, FEWEST_JOBS, Score, TargetReport, TrainError, TrainingReport, examine, replay, train,
};
