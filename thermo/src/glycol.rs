//! PG25: 25 % propylene glycol by mass in water, the usual coolant of cold plates.
//!
//! Fits to `CoolProp` 8.0.0 `INCOMP::MPG[0.25]` over 10 to 60 degC. Inhibitor packages and volume
//! against mass per cent spread published densities by about 0.4 %. Freezes at -9.8 degC.

use crate::Celsius;
use crate::range::{OutOfRange, within};

fn in_fit(temperature: Celsius) -> Result<f64, OutOfRange> {
    within("PG25 temperature, degC", temperature.get(), 10.0, 60.0)
}

/// Density, kg/m3, 10 to 60 degC, within 0.09.
pub fn density_kg_m3(temperature: Celsius) -> Result<f64, OutOfRange> {
    in_fit(temperature).map(clamped::density_kg_m3)
}

/// Specific heat, kJ/(kg K), 10 to 60 degC, within 0.0006.
pub fn specific_heat_kj_kg_k(temperature: Celsius) -> Result<f64, OutOfRange> {
    in_fit(temperature).map(clamped::specific_heat_kj_kg_k)
}

/// Thermal conductivity, W/(m K), 10 to 60 degC, within 0.0004.
pub fn conductivity_w_m_k(temperature: Celsius) -> Result<f64, OutOfRange> {
    in_fit(temperature).map(|t| 0.450_051_1 + 8.911_552e-4 * t)
}

/// Dynamic viscosity, Pa s, 10 to 60 degC.
pub fn viscosity_pa_s(temperature: Celsius) -> Result<f64, OutOfRange> {
    in_fit(temperature).map(clamped::viscosity_pa_s)
}

/// The same properties, held at the nearest end of the fit outside it. NaN in is NaN out.
pub mod clamped {
    /// See [`super::density_kg_m3`].
    pub fn density_kg_m3(t_c: f64) -> f64 {
        let t = t_c.clamp(10.0, 60.0);
        1026.233 - 0.291_621_1 * t - 0.002_895_118 * t * t
    }

    /// See [`super::specific_heat_kj_kg_k`].
    pub fn specific_heat_kj_kg_k(t_c: f64) -> f64 {
        (3872.653 + 2.393_726 * t_c.clamp(10.0, 60.0)) / 1000.0
    }

    /// See [`super::viscosity_pa_s`].
    pub fn viscosity_pa_s(t_c: f64) -> f64 {
        let t = t_c.clamp(10.0, 60.0);
        libm::exp(1.707_482 + t * (-0.047_240_96 + t * (3.545_812e-4 - t * 1.294_375e-6))) / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, celsius};

    #[test]
    fn worked_values_at_30_degc() {
        let t = celsius(30.0);
        assert_close(density_kg_m3(t).unwrap(), 1014.878, 1e-4);
        assert_close(specific_heat_kj_kg_k(t).unwrap(), 3.944_465, 1e-5);
        assert_close(conductivity_w_m_k(t).unwrap(), 0.476_79, 1e-4);
        assert_close(viscosity_pa_s(t).unwrap(), 1.7761e-3, 1e-4);
    }

    #[test]
    fn viscosity_falls_as_the_reference_says() {
        assert_close(clamped::viscosity_pa_s(10.0), 3.56e-3, 5e-3);
        assert_close(clamped::viscosity_pa_s(60.0), 0.88e-3, 5e-3);
    }

    #[test]
    fn ranges_are_enforced() {
        assert!(density_kg_m3(celsius(9.9)).is_err());
        assert!(specific_heat_kj_kg_k(celsius(60.1)).is_err());
    }
}
