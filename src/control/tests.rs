//! What every strategy owes: complete plans within bounds, the same for the same inputs, and limits kept on its own model.

use super::*;
use crate::site::{Direction, PointId, load_embedded};
use crate::snapshot::{Author, HORIZONS, HeatBand, HeatSource, LoadLimit, Quality, Reading};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use std::sync::OnceLock;

const STRATEGIES: [StrategyKind; 3] = [StrategyKind::Fixed, StrategyKind::TrimRespond, StrategyKind::Predictive];

fn demo() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| load_embedded("demo").unwrap().unwrap())
}

/// A hall in a steady state that can be changed reading by reading.
#[derive(Debug, Clone)]
pub(super) struct Hall {
    pub(super) site: &'static Site,
    pub(super) snapshot: Snapshot,
    pub(super) heat: HeatForecast,
    state: State,
}

impl Hall {
    /// Every rack at a share of its rating, everything else at usual values.
    fn new(load: f64) -> Self {
        let site = demo();
        let band = |kw: f64| HeatBand {
            now_kw: kw,
            mean_kw: [kw; HORIZONS],
            lower_kw: [0.95 * kw; HORIZONS],
            upper_kw: [1.05 * kw; HORIZONS],
        };
        let rack_kw = |rack: &crate::site::Rack| load * rack.nameplate.rated_kw * rack.nameplate.liquid_fraction;
        let cdu_kw = |cdu: &crate::site::Cdu| cdu.racks.iter().map(|id| rack_kw(&site.racks[id.0])).sum::<f64>();
        let mut hall = Self {
            site,
            snapshot: Snapshot::empty(site.points.len(), now(0)),
            heat: HeatForecast {
                source: HeatSource::Queue,
                cdus: site.cdus.iter().map(|cdu| band(cdu_kw(cdu))).collect(),
                racks: site.racks.iter().map(|rack| band(rack_kw(rack))).collect(),
                notes: Vec::new(),
                demotions: Vec::new(),
                covered: [None; HORIZONS],
            },
            state: State::default(),
        };
        for (suffix, value) in [
            ("secondary_supply_temperature", 33.0),
            ("secondary_return_temperature", 41.0),
            ("secondary_flow", 400.0),
            ("secondary_differential_pressure", 61.0),
            ("primary_supply_temperature", 23.0),
            ("primary_flow", 200.0),
            ("primary_valve_position", 0.7),
            ("liquid_supply_temperature", 33.0),
            ("liquid_return_temperature", 43.0),
            ("liquid_flow", 100.0),
            ("chip_margin", 25.0),
            ("room_temperature", 26.0),
            ("room_relative_humidity", 0.4),
            ("supply_air_temperature", 24.0),
            ("return_air_temperature", 36.0),
            ("fan_speed", 0.5),
            ("loop1.supply_temperature", 23.0),
            ("loop1.return_temperature", 38.0),
            ("loop1.flow", 1100.0),
            ("loop1.differential_pressure", 40.0),
            ("running", 1.0),
            ("network_return_temperature", 28.0),
            ("network_supply_temperature", 37.0),
            ("valve_position", 1.0),
            ("reuse1.heat", 80.0),
            ("weather.dry_bulb", 22.0),
            ("weather.relative_humidity", 0.5),
            ("weather.pressure", 100.0),
        ] {
            hall.set(suffix, value);
        }
        for rack in &site.racks {
            let power = load * rack.nameplate.rated_kw;
            hall.set(&format!("{}.power", rack.name), power);
        }
        for (id, spec) in site.points.iter().enumerate() {
            if let Some(write) = spec.write {
                hall.put(PointId(id), write.release);
            }
        }
        hall.set("secondary_supply_temperature_setpoint", 33.0);
        hall
    }

    fn put(&mut self, point: PointId, value: f64) {
        self.snapshot.readings[point.0] = Some(Reading {
            value,
            quality: Quality::Good,
            mono_ms: 0,
        });
    }

    /// Sets every point whose tag ends so.
    fn set(&mut self, suffix: &str, value: f64) {
        let ids: Vec<usize> = ids(self.site, suffix).collect();
        assert!(!ids.is_empty(), "no point ends with {suffix}");
        for id in ids {
            self.put(PointId(id), value);
        }
    }

    fn lose(&mut self, suffix: &str) {
        for id in ids(self.site, suffix).collect::<Vec<_>>() {
            self.snapshot.readings[id] = None;
        }
    }

    fn plan(&mut self, strategy: StrategyKind, second: u64) -> Plan {
        plan(
            self.site,
            strategy,
            &self.snapshot,
            &self.heat,
            &mut self.state,
            now(second),
        )
    }

    /// The plan after `minutes` of the same readings.
    fn settle(&mut self, strategy: StrategyKind, minutes: u64) -> Plan {
        (0..minutes)
            .map(|minute| self.plan(strategy, 60 * minute))
            .last()
            .unwrap()
    }
}

fn ids<'a>(site: &'a Site, suffix: &'a str) -> impl Iterator<Item = usize> + 'a {
    let points = site.points.iter().enumerate();
    points
        .filter(move |(_, spec)| {
            spec.tag == suffix || spec.tag.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'))
        })
        .map(|(id, _)| id)
}

pub(super) fn now(second: u64) -> Now {
    Now {
        mono_ms: 1000 * second,
        wall_ms: 1_750_000_000_000 + 1000 * i64::try_from(second).unwrap(),
        utc_offset_s: 7200,
    }
}

pub(super) fn setpoint(site: &Site, plan: &Plan, tag: &str) -> f64 {
    let point = site.point(tag).unwrap();
    plan.setpoints
        .iter()
        .find(|setpoint| setpoint.point == point)
        .unwrap()
        .value
}

/// A value for every writable point but the heartbeats, once, within bounds.
fn assert_complete(site: &Site, plan: &Plan) {
    let writable = |id: &usize| site.points[*id].write.is_some() && site.points[*id].quantity != "heartbeat";
    let expected: Vec<usize> = (0..site.points.len()).filter(writable).collect();
    let mut found: Vec<usize> = plan.setpoints.iter().map(|setpoint| setpoint.point.0).collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{:?}", plan.strategy);
    for setpoint in &plan.setpoints {
        let (spec, write) = (site.spec(setpoint.point), site.spec(setpoint.point).write.unwrap());
        assert!(
            setpoint.value >= write.min && setpoint.value <= write.max,
            "{} at {} is outside {} to {}",
            spec.tag,
            setpoint.value,
            write.min,
            write.max
        );
    }
}

#[test]
fn fixed_is_the_plant_as_found_whatever_happens() {
    let mut hall = Hall::new(0.5);
    let cool = hall.plan(StrategyKind::Fixed, 0);
    hall.set("chip_margin", 2.0);
    let hot = hall.plan(StrategyKind::Fixed, 3600);
    assert_eq!(cool.setpoints, hot.setpoints);
    for setpoint in &cool.setpoints {
        let release = hall.site.spec(setpoint.point).write.unwrap().release;
        assert!((setpoint.value - release).abs() < 1e-12);
    }
}

#[test]
fn trim_and_respond_trims_a_cool_hall_to_its_floor() {
    let mut hall = Hall::new(0.3);
    let plan = hall.settle(StrategyKind::TrimRespond, 600);
    let floor = 20.0 + hall.site.control.trim_respond.pressure_floor * 200.0;
    let kpa = setpoint(hall.site, &plan, "cdu1.secondary_differential_pressure_setpoint");
    assert!((kpa - floor).abs() < 1e-9, "{kpa}");
    assert!((setpoint(hall.site, &plan, "loop1.differential_pressure_setpoint") - 30.0).abs() < 1e-9);
    assert!((setpoint(hall.site, &plan, "air1.fan_speed_setpoint") - 0.3).abs() < 1e-9);
    let coolant = setpoint(hall.site, &plan, "cdu1.secondary_supply_temperature_setpoint");
    let water = setpoint(hall.site, &plan, "tower1.supply_temperature_setpoint");
    assert!(
        coolant < hall.site.limits.secondary_supply_c.target && water <= coolant - 4.0 + 1e-9,
        "{coolant} {water}"
    );
}

#[test]
fn trim_and_respond_raises_pressure_before_it_lowers_temperature() {
    let mut hall = Hall::new(0.9);
    hall.settle(StrategyKind::TrimRespond, 600);
    hall.set("chip_margin", 4.0);
    let coolant = |plan: &Plan| setpoint(demo(), plan, "cdu1.secondary_supply_temperature_setpoint");
    let pressure = |plan: &Plan| setpoint(demo(), plan, "cdu1.secondary_differential_pressure_setpoint");
    let before = hall.plan(StrategyKind::TrimRespond, 36_000);
    let mut last = before.clone();
    for minute in 1..240 {
        let next = hall.plan(StrategyKind::TrimRespond, 36_000 + 60 * minute);
        assert!(pressure(&next) >= pressure(&last) && coolant(&next) <= coolant(&last));
        if coolant(&next) < coolant(&before) - 1e-9 {
            assert!(
                (pressure(&next) - 220.0).abs() < 1e-9,
                "temperature falls only at full pressure"
            );
        }
        last = next;
    }
    assert!((coolant(&last) - 18.0).abs() < 1e-9, "{last:?}");
    assert!(last.report.sentence.contains("cdu1"), "{}", last.report.sentence);
}

#[test]
fn trim_and_respond_takes_over_without_a_jump_towards_less_cooling() {
    let mut hall = Hall::new(0.6);
    hall.set("secondary_supply_temperature_setpoint", 27.0);
    hall.set("secondary_differential_pressure_setpoint", 90.0);
    hall.plan(StrategyKind::Predictive, 0);
    let plan = hall.plan(StrategyKind::TrimRespond, 5);
    assert!(setpoint(hall.site, &plan, "cdu1.secondary_supply_temperature_setpoint") <= 27.0 + 1e-9);
    assert!(setpoint(hall.site, &plan, "cdu1.secondary_differential_pressure_setpoint") >= 90.0 - 1e-9);
}

#[test]
fn predictive_falls_back_with_the_reason_and_returns() {
    let mut hall = Hall::new(0.6);
    assert_eq!(hall.plan(StrategyKind::Predictive, 0).status, PlanStatus::Complete);
    let good = hall.clone();
    hall.lose("weather.dry_bulb");
    let plan = hall.plan(StrategyKind::Predictive, 5);
    assert_eq!(plan.status, PlanStatus::FellBack);
    assert_eq!(plan.strategy, StrategyKind::TrimRespond);
    assert!(
        plan.report.sentence.contains("outdoor air is not known"),
        "{}",
        plan.report.sentence
    );
    assert_complete(hall.site, &plan);
    hall.snapshot = good.snapshot;
    assert_eq!(hall.plan(StrategyKind::Predictive, 10).status, PlanStatus::Complete);
}

#[test]
fn predictive_raises_pressure_in_the_cycle_that_sees_a_start_coming() {
    let mut hall = Hall::new(0.25);
    let before = hall.settle(StrategyKind::Predictive, 3);
    for (rack, band) in hall.heat.racks.iter_mut().enumerate() {
        if rack < 4 {
            band.upper_kw = [104.0; HORIZONS];
        }
    }
    // Before the next choice of the whole point is due.
    let after = hall.plan(StrategyKind::Predictive, 125);
    let pressure = |plan: &Plan, cdu: u32| {
        setpoint(
            demo(),
            plan,
            &format!("cdu{cdu}.secondary_differential_pressure_setpoint"),
        )
    };
    assert!(
        pressure(&after, 1) > 1.5 * pressure(&before, 1),
        "{} {}",
        pressure(&before, 1),
        pressure(&after, 1)
    );
    assert!(
        (pressure(&after, 2) - pressure(&before, 2)).abs() < 1e-9,
        "only where heat is coming"
    );
}

#[test]
fn a_lost_queue_never_means_less_flow() {
    let pressure = |source: HeatSource| {
        let mut hall = Hall::new(0.25);
        hall.heat.source = source;
        let plan = hall.settle(StrategyKind::Predictive, 3);
        setpoint(demo(), &plan, "cdu1.secondary_differential_pressure_setpoint")
    };
    assert!(pressure(HeatSource::RackPower) > pressure(HeatSource::Queue));
}

#[test]
fn heat_rejection_units_are_not_switched_within_ten_minutes() {
    let mut hall = Hall::new(0.3);
    let running = |plan: &Plan| {
        (1..=3)
            .filter(|cell| setpoint(demo(), plan, &format!("tower{cell}.enable")) > 0.5)
            .count()
    };
    let mut last: Option<(u64, usize)> = None;
    for minute in 0..120 {
        hall.set("weather.dry_bulb", if minute % 2 == 0 { 5.0 } else { 24.0 });
        let count = running(&hall.plan(StrategyKind::Predictive, 60 * minute));
        if let Some((since, before)) = last
            && before != count
        {
            assert!(minute - since >= 10, "switched after {} min", minute - since);
            last = Some((minute, count));
        } else if last.is_none() {
            last = Some((minute, count));
        }
    }
}

#[test]
fn the_reasons_name_what_binds_and_what_it_costs() {
    let mut hall = Hall::new(0.9);
    hall.heat.source = HeatSource::RackPower;
    let report = hall.settle(StrategyKind::Predictive, 3).report;
    assert!(report.sentence.starts_with("loop1: water"), "{}", report.sentence);
    assert!(report.sentence.contains("no queue"), "{}", report.sentence);
    assert_eq!(report.cost_per_h.len(), 7);
    assert!(
        report
            .as_found_per_h
            .is_some_and(|cost| cost > report.cost_per_h.iter().map(|(_, cost)| cost).sum::<f64>())
    );
    assert_eq!(report.worth_per_h.len(), 3);
    assert!(report.worth_per_h.iter().all(|(_, money)| *money >= 0.0));
    assert!(
        report.binding.iter().any(|why| why.starts_with("cdu1: ")),
        "{:?}",
        report.binding
    );
    assert!(
        report.cooling_kw.is_some_and(|kw| kw > 1.0 && kw < 100.0),
        "{:?}",
        report.cooling_kw
    );
}

#[test]
fn a_cell_that_stands_while_others_run_is_named_and_left_out() {
    let mut hall = Hall::new(0.9);
    hall.set("tower1.fan_speed", 0.0);
    let mut said = Vec::new();
    let mut last = None;
    for minute in 0..12 {
        last = Some(hall.plan(StrategyKind::Predictive, 60 * minute));
        said.extend(news(&mut hall.state));
    }
    assert!(
        said.iter()
            .any(|event| event.code == "unit_lost" && event.subject == "tower1"),
        "{said:?}"
    );
    let plan = last.unwrap();
    assert!(setpoint(demo(), &plan, "tower1.enable") < 0.5 && setpoint(demo(), &plan, "tower2.enable") > 0.5);
    assert!(plan.report.findings.iter().any(|finding| finding.subject == "tower1"));
}

#[test]
fn a_load_target_is_met_by_warmer_water_and_its_absence_changes_nothing() {
    let mut hall = Hall::new(0.6);
    hall.settle(StrategyKind::Predictive, 5);
    let mut asked = hall.clone();
    let request = Request {
        author: Author::Operator("grid".into()),
        kind: RequestKind::SetLoadTarget {
            limit: LoadLimit::Kilowatts(1.0),
            in_s: 0.0,
            for_s: 1800.0,
        },
        why: String::new(),
    };
    // A meter that reads far above the target.
    asked.set("power", 5.0);
    asked.set("meter_cooling.power", 20.0);
    let heard = hear(demo(), &asked.snapshot, &[request], &mut asked.state, now(300));
    assert_eq!(heard[0].code, "load_target_set");
    let water = |plan: &Plan| setpoint(demo(), plan, "tower2.supply_temperature_setpoint");
    let (without, with) = (
        hall.plan(StrategyKind::Predictive, 301),
        asked.plan(StrategyKind::Predictive, 301),
    );
    assert!(with.report.load_target.is_some() && without.report.load_target.is_none());
    assert!(
        water(&with) > water(&without) - 1e-9,
        "{} {}",
        water(&with),
        water(&without)
    );
}

#[test]
fn step_tests_only_cool_more_and_end_when_a_chip_leaves_its_target() {
    let mut plain = Hall::new(0.5);
    plain.settle(StrategyKind::Predictive, 3);
    let mut tested = plain.clone();
    let begin = Request {
        author: Author::Operator("engineer".into()),
        kind: RequestKind::Commission { begin: true },
        why: String::new(),
    };
    hear(demo(), &tested.snapshot, &[begin], &mut tested.state, now(180));
    for minute in 3..60 {
        let (plan, bent) = (
            plain.plan(StrategyKind::Predictive, 60 * minute),
            tested.plan(StrategyKind::Predictive, 60 * minute),
        );
        assert!(bent.report.commissioning.is_some());
        for (plan, bent) in plan.setpoints.iter().zip(&bent.setpoints) {
            let more = match demo().spec(plan.point).write.unwrap().more_cooling {
                Direction::Up => bent.value - plan.value,
                Direction::Down => plan.value - bent.value,
                Direction::Neutral => 0.0,
            };
            assert!(more >= -1e-9, "{}", demo().spec(plan.point).tag);
        }
    }
    tested.set("chip_margin", 3.0);
    let mut said = Vec::new();
    for minute in 60..180 {
        tested.plan(StrategyKind::Predictive, 60 * minute);
        said.extend(news(&mut tested.state));
    }
    assert!(said.iter().any(|event| event.code == "step_test_ended"));
    assert!(said.iter().any(|event| event.code == "commissioning_stopped"));
}

#[test]
fn chillers_run_where_the_towers_do_not_do_it_and_stay_for_twenty_minutes() {
    let site = load_embedded("chilled_water").unwrap().unwrap();
    let hall = Hall::new(0.6);
    let mut snapshot = Snapshot::empty(site.points.len(), now(0));
    for (id, spec) in site.points.iter().enumerate() {
        if let Some(point) = hall.site.point(&spec.tag) {
            snapshot.readings[id] = hall.snapshot.readings[point.0];
        }
    }
    let set = |snapshot: &mut Snapshot, tag: &str, value: f64| {
        snapshot.readings[site.point(tag).unwrap().0] = Some(Reading {
            value,
            quality: Quality::Good,
            mono_ms: 0,
        });
    };
    let mut state = State::default();
    let running = |plan: &Plan| {
        (1..=3)
            .filter(|unit| setpoint(&site, plan, &format!("chiller{unit}.enable")) > 0.5)
            .count()
    };
    let at = |snapshot: &Snapshot, state: &mut State, minute: u64| {
        plan(
            &site,
            StrategyKind::Predictive,
            snapshot,
            &hall.heat,
            state,
            now(60 * minute),
        )
    };
    set(&mut snapshot, "weather.dry_bulb", 5.0);
    let cool = at(&snapshot, &mut state, 0);
    assert_eq!(
        (cool.status, running(&cool)),
        (PlanStatus::Complete, 0),
        "{}",
        cool.report.sentence
    );
    set(&mut snapshot, "weather.dry_bulb", 34.0);
    set(&mut snapshot, "weather.relative_humidity", 0.5);
    let warm = at(&snapshot, &mut state, 60);
    assert!(running(&warm) >= 1, "{}", warm.report.sentence);
    set(&mut snapshot, "weather.dry_bulb", 5.0);
    assert!(running(&at(&snapshot, &mut state, 70)) >= 1, "stays for twenty minutes");
    assert_eq!(running(&at(&snapshot, &mut state, 90)), 0);
}

/// A state as odd as a plant may show.
pub(super) fn any_hall() -> impl proptest::strategy::Strategy<Value = Hall> {
    let readings = (
        15.0..45.0f64,
        0.0..40.0f64,
        16.0..34.0f64,
        0.1..0.95f64,
        -15.0..40.0f64,
        0.05..1.0f64,
        5.0..35.0f64,
    );
    (0.0..1.1f64, readings, any::<[u8; 3]>()).prop_map(|(load, readings, oddity)| {
        let (coolant, margin, room, humidity, dry_bulb, outdoor, water) = readings;
        let mut hall = Hall::new(load);
        hall.set("secondary_supply_temperature", coolant);
        hall.set("chip_margin", margin);
        hall.set("room_temperature", room);
        hall.set("room_relative_humidity", humidity);
        hall.set("weather.dry_bulb", dry_bulb);
        hall.set("weather.relative_humidity", outdoor);
        hall.set("loop1.supply_temperature", water);
        hall.heat.source = [HeatSource::Queue, HeatSource::RackPower, HeatSource::Feedback][usize::from(oddity[0] % 3)];
        for lost in oddity {
            // Any one reading in 40 cases of 256 each.
            let names = [
                "secondary_flow",
                "liquid_flow",
                "primary_flow",
                "fan_speed",
                "room_temperature",
                "loop1.flow",
            ];
            if let Some(name) = names.get(usize::from(lost / 7)) {
                hall.lose(name);
            }
        }
        hall
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_plan_is_complete_within_bounds_and_the_same_again(mut hall in any_hall()) {
        for strategy in STRATEGIES {
            let mut again = hall.clone();
            for second in [0, 15, 75, 300, 400] {
                let plan = hall.plan(strategy, second);
                assert_complete(hall.site, &plan);
                prop_assert_eq!(&plan, &again.plan(strategy, second));
                prop_assert!(!plan.report.sentence.is_empty());
            }
            prop_assert_eq!(&hall.state, &again.state);
            let bytes = postcard::to_stdvec(&hall.state).unwrap();
            prop_assert_eq!(&postcard::from_bytes::<State>(&bytes).unwrap(), &hall.state);
        }
    }

    #[test]
    fn a_hotter_forecast_never_means_less_flow(load in 0.1..0.9f64, rack in 0..16usize, more in 0.0..40.0f64) {
        let mut hall = Hall::new(load);
        hall.settle(StrategyKind::Predictive, 2);
        let before = hall.clone().plan(StrategyKind::Predictive, 65);
        for kw in &mut hall.heat.racks[rack].upper_kw {
            *kw = (*kw + more).min(110.0).max(*kw);
        }
        let after = hall.plan(StrategyKind::Predictive, 65);
        for id in ids(hall.site, "secondary_differential_pressure_setpoint") {
            let of = |plan: &Plan| plan.setpoints.iter().find(|setpoint| setpoint.point.0 == id).unwrap().value;
            prop_assert!(of(&after) >= of(&before) - 1e-9);
        }
    }

    #[test]
    fn hotter_chips_never_trim_to_less_cooling(load in 0.1..1.0f64, margin in 0.0..30.0f64, less in 0.0..20.0f64) {
        let settle = |margin: f64| {
            let mut hall = Hall::new(load);
            hall.set("chip_margin", margin);
            hall.settle(StrategyKind::TrimRespond, 60)
        };
        let (cool, hot) = (settle(margin), settle(margin - less));
        for (cool, hot) in cool.setpoints.iter().zip(&hot.setpoints) {
            prop_assert_eq!(cool.point, hot.point);
            let more = match demo().spec(cool.point).write.unwrap().more_cooling {
                Direction::Up => hot.value - cool.value,
                Direction::Down => cool.value - hot.value,
                Direction::Neutral => 0.0,
            };
            prop_assert!(more >= -1e-9, "{} at {} and {}", demo().spec(cool.point).tag, cool.value, hot.value);
        }
    }
}
