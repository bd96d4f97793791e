//! The books on hand-made cycles of the demo hall.

use super::*;
use crate::site::load_embedded;
use crate::snapshot::{Quality, Reading};

const HOUR_S: u64 = 3600;

struct Desk {
    site: Site,
    state: State,
    now: Now,
    values: Vec<Option<f64>>,
    account: Account,
    pages: Vec<Page>,
}

impl Desk {
    /// A hall of which nothing is read, at local midnight and a second.
    fn new() -> Self {
        let site = load_embedded("demo").unwrap().unwrap();
        Self {
            values: vec![None; site.points.len()],
            site,
            state: State::default(),
            now: Now {
                mono_ms: 1_000_000,
                wall_ms: 1000,
                utc_offset_s: 0,
            },
            account: Account::default(),
            pages: vec![],
        }
    }

    fn set(&mut self, tag: &str, value: impl Into<Option<f64>>) {
        let point = self.site.point(tag).unwrap();
        *self.values.get_mut(point.0).unwrap() = value.into();
    }

    /// One cycle, with its readings.
    fn cycle(&mut self) -> Account {
        self.after(5)
    }

    fn after(&mut self, seconds: u64) -> Account {
        self.now.mono_ms += seconds * 1000;
        self.now.wall_ms += i64::try_from(seconds).unwrap() * 1000;
        self.close()
    }

    fn close(&mut self) -> Account {
        let mut snapshot = Snapshot::empty(self.site.points.len(), self.now);
        for (slot, value) in snapshot.readings.iter_mut().zip(&self.values) {
            *slot = value.map(|value| Reading {
                value,
                quality: Quality::Good,
                mono_ms: self.now.mono_ms,
            });
        }
        let queue = JobQueue::default();
        let (account, page) = close(&self.site, &snapshot, &queue, None, &mut self.state, self.now);
        self.account = account;
        self.pages.extend(page.map(|page| *page));
        self.account.clone()
    }

    /// Cycles of 5 s for a time, `each` told the share of it that has passed.
    fn run(&mut self, seconds: u64, mut each: impl FnMut(&mut Self, f64)) {
        let cycles = seconds / 5;
        for cycle in 1..=cycles {
            each(self, cycle as f64 / cycles as f64);
            self.cycle();
        }
    }
}

fn close_to(found: f64, expect: f64) {
    assert!(
        (found - expect).abs() <= 1e-6 * expect.abs().max(1e-3),
        "{found}, expected {expect}"
    );
}

#[test]
fn counters_come_before_rates_and_rates_before_estimates() {
    let mut desk = Desk::new();
    desk.set("meter_it.energy", 1000.0);
    desk.set("meter_it.power", 900.0);
    desk.cycle();
    // The counter moves as 960 kW would; the rate says 900 kW.
    desk.run(HOUR_S, |desk, part| desk.set("meter_it.energy", 1000.0 + 960.0 * part));
    close_to(desk.account.total.it_kwh, 960.0);
    close_to(desk.account.it_kw, 900.0);
    desk.set("meter_it.energy", None);
    desk.run(HOUR_S, |_, _| {});
    close_to(desk.account.total.it_kwh, 960.0 + 900.0);
    // The counter comes back and replaces the hour of rates.
    desk.set("meter_it.energy", 1960.0 + 930.0);
    desk.cycle();
    close_to(desk.account.total.it_kwh, 960.0 + 930.0);
}

#[test]
fn a_hall_without_meters_is_estimated_and_says_so() {
    let mut desk = Desk::new();
    desk.cycle();
    desk.run(HOUR_S, |_, _| {});
    let total = desk.account.total.clone();
    close_to(total.it_kwh, 16.0 * 30.0);
    // Nameplates: 4 pumps of 4 kW, 2 of 15, 3 fans of 12, 1 of 12.
    close_to(total.cooling_kwh, 94.0);
    close_to(total.site_kwh, total.it_kwh + total.cooling_kwh);
    close_to(total.covered_s, 3600.0);
    close_to(total.estimated_s, 3600.0);
    close_to(total.makeup_l, water::makeup_for_heat_l(574.0, 5.0));
    close_to(total.makeup_l, 5.0 * (total.blowdown_l + total.drift_l));
    close_to(total.evaporation_l, total.makeup_l - total.blowdown_l - total.drift_l);
}

#[test]
fn equipment_is_counted_by_power_and_else_by_speed() {
    let mut desk = Desk::new();
    desk.set("cdu1.power", 3.0);
    desk.set("cdu2.pump_speed", 0.5);
    desk.cycle();
    desk.run(HOUR_S, |_, _| {});
    let names: Vec<_> = cooling_equipment(&desk.site).collect();
    assert_eq!(names[..5], ["cdu1", "cdu2", "cdu3", "cdu4", "loop1"]);
    let kwh = &desk.account.total.cooling_kwh_by_equipment;
    assert_eq!(kwh.len(), names.len());
    close_to(kwh[0], 3.0);
    close_to(kwh[1], 4.0 * 0.125);
    close_to(kwh[2], 4.0);
}

#[test]
fn a_rising_power_is_integrated_by_the_trapezoid() {
    let mut desk = Desk::new();
    desk.set("cdu1.power", 0.0);
    desk.cycle();
    desk.run(HOUR_S, |desk, part| desk.set("cdu1.power", 4.0 * part));
    close_to(desk.account.total.cooling_kwh_by_equipment[0], 2.0);
}

#[test]
fn a_counter_rolls_over_in_the_middle_of_a_day() {
    let mut desk = Desk::new();
    let span = desk
        .site
        .meters
        .iter()
        .find(|meter| meter.name == "meter_makeup")
        .unwrap()
        .rollover;
    desk.set("meter_makeup.volume", span - 500.0);
    desk.cycle();
    desk.run(HOUR_S, |desk, part| {
        desk.set("meter_makeup.volume", (span - 500.0 + 1200.0 * part) % span);
    });
    close_to(desk.account.total.makeup_l, 1200.0);
}

#[test]
fn a_step_of_the_wall_clock_makes_no_energy_and_a_pause_none_but_counters() {
    let mut desk = Desk::new();
    desk.set("meter_site.power", 1000.0);
    desk.set("meter_it.energy", 50.0);
    desk.cycle();
    desk.now.wall_ms += 7_200_000;
    let account = desk.cycle();
    close_to(account.total.site_kwh, 1000.0 * 5.0 / 3600.0);
    desk.now.wall_ms -= 7_200_000;
    close_to(desk.cycle().total.site_kwh, 2.0 * 1000.0 * 5.0 / 3600.0);
    // The process stood still for an hour: only the counter knows what happened.
    desk.set("meter_it.energy", 550.0);
    let account = desk.after(HOUR_S);
    close_to(account.total.site_kwh, 2.0 * 1000.0 * 5.0 / 3600.0);
    close_to(account.total.it_kwh, 500.0);
    close_to(account.total.covered_s, 10.0);
    // A clock that starts anew covers nothing.
    desk.now.mono_ms = 0;
    close_to(desk.close().total.covered_s, 10.0);
}

#[test]
fn today_begins_at_local_midnight() {
    let mut desk = Desk::new();
    desk.now.wall_ms = 22 * 3_600_000;
    desk.now.utc_offset_s = 3600;
    desk.set("meter_it.power", 1000.0);
    desk.cycle();
    desk.run(HOUR_S - 10, |_, _| {});
    close_to(desk.account.today.it_kwh, desk.account.total.it_kwh);
    desk.run(10, |_, _| {});
    close_to(desk.account.today.it_kwh, 1000.0 * 10.0 / 3600.0);
    assert!(desk.account.total.it_kwh > 990.0);
}

#[test]
fn money_carbon_and_heat_follow_the_hour_and_a_price_may_be_negative() {
    let mut desk = Desk::new();
    desk.site.prices.windows.clear();
    desk.site.prices.energy_per_kwh = -0.05;
    for (tag, kw) in [
        ("meter_it.power", 800.0),
        ("meter_site.power", 1000.0),
        ("meter_cooling.power", 100.0),
        ("meter_heat.power", 200.0),
    ] {
        desk.set(tag, kw);
    }
    desk.set("meter_makeup.flow", 20.0);
    desk.set("meter_blowdown.flow", 4.0);
    desk.cycle();
    desk.run(HOUR_S, |_, _| {});
    let (total, prices) = (&desk.account.total, &desk.site.prices);
    let water = 1.2 * prices.water_per_m3 + 0.24 * prices.sewer_per_m3;
    close_to(total.makeup_l, 1200.0);
    close_to(total.reused_kwh, 200.0);
    close_to(total.cost, -50.0 + water - 200.0 * prices.heat_per_kwh);
    close_to(total.cooling_cost, -5.0 + water - 200.0 * prices.heat_per_kwh);
    close_to(desk.account.cost_per_h, total.cost);
    let grams = prices.carbon_g_per_kwh[0];
    assert!(
        (total.co2e_kg - grams).abs() < 0.01 * grams,
        "{} at {grams} g/kWh",
        total.co2e_kg
    );
    close_to(total.renewable_kwh, 1000.0 * prices.renewable_fraction);
    let ratios = indicators(total);
    close_to(ratios.pue.unwrap(), 1.25);
    close_to(ratios.erf.unwrap(), 0.2);
    close_to(ratios.ere.unwrap(), 1.0);
}

#[test]
fn evaporation_waits_for_the_float_valve_and_never_runs_back() {
    let mut desk = Desk::new();
    desk.set("meter_makeup.volume", 0.0);
    desk.set("meter_blowdown.volume", 0.0);
    desk.cycle();
    desk.set("meter_blowdown.volume", 5.0);
    close_to(desk.cycle().total.evaporation_l, 0.0);
    desk.set("meter_makeup.volume", 5.9);
    let filled = desk.cycle().total.evaporation_l;
    assert!(filled > 0.0 && filled < 0.9);
    desk.set("meter_blowdown.volume", 10.0);
    close_to(desk.cycle().total.evaporation_l, filled);
}

#[test]
fn another_site_keeps_the_totals_and_starts_its_lists_anew() {
    let mut desk = Desk::new();
    desk.set("meter_it.energy", 100.0);
    desk.cycle();
    desk.set("meter_it.energy", 101.0);
    desk.cycle();
    desk.site.hash = "another".into();
    desk.set("meter_it.energy", 7.0);
    // For one cycle, until the meter has counted twice, the racks' idle power stands in.
    close_to(desk.cycle().total.it_kwh, 1.0 + 480.0 * 5.0 / 3600.0);
}

#[test]
fn a_missing_meter_is_an_estimate_and_only_its_own_part_is_marked() {
    let mut desk = Desk::new();
    for (tag, kw) in [("meter_it.power", 800.0), ("meter_site.power", 1000.0)] {
        desk.set(tag, kw);
    }
    desk.cycle();
    desk.run(HOUR_S, |_, _| {});
    let total = &desk.account.total;
    close_to(total.it_estimated_kwh, 0.0);
    close_to(total.site_estimated_kwh, 0.0);
    close_to(total.cooling_estimated_kwh, total.cooling_kwh);
    close_to(total.makeup_estimated_l, total.makeup_l);
    close_to(total.equipment_kwh, total.cooling_kwh);
    close_to(total.racks_kwh, 480.0);
}

#[test]
fn carbon_is_kept_three_ways_and_the_feed_comes_before_file_and_constant() {
    let mut desk = Desk::new();
    desk.site.grid.settings.market_g_per_kwh = Some(100.0);
    desk.site.grid.settings.marginal_g_per_kwh = None;
    desk.site.prices.carbon_g_per_kwh = vec![400.0; 24];
    desk.set("meter_site.power", 1000.0);
    desk.cycle();
    desk.run(HOUR_S, |_, _| {});
    let total = &desk.account.total;
    close_to(total.co2e_kg, 400.0);
    close_to(total.co2e_profile_kwh, 1000.0);
    close_to(total.co2e_market_kg, 100.0);
    close_to(total.marginal_kwh, 0.0);
    // Weather points stand in for a feed's, which the demo does not have: the unit of a point is its type's.
    let point = desk.site.weather.as_ref().unwrap().points.dry_bulb.unwrap().id();
    desk.site.feed = Some(crate::site::Feed {
        name: "feed".into(),
        device: None,
        points: crate::site::FeedPoints::bind(|_, _| Some(point)),
    });
    desk.set("weather.dry_bulb", 250.0);
    desk.run(HOUR_S, |_, _| {});
    let total = &desk.account.total;
    close_to(total.co2e_kg, 650.0);
    close_to(total.co2e_profile_kwh, 1000.0);
}

#[test]
fn reused_heat_has_the_temperature_of_its_energy() {
    let mut desk = Desk::new();
    desk.set("meter_heat.power", 0.0);
    desk.set("meter_heat.supply_temperature", 42.0);
    desk.cycle();
    let mut counted = 0.0;
    for (kwh, c) in [(500.0, 42.0), (800.0, 45.0), (300.0, 40.0)] {
        let before = counted;
        desk.set("meter_heat.supply_temperature", c);
        desk.set("meter_heat.energy", before);
        desk.run(HOUR_S, |desk, part| desk.set("meter_heat.energy", before + kwh * part));
        counted += kwh;
    }
    let total = &desk.account.total;
    assert!((total.reused_kwh - 1600.0).abs() < 1.0, "{}", total.reused_kwh);
    let mean = total.reused_kwh_c / total.reused_known_kwh;
    assert!((mean - 43.125).abs() < 0.01, "{mean}, not the arithmetic 42.333");
}

#[test]
fn cycles_of_concentration_come_from_conductivity() {
    let mut desk = Desk::new();
    for cell in ["tower1", "tower2", "tower3"] {
        desk.set(&format!("{cell}.conductivity"), 1600.0);
    }
    desk.cycle();
    desk.run(HOUR_S, |_, _| {});
    let total = &desk.account.total;
    close_to(total.concentration_weighted_l / total.concentration_l, 4.0);
    // And they take the place of the nameplate's 5 where make-up is estimated.
    close_to(total.makeup_l, water::makeup_for_heat_l(574.0, 4.0));
}

#[test]
fn pages_of_a_quarter_of_an_hour_sum_up_to_the_total_and_the_day_ends_with_its_racks() {
    let mut desk = Desk::new();
    desk.now.wall_ms = 22 * 3_600_000 + 1000;
    desk.set("meter_it.power", 1000.0);
    desk.cycle();
    desk.run(3 * HOUR_S, |_, _| {});
    assert_eq!(desk.pages.len(), 12);
    let open = desk.state.open_page(&desk.site).unwrap();
    let all = Totals::sum(desk.pages.iter().chain([&open]).map(|page| &page.totals));
    close_to(all.it_kwh, desk.account.total.it_kwh);
    close_to(all.covered_s, desk.account.total.covered_s);
    let (first_day, second): (Vec<_>, Vec<_>) = desk.pages.iter().chain([&open]).partition(|page| page.day == 0);
    for day in [first_day, second] {
        let (last, before) = day.split_last().unwrap();
        assert!(before.iter().all(|page| page.shares.racks.is_empty()));
        let racks: f64 = last.shares.racks.iter().map(|rack| rack.it_kwh).sum();
        let booked: f64 = day.iter().map(|page| page.totals.it_kwh).sum();
        close_to(racks, booked);
        close_to(last.shares.idle.it_kwh, booked);
    }
}
