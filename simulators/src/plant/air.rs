//! Outdoor air, and saturated air by temperature.

use super::WeatherSample;
use thermo::moist_air::clamped::{enthalpy_kj_kg, humidity_ratio};

/// Enthalpy (kJ) and humidity ratio (kg) of saturated air per kg of dry air, tabulated by temperature at one pressure.
///
/// Towers and rooms ask for it thousands of times a step; a table with linear interpolation at a quarter kelvin is within
/// 0.01 % of the formula.
#[derive(Debug, Clone)]
pub(super) struct Saturated {
    pressure_pa: f64,
    /// (enthalpy, humidity ratio) at `LOW_C`, `LOW_C + STEP_K`, ...
    rows: Vec<(f64, f64)>,
}

const LOW_C: f64 = -45.0;
const STEP_K: f64 = 0.25;
const ROWS: u32 = 500;
/// The table is made again when the pressure has moved by more than this, Pa (0.05 %).
const PRESSURE_STEP_PA: f64 = 50.0;

impl Saturated {
    pub(super) fn new(pressure_pa: f64) -> Self {
        let row = |n: u32| {
            let t = LOW_C + STEP_K * f64::from(n);
            let w = humidity_ratio(t, 1.0, pressure_pa);
            (enthalpy_kj_kg(t, w), w)
        };
        Self {
            pressure_pa,
            rows: (0..ROWS).map(row).collect(),
        }
    }

    /// Enthalpy and humidity ratio at `t_c`; beyond the table's ends those of the ends.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the table before the cast"
    )]
    pub(super) fn at(&self, t_c: f64) -> (f64, f64) {
        let place = ((t_c - LOW_C) / STEP_K).clamp(0.0, f64::from(ROWS) - 1.001);
        let row = place as usize;
        let part = place - row as f64;
        match self.rows.get(row..row + 2) {
            Some(&[(h0, w0), (h1, w1)]) => (h0 + part * (h1 - h0), w0 + part * (w1 - w0)),
            _ => (f64::NAN, f64::NAN),
        }
    }

    /// Humidity ratio of saturated air with this enthalpy.
    pub(super) fn humidity_at_enthalpy(&self, h: f64) -> f64 {
        let above = self.rows.partition_point(|row| row.0 < h).clamp(1, self.rows.len() - 1);
        match self.rows.get(above - 1..=above) {
            Some(&[(h0, w0), (h1, w1)]) => w0 + (w1 - w0) * ((h - h0) / (h1 - h0)).clamp(0.0, 1.0),
            _ => f64::NAN,
        }
    }
}

/// Outdoor air with everything that the equipment asks of it.
#[derive(Debug, Clone)]
pub(super) struct Air {
    pub dry_bulb_c: f64,
    pub wet_bulb_c: f64,
    /// kg water per kg dry air.
    pub humidity_ratio: f64,
    /// kJ per kg dry air: what an evaporative exchanger works against.
    pub enthalpy: f64,
    pub saturated: Saturated,
}

impl Air {
    pub(super) fn new(dry_bulb_c: f64, wet_bulb_c: f64, rh: f64, pressure_pa: f64) -> Self {
        let humidity_ratio = humidity_ratio(dry_bulb_c, rh, pressure_pa);
        let saturated = Saturated::new(pressure_pa);
        Self {
            dry_bulb_c,
            wet_bulb_c,
            humidity_ratio,
            enthalpy: enthalpy_kj_kg(dry_bulb_c, humidity_ratio),
            saturated,
        }
    }

    /// Takes over a weather sample, unless it is not finite.
    pub(super) fn update(&mut self, weather: WeatherSample) {
        let WeatherSample {
            dry_bulb_c,
            rh,
            pressure_kpa,
            wet_bulb_c,
        } = weather;
        if ![dry_bulb_c, rh, pressure_kpa, wet_bulb_c].iter().all(|x| x.is_finite()) {
            return;
        }
        let pressure_pa = 1000.0 * pressure_kpa;
        if (pressure_pa - self.saturated.pressure_pa).abs() > PRESSURE_STEP_PA {
            self.saturated = Saturated::new(pressure_pa);
        }
        self.dry_bulb_c = dry_bulb_c;
        self.wet_bulb_c = wet_bulb_c;
        self.humidity_ratio = humidity_ratio(dry_bulb_c, rh, pressure_pa);
        self.enthalpy = enthalpy_kj_kg(dry_bulb_c, self.humidity_ratio);
    }
}

/// Heat capacity of a cubic metre of room air, kJ/(m3 K), at 25 degC.
pub(super) fn heat_capacity_kj_m3_k(pressure_pa: f64) -> f64 {
    1.02 * pressure_pa / (287.05 * 298.15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_inverts_itself_and_follows_the_formula() {
        let saturated = Saturated::new(101_325.0);
        for t in [-30.13, -0.1, 4.9, 22.22, 41.37, 60.01] {
            let (h, w) = saturated.at(t);
            let exact = humidity_ratio(t, 1.0, 101_325.0);
            assert!((w - exact).abs() < 3e-4 * exact, "{t}: {w} {exact}");
            assert!((saturated.humidity_at_enthalpy(h) - w).abs() < 1e-9, "{t}");
        }
        assert!(saturated.at(500.0).0.is_finite() && saturated.at(-500.0).0.is_finite());
    }
}
