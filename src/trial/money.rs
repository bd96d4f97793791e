//! What a run costs, by the plant's true flows.

use crate::site::Site;
use crate::snapshot::Now;
use simulators::plant::Totals;

/// Sums of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Money {
    /// Electricity for cooling, water and waste water, less heat sold, in the site's currency.
    pub(super) cooling_cost: f64,
    /// The same and the carbon of cooling at its price: what control is asked to make least.
    pub(super) objective: f64,
    /// Carbon of the site's electricity, kg of CO2 equivalent.
    pub(super) co2e_kg: f64,
}

impl Money {
    /// Adds what passed between two totals.
    pub(super) fn add(&mut self, site: &Site, now: Now, before: &Totals, after: &Totals) {
        let hour = now.local_hour();
        let prices = &site.prices;
        let water_l = after.makeup_l + after.spray_l - before.makeup_l - before.spray_l;
        let cooling_kwh = after.cooling_kwh - before.cooling_kwh;
        let kg_per_kwh = site.carbon_g_per_kwh(now.wall_ms, hour) / 1000.0;
        let cost = cooling_kwh * site.energy_price(now.wall_ms, hour)
            + water_l / 1000.0 * prices.water_per_m3
            + (after.blowdown_l - before.blowdown_l) / 1000.0 * prices.sewer_per_m3
            - (after.reused_kwh - before.reused_kwh) * prices.heat_per_kwh;
        self.cooling_cost += cost;
        self.objective += cost + cooling_kwh * kg_per_kwh * prices.carbon_per_kg;
        self.co2e_kg += (after.site_kwh() - before.site_kwh()) * kg_per_kwh;
    }
}
