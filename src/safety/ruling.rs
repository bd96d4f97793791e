//! From a wish to a value: band, demands, dew point, bounds, rates.

use super::authority::ZoneState;
use super::commands::Command;
use super::demand::{self, Demand, within};
use super::devices;
use super::facts::Facts;
use super::held::{Held, Verdict};
use super::notices::{Code, Notices, Subject};
use super::report::Change;
use super::state::State;
use super::wishes::{Wishes, is_setpoint};
use crate::site::{Authority, Direction, PointId, PointSpec, Site, WriteSpec};
use crate::snapshot::{Author, Now, Quality, Severity, Snapshot};
use thermo::Unit;

/// How far a read-back may lie from what was sent, as a share of the range: the resolution of coarse registers.
const READ_BACK: f64 = 0.005;

/// What decided a value; later rules overrule earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The plan, as it stands.
    Plan,
    /// A person's override.
    Override,
    /// Not planned, or authority ended: on the way to release.
    Release,
    /// The zone's set was refused: the last value stays.
    Refused,
    /// The device runs by itself: its own value is followed, so that it can be taken over without a bump.
    Followed,
    /// Held to the band of bounded authority.
    Band,
    /// No less cooling than now.
    Hold,
    /// More cooling is demanded.
    Demand,
    /// Kept above the room's dew point.
    DewPoint,
    /// On the way, as fast as may be.
    Rate,
}

impl Rule {
    const fn why(self) -> &'static str {
        match self {
            Self::Plan => "as planned",
            Self::Override => "held by an operator",
            Self::Release => "on the way to release",
            Self::Refused => "the zone's set was refused",
            Self::Followed => "the device runs on its own setpoints",
            Self::Band => "outside the band of bounded authority",
            Self::Hold => "no less cooling while guarded",
            Self::Demand => "more cooling is demanded",
            Self::DewPoint => "too close to the room's dew point",
            Self::Rate => "rate limit",
        }
    }
}

/// All that decides one value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) write: WriteSpec,
    /// Value in force.
    pub(super) last: f64,
    /// What is wanted, and by which rule.
    pub(super) wanted: (f64, Rule),
    /// The band of bounded authority, lowest and highest.
    pub(super) band: Option<(f64, f64)>,
    pub(super) demand: Demand,
    /// Time since the last value, min.
    pub(super) minutes: f64,
}

impl Case {
    /// The value, and the rule that decided it.
    pub(super) fn decide(&self) -> (f64, Rule) {
        let write = &self.write;
        let mut ruled = self.wanted;
        if let Some((low, high)) = self.band.filter(|_| matches!(ruled.1, Rule::Plan | Rule::Release)) {
            ruled = then(ruled, Rule::Band, |value| within(value, low, high));
        }
        if self.demand.hold {
            ruled = then(ruled, Rule::Hold, |value| write.cooler(value, self.last));
        }
        if let Some(demanded) = self.demand.value {
            ruled = then(ruled, Rule::Demand, |value| write.cooler(value, demanded));
        }
        let floor = self.demand.floor.map(|floor| within(floor, write.min, write.max));
        if let Some(floor) = floor {
            ruled = then(ruled, Rule::DewPoint, |value| value.max(floor));
        }
        let (low, high) = self.reach(floor);
        ruled = then(ruled, Rule::Rate, |value| within(value, low, high));
        // A setpoint that was found out of bounds comes into bounds at once.
        (within(ruled.0, write.min, write.max), ruled.1)
    }

    /// The values that may be reached from the last one in the time that has passed. Urgent cooling and a raised dew
    /// point know no rate.
    fn reach(&self, floor: Option<f64>) -> (f64, f64) {
        let write = &self.write;
        let mut low = self.last - write.fall_per_min * self.minutes;
        let mut high = self.last + write.rise_per_min * self.minutes;
        match write.more_cooling {
            Direction::Up if self.demand.urgent => high = write.max,
            Direction::Down if self.demand.urgent => low = write.min,
            Direction::Up | Direction::Down | Direction::Neutral => {}
        }
        if let Some(floor) = floor {
            high = high.max(floor);
        }
        (low.min(high), high)
    }
}

/// The band of bounded authority. Where a fault has brought it about, it is open towards more cooling: losing a reading
/// must not keep a plan from cooling more.
fn band(write: &WriteSpec, anchor: f64, demoted: bool) -> (f64, f64) {
    let half = write.bounded_band.abs();
    match write.more_cooling {
        Direction::Up if demoted => (anchor - half, write.max),
        Direction::Down if demoted => (write.min, anchor + half),
        Direction::Up | Direction::Down | Direction::Neutral => (anchor - half, anchor + half),
    }
}

/// What a rule makes of a value; the rule is only named where it changes it.
fn then((value, rule): (f64, Rule), by: Rule, change: impl FnOnce(f64) -> f64) -> (f64, Rule) {
    let to = change(value);
    if to.to_bits() == value.to_bits() {
        (value, rule)
    } else {
        (to, by)
    }
}

/// Rules on every setpoint.
pub(super) fn rule(
    site: &Site,
    facts: &Facts,
    wishes: &Wishes<'_>,
    snapshot: &Snapshot,
    state: &mut State,
    notices: &mut Notices,
    now: Now,
) -> (Vec<Command>, Vec<Change>) {
    let minutes = state.since_judged_s(site, now) / 60.0;
    let demands = demand::gather(site, facts);
    let (mut commands, mut changes) = (vec![], vec![]);
    let mut holding = vec![false; site.devices.len()];
    for (((spec, demand), index), point) in site.points.iter().zip(demands).zip(0..).zip((0..).map(PointId)) {
        let Some(write) = spec.write.filter(|_| is_setpoint(spec)) else {
            continue;
        };
        let zone = state.zones.get(spec.zone.0);
        let authority = zone.map_or(Authority::Observe, ZoneState::effective);
        let demoted = zone.is_some_and(ZoneState::is_demoted);
        let armed = state.devices.get(spec.device.0).is_some_and(|device| device.armed);
        let ours = armed && authority >= Authority::Bounded;
        if !ours && !state.held.contains_key(&point) {
            continue;
        }
        let read = snapshot
            .reading(point)
            .filter(|reading| reading.quality == Quality::Good);
        let found = read.map_or(write.release, |reading| reading.value);
        let held = state.held.entry(point).or_insert_with(|| Held::found(found, now));
        let local = facts.local.get(spec.device.0).copied().unwrap_or(false);
        if local {
            held.follow(found, now);
        } else if let Some(read) = read {
            let memory_s = site.safety.veto_window_s;
            let tolerance = READ_BACK * (write.max - write.min);
            let sent = held.last();
            let verdict = held.verify(read.value, read.mono_ms, tolerance, memory_s, now);
            tell(spec, sent, verdict, notices);
        }
        held.retry(site.safety.return_after_s, now);
        if let Some(slot) = holding.get_mut(spec.device.0) {
            *slot = true;
        }
        if held.is_yielded() {
            notices.holds(site, Code::PointYielded, Subject::Point(point), || {
                "another writer keeps changing it: it is left alone until a person sets the zone's authority".into()
            });
            if let Some(wanted) = wishes.value(index) {
                changes.push(Change {
                    tag: spec.tag.clone(),
                    wanted,
                    given: None,
                    why: "left to another writer".into(),
                });
            }
            continue;
        }
        let last = held.last().unwrap_or(found);
        let held_by = state.overrides.get(&point);
        let wanted = match (wishes.value(index), held_by) {
            _ if !ours => (write.release, Rule::Release),
            _ if local => (last, Rule::Followed),
            (_, Some(held_by)) => (held_by.value, Rule::Override),
            _ if wishes.is_rejected(spec.zone) => (last, Rule::Refused),
            (Some(value), None) => (value, Rule::Plan),
            (None, None) => (write.release, Rule::Release),
        };
        let case = Case {
            write,
            last,
            wanted,
            band: (held.anchor(ours && authority == Authority::Bounded)).map(|anchor| band(&write, anchor, demoted)),
            demand,
            minutes,
        };
        let (value, by) = case.decide();
        let value = if spec.unit == Unit::Flag { value.round() } else { value };
        let author = match by {
            Rule::Plan | Rule::Band => Author::Strategy(wishes.plan.strategy),
            Rule::Override => held_by.map_or(Author::Safety, |held_by| held_by.author.clone()),
            Rule::Release => Author::Release,
            Rule::Rate => match wanted.1 {
                Rule::Plan => Author::Strategy(wishes.plan.strategy),
                Rule::Override => held_by.map_or(Author::Safety, |held_by| held_by.author.clone()),
                Rule::Release => Author::Release,
                Rule::Refused
                | Rule::Followed
                | Rule::Band
                | Rule::Hold
                | Rule::Demand
                | Rule::DewPoint
                | Rule::Rate => Author::Safety,
            },
            Rule::Refused | Rule::Followed | Rule::Hold | Rule::Demand | Rule::DewPoint => Author::Safety,
        };
        if let Some(wish) = held_by.map(|held_by| held_by.value).or(wishes.value(index))
            && (wish.to_bits() != value.to_bits())
        {
            changes.push(Change {
                tag: spec.tag.clone(),
                wanted: wish,
                given: Some(value),
                why: by.why().into(),
            });
        }
        if !ours && value.to_bits() == write.release.to_bits() && last.to_bits() == value.to_bits() {
            state.held.remove(&point);
            continue;
        }
        held.send(value, now);
        commands.push(Command::new(point, value, author));
    }
    beat(site, state, &holding, &mut commands);
    (commands, changes)
}

fn tell(spec: &PointSpec, sent: Option<f64>, verdict: Verdict, notices: &mut Notices) {
    let found = match verdict {
        Verdict::Ours => return,
        Verdict::Adopted(found) | Verdict::Yielded(found) => found,
    };
    let sent = sent.unwrap_or(found);
    let text = format!("was set to {sent} and reads back as {found}; the device's value is taken over");
    notices.tell(Severity::Warning, "write_mismatch", spec.tag.clone(), text);
}

/// A heartbeat for every device of which we hold a setpoint: the cycle's number in 16 bits.
fn beat(site: &Site, state: &mut State, holding: &[bool], commands: &mut Vec<Command>) {
    let number = u16::try_from(state.cycle % 65_536).unwrap_or_default();
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
