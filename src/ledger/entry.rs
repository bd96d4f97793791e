//! What one cycle adds to the books.

use super::meter::{Booked, good};
use super::{State, cooling, water};
use crate::site::{MeterRole, Site};
use crate::snapshot::{Now, Snapshot};

/// How much more than its racks' rated power a site may draw: no counter moves faster.
const CEILING: f64 = 3.0;

/// The most water for a kWh of heat, L: evaporation and blowdown at low cycles, twice over.
const CEILING_L_PER_KWH: f64 = 6.0;

/// One cycle's amounts, and the rates at its end.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Entry {
    pub(super) dt_s: f64,
    /// Some of it rests on an estimate in place of a meter.
    pub(super) estimated: bool,
    pub(super) it_kwh: f64,
    pub(super) it_kw: f64,
    pub(super) site_kwh: f64,
    pub(super) site_kw: f64,
    pub(super) cooling_kwh: f64,
    pub(super) cooling_kw: f64,
    pub(super) cooling_kwh_by_equipment: Vec<f64>,
    pub(super) reused_kwh: f64,
    pub(super) reused_kw: f64,
    pub(super) makeup_l: f64,
    pub(super) makeup_l_per_h: f64,
    pub(super) blowdown_l: f64,
    pub(super) blowdown_l_per_h: f64,
    pub(super) drift_l: f64,
}

impl Entry {
    /// Reads the meters; where there is none, what comes next.
    pub(super) fn make(site: &Site, snapshot: &Snapshot, state: &mut State, dt_s: f64, now: Now) -> Self {
        let ceiling_kw = CEILING * site.racks.iter().map(|rack| rack.nameplate.rated_kw).sum::<f64>();
        let metered = metered(site, snapshot, state, ceiling_kw, dt_s, now);
        let by_role = |role: MeterRole| {
            metered
                .iter()
                .find(|(known, _)| *known == role)
                .and_then(|(_, booked)| *booked)
        };

        let racks = racks(site, snapshot, state, dt_s);
        let it = by_role(MeterRole::ItPower).unwrap_or(racks);
        let equipment = cooling::add(site, snapshot, state, dt_s);
        let all_equipment = equipment.iter().fold(Booked::default(), |sum, own| sum.and(*own));
        let cooling = by_role(MeterRole::CoolingPower).unwrap_or(all_equipment);
        let whole = by_role(MeterRole::SitePower).unwrap_or(Booked {
            // Lights and losses of distribution are not in it.
            estimated: true,
            ..it.and(cooling)
        });
        let exchangers = exchangers(site, snapshot, state, dt_s);
        let reused = by_role(MeterRole::ReusedHeat).unwrap_or(exchangers);

        let drift_l = water::drift_l(site, snapshot, dt_s);
        let (cells_makeup, cells_blowdown) = water::cells(site, snapshot, state, ceiling_kw * CEILING_L_PER_KWH, now);
        let cycles = water::cycles_of_concentration(site);
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

        Self {
            dt_s,
            estimated: [it, cooling, whole, reused, makeup, blowdown]
                .iter()
                .any(|part| part.estimated),
            it_kwh: it.amount,
            it_kw: it.rate,
            site_kwh: whole.amount,
            site_kw: whole.rate,
            cooling_kwh: cooling.amount,
            cooling_kw: cooling.rate,
            cooling_kwh_by_equipment: equipment.iter().map(|own| own.amount).collect(),
            reused_kwh: reused.amount,
            reused_kw: reused.rate,
            makeup_l: makeup.amount,
            makeup_l_per_h: makeup.rate,
            blowdown_l: blowdown.amount,
            blowdown_l_per_h: blowdown.rate,
            drift_l,
        }
    }
}

/// Price of make-up and blowdown, or their price per hour.
pub(super) fn water_cost(site: &Site, makeup_l: f64, blowdown_l: f64) -> f64 {
    (makeup_l * site.prices.water_per_m3 + blowdown_l * site.prices.sewer_per_m3) / 1000.0
}

type Role = (MeterRole, Option<Booked>);

/// The sum of each role's meters; `None` where a role has no meter, or one of which nothing is known yet.
fn metered(site: &Site, snapshot: &Snapshot, state: &mut State, ceiling_kw: f64, dt_s: f64, now: Now) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::with_capacity(site.meters.len());
    for (meter, book) in site.meters.iter().zip(&mut state.meters) {
        let ceiling = match meter.role {
            MeterRole::ItPower | MeterRole::SitePower | MeterRole::CoolingPower | MeterRole::ReusedHeat => ceiling_kw,
            MeterRole::MakeupWater | MeterRole::BlowdownWater => ceiling_kw * CEILING_L_PER_KWH,
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
fn racks(site: &Site, snapshot: &Snapshot, state: &mut State, dt_s: f64) -> Booked {
    let all = site.racks.iter().zip(&mut state.racks).map(|(rack, rate)| {
        let read = good(snapshot, rack.points.power);
        let idle_kw = rack.nameplate.idle_kw;
        rate.add(read, dt_s).unwrap_or(Booked {
            amount: idle_kw * dt_s / 3600.0,
            rate: idle_kw,
            estimated: true,
        })
    });
    all.fold(Booked::default(), Booked::and)
}

/// Heat by the exchangers' own reading; what is not read is not claimed.
fn exchangers(site: &Site, snapshot: &Snapshot, state: &mut State, dt_s: f64) -> Booked {
    let all = site.reuse.iter().zip(&mut state.reuse).map(|(unit, rate)| {
        let read = good(snapshot, unit.points.heat);
        let booked = rate.add(Some(read.unwrap_or(0.0).max(0.0)), dt_s).unwrap_or_default();
        Booked {
            estimated: read.is_none(),
            ..booked
        }
    });
    all.fold(Booked::default(), Booked::and)
}
