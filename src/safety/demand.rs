//! What safety demands of each setpoint. Demands form a join: the one with the most cooling wins, whatever the order,
//! however often it is made.

use super::facts::{Duty, Facts};
use super::readings::id;
use super::report::Level;
use crate::site::{Direction, PointId, Site, WriteSpec};

/// How far below the dew point's floor a release lies in a plant that is built for cold water, K.
const BUILT_COLD_K: f64 = 5.0;

/// The demand on one setpoint.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Demand {
    /// No less cooling than this value.
    pub(super) value: Option<f64>,
    /// No less cooling than now.
    pub(super) hold: bool,
    /// More cooling may come at once.
    pub(super) urgent: bool,
    /// Not below this value, whatever the cooling: the dew point.
    pub(super) floor: Option<f64>,
}

impl Demand {
    /// Adds a value. What is not a number demands all there is; a neutral point knows no more or less cooling.
    pub(super) fn add(&mut self, write: &WriteSpec, value: f64) {
        if write.more_cooling == Direction::Neutral {
            return;
        }
        let value = if value.is_nan() {
            write.most_cooling()
        } else {
            within(value, write.min, write.max)
        };
        self.value = Some(self.value.map_or(value, |known| write.cooler(known, value)));
    }

    /// Adds what an equipment's duty means for one of its setpoints.
    fn serve(&mut self, write: &WriteSpec, duty: Duty) {
        self.hold |= duty.level >= Level::Guarded;
        self.urgent |= duty.level >= Level::Critical;
        if duty.level >= Level::Critical || duty.own > 0.0 {
            self.add(write, write.release + duty.own * (write.most_cooling() - write.release));
        }
    }

    /// As [`Demand::serve`], but no colder than `floor_c`: water that is colder than the rooms' dew points cools no chip
    /// better and wets the pipes, also those behind a valve that leaks. A plant whose release is far colder is built for cold water.
    fn serve_water(&mut self, write: &WriteSpec, duty: Duty, floor_c: f64, close: bool) {
        let before = self.value;
        self.serve(write, duty);
        let least = if floor_c - write.release > BUILT_COLD_K {
            write.release
        } else {
            floor_c
        };
        if close && least >= floor_c {
            self.floor = Some(floor_c);
        }
        self.value = match (before, self.value) {
            (Some(before), Some(value)) => Some(write.cooler(before, value.max(least))),
            (None, Some(value)) => Some(value.max(least)),
            (_, None) => None,
        };
    }
}

/// A value held between two others; unlike [`f64::clamp`] it has an answer for every input.
pub(super) const fn within(value: f64, low: f64, high: f64) -> f64 {
    value.max(low).min(high)
}

/// The demands on all points of a site, by [`PointId`].
pub(super) fn gather(site: &Site, facts: &Facts) -> Vec<Demand> {
    let mut demands = vec![Demand::default(); site.points.len()];
    let mut on = |point: Option<PointId>, ask: &dyn Fn(&mut Demand, &WriteSpec)| {
        let Some(index) = point.map(|point| point.0) else {
            return;
        };
        let write = site.points.get(index).and_then(|spec| spec.write.as_ref());
        if let (Some(demand), Some(write)) = (demands.get_mut(index), write) {
            ask(demand, write);
        }
    };
    let cdus = site.cdus.iter().zip(&facts.cdus).zip(&facts.min_pressure_kpa);
    for ((((cdu, duty), min_kpa), ceiling_c), index) in cdus.zip(&facts.supply_ceiling_c).zip(0..) {
        let dropped = facts.dropped.get(index).copied().unwrap_or(false);
        let floor_c = facts.zones.get(cdu.zone.0).map(|zone| zone.supply_floor_c);
        on(
            id(cdu.points.secondary_supply_temperature_setpoint),
            &|demand, write| {
                demand.serve(write, *duty);
                // A setpoint beyond the target would ask for what the limit forbids.
                demand.add(write, site.limits.secondary_supply_c.target);
                demand.add(write, *ceiling_c);
                demand.hold |= dropped;
                demand.floor = floor_c;
            },
        );
        on(
            id(cdu.points.secondary_differential_pressure_setpoint),
            &|demand, write| {
                demand.serve(write, *duty);
                demand.add(write, *min_kpa);
                demand.hold |= dropped;
            },
        );
    }
    for ((unit, duty), ceiling_c) in site.air_units.iter().zip(&facts.air_units).zip(&facts.air_ceiling_c) {
        if let Some(ceiling_c) = ceiling_c {
            on(id(unit.points.supply_air_temperature_setpoint), &|demand, write| {
                demand.add(write, *ceiling_c);
            });
        }
        for point in [
            id(unit.points.supply_air_temperature_setpoint),
            id(unit.points.fan_speed_setpoint),
        ] {
            on(point, &|demand, write| demand.serve(write, *duty));
        }
    }
    let loops = site.loops.iter().zip(&facts.loops).zip(&facts.water_ceiling_c);
    for (((facility_loop, duty), water_ceiling_c), index) in loops.zip(0..) {
        let close = facts.dew_close.get(index).copied().unwrap_or(false);
        let floors_c = facility_loop.cdus.iter().filter_map(|cdu| site.cdus.get(cdu.0));
        let floors_c = floors_c.filter_map(|cdu| facts.zones.get(cdu.zone.0).map(|zone| zone.supply_floor_c));
        let floor_c = floors_c.fold(f64::NEG_INFINITY, f64::max);
        on(
            id(facility_loop.points.differential_pressure_setpoint),
            &|demand, write| demand.serve(write, *duty),
        );
        for unit in facility_loop
            .rejection
            .iter()
            .filter_map(|unit| site.rejection.get(unit.0))
        {
            on(id(unit.points.enable), &|demand, write| demand.serve(write, *duty));
            on(id(unit.points.supply_temperature_setpoint), &|demand, write| {
                demand.serve_water(write, *duty, floor_c, close);
                if let Some(ceiling_c) = water_ceiling_c {
                    demand.add(write, ceiling_c.max(write.release));
                }
            });
        }
    }
    demands
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(more_cooling: Direction) -> WriteSpec {
        WriteSpec {
            min: 20.0,
            max: 220.0,
            release: 150.0,
            more_cooling,
            rise_per_min: 300.0,
            fall_per_min: 15.0,
            bounded_band: 30.0,
        }
    }

    fn joined(write: &WriteSpec, values: &[f64]) -> Option<f64> {
        let mut demand = Demand::default();
        for value in values {
            demand.add(write, *value);
        }
        demand.value
    }

    #[test]
    fn what_is_not_a_number_demands_all_there_is() {
        assert_eq!(joined(&write(Direction::Up), &[30.0, f64::NAN]), Some(220.0));
        assert_eq!(joined(&write(Direction::Down), &[f64::NAN, 30.0]), Some(20.0));
        assert_eq!(joined(&write(Direction::Up), &[f64::INFINITY]), Some(220.0));
        assert_eq!(joined(&write(Direction::Neutral), &[30.0]), None);
    }

    proptest! {
        #[test]
        fn the_join_knows_no_order_and_no_number_of_times(
            mut values in prop::collection::vec(prop_oneof![8 => -50.0..300.0f64, 1 => Just(f64::NAN)], 1..8),
            turn in 0..8usize, up in any::<bool>(),
        ) {
            let write = write(if up { Direction::Up } else { Direction::Down });
            let once = joined(&write, &values);
            let twice: Vec<f64> = values.iter().chain(&values).copied().collect();
            prop_assert_eq!(once, joined(&write, &twice));
            let places = values.len();
            values.rotate_left(turn % places);
            prop_assert_eq!(once, joined(&write, &values));
            values.reverse();
            prop_assert_eq!(once, joined(&write, &values));
            let value = once.unwrap();
            prop_assert!(value >= write.min && value <= write.max);
        }
    }
}
