//! What each job draws, will draw and costs, and when it would best start: for the people who submit, and for the
//! models. Nothing here takes part in control.
//!
//! | file | subject |
//! |---|---|
//! | `meter` | what each job draws, from the power of its racks |
//! | `run_time` | how long jobs run, from those that finished |
//! | `profile` | cooling, water and heat for a kWh of IT, by hour of the day, from the ledger |
//! | `curve` | what a kWh of IT costs when, and its integral |
//! | `outlook` | a job's energy, cooling share, water, carbon and money: spent and to come |
//! | `window` | start times within a deadline, and what waiting saves |
//! | `duel` | a new model scored beside the one in use |
//! | `desk` | all of it together, fed by the cycles |
//!
//! The split of the books over jobs is the ledger's; what is here is a forecast. Power of a job is a share of its racks'
//! measured power: idle power by GPUs, the rest by what the jobs on the rack were predicted to draw.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod curve;
mod desk;
mod duel;
mod meter;
mod outlook;
mod profile;
mod run_time;
mod window;

pub use curve::{Amounts, Curves};
pub use desk::{Desk, Sight};
pub use duel::{Duel, Verdict};
pub use meter::Meter;
pub use outlook::{JobOutlook, Outlooks, Span};
pub use profile::Profile;
pub use run_time::RunTimes;
pub use window::{Advice, Goal, Window, WindowError, advise};
