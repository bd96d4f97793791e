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

/// Heat of one rack or CDU, kW into the liquid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeatBand {
    /// Now.
    pub now_kw: f64,
    /// Expected at each horizon.
    pub mean_kw: [f64; HORIZONS],
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
}
