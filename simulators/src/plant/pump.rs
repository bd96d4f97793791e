//! Centrifugal pumps with variable-speed drives, and fans.
//!
//! Affinity laws on a quadratic head curve; motor and drive efficiency after Bernier and Bourret,
//! *Pumping energy and variable frequency drives*, ASHRAE Journal, December 1999.

/// Flow at which a pump `head = a n^2 - b q^2` at speed `n` meets a system `head = static_head + k q^2`; 0 where the
/// pump cannot lift the static head. Any consistent units.
pub fn operating_flow(a: f64, b: f64, static_head: f64, k: f64, n: f64) -> f64 {
    ((a * n * n - static_head).max(0.0) / (b + k)).sqrt()
}

/// Motor efficiency at the share `x` of rated load.
pub fn motor_efficiency(x: f64) -> f64 {
    0.94187 * (1.0 - libm::exp(-9.04 * x))
}

/// Efficiency of a variable-frequency drive at the share `x` of rated speed.
pub fn drive_efficiency(x: f64) -> f64 {
    0.5067 + x * (1.283 + x * (-1.42 + x * 0.5842))
}

/// Head at zero flow over head at rated flow of a typical end-suction pump.
const SHUT_OFF_RATIO: f64 = 1.25;

/// Exponent of fan power over speed with drive losses; 3 would be the ideal law.
pub(super) const FAN_EXPONENT: f64 = 2.7;

/// One or more like pumps in parallel, each with its drive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pump {
    /// Head at zero flow and full speed, kPa.
    a: f64,
    /// Fall of head with the flow of one pump squared, kPa/(L/min)^2.
    b: f64,
    /// Flow of best efficiency at full speed, L/min.
    best_flow: f64,
    /// Rated shaft power, kW.
    shaft_rated: f64,
    /// Hydraulic over shaft power at the rated point.
    hydraulic_efficiency: f64,
}

/// Power of a pump set.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PumpPower {
    /// Drawn from the grid, kW.
    pub electric: f64,
    /// Into the liquid: hydraulic power and pump losses both end as heat there, kW.
    pub into_liquid: f64,
}

impl Pump {
    /// A pump by its rated point at full speed: flow (L/min), head (kPa), electric power (kW). `strength` scales the
    /// head curve (1 is as rated). `None` where the power is below the hydraulic power.
    pub(super) fn rated(flow_lpm: f64, head_kpa: f64, electric_kw: f64, strength: f64) -> Option<Self> {
        let hydraulic = flow_lpm * head_kpa / 60_000.0;
        let shaft_rated = electric_kw * motor_efficiency(1.0) * drive_efficiency(1.0);
        (hydraulic < shaft_rated).then_some(Self {
            a: SHUT_OFF_RATIO * head_kpa * strength,
            b: (SHUT_OFF_RATIO - 1.0) * head_kpa * strength / (flow_lpm * flow_lpm),
            best_flow: flow_lpm,
            shaft_rated,
            hydraulic_efficiency: hydraulic / shaft_rated,
        })
    }

    /// Total flow of `running` pumps at `speed` into a system of `static_head` (kPa) and `k` (kPa/(L/min)^2).
    pub(super) fn flow(&self, running: f64, speed: f64, static_head: f64, k: f64) -> f64 {
        operating_flow(self.a, self.b / (running * running), static_head, k, speed)
    }

    /// Head of `running` pumps at `speed` and total `flow`, kPa.
    pub(super) fn head(&self, running: f64, speed: f64, flow: f64) -> f64 {
        let each = flow / running;
        self.a * speed * speed - self.b * each * each
    }

    /// Speed at which `running` pumps make `head` (kPa) at total `flow`.
    pub(super) fn speed_for(&self, running: f64, flow: f64, head: f64) -> f64 {
        let each = flow / running;
        ((head + self.b * each * each) / self.a).max(0.0).sqrt()
    }

    /// Power of `running` pumps at `speed` and total `flow`.
    pub(super) fn power(&self, running: f64, speed: f64, flow: f64) -> PumpPower {
        let each = flow / running;
        let hydraulic = each * self.head(running, speed, flow).max(0.0) / 60_000.0;
        // Affinity: efficiency depends on flow over speed only, and falls with the square of the distance from its best.
        let off_best = (each / (speed.max(0.05) * self.best_flow) - 1.0).clamp(-1.0, 1.0);
        let efficiency = self.hydraulic_efficiency * (1.0 - 0.8 * off_best * off_best);
        // Bearings and seals keep a pump at shut-off from running for nothing.
        let shaft = hydraulic / efficiency + 0.02 * self.shaft_rated * speed * speed * speed;
        let electric = shaft / (motor_efficiency((shaft / self.shaft_rated).max(0.02)) * drive_efficiency(speed));
        PumpPower {
            electric: running * electric,
            into_liquid: running * shaft,
        }
    }
}

/// Fan power at the share `speed` of full speed, for `rated_kw` at full speed.
pub(super) fn fan_power(rated_kw: f64, speed: f64) -> f64 {
    if speed <= 0.0 {
        0.0
    } else {
        rated_kw * libm::pow(speed, FAN_EXPONENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-4 * want.abs(), "{got} is not {want}");
    }

    #[test]
    fn operating_points_on_a_system_with_static_head() {
        for (n, flow) in [(1.0, 100.0), (0.8, 75.798_78), (0.6, 49.359_53), (0.4, 8.528_03)] {
            close(operating_flow(26.0, 6e-4, 4.0, 0.0016, n), flow);
        }
        assert!(
            operating_flow(26.0, 6e-4, 4.0, 0.0016, 0.39) <= 0.0,
            "below the speed that lifts the static head"
        );
    }

    #[test]
    fn efficiencies_as_published() {
        for (x, motor, drive) in [
            (1.0, 0.941_758, 0.953_900),
            (0.5, 0.931_614, 0.866_225),
            (0.2, 0.787_420, 0.711_174),
        ] {
            close(motor_efficiency(x), motor);
            close(drive_efficiency(x), drive);
        }
    }

    #[test]
    fn the_rated_point_is_met() {
        let pump = Pump::rated(1300.0, 200.0, 7.5, 1.0).unwrap();
        close(pump.head(1.0, 1.0, 1300.0), 200.0);
        close(pump.power(1.0, 1.0, 1300.0).electric, 7.5 * 1.02);
        close(pump.speed_for(2.0, 2600.0, 200.0), 1.0);
        assert!(
            Pump::rated(1300.0, 200.0, 4.3, 1.0).is_none(),
            "less than the hydraulic power of 4.33 kW"
        );
    }

    #[test]
    fn slower_is_cheaper_and_two_share_the_flow() {
        let pump = Pump::rated(1000.0, 200.0, 6.0, 1.0).unwrap();
        let k = 200.0 / 1e6;
        let power = |speed| pump.power(1.0, speed, pump.flow(1.0, speed, 0.0, k)).electric;
        assert!(power(0.5) < 0.25 * power(1.0));
        assert!(pump.flow(2.0, 1.0, 0.0, k) > pump.flow(1.0, 1.0, 0.0, k));
        close(fan_power(10.0, 0.5), 10.0 * 0.153_893);
    }
}
