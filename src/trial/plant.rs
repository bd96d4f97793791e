//! The simulated plant of a site: built from what the drawings say, never from what the controller believes.
//!
//! The simulator draws its own as-built deviations from the seed, so the plant that the controller
//! meets differs from the nameplates in its configuration.

use crate::site::{
    AirUnit, Cdu, FacilityLoop, LoopId, Meter, MeterRole, Point, Rack, Rejection, RejectionKind, Reuse, Site,
};
use simulators::plant::spec;

/// Constant power of lights, switchgear and offices, as a share of the racks' rated power.
const OVERHEAD_SHARE: f64 = 0.01;

/// Conductivity of make-up water, uS/cm: a common drinking water.
const MAKEUP_US_CM: f64 = 400.0;

/// Time without a heartbeat after which devices return to their own setpoints, s: what field devices ship with.
pub const COMMS_TIMEOUT_S: f64 = 60.0;

/// What a device falls back to: the release value of its setpoint, which is the plant as found.
fn default_of<Q>(site: &Site, point: Option<Point<Q>>, otherwise: f64) -> f64 {
    point
        .and_then(|point| site.spec(point.id()).write)
        .map_or(otherwise, |write| write.release)
}

/// The specification of the plant that a site's drawings describe. A device whose heartbeat does not change for
/// `comms_timeout_s` returns to its own setpoints.
pub fn plant_spec(site: &Site, comms_timeout_s: f64) -> spec::PlantSpec {
    spec::PlantSpec {
        altitude_m: site.altitude_m,
        overhead_kw: site.racks.iter().map(|rack| rack.nameplate.rated_kw).sum::<f64>() * OVERHEAD_SHARE,
        makeup_conductivity_us_cm: MAKEUP_US_CM,
        comms_timeout_s,
        deviation: 1.0,
        sensors_at_limit: false,
        loops: site.loops.iter().map(|unit| facility_loop(site, unit)).collect(),
        rejection: site.rejection.iter().map(|unit| rejection(site, unit)).collect(),
        reuse: site.reuse.iter().map(|unit| reuse(site, unit)).collect(),
        air_units: site.air_units.iter().map(|unit| air_unit(site, unit)).collect(),
        cdus: site.cdus.iter().map(|unit| cdu(site, unit)).collect(),
        racks: site.racks.iter().map(|unit| rack(site, unit)).collect(),
        meters: site.meters.iter().filter_map(meter).collect(),
        weather: site.weather.as_ref().map(|weather| weather.name.clone()),
    }
}

fn loop_name(site: &Site, id: LoopId) -> String {
    site.loops[id.0].name.clone()
}

fn facility_loop(site: &Site, unit: &FacilityLoop) -> spec::LoopSpec {
    spec::LoopSpec {
        id: unit.name.clone(),
        volume_l: unit.nameplate.volume_l,
        transport_s: unit.nameplate.transport_s,
        pumps: unit.nameplate.pumps,
        pump_flow_lpm: unit.nameplate.pump_flow_lpm,
        pump_head_kpa: unit.nameplate.pump_head_kpa,
        pump_kw: unit.nameplate.pump_kw,
        pump_min_speed: unit.nameplate.pump_min_speed,
        static_share: 0.0,
        default_differential_pressure_kpa: default_of(
            site,
            unit.points.differential_pressure_setpoint,
            unit.nameplate.pump_head_kpa * 0.6,
        ),
    }
}

fn rejection(site: &Site, unit: &Rejection) -> spec::RejectionSpec {
    spec::RejectionSpec {
        id: unit.name.clone(),
        facility_loop: loop_name(site, unit.facility_loop),
        kind: match unit.nameplate.kind {
            RejectionKind::TowerCell => spec::RejectionKind::TowerCell,
            RejectionKind::DryCooler => spec::RejectionKind::DryCooler,
            RejectionKind::Chiller => spec::RejectionKind::Chiller,
        },
        rated_kw: unit.nameplate.rated_kw,
        power_kw: unit.nameplate.power_kw,
        flow_lpm: unit.nameplate.flow_lpm,
        approach_k: unit.nameplate.approach_k,
        design_ambient_c: unit.nameplate.design_ambient_c,
        min_speed: unit.nameplate.min_speed,
        cycles_of_concentration: unit.nameplate.cycles_of_concentration,
        spray: unit.nameplate.spray,
        out_of_service: false,
        default_supply_c: default_of(
            site,
            unit.points.supply_temperature_setpoint,
            unit.nameplate.design_ambient_c + unit.nameplate.approach_k,
        ),
    }
}

fn reuse(site: &Site, unit: &Reuse) -> spec::ReuseSpec {
    spec::ReuseSpec {
        id: unit.name.clone(),
        facility_loop: loop_name(site, unit.facility_loop),
        rated_kw: unit.nameplate.rated_kw,
        approach_k: unit.nameplate.approach_k,
        network_flow_lpm: unit.nameplate.network_flow_lpm,
        min_supply_c: unit.nameplate.min_supply_c,
        default_valve: default_of(site, unit.points.valve_setpoint, 0.0),
    }
}

fn air_unit(site: &Site, unit: &AirUnit) -> spec::AirUnitSpec {
    spec::AirUnitSpec {
        id: unit.name.clone(),
        facility_loop: loop_name(site, unit.facility_loop),
        rated_kw: unit.nameplate.rated_kw,
        approach_k: unit.nameplate.approach_k,
        air_flow_m3_s: unit.nameplate.air_flow_m3_s,
        fan_kw: unit.nameplate.fan_kw,
        water_flow_lpm: unit.nameplate.water_flow_lpm,
        min_speed: unit.nameplate.min_speed,
        default_supply_air_c: default_of(site, unit.points.supply_air_temperature_setpoint, 22.0),
        default_fan_speed: default_of(site, unit.points.fan_speed_setpoint, 0.8),
    }
}

fn cdu(site: &Site, unit: &Cdu) -> spec::CduSpec {
    spec::CduSpec {
        id: unit.name.clone(),
        facility_loop: loop_name(site, unit.facility_loop),
        coolant: unit.nameplate.coolant,
        rated_kw: unit.nameplate.rated_kw,
        approach_k: unit.nameplate.approach_k,
        secondary_flow_lpm: unit.nameplate.secondary_flow_lpm,
        secondary_pressure_kpa: unit.nameplate.secondary_pressure_kpa,
        primary_flow_lpm: unit.nameplate.primary_flow_lpm,
        primary_pressure_kpa: unit.nameplate.primary_pressure_kpa,
        pump_kw: unit.nameplate.pump_kw,
        pump_min_speed: unit.nameplate.pump_min_speed,
        volume_l: unit.nameplate.volume_l,
        default_supply_c: default_of(site, unit.points.secondary_supply_temperature_setpoint, 25.0),
        default_differential_pressure_kpa: default_of(
            site,
            unit.points.secondary_differential_pressure_setpoint,
            unit.nameplate.secondary_pressure_kpa,
        ),
    }
}

fn rack(site: &Site, rack: &Rack) -> spec::RackSpec {
    spec::RackSpec {
        id: rack.name.clone(),
        cdu: site.cdus[rack.cdu.0].name.clone(),
        rated_kw: rack.nameplate.rated_kw,
        liquid_fraction: rack.nameplate.liquid_fraction,
        flow_lpm: rack.nameplate.flow_lpm,
        chip_kw: rack.nameplate.chip_kw,
        chip_resistance_k_per_kw: rack.nameplate.chip_resistance_k_per_kw,
        chip_limit_c: rack.nameplate.chip_limit_c,
    }
}

/// What the simulated plant can count; it has no meter of reclaimed water or of the computing parts alone.
fn meter(meter: &Meter) -> Option<spec::MeterSpec> {
    let role = match meter.role {
        MeterRole::ItPower => spec::MeterRole::ItPower,
        MeterRole::SitePower => spec::MeterRole::SitePower,
        MeterRole::CoolingPower => spec::MeterRole::CoolingPower,
        MeterRole::MakeupWater => spec::MeterRole::MakeupWater,
        MeterRole::BlowdownWater => spec::MeterRole::BlowdownWater,
        MeterRole::ReusedHeat => spec::MeterRole::ReusedHeat,
        MeterRole::ReclaimedWater | MeterRole::ComputePower => return None,
    };
    Some(spec::MeterSpec {
        id: meter.name.clone(),
        role,
        rollover: meter.rollover,
        class: meter.class,
    })
}
