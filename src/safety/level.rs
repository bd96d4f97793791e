//! How cautious a part of the plant has to be, and the bands that say so.

use crate::site::Band;
use serde::{Deserialize, Serialize};

/// How cautious a zone or a CDU has to be; later is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Within targets.
    #[default]
    Normal,
    /// Beyond a target: no less cooling than now.
    Guarded,
    /// Beyond a critical value, until back at the target: most cooling.
    Critical,
    /// Required readings missing, or boot: most cooling.
    Failsafe,
}

/// The level of one measured limit, with hysteresis: once critical, it stays so until the worst case is back at the
/// *target*, not merely under the critical value. There is no time-out: only the measurement ends it.
pub(super) fn of_band(last: Level, worst_case: f64, band: &Band) -> Level {
    // A margin's band runs the other way; mirrored, it is an upper limit.
    let falling = band.trip < band.target;
    let sign = if falling { -1.0 } else { 1.0 };
    let (value, target, critical) = (sign * worst_case, sign * band.target, sign * band.critical);
    if !value.is_finite() || value >= critical || (last == Level::Critical && value > target) {
        Level::Critical
    } else if value > target {
        Level::Guarded
    } else {
        Level::Normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SUPPLY: Band = Band { target: 40.0, critical: 43.0, trip: 47.0 };
    const MARGIN: Band = Band { target: 10.0, critical: 5.0, trip: 1.0 };

    #[test]
    fn critical_lasts_until_the_target() {
        assert_eq!(of_band(Level::Normal, 41.0, &SUPPLY), Level::Guarded);
        assert_eq!(of_band(Level::Guarded, 43.0, &SUPPLY), Level::Critical);
        assert_eq!(of_band(Level::Critical, 41.0, &SUPPLY), Level::Critical);
        assert_eq!(of_band(Level::Critical, 40.0, &SUPPLY), Level::Normal);
    }

    #[test]
    fn a_margin_falls() {
        assert_eq!(of_band(Level::Normal, 12.0, &MARGIN), Level::Normal);
        assert_eq!(of_band(Level::Normal, 8.0, &MARGIN), Level::Guarded);
        assert_eq!(of_band(Level::Normal, 4.0, &MARGIN), Level::Critical);
        assert_eq!(of_band(Level::Critical, 9.0, &MARGIN), Level::Critical);
        assert_eq!(of_band(Level::Normal, f64::NAN, &MARGIN), Level::Critical);
    }

    proptest! {
        #[test]
        fn hotter_is_never_less_cautious(value in 0.0..60.0f64, more in 0.0..10.0f64) {
            for last in [Level::Normal, Level::Guarded, Level::Critical] {
                prop_assert!(of_band(last, value + more, &SUPPLY) >= of_band(last, value, &SUPPLY));
                prop_assert!(of_band(last, value - more, &MARGIN) >= of_band(last, value, &MARGIN));
            }
        }
    }
}
