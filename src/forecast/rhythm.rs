//! What a running job draws, as a share of its prediction: its level at work, and the dips in between.
//!
//! Training jobs pause for checkpoints and evaluations, mostly in equal intervals. A dip is seen through: the job is
//! expected back at its level. Once two intervals agree, the next dips are expected in their turn.

use serde::{Deserialize, Serialize};

/// Dips last about this long before a job is back at its level, s.
const DIP_S: f64 = 90.0;
/// Share of its level that a job draws in a dip, before one was seen.
const DEPTH: f64 = 0.3;
/// Memory of the level, s: long beside the noise of a reading, short beside what jobs change.
const LEVEL_S: f64 = 160.0;
/// Time at work before dips are looked for, s.
const SETTLED_S: f64 = 60.0;
/// A dip that lasts longer is a new level, s.
const LONGEST_S: f64 = 1200.0;
/// Turns that may pass unseen between two dips that agree.
const MISSED: f64 = 4.0;
/// Dips out of turn that a rhythm survives.
const STRAYS: u8 = 2;

/// The level of a job and the rhythm of its dips.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Rhythm {
    /// Share of the prediction that it draws at work.
    pub(super) level: f64,
    /// Time at work, s.
    work_s: f64,
    /// When the present dip began, monotonic ms.
    dip_since_ms: Option<u64>,
    /// The first of the dips that agree, how many turns ago that was from the last, and the last.
    first_dip_ms: u64,
    turns: f64,
    last_dip_ms: Option<u64>,
    /// Dips out of turn since.
    strays: u8,
    /// From dip to dip, s.
    period_s: f64,
    /// Dips seen, their mean length, s, and the share of the level in them.
    dips: u32,
    dip_s: f64,
    depth: f64,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            level: 1.0,
            work_s: 0.0,
            dip_since_ms: None,
            first_dip_ms: 0,
            turns: 0.0,
            last_dip_ms: None,
            strays: 0,
            period_s: 0.0,
            dips: 0,
            dip_s: DIP_S,
            depth: DEPTH,
        }
    }
}

impl Rhythm {
    /// Whether its level is known well enough to tell a dip.
    pub(super) fn settled(&self) -> bool {
        self.work_s >= SETTLED_S
    }

    /// Share of the prediction that it draws in a dip.
    pub(super) fn in_dip(&self) -> f64 {
        self.level * self.depth
    }

    /// Whether it was in a dip when it was last observed.
    pub(super) const fn dipped(&self) -> bool {
        self.dip_since_ms.is_some()
    }

    /// Learns from a share of the prediction that was drawn over the last `dt_s` seconds, at work or in a dip.
    pub(super) fn observe(&mut self, share: f64, dt_s: f64, now_ms: u64, dipped: bool) {
        // It turned somewhere in the time since the last look.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds of a cycle"
        )]
        let turned_ms = now_ms.saturating_sub((500.0 * dt_s) as u64);
        match (dipped, self.dip_since_ms) {
            (true, None) => {
                self.dip_since_ms = Some(turned_ms);
                self.begin(turned_ms);
            }
            (true, Some(_)) => self.depth += 0.1 * ((share / self.level.max(1e-6)).clamp(0.02, 0.9) - self.depth),
            (false, Some(since_ms)) => {
                let lasted_s = turned_ms.saturating_sub(since_ms) as f64 / 1000.0;
                self.dips = self.dips.saturating_add(1);
                self.dip_s += (lasted_s - self.dip_s) / f64::from(self.dips.min(5));
                self.dip_since_ms = None;
            }
            (false, None) => {
                self.work_s += dt_s;
                self.level += (share - self.level) * (dt_s / self.work_s.clamp(1.0, LEVEL_S)).min(1.0);
            }
        }
        // What was taken for a dip and stays is a new level.
        if self
            .dip_since_ms
            .is_some_and(|since_ms| now_ms.saturating_sub(since_ms) as f64 > 1000.0 * LONGEST_S)
        {
            (self.level, self.work_s) = (share, SETTLED_S);
            (self.dip_since_ms, self.last_dip_ms, self.turns) = (None, None, 0.0);
        }
    }

    fn begin(&mut self, at_ms: u64) {
        let Some(last_ms) = self.last_dip_ms else {
            (self.first_dip_ms, self.last_dip_ms) = (at_ms, Some(at_ms));
            return;
        };
        let interval_s = at_ms.saturating_sub(last_ms) as f64 / 1000.0;
        let turns = (interval_s / self.period_s.max(1.0)).round();
        let off_s = (interval_s - turns * self.period_s).abs();
        if (1.0..=MISSED).contains(&turns) && off_s <= (0.03 * self.period_s).max(12.0) {
            self.turns += turns;
            self.period_s = at_ms.saturating_sub(self.first_dip_ms) as f64 / 1000.0 / self.turns;
            (self.last_dip_ms, self.strays) = (Some(at_ms), 0);
        } else if self.turns >= 2.0 && self.strays < STRAYS {
            // One dip out of turn, another job's perhaps, does not break a rhythm.
            self.strays += 1;
        } else {
            (self.first_dip_ms, self.last_dip_ms) = (last_ms, Some(at_ms));
            (self.turns, self.strays, self.period_s) = (1.0, 0, interval_s);
        }
    }

    /// The share expected in `ahead_s`, where it is `share` now.
    pub(super) fn expect(&self, share: f64, ahead_s: f64, now_ms: u64) -> f64 {
        if self.turns >= 1.0 {
            let since_s = now_ms.saturating_sub(self.first_dip_ms) as f64 / 1000.0;
            let from_last_s = since_s - self.turns * self.period_s;
            // A rhythm that has missed its turns is broken.
            if from_last_s < MISSED * self.period_s {
                let phase_s = (since_s + ahead_s).rem_euclid(self.period_s.max(1.0));
                let in_dip = phase_s < self.dip_s;
                return if in_dip { self.in_dip() } else { self.level };
            }
        }
        let Some(since_ms) = self.dip_since_ms else {
            return self.level;
        };
        // A dip that lasts is likely to go on: failures take longer than checkpoints.
        let memory_s = (now_ms.saturating_sub(since_ms) as f64 / 1000.0).max(DIP_S);
        self.level + (share - self.level) * libm::exp(-ahead_s / memory_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn share(s: u64) -> f64 {
        // Ten minutes of work, then one of checkpoint.
        if s > 600 && s % 660 < 60 { 0.2 } else { 0.8 }
    }

    fn after(until_s: u64) -> Rhythm {
        let mut rhythm = Rhythm::default();
        for s in (0..until_s).step_by(5) {
            rhythm.observe(share(s), 5.0, 1000 * s, share(s) < 0.5);
        }
        rhythm
    }

    #[test]
    fn a_first_dip_is_seen_through() {
        let rhythm = after(675);
        assert!((rhythm.level - 0.8).abs() < 0.01);
        assert!(rhythm.expect(0.2, 300.0, 675_000) > 0.75);
    }

    #[test]
    fn dips_that_come_in_turn_are_expected() {
        let rhythm = after(2000);
        for ahead_s in [60, 300, 330, 600, 660, 900] {
            let s = 2000 + ahead_s;
            // Within a dip's edge either is right.
            if s % 660 > 70 || s % 660 < 50 {
                let expected = rhythm.expect(0.8, ahead_s as f64, 2_000_000);
                assert!((expected - share(s)).abs() < 0.2, "{ahead_s}: {expected}");
            }
        }
    }

    #[test]
    fn a_dip_that_lasts_is_believed_in_the_end() {
        let mut rhythm = after(600);
        for s in (600..2400).step_by(5) {
            rhythm.observe(0.1, 5.0, 1000 * s, true);
        }
        assert!((rhythm.expect(0.1, 900.0, 2_400_000) - 0.1).abs() < 0.01);
    }
}
