//! What a plan may do. The only maker of [`Commands`].
//!
//! Written to be read whole by an auditor: its own sensors, its own code path, no forecast, model or
//! optimiser, no crate beyond `thermo` and `serde`. Two steps a cycle:
//!
//! 1. [`assess`] looks at the readings before any model is asked and finds [`Facts`]: what is lost, which
//!    limits are passed, what flow the racks need, where the dew point lies.
//! 2. [`judge`] takes a plan and people's requests and makes [`Commands`]. Demands of safety form a join:
//!    the most cooling wins, whatever the order.
//!
//! *Invariant:* losing or ageing a reading never reduces commanded cooling.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm)]

mod assess;
mod authority;
mod commands;
mod demand;
mod judge;
mod level;
mod readings;
mod report;
mod state;

pub use assess::{CduFacts, Facts, ZoneFacts, assess};
pub use commands::{Command, Commands};
pub use judge::{judge, release};
pub use level::Level;
pub use report::{Change, SafetyReport, ZoneReport};
pub use state::State;
