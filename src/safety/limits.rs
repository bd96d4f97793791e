//! Three thresholds of each measured limit, with hysteresis, make a level.
//!
//! Critical is left only below the *target*, never by time: timers shut down healthy machines and forgive sick ones.

use super::facts::{Duty, Facts};
use super::notices::{Code, Subject};
use super::readings::{Readings, Side, id};
use super::report::Level;
use crate::site::{Band, PointId};
use std::collections::BTreeMap;

/// Part of the way from target to critical that a guarded limit has to fall below its target to be normal again.
const HYSTERESIS: f64 = 0.1;

/// The level that each limited point is at; a point that is not in it is normal.
pub(super) type Latches = BTreeMap<PointId, Level>;

/// The next level of one limit.
pub(super) fn next(before: Level, worst: f64, band: Band, side: Side) -> Level {
    let (worst, target, critical) = match side {
        Side::High => (worst, band.target, band.critical),
        Side::Low => (-worst, -band.target, -band.critical),
    };
    if worst >= critical || worst.is_nan() || (before >= Level::Critical && worst > target) {
        Level::Critical
    } else if worst > target || (before >= Level::Guarded && worst > target - HYSTERESIS * (critical - target)) {
        Level::Guarded
    } else {
        Level::Normal
    }
}

/// Watches every measured limit.
pub(super) fn watch(readings: &Readings<'_>, latches: &mut Latches, facts: &mut Facts) {
    let site = readings.site;
    let limits = &site.limits;
    for (cdu, duty) in site.cdus.iter().zip(0..) {
        let mut worst = Duty::default();
        let points = &cdu.points;
        for (point, band) in [
            (id(points.secondary_supply_temperature), limits.secondary_supply_c),
            (id(points.secondary_return_temperature), limits.rack_return_c),
        ] {
            worst.join(one(readings, latches, facts, point, band, Side::High));
        }
        for rack in cdu.racks.iter().filter_map(|rack| site.racks.get(rack.0)) {
            let back = id(rack.points.liquid_return_temperature);
            worst.join(one(readings, latches, facts, back, limits.rack_return_c, Side::High));
            let margin = id(rack.points.chip_margin);
            worst.join(one(readings, latches, facts, margin, limits.chip_margin_k, Side::Low));
        }
        facts.require_cdu(duty, worst);
    }
    for (unit, duty) in site.air_units.iter().zip(0..) {
        let room = id(unit.points.room_temperature);
        let worst = one(readings, latches, facts, room, limits.room_c, Side::High);
        facts.require_air_unit(duty, worst);
    }
}

fn one(
    readings: &Readings<'_>,
    latches: &mut Latches,
    facts: &mut Facts,
    point: Option<PointId>,
    band: Band,
    side: Side,
) -> Duty {
    let (Some(point), Some(worst)) = (point, readings.worst(point, side)) else {
        return Duty::default();
    };
    let before = latches.get(&point).copied().unwrap_or_default();
    let level = next(before, worst, band, side);
    if level == Level::Normal {
        latches.remove(&point);
        return Duty::default();
    }
    latches.insert(point, level);
    let site = readings.site;
    let text = |says: &str| {
        let tag = site.points.get(point.0).map_or("", |spec| spec.tag.as_str());
        format!(
            "{tag} {says}: {worst:.1}, target {}, critical {}",
            band.target, band.critical
        )
    };
    if level == Level::Critical {
        facts.cause(readings.site, point, || {
            text("is beyond critical, until back at the target")
        });
        facts
            .notices
            .holds(site, Code::LimitCritical, Subject::Point(point), || {
                text("is beyond critical")
            });
    } else {
        facts.cause(readings.site, point, || text("is beyond its target"));
    }
    let trips = match side {
        Side::High => worst >= band.trip,
        Side::Low => worst <= band.trip,
    };
    if trips {
        facts.notices.holds(site, Code::BeyondTrip, Subject::Point(point), || {
            format!(
                "{worst:.1} is beyond {}, where the equipment's own trip is expected",
                band.trip
            )
        });
    }
    Duty::of(level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BAND: Band = Band {
        target: 40.0,
        critical: 43.0,
        trip: 47.0,
    };
    const MARGIN: Band = Band {
        target: 10.0,
        critical: 5.0,
        trip: 1.0,
    };

    fn walk(band: Band, side: Side, values: &[f64]) -> Vec<Level> {
        let mut level = Level::Normal;
        values
            .iter()
            .map(|value| {
                level = next(level, *value, band, side);
                level
            })
            .collect()
    }

    #[test]
    fn critical_lasts_until_the_target_and_guarded_a_little_longer() {
        use Level::{Critical, Guarded, Normal};
        let found = walk(
            BAND,
            Side::High,
            &[39.0, 41.0, 42.9, 43.0, 42.0, 40.1, 40.0, 39.8, 39.6],
        );
        assert_eq!(
            found,
            [
                Normal, Guarded, Guarded, Critical, Critical, Critical, Guarded, Guarded, Normal
            ]
        );
        let found = walk(MARGIN, Side::Low, &[11.0, 9.0, 5.0, 9.9, 10.0, 10.6]);
        assert_eq!(found, [Normal, Guarded, Critical, Critical, Guarded, Normal]);
    }

    #[test]
    fn what_is_not_a_number_is_critical() {
        assert_eq!(next(Level::Normal, f64::NAN, BAND, Side::High), Level::Critical);
        assert_eq!(next(Level::Normal, f64::NAN, MARGIN, Side::Low), Level::Critical);
    }

    proptest! {
        #[test]
        fn worse_before_or_worse_now_is_never_a_lower_level(a in 30.0..50.0f64, more in 0.0..5.0f64, low in 0..3usize, high in 0..3usize) {
            const LEVELS: [Level; 3] = [Level::Normal, Level::Guarded, Level::Critical];
            let (low, high) = (LEVELS[low.min(high)], LEVELS[high.max(low)]);
            prop_assert!(next(high, a + more, BAND, Side::High) >= next(low, a, BAND, Side::High));
            prop_assert!(next(high, 40.0 - a - more, MARGIN, Side::Low) >= next(low, 40.0 - a, MARGIN, Side::Low));
        }
    }
}
