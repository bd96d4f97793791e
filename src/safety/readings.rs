//! Readings as safety sees them: the worst case that value and age allow, or lost.

use crate::site::{Point, PointId, Site};
use crate::snapshot::{Now, Quality, Reading, Snapshot};
use thermo::Quantity;

/// The good reading of a point that is neither too old nor from the future, with its age in seconds.
fn usable<'a>(site: &Site, snapshot: &'a Snapshot, point: PointId, now: Now) -> Option<(&'a Reading, f64, f64)> {
    let spec = site.points.get(point.0)?;
    let reading = snapshot.reading(point)?;
    let age_s = reading.age_s(now);
    let usable = reading.quality == Quality::Good
        && reading.value.is_finite()
        && reading.mono_ms <= now.mono_ms
        && age_s <= spec.timeout_s;
    usable.then_some((reading, age_s, spec.slew_per_s))
}

/// Whether a point has no usable reading.
pub(super) fn is_lost(site: &Site, snapshot: &Snapshot, point: PointId, now: Now) -> bool {
    usable(site, snapshot, point, now).is_none()
}

/// The last value, without a worst case: for setpoints and flags that devices hold.
pub(super) fn held(site: &Site, snapshot: &Snapshot, point: PointId, now: Now) -> Option<f64> {
    usable(site, snapshot, point, now).map(|(reading, ..)| reading.value)
}

/// The highest that the true value can be by now.
pub(super) fn highest<Q: Quantity>(site: &Site, snapshot: &Snapshot, point: Option<Point<Q>>, now: Now) -> Option<f64> {
    usable(site, snapshot, point?.id(), now).map(|(reading, age_s, slew)| reading.value + age_s * slew)
}

/// The lowest that the true value can be by now.
pub(super) fn lowest<Q: Quantity>(site: &Site, snapshot: &Snapshot, point: Option<Point<Q>>, now: Now) -> Option<f64> {
    usable(site, snapshot, point?.id(), now).map(|(reading, age_s, slew)| reading.value - age_s * slew)
}
