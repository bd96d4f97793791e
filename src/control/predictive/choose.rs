//! The search for the cheapest operating point of a loop: a coarse scan of the water temperature, refined around its best,
//! then the price of a litre. Every step count is fixed, so that the same inputs give the same point.

use super::evaluate::{OperatingPoint, Trial};
use super::reject::Stages;

/// Water temperatures of the coarse scan.
const SCAN: u32 = 7;
/// Times that the step is halved around the best.
const REFINEMENTS: u32 = 3;
/// Factors by which a litre may be dearer or cheaper than last time.
const LITRE_FACTORS: [f64; 2] = [0.5, 2.0];
/// What a litre costs at most and at least, of the pumps' rated power per rated flow.
const LITRE_RANGE: (f64, f64) = (0.05, 20.0);
/// Least approach to the wet bulb that is worth a fan, K.
pub(super) const LEAST_APPROACH_K: f64 = 1.5;
/// A new point must beat the last one by this share of its cost, so that noise does not move the plant.
const WORTH_MOVING: f64 = 0.005;

/// Range of water temperatures that is worth a search where chillers can make any, K below the warmest.
const CHILLED_RANGE_K: f64 = 14.0;
/// What a start of a compressor is worth in energy: the time at its rated power that its wear stands for, h.
const START_H: f64 = 0.05;
/// A chiller runs at least this long, and its start must pay in this time, h.
pub(super) const CHILLER_LEAST_H: f64 = 1.0 / 3.0;

/// Chooses the point between the coldest water that the air outside allows and the warmest that may be written.
pub(super) fn choose(
    trial: &Trial<'_>,
    rated_litre_kw: f64,
    stages: &Stages,
    last: Option<&OperatingPoint>,
) -> OperatingPoint {
    let highest = trial.water.1;
    let coldest_c = trial
        .equipment
        .ambient_c()
        .map_or(highest - CHILLED_RANGE_K, |c| c + LEAST_APPROACH_K);
    let lowest = trial.water.0.max(coldest_c).min(highest);
    let mut hints = vec![usize::MAX; trial.cdus()];
    let mut litre_kw = last.map_or(rated_litre_kw, |last| last.litre_kw);
    let mut at = |water_c: f64, litre_kw: f64| trial.at(water_c, litre_kw, stages, &mut hints);

    // The last point under today's conditions: moving must be worth it.
    let kept = last.map(|last| {
        let as_before = Stages {
            units: stages.units.clone(),
            chillers: within(last.rejecting.chillers, &stages.chillers),
        };
        let mut hints = vec![usize::MAX; trial.cdus()];
        trial.at(last.water_c.clamp(lowest, highest), litre_kw, &as_before, &mut hints)
    });
    let mut step = (highest - lowest) / f64::from(SCAN - 1);
    let mut best = at(lowest, litre_kw);
    let consider = |candidate: OperatingPoint, best: &mut OperatingPoint| {
        if candidate.rank() < best.rank() {
            *best = candidate;
        }
    };
    for place in 1..SCAN {
        consider(at(lowest + f64::from(place) * step, litre_kw), &mut best);
    }
    if let Some(kept) = &kept {
        consider(kept.clone(), &mut best);
    }
    for _ in 0..REFINEMENTS {
        step *= 0.5;
        let centre = best.water_c;
        for water_c in [centre - step, centre + step] {
            if (lowest..=highest).contains(&water_c) {
                consider(at(water_c, litre_kw), &mut best);
            }
        }
    }
    for factor in LITRE_FACTORS {
        litre_kw = (best.litre_kw * factor).clamp(LITRE_RANGE.0 * rated_litre_kw, LITRE_RANGE.1 * rated_litre_kw);
        consider(at(best.water_c, litre_kw), &mut best);
    }
    match kept {
        Some(kept)
            if best.rank() > kept.rank() - WORTH_MOVING * kept.costs.sum().abs() - starts(trial, &kept, &best) =>
        {
            kept
        }
        _ => best,
    }
}

/// Wear of the compressors that start from one point to another, as money per hour while they must at least run.
fn starts(trial: &Trial<'_>, from: &OperatingPoint, to: &OperatingPoint) -> f64 {
    let count = to.rejecting.chillers.saturating_sub(from.rejecting.chillers);
    count as f64 * trial.equipment.chiller_kw() * START_H / CHILLER_LEAST_H * trial.price.max(0.0)
}

fn within(count: usize, range: &std::ops::RangeInclusive<usize>) -> std::ops::RangeInclusive<usize> {
    let held = count.clamp(*range.start(), *range.end());
    held..=held
}
