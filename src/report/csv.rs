//! One tidy table: section, name, quantity, value, unit, note. For spreadsheets and for checks by other programs.

use super::Report;
use crate::ledger::{Amounts, JobShare};
use std::fmt::Write as _;

/// The report as CSV, with every job of the period.
pub fn csv<'a>(report: &Report, jobs: impl Iterator<Item = &'a JobShare>) -> String {
    let mut out = Table("section,name,quantity,value,unit,note\n".to_owned());
    let money = report.currency.as_str();
    out.row(
        "period",
        &report.period.name,
        "from",
        &report.period.from.to_string(),
        "",
        "",
    );
    out.row(
        "period",
        &report.period.name,
        "to",
        &report.period.to.to_string(),
        "",
        "",
    );
    out.number("period", &report.period.name, "coverage", report.coverage, "", "");
    out.number("period", &report.period.name, "estimated", report.estimated, "", "");
    out.indicators(report);
    out.sums(report, money);
    out.savings(report);
    for (section, sums) in [
        ("rack", &report.racks),
        ("tenant", &report.tenants),
        ("user", &report.users),
    ] {
        for (name, used) in sums {
            out.amounts(section, name, used, money);
        }
    }
    for job in jobs {
        out.number(
            "job",
            &job.id,
            "GPU hours",
            job.gpu_h,
            "h",
            &format!("{} of {}", job.user, job.tenant),
        );
        out.amounts("job", &job.id, &job.used, money);
    }
    out.amounts("idle", "", &report.idle, money);
    out.0
}

struct Table(String);

impl Table {
    fn indicators(&mut self, report: &Report) {
        for row in &report.indicators {
            let value = row.value.map_or(String::new(), |value| value.to_string());
            let setting = &row.setting;
            self.row("indicator", setting.key, "value", &value, setting.unit, setting.edition);
            self.number(
                "indicator",
                setting.key,
                "above the line",
                row.counters[0],
                "",
                setting.formula,
            );
            self.number(
                "indicator",
                setting.key,
                "below the line",
                row.counters[1],
                "",
                setting.formula,
            );
            self.number("indicator", setting.key, "estimated", row.estimated, "", "");
        }
        for row in &report.verdicts {
            self.row(
                "threshold",
                &row.indicator,
                &row.limit,
                &row.verdict,
                "",
                &format!("{} from {}", row.source, row.from),
            );
        }
        for field in &report.disclosure {
            self.row(
                "EU 2024/1364",
                &format!("{} {}", field.annex, field.symbol),
                field.name,
                &field.value,
                field.unit,
                field.from,
            );
        }
    }

    fn savings(&mut self, report: &Report) {
        let Some(savings) = &report.savings else { return };
        for day in &savings.days {
            self.number(
                "saving",
                &day.date,
                "CV(RMSE)",
                day.cv_rmse,
                "",
                if day.counts { "counts" } else { "does not count" },
            );
            self.number("saving", &day.date, "NMBE", day.nmbe, "", "");
            for (name, own) in savings.baselines.iter().zip(&day.savings) {
                self.number(
                    "saving",
                    &day.date,
                    &format!("against {name}"),
                    own.saved_kwh,
                    "kWh",
                    "",
                );
                self.number(
                    "saving",
                    &day.date,
                    &format!("against {name}, plus or minus"),
                    own.plus_minus_kwh,
                    "kWh",
                    "",
                );
            }
        }
    }

    fn sums(&mut self, report: &Report, money: &str) {
        for counter in &report.counters {
            let unit = if counter.unit.is_empty() { money } else { counter.unit };
            self.number("counter", counter.name, "sum", counter.value, unit, counter.meaning);
        }
        for row in &report.balance {
            self.number("balance", row.name, row.side, row.kwh, "kWh", row.from);
        }
        for row in &report.closings {
            let unit = if row.unit.is_empty() { money } else { row.unit };
            self.number("closing", &row.name, "meter", row.meter, unit, "");
            self.number("closing", &row.name, "beside", row.beside, unit, "");
            self.number(
                "closing",
                &row.name,
                "error",
                row.error,
                "",
                if row.closes { "closes" } else { "does not close" },
            );
        }
        for (name, kwh) in &report.equipment {
            self.number("equipment", name, "energy", *kwh, "kWh", "");
        }
        for (name, zone) in &report.zones {
            self.number("zone", name, "IT energy", zone.it_kwh, "kWh", "");
            self.number("zone", name, "cooling energy", zone.cooling_kwh, "kWh", "");
        }
        for part in &report.parts {
            for counter in part.totals.counters() {
                let unit = if counter.unit.is_empty() { money } else { counter.unit };
                self.number("part", &part.name, counter.name, counter.value, unit, "");
            }
        }
    }

    fn row(&mut self, section: &str, name: &str, quantity: &str, value: &str, unit: &str, note: &str) {
        let cells = [section, name, quantity, value, unit, note].map(cell);
        // Writing to a String cannot fail.
        let _infallible = writeln!(self.0, "{}", cells.join(","));
    }

    fn number(&mut self, section: &str, name: &str, quantity: &str, value: f64, unit: &str, note: &str) {
        self.row(section, name, quantity, &value.to_string(), unit, note);
    }

    fn amounts(&mut self, section: &str, name: &str, used: &Amounts, money: &str) {
        for (quantity, value, unit) in [
            ("IT energy", used.it_kwh, "kWh"),
            ("cooling energy", used.cooling_kwh, "kWh"),
            ("other energy", used.other_kwh, "kWh"),
            ("water", used.water_l, "L"),
            ("reused heat", used.reused_kwh, "kWh"),
            ("carbon", used.co2e_kg, "kg"),
            ("cost", used.cost, money),
        ] {
            self.number(section, name, quantity, value, unit, "");
        }
    }
}

/// A cell. Names of users and jobs are foreign text: one that a spreadsheet would take for a formula gets an apostrophe.
fn cell(text: &str) -> String {
    let formula =
        text.starts_with(['=', '+', '@', '\t', '\r']) || (text.starts_with('-') && text.parse::<f64>().is_err());
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn foreign_text_stays_a_text() {
        for (text, expect) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("-1.5", "-1.5"),
            ("-cmd", "'-cmd"),
        ] {
            assert_eq!(cell(text), expect);
        }
    }
}
