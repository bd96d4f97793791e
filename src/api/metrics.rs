//! `/metrics` in the Prometheus text format (version 0.0.4). The families and their help below are the documentation
//! of the names, on which dashboards and alarms rely. A value that is not known, not good or not finite has no sample,
//! so that a graph shows a gap and an alarm on absence works.

use super::view::{EquipmentView, View};
use crate::safety::Level;
use crate::site::{Authority, Band, Site, StrategyKind};
use crate::snapshot::{HeatBand, HeatSource, Severity};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Occurrences of events by severity and code.
pub(super) type EventCounts = BTreeMap<(Severity, String), u64>;

/// The metrics of the latest view; before the first cycle only what is known without one.
pub(super) fn encode(site: &Site, view: Option<&View>, events: &EventCounts) -> String {
    let mut out = Exposition {
        text: String::with_capacity(128 * 1024),
        name: "",
    };
    out.family(
        "isotherm_build_info",
        "gauge",
        "Always 1; the version of the program and the name of the site are labels.",
    );
    out.sample(&[("version", env!("CARGO_PKG_VERSION")), ("site", &site.name)], 1.0);
    limits(&mut out, site);
    out.family(
        "isotherm_events_total",
        "counter",
        "Events since the start, by severity and code.",
    );
    for ((severity, code), count) in events {
        let severity = match severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Alarm => "alarm",
        };
        out.sample(&[("severity", severity), ("code", code)], *count as f64);
    }
    if let Some(view) = view {
        cycle(&mut out, view);
        points(&mut out, site, view);
        setpoints(&mut out, view);
        zones(&mut out, view);
        heat(&mut out, view);
        books(&mut out, site, view);
        edges(&mut out, view);
    }
    out.text
}

/// Text under way; samples belong to the family that was opened last.
struct Exposition {
    text: String,
    name: &'static str,
}

impl Exposition {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        if !value.is_finite() {
            return;
        }
        self.text.push_str(self.name);
        for (index, (label, value)) in labels.iter().enumerate() {
            self.write(format_args!("{}{label}=\"", if index == 0 { '{' } else { ',' }));
            for character in value.chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
        }
        self.write(format_args!("{} {value}\n", if labels.is_empty() { "" } else { "}" }));
    }

    /// A family of one sample without labels.
    fn single(&mut self, name: &'static str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(&[], value);
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        drop(self.text.write_fmt(arguments));
    }
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn limits(out: &mut Exposition, site: &Site) {
    let limits = &site.limits;
    out.family(
        "isotherm_limit",
        "gauge",
        "Limits of the hall by their thresholds, in the unit that ends the name: _c in degC, _k in K.",
    );
    let bands: [(&str, &Band); 5] = [
        ("secondary_supply_c", &limits.secondary_supply_c),
        ("rack_return_c", &limits.rack_return_c),
        ("chip_margin_k", &limits.chip_margin_k),
        ("dew_point_margin_k", &limits.dew_point_margin_k),
        ("room_c", &limits.room_c),
    ];
    for (name, band) in bands {
        for (threshold, value) in [
            ("target", band.target),
            ("critical", band.critical),
            ("trip", band.trip),
        ] {
            out.sample(&[("limit", name), ("threshold", threshold)], value);
        }
    }
}

fn cycle(out: &mut Exposition, view: &View) {
    let pace = &view.pace;
    out.single(
        "isotherm_cycles_total",
        "counter",
        "Cycles completed.",
        view.cycle as f64,
    );
    out.single(
        "isotherm_cycle_age_seconds",
        "gauge",
        "Real time since the last cycle ended.",
        view.age().as_secs_f64(),
    );
    out.single(
        "isotherm_cycle_period_seconds",
        "gauge",
        "Period of the cycle, in plant time.",
        pace.period_s,
    );
    out.single(
        "isotherm_cycle_step_seconds",
        "gauge",
        "Real time that the last step took.",
        pace.step_ms / 1000.0,
    );
    out.single(
        "isotherm_cycle_late_total",
        "counter",
        "Cycles that began more than half a period late.",
        pace.late as f64,
    );
    out.single(
        "isotherm_cycle_overruns_total",
        "counter",
        "Steps that took longer than half a period.",
        pace.overruns as f64,
    );
    out.single(
        "isotherm_speed_ratio",
        "gauge",
        "How much faster than real time the plant's time runs; 1 on a real plant.",
        view.speed,
    );
    out.family(
        "isotherm_strategy",
        "gauge",
        "1 for the strategy whose plan is used, 0 for the others.",
    );
    for kind in [StrategyKind::Fixed, StrategyKind::TrimRespond, StrategyKind::Predictive] {
        out.sample(&[("strategy", kind.name())], flag(kind == view.control.strategy));
    }
}

fn points(out: &mut Exposition, site: &Site, view: &View) {
    let points = || site.points.iter().zip(&view.readings);
    out.family(
        "isotherm_point",
        "gauge",
        "Last reading of a point, where it is good, in its canonical unit.",
    );
    for (spec, reading) in points() {
        if let Some(value) = reading.as_ref().and_then(super::ReadingView::good) {
            out.sample(&[("tag", &spec.tag), ("unit", spec.unit.symbol())], value);
        }
    }
    out.family(
        "isotherm_point_quality",
        "gauge",
        "Quality of a point's last reading: 0 never reported, 1 stale, 2 bad, 3 good.",
    );
    for (spec, reading) in points() {
        let quality = match reading.as_ref().map(|reading| reading.quality) {
            None => 0.0,
            Some("stale") => 1.0,
            Some("good") => 3.0,
            Some(_) => 2.0,
        };
        out.sample(&[("tag", &spec.tag)], quality);
    }
}

/// Every equipment in the view.
fn equipment(view: &View) -> impl Iterator<Item = &EquipmentView> {
    let units = view
        .loops
        .iter()
        .chain(&view.rejection)
        .chain(&view.reuse)
        .chain(&view.air_units);
    units
        .chain(view.cdus.iter().map(|cdu| &cdu.equipment))
        .chain(view.racks.iter().map(|rack| &rack.equipment))
}

fn setpoints(out: &mut Exposition, view: &View) {
    let all = || {
        let all = equipment(view).flat_map(|equipment| {
            equipment
                .setpoints
                .iter()
                .map(move |(quantity, set)| (format!("{}.{quantity}", equipment.name), set))
        });
        all.filter(|(tag, _)| !tag.ends_with(".heartbeat"))
    };
    out.family(
        "isotherm_setpoint",
        "gauge",
        "Commanded setpoint of a point in its canonical unit; none where nothing is commanded.",
    );
    for (tag, set) in all() {
        if let Some(value) = set.commanded {
            out.sample(&[("tag", &tag)], value);
        }
    }
    out.family(
        "isotherm_setpoint_planned",
        "gauge",
        "Setpoint that the strategy wants.",
    );
    for (tag, set) in all() {
        if let Some(value) = set.planned {
            out.sample(&[("tag", &tag)], value);
        }
    }
    out.family(
        "isotherm_setpoint_owner",
        "gauge",
        "Always 1; the label tells who stands behind the commanded setpoint: strategy, operator, safety or release.",
    );
    for (tag, set) in all() {
        if let Some(owner) = &set.owner {
            out.sample(&[("tag", &tag), ("owner", owner.kind)], 1.0);
        }
    }
}

fn zones(out: &mut Exposition, view: &View) {
    out.family(
        "isotherm_zone_level",
        "gauge",
        "Level of caution of a zone: 0 normal, 1 guarded, 2 critical, 3 failsafe.",
    );
    for zone in &view.zones {
        let level = match zone.level {
            Level::Normal => 0.0,
            Level::Guarded => 1.0,
            Level::Critical => 2.0,
            Level::Failsafe => 3.0,
        };
        out.sample(&[("zone", &zone.name)], level);
    }
    let rank = |authority| match authority {
        Authority::Observe => 0.0,
        Authority::Advise => 1.0,
        Authority::Bounded => 2.0,
        Authority::Full => 3.0,
    };
    out.family(
        "isotherm_zone_authority",
        "gauge",
        "Authority in force in a zone: 0 observe, 1 advise, 2 bounded, 3 full.",
    );
    for zone in &view.zones {
        out.sample(&[("zone", &zone.name)], rank(zone.authority));
    }
    out.family(
        "isotherm_zone_authority_wanted",
        "gauge",
        "Authority asked for in a zone, on the same scale.",
    );
    for zone in &view.zones {
        out.sample(&[("zone", &zone.name)], rank(zone.wanted));
    }
}

fn heat(out: &mut Exposition, view: &View) {
    let cdus = view.cdus.iter().map(|cdu| (cdu.equipment.name.as_str(), &cdu.heat));
    let racks = view.racks.iter().map(|rack| (rack.equipment.name.as_str(), &rack.heat));
    let bands: Vec<(&str, &HeatBand)> = cdus.chain(racks).collect();
    out.family(
        "isotherm_heat_kilowatts",
        "gauge",
        "Heat of a CDU or rack into the liquid, now.",
    );
    for (name, band) in &bands {
        out.sample(&[("equipment", name)], band.now_kw);
    }
    let horizons = view.forecast.horizons_s.map(|seconds| seconds.to_string());
    let mut ahead = |name, help, values: fn(&HeatBand) -> &[f64]| {
        out.family(name, "gauge", help);
        for (equipment, band) in &bands {
            for (horizon, value) in horizons.iter().zip(values(band)) {
                out.sample(&[("equipment", equipment), ("horizon_s", horizon)], *value);
            }
        }
    };
    ahead(
        "isotherm_heat_forecast_mean_kilowatts",
        "Heat expected at a horizon.",
        |band| &band.mean_kw,
    );
    ahead(
        "isotherm_heat_forecast_upper_kilowatts",
        "Upper bound of the heat at a horizon.",
        |band| &band.upper_kw,
    );
    out.family(
        "isotherm_forecast_source",
        "gauge",
        "1 for what the forecast was made from, 0 for the others.",
    );
    for (name, source) in [
        ("queue", HeatSource::Queue),
        ("rack_power", HeatSource::RackPower),
        ("feedback", HeatSource::Feedback),
    ] {
        out.sample(&[("source", name)], flag(source == view.forecast.source));
    }
}

fn books(out: &mut Exposition, site: &Site, view: &View) {
    let account = &view.books.account;
    let currency = [("currency", site.currency.as_str())];
    out.single(
        "isotherm_it_power_kilowatts",
        "gauge",
        "Power of the IT equipment.",
        account.it_kw,
    );
    out.single(
        "isotherm_cooling_power_kilowatts",
        "gauge",
        "Power of the cooling equipment.",
        account.cooling_kw,
    );
    out.single(
        "isotherm_reused_heat_kilowatts",
        "gauge",
        "Heat handed to the network.",
        account.reused_kw,
    );
    out.single(
        "isotherm_co2e_kilograms_per_hour",
        "gauge",
        "Carbon of the electricity, location-based.",
        account.co2e_kg_per_h,
    );
    out.family(
        "isotherm_cost_per_hour",
        "gauge",
        "Cost of electricity, water and waste water, less heat sold.",
    );
    out.sample(&currency, account.cost_per_h);

    let total = &account.total;
    out.family(
        "isotherm_energy_kilowatt_hours_total",
        "counter",
        "Energy since the ledger began, by use.",
    );
    for (name, value) in [
        ("it", total.it_kwh),
        ("site", total.site_kwh),
        ("cooling", total.cooling_kwh),
        ("renewable", total.renewable_kwh),
        ("reused_heat", total.reused_kwh),
    ] {
        out.sample(&[("use", name)], value);
    }
    out.family(
        "isotherm_cooling_energy_kilowatt_hours_total",
        "counter",
        "Energy of the cooling equipment since the ledger began.",
    );
    for (equipment, value) in &total.cooling_kwh_by_equipment {
        out.sample(&[("equipment", equipment)], *value);
    }
    out.family(
        "isotherm_water_litres_total",
        "counter",
        "Water since the ledger began, by path.",
    );
    for (path, value) in [
        ("evaporation", total.evaporation_l),
        ("drift", total.drift_l),
        ("blowdown", total.blowdown_l),
        ("makeup", total.makeup_l),
    ] {
        out.sample(&[("path", path)], value);
    }
    out.single(
        "isotherm_co2e_kilograms_total",
        "counter",
        "Carbon of the electricity since the ledger began, location-based.",
        total.co2e_kg,
    );
    out.family(
        "isotherm_cost",
        "gauge",
        "Cost since the ledger began; falls while more heat is sold than is spent.",
    );
    for (name, value) in [("cooling", total.cooling_cost), ("all", total.cost)] {
        out.sample(&[("of", name), currency[0]], value);
    }
    out.single(
        "isotherm_ledger_seconds_total",
        "counter",
        "Time that the ledger covers.",
        total.covered_s,
    );
    out.single(
        "isotherm_ledger_estimated_seconds_total",
        "counter",
        "Of it, time that rests on estimates in place of a meter.",
        total.estimated_s,
    );
    indicators(out, view);
}

fn indicators(out: &mut Exposition, view: &View) {
    let mut indicator = |name, help, value: fn(&crate::ledger::Indicators) -> Option<f64>| {
        out.family(name, "gauge", help);
        for (period, _, indicators) in view.books.periods() {
            if let Some(value) = value(indicators) {
                out.sample(&[("period", period)], value);
            }
        }
    };
    indicator(
        "isotherm_pue",
        "Power usage effectiveness (ISO/IEC 30134-2), from the counters of the period.",
        |i| i.pue,
    );
    indicator("isotherm_ref", "Renewable energy factor (ISO/IEC 30134-3).", |i| {
        i.r#ref
    });
    indicator("isotherm_erf", "Energy reuse factor (ISO/IEC 30134-6).", |i| i.erf);
    indicator(
        "isotherm_cue_kilograms_per_kilowatt_hour",
        "Carbon usage effectiveness (ISO/IEC 30134-8).",
        |i| i.cue_kg_per_kwh,
    );
    indicator(
        "isotherm_wue_litres_per_kilowatt_hour",
        "Water usage effectiveness (ISO/IEC 30134-9).",
        |i| i.wue_l_per_kwh,
    );
}

fn edges(out: &mut Exposition, view: &View) {
    let jobs = &view.jobs;
    out.family("isotherm_jobs", "gauge", "Jobs in the queue by state.");
    for (state, count) in [
        ("running", jobs.running),
        ("starting", jobs.starting),
        ("pending", jobs.pending),
    ] {
        out.sample(&[("state", state)], count as f64);
    }
    out.family(
        "isotherm_queue_age_seconds",
        "gauge",
        "Age of the job queue, in plant time; none where no feed ever answered.",
    );
    if let Some(age_s) = jobs.age_s {
        out.sample(&[], age_s);
    }
    out.family("isotherm_device_connected", "gauge", "Whether a device's link stands.");
    for device in &view.devices {
        out.sample(&[("device", &device.id)], flag(device.connected));
    }
    out.family(
        "isotherm_device_age_seconds",
        "gauge",
        "Plant time since a device last answered.",
    );
    for device in &view.devices {
        if let Some(age_s) = device.age_s {
            out.sample(&[("device", &device.id)], age_s);
        }
    }
    out.family(
        "isotherm_device_errors_total",
        "counter",
        "Failures of a device's link since the start.",
    );
    for device in &view.devices {
        out.sample(&[("device", &device.id)], device.errors as f64);
    }
    let store = &view.store;
    out.single(
        "isotherm_store_ok",
        "gauge",
        "Whether the local record is being written.",
        flag(store.state == "ok"),
    );
    out.single(
        "isotherm_store_segments",
        "gauge",
        "Segments of the local record.",
        store.segments as f64,
    );
    out.single(
        "isotherm_store_bytes",
        "gauge",
        "Size of the local record.",
        store.bytes as f64,
    );
}
