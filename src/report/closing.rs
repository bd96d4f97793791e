//! What must be equal, and by how much it is not: meters against what lies behind them, shares against meters.

use super::Gathered;
use crate::ledger::{Amounts, Totals};
use crate::site::{MeterRole, Site};
use serde::Serialize;
use std::collections::BTreeMap;

/// Largest error of the sum of many power readings or flows against a meter, beyond the meter's own class: that of their
/// class, as a share.
const READINGS: f64 = 0.01;
/// The same for heat from flows and temperature differences.
const HEAT: f64 = 0.03;
/// Attribution closes to this share.
const SHARES: f64 = 0.001;

/// Two sums that should be equal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Closing {
    /// Which.
    pub name: String,
    /// The one that counts: a meter.
    pub meter: f64,
    /// The one beside it.
    pub beside: f64,
    /// Unit.
    pub unit: &'static str,
    /// Difference as a share of the meter.
    pub error: f64,
    /// What it may be, as a share.
    pub tolerance: f64,
    /// Whether it is within.
    pub closes: bool,
}

fn closing(name: &str, meter: f64, beside: f64, unit: &'static str, tolerance: f64) -> Closing {
    let error = if meter.abs() > 1e-9 {
        (beside - meter) / meter
    } else {
        beside - meter
    };
    Closing {
        name: name.to_owned(),
        meter,
        beside,
        unit,
        error,
        tolerance,
        closes: error.abs() <= tolerance,
    }
}

pub(super) fn closings(
    site: &Site,
    totals: &Totals,
    racks: &BTreeMap<String, Amounts>,
    gathered: &Gathered,
) -> Vec<Closing> {
    let mut list = Vec::new();
    for (role, name, meter, beside, unit, other) in [
        (
            MeterRole::ItPower,
            "IT meter and the racks' own readings",
            totals.it_kwh,
            totals.racks_kwh,
            "kWh",
            READINGS,
        ),
        (
            MeterRole::CoolingPower,
            "cooling meter and the equipment's own readings",
            totals.cooling_kwh,
            totals.equipment_kwh,
            "kWh",
            READINGS,
        ),
        (
            MeterRole::MakeupWater,
            "make-up meter and the units' own counters",
            totals.makeup_l,
            totals.cells_makeup_l,
            "L",
            READINGS,
        ),
        (
            MeterRole::ReusedHeat,
            "heat meter and the exchangers' own readings",
            totals.reused_kwh,
            totals.exchangers_kwh,
            "kWh",
            READINGS,
        ),
    ] {
        let class = site
            .meters
            .iter()
            .filter(|known| known.role == role)
            .map(|known| known.class);
        if let Some(class) = class.reduce(f64::max)
            && beside > 0.0
        {
            list.push(closing(name, meter, beside, unit, class + other));
        }
    }
    if totals.heat_input_kwh > 0.0 {
        list.push(closing(
            "electricity into the loops and the heat that they carry",
            totals.heat_input_kwh,
            totals.loop_heat_kwh,
            "kWh",
            HEAT,
        ));
    }
    let of_racks = racks.values().fold(Amounts::default(), Amounts::and);
    let of_jobs = gathered
        .jobs
        .values()
        .fold(gathered.idle, |sum, job| sum.and(&job.used));
    for (whose, sum) in [("racks", of_racks), ("jobs and idle share", of_jobs)] {
        for (what, meter, shared, unit) in [
            ("IT energy", totals.it_kwh, sum.it_kwh, "kWh"),
            ("cooling energy", totals.cooling_kwh, sum.cooling_kwh, "kWh"),
            ("other energy", totals.other_kwh(), sum.other_kwh, "kWh"),
            ("water", totals.makeup_l, sum.water_l, "L"),
            ("reused heat", totals.reused_kwh, sum.reused_kwh, "kWh"),
            ("carbon", totals.co2e_kg, sum.co2e_kg, "kg"),
            ("money", totals.cost, sum.cost, ""),
        ] {
            list.push(closing(&format!("{what} of {whose}"), meter, shared, unit, SHARES));
        }
    }
    list
}
