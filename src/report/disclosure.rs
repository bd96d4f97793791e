//! The fields of Delegated Regulation (EU) 2024/1364, and limits that hold from a date on.

use super::period::date_of;
use super::{Gathered, Period};
use crate::ledger::{Indicator, Indicators, Totals};
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

/// What fields are made of.
struct On<'a> {
    site: &'a Site,
    totals: &'a Totals,
    gathered: &'a Gathered,
    ratios: Indicators,
}

type Text = (&'static str, fn(&On<'_>) -> String);

/// Annex I, and what the configuration tells for others.
const TEXTS: [Text; 8] = [
    ("name", |on| on.site.name.clone()),
    ("owner", |on| on.site.disclosure.owner.clone()),
    ("operator and contact", |on| on.site.disclosure.operator.clone()),
    ("location", |on| on.site.disclosure.location.clone()),
    ("type", |on| on.site.disclosure.kind.clone()),
    ("start of operation", |on| on.site.disclosure.in_operation_since.clone()),
    ("refrigerants (Annex II)", |on| {
        on.site.disclosure.refrigerants.join(", ")
    }),
    ("days with books", |on| {
        let days = &on.gathered.days;
        days.keys()
            .next()
            .zip(days.keys().next_back())
            .map_or(String::new(), |(first, last)| {
                format!("{} to {}", date_of(*first), date_of(*last))
            })
    }),
];

/// Annex, symbol, name, unit, decimals, where it comes from, value.
type Number = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    usize,
    &'static str,
    fn(&On<'_>) -> Option<f64>,
);

const NUMBERS: [Number; 24] = [
    (
        "II.1",
        "PD_IT",
        "installed IT power demand",
        "kW",
        1,
        "sum of the racks' rated power",
        |on| Some(on.site.racks.iter().map(|rack| rack.nameplate.rated_kw).sum()),
    ),
    ("II.1", "S_DC", "floor area", "m2", 0, "configuration", |on| {
        on.site.disclosure.floor_area_m2
    }),
    ("II.1", "S_CR", "computer room area", "m2", 0, "configuration", |on| {
        on.site.disclosure.computer_room_m2
    }),
    (
        "II.1",
        "E_DC",
        "total energy consumption",
        "kWh",
        0,
        "site meter",
        |on| Some(on.totals.site_kwh),
    ),
    (
        "II.1",
        "E_DC-BG",
        "of it from back-up generators",
        "kWh",
        0,
        "not metered",
        |_| None,
    ),
    (
        "II.1",
        "E_IT",
        "energy consumption of IT equipment",
        "kWh",
        0,
        "IT meter",
        |on| Some(on.totals.it_kwh),
    ),
    (
        "II.1",
        "C_BtG",
        "battery capacity offered to the grid",
        "kW",
        0,
        "not known here",
        |_| None,
    ),
    ("II.1", "W_IN", "total water input", "m3", 1, "make-up meter", |on| {
        Some(on.totals.makeup_l / 1000.0)
    }),
    (
        "II.1",
        "W_IN-POT",
        "of it potable",
        "m3",
        1,
        "make-up less reclaimed water",
        |on| Some((on.totals.makeup_l - on.totals.reclaimed_l) / 1000.0),
    ),
    (
        "II.1",
        "E_REUSE",
        "waste heat reused",
        "kWh",
        0,
        "heat meter at the hand-over",
        |on| Some(on.totals.reused_kwh),
    ),
    (
        "II.1",
        "T_WH",
        "average temperature of waste heat, by energy",
        "degC",
        2,
        "supply of the heat meter",
        |on| over(on.totals.reused_kwh_c, on.totals.reused_known_kwh),
    ),
    (
        "II.1",
        "T_IN (air)",
        "average setpoint of IT intake air",
        "degC",
        2,
        "setpoints of the air units' supply",
        |on| over(on.totals.intake_s_c, on.totals.intake_known_s),
    ),
    (
        "II.1",
        "CDD",
        "cooling degree days",
        "degree-days",
        1,
        "weather station, Eurostat's definition",
        |on| degree_days(on.gathered),
    ),
    (
        "II.1",
        "E_RES-TOT",
        "renewable energy consumption",
        "kWh",
        0,
        "share by contract",
        |on| Some(on.totals.renewable_kwh),
    ),
    (
        "II.1",
        "E_RES-GOO",
        "of it by guarantees of origin",
        "kWh",
        0,
        "not known here",
        |_| None,
    ),
    (
        "II.1",
        "E_RES-PPA",
        "of it by power purchase agreements",
        "kWh",
        0,
        "not known here",
        |_| None,
    ),
    (
        "II.1",
        "E_RES-OS",
        "of it made on site",
        "kWh",
        0,
        "not metered",
        |_| None,
    ),
    (
        "II.2",
        "C_SERV",
        "ICT capacity of servers",
        "",
        0,
        "not known here",
        |_| None,
    ),
    (
        "II.2",
        "C_STOR",
        "ICT capacity of storage",
        "PB",
        0,
        "not known here",
        |_| None,
    ),
    (
        "II.3",
        "B_IN, B_OUT, T_IN, T_OUT (traffic)",
        "data traffic",
        "",
        0,
        "not known here",
        |_| None,
    ),
    ("III", "PUE", "power usage effectiveness", "", 4, "E_DC / E_IT", |on| {
        on.ratios.pue
    }),
    (
        "III",
        "WUE",
        "water usage effectiveness",
        "L/kWh",
        4,
        "W_IN / E_IT",
        |on| on.ratios.wue_l_per_kwh,
    ),
    ("III", "ERF", "energy reuse factor", "", 4, "E_REUSE / E_DC", |on| {
        on.ratios.erf
    }),
    (
        "III",
        "REF",
        "renewable energy factor",
        "",
        4,
        "E_RES-TOT / E_DC",
        |on| on.ratios.r#ref,
    ),
];

fn over(value: f64, base: f64) -> Option<f64> {
    (base > 0.0).then(|| value / base)
}

pub(super) fn fields(site: &Site, totals: &Totals, gathered: &Gathered) -> Vec<Field> {
    let on = On {
        site,
        totals,
        gathered,
        ratios: crate::ledger::indicators(totals),
    };
    let texts = TEXTS.iter().map(|(name, value)| Field {
        annex: "I",
        symbol: "",
        name,
        value: value(&on),
        unit: "",
        from: "configuration",
    });
    let numbers = NUMBERS
        .iter()
        .map(|(annex, symbol, name, unit, digits, from, value)| Field {
            annex,
            symbol,
            name,
            value: value(&on).map_or(String::new(), |value| format!("{value:.digits$}")),
            unit,
            from,
        });
    texts.chain(numbers).collect()
}
