//! Meters: a counter that may roll over, be reset or fall silent, and a rate for the time in between.

use crate::site::{Meter, Point, PointId};
use crate::snapshot::{Now, Quality, Snapshot};
use serde::{Deserialize, Serialize};

/// What a counter may move beyond its ceiling, in its unit: its resolution and that of the clock.
const SLACK: f64 = 2.0;

/// What one cycle adds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Booked {
    /// kWh or L.
    pub(super) amount: f64,
    /// kW or L/h now.
    pub(super) rate: f64,
    /// Neither a counter nor a rate was read.
    pub(super) estimated: bool,
}

impl Booked {
    /// The sum of two.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            amount: self.amount + other.amount,
            rate: self.rate + other.rate,
            estimated: self.estimated || other.estimated,
        }
    }
}

/// A good reading of a point.
pub(super) fn good<Q>(snapshot: &Snapshot, point: Option<Point<Q>>) -> Option<f64> {
    good_id(snapshot, point.map(Point::id))
}

fn good_id(snapshot: &Snapshot, point: Option<PointId>) -> Option<f64> {
    let reading = snapshot.reading(point?)?;
    (reading.quality == Quality::Good && reading.value.is_finite()).then_some(reading.value)
}

/// Integrates a rate per hour by the trapezoid; while it is silent, by its last value.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Rate {
    last: Option<f64>,
}

impl Rate {
    /// Adds a cycle; `None` where no rate is known.
    pub(super) fn add(&mut self, rate: Option<f64>, dt_s: f64) -> Option<Booked> {
        let known = rate.or(self.last)?;
        let mean = 0.5 * (self.last.unwrap_or(known) + known);
        self.last = Some(known);
        Some(Booked {
            amount: mean * dt_s / 3600.0,
            rate: known,
            estimated: rate.is_none(),
        })
    }
}

/// Follows a counter.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Counter {
    last: Option<(f64, u64)>,
    /// What was booked by other means since the last count, to be taken off the next one.
    bridged: f64,
}

/// What a counter is and can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plate {
    /// Value at which it starts again from zero.
    pub(super) rollover: f64,
    /// The most that it may count in an hour.
    pub(super) ceiling_per_h: f64,
}

impl Counter {
    /// Whether it was ever read.
    pub(super) const fn is_known(&self) -> bool {
        self.last.is_some()
    }

    /// Adds a cycle, in which other means would book `bridge`.
    ///
    /// A count that went back is a rollover where that explains it, else a reset; a reset, like a jump beyond the
    /// ceiling, starts afresh and the bridge is booked. After a silence the count replaces what was bridged; where it
    /// is less, the next counts make up for it, so that the books never run back.
    pub(super) fn add(&mut self, count: Option<f64>, bridge: Option<Booked>, plate: Plate, now: Now) -> Option<Booked> {
        let Some(count) = count else {
            self.bridged += bridge.map_or(0.0, |bridge| bridge.amount);
            return bridge;
        };
        let before = self.last.replace((count, now.mono_ms));
        let counted = before.and_then(|(last, at)| {
            let step = if count < last {
                count - last + plate.rollover
            } else {
                count - last
            };
            let most = plate.ceiling_per_h * now.seconds_since(at) / 3600.0 + SLACK;
            (step >= 0.0 && step <= most).then_some(step)
        });
        let Some(counted) = counted else {
            self.bridged = 0.0;
            return bridge;
        };
        let open = counted - self.bridged;
        self.bridged = (-open).max(0.0);
        Some(Booked {
            amount: open.max(0.0),
            rate: bridge.map_or(0.0, |bridge| bridge.rate),
            estimated: false,
        })
    }
}

/// The book of one meter.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct MeterBook {
    counter: Counter,
    rate: Rate,
}

impl MeterBook {
    /// Adds a cycle; `None` while nothing is known of the meter.
    pub(super) fn add(
        &mut self,
        meter: &Meter,
        snapshot: &Snapshot,
        ceiling_per_h: f64,
        dt_s: f64,
        now: Now,
    ) -> Option<Booked> {
        let points = &meter.points;
        let (count, rate) = if meter.role.is_water() {
            (
                good(snapshot, points.volume),
                good(snapshot, points.flow).map(|lpm| lpm * 60.0),
            )
        } else {
            (good(snapshot, points.energy), good(snapshot, points.power))
        };
        let plate = Plate {
            rollover: meter.rollover,
            ceiling_per_h,
        };
        // Imports only: a counter does not run back when a rate is negative for a moment.
        let bridge = self.rate.add(rate.map(|rate| rate.max(0.0)), dt_s);
        self.counter.add(count, bridge, plate, now)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unnecessary_wraps, reason = "a rate is optional")]

    use super::*;
    use proptest::prelude::*;

    fn at(s: u64) -> Now {
        Now {
            mono_ms: s * 1000,
            wall_ms: 0,
            utc_offset_s: 0,
        }
    }

    const PLATE: Plate = Plate {
        rollover: 1000.0,
        ceiling_per_h: 3600.0,
    };

    fn rate(amount: f64) -> Option<Booked> {
        Some(Booked {
            amount,
            rate: 0.0,
            estimated: false,
        })
    }

    fn add(counter: &mut Counter, count: Option<f64>, bridge: f64, s: u64) -> f64 {
        counter
            .add(count, rate(bridge), PLATE, at(s))
            .map_or(0.0, |booked| booked.amount)
    }

    /// Whole numbers: exact in binary.
    fn same(found: f64, expect: f64, what: &str) {
        assert!((found - expect).abs() < 1e-12, "{what}: {found}, expected {expect}");
    }

    #[test]
    fn a_rollover_counts_on_and_a_reset_does_not() {
        let mut counter = Counter::default();
        for (s, count, bridge, expect, what) in [
            (0, 990.0, 0.0, 0.0, "the first count is a start"),
            (5, 995.0, 9.0, 5.0, "the count, not the rate"),
            (10, 1.0, 9.0, 6.0, "rollover at 1000"),
            (15, 6.0, 9.0, 5.0, "on from there"),
            (20, 0.0, 4.0, 4.0, "a reset: 994 in 5 s is beyond the ceiling"),
            (25, 3.0, 4.0, 3.0, "on from there"),
            (30, 900.0, 4.0, 4.0, "a jump"),
        ] {
            same(add(&mut counter, Some(count), bridge, s), expect, what);
        }
    }

    #[test]
    fn after_a_silence_the_count_replaces_what_was_bridged() {
        let mut counter = Counter::default();
        add(&mut counter, Some(100.0), 0.0, 0);
        let bridged: f64 = (1..=10).map(|n| add(&mut counter, None, 2.0, n * 5)).sum();
        same(bridged, 20.0, "bridged");
        same(add(&mut counter, Some(125.0), 2.0, 55), 5.0, "what was missing");
        add(&mut counter, None, 8.0, 60);
        same(
            add(&mut counter, Some(129.0), 2.0, 65),
            0.0,
            "bridged too much: 4 are owed",
        );
        same(add(&mut counter, Some(135.0), 2.0, 70), 2.0, "and made up for");
    }

    proptest! {
        #[test]
        fn what_is_booked_is_what_was_counted(steps in prop::collection::vec((0.0..4.0f64, any::<bool>(), 0.0..4.0f64), 1..200)) {
            let mut counter = Counter::default();
            let (mut true_total, mut booked, mut s) = (0.0, 0.0, 0);
            add(&mut counter, Some(0.0), 0.0, 0);
            for (step, heard, bridge) in steps {
                s += 5;
                true_total += step;
                let amount = add(&mut counter, heard.then_some(true_total % 1000.0), bridge, s);
                prop_assert!(amount >= 0.0);
                booked += amount;
            }
            booked += add(&mut counter, Some(true_total % 1000.0), 0.0, s + 5);
            prop_assert!((booked - true_total - counter.bridged).abs() < 1e-6, "{} {} {}", booked, true_total, counter.bridged);
        }
    }
}
