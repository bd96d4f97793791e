//! A facility-water loop: its pump skid, pipes, users, heat reuse and heat rejection.

use super::air::Air;
use super::air_unit::AirUnit;
use super::board::{Board, COMMS_TIMEOUT, HEARTBEAT, LOCAL_CONTROL, Quantity, Sensor, measured, setpoint};
use super::cdu::Cdu;
use super::check;
use super::pi::Pi;
use super::pipe::{Pipe, WATER_KJ_L_K};
use super::pump::{Pump, PumpPower};
use super::rejection::{Rejection, reject};
use super::remote::Remote;
use super::reuse::{NetworkSample, Reuse};
use super::spec::{LoopSpec, PlantSpec};
use super::wounds::Wounds;
use crate::random::Random;

pub(super) const SIGNALS: [Quantity; 11] = [
    measured("supply_temperature", Sensor::Temperature),
    measured("return_temperature", Sensor::Temperature),
    measured("flow", Sensor::Flow),
    measured("differential_pressure", Sensor::Pressure),
    measured("pump_speed", Sensor::Position),
    measured("pumps_running", Sensor::Exact),
    measured("power", Sensor::Power),
    LOCAL_CONTROL,
    COMMS_TIMEOUT,
    setpoint("differential_pressure_setpoint", 0),
    HEARTBEAT,
];

/// Smallest differential pressure that the skid's panel takes, kPa.
const LEAST_KPA: f64 = 10.0;
/// The next pump starts above this speed after this time, s.
const STAGE_UP: (f64, f64) = (0.92, 45.0);
/// A pump stops when the rest would run below this speed, after this time, s.
const STAGE_DOWN: (f64, f64) = (0.80, 300.0);

#[derive(Debug, Clone)]
pub(super) struct Facility {
    pub id: String,
    pub base: usize,
    pub remote: Remote,
    pub cdus: Vec<Cdu>,
    pub air_units: Vec<AirUnit>,
    pub reuse: Vec<Reuse>,
    pub rejection: Vec<Rejection>,
    pump: Pump,
    pumps: u32,
    running: u32,
    staging_s: f64,
    speed: Pi,
    static_kpa: f64,
    /// Resistance of everything but the users, kPa/(L/min)^2.
    common_k: f64,
    supply_pipe: Pipe,
    return_pipe: Pipe,
    sump_l: f64,
    sump_c: f64,
    supply_c: f64,
    return_c: f64,
    flow_lpm: f64,
    header_kpa: f64,
    power: PumpPower,
    pub energy_kwh: f64,
    pub rejected_kwh: f64,
    pub wounds: Wounds,
}

/// The units on a loop.
pub(super) struct Members {
    pub cdus: Vec<Cdu>,
    pub air_units: Vec<AirUnit>,
    pub reuse: Vec<Reuse>,
    pub rejection: Vec<Rejection>,
}

impl Facility {
    pub(super) fn new(
        spec: &LoopSpec,
        plant: &PlantSpec,
        members: Members,
        base: usize,
        random: &mut Random,
    ) -> Result<Self, String> {
        let mut built = |sigma: f64| random.deviation(sigma * plant.deviation);
        let pump = Pump::rated(spec.pump_flow_lpm, spec.pump_head_kpa, spec.pump_kw, built(0.03)).ok_or_else(|| {
            format!(
                "{}: pump_kw {:.1} is less than flow and head take: write at least {:.1}",
                spec.id,
                spec.pump_kw,
                spec.pump_flow_lpm * spec.pump_head_kpa / 60_000.0 / 0.85
            )
        })?;
        let design_flow = check::design_flow(plant, &spec.id);
        let header = check::header_pressure(plant, &spec.id);
        let common = spec.pump_head_kpa * (1.0 - spec.static_share) - header;
        let start_c = members.rejection.first().map_or(25.0, |unit| unit.remote.active(1));
        let pipe_l = spec.transport_s * design_flow / 60.0;
        Ok(Self {
            id: spec.id.clone(),
            base,
            remote: Remote::new(
                plant.comms_timeout_s,
                &[(spec.default_differential_pressure_kpa, LEAST_KPA, spec.pump_head_kpa)],
            ),
            cdus: members.cdus,
            air_units: members.air_units,
            reuse: members.reuse,
            rejection: members.rejection,
            pump,
            pumps: u32::try_from(spec.pumps).unwrap_or(u32::MAX),
            running: 1,
            staging_s: 0.0,
            speed: Pi::new(0.15 / header, 10.0, (spec.pump_min_speed, 1.0), 0.03, 0.7),
            static_kpa: spec.pump_head_kpa * spec.static_share,
            common_k: common / (design_flow * design_flow) * built(0.08),
            supply_pipe: Pipe::new(pipe_l * built(0.08), start_c),
            return_pipe: Pipe::new(pipe_l * built(0.08), start_c),
            sump_l: spec.volume_l - 2.0 * pipe_l,
            sump_c: start_c,
            supply_c: start_c,
            return_c: start_c,
            flow_lpm: design_flow,
            header_kpa: header,
            power: PumpPower::default(),
            energy_kwh: 0.0,
            rejected_kwh: 0.0,
            wounds: Wounds::default(),
        })
    }

    /// Runs the loop for `dt` seconds. `rack_kw` answers the power of a rack by its place, `air_kw` is the heat of all
    /// racks into the air per unit of [`AirUnit::share`].
    pub(super) fn advance(
        &mut self,
        dt: f64,
        outdoor: &Air,
        network: NetworkSample,
        rack_kw: &impl Fn(usize) -> f64,
        air_kw: f64,
    ) {
        self.remote.advance(dt);
        self.cdus.iter_mut().for_each(|cdu| cdu.control(dt));
        self.air_units.iter_mut().for_each(|unit| unit.control(dt));
        self.pump_water(dt);

        let root = self.header_kpa.sqrt();
        let volume = self.flow_lpm / 60.0 * dt;
        let capacity = self.flow_lpm / 60.0 * WATER_KJ_L_K;
        self.supply_c = self.sump_c + self.power.into_liquid / capacity;
        let users_c = self.supply_pipe.advance(volume, self.supply_c);
        let mut heat_kw = 0.0;
        for cdu in &mut self.cdus {
            let flow = cdu.conductance() * root;
            heat_kw += cdu.advance(dt, rack_kw, users_c, flow);
        }
        for unit in &mut self.air_units {
            let flow = unit.conductance() * root;
            heat_kw += unit.advance(dt, outdoor, air_kw * unit.share, users_c, flow);
        }
        self.return_c = self.return_pipe.advance(volume, users_c + heat_kw / capacity);
        let mut water_c = self.return_c;
        for reuse in &mut self.reuse {
            water_c -= reuse.advance(dt, network, self.flow_lpm, water_c) / capacity;
        }
        let (cooled_c, rejected_kw) = reject(&mut self.rejection, dt, outdoor, self.flow_lpm, water_c);
        self.rejected_kwh += rejected_kw * dt / 3600.0;
        self.sump_c += volume / self.sump_l * (cooled_c - self.sump_c);
    }

    /// Moves and stages the pumps and finds the flow that they and the users' valves agree on.
    fn pump_water(&mut self, dt: f64) {
        self.speed.update(self.remote.active(0) - self.header_kpa, dt);
        self.stage(dt);
        let running = f64::from(self.running);
        let conductance: f64 = self.cdus.iter().map(Cdu::conductance).sum::<f64>()
            + self.air_units.iter().map(AirUnit::conductance).sum::<f64>();
        let users_k = 1.0 / (conductance * conductance);
        // A pump that cannot lift the static head still recirculates a trickle through its minimum-flow valve.
        let trickle = 0.01 * conductance * self.remote.active(0).sqrt();
        self.flow_lpm = self
            .pump
            .flow(running, self.speed.output, self.static_kpa, self.common_k + users_k)
            .max(trickle);
        self.header_kpa = users_k * self.flow_lpm * self.flow_lpm;
        self.power = self.pump.power(running, self.speed.output, self.flow_lpm);
        self.energy_kwh += self.power.electric * dt / 3600.0;
    }

    /// A pump has tripped: where others are left they go on, or the standby starts from its slowest speed.
    pub(super) fn change_over(&mut self) {
        let left = self.pumps.saturating_sub(self.wounds.pumps_lost).max(1);
        if self.running > 1 {
            self.running = (self.running - 1).min(left);
        } else {
            self.speed.track(self.speed.low);
        }
    }

    /// Lead-lag staging: starts and stops pumps so that the rest run in their good range, without a bump in flow.
    fn stage(&mut self, dt: f64) {
        let running = f64::from(self.running);
        let head = self.pump.head(running, self.speed.output, self.flow_lpm);
        let speed_with = |pumps: u32| self.pump.speed_for(f64::from(pumps), self.flow_lpm, head);
        let (next, wait_s) =
            if self.speed.output > STAGE_UP.0 && self.running < self.pumps.saturating_sub(self.wounds.pumps_lost) {
                (self.running + 1, STAGE_UP.1)
            } else if self.running > 1 && speed_with(self.running - 1) < STAGE_DOWN.0 {
                (self.running - 1, STAGE_DOWN.1)
            } else {
                (self.running, f64::INFINITY)
            };
        self.staging_s = if next == self.running { 0.0 } else { self.staging_s + dt };
        if self.staging_s >= wait_s {
            let speed = speed_with(next);
            self.running = next;
            self.speed.track(speed);
            self.staging_s = 0.0;
        }
    }

    pub(super) fn power_kw(&self) -> f64 {
        self.power.electric
    }

    /// Heat that pumps and fans put into water, coolant and air, kW.
    pub(super) fn machine_heat_kw(&self) -> f64 {
        self.power.into_liquid
            + self.cdus.iter().map(Cdu::pump_heat_kw).sum::<f64>()
            + self.air_units.iter().map(AirUnit::power_kw).sum::<f64>()
    }

    /// Heat held by the loop and everything on it above 0 degC, kJ.
    pub(super) fn stored_kj(&self) -> f64 {
        let pipes = self.supply_pipe.content() + self.return_pipe.content() + self.sump_l * self.sump_c;
        WATER_KJ_L_K * pipes
            + self.cdus.iter().map(Cdu::stored_kj).sum::<f64>()
            + self.air_units.iter().map(AirUnit::stored_kj).sum::<f64>()
            + self.rejection.iter().map(Rejection::stored_kj).sum::<f64>()
    }

    pub(super) fn publish(&self, board: &mut Board) {
        let values: [f64; SIGNALS.len()] = [
            self.supply_c,
            self.return_c,
            self.flow_lpm,
            self.header_kpa,
            self.speed.output,
            f64::from(self.running),
            self.power.electric,
            self.remote.local_flag(),
            self.remote.timeout_s,
            self.remote.shown(0),
            self.remote.heartbeat(),
        ];
        board.publish(self.base, &values);
        self.cdus.iter().for_each(|unit| unit.publish(board));
        self.air_units.iter().for_each(|unit| unit.publish(board));
        self.reuse.iter().for_each(|unit| unit.publish(board));
        self.rejection.iter().for_each(|unit| unit.publish(board));
    }
}
