//! Counters over periods, and the books at the end of a cycle.

use serde::{Deserialize, Serialize};

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
    /// Carbon of the electricity, location-based, kg of CO2 equivalent.
    pub co2e_kg: f64,
    /// Renewable electricity, kWh.
    pub renewable_kwh: f64,
    /// Cost of electricity for cooling, water and waste water, less heat sold, in the site's currency.
    pub cooling_cost: f64,
    /// Cost of all electricity, water and waste water, less heat sold.
    pub cost: f64,
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
