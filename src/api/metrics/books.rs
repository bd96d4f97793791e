//! Energy, water, heat, carbon and cost.

use super::exposition::Exposition;
use crate::api::view::View;
use crate::ledger::Indicators;
use crate::site::Site;

pub(super) fn books(out: &mut Exposition<'_>, site: &Site, view: &View) {
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
    for (equipment, value) in crate::ledger::cooling_equipment(site).zip(&total.cooling_kwh_by_equipment) {
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

fn indicators(out: &mut Exposition<'_>, view: &View) {
    let mut indicator = |name, help, value: fn(&Indicators) -> Option<f64>| {
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
