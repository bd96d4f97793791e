//! Setpoints on their way to one device: for each point only the newest wish counts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A wanted value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wanted {
    /// The cycle that wants it.
    pub cycle: u64,
    /// Value, canonical unit.
    pub value: f64,
    /// When it was wanted, monotonic ms.
    pub at_ms: u64,
    /// The fencing token that it is wanted under; 0 for a controller alone.
    pub token: u64,
}

/// At most one wish a point, by the point's index in the device's profile.
#[derive(Debug, Default)]
pub(super) struct Outbox(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    waiting: BTreeMap<usize, Wanted>,
    /// The newest cycle seen for each point, also of wishes that were taken.
    newest: BTreeMap<usize, u64>,
}

impl Outbox {
    /// Puts a wish in the place of an older one; answers whether it was taken: an older cycle than was seen is refused.
    pub(super) fn put(&self, point: usize, wanted: Wanted) -> bool {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = slots.newest.entry(point).or_insert(wanted.cycle);
        if wanted.cycle < *newest {
            return false;
        }
        *newest = wanted.cycle;
        slots.waiting.insert(point, wanted);
        true
    }

    /// Takes the wish of the lowest point index; `last` is served after all others.
    pub(super) fn take(&self, last: Option<usize>) -> Option<(usize, Wanted)> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = slots.waiting.keys().copied().find(|point| Some(*point) != last);
        let point = next.or_else(|| slots.waiting.keys().next().copied())?;
        slots.waiting.remove(&point).map(|wanted| (point, wanted))
    }

    /// Puts a wish back that could not be served, unless there is a newer one.
    pub(super) fn put_back(&self, point: usize, wanted: Wanted) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.waiting.entry(point).or_insert(wanted);
    }

    /// Forgets wishes and cycles: those to come are another term's.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Slots::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(cycle: u64, value: f64) -> Wanted {
        Wanted {
            cycle,
            value,
            at_ms: 0,
            token: 0,
        }
    }

    #[test]
    fn the_newest_cycle_wins_and_an_older_one_is_refused() {
        let outbox = Outbox::default();
        assert!(outbox.put(3, wanted(5, 20.0)) && outbox.put(3, wanted(6, 21.0)));
        assert!(!outbox.put(3, wanted(5, 19.0)));
        assert_eq!(outbox.take(None), Some((3, wanted(6, 21.0))));
        assert!(!outbox.put(3, wanted(5, 19.0)), "also after it was taken");
        outbox.forget();
        assert!(outbox.put(3, wanted(2, 21.0)), "another term begins anew");
        outbox.forget();
        assert!(outbox.put(3, wanted(6, 22.0)), "release comes in the cycle that ends");
    }

    #[test]
    fn the_heartbeat_goes_last_and_what_failed_comes_back_unless_newer_is_there() {
        let outbox = Outbox::default();
        for point in [1, 2, 3] {
            outbox.put(point, wanted(1, 0.0));
        }
        let (point, old) = outbox.take(Some(1)).unwrap();
        assert_eq!(point, 2);
        outbox.put(2, wanted(2, 9.0));
        outbox.put_back(2, old);
        let order: Vec<_> = std::iter::from_fn(|| outbox.take(Some(1))).collect();
        assert_eq!(order, [(2, wanted(2, 9.0)), (3, wanted(1, 0.0)), (1, wanted(1, 0.0))]);
        assert!(outbox.is_empty());
    }
}
