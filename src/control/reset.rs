//! One trim-and-respond reset, ASHRAE Guideline 36 section 5.1.14, on a scale from 0 (least cooling) to 1.

use crate::site::TrimRespondSettings;
use serde::{Deserialize, Serialize};

/// A reset's value and when it last moved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Reset {
    /// 0 least cooling, 1 most.
    pub value: f64,
    stepped_mono_ms: Option<u64>,
}

impl Reset {
    /// A reset that starts at `value`.
    pub(super) const fn new(value: f64) -> Self {
        Self {
            value,
            stepped_mono_ms: None,
        }
    }

    /// Moves the reset when a time step has passed; between steps it holds. Answers whether it moved.
    pub(super) fn step(&mut self, settings: &TrimRespondSettings, requests: f64, now: crate::snapshot::Now) -> bool {
        let Some(last) = self.stepped_mono_ms else {
            self.stepped_mono_ms = Some(now.mono_ms);
            return false;
        };
        if now.seconds_since(last) < settings.step_s {
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

/// The lower half of a reset as a share: 0 at 0, 1 from one half on.
pub(super) fn first_half(value: f64) -> f64 {
    (2.0 * value).clamp(0.0, 1.0)
}

/// The upper half of a reset as a share: 0 up to one half, 1 at 1.
pub(super) fn second_half(value: f64) -> f64 {
    (2.0 * value - 1.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chilled-water reset of the Buildings library's Guideline 36 defaults.
    #[test]
    fn worked_steps() {
        let settings = TrimRespondSettings {
            step_s: 300.0,
            ignored_requests: 2.0,
            trim: -0.02,
            respond: 0.03,
            respond_max: 0.07,
            pressure_floor: 0.0,
        };
        for (requests, expected) in [(0.0, 0.48), (3.0, 0.51), (4.0, 0.54), (6.0, 0.55), (10.0, 0.55)] {
            let found = trim_respond(0.5, requests, &settings);
            assert!(
                (found - expected).abs() < 1e-12,
                "{requests} requests: {found}, expected {expected}"
            );
        }
        assert!(trim_respond(0.01, 0.0, &settings).abs() < 1e-12, "held at 0");
    }

    #[test]
    fn halves() {
        assert!((first_half(0.25) - 0.5).abs() < 1e-12 && (first_half(0.8) - 1.0).abs() < 1e-12);
        assert!(second_half(0.25).abs() < 1e-12 && (second_half(0.75) - 0.5).abs() < 1e-12);
    }
}
