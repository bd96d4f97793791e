//! Whose turn it is to write, where two controllers share a plant.

use serde::{Deserialize, Serialize};

/// What this controller does in a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Duty {
    /// It is the only one.
    #[default]
    Alone,
    /// It holds the lease of a pair: how often that has changed hands, from 1.
    Active {
        /// Number of the term; the low byte of it goes with every heartbeat.
        term: u64,
    },
    /// Another one writes: it computes and commands nothing.
    Standby,
}
