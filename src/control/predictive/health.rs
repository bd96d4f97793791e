//! Equipment that is not what it should be: units that do not answer, fouled exchangers, clogged strainers. Seen in what the
//! model has learned, named for people, and planned around.

use super::learn::Learned;
use super::model::cdu::CduRatios;
use crate::control::{View, value};
use crate::site::{Rejection, RejectionId, RejectionKind, Site};
use crate::snapshot::Finding;
use serde::{Deserialize, Serialize};

/// Time that a cell's fan may stand while its neighbours' run, and that a chiller may stand in warm water, s.
const CELL_S: f64 = 300.0;
const CHILLER_S: f64 = 1800.0;
/// Time after which a lost unit is tried again, s.
const RETRY_S: f64 = 14_400.0;
/// Fan speed of the neighbours from which a cell's own fan must turn, and below which it does not.
const FAN_TURNS: f64 = 0.3;
const FAN_STANDS: f64 = 0.05;
/// Water above the setpoint from which a unit must work, K.
const WARM_K: f64 = 2.0;
/// Time of telling readings before a ratio is judged, s.
pub(super) const TOLD_S: f64 = 1800.0;
/// A ratio this far below (or its inverse above) that of its peers is named; from the second on it no longer is.
const NAMED: (f64, f64) = (0.80, 0.87);

/// A learned ratio, and how long telling readings have shaped it, s.
type Ratio = fn(&CduRatios) -> (f64, f64);

/// What is looked at in a CDU's ratios: a name, and the ratio that falls.
const CHECKS: [(&str, Ratio); 3] = [
    ("exchanger_fouled", |r| (r.ua, r.told.ua)),
    ("strainer_clogged", |r| (r.primary, r.told.primary)),
    ("coolant_flow_blocked", |r| {
        (1.0 / r.resistance.sqrt(), r.told.resistance)
    }),
];

/// What has been seen of each heat-rejection unit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Unit {
    idle_s: f64,
    lost_mono_ms: Option<u64>,
}

/// What is known of the equipment's health.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Health {
    units: Vec<Unit>,
    /// What was named last time.
    pub(super) found: Vec<Finding>,
}

impl Health {
    pub(super) fn is_lost(&self, id: RejectionId) -> bool {
        self.units.get(id.0).is_some_and(|unit| unit.lost_mono_ms.is_some())
    }

    /// Watches the units for a cycle of `elapsed_s`.
    pub(super) fn watch(&mut self, view: &View<'_>, elapsed_s: f64) {
        let site = view.site;
        self.units.resize(site.rejection.len(), Unit::default());
        for (id, unit) in site.rejection.iter().enumerate() {
            let stands = stands(view, id, unit);
            let Some(seen) = self.units.get_mut(id) else { continue };
            match stands {
                Some(true) => seen.idle_s += elapsed_s,
                Some(false) => *seen = Unit::default(),
                None => {}
            }
            let patience_s = if unit.nameplate.kind == RejectionKind::Chiller {
                CHILLER_S
            } else {
                CELL_S
            };
            if let Some(at) = seen.lost_mono_ms {
                if view.now.seconds_since(at) > RETRY_S {
                    *seen = Unit::default();
                }
            } else if seen.idle_s > patience_s {
                seen.lost_mono_ms = Some(view.now.mono_ms);
            }
        }
    }
}

/// Whether a unit that is asked to work does not; `None` where nothing can be said.
fn stands(view: &View<'_>, id: usize, unit: &Rejection) -> Option<bool> {
    let points = &unit.points;
    if value(view, points.enable)? < 0.5 {
        return None;
    }
    let around = &view.site.loops[unit.facility_loop.0];
    let warm_k = value(view, around.points.supply_temperature)? - value(view, points.supply_temperature_setpoint)?;
    if unit.nameplate.kind == RejectionKind::Chiller {
        let runs = value(view, points.running)? >= 0.5;
        return if runs {
            Some(false)
        } else {
            (warm_k > WARM_K).then_some(true)
        };
    }
    if value(view, points.fan_speed)? > FAN_STANDS {
        return Some(false);
    }
    let peers = around.rejection.iter().filter(|peer| peer.0 != id);
    let peers = peers.map(|peer| &view.site.rejection[peer.0]);
    let turning = peers
        .filter(|peer| peer.nameplate.kind == unit.nameplate.kind)
        .filter_map(|peer| value(view, peer.points.fan_speed))
        .fold(0.0, f64::max);
    (turning > FAN_TURNS || warm_k > WARM_K).then_some(true)
}

/// What deserves a name now. A name that was given stays until the ratio is clearly back.
pub(super) fn findings(site: &Site, learned: &Learned) -> Vec<Finding> {
    let mut found = Vec::new();
    for (id, unit) in site.rejection.iter().enumerate() {
        if learned.health.is_lost(RejectionId(id)) {
            found.push(Finding {
                code: "unit_lost".into(),
                subject: unit.name.clone(),
                text: "asked to run, but its machine stands while water is to be cooled; the others carry its share, \
                       and it is tried again in four hours"
                    .into(),
            });
        }
    }
    let named = |code: &str, subject: &str| {
        let before = &learned.health.found;
        before
            .iter()
            .any(|known| known.code == code && known.subject == subject)
    };
    for (id, cdu) in site.cdus.iter().enumerate() {
        let own = &learned.cdus[id];
        for (code, of) in CHECKS {
            let (ratio, told_s) = of(own);
            if told_s < TOLD_S {
                continue;
            }
            let peers: Vec<f64> = learned
                .cdus
                .iter()
                .enumerate()
                .filter(|(peer, _)| *peer != id)
                .map(|(_, ratios)| of(ratios))
                .filter(|(_, told_s)| *told_s >= TOLD_S)
                .map(|(ratio, _)| ratio)
                .collect();
            // Without peers the nameplate is the measure.
            let share = ratio / median(peers).unwrap_or(1.0);
            let mark = if named(code, &cdu.name) { NAMED.1 } else { NAMED.0 };
            if share < mark {
                let percent = 100.0 * (1.0 - share);
                let text = match code {
                    "exchanger_fouled" => format!(
                        "its exchanger passes {percent:.0} % less heat per kelvin than those beside it: fouled? It gets \
                         colder water or more of it meanwhile"
                    ),
                    "strainer_clogged" => format!(
                        "it takes {percent:.0} % less facility water through its open valve than those beside it: is \
                         its strainer clogged?"
                    ),
                    _ => format!(
                        "its racks take {percent:.0} % less coolant at the same pressure than those beside it: is a \
                         strainer clogged or a valve shut?"
                    ),
                };
                found.push(Finding {
                    code: code.into(),
                    subject: cdu.name.clone(),
                    text,
                });
            }
        }
    }
    for (id, unit) in site.loops.iter().enumerate() {
        let mark = if named("heat_rejection_weak", &unit.name) {
            NAMED.1
        } else {
            NAMED.0
        };
        if learned.rejection[id].told_s >= TOLD_S && learned.rejection[id].law.capacity < mark {
            found.push(Finding {
                code: "heat_rejection_weak".into(),
                subject: unit.name.clone(),
                text: format!(
                    "its cells give off {:.0} % of what their nameplates say: fouled fill, or a cell that runs without \
                     cooling?",
                    100.0 * learned.rejection[id].law.capacity
                ),
            });
        }
    }
    found
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
