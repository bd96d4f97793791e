//! The fan of a tower cell or dry cooler with its local loop on the leaving water.

use super::pi::{Pi, slewed};
use super::pump::fan_power;

/// A variable-speed fan that modulates between its slowest speed and full, and cycles below.
#[derive(Debug, Clone)]
pub(super) struct Fan {
    pi: Pi,
    on: bool,
    /// Time since it was switched, s.
    switched_s: f64,
    pub speed: f64,
    /// Its drive has tripped or has no power.
    pub tripped: bool,
    rated_kw: f64,
}

/// The fan stops when the water is this much colder than asked at its slowest speed, K.
const STOP_K: f64 = 1.0;
/// It starts again when the water is this much warmer than asked, K.
const START_K: f64 = 0.3;
/// Shortest time between two switchings, s.
const SWITCH_S: f64 = 120.0;
/// Fastest change of speed, per s: one minute from stop to full.
const SLEW: f64 = 1.0 / 60.0;

impl Fan {
    pub(super) fn new(rated_kw: f64, min_speed: f64) -> Self {
        let pi = Pi::new(0.12, 150.0, (min_speed, 1.0), SLEW, min_speed.max(0.5));
        Self {
            pi,
            on: true,
            switched_s: SWITCH_S,
            speed: 0.5,
            tripped: false,
            rated_kw,
        }
    }

    /// Moves the fan for water that leaves at `leaving_c`; a disabled unit runs down.
    pub(super) fn advance(&mut self, dt: f64, enabled: bool, leaving_c: f64, setpoint_c: f64) {
        self.switched_s += dt;
        if !enabled || self.tripped {
            self.on = false;
            self.pi.track(self.pi.low);
            self.speed = slewed(self.speed, 0.0, SLEW, dt);
            return;
        }
        let error = leaving_c - setpoint_c;
        let may_switch = self.switched_s >= SWITCH_S;
        if self.on && may_switch && error < -STOP_K && self.pi.output <= self.pi.low {
            self.on = false;
            self.switched_s = 0.0;
        } else if !self.on && (may_switch || error > 5.0 * START_K) && error > START_K {
            self.on = true;
            self.switched_s = 0.0;
            self.pi.track(self.pi.low);
        }
        let target = if self.on { self.pi.update(error, dt) } else { 0.0 };
        self.speed = slewed(self.speed, target, 2.0 * SLEW, dt);
    }

    /// Whether it cannot do more.
    pub(super) fn is_full(&self) -> bool {
        self.speed > 0.97
    }

    /// Electric power, kW; a fan that runs down takes none.
    pub(super) fn power_kw(&self) -> f64 {
        if self.on {
            fan_power(self.rated_kw, self.speed)
        } else {
            0.0
        }
    }
}
