//! Minimum times between two switchings of heat-rejection units.

use super::choose::CHILLER_LEAST_H;
use super::evaluate::OperatingPoint;
use super::model::facility;
use super::reject::Stages;
use crate::control::{View, value};
use crate::site::FacilityLoop;
use crate::snapshot::Now;
use serde::{Deserialize, Serialize};

/// Time between two changes of the number of cells or dry coolers, s.
const CELLS_S: f64 = 600.0;
/// Time that a number of chillers stays at least: three starts an hour.
const CHILLERS_S: f64 = 3600.0 * CHILLER_LEAST_H;

/// Valve position that counts as open, and coolant above its setpoint that the valve should have prevented, K.
const VALVE_OPEN: f64 = 0.94;
const VALVE_WARM_K: f64 = 0.3;
/// Growth of the header pressure while a valve asks, per s, its largest, and how much slower it is taken back.
const BOOST_PER_S: f64 = 0.004;
const BOOST_MOST: f64 = 0.8;
const BOOST_BACK: f64 = 5.0;
/// How long a skid is asked for more pressure to start a pump, and how long it is then left alone, s.
const NUDGE_S: f64 = 150.0;
const NUDGE_AGAIN_S: f64 = 1800.0;
/// The pressure asked for meanwhile: a factor, and kPa.
const NUDGE: f64 = 1.5;
const NUDGE_KPA: f64 = 30.0;
/// Power with one more pump over that without, up to which it pays.
const NUDGE_PAYS: f64 = 0.8;
/// Speed above the one at which the skid would stop the pump again.
const NUDGE_CLEAR: f64 = 0.02;

/// When a loop's units were last switched.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Switched {
    cells_mono_ms: Option<u64>,
    chillers_mono_ms: Option<u64>,
    /// Since when the skid is asked to start one more pump, and with how many it began.
    nudge: Option<(u64, f64)>,
    /// Pressure above the planned one, as a factor less one: what the valves have asked for.
    boost: f64,
}

impl Switched {
    fn held(at: Option<u64>, least_s: f64, now: Now) -> bool {
        at.is_some_and(|at| now.seconds_since(at) < least_s)
    }

    /// What may run, of `all`, without switching anything too soon.
    pub(super) fn stages(&self, all: &Stages, last: Option<&OperatingPoint>, now: Now) -> Stages {
        let Some(last) = last.map(|last| last.rejecting) else {
            return all.clone();
        };
        let keep = |count: usize, range: &std::ops::RangeInclusive<usize>| {
            let count = count.clamp(*range.start(), *range.end());
            count..=count
        };
        let mut stages = all.clone();
        if Self::held(self.cells_mono_ms, CELLS_S, now) {
            stages.units = keep(last.units, &all.units);
        }
        if Self::held(self.chillers_mono_ms, CHILLERS_S, now) {
            stages.chillers = keep(last.chillers, &all.chillers);
        }
        stages
    }

    /// What may run where limits are at stake: cells as needed, and no compressor stops too soon.
    pub(super) fn starting(&self, all: &Stages, last: Option<&OperatingPoint>, now: Now) -> Stages {
        let mut stages = all.clone();
        if let Some(last) = last
            && Self::held(self.chillers_mono_ms, CHILLERS_S, now)
        {
            stages.chillers = last.rejecting.chillers.min(*all.chillers.end())..=*all.chillers.end();
        }
        stages
    }

    /// The header pressure with what the valves ask for: the plan may have thought a branch too wide, or the heat too small.
    /// A valve that is open and does not hold its coolant asks at once; what was given is taken back slowly.
    pub(super) fn boosted_kpa(&mut self, view: &View<'_>, unit: &FacilityLoop, kpa: f64) -> f64 {
        let asks = unit.cdus.iter().map(|id| &view.site.cdus[id.0].points).any(|points| {
            let open = value(view, points.primary_valve_position).is_some_and(|position| position > VALVE_OPEN);
            let warm_k = value(view, points.secondary_supply_temperature)
                .zip(value(view, points.secondary_supply_temperature_setpoint))
                .map_or(0.0, |(c, setpoint)| c - setpoint);
            open && warm_k > VALVE_WARM_K
        });
        let period_s = view.site.control.cycle_s;
        self.boost = if asks {
            (self.boost + period_s * BOOST_PER_S).min(BOOST_MOST)
        } else {
            (self.boost - period_s * BOOST_PER_S / BOOST_BACK).max(0.0)
        };
        kpa * (1.0 + self.boost)
    }

    /// The header pressure that makes a skid start one more pump, where that saves power: it stages by speed, and may stay for
    /// hours with too few pumps far beyond their best flow. `kpa` is the pressure that is wanted otherwise.
    pub(super) fn nudged_kpa(&mut self, view: &View<'_>, unit: &FacilityLoop, kpa: f64) -> f64 {
        let points = &unit.points;
        let (Some(running), Some(flow), Some(header)) = (
            value(view, points.pumps_running),
            value(view, points.flow),
            value(view, points.differential_pressure),
        ) else {
            return kpa;
        };
        if let Some((since, from)) = self.nudge {
            let passed_s = view.now.seconds_since(since);
            if passed_s > NUDGE_AGAIN_S {
                self.nudge = None;
            } else if passed_s < NUDGE_S && running <= from {
                return NUDGE * kpa + NUDGE_KPA;
            }
            return kpa;
        }
        let power_kw = |count: f64| facility::pump_kw(unit, count, flow, header);
        let more = running + 1.0;
        let speed = facility::pump_speed(unit, running, flow, header);
        let stays = speed > facility::STAGES.0 + NUDGE_CLEAR;
        if running >= 1.0
            && more <= unit.nameplate.pumps as f64
            && stays
            && power_kw(more) < NUDGE_PAYS * power_kw(running)
        {
            self.nudge = Some((view.now.mono_ms, running));
        }
        kpa
    }

    /// Notes what was switched.
    pub(super) fn note(&mut self, last: Option<&OperatingPoint>, point: &OperatingPoint, now: Now) {
        if last.is_none_or(|last| last.rejecting.units != point.rejecting.units) {
            self.cells_mono_ms = Some(now.mono_ms);
        }
        if last.is_none_or(|last| last.rejecting.chillers != point.rejecting.chillers) {
            self.chillers_mono_ms = Some(now.mono_ms);
        }
    }
}
