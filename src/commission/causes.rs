//! What would explain a figure that cannot be: a wrong order, unit, scale, or a swap.

use thermo::Unit;
use wire::codec;
use wire::profile::{Order, Place, Raw, WordOrder};

/// Factors between units that are taken for each other, as read over true, with what is then the case.
const FLOWS: &[(f64, &str)] = &[
    (0.264_172, "the flow is in US gallons per minute and is read as L/min"),
    (3.785_41, "the flow is in L/min and is read as US gallons per minute"),
    (0.06, "the flow is in m3/h and is read as L/min"),
    (16.667, "the flow is in L/min and is read as m3/h"),
    (0.016_667, "the flow is in L/s and is read as L/min"),
    (60.0, "the flow is in L/min and is read as L/s"),
    (1.8, "the temperatures are in degF and are read as degC"),
    (0.555_56, "the temperatures are in degC and are read as degF"),
];

const SCALES: &[f64] = &[0.001, 0.01, 0.1, 10.0, 100.0, 1000.0];

/// A ratio counts as a factor when it is this near, as a share: sensors are not exact.
const NEAR: f64 = 0.12;

fn near(ratio: f64, factor: f64) -> bool {
    (ratio / factor - 1.0).abs() <= NEAR
}

/// What would make a heat read as `ratio` times what it is.
pub(super) fn of_heat(ratio: f64) -> Option<String> {
    if near(ratio, -1.0) {
        return Some("supply and return are swapped".to_owned());
    }
    let swapped = if ratio < 0.0 {
        "supply and return are swapped, and "
    } else {
        ""
    };
    let unit = FLOWS.iter().find(|(factor, _)| near(ratio.abs(), *factor));
    if let Some((_, what)) = unit {
        return Some(format!("{swapped}{what}"));
    }
    of_scale(ratio.abs()).map(|what| format!("{swapped}{what}"))
}

/// What would make a power read as `ratio` times what a counter of energy says.
pub(super) fn of_counter(ratio: f64) -> Option<String> {
    if near(ratio, 1000.0) {
        return Some("the counter is in MWh, or the power in W, and is read as kWh or kW".to_owned());
    }
    if near(ratio, 0.001) {
        return Some("the counter is in Wh, or the power in MW, and is read as kWh or kW".to_owned());
    }
    of_scale(ratio)
}

fn of_scale(ratio: f64) -> Option<String> {
    let factor = SCALES.iter().find(|factor| near(ratio, **factor))?;
    Some(format!("a scale is {factor} times what it should be"))
}

/// What would turn a value that cannot be into one that can.
pub(super) fn of_value(point: &wire::Point, value: f64) -> Option<String> {
    let fits = |value: f64| value >= point.min && value <= point.max;
    let Place::Register(register) = &point.place else {
        return of_unit(point, value, fits);
    };
    let words = codec::encode(point, value).ok()?;
    let mut other = point.clone();
    let mut reads = |change: &dyn Fn(&mut wire::profile::Register)| {
        let mut changed = register.clone();
        change(&mut changed);
        other.place = Place::Register(changed);
        codec::decode(&other, &words).ok().filter(|value| {
            // A pattern of zeros means the same in every order.
            fits(*value) && value.abs() > 1e-6
        })
    };
    if words.len() > 1 {
        let opposite = match register.words {
            WordOrder::LowFirst => (WordOrder::HighFirst, "high_first"),
            _ => (WordOrder::LowFirst, "low_first"),
        };
        if let Some(value) = reads(&|register| register.words = opposite.0) {
            return Some(format!(
                "wrong word order: with words = \"{}\" it reads {value:.4}",
                opposite.1
            ));
        }
    }
    if let Some(value) = reads(&|register| {
        register.bytes = match register.bytes {
            Order::HighFirst => Order::LowFirst,
            Order::LowFirst => Order::HighFirst,
        };
    }) {
        return Some(format!(
            "wrong byte order: with `bytes` the other way it reads {value:.4}"
        ));
    }
    let signed = match register.raw {
        Raw::U16 => Some((Raw::I16, "i16")),
        Raw::U32 => Some((Raw::I32, "i32")),
        Raw::U64 => Some((Raw::I64, "i64")),
        _ => None,
    };
    if let Some((raw, name)) = signed
        && let Some(value) = reads(&|register| register.raw = raw)
    {
        return Some(format!("wrong type: as {name} it reads {value:.4}"));
    }
    of_unit(point, value, fits)
}

fn of_unit(point: &wire::Point, value: f64, fits: impl Fn(f64) -> bool) -> Option<String> {
    if point.unit == Unit::Celsius && fits((value - 32.0) / 1.8) {
        return Some("it is in degF and is read as degC".to_owned());
    }
    let scale = SCALES
        .iter()
        .rev()
        .find(|factor| fits(value / **factor) && value != 0.0)?;
    Some(format!("wrong scale: a factor of {scale} too large or small"))
}
