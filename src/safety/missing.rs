//! Lost readings make failsafe. Each cause has its strength; the strongest wins.

use super::facts::{Duty, Facts};
use super::notices::{Code, Subject};
use super::readings::{Presence, Readings};
use super::report::Level;
use crate::site::{AirUnitId, CduId, EquipmentId, LoopId, PointId, PointSpec, ZoneId};

/// Why a failsafe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Boot: a required point has not reported yet.
    NotYetReported,
    /// A reading with a limit is lost, or the witness against which it is checked: nobody can say that the limit is kept.
    LimitLost,
    /// Another required reading is lost: limits are still watched.
    OtherLost,
    /// The device does not take our heartbeat: what we write there may not be in force.
    NotMirrored,
}

impl Cause {
    /// How far from release (0) to most cooling (1): the equipment itself, and the plant that it shares.
    const fn shares(self) -> (f64, f64) {
        match self {
            Self::NotYetReported | Self::LimitLost => (1.0, 1.0),
            Self::OtherLost => (1.0, 0.8),
            Self::NotMirrored => (1.0, 0.5),
        }
    }

    /// What the cause asks for.
    pub(super) const fn duty(self) -> Duty {
        let (own, plant) = self.shares();
        Duty {
            level: Level::Failsafe,
            own,
            plant,
        }
    }
}

/// Watches every required point.
pub(super) fn watch(readings: &Readings<'_>, facts: &mut Facts) {
    for (spec, point) in readings.site.points.iter().zip((0..).map(PointId)) {
        if !spec.required {
            continue;
        }
        let cause = match readings.presence(Some(point)) {
            Presence::Here => {
                late(readings, facts, spec, point);
                continue;
            }
            Presence::Never => Cause::NotYetReported,
            Presence::Lost if has_limit(spec) => Cause::LimitLost,
            Presence::Lost => Cause::OtherLost,
        };
        if cause != Cause::NotYetReported {
            facts.lost_in(spec.zone);
        }
        let text = || match readings.age_s(Some(point)) {
            None => "has not reported yet".to_owned(),
            Some(age_s) if age_s <= spec.timeout_s => "is not believed".to_owned(),
            Some(age_s) => format!("is lost, last good {age_s:.0} s ago"),
        };
        facts.cause(readings.site, point, || format!("{} {}", spec.tag, text()));
        let subject = Subject::Point(point);
        facts.notices.holds(readings.site, Code::MissingReading, subject, || {
            format!("{}; failsafe until it is back", text())
        });
        require(readings, facts, spec.equipment, spec.zone, cause.duty());
    }
}

/// Periods without a good reading after which that is told; it is lost only after its own time-out.
const LATE_CYCLES: f64 = 3.0;

fn late(readings: &Readings<'_>, facts: &mut Facts, spec: &PointSpec, point: PointId) {
    let Some(age_s) = readings.age_s(Some(point)) else {
        return;
    };
    if age_s >= LATE_CYCLES * readings.site.control.cycle_s && age_s < spec.timeout_s {
        facts
            .notices
            .holds(readings.site, Code::LateReading, Subject::Point(point), || {
                format!(
                    "has given no good reading for {age_s:.0} s; lost after {:.0} s",
                    spec.timeout_s
                )
            });
    }
}

/// Whether `limits` watches this quantity, or `votes` and `doubts` check such a one against it, as a rack's power.
fn has_limit(spec: &PointSpec) -> bool {
    let witness = spec.quantity == "power" && matches!(spec.equipment, EquipmentId::Rack(_));
    witness
        || matches!(
            spec.quantity.as_str(),
            "secondary_supply_temperature"
                | "secondary_return_temperature"
                | "liquid_return_temperature"
                | "chip_margin"
                | "room_temperature"
        )
}

/// Puts a duty on the equipment whose reading or device is in trouble. What belongs to no loop falls on all of its
/// zone's.
pub(super) fn require(readings: &Readings<'_>, facts: &mut Facts, equipment: EquipmentId, zone: ZoneId, duty: Duty) {
    let site = readings.site;
    match equipment {
        EquipmentId::Cdu(CduId(index)) => facts.require_cdu(index, duty),
        EquipmentId::Rack(id) => {
            if let Some(rack) = site.racks.get(id.0) {
                facts.require_cdu(rack.cdu.0, duty);
            }
        }
        EquipmentId::AirUnit(AirUnitId(index)) => facts.require_air_unit(index, duty),
        EquipmentId::Loop(LoopId(index)) => facts.require_loop(index, duty.on_plant()),
        EquipmentId::Rejection(id) => {
            if let Some(unit) = site.rejection.get(id.0) {
                facts.require_loop(unit.facility_loop.0, duty.on_plant());
            }
        }
        EquipmentId::Reuse(id) => {
            if let Some(unit) = site.reuse.get(id.0) {
                facts.require_loop(unit.facility_loop.0, duty.on_plant());
            }
        }
        EquipmentId::Meter(_) | EquipmentId::Weather | EquipmentId::Feed | EquipmentId::Building => {
            for (index, _) in site.loops.iter().enumerate().filter(|(_, item)| item.zone == zone) {
                facts.require_loop(index, duty.on_plant());
            }
        }
    }
}
