//! Seeded jitter and the backoff made of it: many links that lost one switch do not come back in step.

use std::time::Duration;

/// `SplitMix64` (Steele, Lea, Flood 2014): small, and good enough to spread retries.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    /// A generator for a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A factor from 0.5 up to 1.5.
    fn factor(&mut self) -> f64 {
        0.5 + (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Growing waits between tries.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: i32,
    jitter: Jitter,
}

impl Backoff {
    /// Waits from `first` to about `longest`.
    pub const fn new(first: Duration, longest: Duration, jitter: Jitter) -> Self {
        Self {
            first,
            longest,
            failures: 0,
            jitter,
        }
    }

    /// The wait after a further failure: doubled each time up to the longest, then spread by half either way.
    pub fn failed(&mut self) -> Duration {
        let doubled = self.first.as_secs_f64() * 2_f64.powi(self.failures.min(30));
        self.failures = self.failures.saturating_add(1);
        Duration::from_secs_f64(doubled.min(self.longest.as_secs_f64()) * self.jitter.factor())
    }

    /// Back to the first wait.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Whether the last try failed.
    pub const fn is_failing(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_bounded_spread_and_repeat_with_the_seed() {
        let backoff = || Backoff::new(Duration::from_secs(1), Duration::from_secs(30), Jitter::new(7));
        let (mut one, mut two) = (backoff(), backoff());
        let waits: Vec<_> = (0..40).map(|_| one.failed().as_secs_f64()).collect();
        assert_eq!(waits, (0..40).map(|_| two.failed().as_secs_f64()).collect::<Vec<_>>());
        assert!((0.5..1.5).contains(&waits[0]) && (1.0..3.0).contains(&waits[1]));
        assert!(waits[10..].iter().all(|wait| (15.0..45.0).contains(wait)));
        assert!(waits[10..].iter().any(|wait| *wait < 25.0) && waits[10..].iter().any(|wait| *wait > 35.0));
        one.succeeded();
        assert!(!one.is_failing() && one.failed() < Duration::from_millis(1500));
    }
}
