//! Points: the binding of an equipment's quantity to a device's profile.
//!
//! A point's tag is `<equipment>.<quantity>`, such as `cdu1.secondary_flow`: the one vocabulary from
//! the configuration to the metrics and the dashboards. [`Point`] carries the quantity's type, so
//! that a temperature cannot be read as a flow.

use super::ids::{DeviceId, EquipmentId, PointId, ZoneId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;
use thermo::{
    Celsius, Count, Flag, Fraction, GramsPerKwh, KelvinDelta, Kilopascals, KilowattHours, Kilowatts, Litres,
    LitresPerMinute, Microsiemens, PricePerKwh, Quantity, Seconds, Unit,
};

/// A handle to a point whose readings are of quantity `Q`.
pub struct Point<Q> {
    id: PointId,
    quantity: PhantomData<fn() -> Q>,
}

impl<Q> Point<Q> {
    /// The untyped handle, an index into [`super::Site::points`].
    pub const fn id(self) -> PointId {
        self.id
    }
}

impl<Q: Quantity> Point<Q> {
    /// A typed handle; the caller has checked that the point's unit is `Q`'s.
    pub(super) const fn bound(id: PointId) -> Self {
        Self {
            id,
            quantity: PhantomData,
        }
    }
}

impl<Q> Clone for Point<Q> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<Q> Copy for Point<Q> {}
impl<Q> fmt::Debug for Point<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Point({})", self.id.0)
    }
}

/// All that is known of one point.
#[derive(Debug, Clone)]
pub struct PointSpec {
    /// `<equipment>.<quantity>`.
    pub tag: String,
    /// The equipment that it belongs to.
    pub equipment: EquipmentId,
    /// The zone of that equipment.
    pub zone: ZoneId,
    /// The quantity's name in the vocabulary, such as `secondary_flow`.
    pub quantity: String,
    /// Unit of every value of this point.
    pub unit: Unit,
    /// The device that carries it.
    pub device: DeviceId,
    /// Its index in the device's profile.
    pub profile_point: usize,
    /// Whether control in the zone needs it: until it has reported, and whenever it is lost, the zone is in failsafe.
    pub required: bool,
    /// Readings older than this are lost, in seconds.
    pub timeout_s: f64,
    /// How fast the true value may move away from the last reading, in its unit per second: the worst case of an
    /// ageing reading is the reading plus or minus age times this.
    pub slew_per_s: f64,
    /// Smallest and largest plausible value.
    pub plausible: (f64, f64),
    /// What may be written, where the point is writable.
    pub write: Option<WriteSpec>,
}

/// Bounds and manners of a writable point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WriteSpec {
    /// Smallest value ever written.
    pub min: f64,
    /// Largest value ever written.
    pub max: f64,
    /// The value of release: what the plant as found runs at, written on shutdown and demotion.
    pub release: f64,
    /// Which way is more cooling.
    pub more_cooling: Direction,
    /// Largest rise per minute.
    pub rise_per_min: f64,
    /// Largest fall per minute.
    pub fall_per_min: f64,
    /// Half-width of the band around the present setpoint in bounded authority.
    pub bounded_band: f64,
}

impl WriteSpec {
    /// The bound with the most cooling; for a neutral point its release value.
    pub const fn most_cooling(&self) -> f64 {
        match self.more_cooling {
            Direction::Up => self.max,
            Direction::Down => self.min,
            Direction::Neutral => self.release,
        }
    }

    /// The one of `a` and `b` that cools more; for a neutral point `a`.
    pub fn cooler(&self, a: f64, b: f64) -> f64 {
        match self.more_cooling {
            Direction::Up => a.max(b),
            Direction::Down => a.min(b),
            Direction::Neutral => a,
        }
    }
}

/// Which way a setpoint moves towards more cooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A larger value cools more: flow, pressure, speed, enable.
    Up,
    /// A smaller value cools more: temperature setpoints.
    Down,
    /// Neither: heartbeats and heat export.
    Neutral,
}

/// The direction of more cooling of a writable quantity, by the vocabulary.
pub fn more_cooling(quantity: &str) -> Direction {
    if quantity.ends_with("temperature_setpoint") {
        Direction::Down
    } else if matches!(quantity, "heartbeat" | "valve_setpoint") {
        Direction::Neutral
    } else {
        Direction::Up
    }
}

macro_rules! point_sets {
    ($($(#[$doc:meta])* $set:ident { $($(#[$field_doc:meta])* $name:ident: $quantity:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub struct $set {
            $($(#[$field_doc])* pub $name: Option<Point<$quantity>>,)*
        }
        impl $set {
            /// The quantities of this equipment class, with their units.
            pub const VOCABULARY: &[(&str, Unit)] = &[$((stringify!($name), <$quantity as Quantity>::UNIT),)*];

            /// Binds each quantity to the point that `find` answers for its name and unit.
            pub(crate) fn bind(mut find: impl FnMut(&str, Unit) -> Option<PointId>) -> Self {
                Self { $($name: find(stringify!($name), <$quantity as Quantity>::UNIT).map(Point::bound),)* }
            }
        }
    )*};
}

point_sets! {
    /// Points of a coolant distribution unit.
    CduPoints {
        /// Coolant to the racks.
        secondary_supply_temperature: Celsius,
        /// Coolant from the racks.
        secondary_return_temperature: Celsius,
        /// Coolant flow to the racks.
        secondary_flow: LitresPerMinute,
        /// Pressure difference over the rack manifolds.
        secondary_differential_pressure: Kilopascals,
        /// Facility water into the exchanger.
        primary_supply_temperature: Celsius,
        /// Facility water out of the exchanger.
        primary_return_temperature: Celsius,
        /// Facility-water flow.
        primary_flow: LitresPerMinute,
        /// Secondary pump speed.
        pump_speed: Fraction,
        /// Primary control valve.
        primary_valve_position: Fraction,
        /// Electric power of the unit.
        power: Kilowatts,
        /// Leak alarm.
        leak: Flag,
        /// How bad the leak is by the device's own judgement: 0 none, 1 minor, 2 major, 3 critical.
        leak_level: Count,
        /// The leak sensor is broken: that is no leak.
        leak_sensor_fault: Flag,
        /// The unit runs on its own default setpoints.
        local_control: Flag,
        /// Time without a heartbeat after which the unit returns to its own defaults.
        comms_timeout: Seconds,
        /// Setpoint of the coolant to the racks.
        secondary_supply_temperature_setpoint: Celsius,
        /// Setpoint of the pressure difference over the rack manifolds.
        secondary_differential_pressure_setpoint: Kilopascals,
        /// Heartbeat counter that we write.
        heartbeat: Count,
    }
    /// Points of a rack.
    RackPoints {
        /// Electric power into the rack.
        power: Kilowatts,
        /// Coolant into the rack.
        liquid_supply_temperature: Celsius,
        /// Coolant out of the rack.
        liquid_return_temperature: Celsius,
        /// Coolant flow.
        liquid_flow: LitresPerMinute,
        /// Distance of the hottest chip to its throttle limit.
        chip_margin: KelvinDelta,
        /// Leak alarm.
        leak: Flag,
        /// See [`CduPoints::leak_level`].
        leak_level: Count,
        /// See [`CduPoints::leak_sensor_fault`].
        leak_sensor_fault: Flag,
    }
    /// Points of a facility-water loop's pump skid.
    LoopPoints {
        /// Water to the CDUs and air units.
        supply_temperature: Celsius,
        /// Water back from them.
        return_temperature: Celsius,
        /// Total flow.
        flow: LitresPerMinute,
        /// Pressure difference between the headers.
        differential_pressure: Kilopascals,
        /// Speed of the running pumps.
        pump_speed: Fraction,
        /// Number of running pumps.
        pumps_running: Count,
        /// Electric power of the skid.
        power: Kilowatts,
        /// The skid runs on its own default setpoint.
        local_control: Flag,
        /// See [`CduPoints::comms_timeout`].
        comms_timeout: Seconds,
        /// Setpoint of the pressure difference; the skid's own loop turns it into pump speed and staging.
        differential_pressure_setpoint: Kilopascals,
        /// Heartbeat counter that we write.
        heartbeat: Count,
    }
    /// Points of a heat-rejection unit: tower cell, dry cooler or chiller.
    RejectionPoints {
        /// Water that leaves the unit.
        leaving_temperature: Celsius,
        /// Fan speed.
        fan_speed: Fraction,
        /// Electric power.
        power: Kilowatts,
        /// Basin conductivity.
        conductivity: Microsiemens,
        /// Make-up water counter.
        makeup_volume: Litres,
        /// Blowdown counter.
        blowdown_volume: Litres,
        /// Spray water counter of an adiabatic cooler.
        water_volume: Litres,
        /// Spray of an adiabatic cooler.
        spray_on: Flag,
        /// The unit runs.
        running: Flag,
        /// The unit runs on its own defaults.
        local_control: Flag,
        /// See [`CduPoints::comms_timeout`].
        comms_timeout: Seconds,
        /// Whether the unit is asked to run.
        enable: Flag,
        /// Setpoint of the water that leaves; the unit's own loop turns it into fan or compressor speed.
        supply_temperature_setpoint: Celsius,
        /// Heartbeat counter that we write.
        heartbeat: Count,
    }
    /// Points of a heat-reuse exchanger.
    ReusePoints {
        /// Share of the loop's return flow that goes through the exchanger.
        valve_position: Fraction,
        /// Heat handed over.
        heat: Kilowatts,
        /// Network water that leaves the exchanger, to the district.
        network_supply_temperature: Celsius,
        /// Network water from the district.
        network_return_temperature: Celsius,
        /// Facility water that leaves the exchanger.
        facility_leaving_temperature: Celsius,
        /// The unit runs on its own default.
        local_control: Flag,
        /// See [`CduPoints::comms_timeout`].
        comms_timeout: Seconds,
        /// Asked share of the loop's return flow.
        valve_setpoint: Fraction,
        /// Heartbeat counter that we write.
        heartbeat: Count,
    }
    /// Points of an air unit and the room that it serves.
    AirUnitPoints {
        /// Air from the unit.
        supply_air_temperature: Celsius,
        /// Air back to the unit.
        return_air_temperature: Celsius,
        /// Room air, where condensation would form.
        room_temperature: Celsius,
        /// Relative humidity of the room air.
        room_relative_humidity: Fraction,
        /// Fan speed.
        fan_speed: Fraction,
        /// Electric power.
        power: Kilowatts,
        /// The unit runs on its own defaults.
        local_control: Flag,
        /// See [`CduPoints::comms_timeout`].
        comms_timeout: Seconds,
        /// Setpoint of the air from the unit.
        supply_air_temperature_setpoint: Celsius,
        /// Asked fan speed.
        fan_speed_setpoint: Fraction,
        /// Heartbeat counter that we write.
        heartbeat: Count,
    }
    /// Points of the weather station.
    WeatherPoints {
        /// Outdoor dry bulb.
        dry_bulb: Celsius,
        /// Outdoor relative humidity.
        relative_humidity: Fraction,
        /// Barometric pressure.
        pressure: Kilopascals,
    }
    /// Points of a feed of the grid's carbon intensity and of prices.
    FeedPoints {
        /// Average carbon intensity of the grid.
        carbon_location: GramsPerKwh,
        /// Carbon intensity of the electricity by contract.
        carbon_market: GramsPerKwh,
        /// Carbon intensity of a change in demand.
        carbon_marginal: GramsPerKwh,
        /// Price of electricity; may be negative.
        energy_price: PricePerKwh,
    }
    /// Points of the building system, for us.
    BuildingPoints {
        /// A number that the building system changes every 10 s while it lives.
        building_heartbeat: Count,
        /// A hard-wired input: on while we may write.
        enable_input: Flag,
        /// A hard-wired or operator's override: on while we must not write.
        override_input: Flag,
    }
    /// Points of a power, water or heat meter.
    MeterPoints {
        /// Power, electric or thermal.
        power: Kilowatts,
        /// Energy counter.
        energy: KilowattHours,
        /// Flow.
        flow: LitresPerMinute,
        /// Volume counter.
        volume: Litres,
        /// Supply temperature of a heat meter.
        supply_temperature: Celsius,
        /// Return temperature of a heat meter.
        return_temperature: Celsius,
    }
}
