//! A rack: its chips on cold plates, and what reaches the coolant.
//!
//! All chips of a rack are one die node and one plate node in series to the coolant inlet; the two
//! equations are linear and solved exactly over a step, so that a chip's second-scale rise is right
//! at any step. With 60 and 200 J/K per kW and 20 + 15 K/kW the time constants are 0.85 and 4.3 s.

use super::board::{Board, Quantity, Sensor, measured};
use super::spec::RackSpec;
use super::wounds::Wounds;
use crate::random::Random;

pub(super) const SIGNALS: [Quantity; 6] = [
    measured("power", Sensor::Power),
    measured("liquid_supply_temperature", Sensor::Temperature),
    measured("liquid_return_temperature", Sensor::Temperature),
    measured("liquid_flow", Sensor::Flow),
    measured("chip_margin", Sensor::Chip),
    measured("leak", Sensor::Exact),
];

/// Heat capacity of a die with its lid per kW of its rated heat, kJ/K.
const DIE_KJ_PER_K_KW: f64 = 0.060;
/// Heat capacity of a cold plate per kW of its chip's rated heat, kJ/K.
const PLATE_KJ_PER_K_KW: f64 = 0.200;
/// Share of the inlet-referred resistance between die and plate; the rest is film and warming of the coolant.
const DIE_SHARE: f64 = 20.0 / 35.0;
/// Exponent of flow in the plate's share: with it the whole resistance falls as flow to the power -0.4 near rated flow.
const FLOW_EXPONENT: f64 = -0.4 / (1.0 - DIE_SHARE);

#[derive(Debug, Clone)]
pub(super) struct Rack {
    /// Place in [`super::PlantSpec::racks`].
    pub place: usize,
    pub base: usize,
    /// Share of the CDU's flow.
    pub share: f64,
    liquid_fraction: f64,
    rated_flow_lpm: f64,
    limit_c: f64,
    /// Rise of the hottest die over the inlet, over that of the mean die.
    hottest: f64,
    dies: TwoNode,
    die_c: f64,
    plate_c: f64,
    pub power_kw: f64,
    pub energy_kwh: f64,
    flow_lpm: f64,
    supply_c: f64,
    return_c: f64,
    pub wounds: Wounds,
    /// Share of the asked power that the board's own protection lets through.
    brake: f64,
    /// Time for which it stays shut down, s.
    down_s: f64,
}

/// Distance to the throttle limit at which the board halves its power by itself, K (a power brake, as GPUs have it).
const BRAKE_K: f64 = 0.0;
/// At which it takes that back, K.
const RELEASE_K: f64 = 5.0;
/// At which it shuts down, K.
const SHUTDOWN_K: f64 = -5.0;
/// How long it stays down, s.
const DOWN_S: f64 = 900.0;
/// What a rack that is shut down still draws, as a share of what is asked: fans, shelves, management.
pub(super) const STANDBY_SHARE: f64 = 0.05;

impl Rack {
    pub(super) fn new(
        spec: &RackSpec,
        place: usize,
        base: usize,
        start_c: f64,
        deviation: f64,
        random: &mut Random,
    ) -> Self {
        let mut built = |sigma: f64| random.deviation(sigma * deviation);
        let liquid_fraction = (spec.liquid_fraction * built(0.01)).min(1.0);
        let heat = spec.rated_kw * spec.liquid_fraction;
        let resistance = spec.chip_resistance_k_per_kw * spec.chip_kw / heat * built(0.04);
        Self {
            place,
            base,
            share: spec.flow_lpm * built(0.04),
            liquid_fraction,
            rated_flow_lpm: spec.flow_lpm,
            limit_c: spec.chip_limit_c,
            hottest: built(0.03),
            dies: TwoNode {
                die_kj_k: DIE_KJ_PER_K_KW * heat,
                plate_kj_k: PLATE_KJ_PER_K_KW * heat,
                die_k_kw: DIE_SHARE * resistance,
                plate_rated_k_kw: (1.0 - DIE_SHARE) * resistance,
                flow_share: f64::NAN,
                dt: f64::NAN,
                plate_k_kw: 0.0,
                transition: [0.0; 4],
            },
            die_c: start_c,
            plate_c: start_c,
            power_kw: 0.0,
            energy_kwh: 0.0,
            flow_lpm: 0.0,
            supply_c: start_c,
            return_c: start_c,
            wounds: Wounds::default(),
            brake: 1.0,
            down_s: 0.0,
        }
    }

    /// Share of the asked power that the board's own protection lets through: half when its hottest chip throttles,
    /// next to nothing after a thermal shutdown. It acts with or without a supervisor.
    pub(super) fn brake(&self) -> f64 {
        self.brake
    }

    fn margin_k(&self) -> f64 {
        self.limit_c - (self.supply_c + self.hottest * (self.die_c - self.supply_c))
    }

    fn protect(&mut self, dt: f64) {
        let margin_k = self.margin_k();
        self.down_s = (self.down_s - dt).max(0.0);
        if margin_k <= SHUTDOWN_K {
            self.down_s = DOWN_S;
        }
        self.brake = if self.down_s > 0.0 {
            STANDBY_SHARE
        } else if margin_k <= BRAKE_K || (self.brake < 1.0 && margin_k < RELEASE_K) {
            0.5
        } else {
            1.0
        };
    }

    /// Runs at `power_kw` for `dt` seconds with coolant of `supply_c` and `flow_lpm` (heat capacity `kj_l_k`);
    /// answers the mean heat into the coolant, kW.
    pub(super) fn advance(&mut self, dt: f64, power_kw: f64, supply_c: f64, flow_lpm: f64, kj_l_k: f64) -> f64 {
        let heat = power_kw * self.liquid_fraction;
        let old = self.stored_kj();
        self.dies.prepare(dt, flow_lpm / self.rated_flow_lpm);
        (self.die_c, self.plate_c) = self.dies.advance(heat, supply_c, self.die_c, self.plate_c);
        let into_coolant = heat - (self.stored_kj() - old) / dt;
        self.power_kw = power_kw;
        self.energy_kwh += power_kw * dt / 3600.0;
        self.flow_lpm = flow_lpm;
        self.supply_c = supply_c;
        self.return_c = supply_c + into_coolant / (kj_l_k * flow_lpm / 60.0);
        self.protect(dt);
        into_coolant
    }

    /// Heat into the room air at `power_kw`, kW.
    pub(super) fn air_kw(&self, power_kw: f64) -> f64 {
        power_kw * (1.0 - self.liquid_fraction)
    }

    /// Heat held by dies and plates above 0 degC, kJ.
    pub(super) fn stored_kj(&self) -> f64 {
        self.dies.die_kj_k * self.die_c + self.dies.plate_kj_k * self.plate_c
    }

    pub(super) fn publish(&self, board: &mut Board) {
        let values: [f64; SIGNALS.len()] = [
            self.power_kw,
            self.supply_c,
            self.return_c,
            self.flow_lpm,
            self.margin_k(),
            f64::from(u8::from(self.wounds.leak)),
        ];
        board.publish(self.base, &values);
    }
}

/// Two heat capacities in series to a coolant inlet, solved by the exponential of their 2 x 2 matrix.
#[derive(Debug, Clone)]
struct TwoNode {
    die_kj_k: f64,
    plate_kj_k: f64,
    die_k_kw: f64,
    plate_rated_k_kw: f64,
    /// Flow over rated flow, and step, for which the next two hold.
    flow_share: f64,
    dt: f64,
    plate_k_kw: f64,
    transition: [f64; 4],
}

impl TwoNode {
    /// Decay rates, 1/s, fast then slow, with the matrix that they belong to.
    fn rates(&self) -> (f64, f64, [f64; 4]) {
        let die = 1.0 / (self.die_k_kw * self.die_kj_k);
        let between = 1.0 / (self.die_k_kw * self.plate_kj_k);
        let out = 1.0 / (self.plate_k_kw * self.plate_kj_k);
        let trace = -(die + between + out);
        let root = (trace * trace - 4.0 * die * out).max(0.0).sqrt();
        (
            0.5 * (trace - root),
            0.5 * (trace + root),
            [-die, die, between, -(between + out)],
        )
    }

    /// Makes the transition for this step and flow, unless the last one still holds.
    fn prepare(&mut self, dt: f64, flow_share: f64) {
        let flow_share = flow_share.clamp(0.02, 3.0);
        if (flow_share / self.flow_share - 1.0).abs() < 1e-3 && (dt - self.dt).abs() < 1e-9 {
            return;
        }
        self.flow_share = flow_share;
        self.dt = dt;
        self.plate_k_kw = self.plate_rated_k_kw * libm::pow(flow_share, FLOW_EXPONENT);
        let (fast, slow, a) = self.rates();
        let (e_fast, e_slow) = (libm::exp(fast * dt), libm::exp(slow * dt));
        let unit = (slow * e_fast - fast * e_slow) / (slow - fast);
        let slope = (e_slow - e_fast) / (slow - fast);
        self.transition = [unit + slope * a[0], slope * a[1], slope * a[2], unit + slope * a[3]];
    }

    /// Die and plate temperature after the prepared step.
    fn advance(&self, heat_kw: f64, inlet_c: f64, die_c: f64, plate_c: f64) -> (f64, f64) {
        let steady_plate = inlet_c + heat_kw * self.plate_k_kw;
        let steady_die = steady_plate + heat_kw * self.die_k_kw;
        let (x, y) = (die_c - steady_die, plate_c - steady_plate);
        let [a, b, c, d] = self.transition;
        (steady_die + a * x + b * y, steady_plate + c * x + d * y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rack() -> Rack {
        let spec = RackSpec {
            id: "rack".into(),
            cdu: "cdu".into(),
            rated_kw: 120.0,
            liquid_fraction: 0.87,
            flow_lpm: 150.0,
            chip_kw: 1.0,
            chip_resistance_k_per_kw: 35.0,
            chip_limit_c: 87.0,
        };
        Rack::new(&spec, 0, 0, 30.0, 0.0, &mut Random::new(1, 0))
    }

    #[test]
    fn time_constants_of_a_cold_plate() {
        let mut rack = rack();
        rack.dies.prepare(1.0, 1.0);
        let (fast, slow, _) = rack.dies.rates();
        assert!((-1.0 / fast - 0.846).abs() < 1e-3, "{}", -1.0 / fast);
        assert!((-1.0 / slow - 4.254).abs() < 1e-3, "{}", -1.0 / slow);
    }

    #[test]
    fn steady_rise_is_power_times_resistance() {
        let mut rack = rack();
        for _ in 0..100 {
            rack.advance(1.0, 120.0, 40.0, 150.0, 4.0);
        }
        // 1 kW through 35 K/kW above a 40 degC inlet.
        assert!((rack.die_c - 75.0).abs() < 1e-6, "{}", rack.die_c);
        let rise = rack.return_c - 40.0;
        assert!((rise - 120.0 * 0.87 / (4.0 * 150.0 / 60.0)).abs() < 1e-6);
    }

    #[test]
    fn a_load_step_reaches_the_chip_in_seconds_at_any_step_size() {
        let run = |steps: u32| {
            let mut rack = rack();
            for _ in 0..60 {
                rack.advance(1.0, 24.0, 40.0, 150.0, 4.0);
            }
            let start = rack.die_c;
            for _ in 0..steps {
                rack.advance(10.0 / f64::from(steps), 120.0, 40.0, 150.0, 4.0);
            }
            (rack.die_c - start) / 28.0
        };
        assert!((run(100) - run(2)).abs() < 1e-9, "exact at any step");
        assert!((0.88..0.95).contains(&run(10)), "{}", run(10));
    }

    #[test]
    fn less_flow_is_hotter_and_energy_is_kept() {
        let mut rack = rack();
        let stored = rack.stored_kj();
        let mut balance = 0.0;
        for step in 0..200 {
            let flow = if step < 100 { 150.0 } else { 75.0 };
            balance += 2.0 * (100.0 * 0.87 - rack.advance(2.0, 100.0, 35.0, flow, 4.0));
        }
        assert!((balance - (rack.stored_kj() - stored)).abs() < 1e-6);
        let ratio = (rack.die_c - 35.0) / (100.0 / 120.0 * 35.0);
        assert!((ratio - libm::pow(0.5, -0.4)).abs() < 0.1, "{ratio}");
    }
}
