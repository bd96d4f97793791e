//! The heat forecast as control sees it.

use serde::{Deserialize, Serialize};

/// Number of horizons.
pub const HORIZONS: usize = 5;

/// The horizons, in seconds ahead.
pub const HORIZONS_S: [f64; HORIZONS] = [60.0, 300.0, 900.0, 1800.0, 3600.0];

/// What the forecast was made from; later is poorer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeatSource {
    /// The job queue, the job models and rack power.
    Queue,
    /// Rack power alone.
    RackPower,
    /// Neither: heat from coolant flow and temperatures, or the nameplate.
    Feedback,
}

impl HeatSource {
    /// In words for a person.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Queue => "the job queue and rack power",
            Self::RackPower => "rack power alone",
            Self::Feedback => "plain feedback",
        }
    }
}

/// Heat of one rack or CDU, kW into the liquid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeatBand {
    /// Now.
    pub now_kw: f64,
    /// Expected at each horizon.
    pub mean_kw: [f64; HORIZONS],
    /// Lower bound of the interval at each horizon.
    pub lower_kw: [f64; HORIZONS],
    /// Upper bound of the interval at each horizon.
    pub upper_kw: [f64; HORIZONS],
}

impl HeatBand {
    /// The largest upper bound up to a horizon (inclusive), and now.
    pub fn peak_upper_kw(&self, until_s: f64) -> f64 {
        HORIZONS_S
            .iter()
            .zip(&self.upper_kw)
            .filter(|(s, _)| **s <= until_s)
            .fold(self.now_kw, |peak, (_, kw)| peak.max(*kw))
    }
}

/// A guard of the forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// Jobs unlike any that the model knows: the queue is not used.
    ForeignJobs,
    /// Residuals to one side: the queue is not used.
    Drift,
    /// The interval does not hold: the queue is not used.
    Coverage,
    /// Not even persistence's interval holds: nothing but plain feedback is used.
    Persistence,
}

impl Guard {
    /// All guards.
    pub const ALL: [Self; 4] = [Self::ForeignJobs, Self::Drift, Self::Coverage, Self::Persistence];

    /// Its name in metrics and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForeignJobs => "foreign_jobs",
            Self::Drift => "drift",
            Self::Coverage => "coverage",
            Self::Persistence => "persistence",
        }
    }
}

/// A guard that keeps the forecast one step down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demotion {
    /// The guard.
    pub guard: Guard,
    /// Since when, monotonic ms.
    pub since_ms: u64,
    /// A sentence with the evidence.
    pub why: String,
}

/// The heat that is about to arrive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeatForecast {
    /// What it was made from.
    pub source: HeatSource,
    /// One band a CDU, by `CduId`.
    pub cdus: Vec<HeatBand>,
    /// One band a rack, by `RackId`.
    pub racks: Vec<HeatBand>,
    /// Notes for a person: why the source is poorer than it could be, which starts are expected.
    pub notes: Vec<String>,
    /// Guards in force.
    pub demotions: Vec<Demotion>,
    /// Share of the readings of late that the interval of CDUs covered, by horizon; `None` while too few tell.
    pub covered: [Option<f64>; HORIZONS],
}
