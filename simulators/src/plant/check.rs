//! Finds the mistakes of a [`PlantSpec`] before anything is built from it.

use super::spec::{MeterRole, PlantSpec, RejectionKind};
use std::collections::BTreeSet;

struct Finder {
    problems: Vec<String>,
    ids: BTreeSet<String>,
}

impl Finder {
    fn id(&mut self, id: &str) {
        if id.is_empty() || id.contains('.') {
            self.problems.push(format!("id {id:?}: write a name without a dot"));
        } else if !self.ids.insert(id.to_owned()) {
            self.problems
                .push(format!("id {id:?} is used twice: give each unit its own"));
        }
    }

    fn within(&mut self, id: &str, what: &str, value: f64, low: f64, high: f64) {
        if !(low..=high).contains(&value) {
            self.problems
                .push(format!("{id}: {what} is {value}: write a number from {low} to {high}"));
        }
    }

    fn positive(&mut self, id: &str, fields: &[(&str, f64)]) {
        for (what, value) in fields {
            self.within(id, what, *value, 1e-6, 1e16);
        }
    }

    fn refers(&mut self, id: &str, what: &str, target: &str, known: &BTreeSet<&str>) {
        if !known.contains(target) {
            self.problems.push(format!(
                "{id}: {what} {target:?} does not exist: write one of {}",
                known.iter().copied().collect::<Vec<_>>().join(", ")
            ));
        }
    }
}

/// One line for each mistake of `spec`.
pub(super) fn problems(spec: &PlantSpec) -> Vec<String> {
    let mut f = Finder {
        problems: Vec::new(),
        ids: BTreeSet::new(),
    };
    f.within("plant", "altitude_m", spec.altitude_m, -400.0, 5000.0);
    f.within("plant", "overhead_kw", spec.overhead_kw, 0.0, 1e6);
    f.within(
        "plant",
        "makeup_conductivity_us_cm",
        spec.makeup_conductivity_us_cm,
        1.0,
        10_000.0,
    );
    f.within("plant", "comms_timeout_s", spec.comms_timeout_s, 1.0, 86_400.0);
    f.within("plant", "deviation", spec.deviation, 0.0, 2.0);
    if spec.loops.is_empty() {
        f.problems
            .push("loops: write at least one facility-water loop".to_owned());
    }
    loops(spec, &mut f);
    let known: BTreeSet<&str> = spec.loops.iter().map(|l| l.id.as_str()).collect();
    rejection(spec, &known, &mut f);
    users(spec, &known, &mut f);
    racks(spec, &mut f);
    for meter in &spec.meters {
        f.id(&meter.id);
        f.positive(&meter.id, &[("rollover", meter.rollover)]);
        f.within(&meter.id, "class", meter.class, 0.0, 0.1);
        if meter.role == MeterRole::ReusedHeat && spec.reuse.is_empty() {
            f.problems.push(format!(
                "{}: there is no heat-reuse exchanger to meter: remove it or add one",
                meter.id
            ));
        }
    }
    if let Some(weather) = &spec.weather {
        f.id(weather);
    }
    f.problems
}

fn loops(spec: &PlantSpec, f: &mut Finder) {
    for l in &spec.loops {
        f.id(&l.id);
        f.positive(
            &l.id,
            &[
                ("volume_l", l.volume_l),
                ("pump_flow_lpm", l.pump_flow_lpm),
                ("pump_head_kpa", l.pump_head_kpa),
                ("pump_kw", l.pump_kw),
                ("default_differential_pressure_kpa", l.default_differential_pressure_kpa),
            ],
        );
        f.within(&l.id, "transport_s", l.transport_s, 0.0, 3600.0);
        f.within(&l.id, "pump_min_speed", l.pump_min_speed, 0.05, 0.95);
        f.within(&l.id, "static_share", l.static_share, 0.0, 0.6);
        if l.pumps == 0 {
            f.problems.push(format!("{}: pumps is 0: write at least 1", l.id));
        }
        let design_flow = design_flow(spec, &l.id);
        if design_flow <= 0.0 {
            f.problems.push(format!(
                "{}: nothing takes water from this loop: add a CDU or an air unit, or remove it",
                l.id
            ));
        }
        // The mixed part must outlast the longest substep at the design flow with something to spare.
        let least = design_flow / 60.0 * (2.0 * l.transport_s + 15.0);
        if l.volume_l < least {
            f.problems.push(format!(
                "{}: volume_l is {:.0}: two pipe runs of transport_s and a header hold at least {least:.0}",
                l.id, l.volume_l
            ));
        }
        let header = header_pressure(spec, &l.id);
        let friction = l.pump_head_kpa * (1.0 - l.static_share);
        if friction < 1.05 * header {
            f.problems.push(format!(
                "{}: pump_head_kpa {:.0} less its static share leaves {friction:.0} kPa for friction, but the CDUs alone take {header:.0}: \
                 write a pump of at least {:.0} kPa",
                l.id, l.pump_head_kpa, 1.05 * header / (1.0 - l.static_share)
            ));
        }
    }
}

/// Flow of all users of a loop at their rated points, L/min.
pub(super) fn design_flow(spec: &PlantSpec, loop_id: &str) -> f64 {
    let cdus = spec
        .cdus
        .iter()
        .filter(|c| c.facility_loop == loop_id)
        .map(|c| c.primary_flow_lpm);
    let air = spec
        .air_units
        .iter()
        .filter(|a| a.facility_loop == loop_id)
        .map(|a| a.water_flow_lpm);
    cdus.chain(air).sum()
}

/// Pressure between a loop's headers at the design flow, kPa: what its most demanding CDU takes.
pub(super) fn header_pressure(spec: &PlantSpec, loop_id: &str) -> f64 {
    let cdus = spec
        .cdus
        .iter()
        .filter(|c| c.facility_loop == loop_id)
        .map(|c| c.primary_pressure_kpa);
    cdus.fold(0.0, f64::max).max(super::air_unit::COIL_KPA)
}

fn rejection(spec: &PlantSpec, known: &BTreeSet<&str>, f: &mut Finder) {
    for r in &spec.rejection {
        f.id(&r.id);
        f.refers(&r.id, "facility_loop", &r.facility_loop, known);
        f.positive(
            &r.id,
            &[
                ("rated_kw", r.rated_kw),
                ("power_kw", r.power_kw),
                ("flow_lpm", r.flow_lpm),
            ],
        );
        f.within(&r.id, "design_ambient_c", r.design_ambient_c, -20.0, 50.0);
        f.within(&r.id, "min_speed", r.min_speed, 0.0, 0.95);
        f.within(&r.id, "default_supply_c", r.default_supply_c, 2.0, 60.0);
        if r.kind != RejectionKind::Chiller {
            f.within(&r.id, "approach_k", r.approach_k, 1.0, 30.0);
        }
        if r.kind == RejectionKind::TowerCell {
            f.within(&r.id, "cycles_of_concentration", r.cycles_of_concentration, 1.1, 20.0);
        }
    }
    for l in &spec.loops {
        if !spec.rejection.iter().any(|r| r.facility_loop == l.id) {
            f.problems.push(format!(
                "{}: nothing rejects this loop's heat: add a tower cell, dry cooler or chiller",
                l.id
            ));
        }
    }
    for r in &spec.reuse {
        f.id(&r.id);
        f.refers(&r.id, "facility_loop", &r.facility_loop, known);
        f.positive(
            &r.id,
            &[("rated_kw", r.rated_kw), ("network_flow_lpm", r.network_flow_lpm)],
        );
        f.within(&r.id, "approach_k", r.approach_k, 0.5, 20.0);
        f.within(&r.id, "min_supply_c", r.min_supply_c, 0.0, 90.0);
        f.within(&r.id, "default_valve", r.default_valve, 0.0, 1.0);
    }
}

fn users(spec: &PlantSpec, known: &BTreeSet<&str>, f: &mut Finder) {
    for a in &spec.air_units {
        f.id(&a.id);
        f.refers(&a.id, "facility_loop", &a.facility_loop, known);
        f.positive(
            &a.id,
            &[
                ("rated_kw", a.rated_kw),
                ("approach_k", a.approach_k),
                ("air_flow_m3_s", a.air_flow_m3_s),
                ("fan_kw", a.fan_kw),
                ("water_flow_lpm", a.water_flow_lpm),
            ],
        );
        f.within(&a.id, "min_speed", a.min_speed, 0.05, 0.95);
        f.within(&a.id, "default_supply_air_c", a.default_supply_air_c, 10.0, 40.0);
        f.within(&a.id, "default_fan_speed", a.default_fan_speed, a.min_speed, 1.0);
    }
    for c in &spec.cdus {
        f.id(&c.id);
        f.refers(&c.id, "facility_loop", &c.facility_loop, known);
        f.positive(
            &c.id,
            &[
                ("rated_kw", c.rated_kw),
                ("approach_k", c.approach_k),
                ("secondary_flow_lpm", c.secondary_flow_lpm),
                ("secondary_pressure_kpa", c.secondary_pressure_kpa),
                ("primary_flow_lpm", c.primary_flow_lpm),
                ("primary_pressure_kpa", c.primary_pressure_kpa),
                ("pump_kw", c.pump_kw),
                ("volume_l", c.volume_l),
                ("default_differential_pressure_kpa", c.default_differential_pressure_kpa),
            ],
        );
        f.within(&c.id, "pump_min_speed", c.pump_min_speed, 0.05, 0.95);
        f.within(&c.id, "default_supply_c", c.default_supply_c, 10.0, 60.0);
        if !spec.racks.iter().any(|r| r.cdu == c.id) {
            f.problems
                .push(format!("{}: no rack names this CDU: add one or remove the CDU", c.id));
        }
    }
}

fn racks(spec: &PlantSpec, f: &mut Finder) {
    let cdus: BTreeSet<&str> = spec.cdus.iter().map(|c| c.id.as_str()).collect();
    for r in &spec.racks {
        f.id(&r.id);
        f.refers(&r.id, "cdu", &r.cdu, &cdus);
        f.positive(
            &r.id,
            &[
                ("rated_kw", r.rated_kw),
                ("flow_lpm", r.flow_lpm),
                ("chip_kw", r.chip_kw),
                ("chip_resistance_k_per_kw", r.chip_resistance_k_per_kw),
            ],
        );
        f.within(&r.id, "liquid_fraction", r.liquid_fraction, 0.05, 1.0);
        f.within(&r.id, "chip_limit_c", r.chip_limit_c, 40.0, 150.0);
    }
}
