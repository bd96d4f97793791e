//! The narrow face between the core and a simulated plant in process: readings in, setpoints out.

use crate::safety::Commands;
use crate::site::Site;
use crate::snapshot::{Now, Quality, Reading, Snapshot};
use simulators::plant::{Plant, SignalId};

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
    pub(super) fn snapshot(&self, site: &Site, plant: &mut Plant, now: Now) -> Snapshot {
        let mut snapshot = Snapshot::empty(site.points.len(), now);
        for ((slot, signal), point) in snapshot.readings.iter_mut().zip(&self.by_point).zip(&site.points) {
            let Some(signal) = signal else { continue };
            let value = plant.measure(*signal);
            if value.is_finite() {
                let plausible = value >= point.plausible.0 && value <= point.plausible.1;
                let quality = if plausible { Quality::Good } else { Quality::Bad };
                *slot = Some(Reading {
                    value,
                    quality,
                    mono_ms: now.mono_ms,
                });
            }
        }
        snapshot
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
