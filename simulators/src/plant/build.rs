//! Builds a plant from its specification.

use super::Plant;
use super::air::{self, Air};
use super::air_unit::{self, AirUnit};
use super::board::{Board, Owner, Quantity, Sensor, measured};
use super::cdu::{self, Cdu};
use super::facility::{self, Facility, Members};
use super::meter::{self, Meter};
use super::rack::{self, Rack};
use super::rejection::{Rejection, Surroundings};
use super::reuse::{self, Reuse};
use super::spec::{CduSpec, LoopSpec, PlantSpec, SpecError};
use crate::random::Random;
use thermo::moist_air::pressure_at_altitude_pa;

const WEATHER: [Quantity; 3] = [
    measured("dry_bulb", Sensor::Temperature),
    measured("relative_humidity", Sensor::Humidity),
    measured("pressure", Sensor::Pressure),
];

/// Collects the problems of units, so that one answer names them all.
struct Builder<'a> {
    spec: &'a PlantSpec,
    board: Board,
    random: Random,
    around: Surroundings,
    problems: Vec<String>,
}

pub(super) fn build(spec: &PlantSpec, seed: u64) -> Result<Plant, SpecError> {
    spec.check()?;
    let pressure_pa = pressure_at_altitude_pa(spec.altitude_m).map_err(|e| SpecError {
        problems: vec![e.to_string()],
    })?;
    let mut builder = Builder {
        spec,
        board: Board::new(seed, spec.sensors_at_limit),
        random: Random::new(seed, 1),
        around: Surroundings {
            timeout_s: spec.comms_timeout_s,
            makeup_us_cm: spec.makeup_conductivity_us_cm,
            pressure_pa,
            deviation: spec.deviation,
        },
        problems: Vec::new(),
    };
    let loops: Vec<Facility> = spec
        .loops
        .iter()
        .enumerate()
        .filter_map(|(place, l)| builder.facility(place, l))
        .collect();
    let weather = spec.weather.as_ref().map(|id| {
        builder
            .board
            .add(id, &WEATHER, Owner::Nobody, spec.deviation, &mut builder.random)
    });
    let meters = spec.meters.iter().map(|m| {
        let base = builder
            .board
            .add(&m.id, meter::signals(m.role), Owner::Nobody, 0.0, &mut builder.random);
        Meter::new(m, base, spec.deviation, &mut builder.random)
    });
    let meters = meters.collect();
    if !builder.problems.is_empty() {
        return Err(SpecError {
            problems: builder.problems,
        });
    }
    let mut plant = Plant {
        loops,
        meters,
        weather,
        board: builder.board,
        air: Air::new(15.0, 10.0, 0.5, pressure_pa),
        overhead_kw: spec.overhead_kw,
        elapsed_s: 0.0,
        it_kwh: 0.0,
        machine_heat_kwh: 0.0,
        unremoved_kwh: 0.0,
        caps_kw: Vec::new(),
        last_water_l: (0.0, 0.0),
    };
    // Registers and temperatures can be read before the first step.
    for facility in &plant.loops {
        facility.publish(&mut plant.board);
    }
    plant.board.follow(1.0);
    Ok(plant)
}

impl Builder<'_> {
    /// Notes why a unit cannot be built.
    fn built<T>(&mut self, unit: Result<T, String>) -> Option<T> {
        unit.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn add(&mut self, id: &str, quantities: &[Quantity], owner: Owner) -> usize {
        self.board
            .add(id, quantities, owner, self.spec.deviation, &mut self.random)
    }

    fn facility(&mut self, place: usize, l: &LoopSpec) -> Option<Facility> {
        let spec = self.spec;
        let deviation = spec.deviation;
        let base = self.add(&l.id, &facility::SIGNALS, Owner::Loop(place));
        let rejection = spec
            .rejection
            .iter()
            .filter(|r| r.facility_loop == l.id)
            .enumerate()
            .filter_map(|(i, r)| {
                let unit = Rejection::new(
                    r,
                    &self.around,
                    Owner::Rejection(place, i),
                    &mut self.board,
                    &mut self.random,
                );
                self.built(unit)
            });
        let rejection: Vec<Rejection> = rejection.collect();
        let reuse = spec
            .reuse
            .iter()
            .filter(|r| r.facility_loop == l.id)
            .enumerate()
            .map(|(i, r)| {
                let base = self.add(&r.id, &reuse::SIGNALS, Owner::Reuse(place, i));
                Reuse::new(r, base, spec.comms_timeout_s, 30.0, deviation, &mut self.random)
            });
        let reuse = reuse.collect();
        let air_kj_m3_k = air::heat_capacity_kj_m3_k(self.around.pressure_pa);
        let air_units = spec
            .air_units
            .iter()
            .filter(|a| a.facility_loop == l.id)
            .enumerate()
            .filter_map(|(i, a)| {
                let base = self.add(&a.id, &air_unit::SIGNALS, Owner::AirUnit(place, i));
                let unit = AirUnit::new(a, base, spec.comms_timeout_s, air_kj_m3_k, deviation, &mut self.random);
                self.built(unit)
            });
        let air_units = air_units.collect();
        let cdus = spec.cdus.iter().filter(|c| c.facility_loop == l.id).enumerate();
        let cdus = cdus.filter_map(|(i, c)| self.cdu(Owner::Cdu(place, i), c)).collect();
        let members = Members {
            cdus,
            air_units,
            reuse,
            rejection,
        };
        let facility = Facility::new(l, spec, members, base, &mut self.random);
        self.built(facility)
    }

    fn cdu(&mut self, owner: Owner, c: &CduSpec) -> Option<Cdu> {
        let spec = self.spec;
        let base = self.add(&c.id, &cdu::SIGNALS, owner);
        let racks = spec
            .racks
            .iter()
            .enumerate()
            .filter(|(_, r)| r.cdu == c.id)
            .map(|(place, r)| {
                let base = self.add(&r.id, &rack::SIGNALS, Owner::Nobody);
                Rack::new(r, place, base, c.default_supply_c, spec.deviation, &mut self.random)
            });
        let racks = racks.collect();
        let unit = Cdu::new(c, racks, base, spec.comms_timeout_s, spec.deviation, &mut self.random);
        self.built(unit)
    }
}
