//! What can break in a plant, and breaking it: equipment that fails, sensors that lie, devices that fall silent.
//!
//! Sensor faults act on what is reported. The equipment's own loops vote over sensors of their own, as CDUs do, and go on
//! with the true value.

use super::board::Disturbed;
use super::{Owner, Plant};

/// One kind of damage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wound {
    /// The duty pump of a CDU or a pump skid trips; where there is a standby it takes over. In a CDU a second such wound
    /// leaves no pump.
    PumpTrip,
    /// This share of a CDU's flow misses its racks.
    Bypass(f64),
    /// The primary control valve of a CDU stays where it is.
    ValveStuck,
    /// The primary side of a CDU is shut off.
    PrimaryShut,
    /// A CDU's strainer clogs: its own resistance grows by this multiple of the clean one every hour.
    Clog(f64),
    /// The exchanger of a CDU keeps only this share of its conductance.
    Fouled(f64),
    /// The fan of a tower cell or dry cooler stops.
    FanTrip,
    /// A heat-rejection or air unit has no power.
    Unpowered,
    /// Moisture gets into the room of an air unit: so much more water in the air every hour, kg/kg.
    Humid(f64),
    /// A rack or CDU leaks.
    Leak,
    /// A device is not reachable: nothing is read from it and nothing written arrives.
    Silent,
    /// A device acknowledges setpoints and keeps the ones it has.
    Deaf,
    /// The reported value stays what it is.
    Stuck,
    /// The reported value moves away from the truth by so much a minute.
    Drift(f64),
    /// There is no value.
    Dropout,
    /// A device stamps its samples by a clock that is off by so many seconds.
    Skew(f64),
}

/// What is broken in a unit; healthy by default.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each may be broken beside every other")]
pub(super) struct Wounds {
    pub pumps_lost: u32,
    pub bypass: f64,
    pub valve_stuck: bool,
    pub primary_shut: bool,
    pub clog_per_h: f64,
    /// Share of the exchanger's conductance that is left.
    pub clean: f64,
    pub fan_tripped: bool,
    pub unpowered: bool,
    pub moisture_per_h: f64,
    pub leak: bool,
}

impl Default for Wounds {
    fn default() -> Self {
        Self {
            pumps_lost: 0,
            bypass: 0.0,
            valve_stuck: false,
            primary_shut: false,
            clog_per_h: 0.0,
            clean: 1.0,
            fan_tripped: false,
            unpowered: false,
            moisture_per_h: 0.0,
            leak: false,
        }
    }
}

impl Wounds {
    /// Sets or heals what a wound means here; false where it means nothing to a unit.
    fn change(&mut self, wound: Wound, broken: bool) -> bool {
        match wound {
            Wound::PumpTrip if broken => self.pumps_lost += 1,
            Wound::PumpTrip => self.pumps_lost = self.pumps_lost.saturating_sub(1),
            Wound::Bypass(share) => self.bypass = if broken { share } else { 0.0 },
            Wound::ValveStuck => self.valve_stuck = broken,
            Wound::PrimaryShut => self.primary_shut = broken,
            Wound::Clog(per_h) => self.clog_per_h = if broken { per_h } else { 0.0 },
            Wound::Fouled(clean) => self.clean = if broken { clean } else { 1.0 },
            Wound::FanTrip => self.fan_tripped = broken,
            Wound::Unpowered => self.unpowered = broken,
            Wound::Humid(per_h) => self.moisture_per_h = if broken { per_h } else { 0.0 },
            Wound::Leak => self.leak = broken,
            Wound::Silent | Wound::Deaf | Wound::Stuck | Wound::Drift(_) | Wound::Dropout | Wound::Skew(_) => {
                return false;
            }
        }
        true
    }
}

/// Why a wound has no place to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot suffer this fault: name a unit or a signal of the right kind")]
pub struct WoundError(pub String);

impl Plant {
    /// Breaks something: `target` is the id of a unit, for a lying sensor the tag of its signal.
    ///
    /// # Errors
    /// Where there is no such target, or the wound means nothing to it.
    pub fn wound(&mut self, target: &str, wound: Wound) -> Result<(), WoundError> {
        self.change(target, wound, true)
    }

    /// Mends what [`Plant::wound`] broke.
    ///
    /// # Errors
    /// As [`Plant::wound`].
    pub fn mend(&mut self, target: &str, wound: Wound) -> Result<(), WoundError> {
        self.change(target, wound, false)
    }

    fn change(&mut self, target: &str, wound: Wound, broken: bool) -> Result<(), WoundError> {
        let wrong = || WoundError(target.to_owned());
        match wound {
            Wound::Stuck | Wound::Drift(_) | Wound::Dropout => {
                let signal = self.board.find(target).ok_or_else(wrong)?;
                let since_s = self.elapsed_s;
                let value = self.board.measured(signal);
                let disturbed = match wound {
                    Wound::Stuck => Disturbed::Stuck(value),
                    Wound::Drift(per_min) => Disturbed::Drift {
                        per_s: per_min / 60.0,
                        since_s,
                    },
                    _ => Disturbed::Dropout,
                };
                self.board.disturb(signal, broken.then_some(disturbed));
            }
            Wound::Silent | Wound::Skew(_) => {
                let skew_s = match wound {
                    Wound::Skew(skew_s) if broken => Some(skew_s),
                    _ => None,
                };
                let silent = matches!(wound, Wound::Silent).then_some(broken);
                if !self.board.cut_off(target, silent, skew_s) {
                    return Err(wrong());
                }
            }
            Wound::Deaf => {
                let signal = self.board.find(&format!("{target}.heartbeat")).ok_or_else(wrong)?;
                let (owner, _) = self.board.writer(signal);
                self.remote(owner).ok_or_else(wrong)?.deaf = broken;
            }
            _ => {
                let wounds = self.wounds(target).ok_or_else(wrong)?;
                wounds.change(wound, broken);
                if matches!(wound, Wound::PumpTrip) && broken {
                    self.change_over(target);
                }
            }
        }
        Ok(())
    }

    fn wounds(&mut self, target: &str) -> Option<&mut Wounds> {
        let board = &self.board;
        let base = |tag: &str| board.find(&format!("{target}.{tag}")).map(|signal| signal.0);
        // Racks know only their place on the board.
        let rack_base = base("chip_margin").and(base("power"));
        for facility in &mut self.loops {
            if facility.id == target {
                return Some(&mut facility.wounds);
            }
            for cdu in &mut facility.cdus {
                if cdu.id == target {
                    return Some(&mut cdu.wounds);
                }
                if let Some(rack) = cdu.racks.iter_mut().find(|rack| Some(rack.base) == rack_base) {
                    return Some(&mut rack.wounds);
                }
            }
            if let Some(unit) = facility.rejection.iter_mut().find(|unit| unit.id == target) {
                return Some(&mut unit.wounds);
            }
            if let Some(unit) = facility.air_units.iter_mut().find(|unit| unit.id == target) {
                return Some(&mut unit.wounds);
            }
        }
        None
    }

    fn change_over(&mut self, target: &str) {
        for facility in &mut self.loops {
            if facility.id == target {
                facility.change_over();
            }
            if let Some(cdu) = facility.cdus.iter_mut().find(|cdu| cdu.id == target) {
                cdu.change_over();
            }
        }
    }

    /// Whether the device of a signal is out of reach.
    pub fn is_silent(&self, signal: super::SignalId) -> bool {
        self.board.is_silent(signal)
    }

    /// By how much the clock that stamps a signal's samples is ahead, s.
    pub fn skew_s(&self, signal: super::SignalId) -> f64 {
        self.board.skew_s(signal)
    }
}

/// Whether the device behind a signal takes writes at all.
pub(super) fn reachable(plant: &Plant, signal: super::SignalId) -> bool {
    !plant.board.is_silent(signal) && plant.board.writer(signal).0 != Owner::Nobody
}
