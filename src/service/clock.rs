//! The only place that reads the clocks.

use crate::snapshot::Now;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::{Duration, Instant};

/// A moment on both clocks: where accelerated time starts. A plant and its controller in one process share one.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    instant: Instant,
    /// Wall time, ms since 1970-01-01 UTC.
    pub wall_ms: i64,
}

impl Origin {
    /// This moment.
    pub fn now() -> Self {
        Self {
            instant: Instant::now(),
            wall_ms: Timestamp::now().as_millisecond(),
        }
    }
}

/// Makes [`Now`]: a monotonic time that survives restarts with the memory it belongs to, and a wall time.
#[derive(Debug, Clone)]
pub struct Clock {
    origin: Origin,
    mono_base_ms: u64,
    speed: f64,
    zone: TimeZone,
}

impl Clock {
    /// A clock whose monotonic time goes on from `mono_base_ms`. At a `speed` above 1 (demo) both times run that
    /// much faster from the origin on; at 1 the wall time follows the system's, steps included.
    pub const fn new(zone: TimeZone, mono_base_ms: u64, speed: f64, origin: Origin) -> Self {
        Self {
            origin,
            mono_base_ms,
            speed,
            zone,
        }
    }

    /// The present.
    pub fn now(&self) -> Now {
        let elapsed_ms = self.plant_ms(self.origin.instant.elapsed());
        #[expect(clippy::float_cmp, reason = "1 means real time; it is set, never computed")]
        let wall_ms = if self.speed == 1.0 {
            Timestamp::now().as_millisecond()
        } else {
            self.origin.wall_ms.saturating_add_unsigned(elapsed_ms)
        };
        let offset = Timestamp::from_millisecond(wall_ms).map_or(0, |at| self.zone.to_offset(at).seconds());
        Now {
            mono_ms: self.mono_base_ms.saturating_add(elapsed_ms),
            wall_ms,
            utc_offset_s: offset,
        }
    }

    /// Real time for a span of plant time.
    pub fn real(&self, plant_s: f64) -> Duration {
        Duration::try_from_secs_f64(plant_s / self.speed).unwrap_or(Duration::MAX)
    }

    /// How much faster than real time the plant's time runs.
    pub const fn speed(&self) -> f64 {
        self.speed
    }

    fn plant_ms(&self, real: Duration) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates; elapsed time is positive"
        )]
        let ms = (real.as_secs_f64() * self.speed * 1000.0) as u64;
        ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_goes_on_from_its_base_and_runs_at_the_speed() {
        let clock = Clock::new(TimeZone::UTC, 5_000, 1000.0, Origin::now());
        let (first, second) = (clock.now(), clock.now());
        assert!(first.mono_ms >= 5_000 && second.mono_ms >= first.mono_ms);
        assert_eq!(clock.real(60.0), Duration::from_millis(60));
    }

    #[test]
    fn the_offset_is_that_of_the_zone() {
        let zone = TimeZone::get("Asia/Taipei").unwrap();
        assert_eq!(Clock::new(zone, 0, 1.0, Origin::now()).now().utc_offset_s, 8 * 3600);
    }
}
