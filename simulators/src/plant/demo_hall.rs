//! A hall for tests: 4 CDUs with 4 racks of 120 kW each, 3 tower cells, 2 pumps, heat reuse and an air unit.

use super::spec::*;
use super::{Drive, NetworkSample, Plant, WeatherSample};
use thermo::Coolant;

/// The hall's specification.
pub(crate) fn spec() -> PlantSpec {
    let cdu = |n: usize| CduSpec {
        id: format!("cdu{n}"),
        facility_loop: "fws".into(),
        coolant: Coolant::Pg25,
        rated_kw: 450.0,
        approach_k: 4.0,
        secondary_flow_lpm: 640.0,
        secondary_pressure_kpa: 120.0,
        primary_flow_lpm: 640.0,
        primary_pressure_kpa: 90.0,
        pump_kw: 4.5,
        pump_min_speed: 0.25,
        volume_l: 350.0,
        default_supply_c: 30.0,
        default_differential_pressure_kpa: 110.0,
    };
    let rack = |n: usize| RackSpec {
        id: format!("rack{:02}", n + 1),
        cdu: format!("cdu{}", n / 4 + 1),
        rated_kw: 120.0,
        liquid_fraction: 0.87,
        flow_lpm: 160.0,
        chip_kw: 1.2,
        chip_resistance_k_per_kw: 28.0,
        chip_limit_c: 87.0,
    };
    let tower = |n: usize| RejectionSpec {
        id: format!("ct{n}"),
        facility_loop: "fws".into(),
        kind: RejectionKind::TowerCell,
        rated_kw: 950.0,
        power_kw: 15.0,
        flow_lpm: 1400.0,
        approach_k: 4.0,
        design_ambient_c: 24.0,
        min_speed: 0.25,
        cycles_of_concentration: 5.0,
        spray: false,
        out_of_service: false,
        default_supply_c: 24.0,
    };
    let meter = |id: &str, role| MeterSpec {
        id: id.into(),
        role,
        rollover: 1e9,
        class: 0.01,
    };
    PlantSpec {
        altitude_m: 200.0,
        overhead_kw: 30.0,
        makeup_conductivity_us_cm: 300.0,
        comms_timeout_s: 60.0,
        sensors_at_limit: false,
        deviation: 1.0,
        loops: vec![LoopSpec {
            id: "fws".into(),
            volume_l: 8000.0,
            transport_s: 30.0,
            pumps: 2,
            pump_flow_lpm: 1700.0,
            pump_head_kpa: 220.0,
            pump_kw: 9.0,
            pump_min_speed: 0.3,
            static_share: 0.1,
            default_differential_pressure_kpa: 90.0,
        }],
        rejection: (1..=3).map(tower).collect(),
        reuse: vec![ReuseSpec {
            id: "hx1".into(),
            facility_loop: "fws".into(),
            rated_kw: 600.0,
            approach_k: 3.0,
            network_flow_lpm: 900.0,
            min_supply_c: 30.0,
            default_valve: 0.0,
        }],
        air_units: vec![AirUnitSpec {
            id: "ahu1".into(),
            facility_loop: "fws".into(),
            rated_kw: 280.0,
            approach_k: 3.0,
            air_flow_m3_s: 20.0,
            fan_kw: 16.0,
            water_flow_lpm: 500.0,
            min_speed: 0.3,
            default_supply_air_c: 27.0,
            default_fan_speed: 0.9,
        }],
        cdus: (1..=4).map(cdu).collect(),
        racks: (0..16).map(rack).collect(),
        meters: vec![
            meter("meter_it", MeterRole::ItPower),
            meter("meter_site", MeterRole::SitePower),
            meter("meter_cooling", MeterRole::CoolingPower),
            meter("meter_makeup", MeterRole::MakeupWater),
            meter("meter_blowdown", MeterRole::BlowdownWater),
            meter("meter_reuse", MeterRole::ReusedHeat),
        ],
        weather: Some("weather".into()),
    }
}

/// A mild day, constant.
pub(crate) const MILD: WeatherSample = WeatherSample {
    dry_bulb_c: 20.0,
    rh: 0.5,
    pressure_kpa: 99.0,
    wet_bulb_c: 13.7,
};

/// A network that takes what it gets.
pub(crate) const NETWORK: NetworkSample = NetworkSample {
    return_c: 26.0,
    demand_share: 1.0,
};

/// Runs `plant` for `seconds` in steps of `dt` with all racks at `kw`.
pub(crate) fn run(plant: &mut Plant, seconds: f64, dt: f64, kw: f64, weather: WeatherSample) {
    let racks = [kw; 16];
    let mut t = 0.0;
    while t < seconds {
        plant.advance(
            dt,
            &Drive {
                rack_it_kw: &racks,
                weather,
                network: NETWORK,
            },
        );
        t += dt;
    }
}

/// The true value of a tag.
pub(crate) fn truth(plant: &Plant, tag: &str) -> f64 {
    plant.truth(plant.signal(tag).unwrap_or_else(|| panic!("no signal {tag}")))
}

/// Writes a value to a tag.
pub(crate) fn set(plant: &mut Plant, tag: &str, value: f64) {
    let signal = plant.signal(tag).unwrap_or_else(|| panic!("no signal {tag}"));
    plant.write(signal, value).unwrap();
}
