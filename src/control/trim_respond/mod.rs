//! Guideline 36 for liquid cooling: racks, CDUs and rooms ask for cooling by their margins, resets trim and respond.
//!
//! | reset | moves | asked by |
//! |---|---|---|
//! | a CDU | differential pressure, then coolant temperature | chip margin, coolant return and flow of its racks, coolant above its setpoint |
//! | a loop's pressure | header differential pressure | primary valves open beyond 95 % |
//! | a loop's temperature | setpoints of the heat rejection | coolant above its setpoint with the valve open, rooms whose coil is at its coldest |
//! | an air unit | supply air temperature, then fan speed | room temperature |
//!
//! All cells run: by the fan law many slow ones cost less than few fast ones. Chillers trim what the cells, the economiser,
//! leave, and are staged by part load. Heat export opens while the loop's return
//! is warmer than the network.

mod chillers;
mod requests;
mod reset;

use super::{Setpoints, Strategy, View, bounds, value};
use crate::site::{AirUnit, Cdu, FacilityLoop, Site, StrategyKind};
use crate::snapshot::{Plan, PlanReport, PlanStatus};
use reset::{Reset, Sequence, Span};
use serde::{Deserialize, Serialize};

/// Ripple of a device's own temperature loop, kept clear of the limit, K.
const RIPPLE_K: f64 = 1.0;
/// Chip-to-inlet resistance falls with flow to this power (0.3 to 0.5 for cold plates); the cautious end.
const CHIP_EXPONENT: f64 = 0.5;
/// Facility return above the network's return from which heat export is worth its valve, K.
const EXPORT_K: f64 = 2.0;
/// What one room counts against the CDUs of its loop: it has no neighbour to share its requests with.
const ROOM_IMPORTANCE: f64 = 3.0;
/// Where every reset starts in a plant that nobody has controlled before (Guideline 36's SP0).
const START: f64 = 0.5;

/// The resets of a hall.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct TrimRespond {
    cdus: Vec<Reset>,
    /// Whether each CDU's primary valve asks for pressure.
    valves: Vec<bool>,
    pressures: Vec<Reset>,
    temperatures: Vec<Reset>,
    air_units: Vec<Reset>,
    chillers: Vec<chillers::Staging>,
    report: PlanReport,
}

impl TrimRespond {
    /// Starts every reset where the setpoints in force are, so that taking over from another strategy moves nothing.
    pub(super) fn take_over(&mut self, view: &View<'_>) {
        let site = view.site;
        self.fit(site);
        for (cdu, reset) in site.cdus.iter().zip(&mut self.cdus) {
            let kpa = value(view, cdu.points.secondary_differential_pressure_setpoint);
            let c = value(view, cdu.points.secondary_supply_temperature_setpoint);
            *reset = Reset::new(resume(cdu_sequence(site, cdu), kpa, c));
        }
        for (id, unit) in site.loops.iter().enumerate() {
            let kpa = value(view, unit.points.differential_pressure_setpoint);
            let found = pressure_span(site, unit)
                .zip(kpa)
                .map_or(START, |(span, kpa)| span.share(kpa));
            self.pressures[id] = Reset::new(found);
            let setpoint =
                |id: &crate::site::RejectionId| value(view, site.rejection[id.0].points.supply_temperature_setpoint);
            let coldest = unit.rejection.iter().filter_map(setpoint).reduce(f64::min);
            let found = temperature_span(site, unit)
                .zip(coldest)
                .map_or(START, |(span, c)| span.share(c));
            self.temperatures[id] = Reset::new(found);
        }
        for (unit, reset) in site.air_units.iter().zip(&mut self.air_units) {
            let c = value(view, unit.points.supply_air_temperature_setpoint);
            let speed = value(view, unit.points.fan_speed_setpoint);
            *reset = Reset::new(resume(air_sequence(site, unit), c, speed));
        }
    }

    fn fit(&mut self, site: &Site) {
        self.cdus.resize(site.cdus.len(), Reset::new(START));
        self.valves.resize(site.cdus.len(), false);
        self.pressures.resize(site.loops.len(), Reset::new(START));
        self.temperatures.resize(site.loops.len(), Reset::new(START));
        self.air_units.resize(site.air_units.len(), Reset::new(START));
        self.chillers.resize(site.loops.len(), chillers::Staging::default());
    }

    /// Moves every reset whose time step has passed; answers whether any stepped, and who asks.
    fn step<'a>(&mut self, view: &View<'a>) -> (bool, Vec<&'a str>) {
        let site = view.site;
        let settings = &site.control.trim_respond;
        let ignored = settings.ignored_requests;
        let mut stepped = false;
        let mut asking = Vec::new();
        for (id, cdu) in site.cdus.iter().enumerate() {
            let racks: f64 = cdu.racks.iter().map(|rack| requests::of_rack(view, *rack)).sum();
            let asked = racks + requests::of_tracking(view, cdu);
            stepped |= self.cdus[id].step(settings, settings.step_s, asked, view.now);
            self.valves[id] = requests::valve_asks(view, cdu, self.valves[id]);
            if asked > ignored {
                asking.push(cdu.name.as_str());
            }
        }
        for (id, unit) in site.air_units.iter().enumerate() {
            // Nothing of what a single unit is asked for is ignored.
            stepped |= self.air_units[id].step(
                settings,
                settings.air_step_s,
                requests::of_room(view, unit) + ignored,
                view.now,
            );
        }
        for (id, unit) in site.loops.iter().enumerate() {
            let (mut pressure, mut temperature) = (0.0, 0.0);
            for cdu in unit.cdus.iter().filter(|cdu| self.valves[cdu.0]) {
                let warm = requests::of_tracking(view, &site.cdus[cdu.0]);
                pressure += warm.max(1.0);
                temperature += warm;
            }
            // A room asks the loop once its coil is open: from half of its own reset on.
            let rooms = unit.air_units.iter().filter(|air| self.air_units[air.0].value >= 0.5);
            temperature += ROOM_IMPORTANCE
                * rooms
                    .map(|air| requests::of_room(view, &site.air_units[air.0]))
                    .sum::<f64>();
            stepped |= self.pressures[id].step(settings, settings.step_s, pressure, view.now);
            stepped |= self.temperatures[id].step(settings, settings.step_s, temperature, view.now);
            if pressure.max(temperature) > ignored {
                asking.push(unit.name.as_str());
            }
        }
        (stepped, asking)
    }
}

impl Strategy for TrimRespond {
    fn plan(&mut self, view: &View<'_>) -> Result<Plan, String> {
        let site = view.site;
        self.fit(site);
        let (stepped, asking) = self.step(view);
        if stepped || self.report.sentence.is_empty() {
            self.report.sentence = if asking.is_empty() {
                "Trimming: nothing asks for more cooling.".to_owned()
            } else {
                format!("Responding: {} ask for more cooling.", asking.join(", "))
            };
            self.report.binding = asking.into_iter().map(str::to_owned).collect();
        }
        let mut setpoints = Setpoints::new(site);
        for (cdu, reset) in site.cdus.iter().zip(&self.cdus) {
            if let Some(sequence) = cdu_sequence(site, cdu) {
                let (kpa, c) = sequence.at(reset.value);
                setpoints.put(cdu.points.secondary_differential_pressure_setpoint, kpa);
                setpoints.put(cdu.points.secondary_supply_temperature_setpoint, c);
            }
        }
        for (id, unit) in site.loops.iter().enumerate() {
            if let Some(span) = pressure_span(site, unit) {
                setpoints.put(
                    unit.points.differential_pressure_setpoint,
                    span.at(self.pressures[id].value),
                );
            }
            let supply_c = temperature_span(site, unit).map(|span| span.at(self.temperatures[id].value));
            for cell in unit.rejection.iter().map(|id| &site.rejection[id.0]) {
                setpoints.put(cell.points.enable, 1.0);
                if let Some(c) = supply_c {
                    setpoints.put(cell.points.supply_temperature_setpoint, c);
                }
            }
            if let Some(c) = supply_c {
                let on = self.chillers[id].step(view, unit, c);
                for (place, chiller) in chillers::of(view, unit).enumerate() {
                    setpoints.put(chiller.points.enable, f64::from(u8::from(place < on)));
                }
            }
            for reuse in unit.reuse.iter().map(|id| &site.reuse[id.0]) {
                let back = value(view, unit.points.return_temperature);
                let network = value(view, reuse.points.network_return_temperature);
                let worth = matches!((back, network), (Some(back), Some(network)) if back - network > EXPORT_K)
                    && site.prices.heat_per_kwh >= 0.0;
                setpoints.put(reuse.points.valve_setpoint, f64::from(u8::from(worth)));
            }
        }
        for (unit, reset) in site.air_units.iter().zip(&self.air_units) {
            if let Some(sequence) = air_sequence(site, unit) {
                let (c, speed) = sequence.at(reset.value);
                setpoints.put(unit.points.supply_air_temperature_setpoint, c);
                setpoints.put(unit.points.fan_speed_setpoint, speed);
            }
        }
        Ok(Plan {
            strategy: StrategyKind::TrimRespond,
            status: PlanStatus::Complete,
            setpoints: setpoints.complete(),
            report: self.report.clone(),
        })
    }
}

/// A reset for the two setpoints in force; the start value where one is not known.
fn resume(sequence: Option<Sequence>, first: Option<f64>, then: Option<f64>) -> f64 {
    match (sequence, first, then) {
        (Some(sequence), Some(first), Some(then)) => sequence.value_of(first, then),
        _ => START,
    }
}

/// Pressure from the floor that a sudden start needs, then coolant temperature.
fn cdu_sequence(site: &Site, cdu: &Cdu) -> Option<Sequence> {
    let pressure = bounds(site, cdu.points.secondary_differential_pressure_setpoint)?;
    let temperature = bounds(site, cdu.points.secondary_supply_temperature_setpoint)?;
    let floor = pressure.min + site.control.trim_respond.pressure_floor * (pressure.max - pressure.min);
    Some(Sequence {
        first: Span {
            least: floor,
            most: pressure.max,
        },
        then: Span {
            least: temperature
                .max
                .min(warmest_supply_c(site, cdu, floor))
                .max(temperature.min),
            most: temperature.min,
        },
    })
}

/// The warmest coolant from which every rack may step from idle to full load at the pressure floor, by the nameplates, and
/// not pass a critical limit before the reset answers.
fn warmest_supply_c(site: &Site, cdu: &Cdu, floor_kpa: f64) -> f64 {
    let limits = &site.limits;
    let share = (floor_kpa / cdu.nameplate.secondary_pressure_kpa).max(0.0).sqrt();
    let racks = cdu.racks.iter().map(|id| {
        let plate = &site.racks[id.0].nameplate;
        let chip_rise_k = plate.chip_kw * plate.chip_resistance_k_per_kw * libm::pow(share, -CHIP_EXPONENT);
        let carried = share * plate.flow_lpm * cdu.nameplate.coolant.kw_per_lpm_k(limits.secondary_supply_c.target);
        let coolant_rise_k = plate.rated_kw * plate.liquid_fraction / carried;
        let by_chip = plate.chip_limit_c - limits.chip_margin_k.critical - chip_rise_k;
        by_chip.min(limits.rack_return_c.critical - coolant_rise_k) - site.control.trim_respond.start_reserve_k
    });
    racks.fold(limits.secondary_supply_c.target - RIPPLE_K, f64::min)
}

fn pressure_span(site: &Site, unit: &FacilityLoop) -> Option<Span> {
    let write = bounds(site, unit.points.differential_pressure_setpoint)?;
    Some(Span {
        least: write.min,
        most: write.max,
    })
}

/// From the warmest water with which every CDU's exchanger still reaches its warmest coolant, to the coldest.
fn temperature_span(site: &Site, unit: &FacilityLoop) -> Option<Span> {
    let cells = unit.rejection.iter().map(|id| &site.rejection[id.0]);
    let write = cells
        .filter_map(|cell| bounds(site, cell.points.supply_temperature_setpoint))
        .reduce(|a, b| if a.max <= b.max { a } else { b })?;
    let cdus = unit.cdus.iter().map(|id| &site.cdus[id.0]);
    let warmest = cdus.filter_map(|cdu| Some(cdu_sequence(site, cdu)?.then.least - cdu.nameplate.approach_k));
    Some(Span {
        least: warmest.fold(write.max, f64::min).max(write.min),
        most: write.min,
    })
}

/// Air temperature first, then fan speed: the fan's cost grows with the cube.
fn air_sequence(site: &Site, unit: &AirUnit) -> Option<Sequence> {
    let temperature = bounds(site, unit.points.supply_air_temperature_setpoint)?;
    let speed = bounds(site, unit.points.fan_speed_setpoint)?;
    Some(Sequence {
        first: Span {
            least: temperature.max.min(site.limits.room_c.target).max(temperature.min),
            most: temperature.min,
        },
        then: Span {
            least: speed.min,
            most: speed.max,
        },
    })
}
