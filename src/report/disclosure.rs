//! The fields of Delegated Regulation (EU) 2024/1364, and limits that hold from a date on.

use super::period::date_of;
use super::{Gathered, Period};
use crate::ledger::{Indicator, Totals};
use crate::site::Site;
use jiff::civil::Date;
use serde::Serialize;

/// A field of the regulation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// Annex.
    pub annex: &'static str,
    /// Symbol; that of temperatures is spelt out where the regulation uses one twice.
    pub symbol: &'static str,
    /// What it is.
    pub name: &'static str,
    /// Its value as text; empty where it is not stated.
    pub value: String,
    /// Unit.
    pub unit: &'static str,
    /// Where it comes from, or why it is not stated.
    pub from: &'static str,
}

/// How an indicator stands to a limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Key of the indicator.
    pub indicator: String,
    /// The limit, as text: `<= 1.5`.
    pub limit: String,
    /// First day on which it holds.
    pub from: String,
    /// Where it is written.
    pub source: String,
    /// The indicator's value.
    pub value: Option<f64>,
    /// `kept`, `missed`, `not yet in force` (with how it would stand), or `not known`.
    pub verdict: String,
}

pub(super) fn verdicts(site: &Site, indicators: &[Indicator], period: &Period) -> Vec<Verdict> {
    let rows = site.disclosure.thresholds.iter().map(|threshold| {
        let found = indicators.iter().find(|row| row.setting.key == threshold.indicator);
        let value = found.and_then(|row| row.value);
        let kept = value.map(|value| {
            if threshold.at_most {
                value <= threshold.limit
            } else {
                value >= threshold.limit
            }
        });
        let word = match kept {
            None => "not known",
            Some(true) => "kept",
            Some(false) => "missed",
        };
        // The site's file was checked: a date that cannot be read has never come into force.
        let in_force = threshold.from.parse::<Date>().is_ok_and(|from| from <= period.to);
        Verdict {
            indicator: threshold.indicator.clone(),
            limit: format!("{} {}", if threshold.at_most { "<=" } else { ">=" }, threshold.limit),
            from: threshold.from.clone(),
            source: threshold.source.clone(),
            value,
            verdict: if in_force {
                word.to_owned()
            } else {
                format!("not yet in force; {word} in this period")
            },
        }
    });
    rows.collect()
}

/// Base and threshold of Eurostat's cooling degree days: 21 degC, counted on days whose mean reaches 24 degC.
const DEGREE_DAYS_C: (f64, f64) = (21.0, 24.0);

fn degree_days(gathered: &Gathered) -> Option<f64> {
    let means = gathered
        .days
        .values()
        .filter(|day| day.outdoors_known_s > 0.0)
        .map(|day| day.outdoors_s_c / day.outdoors_known_s);
    let counted: Vec<f64> = means
        .map(|mean| {
            if mean >= DEGREE_DAYS_C.1 {
                mean - DEGREE_DAYS_C.0
            } else {
                0.0
            }
        })
        .collect();
    (!counted.is_empty()).then(|| counted.iter().sum())
}

pub(super) fn fields(site: &Site, totals: &Totals, gathered: &Gathered) -> Vec<Field> {
    let told = &site.disclosure;
    let text = |annex, symbol, name, value: &str, from| Field {
        annex,
        symbol,
        name,
        value: value.to_owned(),
        unit: "",
        from,
    };
    let number = |annex, symbol, name, value: Option<f64>, unit, digits: usize, from| Field {
        annex,
        symbol,
        name,
        value: value.map_or(String::new(), |value| format!("{value:.digits$}")),
        unit,
        from,
    };
    let rated: f64 = site.racks.iter().map(|rack| rack.nameplate.rated_kw).sum();
    let over = |value: f64, base: f64| (base > 0.0).then(|| value / base);
    let known = |value: f64| Some(value);
    let ratios = crate::ledger::indicators(totals);
    let days = (gathered.days.keys().next(), gathered.days.keys().next_back());
    let span = match days {
        (Some(first), Some(last)) => format!("{} to {}", date_of(*first), date_of(*last)),
        _ => String::new(),
    };
    vec![
        text("I", "", "name", &site.name, "configuration"),
        text("I", "", "owner", &told.owner, "configuration"),
        text("I", "", "operator and contact", &told.operator, "configuration"),
        text("I", "", "location", &told.location, "configuration"),
        text("I", "", "type", &told.kind, "configuration"),
        text("I", "", "start of operation", &told.in_operation_since, "configuration"),
        text("I", "", "days with books", &span, "books"),
        number(
            "II.1",
            "PD_IT",
            "installed IT power demand",
            known(rated),
            "kW",
            1,
            "sum of the racks' rated power",
        ),
        number(
            "II.1",
            "S_DC",
            "floor area",
            told.floor_area_m2,
            "m2",
            0,
            "configuration",
        ),
        number(
            "II.1",
            "S_CR",
            "computer room area",
            told.computer_room_m2,
            "m2",
            0,
            "configuration",
        ),
        number(
            "II.1",
            "E_DC",
            "total energy consumption",
            known(totals.site_kwh),
            "kWh",
            0,
            "site meter",
        ),
        number(
            "II.1",
            "E_DC-BG",
            "of it from back-up generators",
            None,
            "kWh",
            0,
            "not metered",
        ),
        number(
            "II.1",
            "E_IT",
            "energy consumption of IT equipment",
            known(totals.it_kwh),
            "kWh",
            0,
            "IT meter",
        ),
        number(
            "II.1",
            "C_BtG",
            "battery capacity offered to the grid",
            None,
            "kW",
            0,
            "not known here",
        ),
        number(
            "II.1",
            "W_IN",
            "total water input",
            known(totals.makeup_l / 1000.0),
            "m3",
            1,
            "make-up meter",
        ),
        number(
            "II.1",
            "W_IN-POT",
            "of it potable",
            known((totals.makeup_l - totals.reclaimed_l) / 1000.0),
            "m3",
            1,
            "make-up less reclaimed water",
        ),
        number(
            "II.1",
            "E_REUSE",
            "waste heat reused",
            known(totals.reused_kwh),
            "kWh",
            0,
            "heat meter at the hand-over",
        ),
        number(
            "II.1",
            "T_WH",
            "average temperature of waste heat, by energy",
            over(totals.reused_kwh_c, totals.reused_known_kwh),
            "degC",
            2,
            "supply of the heat meter",
        ),
        number(
            "II.1",
            "T_IN (air)",
            "average setpoint of IT intake air",
            over(totals.intake_s_c, totals.intake_known_s),
            "degC",
            2,
            "setpoints of the air units' supply",
        ),
        text(
            "II.1",
            "",
            "refrigerants",
            &told.refrigerants.join(", "),
            "configuration",
        ),
        number(
            "II.1",
            "CDD",
            "cooling degree days",
            degree_days(gathered),
            "degree-days",
            1,
            "weather station, Eurostat's definition",
        ),
        number(
            "II.1",
            "E_RES-TOT",
            "renewable energy consumption",
            known(totals.renewable_kwh),
            "kWh",
            0,
            "share by contract",
        ),
        number(
            "II.1",
            "E_RES-GOO",
            "of it by guarantees of origin",
            None,
            "kWh",
            0,
            "not known here",
        ),
        number(
            "II.1",
            "E_RES-PPA",
            "of it by power purchase agreements",
            None,
            "kWh",
            0,
            "not known here",
        ),
        number("II.1", "E_RES-OS", "of it made on site", None, "kWh", 0, "not metered"),
        number(
            "II.2",
            "C_SERV",
            "ICT capacity of servers",
            None,
            "",
            0,
            "not known here",
        ),
        number(
            "II.2",
            "C_STOR",
            "ICT capacity of storage",
            None,
            "PB",
            0,
            "not known here",
        ),
        number(
            "II.3",
            "B_IN, B_OUT, T_IN, T_OUT (traffic)",
            "data traffic",
            None,
            "",
            0,
            "not known here",
        ),
        number(
            "III",
            "PUE",
            "power usage effectiveness",
            ratios.pue,
            "",
            4,
            "E_DC / E_IT",
        ),
        number(
            "III",
            "WUE",
            "water usage effectiveness",
            ratios.wue_l_per_kwh,
            "L/kWh",
            4,
            "W_IN / E_IT",
        ),
        number("III", "ERF", "energy reuse factor", ratios.erf, "", 4, "E_REUSE / E_DC"),
        number(
            "III",
            "REF",
            "renewable energy factor",
            ratios.r#ref,
            "",
            4,
            "E_RES-TOT / E_DC",
        ),
    ]
}
