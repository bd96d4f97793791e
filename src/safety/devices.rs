//! Devices as we hold them: whether one may be armed, whether it hears our heartbeat, whether it runs by itself.

use super::facts::Facts;
use super::missing::{Cause, require};
use super::notices::{Code, Subject};
use super::readings::{Readings, id};
use crate::site::{AirUnitId, CduId, DeviceId, EquipmentId, LoopId, PointId, RejectionId, ReuseId, Site, ZoneId};
use serde::{Deserialize, Serialize};

/// Longest comms-loss time-out with which a device may be armed, s: after it the device is its own master.
const COMMS_TIMEOUT_MAX_S: f64 = 120.0;

/// Cycles that a written beat needs to be read back, beyond the configured misses.
const BEAT_DELAY: f64 = 2.0;

/// What safety remembers of a device.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct DeviceState {
    /// Its comms-loss time-out is known and short enough.
    pub(super) armed: bool,
    /// Cycles in a row in which its heartbeat was written.
    pub(super) beaten: u32,
    /// The beat that it last showed, and when it changed.
    seen: f64,
    seen_ms: Option<u64>,
}

/// A device that can be written.
pub(super) struct Unit {
    equipment: EquipmentId,
    zone: ZoneId,
    pub(super) device: DeviceId,
    pub(super) heartbeat: Option<PointId>,
    local_control: Option<PointId>,
    comms_timeout: Option<PointId>,
}

macro_rules! units {
    ($list:expr, $equipment:ident, $id:ident) => {
        $list.iter().zip(0..).filter_map(|(item, index)| {
            Some(Unit {
                equipment: EquipmentId::$equipment($id(index)),
                zone: item.zone,
                device: item.device?,
                heartbeat: id(item.points.heartbeat),
                local_control: id(item.points.local_control),
                comms_timeout: id(item.points.comms_timeout),
            })
        })
    };
}

/// Every device that can be written.
pub(super) fn units(site: &Site) -> impl Iterator<Item = Unit> + '_ {
    units!(site.loops, Loop, LoopId)
        .chain(units!(site.cdus, Cdu, CduId))
        .chain(units!(site.rejection, Rejection, RejectionId))
        .chain(units!(site.reuse, Reuse, ReuseId))
        .chain(units!(site.air_units, AirUnit, AirUnitId))
}

pub(super) fn watch(readings: &Readings<'_>, devices: &mut [DeviceState], facts: &mut Facts) {
    let site = readings.site;
    facts.local = vec![false; site.devices.len()];
    for unit in units(site) {
        let Some(state) = devices.get_mut(unit.device.0) else {
            continue;
        };
        let subject = Subject::Device(unit.device);
        let timeout_s = readings.last(unit.comms_timeout);
        state.armed = timeout_s.is_some_and(|s| s > 0.0 && s <= COMMS_TIMEOUT_MAX_S);
        if unit.comms_timeout.is_none() {
            facts.notices.holds(site, Code::NotArmed, subject, || {
                "its profile has no comms_timeout, so nobody knows what it does when we are gone: it is not written"
                    .into()
            });
        } else if let Some(timeout_s) = timeout_s.filter(|_| !state.armed) {
            facts.notices.holds(site, Code::NotArmed, subject, || {
                format!(
                    "its comms_timeout reads {timeout_s} s; set it to more than 0 and at most {COMMS_TIMEOUT_MAX_S} s on \
                     the device: until then it is not written"
                )
            });
        }

        let patience_s = (f64::from(site.safety.heartbeat_misses) + BEAT_DELAY) * site.control.cycle_s;
        let settled = f64::from(state.beaten) * site.control.cycle_s > patience_s;
        if readings.present(unit.local_control).is_some_and(|flag| flag >= 0.5) {
            if let Some(local) = facts.local.get_mut(unit.device.0) {
                *local = true;
            }
            if settled {
                facts.notices.holds(site, Code::LocalControl, subject, || {
                    "runs on its own setpoints although it gets our heartbeat: somebody holds it".into()
                });
            }
        }
        let Some(beat) = readings.present(unit.heartbeat) else {
            continue;
        };
        if state.seen_ms.is_none_or(|at| at > readings.now.mono_ms) || beat.to_bits() != state.seen.to_bits() {
            (state.seen, state.seen_ms) = (beat, Some(readings.now.mono_ms));
        }
        let silent_s = state.seen_ms.map_or(0.0, |at| readings.now.seconds_since(at));
        if settled && silent_s > patience_s {
            let text = || format!("its heartbeat register has stood at {beat} for {silent_s:.0} s while we write it");
            facts.notices.holds(site, Code::HeartbeatLost, subject, text);
            if let Some(point) = unit.heartbeat {
                facts.cause(site, point, || {
                    format!("{} does not take our heartbeat", device_name(site, unit.device))
                });
            }
            require(readings, facts, unit.equipment, unit.zone, Cause::NotMirrored.duty());
        }
    }
}

fn device_name(site: &Site, device: DeviceId) -> &str {
    site.devices.get(device.0).map_or("", |device| &device.id)
}
