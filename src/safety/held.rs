//! The setpoints that are ours: what was sent, whether the device took it, and giving them back.

use super::commands::Command;
use crate::site::{PointId, Site};
use crate::snapshot::{Author, Now};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values sent that a read-back is compared with: a write may take two cycles to show.
const REMEMBERED: usize = 3;

/// Mismatches after which a point is left to the other writer.
const STRIKES: u32 = 3;

/// All setpoints that are ours.
pub(super) type HeldPoints = BTreeMap<PointId, Held>;

/// One setpoint that is ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Time and value of what was sent, newest first; the oldest is what was found on entry.
    sent: Vec<(u64, f64)>,
    /// Centre of the band in bounded authority: the setpoint in force when that began.
    anchor: Option<f64>,
    strikes: u32,
    struck_ms: u64,
    /// When it was left to another writer.
    yielded_ms: Option<u64>,
}

/// What a read-back says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// Nothing against us.
    Ours,
    /// The device holds this other value; from here it goes on.
    Adopted(f64),
    /// The same too often: somebody else writes this point.
    Yielded(f64),
}

impl Held {
    /// Takes over a setpoint as it was found.
    pub(super) fn found(value: f64, now: Now) -> Self {
        Self {
            sent: vec![(now.mono_ms, value)],
            anchor: None,
            strikes: 0,
            struck_ms: now.mono_ms,
            yielded_ms: None,
        }
    }

    /// The value in force, as far as we know.
    pub(super) fn last(&self) -> Option<f64> {
        self.sent.first().map(|(_, value)| *value)
    }

    /// The centre of the band while authority is bounded.
    pub(super) fn anchor(&mut self, bounded: bool) -> Option<f64> {
        self.anchor = if bounded { self.anchor.or(self.last()) } else { None };
        self.anchor
    }

    pub(super) fn send(&mut self, value: f64, now: Now) {
        self.sent.truncate(REMEMBERED.saturating_sub(1));
        self.sent.insert(0, (now.mono_ms, value));
    }

    /// Goes on from a value that the device holds.
    pub(super) fn follow(&mut self, value: f64, now: Now) {
        self.sent.clear();
        self.sent.push((now.mono_ms, value));
    }

    pub(super) const fn is_yielded(&self) -> bool {
        self.yielded_ms.is_some()
    }

    /// Takes a point up again that was left to another writer long enough ago.
    pub(super) fn retry(&mut self, after_s: f64, now: Now) {
        if self.yielded_ms.is_some_and(|at| now.seconds_since(at) >= after_s) {
            self.forgive();
        }
    }

    /// Forgets every mismatch.
    pub(super) fn forgive(&mut self) {
        self.strikes = 0;
        self.yielded_ms = None;
    }

    /// Compares a read-back with what was sent. Mismatches further apart than `memory_s` are separate matters.
    pub(super) fn verify(&mut self, read: f64, sampled_ms: u64, tolerance: f64, memory_s: f64, now: Now) -> Verdict {
        let too_old = self.sent.last().is_none_or(|(at, _)| sampled_ms < *at);
        let taken = self.sent.iter().any(|(_, value)| (read - value).abs() <= tolerance);
        if too_old || taken {
            return Verdict::Ours;
        }
        let first = self.strikes == 0 || now.seconds_since(self.struck_ms) > memory_s;
        self.strikes = if first { 1 } else { self.strikes.saturating_add(1) };
        self.struck_ms = now.mono_ms;
        self.follow(read, now);
        if self.strikes >= STRIKES {
            self.yielded_ms = Some(now.mono_ms);
            return Verdict::Yielded(read);
        }
        Verdict::Adopted(read)
    }
}

/// Gives every setpoint back to the plant as found, at once. What another writer holds is left to him.
pub(super) fn hand_back(site: &Site, held: &mut HeldPoints) -> Vec<Command> {
    let ours = std::mem::take(held);
    ours.into_iter()
        .filter(|(_, held)| !held.is_yielded())
        .filter_map(|(point, _)| {
            let write = site.points.get(point.0)?.write?;
            Some(Command::new(point, write.release, Author::Release))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Now {
        Now {
            mono_ms: s * 1000,
            wall_ms: 0,
            utc_offset_s: 0,
        }
    }

    #[test]
    fn a_write_that_takes_two_cycles_to_show_is_ours() {
        let mut held = Held::found(25.0, at(0));
        for (s, value, shown) in [(5, 26.0, 25.0), (10, 27.0, 25.0), (15, 28.0, 26.0), (20, 29.0, 28.0)] {
            assert_eq!(held.verify(shown, s * 1000, 0.1, 600.0, at(s)), Verdict::Ours);
            held.send(value, at(s));
        }
        assert_eq!(
            held.verify(20.0, 4000, 0.1, 600.0, at(25)),
            Verdict::Ours,
            "a sample from before tells nothing"
        );
    }

    #[test]
    fn the_third_mismatch_in_a_row_leaves_the_point_to_the_other_writer() {
        let mut held = Held::found(25.0, at(0));
        let mut clash = |s: u64| {
            held.send(30.0, at(s));
            held.send(30.0, at(s + 1));
            held.send(30.0, at(s + 2));
            held.verify(22.0, (s + 3) * 1000, 0.1, 600.0, at(s + 3))
        };
        assert_eq!(clash(0), Verdict::Adopted(22.0));
        assert_eq!(clash(1000), Verdict::Adopted(22.0), "long after: a new matter");
        assert_eq!(clash(1010), Verdict::Adopted(22.0));
        assert_eq!(clash(1020), Verdict::Yielded(22.0));
        assert!(held.is_yielded());
        held.retry(1800.0, at(1030));
        assert!(held.is_yielded());
        held.retry(1800.0, at(2900));
        assert!(!held.is_yielded());
    }
}
