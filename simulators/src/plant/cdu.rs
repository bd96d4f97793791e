//! A coolant distribution unit with the racks on its secondary loop.
//!
//! The secondary loop is two mixed volumes, before and after the exchanger. Their mean outflows over a
//! step depend on each other through exchanger and racks; the pair of linear equations is solved, so
//! that the loop closes its energy balance and is stable at any step.

use super::board::{Board, COMMS_TIMEOUT, HEARTBEAT, LOCAL_CONTROL, Quantity, Sensor, measured, setpoint};
use super::exchanger::{Exchanger, ntu_counterflow};
use super::pi::{Pi, lag_share};
use super::pipe::{WATER_KJ_L_K, flush_mean};
use super::pump::{Pump, PumpPower};
use super::rack::Rack;
use super::remote::Remote;
use super::spec::CduSpec;
use super::valve::{Branch, STROKE_S};
use super::wounds::Wounds;
use crate::random::Random;

pub(super) const SIGNALS: [Quantity; 16] = [
    measured("secondary_supply_temperature", Sensor::Temperature),
    measured("secondary_return_temperature", Sensor::Temperature),
    measured("secondary_flow", Sensor::Flow),
    measured("secondary_differential_pressure", Sensor::Pressure),
    measured("primary_supply_temperature", Sensor::Temperature),
    measured("primary_return_temperature", Sensor::Temperature),
    measured("primary_flow", Sensor::Flow),
    measured("pump_speed", Sensor::Position),
    measured("primary_valve_position", Sensor::Position),
    measured("power", Sensor::Power),
    measured("leak", Sensor::Exact),
    LOCAL_CONTROL,
    COMMS_TIMEOUT,
    setpoint("secondary_supply_temperature_setpoint", 0),
    setpoint("secondary_differential_pressure_setpoint", 1),
    HEARTBEAT,
];

/// Smallest and largest supply temperature that the unit's panel takes, degC.
const SUPPLY_RANGE_C: (f64, f64) = (10.0, 60.0);
/// Smallest and largest differential pressure that the unit's panel takes, kPa.
const PRESSURE_RANGE_KPA: (f64, f64) = (10.0, 400.0);
/// Pump speed at the rated point: what is left is reserve.
const RATED_SPEED: f64 = 0.9;
/// Exchanger and filters take this much beside the racks, as a share of the racks' pressure difference.
const INTERNAL_SHARE: f64 = 0.6;
/// Share of the clean resistance that fouling adds, which no flow takes away.
const FOULING: f64 = 0.05;
/// Temperature at which the coolant's heat capacity is taken, degC: one constant per loop, so that heat counted by volume
/// closes.
const USUAL_C: f64 = 35.0;
/// Controls, valves and display, kW.
const CONTROLS_KW: f64 = 0.15;

#[derive(Debug, Clone)]
pub(super) struct Cdu {
    pub id: String,
    pub base: usize,
    pub remote: Remote,
    pub racks: Vec<Rack>,
    exchanger: Exchanger,
    branch: Branch,
    pump: Pump,
    /// Resistance of the racks, and of the unit itself, kPa/(L/min)^2.
    racks_k: f64,
    internal_k: f64,
    kj_l_k: f64,
    half_volume_l: f64,
    valve: Pi,
    speed: Pi,
    /// Thermometer of the local loop.
    sensed_c: f64,
    supply_c: f64,
    return_c: f64,
    flow_lpm: f64,
    primary_supply_c: f64,
    primary_return_c: f64,
    primary_flow_lpm: f64,
    power: PumpPower,
    pub energy_kwh: f64,
    pub wounds: Wounds,
    /// Resistance of a clogged strainer over the clean unit's own.
    clog: f64,
}

/// Pumps of a unit: one runs, one stands by.
const PUMPS: u32 = 2;
/// Share of the speed that is left when the standby pump has taken over from one that tripped.
const CHANGE_OVER: f64 = 0.75;
/// Share of the pump's speed at which coolant still moves when no pump runs: natural circulation.
const CIRCULATION: f64 = 0.02;
/// Share of the flow of an open valve that a shut primary side still passes: a tight butterfly valve.
const SHUT_SHARE: f64 = 0.002;

impl Cdu {
    pub(super) fn new(
        spec: &CduSpec,
        mut racks: Vec<Rack>,
        base: usize,
        timeout_s: f64,
        deviation: f64,
        random: &mut Random,
    ) -> Result<Self, String> {
        let kj_l_k = 60.0 * spec.coolant.kw_per_lpm_k(USUAL_C);
        let hot = spec.secondary_flow_lpm / 60.0 * kj_l_k;
        let cold = spec.primary_flow_lpm / 60.0 * WATER_KJ_L_K;
        let (least, most) = (hot.min(cold), hot.max(cold));
        let eps = spec.rated_kw / (least * (spec.approach_k + spec.rated_kw / hot));
        if eps >= 0.97 {
            return Err(format!(
                "{}: {:.0} kW at approach_k {:.1} needs an exchanger effectiveness of {eps:.2}: write a larger approach_k or larger flows",
                spec.id, spec.rated_kw, spec.approach_k
            ));
        }
        let mut built = |sigma: f64| random.deviation(sigma * deviation);
        let ua = ntu_counterflow(eps, least / most) * least * built(0.06);
        let head = spec.secondary_pressure_kpa * (1.0 + INTERNAL_SHARE);
        // The rated point at RATED_SPEED; by the affinity laws that is this point at full speed.
        let (full_flow, full_head) = (
            spec.secondary_flow_lpm / RATED_SPEED,
            head / (RATED_SPEED * RATED_SPEED),
        );
        let full_kw = spec.pump_kw / (RATED_SPEED * RATED_SPEED * RATED_SPEED);
        let pump = Pump::rated(full_flow, full_head, full_kw, built(0.03)).ok_or_else(|| {
            format!(
                "{}: pump_kw {:.2} is less than the flow and pressure take: write at least {:.2}",
                spec.id,
                spec.pump_kw,
                spec.secondary_flow_lpm * head / 60_000.0 / 0.85
            )
        })?;
        let squared = spec.secondary_flow_lpm * spec.secondary_flow_lpm;
        let total: f64 = racks.iter().map(|rack| rack.share).sum();
        for rack in &mut racks {
            rack.share /= total;
        }
        Ok(Self {
            id: spec.id.clone(),
            base,
            remote: Remote::new(
                timeout_s,
                &[
                    (spec.default_supply_c, SUPPLY_RANGE_C.0, SUPPLY_RANGE_C.1),
                    (
                        spec.default_differential_pressure_kpa,
                        PRESSURE_RANGE_KPA.0,
                        PRESSURE_RANGE_KPA.1,
                    ),
                ],
            ),
            racks,
            exchanger: Exchanger::new(ua, hot, cold, FOULING),
            branch: Branch::rated(spec.primary_flow_lpm, spec.primary_pressure_kpa * built(0.06)),
            pump,
            racks_k: spec.secondary_pressure_kpa / squared * built(0.06),
            internal_k: INTERNAL_SHARE * spec.secondary_pressure_kpa / squared * built(0.08),
            kj_l_k,
            half_volume_l: 0.5 * spec.volume_l * built(0.08),
            valve: Pi::new(0.02, 40.0, (0.0, 1.0), 1.0 / STROKE_S, 0.5),
            speed: Pi::new(
                0.25 / spec.secondary_pressure_kpa,
                8.0,
                (spec.pump_min_speed, 1.0),
                0.05,
                0.6,
            ),
            sensed_c: spec.default_supply_c,
            supply_c: spec.default_supply_c,
            return_c: spec.default_supply_c,
            flow_lpm: 0.5 * spec.secondary_flow_lpm,
            primary_supply_c: spec.default_supply_c,
            primary_return_c: spec.default_supply_c,
            primary_flow_lpm: 0.0,
            power: PumpPower::default(),
            energy_kwh: 0.0,
            wounds: Wounds::default(),
            clog: 0.0,
        })
    }

    /// The duty pump has tripped: the standby takes over at a lower speed, where there is one.
    pub(super) fn change_over(&mut self) {
        self.speed.track(CHANGE_OVER * self.speed.output);
    }

    fn pumps(&self) -> u32 {
        PUMPS.saturating_sub(self.wounds.pumps_lost)
    }

    /// Moves pump and valve by the local loops.
    pub(super) fn control(&mut self, dt: f64) {
        self.remote.advance(dt);
        self.sensed_c += lag_share(dt, 3.0) * (self.supply_c - self.sensed_c);
        if !self.wounds.valve_stuck {
            self.valve.update(self.sensed_c - self.remote.active(0), dt);
        }
        self.clog = if self.wounds.clog_per_h > 0.0 {
            self.clog + self.wounds.clog_per_h * dt / 3600.0
        } else {
            0.0
        };
        if self.pumps() == 0 {
            self.speed.track(CIRCULATION);
            self.speed.output = CIRCULATION;
        } else {
            self.speed
                .update(self.remote.active(1) - self.differential_pressure(), dt);
        }
        let own_k = self.internal_k * (1.0 + self.clog);
        self.flow_lpm = self.pump.flow(1.0, self.speed.output, 0.0, self.racks_k + own_k);
        self.power = if self.pumps() == 0 {
            PumpPower::default()
        } else {
            self.pump.power(1.0, self.speed.output, self.flow_lpm)
        };
        self.energy_kwh += self.power_kw() * dt / 3600.0;
    }

    /// Flow per root of pressure of the primary branch, (L/min)/kPa^0.5.
    pub(super) fn conductance(&self) -> f64 {
        if self.wounds.primary_shut {
            SHUT_SHARE * self.branch.conductance(1.0)
        } else {
            self.branch.conductance(self.valve.output)
        }
    }

    fn differential_pressure(&self) -> f64 {
        self.racks_k * self.flow_lpm * self.flow_lpm
    }

    /// Runs the racks at the powers that `rack_kw` answers and takes `primary_lpm` of facility water of `primary_c` for
    /// `dt` seconds; answers the heat given to it, kW.
    pub(super) fn advance(
        &mut self,
        dt: f64,
        rack_kw: &impl Fn(usize) -> f64,
        primary_c: f64,
        primary_lpm: f64,
    ) -> f64 {
        let capacity = self.flow_lpm / 60.0 * self.kj_l_k;
        let mut heat = self.power.into_liquid;
        for rack in &mut self.racks {
            heat += rack.advance(
                dt,
                rack_kw(rack.place),
                self.supply_c,
                self.flow_lpm * rack.share * (1.0 - self.wounds.bypass),
                self.kj_l_k,
            );
        }
        let primary = primary_lpm / 60.0 * WATER_KJ_L_K;
        let per_k = self.exchanger.fouled(self.wounds.clean).heat_per_k(capacity, primary);
        let taken = per_k / capacity;
        let x = self.flow_lpm / 60.0 * dt / self.half_volume_l;
        let old = flush_mean(x);
        let new = 1.0 - old;
        // Mean return r and supply s over the step:
        //   r = new (s + heat/capacity) + old r0,   s = new (r (1 - taken) + taken primary) + old s0
        let constant = new * (heat / capacity) + old * self.return_c;
        let supply_constant = new * taken * primary_c + old * self.supply_c;
        let carried = new * (1.0 - taken);
        let mean_return = (constant + new * supply_constant) / (1.0 - new * carried);
        let mean_supply = supply_constant + carried * mean_return;
        let into_return = mean_supply + heat / capacity;
        let into_supply = mean_return * (1.0 - taken) + taken * primary_c;
        self.return_c += x * (into_return - mean_return);
        self.supply_c += x * (into_supply - mean_supply);
        let given = per_k * (mean_return - primary_c);
        self.primary_supply_c = primary_c;
        self.primary_return_c = primary_c + given / primary;
        self.primary_flow_lpm = primary_lpm;
        given
    }

    pub(super) fn power_kw(&self) -> f64 {
        self.power.electric + CONTROLS_KW
    }

    /// Heat that the pumps put into the coolant, kW.
    pub(super) fn pump_heat_kw(&self) -> f64 {
        self.power.into_liquid
    }

    /// Heat held by coolant and racks above 0 degC, kJ.
    pub(super) fn stored_kj(&self) -> f64 {
        self.kj_l_k * self.half_volume_l * (self.supply_c + self.return_c)
            + self.racks.iter().map(Rack::stored_kj).sum::<f64>()
    }

    pub(super) fn publish(&self, board: &mut Board) {
        let values: [f64; SIGNALS.len()] = [
            self.supply_c,
            self.return_c,
            self.flow_lpm,
            self.differential_pressure(),
            self.primary_supply_c,
            self.primary_return_c,
            self.primary_flow_lpm,
            self.speed.output,
            self.valve.output,
            self.power_kw(),
            f64::from(u8::from(self.wounds.leak)),
            self.remote.local_flag(),
            self.remote.timeout_s,
            self.remote.shown(0),
            self.remote.shown(1),
            self.remote.heartbeat(),
        ];
        board.publish(self.base, &values);
        self.racks.iter().for_each(|rack| rack.publish(board));
    }
}
