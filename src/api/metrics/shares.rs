//! Indicators beyond the first few, carbon by method, and what tenants used.

use super::exposition::Exposition;
use crate::api::view::View;
use crate::site::Site;

pub(super) fn shares(out: &mut Exposition<'_>, site: &Site, view: &View) {
    let account = &view.books.account;
    let currency = site.currency.as_str();
    out.family(
        "isotherm_indicator",
        "gauge",
        "Indicators of a period by key, from its counters: interim values, in the unit of their standard.",
    );
    for (period, _, values) in view.books.periods() {
        for (key, value) in [
            ("pue", values.pue),
            ("ppue_cooling", values.ppue_cooling),
            ("itue", values.itue),
            ("tue", values.tue),
            ("ref", values.r#ref),
            ("erf", values.erf),
            ("ere", values.ere),
            ("cer", values.cer),
            ("cue", values.cue_kg_per_kwh),
            ("cue_market", values.cue_market_kg_per_kwh),
            ("wue", values.wue_l_per_kwh),
            ("wue_source", values.wue_source_l_per_kwh),
            ("green_metric", values.green_metric),
        ] {
            if let Some(value) = value {
                out.sample(&[("indicator", key), ("period", period)], value);
            }
        }
    }
    let total = &account.total;
    out.family(
        "isotherm_carbon_kilograms_total",
        "counter",
        "Carbon of the electricity since the ledger began, by method; a method whose intensity is not known stays at 0.",
    );
    for (method, value) in [
        ("location", total.co2e_kg),
        ("market", total.co2e_market_kg),
        ("marginal", total.co2e_marginal_kg),
    ] {
        out.sample(&[("method", method)], value);
    }
    out.family(
        "isotherm_energy_price_per_kilowatt_hour",
        "gauge",
        "Price of electricity now.",
    );
    out.sample(&[("currency", currency)], account.price_per_kwh);
    out.single(
        "isotherm_carbon_intensity_grams_per_kilowatt_hour",
        "gauge",
        "Average carbon intensity of the grid now.",
        account.carbon_g_per_kwh,
    );
    out.family(
        "isotherm_tenant_energy_kilowatt_hours_total",
        "counter",
        "Energy that a tenant has used, by use; `(idle)` is what fell on GPUs without a job.",
    );
    for (tenant, used) in &account.tenants {
        for (name, value) in [
            ("it", used.it_kwh),
            ("cooling", used.cooling_kwh),
            ("other", used.other_kwh),
        ] {
            out.sample(&[("tenant", tenant), ("use", name)], value);
        }
    }
    out.family(
        "isotherm_tenant_carbon_kilograms_total",
        "counter",
        "Carbon of a tenant, location-based.",
    );
    for (tenant, used) in &account.tenants {
        out.sample(&[("tenant", tenant)], used.co2e_kg);
    }
    out.family("isotherm_tenant_water_litres_total", "counter", "Water of a tenant.");
    for (tenant, used) in &account.tenants {
        out.sample(&[("tenant", tenant)], used.water_l);
    }
    out.family(
        "isotherm_tenant_cost",
        "gauge",
        "Cost of a tenant: electricity and water, less heat sold.",
    );
    for (tenant, used) in &account.tenants {
        out.sample(&[("tenant", tenant), ("currency", currency)], used.cost);
    }
}
