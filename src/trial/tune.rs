//! The best that trim and respond can be on a site: a seeded search of its parameters over training cells.

use super::contender::Contender;
use super::matrix::{Cell, MatrixError, run_cells};
use super::score::{KEPT_K_MIN, Run};
use crate::site::{Site, StrategyKind, TrimRespondSettings};
use simulators::random::Random;

/// Stream of the search's chance.
const STREAM: u64 = 11;
/// Share of samples that are drawn anywhere in the ranges; the rest lie around the best so far.
const ANYWHERE: f64 = 0.3;
/// Parameters that a sample around the best moves, on average, as a share of all.
const MOVED: f64 = 0.4;
/// Spread around the best at first and at the end, as shares of a range.
const SPREAD: (f64, f64) = (0.25, 0.05);

/// A parameter: where it is in the settings, and the range that is searched with the step that it is rounded to.
struct Parameter {
    of: fn(&mut TrimRespondSettings) -> &mut f64,
    low: f64,
    high: f64,
    step: f64,
}

/// Everything that is searched. Ranges are those in which Guideline 36's resets are commonly commissioned.
const PARAMETERS: [Parameter; 8] = [
    Parameter {
        of: |s| &mut s.step_s,
        low: 120.0,
        high: 600.0,
        step: 30.0,
    },
    Parameter {
        of: |s| &mut s.air_step_s,
        low: 60.0,
        high: 300.0,
        step: 30.0,
    },
    Parameter {
        of: |s| &mut s.ignored_requests,
        low: 0.0,
        high: 6.0,
        step: 1.0,
    },
    Parameter {
        of: |s| &mut s.trim,
        low: -0.06,
        high: -0.005,
        step: 0.005,
    },
    Parameter {
        of: |s| &mut s.respond,
        low: 0.01,
        high: 0.1,
        step: 0.005,
    },
    Parameter {
        of: |s| &mut s.respond_max,
        low: 0.03,
        high: 0.3,
        step: 0.01,
    },
    Parameter {
        of: |s| &mut s.pressure_floor,
        low: 0.0,
        high: 0.6,
        step: 0.02,
    },
    Parameter {
        of: |s| &mut s.start_reserve_k,
        low: 2.0,
        high: 9.0,
        step: 0.25,
    },
];

/// How some settings did over all training cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The settings.
    pub settings: TrimRespondSettings,
    /// Degree-minutes beyond limits, K min.
    pub limit_k_min: f64,
    /// Cost of cooling with carbon at its price, in the site's currency.
    pub objective: f64,
    /// Cooling energy, kWh.
    pub cooling_kwh: f64,
}

impl Tried {
    fn better_than(&self, other: &Self) -> bool {
        match (self.limit_k_min <= KEPT_K_MIN, other.limit_k_min <= KEPT_K_MIN) {
            (true, false) => true,
            (false, true) => false,
            (true, true) => self.objective < other.objective,
            (false, false) => self.limit_k_min < other.limit_k_min,
        }
    }
}

/// Searches `evaluations` settings, the site's own first; answers how those did and how the best did. The cheapest settings
/// that keep every limit win. `progress` hears each trial and whether it is the best so far.
pub fn tune(
    site: &Site,
    cells: &[Cell],
    evaluations: usize,
    seed: u64,
    mut progress: impl FnMut(&Tried, bool),
) -> Result<(Tried, Tried), MatrixError> {
    let mut cells = cells.to_vec();
    for cell in &mut cells {
        cell.site = 0;
        cell.options.strategies = vec![Contender::Strategy(StrategyKind::TrimRespond)];
    }
    let mut random = Random::new(seed, STREAM);
    let own = attempt(site, site.control.trim_respond.clone(), &cells)?;
    progress(&own, true);
    let mut best = own.clone();
    for evaluation in 1..evaluations {
        let done = evaluation as f64 / evaluations as f64;
        let settings = sample(&best.settings, done, site.control.cycle_s, &mut random);
        let tried = attempt(site, settings, &cells)?;
        let better = tried.better_than(&best);
        progress(&tried, better);
        if better {
            best = tried;
        }
    }
    Ok((own, best))
}

/// Settings anywhere, or around the best.
fn sample(best: &TrimRespondSettings, done: f64, cycle_s: f64, random: &mut Random) -> TrimRespondSettings {
    let mut settings = best.clone();
    let anywhere = random.chance(ANYWHERE * (1.0 - done));
    let spread = SPREAD.0 + done * (SPREAD.1 - SPREAD.0);
    for parameter in &PARAMETERS {
        let value = (parameter.of)(&mut settings);
        let wanted = if anywhere {
            random.range(parameter.low, parameter.high)
        } else if random.chance(MOVED) {
            *value + spread * (parameter.high - parameter.low) * random.normal()
        } else {
            continue;
        };
        let steps = (wanted.clamp(parameter.low, parameter.high) / parameter.step).round();
        // Written out and read back, the settings shall be the ones that were tried.
        *value = (steps * parameter.step * 1e4).round() / 1e4;
    }
    settings.step_s = settings.step_s.max(cycle_s);
    settings.air_step_s = settings.air_step_s.max(cycle_s);
    settings
}

fn attempt(site: &Site, settings: TrimRespondSettings, cells: &[Cell]) -> Result<Tried, MatrixError> {
    let mut site = site.clone();
    site.control.trim_respond = settings.clone();
    let trials = run_cells(std::slice::from_ref(&site), cells, |_| {})?;
    let sum = |value: fn(&Run) -> f64| trials.iter().flat_map(|trial| &trial.runs).map(value).sum();
    Ok(Tried {
        settings,
        limit_k_min: sum(|run| run.limit_k_min),
        objective: sum(|run| run.objective),
        cooling_kwh: sum(|run| run.cooling_kwh),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Matrix, WeatherSource};
    use std::path::Path;

    #[test]
    fn samples_stay_in_their_ranges_and_on_their_steps() {
        let site = crate::site::load_embedded("demo").unwrap().unwrap();
        let mut random = Random::new(1, STREAM);
        for round in 0..200 {
            let mut settings = sample(&site.control.trim_respond, f64::from(round) / 200.0, 5.0, &mut random);
            for parameter in &PARAMETERS {
                let value = *(parameter.of)(&mut settings);
                assert!(
                    value >= parameter.low - 1e-9 && value <= parameter.high + 1e-9,
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn a_setting_that_keeps_the_limits_is_better_than_a_cheaper_one_that_does_not() {
        let site = crate::site::load_embedded("demo").unwrap().unwrap();
        let tried = |limit_k_min: f64, objective: f64| Tried {
            settings: site.control.trim_respond.clone(),
            limit_k_min,
            objective,
            cooling_kwh: 1.0,
        };
        assert!(tried(0.0, 9.0).better_than(&tried(5.0, 1.0)));
        assert!(!tried(5.0, 1.0).better_than(&tried(0.0, 9.0)));
        assert!(tried(0.0, 8.0).better_than(&tried(0.0, 9.0)));
        assert!(tried(4.0, 9.0).better_than(&tried(5.0, 1.0)));
    }

    #[test]
    fn a_search_ends_no_worse_than_it_began_and_repeats() {
        let site = crate::site::load_embedded("demo").unwrap().unwrap();
        let text = "days = 0.02\nstarts = [\"07-14\"]\nweathers = [\"x\"]\nstrategies = [\"fixed\"]\n[[site]]\nfile = \"demo\"\nsynthetic = [1]\n";
        let mut cells = Matrix::parse(text).unwrap().cells(Path::new(""));
        cells[0].options.weather = WeatherSource::BuiltIn;
        let mut heard = 0;
        let (own, best) = tune(&site, &cells, 4, 1, |_, _| heard += 1).unwrap();
        assert_eq!(heard, 4);
        assert_eq!(own.settings, site.control.trim_respond);
        assert!(!own.better_than(&best));
        assert_eq!(tune(&site, &cells, 4, 1, |_, _| {}).unwrap().1, best);
    }
}
