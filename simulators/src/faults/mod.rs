//! Faults in virtual time: what fails, where, from when to when; alone, in pairs, or at random from a seed.
//!
//! | file | subject |
//! |---|---|
//! | `kind` | the faults that a hall of this sort is known for |
//! | `schedule` | which of them come when: one, two, or as chance has it |
//!
//! A [`Schedule`] belongs to a [`World`](crate::world::World), which breaks and mends its plant on time; so the same faults
//! show in process, on Modbus and on MQTT. Faults of the job queue touch no plant: whoever reads the queue asks
//! [`Schedule::active`].

mod kind;
mod schedule;
#[cfg(test)]
mod tests;

pub use kind::Kind;
pub use schedule::{Fault, Schedule};
