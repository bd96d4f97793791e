//! What a person could do about the plant, and what the plant would do to a person's time: advice from the record and
//! the models. It commands nothing.
//!
//! | file | subject |
//! |---|---|
//! | `ride_through` | how long each CDU stays within limits when flow, pumps or heat rejection are lost |
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::disallowed_methods, clippy::disallowed_types)
)]

mod ride_through;

pub use ride_through::{RideThrough, ride_through};
