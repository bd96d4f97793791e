//! The units in which devices report, and how they become canonical.

use thermo::Unit;

/// A device's unit: canonical = value x `scale` + `offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DeviceUnit {
    pub canonical: Unit,
    pub scale: f64,
    pub offset: f64,
}

impl DeviceUnit {
    /// The names, for error messages.
    pub(crate) const NAMES: &'static str = "degC, degF, K_difference, L/min, m3/h, gpm, kPa, Pa, bar, psi, kW, W, MW, \
         kWh, Wh, MWh, L, m3, fraction, percent, uS/cm, s, ms, flag, count, g/kWh, \
         per_kWh, per_MWh";

    /// The unit of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let unit = |canonical, scale| {
            Some(Self {
                canonical,
                scale,
                offset: 0.0,
            })
        };
        match name {
            "degC" => unit(Unit::Celsius, 1.0),
            "degF" => Some(Self {
                canonical: Unit::Celsius,
                scale: 5.0 / 9.0,
                offset: -160.0 / 9.0,
            }),
            "K_difference" => unit(Unit::KelvinDelta, 1.0),
            "L/min" => unit(Unit::LitresPerMinute, 1.0),
            "m3/h" => unit(Unit::LitresPerMinute, 1000.0 / 60.0),
            // US gallon: 3.785411784 L.
            "gpm" => unit(Unit::LitresPerMinute, 3.785_411_784),
            "kPa" => unit(Unit::Kilopascals, 1.0),
            "Pa" => unit(Unit::Kilopascals, 0.001),
            "bar" => unit(Unit::Kilopascals, 100.0),
            "psi" => unit(Unit::Kilopascals, 6.894_757_293_168),
            "kW" => unit(Unit::Kilowatts, 1.0),
            "W" => unit(Unit::Kilowatts, 0.001),
            "MW" => unit(Unit::Kilowatts, 1000.0),
            "kWh" => unit(Unit::KilowattHours, 1.0),
            "Wh" => unit(Unit::KilowattHours, 0.001),
            "MWh" => unit(Unit::KilowattHours, 1000.0),
            "L" => unit(Unit::Litres, 1.0),
            "m3" => unit(Unit::Litres, 1000.0),
            "fraction" => unit(Unit::Fraction, 1.0),
            "percent" => unit(Unit::Fraction, 0.01),
            "uS/cm" => unit(Unit::Microsiemens, 1.0),
            "s" => unit(Unit::Seconds, 1.0),
            "ms" => unit(Unit::Seconds, 0.001),
            "flag" => unit(Unit::Flag, 1.0),
            "count" => unit(Unit::Count, 1.0),
            "g/kWh" => unit(Unit::GramsPerKwh, 1.0),
            "per_kWh" => unit(Unit::PricePerKwh, 1.0),
            "per_MWh" => unit(Unit::PricePerKwh, 0.001),
            _ => None,
        }
    }

    pub(crate) fn to_canonical(self, value: f64) -> f64 {
        value * self.scale + self.offset
    }

    /// The smallest and the largest value that a quantity can have, in this unit; infinite where there is none.
    pub(crate) fn range(self) -> (f64, f64) {
        let (least, most) = self.canonical.range();
        // To a millionth, so that absolute zero is -459.67 degF and not a trace beside it.
        let here = |value: f64| ((value - self.offset) / self.scale * 1e6).round() / 1e6;
        (here(least), here(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_message_is_known() {
        for name in DeviceUnit::NAMES.split(',') {
            assert!(DeviceUnit::named(name.trim()).is_some(), "{name}");
        }
    }

    #[test]
    fn conversions() {
        let convert = |name, value| DeviceUnit::named(name).unwrap().to_canonical(value);
        assert!((convert("degF", 212.0) - 100.0).abs() < 1e-9);
        assert!((convert("gpm", 100.0) - 378.541).abs() < 1e-3);
        assert!((convert("psi", 1.0) - 6.894_76).abs() < 1e-5);
        assert!((convert("m3/h", 6.0) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn limits_in_the_unit_of_the_device() {
        let range = |name| DeviceUnit::named(name).unwrap().range();
        assert_eq!(range("percent"), (0.0, 100.0));
        assert_eq!(range("degF"), (-459.67, f64::INFINITY));
        assert_eq!(range("W"), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
