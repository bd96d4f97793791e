//! One of a pair: standing by commands nothing and follows; taking over begins where the devices are.

use super::bench::{Bench, PRESSURE};
use isotherm::snapshot::Duty;

fn duty(mut bench: Bench, duty: Duty) -> Bench {
    bench.state.take_duty(duty);
    bench
}

#[test]
fn standing_by_it_commands_nothing_whatever_happens() {
    let bench = duty(Bench::steady(), Duty::Standby).run(30.0);
    assert!(bench.commands.is_empty(), "{:?}", bench.commands);
    let bench = bench.set("cdu1.secondary_supply_temperature", 60.0).run(60.0);
    assert!(
        bench.commands.is_empty(),
        "an emergency is the other one's: {:?}",
        bench.commands
    );
    let bench = bench.release();
    assert!(bench.commands.is_empty(), "what it does not hold it cannot give back");
}

#[test]
fn it_takes_over_from_what_the_other_one_has_set_at_the_ramp() {
    let bench = Bench::steady();
    let step = {
        let write = bench.site.spec(bench.id(PRESSURE)).write.unwrap();
        write.rise_per_min.max(write.fall_per_min) / 60.0 * 2.0 * bench.cycle_s()
    };
    // The other one goes far from where we were, in steps that we never made.
    let bench = duty(bench, Duty::Standby).set(PRESSURE, 215.0).run(300.0);
    let bench = duty(bench, Duty::Active { term: 3 }).plan(PRESSURE, 100.0).cycle();
    let first = bench.commanded(PRESSURE).unwrap();
    assert!((215.0 - first).abs() <= step + 1e-9, "jumped to {first}");
    let bench = bench.expect_events("write_mismatch", 0).run(60.0);
    assert!(
        bench.commanded(PRESSURE).unwrap() < first,
        "and goes on with its own plan"
    );
}

#[test]
fn its_heartbeat_has_the_term_in_the_upper_byte() {
    let bench = duty(Bench::new(), Duty::Active { term: 258 }).cycle();
    bench
        .expect("cdu1.heartbeat", 2.0 * 256.0 + 1.0)
        .cycle()
        .expect("cdu1.heartbeat", 2.0 * 256.0 + 2.0);
}
