//! Learned models: job power, heat per rack and CDU, intervals.

use crate::site::Site;
use crate::snapshot::{HORIZONS, HeatBand, HeatForecast, HeatSource, JobQueue, Now, Snapshot};
use serde::{Deserialize, Serialize};

/// A trained model of job power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobModel {}

/// What the forecast remembers from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {}

/// The heat that is about to arrive.
pub fn forecast(
    site: &Site,
    _model: &JobModel,
    _snapshot: &Snapshot,
    _queue: &JobQueue,
    _state: &mut State,
    _now: Now,
) -> HeatForecast {
    let band = HeatBand {
        now_kw: 0.0,
        mean_kw: [0.0; HORIZONS],
        upper_kw: [0.0; HORIZONS],
    };
    HeatForecast {
        source: HeatSource::Feedback,
        cdus: vec![band; site.cdus.len()],
        racks: vec![band; site.racks.len()],
        notes: vec![],
    }
}

/// TEMP
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ModelError;
impl JobModel {
    /// TEMP
    pub fn embedded() -> Self {
        Self {}
    }
    /// TEMP
    pub fn from_bytes(_: &[u8]) -> Result<Self, ModelError> {
        Ok(Self {})
    }
}
