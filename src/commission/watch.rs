//! What was read of each point while we looked.

use crate::site::{Point, PointId, Site};
use crate::snapshot::{Quality, Snapshot};

/// Readings of a span of time.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    seen: Vec<Seen>,
    /// When it began and when it was last fed, monotonic ms.
    span_ms: Option<(u64, u64)>,
}

/// What was read of one point.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seen {
    /// Different samples that were good.
    pub good: u32,
    sum: f64,
    pub first: Option<(f64, u64)>,
    pub last: Option<(f64, Quality, u64)>,
    pub low: f64,
    pub high: f64,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new(site: &Site) -> Self {
        Self {
            seen: vec![Seen::default(); site.points.len()],
            span_ms: None,
        }
    }

    /// Takes what is read now. A reading that has been taken already counts once.
    pub fn take(&mut self, snapshot: &Snapshot) {
        let now = snapshot.now.mono_ms;
        self.span_ms = Some((self.span_ms.map_or(now, |span| span.0), now));
        for (seen, reading) in self.seen.iter_mut().zip(&snapshot.readings) {
            let Some(reading) = reading else { continue };
            let is_new = seen.last.is_none_or(|(_, _, at)| reading.mono_ms > at);
            seen.last = Some((reading.value, reading.quality, reading.mono_ms));
            if !is_new || reading.quality != Quality::Good {
                continue;
            }
            if seen.good == 0 {
                seen.first = Some((reading.value, reading.mono_ms));
                (seen.low, seen.high) = (reading.value, reading.value);
            }
            seen.good += 1;
            seen.sum += reading.value;
            seen.low = seen.low.min(reading.value);
            seen.high = seen.high.max(reading.value);
        }
    }

    /// How long it has watched, s.
    pub fn seconds(&self) -> f64 {
        self.span_ms.map_or(0.0, |(from, to)| (to - from) as f64 / 1000.0)
    }

    pub(super) fn of(&self, point: PointId) -> Seen {
        self.seen.get(point.0).copied().unwrap_or_default()
    }

    /// Mean of the good readings of a point that is bound.
    pub(super) fn mean<Q>(&self, point: Option<Point<Q>>) -> Option<f64> {
        let seen = self.of(point?.id());
        (seen.good > 0).then(|| seen.sum / f64::from(seen.good))
    }
}
