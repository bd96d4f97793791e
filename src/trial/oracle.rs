//! The bound: what could be had by knowing the plant, the load and the weather to come.
//!
//! Every ten minutes the oracle tries plans on copies of the true world, each held for the horizon through the same
//! safety room with its bounds and ramps, and keeps the cheapest. It starts from its last plan and from what
//! `trim_respond` and `predictive` would do on the oracle's plant, and moves every knob by a step that grows with success
//! and shrinks with failure (a pattern search). The heat left in the plant at the horizon's end is priced at what its removal has cost, so that nothing
//! is won by leaving it for later. It is a bound by construction of its knowledge, not a proven optimum: a cheaper run
//! within the limits takes its place in [`super::Trial::bound`].

use super::knobs::{Knob, knobs, plan_of};
use super::money::Money;
use super::run::{Bench, cycles, pass};
use super::signals::Ears;
use super::watch::{Mark, Watch};
use crate::cycle::{Mind, step};
use crate::ledger::Totals as Books;
use crate::safety;
use crate::site::StrategyKind;
use crate::snapshot::{Now, Plan};
use simulators::world::World;
use std::collections::BTreeSet;

/// Time between two searches, s.
const INTERVAL_S: f64 = 600.0;
/// How far a plan is tried, s: the next interval, and what the loop's water then still brings.
const HORIZON_S: f64 = 1500.0;
/// What a kelvin beyond a target costs in a minute, in hours of the hall's whole cooling: enough to never be worth it.
const BEYOND_H: f64 = 1.0;

/// Shares of the way to most cooling that are tried where a plan goes beyond targets.
const MORE_COOLING: [f64; 3] = [0.15, 0.4, 1.0];

/// The oracle in its run.
pub(super) struct Oracle<'a> {
    bench: &'a Bench<'a>,
    /// Strategies in the oracle's plant: their plans are some to start from, and the first one's ledger keeps the books.
    minds: [Mind; 2],
    ears: Ears,
    safety: safety::State,
    knobs: Vec<Knob>,
    values: Vec<f64>,
    searched_s: Option<f64>,
}

/// What a plan led to at the horizon.
struct Outcome {
    objective: f64,
    /// Degree-minutes beyond targets, K min.
    total: f64,
    /// Of it the CDUs', by CDU.
    beyond: Vec<f64>,
}

impl<'a> Oracle<'a> {
    pub(super) fn new(bench: &'a Bench<'a>) -> Self {
        let knobs = knobs(&bench.core.site);
        Self {
            bench,
            minds: [StrategyKind::Predictive, StrategyKind::TrimRespond].map(Mind::new),
            ears: Ears::default(),
            safety: safety::State::default(),
            values: knobs.iter().map(|knob| knob.start).collect(),
            knobs,
            searched_s: None,
        }
    }

    /// One cycle: searches when due, and writes what safety makes of the plan.
    pub(super) fn turn(&mut self, world: &mut World, now: Now) -> Books {
        let inputs = self.bench.inputs(world, &mut self.ears, now);
        let records = self
            .minds
            .each_mut()
            .map(|mind| step(self.bench.core, mind, inputs.clone(), now).record);
        if self.searched_s.is_none_or(|at| world.elapsed_s() - at >= INTERVAL_S) {
            self.searched_s = Some(world.elapsed_s());
            self.search(world, records.each_ref().map(|record| &record.plan));
        }
        let plan = plan_of(&self.bench.core.site, &self.knobs, &self.values);
        govern(self.bench, world, &mut self.safety, &plan, now);
        let [first, _] = records;
        first.account.total
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let [first, _] = &self.minds;
        first.fingerprint()
    }

    fn search(&mut self, world: &World, suggested: [&Plan; 2]) {
        let mut best = self.attempt(world, &self.values);
        for plan in suggested {
            let values: Vec<f64> = self.knobs.iter().map(|knob| knob.read(plan)).collect();
            let outcome = self.attempt(world, &values);
            if outcome.objective < best.objective {
                (best, self.values) = (outcome, values);
            }
        }
        if best.total > 0.0 {
            // The load has changed by more than small steps can follow.
            self.knobs.iter_mut().for_each(Knob::start_over);
            for share in MORE_COOLING {
                let values: Vec<f64> = self
                    .knobs
                    .iter()
                    .zip(&self.values)
                    .map(|(knob, value)| knob.towards(*value, share))
                    .collect();
                let outcome = self.attempt(world, &values);
                if outcome.objective < best.objective {
                    (best, self.values) = (outcome, values);
                }
            }
        }
        let families: BTreeSet<usize> = self.knobs.iter().map(|knob| knob.family).collect();
        for family in families {
            best = self.try_family(world, family, best);
        }
    }

    /// Moves all knobs of a family, first the way that last helped. A CDU whose racks suffer takes its move back.
    fn try_family(&mut self, world: &World, family: usize, best: Outcome) -> Outcome {
        for reversed in [false, true] {
            let mut values = self.values.clone();
            for (value, knob) in values
                .iter_mut()
                .zip(&self.knobs)
                .filter(|(_, knob)| knob.family == family)
            {
                *value = knob.moved(*value, reversed);
            }
            let mut outcome = self.attempt(world, &values);
            if self.take_back(family, &best, &outcome, &mut values) {
                outcome = self.attempt(world, &values);
            }
            if outcome.objective < best.objective {
                for (place, knob) in self
                    .knobs
                    .iter_mut()
                    .enumerate()
                    .filter(|(_, knob)| knob.family == family)
                {
                    let stayed = (values[place] - self.values[place]).abs() < f64::EPSILON;
                    knob.learn(!stayed, reversed);
                }
                self.values = values;
                return outcome;
            }
        }
        for knob in self.knobs.iter_mut().filter(|knob| knob.family == family) {
            knob.learn(false, false);
        }
        best
    }

    /// Takes back the moves of CDUs that got further beyond their targets; answers whether some, but not all, were.
    fn take_back(&self, family: usize, best: &Outcome, outcome: &Outcome, values: &mut [f64]) -> bool {
        let mut taken = (0, 0);
        for (place, knob) in self.knobs.iter().enumerate().filter(|(_, knob)| knob.family == family) {
            let Some(cdu) = knob.cdu else { continue };
            taken.1 += 1;
            let worse = outcome.beyond.get(cdu).zip(best.beyond.get(cdu));
            if worse.is_some_and(|(now, was)| *now > was + 1e-9) {
                values[place] = self.values[place];
                taken.0 += 1;
            }
        }
        taken.0 > 0 && taken.0 < taken.1
    }

    /// Holds a plan on a copy of the true world until the horizon.
    fn attempt(&self, world: &World, values: &[f64]) -> Outcome {
        let site = &*self.bench.core.site;
        let plan = plan_of(site, &self.knobs, values);
        let mut world = world.clone();
        let mut safety = self.safety.clone();
        let mut watch = Watch::new(site, world.plant(), Mark::Target);
        let mut money = Money::default();
        let began = world.plant().totals();
        let cycle_s = site.control.cycle_s;
        let mut before = began.clone();
        for _ in 0..cycles(HORIZON_S, cycle_s) {
            let now = self.bench.clock.now(&world);
            govern(self.bench, &mut world, &mut safety, &plan, now);
            pass(&mut world, Some(&mut watch), cycle_s);
            let after = world.plant().totals();
            money.add(site, now, &before, &after);
            before = after;
        }
        let moved_kwh = before.rejected_kwh + before.reused_kwh - began.rejected_kwh - began.reused_kwh;
        let per_kwh = money.objective.max(0.0) / moved_kwh.max(1.0);
        let left = (before.stored_kwh - began.stored_kwh) * per_kwh;
        let per_hour = money.objective.abs() / (HORIZON_S / 3600.0);
        Outcome {
            objective: money.objective + left + watch.total() * BEYOND_H * per_hour,
            total: watch.total(),
            beyond: watch.by_cdu().to_vec(),
        }
    }
}

/// One cycle under a plan: what safety makes of it is written to the plant.
fn govern(bench: &Bench<'_>, world: &mut World, state: &mut safety::State, plan: &Plan, now: Now) {
    let site = &*bench.core.site;
    let snapshot = bench.signals.snapshot(site, world.plant(), now);
    let facts = safety::assess(site, &snapshot, state, now);
    let (commands, _) = safety::judge(site, &facts, plan, &[], &snapshot, state, now);
    bench.signals.apply(world.plant_mut(), &commands);
}

#[cfg(test)]
mod tests {
    use crate::trial::{Contender, Disturbance, Load, Options, Trial, WeatherSource, run};

    fn short(site: &str) -> Trial {
        let site = crate::site::load_embedded(site).unwrap().unwrap();
        let options = Options {
            weather: WeatherSource::BuiltIn,
            load: Load::Synthetic(1),
            days: 0.1,
            start: "07-14".into(),
            seed: 1,
            strategies: ["trim_respond", "predictive", "oracle"]
                .map(|name| name.parse::<Contender>().unwrap())
                .to_vec(),
            disturbance: Disturbance::default(),
            commission: false,
            grid_event: None,
            model: None,
        };
        run(&site, &options, |_, _| {}).unwrap()
    }

    #[test]
    fn the_bound_keeps_the_limits_and_is_below_every_strategy() {
        for site in ["demo", "chilled_water"] {
            let trial = short(site);
            let oracle = trial.runs.last().unwrap();
            assert!(oracle.limit_k_min < 0.1, "{site}: {} K min", oracle.limit_k_min);
            for run in &trial.runs {
                assert!(oracle.objective <= run.objective, "{site}: {} is cheaper", run.strategy);
                assert!(run.share_of_bound.is_none_or(|share| share <= 1.0 + 1e-12));
            }
        }
    }
}
