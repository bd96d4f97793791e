//! The building system's say: its heartbeat to us, its hard-wired enable and its override. We write only while it lives,
//! enables us and does not override.

use super::facts::Facts;
use super::notices::{Code, Subject};
use super::readings::{Readings, id};
use serde::{Deserialize, Serialize};

/// Beats of the building system come every 10 s; so many may be missed, s.
const PATIENCE_S: f64 = 30.0;

/// Whether anything may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Permit {
    /// Yes.
    #[default]
    Given,
    /// No: every setpoint goes back to the plant as found at its rate, and is then left alone.
    Withdrawn,
    /// No, and at once: everything is given back in this cycle.
    Forbidden,
}

/// The building's beat as it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Beat {
    seen: f64,
    seen_ms: Option<u64>,
}

/// Looks at the building system, where the site has one. What it does not say counts as no: an input that is lost is not
/// an input that enables.
pub(super) fn watch(readings: &Readings<'_>, beat: &mut Beat, facts: &mut Facts) {
    let site = readings.site;
    let Some(building) = &site.building else { return };
    let points = &building.points;
    let now = readings.now;
    let Some(device) = building.device else { return };
    let subject = Subject::Device(device);
    if let Some(point) = id(points.building_heartbeat) {
        if let Some(value) = readings.present(Some(point))
            && (beat.seen_ms.is_none_or(|at| at > now.mono_ms) || value.to_bits() != beat.seen.to_bits())
        {
            *beat = Beat {
                seen: value,
                seen_ms: Some(now.mono_ms),
            };
        }
        let silent_s = beat.seen_ms.map(|at| now.seconds_since(at));
        if silent_s.is_none_or(|silent_s| silent_s > PATIENCE_S) {
            facts.permit = Permit::Withdrawn;
            facts
                .notices
                .holds(site, Code::BuildingLost, subject, || match silent_s {
                    Some(silent_s) => {
                        format!("its heartbeat has stood still for {silent_s:.0} s: nothing more is written")
                    }
                    None => "its heartbeat was never seen: nothing is written".into(),
                });
        }
    }
    if let Some(point) = id(points.enable_input) {
        match readings.present(Some(point)) {
            Some(value) if value >= 0.5 => {}
            Some(_) => {
                facts.permit = Permit::Forbidden;
                facts.notices.holds(site, Code::NotEnabled, subject, || {
                    "its enable input is off: everything is given back".into()
                });
            }
            None => {
                facts.permit = facts.permit.max(Permit::Withdrawn);
                facts.notices.holds(site, Code::NotEnabled, subject, || {
                    "its enable input cannot be read, which enables nothing".into()
                });
            }
        }
    }
    if readings
        .last(id(points.override_input))
        .is_some_and(|value| value >= 0.5)
    {
        facts.permit = Permit::Forbidden;
        facts.notices.holds(site, Code::Overridden, subject, || {
            "its override is on: everything is given back".into()
        });
    }
}
