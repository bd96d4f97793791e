//! Energy, water, reused heat, carbon and cost: counters first, ratios last.
//!
//! A meter's counter is integrated before its rate, its rate before an estimate, and what rests on an estimate is
//! counted as such. Time comes from the monotonic clock: a step of the wall clock moves midnight, never energy.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::disallowed_methods, clippy::disallowed_types)
)]

mod cooling;
mod entry;
mod indicators;
mod meter;
mod water;

use crate::site::Site;
use crate::snapshot::{Now, Snapshot};
pub use cooling::equipment as cooling_equipment;
use entry::{Entry, water_cost};
pub use indicators::{Indicators, indicators};
use meter::{MeterBook, Rate};
use serde::{Deserialize, Serialize};

/// What the ledger remembers from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// The site that the lists in here belong to.
    site_hash: String,
    closed_ms: Option<u64>,
    day: i64,
    meters: Vec<MeterBook>,
    racks: Vec<Rate>,
    cooling: Vec<Rate>,
    reuse: Vec<Rate>,
    cells: Vec<water::CellBook>,
    total: Totals,
    today: Totals,
}

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
    /// Energy of each cooling equipment, kWh, in the order of [`cooling_equipment`].
    pub cooling_kwh_by_equipment: Vec<f64>,
    /// Evaporated water: make-up less blowdown and drift, L. Over hours it includes the change of basin levels.
    pub evaporation_l: f64,
    /// Drift, L, estimated from the circulation.
    pub drift_l: f64,
    /// Blowdown, L.
    pub blowdown_l: f64,
    /// Make-up of the towers and spray of the dry coolers, L.
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
    /// Cost rate now of all electricity and water less heat sold, per hour.
    pub cost_per_h: f64,
    /// Carbon rate now, kg/h.
    pub co2e_kg_per_h: f64,
    /// Since the ledger began.
    pub total: Totals,
    /// Since local midnight.
    pub today: Totals,
    /// Power of the whole site now, kW.
    pub site_kw: f64,
}

/// Longest time between two cycles, in cycles, over which rates may be integrated. Over longer gaps only counters know
/// what happened.
const GAP_CYCLES: f64 = 10.0;

/// Closes the books of one cycle.
pub fn close(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now) -> Account {
    state.fit(site);
    let since_s = state.closed_ms.map_or(0.0, |at| now.seconds_since(at));
    let dt_s = if since_s > GAP_CYCLES * site.control.cycle_s {
        0.0
    } else {
        since_s
    };
    state.closed_ms = Some(now.mono_ms);
    if state.day != now.local_day() {
        // A cycle belongs to the day in which it closes.
        state.day = now.local_day();
        state.today = Totals::default();
    }
    let entry = Entry::make(site, snapshot, state, dt_s, now);
    let (energy_price, carbon_g) = (
        site.prices.energy_at(now.local_hour()),
        site.prices.carbon_g_per_kwh_at(now.local_hour()),
    );
    for totals in [&mut state.total, &mut state.today] {
        totals.add(&entry, site, energy_price, carbon_g);
    }
    let water_per_h = water_cost(site, entry.makeup_l_per_h, entry.blowdown_l_per_h);
    Account {
        it_kw: entry.it_kw,
        cooling_kw: entry.cooling_kw,
        reused_kw: entry.reused_kw,
        cost_per_h: entry.site_kw * energy_price + water_per_h - entry.reused_kw * site.prices.heat_per_kwh,
        co2e_kg_per_h: entry.site_kw * carbon_g / 1000.0,
        total: state.total.clone(),
        today: state.today.clone(),
        site_kw: entry.site_kw,
    }
}

impl State {
    /// Makes the lists fit a site; the totals go on, but for the split by equipment, whose order is the site's.
    fn fit(&mut self, site: &Site) {
        if self.site_hash != site.hash {
            self.site_hash.clone_from(&site.hash);
            self.meters = vec![MeterBook::default(); site.meters.len()];
            self.racks = vec![Rate::default(); site.racks.len()];
            self.cooling = vec![Rate::default(); cooling::equipment(site).count()];
            self.reuse = vec![Rate::default(); site.reuse.len()];
            self.cells = vec![water::CellBook::default(); site.rejection.len()];
            for totals in [&mut self.total, &mut self.today] {
                totals.cooling_kwh_by_equipment.clear();
            }
        }
    }
}

impl Totals {
    fn add(&mut self, entry: &Entry, site: &Site, energy_price: f64, carbon_g_per_kwh: f64) {
        self.covered_s += entry.dt_s;
        if entry.estimated {
            self.estimated_s += entry.dt_s;
        }
        self.it_kwh += entry.it_kwh;
        self.site_kwh += entry.site_kwh;
        self.cooling_kwh += entry.cooling_kwh;
        self.cooling_kwh_by_equipment
            .resize(entry.cooling_kwh_by_equipment.len(), 0.0);
        for (sum, kwh) in self
            .cooling_kwh_by_equipment
            .iter_mut()
            .zip(&entry.cooling_kwh_by_equipment)
        {
            *sum += kwh;
        }
        self.makeup_l += entry.makeup_l;
        self.blowdown_l += entry.blowdown_l;
        self.drift_l += entry.drift_l;
        // Make-up comes when a float valve opens: the balance holds over hours, and a counter never runs back.
        self.evaporation_l = self.evaporation_l.max(self.makeup_l - self.blowdown_l - self.drift_l);
        self.reused_kwh += entry.reused_kwh;
        self.co2e_kg += entry.site_kwh * carbon_g_per_kwh / 1000.0;
        self.renewable_kwh += entry.site_kwh * site.prices.renewable_fraction;
        let water = water_cost(site, entry.makeup_l, entry.blowdown_l);
        let heat = entry.reused_kwh * site.prices.heat_per_kwh;
        self.cooling_cost += entry.cooling_kwh * energy_price + water - heat;
        self.cost += entry.site_kwh * energy_price + water - heat;
    }
}

#[cfg(test)]
mod tests;
