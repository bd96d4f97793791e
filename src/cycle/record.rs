//! The record of one cycle: enough to show it, to audit it and to run it again bit for bit.

use super::{Basis, Inputs};
use crate::ledger::{Account, Page};
use crate::safety::SafetyReport;
use crate::site::PointId;
use crate::snapshot::{Author, Event, HeatForecast, Now, Plan};
use serde::{Deserialize, Serialize};

/// One commanded value, as recorded. A record cannot be turned back into commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commanded {
    /// The point.
    pub point: PointId,
    /// Value, canonical unit.
    pub value: f64,
    /// Who stands behind it.
    pub author: Author,
}

/// What went into a cycle and what came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CycleRecord {
    /// Number of the cycle, from 1.
    pub cycle: u64,
    /// The configuration, limits and model that it was made with.
    pub basis: Basis,
    /// Its time.
    pub now: Now,
    /// What went in.
    pub inputs: Inputs,
    /// Fingerprint of the memory before the cycle.
    pub mind_before: u64,
    /// Fingerprint of the memory after it.
    pub mind_after: u64,
    /// The forecast.
    pub heat: HeatForecast,
    /// The plan.
    pub plan: Plan,
    /// What safety made of it.
    pub safety: SafetyReport,
    /// What was commanded.
    pub commands: Vec<Commanded>,
    /// The books.
    pub account: Account,
    /// The page of the books that this cycle closed.
    pub page: Option<Box<Page>>,
    /// What happened.
    pub events: Vec<Event>,
}
