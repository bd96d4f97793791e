//! Readings that arrive in time and are still wrong: frozen, impossible, or at odds with the energy balance.

use super::demand::within;
use super::facts::{Duty, Facts};
use super::notices::{Code, Subject};
use super::readings::{Readings, id};
use super::report::Level;
use super::state::State;
use super::votes;
use crate::site::{Cdu, PointId, Rack, Site};
use crate::snapshot::Now;
use serde::{Deserialize, Serialize};

/// Polls without any change, after the heat has moved, that make a reading frozen.
const FROZEN_POLLS: u32 = 12;

/// How far the heat has to move for that, as a share of the rated one.
const HEAT_MOVED: f64 = 0.2;

/// How long supply may be warmer than return before both are doubted, s. A step in supply passes sooner.
const SWAPPED_S: f64 = 120.0;

/// By how much, K: more than the noise of two sensors.
const SWAPPED_K: f64 = 1.0;

/// Backward flow, as a share of the rated one, that is no longer noise.
const BACKWARD: f64 = 0.02;

/// Time constant of both sides of the energy balance, s: far longer than coolant takes around the loop.
const BALANCE_S: f64 = 600.0;

/// Residual of the balance that is told, as a share of the larger side, and below which it is over.
const RESIDUAL: (f64, f64) = (0.15, 0.12);

/// Heat below which neither test of a CDU says anything, as a share of the rated one.
const LEAST_HEAT: f64 = 0.2;

/// Watches one value that has to move when the heat does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Frozen {
    value: f64,
    /// The heat when the value last changed, kW.
    heat_kw: f64,
    sampled_ms: u64,
    /// Polls without change since the heat has moved.
    polls: u32,
}

/// Watches one CDU.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Balance {
    swapped_s: f64,
    /// Heat of the racks into the coolant, and heat that the coolant carries, kW, smoothed.
    sides_kw: Option<(f64, f64)>,
    /// For how long they have been smoothed.
    watched_s: f64,
}

/// What is watched from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Doubts {
    /// For each CDU its supply and return temperature, for each rack its chip margin and its power.
    frozen: Vec<Option<Frozen>>,
    balances: Vec<Balance>,
    looked_ms: Option<u64>,
}

/// Examines this cycle's readings; what is wrong counts as lost.
pub(super) fn examine(site: &Site, state: &mut State, facts: &mut Facts, now: Now) {
    let (memory, doubts) = (&mut state.memory, &mut state.doubts);
    let watched = (site.cdus.len().saturating_add(site.racks.len())).saturating_mul(2);
    doubts.frozen.resize(watched, None);
    doubts.balances.resize(site.cdus.len(), Balance::default());
    let dt_s = doubts.looked_ms.map_or(0.0, |at| now.seconds_since(at));
    doubts.looked_ms = Some(now.mono_ms);

    let mut doubted: Vec<(PointId, Code, String)> = vec![];
    let readings = Readings::new(site, memory, now);
    for ((cdu, index), balance) in site.cdus.iter().zip(0..).zip(&mut doubts.balances) {
        balance.look(&readings, (cdu, index), dt_s, &mut doubted, facts);
    }
    votes::count(&readings, &mut state.votes, dt_s, &mut doubted);
    for ((point, heat_kw, rated_kw), slot) in moving(&readings).zip(&mut doubts.frozen) {
        let (Some(point), Some(heat_kw)) = (point, heat_kw) else {
            continue;
        };
        let (Some(value), Some(sampled_ms)) = (readings.present(Some(point)), readings.sampled_ms(Some(point))) else {
            continue;
        };
        let stuck = Frozen::next(*slot, value, sampled_ms, heat_kw, HEAT_MOVED * rated_kw);
        *slot = Some(stuck);
        if stuck.polls >= FROZEN_POLLS {
            let text = format!(
                "has been exactly {value} for {} polls while the heat went from {:.0} to {heat_kw:.0} kW",
                stuck.polls, stuck.heat_kw
            );
            doubted.push((point, Code::FrozenReading, text));
        }
    }
    for (point, code, text) in doubted {
        memory.doubt(Some(point));
        facts.notices.holds(site, code, Subject::Point(point), || text);
    }
}

/// Each watched point with the heat that moves it and the rated heat, in the order of [`Doubts::frozen`].
fn moving<'a>(readings: &'a Readings<'a>) -> impl Iterator<Item = (Option<PointId>, Option<f64>, f64)> + 'a {
    let site = readings.site;
    let cdus = site.cdus.iter().flat_map(move |cdu| {
        let heat = rack_heat_kw(readings, cdu);
        [
            cdu.points.secondary_supply_temperature,
            cdu.points.secondary_return_temperature,
        ]
        .map(|point| (id(point), heat, cdu.nameplate.rated_kw))
    });
    let racks = site.racks.iter().flat_map(move |rack| {
        let rated_kw = rack.nameplate.rated_kw;
        let power = readings.present(id(rack.points.power));
        [
            (id(rack.points.chip_margin), power, rated_kw),
            (id(rack.points.power), own_heat_kw(readings, rack), rated_kw),
        ]
    });
    cdus.chain(racks)
}

/// Heat of a CDU's racks into the coolant by their power; `None` unless all are here.
pub(super) fn rack_heat_kw(readings: &Readings<'_>, cdu: &Cdu) -> Option<f64> {
    let racks = cdu.racks.iter().filter_map(|rack| readings.site.racks.get(rack.0));
    racks
        .map(|rack| Some(readings.present(id(rack.points.power))? * rack.nameplate.liquid_fraction))
        .sum()
}

/// Heat that a rack's own coolant carries, by its own sensors.
fn own_heat_kw(readings: &Readings<'_>, rack: &Rack) -> Option<f64> {
    let points = &rack.points;
    let supply_c = readings.present(id(points.liquid_supply_temperature))?;
    let rise_k = readings.present(id(points.liquid_return_temperature))? - supply_c;
    let coolant = readings.site.cdus.get(rack.cdu.0)?.nameplate.coolant;
    Some(readings.present(id(points.liquid_flow))? * rise_k * coolant.kw_per_lpm_k(supply_c))
}

impl Frozen {
    fn next(before: Option<Self>, value: f64, sampled_ms: u64, heat_kw: f64, moved_kw: f64) -> Self {
        match before {
            Some(same) if same.value.to_bits() == value.to_bits() => {
                let moved = (heat_kw - same.heat_kw).abs() >= moved_kw;
                let polled = sampled_ms != same.sampled_ms;
                Self {
                    sampled_ms,
                    polls: same.polls.saturating_add(u32::from(moved && polled)),
                    ..same
                }
            }
            Some(_) | None => Self {
                value,
                heat_kw,
                sampled_ms,
                polls: 0,
            },
        }
    }
}

impl Balance {
    fn look(
        &mut self,
        readings: &Readings<'_>,
        (cdu, index): (&Cdu, usize),
        dt_s: f64,
        doubted: &mut Vec<(PointId, Code, String)>,
        facts: &mut Facts,
    ) {
        let points = &cdu.points;
        let (supply, back, flow) = (
            id(points.secondary_supply_temperature),
            id(points.secondary_return_temperature),
            id(points.secondary_flow),
        );
        let rated_kw = cdu.nameplate.rated_kw;
        let racks_kw = rack_heat_kw(readings, cdu);
        let flow_lpm = readings.present(flow);
        if let (Some(point), Some(lpm)) = (flow, flow_lpm)
            && lpm < -BACKWARD * cdu.nameplate.secondary_flow_lpm
        {
            doubted.push((
                point,
                Code::ImplausibleReading,
                format!("{lpm:.1} L/min flow backwards"),
            ));
        }
        let (Some(supply_c), Some(back_c)) = (readings.present(supply), readings.present(back)) else {
            return;
        };
        let heated = racks_kw.is_some_and(|kw| kw > LEAST_HEAT * rated_kw);
        if heated && supply_c > back_c + SWAPPED_K {
            self.swapped_s += dt_s;
        } else {
            self.swapped_s = 0.0;
        }
        if self.swapped_s > SWAPPED_S {
            for point in [supply, back].into_iter().flatten() {
                let text = format!("supply of {supply_c:.1} is warmer than return of {back_c:.1} degC under load");
                doubted.push((point, Code::ImplausibleReading, text));
            }
        }
        let (Some(racks_kw), Some(lpm), Some(subject)) = (racks_kw, flow_lpm, flow) else {
            return;
        };
        let carried_kw = lpm * (back_c - supply_c) * cdu.nameplate.coolant.kw_per_lpm_k(supply_c);
        let share = within(dt_s / BALANCE_S, 0.0, 1.0);
        let (racks_was, carried_was) = self.sides_kw.unwrap_or((racks_kw, carried_kw));
        let (racks_kw, carried_kw) = (
            racks_was + share * (racks_kw - racks_was),
            carried_was + share * (carried_kw - carried_was),
        );
        self.sides_kw = Some((racks_kw, carried_kw));
        let larger = racks_kw.max(carried_kw);
        let residual = (racks_kw - carried_kw).abs() / larger.max(f64::MIN_POSITIVE);
        self.watched_s += dt_s;
        let told = facts
            .notices
            .held_before(Code::EnergyImbalance, Subject::Point(subject));
        let bound = if told { RESIDUAL.1 } else { RESIDUAL.0 };
        if self.watched_s > BALANCE_S && larger > LEAST_HEAT * rated_kw && residual > bound {
            facts
                .notices
                .holds(readings.site, Code::EnergyImbalance, Subject::Point(subject), || {
                    format!(
                        "the racks give {racks_kw:.0} kW to the coolant, flow and temperatures say {carried_kw:.0} kW: \
                         nothing is lowered until they agree"
                    )
                });
            facts.require_cdu(index, Duty::of(Level::Guarded));
            facts.cause(readings.site, subject, || {
                format!("{} does not close its energy balance", cdu.name)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_frozen_only_by_polls_after_the_heat_moved() {
        let mut watch = None;
        let mut poll = |value: f64, at: u64, heat_kw: f64| {
            watch = Some(Frozen::next(watch, value, at, heat_kw, 20.0));
            watch.map_or(0, |frozen| frozen.polls)
        };
        for at in 0..100 {
            assert_eq!(poll(40.0, at, 50.0), 0, "steady heat, steady value");
        }
        assert_eq!(poll(40.0, 100, 75.0), 1);
        assert_eq!(poll(40.0, 100, 75.0), 1, "the same sample is no poll");
        assert_eq!(poll(40.0, 101, 75.0), 2);
        assert_eq!(poll(40.1, 102, 75.0), 0, "it lives");
        assert_eq!(poll(40.1, 103, 75.0), 0);
    }
}
