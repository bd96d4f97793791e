//! Liquid water at about atmospheric pressure.
//!
//! The functions of the module refuse temperatures outside their fits; those of [`clamped`] hold the
//! nearest end of the fit instead, for inner loops where a simulated or predicted state may stray.

use crate::Celsius;
use crate::range::{OutOfRange, within};

const WHAT: &str = "water temperature, degC";

/// Density, kg/m3, 0 to 100 degC (Kell 1975, air-free water at 101.325 kPa).
pub fn density_kg_m3(temperature: Celsius) -> Result<f64, OutOfRange> {
    within(WHAT, temperature.get(), 0.0, 100.0).map(clamped::density_kg_m3)
}

/// Specific heat, kJ/(kg K), 5 to 60 degC (quartic fit to IAPWS-95 values, within 0.16 J/(kg K)).
pub fn specific_heat_kj_kg_k(temperature: Celsius) -> Result<f64, OutOfRange> {
    within(WHAT, temperature.get(), 5.0, 60.0).map(clamped::specific_heat_kj_kg_k)
}

/// Dynamic viscosity, Pa s, 0 to 100 degC (Vogel form, within 1.1 % up to 60 degC).
pub fn viscosity_pa_s(temperature: Celsius) -> Result<f64, OutOfRange> {
    within(WHAT, temperature.get(), 0.0, 100.0).map(clamped::viscosity_pa_s)
}

/// The same properties, held at the nearest end of the fit outside it. NaN in is NaN out.
pub mod clamped {
    /// See [`super::density_kg_m3`].
    pub fn density_kg_m3(t_c: f64) -> f64 {
        let t = t_c.clamp(0.0, 100.0);
        let numerator = 999.839_52
            + t * (16.945_176
                + t * (-7.987_040_1e-3 + t * (-46.170_461e-6 + t * (105.563_02e-9 - t * 280.542_53e-12))));
        numerator / (1.0 + 16.879_850e-3 * t)
    }

    /// See [`super::specific_heat_kj_kg_k`].
    pub fn specific_heat_kj_kg_k(t_c: f64) -> f64 {
        let t = t_c.clamp(5.0, 60.0);
        (4217.637 + t * (-3.046_922 + t * (0.087_670_8 + t * (-0.001_129_591 + t * 6.049_227e-6)))) / 1000.0
    }

    /// See [`super::viscosity_pa_s`].
    pub fn viscosity_pa_s(t_c: f64) -> f64 {
        2.414e-5 * libm::exp10(247.8 / (t_c.clamp(0.0, 100.0) + 273.15 - 140.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, celsius};

    #[test]
    fn worked_values() {
        assert_close(density_kg_m3(celsius(20.0)).unwrap(), 998.2041, 1e-6);
        assert_close(density_kg_m3(celsius(30.0)).unwrap(), 995.6473, 1e-6);
        assert_close(specific_heat_kj_kg_k(celsius(30.0)).unwrap(), 4.179_534, 1e-5);
        assert_close(viscosity_pa_s(celsius(30.0)).unwrap(), 7.9723e-4, 1e-4);
    }

    #[test]
    fn ranges_are_enforced() {
        let error = specific_heat_kj_kg_k(celsius(61.0)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "water temperature, degC is 61; it must be from 5 to 60"
        );
        assert!(density_kg_m3(celsius(-1.0)).is_err());
        assert_close(
            clamped::specific_heat_kj_kg_k(80.0),
            clamped::specific_heat_kj_kg_k(60.0),
            1e-12,
        );
    }
}
