//! What a run is judged by.

use serde::Serialize;
use std::collections::BTreeMap;

/// The result of one trial: one run a strategy.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// Name of the site.
    pub site: String,
    /// Length, days.
    pub days: f64,
    /// Seed of the plant's as-built deviations, its sensor noise and, where synthetic, of weather and jobs.
    pub seed: u64,
    /// First day, `MM-DD`.
    pub start: String,
    /// Where the weather came from.
    pub weather: String,
    /// Where the load came from.
    pub load: String,
    /// One a strategy, in the order asked for.
    pub runs: Vec<Run>,
}

/// One strategy's run. Energies, water and heat are the plant's true totals, not the controller's books.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Strategy.
    pub strategy: &'static str,
    /// Simulated time over processor time, everything included.
    pub speedup: f64,
    /// Fingerprint of the controller's memory at the end, hex: the same for the same inputs, bit for bit.
    pub fingerprint: String,
    /// Energy into the IT equipment, kWh.
    pub it_kwh: f64,
    /// Energy of the cooling equipment, kWh.
    pub cooling_kwh: f64,
    /// Of it by equipment, kWh.
    pub cooling_kwh_by_equipment: BTreeMap<String, f64>,
    /// (IT + cooling + other) / IT.
    pub pue: f64,
    /// Make-up water over IT energy, L/kWh.
    pub wue_l_per_kwh: f64,
    /// Heat handed over, over the site's energy.
    pub erf: f64,
    /// Carbon over IT energy, kg/kWh.
    pub cue_kg_per_kwh: f64,
    /// Make-up water, L.
    pub water_l: f64,
    /// Heat handed to the network, kWh.
    pub reused_kwh: f64,
    /// Electricity for cooling, water and waste water, less heat sold, in the site's currency.
    pub cost: f64,
    /// Carbon of the site's electricity, kg of CO2 equivalent.
    pub co2e_kg: f64,
    /// Degree-minutes beyond the limits (see `limit_k_min_by_limit`), summed, K min.
    pub limit_k_min: f64,
    /// The same by limit.
    pub limit_k_min_by_limit: BTreeMap<String, f64>,
    /// Smallest distance of any chip to its throttle limit, K.
    pub worst_margin_k: f64,
    /// Actuator travel in full strokes: pumps, valves and fans.
    pub travel: f64,
    /// Largest difference between the controller's books and the plant's truth over the energy and water totals, as a share.
    pub books_error: f64,
    /// Cooling energy saved against `fixed`, as a share; `None` where `fixed` did not run.
    pub saving_vs_fixed: Option<f64>,
    /// Cooling energy saved against `trim_respond`, as a share.
    pub saving_vs_trim_respond: Option<f64>,
    /// Cost saved against `fixed`, as a share of its cost.
    pub cost_saving_vs_fixed: Option<f64>,
    /// Cost saved against `trim_respond`.
    pub cost_saving_vs_trim_respond: Option<f64>,
}

impl Trial {
    /// Fills in the savings once all runs are there.
    pub(super) fn compare(&mut self) {
        let of = |runs: &[Run], name: &str| {
            runs.iter()
                .find(|run| run.strategy == name)
                .map(|run| (run.cooling_kwh, run.cost))
        };
        let fixed = of(&self.runs, "fixed");
        let trim_respond = of(&self.runs, "trim_respond");
        for run in &mut self.runs {
            run.saving_vs_fixed = fixed.and_then(|(kwh, _)| share(kwh, run.cooling_kwh));
            run.saving_vs_trim_respond = trim_respond.and_then(|(kwh, _)| share(kwh, run.cooling_kwh));
            run.cost_saving_vs_fixed = fixed.and_then(|(_, cost)| share(cost, run.cost));
            run.cost_saving_vs_trim_respond = trim_respond.and_then(|(_, cost)| share(cost, run.cost));
        }
    }
}

/// What `mine` saves of `theirs`, as a share of the size of `theirs` (a cost may be negative where heat is sold).
fn share(theirs: f64, mine: f64) -> Option<f64> {
    (theirs.abs() > f64::EPSILON).then(|| (theirs - mine) / theirs.abs())
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_saving_is_positive_when_less_is_spent_also_where_heat_sold_outweighs_the_cost() {
        assert_eq!(share(100.0, 70.0), Some(0.3));
        assert_eq!(share(-50.0, -60.0), Some(0.2));
        assert_eq!(share(0.0, 1.0), None);
    }
}
