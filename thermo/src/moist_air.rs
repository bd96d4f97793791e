//! Moist air: saturation pressure, humidity, wet bulb and dew point.
//!
//! Formulas of the ASHRAE Handbook of Fundamentals (psychrometrics chapter), with the Hyland-Wexler
//! saturation pressure. The ice branch holds below 0 degC, the water branch from 0 degC up.

use crate::range::{OutOfRange, within};
use crate::{Celsius, Fraction};

/// Ratio of the molar masses of water and dry air.
const MASS_RATIO: f64 = 0.621_945;

/// Standard pressure, Pa.
pub const STANDARD_PRESSURE_PA: f64 = 101_325.0;

fn humid_air(t: Celsius, pressure_pa: f64) -> Result<f64, OutOfRange> {
    within("air pressure, Pa", pressure_pa, 30_000.0, 120_000.0)?;
    within("air temperature, degC", t.get(), -60.0, 70.0)
}

/// Saturation pressure over water (0 to 200 degC) or ice (-100 to 0 degC), Pa.
pub fn saturation_pressure_pa(temperature: Celsius) -> Result<f64, OutOfRange> {
    within("saturation temperature, degC", temperature.get(), -100.0, 200.0).map(clamped::saturation_pressure_pa)
}

/// Pressure of the standard atmosphere at a height above sea level, Pa, -500 to 11 000 m.
pub fn pressure_at_altitude_pa(altitude_m: f64) -> Result<f64, OutOfRange> {
    let z = within("altitude, m", altitude_m, -500.0, 11_000.0)?;
    Ok(STANDARD_PRESSURE_PA * libm::pow(1.0 - 2.25577e-5 * z, 5.2559))
}

/// Humidity ratio, kg of water per kg of dry air.
pub fn humidity_ratio(temperature: Celsius, humidity: Fraction, pressure_pa: f64) -> Result<f64, OutOfRange> {
    let t = humid_air(temperature, pressure_pa)?;
    Ok(clamped::humidity_ratio(t, humidity.get(), pressure_pa))
}

/// Enthalpy per kg of dry air, kJ/kg, 0 at 0 degC dry.
pub fn enthalpy_kj_kg(temperature: Celsius, humidity: Fraction, pressure_pa: f64) -> Result<f64, OutOfRange> {
    let w = humidity_ratio(temperature, humidity, pressure_pa)?;
    Ok(clamped::enthalpy_kj_kg(temperature.get(), w))
}

/// Density of moist air, kg/m3.
pub fn density_kg_m3(temperature: Celsius, humidity: Fraction, pressure_pa: f64) -> Result<f64, OutOfRange> {
    let w = humidity_ratio(temperature, humidity, pressure_pa)?;
    let t_k = temperature.get() + 273.15;
    Ok(pressure_pa * (1.0 + w) / (287.042 * t_k * (1.0 + w / MASS_RATIO)))
}

/// Thermodynamic wet bulb, by bisection between dew point and dry bulb to 0.1 mK.
pub fn wet_bulb(temperature: Celsius, humidity: Fraction, pressure_pa: f64) -> Result<Celsius, OutOfRange> {
    let t = humid_air(temperature, pressure_pa)?;
    let wet_bulb = clamped::wet_bulb_c(t, humidity.get(), pressure_pa);
    Ok(Celsius::new(wet_bulb).unwrap_or(temperature))
}

/// Wet bulb by Stull's 2011 fit, 5 to 99 % and -20 to 50 degC. Sea level only, and up to 1 K off: a first guess, never
/// a result.
pub fn wet_bulb_stull(temperature: Celsius, humidity: Fraction) -> Result<Celsius, OutOfRange> {
    let t = within("air temperature, degC", temperature.get(), -20.0, 50.0)?;
    let rh = within("relative humidity, %", humidity.get() * 100.0, 5.0, 99.0)?;
    let wet_bulb = t * libm::atan(0.151_977 * (rh + 8.313_659).sqrt()) + libm::atan(t + rh)
        - libm::atan(rh - 1.676_331)
        + 0.003_918_38 * rh * rh.sqrt() * libm::atan(0.023_101 * rh)
        - 4.686_035;
    Ok(Celsius::new(wet_bulb).unwrap_or(temperature))
}

/// Dew point, -100 degC up: the temperature at which the air's vapour saturates. Below 0 degC it is the frost point, over
/// ice, which lies above the dew point over water. Humidity below 0.1 % counts as 0.1 %.
pub fn dew_point(temperature: Celsius, humidity: Fraction) -> Result<Celsius, OutOfRange> {
    let t = within("air temperature, degC", temperature.get(), -60.0, 70.0)?;
    Ok(Celsius::new(clamped::dew_point_c(t, humidity.get())).unwrap_or(temperature))
}

/// Dew point by the Magnus form over water with the WMO's constants, -45 to 60 degC.
pub fn dew_point_magnus(temperature: Celsius, humidity: Fraction) -> Result<Celsius, OutOfRange> {
    let t = within("air temperature, degC", temperature.get(), -45.0, 60.0)?;
    let rh = within("relative humidity", humidity.get(), 0.001, 1.0)?;
    let gamma = libm::log(rh) + 17.62 * t / (243.12 + t);
    Ok(Celsius::new(243.12 * gamma / (17.62 - gamma)).unwrap_or(temperature))
}

/// The same properties on plain numbers, held at the ends of their ranges, for inner loops. NaN in is NaN out.
pub mod clamped {
    use super::MASS_RATIO;

    /// See [`super::saturation_pressure_pa`].
    pub fn saturation_pressure_pa(t_c: f64) -> f64 {
        let t_c = t_c.clamp(-100.0, 200.0);
        let t = t_c + 273.15;
        let ln_p = if t_c >= 0.0 {
            -5.800_220_6e3 / t
                + 1.391_499_3
                + t * (-4.864_023_9e-2 + t * (4.176_476_8e-5 - t * 1.445_209_3e-8))
                + 6.545_967_3 * libm::log(t)
        } else {
            -5.674_535_9e3 / t
                + 6.392_524_7
                + t * (-9.677_843e-3 + t * (6.221_570_1e-7 + t * (2.074_782_5e-9 - t * 9.484_024e-13)))
                + 4.163_501_9 * libm::log(t)
        };
        libm::exp(ln_p)
    }

    /// See [`super::humidity_ratio`]. The vapour pressure is held below the total.
    pub fn humidity_ratio(t_c: f64, humidity: f64, pressure_pa: f64) -> f64 {
        let (vapour, most) = (
            humidity.clamp(0.0, 1.0) * saturation_pressure_pa(t_c),
            0.99 * pressure_pa,
        );
        // A comparison and not f64::min, which would answer `most` for NaN.
        let vapour = if vapour > most { most } else { vapour };
        MASS_RATIO * vapour / (pressure_pa - vapour)
    }

    /// Enthalpy of air with a humidity ratio, kJ per kg of dry air.
    pub fn enthalpy_kj_kg(t_c: f64, humidity_ratio: f64) -> f64 {
        1.006 * t_c + humidity_ratio * (2501.0 + 1.86 * t_c)
    }

    /// Enthalpy of saturated air, kJ per kg of dry air.
    pub fn saturated_enthalpy_kj_kg(t_c: f64, pressure_pa: f64) -> f64 {
        enthalpy_kj_kg(t_c, humidity_ratio(t_c, 1.0, pressure_pa))
    }

    /// See [`super::wet_bulb`].
    pub fn wet_bulb_c(t_c: f64, humidity: f64, pressure_pa: f64) -> f64 {
        let w = humidity_ratio(t_c, humidity, pressure_pa);
        if w.is_nan() {
            return f64::NAN;
        }
        let (mut low, mut high) = (dew_point_c(t_c, humidity).min(t_c), t_c);
        while high - low > 1e-4 {
            let middle = 0.5 * (low + high);
            if humidity_ratio_at_wet_bulb(t_c, middle, pressure_pa) > w {
                high = middle;
            } else {
                low = middle;
            }
        }
        0.5 * (low + high)
    }

    /// The humidity ratio of air at a dry bulb whose wet bulb is given.
    pub(super) fn humidity_ratio_at_wet_bulb(t_c: f64, wet_bulb_c: f64, pressure_pa: f64) -> f64 {
        let saturated = humidity_ratio(wet_bulb_c, 1.0, pressure_pa);
        let sensible = 1.006 * (t_c - wet_bulb_c);
        if wet_bulb_c >= 0.0 {
            ((2501.0 - 2.326 * wet_bulb_c) * saturated - sensible) / (2501.0 + 1.86 * t_c - 4.186 * wet_bulb_c)
        } else {
            ((2830.0 - 0.24 * wet_bulb_c) * saturated - sensible) / (2830.0 + 1.86 * t_c - 2.1 * wet_bulb_c)
        }
    }

    /// Dew point, degC, by inversion of the saturation pressure; 1e-6 K.
    pub fn dew_point_c(t_c: f64, humidity: f64) -> f64 {
        let vapour = humidity.clamp(0.001, 1.0) * saturation_pressure_pa(t_c);
        if vapour.is_nan() {
            return f64::NAN;
        }
        let (mut low, mut high) = (-100.0_f64, t_c.max(-100.0));
        // Newton from above on ln p, which is concave in T, guarded by the bracket.
        let mut guess = high;
        for _ in 0..60 {
            let error = libm::log(saturation_pressure_pa(guess) / vapour);
            if error > 0.0 {
                high = guess;
            } else {
                low = guess;
            }
            let kelvin = guess + 273.15;
            // Clausius-Clapeyron: d ln p / dT is about L / (R T^2), with L/R near 5420 K (water) and 6140 K (ice).
            let slope = if guess >= 0.0 { 5420.0 } else { 6140.0 } / (kelvin * kelvin);
            let next = guess - error / slope;
            let next = if next > low && next < high {
                next
            } else {
                0.5 * (low + high)
            };
            if (next - guess).abs() < 1e-7 {
                return next;
            }
            guess = next;
        }
        guess
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, celsius};
    use proptest::prelude::*;

    fn rh(percent: f64) -> Fraction {
        Fraction::new(percent / 100.0).unwrap()
    }

    #[test]
    fn saturation_pressure_vectors() {
        for (t, p) in [
            (25.0, 3_169.216_470),
            (30.0, 4_246.030_244),
            (-10.0, 259.902_865),
            (0.0, 611.212_867),
        ] {
            assert_close(saturation_pressure_pa(celsius(t)).unwrap(), p, 1e-6);
        }
    }

    #[test]
    fn humidity_enthalpy_and_density_vectors() {
        let p = STANDARD_PRESSURE_PA;
        assert_close(humidity_ratio(celsius(30.0), rh(40.0), p).unwrap(), 0.010_602_8, 1e-4);
        assert_close(enthalpy_kj_kg(celsius(30.0), rh(40.0), p).unwrap(), 57.2892, 1e-4);
        assert_close(density_kg_m3(celsius(30.0), rh(40.0), p).unwrap(), 1.157_05, 1e-4);
        assert_close(humidity_ratio(celsius(20.0), rh(50.0), p).unwrap(), 0.007_261_7, 1e-4);
        assert_close(enthalpy_kj_kg(celsius(20.0), rh(50.0), p).unwrap(), 38.5517, 1e-4);
        assert_close(pressure_at_altitude_pa(1500.0).unwrap(), 84_555.93, 1e-6);
    }

    #[test]
    fn wet_bulb_vectors() {
        let p = STANDARD_PRESSURE_PA;
        for (t, percent, pressure, expect) in [
            (20.0, 50.0, p, 13.783_554),
            (30.0, 40.0, p, 20.064_347),
            (35.0, 30.0, p, 21.523_556),
            (25.0, 80.0, p, 22.379_960),
            (-5.0, 70.0, p, -6.334_615),
            (30.0, 40.0, 84_556.0, 19.509_771),
        ] {
            assert_close(wet_bulb(celsius(t), rh(percent), pressure).unwrap().get(), expect, 1e-4);
        }
    }

    #[test]
    fn stull_vectors() {
        for (t, percent, expect) in [
            (20.0, 50.0, 13.699_342),
            (30.0, 40.0, 20.449_202),
            (35.0, 30.0, 22.144_022),
            (25.0, 80.0, 22.329_503),
            (-5.0, 70.0, -7.010_244),
        ] {
            assert_close(wet_bulb_stull(celsius(t), rh(percent)).unwrap().get(), expect, 1e-4);
        }
    }

    #[test]
    fn dew_point_vectors() {
        for (t, percent, expect) in [
            (20.0, 50.0, 9.255_175),
            (25.0, 60.0, 16.693_149),
            (24.0, 45.0, 11.330_423),
            (27.0, 60.0, 18.570_707),
            (35.0, 30.0, 14.836_377),
        ] {
            assert_close(dew_point_magnus(celsius(t), rh(percent)).unwrap().get(), expect, 1e-4);
        }
        assert_close(dew_point(celsius(27.0), rh(60.0)).unwrap().get(), 18.5767, 1e-4);
    }

    #[test]
    fn ranges_are_enforced() {
        assert!(wet_bulb(celsius(20.0), rh(50.0), 1000.0).is_err());
        assert!(saturation_pressure_pa(celsius(-120.0)).is_err());
        assert!(wet_bulb_stull(celsius(20.0), rh(2.0)).is_err());
    }

    #[test]
    fn nan_stays_nan() {
        let p = STANDARD_PRESSURE_PA;
        for (t, humidity, pressure) in [(f64::NAN, 0.5, p), (20.0, f64::NAN, p), (20.0, 0.5, f64::NAN)] {
            assert!(clamped::humidity_ratio(t, humidity, pressure).is_nan());
            assert!(clamped::wet_bulb_c(t, humidity, pressure).is_nan());
        }
        assert!(clamped::dew_point_c(f64::NAN, 0.5).is_nan());
        assert!(clamped::dew_point_c(20.0, f64::NAN).is_nan());
    }

    #[test]
    fn saturated_air_has_one_temperature() {
        for t in [-15.0, 4.0, 20.0, 40.0] {
            assert_close(
                wet_bulb(celsius(t), rh(100.0), STANDARD_PRESSURE_PA).unwrap().get(),
                t,
                1e-4,
            );
            assert_close(dew_point(celsius(t), rh(100.0)).unwrap().get(), t, 1e-6);
        }
    }

    proptest! {
        #[test]
        fn wet_bulb_lies_between_dew_point_and_dry_bulb(
            t in -20.0..50.0f64, percent in 1.0..100.0f64, p in 70_000.0..105_000.0f64,
        ) {
            let wet = wet_bulb(celsius(t), rh(percent), p).unwrap().get();
            let dew = dew_point(celsius(t), rh(percent)).unwrap().get();
            prop_assert!(dew - 1e-3 <= wet && wet <= t + 1e-3, "{dew}, {wet}, {t}");
        }

        /// The bracket alone would keep the order above: this one sees a search that stopped at the wrong place.
        #[test]
        fn wet_bulb_solves_its_own_equation(
            t in -20.0..50.0f64, percent in 1.0..100.0f64, p in 70_000.0..105_000.0f64,
        ) {
            let wet = wet_bulb(celsius(t), rh(percent), p).unwrap().get();
            let ratio = |wet_bulb_c| clamped::humidity_ratio_at_wet_bulb(t, wet_bulb_c, p);
            let w = humidity_ratio(celsius(t), rh(percent), p).unwrap();
            // At 0 degC the equation steps from the ice branch to the water branch: the solution may lie on the step.
            prop_assert!(wet.abs() < 2e-4 || (ratio(wet) - w).abs() < 1e-6, "{} for {w}", ratio(wet));
        }

        #[test]
        fn dew_point_inverts_saturation_pressure(t in -30.0..60.0f64, percent in 0.5..100.0f64) {
            let dew = dew_point(celsius(t), rh(percent)).unwrap();
            let vapour = percent / 100.0 * saturation_pressure_pa(celsius(t)).unwrap();
            let ratio = saturation_pressure_pa(dew).unwrap() / vapour;
            // The two branches differ by 1e-4 where they meet, at 0 degC.
            let tolerance = if dew.get().abs() < 1e-3 { 2e-4 } else { 1e-7 };
            prop_assert!((ratio - 1.0).abs() < tolerance, "{ratio}");
        }
    }
}
