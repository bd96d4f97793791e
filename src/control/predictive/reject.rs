//! What the heat rejection of a loop costs at a water temperature: cells or dry coolers first, chillers after them.
//!
//! In cool air the first stage carries everything, which is the economiser; in warm air the chillers take what is left. How
//! far the first stage cools is chosen so that fans and compressors together cost least.

use super::learn::Learned;
use super::model::carries;
use super::model::chiller::ChillerModel;
use super::model::rejection::{Duty, FanLaw, Outdoors, dry_reach, fan_kw, fan_speed, spray_l_per_h, water_l_per_h};
use crate::site::{FacilityLoop, RejectionId, RejectionKind, RejectionNameplate, Site};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use thermo::Coolant;

/// What a limit missed by its own size counts, in kW: more than any equipment takes.
const SHORT_KW: f64 = 1e6;
/// Water temperatures between the stages that are looked at, besides those of refinement.
const BETWEEN: u32 = 5;
const REFINEMENTS: u32 = 3;
/// A chiller starts only where its water enters this much warmer than asked, K.
const LEAST_TRIM_K: f64 = 1.2;

/// How many units may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stages {
    pub units: RangeInclusive<usize>,
    pub chillers: RangeInclusive<usize>,
}

/// How the heat rejection of a loop runs.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Rejecting {
    /// Tower cells or dry coolers that run.
    pub units: usize,
    /// Water that leaves them, degC.
    pub leaving_c: f64,
    /// Chillers that run.
    pub chillers: usize,
    pub fans_kw: f64,
    pub chillers_kw: f64,
    pub makeup_l_per_h: f64,
    pub blowdown_l_per_h: f64,
    /// How far all of it falls short, 0 where it does not.
    pub short: f64,
}

/// The heat rejection of one loop.
#[derive(Debug)]
pub(super) struct Equipment<'a> {
    /// Nameplate of the first stage's units, which are alike, and how many of them are in service.
    first: Option<(&'a RejectionNameplate, usize)>,
    law: FanLaw,
    chiller: Option<(ChillerModel<'a>, usize)>,
    outdoors: Outdoors,
    /// What a litre of make-up and of blowdown costs, in kWh.
    water_kwh: (f64, f64),
}

/// What one stage costs.
#[derive(Debug, Clone, Copy)]
struct FirstStage {
    units: usize,
    fans_kw: f64,
    makeup_l: f64,
    blowdown_l: f64,
    short: f64,
}

/// The units of a loop's stage that are in service, in the order in which they are switched on.
pub(super) fn in_service<'a>(
    site: &'a Site,
    unit: &'a FacilityLoop,
    learned: &'a Learned,
    chillers: bool,
) -> impl Iterator<Item = RejectionId> + 'a {
    let of_stage = move |id: &RejectionId| (site.rejection[id.0].nameplate.kind == RejectionKind::Chiller) == chillers;
    unit.rejection
        .iter()
        .copied()
        .filter(move |id| of_stage(id) && !learned.health.is_lost(*id))
}

impl<'a> Equipment<'a> {
    /// Says why where the model does not know the loop's heat rejection.
    pub(super) fn new(
        site: &'a Site,
        id: usize,
        learned: &'a Learned,
        outdoors: Outdoors,
        water_kwh: (f64, f64),
    ) -> Result<Self, String> {
        let unit = &site.loops[id];
        let stage = |chillers: bool| {
            let units: Vec<RejectionId> = in_service(site, unit, learned, chillers).collect();
            let plate = units.first().map(|id| &site.rejection[id.0].nameplate);
            (plate, units)
        };
        let ((first, firsts), (chiller, chillers)) = (stage(false), stage(true));
        let alike = |plate: &RejectionNameplate, units: &[RejectionId]| {
            units.iter().all(|id| site.rejection[id.0].nameplate.kind == plate.kind)
        };
        match (first, chiller) {
            (None, None) => return Err(format!("{} has no heat rejection in service", unit.name)),
            (Some(plate), _) if !alike(plate, &firsts) => {
                return Err(format!("{} has tower cells and dry coolers side by side", unit.name));
            }
            _ => {}
        }
        let rated_c = |id: RejectionId| {
            let point = site.rejection[id.0].points.supply_temperature_setpoint;
            let write = point.and_then(|point| site.spec(point.id()).write);
            write.map_or(12.0, |write| write.release)
        };
        Ok(Self {
            first: first.map(|plate| (plate, firsts.len())),
            law: learned.rejection[id].law,
            chiller: chiller.zip(chillers.first()).map(|(plate, lead)| {
                let model = ChillerModel {
                    plate,
                    rated_c: rated_c(*lead),
                    ratio: learned.chillers[id],
                };
                (model, chillers.len())
            }),
            outdoors,
            water_kwh,
        })
    }

    /// Every number of units that may run.
    pub(super) fn stages(&self) -> Stages {
        Stages {
            units: self.first.map_or(0..=0, |(_, count)| 1..=count),
            chillers: 0..=self.chiller.as_ref().map_or(0, |(_, count)| *count),
        }
    }

    pub(super) const fn has_chillers(&self) -> bool {
        self.chiller.is_some()
    }

    /// Rated power of one chiller, kW; 0 where there is none.
    pub(super) fn chiller_kw(&self) -> f64 {
        self.chiller.as_ref().map_or(0.0, |(model, _)| model.plate.power_kw)
    }

    /// The coldest water that is worth looking at, degC; chillers have no such floor.
    pub(super) fn ambient_c(&self) -> Option<f64> {
        if self.has_chillers() {
            return None;
        }
        self.first.map(|(plate, _)| match plate.kind {
            RejectionKind::TowerCell => self.outdoors.wet_bulb_c,
            RejectionKind::DryCooler | RejectionKind::Chiller if plate.spray => self.outdoors.wet_bulb_c,
            RejectionKind::DryCooler | RejectionKind::Chiller => self.outdoors.dry_bulb_c,
        })
    }

    /// The cheapest way to bring `flow_lpm` of water with `heat_kw` to `water_c`.
    pub(super) fn cheapest(&self, water_c: f64, heat_kw: f64, flow_lpm: f64, stages: &Stages) -> Rejecting {
        let carried = (flow_lpm * carries(Coolant::Water)).max(1e-6);
        let mut best: Option<(f64, Rejecting)> = None;
        let mut consider = |candidate: Rejecting| {
            let rank = self.rank(&candidate);
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, candidate));
            }
            rank
        };
        for chillers in stages.chillers.clone() {
            if chillers == 0 {
                consider(self.at(water_c, water_c, heat_kw, flow_lpm, 0, stages));
                continue;
            }
            // Between the stages: from as little as starts a compressor to all of the heat.
            let (coldest, warmest) = (
                water_c + LEAST_TRIM_K,
                (water_c + heat_kw / carried).max(water_c + LEAST_TRIM_K),
            );
            let mut step = (warmest - coldest) / f64::from(BETWEEN);
            let (mut least, mut centre) = (f64::INFINITY, coldest);
            for place in 0..=BETWEEN {
                let between_c = coldest + f64::from(place) * step;
                let rank = consider(self.at(water_c, between_c, heat_kw, flow_lpm, chillers, stages));
                if rank < least {
                    (least, centre) = (rank, between_c);
                }
            }
            for _ in 0..REFINEMENTS {
                step *= 0.5;
                for between_c in [centre - step, centre + step] {
                    if (coldest..=warmest).contains(&between_c) {
                        let rank = consider(self.at(water_c, between_c, heat_kw, flow_lpm, chillers, stages));
                        if rank < least {
                            (least, centre) = (rank, between_c);
                        }
                    }
                }
            }
        }
        best.map_or_else(Rejecting::default, |(_, best)| best)
    }

    fn rank(&self, found: &Rejecting) -> f64 {
        found.fans_kw
            + found.chillers_kw
            + found.makeup_l_per_h * self.water_kwh.0
            + found.blowdown_l_per_h * self.water_kwh.1
            + SHORT_KW * found.short
    }

    /// The first stage cools to `between_c`, `chillers` chillers from there to `water_c`.
    fn at(
        &self,
        water_c: f64,
        between_c: f64,
        heat_kw: f64,
        flow_lpm: f64,
        chillers: usize,
        stages: &Stages,
    ) -> Rejecting {
        let carried = flow_lpm * carries(Coolant::Water);
        let trimmed_kw = (carried * (between_c - water_c)).clamp(0.0, heat_kw.max(0.0));
        let first = self.first_stage(between_c, heat_kw - trimmed_kw, flow_lpm, stages.units.clone());
        let mut found = Rejecting {
            units: first.units,
            leaving_c: between_c,
            chillers,
            fans_kw: first.fans_kw,
            chillers_kw: 0.0,
            makeup_l_per_h: first.makeup_l,
            blowdown_l_per_h: first.blowdown_l,
            short: first.short,
        };
        if let (Some((model, _)), true) = (&self.chiller, chillers > 0) {
            let each_kw = trimmed_kw / chillers as f64;
            let air_c = self.outdoors.dry_bulb_c;
            found.chillers_kw = chillers as f64 * model.power_kw(each_kw, water_c, air_c);
            found.short += (each_kw / model.capacity_kw(water_c, air_c) - 1.0).clamp(0.0, 4.0);
        }
        found
    }

    /// The number of cells or dry coolers at which the fans cost least.
    fn first_stage(&self, leaving_c: f64, heat_kw: f64, flow_lpm: f64, units: RangeInclusive<usize>) -> FirstStage {
        let nothing = FirstStage {
            units: 0,
            fans_kw: 0.0,
            makeup_l: 0.0,
            blowdown_l: 0.0,
            short: if heat_kw > 1.0 { 1.0 } else { 0.0 },
        };
        let Some((plate, _)) = self.first else { return nothing };
        let mut best: Option<(f64, FirstStage)> = None;
        for count in units {
            let each = count as f64;
            let duty = Duty {
                heat_kw: heat_kw / each,
                leaving_c,
                flow_lpm: flow_lpm / each,
            };
            let mut speed = fan_speed(plate, self.law, duty, &self.outdoors, false);
            let sprays = plate.spray && speed > dry_reach(plate);
            let (makeup_l, blowdown_l) = if sprays {
                speed = fan_speed(plate, self.law, duty, &self.outdoors, true);
                spray_l_per_h(plate, speed.min(1.0), &self.outdoors)
            } else {
                water_l_per_h(plate, duty, &self.outdoors)
            };
            let found = FirstStage {
                units: count,
                fans_kw: each * fan_kw(plate, speed.min(1.0)),
                makeup_l: each * makeup_l,
                blowdown_l: each * blowdown_l,
                short: (speed.min(5.0) - 1.0).max(0.0),
            };
            let water_kw = found.makeup_l * self.water_kwh.0 + found.blowdown_l * self.water_kwh.1;
            let rank = found.fans_kw + water_kw + SHORT_KW * found.short;
            if best.as_ref().is_none_or(|(least, _)| rank <= *least) {
                best = Some((rank, found));
            }
        }
        best.map_or(nothing, |(_, found)| found)
    }
}
