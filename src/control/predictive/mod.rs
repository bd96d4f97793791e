//! Least cost over the forecast: coolant temperature and pressure, facility temperature and pressure, cells, air, export.
//!
//! | file | subject |
//! |---|---|
//! | `model` | the plant as the controller believes it: physical laws with learned ratios |
//! | `learn` | the ratios, from telemetry |
//! | `optimise` | the cheapest operating point that keeps every limit under the forecast's upper bound |
//!
//! Once a minute the whole operating point is chosen anew. In between, each cycle recomputes what the fresh forecast
//! needs of each CDU's flow, so that pressure rises before heat arrives.

mod learn;
mod model;
mod optimise;

use super::{Setpoints, Strategy, View};
use crate::site::StrategyKind;
use crate::snapshot::{HORIZONS_S, HeatSource, Plan, PlanReport, PlanStatus};
use learn::{Learned, value};
use model::{CduModel, Outdoors, RackLimits, RackNeed, full_heat_kw};
use optimise::Point;
use serde::{Deserialize, Serialize};
use thermo::moist_air;

/// Time between two choices of the whole operating point, s.
const CHOICE_S: f64 = 60.0;
/// How far ahead the upper bound of a rack's heat must be met at once: pumps follow in seconds, towers in minutes, s.
const LEAD_S: f64 = 300.0;
/// Kept clear of a target for ripple and noise: chips, K.
const CHIP_RESERVE_K: f64 = 1.0;
/// The same for coolant temperatures, K.
const COOLANT_RESERVE_K: f64 = 1.0;
/// Kept clear of the critical margin when a full-load step arrives between two cycles, K.
const STEP_RESERVE_K: f64 = 4.0;
/// A rack whose upper bound stays below this share of its full heat, with the queue known, has no start coming.
const IDLE_SHARE: f64 = 0.5;
/// Growth of an idle rack's upper bound that a step may bring.
const IDLE_STEP: f64 = 1.3;
/// Pressure above what the flow needs, as a factor: the local loop ripples.
const PRESSURE_RESERVE: f64 = 1.04;

/// The predictive strategy's memory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Predictive {
    learned: Learned,
    chosen: Vec<Point>,
    chosen_mono_ms: Option<u64>,
    report: PlanReport,
}

impl Strategy for Predictive {
    fn plan(&mut self, view: &View<'_>) -> Result<Plan, String> {
        let outdoors = outdoors(view).ok_or("The weather is not known")?;
        self.learned.update(view, &outdoors);
        let limits = RackLimits {
            margin_k: view.site.limits.chip_margin_k.target + CHIP_RESERVE_K,
            step_margin_k: view.site.limits.chip_margin_k.critical + STEP_RESERVE_K,
            return_c: view.site.limits.rack_return_c.target - COOLANT_RESERVE_K,
        };
        let due = self.chosen.len() != view.site.loops.len()
            || self
                .chosen_mono_ms
                .is_none_or(|at| view.now.seconds_since(at) >= CHOICE_S);
        if due {
            self.chosen_mono_ms = Some(view.now.mono_ms);
            let last = std::mem::take(&mut self.chosen);
            for (id, unit) in view.site.loops.iter().enumerate() {
                let point = optimise::choose(view, &self.learned, unit, id, &limits, &outdoors, last.get(id))
                    .ok_or_else(|| format!("No operating point of {} keeps every limit", unit.name))?;
                self.chosen.push(point);
            }
            self.report = optimise::report(view, &self.chosen);
        }
        let mut setpoints = Setpoints::default();
        for (unit, point) in view.site.loops.iter().zip(&self.chosen) {
            optimise::put(view, unit, point, &mut setpoints);
            for (id, supply_c) in unit.cdus.iter().zip(&point.supply_c) {
                let cdu = &view.site.cdus[id.0];
                let model = CduModel::new(cdu, self.learned.cdus[id.0]);
                // The coolant is where it is: what is warmer than planned needs more flow until it has come down.
                let now_c = value(view, cdu.points.secondary_supply_temperature)
                    .unwrap_or(*supply_c)
                    .max(*supply_c);
                let (share, _) = needed_share(view, &self.learned, id.0, now_c, &limits);
                let kpa = model.pressure_kpa(share.max(cdu.nameplate.pump_min_speed * 0.5)) * PRESSURE_RESERVE;
                setpoints.put(
                    view.site,
                    cdu.points.secondary_differential_pressure_setpoint,
                    kpa.min(f64::MAX),
                );
                setpoints.put(view.site, cdu.points.secondary_supply_temperature_setpoint, *supply_c);
            }
        }
        Ok(Plan {
            strategy: StrategyKind::Predictive,
            status: PlanStatus::Complete,
            setpoints: setpoints.complete(view.site),
            report: self.report.clone(),
        })
    }
}

/// Share of a CDU's nameplate flow at which each of its racks keeps every limit at a coolant supply, and what binds.
fn needed_share(view: &View<'_>, learned: &Learned, cdu: usize, supply_c: f64, limits: &RackLimits) -> (f64, Binding) {
    let unit = &view.site.cdus[cdu];
    let mut most = (
        0.0,
        Binding {
            rack: 0,
            limit: "minimum flow",
        },
    );
    for id in &unit.racks {
        let rack = &view.site.racks[id.0];
        let band = &view.heat.racks[id.0];
        let upper_kw = band.peak_upper_kw(LEAD_S);
        let full_kw = full_heat_kw(rack);
        // With the queue known a rack without a start coming stays idle; any other may step to full load between cycles.
        let idle = view.heat.source == HeatSource::Queue && upper_kw < IDLE_SHARE * full_kw;
        let step_kw = if idle {
            (IDLE_STEP * upper_kw).min(full_kw)
        } else {
            full_kw
        };
        let need = RackNeed {
            plate: &rack.nameplate,
            chip_ratio: learned.chips[id.0],
            upper_kw,
            step_kw,
        };
        let (share, limit) = need.flow_share(supply_c, unit.nameplate.coolant, limits);
        if share > most.0 {
            most = (share, Binding { rack: id.0, limit });
        }
    }
    most
}

/// Which limit of which rack binds a CDU's flow.
#[derive(Debug, Clone, Copy)]
struct Binding {
    rack: usize,
    limit: &'static str,
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

/// Index of the horizon whose mean stands for the next quarter of an hour's cost.
const COST_HORIZON: usize = 2;
const _: () = assert!(
    HORIZONS_S[COST_HORIZON] == 900.0,
    "the cost horizon is a quarter of an hour"
);
