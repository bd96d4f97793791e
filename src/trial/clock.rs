//! Virtual time.

use crate::site::Site;
use crate::snapshot::Now;
use simulators::world::World;

/// Midnight of 1 January 2025 UTC, ms: virtual time lies in a common year.
const YEAR_MS: i64 = 1_735_689_600_000;

/// Virtual time: the site's local standard time of a common year.
#[derive(Debug, Clone, Copy)]
pub(super) struct VirtualClock {
    /// Wall time of the world's time 0.
    pub(super) epoch_ms: i64,
    offset_s: i32,
}

impl VirtualClock {
    pub(super) fn new(site: &Site, world: &World) -> Self {
        let winter = jiff::Timestamp::from_millisecond(YEAR_MS).unwrap_or_default();
        let offset_s = jiff::tz::TimeZone::get(&site.time_zone).map_or(0, |zone| zone.to_offset(winter).seconds());
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a year")]
        let start_ms = (world.year_s() * 1000.0) as i64;
        Self {
            epoch_ms: YEAR_MS + start_ms - i64::from(offset_s) * 1000,
            offset_s,
        }
    }

    pub(super) fn now(self, world: &World) -> Now {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive milliseconds of a trial"
        )]
        let mono_ms = (world.elapsed_s() * 1000.0).round() as u64;
        Now {
            mono_ms,
            wall_ms: self.epoch_ms.saturating_add_unsigned(mono_ms),
            utc_offset_s: self.offset_s,
        }
    }
}
