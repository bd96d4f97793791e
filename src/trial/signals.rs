//! The narrow face between the core and a simulated plant in process: readings in, setpoints out.

use super::jobs::Queue;
use crate::safety::Commands;
use crate::site::Site;
use crate::snapshot::{Now, Quality, Reading, Snapshot};
use simulators::plant::{Plant, SignalId};

/// A stamp may be ahead of the controller's clock by this much, s, as in the field room.
const FUTURE_S: f64 = 5.0;

/// What a controller has heard: the last reading of every point, and the queue as it was last read.
#[derive(Debug, Clone, Default)]
pub(super) struct Ears {
    readings: Vec<Option<Reading>>,
    pub(super) queue: Queue,
}

/// For each point of the site, the plant's signal of the same tag.
#[derive(Debug)]
pub(super) struct Signals {
    by_point: Vec<Option<SignalId>>,
}

impl Signals {
    /// Binds a site's points to a plant's signals.
    pub(super) fn bind(site: &Site, plant: &Plant) -> Self {
        Self {
            by_point: site.points.iter().map(|point| plant.signal(&point.tag)).collect(),
        }
    }

    /// Tags of points that the plant does not have: they never report.
    pub(super) fn missing<'a>(&'a self, site: &'a Site) -> impl Iterator<Item = &'a str> {
        self.by_point
            .iter()
            .zip(&site.points)
            .filter(|(signal, _)| signal.is_none())
            .map(|(_, point)| point.tag.as_str())
    }

    /// What the sensors say now, judged as the field room judges it.
    pub(super) fn snapshot(&self, site: &Site, plant: &Plant, now: Now) -> Snapshot {
        self.hear(site, plant, &mut Ears::default(), now)
    }

    /// What the controller knows now: new samples, and the last ones of what has fallen silent, which grow stale. Judged
    /// as the field room judges it.
    pub(super) fn hear(&self, site: &Site, plant: &Plant, ears: &mut Ears, now: Now) -> Snapshot {
        ears.readings.resize(site.points.len(), None);
        for ((slot, signal), point) in ears.readings.iter_mut().zip(&self.by_point).zip(&site.points) {
            let Some(signal) = signal else { continue };
            let skew_s = plant.skew_s(*signal);
            let in_time = skew_s <= FUTURE_S && -skew_s <= point.timeout_s;
            if in_time && !plant.is_silent(*signal) {
                let value = plant.measure(*signal);
                let plausible = value >= point.plausible.0 && value <= point.plausible.1;
                let last = slot.map(|reading| reading.value);
                if let Some(value) = Some(value).filter(|value| value.is_finite()).or(last) {
                    *slot = Some(Reading {
                        value,
                        quality: if plausible { Quality::Good } else { Quality::Bad },
                        mono_ms: now.mono_ms,
                    });
                }
            } else if let Some(reading) = slot
                && reading.age_s(now) > point.timeout_s
            {
                reading.quality = Quality::Stale;
            }
        }
        Snapshot {
            now,
            readings: ears.readings.clone(),
        }
    }

    /// Writes what was commanded; a device may refuse, and its read-back then says so.
    pub(super) fn apply(&self, plant: &mut Plant, commands: &Commands) -> u64 {
        let mut refused = 0;
        for command in commands.iter() {
            let Some(signal) = self.by_point.get(command.point().0).copied().flatten() else {
                continue;
            };
            if plant.write(signal, command.value()).is_err() {
                refused += 1;
            }
        }
        refused
    }
}
