//! A plant whose point map is right, then wrong in each way that the room should name.

use super::*;
use crate::site::load_embedded;
use crate::snapshot::{Now, Quality, Reading, Snapshot};

/// The demo hall at rest in balance: every CDU moves the heat of its racks.
struct Bench {
    site: Site,
    values: Vec<Option<f64>>,
    bad: Vec<usize>,
}

impl Bench {
    fn new() -> Self {
        let site = load_embedded("demo").unwrap().unwrap();
        let mut bench = Self {
            values: vec![None; site.points.len()],
            bad: Vec::new(),
            site,
        };
        for index in 0..bench.site.points.len() {
            let (low, high) = bench.site.points[index].plausible;
            bench.values[index] = Some(f64::midpoint(low, high));
        }
        let pg25 = thermo::Coolant::Pg25;
        for rack in bench.site.racks.clone() {
            bench.set(&format!("{}.power", rack.name), 100.0);
            bench.set(&format!("{}.liquid_supply_temperature", rack.name), 30.0);
            bench.set(&format!("{}.liquid_return_temperature", rack.name), 40.0);
            let flow = 100.0 * rack.nameplate.liquid_fraction / (10.0 * pg25.kw_per_lpm_k(35.0));
            bench.set(&format!("{}.liquid_flow", rack.name), flow);
        }
        for cdu in bench.site.cdus.clone() {
            let kw = 400.0 * 0.87;
            for (side, coolant, from, to) in [
                ("secondary", pg25, 30.0, 40.0),
                ("primary", thermo::Coolant::Water, 24.0, 34.0),
            ] {
                bench.set(&format!("{}.{side}_supply_temperature", cdu.name), from);
                bench.set(&format!("{}.{side}_return_temperature", cdu.name), to);
                let flow = kw / (10.0 * coolant.kw_per_lpm_k(f64::midpoint(from, to)));
                bench.set(&format!("{}.{side}_flow", cdu.name), flow);
            }
        }
        bench.set("loop1.supply_temperature", 24.0);
        bench.set("loop1.return_temperature", 34.0);
        bench.set("loop1.flow", 5000.0);
        bench
    }

    fn set(&mut self, tag: &str, value: f64) {
        self.values[self.site.point(tag).unwrap().0] = Some(value);
    }

    fn get(&self, tag: &str) -> f64 {
        self.values[self.site.point(tag).unwrap().0].unwrap()
    }

    fn scale(&mut self, tag: &str, factor: f64) {
        self.set(tag, self.get(tag) * factor);
    }

    fn swap(&mut self, one: &str, other: &str) {
        let (a, b) = (self.get(one), self.get(other));
        self.set(one, b);
        self.set(other, a);
    }

    /// What is wrong, in short.
    fn failures(&self) -> Vec<(String, String)> {
        let mut watch = Watch::new(&self.site);
        for cycle in 1..=3 {
            let now = Now {
                mono_ms: cycle * 5000,
                wall_ms: 0,
                utc_offset_s: 0,
            };
            let mut snapshot = Snapshot::empty(self.values.len(), now);
            for (index, value) in self.values.iter().enumerate() {
                snapshot.readings[index] = value.map(|value| Reading {
                    value,
                    quality: if self.bad.contains(&index) {
                        Quality::Bad
                    } else {
                        Quality::Good
                    },
                    mono_ms: now.mono_ms,
                });
            }
            watch.take(&snapshot);
        }
        let findings = verify(&self.site, &watch, &[]);
        let failed = findings.into_iter().filter(|finding| finding.mark == Mark::Fail);
        failed
            .map(|finding| (finding.subject, finding.likely.unwrap_or_default()))
            .collect()
    }
}

fn only(bench: &Bench, subject: &str, likely: &str) {
    let failures = bench.failures();
    assert!(
        failures.len() == 1 && failures[0].0 == subject && failures[0].1.contains(likely),
        "{failures:?}"
    );
}

#[test]
fn a_plant_in_balance_has_nothing_wrong() {
    assert_eq!(Bench::new().failures(), []);
}

#[test]
fn a_swapped_pair_is_named() {
    let mut bench = Bench::new();
    bench.swap("cdu2.secondary_supply_temperature", "cdu2.secondary_return_temperature");
    only(&bench, "cdu2", "secondary side: supply and return are swapped");
    let mut bench = Bench::new();
    bench.swap("r07.liquid_supply_temperature", "r07.liquid_return_temperature");
    only(&bench, "r07", "supply and return are swapped");
    let mut bench = Bench::new();
    bench.swap("loop1.supply_temperature", "loop1.return_temperature");
    only(&bench, "loop1", "supply and return are swapped");
    let mut bench = Bench::new();
    bench.swap("cdu1.primary_supply_temperature", "cdu1.primary_return_temperature");
    let failures = bench.failures();
    assert!(
        failures
            .iter()
            .any(|(subject, likely)| subject == "cdu1" && likely.contains("primary side: supply and return"))
    );
}

#[test]
fn a_wrong_unit_is_named() {
    for (factor, likely) in [
        (1.0 / 3.785_41, "US gallons per minute and is read as L/min"),
        (0.06, "in m3/h and is read as L/min"),
        (0.1, "a scale is 0.1 times"),
    ] {
        let mut bench = Bench::new();
        bench.scale("cdu3.primary_flow", factor);
        only(&bench, "cdu3", likely);
    }
    let mut bench = Bench::new();
    for side in ["supply", "return"] {
        let tag = format!("r03.liquid_{side}_temperature");
        bench.set(&tag, bench.get(&tag) * 1.8 + 32.0);
    }
    only(&bench, "r03", "degF and are read as degC");
}

#[test]
fn what_cannot_be_is_explained_by_word_order_type_or_scale() {
    let text = |kind: &str, min: f64, max: f64| {
        format!(
            "[profile]\ndescription = \"d\"\nsource = \"s\"\n[modbus]\nbase = 0\nmax_block = 9\n[[point]]\nname = \"p\"\n\
             unit = \"kW\"\ntable = \"input\"\naddress = 0\ntype = \"{kind}\"\nmin = {min}\nmax = {max}\n"
        )
    };
    let point = |kind: &str, min, max| wire::Profile::parse(&text(kind, min, max), "t").unwrap().points[0].clone();
    // 100.5 as a float is 42C9 0000; the other way round it is a denormal.
    let wrong = f64::from(f32::from_bits(0x0000_42C9));
    let likely = causes::of_value(&point("f32", 1.0, 1000.0), wrong).unwrap();
    assert!(
        likely.contains("words = \"low_first\"") && likely.contains("100.5"),
        "{likely}"
    );
    let likely = causes::of_value(&point("u16", -500.0, 500.0), 65_436.0).unwrap();
    assert!(likely.contains("as i16 it reads -100"), "{likely}");
    let likely = causes::of_value(&point("u16", 10.0, 99.0), 2_350.0).unwrap();
    assert!(
        likely.contains("factor of 100") || likely.contains("byte order"),
        "{likely}"
    );
}

#[test]
fn a_missing_required_point_fails_and_another_deserves_a_look() {
    let mut bench = Bench::new();
    let power = bench.site.point("r01.power").unwrap();
    bench.values[power.0] = None;
    let leak = bench.site.point("r01.leak").unwrap();
    bench.values[leak.0] = None;
    only(&bench, "r01.power", "");
}

fn step(samples: &[(f64, f64, f64)]) -> Step {
    Step {
        tag: "cdu1.secondary_supply_temperature_setpoint".into(),
        from: 30.0,
        to: 31.0,
        samples: samples
            .iter()
            .map(|(at, setpoint, value)| (*at, Some(*setpoint), Some(*value)))
            .collect(),
        aborted: None,
    }
}

#[test]
fn steps_are_judged_by_what_the_device_and_the_plant_did() {
    let good = step(&[(0.0, 30.0, 30.1), (60.0, 31.0, 30.8), (120.0, 31.0, 31.1)]);
    let finding = good.finding();
    assert_eq!(finding.mark, Mark::Pass);
    assert!(finding.seen.contains("63 % of it after 60 s"), "{}", finding.seen);
    let ignored = step(&[(0.0, 30.0, 30.0), (120.0, 30.0, 30.0)]);
    assert!(ignored.finding().mark == Mark::Fail && ignored.finding().seen.contains("at 30.000"));
    let backwards = step(&[(0.0, 31.0, 30.0), (120.0, 31.0, 29.0)]);
    assert!(backwards.finding().likely.unwrap().contains("the other way"));
    let slow = step(&[(0.0, 31.0, 30.0), (120.0, 31.0, 30.2)]);
    assert_eq!(slow.finding().mark, Mark::Look);
    assert_eq!(
        process_tag("tower1.supply_temperature_setpoint").as_deref(),
        Some("tower1.leaving_temperature")
    );
    assert_eq!(process_tag("tower1.enable"), None);
}

#[test]
fn a_report_is_signed_only_where_nothing_failed() {
    let mut report = Report {
        site: "hall".into(),
        hash: "ab".into(),
        watched_s: 60.0,
        verified: vec![Finding::new(Mark::Pass, "cdu1", "fine")],
        steps: Vec::new(),
    };
    let by = Signature {
        name: "the engineer".into(),
        at: "2026-11-25T08:00:00Z".into(),
    };
    let text = report.render(Some(&by));
    assert!(
        text.contains("Signed off by the engineer") && text.contains("SHA-256"),
        "{text}"
    );
    report.verified.push(Finding::new(Mark::Fail, "cdu2", "wrong"));
    assert!(report.render(Some(&by)).contains("Not signed off: 1 failed"));
    assert!(report.render(None).contains("no name was given"));
}
