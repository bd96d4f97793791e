//! A building management system on the NVIDIA DSX Exchange bus, and what it may expect of an integration.
//!
//! | file | subject |
//! |---|---|
//! | `bms` | a BMS that publishes metadata, values and heartbeats, echoes ours, follows requests and takes them back |
//! | `points` | the points of a small hall |
//! | `schema` | which values an integration may publish: as published by NVIDIA, or restated here |
//! | `conformance` | every message of an integration against the schema and the contract |
//!
//! It writes its messages by itself, not with the controller's codec, so that one mistake cannot hide at both ends.

mod bms;
mod conformance;
mod points;
mod schema;

pub use bms::{Bms, Heard};
pub use conformance::{Check, check};
pub use points::{BmsPoint, Kind, hall};
pub use schema::Schema;
