//! What a run is judged by.

use super::grid_event::GridScore;
use super::money::Money;
use super::watch::Watch;
use crate::ledger::Totals as Books;
use crate::site::{MeterRole, Site};
use serde::Serialize;
use simulators::plant::Totals;
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
    /// Name of the plant's disturbance; empty for a plant as plants are usually built.
    pub plant: String,
    /// One a strategy, in the order asked for.
    pub runs: Vec<Run>,
    /// Whose run is the bound: the oracle's, or a cheaper one within the limits; `None` where no oracle ran.
    pub bound: Option<&'static str>,
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
    /// The same and the carbon of cooling at the site's price: what `predictive` and `oracle` make least.
    pub objective: f64,
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
    /// Starts of chillers' compressors.
    pub chiller_starts: u64,
    /// Largest difference between the controller's books and the plant's truth over the energy and water totals, as a share.
    pub books_error: f64,
    /// What the plant really used and moved since it was built, and the books of it, by quantity.
    pub truth: Vec<Truth>,
    /// Cooling energy saved against `fixed`, as a share; `None` where `fixed` did not run.
    pub saving_vs_fixed: Option<f64>,
    /// Cooling energy saved against `trim_respond`, as a share.
    pub saving_vs_trim_respond: Option<f64>,
    /// Cost saved against `fixed`, as a share of its cost.
    pub cost_saving_vs_fixed: Option<f64>,
    /// Cost saved against `trim_respond`.
    pub cost_saving_vs_trim_respond: Option<f64>,
    /// Share of the bound's advantage over `trim_respond` that is reached, by `objective`. The bound is the oracle, or a
    /// run that kept the limits as well and was cheaper; `None` where no oracle ran.
    pub share_of_bound: Option<f64>,
    /// The same by cooling energy, against the same bound.
    pub energy_share_of_bound: Option<f64>,
    /// How far a grid event's target was met; `None` where there was none.
    pub grid_event: Option<GridScore>,
    /// Error of the model over the metered power of cooling, at the start and after each of the first hours, warm-up
    /// included.
    pub model_errors: Vec<f64>,
}

/// A quantity as it really was, and as the books have it, from the start of the warm-up to the end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// Counter of the books.
    pub name: &'static str,
    /// Truth, kWh or L.
    pub plant: f64,
    /// The books.
    pub books: f64,
    /// Largest error of the meter's class, as a share; that of a sum of two is the larger.
    pub class: f64,
}

impl Truth {
    /// Error of the books as a share of the truth.
    pub fn error(&self) -> f64 {
        if self.plant > 0.0 {
            self.books / self.plant - 1.0
        } else {
            self.books
        }
    }
}

/// What a finished run is scored from.
pub(super) struct Scored<'a> {
    pub(super) contender: &'static str,
    pub(super) speedup: f64,
    pub(super) fingerprint: u64,
    /// True totals before and after.
    pub(super) truth: (&'a Totals, &'a Totals),
    /// The controller's books before and after.
    pub(super) books: (&'a Books, &'a Books),
    pub(super) site: &'a Site,
    pub(super) watch: &'a Watch,
    pub(super) money: &'a Money,
    pub(super) grid: Option<GridScore>,
    pub(super) model_errors: Vec<f64>,
}

impl Scored<'_> {
    pub(super) fn run(&self) -> Run {
        let ((before, after), (books_before, books_after)) = (self.truth, self.books);
        let (watch, money) = (self.watch, self.money);
        let it_kwh = after.it_kwh - before.it_kwh;
        let cooling_kwh = after.cooling_kwh - before.cooling_kwh;
        let site_kwh = after.site_kwh() - before.site_kwh();
        let water_l = after.makeup_l + after.spray_l - before.makeup_l - before.spray_l;
        let reused_kwh = after.reused_kwh - before.reused_kwh;
        let equipment = after.equipment_kwh.iter().zip(&before.equipment_kwh);
        let by_limit = watch.by_limit();
        let error = |true_value: f64, booked: f64| {
            if true_value > 1.0 {
                ((booked - true_value) / true_value).abs()
            } else {
                0.0
            }
        };
        let books_error = [
            error(it_kwh, books_after.it_kwh - books_before.it_kwh),
            error(cooling_kwh, books_after.cooling_kwh - books_before.cooling_kwh),
            error(water_l, books_after.makeup_l - books_before.makeup_l),
            error(reused_kwh, books_after.reused_kwh - books_before.reused_kwh),
        ];
        Run {
            strategy: self.contender,
            speedup: self.speedup,
            fingerprint: format!("{:016x}", self.fingerprint),
            it_kwh,
            cooling_kwh,
            cooling_kwh_by_equipment: equipment
                .map(|((name, kwh), (_, was))| (name.clone(), kwh - was))
                .collect(),
            pue: site_kwh / it_kwh,
            wue_l_per_kwh: water_l / it_kwh,
            erf: reused_kwh / site_kwh,
            cue_kg_per_kwh: money.co2e_kg / it_kwh,
            water_l,
            reused_kwh,
            cost: money.cooling_cost,
            objective: money.objective,
            co2e_kg: money.co2e_kg,
            limit_k_min: by_limit.values().sum(),
            limit_k_min_by_limit: by_limit,
            worst_margin_k: watch.worst_margin_k(),
            travel: watch.travel(),
            chiller_starts: watch.chiller_starts(),
            books_error: books_error.into_iter().fold(0.0, f64::max),
            truth: self.truths(),
            saving_vs_fixed: None,
            saving_vs_trim_respond: None,
            cost_saving_vs_fixed: None,
            cost_saving_vs_trim_respond: None,
            share_of_bound: None,
            energy_share_of_bound: None,
            grid_event: self.grid.clone(),
            model_errors: self.model_errors.clone(),
        }
    }
}

impl Scored<'_> {
    fn truths(&self) -> Vec<Truth> {
        let ((_, plant), (_, books)) = (self.truth, self.books);
        let class = |role: MeterRole| {
            let meters = self.site.meters.iter().filter(|meter| meter.role == role);
            meters.map(|meter| meter.class).fold(0.0, f64::max)
        };
        let truth = |name, plant, books, role| Truth {
            name,
            plant,
            books,
            class: class(role),
        };
        let makeup_l = plant.makeup_l + plant.spray_l;
        let mut list = vec![
            truth("it_kwh", plant.it_kwh, books.it_kwh, MeterRole::ItPower),
            truth("site_kwh", plant.site_kwh(), books.site_kwh, MeterRole::SitePower),
            truth(
                "cooling_kwh",
                plant.cooling_kwh,
                books.cooling_kwh,
                MeterRole::CoolingPower,
            ),
        ];
        if makeup_l > 0.0 {
            list.push(truth("makeup_l", makeup_l, books.makeup_l, MeterRole::MakeupWater));
            list.push(truth(
                "blowdown_l",
                plant.blowdown_l,
                books.blowdown_l,
                MeterRole::BlowdownWater,
            ));
        }
        if !self.site.reuse.is_empty() {
            list.push(truth(
                "reused_kwh",
                plant.reused_kwh,
                books.reused_kwh,
                MeterRole::ReusedHeat,
            ));
        }
        list
    }
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
        self.measure_by_bound();
    }

    /// The cheapest run that kept the limits at least as well as `trim_respond`, once an oracle has looked for it.
    fn cheapest_within_limits(&self) -> Option<&Run> {
        let named = |name: &str| self.runs.iter().find(|run| run.strategy == name);
        let trim_respond = named("trim_respond")?;
        named("oracle")?;
        let kept = self
            .runs
            .iter()
            .filter(|run| run.limit_k_min <= trim_respond.limit_k_min + KEPT_K_MIN);
        kept.min_by(|a, b| a.objective.total_cmp(&b.objective))
    }

    fn measure_by_bound(&mut self) {
        let trim_respond = self.runs.iter().find(|run| run.strategy == "trim_respond");
        let (Some(bound), Some(from)) = (self.cheapest_within_limits(), trim_respond) else {
            return;
        };
        let money = (from.objective, bound.objective);
        let energy = (from.cooling_kwh, bound.cooling_kwh);
        let name = bound.strategy;
        let reached =
            |(from, bound): (f64, f64), own: f64| (from - bound > f64::EPSILON).then(|| (from - own) / (from - bound));
        self.bound = Some(name);
        for run in &mut self.runs {
            run.share_of_bound = reached(money, run.objective);
            run.energy_share_of_bound = reached(energy, run.cooling_kwh);
        }
    }
}

/// Degree-minutes that count as none, K min: less than a sensor shows.
pub(super) const KEPT_K_MIN: f64 = 0.1;

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
