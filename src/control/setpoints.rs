//! A plan in the making.

use crate::site::{Point, PointId, Site};
use crate::snapshot::Setpoint;

/// Collects setpoints within their bounds; what is not put stays at its release value, so that a plan is complete.
#[derive(Debug)]
pub(super) struct Setpoints<'a> {
    site: &'a Site,
    values: Vec<Option<f64>>,
}

impl<'a> Setpoints<'a> {
    /// Every writable point but the heartbeats at its release value.
    pub(super) fn new(site: &'a Site) -> Self {
        let release =
            |spec: &crate::site::PointSpec| Some(spec.write.filter(|_| spec.quantity != "heartbeat")?.release);
        Self {
            site,
            values: site.points.iter().map(release).collect(),
        }
    }

    /// Puts a value for a point that exists and can be written, held within the point's bounds.
    pub(super) fn put<Q>(&mut self, point: Option<Point<Q>>, value: f64) {
        let Some(id) = point.map(Point::id) else { return };
        let write = self.site.points.get(id.0).and_then(|spec| spec.write);
        if let (Some(write), Some(Some(slot))) = (write, self.values.get_mut(id.0)) {
            // A value that is not a number would have the whole plan rejected: the plant as found is better.
            *slot = if value.is_finite() {
                value.clamp(write.min, write.max)
            } else {
                write.release
            };
        }
    }

    /// The setpoints, in the order of points.
    pub(super) fn complete(self) -> Vec<Setpoint> {
        let values = self.values.into_iter().enumerate();
        values
            .filter_map(|(id, value)| {
                Some(Setpoint {
                    point: PointId(id),
                    value: value?,
                })
            })
            .collect()
    }
}
