//! Each point by itself: does it report, is it plausible, does it live?

use super::causes;
use super::{Finding, Mark, Watch};
use crate::site::{PointId, Site};
use crate::snapshot::Quality;
use thermo::Unit;

/// Samples after which a sensor that has not moved at all deserves a look.
const STILL_AFTER: u32 = 20;

pub(super) fn check(site: &Site, watch: &Watch, troubles: &[Option<String>]) -> Vec<Finding> {
    let points = site.points.iter().enumerate();
    let finding = |(index, spec): (usize, &crate::site::PointSpec)| {
        let seen = watch.of(PointId(index));
        let device = site.devices.get(spec.device.0)?;
        let point = device.profile.points.get(spec.profile_point)?;
        let trouble = troubles.get(spec.device.0).cloned().flatten();
        let unit = spec.unit.symbol();
        let (low, high) = spec.plausible;
        Some(match seen.last {
            None => {
                // A point that the site does not need may truly not be there.
                let mark = if spec.required { Mark::Fail } else { Mark::Look };
                Finding::new(mark, &spec.tag, "has not been read").because(trouble)
            }
            Some((value, Quality::Bad, _)) => {
                let seen = format!("reads {value} {unit}, and {low} to {high} is plausible");
                Finding::new(Mark::Fail, &spec.tag, seen).because(causes::of_value(point, value))
            }
            Some((value, Quality::Stale, _)) => {
                let seen = format!("was read as {value} {unit} and is too old now");
                Finding::new(Mark::Fail, &spec.tag, seen).because(trouble)
            }
            Some((value, Quality::Good, _)) => {
                let measured = matches!(
                    spec.unit,
                    Unit::Celsius | Unit::LitresPerMinute | Unit::Kilopascals | Unit::Kilowatts
                );
                let still = seen.high.to_bits() == seen.low.to_bits() && seen.good >= STILL_AFTER;
                if measured && still && spec.write.is_none() && value != 0.0 {
                    let seen = format!("has been exactly {value} {unit} in {} samples", seen.good);
                    Finding::new(Mark::Look, &spec.tag, seen)
                        .because(Some("a frozen sensor or a fixed test value".into()))
                } else {
                    Finding::new(Mark::Pass, &spec.tag, format!("reads {value} {unit}"))
                }
            }
        })
    };
    points.filter_map(finding).collect()
}
