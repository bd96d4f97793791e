//! Energy, water, reused heat, carbon and cost: counters first, ratios last.

use crate::site::Site;
use crate::snapshot::{Now, Snapshot};
use serde::{Deserialize, Serialize};

/// What the ledger remembers from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {}

/// Counters over a period. Ratios are formed from these and never averaged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Length of the period that the counters cover, s.
    pub covered_s: f64,
    /// Of it, how much rests on estimates in place of a meter, s.
    pub estimated_s: f64,
    /// Energy into the IT equipment, kWh.
    pub it_kwh: f64,
    /// Energy of the whole site, kWh.
    pub site_kwh: f64,
    /// Energy of the cooling equipment, kWh.
    pub cooling_kwh: f64,
    /// Of it by equipment: name and kWh, in the site's order.
    pub cooling_kwh_by_equipment: Vec<(String, f64)>,
    /// Evaporated water, L.
    pub evaporation_l: f64,
    /// Drift, L.
    pub drift_l: f64,
    /// Blowdown, L.
    pub blowdown_l: f64,
    /// Make-up, L.
    pub makeup_l: f64,
    /// Heat handed to the network, kWh.
    pub reused_kwh: f64,
    /// Carbon of the electricity, location-based, kg CO2e.
    pub co2e_kg: f64,
    /// Renewable electricity, kWh.
    pub renewable_kwh: f64,
    /// Cost of electricity for cooling, water and waste water, less heat sold, in the site's currency.
    pub cooling_cost: f64,
    /// Cost of all electricity, water and waste water, less heat sold.
    pub cost: f64,
}

/// Indicators by their standard, formed from counters; `None` without IT energy.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Indicators {
    /// Power usage effectiveness (ISO/IEC 30134-2).
    pub pue: Option<f64>,
    /// Renewable energy factor (30134-3).
    pub r#ref: Option<f64>,
    /// Energy reuse factor (30134-6).
    pub erf: Option<f64>,
    /// Carbon usage effectiveness (30134-8), kg/kWh.
    pub cue_kg_per_kwh: Option<f64>,
    /// Water usage effectiveness (30134-9), L/kWh.
    pub wue_l_per_kwh: Option<f64>,
}

/// The books at the end of a cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Account {
    /// IT power now, kW.
    pub it_kw: f64,
    /// Cooling power now, kW.
    pub cooling_kw: f64,
    /// Heat to the network now, kW.
    pub reused_kw: f64,
    /// Cost rate now, per hour.
    pub cost_per_h: f64,
    /// Carbon rate now, kg/h.
    pub co2e_kg_per_h: f64,
    /// Since the ledger began.
    pub total: Totals,
    /// Since local midnight.
    pub today: Totals,
}

/// Closes the books of one cycle.
pub fn close(_site: &Site, _snapshot: &Snapshot, _state: &mut State, _now: Now) -> Account {
    Account::default()
}

/// Forms the indicators of a period.
pub fn indicators(_totals: &Totals) -> Indicators {
    Indicators::default()
}
