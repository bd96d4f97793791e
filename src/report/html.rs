//! The report as one page of HTML that needs nothing else: it can be mailed, printed and kept.

use super::svg::{Bars, line, stacks};
use super::{Part, Report, Saving};
use crate::ledger::{Amounts, Totals};
use std::fmt::Write as _;

const STYLE: &str = "
body{font:14px/1.45 system-ui,sans-serif;color:#1b2530;max-width:900px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin:0}h2{font-size:1.1em;margin:1.8em 0 .4em;border-bottom:1px solid #ccd4dc}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{padding:.15em .6em;text-align:right;border-bottom:1px solid #eef1f4;vertical-align:top}
td:first-child,th:first-child,.w{text-align:left}th{font-weight:600}
.bad{color:#b3261e;font-weight:600}.note{color:#5a6875}svg{width:100%;height:auto}
svg .t{font:600 12px sans-serif}svg .n{font:10px sans-serif;text-anchor:end}svg .l{font:10px sans-serif;text-anchor:middle}
svg .k{font:10px sans-serif}svg .g{stroke:#e3e8ed}
@media print{h2{break-after:avoid}table,svg{break-inside:avoid}.page{break-before:page}}";

/// The report as HTML.
pub fn html(report: &Report) -> String {
    let mut page = Page(String::with_capacity(64 * 1024));
    let period = &report.period;
    let title = format!("{}: {}", report.site, period.name);
    page.put(&format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{0}</title><style>{STYLE}</style><h1>{0}</h1>",
        escape(&title)
    ));
    page.put(&format!(
        "<p>{} to {}{}. Books cover {:.2} % of the period; {:.2} % of that rests on estimates in place of a meter. {}.</p>",
        period.from,
        period.to,
        if period.interim { ", <b>interim</b>" } else { "" },
        100.0 * report.coverage,
        100.0 * report.estimated,
        escape(&report.interval)
    ));
    charts(&mut page, report);
    indicators(&mut page, report);
    balance(&mut page, report);
    water_heat_carbon(&mut page, report);
    savings(&mut page, report);
    disclosure(&mut page, report);
    shares(&mut page, report);
    counters(&mut page, report);
    page.put("<h2>Notes</h2><ul>");
    for note in &report.notes {
        page.put(&format!("<li>{}</li>", escape(note)));
    }
    page.put(&format!(
        "</ul><p class=\"note\">Isotherm {}, configuration {}</p></html>\n",
        report.version,
        report.configuration.get(..16).unwrap_or(&report.configuration)
    ));
    page.0
}

fn charts(page: &mut Page, report: &Report) {
    let labels: Vec<&str> = report.parts.iter().map(|part| part.name.as_str()).collect();
    let of = |value: fn(&Totals) -> f64| report.parts.iter().map(|part| value(&part.totals)).collect::<Vec<_>>();
    let ratio = |value: fn(&Part) -> Option<f64>| report.parts.iter().map(value).collect::<Vec<_>>();
    let bars = |name, colour, values| Bars { name, colour, values };
    page.put(&stacks(
        "Electricity",
        "kWh",
        &labels,
        &[
            bars("IT", "#3b6ea5", of(|t| t.it_kwh)),
            bars("cooling", "#58a98f", of(|t| t.cooling_kwh)),
            bars("other", "#b8c2cc", of(Totals::other_kwh)),
        ],
    ));
    page.put(&line(
        "PUE",
        "interim",
        &labels,
        "#3b6ea5",
        &ratio(|part| part.indicators.pue),
    ));
    page.put(&stacks(
        "Water",
        "L",
        &labels,
        &[
            bars("evaporation", "#6fa8dc", of(|t| t.evaporation_l)),
            bars("blowdown", "#8d7b68", of(|t| t.blowdown_l)),
            bars("drift", "#b8c2cc", of(|t| t.drift_l)),
        ],
    ));
    page.put(&stacks(
        "Heat handed over",
        "kWh",
        &labels,
        &[bars("reused", "#d08c4a", of(|t| t.reused_kwh))],
    ));
    page.put(&stacks(
        "Money",
        &report.currency,
        &labels,
        &[
            bars("electricity", "#7d6aa8", of(|t| t.energy_cost)),
            bars("water", "#6fa8dc", of(|t| t.water_cost)),
            bars("heat sold", "#d08c4a", of(|t| -t.heat_income)),
        ],
    ));
}

fn indicators(page: &mut Page, report: &Report) {
    page.head(
        "Indicators",
        &["indicator", "value", "made of", "standard", "category", "estimated"],
    );
    for row in &report.indicators {
        let setting = &row.setting;
        let value = row
            .value
            .map_or("not known".to_owned(), |value| format!("{value:.4} {}", setting.unit));
        page.row(&[
            format!("{} ({})", setting.name, setting.key),
            value,
            format!("{} = {:.1} / {:.1}", setting.formula, row.counters[0], row.counters[1]),
            setting.edition.to_owned(),
            setting.category.map_or(String::new(), |category| category.to_string()),
            format!("{:.1} %", 100.0 * row.estimated),
        ]);
    }
    page.end();
    if !report.verdicts.is_empty() {
        page.head("Thresholds", &["indicator", "limit", "from", "source", "verdict"]);
        for row in &report.verdicts {
            let cells = [&row.indicator, &row.limit, &row.from, &row.source, &row.verdict];
            page.row(&cells.map(Clone::clone));
        }
        page.end();
    }
}

fn balance(page: &mut Page, report: &Report) {
    page.put("<div class=\"page\"></div>");
    page.head("Energy balance", &["", "kWh", "share", "from"]);
    let whole = report.totals.site_kwh.max(f64::MIN_POSITIVE);
    for row in &report.balance {
        page.row(&[
            format!("{}: {}", row.side, row.name),
            format!("{:.1}", row.kwh),
            format!("{:.2} %", 100.0 * row.kwh / whole),
            row.from.to_owned(),
        ]);
    }
    page.end();
    page.head(
        "Closing errors",
        &["what", "meter", "beside", "", "error", "may be", ""],
    );
    for row in &report.closings {
        page.row(&[
            row.name.clone(),
            format!("{:.2}", row.meter),
            format!("{:.2}", row.beside),
            row.unit.to_owned(),
            format!("{:.4} %", 100.0 * row.error),
            format!("{:.1} %", 100.0 * row.tolerance),
            if row.closes {
                "closes".to_owned()
            } else {
                "does not close".to_owned()
            },
        ]);
    }
    page.end();
    page.head("Energy by equipment and zone", &["equipment", "kWh"]);
    for (name, kwh) in &report.equipment {
        page.row(&[name.clone(), format!("{kwh:.1}")]);
    }
    for (name, zone) in &report.zones {
        page.row(&[format!("zone {name}: cooling"), format!("{:.1}", zone.cooling_kwh)]);
        page.row(&[format!("zone {name}: IT"), format!("{:.1}", zone.it_kwh)]);
    }
    page.end();
}

fn water_heat_carbon(page: &mut Page, report: &Report) {
    let t = &report.totals;
    let known =
        |value: Option<f64>, unit: &str| value.map_or("not known".to_owned(), |value| format!("{value:.2} {unit}"));
    let stated = |kwh: f64, kg: f64| {
        if kwh > 0.0 {
            format!(
                "{kg:.1} kg over {:.1} % of the energy",
                100.0 * kwh / t.site_kwh.max(f64::MIN_POSITIVE)
            )
        } else {
            "not stated".to_owned()
        }
    };
    page.head("Water, heat, carbon, money", &["", ""]);
    for (name, value) in [
        ("make-up", format!("{:.0} L", t.makeup_l)),
        ("of it potable", format!("{:.0} L", t.makeup_l - t.reclaimed_l)),
        ("of it reclaimed", format!("{:.0} L", t.reclaimed_l)),
        ("evaporation", format!("{:.0} L", t.evaporation_l)),
        ("blowdown", format!("{:.0} L", t.blowdown_l)),
        ("drift", format!("{:.0} L", t.drift_l)),
        (
            "cycles of concentration by counters",
            known(report.cycles_of_concentration[0], ""),
        ),
        (
            "cycles of concentration by conductivity",
            known(report.cycles_of_concentration[1], ""),
        ),
        ("heat handed over", format!("{:.1} kWh", t.reused_kwh)),
        ("its temperature, by energy", known(report.reused_c, "degC")),
        ("carbon, location-based", format!("{:.1} kg", t.co2e_kg)),
        ("carbon, market-based", stated(t.market_kwh, t.co2e_market_kg)),
        ("carbon at the margin", stated(t.marginal_kwh, t.co2e_marginal_kg)),
        ("electricity", format!("{:.2} {}", t.energy_cost, report.currency)),
        (
            "energy at prices below zero",
            format!("{:.1} kWh", t.negative_price_kwh),
        ),
        (
            "water and waste water",
            format!("{:.2} {}", t.water_cost, report.currency),
        ),
        ("heat sold", format!("{:.2} {}", t.heat_income, report.currency)),
        ("cost", format!("{:.2} {}", t.cost, report.currency)),
    ] {
        page.row(&[name.to_owned(), value]);
    }
    page.end();
}

fn savings(page: &mut Page, report: &Report) {
    let Some(savings) = &report.savings else { return };
    let title = format!(
        "Savings of cooling energy, {} of {} days count, intervals at {:.0} %",
        savings.counted,
        savings.days.len(),
        100.0 * savings.confidence
    );
    let [fixed, trim] = savings.baselines.map(|name| format!("saved against {name}, kWh"));
    page.head(
        &title,
        &[
            "day",
            "hours",
            "metered kWh",
            "CV(RMSE)",
            "NMBE",
            &fixed,
            &trim,
            "counts",
        ],
    );
    let interval = |saving: &Saving| format!("{:.0} +- {:.0}", saving.saved_kwh, saving.plus_minus_kwh);
    for day in &savings.days {
        let [fixed, trim] = &day.savings;
        page.row(&[
            day.date.clone(),
            day.hours.to_string(),
            format!("{:.0}", day.metered_kwh),
            format!("{:.1} %", 100.0 * day.cv_rmse),
            format!("{:.1} %", 100.0 * day.nmbe),
            interval(fixed),
            interval(trim),
            if day.counts { "yes" } else { "no" }.to_owned(),
        ]);
    }
    let [fixed, trim] = &savings.total;
    let none = String::new;
    page.row(&[
        "days that count".to_owned(),
        none(),
        none(),
        none(),
        none(),
        interval(fixed),
        interval(trim),
        none(),
    ]);
    page.end();
    page.put("<p class=\"note\">By a model identified on telemetry, in the manner of ASHRAE Guideline 14 and IPMVP option D.</p>");
}

fn disclosure(page: &mut Page, report: &Report) {
    page.head(
        "Delegated Regulation (EU) 2024/1364",
        &["annex", "symbol", "field", "value", "unit", "from"],
    );
    for field in &report.disclosure {
        let value = if field.value.is_empty() {
            "not stated"
        } else {
            &field.value
        };
        page.row(&[field.annex, field.symbol, field.name, value, field.unit, field.from].map(str::to_owned));
    }
    page.end();
}

fn shares(page: &mut Page, report: &Report) {
    let columns = [
        "IT kWh",
        "cooling kWh",
        "other kWh",
        "water L",
        "reused kWh",
        "CO2e kg",
        report.currency.as_str(),
    ];
    let cells = |name: String, used: &Amounts| {
        let mut cells = vec![name];
        cells.extend(
            [
                used.it_kwh,
                used.cooling_kwh,
                used.other_kwh,
                used.water_l,
                used.reused_kwh,
                used.co2e_kg,
                used.cost,
            ]
            .map(|value| format!("{value:.1}")),
        );
        cells
    };
    for (what, sums) in [
        ("Tenants", &report.tenants),
        ("Users", &report.users),
        ("Racks", &report.racks),
    ] {
        page.head(what, &[&[""][..], &columns[..]].concat());
        for (name, used) in sums {
            page.row(&cells(name.clone(), used));
        }
        if what == "Tenants" {
            page.row(&cells("idle: GPUs without a job".to_owned(), &report.idle));
        }
        page.end();
    }
    let title = format!("Jobs: the {} dearest of {}", report.jobs.len(), report.job_count);
    page.head(&title, &[&[""][..], &columns[..]].concat());
    for job in &report.jobs {
        page.row(&cells(format!("{} ({}, {})", job.id, job.user, job.tenant), &job.used));
    }
    page.end();
}

fn counters(page: &mut Page, report: &Report) {
    page.head("Counters", &["counter", "value", "unit", "meaning"]);
    for counter in &report.counters {
        let unit = if counter.unit.is_empty() {
            &report.currency
        } else {
            counter.unit
        };
        page.row(&[
            counter.name.to_owned(),
            format!("{:.2}", counter.value),
            unit.to_owned(),
            counter.meaning.to_owned(),
        ]);
    }
    page.end();
    page.head("Meters", &["meter", "role", "class"]);
    for meter in &report.meters {
        page.row(&[
            meter.name.clone(),
            meter.role.clone(),
            format!("{:.1} %", 100.0 * meter.class),
        ]);
    }
    page.end();
}

struct Page(String);

impl Page {
    fn put(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn head(&mut self, title: &str, columns: &[&str]) {
        // Writing to a String cannot fail.
        let _infallible = write!(self.0, "<h2>{}</h2><table><tr>", escape(title));
        for column in columns {
            let _infallible = write!(self.0, "<th>{}</th>", escape(column));
        }
        self.put("</tr>");
    }

    fn row(&mut self, cells: &[String]) {
        self.put("<tr>");
        for cell in cells {
            let class = if cell == "does not close" || cell == "missed" {
                " class=\"bad\""
            } else {
                ""
            };
            let _infallible = write!(self.0, "<td{class}>{}</td>", escape(cell));
        }
        self.put("</tr>");
    }

    fn end(&mut self) {
        self.put("</table>");
    }
}

/// Text as text: names of jobs, users and tenants are foreign.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
