//! What happened: one type feeds the log, the alarms, the counters and the record.

use serde::{Deserialize, Serialize};

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth recording.
    Info,
    /// Worth a look.
    Warning,
    /// Needs a person.
    Alarm,
}

/// Something that happened in a cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// How much it matters.
    pub severity: Severity,
    /// Stable name for counters and filters, such as `stale_reading`.
    pub code: String,
    /// The tag, equipment or zone that it is about.
    pub subject: String,
    /// A sentence with the evidence.
    pub text: String,
}
