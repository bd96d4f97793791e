//! Heat across each exchanger: what flows and temperatures say against what the racks and the other side say.

use super::causes;
use super::{Finding, Mark, Watch};
use crate::site::{Cdu, FacilityLoop, Meter, Rack, Site};
use thermo::Coolant;

/// Two heats agree within this share of the larger.
const AGREE: f64 = 0.15;
/// Heats below this share of the rating say nothing: the noise of the sensors is as large.
const LEAST: f64 = 0.05;
/// Two sensors of one pipe agree within this, K.
const SAME_PIPE_K: f64 = 3.0;

pub(super) fn check(site: &Site, watch: &Watch) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rack in &site.racks {
        let coolant = site.cdus.get(rack.cdu.0).map(|cdu| cdu.nameplate.coolant);
        findings.extend(coolant.and_then(|coolant| self::rack(rack, coolant, watch)));
    }
    for cdu in &site.cdus {
        findings.extend(self::cdu(site, cdu, watch));
    }
    for facility_loop in &site.loops {
        findings.extend(self::facility_loop(site, facility_loop, watch));
    }
    findings.extend(site.meters.iter().filter_map(|meter| self::meter(meter, watch)));
    findings
}

/// A disagreement that a known cause explains is a failure; another may be a plant that is not steady, or a sensor.
fn disagreement(subject: &str, seen: String, likely: Option<String>) -> Finding {
    if likely.is_some() {
        return Finding::new(Mark::Fail, subject, seen).because(likely);
    }
    let why = "the plant is not steady, or a sensor is off; watch again at a steady load";
    Finding::new(Mark::Look, subject, seen).because(Some(why.to_owned()))
}

/// Heat that a flow takes up, kW.
fn heat(coolant: Coolant, flow: f64, from_c: f64, to_c: f64) -> f64 {
    flow * coolant.kw_per_lpm_k(f64::midpoint(from_c, to_c)) * (to_c - from_c)
}

fn agree(a: f64, b: f64) -> bool {
    (a - b).abs() <= AGREE * a.abs().max(b.abs())
}

/// Electric power of a rack times the share in its liquid, against what its coolant takes up.
fn rack(rack: &Rack, coolant: Coolant, watch: &Watch) -> Option<Finding> {
    let points = &rack.points;
    let power = watch.mean(points.power)? * rack.nameplate.liquid_fraction;
    let flow = watch.mean(points.liquid_flow)?;
    let supply = watch.mean(points.liquid_supply_temperature)?;
    let taken = heat(coolant, flow, supply, watch.mean(points.liquid_return_temperature)?);
    if power < LEAST * rack.nameplate.rated_kw {
        return None;
    }
    let seen = format!("gives {power:.1} kW to its liquid by its power, {taken:.1} kW by flow and temperatures");
    Some(if agree(power, taken) {
        Finding::new(Mark::Pass, &rack.name, seen)
    } else {
        disagreement(&rack.name, seen, causes::of_heat(taken / power))
    })
}

/// Three witnesses of the heat through a CDU: its racks, its secondary and its primary side. The one that two others
/// contradict is the wrong one.
fn cdu(site: &Site, cdu: &Cdu, watch: &Watch) -> Vec<Finding> {
    let points = &cdu.points;
    let racks = cdu.racks.iter().map(|rack| {
        let rack = site.racks.get(rack.0)?;
        Some(watch.mean(rack.points.power)? * rack.nameplate.liquid_fraction)
    });
    let racks: Option<f64> = racks.sum();
    let side = |coolant, flow: Option<f64>, from: Option<f64>, to: Option<f64>| Some(heat(coolant, flow?, from?, to?));
    let secondary = side(
        cdu.nameplate.coolant,
        watch.mean(points.secondary_flow),
        watch.mean(points.secondary_supply_temperature),
        watch.mean(points.secondary_return_temperature),
    );
    let primary = side(
        Coolant::Water,
        watch.mean(points.primary_flow),
        watch.mean(points.primary_supply_temperature),
        watch.mean(points.primary_return_temperature),
    );
    let witnesses = [
        ("racks", racks),
        ("secondary side", secondary),
        ("primary side", primary),
    ];
    let told: Vec<(&str, f64)> = witnesses
        .into_iter()
        .filter_map(|(name, heat)| Some((name, heat?)))
        .collect();
    let mut findings = Vec::new();
    let largest = told.iter().fold(0.0_f64, |most, (_, heat)| most.max(heat.abs()));
    if told.len() >= 2 && largest >= LEAST * cdu.nameplate.rated_kw {
        findings.push(judge(&cdu.name, &told));
    }
    // Coolant cannot leave colder than the water that cools it comes in.
    if let (Some(coolant), Some(water)) = (
        watch.mean(points.secondary_supply_temperature),
        watch.mean(points.primary_supply_temperature),
    ) && coolant < water - 1.0
    {
        let seen = format!("coolant leaves at {coolant:.1} degC, colder than its water of {water:.1} degC comes in");
        let likely = "the sides are swapped, primary supply and return are, or a temperature is in another unit";
        findings.push(Finding::new(Mark::Fail, &cdu.name, seen).because(Some(likely.into())));
    }
    findings
}

fn judge(name: &str, told: &[(&str, f64)]) -> Finding {
    let figures: Vec<String> = told.iter().map(|(who, heat)| format!("{who} {heat:.1} kW")).collect();
    let seen = format!("heat by {}", figures.join(", "));
    let friends = |index: usize| {
        let others = told.iter().enumerate().filter(|(other, _)| *other != index);
        others
            .filter(|(_, (_, heat))| told.get(index).is_some_and(|(_, own)| agree(*own, *heat)))
            .count()
    };
    let alone: Vec<usize> = (0..told.len()).filter(|index| friends(*index) == 0).collect();
    if alone.is_empty() {
        return Finding::new(Mark::Pass, name, seen);
    }
    // With two witnesses the racks are believed: their power is metered electrically.
    let odd = match alone[..] {
        [odd] => odd,
        _ => told.len() - 1,
    };
    let truth = told.iter().enumerate().find(|(index, _)| *index != odd);
    let likely = truth.zip(told.get(odd)).and_then(|((_, (_, truth)), (who, heat))| {
        let cause = causes::of_heat(heat / truth)?;
        Some(format!("{who}: {cause}"))
    });
    disagreement(name, seen, likely)
}

/// A loop's headers against the CDUs that hang on them.
fn facility_loop(site: &Site, facility_loop: &FacilityLoop, watch: &Watch) -> Vec<Finding> {
    let mut findings = Vec::new();
    let supply = watch.mean(facility_loop.points.supply_temperature);
    let back = watch.mean(facility_loop.points.return_temperature);
    let at_cdus = facility_loop
        .cdus
        .iter()
        .filter_map(|cdu| watch.mean(site.cdus.get(cdu.0)?.points.primary_supply_temperature));
    let at_cdus: Vec<f64> = at_cdus.collect();
    if let Some(supply) = supply
        && !at_cdus.is_empty()
    {
        let mean = at_cdus.iter().sum::<f64>() / at_cdus.len() as f64;
        let seen = format!("supplies {supply:.1} degC, and its CDUs take in {mean:.1} degC");
        let good = (supply - mean).abs() <= SAME_PIPE_K;
        let swapped = back.is_some_and(|back| (back - mean).abs() <= SAME_PIPE_K);
        findings.push(if good {
            Finding::new(Mark::Pass, &facility_loop.name, seen)
        } else {
            let likely = swapped.then(|| "supply and return are swapped".to_owned());
            disagreement(&facility_loop.name, seen, likely)
        });
    }
    let flows = facility_loop
        .cdus
        .iter()
        .map(|cdu| watch.mean(site.cdus.get(cdu.0)?.points.primary_flow));
    let flows: Option<f64> = flows.sum();
    if let (Some(total), Some(parts)) = (watch.mean(facility_loop.points.flow), flows)
        && parts > 0.0
        && total < (1.0 - AGREE) * parts
    {
        let seen = format!("flows {total:.0} L/min, and its CDUs take {parts:.0} L/min of it");
        findings.push(disagreement(&facility_loop.name, seen, causes::of_heat(total / parts)));
    }
    findings
}

/// A meter's power against the growth of its counter.
fn meter(meter: &Meter, watch: &Watch) -> Option<Finding> {
    let energy = watch.of(meter.points.energy?.id());
    let power = watch.mean(meter.points.power)?;
    let ((first, from_ms), (last, _, to_ms)) = (energy.first?, energy.last?);
    let hours = (to_ms.checked_sub(from_ms)?) as f64 / 3_600_000.0;
    let grown = last - first;
    // A counter must have moved by more than a few of its steps.
    if hours <= 0.0 || grown <= 0.0 || energy.good < 10 || power <= 0.0 {
        return None;
    }
    let mean = grown / hours;
    let seen = format!("shows {power:.1} kW, and its counter grows by {mean:.1} kW");
    let ratio = power / mean;
    Some(if (0.7..=1.4).contains(&ratio) {
        Finding::new(Mark::Pass, &meter.name, seen)
    } else {
        Finding::new(Mark::Look, &meter.name, seen).because(causes::of_counter(ratio))
    })
}
