//! How the books are kept, and what a report to an authority says beyond them.

use serde::{Deserialize, Serialize};

/// Settings of the ledger room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSettings {
    /// Where the energy of the IT equipment is metered: it makes the category of its indicators.
    pub it_metering: ItMetering,
    /// Share of the IT energy that reaches computing parts, where no meter tells; `None` states no ITUE.
    pub compute_fraction: Option<f64>,
    /// Share of the make-up water that is not of drinking quality, where no meter tells.
    pub reclaimed_fraction: f64,
    /// Conductivity of the make-up water, uS/cm: cycles of concentration are the basin's conductivity over it.
    pub makeup_us_cm: Option<f64>,
}

/// Metering points of ISO/IEC 30134-2, by category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItMetering {
    /// Category 1: output of the uninterruptible supply.
    UpsOutput,
    /// Category 2: output of the power distribution unit.
    PduOutput,
    /// Category 3: input of the IT equipment.
    ItInput,
}

impl ItMetering {
    /// The category, 1 to 3.
    pub const fn category(self) -> u8 {
        match self {
            Self::UpsOutput => 1,
            Self::PduOutput => 2,
            Self::ItInput => 3,
        }
    }
}

/// What Delegated Regulation (EU) 2024/1364 asks for beyond what can be measured here; an empty text is not stated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Owner.
    pub owner: String,
    /// Operator, with contact.
    pub operator: String,
    /// Location: municipality or local administrative unit.
    pub location: String,
    /// `enterprise`, `colocation` or `co-hosting`.
    pub kind: String,
    /// Year and month of the start of operation, `YYYY-MM`.
    pub in_operation_since: String,
    /// Floor area of the data centre, m2.
    pub floor_area_m2: Option<f64>,
    /// Of it computer rooms, m2.
    pub computer_room_m2: Option<f64>,
    /// Refrigerants in use.
    pub refrigerants: Vec<String>,
    /// Limits that the law or a contract sets, each from a date on.
    pub thresholds: Vec<Threshold>,
}

/// A limit of an indicator from a date on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Key of the indicator, such as `pue`.
    pub indicator: String,
    /// Whether the indicator must not exceed the limit; else it must reach it.
    pub at_most: bool,
    /// The limit.
    pub limit: f64,
    /// First day, `YYYY-MM-DD`.
    pub from: String,
    /// Where it is written.
    pub source: String,
}
