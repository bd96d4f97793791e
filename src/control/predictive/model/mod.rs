//! The controller's model of the plant: few physical laws around the nameplates, each with one learned ratio.
//!
//! Written from the data sheets' side, apart from any simulator. Every ratio is 1 on the nameplate; `learn` moves them.
//!
//! | file | subject |
//! |---|---|
//! | `exchanger` | counterflow exchangers off their rated point: CDUs, air coils, heat reuse |
//! | `cdu` | a CDU: pump, racks' flow, primary side |
//! | `rack` | what flow a rack needs, and which limit asks for it |
//! | `air` | an air unit and its room |
//! | `rejection` | towers and dry coolers: fans, water |
//! | `chiller` | compressors |
//! | `facility` | a loop's pumps, and heat export |

pub(super) mod air;
pub(super) mod cdu;
pub(super) mod chiller;
pub(super) mod exchanger;
pub(super) mod facility;
pub(super) mod rack;
pub(super) mod rejection;

use thermo::Coolant;

/// Temperature at which coolant properties are taken, degC; they vary by less than 1 % over the range of control.
const PROPERTY_C: f64 = 35.0;

/// Heat of a flow, kW per (L/min) and K.
pub(super) fn carries(coolant: Coolant) -> f64 {
    coolant.kw_per_lpm_k(PROPERTY_C)
}
