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
mod heat;
mod indicators;
mod meter;
mod page;
mod rates;
mod shares;
mod totals;
mod water;

use crate::site::Site;
use crate::snapshot::{JobQueue, Now, Shadow, Snapshot};
pub use cooling::equipment as cooling_equipment;
use entry::Entry;
pub use indicators::{Indicator, Indicators, Setting, indicators, list};
use meter::{MeterBook, Rate};
pub use page::{PAGE_MS, Page};
use serde::{Deserialize, Serialize};
pub use shares::{Amounts, DayShares, IDLE, JobShare, OTHERS};
use std::collections::BTreeMap;
pub use totals::{Counter, Totals};

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
    shares: shares::Shares,
    page: page::OpenPage,
    total: Totals,
    today: Totals,
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
    /// Price of electricity now, per kWh.
    pub price_per_kwh: f64,
    /// Average carbon intensity of the grid now, g/kWh.
    pub carbon_g_per_kwh: f64,
    /// What each tenant has used since the ledger began; brought up to date every quarter of an hour and when jobs change.
    pub tenants: BTreeMap<String, Amounts>,
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

/// Closes the books of one cycle; answers the page of the quarter of an hour before, where this cycle begins another.
pub fn close(
    site: &Site,
    snapshot: &Snapshot,
    queue: &JobQueue,
    shadow: Option<Shadow>,
    state: &mut State,
    now: Now,
) -> (Account, Option<Box<Page>>) {
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
    let mut entry = Entry::make(site, snapshot, state, dt_s, now);
    if let Some(shadow) = shadow {
        entry.delta.watch(shadow);
    }
    for totals in [&mut state.total, &mut state.today] {
        totals.add(&entry.delta);
    }
    // The page before closes with what its jobs had until then.
    let page = state.page.add(site, &mut state.shares, &entry.delta, now);
    state.shares.add(site, &entry.rack_kwh, &entry.delta);
    state.shares.follow(site, queue);
    let account = Account {
        it_kw: entry.it_kw,
        cooling_kw: entry.cooling_kw,
        reused_kw: entry.reused_kw,
        cost_per_h: entry.cost_per_h,
        co2e_kg_per_h: entry.co2e_kg_per_h,
        price_per_kwh: entry.price_per_kwh,
        carbon_g_per_kwh: entry.carbon_g_per_kwh,
        tenants: state.shares.tenants().clone(),
        total: state.total.clone(),
        today: state.today.clone(),
        site_kw: entry.site_kw,
    };
    (account, page)
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
            self.shares.fit(site);
            for totals in [&mut self.total, &mut self.today] {
                totals.cooling_kwh_by_equipment.clear();
            }
        }
    }

    /// The page that is not closed yet, with what racks and jobs used on its day so far.
    pub fn open_page(&self, site: &Site) -> Option<Page> {
        self.page.so_far(site, &self.shares)
    }
}

#[cfg(test)]
mod tests;
