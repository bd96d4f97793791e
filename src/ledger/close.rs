//! Closes the books of one cycle.

use super::counter::Counter;
use super::totals::{Account, Totals};
use crate::site::{MeterRole, Site};
use crate::snapshot::{Now, Snapshot};
use serde::{Deserialize, Serialize};
use thermo::{Kilowatts, Quantity};

/// Longest interval that powers are carried over; a longer gap is only filled by counters, s.
const INTERVAL_MAX_S: f64 = 900.0;

/// Drift of modern eliminators as a share of the circulating water (0.0005 to 0.002 %).
const DRIFT_SHARE: f64 = 1e-5;

/// What the ledger remembers from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    closed_mono_ms: Option<u64>,
    /// Local day of `today`.
    day: i64,
    meters: Vec<Counter>,
    /// Make-up and blowdown of each heat-rejection unit, for sites without such meters.
    cells: Vec<(Counter, Counter)>,
    total: Totals,
    today: Totals,
}

/// Closes the books of the interval since the last cycle.
pub fn close(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now) -> Account {
    if state.meters.len() != site.meters.len() || state.cells.len() != site.rejection.len() {
        state.meters = vec![Counter::default(); site.meters.len()];
        state.cells = vec![Default::default(); site.rejection.len()];
    }
    if state.day != now.local_day() {
        state.day = now.local_day();
        state.today = Totals::default();
    }
    let elapsed_s = state.closed_mono_ms.map_or(0.0, |at| now.seconds_since(at));
    state.closed_mono_ms = Some(now.mono_ms);
    let powers = Powers::read(site, snapshot);
    let interval = interval(site, snapshot, state, now, &powers, elapsed_s);
    add(&mut state.total, &interval);
    add(&mut state.today, &interval);

    let price = site.prices.energy_at(now.local_hour());
    let carbon = site.prices.carbon_g_per_kwh_at(now.local_hour());
    Account {
        it_kw: powers.it_kw,
        cooling_kw: powers.cooling_kw,
        reused_kw: powers.reused_kw,
        cost_per_h: powers.site_kw * price - powers.reused_kw * site.prices.heat_per_kwh,
        co2e_kg_per_h: powers.site_kw * carbon / 1000.0,
        total: state.total.clone(),
        today: state.today.clone(),
    }
}

/// Powers at this moment, kW.
struct Powers {
    it_kw: f64,
    cooling_kw: f64,
    site_kw: f64,
    reused_kw: f64,
    /// Whether every piece of cooling equipment reports its power.
    cooling_known: bool,
    /// By equipment, in the order of [`names`].
    equipment_kw: Vec<f64>,
}

impl Powers {
    fn read(site: &Site, snapshot: &Snapshot) -> Self {
        let metered = |role| {
            let meters = site.meters.iter().filter(|meter| meter.role == role);
            let known: Vec<f64> = meters
                .filter_map(|m| snapshot.get(m.points.power).map(Kilowatts::get))
                .collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>())
        };
        let mut cooling_known = true;
        let equipment_kw: Vec<f64> = equipment(site)
            .map(|(_, power)| {
                let kw = snapshot.get(power).map(Kilowatts::get);
                cooling_known &= kw.is_some();
                kw.unwrap_or(0.0)
            })
            .collect();
        let summed: f64 = equipment_kw.iter().sum();
        let cooling_kw = metered(MeterRole::CoolingPower).unwrap_or(summed);
        let racks = site
            .racks
            .iter()
            .filter_map(|rack| snapshot.get(rack.points.power))
            .map(Kilowatts::get)
            .sum();
        let it_kw = metered(MeterRole::ItPower).unwrap_or(racks);
        let exchanged = site
            .reuse
            .iter()
            .filter_map(|unit| snapshot.get(unit.points.heat))
            .map(Kilowatts::get)
            .sum();
        Self {
            it_kw,
            cooling_kw,
            site_kw: metered(MeterRole::SitePower).unwrap_or(it_kw + cooling_kw),
            reused_kw: metered(MeterRole::ReusedHeat).unwrap_or(exchanged),
            cooling_known,
            equipment_kw,
        }
    }
}

/// Cooling equipment with its name and power point, in the site's order.
fn equipment(site: &Site) -> impl Iterator<Item = (&str, Option<crate::site::Point<Kilowatts>>)> {
    let loops = site.loops.iter().map(|unit| (unit.name.as_str(), unit.points.power));
    let rejection = site
        .rejection
        .iter()
        .map(|unit| (unit.name.as_str(), unit.points.power));
    let air = site
        .air_units
        .iter()
        .map(|unit| (unit.name.as_str(), unit.points.power));
    let cdus = site.cdus.iter().map(|unit| (unit.name.as_str(), unit.points.power));
    loops.chain(rejection).chain(air).chain(cdus)
}

/// The counters of the interval that ends now.
fn interval(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now, powers: &Powers, elapsed_s: f64) -> Totals {
    let hours = elapsed_s.min(INTERVAL_MAX_S) / 3600.0;
    let mut estimated = !powers.cooling_known;
    let mut follow = |state: &mut State, role: MeterRole, estimate: f64| {
        let (amount, by_estimate) = metered(site, snapshot, state, role, estimate);
        estimated |= by_estimate && elapsed_s > 0.0;
        amount
    };
    let it_kwh = follow(state, MeterRole::ItPower, powers.it_kw * hours);
    let cooling_kwh = follow(state, MeterRole::CoolingPower, powers.cooling_kw * hours);
    let site_kwh = follow(state, MeterRole::SitePower, powers.site_kw * hours);
    let reused_kwh = if site.reuse.is_empty() {
        0.0
    } else {
        follow(state, MeterRole::ReusedHeat, powers.reused_kw * hours)
    };

    let (cells_makeup_l, cells_blowdown_l) = cells(site, snapshot, state);
    let has = |role| site.meters.iter().any(|meter| meter.role == role);
    let makeup_l = if has(MeterRole::MakeupWater) {
        follow(state, MeterRole::MakeupWater, cells_makeup_l)
    } else {
        cells_makeup_l
    };
    let blowdown_l = if has(MeterRole::BlowdownWater) {
        follow(state, MeterRole::BlowdownWater, cells_blowdown_l)
    } else {
        cells_blowdown_l
    };
    let circulating_lpm: f64 = site
        .loops
        .iter()
        .filter_map(|unit| snapshot.get(unit.points.flow))
        .map(Quantity::get)
        .sum();
    let drift_l = if site.rejection.is_empty() {
        0.0
    } else {
        DRIFT_SHARE * circulating_lpm * 60.0 * hours
    };

    let (prices, hour) = (&site.prices, now.local_hour());
    let water_cost = makeup_l / 1000.0 * prices.water_per_m3 + blowdown_l / 1000.0 * prices.sewer_per_m3;
    let sold = reused_kwh * prices.heat_per_kwh;
    let price = prices.energy_at(hour);
    let shares = equipment(site).zip(&powers.equipment_kw);
    Totals {
        covered_s: elapsed_s.min(INTERVAL_MAX_S),
        estimated_s: if estimated { elapsed_s.min(INTERVAL_MAX_S) } else { 0.0 },
        it_kwh,
        site_kwh,
        cooling_kwh,
        cooling_kwh_by_equipment: shares.map(|((name, _), kw)| (name.to_owned(), kw * hours)).collect(),
        // What leaves the basins by neither drain nor drift has evaporated; basins are level over a day.
        evaporation_l: makeup_l - blowdown_l - drift_l,
        drift_l,
        blowdown_l,
        makeup_l,
        reused_kwh,
        co2e_kg: site_kwh * prices.carbon_g_per_kwh_at(hour) / 1000.0,
        renewable_kwh: site_kwh * prices.renewable_fraction,
        cooling_cost: cooling_kwh * price + water_cost - sold,
        cost: site_kwh * price + water_cost - sold,
    }
}

/// What the meters of a role counted in this interval; the estimate where the site has none. Answers whether it rests on
/// an estimate.
fn metered(site: &Site, snapshot: &Snapshot, state: &mut State, role: MeterRole, estimate: f64) -> (f64, bool) {
    let count = site.meters.iter().filter(|meter| meter.role == role).count();
    if count == 0 {
        return (estimate, true);
    }
    let mut sum = (0.0, false);
    for (meter, counter) in site
        .meters
        .iter()
        .zip(&mut state.meters)
        .filter(|(meter, _)| meter.role == role)
    {
        let volume = snapshot.get(meter.points.volume).map(Quantity::get);
        let reading = snapshot.get(meter.points.energy).map(Quantity::get).or(volume);
        let (amount, by_estimate) = counter.advance(reading, meter.rollover, estimate / count as f64);
        sum = (sum.0 + amount, sum.1 | by_estimate);
    }
    sum
}

/// Make-up (with spray) and blowdown by the units' own counters, L.
fn cells(site: &Site, snapshot: &Snapshot, state: &mut State) -> (f64, f64) {
    /// A 32-bit counter of litres.
    const ROLLOVER_L: f64 = 4_294_967_296.0;
    let mut sum = (0.0, 0.0);
    for (unit, (makeup, blowdown)) in site.rejection.iter().zip(&mut state.cells) {
        let spray = snapshot.get(unit.points.water_volume).map(Quantity::get);
        let filled = snapshot.get(unit.points.makeup_volume).map(Quantity::get).or(spray);
        if filled.is_some() {
            sum.0 += makeup.advance(filled, ROLLOVER_L, 0.0).0;
        }
        let drained = snapshot.get(unit.points.blowdown_volume).map(Quantity::get);
        if drained.is_some() {
            sum.1 += blowdown.advance(drained, ROLLOVER_L, 0.0).0;
        }
    }
    sum
}

fn add(sum: &mut Totals, part: &Totals) {
    sum.covered_s += part.covered_s;
    sum.estimated_s += part.estimated_s;
    sum.it_kwh += part.it_kwh;
    sum.site_kwh += part.site_kwh;
    sum.cooling_kwh += part.cooling_kwh;
    if sum.cooling_kwh_by_equipment.len() != part.cooling_kwh_by_equipment.len() {
        sum.cooling_kwh_by_equipment = part
            .cooling_kwh_by_equipment
            .iter()
            .map(|(name, _)| (name.clone(), 0.0))
            .collect();
    }
    for ((_, total), (_, kwh)) in sum
        .cooling_kwh_by_equipment
        .iter_mut()
        .zip(&part.cooling_kwh_by_equipment)
    {
        *total += kwh;
    }
    sum.evaporation_l += part.evaporation_l;
    sum.drift_l += part.drift_l;
    sum.blowdown_l += part.blowdown_l;
    sum.makeup_l += part.makeup_l;
    sum.reused_kwh += part.reused_kwh;
    sum.co2e_kg += part.co2e_kg;
    sum.renewable_kwh += part.renewable_kwh;
    sum.cooling_cost += part.cooling_cost;
    sum.cost += part.cost;
}
