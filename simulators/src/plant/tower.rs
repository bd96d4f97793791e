//! A cell of an evaporative cooling tower with its basin.
//!
//! Water and salts of the basin by mass balances: evaporation leaves the salts behind, blowdown leads them away.

use super::air::Air;
use super::board::{Board, COMMS_TIMEOUT, HEARTBEAT, LOCAL_CONTROL, Quantity, Sensor, measured, setpoint};
use super::fan::Fan;
use super::fill::Fill;
use super::pipe::{WATER_KJ_L_K, flush_mean};
use super::remote::Remote;
use super::spec::RejectionSpec;
use crate::random::Random;

pub(super) const SIGNALS: [Quantity; 12] = [
    measured("leaving_temperature", Sensor::Temperature),
    measured("fan_speed", Sensor::Position),
    measured("power", Sensor::Power),
    measured("conductivity", Sensor::Conductivity),
    measured("makeup_volume", Sensor::Exact),
    measured("blowdown_volume", Sensor::Exact),
    measured("running", Sensor::Exact),
    LOCAL_CONTROL,
    COMMS_TIMEOUT,
    setpoint("enable", 0),
    setpoint("supply_temperature_setpoint", 1),
    HEARTBEAT,
];

/// Droplets carried off, share of the water flow: a modern eliminator.
const DRIFT: f64 = 1e-5;
/// Basin holds this many seconds of rated flow.
const BASIN_S: f64 = 90.0;
/// The bypass that keeps the basin from overcooling opens from this far below the setpoint, fully at three times it, K.
const BYPASS_K: f64 = 1.5;

/// Water that a unit has used, L.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WaterUse {
    pub evaporation: f64,
    pub drift: f64,
    pub blowdown: f64,
    pub makeup: f64,
    pub spray: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Tower {
    fill: Fill,
    pub fan: Fan,
    basin_c: f64,
    basin_volume_l: f64,
    makeup_us_cm: f64,
    limit_us_cm: f64,
    /// Water in the basin, L, and its conductivity times that.
    level_l: f64,
    salt: f64,
    blowing_down: bool,
    rated_flow_lpm: f64,
    last_out_c: f64,
    pub water: WaterUse,
}

impl Tower {
    pub(super) fn new(
        spec: &RejectionSpec,
        makeup_us_cm: f64,
        pressure_pa: f64,
        start_c: f64,
        deviation: f64,
        random: &mut Random,
    ) -> Result<Self, String> {
        let basin_volume_l = spec.flow_lpm / 60.0 * BASIN_S * random.deviation(0.1 * deviation);
        let mut fill = Fill::rated(spec, pressure_pa)?;
        fill.ntu_rated *= random.deviation(0.06 * deviation);
        Ok(Self {
            fill,
            fan: Fan::new(spec.power_kw * random.deviation(0.04 * deviation), spec.min_speed),
            basin_c: start_c,
            basin_volume_l,
            makeup_us_cm,
            limit_us_cm: makeup_us_cm * spec.cycles_of_concentration,
            level_l: basin_volume_l,
            salt: basin_volume_l * makeup_us_cm * 0.9 * spec.cycles_of_concentration,
            blowing_down: false,
            rated_flow_lpm: spec.flow_lpm,
            last_out_c: start_c,
            water: WaterUse::default(),
        })
    }

    /// Cools `flow_lpm` of `water_c` for `dt` seconds; answers the mean leaving temperature and the heat given off, kW.
    pub(super) fn advance(
        &mut self,
        dt: f64,
        air: &Air,
        enabled: bool,
        setpoint_c: f64,
        flow_lpm: f64,
        water_c: f64,
    ) -> (f64, f64) {
        self.fan.advance(dt, enabled, self.basin_c, setpoint_c);
        let flow_lpm = if enabled { flow_lpm } else { 0.0 };
        let bypass = ((setpoint_c - BYPASS_K - self.basin_c) / (2.0 * BYPASS_K)).clamp(0.0, 1.0);
        let water_l_s = flow_lpm / 60.0 * (1.0 - bypass);
        let (heat_kw, evaporation_kg_s) = self
            .fill
            .advance(air, self.fan.speed, water_l_s, water_c, self.last_out_c);
        let capacity = flow_lpm / 60.0 * WATER_KJ_L_K;
        let into_basin_c = if capacity > 0.0 {
            water_c - heat_kw / capacity
        } else {
            self.basin_c
        };
        if water_l_s > 0.0 {
            self.last_out_c = water_c - heat_kw / (water_l_s * WATER_KJ_L_K);
        }
        let x = flow_lpm / 60.0 * dt / self.basin_volume_l;
        let mean_c = into_basin_c + (self.basin_c - into_basin_c) * flush_mean(x);
        self.basin_c += x * (into_basin_c - mean_c);
        self.account(dt, flow_lpm, evaporation_kg_s);
        (mean_c, heat_kw)
    }

    /// Moves water and salts: evaporation leaves the salts behind, drift and blowdown take them along.
    fn account(&mut self, dt: f64, flow_lpm: f64, evaporation_kg_s: f64) {
        let evaporation = evaporation_kg_s * dt;
        let drift = DRIFT * flow_lpm / 60.0 * dt;
        let conductivity = self.conductivity();
        self.blowing_down = conductivity
            > if self.blowing_down {
                0.97 * self.limit_us_cm
            } else {
                self.limit_us_cm
            };
        let blowdown = if self.blowing_down {
            0.02 * self.rated_flow_lpm / 60.0 * dt
        } else {
            0.0
        };
        let makeup = ((self.basin_volume_l - self.level_l) * dt / 60.0).max(0.0);
        self.level_l += makeup - evaporation - drift - blowdown;
        self.salt += makeup * self.makeup_us_cm - (drift + blowdown) * conductivity;
        self.water.evaporation += evaporation;
        self.water.drift += drift;
        self.water.blowdown += blowdown;
        self.water.makeup += makeup;
    }

    fn conductivity(&self) -> f64 {
        self.salt / self.level_l.max(1.0)
    }

    pub(super) fn level_l(&self) -> f64 {
        self.level_l
    }

    /// Volume times temperature of the basin, L K.
    pub(super) fn content(&self) -> f64 {
        self.basin_volume_l * self.basin_c
    }

    pub(super) fn publish(&self, board: &mut Board, base: usize, remote: &Remote) {
        let values: [f64; SIGNALS.len()] = [
            self.basin_c,
            self.fan.speed,
            self.fan.power_kw(),
            self.conductivity(),
            self.water.makeup,
            self.water.blowdown,
            remote.active(0),
            remote.local_flag(),
            remote.timeout_s,
            remote.shown(0),
            remote.shown(1),
            remote.heartbeat(),
        ];
        board.publish(base, &values);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fill::tests::spec;
    use super::*;

    #[test]
    fn water_closes_and_conductivity_stays_at_its_limit() {
        let mut tower = Tower::new(&spec(), 300.0, 101_325.0, 28.0, 0.0, &mut Random::new(1, 0)).unwrap();
        let air = Air::new(28.0, 21.0, 0.53, 101_325.0);
        let start = tower.level_l;
        for _ in 0..86_400 / 5 {
            tower.advance(5.0, &air, true, 24.0, 1800.0, 32.0);
        }
        let w = tower.water;
        assert!((w.makeup - w.evaporation - w.drift - w.blowdown - (tower.level_l - start)).abs() < 1e-3 * w.makeup);
        assert!(
            (tower.conductivity() / 1500.0 - 1.0).abs() < 0.05,
            "{}",
            tower.conductivity()
        );
        // At steady concentration, make-up over blowdown and drift is the cycles of concentration.
        let cycles = w.makeup / (w.blowdown + w.drift);
        assert!((cycles - 5.0).abs() < 0.4, "{cycles}");
    }
}
