//! Sensors of the same water or air, or of what physics ties together: where they disagree for long enough, the one with
//! a limit is no longer believed.

use super::notices::Code;
use super::readings::{Readings, id};
use crate::site::{AirUnit, Cdu, FacilityLoop, PointId, Rack};
use std::collections::BTreeMap;

/// Two thermometers of the same water, K apart, for how long, s (drop from a vote of three after 30 s, as CDUs do).
const WATER: (f64, f64) = (1.0, 30.0);
/// A loop's header and the CDUs' inlets lie apart by the time that water takes through their pipes, minutes at low flow, while
/// its temperature moves by up to half a kelvin a minute: seen on the Frontier site in a desert's night.
const HEADER: (f64, f64) = (1.5, 300.0);
/// A room lies between the air that the unit blows and that it takes back, within this, K, for how long, s.
const ROOM: (f64, f64) = (1.0, 60.0);
/// A chip that is cooler than its power allows, by this, K, or this share of its expected rise, for how long, s.
const CHIP: (f64, f64, f64) = (7.0, 0.35, 60.0);

/// For how long each reading has disagreed, s.
pub(super) type Votes = BTreeMap<PointId, f64>;

/// What is no longer believed, with the reason.
pub(super) type Doubted = Vec<(PointId, Code, String)>;

/// Votes on all that can be voted on.
pub(super) fn count(readings: &Readings<'_>, votes: &mut Votes, dt_s: f64, doubted: &mut Doubted) {
    let site = readings.site;
    let mut ballot = Ballot {
        readings,
        votes,
        dt_s,
        doubted,
    };
    for cdu in &site.cdus {
        ballot.supply(cdu);
    }
    for rack in &site.racks {
        ballot.chip(rack);
    }
    for unit in &site.loops {
        ballot.header(unit);
    }
    for unit in &site.air_units {
        ballot.room(unit);
    }
}

struct Ballot<'a> {
    readings: &'a Readings<'a>,
    votes: &'a mut Votes,
    dt_s: f64,
    doubted: &'a mut Doubted,
}

impl Ballot<'_> {
    fn of(&self, point: Option<PointId>) -> Option<f64> {
        self.readings.present(point)
    }

    /// Counts one vote. Where nobody can compare, what was under way goes on: losing a witness clears nobody.
    fn vote(&mut self, point: Option<PointId>, apart: Option<bool>, after_s: f64, text: impl FnOnce() -> String) {
        let Some(point) = point else { return };
        let since_s = match apart {
            Some(false) => {
                self.votes.remove(&point);
                return;
            }
            Some(true) => {
                let since_s = self.votes.entry(point).or_insert(0.0);
                *since_s += self.dt_s;
                *since_s
            }
            None => {
                let Some(since_s) = self.votes.get_mut(&point) else {
                    return;
                };
                *since_s += self.dt_s;
                *since_s
            }
        };
        if since_s > after_s {
            let text = match apart {
                Some(_) => text(),
                None => "disagreed when it could last be compared; its witness is lost since".into(),
            };
            self.doubted.push((point, Code::SensorsDisagree, text));
        }
    }

    /// Votes on a thermometer and the median of others in the same water.
    fn apart(&mut self, point: Option<PointId>, pair: Option<(f64, f64)>, bound: (f64, f64), others: &str) {
        let apart = pair.map(|(own, other)| (own - other).abs() > bound.0);
        self.vote(point, apart, bound.1, || {
            let (own, other) = pair.unwrap_or((f64::NAN, f64::NAN));
            format!("reads {own:.1} degC while {others} {other:.1}")
        });
    }

    fn supply(&mut self, cdu: &Cdu) {
        let point = id(cdu.points.secondary_supply_temperature);
        let racks = cdu.racks.iter().filter_map(|rack| self.readings.site.racks.get(rack.0));
        let inlets: Vec<f64> = racks
            .filter_map(|rack| self.of(id(rack.points.liquid_supply_temperature)))
            .collect();
        let pair = self.of(point).zip(majority(inlets));
        self.apart(point, pair, WATER, "its racks get");
    }

    fn header(&mut self, unit: &FacilityLoop) {
        let point = id(unit.points.supply_temperature);
        let cdus = unit.cdus.iter().filter_map(|cdu| self.readings.site.cdus.get(cdu.0));
        let inlets: Vec<f64> = cdus
            .filter_map(|cdu| self.of(id(cdu.points.primary_supply_temperature)))
            .collect();
        let pair = self.of(point).zip(majority(inlets));
        self.apart(point, pair, HEADER, "the CDUs get");
    }

    fn room(&mut self, unit: &AirUnit) {
        let points = &unit.points;
        let point = id(points.room_temperature);
        let air = self
            .of(point)
            .zip(self.of(id(points.supply_air_temperature)))
            .zip(self.of(id(points.return_air_temperature)));
        let apart = air.map(|((own, blown), back)| own < blown.min(back) - ROOM.0 || own > blown.max(back) + ROOM.0);
        self.vote(point, apart, ROOM.1, || {
            let ((own, blown), back) = air.unwrap_or(((f64::NAN, f64::NAN), f64::NAN));
            format!("reads {own:.1} degC, outside the {blown:.1} that is blown and the {back:.1} that comes back")
        });
    }

    /// A margin that is better than the rack's power and flow allow: the rise of its hottest chip over the inlet goes with
    /// power, and with flow to the power -0.4 to -0.5 at most.
    fn chip(&mut self, rack: &Rack) {
        let (points, plate) = (&rack.points, &rack.nameplate);
        let point = id(points.chip_margin);
        let own = self.of(point);
        let cooler_k = own
            .zip(self.of(id(points.power)))
            .zip(self.of(id(points.liquid_supply_temperature)))
            .zip(self.of(id(points.liquid_flow)))
            .map(|(((margin_k, kw), inlet_c), lpm)| {
                let rated_k = plate.chip_kw * plate.chip_resistance_k_per_kw;
                // More flow than rated cools more; with less, what is certain is the rise at rated flow.
                let flow = (lpm / plate.flow_lpm).max(1.0);
                let expected_k = rated_k * kw / plate.rated_kw / flow.sqrt();
                let found_k = plate.chip_limit_c - margin_k - inlet_c;
                (expected_k - found_k, expected_k)
            });
        let apart = cooler_k.map(|(cooler_k, expected_k)| cooler_k > CHIP.0.max(CHIP.1 * expected_k));
        self.vote(point, apart, CHIP.2, || {
            let (cooler_k, expected_k) = cooler_k.unwrap_or((f64::NAN, f64::NAN));
            format!("says that its chips are {cooler_k:.0} K cooler than the {expected_k:.0} K over the inlet that their power makes")
        });
    }
}

/// The median of at least two.
fn majority(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    if values.len() < 2 {
        return None;
    }
    let half = values.len() / 2;
    let upper = values.get(half).copied()?;
    if values.len().is_multiple_of(2) {
        let lower = values.get(half.checked_sub(1)?).copied()?;
        Some(f64::midpoint(lower, upper))
    } else {
        Some(upper)
    }
}

#[cfg(test)]
mod tests {
    use super::majority;

    #[test]
    fn one_liar_does_not_move_the_median_far() {
        assert_eq!(majority(vec![30.0]), None);
        assert_eq!(majority(vec![30.0, 32.0]), Some(31.0));
        assert_eq!(majority(vec![90.0, 30.0, 30.2]), Some(30.2));
        assert_eq!(majority(vec![-40.0, 30.0, 30.2, 30.4]), Some(30.1));
    }
}
