//! Towers and dry coolers: the fan power that brings water to a temperature, and the water that evaporates.

use super::carries;
use crate::site::{RejectionKind, RejectionNameplate};
use serde::{Deserialize, Serialize};
use thermo::Coolant;
use thermo::moist_air::clamped::{humidity_ratio, saturated_enthalpy_kj_kg};

/// Electric power of a fan over relative speed: the cube law less drive losses.
const FAN_EXPONENT: f64 = 2.7;
/// Transfer of a tower over water and air flow (Braun: number of transfer units falls with the flow ratio to 0.6).
const WATER_EXPONENT: f64 = 0.4;
/// Usual growth of a unit's capacity with fan speed: 0.6 where transfer limits it, 1 where the air does.
const AIR_EXPONENT: f64 = 0.75;
/// Heat of evaporation near 30 degC, kWh/kg.
const EVAPORATION_KWH_KG: f64 = 2430.0 / 3600.0;
/// Share of the circulating water that drifts past modern eliminators (0.0005 to 0.002 %).
const DRIFT_SHARE: f64 = 1e-5;
/// Saturation efficiency of adiabatic pads (0.7 to 0.9).
const PAD_EFFICIENCY: f64 = 0.8;
/// Water that pads take beyond what evaporates, to stay clean, as a share of it.
const PAD_BLEED: f64 = 0.25;
/// Fan speed from which a dry cooler's own controller wets its pads: they start at full speed.
const PADS_FROM: f64 = 1.0;

/// What the air outside offers to heat rejection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outdoors {
    pub dry_bulb_c: f64,
    pub wet_bulb_c: f64,
    pub pressure_pa: f64,
}

/// Water and heat through one unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Duty {
    pub heat_kw: f64,
    pub leaving_c: f64,
    pub flow_lpm: f64,
}

impl Duty {
    fn range_k(&self) -> f64 {
        self.heat_kw / (self.flow_lpm * carries(Coolant::Water)).max(1e-6)
    }
}

/// What has been learned of a loop's cells or dry coolers: capacity at full fan speed over the nameplates', and its growth
/// with fan speed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct FanLaw {
    pub capacity: f64,
    pub exponent: f64,
}

impl Default for FanLaw {
    fn default() -> Self {
        Self {
            capacity: 1.0,
            exponent: AIR_EXPONENT,
        }
    }
}

/// Fan speed at which a tower cell or dry cooler does its duty, before limits; infinite where none does. `wet` are a dry
/// cooler's pads.
pub(crate) fn fan_speed(plate: &RejectionNameplate, law: FanLaw, duty: Duty, outdoors: &Outdoors, wet: bool) -> f64 {
    libm::pow(transfer(plate, duty, outdoors, wet) / law.capacity, 1.0 / law.exponent)
}

/// What a duty asks of a unit, over what the nameplate gives at full fan speed and the same flow; infinite where the air is
/// too warm for it.
pub(crate) fn transfer(plate: &RejectionNameplate, duty: Duty, outdoors: &Outdoors, wet: bool) -> f64 {
    let rated_range_k = plate.rated_kw / (plate.flow_lpm * carries(Coolant::Water));
    let range_k = duty.range_k();
    let (drive, rated_drive) = match plate.kind {
        RejectionKind::TowerCell => {
            // Merkel: heat goes with the enthalpy difference between saturated air at the water's temperature and the
            // ambient air, whose enthalpy is that of saturated air at the wet bulb.
            let enthalpy = |c: f64| saturated_enthalpy_kj_kg(c, outdoors.pressure_pa);
            let rated_c = plate.design_ambient_c + plate.approach_k + 0.4 * rated_range_k;
            (
                enthalpy(duty.leaving_c + 0.4 * range_k) - enthalpy(outdoors.wet_bulb_c),
                enthalpy(rated_c) - enthalpy(plate.design_ambient_c),
            )
        }
        RejectionKind::DryCooler | RejectionKind::Chiller => {
            let air_c = outdoors.dry_bulb_c - if wet { pads_cool_k(outdoors) } else { 0.0 };
            (
                duty.leaving_c + 0.5 * range_k - air_c,
                plate.approach_k + 0.5 * rated_range_k,
            )
        }
    };
    if drive <= 0.0 || rated_drive <= 0.0 {
        return f64::INFINITY;
    }
    let flow = (duty.flow_lpm / plate.flow_lpm).max(0.05);
    (duty.heat_kw / plate.rated_kw) * (rated_drive / drive) / libm::pow(flow, WATER_EXPONENT)
}

/// How much colder pads make the air, K.
fn pads_cool_k(outdoors: &Outdoors) -> f64 {
    PAD_EFFICIENCY * (outdoors.dry_bulb_c - outdoors.wet_bulb_c)
}

/// Fan speed up to which a unit stays dry; no limit for one without pads.
pub(crate) const fn dry_reach(plate: &RejectionNameplate) -> f64 {
    if plate.spray { PADS_FROM } else { f64::INFINITY }
}

/// Water that the pads of a dry cooler take per hour at a fan speed, and what of it is led away, L.
pub(crate) fn spray_l_per_h(plate: &RejectionNameplate, speed: f64, outdoors: &Outdoors) -> (f64, f64) {
    // A coil's air carries about as much heat per kelvin as its water.
    let air = speed * plate.flow_lpm * carries(Coolant::Water);
    let evaporation = air * pads_cool_k(outdoors) / EVAPORATION_KWH_KG;
    ((1.0 + PAD_BLEED) * evaporation, PAD_BLEED * evaporation)
}

/// Fan power at a speed, kW.
pub(crate) fn fan_kw(plate: &RejectionNameplate, speed: f64) -> f64 {
    if speed >= plate.min_speed {
        plate.power_kw * libm::pow(speed.min(1.0), FAN_EXPONENT)
    } else {
        // Below its slowest speed the fan runs part of the time.
        plate.power_kw * libm::pow(plate.min_speed, FAN_EXPONENT) * speed / plate.min_speed.max(1e-6)
    }
}

/// Make-up and blowdown of a unit per hour, L: evaporation is the latent share of the heat, which is that of the humidity
/// difference in the enthalpy difference between the water's surface and the air.
pub(crate) fn water_l_per_h(plate: &RejectionNameplate, duty: Duty, outdoors: &Outdoors) -> (f64, f64) {
    if plate.kind != RejectionKind::TowerCell || duty.heat_kw <= 0.0 {
        return (0.0, 0.0);
    }
    let surface_c = duty.leaving_c + 0.5 * duty.range_k();
    let enthalpy = saturated_enthalpy_kj_kg(surface_c, outdoors.pressure_pa)
        - saturated_enthalpy_kj_kg(outdoors.wet_bulb_c, outdoors.pressure_pa);
    let wet = humidity_ratio(outdoors.wet_bulb_c, 1.0, outdoors.pressure_pa);
    // Along a line of constant wet bulb the humidity falls by the sensible heat over the heat of evaporation.
    let air = wet - 1.006 * (outdoors.dry_bulb_c - outdoors.wet_bulb_c) / 2501.0;
    let latent = (2501.0 * (humidity_ratio(surface_c, 1.0, outdoors.pressure_pa) - air) / enthalpy).clamp(0.3, 1.2);
    let evaporation = latent * duty.heat_kw / EVAPORATION_KWH_KG;
    let blowdown = evaporation / (plate.cycles_of_concentration - 1.0).max(0.1);
    (evaporation + blowdown + DRIFT_SHARE * 60.0 * duty.flow_lpm, blowdown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;

    fn design(plate: &RejectionNameplate) -> (Duty, Outdoors) {
        let duty = Duty {
            heat_kw: plate.rated_kw,
            leaving_c: plate.design_ambient_c + plate.approach_k,
            flow_lpm: plate.flow_lpm,
        };
        let outdoors = Outdoors {
            dry_bulb_c: 30.0,
            wet_bulb_c: plate.design_ambient_c,
            pressure_pa: 101_325.0,
        };
        (duty, outdoors)
    }

    #[test]
    fn a_tower_cell_meets_its_nameplate() {
        let site = load_embedded("demo").unwrap().unwrap();
        let plate = &site.rejection[0].nameplate;
        let (duty, outdoors) = design(plate);
        assert!((fan_speed(plate, FanLaw::default(), duty, &outdoors, false) - 1.0).abs() < 1e-9);
        assert!((fan_kw(plate, 1.0) - plate.power_kw).abs() < 1e-9);
    }

    #[test]
    fn colder_water_more_heat_and_wetter_air_cost_more() {
        let site = load_embedded("demo").unwrap().unwrap();
        let plate = &site.rejection[0].nameplate;
        let (duty, outdoors) = design(plate);
        let easy = Duty {
            heat_kw: 0.5 * duty.heat_kw,
            ..duty
        };
        let power =
            |duty, outdoors: &Outdoors| fan_kw(plate, fan_speed(plate, FanLaw::default(), duty, outdoors, false));
        assert!(
            power(
                Duty {
                    leaving_c: easy.leaving_c - 1.0,
                    ..easy
                },
                &outdoors
            ) > power(easy, &outdoors)
        );
        assert!(
            power(
                Duty {
                    heat_kw: 1.1 * easy.heat_kw,
                    ..easy
                },
                &outdoors
            ) > power(easy, &outdoors)
        );
        assert!(
            power(
                easy,
                &Outdoors {
                    wet_bulb_c: 23.0,
                    ..outdoors
                }
            ) > power(easy, &outdoors)
        );
    }

    /// One megawatt all latent evaporates 1.4815 m3/h; a tower at its design point is near nine tenths latent.
    #[test]
    fn water_is_near_the_rule_of_thumb() {
        let site = load_embedded("demo").unwrap().unwrap();
        let plate = &site.rejection[0].nameplate;
        let (duty, outdoors) = design(plate);
        let (makeup, blowdown) = water_l_per_h(plate, duty, &outdoors);
        let evaporated_per_kw = (makeup - blowdown) / duty.heat_kw;
        assert!((1.1..1.55).contains(&evaporated_per_kw), "{evaporated_per_kw}");
        assert!((makeup / blowdown - plate.cycles_of_concentration).abs() < 0.01);
    }
}
