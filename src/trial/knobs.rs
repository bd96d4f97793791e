//! What the oracle turns: one knob a setpoint, or one for the like setpoints of a loop's units.

use crate::site::{Direction, Point, PointId, RejectionKind, Site, StrategyKind, WriteSpec, more_cooling};
use crate::snapshot::{Plan, PlanReport, PlanStatus, Setpoint};

/// First step, largest step and smallest step of a level, as shares of its range.
const STEPS: (f64, f64, f64) = (0.1, 0.25, 0.004);
/// Growth and shrinkage of a step.
const GROW: f64 = 1.6;
const SHRINK: f64 = 0.5;

/// One knob. Its value is a setpoint's, or the number of units that are switched on.
#[derive(Debug, Clone)]
pub(super) struct Knob {
    points: Vec<PointId>,
    count: bool,
    low: f64,
    high: f64,
    pub(super) start: f64,
    /// The value of most cooling, where one way cools more.
    most: Option<f64>,
    /// Signed: the way that last helped.
    step: f64,
    /// Knobs of a family are moved together.
    pub(super) family: usize,
    /// The CDU whose racks alone feel it.
    pub(super) cdu: Option<usize>,
}

impl Knob {
    /// The value one step on, or one step back.
    pub(super) fn moved(&self, value: f64, reversed: bool) -> f64 {
        let step = if self.count { self.step.signum() } else { self.step };
        (if reversed { value - step } else { value + step }).clamp(self.low, self.high)
    }

    /// Longer steps after success, shorter after failure; turns where the way back helped.
    pub(super) fn learn(&mut self, helped: bool, reversed: bool) {
        let span = self.high - self.low;
        let size = self.step.abs() * if helped { GROW } else { SHRINK };
        let turned = if helped && reversed { -1.0 } else { 1.0 };
        self.step = size.clamp(STEPS.2 * span, STEPS.1 * span).copysign(self.step * turned);
    }

    /// The first step again.
    pub(super) fn start_over(&mut self) {
        self.step = (STEPS.0 * (self.high - self.low)).copysign(self.step);
    }

    /// A share of the way from a value to most cooling.
    pub(super) fn towards(&self, value: f64, share: f64) -> f64 {
        value + share * (self.most.unwrap_or(value) - value)
    }

    /// Its value in a plan.
    pub(super) fn read(&self, plan: &Plan) -> f64 {
        let values = self.points.iter().filter_map(|point| {
            let set = plan.setpoints.iter().find(|setpoint| setpoint.point == *point)?;
            Some(set.value)
        });
        if self.count {
            values.sum::<f64>().clamp(self.low, self.high)
        } else {
            values.reduce(f64::min).unwrap_or(self.start)
        }
    }
}

/// Every knob of a site.
pub(super) fn knobs(site: &Site) -> Vec<Knob> {
    let mut found = Collector {
        site,
        knobs: Vec::new(),
        family: 0,
    };
    for cdu in 0..site.cdus.len() {
        let point = site.cdus[cdu].points.secondary_supply_temperature_setpoint;
        found.add(&[point.map(Point::id)], false, Some(cdu));
    }
    found.family += 1;
    for cdu in 0..site.cdus.len() {
        let point = site.cdus[cdu].points.secondary_differential_pressure_setpoint;
        found.add(&[point.map(Point::id)], false, Some(cdu));
    }
    for unit in &site.loops {
        found.family += 1;
        found.add(
            &[unit.points.differential_pressure_setpoint.map(Point::id)],
            false,
            None,
        );
        for chillers in [false, true] {
            let units = unit.rejection.iter().map(|id| &site.rejection[id.0]);
            let units: Vec<_> = units
                .filter(|unit| (unit.nameplate.kind == RejectionKind::Chiller) == chillers)
                .collect();
            let setpoints = units
                .iter()
                .map(|unit| unit.points.supply_temperature_setpoint.map(Point::id));
            found.family += 1;
            found.add(&setpoints.collect::<Vec<_>>(), false, None);
            let enables = units.iter().map(|unit| unit.points.enable.map(Point::id));
            found.family += 1;
            found.add(&enables.collect::<Vec<_>>(), true, None);
        }
    }
    for unit in &site.air_units {
        found.family += 1;
        found.add(
            &[unit.points.supply_air_temperature_setpoint.map(Point::id)],
            false,
            None,
        );
        found.family += 1;
        found.add(&[unit.points.fan_speed_setpoint.map(Point::id)], false, None);
    }
    for unit in &site.reuse {
        found.family += 1;
        found.add(&[unit.points.valve_setpoint.map(Point::id)], false, None);
    }
    found.knobs
}

struct Collector<'a> {
    site: &'a Site,
    knobs: Vec<Knob>,
    family: usize,
}

impl Collector<'_> {
    /// Adds a knob over the points that exist and may be written.
    fn add(&mut self, points: &[Option<PointId>], count: bool, cdu: Option<usize>) {
        let write = |point: &PointId| Some((*point, self.site.spec(*point).write?));
        let found: Vec<(PointId, WriteSpec)> = points.iter().flatten().filter_map(write).collect();
        let Some((id, first)) = found.first() else { return };
        let (low, high, start) = if count {
            (0.0, found.len() as f64, found.len() as f64)
        } else {
            (first.min, first.max, first.release)
        };
        self.knobs.push(Knob {
            points: found.iter().map(|(point, _)| *point).collect(),
            count,
            low,
            high,
            start,
            most: match more_cooling(&self.site.spec(*id).quantity) {
                Direction::Up => Some(high),
                Direction::Down => Some(low),
                Direction::Neutral => None,
            },
            step: STEPS.0 * (high - low),
            family: self.family,
            cdu,
        });
    }
}

/// The plan of the knobs' values; what no knob moves stays as found.
pub(super) fn plan_of(site: &Site, knobs: &[Knob], values: &[f64]) -> Plan {
    let mut wanted: Vec<Option<f64>> = site
        .points
        .iter()
        .map(|point| Some(point.write.filter(|_| point.quantity != "heartbeat")?.release))
        .collect();
    for (knob, value) in knobs.iter().zip(values) {
        for (place, point) in knob.points.iter().enumerate() {
            let each = if knob.count {
                f64::from(u8::from((place as f64) < value.round()))
            } else {
                *value
            };
            wanted[point.0] = Some(each);
        }
    }
    let setpoints = wanted.into_iter().enumerate().filter_map(|(id, value)| {
        Some(Setpoint {
            point: PointId(id),
            value: value?,
        })
    });
    Plan {
        strategy: StrategyKind::Predictive,
        status: PlanStatus::Complete,
        setpoints: setpoints.collect(),
        report: PlanReport::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;

    #[test]
    fn the_knobs_of_the_demo_make_a_complete_plan_and_read_it_back() {
        let site = load_embedded("demo").unwrap().unwrap();
        let knobs = knobs(&site);
        // Two a CDU, pressure, water, cells, air temperature, fan, valve.
        assert_eq!(knobs.len(), 2 * 4 + 3 + 2 + 1);
        let values: Vec<f64> = knobs.iter().map(|knob| knob.moved(knob.start, true)).collect();
        let plan = plan_of(&site, &knobs, &values);
        let writable = site
            .points
            .iter()
            .filter(|point| point.write.is_some() && point.quantity != "heartbeat");
        assert_eq!(plan.setpoints.len(), writable.count());
        for (knob, value) in knobs.iter().zip(&values) {
            assert!((knob.read(&plan) - value).abs() < 1e-12);
        }
    }

    #[test]
    fn steps_grow_with_success_and_turn_with_it() {
        let site = load_embedded("demo").unwrap().unwrap();
        let mut knob = knobs(&site).remove(0);
        let first = knob.step;
        knob.learn(true, true);
        assert!((knob.step + GROW * first).abs() < 1e-12);
        knob.learn(false, false);
        assert!(knob.step.abs() < GROW * first);
    }
}
