//! The local loops of the equipment: PI with back-calculation, and actuators with a slew limit.

/// A PI controller whose actuator has limits and a slew rate, with anti-windup by back-calculation (Astrom and
/// Hagglund, *Advanced PID Control*, ISA 2006): the integral follows what the actuator did, not what was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pi {
    /// Actuator units per unit of error; the sign makes a positive error open or speed up.
    pub gain: f64,
    /// Integral time, s.
    pub integral_s: f64,
    /// Actuator limits.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// Largest actuator movement, units per second.
    pub slew: f64,
    /// Actuator position.
    pub output: f64,
    integral: f64,
}

impl Pi {
    /// A controller at rest at `output`.
    pub(super) const fn new(gain: f64, integral_s: f64, (low, high): (f64, f64), slew: f64, output: f64) -> Self {
        Self {
            gain,
            integral_s,
            low,
            high,
            slew,
            output,
            integral: output,
        }
    }

    /// Moves the actuator for `error` over `dt` seconds and answers its new position.
    pub(super) fn update(&mut self, error: f64, dt: f64) -> f64 {
        let wanted = self.gain * error + self.integral;
        let reach = self.slew * dt;
        let reached = wanted
            .clamp(self.low, self.high)
            .clamp(self.output - reach, self.output + reach);
        self.integral += dt / self.integral_s * (self.gain * error + (reached - wanted));
        self.output = reached;
        reached
    }

    /// Puts the actuator at `output` without a bump afterwards.
    pub(super) fn track(&mut self, output: f64) {
        self.output = output.clamp(self.low, self.high);
        self.integral = self.output;
    }
}

/// Moves `position` towards `target` by at most `slew` per second over `dt` seconds.
pub(super) fn slewed(position: f64, target: f64, slew: f64, dt: f64) -> f64 {
    target.clamp(position - slew * dt, position + slew * dt)
}

/// The share of the way to a steady input that a first-order lag of `tau_s` goes in `dt` seconds.
pub(super) fn lag_share(dt: f64, tau_s: f64) -> f64 {
    if tau_s <= 0.0 {
        1.0
    } else {
        1.0 - libm::exp(-dt / tau_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_calculation_as_published() {
        let mut pi = Pi::new(2.0, 20.0, (0.0, 100.0), f64::MAX, 95.0);
        assert!((pi.update(5.0, 1.0) - 100.0).abs() < 1e-12);
        assert!((pi.integral - 95.25).abs() < 1e-12);
    }

    #[test]
    fn a_first_order_process_settles_without_offset() {
        for dt in [1.0, 5.0] {
            let mut pi = Pi::new(0.05, 30.0, (0.0, 1.0), 0.02, 0.2);
            let mut y = 0.0;
            for _ in 0..600 {
                let u = pi.update(10.0 - y, dt);
                y += lag_share(dt, 30.0) * (20.0 * u - y);
            }
            assert!((y - 10.0).abs() < 0.01, "dt {dt}: {y}");
        }
    }

    #[test]
    fn windup_does_not_hold_the_actuator() {
        let mut pi = Pi::new(0.1, 10.0, (0.0, 1.0), 0.1, 0.5);
        for _ in 0..500 {
            pi.update(50.0, 1.0);
        }
        for _ in 0..15 {
            pi.update(-5.0, 1.0);
        }
        assert!(pi.output < 0.5);
    }
}
