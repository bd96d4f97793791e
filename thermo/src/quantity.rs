//! One type per physical quantity that crosses a wall between rooms.
//!
//! A value of any of these types is finite: the constructors refuse NaN and infinities, so code
//! behind a wall never has to ask. Only physically meaningful operators exist: two temperatures
//! cannot be added, but their difference is a [`KelvinDelta`].
//!
//! ```compile_fail
//! let a = thermo::Celsius::new(20.0).unwrap();
//! let b = thermo::Celsius::new(25.0).unwrap();
//! let _nonsense = a + b; // two temperatures have no sum
//! ```
//! ```
//! let supply = thermo::Celsius::new(20.0).unwrap();
//! let ret = thermo::Celsius::new(30.5).unwrap();
//! assert_eq!((ret - supply).get(), 10.5);
//! assert_eq!(supply + (ret - supply), ret);
//! ```

use core::fmt;
use core::ops::{Add, Sub};
use serde::{Deserialize, Deserializer, Serialize};

/// The canonical unit of a quantity: the one unit in which its value is stored, logged and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Degrees Celsius.
    Celsius,
    /// Kelvin, as a difference of two temperatures.
    KelvinDelta,
    /// Litres per minute.
    LitresPerMinute,
    /// Kilopascals.
    Kilopascals,
    /// Kilowatts.
    Kilowatts,
    /// Kilowatt-hours.
    KilowattHours,
    /// Litres.
    Litres,
    /// A share from 0 to 1: speed, valve position, relative humidity.
    Fraction,
    /// Microsiemens per centimetre: water conductivity.
    Microsiemens,
    /// Seconds.
    Seconds,
    /// 0 or 1.
    Flag,
    /// A whole number without a unit, such as a heartbeat counter.
    Count,
    /// Grams of CO2 equivalent per kilowatt-hour.
    GramsPerKwh,
    /// Money per kilowatt-hour, in the site's currency; may be negative.
    PricePerKwh,
}

impl Unit {
    /// The symbol shown beside a value, such as `degC` or `L/min`.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Celsius => "degC",
            Self::KelvinDelta => "K",
            Self::LitresPerMinute => "L/min",
            Self::Kilopascals => "kPa",
            Self::Kilowatts => "kW",
            Self::KilowattHours => "kWh",
            Self::Litres => "L",
            Self::Fraction | Self::Flag | Self::Count => "",
            Self::Microsiemens => "uS/cm",
            Self::Seconds => "s",
            Self::GramsPerKwh => "g/kWh",
            Self::PricePerKwh => "1/kWh",
        }
    }

    /// The smallest and the largest value that a quantity of this unit can have.
    pub const fn range(self) -> (f64, f64) {
        match self {
            Self::Celsius => (-273.15, f64::MAX),
            Self::Fraction | Self::Flag => (0.0, 1.0),
            Self::Microsiemens | Self::Count | Self::GramsPerKwh => (0.0, f64::MAX),
            Self::KelvinDelta
            | Self::LitresPerMinute
            | Self::Kilopascals
            | Self::Kilowatts
            | Self::KilowattHours
            | Self::Litres
            | Self::Seconds
            | Self::PricePerKwh => (f64::MIN, f64::MAX),
        }
    }

    /// What to write for a value of this unit, for error messages.
    fn wanted(self) -> String {
        match self.range() {
            (low, high) if high < f64::MAX => format!("a number from {low} to {high}"),
            (low, _) if low > f64::MIN => format!("a number from {low} up"),
            _ => "a finite number".into(),
        }
    }
}

/// What every quantity type can do.
pub trait Quantity: Copy + fmt::Debug {
    /// The unit in which [`Quantity::get`] answers.
    const UNIT: Unit;
    /// A quantity from its canonical unit; `None` where the value is not finite or outside the type's range.
    fn new(value: f64) -> Option<Self>;
    /// The value in its canonical unit.
    fn get(self) -> f64;
}

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
        #[serde(transparent)]
        pub struct $name(f64);

        impl $name {
            /// The quantity, or `None` where `value` is not finite or outside the range of the unit.
            pub const fn new(value: f64) -> Option<Self> {
                let (low, high) = Unit::$name.range();
                if value >= low && value <= high { Some(Self(value)) } else { None }
            }
            /// The value in the type's unit.
            pub const fn get(self) -> f64 { self.0 }
            /// The smaller of two.
            #[must_use]
            pub const fn min(self, other: Self) -> Self { if other.0 < self.0 { other } else { self } }
            /// The larger of two.
            #[must_use]
            pub const fn max(self, other: Self) -> Self { if other.0 > self.0 { other } else { self } }
        }

        impl Quantity for $name {
            const UNIT: Unit = Unit::$name;
            fn new(value: f64) -> Option<Self> { Self::new(value) }
            fn get(self) -> f64 { self.0 }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = f64::deserialize(deserializer)?;
                Self::new(value).ok_or_else(|| serde::de::Error::custom(format_args!(
                    "{value} is not a {}: write {}", stringify!($name), Unit::$name.wanted()
                )))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let precision = f.precision().unwrap_or(2);
                write!(f, "{:.precision$} {}", self.0, Unit::$name.symbol())
            }
        }
    )*};
}

quantities! {
    /// A temperature in degrees Celsius, from absolute zero up.
    Celsius;
    /// A difference of two temperatures in kelvin.
    KelvinDelta;
    /// A volume flow in litres per minute; negative is backwards.
    LitresPerMinute;
    /// A pressure or pressure difference in kilopascals.
    Kilopascals;
    /// A power in kilowatts, electric or thermal.
    Kilowatts;
    /// An energy in kilowatt-hours.
    KilowattHours;
    /// A volume in litres.
    Litres;
    /// A share from 0 to 1.
    Fraction;
    /// Water conductivity in microsiemens per centimetre.
    Microsiemens;
    /// A duration in seconds.
    Seconds;
    /// A switch or an alarm: 0 is off, 1 is on.
    Flag;
    /// A whole number without a unit: counters, heartbeats, status words.
    Count;
    /// Carbon intensity in grams of CO2 equivalent per kilowatt-hour.
    GramsPerKwh;
    /// A price per kilowatt-hour in the site's currency; negative prices are real.
    PricePerKwh;
}

impl Flag {
    /// Whether the switch is on (half way or more).
    pub const fn is_on(self) -> bool {
        self.0 >= 0.5
    }
}

impl Sub for Celsius {
    type Output = KelvinDelta;
    fn sub(self, other: Self) -> KelvinDelta {
        KelvinDelta(self.0 - other.0)
    }
}

impl Add<KelvinDelta> for Celsius {
    type Output = Self;
    /// Saturates at absolute zero, so that the result is a temperature whatever the difference.
    fn add(self, delta: KelvinDelta) -> Self {
        Self((self.0 + delta.0).max(-273.15))
    }
}

impl Sub<KelvinDelta> for Celsius {
    type Output = Self;
    /// Saturates at absolute zero, so that the result is a temperature whatever the difference.
    fn sub(self, delta: KelvinDelta) -> Self {
        Self((self.0 - delta.0).max(-273.15))
    }
}

macro_rules! additive {
    ($($name:ident)*) => {$(
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self { Self(self.0 + other.0) }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self { Self(self.0 - other.0) }
        }
        impl core::iter::Sum for $name {
            fn sum<I: Iterator<Item = Self>>(parts: I) -> Self { Self(parts.map(|part| part.0).sum()) }
        }
    )*};
}

additive!(KelvinDelta LitresPerMinute Kilopascals Kilowatts KilowattHours Litres Seconds);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn constructors_refuse_what_is_not_a_number_or_out_of_range() {
        assert_eq!(Celsius::new(f64::NAN), None);
        assert_eq!(Celsius::new(f64::INFINITY), None);
        assert_eq!(Celsius::new(-273.16), None);
        assert_eq!(Fraction::new(1.01), None);
        assert!(Fraction::new(1.0).is_some());
        assert!(PricePerKwh::new(-0.05).is_some());
    }

    #[test]
    fn display_carries_the_unit() {
        assert_eq!(Celsius::new(21.256).map(|t| t.to_string()), Some("21.26 degC".into()));
        assert_eq!(
            LitresPerMinute::new(100.0).map(|f| format!("{f:.0}")),
            Some("100 L/min".into())
        );
    }

    #[test]
    fn a_refused_value_says_what_to_write() {
        use serde::de::{IntoDeserializer, value::Error};
        let read = |value: f64| Fraction::deserialize(IntoDeserializer::<Error>::into_deserializer(value));
        assert_eq!(read(0.5).map(Fraction::get), Ok(0.5));
        assert_eq!(
            read(1.5).unwrap_err().to_string(),
            "1.5 is not a Fraction: write a number from 0 to 1"
        );
    }

    proptest! {
        #[test]
        fn a_difference_added_back_restores_the_temperature(a in -200.0..400.0f64, b in -200.0..400.0f64) {
            let (a, b) = (Celsius(a), Celsius(b));
            prop_assert!(((b + (a - b)).get() - a.get()).abs() < 1e-9);
        }
    }
}
