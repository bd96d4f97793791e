//! Physical quantities as types, and the properties of water, glycol and moist air.
//!
//! Everything here is pure and deterministic: no clock, no I/O, and transcendental functions come
//! from `libm`, whose results do not vary by platform or compiler version.
//!
//! - [`quantity`]: one type per quantity that crosses a wall between rooms.
//! - [`water`], [`glycol`]: coolant density, heat capacity, viscosity; [`coolant`] chooses between them.
//! - [`moist_air`]: saturation pressure, humidity ratio, wet bulb, dew point.

pub mod coolant;
pub mod glycol;
pub mod moist_air;
pub mod quantity;
mod range;
pub mod water;

pub use coolant::Coolant;
pub use quantity::{
    Celsius, Count, Flag, Fraction, GramsPerKwh, KelvinDelta, Kilopascals, KilowattHours, Kilowatts, Litres,
    LitresPerMinute, Microsiemens, PricePerKwh, Quantity, Seconds, Unit,
};
pub use range::OutOfRange;

#[cfg(test)]
mod testing {
    use crate::Celsius;

    pub(crate) fn celsius(t_c: f64) -> Celsius {
        Celsius::new(t_c).unwrap()
    }

    #[track_caller]
    pub(crate) fn assert_close(found: f64, expected: f64, relative: f64) {
        assert!(
            (found - expected).abs() <= relative * expected.abs(),
            "{found}, expected {expected}"
        );
    }
}
