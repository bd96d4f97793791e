//! What a baseline would have drawn beside the real plant.

use serde::{Deserialize, Serialize};

/// Cooling power of one plant under three sets of setpoints, by one identified model, driven by the measured load and
/// weather, kW. Differences between them are savings; the first beside the meter says how good the model is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// Under the setpoints in force.
    pub model_kw: f64,
    /// Under `fixed`: every setpoint at its release value.
    pub fixed_kw: f64,
    /// Under `trim_respond`.
    pub trim_respond_kw: f64,
}
