//! The controller's model of the plant: few physical laws around the nameplates, each with one learned ratio.
//!
//! Written from the data sheets' side, apart from any simulator. Every ratio is 1 on the nameplate; `learn` moves them.

use crate::site::{
    AirUnitNameplate, Cdu, CduNameplate, FacilityLoop, Rack, RackNameplate, RejectionNameplate, ReuseNameplate,
};
use serde::{Deserialize, Serialize};
use thermo::{Coolant, moist_air};

/// Electric power of a pump over relative flow on a friction curve: between the cube law and drive losses.
const PUMP_EXPONENT: f64 = 2.6;
/// Electric power of a fan over relative speed.
const FAN_EXPONENT: f64 = 2.8;
/// Conductance of a plate exchanger over relative flow, each side.
const UA_EXPONENT: f64 = 0.8;
/// Chip-to-inlet resistance over relative flow.
const CHIP_EXPONENT: f64 = 0.4;
/// Temperature at which coolant properties are taken, degC.
const PROPERTY_C: f64 = 35.0;
/// Part of a pump's rated head that pipes outside the hall take at rated flow.
const PIPE_SHARE: f64 = 0.4;
/// Heat that evaporates a litre of water, kWh/L (2430 kJ/kg), over the share of a tower's heat that leaves by evaporation.
const KWH_PER_LITRE: f64 = 2430.0 / 3600.0 / 0.8;

/// Heat of a flow, kW per (L/min) and K.
pub(super) fn carries(coolant: Coolant) -> f64 {
    coolant.kw_per_lpm_k(PROPERTY_C)
}

/// Learned ratios of a CDU.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct CduRatios {
    /// Differential pressure over the nameplate's square law.
    pub resistance: f64,
    /// Pump power over the nameplate's law.
    pub pump: f64,
    /// Exchanger conductance over the nameplate's.
    pub ua: f64,
}

impl Default for CduRatios {
    fn default() -> Self {
        Self {
            resistance: 1.0,
            pump: 1.0,
            ua: 1.0,
        }
    }
}

/// A CDU as modelled.
#[derive(Debug, Clone, Copy)]
pub(super) struct CduModel<'a> {
    pub plate: &'a CduNameplate,
    pub ratios: CduRatios,
    ua0: f64,
}

impl<'a> CduModel<'a> {
    pub(super) fn new(cdu: &'a Cdu, ratios: CduRatios) -> Self {
        let plate = &cdu.nameplate;
        let hot = plate.secondary_flow_lpm * carries(plate.coolant);
        let cold = plate.primary_flow_lpm * carries(Coolant::Water);
        // At the rated point the coolant returns at supply + Q/C, and leaves `approach_k` above the facility water.
        let drive_k = plate.approach_k + plate.rated_kw / hot;
        let effectiveness = (plate.rated_kw / (hot.min(cold) * drive_k)).clamp(0.05, 0.98);
        let ua0 = counterflow_ntu(effectiveness, hot.min(cold) / hot.max(cold)) * hot.min(cold);
        Self { plate, ratios, ua0 }
    }

    /// Secondary flow as a share of the nameplate's at a differential pressure.
    pub(super) fn flow_share(&self, kpa: f64) -> f64 {
        (kpa.max(0.0) / (self.plate.secondary_pressure_kpa * self.ratios.resistance)).sqrt()
    }

    /// Differential pressure at a share of the nameplate flow, kPa.
    pub(super) fn pressure_kpa(&self, share: f64) -> f64 {
        self.plate.secondary_pressure_kpa * self.ratios.resistance * share * share
    }

    /// Pump power at a share of the nameplate flow, kW.
    pub(super) fn pump_kw(&self, share: f64) -> f64 {
        self.plate.pump_kw * self.ratios.pump * libm::pow(share.max(0.0), PUMP_EXPONENT)
    }

    /// Conductance at shares of the nameplate flows, kW/K.
    pub(super) fn ua(&self, secondary: f64, primary: f64) -> f64 {
        let side = |share: f64| libm::pow(share.max(0.01), -UA_EXPONENT);
        self.ratios.ua * self.ua0 * 2.0 / (side(secondary) + side(primary))
    }

    /// Heat that passes from coolant returning at `return_c` to facility water at `facility_c`, kW.
    pub(super) fn heat_kw(&self, secondary: f64, primary: f64, return_c: f64, facility_c: f64) -> f64 {
        let hot = secondary * self.plate.secondary_flow_lpm * carries(self.plate.coolant);
        let cold = primary * self.plate.primary_flow_lpm * carries(Coolant::Water);
        let (least, most) = (hot.min(cold), hot.max(cold));
        if least <= 0.0 {
            return 0.0;
        }
        counterflow_effectiveness(self.ua(secondary, primary) / least, least / most) * least * (return_c - facility_c)
    }

    /// Share of the nameplate primary flow that holds `supply_c` under `heat_kw`; `None` where no flow does.
    pub(super) fn primary_share(&self, heat_kw: f64, secondary: f64, supply_c: f64, facility_c: f64) -> Option<f64> {
        const MOST: f64 = 1.6;
        let hot = secondary * self.plate.secondary_flow_lpm * carries(self.plate.coolant);
        let return_c = supply_c + heat_kw / hot.max(1e-6);
        if self.heat_kw(secondary, MOST, return_c, facility_c) < heat_kw {
            return None;
        }
        let (mut low, mut high) = (0.0, MOST);
        for _ in 0..12 {
            let middle = 0.5 * (low + high);
            if self.heat_kw(secondary, middle, return_c, facility_c) < heat_kw {
                low = middle
            } else {
                high = middle
            }
        }
        Some(high)
    }

    /// Pressure difference between the facility headers that a share of the primary flow needs with the valve open, kPa.
    pub(super) fn branch_kpa(&self, primary: f64) -> f64 {
        self.plate.primary_pressure_kpa * primary * primary
    }
}

/// What bounds the flow of a rack from below.
#[derive(Debug, Clone, Copy)]
pub(super) struct RackNeed<'a> {
    pub plate: &'a RackNameplate,
    /// Learned chip rise over the nameplate's.
    pub chip_ratio: f64,
    /// Liquid heat that control must be ready for, kW.
    pub upper_kw: f64,
    /// Liquid heat that a step may bring before the next cycle can answer, kW.
    pub step_kw: f64,
}

/// Limits that a rack is held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct RackLimits {
    /// Smallest chip margin at the upper heat, K.
    pub margin_k: f64,
    /// Smallest chip margin right after a step, K.
    pub step_margin_k: f64,
    /// Warmest coolant return at the upper heat, degC.
    pub return_c: f64,
}

impl RackNeed<'_> {
    /// Least share of the nameplate flow at a coolant supply, and which limit asks for it; infinite where no flow does.
    pub(super) fn flow_share(&self, supply_c: f64, coolant: Coolant, limits: &RackLimits) -> (f64, &'static str) {
        let plate = self.plate;
        let minimum = plate.min_flow_lpm_per_kw * self.upper_kw / plate.flow_lpm;
        let rise_k = limits.return_c - supply_c;
        let by_return = if rise_k > 0.0 {
            self.upper_kw / (carries(coolant) * rise_k) / plate.flow_lpm
        } else {
            f64::INFINITY
        };
        let by_chip = self.by_chip(self.upper_kw, plate.chip_limit_c - limits.margin_k - supply_c);
        let by_step = self.by_chip(self.step_kw, plate.chip_limit_c - limits.step_margin_k - supply_c);
        [
            (by_return, "return temperature"),
            (by_chip, "chip margin"),
            (by_step, "readiness for a full-load step"),
        ]
        .into_iter()
        .fold(
            (minimum, "minimum flow"),
            |most, next| if next.0 > most.0 { next } else { most },
        )
    }

    fn by_chip(&self, heat_kw: f64, rise_allowed_k: f64) -> f64 {
        if rise_allowed_k <= 0.0 {
            return f64::INFINITY;
        }
        let rise_k = self.chip_ratio * chip_rise_k(self.plate, heat_kw, 1.0);
        libm::pow(rise_k / rise_allowed_k, 1.0 / CHIP_EXPONENT)
    }
}

/// Rise of the hottest chip above the coolant inlet by the nameplate, K, at a liquid heat and a share of the flow.
pub(super) fn chip_rise_k(plate: &RackNameplate, heat_kw: f64, flow_share: f64) -> f64 {
    let load = heat_kw / (plate.rated_kw * plate.liquid_fraction);
    plate.chip_kw * load * plate.chip_resistance_k_per_kw * libm::pow(flow_share.max(0.02), -CHIP_EXPONENT)
}

/// Liquid heat of a rack at full load, kW.
pub(super) fn full_heat_kw(rack: &Rack) -> f64 {
    rack.nameplate.rated_kw * rack.nameplate.liquid_fraction
}

/// Power of a loop's pumps, kW: hydraulic work at the rated point's efficiency.
pub(super) fn loop_pump_kw(unit: &FacilityLoop, flow_lpm: f64, header_kpa: f64) -> f64 {
    let plate = &unit.nameplate;
    let rated_lpm = plate.pump_flow_lpm * plate.pumps as f64;
    let share = flow_lpm / rated_lpm;
    let head_kpa = header_kpa + PIPE_SHARE * plate.pump_head_kpa * share * share;
    plate.pump_kw * plate.pumps as f64 * share * (head_kpa / plate.pump_head_kpa).max(0.05)
}

/// What the air outside offers to heat rejection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outdoors {
    pub dry_bulb_c: f64,
    pub wet_bulb_c: f64,
    pub pressure_pa: f64,
}

/// Fan speed at which a cell or cooler brings water to `leaving_c` under `heat_kw` with `range_k`, before limits; infinite
/// where it cannot. `ratio` is the learned capacity over the nameplate's.
pub(super) fn fan_speed(
    plate: &RejectionNameplate,
    ratio: f64,
    heat_kw: f64,
    leaving_c: f64,
    range_k: f64,
    outdoors: &Outdoors,
) -> f64 {
    let rated_range_k = plate.rated_kw / (plate.flow_lpm * carries(Coolant::Water));
    let (drive, rated_drive) = match plate.kind {
        crate::site::RejectionKind::TowerCell => {
            // Merkel: heat goes with the enthalpy difference between saturated air at the water's temperature and the
            // ambient air, whose enthalpy is that of saturated air at the wet bulb.
            let enthalpy = |c: f64| moist_air::clamped::saturated_enthalpy_kj_kg(c, outdoors.pressure_pa);
            (
                enthalpy(leaving_c + 0.4 * range_k) - enthalpy(outdoors.wet_bulb_c),
                enthalpy(plate.design_ambient_c + plate.approach_k + 0.4 * rated_range_k)
                    - enthalpy(plate.design_ambient_c),
            )
        }
        crate::site::RejectionKind::DryCooler | crate::site::RejectionKind::Chiller => (
            leaving_c + 0.5 * range_k - outdoors.dry_bulb_c,
            plate.approach_k + 0.5 * rated_range_k,
        ),
    };
    if drive <= 0.0 || rated_drive <= 0.0 {
        return f64::INFINITY;
    }
    // Water side: the transfer goes with the flow to about 0.4, the air side to about 0.6.
    let flow = heat_kw / (range_k.max(0.1) * carries(Coolant::Water)) / plate.flow_lpm;
    let transfer = (heat_kw / plate.rated_kw) * (rated_drive / drive) / ratio;
    libm::pow(transfer / libm::pow(flow.max(0.05), 0.4), 1.0 / 0.6)
}

/// Fan power of a cell at a speed, kW. Below the slowest speed the fan runs part of the time.
pub(super) fn fan_kw(plate: &RejectionNameplate, speed: f64) -> f64 {
    if speed >= plate.min_speed {
        plate.power_kw * libm::pow(speed.min(1.0), FAN_EXPONENT)
    } else {
        plate.power_kw * libm::pow(plate.min_speed, FAN_EXPONENT) * speed / plate.min_speed.max(1e-6)
    }
}

/// Make-up and blowdown of a tower per hour, L, under a heat.
pub(super) fn water_l_per_h(plate: &RejectionNameplate, heat_kw: f64) -> (f64, f64) {
    if plate.kind != crate::site::RejectionKind::TowerCell {
        return (0.0, 0.0);
    }
    let evaporation = heat_kw / KWH_PER_LITRE;
    let blowdown = evaporation / (plate.cycles_of_concentration - 1.0).max(0.1);
    (evaporation + blowdown, blowdown)
}

/// Heat that a network takes from facility water at `return_c`, kW, its valve fully open.
pub(super) fn reuse_kw(plate: &ReuseNameplate, return_c: f64, network_c: f64) -> f64 {
    let carried = plate.network_flow_lpm * carries(Coolant::Water);
    let full = carried * (return_c - plate.approach_k - network_c);
    // The network throttles its flow to keep its supply warm enough; near that temperature little goes over.
    let warm_enough = ((return_c - plate.min_supply_c) / plate.approach_k).clamp(0.0, 1.0);
    (full * warm_enough).clamp(0.0, plate.rated_kw)
}

/// Fan speed of an air unit that keeps the room at `room_c`, and the supply air that its coil reaches, degC.
pub(super) fn air(plate: &AirUnitNameplate, heat_kw: f64, water_c: f64, room_c: f64) -> (f64, f64) {
    let supply_c = water_c + plate.approach_k * (heat_kw / plate.rated_kw).clamp(0.2, 1.5);
    // Density times specific heat of air near 30 degC: 1.16 kJ/(m3 K).
    let carried = 1.16 * plate.air_flow_m3_s * (room_c - supply_c);
    let speed = if carried > 0.0 {
        heat_kw / carried
    } else {
        f64::INFINITY
    };
    (speed, supply_c)
}

/// Fan power of an air unit, kW.
pub(super) fn air_fan_kw(plate: &AirUnitNameplate, speed: f64) -> f64 {
    plate.fan_kw * libm::pow(speed.clamp(0.0, 1.0), FAN_EXPONENT)
}

/// Effectiveness of a counterflow exchanger (Kays and London).
fn counterflow_effectiveness(ntu: f64, ratio: f64) -> f64 {
    if (1.0 - ratio).abs() < 1e-6 {
        return ntu / (1.0 + ntu);
    }
    let decay = libm::exp(-ntu * (1.0 - ratio));
    (1.0 - decay) / (1.0 - ratio * decay)
}

/// Its inverse: the number of transfer units of an effectiveness.
pub(super) fn counterflow_ntu(effectiveness: f64, ratio: f64) -> f64 {
    if (1.0 - ratio).abs() < 1e-6 {
        return effectiveness / (1.0 - effectiveness);
    }
    libm::log((1.0 - ratio * effectiveness) / (1.0 - effectiveness)) / (1.0 - ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;
    use proptest::prelude::*;

    #[test]
    fn exchanger_vectors() {
        for (found, expected) in [
            (counterflow_effectiveness(3.0, 0.75), 0.817_117_8),
            (counterflow_effectiveness(3.0, 1.0), 0.75),
            (counterflow_ntu(0.8, 0.75), 2.772_588_7),
        ] {
            assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
    }

    #[test]
    fn a_cdu_meets_its_nameplate() {
        let site = load_embedded("demo").unwrap().unwrap();
        let model = CduModel::new(&site.cdus[0], CduRatios::default());
        let plate = model.plate;
        let share = model
            .primary_share(plate.rated_kw, 1.0, 30.0 + plate.approach_k, 30.0)
            .unwrap();
        assert!((share - 1.0).abs() < 0.01, "{share}");
        assert!((model.pump_kw(1.0) - plate.pump_kw).abs() < 1e-9);
        assert!((model.flow_share(plate.secondary_pressure_kpa) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_tower_cell_meets_its_nameplate() {
        let site = load_embedded("demo").unwrap().unwrap();
        let plate = &site.rejection[0].nameplate;
        let range_k = plate.rated_kw / (plate.flow_lpm * carries(Coolant::Water));
        let outdoors = Outdoors {
            dry_bulb_c: 30.0,
            wet_bulb_c: plate.design_ambient_c,
            pressure_pa: 101_325.0,
        };
        let speed = fan_speed(
            plate,
            1.0,
            plate.rated_kw,
            plate.design_ambient_c + plate.approach_k,
            range_k,
            &outdoors,
        );
        assert!((speed - 1.0).abs() < 1e-9, "{speed}");
    }

    proptest! {
        #[test]
        fn warmer_supply_and_more_heat_never_need_less_flow(supply in 20.0..42.0f64, heat in 5.0..104.0f64, more in 0.0..5.0f64) {
            let site = load_embedded("demo").unwrap().unwrap();
            let limits = RackLimits { margin_k: 12.0, step_margin_k: 7.0, return_c: 58.0 };
            let need = |kw: f64| RackNeed { plate: &site.racks[0].nameplate, chip_ratio: 1.0, upper_kw: kw, step_kw: kw };
            let flow = |c: f64, kw: f64| need(kw).flow_share(c, Coolant::Pg25, &limits).0;
            prop_assert!(flow(supply + more, heat) >= flow(supply, heat));
            prop_assert!(flow(supply, heat + more) >= flow(supply, heat));
        }
    }
}
