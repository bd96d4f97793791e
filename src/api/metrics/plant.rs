//! The plant and what control does with it: limits, points, setpoints, zones, heat and its forecast.

use super::exposition::{Exposition, flag};
use crate::api::view::{EquipmentView, ReadingView, View};
use crate::safety::Level;
use crate::site::{Authority, Band, Site};
use crate::snapshot::{Guard, HeatBand, HeatSource};

pub(super) fn limits(out: &mut Exposition<'_>, site: &Site) {
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

pub(super) fn points(out: &mut Exposition<'_>, site: &Site, view: &View) {
    let points = || site.points.iter().zip(&view.readings);
    out.family(
        "isotherm_point",
        "gauge",
        "Last reading of a point, where it is good, in its canonical unit.",
    );
    for (spec, reading) in points() {
        if let Some(value) = reading.as_ref().and_then(ReadingView::good) {
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

pub(super) fn setpoints(out: &mut Exposition<'_>, view: &View) {
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

pub(super) fn zones(out: &mut Exposition<'_>, view: &View) {
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

/// The hall as a whole.
pub(super) fn hall(out: &mut Exposition<'_>, view: &View) {
    let sum = |of: &dyn Fn(&HeatBand) -> f64| view.cdus.iter().map(|cdu| of(&cdu.heat)).sum::<f64>();
    out.single(
        "isotherm_hall_heat_kilowatts",
        "gauge",
        "Heat of all CDUs into the liquid, now.",
        sum(&|band| band.now_kw),
    );
    let horizons = view.forecast.horizons_s.map(|seconds| seconds.to_string());
    out.family(
        "isotherm_hall_heat_forecast_mean_kilowatts",
        "gauge",
        "Heat of all CDUs expected at a horizon.",
    );
    for (index, horizon) in horizons.iter().enumerate() {
        let mean = |band: &HeatBand| band.mean_kw.get(index).copied().unwrap_or(f64::NAN);
        out.sample(&[("horizon_s", horizon)], sum(&mean));
    }
    out.family(
        "isotherm_hall_heat_forecast_upper_kilowatts",
        "gauge",
        "Sum of the CDUs' upper bounds at a horizon.",
    );
    for (index, horizon) in horizons.iter().enumerate() {
        let upper = |band: &HeatBand| band.upper_kw.get(index).copied().unwrap_or(f64::NAN);
        out.sample(&[("horizon_s", horizon)], sum(&upper));
    }
    let margins = view.cdus.iter().filter_map(|cdu| cdu.worst_margin_k);
    out.single(
        "isotherm_hall_chip_margin_kelvin",
        "gauge",
        "Smallest good chip margin of the hall.",
        margins.min_by(f64::total_cmp).unwrap_or(f64::NAN),
    );
    let supplies = view.cdus.iter();
    let supplies = supplies.filter_map(|cdu| cdu.equipment.good("secondary_supply_temperature"));
    out.single(
        "isotherm_hall_warmest_supply_celsius",
        "gauge",
        "Warmest good coolant supply of the CDUs.",
        supplies.max_by(f64::total_cmp).unwrap_or(f64::NAN),
    );
}

pub(super) fn heat(out: &mut Exposition<'_>, view: &View) {
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
        "isotherm_heat_forecast_lower_kilowatts",
        "Lower bound of the heat at a horizon.",
        |band| &band.lower_kw,
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
    out.family(
        "isotherm_forecast_guard",
        "gauge",
        "1 where a guard keeps the forecast a step down, 0 where not.",
    );
    for guard in Guard::ALL {
        let tripped = view.forecast.demotions.iter().any(|demotion| demotion.guard == guard);
        out.sample(&[("guard", guard.name())], flag(tripped));
    }
    out.family(
        "isotherm_forecast_covered_ratio",
        "gauge",
        "Share of the readings of late that the interval of CDUs covered.",
    );
    for (horizon, covered) in horizons.iter().zip(view.forecast.covered) {
        if let Some(covered) = covered {
            out.sample(&[("horizon_s", horizon)], covered);
        }
    }
}
