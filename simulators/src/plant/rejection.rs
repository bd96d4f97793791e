//! The heat-rejection units of a loop: towers and dry coolers side by side, chillers after them.

use super::air::Air;
use super::board::{Board, Owner, Quantity};
use super::chiller::{self, Chiller};
use super::dry_cooler::{self, DryCooler};
use super::pipe::WATER_KJ_L_K;
use super::remote::Remote;
use super::spec::{RejectionKind, RejectionSpec};
use super::tower::{self, Tower, WaterUse};
use super::wounds::Wounds;
use crate::random::Random;

/// Smallest and largest leaving temperature that a unit's panel takes, degC.
const SUPPLY_RANGE_C: (f64, f64) = (4.0, 60.0);

#[derive(Debug, Clone)]
enum Machine {
    Tower(Tower),
    DryCooler(DryCooler),
    Chiller(Chiller),
}

#[derive(Debug, Clone)]
pub(super) struct Rejection {
    pub id: String,
    base: usize,
    pub remote: Remote,
    rated_flow_lpm: f64,
    out_of_service: bool,
    machine: Machine,
    pub energy_kwh: f64,
    pub wounds: Wounds,
}

/// The plant-wide facts that a unit is built with.
pub(super) struct Surroundings {
    pub timeout_s: f64,
    pub makeup_us_cm: f64,
    pub pressure_pa: f64,
    pub deviation: f64,
}

impl Rejection {
    pub(super) fn new(
        spec: &RejectionSpec,
        around: &Surroundings,
        owner: Owner,
        board: &mut Board,
        random: &mut Random,
    ) -> Result<Self, String> {
        let (start_c, deviation) = (spec.default_supply_c, around.deviation);
        let (machine, signals): (Machine, &[Quantity]) = match spec.kind {
            RejectionKind::TowerCell => {
                let tower = Tower::new(
                    spec,
                    around.makeup_us_cm,
                    around.pressure_pa,
                    start_c,
                    deviation,
                    random,
                )?;
                (Machine::Tower(tower), &tower::SIGNALS)
            }
            RejectionKind::DryCooler => (
                Machine::DryCooler(DryCooler::new(spec, start_c, deviation, random)?),
                &dry_cooler::SIGNALS,
            ),
            RejectionKind::Chiller => (
                Machine::Chiller(Chiller::new(spec, start_c, deviation, random)),
                &chiller::SIGNALS,
            ),
        };
        Ok(Self {
            id: spec.id.clone(),
            base: board.add(&spec.id, signals, owner, deviation, random),
            remote: Remote::new(
                around.timeout_s,
                &[
                    (1.0, 0.0, 1.0),
                    (spec.default_supply_c, SUPPLY_RANGE_C.0, SUPPLY_RANGE_C.1),
                ],
            ),
            rated_flow_lpm: spec.flow_lpm,
            out_of_service: spec.out_of_service,
            machine,
            energy_kwh: 0.0,
            wounds: Wounds::default(),
        })
    }

    fn enabled(&self) -> bool {
        !self.out_of_service && self.remote.active(0) >= 0.5
    }

    fn is_chiller(&self) -> bool {
        matches!(self.machine, Machine::Chiller(_))
    }

    fn advance(&mut self, dt: f64, air: &Air, flow_lpm: f64, water_c: f64) -> (f64, f64) {
        let (enabled, setpoint_c) = (self.enabled(), self.remote.active(1));
        let stopped = self.wounds.fan_tripped || self.wounds.unpowered;
        let cooled = match &mut self.machine {
            Machine::Tower(tower) => {
                tower.fan.tripped = stopped;
                tower.advance(dt, air, enabled, setpoint_c, flow_lpm, water_c)
            }
            Machine::DryCooler(cooler) => {
                cooler.fan.tripped = stopped;
                cooler.advance(dt, air, enabled, setpoint_c, flow_lpm, water_c)
            }
            Machine::Chiller(chiller) => chiller.advance(dt, air, enabled && !stopped, setpoint_c, flow_lpm, water_c),
        };
        self.energy_kwh += self.power_kw() * dt / 3600.0;
        cooled
    }

    pub(super) fn power_kw(&self) -> f64 {
        match &self.machine {
            Machine::Tower(tower) => tower.fan.power_kw(),
            Machine::DryCooler(cooler) => cooler.fan.power_kw(),
            Machine::Chiller(chiller) => chiller.power_kw,
        }
    }

    pub(super) fn water(&self) -> WaterUse {
        match &self.machine {
            Machine::Tower(tower) => tower.water,
            Machine::DryCooler(cooler) => cooler.water,
            Machine::Chiller(_) => WaterUse::default(),
        }
    }

    /// Water in a tower's basin, L.
    pub(super) fn level_l(&self) -> f64 {
        if let Machine::Tower(tower) = &self.machine {
            tower.level_l()
        } else {
            0.0
        }
    }

    /// Heat held by the unit's water above 0 degC, kJ.
    pub(super) fn stored_kj(&self) -> f64 {
        WATER_KJ_L_K
            * match &self.machine {
                Machine::Tower(tower) => tower.content(),
                Machine::DryCooler(cooler) => cooler.content(),
                Machine::Chiller(chiller) => chiller.content(),
            }
    }

    pub(super) fn publish(&self, board: &mut Board) {
        match &self.machine {
            Machine::Tower(tower) => tower.publish(board, self.base, &self.remote),
            Machine::DryCooler(cooler) => cooler.publish(board, self.base, &self.remote),
            Machine::Chiller(chiller) => chiller.publish(board, self.base, &self.remote),
        }
    }
}

/// Cools `flow_lpm` of `water_c` with all of a loop's units for `dt` seconds; answers the mixed leaving temperature and the
/// heat given off, kW. Water divides over the enabled units by their rated flow, and passes uncooled where there is none.
pub(super) fn reject(units: &mut [Rejection], dt: f64, air: &Air, flow_lpm: f64, water_c: f64) -> (f64, f64) {
    for unit in units.iter_mut() {
        unit.remote.advance(dt);
    }
    let (after_towers_c, first_kw) = stage(units, false, dt, air, flow_lpm, water_c);
    let (leaving_c, second_kw) = stage(units, true, dt, air, flow_lpm, after_towers_c);
    (leaving_c, first_kw + second_kw)
}

fn stage(units: &mut [Rejection], chillers: bool, dt: f64, air: &Air, flow_lpm: f64, water_c: f64) -> (f64, f64) {
    let enabled: f64 = units
        .iter()
        .filter(|u| u.is_chiller() == chillers && u.enabled())
        .map(|u| u.rated_flow_lpm)
        .sum();
    let (mut heat_kw, mut mixed) = (0.0, 0.0);
    for unit in units.iter_mut().filter(|u| u.is_chiller() == chillers) {
        let share = if unit.enabled() {
            unit.rated_flow_lpm / enabled
        } else {
            0.0
        };
        let (leaving_c, given_kw) = unit.advance(dt, air, share * flow_lpm, water_c);
        heat_kw += given_kw;
        mixed += share * leaving_c;
    }
    (if enabled > 0.0 { mixed } else { water_c }, heat_kw)
}
