use super::*;
use crate::plant::Plant;
use crate::plant::demo_hall;
use crate::world::tests::demo_world;

const FROM_S: f64 = 1800.0;

fn fault(kind: Kind, target: &str, lasts_s: f64) -> Fault {
    Fault {
        kind,
        target: target.to_owned(),
        from_s: FROM_S,
        until_s: FROM_S + lasts_s,
        amount: 0.75,
    }
}

/// Truth and measurement of a signal before, at the end of, and ten minutes after a fault.
fn course(kind: Kind, target: &str, lasts_s: f64, tag: &str) -> [(f64, f64); 3] {
    let mut world = demo_world(5);
    world.set_faults(Schedule::new(vec![fault(kind, target, lasts_s)]));
    let read = |world: &crate::world::World| {
        let signal = world.plant().signal(tag).unwrap();
        (world.plant().truth(signal), world.plant().measure(signal))
    };
    world.advance(FROM_S);
    let before = read(&world);
    world.advance(lasts_s - 1.0);
    let during = read(&world);
    world.advance(600.0);
    [before, during, read(&world)]
}

#[test]
fn every_kind_finds_a_target_and_can_be_broken_and_mended() {
    let plant = Plant::new(&demo_hall::spec(), 1).unwrap();
    for kind in Kind::ALL {
        let targets = kind.targets(&plant);
        assert!(!targets.is_empty(), "{}", kind.name());
        let mut broken = plant.clone();
        for target in targets.iter().flat_map(|target| target.split('+')) {
            if let Some(wound) = kind.wound(0.3) {
                broken.wound(target, wound).unwrap();
                broken.mend(target, wound).unwrap();
            }
        }
    }
    let mut plant = plant;
    assert!(plant.wound("nobody", crate::plant::Wound::Leak).is_err());
    assert!(plant.wound("cdu1.nothing", crate::plant::Wound::Stuck).is_err());
}

#[test]
fn sensors_lie_and_tell_the_truth_again() {
    const TAG: &str = "cdu1.secondary_supply_temperature";
    let [before, during, after] = course(Kind::SensorDrift, TAG, 1800.0, TAG);
    assert!((during.1 - during.0 - 1.5).abs() < 0.5, "{during:?}");
    assert!((before.1 - before.0).abs() < 0.5 && (after.1 - after.0).abs() < 0.5);
    let [before, during, after] = course(Kind::SensorStuck, TAG, 1800.0, TAG);
    assert!((before.1 - during.1).abs() < 0.2, "{before:?} {during:?}");
    assert!((after.1 - after.0).abs() < 0.5);
    let [_, during, after] = course(Kind::SensorDropout, TAG, 1800.0, TAG);
    assert!(during.1.is_nan() && after.1.is_finite());
}

#[test]
fn equipment_breaks_as_its_fault_says() {
    let [before, during, after] = course(Kind::PrimaryNoFlow, "cdu1", 120.0, "cdu1.primary_flow");
    assert!(
        during.0 < 0.02 * before.0 && after.0 > 0.3 * before.0,
        "{before:?} {during:?} {after:?}"
    );
    let [before, during, _] = course(Kind::ValveStuck, "cdu2", 900.0, "cdu2.primary_valve_position");
    assert!((before.0 - during.0).abs() < 1e-12);
    let [before, during, _] = course(Kind::FanTrip, "ct1", 600.0, "ct1.fan_speed");
    assert!(before.0 > 0.0 && during.0 <= 0.0, "{before:?} {during:?}");
    let [before, during, after] = course(Kind::Condensation, "ahu1", 5400.0, "ahu1.room_relative_humidity");
    assert!(
        during.0 > before.0 + 0.1 && after.0 < during.0,
        "{before:?} {during:?} {after:?}"
    );
    let [before, during, after] = course(Kind::Leak, "rack03", 600.0, "rack03.leak");
    assert!(before.0 < 0.5 && during.0 > 0.5 && after.0 < 0.5);
    let [before, during, _] = course(Kind::StrainerClog, "cdu1", 7200.0, "cdu1.secondary_flow");
    assert!(during.0 < 0.9 * before.0, "{before:?} {during:?}");
}

#[test]
fn a_standby_pump_takes_over_and_two_trips_leave_none() {
    let [before, during, _] = course(Kind::CduPumpTrip, "cdu1", 600.0, "cdu1.secondary_flow");
    assert!((during.0 / before.0 - 1.0).abs() < 0.1, "{before:?} {during:?}");
    let mut world = demo_world(5);
    world.advance(600.0);
    let flow = world.plant().signal("cdu1.secondary_flow").unwrap();
    for _ in 0..2 {
        world.plant_mut().wound("cdu1", crate::plant::Wound::PumpTrip).unwrap();
    }
    world.advance(60.0);
    assert!(world.plant().truth(flow) < 30.0, "{}", world.plant().truth(flow));
}

#[test]
fn a_rack_without_flow_protects_itself() {
    let mut world = demo_world(5);
    world.advance(600.0);
    for _ in 0..2 {
        world.plant_mut().wound("cdu1", crate::plant::Wound::PumpTrip).unwrap();
    }
    world.advance(120.0);
    let of = |quantity: &str| {
        let signal = world.plant().signal(&format!("rack01.{quantity}")).unwrap();
        world.plant().truth(signal)
    };
    assert!(of("power") < 20.0, "{} kW", of("power"));
    assert!(of("chip_margin") > -60.0, "{} K", of("chip_margin"));
}

#[test]
fn a_silent_device_takes_no_writes_and_a_deaf_one_keeps_its_own() {
    let mut world = demo_world(5);
    world.advance(60.0);
    let setpoint = world
        .plant()
        .signal("cdu1.secondary_supply_temperature_setpoint")
        .unwrap();
    let plant = world.plant_mut();
    plant.wound("cdu1", crate::plant::Wound::Silent).unwrap();
    assert_eq!(plant.write(setpoint, 30.0), Err(crate::plant::WriteError::Unreachable));
    assert!(plant.is_silent(setpoint));
    plant.mend("cdu1", crate::plant::Wound::Silent).unwrap();
    plant.wound("cdu1", crate::plant::Wound::Deaf).unwrap();
    let before = plant.truth(setpoint);
    assert_eq!(plant.write(setpoint, before + 3.0), Ok(()));
    assert!((plant.truth(setpoint) - before).abs() < 1e-12);
}

#[test]
fn chance_repeats_and_leaves_no_fault_out() {
    let plant = Plant::new(&demo_hall::spec(), 1).unwrap();
    let draw = |seed| Schedule::random(&plant, seed, 3600.0, 200.0, 3.0);
    assert_eq!(draw(4).faults(), draw(4).faults());
    assert_ne!(draw(4).faults(), draw(5).faults());
    let faults = draw(4);
    assert!((500..700).contains(&faults.faults().len()), "{}", faults.faults().len());
    for kind in Kind::ALL {
        assert!(
            faults.faults().iter().any(|fault| fault.kind == kind),
            "{}",
            kind.name()
        );
    }
    assert!(
        faults
            .faults()
            .iter()
            .all(|fault| fault.from_s >= 3600.0 && fault.until_s > fault.from_s)
    );
}
