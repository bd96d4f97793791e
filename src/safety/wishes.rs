//! Which parts of a plan are fit to be considered: a zone's set of setpoints is taken whole or not at all.

use super::notices::{Code, Notices, Subject};
use crate::site::{PointSpec, Site, ZoneId};
use crate::snapshot::{Plan, Setpoint};
use thermo::Unit;

/// By how much of its range a value may miss a bound by rounding.
const ROUNDING: f64 = 1e-9;

/// The wanted values that stand.
pub(super) struct Wishes<'a> {
    pub(super) plan: &'a Plan,
    /// By point.
    values: Vec<Option<f64>>,
    /// By zone, whether its set was refused.
    rejected: Vec<bool>,
}

impl Wishes<'_> {
    pub(super) fn value(&self, point: usize) -> Option<f64> {
        self.values.get(point).copied().flatten()
    }

    /// Refuses a zone's whole set.
    pub(super) fn refuse(&mut self, site: &Site, zone: ZoneId, notices: &mut Notices, why: impl FnOnce() -> String) {
        if let Some(rejected) = self.rejected.get_mut(zone.0) {
            *rejected = true;
        }
        notices.holds(site, Code::PlanRejected, Subject::Zone(zone), || {
            format!("{}: the zone's whole set is refused and the last one kept", why())
        });
    }

    pub(super) fn is_rejected(&self, zone: ZoneId) -> bool {
        self.rejected.get(zone.0).copied().unwrap_or(true)
    }
}

/// Whether a point is a setpoint: written, and no heartbeat.
pub(super) fn is_setpoint(spec: &PointSpec) -> bool {
    spec.write.is_some() && spec.unit != Unit::Count
}

pub(super) fn sift<'a>(site: &Site, plan: &'a Plan, notices: &mut Notices) -> Wishes<'a> {
    let mut wishes = Wishes {
        plan,
        values: vec![None; site.points.len()],
        rejected: vec![false; site.zones.len()],
    };
    for setpoint in &plan.setpoints {
        let spec = site.points.get(setpoint.point.0);
        let slot = wishes.values.get_mut(setpoint.point.0);
        let (Some(spec), Some(slot)) = (spec, slot) else {
            // Whose it was meant to be is not known: the plan is of another site.
            wishes.rejected.fill(true);
            continue;
        };
        let twice = slot.replace(setpoint.value).is_some();
        let Some(why) = fault(spec, setpoint, twice) else {
            continue;
        };
        if let Some(rejected) = wishes.rejected.get_mut(spec.zone.0) {
            *rejected = true;
        }
        notices.holds(site, Code::PlanRejected, Subject::Zone(spec.zone), || {
            format!(
                "{} {why}: the zone's whole set is refused and the last one kept",
                spec.tag
            )
        });
    }
    wishes
}

fn fault(spec: &PointSpec, setpoint: &Setpoint, twice: bool) -> Option<String> {
    let Some(write) = spec.write.filter(|_| is_setpoint(spec)) else {
        return Some("is not a setpoint".into());
    };
    let slack = ROUNDING * (write.max - write.min);
    let value = setpoint.value;
    if twice {
        Some("is planned twice".into())
    } else if value >= write.min - slack && value <= write.max + slack {
        None
    } else {
        Some(format!("is planned at {value}, outside {} to {}", write.min, write.max))
    }
}
