//! Readings: value, quality and age; and the snapshot that freezes them for one cycle.

use super::Now;
use crate::site::{Point, PointId};
use serde::{Deserialize, Serialize};
use thermo::Quantity;

/// Whether a reading may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quality {
    /// As the device reported it.
    Good,
    /// Reported but not to be trusted: out of plausible range, flagged by the device, frozen.
    Bad,
    /// Too old.
    Stale,
}

/// One reading of one point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Value in the point's canonical unit; finite.
    pub value: f64,
    /// Whether it may be used.
    pub quality: Quality,
    /// Monotonic time of the sample, ms.
    pub mono_ms: u64,
}

impl Reading {
    /// Age in seconds.
    pub fn age_s(&self, now: Now) -> f64 {
        now.seconds_since(self.mono_ms)
    }
}

/// The frozen inputs from the plant for one cycle. No value changes inside a cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was taken.
    pub now: Now,
    /// For each point of the site its last reading, `None` where it never reported. Index: [`PointId`].
    pub readings: Vec<Option<Reading>>,
}

impl Snapshot {
    /// An empty snapshot of `points` points.
    pub fn empty(points: usize, now: Now) -> Self {
        Self {
            now,
            readings: vec![None; points],
        }
    }

    /// The last reading of a point, whatever its quality.
    pub fn reading(&self, point: PointId) -> Option<&Reading> {
        self.readings.get(point.0)?.as_ref()
    }

    /// The good value of a bound point; `None` where it is not bound, never reported, bad or stale.
    pub fn get<Q: Quantity>(&self, point: Option<Point<Q>>) -> Option<Q> {
        let reading = self.reading(point?.id())?;
        if reading.quality == Quality::Good {
            Q::new(reading.value)
        } else {
            None
        }
    }
}
