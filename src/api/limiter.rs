//! Rate limits: a bucket for each caller's address, so that nobody guesses tokens or floods the next cycle.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Callers that are remembered; beyond them the longest quiet one is forgotten.
const CALLERS: usize = 4096;

/// Buckets of one kind.
#[derive(Debug)]
pub(super) struct Limiter {
    /// Requests that may come at once.
    burst: f64,
    /// Requests a second after that.
    per_s: f64,
    callers: Mutex<BTreeMap<IpAddr, (f64, Instant)>>,
}

impl Limiter {
    pub(super) const fn new(burst: f64, per_s: f64) -> Self {
        Self {
            burst,
            per_s,
            callers: Mutex::new(BTreeMap::new()),
        }
    }

    /// Takes one from the caller's bucket; where it is empty, answers how long to wait.
    pub(super) fn take(&self, caller: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS
            && !callers.contains_key(&caller)
            && let Some(quiet) = callers.iter().min_by_key(|(_, (_, at))| *at).map(|(caller, _)| *caller)
        {
            callers.remove(&quiet);
        }
        let (left, at) = callers.entry(caller).or_insert((self.burst, now));
        *left = (*left + now.saturating_duration_since(*at).as_secs_f64() * self.per_s).min(self.burst);
        *at = now;
        if *left >= 1.0 {
            *left -= 1.0;
            Ok(())
        } else {
            Err(Duration::from_secs_f64((1.0 - *left) / self.per_s))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_burst_passes_and_then_a_steady_rate() {
        let (limiter, now) = (Limiter::new(3.0, 0.5), Instant::now());
        let caller = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        for _ in 0..3 {
            assert_eq!(limiter.take(caller, now), Ok(()));
        }
        let wait = limiter.take(caller, now).unwrap_err();
        assert!((wait.as_secs_f64() - 2.0).abs() < 1e-6);
        assert_eq!(
            limiter.take(IpAddr::V4(Ipv4Addr::LOCALHOST), now),
            Ok(()),
            "another caller is not held up"
        );
        assert_eq!(limiter.take(caller, now + Duration::from_secs(2)), Ok(()));
        assert!(limiter.take(caller, now + Duration::from_secs(2)).is_err());
    }

    #[test]
    fn what_it_remembers_is_bounded() {
        let (limiter, now) = (Limiter::new(1.0, 1.0), Instant::now());
        for number in 0..2 * u32::try_from(CALLERS).unwrap() {
            assert!(limiter.take(IpAddr::V4(Ipv4Addr::from_bits(number)), now).is_ok());
        }
        assert_eq!(limiter.callers.lock().unwrap().len(), CALLERS);
    }
}
