//! All signals of the plant: their true values, and what a sensor with lag, bias, noise and resolution makes of them.

use super::pi::lag_share;
use crate::random::{Random, mix, unit_interval};
use std::collections::{BTreeMap, BTreeSet};

/// Handle of a signal, valid for the plant that answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalId(pub(super) usize);

/// Classes of instruments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sensor {
    /// Counters, flags, setpoints: what the device's own memory holds.
    Exact,
    /// Resistance thermometer in a well.
    Temperature,
    /// On-die sensor behind a board controller: next to no lag.
    Chip,
    /// Electromagnetic or ultrasonic flow meter.
    Flow,
    /// Differential pressure transmitter.
    Pressure,
    /// Position or speed feedback.
    Position,
    /// Electric power.
    Power,
    /// Relative humidity.
    Humidity,
    /// Basin conductivity probe.
    Conductivity,
}

/// Lag, noise and resolution of an instrument class. Typical industrial instruments: Pt100 class A in a thermowell,
/// 0.5 % flow meters, 0.25 % transmitters.
struct Class {
    lag_s: f64,
    /// Noise, standard deviation: absolute, and as a share of the value.
    noise: f64,
    noise_share: f64,
    /// Bias, standard deviation: absolute, and as a share of the value.
    bias: f64,
    bias_share: f64,
    step: f64,
}

/// Limit of a class, in standard deviations of its bias.
const CLASS_LIMIT: f64 = 2.0;

impl Sensor {
    const ALL: [Self; 9] = [
        Self::Exact,
        Self::Temperature,
        Self::Chip,
        Self::Flow,
        Self::Pressure,
        Self::Position,
        Self::Power,
        Self::Humidity,
        Self::Conductivity,
    ];

    #[rustfmt::skip]
    const fn class(self) -> Class {
        match self {
            Self::Exact        => Class { lag_s: 0.0, noise: 0.0,   noise_share: 0.0,   bias: 0.0,  bias_share: 0.0,    step: 0.0 },
            Self::Temperature  => Class { lag_s: 4.0, noise: 0.02,  noise_share: 0.0,   bias: 0.07, bias_share: 0.0,    step: 0.01 },
            Self::Chip         => Class { lag_s: 0.5, noise: 0.2,   noise_share: 0.0,   bias: 0.3,  bias_share: 0.0,    step: 0.1 },
            Self::Flow         => Class { lag_s: 1.0, noise: 0.0,   noise_share: 0.003, bias: 0.0,  bias_share: 0.005,  step: 0.1 },
            Self::Pressure     => Class { lag_s: 0.5, noise: 0.2,   noise_share: 0.0,   bias: 0.2,  bias_share: 0.0,    step: 0.1 },
            Self::Position     => Class { lag_s: 0.0, noise: 0.0,   noise_share: 0.0,   bias: 0.0,  bias_share: 0.0,    step: 0.001 },
            Self::Power        => Class { lag_s: 0.5, noise: 0.0,   noise_share: 0.002, bias: 0.0,  bias_share: 0.003,  step: 0.001 },
            Self::Humidity     => Class { lag_s: 8.0, noise: 0.002, noise_share: 0.0,   bias: 0.01, bias_share: 0.0,    step: 0.001 },
            Self::Conductivity => Class { lag_s: 5.0, noise: 2.0,   noise_share: 0.0,   bias: 5.0,  bias_share: 0.0,    step: 1.0 },
        }
    }
}

/// What a write to a signal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// It is refused.
    No,
    /// It sets this register of the device's [`super::remote::Remote`].
    Register(usize),
    /// It is the device's heartbeat.
    Heartbeat,
}

/// One quantity of a class of equipment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantity {
    pub name: &'static str,
    pub sensor: Sensor,
    pub write: Write,
}

/// A measured quantity.
pub(super) const fn measured(name: &'static str, sensor: Sensor) -> Quantity {
    Quantity {
        name,
        sensor,
        write: Write::No,
    }
}

/// A setpoint in register `register`.
pub(super) const fn setpoint(name: &'static str, register: usize) -> Quantity {
    Quantity {
        name,
        sensor: Sensor::Exact,
        write: Write::Register(register),
    }
}

/// The three signals of every device with a heartbeat, in this order.
pub(super) const LOCAL_CONTROL: Quantity = measured("local_control", Sensor::Exact);
/// See [`LOCAL_CONTROL`].
pub(super) const COMMS_TIMEOUT: Quantity = measured("comms_timeout", Sensor::Exact);
/// See [`LOCAL_CONTROL`].
pub(super) const HEARTBEAT: Quantity = Quantity {
    name: "heartbeat",
    sensor: Sensor::Exact,
    write: Write::Heartbeat,
};

/// The unit whose registers a write reaches: its loop, its kind and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Nobody,
    Loop(usize),
    Rejection(usize, usize),
    Reuse(usize, usize),
    AirUnit(usize, usize),
    Cdu(usize, usize),
}

/// How a sensor lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Disturbed {
    /// It reports this, whatever is true.
    Stuck(f64),
    /// It moves away from the truth.
    Drift { per_s: f64, since_s: f64 },
    /// It has no value.
    Dropout,
}

#[derive(Debug, Clone)]
struct Signal {
    tag: String,
    sensor: Sensor,
    write: Write,
    owner: Owner,
    bias: f64,
    gain: f64,
}

/// Every signal with its true and its lagged value.
#[derive(Debug, Clone)]
pub(super) struct Board {
    signals: Vec<Signal>,
    index: BTreeMap<String, SignalId>,
    truth: Vec<f64>,
    lagged: Vec<f64>,
    seed: u64,
    step: u64,
    /// See [`super::PlantSpec::sensors_at_limit`].
    at_limit: bool,
    elapsed_s: f64,
    /// Sensors that lie.
    disturbed: BTreeMap<SignalId, Disturbed>,
    /// Units that are out of reach.
    silent: BTreeSet<String>,
    /// Units whose clocks are off, s.
    skewed: BTreeMap<String, f64>,
}

impl Board {
    pub(super) fn new(seed: u64, at_limit: bool) -> Self {
        Self {
            signals: Vec::new(),
            index: BTreeMap::new(),
            truth: Vec::new(),
            lagged: Vec::new(),
            seed,
            step: 0,
            at_limit,
            elapsed_s: 0.0,
            disturbed: BTreeMap::new(),
            silent: BTreeSet::new(),
            skewed: BTreeMap::new(),
        }
    }

    /// Lets a sensor lie, or mends it.
    pub(super) fn disturb(&mut self, id: SignalId, how: Option<Disturbed>) {
        match how {
            Some(how) => drop(self.disturbed.insert(id, how)),
            None => drop(self.disturbed.remove(&id)),
        }
    }

    /// Takes a unit out of reach or back, or sets its clock off; false where there is no such unit.
    pub(super) fn cut_off(&mut self, unit: &str, silent: Option<bool>, skew_s: Option<f64>) -> bool {
        let of_unit = |tag: &String| tag.split_once('.').is_some_and(|(owner, _)| owner == unit);
        if !self.index.keys().any(of_unit) {
            return false;
        }
        match silent {
            Some(true) => drop(self.silent.insert(unit.to_owned())),
            Some(false) => drop(self.silent.remove(unit)),
            None => match skew_s {
                Some(skew_s) => drop(self.skewed.insert(unit.to_owned(), skew_s)),
                None => drop(self.skewed.remove(unit)),
            },
        }
        true
    }

    fn unit(&self, id: SignalId) -> &str {
        let tag = self.signals.get(id.0).map_or("", |signal| signal.tag.as_str());
        tag.split_once('.').map_or(tag, |(unit, _)| unit)
    }

    pub(super) fn is_silent(&self, id: SignalId) -> bool {
        !self.silent.is_empty() && self.silent.contains(self.unit(id))
    }

    pub(super) fn skew_s(&self, id: SignalId) -> f64 {
        if self.skewed.is_empty() {
            return 0.0;
        }
        self.skewed.get(self.unit(id)).copied().unwrap_or(0.0)
    }

    /// Adds the quantities of the unit `id` and answers the place of the first.
    pub(super) fn add(
        &mut self,
        id: &str,
        quantities: &[Quantity],
        owner: Owner,
        deviation: f64,
        random: &mut Random,
    ) -> usize {
        let base = self.signals.len();
        for quantity in quantities {
            let class = quantity.sensor.class();
            let mut error = |sigma: f64| {
                let drawn = random.normal().clamp(-CLASS_LIMIT, CLASS_LIMIT);
                let at_limit = CLASS_LIMIT.copysign(drawn);
                deviation * sigma * if self.at_limit { at_limit } else { drawn }
            };
            let signal = Signal {
                tag: format!("{id}.{}", quantity.name),
                sensor: quantity.sensor,
                write: quantity.write,
                owner,
                bias: error(class.bias),
                gain: 1.0 + error(class.bias_share),
            };
            self.index.insert(signal.tag.clone(), SignalId(self.signals.len()));
            self.signals.push(signal);
        }
        self.truth.resize(self.signals.len(), 0.0);
        base
    }

    /// Sets the true values from the place `base` on.
    pub(super) fn publish(&mut self, base: usize, values: &[f64]) {
        for (slot, value) in self.truth.iter_mut().skip(base).zip(values) {
            *slot = *value;
        }
    }

    /// Lets every sensor follow its true value for `dt` seconds.
    pub(super) fn follow(&mut self, dt: f64) {
        let shares = Sensor::ALL.map(|sensor| lag_share(dt, sensor.class().lag_s));
        self.step += 1;
        self.elapsed_s += dt;
        if self.lagged.len() != self.truth.len() {
            self.lagged.clone_from(&self.truth);
        }
        for ((lagged, truth), signal) in self.lagged.iter_mut().zip(&self.truth).zip(&self.signals) {
            // A share of exactly 1 must copy: `lagged + (truth - lagged)` rounds.
            let share = shares[signal.sensor as usize];
            *lagged = if share < 1.0 {
                *lagged + share * (truth - *lagged)
            } else {
                *truth
            };
        }
    }

    /// Sets one signal at once, as a device does that answers a write.
    pub(super) fn set(&mut self, id: SignalId, value: f64) {
        for side in [&mut self.truth, &mut self.lagged] {
            if let Some(slot) = side.get_mut(id.0) {
                *slot = value;
            }
        }
    }

    pub(super) fn find(&self, tag: &str) -> Option<SignalId> {
        self.index.get(tag).copied()
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = (&str, SignalId)> {
        self.signals
            .iter()
            .enumerate()
            .map(|(place, signal)| (signal.tag.as_str(), SignalId(place)))
    }

    pub(super) fn writer(&self, id: SignalId) -> (Owner, Write) {
        self.signals
            .get(id.0)
            .map_or((Owner::Nobody, Write::No), |signal| (signal.owner, signal.write))
    }

    pub(super) fn truth(&self, id: SignalId) -> f64 {
        self.truth.get(id.0).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn measured(&self, id: SignalId) -> f64 {
        match self.disturbed.get(&id) {
            None => self.healthy(id),
            Some(Disturbed::Stuck(value)) => *value,
            Some(Disturbed::Dropout) => f64::NAN,
            Some(Disturbed::Drift { per_s, since_s }) => self.healthy(id) + per_s * (self.elapsed_s - since_s),
        }
    }

    /// What the sensor would read if nothing were wrong with it.
    fn healthy(&self, id: SignalId) -> f64 {
        let (Some(signal), Some(&value)) = (self.signals.get(id.0), self.lagged.get(id.0)) else {
            return f64::NAN;
        };
        if signal.sensor == Sensor::Exact {
            return value;
        }
        let class = signal.sensor.class();
        let sigma = class.noise + class.noise_share * value.abs();
        let noisy = value * signal.gain + signal.bias + sigma * noise(self.seed, self.step, id.0 as u64);
        let read = (noisy / class.step).round() * class.step;
        match signal.sensor {
            Sensor::Position | Sensor::Humidity => read.clamp(0.0, 1.0),
            Sensor::Flow | Sensor::Power | Sensor::Conductivity => read.max(0.0),
            _ => read,
        }
    }
}

/// Nearly normal noise with unit variance: the sum of four uniform numbers, from one hash of where and when.
fn noise(seed: u64, step: u64, signal: u64) -> f64 {
    let bits = mix(mix(seed ^ (signal << 32)) ^ step);
    let sum = unit_interval(bits << 48) + unit_interval(bits << 32) + unit_interval(bits << 16) + unit_interval(bits);
    (sum - 2.0) * 1.732_050_8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_no_offset_and_unit_variance() {
        let n = 20_000u32;
        let draws: Vec<f64> = (0..n).map(|step| noise(3, u64::from(step), 5)).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn a_thermometer_lags_and_a_register_does_not() {
        let mut board = Board::new(1, false);
        let mut random = Random::new(1, 0);
        let quantities = [measured("t", Sensor::Temperature), setpoint("sp", 0)];
        let base = board.add("unit", &quantities, Owner::Nobody, 0.0, &mut random);
        board.publish(base, &[20.0, 20.0]);
        board.follow(1.0);
        board.publish(base, &[30.0, 30.0]);
        board.follow(4.0);
        let read = |tag: &str| board.measured(board.find(tag).unwrap());
        assert!((read("unit.t") - 26.3).abs() < 0.2, "{}", read("unit.t"));
        assert!((read("unit.sp") - 30.0).abs() < 1e-12);
        assert!((board.truth(board.find("unit.t").unwrap()) - 30.0).abs() < 1e-12);
    }
}
