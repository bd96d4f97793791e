//! An air unit with the room that it serves: the heat that the racks do not give to the liquid.

use super::air::Air;
use super::board::{Board, COMMS_TIMEOUT, HEARTBEAT, LOCAL_CONTROL, Quantity, Sensor, measured, setpoint};
use super::exchanger::{Exchanger, ntu_counterflow};
use super::pi::{Pi, lag_share, slewed};
use super::pipe::WATER_KJ_L_K;
use super::pump::fan_power;
use super::remote::Remote;
use super::spec::AirUnitSpec;
use super::valve::{Branch, STROKE_S};
use super::wounds::Wounds;
use crate::random::Random;

pub(super) const SIGNALS: [Quantity; 11] = [
    measured("supply_air_temperature", Sensor::Temperature),
    measured("return_air_temperature", Sensor::Temperature),
    measured("room_temperature", Sensor::Temperature),
    measured("room_relative_humidity", Sensor::Humidity),
    measured("fan_speed", Sensor::Position),
    measured("power", Sensor::Power),
    LOCAL_CONTROL,
    COMMS_TIMEOUT,
    setpoint("supply_air_temperature_setpoint", 0),
    setpoint("fan_speed_setpoint", 1),
    HEARTBEAT,
];

/// Pressure that an open coil branch takes at its rated flow, kPa.
pub(super) const COIL_KPA: f64 = 50.0;
/// Smallest and largest supply air temperature that the unit's panel takes, degC.
const SUPPLY_RANGE_C: (f64, f64) = (10.0, 40.0);
/// Heat held by air, racks' steel and structure, as time of the full air flow, s.
const ROOM_S: f64 = 150.0;
/// Outdoor air changes of the room per second: 0.4 an hour for people and pressure.
const AIR_CHANGES_PER_S: f64 = 0.4 / 3600.0;
/// Dew points between which humidifier and drier leave the room alone, degC (ASHRAE TC 9.9 recommended, narrowed).
const DEW_POINT_BAND_C: (f64, f64) = (5.5, 14.0);
/// How fast humidifier and drier bring the room back to the band, per second.
const HUMIDITY_CONTROL_PER_S: f64 = 1.0 / 900.0;
/// Share of hot-aisle air in the air around the racks, for want of perfect containment.
const RECIRCULATION: f64 = 0.2;
/// Fastest fan change, per second.
const FAN_SLEW: f64 = 1.0 / 60.0;
/// Air that still moves when the fan has no power, as a share of its full flow: the racks' own fans.
const LEAST_DRAUGHT: f64 = 0.05;

#[derive(Debug, Clone)]
pub(super) struct AirUnit {
    pub id: String,
    pub base: usize,
    pub remote: Remote,
    coil: Exchanger,
    branch: Branch,
    air_rated_kw_k: f64,
    fan_kw: f64,
    room_kj_k: f64,
    valve: Pi,
    fan: f64,
    /// Share of all racks' air heat.
    pub share: f64,
    hot_c: f64,
    supply_c: f64,
    sensed_c: f64,
    humidity_ratio: f64,
    relative_humidity: f64,
    pub energy_kwh: f64,
    pub wounds: Wounds,
}

impl AirUnit {
    pub(super) fn new(
        spec: &AirUnitSpec,
        base: usize,
        timeout_s: f64,
        air_kj_m3_k: f64,
        deviation: f64,
        random: &mut Random,
    ) -> Result<Self, String> {
        let air = spec.air_flow_m3_s * air_kj_m3_k;
        let water = spec.water_flow_lpm / 60.0 * WATER_KJ_L_K;
        let (least, most) = (air.min(water), air.max(water));
        let eps = spec.rated_kw / (least * (spec.approach_k + spec.rated_kw / air));
        if eps >= 0.97 {
            return Err(format!(
                "{}: {:.0} kW at approach_k {:.1} needs a coil effectiveness of {eps:.2}: write a larger approach_k, air_flow_m3_s or water_flow_lpm",
                spec.id, spec.rated_kw, spec.approach_k
            ));
        }
        let mut built = |sigma: f64| random.deviation(sigma * deviation);
        let ua = ntu_counterflow(eps, least / most) * least * built(0.06);
        Ok(Self {
            id: spec.id.clone(),
            base,
            remote: Remote::new(
                timeout_s,
                &[
                    (spec.default_supply_air_c, SUPPLY_RANGE_C.0, SUPPLY_RANGE_C.1),
                    (spec.default_fan_speed, spec.min_speed, 1.0),
                ],
            ),
            coil: Exchanger::new(ua, air, water, 0.1),
            branch: Branch::rated(spec.water_flow_lpm, COIL_KPA * built(0.06)),
            air_rated_kw_k: air * built(0.03),
            fan_kw: spec.fan_kw * built(0.04),
            room_kj_k: ROOM_S * air * built(0.1),
            valve: Pi::new(0.02, 60.0, (0.0, 1.0), 1.0 / STROKE_S, 0.5),
            fan: spec.default_fan_speed,
            share: spec.rated_kw,
            hot_c: spec.default_supply_air_c + 5.0,
            supply_c: spec.default_supply_air_c,
            sensed_c: spec.default_supply_air_c,
            humidity_ratio: 0.0085,
            relative_humidity: 0.5,
            energy_kwh: 0.0,
            wounds: Wounds::default(),
        })
    }

    /// Moves fan and valve by the local loops.
    pub(super) fn control(&mut self, dt: f64) {
        self.remote.advance(dt);
        let asked = if self.wounds.unpowered {
            LEAST_DRAUGHT
        } else {
            self.remote.active(1)
        };
        self.fan = slewed(self.fan, asked, FAN_SLEW, dt);
        self.sensed_c += lag_share(dt, 15.0) * (self.supply_c - self.sensed_c);
        self.valve.update(self.sensed_c - self.remote.active(0), dt);
        self.energy_kwh += self.power_kw() * dt / 3600.0;
    }

    /// Flow per root of pressure of the coil's branch, (L/min)/kPa^0.5.
    pub(super) fn conductance(&self) -> f64 {
        self.branch.conductance(self.valve.output)
    }

    /// Cools a room that takes in `heat_kw` with `water_lpm` of `water_c` for `dt` seconds; answers the heat given to the
    /// water, kW.
    pub(super) fn advance(&mut self, dt: f64, outdoor: &Air, heat_kw: f64, water_c: f64, water_lpm: f64) -> f64 {
        let heat_kw = heat_kw + self.power_kw();
        let air = self.air_rated_kw_k * self.fan;
        let per_k = self.coil.heat_per_k(air, water_lpm / 60.0 * WATER_KJ_L_K);
        let old_c = self.hot_c;
        let steady_c = water_c + heat_kw / per_k;
        self.hot_c = steady_c + (old_c - steady_c) * libm::exp(-per_k * dt / self.room_kj_k);
        let given = heat_kw - self.room_kj_k * (self.hot_c - old_c) / dt;
        self.supply_c = self.hot_c - given / air;
        self.moisten(dt, outdoor);
        given
    }

    /// The room's humidity follows the outdoor air, and humidifier and drier keep its dew point in their band.
    fn moisten(&mut self, dt: f64, outdoor: &Air) {
        let (low, high) = (
            outdoor.saturated.at(DEW_POINT_BAND_C.0).1,
            outdoor.saturated.at(DEW_POINT_BAND_C.1).1,
        );
        let w = self.humidity_ratio;
        let banded = w.clamp(low, high);
        self.humidity_ratio += dt
            * (AIR_CHANGES_PER_S * (outdoor.humidity_ratio - w)
                + HUMIDITY_CONTROL_PER_S * (banded - w)
                + self.wounds.moisture_per_h / 3600.0);
        // Nearly exact far from saturation: vapour pressure goes as w / (0.622 + w).
        let saturated = outdoor.saturated.at(self.room_c()).1;
        let pressure = |w: f64| w / (0.621_945 + w);
        self.relative_humidity = (pressure(self.humidity_ratio) / pressure(saturated)).min(1.0);
    }

    /// Air around the racks: what the unit blows, with some of the hot aisle mixed in.
    fn room_c(&self) -> f64 {
        self.supply_c + RECIRCULATION * (self.hot_c - self.supply_c)
    }

    pub(super) fn power_kw(&self) -> f64 {
        fan_power(self.fan_kw, self.fan)
    }

    /// Heat held by the room above 0 degC, kJ.
    pub(super) fn stored_kj(&self) -> f64 {
        self.room_kj_k * self.hot_c
    }

    pub(super) fn publish(&self, board: &mut Board) {
        let values: [f64; SIGNALS.len()] = [
            self.supply_c,
            self.hot_c,
            self.room_c(),
            self.relative_humidity,
            self.fan,
            self.power_kw(),
            self.remote.local_flag(),
            self.remote.timeout_s,
            self.remote.shown(0),
            self.remote.shown(1),
            self.remote.heartbeat(),
        ];
        board.publish(self.base, &values);
    }
}
