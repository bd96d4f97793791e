//! The report for a terminal.

use super::Report;
use std::fmt::Write as _;

/// The report as text.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _infallible = write(report, &mut out);
    out
}

fn write(report: &Report, out: &mut String) -> std::fmt::Result {
    let period = &report.period;
    let interim = if period.interim {
        ", interim (indicators are defined over twelve months)"
    } else {
        ""
    };
    writeln!(out, "{}: {} to {}{interim}", report.site, period.from, period.to)?;
    writeln!(
        out,
        "covered {:.2} %, of it estimated {:.2} %; {}",
        100.0 * report.coverage,
        100.0 * report.estimated,
        report.interval
    )?;
    writeln!(
        out,
        "\n{:<10} {:>6} {:>11} {:>11} {:>10} {:>6} {:>6} {:>6} {:>6} {:>6} {:>10} {:>10} {:>10} {:>11}",
        "",
        "cover",
        "IT kWh",
        "site kWh",
        "cool kWh",
        "PUE",
        "WUE",
        "ERF",
        "REF",
        "CUE",
        "water L",
        "reuse kWh",
        "CO2e kg",
        report.currency
    )?;
    let ratio = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    for part in &report.parts {
        let (totals, ratios) = (&part.totals, &part.indicators);
        writeln!(
            out,
            "{:<10} {:>5.1}% {:>11.1} {:>11.1} {:>10.1} {:>6} {:>6} {:>6} {:>6} {:>6} {:>10.0} {:>10.1} {:>10.1} {:>11.2}",
            part.name,
            100.0 * part.coverage,
            totals.it_kwh,
            totals.site_kwh,
            totals.cooling_kwh,
            ratio(ratios.pue),
            ratio(ratios.wue_l_per_kwh),
            ratio(ratios.erf),
            ratio(ratios.r#ref),
            ratio(ratios.cue_kg_per_kwh),
            totals.makeup_l,
            totals.reused_kwh,
            totals.co2e_kg,
            totals.cost,
        )?;
    }
    indicators(report, out)?;
    checks(report, out)?;
    savings(report, out)?;
    shares(report, out)?;
    for note in &report.notes {
        writeln!(out, "\n{note}")?;
    }
    Ok(())
}

fn indicators(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out)?;
    for row in &report.indicators {
        let value = row.value.map_or("not known".to_owned(), |value| {
            format!("{value:.4} {}", row.setting.unit)
        });
        let category = row
            .setting
            .category
            .map_or(String::new(), |category| format!(", category {category}"));
        writeln!(
            out,
            "{:<12} {value:<18} {} = {:.1} / {:.1}; {}{category}; estimated {:.1} %",
            row.setting.key,
            row.setting.formula,
            row.counters[0],
            row.counters[1],
            row.setting.edition,
            100.0 * row.estimated
        )?;
    }
    writeln!(out)?;
    for row in &report.verdicts {
        writeln!(
            out,
            "{} {} from {} ({}): {}",
            row.indicator, row.limit, row.from, row.source, row.verdict
        )?;
    }
    Ok(())
}

fn checks(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nenergy balance, kWh")?;
    for row in &report.balance {
        writeln!(out, "  {:<4}{:<40} {:>14.1}  {}", row.side, row.name, row.kwh, row.from)?;
    }
    writeln!(out, "\nclosing errors")?;
    for row in &report.closings {
        writeln!(
            out,
            "  {:<58} {:>14.2} {:>14.2} {:<4} {:>9.4} %  {}",
            row.name,
            row.meter,
            row.beside,
            row.unit,
            100.0 * row.error,
            if row.closes { "closes" } else { "DOES NOT CLOSE" }
        )?;
    }
    Ok(())
}

fn shares(report: &Report, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "\n{:<16} {:>12} {:>11} {:>11} {:>11} {:>11} {:>11}",
        "tenant", "IT kWh", "cool kWh", "water L", "reuse kWh", "CO2e kg", report.currency
    )?;
    let tenants = report.tenants.iter().map(|(name, used)| (name.as_str(), used));
    for (name, used) in tenants.chain([("idle", &report.idle)]) {
        writeln!(
            out,
            "{name:<16} {:>12.1} {:>11.1} {:>11.0} {:>11.1} {:>11.1} {:>11.2}",
            used.it_kwh, used.cooling_kwh, used.water_l, used.reused_kwh, used.co2e_kg, used.cost
        )?;
    }
    Ok(())
}

fn savings(report: &Report, out: &mut String) -> std::fmt::Result {
    let Some(savings) = &report.savings else { return Ok(()) };
    writeln!(
        out,
        "\nsavings of cooling energy at {:.0} % confidence, {} of {} days count (CV(RMSE) <= 30 %, NMBE <= 10 %)",
        100.0 * savings.confidence,
        savings.counted,
        savings.days.len()
    )?;
    for (name, sum) in savings.baselines.iter().zip(&savings.total) {
        writeln!(
            out,
            "  against {name:<13} {:>12.0} kWh +- {:.0} of {:.0} kWh ({:.1} %)",
            sum.saved_kwh,
            sum.plus_minus_kwh,
            sum.baseline_kwh,
            100.0 * sum.saved_kwh / sum.baseline_kwh.max(f64::MIN_POSITIVE)
        )?;
    }
    Ok(())
}
