//! Turns a plan and people's requests into commands.

use super::assess::{Facts, tell};
use super::demand::{Demand, join};
use super::readings::held;
use super::report::{Change, SafetyReport, ZoneReport};
use super::state::{Override, Sent, State};
use super::{Command, Commands, Level, authority};
use crate::site::{Authority, EquipmentId, PointId, PointSpec, Site, WriteSpec, ZoneId};
use crate::snapshot::{Author, Event, Now, Plan, Request, RequestKind, Severity, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// Longest time between two judgements that a ramp makes up for, s.
const RAMP_GAP_MAX_S: f64 = 60.0;
/// Cycles for which a device may show another setpoint before its write counts as refused.
const MISMATCH_CYCLES: u32 = 6;
/// Cycles after which a point is left to whoever else writes it.
const YIELD_CYCLES: u32 = 30;
/// For how long it is left, ms.
const YIELD_MS: u64 = 600_000;
/// A device must return to its own setpoints within this time of a lost heartbeat, or it is not written to, s.
const COMMS_TIMEOUT_MAX_S: f64 = 120.0;
/// The heartbeat counts up to here and starts again.
const BEATS: u64 = 65_536;

/// Turns a plan and requests into commands, and says what was changed and why.
pub fn judge(
    site: &Site,
    facts: &Facts,
    plan: &Plan,
    requests: &[Request],
    snapshot: &Snapshot,
    state: &mut State,
    now: Now,
) -> (Commands, SafetyReport) {
    state.cycle = state.cycle.saturating_add(1);
    authority::keep(site, state, now);
    let mut facts = facts.clone();
    let mut report = SafetyReport::default();
    let elapsed_s = state.judged_mono_ms.map_or(0.0, |at| now.seconds_since(at).min(RAMP_GAP_MAX_S));
    state.judged_mono_ms = Some(now.mono_ms);
    take_requests(site, requests, state, now, &mut report);

    let planned: BTreeMap<usize, f64> = plan.setpoints.iter().map(|wanted| (wanted.point.0, wanted.value)).collect();
    let unarmed = unarmed_devices(site, snapshot, now, &mut facts);
    let mut list = Vec::new();
    for (index, zone) in site.zones.iter().enumerate() {
        let rejected = rejects(site, &zone.points, &planned);
        let Some(memory) = state.zones.get_mut(index) else { continue };
        if let Some(why) = &rejected {
            tell(&mut facts, Severity::Alarm, "plan_rejected", &zone.name, || format!("the plan for {} is rejected whole: {why}", zone.name));
            if authority::veto(site, memory, now) {
                tell(&mut facts, Severity::Alarm, "authority_demoted", &zone.name, || {
                    format!("{} plans of {} were rejected: only observing for {} s", site.safety.veto_limit, zone.name, site.safety.return_after_s)
                });
            }
        }
        let in_force = authority::in_force(memory);
        let (leaving, stopped) = (memory.leaving, memory.stopped);
        let writing = authority::writes(in_force);
        report.zones.push(zone_report(site, &facts, ZoneId(index), in_force, memory.wanted));
        if !(writing || leaving) {
            forget(state, &zone.points);
            continue;
        }
        let mut arrived = true;
        for point in &zone.points {
            let Some(spec) = site.points.get(point.0) else { continue };
            let Some(write) = spec.write else { continue };
            if unarmed.contains(&spec.device.0) {
                continue;
            }
            if spec.quantity == "heartbeat" {
                let beat = state.cycle.checked_rem(BEATS).unwrap_or(0);
                list.push(Command::new(*point, beat as f64, Author::Safety));
                continue;
            }
            let turn = Turn { site, facts: &facts, snapshot, now, elapsed_s, in_force, leaving, stopped };
            let wanted = if rejected.is_some() { None } else { planned.get(&point.0).copied() };
            arrived &= command(&turn, *point, spec, &write, wanted, plan, state, &mut list, &mut report);
        }
        if leaving && arrived && let Some(memory) = state.zones.get_mut(index) {
            memory.leaving = false;
            memory.stopped = false;
        }
    }
    verify_writes(site, snapshot, state, now, &mut facts);
    report.events.extend(news(&facts, state));
    (Commands::seal(state.cycle, list), report)
}

/// The commands that give every writable point back at once: shutdown, panic and a lost lease take this path.
pub fn release(site: &Site, state: &mut State, now: Now) -> Commands {
    state.cycle = state.cycle.saturating_add(1);
    authority::keep(site, state, now);
    let mut list = Vec::new();
    for (zone, memory) in site.zones.iter().zip(&state.zones) {
        // A zone that was only watched has nothing of ours to give back.
        if !(authority::writes(authority::in_force(memory)) || memory.leaving) {
            continue;
        }
        for point in &zone.points {
            let Some(spec) = site.points.get(point.0) else { continue };
            if let Some(write) = spec.write.filter(|_| spec.quantity != "heartbeat") {
                list.push(Command::new(*point, write.release, Author::Release));
            }
        }
    }
    state.sent.clear();
    Commands::seal(state.cycle, list)
}

/// What holds for all points of a zone in this cycle.
struct Turn<'a> {
    site: &'a Site,
    facts: &'a Facts,
    snapshot: &'a Snapshot,
    now: Now,
    elapsed_s: f64,
    in_force: Authority,
    leaving: bool,
    stopped: bool,
}

/// Commands one point; answers whether it has arrived at its release value.
#[expect(clippy::too_many_arguments, reason = "the parts of the cycle's state that one point touches")]
fn command(
    turn: &Turn<'_>,
    point: PointId,
    spec: &PointSpec,
    write: &WriteSpec,
    planned: Option<f64>,
    plan: &Plan,
    state: &mut State,
    list: &mut Vec<Command>,
    report: &mut SafetyReport,
) -> bool {
    let shown = held(turn.site, turn.snapshot, point, turn.now);
    let sent = state.sent.get(&point.0).copied();
    if sent.is_some_and(|sent| turn.now.mono_ms < sent.yielded_until_ms) {
        return true;
    }
    // Bumpless entry: the first value starts from what the device runs at.
    let base = sent.map(|sent| sent.value).or(shown).unwrap_or(write.release);
    let found = sent.map_or(base, |sent| sent.found);
    let (wanted, author) = if turn.leaving {
        (write.release, Author::Release)
    } else if let Some(hold) = state.overrides.get(&point.0) {
        (hold.value, hold.author.clone())
    } else {
        (planned.unwrap_or(base), Author::Strategy(plan.strategy))
    };
    let asked = match turn.in_force {
        Authority::Bounded if !turn.leaving => wanted.clamp(found - write.bounded_band, found + write.bounded_band),
        Authority::Observe | Authority::Advise | Authority::Bounded | Authority::Full => wanted,
    };
    let demands = demands(turn, spec, write, base);
    let (target, why) = join(write, asked, &demands);
    let ramped =
        if turn.leaving && turn.stopped { target } else { ramp(write, base, target, turn.elapsed_s, sent.is_none()) };
    // What may jump is not held back by the ramp.
    let (joined, jumped) = join(write, ramped, demands.iter().filter(|demand| demand.at_once));
    let why = jumped.or(why);
    let (floored, floor) = dew_floor(turn, spec, joined.clamp(write.min, write.max));
    let given = floored.min(write.max);

    let author = if why.is_some() || floor.is_some() { Author::Safety } else { author };
    if let Some(rule) = floor.or(why).or_else(|| ((given - wanted).abs() > 1e-9).then_some("ramp or band"))
        && planned.is_some()
        && (given - wanted).abs() > 1e-6
    {
        report.changes.push(Change { tag: spec.tag.clone(), wanted, given: Some(given), why: rule.to_owned() });
    }
    let mut memory = sent.unwrap_or(Sent { value: given, mismatches: 0, yielded_until_ms: 0, found });
    memory.value = given;
    state.sent.insert(point.0, memory);
    list.push(Command::new(point, given, author));
    (given - write.release).abs() < 1e-6
}

/// What safety asks of a point in this cycle.
fn demands(turn: &Turn<'_>, spec: &PointSpec, write: &WriteSpec, base: f64) -> Vec<Demand> {
    let zone = turn.facts.zones.get(spec.zone.0);
    let plant = zone.map_or(Level::Failsafe, |zone| zone.level);
    let of_cdu = |id: usize| turn.facts.cdus.get(id).map_or(Level::Failsafe, |cdu| cdu.level);
    let level = match spec.equipment {
        // A CDU answers for itself; a hot or blind CDU also needs the shared plant, which answers for all.
        EquipmentId::Cdu(id) => of_cdu(id.0).max(plant),
        EquipmentId::Loop(_) | EquipmentId::Rejection(_) | EquipmentId::AirUnit(_) | EquipmentId::Reuse(_) => {
            let cdus = turn.site.cdus.iter().enumerate().filter(|(_, cdu)| cdu.zone == spec.zone);
            cdus.map(|(id, _)| of_cdu(id)).fold(plant, Level::max)
        }
        EquipmentId::Rack(_) | EquipmentId::Meter(_) | EquipmentId::Weather => plant,
    };
    let mut demands = Vec::with_capacity(3);
    if level >= Level::Critical {
        let why = if level == Level::Failsafe { "failsafe" } else { "critical limit" };
        demands.push(Demand { value: write.most_cooling(), at_once: true, why });
    } else if level == Level::Guarded || zone.is_some_and(|zone| zone.leak) {
        demands.push(Demand { value: base, at_once: false, why: "beyond target: no less cooling than now" });
    }
    if spec.quantity == "secondary_differential_pressure_setpoint"
        && let EquipmentId::Cdu(id) = spec.equipment
        && let Some(cdu) = turn.facts.cdus.get(id.0)
    {
        demands.push(Demand { value: cdu.min_pressure_kpa, at_once: true, why: "minimum flow of a rack" });
    }
    demands
}

/// The value that the ramp allows on the way from `base` to `target`. On entry there is no time to ramp yet.
fn ramp(write: &WriteSpec, base: f64, target: f64, elapsed_s: f64, entry: bool) -> f64 {
    let minutes = if entry { 0.0 } else { elapsed_s / 60.0 };
    target.clamp(base - write.fall_per_min * minutes, base + write.rise_per_min * minutes)
}

/// Coolant never below the dew point and its margin: this stands above every demand for cooling.
fn dew_floor(turn: &Turn<'_>, spec: &PointSpec, value: f64) -> (f64, Option<&'static str>) {
    if spec.quantity != "secondary_supply_temperature_setpoint" {
        return (value, None);
    }
    let floor = turn.facts.zones.get(spec.zone.0).map_or(f64::NEG_INFINITY, |zone| zone.dew_floor_c);
    if value < floor { (floor, Some("dew point")) } else { (value, None) }
}

/// Why the plan for a zone is rejected whole: a value that is not finite or outside its bounds.
fn rejects(site: &Site, points: &[PointId], planned: &BTreeMap<usize, f64>) -> Option<String> {
    points.iter().find_map(|point| {
        let (value, spec) = (planned.get(&point.0)?, site.points.get(point.0)?);
        let Some(write) = spec.write else { return Some(format!("{} is not writable", spec.tag)) };
        // A trace beyond the bound is rounding of the strategy's arithmetic, not a wish.
        let slack = 1e-6 * (write.max - write.min);
        let inside = value.is_finite() && *value >= write.min - slack && *value <= write.max + slack;
        (!inside).then(|| format!("{} at {value} is outside {} to {}", spec.tag, write.min, write.max))
    })
}

/// Devices that do not return to their own setpoints when our heartbeat stops are not written to.
fn unarmed_devices(site: &Site, snapshot: &Snapshot, now: Now, facts: &mut Facts) -> BTreeSet<usize> {
    let mut unarmed = BTreeSet::new();
    for (id, point) in site.points.iter().enumerate().filter(|(_, point)| point.quantity == "comms_timeout") {
        // Not yet reported: the boot is not over for this device either.
        let Some(timeout_s) = held(site, snapshot, PointId(id), now) else { continue };
        if timeout_s <= 0.0 || timeout_s > COMMS_TIMEOUT_MAX_S {
            unarmed.insert(point.device.0);
            tell(facts, Severity::Alarm, "not_armed", &point.tag, || {
                format!("{} is {timeout_s} s: the device is not written to; set 1 to {COMMS_TIMEOUT_MAX_S} s on it", point.tag)
            });
        }
    }
    unarmed
}

/// Compares what devices show with what was commanded, and leaves a point to another writer rather than fight it.
fn verify_writes(site: &Site, snapshot: &Snapshot, state: &mut State, now: Now, facts: &mut Facts) {
    for (id, sent) in &mut state.sent {
        let Some(spec) = site.points.get(*id) else { continue };
        let (Some(write), Some(shown)) = (spec.write, held(site, snapshot, PointId(*id), now)) else { continue };
        // Registers round; the difference that counts is beyond half a per cent of the range.
        if (shown - sent.value).abs() <= 0.005 * (write.max - write.min).abs() + 0.06 {
            sent.mismatches = 0;
            continue;
        }
        sent.mismatches = sent.mismatches.saturating_add(1);
        if sent.mismatches >= MISMATCH_CYCLES {
            tell(facts, Severity::Warning, "write_mismatch", &spec.tag, || {
                format!("{} shows {shown:.2} where {:.2} was commanded", spec.tag, sent.value)
            });
        }
        if sent.mismatches >= YIELD_CYCLES {
            sent.mismatches = 0;
            sent.value = shown;
            sent.yielded_until_ms = now.mono_ms.saturating_add(YIELD_MS);
        }
    }
}

fn take_requests(site: &Site, requests: &[Request], state: &mut State, now: Now, report: &mut SafetyReport) {
    state.overrides.retain(|_, hold| now.mono_ms < hold.until_ms);
    for request in requests {
        let who = match &request.author {
            Author::Operator(name) => name.clone(),
            Author::Strategy(_) | Author::Safety | Author::Release => "the controller".to_owned(),
        };
        let mut say = |severity, code: &str, subject: &str, text: String| {
            report.events.push(Event { severity, code: code.to_owned(), subject: subject.to_owned(), text });
        };
        match &request.kind {
            RequestKind::Override { point, value, for_s } => {
                let Some((spec, write)) = site.points.get(point.0).and_then(|spec| Some((spec, spec.write?))) else { continue };
                if !value.is_finite() || *value < write.min || *value > write.max || spec.quantity == "heartbeat" {
                    say(Severity::Warning, "override_refused", &spec.tag, format!("{who} asked for {value}: write {} to {}", write.min, write.max));
                    continue;
                }
                let for_s = for_s.clamp(0.0, site.safety.override_max_s);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a positive time")]
                let until_ms = now.mono_ms.saturating_add((for_s * 1000.0) as u64);
                state.overrides.insert(point.0, Override { value: *value, until_ms, author: request.author.clone() });
                say(Severity::Warning, "override", &spec.tag, format!("{who} holds {} at {value} for {for_s:.0} s", spec.tag));
            }
            RequestKind::ClearOverride { point } => {
                state.overrides.remove(&point.0);
                if let Some(spec) = site.points.get(point.0) {
                    say(Severity::Info, "override_cleared", &spec.tag, format!("{who} gave {} back", spec.tag));
                }
            }
            RequestKind::SetAuthority { zone, authority: wanted } => {
                authority::set(state, *zone, *wanted, false);
                if let Some(zone) = site.zones.get(zone.0) {
                    say(Severity::Warning, "authority_changed", &zone.name, format!("{who} set the authority to {wanted:?}"));
                }
            }
            RequestKind::Stop => {
                state.overrides.clear();
                for index in 0..site.zones.len() {
                    authority::set(state, ZoneId(index), Authority::Observe, true);
                }
                say(Severity::Alarm, "stopped", "control", format!("{who} stopped control: every point goes back to the plant as found"));
            }
            RequestKind::SetStrategy { .. } => {}
        }
    }
}

fn zone_report(site: &Site, facts: &Facts, zone: ZoneId, in_force: Authority, wanted: Authority) -> ZoneReport {
    let own = facts.zones.get(zone.0);
    let mut level = own.map_or(Level::Failsafe, |own| own.level);
    let mut causes = own.map(|own| own.causes.clone()).unwrap_or_default();
    for (cdu, found) in site.cdus.iter().zip(&facts.cdus).filter(|(cdu, _)| cdu.zone == zone) {
        level = level.max(found.level);
        let first = found.causes.iter().take(3).map(|cause| format!("{}: {cause}", cdu.name));
        causes.extend(first);
        if found.causes.len() > 3 {
            causes.push(format!("{}: {} more", cdu.name, found.causes.len().saturating_sub(3)));
        }
    }
    if in_force != wanted {
        causes.push(format!("demoted from {wanted:?} after rejected plans"));
    }
    ZoneReport { level, authority: in_force, wanted, causes }
}

/// Points that we no longer write are forgotten, so that the next entry is bumpless.
fn forget(state: &mut State, points: &[PointId]) {
    for point in points {
        state.sent.remove(&point.0);
    }
}

/// Events of conditions that have begun, or ended, in this cycle.
fn news(facts: &Facts, state: &mut State) -> Vec<Event> {
    let mut events = Vec::new();
    let mut holds = BTreeSet::new();
    for (key, event) in &facts.conditions {
        holds.insert(key.clone());
        if !state.told.contains(key) {
            events.push(event.clone());
        }
    }
    for key in state.told.difference(&holds) {
        let (code, subject) = key.split_once(' ').unwrap_or((key, ""));
        events.push(Event {
            severity: Severity::Info,
            code: format!("{code}_cleared"),
            subject: subject.to_owned(),
            text: format!("{subject}: {code} no longer holds"),
        });
    }
    state.told = holds;
    events
}
