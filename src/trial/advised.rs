//! Advice against faults that are planted in the simulated plant: whether each is found, how soon, and whether the saving
//! that is told is the one that mending brings. The same world runs twice, with the fault and without.

use super::clock::VirtualClock;
use super::money::Money;
use super::plant::{COMMS_TIMEOUT_S, plant_spec};
use super::run::{Bench, cycles, pass};
use super::signals::{Ears, Signals};
use super::world::{Load, WeatherSource, build_world, start_s};
use crate::advice::{Advice, Kind};
use crate::cycle::{Core, Mind, step};
use crate::forecast::JobModel;
use crate::site::{Authority, Site, StrategyKind};
use crate::snapshot::{Author, Request, RequestKind};
use simulators::plant::Wound;
use simulators::world::World;
use std::sync::Arc;

/// Time before a fault begins, and before anything is counted, s.
const HEALTHY_S: f64 = 86_400.0;
/// Time that a fault is watched, s.
const WATCHED_S: f64 = 3.0 * 86_400.0;

/// What is done to the plant.
#[derive(Clone, Copy)]
enum Fault {
    None,
    Broken(&'static str, Wound),
    /// Somebody holds a setpoint here, and holds it again before it ends.
    Held(&'static str, f64),
}

/// What a run came to.
struct Outcome {
    /// Cooling cost over the time that is watched, by the plant's own truth, a day.
    cost_per_day: f64,
    /// The first advice of each subject: after how many hours of the fault, and the last word on it.
    advised: Vec<(f64, Advice)>,
}

fn world(site: &Site, days: f64) -> World {
    let spec = plant_spec(site, COMMS_TIMEOUT_S.max(4.0 * site.control.cycle_s));
    build_world(
        site,
        &spec,
        &WeatherSource::BuiltIn,
        &Load::Synthetic(1),
        start_s("07-14").unwrap(),
        days,
        1,
    )
    .unwrap()
}

fn run(site: &Arc<Site>, fault: Fault) -> Outcome {
    let core = Core::new(Arc::clone(site), Arc::new(JobModel::embedded()), false);
    let mut world = world(site, (HEALTHY_S + WATCHED_S) / 86_400.0);
    let bench = Bench {
        core: &core,
        signals: Signals::bind(site, world.plant()),
        clock: VirtualClock::new(site, &world),
    };
    let (mut mind, mut ears) = (Mind::new(StrategyKind::Predictive), Ears::default());
    let mut money = Money::default();
    let mut advised: Vec<(f64, Advice)> = Vec::new();
    let cycle_s = site.control.cycle_s;
    let begins = cycles(HEALTHY_S, cycle_s);
    let mut before = world.plant().totals();
    for cycle in 0..begins + cycles(WATCHED_S, cycle_s) {
        let now = bench.clock.now(&world);
        let mut inputs = bench.inputs(&world, &mut ears, now);
        let since = cycle.checked_sub(begins);
        match fault {
            Fault::Broken(target, wound) if since == Some(0) => world.plant_mut().wound(target, wound).unwrap(),
            Fault::Held(tag, value) if since.is_some_and(|since| since % cycles(3600.0, cycle_s) == 0) => {
                inputs.requests.push(Request {
                    author: Author::Operator("night shift".into()),
                    why: String::new(),
                    kind: RequestKind::Override {
                        point: site.point(tag).unwrap(),
                        value,
                        for_s: 3700.0,
                    },
                });
            }
            _ => {}
        }
        let outcome = step(&core, &mut mind, inputs, now);
        bench.signals.apply(world.plant_mut(), &outcome.commands);
        pass(&mut world, None, cycle_s);
        let after = world.plant().totals();
        if since.is_some() {
            money.add(site, now, &before, &after);
        }
        before = after;
        for advice in mind.advice.open() {
            let hours = since.map_or(-1.0, |since| since as f64 * cycle_s / 3600.0);
            match advised
                .iter_mut()
                .find(|(_, known)| known.kind == advice.kind && known.subject == advice.subject)
            {
                Some((_, known)) => *known = advice,
                None => advised.push((hours, advice)),
            }
        }
    }
    Outcome {
        cost_per_day: money.objective / (WATCHED_S / 86_400.0),
        advised,
    }
}

fn site() -> Arc<Site> {
    let mut site = crate::site::load_embedded("demo").unwrap().unwrap();
    site.zones.iter_mut().for_each(|zone| zone.authority = Authority::Full);
    Arc::new(site)
}

#[test]
#[ignore = "four runs of four days: some minutes"]
fn planted_faults_are_found_within_two_days_with_their_saving() {
    const SUPPLY: &str = "cdu2.secondary_supply_temperature_setpoint";
    let site = site();
    let clean = run(&site, Fault::None);
    let mut wrong = Vec::new();
    println!("clean: {:.2} a day, advice {:?}", clean.cost_per_day, clean.advised);
    if !clean.advised.is_empty() {
        wrong.push(format!("{} raised on the clean plant", clean.advised.len()));
    }
    for (name, kind, subject, fault) in [
        (
            "fouling",
            Kind::ExchangerFouled,
            "cdu1",
            Fault::Broken("cdu1", Wound::Fouled(0.4)),
        ),
        (
            "stuck bypass",
            Kind::CoolantBypass,
            "cdu3",
            Fault::Broken("cdu3", Wound::Bypass(0.35)),
        ),
        (
            "setpoint left too low",
            Kind::SetpointLow,
            SUPPLY,
            Fault::Held(SUPPLY, 22.0),
        ),
    ] {
        let found = run(&site, fault);
        let truth = found.cost_per_day - clean.cost_per_day;
        println!("{name}: truly costs {truth:.2} a day");
        for (hours, advice) in &found.advised {
            println!(
                "  after {hours:.1} h {:?} {}: {:.2} a day, confidence {:.2}: {}",
                advice.kind, advice.subject, advice.per_day.money, advice.confidence, advice.text
            );
        }
        let own = found
            .advised
            .iter()
            .find(|(_, advice)| advice.kind == kind && advice.subject == subject);
        match own {
            None => wrong.push(format!("{name} is not found")),
            Some((hours, _)) if *hours > 48.0 => wrong.push(format!("{name} is found after {hours:.1} h")),
            Some((_, advice)) if (advice.per_day.money / truth - 1.0).abs() > 0.2 => {
                wrong.push(format!(
                    "{name}: {:.2} a day is told, {truth:.2} is true",
                    advice.per_day.money
                ));
            }
            Some(_) => {}
        }
        if found.advised.len() > 1 {
            wrong.push(format!("{name}: more is advised than was done"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
