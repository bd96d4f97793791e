//! A heat-reuse exchanger: the loop's warm return heats the return of a district network.

use super::board::{Board, COMMS_TIMEOUT, HEARTBEAT, LOCAL_CONTROL, Quantity, Sensor, measured, setpoint};
use super::exchanger::Exchanger;
use super::pi::slewed;
use super::pipe::WATER_KJ_L_K;
use super::remote::Remote;
use super::spec::ReuseSpec;
use crate::random::Random;
use serde::{Deserialize, Serialize};

pub(super) const SIGNALS: [Quantity; 9] = [
    measured("valve_position", Sensor::Position),
    measured("heat", Sensor::Power),
    measured("network_supply_temperature", Sensor::Temperature),
    measured("network_return_temperature", Sensor::Temperature),
    measured("facility_leaving_temperature", Sensor::Temperature),
    LOCAL_CONTROL,
    COMMS_TIMEOUT,
    setpoint("valve_setpoint", 0),
    HEARTBEAT,
];

/// What the district network takes at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NetworkSample {
    /// Network water that comes to the exchanger, degC.
    pub return_c: f64,
    /// Heat that its customers can take, as a share (0 to 1) of each exchanger's rated heat.
    pub demand_share: f64,
}

impl NetworkSample {
    /// A network that takes nothing.
    pub const IDLE: Self = Self {
        return_c: 30.0,
        demand_share: 0.0,
    };
}

/// Full stroke of the facility valve, s.
const STROKE_S: f64 = 60.0;
/// Full stroke of the network's pump, s.
const NETWORK_STROKE_S: f64 = 120.0;

#[derive(Debug, Clone)]
pub(super) struct Reuse {
    pub base: usize,
    pub remote: Remote,
    exchanger: Exchanger,
    rated_kw: f64,
    rated_network_lpm: f64,
    min_supply_c: f64,
    valve: f64,
    /// Network flow over its rated flow.
    network: f64,
    pub heat_kw: f64,
    pub energy_kwh: f64,
    pub network_supply_c: f64,
    pub network_return_c: f64,
    leaving_c: f64,
}

impl Reuse {
    pub(super) fn new(
        spec: &ReuseSpec,
        base: usize,
        timeout_s: f64,
        start_c: f64,
        deviation: f64,
        random: &mut Random,
    ) -> Self {
        // Rated with equal capacity flows on both sides, where the approach is the same all along the plates.
        let capacity = spec.network_flow_lpm / 60.0 * WATER_KJ_L_K;
        let ua = spec.rated_kw / spec.approach_k * random.deviation(0.06 * deviation);
        Self {
            base,
            remote: Remote::new(timeout_s, &[(spec.default_valve, 0.0, 1.0)]),
            exchanger: Exchanger::new(ua, capacity, capacity, 0.05),
            rated_kw: spec.rated_kw,
            rated_network_lpm: spec.network_flow_lpm,
            min_supply_c: spec.min_supply_c,
            valve: spec.default_valve,
            network: 0.0,
            heat_kw: 0.0,
            energy_kwh: 0.0,
            network_supply_c: start_c,
            network_return_c: start_c,
            leaving_c: start_c,
        }
    }

    /// Takes its share of `flow_lpm` of `water_c` through the exchanger for `dt` seconds; answers the heat taken, kW.
    pub(super) fn advance(&mut self, dt: f64, network: NetworkSample, flow_lpm: f64, water_c: f64) -> f64 {
        self.remote.advance(dt);
        self.valve = slewed(self.valve, self.remote.active(0), 1.0 / STROKE_S, dt);
        let facility = self.valve * flow_lpm / 60.0 * WATER_KJ_L_K;
        let cold = self.network * self.rated_network_lpm / 60.0 * WATER_KJ_L_K;
        // A check valve in the contract: heat never flows back to the hall.
        let difference = (water_c - network.return_c).max(0.0);
        self.heat_kw = self.exchanger.heat_per_k(facility, cold) * difference;
        self.energy_kwh += self.heat_kw * dt / 3600.0;
        self.network_return_c = network.return_c;
        // At rest the plates take the facility side's temperature.
        let potential_c = if facility > 0.0 { water_c } else { network.return_c };
        self.network_supply_c = if cold > 1e-3 {
            network.return_c + self.heat_kw / cold
        } else {
            potential_c
        };
        self.leaving_c = if facility > 0.0 {
            water_c - self.heat_kw / facility
        } else {
            water_c
        };
        self.throttle(dt, network.demand_share);
        self.heat_kw
    }

    /// The network's own loop: enough flow for its demand, but never so much that its supply falls below contract.
    fn throttle(&mut self, dt: f64, demand_share: f64) {
        let warm_enough = (self.network_supply_c - self.min_supply_c) / 4.0;
        let still_wanted = 4.0 * (demand_share - self.heat_kw / self.rated_kw);
        let pull = warm_enough.min(still_wanted).clamp(-1.0, 1.0);
        self.network = (self.network + pull * dt / NETWORK_STROKE_S).clamp(0.0, 1.2);
    }

    /// Flow on the network side, L/min.
    pub(super) fn network_flow_lpm(&self) -> f64 {
        self.network * self.rated_network_lpm
    }

    pub(super) fn publish(&self, board: &mut Board) {
        let values: [f64; SIGNALS.len()] = [
            self.valve,
            self.heat_kw,
            self.network_supply_c,
            self.network_return_c,
            self.leaving_c,
            self.remote.local_flag(),
            self.remote.timeout_s,
            self.remote.shown(0),
            self.remote.heartbeat(),
        ];
        board.publish(self.base, &values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(facility_c: f64, network: NetworkSample, valve: f64) -> Reuse {
        let spec = ReuseSpec {
            id: "hx".into(),
            facility_loop: "fws".into(),
            rated_kw: 800.0,
            approach_k: 3.0,
            network_flow_lpm: 1200.0,
            min_supply_c: 35.0,
            default_valve: valve,
        };
        let mut reuse = Reuse::new(&spec, 0, 60.0, 30.0, 0.0, &mut Random::new(1, 0));
        for _ in 0..2000 {
            reuse.advance(5.0, network, 2400.0, facility_c);
        }
        reuse
    }

    #[test]
    fn the_network_is_never_hotter_than_the_loop_nor_colder_than_the_contract() {
        let hot = run(
            41.0,
            NetworkSample {
                return_c: 27.0,
                demand_share: 1.0,
            },
            1.0,
        );
        assert!(
            hot.network_supply_c < 41.0 && hot.network_supply_c > 34.8,
            "{}",
            hot.network_supply_c
        );
        assert!(hot.heat_kw > 700.0, "{}", hot.heat_kw);
        let cool = run(
            34.0,
            NetworkSample {
                return_c: 27.0,
                demand_share: 1.0,
            },
            1.0,
        );
        assert!(cool.heat_kw < 1.0, "{}", cool.heat_kw);
    }

    #[test]
    fn demand_and_valve_limit_the_heat() {
        let network = |demand_share| NetworkSample {
            return_c: 27.0,
            demand_share,
        };
        assert!((run(42.0, network(0.3), 1.0).heat_kw - 240.0).abs() < 5.0);
        assert!(run(42.0, network(1.0), 0.0).heat_kw <= 0.0);
        assert!(run(42.0, network(1.0), 0.2).heat_kw < run(42.0, network(1.0), 1.0).heat_kw);
        assert!(run(25.0, network(1.0), 1.0).heat_kw <= 0.0, "never heats the hall");
    }
}
