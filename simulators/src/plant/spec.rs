//! What the plant is built from: nameplates, as a site's drawings give them.
//!
//! A specification says what a buyer knows. The plant that is built from it deviates: every unit draws
//! its own exchanger conductance, pump curve, resistance and volume around its nameplate, so that a
//! controller has to learn the plant that stands there.

use super::check;
use serde::{Deserialize, Serialize};
use thermo::Coolant;

/// A whole liquid-cooled hall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlantSpec {
    /// Height above sea level, m, -400 to 5000.
    pub altitude_m: f64,
    /// Constant power of lights, switchgear and offices, counted by site meters, kW.
    pub overhead_kw: f64,
    /// Conductivity of the make-up water, uS/cm.
    pub makeup_conductivity_us_cm: f64,
    /// Time without a changed heartbeat after which a device returns to its own setpoints, s.
    pub comms_timeout_s: f64,
    /// How far the units as built deviate from their nameplates: 0 not at all, 1 as usual in the field.
    pub deviation: f64,
    /// Every sensor reads wrong by the limit of its class, one way or the other, instead of by what chance draws within it.
    #[serde(default)]
    pub sensors_at_limit: bool,
    /// Facility-water loops with their pump skids.
    pub loops: Vec<LoopSpec>,
    /// Tower cells, dry coolers and chillers.
    pub rejection: Vec<RejectionSpec>,
    /// Heat-reuse exchangers.
    pub reuse: Vec<ReuseSpec>,
    /// Air units; the racks' air heat is shared between them by rated heat.
    pub air_units: Vec<AirUnitSpec>,
    /// Coolant distribution units.
    pub cdus: Vec<CduSpec>,
    /// Racks. [`super::Drive::rack_it_kw`] follows this order.
    pub racks: Vec<RackSpec>,
    /// Meters.
    pub meters: Vec<MeterSpec>,
    /// Id of the weather station, where there is one.
    pub weather: Option<String>,
}

/// A facility-water loop and its pump skid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoopSpec {
    /// Id, the first half of its signals' tags.
    pub id: String,
    /// Water in pipes and headers, without tower basins, L.
    pub volume_l: f64,
    /// Time from the plant room to the hall at the design flow, one way, s.
    pub transport_s: f64,
    /// Number of pumps, all alike.
    pub pumps: usize,
    /// Rated flow of one pump, L/min.
    pub pump_flow_lpm: f64,
    /// Rated head of one pump, kPa.
    pub pump_head_kpa: f64,
    /// Rated electric power of one pump, kW.
    pub pump_kw: f64,
    /// Slowest speed, 0 to 1.
    pub pump_min_speed: f64,
    /// Share of the rated head that is lift, not friction: open towers have some, closed loops none.
    pub static_share: f64,
    /// The skid's own setpoint of the pressure difference between the headers, kPa.
    pub default_differential_pressure_kpa: f64,
}

/// Kinds of heat rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionKind {
    /// One cell of an evaporative cooling tower.
    TowerCell,
    /// A dry cooler, with adiabatic pads where `spray` is set.
    DryCooler,
    /// An air-cooled chiller, in series after towers and dry coolers.
    Chiller,
}

/// A tower cell, dry cooler or chiller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectionSpec {
    /// Id.
    pub id: String,
    /// Id of the loop that it cools.
    pub facility_loop: String,
    /// What it is.
    pub kind: RejectionKind,
    /// Heat at the rated point, kW.
    pub rated_kw: f64,
    /// Fan or compressor power at the rated point, kW.
    pub power_kw: f64,
    /// Water flow at the rated point, L/min.
    pub flow_lpm: f64,
    /// Rated leaving water less wet bulb (tower) or dry bulb (dry cooler), K; not used for a chiller.
    pub approach_k: f64,
    /// Wet bulb (tower) or dry bulb (dry cooler, chiller) of the rated point, degC.
    pub design_ambient_c: f64,
    /// Slowest fan speed, 0 to 1.
    pub min_speed: f64,
    /// Basin conductivity over that of the make-up water at which the blowdown opens (tower), above 1.
    pub cycles_of_concentration: f64,
    /// Adiabatic pads (dry cooler).
    pub spray: bool,
    /// Shut off for repair: takes no water, whatever is asked of it.
    #[serde(default)]
    pub out_of_service: bool,
    /// The unit's own setpoint of its leaving water, and a chiller's rated leaving temperature, degC.
    pub default_supply_c: f64,
}

/// A heat-reuse exchanger to a district network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReuseSpec {
    /// Id.
    pub id: String,
    /// Id of the loop whose return it cools.
    pub facility_loop: String,
    /// Heat at the rated point, kW.
    pub rated_kw: f64,
    /// Facility water in less network water out at the rated point, K.
    pub approach_k: f64,
    /// Network flow at the rated point, L/min.
    pub network_flow_lpm: f64,
    /// Coldest network supply that the contract takes, degC; the network valve throttles to hold it.
    pub min_supply_c: f64,
    /// The unit's own valve position, 0 to 1.
    pub default_valve: f64,
}

/// An air unit and the part of the hall that it serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AirUnitSpec {
    /// Id.
    pub id: String,
    /// Id of the loop on its coil.
    pub facility_loop: String,
    /// Heat at the rated point, kW.
    pub rated_kw: f64,
    /// Supply air less entering water at the rated point, K.
    pub approach_k: f64,
    /// Air flow at full speed, m3/s.
    pub air_flow_m3_s: f64,
    /// Fan power at full speed, kW.
    pub fan_kw: f64,
    /// Water flow at the rated point, L/min.
    pub water_flow_lpm: f64,
    /// Slowest fan speed, 0 to 1.
    pub min_speed: f64,
    /// The unit's own setpoint of its supply air, degC.
    pub default_supply_air_c: f64,
    /// The unit's own fan speed, 0 to 1.
    pub default_fan_speed: f64,
}

/// A coolant distribution unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CduSpec {
    /// Id.
    pub id: String,
    /// Id of the loop on its primary side.
    pub facility_loop: String,
    /// Secondary coolant.
    pub coolant: Coolant,
    /// Heat at the rated point, kW.
    pub rated_kw: f64,
    /// Coolant supply less facility-water supply at the rated point, K.
    pub approach_k: f64,
    /// Secondary flow at the rated point, L/min.
    pub secondary_flow_lpm: f64,
    /// Pressure difference over the racks at the rated flow, kPa.
    pub secondary_pressure_kpa: f64,
    /// Primary flow at the rated point, L/min.
    pub primary_flow_lpm: f64,
    /// Pressure difference over the primary side at rated flow with the valve open, kPa.
    pub primary_pressure_kpa: f64,
    /// Electric power of the pumps at the rated flow, kW.
    pub pump_kw: f64,
    /// Slowest pump speed, 0 to 1.
    pub pump_min_speed: f64,
    /// Coolant in the unit, its pipes and racks, L.
    pub volume_l: f64,
    /// The unit's own setpoint of the coolant to the racks, degC.
    pub default_supply_c: f64,
    /// The unit's own setpoint of the pressure difference over the racks, kPa.
    pub default_differential_pressure_kpa: f64,
}

/// A rack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RackSpec {
    /// Id.
    pub id: String,
    /// Id of the CDU that serves it.
    pub cdu: String,
    /// Largest electric power, kW.
    pub rated_kw: f64,
    /// Share of the heat that goes into the liquid, 0 to 1.
    pub liquid_fraction: f64,
    /// Flow at the CDU's rated point, L/min.
    pub flow_lpm: f64,
    /// Heat of the hottest chip at rated rack power, kW.
    pub chip_kw: f64,
    /// Thermal resistance of that chip to the coolant inlet at rated flow, K/kW.
    pub chip_resistance_k_per_kw: f64,
    /// Throttle limit of that chip, degC.
    pub chip_limit_c: f64,
}

/// What a meter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterRole {
    /// Electricity of the racks: `power`, `energy`.
    ItPower,
    /// Electricity of racks, cooling and overhead: `power`, `energy`.
    SitePower,
    /// Electricity of all cooling equipment: `power`, `energy`.
    CoolingPower,
    /// Make-up water of towers and spray of dry coolers: `flow`, `volume`.
    MakeupWater,
    /// Blowdown of the towers: `flow`, `volume`.
    BlowdownWater,
    /// Heat handed to the district network: `power`, `energy`, `supply_temperature`, `return_temperature`, `flow`.
    ReusedHeat,
}

/// A meter with a counter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeterSpec {
    /// Id.
    pub id: String,
    /// What it counts.
    pub role: MeterRole,
    /// Counter value at which it starts again from zero, kWh or L.
    pub rollover: f64,
    /// Largest error of its class as a share of the reading, 0 for an ideal meter, 0.01 for class 1.
    pub class: f64,
}

/// All mistakes of a specification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plant cannot be built: {}", problems.join("; "))]
pub struct SpecError {
    /// One line for each mistake: what, where, and what to write instead.
    pub problems: Vec<String>,
}

impl PlantSpec {
    /// Looks for mistakes; [`super::Plant::new`] does it too.
    ///
    /// # Errors
    /// Every mistake found, at once.
    pub fn check(&self) -> Result<(), SpecError> {
        let problems = check::problems(self);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(SpecError { problems })
        }
    }
}
