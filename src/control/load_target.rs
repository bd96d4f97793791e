//! A target for the power of cooling: who asked for it, when it holds, and how far it is met.
//!
//! Grid operators announce a load target some minutes ahead (an event of DSX Flex, a demand-response call). A target is
//! kept here, whatever strategy plans; `predictive` meets it by pre-cooling and by what the equipment can do without.

use super::View;
use super::value;
use crate::site::{MeterRole, Site};
use crate::snapshot::{Event, LoadLimit, LoadPhase, LoadReport, Now, Request, RequestKind, Severity, Snapshot};
use serde::{Deserialize, Serialize};
use thermo::Quantity;

/// Time constant of the mean power that a cut is taken of, s: the quarter of an hour that grids settle by.
const MEAN_S: f64 = 900.0;
/// Time before the start over which cold is stored, s.
const PRECOOL_S: f64 = 900.0;
/// Time before the start from which the target is already held: fans follow within minutes, s.
const LEAD_S: f64 = 180.0;
/// Time after the end in which the stored warmth is given off gently, s.
const RECOVERY_S: f64 = 2400.0;

/// A target as it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Target {
    kw: f64,
    start_ms: u64,
    end_ms: u64,
    /// Limits would have been exceeded: it is no longer held.
    given_up: bool,
}

/// The memory of load targets and of the power that cuts are taken of.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct LoadTargets {
    target: Option<Target>,
    mean_kw: Option<f64>,
    measured_kw: Option<f64>,
    updated_mono_ms: Option<u64>,
}

/// The target as a strategy sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LoadNow {
    pub kw: f64,
    pub phase: LoadPhase,
    /// How long it will hold once it has begun, s.
    pub lasts_s: f64,
    /// Power of cooling as metered, kW.
    pub measured_kw: Option<f64>,
}

impl LoadTargets {
    /// Hears this cycle's requests and follows the power of cooling.
    pub(super) fn hear(&mut self, site: &Site, snapshot: &Snapshot, requests: &[Request], now: Now) -> Vec<Event> {
        self.follow(site, snapshot, now);
        let mut events = Vec::new();
        for request in requests {
            let who = request.author.name();
            let (severity, code, text) = match request.kind {
                RequestKind::SetLoadTarget { limit, in_s, for_s } => match self.set(limit, in_s, for_s, now) {
                    Ok(kw) => (
                        Severity::Info,
                        "load_target_set",
                        format!("{who} asks for at most {kw:.1} kW of cooling in {in_s:.0} s, for {for_s:.0} s"),
                    ),
                    Err(why) => (
                        Severity::Warning,
                        "request_refused",
                        format!("{who} asked in vain for a load target: {why}"),
                    ),
                },
                RequestKind::ClearLoadTarget => {
                    self.target = None;
                    (
                        Severity::Info,
                        "load_target_cleared",
                        format!("{who} ends the load target"),
                    )
                }
                _ => continue,
            };
            events.push(event(severity, code, text));
        }
        if let Some(target) = self.target
            && now.mono_ms > target.end_ms + millis(RECOVERY_S)
        {
            self.target = None;
            events.push(event(
                Severity::Info,
                "load_target_over",
                "the load target is over".to_owned(),
            ));
        }
        events
    }

    fn set(&mut self, limit: LoadLimit, in_s: f64, for_s: f64, now: Now) -> Result<f64, String> {
        if !(0.0..=86_400.0).contains(&in_s) || !(60.0..=86_400.0).contains(&for_s) {
            return Err("it must begin within 0 to 86400 s and last 60 to 86400 s".to_owned());
        }
        let kw = match limit {
            LoadLimit::Kilowatts(kw) if kw > 0.0 && kw.is_finite() => kw,
            LoadLimit::Cut(cut) if (0.0..=0.9).contains(&cut) => {
                let mean_kw = self.mean_kw.ok_or("the power of cooling is not known yet")?;
                (1.0 - cut) * mean_kw
            }
            LoadLimit::Kilowatts(_) | LoadLimit::Cut(_) => {
                return Err("it must be a power above 0 kW, or a cut of 0 to 0.9".to_owned());
            }
        };
        let start_ms = now.mono_ms + millis(in_s);
        self.target = Some(Target {
            kw,
            start_ms,
            end_ms: start_ms + millis(for_s),
            given_up: false,
        });
        Ok(kw)
    }

    fn follow(&mut self, site: &Site, snapshot: &Snapshot, now: Now) {
        let elapsed_s = self.updated_mono_ms.map_or(0.0, |at| now.seconds_since(at).min(60.0));
        self.updated_mono_ms = Some(now.mono_ms);
        self.measured_kw = measured_kw(site, snapshot);
        if let Some(kw) = self.measured_kw {
            let mean_kw = self.mean_kw.get_or_insert(kw);
            *mean_kw += (elapsed_s / MEAN_S).min(1.0) * (kw - *mean_kw);
        }
    }

    /// The target at this moment.
    pub(super) fn now(&self, now: Now) -> Option<LoadNow> {
        let target = self.target?;
        let phase = if target.given_up {
            LoadPhase::GivenUp
        } else if now.mono_ms >= target.end_ms {
            LoadPhase::Recovering
        } else if now.mono_ms + millis(LEAD_S) >= target.start_ms {
            LoadPhase::Holding
        } else if now.mono_ms + millis(PRECOOL_S) >= target.start_ms {
            LoadPhase::Precooling
        } else {
            LoadPhase::Announced
        };
        Some(LoadNow {
            kw: target.kw,
            phase,
            lasts_s: (target.end_ms - target.start_ms) as f64 / 1000.0,
            measured_kw: self.measured_kw,
        })
    }

    /// Limits come first: the target is no longer held.
    pub(super) fn give_up(&mut self) -> Option<Event> {
        let target = self.target.as_mut().filter(|target| !target.given_up)?;
        target.given_up = true;
        Some(event(
            Severity::Alarm,
            "load_target_given_up",
            format!(
                "cooling cannot keep both {:.1} kW and every limit: limits come first; ask the scheduler for less load",
                target.kw
            ),
        ))
    }

    /// What a plan says of the target.
    pub(super) fn report(&self, now: Now) -> Option<LoadReport> {
        let (target, seen) = (self.target?, self.now(now)?);
        let wall = |mono_ms: u64| {
            let ahead = i64::try_from(mono_ms)
                .unwrap_or(i64::MAX)
                .saturating_sub_unsigned(now.mono_ms);
            now.wall_ms.saturating_add(ahead)
        };
        Some(LoadReport {
            target_kw: target.kw,
            start_ms: wall(target.start_ms),
            end_ms: wall(target.end_ms),
            phase: seen.phase,
            measured_kw: self.measured_kw,
        })
    }
}

fn event(severity: Severity, code: &str, text: String) -> Event {
    Event {
        severity,
        code: code.to_owned(),
        subject: "control".to_owned(),
        text,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds that were checked to be few"
)]
fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

/// Power of cooling: of its meters where there are some, else of the equipment.
fn measured_kw(site: &Site, snapshot: &Snapshot) -> Option<f64> {
    let meters = site.meters.iter().filter(|meter| meter.role == MeterRole::CoolingPower);
    let metered: Vec<Option<f64>> = meters
        .map(|meter| snapshot.get(meter.points.power).map(Quantity::get))
        .collect();
    if !metered.is_empty() {
        return metered.into_iter().sum();
    }
    let kw = |point| snapshot.get(point).map(Quantity::get);
    let equipment = site.cdus.iter().map(|unit| kw(unit.points.power));
    let equipment = equipment.chain(site.loops.iter().map(|unit| kw(unit.points.power)));
    let equipment = equipment.chain(site.rejection.iter().map(|unit| kw(unit.points.power)));
    equipment
        .chain(site.air_units.iter().map(|unit| kw(unit.points.power)))
        .sum()
}

/// Power of a loop's fans and compressors, kW.
pub(super) fn shed_kw(view: &View<'_>, id: usize) -> Option<f64> {
    let units = view.site.loops[id].rejection.iter();
    units
        .map(|id| value(view, view.site.rejection[id.0].points.power))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;
    use crate::snapshot::Author;

    fn at(second: u64) -> Now {
        Now {
            mono_ms: 1000 * second,
            wall_ms: 0,
            utc_offset_s: 0,
        }
    }

    fn ask(limit: LoadLimit) -> [Request; 1] {
        [Request {
            author: Author::Operator("grid".into()),
            kind: RequestKind::SetLoadTarget {
                limit,
                in_s: 1200.0,
                for_s: 1800.0,
            },
            why: String::new(),
        }]
    }

    #[test]
    fn a_target_passes_through_its_phases() {
        let site = load_embedded("demo").unwrap().unwrap();
        let silent = Snapshot::empty(site.points.len(), at(0));
        let mut targets = LoadTargets::default();
        let heard = targets.hear(&site, &silent, &ask(LoadLimit::Kilowatts(10.0)), at(0));
        assert_eq!(heard[0].code, "load_target_set");
        let phase = |targets: &LoadTargets, second: u64| targets.now(at(second)).map(|seen| seen.phase);
        for (second, expected) in [
            (0, LoadPhase::Announced),
            (400, LoadPhase::Precooling),
            (1100, LoadPhase::Holding),
            (2999, LoadPhase::Holding),
            (3000, LoadPhase::Recovering),
        ] {
            assert_eq!(phase(&targets, second), Some(expected), "{second} s");
        }
        assert_eq!(targets.hear(&site, &silent, &[], at(9000))[0].code, "load_target_over");
        assert_eq!(phase(&targets, 9000), None);
    }

    #[test]
    fn a_cut_needs_a_power_to_be_taken_of_and_nonsense_is_refused() {
        let site = load_embedded("demo").unwrap().unwrap();
        let silent = Snapshot::empty(site.points.len(), at(0));
        let mut targets = LoadTargets::default();
        for limit in [
            LoadLimit::Cut(0.15),
            LoadLimit::Cut(2.0),
            LoadLimit::Kilowatts(-1.0),
            LoadLimit::Kilowatts(f64::NAN),
        ] {
            assert_eq!(
                targets.hear(&site, &silent, &ask(limit), at(0))[0].code,
                "request_refused"
            );
        }
        assert!(targets.now(at(0)).is_none());
    }
}
