//! What stands in the hall: equipment, nameplates, and what is connected to what.
//!
//! The nameplates are read from the site's TOML by serde; `super::build` resolves names into ids and
//! `super::check` finds the mistakes.

use super::ids::{CduId, DeviceId, LoopId, RackId, ZoneId};
use super::points::{
    AirUnitPoints, BuildingPoints, CduPoints, FeedPoints, LoopPoints, MeterPoints, RackPoints, RejectionPoints,
    ReusePoints, WeatherPoints,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thermo::Coolant;

/// How an equipment's device is reached; without it the equipment has no telemetry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceBinding {
    /// Profile name: a file under `config/profiles/` without `.toml`.
    pub profile: String,
    /// Modbus TCP address, `host:port`; absent for MQTT profiles.
    pub address: Option<String>,
    /// Modbus unit id, 0 to 255.
    pub unit: Option<u8>,
    /// Its name on the MQTT or DSX bus, where that is not the equipment's id.
    pub object: Option<String>,
}

/// A device link.
#[derive(Debug, Clone)]
pub struct Device {
    /// The equipment's id, which is also the `{device}` of MQTT topics.
    pub id: String,
    /// How it is reached.
    pub binding: DeviceBinding,
    /// Its register or payload map.
    pub profile: Arc<wire::Profile>,
    /// For each point of the profile, the site's point.
    pub points: Vec<super::PointId>,
}

impl Device {
    /// Its name on a bus: what stands in the place of `{device}` in topics.
    pub fn bus_name(&self) -> &str {
        self.binding.object.as_deref().unwrap_or(&self.id)
    }
}

/// A facility-water loop with its pump skid.
#[derive(Debug, Clone)]
pub struct FacilityLoop {
    /// Id in the configuration and in tags.
    pub name: String,
    /// Zone of control.
    pub zone: ZoneId,
    /// Nameplate.
    pub nameplate: LoopNameplate,
    /// Its device.
    pub device: Option<DeviceId>,
    /// Its points.
    pub points: LoopPoints,
    /// CDUs on this loop.
    pub cdus: Vec<CduId>,
    /// Heat-rejection units on this loop.
    pub rejection: Vec<super::RejectionId>,
    /// Heat-reuse exchangers on this loop.
    pub reuse: Vec<super::ReuseId>,
    /// Air units on this loop.
    pub air_units: Vec<super::AirUnitId>,
}

/// What the drawings and nameplates say of a facility-water loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoopNameplate {
    /// Water in the loop, L.
    pub volume_l: f64,
    /// Pipe run one way, as time at rated flow, s.
    pub transport_s: f64,
    /// Number of pumps, all alike.
    pub pumps: usize,
    /// Rated flow of one pump, L/min.
    pub pump_flow_lpm: f64,
    /// Rated head, kPa.
    pub pump_head_kpa: f64,
    /// Rated electric power of one pump, kW.
    pub pump_kw: f64,
    /// Slowest speed, 0 to 1.
    pub pump_min_speed: f64,
}

/// A coolant distribution unit.
#[derive(Debug, Clone)]
pub struct Cdu {
    /// Id in the configuration and in tags.
    pub name: String,
    /// Zone of control.
    pub zone: ZoneId,
    /// The facility-water loop on its primary side.
    pub facility_loop: LoopId,
    /// Nameplate.
    pub nameplate: CduNameplate,
    /// Its device.
    pub device: Option<DeviceId>,
    /// Its points.
    pub points: CduPoints,
    /// Racks that it serves.
    pub racks: Vec<RackId>,
}

/// What the data sheet says of a CDU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CduNameplate {
    /// Secondary coolant.
    pub coolant: Coolant,
    /// Heat at the rated point, kW.
    pub rated_kw: f64,
    /// Approach at the rated point (coolant supply less facility-water supply), K.
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
    /// Coolant in the unit and its pipes, L.
    pub volume_l: f64,
}

/// A rack.
#[derive(Debug, Clone)]
pub struct Rack {
    /// Id in the configuration and in tags.
    pub name: String,
    /// Zone of control.
    pub zone: ZoneId,
    /// The CDU that serves it.
    pub cdu: CduId,
    /// Nameplate.
    pub nameplate: RackNameplate,
    /// Its device.
    pub device: Option<DeviceId>,
    /// Its points.
    pub points: RackPoints,
    /// The scheduler's names of its nodes.
    pub nodes: Vec<String>,
}

/// What the data sheet says of a rack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RackNameplate {
    /// Largest electric power, kW.
    pub rated_kw: f64,
    /// Power with all nodes idle, kW.
    pub idle_kw: f64,
    /// Share of the heat that goes into the liquid, 0 to 1.
    pub liquid_fraction: f64,
    /// GPUs in the rack.
    pub gpus: u32,
    /// Smallest flow per kW of liquid heat, L/min per kW.
    pub min_flow_lpm_per_kw: f64,
    /// Flow at the CDU's rated point, L/min.
    pub flow_lpm: f64,
    /// Heat of the hottest chip at rated rack power, kW.
    pub chip_kw: f64,
    /// Thermal resistance of that chip to the coolant inlet at rated flow, K/kW.
    pub chip_resistance_k_per_kw: f64,
    /// Throttle limit of that chip, degC.
    pub chip_limit_c: f64,
}

/// A heat-rejection unit.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// Id in the configuration and in tags.
    pub name: String,
    /// Zone of control.
    pub zone: ZoneId,
    /// The loop that it cools.
    pub facility_loop: LoopId,
    /// Nameplate.
    pub nameplate: RejectionNameplate,
    /// Its device.
    pub device: Option<DeviceId>,
    /// Its points.
    pub points: RejectionPoints,
}

/// Kinds of heat rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionKind {
    /// One cell of an evaporative cooling tower.
    TowerCell,
    /// A dry cooler, with adiabatic pads where `spray` is set.
    DryCooler,
    /// A chiller.
    Chiller,
}

/// What the data sheet says of a heat-rejection unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectionNameplate {
    /// What it is.
    pub kind: RejectionKind,
    /// Heat at the rated point, kW.
    pub rated_kw: f64,
    /// Fan or compressor power at the rated point, kW.
    pub power_kw: f64,
    /// Water flow at the rated point, L/min.
    pub flow_lpm: f64,
    /// Approach at the rated point: leaving water less wet bulb (tower), less dry bulb (dry cooler), K.
    pub approach_k: f64,
    /// Wet bulb (tower), dry bulb (dry cooler) or condenser air (chiller) of the rated point, degC.
    pub design_ambient_c: f64,
    /// Slowest fan speed, 0 to 1.
    pub min_speed: f64,
    /// Cycles of concentration that the blowdown keeps (tower).
    pub cycles_of_concentration: f64,
    /// Adiabatic pads (dry cooler).
    pub spray: bool,
}

/// A heat-reuse exchanger to a district network.
#[derive(Debug, Clone)]
pub struct Reuse {
    /// Id in the configuration and in tags.
    pub name: String,
    /// Zone of control.
    pub zone: ZoneId,
    /// The loop whose return it cools.
    pub facility_loop: LoopId,
    /// Nameplate.
    pub nameplate: ReuseNameplate,
    /// Its device.
    pub device: Option<DeviceId>,
    /// Its points.
    pub points: ReusePoints,
}

/// What the data sheet and the heat contract say of a heat-reuse exchanger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReuseNameplate {
    /// Heat at the rated point, kW.
    pub rated_kw: f64,
    /// Facility water in less network water out at the rated point, K.
    pub approach_k: f64,
    /// Network flow at the rated point, L/min.
    pub network_flow_lpm: f64,
    /// Coldest network supply that the contract takes, degC.
    pub min_supply_c: f64,
}

/// An air unit for the heat that is not in the liquid.
#[derive(Debug, Clone)]
pub struct AirUnit {
    /// Id in the configuration and in tags.
    pub name: String,
    /// Zone of control.
    pub zone: ZoneId,
    /// The loop on its coil.
    pub facility_loop: LoopId,
    /// Nameplate.
    pub nameplate: AirUnitNameplate,
    /// Its device.
    pub device: Option<DeviceId>,
    /// Its points.
    pub points: AirUnitPoints,
}

/// What the data sheet says of an air unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AirUnitNameplate {
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
}

/// What a meter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterRole {
    /// Electricity of the IT equipment.
    ItPower,
    /// Electricity of the whole site.
    SitePower,
    /// Electricity of the cooling equipment.
    CoolingPower,
    /// Make-up water of the towers.
    MakeupWater,
    /// Blowdown of the towers.
    BlowdownWater,
    /// Heat handed to the district network.
    ReusedHeat,
    /// The part of the make-up water that is not of drinking quality: rain, process or reclaimed water.
    ReclaimedWater,
    /// Electricity of the computing parts alone: processors, memory, storage, network.
    ComputePower,
}

impl MeterRole {
    /// The name in configuration and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ItPower => "it_power",
            Self::SitePower => "site_power",
            Self::CoolingPower => "cooling_power",
            Self::MakeupWater => "makeup_water",
            Self::BlowdownWater => "blowdown_water",
            Self::ReusedHeat => "reused_heat",
            Self::ReclaimedWater => "reclaimed_water",
            Self::ComputePower => "compute_power",
        }
    }

    /// Whether it counts litres; else it counts kilowatt-hours.
    pub const fn is_water(self) -> bool {
        matches!(self, Self::MakeupWater | Self::BlowdownWater | Self::ReclaimedWater)
    }
}

/// A meter.
#[derive(Debug, Clone)]
pub struct Meter {
    /// Id in the configuration and in tags.
    pub name: String,
    /// Zone of control.
    pub zone: ZoneId,
    /// What it counts.
    pub role: MeterRole,
    /// Value at which the counter starts again from zero, canonical unit.
    pub rollover: f64,
    /// Largest error of its class, as a share of the reading.
    pub class: f64,
    /// Its device.
    pub device: Option<DeviceId>,
    /// Its points.
    pub points: MeterPoints,
}

/// The weather station.
#[derive(Debug, Clone)]
pub struct Weather {
    /// Id in the configuration and in tags.
    pub name: String,
    /// Its device.
    pub device: Option<DeviceId>,
    /// Its points.
    pub points: WeatherPoints,
}

/// A feed of the grid's carbon intensity and of prices.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Id in the configuration and in tags.
    pub name: String,
    /// Its device.
    pub device: Option<DeviceId>,
    /// Its points.
    pub points: FeedPoints,
}

/// The building system, as far as it has a say in whether we write.
#[derive(Debug, Clone)]
pub struct Building {
    /// Id in the configuration and in tags.
    pub name: String,
    /// Its device.
    pub device: Option<DeviceId>,
    /// Its points.
    pub points: BuildingPoints,
}

/// A control zone: what is commanded together and has one authority.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Id in the configuration.
    pub name: String,
    /// Authority on start.
    pub authority: super::Authority,
    /// The zone's points.
    pub points: Vec<super::PointId>,
}
