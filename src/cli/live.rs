//! A plant seen by the field alone, for tools that look at it without a controller.

use super::Failure;
use crate::field::Field;
use crate::service::clock::{Clock, Origin};
use crate::site::Site;
use crate::snapshot::{Now, Snapshot};
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::time::Duration;

/// The links to a plant, and the clock.
pub(super) struct Live {
    pub site: Arc<Site>,
    pub field: Field,
    clock: Clock,
}

impl Live {
    /// Starts the links; within a runtime.
    pub(super) fn start(site: Site) -> Result<Self, Failure> {
        let zone = TimeZone::get(&site.time_zone).map_err(|error| Failure::of("find the time zone", &error))?;
        let clock = Clock::new(zone, 0, 1.0, Origin::now());
        let site = Arc::new(site);
        let now = {
            let clock = clock.clone();
            Arc::new(move || clock.now())
        };
        let field = Field::start(Arc::clone(&site), now, 1.0);
        Ok(Self { site, field, clock })
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Real time for a span of plant time.
    pub(super) fn real(&self, plant_s: f64) -> Duration {
        self.clock.real(plant_s)
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.field.take_snapshot(self.now())
    }
}
