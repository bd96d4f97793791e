//! An air-cooled chiller in series after towers and dry coolers.
//!
//! Inside the box of its curve the DOE-2 model holds (the published set `ElectricEIRChiller York YT
//! 1055kW/5.96COP` of the `EnergyPlus` data). AI loops run far warmer than that box; there a fraction
//! of the Carnot efficiency, fitted to the unit's own rated point, takes over.

use super::air::Air;
use super::board::{Board, COMMS_TIMEOUT, HEARTBEAT, LOCAL_CONTROL, Quantity, Sensor, measured, setpoint};
use super::pi::slewed;
use super::pipe::{WATER_KJ_L_K, flush_mean};
use super::remote::Remote;
use super::spec::RejectionSpec;
use crate::random::Random;

pub(super) const SIGNALS: [Quantity; 8] = [
    measured("leaving_temperature", Sensor::Temperature),
    measured("power", Sensor::Power),
    measured("running", Sensor::Exact),
    LOCAL_CONTROL,
    COMMS_TIMEOUT,
    setpoint("enable", 0),
    setpoint("supply_temperature_setpoint", 1),
    HEARTBEAT,
];

/// Capacity over reference, by leaving evaporator and entering condenser temperature.
const CAPACITY: [f64; 6] = [
    1.785_912e-1,
    -5.900_023e-2,
    -5.946_963e-4,
    9.297_889e-2,
    -2.841_024e-3,
    4.974_221e-3,
];
/// Power over reference at full load, by the same.
const INPUT: [f64; 6] = [
    5.245_110e-1,
    -2.850_126e-2,
    8.034_720e-4,
    1.893_133e-2,
    1.151_629e-4,
    -9.340_642e-5,
];
/// Power over full load by part load.
const PART_LOAD: [f64; 3] = [2.619_878e-1, 2.393_605e-1, 4.988_306e-1];
/// Smallest part load that runs without cycling, and largest.
const PART_LOAD_RANGE: (f64, f64) = (0.10, 1.05);
/// Condensing temperature over the outdoor air, K.
const CONDENSER_K: f64 = 12.0;
/// Leaving water over evaporating temperature, K.
const EVAPORATOR_K: f64 = 2.0;
/// The compressor needs this lift at least, K.
const LEAST_LIFT_K: f64 = 8.0;
/// Share of rated load by which the compressor can change in a second.
const SLEW: f64 = 1.0 / 180.0;
/// Time that the unit's own controller keeps between two starts of its compressor, s: three an hour, as is usual.
const START_GAP_S: f64 = 1200.0;
/// Water in the evaporator in seconds of rated flow.
const EVAPORATOR_S: f64 = 30.0;

fn biquadratic(c: &[f64; 6], x: f64, y: f64) -> f64 {
    c[0] + x * (c[1] + c[2] * x) + y * (c[3] + c[4] * y) + c[5] * x * y
}

/// Whether the DOE-2 curve was fitted at these temperatures (leaving evaporator, entering condenser), degC.
pub fn in_eir_box(leaving_c: f64, condenser_c: f64) -> bool {
    (4.44..=8.89).contains(&leaving_c) && (12.78..=35.0).contains(&condenser_c)
}

/// Electric power (kW) of a chiller with `reference_kw` and `reference_cop` that cools `heat_kw` to `leaving_c` with its
/// condenser entered at `condenser_c`; meaningful where [`in_eir_box`].
pub fn eir_power_kw(reference_kw: f64, reference_cop: f64, leaving_c: f64, condenser_c: f64, heat_kw: f64) -> f64 {
    let capacity = biquadratic(&CAPACITY, leaving_c, condenser_c);
    let part = (heat_kw / (reference_kw * capacity)).clamp(PART_LOAD_RANGE.0, PART_LOAD_RANGE.1);
    let part_load = PART_LOAD[0] + part * (PART_LOAD[1] + part * PART_LOAD[2]);
    reference_kw / reference_cop * capacity * biquadratic(&INPUT, leaving_c, condenser_c) * part_load
}

/// Heating coefficient of performance of a machine between two temperatures (degC) at `eta` of the Carnot efficiency.
pub fn carnot_heating_cop(hot_c: f64, cold_c: f64, eta: f64) -> f64 {
    eta * (hot_c + 273.15) / (hot_c - cold_c)
}

#[derive(Debug, Clone)]
pub(super) struct Chiller {
    rated_kw: f64,
    rated_cop: f64,
    rated_leaving_c: f64,
    rated_ambient_c: f64,
    eta: f64,
    evaporator_l: f64,
    leaving_c: f64,
    heat_kw: f64,
    since_start_s: f64,
    pub power_kw: f64,
}

impl Chiller {
    pub(super) fn new(spec: &RejectionSpec, start_c: f64, deviation: f64, random: &mut Random) -> Self {
        let rated_cop = spec.rated_kw / spec.power_kw / random.deviation(0.04 * deviation);
        let (hot, cold) = temperatures(spec.design_ambient_c, spec.default_supply_c);
        Self {
            rated_kw: spec.rated_kw,
            rated_cop,
            rated_leaving_c: spec.default_supply_c,
            rated_ambient_c: spec.design_ambient_c,
            eta: ((rated_cop + 1.0) / carnot_heating_cop(hot, cold, 1.0)).min(0.75),
            evaporator_l: spec.flow_lpm / 60.0 * EVAPORATOR_S,
            leaving_c: start_c,
            heat_kw: 0.0,
            since_start_s: START_GAP_S,
            power_kw: 0.0,
        }
    }

    /// Cools `flow_lpm` of `water_c` for `dt` seconds; answers the mean leaving temperature and the heat taken, kW.
    pub(super) fn advance(
        &mut self,
        dt: f64,
        air: &Air,
        enabled: bool,
        setpoint_c: f64,
        flow_lpm: f64,
        water_c: f64,
    ) -> (f64, f64) {
        let flow_l_s = if enabled { flow_lpm / 60.0 } else { 0.0 };
        let capacity = flow_l_s * WATER_KJ_L_K;
        let limit = self.limit_kw(setpoint_c, air.dry_bulb_c);
        // A degree of dead band above the setpoint keeps an idle chiller from starting for nothing.
        let wanted = capacity * (water_c - setpoint_c);
        let stopped = self.heat_kw <= 0.0;
        self.since_start_s += dt;
        let idle = stopped && (water_c < setpoint_c + 1.0 || self.since_start_s < START_GAP_S);
        let target = if idle { 0.0 } else { wanted.clamp(0.0, limit) };
        self.heat_kw = slewed(self.heat_kw, target, SLEW * self.rated_kw, dt).min(wanted.max(0.0));
        if stopped && self.heat_kw > 0.0 {
            self.since_start_s = 0.0;
        }
        self.power_kw = self.power(air.dry_bulb_c);
        let into_c = if capacity > 0.0 {
            water_c - self.heat_kw / capacity
        } else {
            self.leaving_c
        };
        let x = flow_l_s * dt / self.evaporator_l;
        let mean_c = into_c + (self.leaving_c - into_c) * flush_mean(x);
        self.leaving_c += x * (into_c - mean_c);
        (mean_c, self.heat_kw)
    }

    fn limit_kw(&self, leaving_c: f64, ambient_c: f64) -> f64 {
        let share = if in_eir_box(leaving_c, ambient_c) {
            biquadratic(&CAPACITY, leaving_c, ambient_c)
        } else {
            1.0 + 0.02 * (leaving_c - self.rated_leaving_c) - 0.008 * (ambient_c - self.rated_ambient_c)
        };
        self.rated_kw * share.clamp(0.4, 1.3)
    }

    fn power(&self, ambient_c: f64) -> f64 {
        if self.heat_kw <= 0.0 {
            return 0.0;
        }
        // Below its smallest part load the machine cycles, and takes its share of the time at that load.
        let part = self.heat_kw / self.rated_kw;
        let cycling = (part / PART_LOAD_RANGE.0).min(1.0);
        let heat = self.heat_kw / cycling;
        cycling
            * if in_eir_box(self.leaving_c, ambient_c) {
                eir_power_kw(self.rated_kw, self.rated_cop, self.leaving_c, ambient_c, heat)
            } else {
                let (hot, cold) = temperatures(ambient_c, self.leaving_c);
                let part = heat / self.rated_kw;
                let losses = (PART_LOAD[0] + part * (PART_LOAD[1] + part * PART_LOAD[2])) / part;
                heat / (carnot_heating_cop(hot, cold, self.eta) - 1.0) * losses
            }
    }

    /// Volume times temperature of the evaporator, L K.
    pub(super) fn content(&self) -> f64 {
        self.evaporator_l * self.leaving_c
    }

    pub(super) fn publish(&self, board: &mut Board, base: usize, remote: &Remote) {
        let values: [f64; SIGNALS.len()] = [
            self.leaving_c,
            self.power_kw,
            f64::from(u8::from(self.heat_kw > 0.0)),
            remote.local_flag(),
            remote.timeout_s,
            remote.shown(0),
            remote.shown(1),
            remote.heartbeat(),
        ];
        board.publish(base, &values);
    }
}

/// Condensing and evaporating temperature, degC.
fn temperatures(ambient_c: f64, leaving_c: f64) -> (f64, f64) {
    let cold = leaving_c - EVAPORATOR_K;
    ((ambient_c + CONDENSER_K).max(cold + LEAST_LIFT_K), cold)
}

#[cfg(test)]
mod tests {
    use super::super::spec::RejectionKind;
    use super::*;

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-4 * want.abs(), "{got} is not {want}");
    }

    #[test]
    fn the_york_curve_as_published() {
        for (leaving, condenser, heat, power) in [
            (6.67, 29.44, 1055.0, 178.205_27),
            (8.0, 25.0, 600.0, 90.837_52),
            (6.67, 20.0, 500.0, 70.815_47),
        ] {
            close(eir_power_kw(1055.0, 5.96, leaving, condenser, heat), power);
        }
    }

    #[test]
    fn heat_pump_points() {
        for (hot, cold, cop) in [
            (70.0, 35.0, 4.9021),
            (70.0, 45.0, 6.8630),
            (80.0, 35.0, 3.9239),
            (90.0, 40.0, 3.6315),
        ] {
            close(carnot_heating_cop(hot, cold, 0.5), cop);
        }
    }

    fn machine() -> Chiller {
        let spec = RejectionSpec {
            id: "ch1".into(),
            facility_loop: "fws".into(),
            kind: RejectionKind::Chiller,
            rated_kw: 500.0,
            power_kw: 90.0,
            flow_lpm: 1400.0,
            approach_k: 0.0,
            design_ambient_c: 35.0,
            min_speed: 0.1,
            cycles_of_concentration: 0.0,
            spray: false,
            out_of_service: false,
            default_supply_c: 22.0,
        };
        Chiller::new(&spec, 22.0, 0.0, &mut Random::new(1, 0))
    }

    #[test]
    fn a_stopped_compressor_waits_before_it_starts_again() {
        let mut chiller = machine();
        let air = Air::new(35.0, 27.0, 0.4, 101_325.0);
        let mut starts = Vec::new();
        let mut ran = false;
        for second in (0..3600).step_by(5) {
            // Switched off for a minute in every five.
            let enabled = second % 300 >= 60;
            let runs = chiller.advance(5.0, &air, enabled, 22.0, 1400.0, 27.0).1 > 0.0;
            if runs && !ran {
                starts.push(second);
            }
            ran = runs;
        }
        assert_eq!(starts, [60, 1260, 2460]);
    }

    fn run(ambient_c: f64, heat_share: f64) -> (f64, f64) {
        let mut chiller = machine();
        let air = Air::new(ambient_c, ambient_c - 8.0, 0.4, 101_325.0);
        let in_c = 22.0 + heat_share * 500.0 / (1400.0 / 60.0 * WATER_KJ_L_K);
        let mut out = 0.0;
        for _ in 0..300 {
            out = chiller.advance(5.0, &air, true, 22.0, 1400.0, in_c).0;
        }
        (out, chiller.power_kw)
    }

    #[test]
    fn rated_power_at_the_rated_point_and_less_in_cool_air() {
        let (out, power) = run(35.0, 1.0);
        assert!((out - 22.0).abs() < 0.05 && (power - 90.0).abs() < 0.5, "{out} {power}");
        assert!(run(20.0, 1.0).1 < 0.8 * power);
        assert!(run(35.0, 0.5).1 < 0.6 * power);
    }

    #[test]
    fn beyond_its_capacity_the_water_leaves_warmer() {
        assert!(run(35.0, 1.5).0 > 23.0);
    }
}
