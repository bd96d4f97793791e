//! The permission to write: asked for right before every write, given for a bounded time, and never without a token.

use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Time since the machine started, ms: it goes on while a process is stopped and while the machine sleeps, and no
/// change of the wall clock touches it.
pub fn boot_ms() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let (s, ns) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    s.unwrap_or_default() * 1000 + ns.unwrap_or_default() / 1_000_000
}

/// Whether writes may leave, shared by whoever gives it and all who write.
#[derive(Debug, Clone)]
pub struct Permit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Until when, on the clock of [`boot_ms`].
    until_ms: AtomicU64,
    token: AtomicU64,
}

impl Permit {
    /// For a controller alone: always given, without a token.
    pub fn always() -> Self {
        Self::until(u64::MAX)
    }

    /// For one of a pair: nothing is permitted yet.
    pub fn never() -> Self {
        Self::until(0)
    }

    fn until(until_ms: u64) -> Self {
        Self(Arc::new(Inner {
            until_ms: AtomicU64::new(until_ms),
            token: AtomicU64::new(0),
        }))
    }

    /// Gives it until `until_ms`, under `token`.
    pub(super) fn give(&self, until_ms: u64, token: u64) {
        self.0.token.store(token, Ordering::Release);
        self.0.until_ms.store(until_ms, Ordering::Release);
    }

    /// Takes it away.
    pub(super) fn take(&self) {
        self.0.until_ms.store(0, Ordering::Release);
    }

    /// Whether a write may leave now.
    pub fn allows(&self) -> bool {
        boot_ms() < self.0.until_ms.load(Ordering::Acquire)
    }

    /// The fencing token of the writes; 0 for none.
    pub fn token(&self) -> u64 {
        self.0.token.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_by_itself_and_at_once_when_taken() {
        let permit = Permit::never();
        assert!(!permit.allows());
        permit.give(boot_ms() + 60_000, 7);
        assert!(permit.clone().allows() && permit.token() == 7);
        permit.give(boot_ms().saturating_sub(1), 8);
        assert!(!permit.allows());
        permit.give(u64::MAX, 9);
        permit.take();
        assert!(!permit.allows());
        assert!(Permit::always().allows());
    }
}
