//! The plant in steady state under some setpoints.

use super::laws::{Exchanger, Skid, fan_share, fan_speed, pump_share, water};
use super::learn::Learned;
use super::{Setpoints, value};
use crate::site::{AirUnit, Cdu, FacilityLoop, Point, Reuse, Site};
use crate::snapshot::Snapshot;
use thermo::moist_air;

/// Density times specific heat of air near 30 degC, kJ/(m3 K).
pub(super) const AIR_CARRIES: f64 = 1.16;
/// Temperature at which coolant properties are taken, degC.
const PROPERTY_C: f64 = 35.0;
/// Warmest facility water that is looked for, degC.
const WARMEST_C: f64 = 60.0;

/// Load and weather, as measured.
#[derive(Debug, Clone)]
pub(super) struct Conditions {
    pub(super) dry_bulb_c: f64,
    pub(super) wet_bulb_c: f64,
    pub(super) pressure_pa: f64,
    /// Heat into each CDU's coolant, kW.
    pub(super) cdu_kw: Vec<f64>,
    /// Heat into each air unit's room, kW.
    pub(super) air_kw: f64,
    /// Network water that comes to each exchanger, degC.
    pub(super) network_c: Vec<Option<f64>>,
}

impl Conditions {
    pub(super) fn now(site: &Site, snapshot: &Snapshot) -> Option<Self> {
        let points = &site.weather.as_ref()?.points;
        let dry_bulb_c = value(snapshot, points.dry_bulb)?;
        let humidity = value(snapshot, points.relative_humidity)?;
        let standard = moist_air::pressure_at_altitude_pa(site.altitude_m).unwrap_or(moist_air::STANDARD_PRESSURE_PA);
        let pressure_pa = value(snapshot, points.pressure).map_or(standard, |kpa| kpa * 1000.0);
        let mut cdu_kw = vec![0.0; site.cdus.len()];
        let mut air_kw = 0.0;
        for rack in &site.racks {
            let kw = value(snapshot, rack.points.power)?;
            let liquid = rack.nameplate.liquid_fraction;
            *cdu_kw.get_mut(rack.cdu.0)? += kw * liquid;
            air_kw += kw * (1.0 - liquid);
        }
        Some(Self {
            dry_bulb_c,
            wet_bulb_c: moist_air::clamped::wet_bulb_c(dry_bulb_c, humidity, pressure_pa),
            pressure_pa,
            cdu_kw,
            air_kw: air_kw / site.air_units.len().max(1) as f64,
            network_c: site
                .reuse
                .iter()
                .map(|unit| value(snapshot, unit.points.network_return_temperature))
                .collect(),
        })
    }
}

/// A CDU as it would run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CduState {
    /// Share of the rated secondary flow.
    pub(super) share: f64,
    pub(super) supply_c: f64,
    pub(super) return_c: f64,
    /// Share of what its open valve would pass.
    pub(super) valve: f64,
    kw: f64,
    primary_lpm: f64,
}

/// An air unit as it would run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AirState {
    pub(super) supply_c: f64,
    pub(super) return_c: f64,
    kw: f64,
    water_lpm: f64,
}

/// A loop as it would run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LoopState {
    pub(super) supply_c: f64,
    pub(super) return_c: f64,
}

/// The plant as it would run.
#[derive(Debug, Clone, Default)]
pub(super) struct Steady {
    /// Cooling power, kW.
    pub(super) kw: f64,
    pub(super) cdus: Vec<CduState>,
    pub(super) air_units: Vec<AirState>,
    pub(super) loops: Vec<LoopState>,
}

pub(super) fn cdu_exchanger(cdu: &Cdu, ratio: f64) -> Exchanger {
    let plate = &cdu.nameplate;
    let hot = plate.secondary_flow_lpm * plate.coolant.kw_per_lpm_k(PROPERTY_C);
    let cold = plate.primary_flow_lpm * water();
    Exchanger::rated(
        plate.rated_kw,
        hot,
        cold,
        plate.approach_k + plate.rated_kw / hot,
        ratio,
    )
}

pub(super) fn coil_exchanger(unit: &AirUnit, ratio: f64) -> Exchanger {
    let plate = &unit.nameplate;
    let air = AIR_CARRIES * plate.air_flow_m3_s;
    let cold = plate.water_flow_lpm * water();
    Exchanger::rated(
        plate.rated_kw,
        air,
        cold,
        plate.approach_k + plate.rated_kw / air,
        ratio,
    )
}

/// Pressure that a branch of a loop takes at its rated flow, kPa: that of its CDUs; data sheets of coils state none.
pub(super) fn branch_kpa(site: &Site, unit: &FacilityLoop) -> f64 {
    let cdus = unit.cdus.iter().filter_map(|id| site.cdus.get(id.0));
    cdus.map(|cdu| cdu.nameplate.primary_pressure_kpa).fold(1.0, f64::max)
}

/// What the loop's equipment does at a water temperature.
struct Around {
    cdus: Vec<CduState>,
    air_units: Vec<AirState>,
    flow_lpm: f64,
    pump_kw: f64,
    rejected_kw: f64,
    return_c: f64,
}

/// The plant under setpoints; `None` where one is not known.
pub(super) fn steady(
    site: &Site,
    learned: &Learned,
    conditions: &Conditions,
    setpoints: Setpoints<'_>,
) -> Option<Steady> {
    let mut plant = Steady {
        kw: 0.0,
        cdus: vec![CduState::default(); site.cdus.len()],
        air_units: vec![AirState::default(); site.air_units.len()],
        loops: vec![],
    };
    for (id, unit) in site.loops.iter().enumerate() {
        let cells: Vec<_> = unit
            .rejection
            .iter()
            .filter_map(|id| site.rejection.get(id.0))
            .collect();
        let enabled: Vec<_> = cells
            .iter()
            .filter(|cell| set(setpoints, cell.points.enable).is_none_or(|on| on >= 0.5))
            .collect();
        let plate = &enabled.first()?.nameplate;
        let asked = enabled
            .iter()
            .filter_map(|cell| set(setpoints, cell.points.supply_temperature_setpoint));
        let asked_c = asked.reduce(f64::min)?;
        let count = enabled.len().max(1) as f64;
        let capacity = learned.capacity.get(id)?.get();
        let needed = |water_c: f64| {
            let around = around(site, learned, conditions, setpoints, id, water_c)?;
            let duty = (around.rejected_kw / count, around.flow_lpm / count, water_c);
            Some((fan_speed(plate, capacity, duty, conditions), around))
        };
        // Where full speed does not reach the setpoint, the water is as warm as full speed makes it.
        let (mut speed, mut found) = needed(asked_c)?;
        let mut water_c = asked_c;
        if speed > 1.0 {
            let (mut low, mut high) = (asked_c, WARMEST_C);
            for _ in 0..10 {
                water_c = 0.5 * (low + high);
                (speed, found) = needed(water_c)?;
                if speed > 1.0 {
                    low = water_c;
                } else {
                    high = water_c;
                }
            }
            speed = 1.0;
        }
        let fans_kw = learned.fans.get(id)?.get() * count * plate.power_kw * fan_share(speed, plate.min_speed);
        plant.kw += found.pump_kw + fans_kw;
        for (cdu, state) in unit.cdus.iter().zip(&found.cdus) {
            plant.kw += state.kw;
            *plant.cdus.get_mut(cdu.0)? = *state;
        }
        for (air, state) in unit.air_units.iter().zip(&found.air_units) {
            plant.kw += state.kw;
            *plant.air_units.get_mut(air.0)? = *state;
        }
        plant.loops.push(LoopState {
            supply_c: water_c,
            return_c: found.return_c,
        });
    }
    Some(plant)
}

fn set<Q>(setpoints: Setpoints<'_>, point: Option<Point<Q>>) -> Option<f64> {
    setpoints(point?.id())
}

fn around(
    site: &Site,
    learned: &Learned,
    conditions: &Conditions,
    setpoints: Setpoints<'_>,
    id: usize,
    water_c: f64,
) -> Option<Around> {
    let unit = site.loops.get(id)?;
    let asked_kpa = set(setpoints, unit.points.differential_pressure_setpoint)?;
    let skid = Skid {
        plate: &unit.nameplate,
        pipe_k: *learned.pipes.get(id)?,
    };
    let at = |kpa: f64| around_at(site, learned, conditions, setpoints, (id, water_c, kpa), skid);
    let found = at(asked_kpa)?;
    if skid.most_kpa(found.flow_lpm) >= asked_kpa {
        return Some(found);
    }
    // Open valves take more than all pumps can give: the pressure falls until both agree.
    let (mut low, mut high) = (0.0, asked_kpa);
    for _ in 0..8 {
        let middle = 0.5 * (low + high);
        if skid.most_kpa(at(middle)?.flow_lpm) >= middle {
            low = middle;
        } else {
            high = middle;
        }
    }
    at(low.max(1.0))
}

fn around_at(
    site: &Site,
    learned: &Learned,
    conditions: &Conditions,
    setpoints: Setpoints<'_>,
    (id, water_c, header_kpa): (usize, f64, f64),
    skid: Skid<'_>,
) -> Option<Around> {
    let unit = site.loops.get(id)?;
    let mut all = Around {
        cdus: vec![],
        air_units: vec![],
        flow_lpm: 0.0,
        pump_kw: 0.0,
        rejected_kw: 0.0,
        return_c: water_c,
    };
    let mut heat_kw = 0.0;
    let branch_kpa = branch_kpa(site, unit);
    for cdu in &unit.cdus {
        let (unit, ratios) = (site.cdus.get(cdu.0)?, learned.cdus.get(cdu.0)?);
        let plate = &unit.nameplate;
        let kpa = set(setpoints, unit.points.secondary_differential_pressure_setpoint)?;
        let asked_c = set(setpoints, unit.points.secondary_supply_temperature_setpoint)?;
        let head = kpa / plate.secondary_pressure_kpa;
        let share = (head / ratios.resistance.get()).max(1e-4).sqrt();
        let kw = (plate.pump_kw * pump_share(share, head) + ratios.beyond_kw).max(0.0);
        let exchanger = cdu_exchanger(unit, ratios.ua.get());
        let most = ratios.primary.get() * (header_kpa / plate.primary_pressure_kpa).max(1e-4).sqrt();
        let q = conditions.cdu_kw.get(cdu.0)? + kw;
        let (primary, above_k) = exchanger.cold_share(q, share, asked_c - water_c, most);
        let supply_c = asked_c + above_k;
        all.cdus.push(CduState {
            share,
            supply_c,
            return_c: supply_c + q / (share * exchanger.hot),
            valve: (primary / most).min(1.0),
            kw,
            primary_lpm: primary * plate.primary_flow_lpm,
        });
        heat_kw += q;
    }
    for air in &unit.air_units {
        let (unit, ratios) = (site.air_units.get(air.0)?, learned.air_units.get(air.0)?);
        let plate = &unit.nameplate;
        let speed = set(setpoints, unit.points.fan_speed_setpoint)?.clamp(0.05, 1.0);
        let asked_c = set(setpoints, unit.points.supply_air_temperature_setpoint)?;
        let kw = ratios.fan.get() * plate.fan_kw * fan_share(speed, plate.min_speed);
        let q = conditions.air_kw * ratios.heat.get();
        let exchanger = coil_exchanger(unit, ratios.ua.get());
        let most = ratios.water.get() * (header_kpa / branch_kpa).max(1e-4).sqrt();
        let (share, above_k) = exchanger.cold_share(q, speed, asked_c - water_c, most);
        let supply_c = asked_c + above_k;
        all.air_units.push(AirState {
            supply_c,
            return_c: supply_c + q / (speed * exchanger.hot),
            kw,
            water_lpm: share * plate.water_flow_lpm,
        });
        heat_kw += q;
    }
    all.flow_lpm = all.cdus.iter().map(|cdu| cdu.primary_lpm).sum::<f64>()
        + all.air_units.iter().map(|air| air.water_lpm).sum::<f64>();
    all.flow_lpm = all.flow_lpm.clamp(1.0, rated_flow_lpm(unit));
    all.pump_kw = learned.pumps.get(id)?.apply(skid.kw(all.flow_lpm, header_kpa));
    heat_kw += all.pump_kw;
    all.return_c = water_c + heat_kw / (all.flow_lpm * water());
    let reused: f64 = unit
        .reuse
        .iter()
        .filter_map(|id| {
            let valve = set(setpoints, site.reuse.get(id.0)?.points.valve_setpoint)?;
            let network_c = (*conditions.network_c.get(id.0)?)?;
            let demand_kw = *learned.demand_kw.get(id.0)?;
            Some(exported_kw(
                site.reuse.get(id.0)?,
                valve * all.flow_lpm,
                all.return_c - network_c,
                network_c,
                demand_kw,
            ))
        })
        .sum();
    all.rejected_kw = (heat_kw - reused).max(0.0);
    Some(all)
}

/// Flow with all pumps at their rated point, L/min.
pub(super) fn rated_flow_lpm(unit: &FacilityLoop) -> f64 {
    unit.nameplate.pump_flow_lpm * unit.nameplate.pumps as f64
}

/// What a network takes of a facility flow `drive_k` warmer than its return: its own flow is throttled until its supply is
/// as warm as the contract says.
fn exported_kw(unit: &Reuse, facility_lpm: f64, drive_k: f64, network_c: f64, demand_kw: f64) -> f64 {
    let plate = &unit.nameplate;
    let network = plate.network_flow_lpm * water();
    let exchanger = Exchanger::rated(
        plate.rated_kw,
        network,
        network,
        plate.approach_k + plate.rated_kw / network,
        1.0,
    );
    if drive_k <= 0.0 || facility_lpm <= 0.0 {
        return 0.0;
    }
    let hot = facility_lpm / plate.network_flow_lpm;
    let heat = |share: f64| exchanger.per_k(hot, share) * drive_k;
    let warm = |share: f64| network_c + heat(share) / (network * share) >= plate.min_supply_c;
    let (mut low, mut high) = (0.0, 1.0);
    if !warm(1.0) {
        for _ in 0..8 {
            let middle = 0.5 * (low + high);
            if warm(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        high = low;
    }
    if high > 0.0 {
        heat(high).min(plate.rated_kw).min(demand_kw)
    } else {
        0.0
    }
}
