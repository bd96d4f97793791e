//! Time as a parameter.

use serde::{Deserialize, Serialize};

/// The time of one cycle, made once at the edge and handed through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Milliseconds on a clock that never goes back: for ages, rates and timers.
    pub mono_ms: u64,
    /// Milliseconds since 1970-01-01 UTC: for records, tariffs and job times. May step.
    pub wall_ms: i64,
    /// Offset of the site's local time from UTC at this moment, s; made at the edge, which knows the time zone.
    pub utc_offset_s: i32,
}

impl Now {
    /// Seconds since an earlier monotonic time; 0 where that lies in the future.
    pub fn seconds_since(self, earlier_mono_ms: u64) -> f64 {
        self.mono_ms.saturating_sub(earlier_mono_ms) as f64 / 1000.0
    }

    /// Local hour of the day at the site, 0 up to 24.
    pub fn local_hour(self) -> f64 {
        self.local_ms().rem_euclid(DAY_MS) as f64 / 3_600_000.0
    }

    /// Local day at the site, counted from 1970-01-01.
    pub fn local_day(self) -> i64 {
        self.local_ms().div_euclid(DAY_MS)
    }

    fn local_ms(self) -> i64 {
        self.wall_ms.saturating_add(i64::from(self.utc_offset_s) * 1000)
    }
}

const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_day_and_hour_follow_the_offset() {
        let now = Now {
            mono_ms: 0,
            wall_ms: 23 * 3_600_000,
            utc_offset_s: 7200,
        };
        assert_eq!(now.local_day(), 1);
        assert!((now.local_hour() - 1.0).abs() < 1e-12);
        assert!(now.seconds_since(5) < f64::EPSILON, "a time in the future has no age");
    }
}
