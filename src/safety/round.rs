//! One round over all setpoints: take over, check what the device holds, decide, send, beat.

use super::authority::ZoneState;
use super::building::Permit;
use super::commands::Command;
use super::demand::{self, Demand};
use super::devices;
use super::facts::Facts;
use super::held::{Held, Verdict};
use super::notices::{Code, Notices, Subject};
use super::report::Change;
use super::requests::Override;
use super::ruling::{Case, Rule, band};
use super::state::State;
use super::wishes::{Wishes, is_setpoint};
use crate::site::{Authority, PointId, PointSpec, Site, WriteSpec};
use crate::snapshot::{Author, Duty, Now, Quality, Severity, Snapshot};
use thermo::Unit;

/// How far a read-back may lie from what was sent, as a share of the range: the resolution of coarse registers.
const READ_BACK: f64 = 0.005;

/// One round's results.
#[derive(Default)]
pub(super) struct Round {
    pub(super) commands: Vec<Command>,
    pub(super) changes: Vec<Change>,
}

/// Rules on every setpoint.
pub(super) fn go(
    site: &Site,
    facts: &Facts,
    wishes: &Wishes<'_>,
    snapshot: &Snapshot,
    state: &mut State,
    notices: &mut Notices,
    now: Now,
) -> Round {
    let minutes = state.since_judged_s(site, now) / 60.0;
    let mut demands = demand::gather(site, facts);
    keep_one_running(site, wishes, &mut demands);
    let mut round = Round::default();
    let mut holding = vec![false; site.devices.len()];
    for ((spec, demand), point) in site.points.iter().zip(demands).zip((0..).map(PointId)) {
        let Some(write) = spec.write.filter(|_| is_setpoint(spec)) else {
            continue;
        };
        let zone = state.zones.get(spec.zone.0);
        let authority = zone.map_or(Authority::Observe, ZoneState::effective);
        let armed = state.devices.get(spec.device.0).is_some_and(|device| device.armed);
        let stand = Stand {
            ours: armed && authority >= Authority::Bounded && facts.permit == Permit::Given,
            authority,
            demoted: zone.is_some_and(ZoneState::is_demoted),
            local: facts.local.get(spec.device.0).copied().unwrap_or(false),
        };
        if !stand.ours && !state.held.contains_key(&point) {
            continue;
        }
        let read = snapshot
            .reading(point)
            .filter(|reading| reading.quality == Quality::Good);
        let read = read.map(|reading| (reading.value, reading.mono_ms));
        let found = read.map_or(write.release, |(value, _)| value);
        let held = state.held.entry(point).or_insert_with(|| Held::found(found, now));
        compare(site, spec, &write, stand, read, held, notices, now);
        if let Some(slot) = holding.get_mut(spec.device.0) {
            *slot = true;
        }
        let wish = wishes.value(point.0);
        if held.is_yielded() {
            notices.holds(site, Code::PointYielded, Subject::Point(point), || {
                "another writer keeps changing it: it is left alone until a person sets the zone's authority".into()
            });
            round.note(spec, wish, None, "left to another writer");
            continue;
        }
        let last = held.last().unwrap_or(found);
        let held_by = state.overrides.get(&point);
        let wanted = match (wish, held_by) {
            _ if !stand.ours => (write.release, Rule::Release),
            _ if stand.local => (last, Rule::Followed),
            (_, Some(held_by)) => (held_by.value, Rule::Override),
            _ if wishes.is_rejected(spec.zone) => (last, Rule::Refused),
            (Some(value), None) => (value, Rule::Plan),
            (None, None) => (write.release, Rule::Release),
        };
        let band = held
            .anchor(stand.ours && stand.authority == Authority::Bounded)
            .map(|anchor| band(&write, anchor, stand.demoted));
        let case = Case {
            write,
            last,
            wanted,
            band,
            demand,
            minutes,
        };
        let (value, by) = case.decide();
        let value = if spec.unit == Unit::Flag { value.round() } else { value };
        round.note(
            spec,
            held_by.map(|held_by| held_by.value).or(wish),
            Some(value),
            by.why(),
        );
        if !stand.ours && value.to_bits() == write.release.to_bits() && last.to_bits() == value.to_bits() {
            state.held.remove(&point);
            continue;
        }
        held.send(value, now);
        // On the way at its rate, a value is still his who wants it.
        let whose = if by == Rule::Rate { wanted.1 } else { by };
        round
            .commands
            .push(Command::new(point, value, author(whose, held_by, wishes)));
    }
    beat(site, state, &holding, &mut round.commands);
    round
}

/// Never the last one: where a plan would switch every unit of a loop off, the first one is demanded.
fn keep_one_running(site: &Site, wishes: &Wishes<'_>, demands: &mut [Demand]) {
    for unit in &site.loops {
        let enables = || {
            let units = unit.rejection.iter().filter_map(|unit| site.rejection.get(unit.0));
            units.filter_map(|unit| unit.points.enable).map(crate::site::Point::id)
        };
        let release = |point: PointId| site.points.get(point.0)?.write.map(|write| write.release);
        let stays = |point: PointId| {
            wishes
                .value(point.0)
                .or(release(point))
                .is_some_and(|value| value >= 0.5)
        };
        if enables().any(stays) {
            continue;
        }
        let first = enables().next();
        let write = first.and_then(|point| site.points.get(point.0)?.write);
        if let (Some(point), Some(write)) = (first, write)
            && let Some(demand) = demands.get_mut(point.0)
        {
            demand.add(&write, 1.0);
        }
    }
}

/// How we stand to one setpoint.
#[derive(Clone, Copy)]
struct Stand {
    /// We may write it.
    ours: bool,
    authority: Authority,
    /// Authority is lower than asked for.
    demoted: bool,
    /// Its device runs on its own setpoints.
    local: bool,
}

impl Round {
    /// Notes what became of a wish, where it is not what was wished.
    fn note(&mut self, spec: &PointSpec, wish: Option<f64>, given: Option<f64>, why: &str) {
        if let Some(wanted) = wish
            && given.map(f64::to_bits) != Some(wanted.to_bits())
        {
            self.changes.push(Change {
                tag: spec.tag.clone(),
                wanted,
                given,
                why: why.into(),
            });
        }
    }
}

/// Compares what was sent with what the device holds.
#[expect(clippy::too_many_arguments, reason = "one step of the round, cut out for its length")]
fn compare(
    site: &Site,
    spec: &PointSpec,
    write: &WriteSpec,
    stand: Stand,
    read: Option<(f64, u64)>,
    held: &mut Held,
    notices: &mut Notices,
    now: Now,
) {
    held.retry(site.safety.return_after_s, now);
    let Some((value, sampled_ms)) = read else { return };
    if stand.local {
        held.follow(value, now);
        return;
    }
    let sent = held.last().unwrap_or(value);
    let tolerance = READ_BACK * (write.max - write.min);
    match held.verify(value, sampled_ms, tolerance, site.safety.veto_window_s, now) {
        Verdict::Ours => {}
        Verdict::Adopted(found) | Verdict::Yielded(found) => {
            let text = format!("was set to {sent} and reads back as {found}; the device's value is taken over");
            notices.tell(Severity::Warning, "write_mismatch", spec.tag.clone(), text);
        }
    }
}

fn author(rule: Rule, held_by: Option<&Override>, wishes: &Wishes<'_>) -> Author {
    match rule {
        Rule::Plan | Rule::Band => Author::Strategy(wishes.plan.strategy),
        Rule::Override => held_by.map_or(Author::Safety, |held_by| held_by.author.clone()),
        Rule::Release => Author::Release,
        Rule::Refused | Rule::Followed | Rule::Hold | Rule::Demand | Rule::DewPoint | Rule::Rate => Author::Safety,
    }
}

/// Follows what the other controller of a pair writes: from there control goes on when it is our turn.
pub(super) fn stand_by(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now) {
    state.since_judged_s(site, now);
    for (point, held) in &mut state.held {
        let reading = snapshot.reading(*point);
        if let Some(reading) = reading.filter(|reading| reading.quality == Quality::Good) {
            held.forgive();
            held.follow(reading.value, now);
        }
    }
    for device in &mut state.devices {
        device.beaten = 0;
    }
}

/// The 16 bits of a heartbeat: the cycle's number, or in a pair the term in the upper byte and the cycle in the lower,
/// so that a device can tell the beat of a controller whose term is over.
fn number(duty: Duty, cycle: u64) -> u16 {
    let number = match duty {
        Duty::Active { term } => (term & 0xFF) << 8 | cycle & 0xFF,
        Duty::Alone | Duty::Standby => cycle % 65_536,
    };
    u16::try_from(number).unwrap_or_default()
}

/// A heartbeat for every device of which we hold a setpoint.
fn beat(site: &Site, state: &mut State, holding: &[bool], commands: &mut Vec<Command>) {
    let number = number(state.duty, state.cycle);
    for unit in devices::units(site) {
        let holds = holding.get(unit.device.0).copied().unwrap_or(false);
        let Some(device) = state.devices.get_mut(unit.device.0) else {
            continue;
        };
        device.beaten = if holds { device.beaten.saturating_add(1) } else { 0 };
        if let Some(point) = unit.heartbeat.filter(|_| holds) {
            commands.push(Command::new(point, f64::from(number), Author::Safety));
        }
    }
}
