//! The forecast against traces: replayed in time order without a look ahead, and scored beside what is known without it.
//!
//! | file | subject |
//! |---|---|
//! | `hall` | a hall laid out for a trace |
//! | `trace` | power of every rack over time, and the jobs behind it |
//! | `sources`, `lisa`, `pods` | traces from the generator and from public data |
//! | `table`, `slots` | CSV tables, and places for jobs that have none |
//! | `drive` | the service's own forecast, cycle after cycle, at a level of knowledge |
//! | `score` | errors, bounds and the rivals at each horizon |
//! | `swings` | large changes: which were seen coming |
//! | `jobs` | the power of single jobs |
//! | `export` | features, folds and series for learners outside |
//!
//! The forecast is `forecast::forecast`, the same function as in the service and in a trial.

mod drive;
mod export;
mod hall;
mod jobs;
mod lisa;
mod pods;
mod score;
mod slots;
mod sources;
mod swings;
mod table;
mod trace;

pub use export::export;
pub use hall::{HallSpec, lay_out};
pub use jobs::JobScores;
pub use score::{Evaluation, HorizonScore, evaluate};
pub use sources::{Source, SourceError};
pub use trace::{Knowledge, Trace};
