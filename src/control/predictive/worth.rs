//! What limits cost: the saving of one more kelvin or one more bar, with everything else chosen anew around the last point.

use super::evaluate::{OperatingPoint, Trial};
use super::learn::Learned;
use super::model::rejection::Outdoors;
use super::need::Slack;
use crate::control::View;

/// The limits that are asked about, one at a time.
const ASKED: [(&str, Slack); 3] = [
    (
        "coolant 1 K warmer",
        Slack {
            coolant_k: 1.0,
            rack_k: 0.0,
            pressure_kpa: 0.0,
        },
    ),
    (
        "chips and return 1 K warmer",
        Slack {
            coolant_k: 0.0,
            rack_k: 1.0,
            pressure_kpa: 0.0,
        },
    ),
    (
        "1 bar more CDU pressure",
        Slack {
            coolant_k: 0.0,
            rack_k: 0.0,
            pressure_kpa: 100.0,
        },
    ),
];
/// Water temperatures around the chosen one that are looked at, K.
const AROUND_K: [f64; 4] = [-0.5, 0.0, 0.5, 1.0];

/// What the plant as found would cost now, and what limits cost; per hour.
pub(super) fn asides(
    view: &View<'_>,
    learned: &Learned,
    outdoors: Outdoors,
    chosen: &[OperatingPoint],
) -> (Option<f64>, Vec<(String, f64)>) {
    let least = |id: usize, point: &OperatingPoint, slack: &Slack| {
        let trial = Trial::new(view, learned, id, outdoors, slack).ok()?;
        let stages = trial.equipment.stages();
        let mut hints = vec![usize::MAX; trial.cdus()];
        let costs = AROUND_K.map(|k| {
            let water_c = (point.water_c + k).clamp(trial.water.0, trial.water.1);
            trial.at(water_c, point.litre_kw, &stages, &mut hints).rank()
        });
        costs.into_iter().reduce(f64::min)
    };
    let sum = |slack: &Slack| -> Option<f64> {
        chosen
            .iter()
            .enumerate()
            .map(|(id, point)| least(id, point, slack))
            .sum()
    };
    let as_found = (0..chosen.len())
        .map(|id| {
            Some(
                Trial::new(view, learned, id, outdoors, &Slack::default())
                    .ok()?
                    .as_found()?
                    .sum(),
            )
        })
        .sum();
    let Some(now) = sum(&Slack::default()) else {
        return (as_found, Vec::new());
    };
    let worth = ASKED.iter().filter_map(|(name, slack)| {
        let saved = now - sum(slack)?;
        Some(((*name).to_owned(), saved.max(0.0)))
    });
    (as_found, worth.collect())
}
