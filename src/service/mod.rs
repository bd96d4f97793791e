//! Wires the rooms: the clock, the tick, supervision, release, start and stop.
//!
//! One task owns the run state: the control loop. Everything else hands values to it or takes values from it.

pub mod clock;
mod control_loop;
pub mod finished;
mod keeper;
mod learning;
pub mod models;
mod pairing;
mod show;
mod start;
mod watch;

pub use keeper::{Checkpoint, Entry};
pub use start::{Options, Service, ServiceError, load_model, runtime, signals, start};
