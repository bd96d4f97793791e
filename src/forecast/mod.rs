//! Learned models: job power, heat per rack and CDU, intervals.
//!
//! | file | subject |
//! |---|---|
//! | `job` | the model of job power |
//! | `features` | what is known of a job at submit, as numbers |
//! | `learner` | elastic net and random forest |
//! | `train` | training, with an honest comparison |
//! | `registry` | models as files, and their cards |
//! | `recent` | what finished in service, for predictions outside a cycle |
//! | `level` | rack power now, or what stands in for it |
//! | `tracked` | the jobs of the queue: predicted, placed, measured |
//! | `rollup` | from jobs to racks at each horizon |
//! | `interval` | calibrated upper bounds |
//! | `heat` | all of it together: the forecast |
//!
//! The forecast degrades in steps and says so: with the queue and rack power it moves with jobs; with rack power alone
//! it is persistence with a calibrated bound; without that it takes heat from the coolant, or the nameplate. A rack that
//! is not measured has its rated heat for an upper bound, so that losing a reading never asks for less cooling.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod features;
mod heat;
mod interval;
mod job;
mod learner;
mod level;
mod recent;
mod registry;
mod rollup;
mod tracked;
mod train;

pub use crate::snapshot::FinishedJob;
pub use features::GpuPower;
pub use heat::{State, forecast};
pub use job::JobModel;
pub use recent::Recent;
pub use registry::{LARGEST_MODEL, ModelError, card};
pub use train::{FEWEST_JOBS, Score, TargetReport, TrainError, TrainingReport, train};
