//! What one cycle adds to the books.

use super::meter::{Booked, good};
use super::rates::Rates;
use super::totals::Totals;
use super::water::Concentration;
use super::{State, cooling, heat, water};
use crate::site::{MeterRole, Site};
use crate::snapshot::{Now, Snapshot};

/// How much more than its racks' rated power a site may draw: no counter moves faster.
const CEILING: f64 = 3.0;

/// The most water for a kWh of heat, L: evaporation and blowdown at low cycles, twice over.
const CEILING_L_PER_KWH: f64 = 6.0;

/// One cycle's amounts, and the rates at its end.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Entry {
    pub(super) delta: Totals,
    /// Each rack's own energy, kWh.
    pub(super) rack_kwh: Vec<f64>,
    pub(super) it_kw: f64,
    pub(super) cooling_kw: f64,
    pub(super) reused_kw: f64,
    pub(super) site_kw: f64,
    pub(super) cost_per_h: f64,
    pub(super) co2e_kg_per_h: f64,
    pub(super) price_per_kwh: f64,
    pub(super) carbon_g_per_kwh: f64,
}

/// What meters, or what stands in for them, say of a cycle.
struct Measured {
    it: Booked,
    racks: Booked,
    compute_kwh: f64,
    whole: Booked,
    cooling: Booked,
    equipment: Booked,
    reused: Booked,
    exchangers: Booked,
    makeup: Booked,
    blowdown: Booked,
    reclaimed_l: f64,
    drift_l: f64,
    cells_makeup_l: f64,
    concentration: Concentration,
}

impl Entry {
    /// Reads the meters; where there is none, what comes next.
    pub(super) fn make(site: &Site, snapshot: &Snapshot, state: &mut State, dt_s: f64, now: Now) -> Self {
        let each_rack = racks(site, snapshot, state, dt_s);
        let equipment = cooling::add(site, snapshot, state, dt_s);
        let measured = Measured::read(site, snapshot, state, (&each_rack, &equipment), dt_s, now);
        let rates = Rates::now(site, snapshot, now);
        let mut delta = measured.totals(site, &rates, dt_s);
        surroundings(site, snapshot, &mut delta, dt_s);
        if let Some((carried, input)) = heat::balance(site, snapshot, delta.it_kwh, &equipment, dt_s) {
            (delta.loop_heat_kwh, delta.heat_input_kwh) = (carried, input);
        }
        delta.cooling_kwh_by_equipment = equipment.iter().map(|own| own.amount).collect();
        let (whole, reused) = (measured.whole.rate, measured.reused.rate);
        Self {
            delta,
            rack_kwh: each_rack.iter().map(|own| own.amount).collect(),
            it_kw: measured.it.rate,
            cooling_kw: measured.cooling.rate,
            reused_kw: reused,
            site_kw: whole,
            cost_per_h: whole * rates.price + water_cost(site, measured.makeup.rate, measured.blowdown.rate)
                - reused * site.prices.heat_per_kwh,
            co2e_kg_per_h: whole * rates.location.0 / 1000.0,
            price_per_kwh: rates.price,
            carbon_g_per_kwh: rates.location.0,
        }
    }
}

/// What the weather station, the air units and the hand-over say of temperatures.
fn surroundings(site: &Site, snapshot: &Snapshot, delta: &mut Totals, dt_s: f64) {
    let outdoors = site.weather.as_ref();
    if let Some(c) = outdoors.and_then(|weather| good(snapshot, weather.points.dry_bulb)) {
        (delta.outdoors_known_s, delta.outdoors_s_c) = (dt_s, c * dt_s);
    }
    if let Some(c) = heat::intake_setpoint_c(site, snapshot) {
        (delta.intake_known_s, delta.intake_s_c) = (dt_s, c * dt_s);
    }
    if let Some(c) = heat::handed_over_c(site, snapshot) {
        (delta.reused_known_kwh, delta.reused_kwh_c) = (delta.reused_kwh, c * delta.reused_kwh);
    }
}

impl Measured {
    fn read(
        site: &Site,
        snapshot: &Snapshot,
        state: &mut State,
        (each_rack, each_equipment): (&[Booked], &[Booked]),
        dt_s: f64,
        now: Now,
    ) -> Self {
        let ceiling_kw = CEILING * site.racks.iter().map(|rack| rack.nameplate.rated_kw).sum::<f64>();
        let metered = metered(site, snapshot, state, ceiling_kw, dt_s, now);
        let by_role = |role: MeterRole| {
            metered
                .iter()
                .find(|(known, _)| *known == role)
                .and_then(|(_, booked)| *booked)
        };
        let sum = |parts: &[Booked]| parts.iter().fold(Booked::default(), |sum, own| sum.and(*own));
        let (racks, equipment) = (sum(each_rack), sum(each_equipment));
        let it = by_role(MeterRole::ItPower).unwrap_or(racks);
        let cooling = by_role(MeterRole::CoolingPower).unwrap_or(equipment);
        let exchangers = heat::exchangers(site, snapshot, state, dt_s);
        let reused = by_role(MeterRole::ReusedHeat).unwrap_or(exchangers);

        let drift_l = water::drift_l(site, snapshot, dt_s);
        let (cells_makeup, cells_blowdown) = water::cells(site, snapshot, state, ceiling_kw * CEILING_L_PER_KWH, now);
        let concentration = water::concentration(site, snapshot, dt_s);
        let cycles = water::cycles_of_concentration(site, concentration);
        let estimate = |amount: f64| Booked {
            amount,
            rate: 0.0,
            estimated: cycles.is_some(),
        };
        let heat_kwh = it.amount + cooling.amount - reused.amount;
        let makeup = by_role(MeterRole::MakeupWater)
            .or(cells_makeup)
            .unwrap_or_else(|| estimate(cycles.map_or(0.0, |cycles| water::makeup_for_heat_l(heat_kwh, cycles))));
        let blowdown = by_role(MeterRole::BlowdownWater)
            .or(cells_blowdown)
            .unwrap_or_else(|| estimate(cycles.map_or(0.0, |cycles| (makeup.amount / cycles - drift_l).max(0.0))));
        let told = |role: MeterRole, otherwise: f64| by_role(role).map_or(otherwise, |booked| booked.amount);
        Self {
            it,
            racks,
            compute_kwh: told(
                MeterRole::ComputePower,
                it.amount * site.ledger.compute_fraction.unwrap_or(0.0),
            ),
            whole: by_role(MeterRole::SitePower).unwrap_or(Booked {
                // Lights and losses of distribution are not in it.
                estimated: true,
                ..it.and(cooling)
            }),
            cooling,
            equipment,
            reused,
            exchangers,
            makeup,
            blowdown,
            reclaimed_l: told(
                MeterRole::ReclaimedWater,
                makeup.amount * site.ledger.reclaimed_fraction,
            ),
            drift_l,
            cells_makeup_l: cells_makeup.map_or(0.0, |cells| cells.amount),
            concentration,
        }
    }

    /// The counters of the cycle.
    fn totals(&self, site: &Site, rates: &Rates, dt_s: f64) -> Totals {
        let site_kwh = self.whole.amount;
        let of_estimate = |booked: Booked| if booked.estimated { booked.amount } else { 0.0 };
        let kg = |grams: Option<f64>| grams.map_or(0.0, |grams| site_kwh * grams / 1000.0);
        let known_kwh = |known: bool| if known { site_kwh } else { 0.0 };
        let water_cost = water_cost(site, self.makeup.amount, self.blowdown.amount);
        let heat_income = self.reused.amount * site.prices.heat_per_kwh;
        let any = [
            self.it,
            self.cooling,
            self.whole,
            self.reused,
            self.makeup,
            self.blowdown,
        ];
        let estimated = any.iter().any(|part| part.estimated);
        Totals {
            covered_s: dt_s,
            estimated_s: if estimated { dt_s } else { 0.0 },
            it_kwh: self.it.amount,
            it_estimated_kwh: of_estimate(self.it),
            racks_kwh: self.racks.amount,
            compute_kwh: self.compute_kwh,
            site_kwh,
            site_estimated_kwh: of_estimate(self.whole),
            cooling_kwh: self.cooling.amount,
            cooling_estimated_kwh: of_estimate(self.cooling),
            equipment_kwh: self.equipment.amount,
            drift_l: self.drift_l,
            blowdown_l: self.blowdown.amount,
            makeup_l: self.makeup.amount,
            makeup_estimated_l: of_estimate(self.makeup),
            reclaimed_l: self.reclaimed_l,
            cells_makeup_l: self.cells_makeup_l,
            concentration_l: self.concentration.circulated_l,
            concentration_weighted_l: self.concentration.weighted_l,
            reused_kwh: self.reused.amount,
            reused_estimated_kwh: of_estimate(self.reused),
            exchangers_kwh: self.exchangers.amount,
            co2e_kg: kg(Some(rates.location.0)),
            co2e_profile_kwh: known_kwh(!rates.location.1),
            co2e_market_kg: kg(rates.market),
            market_kwh: known_kwh(rates.market.is_some()),
            co2e_marginal_kg: kg(rates.marginal),
            marginal_kwh: known_kwh(rates.marginal.is_some()),
            renewable_kwh: site_kwh * site.prices.renewable_fraction,
            source_water_l: site_kwh * site.grid.settings.source_water_l_per_kwh.unwrap_or(0.0),
            energy_cost: site_kwh * rates.price,
            negative_price_kwh: known_kwh(rates.price < 0.0),
            water_cost,
            heat_income,
            cooling_cost: self.cooling.amount * rates.price + water_cost - heat_income,
            cost: site_kwh * rates.price + water_cost - heat_income,
            ..Totals::default()
        }
    }
}

/// Price of make-up and blowdown, or their price per hour.
fn water_cost(site: &Site, makeup_l: f64, blowdown_l: f64) -> f64 {
    (makeup_l * site.prices.water_per_m3 + blowdown_l * site.prices.sewer_per_m3) / 1000.0
}

type Role = (MeterRole, Option<Booked>);

/// The sum of each role's meters; `None` where a role has no meter, or one of which nothing is known yet.
fn metered(site: &Site, snapshot: &Snapshot, state: &mut State, ceiling_kw: f64, dt_s: f64, now: Now) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::with_capacity(site.meters.len());
    for (meter, book) in site.meters.iter().zip(&mut state.meters) {
        let ceiling = if meter.role.is_water() {
            ceiling_kw * CEILING_L_PER_KWH
        } else {
            ceiling_kw
        };
        let own = book.add(meter, snapshot, ceiling, dt_s, now);
        match roles.iter_mut().find(|(role, _)| *role == meter.role) {
            Some((_, sum)) => *sum = sum.zip(own).map(|(sum, own)| sum.and(own)),
            None => roles.push((meter.role, own)),
        }
    }
    roles
}

/// IT by the racks' own power; a rack that never reported draws its idle power.
fn racks(site: &Site, snapshot: &Snapshot, state: &mut State, dt_s: f64) -> Vec<Booked> {
    let all = site.racks.iter().zip(&mut state.racks).map(|(rack, rate)| {
        let read = good(snapshot, rack.points.power);
        let idle_kw = rack.nameplate.idle_kw;
        rate.add(read, dt_s).unwrap_or(Booked {
            amount: idle_kw * dt_s / 3600.0,
            rate: idle_kw,
            estimated: true,
        })
    });
    all.collect()
}
