//! Physical quantities as types, and the properties of water, glycol and moist air.
//!
//! Everything here is pure and deterministic: no clock, no I/O, and transcendental functions come
//! from `libm`, whose results do not vary by platform or compiler version.
//!
//! - [`quantity`]: one type per quantity that crosses a wall between rooms.
//! - [`water`], [`glycol`]: coolant density, heat capacity, viscosity.
//! - [`moist_air`]: saturation pressure, humidity ratio, wet bulb, dew point.

pub mod quantity;

pub use quantity::{
    Celsius, Count, Flag, Fraction, GramsPerKwh, KelvinDelta, KilowattHours, Kilopascals, Kilowatts, Litres, LitresPerMinute,
    Microsiemens, PricePerKwh, Quantity, Seconds, Unit,
};
/// c
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all="snake_case")]
pub enum Coolant { /// w
 Water, /// p
 Pg25 }
