//! The latest reading of every point.

use crate::site::{PointId, Site};
use crate::snapshot::{Now, Quality, Reading, Snapshot};
use std::sync::{Mutex, PoisonError};

/// One value on its way in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Arrival {
    /// A finite value as the device reported it.
    Value(f64),
    /// A finite value that is not to be trusted.
    Doubtful(f64),
    /// The device has no value: whatever it was is not to be trusted any longer.
    Nothing,
}

/// Where links put readings and the cycle takes them. The lock is held for a copy, never across I/O.
#[derive(Debug)]
pub(super) struct Mailbox {
    readings: Mutex<Vec<Option<Reading>>>,
    /// For each point its timeout, s, and its plausible range.
    checks: Vec<(f64, (f64, f64))>,
}

impl Mailbox {
    pub(super) fn new(site: &Site) -> Self {
        Self {
            readings: Mutex::new(vec![None; site.points.len()]),
            checks: site
                .points
                .iter()
                .map(|point| (point.timeout_s, point.plausible))
                .collect(),
        }
    }

    /// Puts arrivals that were sampled at `sampled_ms`, monotonic. Refused are a time after `now`, a time older than
    /// the point's timeout, and a sample older than the one that is there.
    pub(super) fn post(&self, now: Now, sampled_ms: u64, arrivals: impl IntoIterator<Item = (PointId, Arrival)>) {
        if sampled_ms > now.mono_ms {
            return;
        }
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        for (point, arrival) in arrivals {
            let (Some(slot), Some((timeout_s, plausible))) = (readings.get_mut(point.0), self.checks.get(point.0))
            else {
                continue;
            };
            let superseded = slot.is_some_and(|present: Reading| present.mono_ms > sampled_ms);
            let in_time = now.seconds_since(sampled_ms) <= *timeout_s;
            if superseded || !in_time {
                continue;
            }
            if let Some((value, quality)) = judge(arrival, *plausible, *slot) {
                *slot = Some(Reading {
                    value,
                    quality,
                    mono_ms: sampled_ms,
                });
            }
        }
    }

    /// The readings as of now, those older than their point's timeout marked stale.
    pub(super) fn take_snapshot(&self, now: Now) -> Snapshot {
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (reading, (timeout_s, _)) in readings.iter_mut().zip(&self.checks) {
            let Some(reading) = reading else { continue };
            // A link may have put it between the making of `now` and this line: it is of now.
            reading.mono_ms = reading.mono_ms.min(now.mono_ms);
            let in_time = reading.age_s(now) <= *timeout_s;
            if !in_time {
                reading.quality = Quality::Stale;
            }
        }
        Snapshot { now, readings }
    }
}

/// Value and quality of an arrival; `None` where there is no value at all to show.
fn judge(arrival: Arrival, (low, high): (f64, f64), present: Option<Reading>) -> Option<(f64, Quality)> {
    let last = present.map(|reading| (reading.value, Quality::Bad));
    match arrival {
        Arrival::Value(value) if value >= low && value <= high => Some((value, Quality::Good)),
        Arrival::Value(value) | Arrival::Doubtful(value) if value.is_finite() => Some((value, Quality::Bad)),
        Arrival::Value(_) | Arrival::Doubtful(_) | Arrival::Nothing => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now {
            mono_ms,
            wall_ms: 0,
            utc_offset_s: 0,
        }
    }

    fn mailbox() -> Mailbox {
        Mailbox {
            readings: Mutex::new(vec![None; 2]),
            checks: vec![(10.0, (0.0, 100.0)); 2],
        }
    }

    fn reading(mailbox: &Mailbox, now_ms: u64) -> Option<(f64, Quality, u64)> {
        mailbox.take_snapshot(at(now_ms)).readings[0].map(|reading| (reading.value, reading.quality, reading.mono_ms))
    }

    const POINT: PointId = PointId(0);

    #[test]
    fn a_reading_ages_into_stale() {
        let mailbox = mailbox();
        assert_eq!(reading(&mailbox, 5), None);
        mailbox.post(at(1000), 1000, [(POINT, Arrival::Value(21.5))]);
        assert_eq!(reading(&mailbox, 11_000), Some((21.5, Quality::Good, 1000)));
        assert_eq!(reading(&mailbox, 11_001), Some((21.5, Quality::Stale, 1000)));
    }

    #[test]
    fn what_is_implausible_or_missing_is_bad_and_finite() {
        let mailbox = mailbox();
        mailbox.post(at(1), 1, [(POINT, Arrival::Nothing)]);
        mailbox.post(at(1), 1, [(POINT, Arrival::Value(f64::NAN))]);
        assert_eq!(reading(&mailbox, 1), None, "there is nothing to show");
        mailbox.post(at(2), 2, [(POINT, Arrival::Value(100.1))]);
        assert_eq!(reading(&mailbox, 2), Some((100.1, Quality::Bad, 2)));
        mailbox.post(at(3), 3, [(POINT, Arrival::Value(50.0))]);
        for nothing in [
            Arrival::Nothing,
            Arrival::Value(f64::INFINITY),
            Arrival::Doubtful(f64::NAN),
        ] {
            mailbox.post(at(4), 4, [(POINT, nothing)]);
            assert_eq!(reading(&mailbox, 4), Some((50.0, Quality::Bad, 4)));
        }
    }

    #[test]
    fn future_stamps_old_samples_and_unknown_points_are_refused() {
        let mailbox = mailbox();
        mailbox.post(at(20_000), 20_001, [(POINT, Arrival::Value(1.0))]);
        mailbox.post(at(20_000), 9_999, [(POINT, Arrival::Value(2.0))]);
        mailbox.post(at(20_000), 20_000, [(PointId(9), Arrival::Value(3.0))]);
        assert_eq!(reading(&mailbox, 20_000), None);
        mailbox.post(at(20_000), 15_000, [(POINT, Arrival::Value(4.0))]);
        mailbox.post(at(20_000), 14_999, [(POINT, Arrival::Value(5.0))]);
        assert_eq!(reading(&mailbox, 20_000), Some((4.0, Quality::Good, 15_000)));
        assert_eq!(
            reading(&mailbox, 14_990),
            Some((4.0, Quality::Good, 14_990)),
            "never of the future"
        );
    }
}
