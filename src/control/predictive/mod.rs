//! Least cost over the forecast: coolant temperature and pressure, facility temperature and pressure, cells, air, export.
//!
//! | file | subject |
//! |---|---|
//! | `model` | the plant as the controller believes it: physical laws with learned ratios |
//! | `learn` | the ratios, from telemetry |
//! | `need` | the heat that each rack must be ready for, and the flow that it asks for |
//! | `ladder` | a CDU's coolant temperatures, each with its least flow |
//! | `reject` | heat rejection: cells and fans, pads, chillers after them |
//! | `staging` | minimum times between two switchings |
//! | `room` | an air unit and its room |
//! | `health` | units and exchangers that are not what they should be |
//! | `evaluate` | what a loop costs at a water temperature |
//! | `choose` | the search for the cheapest point |
//! | `commission` | step tests from which the model learns a plant |
//! | `drift` | how well the model explains the meters |
//! | `relief` | meeting a load target |
//! | `worth` | what limits cost |
//! | `what_if` | what the plant would cost with other ratios, for advice |
//! | `report` | the reasons, for a person |
//!
//! Once a minute the whole operating point is chosen anew. In between, each cycle recomputes what the fresh forecast
//! needs of each CDU's flow and each room's air, so that pressure rises before heat arrives.

mod choose;
mod commission;
mod drift;
mod evaluate;
mod health;
mod ladder;
mod learn;
mod model;
mod need;
mod reject;
mod relief;
mod report;
mod room;
mod staging;
pub(super) mod what_if;
mod worth;

use super::{Setpoints, Strategy, View, value};
use crate::site::{FacilityLoop, StrategyKind};
use crate::snapshot::{Event, Finding, LoadPhase, Now, Plan, PlanReport, PlanStatus, Severity};
use commission::{Bend, Commissioning};
use evaluate::{OperatingPoint, Trial};
use learn::{Learned, air_heat_kw};
use model::air::AirModel;
use model::cdu::CduModel;
use model::facility;
use model::rejection::Outdoors;
use need::{CduNeed, Slack};
use reject::{Stages, in_service};
use relief::Relief;
use room::ROOM_RESERVE_K;
use serde::{Deserialize, Serialize};
use staging::Switched;
use thermo::moist_air;

/// Time between two choices of the whole operating point, s.
const CHOICE_S: f64 = 60.0;
/// Time between two looks at what limits cost, s.
const ASIDES_S: f64 = 300.0;
/// Time over which the model's error is averaged, s.
const DRIFT_S: f64 = 600.0;
/// Pressure above what the flow needs, as a factor: the local loop ripples.
const PRESSURE_RESERVE: f64 = 1.04;
/// Supply air colder per kelvin that a room is warmer than planned.
const ROOM_GAIN: f64 = 2.0;
/// How far ahead a room's air must manage the upper heat: the fan follows at once, s.
const AIR_LEAD_S: f64 = 60.0;

/// The predictive strategy's memory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Predictive {
    learned: Learned,
    /// One point a loop; empty where the last choice failed.
    chosen: Vec<OperatingPoint>,
    chosen_mono_ms: Option<u64>,
    /// When each loop's heat rejection was last switched.
    switched: Vec<Switched>,
    /// What each loop does about a load target; empty without one.
    relief: Vec<Relief>,
    /// The load target that is in force cannot be held within limits.
    pub(super) unmet: bool,
    /// Step tests that are under way.
    commissioning: Option<Commissioning>,
    /// Mean error of the model over the metered power.
    model_error: Option<f64>,
    report: PlanReport,
    asides: report::Asides,
    /// Events that the cycle has not heard of yet.
    pub(super) news: Vec<Event>,
}

impl Strategy for Predictive {
    fn plan(&mut self, view: &View<'_>) -> Result<Plan, String> {
        let site = view.site;
        if view.heat.cdus.len() != site.cdus.len() || view.heat.racks.len() != site.racks.len() {
            return Err("The forecast is not of this site".to_owned());
        }
        let outdoors = outdoors(view).ok_or("The outdoor air is not known")?;
        let silent = site
            .loops
            .iter()
            .find(|unit| value(view, unit.points.supply_temperature).is_none());
        if let Some(unit) = silent {
            return Err(format!("The supply temperature of {} is not known", unit.name));
        }
        let elapsed_s = self.learned.update(view, &outdoors);
        if let Some(error) = drift::error(view, &self.learned, &outdoors) {
            let mean = self.model_error.get_or_insert(error);
            *mean += (elapsed_s / DRIFT_S).min(1.0) * (error - *mean);
        }
        let bend = match &mut self.commissioning {
            Some(tests) => tests.bend(view, &mut self.news),
            None => None,
        };
        if bend.is_none() {
            self.commissioning = None;
        }
        let bend = bend.unwrap_or(Bend::NONE);
        let due = self.chosen.len() != site.loops.len()
            || self
                .chosen_mono_ms
                .is_none_or(|at| view.now.seconds_since(at) >= CHOICE_S);
        if due {
            self.choose(view, outdoors)?;
        }
        let mut setpoints = Setpoints::new(site);
        for (id, point) in self.chosen.iter().enumerate() {
            let (unit, switched) = (&site.loops[id], &mut self.switched[id]);
            let boosted_kpa = switched.boosted_kpa(view, unit, point.header_kpa);
            let header_kpa = bend.header * switched.nudged_kpa(view, unit, boosted_kpa);
            let asked = Asked {
                header_kpa,
                colder_k: bend.water_k,
                relief: self.relief.get(id),
            };
            put_loop(view, &self.learned, id, point, &asked, &mut setpoints);
            self.put_cdus(view, id, point, &bend, &mut setpoints);
            self.put_air(view, id, point, &bend, &mut setpoints);
        }
        let mut report = self.report.clone();
        report.commissioning = self.commissioning.map(|tests| tests.report());
        report.model_error = self.model_error;
        Ok(Plan {
            strategy: StrategyKind::Predictive,
            status: PlanStatus::Complete,
            setpoints: setpoints.complete(),
            report,
        })
    }
}

impl Predictive {
    /// Begins step tests, or ends them.
    pub(super) fn commission(&mut self, begin: bool, now: Now) {
        self.commissioning = begin.then(|| Commissioning::begin(now));
    }

    /// Chooses every loop's operating point anew.
    fn choose(&mut self, view: &View<'_>, outdoors: Outdoors) -> Result<(), String> {
        let last = std::mem::take(&mut self.chosen);
        self.switched.resize(view.site.loops.len(), Switched::default());
        self.unmet = false;
        let mut chosen = Vec::with_capacity(last.len());
        for (id, unit) in view.site.loops.iter().enumerate() {
            let mut trial = Trial::new(view, &self.learned, id, outdoors, &Slack::default())?;
            let last = last.get(id);
            let rated_kw = unit.nameplate.pump_kw * unit.nameplate.pumps as f64;
            let litre_kw = rated_kw / facility::rated_flow_lpm(unit);
            let all = trial.equipment.stages();
            let held = self.switched[id].stages(&all, last, view.now);
            let mut point = choose::choose(&trial, litre_kw, &held, last);
            if point.short > 0.0 && held != all {
                // Limits come before wear: what is out may start.
                point = choose::choose(
                    &trial,
                    litre_kw,
                    &self.switched[id].starting(&all, last, view.now),
                    last,
                );
            }
            self.unmet |= relieve(view, id, &mut trial, &mut self.relief, &mut point);
            self.switched[id].note(last, &point, view.now);
            chosen.push(point);
        }
        if view.load.is_none() {
            self.relief.clear();
        }
        let found = health::findings(view.site, &self.learned);
        let before = std::mem::replace(&mut self.learned.health.found, found.clone());
        self.news.extend(news(&before, &found));
        self.asides.findings = found;
        if self
            .asides
            .asked_mono_ms
            .is_none_or(|at| view.now.seconds_since(at) >= ASIDES_S)
        {
            (self.asides.as_found_per_h, self.asides.worth_per_h) =
                worth::asides(view, &self.learned, outdoors, &chosen);
            self.asides.asked_mono_ms = Some(view.now.mono_ms);
        }
        self.report = report::report(view, &chosen, &last, &self.asides);
        self.chosen = chosen;
        self.chosen_mono_ms = Some(view.now.mono_ms);
        Ok(())
    }

    /// Coolant setpoints: the temperature as chosen, the pressure for the fresh forecast.
    fn put_cdus(&self, view: &View<'_>, id: usize, point: &OperatingPoint, bend: &Bend, setpoints: &mut Setpoints<'_>) {
        for (cdu, supply_c) in view.site.loops[id].cdus.iter().zip(&point.supply_c) {
            let unit = &view.site.cdus[cdu.0];
            let model = CduModel::new(unit, self.learned.cdus[cdu.0]);
            // The coolant is where it is: what is warmer than planned needs more flow until it has come down.
            let now_c = value(view, unit.points.secondary_supply_temperature).map_or(*supply_c, |c| c.max(*supply_c));
            let (share, _) = CduNeed::new(view, &self.learned, cdu.0).flow_share(now_c);
            let kpa = (bend.pressure[cdu.0 % 2] * model.pressure_kpa(share) * PRESSURE_RESERVE).min(f64::MAX);
            let supply_c = bend.coolant_c(view, cdu.0, *supply_c);
            setpoints.put(unit.points.secondary_differential_pressure_setpoint, kpa);
            setpoints.put(unit.points.secondary_supply_temperature_setpoint, supply_c);
        }
    }

    /// Air setpoints: the fan as chosen; the air as cold as the fresh forecast needs, and colder where the room is warmer
    /// than planned. The fan does not answer a warm room: faster, it first pulls the hot aisle through a coil whose valve
    /// has yet to open.
    fn put_air(&self, view: &View<'_>, id: usize, point: &OperatingPoint, bend: &Bend, setpoints: &mut Setpoints<'_>) {
        let planned_c = view.site.limits.room_c.target - ROOM_RESERVE_K;
        let heat_kw = air_heat_kw(view, |band| band.peak_upper_kw(AIR_LEAD_S));
        for (air, (speed, supply_c)) in view.site.loops[id].air_units.iter().zip(&point.air) {
            let unit = &view.site.air_units[air.0];
            let model = AirModel::new(unit, self.learned.air_units[air.0]);
            let warm_k = value(view, unit.points.room_temperature).map_or(ROOM_RESERVE_K, |c| (c - planned_c).max(0.0));
            let supply_c = model.supply_c(heat_kw, *speed, planned_c).min(*supply_c) - ROOM_GAIN * warm_k;
            setpoints.put(unit.points.fan_speed_setpoint, bend.air * *speed);
            setpoints.put(unit.points.supply_air_temperature_setpoint, supply_c);
        }
    }
}

/// What is asked of a loop beside its point.
struct Asked<'a> {
    header_kpa: f64,
    colder_k: f64,
    relief: Option<&'a Relief>,
}

/// Setpoints of a loop's pumps, heat rejection and heat export.
fn put_loop(
    view: &View<'_>,
    learned: &Learned,
    id: usize,
    point: &OperatingPoint,
    asked: &Asked<'_>,
    setpoints: &mut Setpoints<'_>,
) {
    let (site, unit) = (view.site, &view.site.loops[id]);
    setpoints.put(unit.points.differential_pressure_setpoint, asked.header_kpa);
    let rejecting = &point.rejecting;
    for cell in unit.rejection.iter().map(|id| &site.rejection[id.0]) {
        setpoints.put(cell.points.enable, 0.0);
    }
    for (chillers, count, leaving_c) in [
        (false, rejecting.units, rejecting.leaving_c),
        (true, rejecting.chillers, point.water_c),
    ] {
        for (place, cell) in in_service(site, unit, learned, chillers).enumerate() {
            let cell = &site.rejection[cell.0];
            setpoints.put(cell.points.enable, f64::from(u8::from(place < count)));
            let now_c = value(view, cell.points.leaving_temperature).or(value(view, unit.points.supply_temperature));
            let setpoint_c = match (view.load, asked.relief, now_c) {
                (Some(load), Some(relief), Some(now_c)) => {
                    relief::setpoint_c(view, id, &load, relief, now_c, leaving_c)
                }
                _ => leaving_c,
            };
            setpoints.put(cell.points.supply_temperature_setpoint, setpoint_c - asked.colder_k);
        }
    }
    for (reuse, valve) in unit.reuse.iter().zip(&point.export) {
        setpoints.put(site.reuse[reuse.0].points.valve_setpoint, *valve);
    }
}

/// Bends a loop's point towards a load target; answers whether the target cannot be held within limits.
fn relieve(
    view: &View<'_>,
    id: usize,
    trial: &mut Trial<'_>,
    known: &mut Vec<Relief>,
    point: &mut OperatingPoint,
) -> bool {
    let Some(load) = view.load.filter(|load| load.phase != LoadPhase::GivenUp) else {
        return false;
    };
    // Loops share a target by their sizes.
    let sites = &view.site.loops;
    let rated_kw = |unit: &FacilityLoop| unit.nameplate.pump_kw * unit.nameplate.pumps as f64;
    let share = rated_kw(&sites[id]) / sites.iter().map(rated_kw).sum::<f64>();
    let fresh = Relief {
        usual_c: point.water_c,
        target_kw: share * load.kw,
    };
    let holding = matches!(load.phase, LoadPhase::Holding | LoadPhase::Recovering);
    match known.get_mut(id) {
        Some(known) if holding => {
            *known = Relief {
                usual_c: known.usual_c,
                ..fresh
            }
        }
        Some(known) => *known = fresh,
        None => known.push(fresh),
    }
    let mut hints = vec![usize::MAX; trial.cdus()];
    let wanted_c = match load.phase {
        LoadPhase::Precooling => {
            let colder_k = relief::precool_k(trial, &sites[id], point, &load, share);
            let coldest_c = trial
                .equipment
                .ambient_c()
                .map_or(trial.water.0, |c| c + choose::LEAST_APPROACH_K);
            (point.water_c - colder_k).max(coldest_c.min(point.water_c))
        }
        // The water is where it is; pumps and coolant are planned for that.
        LoadPhase::Holding | LoadPhase::Recovering => {
            value(view, sites[id].points.supply_temperature).unwrap_or(point.water_c)
        }
        LoadPhase::Announced | LoadPhase::GivenUp => return false,
    };
    let stages = Stages {
        units: point.rejecting.units..=point.rejecting.units,
        chillers: point.rejecting.chillers..=point.rejecting.chillers,
    };
    let wanted_c = wanted_c.clamp(trial.water.0, trial.water.1);
    let bent = trial.at(wanted_c, point.litre_kw, &stages, &mut hints);
    // Heat rejection alone may fall short of the water as it is: that is what storing means.
    if bent.short - bent.rejecting.short > point.short - point.rejecting.short + 1e-9 {
        return load.phase == LoadPhase::Holding;
    }
    let rejecting = reject::Rejecting {
        leaving_c: point.rejecting.leaving_c,
        ..bent.rejecting
    };
    let usual_c = point.water_c;
    *point = bent;
    if load.phase == LoadPhase::Recovering {
        point.water_c = usual_c;
        point.rejecting = rejecting;
    }
    false
}

/// What has come up and what has gone.
fn news(before: &[Finding], now: &[Finding]) -> Vec<Event> {
    let same = |a: &Finding, b: &Finding| a.code == b.code && a.subject == b.subject;
    let come = now
        .iter()
        .filter(|finding| !before.iter().any(|known| same(known, finding)));
    let gone = before
        .iter()
        .filter(|known| !now.iter().any(|finding| same(known, finding)));
    let come = come.map(|finding| Event {
        severity: Severity::Warning,
        code: finding.code.clone(),
        subject: finding.subject.clone(),
        text: finding.text.clone(),
    });
    let gone = gone.map(|finding| Event {
        severity: Severity::Info,
        code: format!("{}_over", finding.code),
        subject: finding.subject.clone(),
        text: "back to what it should be".to_owned(),
    });
    come.chain(gone).collect()
}

/// The outdoor air, where it is known.
fn outdoors(view: &View<'_>) -> Option<Outdoors> {
    let weather = view.site.weather.as_ref()?;
    let dry_bulb_c = value(view, weather.points.dry_bulb)?;
    let humidity = value(view, weather.points.relative_humidity)?;
    let standard = moist_air::pressure_at_altitude_pa(view.site.altitude_m).unwrap_or(moist_air::STANDARD_PRESSURE_PA);
    let pressure_pa = value(view, weather.points.pressure).map_or(standard, |kpa| kpa * 1000.0);
    let wet_bulb_c = moist_air::clamped::wet_bulb_c(dry_bulb_c, humidity, pressure_pa);
    Some(Outdoors {
        dry_bulb_c,
        wet_bulb_c,
        pressure_pa,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::tests::{any_hall, now, setpoint};
    use proptest::prelude::{ProptestConfig, prop_assert, proptest};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_plan_keeps_every_limit_on_its_own_model(hall in any_hall()) {
            let mut predictive = Predictive::default();
            for second in [0, 60] {
                let view = View { site: hall.site, snapshot: &hall.snapshot, heat: &hall.heat, now: now(second), load: None };
                let plan = predictive.plan(&view).unwrap();
                let point = &predictive.chosen[0];
                if point.short > 0.0 {
                    prop_assert!(plan.report.sentence.contains("not every limit can be kept"));
                    continue;
                }
                for (cdu, unit) in hall.site.cdus.iter().enumerate() {
                    let of = |quantity: &str| setpoint(hall.site, &plan, &format!("{}.{quantity}", unit.name));
                    let supply_c = of("secondary_supply_temperature_setpoint");
                    prop_assert!(supply_c >= need::coldest_coolant_c(&view).min(37.0) - 1e-9);
                    prop_assert!(supply_c <= hall.site.limits.secondary_supply_c.target - need::COOLANT_RESERVE_K + 1e-9);
                    prop_assert!(supply_c > point.water_c, "coolant colder than the water that cools it");
                    let model = CduModel::new(unit, predictive.learned.cdus[cdu]);
                    let given = model.flow_share(of("secondary_differential_pressure_setpoint"));
                    let (needed, binding) = CduNeed::new(&view, &predictive.learned, cdu).flow_share(supply_c);
                    prop_assert!(given >= needed - 1e-9, "{given} of {needed} for {binding:?}");
                }
            }
        }
    }
}
