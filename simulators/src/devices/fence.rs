//! What a fenced device keeps: a logbook of every write with who sent it, and the newest term that it has heard.
//!
//! A controller of a pair has the number of its term in the upper byte of its heartbeat. A device that was programmed
//! for it refuses the beat of an older term, so that its time-out runs although somebody still beats.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// One write as the device saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// When.
    pub at: Instant,
    /// Who sent it.
    pub peer: SocketAddr,
    /// The device.
    pub device: String,
    /// The point.
    pub point: String,
    /// Value, the point's unit.
    pub value: f64,
    /// Whether the device took it.
    pub taken: bool,
}

impl Written {
    /// The term of a heartbeat; `None` for other points.
    pub fn term(&self) -> Option<u8> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a register of 16 bits, decoded; the cast saturates"
        )]
        let word = self.value as u16;
        (self.point == "heartbeat").then(|| word.to_be_bytes()[0])
    }
}

/// The logbook of all devices of a hall, and the newest term of each.
#[derive(Debug, Default)]
pub struct Fence {
    terms: Mutex<BTreeMap<String, u8>>,
    log: Mutex<Vec<Written>>,
}

impl Fence {
    /// Whether a device takes a write: not a heartbeat of an older term. Terms go round, so older is what lies less than
    /// half a round back.
    pub(super) fn passes(&self, write: &Written) -> bool {
        let Some(term) = write.term() else { return true };
        let mut terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = terms.entry(write.device.clone()).or_insert(term);
        let behind = newest.wrapping_sub(term);
        if (1..128).contains(&behind) {
            return false;
        }
        *newest = term;
        true
    }

    pub(super) fn note(&self, write: Written) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(write);
    }

    /// The writes from number `from` on, in the order in which they came.
    pub fn log(&self, from: usize) -> Vec<Written> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.get(from..).unwrap_or_default().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_term_is_refused_also_across_the_turn_of_the_byte() {
        let fence = Fence::default();
        let beat = |term: u16| Written {
            at: Instant::now(),
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
            device: "cdu1".into(),
            point: "heartbeat".into(),
            value: f64::from(term * 256 + 7),
            taken: true,
        };
        for (term, passes) in [
            (254, true),
            (254, true),
            (253, false),
            (255, true),
            (0, true),
            (255, false),
            (2, true),
        ] {
            assert_eq!(fence.passes(&beat(term)), passes, "{term}");
        }
        let mut other = beat(1);
        other.point = "pressure_setpoint".into();
        assert!(fence.passes(&other), "a setpoint carries no term");
    }
}
