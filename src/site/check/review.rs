//! What is worth a second look in a site without mistakes.

use crate::site::{DeviceId, EquipmentId, FacilityLoop, MeterRole, Rejection, RejectionKind, Site, WorkloadSettings};

/// Remarks for the person who commissions the site, one a line; none of them keeps it from running.
pub fn warnings(site: &Site) -> Vec<String> {
    let mut warnings = vec![];
    connections(site, &mut warnings);
    sizes(site, &mut warnings);
    meters(site, &mut warnings);
    settings(site, &mut warnings);
    feed(site, &mut warnings);
    warnings
}

fn connections(site: &Site, warnings: &mut Vec<String>) {
    let equipment: Vec<(&str, Option<DeviceId>)> = (site.loops.iter().map(|item| (item.name.as_str(), item.device)))
        .chain(site.cdus.iter().map(|item| (item.name.as_str(), item.device)))
        .chain(site.racks.iter().map(|item| (item.name.as_str(), item.device)))
        .chain(site.rejection.iter().map(|item| (item.name.as_str(), item.device)))
        .chain(site.reuse.iter().map(|item| (item.name.as_str(), item.device)))
        .chain(site.air_units.iter().map(|item| (item.name.as_str(), item.device)))
        .chain(site.meters.iter().map(|item| (item.name.as_str(), item.device)))
        .chain(site.weather.iter().map(|item| (item.name.as_str(), item.device)))
        .collect();
    let mute = equipment
        .iter()
        .filter(|(_, device)| device.is_none())
        .map(|(name, _)| *name);
    some(
        "without a device, so neither read nor written",
        &mute.collect::<Vec<_>>(),
        warnings,
    );
    let idle = site
        .cdus
        .iter()
        .filter(|cdu| cdu.racks.is_empty())
        .map(|cdu| cdu.name.as_str());
    some("without racks", &idle.collect::<Vec<_>>(), warnings);
    if !matches!(site.workload, WorkloadSettings::None) {
        let unnamed = site
            .racks
            .iter()
            .filter(|rack| rack.nodes.is_empty())
            .map(|rack| rack.name.as_str());
        some(
            "without nodes, so no job can be placed there",
            &unnamed.collect::<Vec<_>>(),
            warnings,
        );
    }
    if site.weather.is_none() {
        warnings.push("no [weather]: the wet bulb of the design is assumed at all times".to_owned());
    }
}

/// Plants that cannot keep their own limits at the design weather, whoever controls them.
fn sizes(site: &Site, warnings: &mut Vec<String>) {
    for facility_loop in &site.loops {
        let units = || facility_loop.rejection.iter().filter_map(|id| site.rejection.get(id.0));
        let heat = heat_kw(site, facility_loop);
        let rejected: f64 = units().map(|unit| unit.nameplate.rated_kw).sum();
        if rejected < heat {
            warnings.push(format!(
                "{}: its racks give {heat:.0} kW at rated power, its heat rejection takes {rejected:.0} kW",
                facility_loop.name
            ));
        }
        // Chillers come after what rejects to the weather, and make the water as cold as they are asked to.
        if units().any(|unit| unit.nameplate.kind == RejectionKind::Chiller) {
            continue;
        }
        let water_c = |unit: &Rejection| unit.nameplate.design_ambient_c + unit.nameplate.approach_k;
        let Some(water_c) = units().map(water_c).reduce(f64::max) else {
            continue;
        };
        let cdus = facility_loop.cdus.iter().filter_map(|id| site.cdus.get(id.0));
        let rooms = facility_loop.air_units.iter().filter_map(|id| site.air_units.get(id.0));
        let supplied = cdus
            .map(|cdu| {
                (
                    &cdu.name,
                    cdu.nameplate.approach_k,
                    site.limits.secondary_supply_c.target,
                )
            })
            .chain(rooms.map(|unit| (&unit.name, unit.nameplate.approach_k, site.limits.room_c.critical)));
        for (name, approach_k, limit_c) in supplied.filter(|(_, approach_k, limit_c)| water_c + approach_k > *limit_c) {
            warnings.push(format!(
                "{name}: supplies no colder than {:.1} degC in the design weather, with a limit of {limit_c:.1}; correct its approach_k, or that of the heat rejection ({water_c:.1} degC)",
                water_c + approach_k
            ));
        }
    }
}

/// All heat of the racks on a loop: what does not go into the coolant reaches it through the air units.
fn heat_kw(site: &Site, facility_loop: &FacilityLoop) -> f64 {
    let cdus = facility_loop.cdus.iter().filter_map(|id| site.cdus.get(id.0));
    let racks = cdus.flat_map(|cdu| &cdu.racks).filter_map(|id| site.racks.get(id.0));
    let air = !facility_loop.air_units.is_empty();
    racks
        .map(|rack| rack.nameplate.rated_kw * if air { 1.0 } else { rack.nameplate.liquid_fraction })
        .sum()
}

fn meters(site: &Site, warnings: &mut Vec<String>) {
    let towers = site
        .rejection
        .iter()
        .any(|unit| unit.nameplate.kind == RejectionKind::TowerCell);
    let wanted = [
        (MeterRole::ItPower, true, "it_power"),
        (MeterRole::SitePower, true, "site_power"),
        (MeterRole::CoolingPower, true, "cooling_power"),
        (MeterRole::MakeupWater, towers, "makeup_water"),
        (MeterRole::BlowdownWater, towers, "blowdown_water"),
        (MeterRole::ReusedHeat, !site.reuse.is_empty(), "reused_heat"),
    ];
    let lacking = wanted
        .iter()
        .filter(|(role, wanted, _)| *wanted && !site.meters.iter().any(|meter| meter.role == *role));
    for (_, _, name) in lacking {
        warnings.push(format!(
            "no meter of role {name}: its share of the books is estimated from other readings"
        ));
    }
}

fn settings(site: &Site, warnings: &mut Vec<String>) {
    let twice = 2.0 * site.control.cycle_s;
    let hasty = site
        .points
        .iter()
        .filter(|point| point.timeout_s < twice)
        .map(|point| point.tag.as_str());
    some(
        "lost after less than two cycles (timeout_s)",
        &hasty.collect::<Vec<_>>(),
        warnings,
    );
    let required = |equipment| {
        site.points
            .iter()
            .any(|point| point.required && point.equipment == equipment)
    };
    let unguarded = (0..site.cdus.len()).filter(|index| !required(EquipmentId::Cdu(crate::site::CduId(*index))));
    let unguarded: Vec<_> = unguarded
        .filter_map(|index| Some(site.cdus.get(index)?.name.as_str()))
        .collect();
    some(
        "without a required point, so that failsafe never notices their loss",
        &unguarded,
        warnings,
    );
    if site.api.operator_token.is_empty() {
        warnings.push("api.operator_token is empty: the page shows everything and allows no action".to_owned());
    }
    let loopback = ["127.", "localhost:", "[::1]:"]
        .iter()
        .any(|start| site.api.listen.starts_with(start));
    if !loopback {
        warnings.push(format!(
            "api.listen = {}: the page can be reached from other machines, unencrypted",
            site.api.listen
        ));
    }
}

/// A token that goes over a network in the open.
fn feed(site: &Site, warnings: &mut Vec<String>) {
    let (WorkloadSettings::Slurmrestd { url, .. } | WorkloadSettings::Kubernetes { url, .. }) = &site.workload else {
        return;
    };
    let local = ["http://127.", "http://localhost:", "http://[::1]:", "https://"];
    if !local.iter().any(|start| url.starts_with(start)) {
        warnings.push(format!(
            "workload.url = {url}: the token and the queue pass unencrypted"
        ));
    }
}

/// One remark for all that it holds for, with the first few named.
fn some(what: &str, names: &[&str], warnings: &mut Vec<String>) {
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => {}
        1..=3 => warnings.push(format!("{shown}: {what}")),
        all => warnings.push(format!("{shown} and {} more: {what}", all - 3)),
    }
}
