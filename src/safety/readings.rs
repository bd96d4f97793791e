//! What safety believes of each reading: the last good value, its age, and how bad the truth may be by now.

use crate::site::{Point, PointId, PointSpec, Site};
use crate::snapshot::{Now, Quality, Snapshot};
use serde::{Deserialize, Serialize};

/// The last good sample of a point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Sample {
    value: f64,
    mono_ms: u64,
    /// Found frozen or implausible this cycle: the value stands, but counts as lost.
    doubted: bool,
}

/// The last good sample of every point, by [`PointId`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    samples: Vec<Option<Sample>>,
}

impl Memory {
    /// Takes in the good readings of a snapshot. A time stamp in the future is refused, whether it comes from the
    /// plant now or from the memory of a process whose clock ran otherwise.
    pub(super) fn take_in(&mut self, snapshot: &Snapshot, points: usize, now: Now) {
        self.samples.resize(points, None);
        for (slot, reading) in self.samples.iter_mut().zip(&snapshot.readings) {
            if let Some(reading) = reading
                && reading.quality == Quality::Good
                && reading.value.is_finite()
                && reading.mono_ms <= now.mono_ms
            {
                *slot = Some(Sample {
                    value: reading.value,
                    mono_ms: reading.mono_ms,
                    doubted: false,
                });
            } else if let Some(sample) = slot {
                sample.doubted = false;
                if sample.mono_ms > now.mono_ms {
                    *slot = None;
                }
            }
        }
    }

    /// Marks a reading as lost for this cycle, whatever its age.
    pub(super) fn doubt(&mut self, point: Option<PointId>) {
        if let Some(Some(sample)) = point.and_then(|point| self.samples.get_mut(point.0)) {
            sample.doubted = true;
        }
    }
}

/// Whether a point can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Never reported since the memory began.
    Never,
    /// Reported once, now too old or doubted.
    Lost,
    /// Within its time-out.
    Here,
}

/// Which way is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Larger is worse.
    High,
    /// Smaller is worse.
    Low,
}

/// The memory, read at one moment.
#[derive(Clone, Copy)]
pub(super) struct Readings<'a> {
    pub(super) site: &'a Site,
    pub(super) now: Now,
    memory: &'a Memory,
}

/// The untyped handle of a bound point.
pub(super) fn id<Q>(point: Option<Point<Q>>) -> Option<PointId> {
    point.map(Point::id)
}

impl<'a> Readings<'a> {
    pub(super) const fn new(site: &'a Site, memory: &'a Memory, now: Now) -> Self {
        Self { site, now, memory }
    }

    fn find(&self, point: Option<PointId>) -> Option<(&'a PointSpec, Sample)> {
        let point = point?;
        let sample = (*self.memory.samples.get(point.0)?)?;
        Some((self.site.points.get(point.0)?, sample))
    }

    pub(super) fn presence(&self, point: Option<PointId>) -> Presence {
        match self.find(point) {
            None => Presence::Never,
            Some((spec, sample)) if sample.doubted || self.now.seconds_since(sample.mono_ms) > spec.timeout_s => {
                Presence::Lost
            }
            Some(_) => Presence::Here,
        }
    }

    /// The value of a point that is here; `None` where it is lost or never was.
    pub(super) fn present(&self, point: Option<PointId>) -> Option<f64> {
        match self.presence(point) {
            Presence::Here => self.last(point),
            Presence::Never | Presence::Lost => None,
        }
    }

    /// The last good value, however old.
    pub(super) fn last(&self, point: Option<PointId>) -> Option<f64> {
        self.find(point).map(|(_, sample)| sample.value)
    }

    /// Time of the last good sample, monotonic ms.
    pub(super) fn sampled_ms(&self, point: Option<PointId>) -> Option<u64> {
        self.find(point).map(|(_, sample)| sample.mono_ms)
    }

    /// Age of the last good value, s.
    pub(super) fn age_s(&self, point: Option<PointId>) -> Option<f64> {
        self.sampled_ms(point).map(|mono_ms| self.now.seconds_since(mono_ms))
    }

    /// How bad the truth may be by now: the last good value moved towards the worse side for its age.
    ///
    /// A sample of the running cycle is taken as it is; ageing counts beyond one cycle. A lost reading stays as bad
    /// as it was at its time-out: losing it never makes things look better.
    pub(super) fn worst(&self, point: Option<PointId>, side: Side) -> Option<f64> {
        let (spec, sample) = self.find(point)?;
        let age_s = match self.presence(point) {
            Presence::Here => self.now.seconds_since(sample.mono_ms),
            Presence::Lost | Presence::Never => spec.timeout_s,
        };
        let drift = spec.slew_per_s * (age_s - self.site.control.cycle_s).max(0.0);
        Some(match side {
            Side::High => sample.value + drift,
            Side::Low => sample.value - drift,
        })
    }
}
