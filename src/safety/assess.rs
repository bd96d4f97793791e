//! Looks at the plant with safety's own sensors, before any model is asked.

use super::Level;
use super::level::of_band;
use super::readings::{highest, is_lost, lowest};
use super::state::State;
use crate::site::{Band, Cdu, EquipmentId, Point, PointId, Rack, Site};
use crate::snapshot::{Event, Now, Severity, Snapshot};
use std::collections::BTreeSet;
use thermo::{Quantity, moist_air};

/// Least share of its nameplate flow at which a rack's measured flow still tells the branch's resistance.
const FLOW_TELLS: f64 = 0.1;

/// What is true of one CDU and its racks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CduFacts {
    /// How cautious its setpoints have to be.
    pub level: Level,
    /// Differential pressure below which a rack's flow falls under its minimum, kPa.
    pub min_pressure_kpa: f64,
    /// Why, each with its evidence.
    pub causes: Vec<String>,
}

/// What is true of one zone's shared plant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ZoneFacts {
    /// How cautious loops, heat rejection and air units have to be, without their CDUs.
    pub level: Level,
    /// Coldest coolant that does not condense, degC.
    pub dew_floor_c: f64,
    /// Whether a leak is reported: nothing may be lowered while it lasts.
    pub leak: bool,
    /// Why, each with its evidence.
    pub causes: Vec<String>,
}

/// What is true of the plant in this cycle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// By zone.
    pub zones: Vec<ZoneFacts>,
    /// By CDU.
    pub cdus: Vec<CduFacts>,
    /// Conditions that hold now: a stable key, and the event that tells them.
    pub(super) conditions: Vec<(String, Event)>,
}

/// Finds the facts of this cycle.
pub fn assess(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now) -> Facts {
    let mut facts = Facts {
        zones: vec![ZoneFacts { dew_floor_c: f64::NEG_INFINITY, ..ZoneFacts::default() }; site.zones.len()],
        cdus: vec![CduFacts::default(); site.cdus.len()],
        conditions: Vec::new(),
    };
    missing(site, snapshot, state, now, &mut facts);
    limits(site, snapshot, state, now, &mut facts);
    for (cdu, found) in site.cdus.iter().zip(&mut facts.cdus) {
        found.min_pressure_kpa = min_pressure_kpa(site, snapshot, cdu, now);
    }
    dew_points(site, snapshot, state, now, &mut facts);
    leaks(site, snapshot, &mut facts);
    surroundings(site, snapshot, now, &mut facts);
    facts
}

/// Boot and lost readings: both are failsafe, of the CDU that the point belongs to or of the zone's shared plant.
fn missing(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now, facts: &mut Facts) {
    let required = || site.points.iter().enumerate().filter(|(_, point)| point.required);
    let awaited = state.awaited.get_or_insert_with(|| required().map(|(id, _)| id).collect::<BTreeSet<_>>());
    for (id, point) in required() {
        if !is_lost(site, snapshot, PointId(id), now) {
            awaited.remove(&id);
            continue;
        }
        let booting = awaited.contains(&id);
        let cause = if booting { format!("{} has not reported yet", point.tag) } else { format!("{} is lost", point.tag) };
        raise(site, facts, point.equipment, point.zone.0, Level::Failsafe, cause);
        if !booting {
            tell(facts, Severity::Alarm, "reading_lost", &point.tag, || {
                format!("{}: no good reading within {} s; failsafe until it reports again", point.tag, point.timeout_s)
            });
        }
    }
}

/// Raises the level of the part of the plant that an equipment belongs to.
fn raise(site: &Site, facts: &mut Facts, equipment: EquipmentId, zone: usize, level: Level, cause: String) {
    let cdu = match equipment {
        EquipmentId::Cdu(id) => Some(id.0),
        EquipmentId::Rack(id) => site.racks.get(id.0).map(|rack| rack.cdu.0),
        EquipmentId::Loop(_)
        | EquipmentId::Rejection(_)
        | EquipmentId::Reuse(_)
        | EquipmentId::AirUnit(_)
        | EquipmentId::Meter(_)
        | EquipmentId::Weather => None,
    };
    if let Some(found) = cdu.and_then(|cdu| facts.cdus.get_mut(cdu)) {
        found.level = found.level.max(level);
        found.causes.push(cause);
    } else if let Some(found) = facts.zones.get_mut(zone) {
        found.level = found.level.max(level);
        found.causes.push(cause);
    }
}

/// Measured limits with three thresholds. A lost reading is not judged here: where it matters it is required.
fn limits(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now, facts: &mut Facts) {
    let limits = &site.limits;
    for cdu in &site.cdus {
        let supply = cdu.points.secondary_supply_temperature;
        let worst = highest(site, snapshot, supply, now);
        judge_limit(site, state, facts, supply, worst, &limits.secondary_supply_c);
    }
    for rack in &site.racks {
        let back = rack.points.liquid_return_temperature;
        judge_limit(site, state, facts, back, highest(site, snapshot, back, now), &limits.rack_return_c);
        let margin = rack.points.chip_margin;
        judge_limit(site, state, facts, margin, lowest(site, snapshot, margin, now), &limits.chip_margin_k);
    }
    for unit in &site.air_units {
        let room = unit.points.room_temperature;
        judge_limit(site, state, facts, room, highest(site, snapshot, room, now), &limits.room_c);
    }
}

fn judge_limit<Q: Quantity>(
    site: &Site,
    state: &mut State,
    facts: &mut Facts,
    point: Option<Point<Q>>,
    worst: Option<f64>,
    band: &Band,
) {
    let (Some(point), Some(worst)) = (point, worst) else { return };
    let id = point.id();
    let last = state.bands.get(&id.0).copied().unwrap_or_default();
    let level = of_band(last, worst, band);
    if level == Level::Normal {
        state.bands.remove(&id.0);
        return;
    }
    state.bands.insert(id.0, level);
    let Some(spec) = site.points.get(id.0) else { return };
    let cause = format!("{} at {worst:.1} {} (target {})", spec.tag, spec.unit.symbol(), band.target);
    if level == Level::Critical {
        tell(facts, Severity::Alarm, "limit_critical", &spec.tag, || {
            format!("{cause}, critical {}: most cooling until back at the target", band.critical)
        });
    }
    raise(site, facts, spec.equipment, spec.zone.0, level, cause);
}

/// The differential pressure at which every rack of a CDU still gets the flow that its heat needs.
///
/// Pressure over a branch goes with the square of its flow. Where the rack's flow and the CDU's pressure are measured they
/// tell the branch; where not, the nameplate does.
fn min_pressure_kpa(site: &Site, snapshot: &Snapshot, cdu: &Cdu, now: Now) -> f64 {
    let pressure = lowest(site, snapshot, cdu.points.secondary_differential_pressure, now).filter(|kpa| *kpa > 0.0);
    let racks = cdu.racks.iter().filter_map(|id| site.racks.get(id.0));
    racks.map(|rack| rack_pressure_kpa(site, snapshot, cdu, rack, pressure, now)).fold(0.0, f64::max)
}

fn rack_pressure_kpa(site: &Site, snapshot: &Snapshot, cdu: &Cdu, rack: &Rack, pressure: Option<f64>, now: Now) -> f64 {
    let plate = &rack.nameplate;
    let power_kw = highest(site, snapshot, rack.points.power, now).unwrap_or(plate.rated_kw);
    let heat_kw = power_kw.max(site.safety.min_heat_fraction * plate.rated_kw) * plate.liquid_fraction;
    let needed_lpm = plate.min_flow_lpm_per_kw * heat_kw;
    let square = |flow_lpm: f64| (needed_lpm / flow_lpm) * (needed_lpm / flow_lpm);
    let by_nameplate = cdu.nameplate.secondary_pressure_kpa * square(plate.flow_lpm);
    // The highest flow that the meter allows would flatter the branch; the lowest one asks for more pressure.
    let flow = lowest(site, snapshot, rack.points.liquid_flow, now).filter(|lpm| *lpm > FLOW_TELLS * plate.flow_lpm);
    match (pressure, flow) {
        // A measurement may say half of the nameplate, not less: a wrong meter must not talk the flow away.
        (Some(kpa), Some(lpm)) => (kpa * square(lpm)).max(0.5 * by_nameplate),
        _ => by_nameplate,
    }
}

/// The coldest coolant for each zone: its rooms' highest dew point and the margin. Without a sensor the higher of the last
/// good value and the configured fallback holds.
fn dew_points(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now, facts: &mut Facts) {
    for (zone, found) in facts.zones.iter_mut().enumerate() {
        let mut highest_c: Option<f64> = None;
        let mut lost = false;
        for unit in site.air_units.iter().filter(|unit| unit.zone.0 == zone) {
            let room_c = highest(site, snapshot, unit.points.room_temperature, now);
            let humidity = highest(site, snapshot, unit.points.room_relative_humidity, now);
            match (room_c, humidity) {
                (Some(room_c), Some(humidity)) => {
                    let dew_c = moist_air::clamped::dew_point_c(room_c, humidity.min(1.0));
                    highest_c = Some(highest_c.map_or(dew_c, |other| other.max(dew_c)));
                }
                _ => lost = true,
            }
        }
        let dew_c = match highest_c {
            Some(dew_c) if !lost => {
                state.dew_point_c.insert(zone, dew_c);
                dew_c
            }
            some => {
                let last = state.dew_point_c.get(&zone).copied().unwrap_or(f64::NEG_INFINITY);
                site.limits.dew_point_fallback_c.max(last).max(some.unwrap_or(f64::NEG_INFINITY))
            }
        };
        found.dew_floor_c = dew_c + site.limits.dew_point_margin_k.target;
    }
}

fn leaks(site: &Site, snapshot: &Snapshot, facts: &mut Facts) {
    let cdus = site.cdus.iter().map(|cdu| (cdu.points.leak, cdu.zone, &cdu.name));
    let racks = site.racks.iter().map(|rack| (rack.points.leak, rack.zone, &rack.name));
    for (leak, zone, name) in cdus.chain(racks) {
        if !snapshot.get(leak).is_some_and(thermo::Flag::is_on) {
            continue;
        }
        if let Some(found) = facts.zones.get_mut(zone.0) {
            found.leak = true;
            found.level = found.level.max(Level::Guarded);
            found.causes.push(format!("{name} reports a leak"));
        }
        tell(facts, Severity::Alarm, "leak", name, || {
            format!("{name} reports a leak: nothing is lowered while it lasts; isolation of {name} is requested")
        });
    }
}

/// What comes from outside the plant is told as its own event, so that "hot because of the weather" is not "controller wrong".
fn surroundings(site: &Site, snapshot: &Snapshot, now: Now, facts: &mut Facts) {
    let Some(weather) = &site.weather else { return };
    let (Some(dry), Some(humidity)) = (snapshot.get(weather.points.dry_bulb), snapshot.get(weather.points.relative_humidity))
    else {
        return;
    };
    let standard = moist_air::pressure_at_altitude_pa(site.altitude_m).unwrap_or(moist_air::STANDARD_PRESSURE_PA);
    let pressure_pa = snapshot.get(weather.points.pressure).map_or(standard, |kpa| kpa.get() * 1000.0);
    // Bisection costs; a dry bulb below the design cannot hide a wet bulb above it.
    if dry.get() <= site.limits.design_wet_bulb_c {
        return;
    }
    let wet_c = moist_air::clamped::wet_bulb_c(dry.get(), humidity.get(), pressure_pa);
    if wet_c > site.limits.design_wet_bulb_c {
        let hour = now.local_hour();
        tell(facts, Severity::Warning, "weather_beyond_design", &weather.name, || {
            format!("wet bulb {wet_c:.1} degC at {hour:.0} h, above the design's {} degC", site.limits.design_wet_bulb_c)
        });
    }
}

/// Notes a condition that holds. It is told when it begins; see `super::judge`.
pub(super) fn tell(facts: &mut Facts, severity: Severity, code: &str, subject: &str, text: impl FnOnce() -> String) {
    let event = Event { severity, code: code.to_owned(), subject: subject.to_owned(), text: text() };
    facts.conditions.push((format!("{code} {subject}"), event));
}
