//! From a wish to a value: band, demands, dew point, bounds, rates. One setpoint at a time, and pure.

use super::demand::{Demand, within};
use crate::site::{Direction, WriteSpec};

/// What decided a value; later rules overrule earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The plan, as it stands.
    Plan,
    /// A person's override.
    Override,
    /// Not planned, or authority ended: on the way to release.
    Release,
    /// The zone's set was refused: the last value stays.
    Refused,
    /// The device runs by itself: its own value is followed, so that it can be taken over without a bump.
    Followed,
    /// Held to the band of bounded authority.
    Band,
    /// No less cooling than now.
    Hold,
    /// More cooling is demanded.
    Demand,
    /// Kept above the room's dew point.
    DewPoint,
    /// On the way, as fast as may be.
    Rate,
}

impl Rule {
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Plan => "as planned",
            Self::Override => "held by an operator",
            Self::Release => "on the way to release",
            Self::Refused => "the zone's set was refused",
            Self::Followed => "the device runs on its own setpoints",
            Self::Band => "outside the band of bounded authority",
            Self::Hold => "no less cooling while guarded",
            Self::Demand => "more cooling is demanded",
            Self::DewPoint => "too close to the room's dew point",
            Self::Rate => "rate limit",
        }
    }
}

/// All that decides one value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) write: WriteSpec,
    /// Value in force.
    pub(super) last: f64,
    /// What is wanted, and by which rule.
    pub(super) wanted: (f64, Rule),
    /// The band of bounded authority, lowest and highest.
    pub(super) band: Option<(f64, f64)>,
    pub(super) demand: Demand,
    /// Time since the last value, min.
    pub(super) minutes: f64,
}

impl Case {
    /// The value, and the rule that decided it.
    pub(super) fn decide(&self) -> (f64, Rule) {
        let write = &self.write;
        let mut ruled = self.wanted;
        if let Some((low, high)) = self.band.filter(|_| matches!(ruled.1, Rule::Plan | Rule::Release)) {
            ruled = then(ruled, Rule::Band, |value| within(value, low, high));
        }
        if self.demand.hold {
            ruled = then(ruled, Rule::Hold, |value| write.cooler(value, self.last));
        }
        if let Some(demanded) = self.demand.value {
            ruled = then(ruled, Rule::Demand, |value| write.cooler(value, demanded));
        }
        let floor = self.demand.floor.map(|floor| within(floor, write.min, write.max));
        if let Some(floor) = floor {
            ruled = then(ruled, Rule::DewPoint, |value| value.max(floor));
        }
        let (low, high) = self.reach(floor);
        ruled = then(ruled, Rule::Rate, |value| within(value, low, high));
        // A setpoint that was found out of bounds comes into bounds at once.
        (within(ruled.0, write.min, write.max), ruled.1)
    }

    /// The values that may be reached from the last one in the time that has passed. Urgent cooling and a raised dew
    /// point know no rate.
    fn reach(&self, floor: Option<f64>) -> (f64, f64) {
        let write = &self.write;
        let mut low = self.last - write.fall_per_min * self.minutes;
        let mut high = self.last + write.rise_per_min * self.minutes;
        match write.more_cooling {
            Direction::Up if self.demand.urgent => high = write.max,
            Direction::Down if self.demand.urgent => low = write.min,
            Direction::Up | Direction::Down | Direction::Neutral => {}
        }
        if let Some(floor) = floor {
            high = high.max(floor);
        }
        (low.min(high), high)
    }
}

/// The band of bounded authority. Where a fault has brought it about, it is open towards more cooling: losing a reading
/// must not keep a plan from cooling more.
pub(super) fn band(write: &WriteSpec, anchor: f64, demoted: bool) -> (f64, f64) {
    let half = write.bounded_band.abs();
    match write.more_cooling {
        Direction::Up if demoted => (anchor - half, write.max),
        Direction::Down if demoted => (write.min, anchor + half),
        Direction::Up | Direction::Down | Direction::Neutral => (anchor - half, anchor + half),
    }
}

/// What a rule makes of a value; the rule is only named where it changes it.
fn then((value, rule): (f64, Rule), by: Rule, change: impl FnOnce(f64) -> f64) -> (f64, Rule) {
    let to = change(value);
    if to.to_bits() == value.to_bits() {
        (value, rule)
    } else {
        (to, by)
    }
}
