//! The plan's reasons, for a person.

use super::evaluate::OperatingPoint;
use super::model::rack::Binds;
use crate::control::View;
use crate::site::RejectionKind;
use crate::snapshot::{Finding, HeatSource, PlanReport};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// CDUs named in the sentence at most.
const NAMED: usize = 2;

/// What is said beside the plan itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Asides {
    pub as_found_per_h: Option<f64>,
    pub worth_per_h: Vec<(String, f64)>,
    pub findings: Vec<Finding>,
    /// When the prices of limits were last asked for.
    pub asked_mono_ms: Option<u64>,
}

/// Reasons for the points chosen.
pub(super) fn report(
    view: &View<'_>,
    points: &[OperatingPoint],
    last: &[OperatingPoint],
    asides: &Asides,
) -> PlanReport {
    let mut report = PlanReport {
        as_found_per_h: asides.as_found_per_h,
        worth_per_h: asides.worth_per_h.clone(),
        findings: asides.findings.clone(),
        ..PlanReport::default()
    };
    let mut cooling_kw = 0.0;
    for (id, point) in points.iter().enumerate() {
        let unit = &view.site.loops[id];
        if id > 0 {
            report.sentence.push(' ');
        }
        sentence(view, id, point, last.get(id), &mut report.sentence);
        for (cdu, binding) in unit.cdus.iter().zip(&point.binding) {
            if let Some(binding) = binding {
                let (cdu, rack) = (&view.site.cdus[cdu.0].name, &view.site.racks[binding.rack].name);
                report
                    .binding
                    .push(format!("{cdu}: {} of {rack}", binding.limit.name()));
            }
        }
        let costs = &point.costs;
        for (name, cost) in [
            ("CDU pumps", costs.cdu_pumps),
            ("facility pumps", costs.facility_pumps),
            ("heat-rejection fans", costs.rejection_fans),
            ("chillers", costs.chillers),
            ("air fans", costs.air_fans),
            ("water", costs.water),
            ("heat sold", -costs.heat_sold),
        ] {
            match report.cost_per_h.iter_mut().find(|(term, _)| term == name) {
                Some((_, sum)) => *sum += cost,
                None => report.cost_per_h.push((name.to_owned(), cost)),
            }
        }
        cooling_kw += point.cooling_kw;
    }
    report.cooling_kw = Some(cooling_kw);
    report
}

/// What is done on one loop and why, such as "loop1: water warmer to 27.5 degC with 3 of 3 cells ...".
fn sentence(view: &View<'_>, id: usize, point: &OperatingPoint, last: Option<&OperatingPoint>, text: &mut String) {
    let unit = &view.site.loops[id];
    let change = match last.map(|last| point.water_c - last.water_c) {
        Some(k) if k > 0.05 => "warmer to",
        Some(k) if k < -0.05 => "colder to",
        Some(_) => "held at",
        None => "at",
    };
    let (low, high) = point
        .supply_c
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), c| {
            (low.min(*c), high.max(*c))
        });
    // Writing to a string cannot fail.
    let _infallible = write!(
        text,
        "{}: water {change} {:.1} degC with {}, coolant at {low:.1} to {high:.1} degC",
        unit.name,
        point.water_c,
        machines(view, id, point),
    );
    if point.short > 0.0 {
        text.push_str("; not every limit can be kept, so cooling comes before cost");
    } else if let Some(why) = why(view, point) {
        text.push_str("; ");
        text.push_str(&why);
    }
    if id == 0 {
        match (view.heat.source, view.heat.notes.first()) {
            (HeatSource::Queue, Some(note)) => {
                let _infallible = write!(text, "; {note}");
            }
            (HeatSource::Queue, None) => {}
            (HeatSource::RackPower | HeatSource::Feedback, _) => {
                text.push_str("; no queue, so every rack is kept ready for a sudden start");
            }
        }
    }
    text.push('.');
}

/// Which machines run, such as "2 of 3 cells and 1 of 3 chillers".
fn machines(view: &View<'_>, id: usize, point: &OperatingPoint) -> String {
    let kinds = view.site.loops[id]
        .rejection
        .iter()
        .map(|id| view.site.rejection[id.0].nameplate.kind);
    let kinds: Vec<RejectionKind> = kinds.collect();
    let chillers = kinds.iter().filter(|kind| **kind == RejectionKind::Chiller).count();
    let first = kinds.len() - chillers;
    let cells = if kinds.contains(&RejectionKind::DryCooler) {
        "dry coolers"
    } else {
        "cells"
    };
    let rejecting = &point.rejecting;
    match (first, chillers) {
        (0, all) => format!("{} of {all} chillers", rejecting.chillers),
        (all, 0) => format!("{} of {all} {cells}", rejecting.units),
        (first, chillers) => format!(
            "{} of {first} {cells} and {} of {chillers} chillers",
            rejecting.units, rejecting.chillers
        ),
    }
}

/// What asks for flow beyond the minimum, by the CDUs where it does.
fn why(view: &View<'_>, point: &OperatingPoint) -> Option<String> {
    let beyond = point
        .binding
        .iter()
        .flatten()
        .filter(|binding| binding.limit != Binds::MinimumFlow);
    let named: Vec<String> = beyond
        .take(NAMED)
        .map(|binding| format!("{} of {}", binding.limit.name(), view.site.racks[binding.rack].name))
        .collect();
    (!named.is_empty()).then(|| format!("{} binds", named.join(" and ")))
}
