//! Meeting a load target: cold is stored in the loop's water before it begins, and while it holds the water may warm, so
//! that fans and compressors do with the power that pumps leave them.
//!
//! The order is that of what can be shed: fans first, pumps are at what limits ask of them already, then compressors by
//! their setpoint; where all of it is not enough, limits come first and the target is given up with an alarm that asks
//! the scheduler for less load.

use super::evaluate::{OperatingPoint, Trial};
use crate::control::View;
use crate::control::load_target::{LoadNow, shed_kw};
use crate::site::FacilityLoop;
use crate::snapshot::LoadPhase;
use serde::{Deserialize, Serialize};

/// Heat capacity of a litre of water, kWh/K.
const LITRE_KWH_K: f64 = 4.18 / 3600.0;
/// Water outside the loop's own volume, in basins and exchangers, as a factor on it.
const BESIDES: f64 = 1.1;
/// Share of the warming that is stored as cold before; the rest is warmer than usual at the end.
const BEFORE: f64 = 0.7;
/// Coldest water that is stored, below the usual, K.
const COLDEST_K: f64 = 5.0;
/// Power that is aimed at, as a share of the target.
const AIM: f64 = 0.985;
/// How far the setpoint leads the water per relative excess of fans' and compressors' power, K, and at most.
const GAIN_K: f64 = 1.0;
const LEADS_K: f64 = 1.5;
/// How far the setpoint may fall below warm water after the event, K: no rush back that would peak.
const RETURN_K: f64 = 0.4;
/// Halvings of the search for the heat to be stored.
const HALVINGS: u32 = 12;

/// What a loop does about a load target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Relief {
    /// The water that would be cheapest, degC: no colder is asked for while the target holds.
    pub usual_c: f64,
    /// Power for the loop, kW.
    pub target_kw: f64,
}

/// The heat that the loop's water must take up for its power to fall to `target_kw`, kW, at a water temperature.
fn to_store_kw(trial: &mut Trial<'_>, point: &OperatingPoint, target_kw: f64) -> f64 {
    let stages = trial.equipment.stages();
    let mut hints = vec![usize::MAX; trial.cdus()];
    let (mut low, mut high) = (0.0, trial.racks_kw());
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        trial.stored_kw = middle;
        if trial.at(point.water_c, point.litre_kw, &stages, &mut hints).cooling_kw > target_kw {
            low = middle;
        } else {
            high = middle;
        }
    }
    trial.stored_kw = 0.0;
    high
}

/// How much colder than usual the water shall be when the target begins, K.
pub(super) fn precool_k(
    trial: &mut Trial<'_>,
    unit: &FacilityLoop,
    usual: &OperatingPoint,
    load: &LoadNow,
    share: f64,
) -> f64 {
    let stored_kw = to_store_kw(trial, usual, AIM * load.kw * share);
    let per_k = BESIDES * unit.nameplate.volume_l * LITRE_KWH_K;
    (BEFORE * stored_kw * load.lasts_s / 3600.0 / per_k).min(COLDEST_K)
}

/// The setpoint of the heat rejection while a target holds, by what the meters say; `water_c` is the water now.
pub(super) fn setpoint_c(
    view: &View<'_>,
    id: usize,
    load: &LoadNow,
    relief: &Relief,
    water_c: f64,
    chosen_c: f64,
) -> f64 {
    match load.phase {
        LoadPhase::Holding => {
            let (Some(measured_kw), Some(shed_kw)) = (load.measured_kw, shed_kw(view, id)) else {
                return water_c;
            };
            let aim_kw = AIM * load.kw;
            let excess = (measured_kw - aim_kw) / shed_kw.max(0.05 * aim_kw);
            (water_c + (GAIN_K * excess).clamp(-LEADS_K, LEADS_K)).max(relief.usual_c)
        }
        LoadPhase::Recovering => chosen_c.max(water_c - RETURN_K),
        LoadPhase::Announced | LoadPhase::Precooling | LoadPhase::GivenUp => chosen_c,
    }
}
