//! A dry cooler, with adiabatic pads before its coil where it has them.

use super::air::Air;
use super::board::{Board, COMMS_TIMEOUT, HEARTBEAT, LOCAL_CONTROL, Quantity, Sensor, measured, setpoint};
use super::exchanger::{Exchanger, ntu_counterflow};
use super::fan::Fan;
use super::pipe::{WATER_KJ_L_K, flush_mean};
use super::remote::Remote;
use super::spec::RejectionSpec;
use super::tower::WaterUse;
use crate::random::Random;

pub(super) const SIGNALS: [Quantity; 11] = [
    measured("leaving_temperature", Sensor::Temperature),
    measured("fan_speed", Sensor::Position),
    measured("power", Sensor::Power),
    measured("spray_on", Sensor::Exact),
    measured("water_volume", Sensor::Exact),
    measured("running", Sensor::Exact),
    LOCAL_CONTROL,
    COMMS_TIMEOUT,
    setpoint("enable", 0),
    setpoint("supply_temperature_setpoint", 1),
    HEARTBEAT,
];

/// Capacity flow of the air over that of the water at the rated point.
const AIR_OVER_WATER: f64 = 1.2;
/// Saturation efficiency of the pads.
const PAD_EFFICIENCY: f64 = 0.85;
/// Water led away to keep the pads clean, share of what evaporates.
const PAD_BLEED: f64 = 0.25;
/// Heat of evaporation near 25 degC, kJ/kg.
const EVAPORATION_KJ_KG: f64 = 2440.0;
/// The water is this much too warm when the pads start, K.
const SPRAY_START_K: f64 = 0.5;
/// Shortest time that they run, s.
const SPRAY_MIN_S: f64 = 600.0;
/// Water in the coil in seconds of rated flow.
const COIL_S: f64 = 30.0;

#[derive(Debug, Clone)]
pub(super) struct DryCooler {
    coil: Exchanger,
    air_rated_kw_k: f64,
    pub fan: Fan,
    has_spray: bool,
    spray: bool,
    spray_s: f64,
    coil_volume_l: f64,
    coil_c: f64,
    pub water: WaterUse,
}

/// Inlet dry bulb behind pads of efficiency `pad`, degC.
pub fn adiabatic_inlet_c(dry_bulb_c: f64, wet_bulb_c: f64, pad: f64) -> f64 {
    dry_bulb_c - pad * (dry_bulb_c - wet_bulb_c)
}

impl DryCooler {
    pub(super) fn new(spec: &RejectionSpec, start_c: f64, deviation: f64, random: &mut Random) -> Result<Self, String> {
        let water = spec.flow_lpm / 60.0 * WATER_KJ_L_K;
        let eps = spec.rated_kw / water / (spec.rated_kw / water + spec.approach_k);
        if eps >= 0.97 {
            return Err(format!(
                "{}: approach_k {:.1} is too close for a range of {:.1} K: write a larger approach_k or flow_lpm",
                spec.id,
                spec.approach_k,
                spec.rated_kw / water
            ));
        }
        let air = AIR_OVER_WATER * water;
        let ua = ntu_counterflow(eps, water / air) * water * random.deviation(0.06 * deviation);
        Ok(Self {
            coil: Exchanger::new(ua, water, air, 0.1),
            air_rated_kw_k: air,
            fan: Fan::new(spec.power_kw * random.deviation(0.04 * deviation), spec.min_speed),
            has_spray: spec.spray,
            spray: false,
            spray_s: 0.0,
            coil_volume_l: spec.flow_lpm / 60.0 * COIL_S,
            coil_c: start_c,
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
        self.fan.advance(dt, enabled, self.coil_c, setpoint_c);
        self.switch_spray(dt, enabled, self.coil_c - setpoint_c);
        let flow_l_s = if enabled { flow_lpm / 60.0 } else { 0.0 };
        // Still air takes a few percent by natural convection.
        let air_kw_k = self.air_rated_kw_k * self.fan.speed.max(0.04);
        let inlet_c = if self.spray {
            adiabatic_inlet_c(air.dry_bulb_c, air.wet_bulb_c, PAD_EFFICIENCY)
        } else {
            air.dry_bulb_c
        };
        if self.spray {
            let evaporation = air_kw_k * (air.dry_bulb_c - inlet_c) / EVAPORATION_KJ_KG * dt;
            self.water.spray += evaporation * (1.0 + PAD_BLEED);
        }
        let capacity = flow_l_s * WATER_KJ_L_K;
        let heat_kw = self.coil.heat_per_k(capacity, air_kw_k) * (water_c - inlet_c);
        let into_c = if capacity > 0.0 {
            water_c - heat_kw / capacity
        } else {
            self.coil_c
        };
        let x = flow_l_s * dt / self.coil_volume_l;
        let mean_c = into_c + (self.coil_c - into_c) * flush_mean(x);
        self.coil_c += x * (into_c - mean_c);
        (mean_c, heat_kw)
    }

    /// Pads start when the fan alone does not do it, and stop when it has much in hand.
    fn switch_spray(&mut self, dt: f64, enabled: bool, too_warm_k: f64) {
        self.spray_s += dt;
        let wanted = if self.spray {
            self.spray_s < SPRAY_MIN_S || self.fan.speed > 0.6
        } else {
            self.fan.is_full() && too_warm_k > SPRAY_START_K
        };
        let wanted = wanted && self.has_spray && enabled;
        if wanted != self.spray {
            self.spray = wanted;
            self.spray_s = 0.0;
        }
    }

    /// Volume times temperature of the coil, L K.
    pub(super) fn content(&self) -> f64 {
        self.coil_volume_l * self.coil_c
    }

    pub(super) fn publish(&self, board: &mut Board, base: usize, remote: &Remote) {
        let values: [f64; SIGNALS.len()] = [
            self.coil_c,
            self.fan.speed,
            self.fan.power_kw(),
            f64::from(u8::from(self.spray)),
            self.water.spray,
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
    use super::super::spec::RejectionKind;
    use super::*;

    fn cooler(spray: bool) -> DryCooler {
        let spec = RejectionSpec {
            id: "dc1".into(),
            facility_loop: "fws".into(),
            kind: RejectionKind::DryCooler,
            rated_kw: 500.0,
            power_kw: 12.0,
            flow_lpm: 900.0,
            approach_k: 6.0,
            design_ambient_c: 35.0,
            min_speed: 0.2,
            cycles_of_concentration: 0.0,
            spray,
            out_of_service: false,
            default_supply_c: 41.0,
        };
        DryCooler::new(&spec, 41.0, 0.0, &mut Random::new(1, 0)).unwrap()
    }

    #[test]
    fn pads_as_published() {
        let inlet = adiabatic_inlet_c(35.0, 21.5236, 0.85);
        assert!((inlet - 23.5451).abs() < 1e-3, "{inlet}");
    }

    #[test]
    fn the_rated_point_is_met_at_full_fan() {
        let mut cooler = cooler(false);
        let air = Air::new(35.0, 22.0, 0.3, 101_325.0);
        let in_c = 41.0 + 500.0 / (15.0 * WATER_KJ_L_K);
        let mut last = (0.0, 0.0);
        for _ in 0..400 {
            last = cooler.advance(5.0, &air, true, 30.0, 900.0, in_c);
        }
        assert!((last.1 - 500.0).abs() < 1.0, "{}", last.1);
        assert!((last.0 - 41.0).abs() < 0.05);
    }

    #[test]
    fn spray_starts_only_when_the_fan_is_full_and_counts_its_water() {
        let air = Air::new(35.0, 22.0, 0.3, 101_325.0);
        let run = |spray: bool, setpoint: f64| {
            let mut cooler = cooler(spray);
            let mut out = 0.0;
            for _ in 0..2000 {
                out = cooler.advance(5.0, &air, true, setpoint, 900.0, 45.0).0;
            }
            (out, cooler.water.spray)
        };
        assert!(run(true, 44.0).1 <= 0.0, "not needed");
        let (wet, used) = run(true, 33.0);
        let (dry, none) = run(false, 33.0);
        assert!(wet < dry - 2.0 && used > 100.0 && none <= 0.0, "{wet} {dry} {used}");
    }
}
