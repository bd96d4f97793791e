//! Electricity, water and heat meters: true totals through a meter of some class with a counter of finite length.

use super::board::{Board, Quantity, Sensor, measured};
use super::spec::{MeterRole, MeterSpec};
use crate::random::Random;

const POWER: [Quantity; 2] = [measured("power", Sensor::Exact), measured("energy", Sensor::Exact)];
const WATER: [Quantity; 2] = [measured("flow", Sensor::Exact), measured("volume", Sensor::Exact)];
const HEAT: [Quantity; 5] = [
    measured("power", Sensor::Exact),
    measured("energy", Sensor::Exact),
    measured("supply_temperature", Sensor::Temperature),
    measured("return_temperature", Sensor::Temperature),
    measured("flow", Sensor::Flow),
];

/// The signals of a meter.
pub(super) const fn signals(role: MeterRole) -> &'static [Quantity] {
    match role {
        MeterRole::ItPower | MeterRole::SitePower | MeterRole::CoolingPower => &POWER,
        MeterRole::MakeupWater | MeterRole::BlowdownWater => &WATER,
        MeterRole::ReusedHeat => &HEAT,
    }
}

/// A rate (kW or L/min) and its true total (kWh or L).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flow {
    pub rate: f64,
    pub total: f64,
}

/// What meters can count, at the moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    pub it: Flow,
    pub cooling: Flow,
    pub site: Flow,
    pub makeup: Flow,
    pub blowdown: Flow,
    pub reused: Flow,
    pub network_supply_c: f64,
    pub network_return_c: f64,
    pub network_lpm: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Meter {
    base: usize,
    role: MeterRole,
    rollover: f64,
    gain: f64,
}

impl Meter {
    pub(super) fn new(spec: &MeterSpec, base: usize, deviation: f64, random: &mut Random) -> Self {
        // A class bounds the error; most meters are well inside it.
        let gain = random.deviation(0.4 * spec.class * deviation);
        Self {
            base,
            role: spec.role,
            rollover: spec.rollover,
            gain,
        }
    }

    pub(super) fn publish(&self, counted: &Counted, board: &mut Board) {
        let flow = match self.role {
            MeterRole::ItPower => counted.it,
            MeterRole::SitePower => counted.site,
            MeterRole::CoolingPower => counted.cooling,
            MeterRole::MakeupWater => counted.makeup,
            MeterRole::BlowdownWater => counted.blowdown,
            MeterRole::ReusedHeat => counted.reused,
        };
        let counter = (self.gain * flow.total) % self.rollover;
        let values = [
            self.gain * flow.rate,
            counter,
            counted.network_supply_c,
            counted.network_return_c,
            counted.network_lpm,
        ];
        board.publish(self.base, values.get(..signals(self.role).len()).unwrap_or(&values));
    }
}
