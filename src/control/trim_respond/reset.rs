//! One trim-and-respond reset, ASHRAE Guideline 36 section 5.1.14, on a scale from 0 (least cooling) to 1, and what it moves.

use crate::site::TrimRespondSettings;
use crate::snapshot::Now;
use serde::{Deserialize, Serialize};

/// A reset's value and when it last moved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Reset {
    /// 0 least cooling, 1 most.
    pub value: f64,
    stepped_mono_ms: Option<u64>,
}

impl Reset {
    /// A reset that starts at `value` and holds it for one time step.
    pub(super) const fn new(value: f64) -> Self {
        Self {
            value,
            stepped_mono_ms: None,
        }
    }

    /// Moves the reset when its time step of `step_s` has passed; between steps it holds. Answers whether it stepped.
    pub(super) fn step(&mut self, settings: &TrimRespondSettings, step_s: f64, requests: f64, now: Now) -> bool {
        let Some(last) = self.stepped_mono_ms else {
            self.stepped_mono_ms = Some(now.mono_ms);
            return false;
        };
        if now.seconds_since(last) < step_s {
            return false;
        }
        self.stepped_mono_ms = Some(now.mono_ms);
        self.value = trim_respond(self.value, requests, settings);
        true
    }
}

/// One step: always trim (towards less cooling, a negative number), and respond to the requests beyond the ignored ones,
/// at most by `respond_max`.
fn trim_respond(value: f64, requests: f64, settings: &TrimRespondSettings) -> f64 {
    let beyond = requests - settings.ignored_requests;
    let response = if beyond > 0.0 {
        (settings.respond * beyond).min(settings.respond_max)
    } else {
        0.0
    };
    (value + settings.trim + response).clamp(0.0, 1.0)
}

/// A span of a setpoint, from least to most cooling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub least: f64,
    pub most: f64,
}

impl Span {
    /// The setpoint at a share of the way to most cooling.
    pub(super) fn at(self, share: f64) -> f64 {
        self.least + share.clamp(0.0, 1.0) * (self.most - self.least)
    }

    /// The share at which a setpoint lies.
    pub(super) fn share(self, setpoint: f64) -> f64 {
        if (self.most - self.least).abs() < f64::EPSILON {
            return 0.0;
        }
        ((setpoint - self.least) / (self.most - self.least)).clamp(0.0, 1.0)
    }
}

/// Two setpoints that one reset moves one after the other, as Guideline 36's chilled-water plant reset does: the first over
/// the lower half, the second over the upper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sequence {
    pub first: Span,
    pub then: Span,
}

impl Sequence {
    /// Both setpoints at a reset value.
    pub(super) fn at(self, value: f64) -> (f64, f64) {
        (self.first.at(2.0 * value), self.then.at(2.0 * value - 1.0))
    }

    /// The least reset value that cools at least as much as two setpoints that are in force.
    pub(super) fn value_of(self, first: f64, then: f64) -> f64 {
        let second_half = self.then.share(then);
        if second_half > 0.0 {
            0.5 + 0.5 * second_half
        } else {
            0.5 * self.first.share(first)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings() -> TrimRespondSettings {
        TrimRespondSettings {
            step_s: 300.0,
            air_step_s: 120.0,
            ignored_requests: 2.0,
            trim: -0.02,
            respond: 0.03,
            respond_max: 0.07,
            pressure_floor: 0.0,
            start_reserve_k: 7.0,
        }
    }

    fn at(seconds: u64) -> Now {
        Now {
            mono_ms: seconds * 1000,
            wall_ms: 0,
            utc_offset_s: 0,
        }
    }

    /// The chilled-water reset of Guideline 36, from 0.5.
    #[test]
    fn worked_steps() {
        for (requests, expected) in [(0.0, 0.48), (3.0, 0.51), (4.0, 0.54), (6.0, 0.55), (10.0, 0.55)] {
            let found = trim_respond(0.5, requests, &settings());
            assert!(
                (found - expected).abs() < 1e-12,
                "{requests} requests: {found}, expected {expected}"
            );
        }
        assert!(trim_respond(0.01, 0.0, &settings()).abs() < 1e-12, "held at 0");
        assert!((trim_respond(0.99, 9.0, &settings()) - 1.0).abs() < 1e-12, "held at 1");
    }

    #[test]
    fn a_reset_moves_once_a_time_step_and_holds_between() {
        let mut reset = Reset::new(0.5);
        assert!(!reset.step(&settings(), 300.0, 0.0, at(1000)), "the first step waits");
        assert!(!reset.step(&settings(), 300.0, 9.0, at(1299)));
        assert!((reset.value - 0.5).abs() < 1e-12);
        assert!(reset.step(&settings(), 300.0, 0.0, at(1300)));
        assert!((reset.value - 0.48).abs() < 1e-12);
        assert!(!reset.step(&settings(), 300.0, 0.0, at(1305)));
    }

    #[test]
    fn the_first_setpoint_moves_before_the_second() {
        let sequence = Sequence {
            first: Span {
                least: 60.0,
                most: 220.0,
            },
            then: Span {
                least: 38.0,
                most: 18.0,
            },
        };
        assert_eq!(sequence.at(0.0), (60.0, 38.0));
        assert_eq!(sequence.at(0.25), (140.0, 38.0));
        assert_eq!(sequence.at(0.5), (220.0, 38.0));
        assert_eq!(sequence.at(0.75), (220.0, 28.0));
        assert_eq!(sequence.at(1.0), (220.0, 18.0));
    }

    proptest! {
        #[test]
        fn more_requests_never_cool_less(value in 0.0..1.0f64, few in 0.0..20.0f64, more in 0.0..20.0f64) {
            let low = trim_respond(value, few, &settings());
            let high = trim_respond(value, few + more, &settings());
            prop_assert!(high >= low && (0.0..=1.0).contains(&high));
        }

        #[test]
        fn the_reset_of_setpoints_in_force_cools_at_least_as_much(first in 20.0..220.0f64, then in 18.0..42.0f64) {
            let sequence = Sequence {
                first: Span { least: 60.0, most: 220.0 },
                then: Span { least: 38.0, most: 18.0 },
            };
            let (kpa, c) = sequence.at(sequence.value_of(first, then));
            prop_assert!(kpa >= first - 1e-9 && c <= then.min(38.0) + 1e-9);
        }
    }
}
