//! Prices and carbon intensities of a cycle: the feed, else the file, else the constants.

use super::meter::good;
use crate::site::{Moment, Site, TimeSeries};
use crate::snapshot::{Now, Snapshot};

/// What a kWh costs and sets free now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    pub(super) price: f64,
    /// g/kWh, and whether it is this moment's own.
    pub(super) location: (f64, bool),
    pub(super) market: Option<f64>,
    pub(super) marginal: Option<f64>,
}

impl Rates {
    pub(super) fn now(site: &Site, snapshot: &Snapshot, now: Now) -> Self {
        let (wall_ms, hour) = (now.wall_ms, now.local_hour());
        let points = site.feed.as_ref().map(|feed| &feed.points);
        let at = |series: &Option<TimeSeries>| series.as_ref().and_then(|series| series.at(wall_ms));
        let grid = &site.grid;
        let location = points
            .and_then(|points| good(snapshot, points.carbon_location))
            .map(|value| (value, true))
            .or_else(|| at(&grid.location).map(|Moment { value, typical }| (value, !typical)));
        let known = |fed: Option<f64>, series: &Option<TimeSeries>, constant: Option<f64>| {
            fed.or_else(|| at(series).map(|moment| moment.value)).or(constant)
        };
        Self {
            price: points
                .and_then(|points| good(snapshot, points.energy_price))
                .unwrap_or_else(|| site.energy_price(wall_ms, hour)),
            location: location.unwrap_or_else(|| (site.prices.carbon_g_per_kwh_at(hour), false)),
            market: known(
                points.and_then(|points| good(snapshot, points.carbon_market)),
                &grid.market,
                grid.settings.market_g_per_kwh,
            ),
            marginal: known(
                points.and_then(|points| good(snapshot, points.carbon_marginal)),
                &grid.marginal,
                grid.settings.marginal_g_per_kwh,
            ),
        }
    }
}
