//! The cycle against a simulated plant in virtual time, scored.
//!
//! The numbers in the README come from here. A trial walks through the same `cycle::step` as the
//! service; only the two ends differ: readings come from the plant in process, and time is a number.

#[cfg(test)]
mod advised;
pub mod backtest;
mod clock;
mod contender;
mod disturbance;
pub mod faults;
mod grid_event;
mod hall;
mod history;
mod jobs;
mod knobs;
mod matrix;
mod money;
mod oracle;
mod plant;
mod run;
mod score;
mod signals;
mod tradeoff;
mod tune;
mod watch;
mod world;

pub use contender::Contender;
pub use disturbance::Disturbance;
pub use grid_event::{GridEvent, GridScore};
pub use hall::{HallError, HallOptions, SimulatedHall};
pub use history::synthetic_history;
pub use matrix::{Cell, Matrix, MatrixError, MatrixResult, SiteLoads, Summary, run_cells, summarise};
pub use plant::{COMMS_TIMEOUT_S, plant_spec};
pub use run::{Options, run, run_recorded};
pub use score::{Run, Trial, Truth};
pub use tradeoff::{Axis, Choice, tradeoff};
pub use tune::{Tried, tune};
pub use world::{Load, WeatherSource, WorldError, build_world, year_s};
