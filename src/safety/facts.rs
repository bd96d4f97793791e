//! What is true of the plant in one cycle, found before any model is asked.

use super::building::{self, Permit};
use super::notices::Notices;
use super::readings::Readings;
use super::report::Level;
use super::state::State;
use super::{devices, dew_point, doubts, limits, min_flow, missing, outlook, surroundings, trouble};
use crate::site::{PointId, Site, ZoneId};
use crate::snapshot::{Now, Snapshot};

/// What an equipment has to do, whatever the plan says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Duty {
    /// How cautious.
    pub(super) level: Level,
    /// How far its own setpoints go from release (0) to most cooling (1).
    pub(super) own: f64,
    /// The same for the plant that it shares with others.
    pub(super) plant: f64,
}

impl Duty {
    /// What a limit's level asks for.
    pub(super) fn of(level: Level) -> Self {
        let share = if level >= Level::Critical { 1.0 } else { 0.0 };
        Self {
            level,
            own: share,
            plant: share,
        }
    }

    /// The stronger of two in every respect.
    pub(super) fn join(&mut self, other: Self) {
        self.level = self.level.max(other.level);
        self.own = self.own.max(other.own);
        self.plant = self.plant.max(other.plant);
    }

    /// What falls on the shared plant.
    pub(super) const fn on_plant(self) -> Self {
        Self {
            level: self.level,
            own: self.plant,
            plant: self.plant,
        }
    }
}

/// One zone's part of the facts.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ZoneFacts {
    /// The worst level of its equipment.
    pub(super) level: Level,
    /// A required reading was lost (boot does not count).
    pub(super) lost: bool,
    /// Coldest coolant supply that keeps clear of the room's dew point, degC.
    pub(super) supply_floor_c: f64,
    /// Why the level is what it is.
    pub(super) causes: Vec<String>,
}

/// What is true of the plant, found before any model is asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    pub(super) cdus: Vec<Duty>,
    pub(super) air_units: Vec<Duty>,
    pub(super) loops: Vec<Duty>,
    pub(super) zones: Vec<ZoneFacts>,
    /// By CDU, the differential pressure that gives every rack its smallest flow, kPa.
    pub(super) min_pressure_kpa: Vec<f64>,
    /// By CDU, the warmest supply setpoint that leaves room for what can fail, degC.
    pub(super) supply_ceiling_c: Vec<f64>,
    /// By air unit, the same of its supply air, degC.
    pub(super) air_ceiling_c: Vec<Option<f64>>,
    /// By loop, whether the coolant behind it is close to a room's dew point.
    pub(super) dew_close: Vec<bool>,
    /// By loop, the warmest facility water that its rooms bear, degC.
    pub(super) water_ceiling_c: Vec<Option<f64>>,
    /// By CDU, the heat that its racks may still give together, kW, where cooling cannot do it.
    pub(super) cap_kw: Vec<Option<f64>>,
    /// Whether anything may be written.
    pub(super) permit: Permit,
    /// By CDU, the upper bound of the heat that is expected within five minutes, kW.
    pub(super) expected_kw: Vec<Option<f64>>,
    /// By CDU, whether the plan's wish for less cooling is dropped.
    pub(super) dropped: Vec<bool>,
    /// By CDU, the leak of its loop and racks.
    pub(super) leaks: Vec<Option<surroundings::Severity>>,
    /// Names of the racks that leak.
    pub(super) leaking_racks: Vec<String>,
    /// By device, whether it runs on its own setpoints.
    pub(super) local: Vec<bool>,
    pub(super) notices: Notices,
    /// When it was found, monotonic ms.
    pub(super) now_ms: u64,
}

pub(super) fn find(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now) -> Facts {
    let mut facts = Facts {
        cdus: vec![Duty::default(); site.cdus.len()],
        air_units: vec![Duty::default(); site.air_units.len()],
        loops: vec![Duty::default(); site.loops.len()],
        zones: vec![ZoneFacts::default(); site.zones.len()],
        notices: Notices::after(&state.active),
        now_ms: now.mono_ms,
        ..Facts::default()
    };
    state.memory.take_in(snapshot, site.points.len(), now);
    doubts::examine(site, state, &mut facts, now);
    let readings = Readings::new(site, &state.memory, now);
    limits::watch(&readings, &mut state.latches, &mut facts);
    missing::watch(&readings, &mut facts);
    trouble::watch(&readings, &mut state.troubles, &mut facts);
    outlook::watch(&readings, &mut state.outlook, &mut facts);
    devices::watch(&readings, &mut state.devices, &mut facts);
    building::watch(&readings, &mut state.building, &mut facts);
    surroundings::watch(&readings, &mut facts);
    dew_point::watch(&readings, &mut facts);
    facts.min_pressure_kpa = site
        .cdus
        .iter()
        .map(|cdu| min_flow::pressure_kpa(&readings, cdu))
        .collect();
    facts.share(site);
    facts
}

impl Facts {
    /// Takes in the upper bound of each CDU's heat within five minutes, kW, as a forecast states it: data for the
    /// uncertainty gate, which may make a plan cool more and never less.
    pub fn expect_heat(&mut self, upper_kw: impl IntoIterator<Item = f64>) {
        self.expected_kw = upper_kw.into_iter().map(Some).collect();
    }

    pub(super) fn require_cdu(&mut self, index: usize, duty: Duty) {
        if let Some(own) = self.cdus.get_mut(index) {
            own.join(duty);
        }
    }

    pub(super) fn require_air_unit(&mut self, index: usize, duty: Duty) {
        if let Some(own) = self.air_units.get_mut(index) {
            own.join(duty);
        }
    }

    pub(super) fn require_loop(&mut self, index: usize, duty: Duty) {
        if let Some(own) = self.loops.get_mut(index) {
            own.join(duty);
        }
    }

    /// Files a reason with the zone of a point.
    pub(super) fn cause(&mut self, site: &Site, point: PointId, text: impl FnOnce() -> String) {
        let zone = site.points.get(point.0).map(|spec| spec.zone);
        if let Some(zone) = zone.and_then(|zone| self.zones.get_mut(zone.0)) {
            zone.causes.push(text());
        }
    }

    pub(super) fn lost_in(&mut self, zone: ZoneId) {
        if let Some(zone) = self.zones.get_mut(zone.0) {
            zone.lost = true;
        }
    }

    /// A loop serves the worst of what hangs on it; a zone is at its worst equipment's level.
    fn share(&mut self, site: &Site) {
        let loops = &mut self.loops;
        let mut serve = |index: usize, duty: Duty| {
            if let Some(own) = loops.get_mut(index) {
                own.join(duty.on_plant());
            }
        };
        for (cdu, duty) in site.cdus.iter().zip(&self.cdus) {
            serve(cdu.facility_loop.0, *duty);
        }
        for (unit, duty) in site.air_units.iter().zip(&self.air_units) {
            serve(unit.facility_loop.0, *duty);
        }
        let cdus = site.cdus.iter().map(|item| item.zone).zip(&self.cdus);
        let air_units = site.air_units.iter().map(|item| item.zone).zip(&self.air_units);
        let loops = site.loops.iter().map(|item| item.zone).zip(&self.loops);
        for (zone, duty) in cdus.chain(air_units).chain(loops) {
            if let Some(zone) = self.zones.get_mut(zone.0) {
                zone.level = zone.level.max(duty.level);
            }
        }
    }
}
