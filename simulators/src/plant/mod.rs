//! The physics of a liquid-cooled AI hall, advanced in virtual time.
//!
//! [`Plant::new`] builds a plant from nameplates; [`Plant::advance`] runs it under a [`Drive`] (rack powers,
//! weather, district network); [`Plant::measure`] reads its sensors and [`Plant::write`] its setpoints, by
//! signals named `<equipment id>.<quantity>`. Equipment keeps its own loops, as real equipment does.
//!
//! | file | subject |
//! |---|---|
//! | `spec`, `check` | nameplates, and their mistakes |
//! | `facility` | a facility-water loop: pumps, staging, pipes, order of a step |
//! | `cdu`, `rack`, `air_unit` | what heats the loop |
//! | `rejection`: `tower`, `dry_cooler`, `chiller`, with `fan` and `fill`; `reuse` | what cools it |
//! | `exchanger`, `pump`, `valve`, `pipe`, `pi`, `air` | the physics they share |
//! | `wounds` | what can break, and breaking it |
//! | `board`, `remote`, `meter` | sensors, setpoint registers with heartbeat, counters |
//!
//! A step of up to five seconds at a time is exact or implicit wherever a time constant is shorter, so
//! results do not hinge on the caller's step. The same specification, seed and drive give the same bits.

mod air;
mod air_unit;
mod board;
mod build;
mod cdu;
mod check;
pub mod chiller;
#[cfg(test)]
pub(crate) mod demo_hall;
pub mod dry_cooler;
pub mod exchanger;
mod facility;
mod fan;
mod fill;
mod meter;
mod pi;
mod pipe;
pub mod pump;
mod rack;
mod rejection;
mod remote;
mod reuse;
pub mod spec;
#[cfg(test)]
mod tests;
mod totals;
mod tower;
mod valve;
mod wounds;

pub use board::SignalId;
pub use reuse::NetworkSample;
pub use spec::{
    AirUnitSpec, CduSpec, LoopSpec, MeterRole, MeterSpec, PlantSpec, RackSpec, RejectionKind, RejectionSpec, ReuseSpec,
    SpecError,
};
pub use totals::Totals;
pub use wounds::{Wound, WoundError};

use air::Air;
use board::{Board, Owner, Write};
use facility::Facility;
use meter::{Counted, Flow, Meter};
use remote::Remote;

/// Longest step that the physics takes at once, s.
const LONGEST_STEP_S: f64 = 5.0;

/// Outdoor air.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeatherSample {
    /// Dry bulb, degC.
    pub dry_bulb_c: f64,
    /// Relative humidity, 0 to 1.
    pub rh: f64,
    /// Barometric pressure, kPa.
    pub pressure_kpa: f64,
    /// Wet bulb, degC.
    pub wet_bulb_c: f64,
}

/// What acts on the plant from outside, constant over one [`Plant::advance`].
#[derive(Debug, Clone, Copy)]
pub struct Drive<'a> {
    /// Electric power of every rack in the order of [`PlantSpec::racks`], kW; a missing, negative or non-finite entry is 0.
    pub rack_it_kw: &'a [f64],
    /// Outdoor air. A sample that is not finite is ignored: the last one holds.
    pub weather: WeatherSample,
    /// The district network.
    pub network: NetworkSample,
}

/// Why a write was refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// There is no such signal in this plant.
    #[error("no such signal")]
    Unknown,
    /// The device does not answer.
    #[error("the device does not answer")]
    Unreachable,
    /// The signal is measured, not set.
    #[error("the signal is read only: write a setpoint, enable or heartbeat")]
    ReadOnly,
    /// The device's panel does not take the value.
    #[error("{value} is outside the device's range: write {low} to {high}")]
    OutOfRange {
        /// What was written.
        value: f64,
        /// Smallest value that it takes.
        low: f64,
        /// Largest value that it takes.
        high: f64,
    },
}

/// A plant in operation.
#[derive(Debug, Clone)]
pub struct Plant {
    loops: Vec<Facility>,
    meters: Vec<Meter>,
    weather: Option<usize>,
    board: Board,
    air: Air,
    overhead_kw: f64,
    elapsed_s: f64,
    it_kwh: f64,
    machine_heat_kwh: f64,
    unremoved_kwh: f64,
    /// Power that others let each rack draw, kW; racks without an entry are free.
    caps_kw: Vec<f64>,
    /// Make-up and blowdown totals before the last step, L, from which their rates follow.
    last_water_l: (f64, f64),
}

impl Plant {
    /// Builds the plant that `seed` draws from `spec`.
    ///
    /// # Errors
    /// All mistakes of the specification, or those of units whose rated point no real machine meets.
    pub fn new(spec: &PlantSpec, seed: u64) -> Result<Self, SpecError> {
        build::build(spec, seed)
    }

    /// Runs the plant for `dt_s` seconds under `drive`, in equal steps of at most five seconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of steps, made positive before"
    )]
    pub fn advance(&mut self, dt_s: f64, drive: &Drive) {
        if !(dt_s > 0.0 && dt_s.is_finite()) {
            return;
        }
        self.air.update(drive.weather);
        let steps = (dt_s / LONGEST_STEP_S - 1e-9).ceil().max(1.0) as u64;
        let dt = dt_s / steps as f64;
        for _ in 0..steps {
            self.step(dt, drive);
        }
    }

    fn step(&mut self, dt: f64, drive: &Drive) {
        let rack_kw = |place: usize| {
            drive
                .rack_it_kw
                .get(place)
                .copied()
                .filter(|kw| kw.is_finite() && *kw > 0.0)
                .unwrap_or(0.0)
        };
        // Boards that are too hot draw less than their jobs ask for.
        let brakes: Vec<f64> = {
            let racks = self.loops.iter().flat_map(|l| &l.cdus).flat_map(|c| &c.racks);
            let mut brakes = vec![1.0; drive.rack_it_kw.len()];
            for rack in racks {
                if let Some(brake) = brakes.get_mut(rack.place) {
                    *brake = rack.brake();
                }
            }
            brakes
        };
        let rack_kw = |place: usize| {
            let asked_kw = rack_kw(place);
            let cap_kw = self.caps_kw.get(place).copied().unwrap_or(f64::INFINITY);
            let allowed_kw = asked_kw.min(cap_kw.max(rack::STANDBY_SHARE * asked_kw));
            allowed_kw * brakes.get(place).copied().unwrap_or(1.0)
        };
        let racks = self.loops.iter().flat_map(|l| &l.cdus).flat_map(|c| &c.racks);
        let (it_kw, air_kw) = racks.fold((0.0, 0.0), |(it, air), rack| {
            let kw = rack_kw(rack.place);
            (it + kw, air + rack.air_kw(kw))
        });
        let takers: f64 = self
            .loops
            .iter()
            .flat_map(|l| &l.air_units)
            .map(|unit| unit.share)
            .sum();
        let air_per_share = if takers > 0.0 { air_kw / takers } else { 0.0 };
        let hours = dt / 3600.0;
        for facility in &mut self.loops {
            facility.advance(dt, &self.air, drive.network, &rack_kw, air_per_share);
            self.machine_heat_kwh += facility.machine_heat_kw() * hours;
        }
        self.elapsed_s += dt;
        self.it_kwh += it_kw * hours;
        self.unremoved_kwh += if takers > 0.0 { 0.0 } else { air_kw * hours };
        self.publish(dt, it_kw, drive.weather);
    }

    fn publish(&mut self, dt: f64, it_kw: f64, weather: WeatherSample) {
        for facility in &self.loops {
            facility.publish(&mut self.board);
        }
        if let Some(base) = self.weather {
            self.board
                .publish(base, &[weather.dry_bulb_c, weather.rh, weather.pressure_kpa]);
        }
        let counted = self.counted(dt, it_kw);
        self.last_water_l = (counted.makeup.total, counted.blowdown.total);
        for meter in &self.meters {
            meter.publish(&counted, &mut self.board);
        }
        self.board.follow(dt);
    }

    fn counted(&self, dt: f64, it_kw: f64) -> Counted {
        let cooling = Flow {
            rate: self.cooling_kw(),
            total: self.cooling_kwh(),
        };
        let overhead = Flow {
            rate: self.overhead_kw,
            total: self.overhead_kw * self.elapsed_s / 3600.0,
        };
        let it = Flow {
            rate: it_kw,
            total: self.it_kwh,
        };
        let (makeup_l, blowdown_l) = self
            .loops
            .iter()
            .flat_map(|l| &l.rejection)
            .fold((0.0, 0.0), |sum, unit| {
                let water = unit.water();
                (sum.0 + water.makeup + water.spray, sum.1 + water.blowdown)
            });
        let per_minute = |now: f64, last: f64| (now - last) / dt * 60.0;
        let mut counted = Counted {
            it,
            cooling,
            site: Flow {
                rate: it.rate + cooling.rate + overhead.rate,
                total: it.total + cooling.total + overhead.total,
            },
            makeup: Flow {
                rate: per_minute(makeup_l, self.last_water_l.0),
                total: makeup_l,
            },
            blowdown: Flow {
                rate: per_minute(blowdown_l, self.last_water_l.1),
                total: blowdown_l,
            },
            ..Counted::default()
        };
        // One hand-over for all exchangers: flows add, temperatures mix.
        let units = || self.loops.iter().flat_map(|l| &l.reuse);
        counted.network_lpm = units().map(reuse::Reuse::network_flow_lpm).sum();
        let count = units().count().max(1) as f64;
        for unit in units() {
            let weight = if counted.network_lpm > 0.0 {
                unit.network_flow_lpm() / counted.network_lpm
            } else {
                1.0 / count
            };
            counted.reused.rate += unit.heat_kw;
            counted.reused.total += unit.energy_kwh;
            counted.network_supply_c += weight * unit.network_supply_c;
            counted.network_return_c += weight * unit.network_return_c;
        }
        counted
    }

    /// Lets no rack draw more than its cap, kW, as a power manager does; in the order of [`PlantSpec::racks`], infinite
    /// where there is none. What a rack draws in standby stays.
    pub fn cap_racks(&mut self, caps_kw: &[f64]) {
        self.caps_kw.clear();
        self.caps_kw.extend_from_slice(caps_kw);
    }

    /// The signal of this tag, `<equipment id>.<quantity>`.
    pub fn signal(&self, tag: &str) -> Option<SignalId> {
        self.board.find(tag)
    }

    /// Every tag with its signal.
    pub fn signals(&self) -> impl Iterator<Item = (&str, SignalId)> {
        self.board.tags()
    }

    /// What the sensor reads: the true value with lag, bias, noise and resolution. Reading changes nothing, and reads
    /// between two steps agree. NaN for a signal of another plant.
    pub fn measure(&self, signal: SignalId) -> f64 {
        self.board.measured(signal)
    }

    /// The true value behind a sensor.
    pub fn truth(&self, signal: SignalId) -> f64 {
        self.board.truth(signal)
    }

    /// Whether the signal can be written.
    pub fn is_writable(&self, signal: SignalId) -> bool {
        self.board.writer(signal).1 != Write::No
    }

    /// Writes a setpoint, enable or heartbeat, as a supervisor does.
    ///
    /// # Errors
    /// Where the signal is unknown or read only, or the device does not take the value; the old value stays.
    pub fn write(&mut self, signal: SignalId, value: f64) -> Result<(), WriteError> {
        let (owner, write) = self.board.writer(signal);
        if write != Write::No && !wounds::reachable(self, signal) {
            return Err(WriteError::Unreachable);
        }
        let remote = self.remote(owner).ok_or(if write == Write::No {
            WriteError::ReadOnly
        } else {
            WriteError::Unknown
        })?;
        match write {
            Write::No => return Err(WriteError::ReadOnly),
            Write::Register(register) => remote.write(register, value)?,
            Write::Heartbeat => remote.beat(value)?,
        }
        let shown = match write {
            Write::Register(register) => remote.shown(register),
            Write::No | Write::Heartbeat => value,
        };
        self.board.set(signal, shown);
        Ok(())
    }

    fn remote(&mut self, owner: Owner) -> Option<&mut Remote> {
        match owner {
            Owner::Nobody => None,
            Owner::Loop(l) => self.loops.get_mut(l).map(|facility| &mut facility.remote),
            Owner::Rejection(l, i) => self.loops.get_mut(l)?.rejection.get_mut(i).map(|unit| &mut unit.remote),
            Owner::Reuse(l, i) => self.loops.get_mut(l)?.reuse.get_mut(i).map(|unit| &mut unit.remote),
            Owner::AirUnit(l, i) => self.loops.get_mut(l)?.air_units.get_mut(i).map(|unit| &mut unit.remote),
            Owner::Cdu(l, i) => self.loops.get_mut(l)?.cdus.get_mut(i).map(|unit| &mut unit.remote),
        }
    }
}
