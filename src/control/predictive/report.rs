//! The plan's reasons, for a person.

use super::evaluate::OperatingPoint;
use super::model::rack::Binds;
use crate::control::View;
use crate::snapshot::{HeatSource, PlanReport};
use std::fmt::Write as _;

/// CDUs named in the sentence at most.
const NAMED: usize = 2;

/// Reasons for the points chosen.
pub(super) fn report(view: &View<'_>, points: &[OperatingPoint], last: &[OperatingPoint]) -> PlanReport {
    let mut report = PlanReport::default();
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
        "{}: water {change} {:.1} degC with {} of {} units, coolant at {low:.1} to {high:.1} degC",
        unit.name,
        point.water_c,
        point.units,
        unit.rejection.len(),
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
