//! Equipment that does not do what it is told or what it should: found from its own readings, each with the time that
//! makes it certain.
//!
//! A trouble that was found stays while its readings are lost; times are those of vendors' manuals and of practice.

use super::doubts::rack_heat_kw;
use super::facts::{Duty, Facts};
use super::notices::{Code, Subject};
use super::readings::{Readings, id};
use super::report::Level;
use crate::site::{Cdu, DeviceId, PointId, Site};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thermo::Coolant;

/// A valve whose position is the same to the last bit for so long while its temperature is off, s.
const VALVE_S: f64 = 60.0;
/// How far the temperature has to be off for that, K.
const VALVE_OFF_K: f64 = 1.0;
/// Positions that are no end stop.
const BETWEEN: (f64, f64) = (0.02, 0.98);
/// Pressure or flow below this share of what it should be, and for how long, s.
const LOW: (f64, f64) = (0.9, 100.0);
/// A pressure that has collapsed: share of the setpoint, and for how long, s. A changed setpoint takes longer to follow
/// than a pump takes to trip, so the setpoint counts only once it has stood for that long.
const COLLAPSED: (f64, f64) = (0.7, 10.0);
/// What is left of a pressure that falls at once.
const FELL: f64 = 0.8;
/// Supply above its setpoint, K, and for how long, s; over below the first and [`HIGH_OVER_K`].
const HIGH: (f64, f64) = (2.0, 120.0);
const HIGH_OVER_K: f64 = 1.0;
/// How close to its target a supply has to be for that to be acted on, K.
const NEAR_K: f64 = 3.0;
/// A fan that stands although its water is this much too warm, K, and for how long, s.
const FAN: (f64, f64) = (2.0, 60.0);
/// Primary flow over its rated value below which a CDU has none: less than a closed valve leaks. And for how long, s.
const PRIMARY: (f64, f64) = (0.01, 10.0);
/// Heat below which a CDU needs no primary flow to speak of, as a share of the rated one.
const LEAST_HEAT: f64 = 0.1;
/// Time in which what is left of the coolant's capacity has to last, s: what a cap on the racks' power is formed with.
const LAST_S: f64 = 300.0;

/// What is watched from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Troubles {
    /// For how long each condition has lasted, s.
    since_s: BTreeMap<(Code, Subject), f64>,
    /// Last value of what has to move or to stand, and for how long it has been the same, s.
    same: BTreeMap<PointId, (f64, f64)>,
    /// Pressures at the last look.
    last: BTreeMap<PointId, f64>,
    looked_ms: Option<u64>,
}

impl Troubles {
    /// Counts a condition's time. Where it is unknown, what was under way goes on: losing a reading forgives nothing.
    fn lasts(&mut self, code: Code, subject: Subject, is: Option<bool>, dt_s: f64) -> f64 {
        let key = (code, subject);
        match is {
            Some(true) => {
                let since_s = self.since_s.entry(key).or_insert(0.0);
                *since_s += dt_s;
                *since_s
            }
            Some(false) => {
                self.since_s.remove(&key);
                0.0
            }
            None => {
                let Some(since_s) = self.since_s.get_mut(&key) else {
                    return 0.0;
                };
                *since_s += dt_s;
                *since_s
            }
        }
    }

    /// Whether a pressure has fallen by a fifth and more since the last look: no setpoint does that in one cycle.
    fn fell(&mut self, point: Option<PointId>, value: Option<f64>) -> bool {
        let (Some(point), Some(value)) = (point, value) else {
            return false;
        };
        let before = self.last.insert(point, value);
        before.is_some_and(|before| value < FELL * before)
    }

    /// For how long a value has been the same, s.
    fn same_s(&mut self, point: Option<PointId>, value: Option<f64>, dt_s: f64) -> f64 {
        let (Some(point), Some(value)) = (point, value) else {
            return 0.0;
        };
        let entry = self.same.entry(point).or_insert((value, 0.0));
        *entry = if entry.0.to_bits() == value.to_bits() {
            (value, entry.1 + dt_s)
        } else {
            (value, 0.0)
        };
        entry.1
    }
}

/// One look at all equipment.
struct Look<'a> {
    readings: &'a Readings<'a>,
    troubles: &'a mut Troubles,
    facts: &'a mut Facts,
    dt_s: f64,
}

pub(super) fn watch(readings: &Readings<'_>, troubles: &mut Troubles, facts: &mut Facts) {
    let now = readings.now;
    // A restart or a pause is no time in which anything was seen.
    let dt_s = troubles.looked_ms.map_or(0.0, |at| now.seconds_since(at));
    let dt_s = dt_s.min(2.0 * readings.site.control.cycle_s);
    troubles.looked_ms = Some(now.mono_ms);
    let site = readings.site;
    facts.cap_kw = vec![None; site.cdus.len()];
    let mut look = Look {
        readings,
        troubles,
        facts,
        dt_s,
    };
    for (cdu, index) in site.cdus.iter().zip(0..) {
        look.valve(cdu, index);
        look.pressure(cdu, index);
        look.shares(cdu, index);
        look.supply(cdu, index);
        look.primary(cdu, index);
    }
    look.loops(site);
    look.fans(site);
}

impl Look<'_> {
    /// Tells a trouble that has lasted long enough, and puts its duty on a CDU.
    #[expect(clippy::too_many_arguments, reason = "one trouble in one line at each call")]
    fn settle(
        &mut self,
        code: Code,
        device: Option<DeviceId>,
        is: Option<bool>,
        after_s: f64,
        cdu: Option<usize>,
        duty: Duty,
        text: impl FnOnce() -> String,
    ) -> bool {
        let Some(device) = device else { return false };
        let subject = Subject::Device(device);
        let since_s = self.troubles.lasts(code, subject, is, self.dt_s);
        if since_s <= 0.0 || since_s < after_s {
            return false;
        }
        let site = self.readings.site;
        let text = text();
        if let Some(index) = cdu {
            self.facts.require_cdu(index, duty);
            let zone = site.cdus.get(index).map(|cdu| cdu.zone);
            if let Some(zone) = zone.and_then(|zone| self.facts.zones.get_mut(zone.0)) {
                let name = site.devices.get(device.0).map_or("", |device| device.id.as_str());
                zone.causes.push(format!("{name} {text}"));
            }
        }
        self.facts.notices.holds(site, code, subject, || text);
        true
    }

    fn of(&self, point: Option<PointId>) -> Option<f64> {
        self.readings.present(point)
    }

    /// Whether a trouble was there in the cycle before: our own answer to it must not end it.
    fn told(&self, code: Code, device: Option<DeviceId>) -> bool {
        device.is_some_and(|device| self.facts.notices.held_before(code, Subject::Device(device)))
    }

    /// The primary valve stands still although the temperature that it holds is off: other means have to cool.
    fn valve(&mut self, cdu: &Cdu, index: usize) {
        let points = &cdu.points;
        let position = self.of(id(points.primary_valve_position));
        let off_k = self
            .of(id(points.secondary_supply_temperature))
            .zip(self.of(id(points.secondary_supply_temperature_setpoint)))
            .map(|(supply_c, setpoint_c)| supply_c - setpoint_c);
        let same_s = self
            .troubles
            .same_s(id(points.primary_valve_position), position, self.dt_s);
        let is = position.zip(off_k).map(|(position, off_k)| {
            off_k.abs() > VALVE_OFF_K && position > BETWEEN.0 && position < BETWEEN.1 && same_s > 0.0
        });
        let too_warm = off_k.is_none_or(|off_k| off_k > 0.0);
        let duty = Duty {
            level: Level::Guarded,
            own: 0.0,
            plant: if too_warm { 1.0 } else { 0.0 },
        };
        self.settle(Code::ValveStuck, cdu.device, is, VALVE_S, Some(index), duty, || {
            format!(
                "has its primary valve at {:.3} while its supply is {:+.1} K off: stuck; the facility water is cooled instead",
                position.unwrap_or(f64::NAN),
                off_k.unwrap_or(f64::NAN)
            )
        });
    }

    /// Too little pressure for too long: pumps or strainer. Flow does not come back by asking, so the coolant gets colder.
    fn pressure(&mut self, cdu: &Cdu, index: usize) {
        let points = &cdu.points;
        let setpoint = id(points.secondary_differential_pressure_setpoint);
        let asked = self.of(setpoint);
        let stood_s = self.troubles.same_s(setpoint, asked, self.dt_s);
        let found = self.of(id(points.secondary_differential_pressure));
        // A CDU that gives its rated flow lacks nothing: more was asked for than its pumps have.
        let starved = self
            .of(id(points.secondary_flow))
            .is_none_or(|lpm| lpm < LOW.0 * cdu.nameplate.secondary_flow_lpm);
        let ratio = found.zip(asked).map(|(kpa, asked)| kpa / asked.max(1.0));
        let duty = Duty {
            level: Level::Failsafe,
            own: 1.0,
            plant: 0.8,
        };
        let text = || {
            format!(
                "holds {:.0} kPa where {:.0} are asked for: pump or strainer; its coolant is cooled instead",
                found.unwrap_or(f64::NAN),
                asked.unwrap_or(f64::NAN)
            )
        };
        let low = ratio.map(|ratio| starved && ratio < LOW.0);
        self.settle(Code::LowFlow, cdu.device, low, LOW.1, Some(index), duty, text);
        let told = self.told(Code::LowPressure, cdu.device);
        let collapsed = ratio.map(|ratio| ratio < COLLAPSED.0 && (told || stood_s > COLLAPSED.1));
        self.settle(
            Code::LowPressure,
            cdu.device,
            collapsed,
            COLLAPSED.1,
            Some(index),
            duty,
            text,
        );
    }

    /// The racks together get less than the CDU gives.
    fn shares(&mut self, cdu: &Cdu, index: usize) {
        let racks = || cdu.racks.iter().filter_map(|rack| self.readings.site.racks.get(rack.0));
        let sum: Option<f64> = racks().map(|rack| self.of(id(rack.points.liquid_flow))).sum();
        let total = self.of(id(cdu.points.secondary_flow));
        let is = sum
            .zip(total)
            .filter(|(_, total)| *total > 0.1 * cdu.nameplate.secondary_flow_lpm)
            .map(|(sum, total)| sum < LOW.0 * total);
        let duty = Duty::of(Level::Guarded);
        self.settle(Code::FlowLost, cdu.device, is, LOW.1, Some(index), duty, || {
            format!(
                "gives {:.0} L/min of which {:.0} reach its racks: a bypass is open, or a meter is wrong",
                total.unwrap_or(f64::NAN),
                sum.unwrap_or(f64::NAN)
            )
        });
    }

    /// The supply stays warmer than asked for: exchanger or facility water.
    fn supply(&mut self, cdu: &Cdu, index: usize) {
        let points = &cdu.points;
        let setpoint = id(points.secondary_supply_temperature_setpoint);
        let off_k = self
            .of(id(points.secondary_supply_temperature))
            .zip(self.of(setpoint))
            .map(|(supply_c, setpoint_c)| supply_c - setpoint_c);
        let told = self.told(Code::HighSupply, cdu.device);
        let is = off_k.map(|off_k| off_k > if told { HIGH_OVER_K } else { HIGH.0 });
        // Where it is far from its limit, a setpoint that the weather does not allow is told and no more.
        let near_c = self.readings.site.limits.secondary_supply_c.target - NEAR_K;
        let near = self
            .of(id(points.secondary_supply_temperature))
            .is_none_or(|supply_c| supply_c > near_c);
        let duty = if near {
            Duty {
                level: Level::Guarded,
                own: 0.0,
                plant: 1.0,
            }
        } else {
            Duty::default()
        };
        self.settle(Code::HighSupply, cdu.device, is, HIGH.1, Some(index), duty, || {
            format!(
                "supplies {:+.1} K off its setpoint: exchanger, valve or facility water",
                off_k.unwrap_or(f64::NAN)
            )
        });
    }

    /// No facility water at all: the coolant's own capacity is what is left, and no setpoint changes that. The racks have
    /// to give less heat, before their own protection cuts them off.
    fn primary(&mut self, cdu: &Cdu, index: usize) {
        let points = &cdu.points;
        let flow = self.of(id(points.primary_flow));
        let heat_kw = rack_heat_kw(self.readings, cdu);
        let told = self.told(Code::PrimaryLost, cdu.device);
        let plate = &cdu.nameplate;
        // Racks that follow the cap give little heat: that does not bring the water back.
        let is = flow.map(|lpm| {
            lpm < PRIMARY.0 * plate.primary_flow_lpm
                && (told || heat_kw.is_none_or(|kw| kw > LEAST_HEAT * plate.rated_kw))
        });
        let lost = self.settle(
            Code::PrimaryLost,
            cdu.device,
            is,
            PRIMARY.1,
            Some(index),
            Duty::of(Level::Critical),
            || "has no facility water: its racks have to give less heat before they cut themselves off".into(),
        );
        let supply_c = self.readings.last(id(points.secondary_supply_temperature));
        if let (true, Some(supply_c), Some(slot)) = (lost, supply_c, self.facts.cap_kw.get_mut(index)) {
            let room_k = (self.readings.site.limits.secondary_supply_c.critical - supply_c).max(0.0);
            *slot = Some(room_k * capacity_kj_k(plate.coolant, plate.volume_l) / LAST_S);
        }
    }

    /// The pressure between a loop's headers has collapsed: a pump has tripped and its standby is not there yet.
    fn loops(&mut self, site: &Site) {
        for (unit, index) in site.loops.iter().zip(0..) {
            let setpoint = id(unit.points.differential_pressure_setpoint);
            let asked = self.of(setpoint);
            let stood_s = self.troubles.same_s(setpoint, asked, self.dt_s);
            let found = self.of(id(unit.points.differential_pressure));
            let ratio = found.zip(asked).map(|(kpa, asked)| kpa / asked.max(1.0));
            let fell = self.troubles.fell(id(unit.points.differential_pressure), found);
            let told = self.told(Code::LowPressure, unit.device);
            let is = ratio.map(|ratio| ratio < COLLAPSED.0 && (told || fell || stood_s > COLLAPSED.1));
            let text = || {
                format!(
                    "holds {:.0} kPa where {:.0} are asked for: a pump has tripped",
                    found.unwrap_or(f64::NAN),
                    asked.unwrap_or(f64::NAN)
                )
            };
            // One cycle: at a trip the pressure is gone at once.
            if self.settle(
                Code::LowPressure,
                unit.device,
                is,
                self.dt_s,
                None,
                Duty::default(),
                text,
            ) {
                self.facts.require_loop(index, Duty::of(Level::Guarded));
            }
        }
    }

    /// A fan stands although its water is too warm: the other units have to do its work.
    fn fans(&mut self, site: &Site) {
        for unit in &site.rejection {
            let points = &unit.points;
            let runs = self.of(id(points.running)).or(self.of(id(points.enable)));
            let too_warm_k = self
                .of(id(points.leaving_temperature))
                .zip(self.of(id(points.supply_temperature_setpoint)))
                .map(|(leaving_c, setpoint_c)| leaving_c - setpoint_c);
            let is = (runs.zip(self.of(id(points.fan_speed))).zip(too_warm_k))
                .map(|((runs, speed), too_warm_k)| runs >= 0.5 && speed < 0.02 && too_warm_k > FAN.0);
            let told = self.settle(Code::FanTrip, unit.device, is, FAN.1, None, Duty::default(), || {
                "has its fan standing although its water is too warm: the other units take its heat".into()
            });
            if told {
                let duty = Duty {
                    level: Level::Guarded,
                    own: 1.0,
                    plant: 1.0,
                };
                self.facts.require_loop(unit.facility_loop.0, duty);
            }
        }
    }
}

/// Heat that the coolant of a CDU takes up per kelvin, kJ/K, at a usual temperature.
pub(super) fn capacity_kj_k(coolant: Coolant, volume_l: f64) -> f64 {
    const USUAL_C: f64 = 35.0;
    // kW per (L/min) K is kJ per L K over 60.
    60.0 * coolant.kw_per_lpm_k(USUAL_C) * volume_l
}
