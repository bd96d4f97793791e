//! Handles to a site's parts: each is an index into the [`super::Site`] vector of the same name.

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub usize);
    )*};
}

ids! {
    /// A point, index into `Site::points`.
    PointId
    /// A device link, index into `Site::devices`.
    DeviceId
    /// A control zone.
    ZoneId
    /// A facility-water loop.
    LoopId
    /// A coolant distribution unit.
    CduId
    /// A rack.
    RackId
    /// A heat-rejection unit: tower cell, dry cooler or chiller.
    RejectionId
    /// A heat-reuse exchanger.
    ReuseId
    /// An air unit.
    AirUnitId
    /// A meter.
    MeterId
}

/// Any piece of equipment that carries points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EquipmentId {
    /// The pump skid of a facility-water loop.
    Loop(LoopId),
    /// A CDU.
    Cdu(CduId),
    /// A rack.
    Rack(RackId),
    /// A heat-rejection unit.
    Rejection(RejectionId),
    /// A heat-reuse exchanger.
    Reuse(ReuseId),
    /// An air unit.
    AirUnit(AirUnitId),
    /// A meter.
    Meter(MeterId),
    /// The weather station.
    Weather,
    /// The feed of grid carbon and prices.
    Feed,
    /// The building system.
    Building,
}
