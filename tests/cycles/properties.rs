//! What must hold for every plant, plan and sequence of cycles.

use super::bench::Bench;
use isotherm::safety::State;
use isotherm::site::{Direction, PointId, WriteSpec};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Cycles of a sequence.
const CYCLES: usize = 14;

/// What may be read of a limited quantity: from far too good to far beyond critical.
const READINGS: &[(&str, f64, f64)] = &[
    ("cdu1.secondary_supply_temperature", 20.0, 48.0),
    ("cdu2.secondary_return_temperature", 30.0, 66.0),
    ("cdu1.secondary_flow", -30.0, 700.0),
    ("cdu1.secondary_differential_pressure", 0.0, 220.0),
    ("r01.chip_margin", 0.0, 40.0),
    ("r02.power", 0.0, 130.0),
    ("r05.power", 0.0, 130.0),
    ("r05.liquid_return_temperature", 30.0, 66.0),
    ("air1.room_temperature", 18.0, 35.0),
    ("loop1.supply_temperature", 10.0, 35.0),
];

/// One cycle: readings, and the plan as shares of each setpoint's range.
#[derive(Debug, Clone)]
struct Step {
    readings: Vec<f64>,
    plan: Vec<f64>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let readings: Vec<_> = READINGS.iter().map(|(_, low, high)| *low..*high).collect();
    let step = (readings, prop::collection::vec(0.0..1.0f64, 8));
    prop::collection::vec(step.prop_map(|(readings, plan)| Step { readings, plan }), CYCLES)
}

fn writes(bench: &Bench) -> BTreeMap<PointId, WriteSpec> {
    let points = bench.site.points.iter().enumerate();
    points
        .filter(|(_, spec)| spec.quantity != "heartbeat")
        .filter_map(|(index, spec)| Some((PointId(index), spec.write?)))
        .collect()
}

fn apply(mut bench: Bench, step: &Step, warmer_k: f64) -> Bench {
    for ((tag, _, _), value) in READINGS.iter().zip(&step.readings) {
        let warmer = match *tag {
            tag if tag.ends_with("temperature") && !tag.starts_with("air") => warmer_k,
            tag if tag.ends_with("chip_margin") => -warmer_k,
            _ => 0.0,
        };
        bench = bench.set(tag, value + warmer);
    }
    plan(bench, step)
}

fn plan(mut bench: Bench, step: &Step) -> Bench {
    let tags: Vec<_> = writes(&bench)
        .into_iter()
        .map(|(id, write)| (bench.site.spec(id).tag.clone(), write))
        .collect();
    for ((tag, write), share) in tags.iter().zip(step.plan.iter().cycle()) {
        bench = bench.plan(tag, write.min + share * (write.max - write.min));
    }
    bench
}

/// A required reading in the place of one that these properties do not hold for: what only an optional reading shows is
/// not found without it (what was under way goes on: `trouble` tries that), and room air also sets the dew point, whose
/// floor is stronger than cooling and has tests of its own.
fn required(tag: &'static str) -> &'static str {
    match tag {
        air if air.starts_with("air") => "r03.chip_margin",
        optional if optional.ends_with("differential_pressure") || optional.starts_with("r05.liquid") => "r01.power",
        required => required,
    }
}

/// As [`apply`], but pressures come from the setpoints in force, as a plant's do: a pump in trouble is told from how long
/// its setpoint has stood, and two halls with two setpoints would tell it at two times. And the room's air stays as it is:
/// the floor that its dew point makes is stronger than cooling, and has tests of its own.
fn follow(bench: Bench, step: &Step, warmer_k: f64) -> Bench {
    apply(bench, step, warmer_k)
        .unset("cdu1.secondary_differential_pressure")
        .set("air1.room_temperature", 24.0)
}

/// Asserts that each setpoint of `safe` cools no less than that of `plain`.
fn no_less_cooling(plain: &Bench, safe: &Bench, cycle: usize) -> Result<(), TestCaseError> {
    for (id, write) in writes(plain) {
        let tag = &plain.site.spec(id).tag;
        let (Some((plain, _)), Some((safe, _))) = (plain.commands.get(&id), safe.commands.get(&id)) else {
            prop_assert!(
                !plain.commands.contains_key(&id) || safe.commands.contains_key(&id),
                "{} fell silent",
                tag
            );
            continue;
        };
        let less = match write.more_cooling {
            Direction::Up => plain - safe,
            Direction::Down => safe - plain,
            Direction::Neutral => 0.0,
        };
        prop_assert!(less < 1e-6, "cycle {}: {} is {} instead of {}", cycle, tag, safe, plain);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_command_is_in_bounds_and_within_its_rate_unless_cooling_is_urgent(steps in steps()) {
        let mut bench = Bench::new().cycle();
        let mut last: BTreeMap<PointId, f64> = bench.commands.iter().map(|(id, (value, _))| (*id, *value)).collect();
        for step in &steps {
            bench = apply(bench, step, 0.0).cycle();
            for (id, write) in writes(&bench) {
                let Some((value, _)) = bench.commands.get(&id) else { continue };
                let spec = bench.site.spec(id);
                prop_assert!(value.is_finite() && *value >= write.min && *value <= write.max, "{} {}", spec.tag, value);
                let Some(before) = last.insert(id, *value) else { continue };
                let minutes = bench.cycle_s() / 60.0;
                let (up, down) = (value - before, before - value);
                let urgent = bench.report.zones[0].level >= isotherm::safety::Level::Critical;
                let rise = urgent && write.more_cooling == Direction::Up;
                let fall = urgent && write.more_cooling == Direction::Down;
                let floor = spec.quantity.ends_with("supply_temperature_setpoint");
                prop_assert!(rise || floor || up <= write.rise_per_min * minutes + 1e-9, "{} rose {}", spec.tag, up);
                prop_assert!(fall || down <= write.fall_per_min * minutes + 1e-9, "{} fell {}", spec.tag, down);
            }
        }
    }

    #[test]
    fn losing_or_ageing_a_required_reading_never_reduces_cooling(
        start in steps(), which in 0..READINGS.len(), how in 0..3u8,
    ) {
        let mut plain = Bench::new();
        for step in start.iter().take(3) {
            plain = follow(plain, step, 0.0).cycle();
        }
        let tag = required(READINGS[which].0);
        let mut worse = match how {
            0 => plain.clone().lose(tag),
            1 => plain.clone().silence(tag),
            _ => plain.clone().doubt(tag),
        };
        for (cycle, step) in start.iter().enumerate() {
            plain = plan(plain, step).cycle();
            worse = plan(worse, step).cycle();
            no_less_cooling(&plain, &worse, cycle)?;
        }
    }

    #[test]
    fn a_required_reading_that_never_came_is_no_better_than_any_value(steps in steps(), which in 0..READINGS.len()) {
        let tag = required(READINGS[which].0);
        let (mut plain, mut worse) = (Bench::new(), Bench::new());
        for (cycle, step) in steps.iter().enumerate() {
            // A sensor that is not believed lowers authority, one that never came does not: compare with a believed one.
            let step = &Step { readings: step.readings.iter().map(|value| value.max(0.0)).collect(), ..step.clone() };
            plain = follow(plain, step, 0.0).cycle();
            worse = follow(worse, step, 0.0).silence(tag).cycle();
            no_less_cooling(&plain, &worse, cycle)?;
        }
    }

    #[test]
    fn one_kelvin_more_everywhere_never_reduces_cooling(steps in steps()) {
        let (mut plain, mut warmer) = (Bench::new(), Bench::new());
        for (cycle, step) in steps.iter().enumerate() {
            plain = follow(plain, step, 0.0).cycle();
            warmer = follow(warmer, step, 1.0).cycle();
            no_less_cooling(&plain, &warmer, cycle)?;
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_bits_also_after_a_restart(steps in steps()) {
        let (mut first, mut second) = (Bench::new(), Bench::new());
        for step in &steps {
            first = apply(first, step, 0.0).cycle();
            second = apply(second, step, 0.0).cycle();
            let bytes = postcard::to_stdvec(&second.state).unwrap();
            second.state = postcard::from_bytes::<State>(&bytes).unwrap();
            prop_assert_eq!(&first.commands, &second.commands);
            prop_assert_eq!(&first.report, &second.report);
            prop_assert_eq!(postcard::to_stdvec(&first.state).unwrap(), bytes);
        }
    }
}
