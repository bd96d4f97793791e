//! Whether the equipment fits together: nameplates, links, devices.

use crate::site::build::UNRESOLVED;
use crate::site::findings::Findings;
use crate::site::{Cdu, Device, DeviceBinding, Endpoint, LoopId, Rack, RackId, RejectionKind, Site};
use std::collections::BTreeMap;
use wire::Mapping;

/// By how much racks may go beyond their CDU's nameplate: rounding of data sheets, not design.
const ROUNDING: f64 = 1.01;

pub(super) fn check(site: &Site, findings: &Findings<'_>) {
    for cdu in &site.cdus {
        racks_fit(site, cdu, findings);
    }
    for rack in &site.racks {
        nameplate(rack, findings);
    }
    nodes(site, findings);
    rejection(site, findings);
    let mut addresses = BTreeMap::new();
    for device in &site.devices {
        reachable(site, device, findings);
        alone(device, &mut addresses, findings);
    }
    let target = site.limits.secondary_supply_c.target;
    for cdu in &site.cdus {
        let setpoint = cdu.points.secondary_supply_temperature_setpoint;
        let release = setpoint
            .and_then(|point| site.points.get(point.id().0)?.write)
            .map(|write| write.release);
        if release.is_some_and(|release| release > target) {
            let path = format!("points.{}.secondary_supply_temperature_setpoint.release", cdu.name);
            findings.add(
                path,
                format!("is above limits.secondary_supply_c.target = {target}; write at most that"),
            );
        }
    }
}

fn racks_fit(site: &Site, cdu: &Cdu, findings: &Findings<'_>) {
    let racks = || {
        cdu.racks
            .iter()
            .filter_map(|rack: &RackId| site.racks.get(rack.0))
            .map(|rack| &rack.nameplate)
    };
    let heat: f64 = racks().map(|rack| rack.rated_kw * rack.liquid_fraction).sum();
    let flow: f64 = racks().map(|rack| rack.flow_lpm).sum();
    let plate = &cdu.nameplate;
    if heat > plate.rated_kw * ROUNDING {
        let message = format!(
            "is {}, and its racks give {heat:.0} kW to the coolant; write the CDU's rated heat, or move racks",
            plate.rated_kw
        );
        findings.add(format!("cdu.{}.rated_kw", cdu.name), message);
    }
    if flow > plate.secondary_flow_lpm * ROUNDING {
        let message = format!(
            "is {}, and its racks' flow_lpm add up to {flow:.0}; write flows at one and the same rated point",
            plate.secondary_flow_lpm
        );
        findings.add(format!("cdu.{}.secondary_flow_lpm", cdu.name), message);
    }
}

fn nameplate(rack: &Rack, findings: &Findings<'_>) {
    let plate = &rack.nameplate;
    if plate.idle_kw >= plate.rated_kw {
        let message = format!(
            "is {}, not below rated_kw = {}; write the power with idle nodes",
            plate.idle_kw, plate.rated_kw
        );
        findings.add(format!("rack.{}.idle_kw", rack.name), message);
    }
    let least = plate.min_flow_lpm_per_kw * plate.rated_kw * plate.liquid_fraction;
    if plate.flow_lpm < least {
        let message = format!(
            "is {}, less than the {least:.0} L/min that min_flow_lpm_per_kw asks for at rated power",
            plate.flow_lpm
        );
        findings.add(format!("rack.{}.flow_lpm", rack.name), message);
    }
}

/// A node in two racks would count its heat twice.
fn nodes(site: &Site, findings: &Findings<'_>) {
    let mut owners = BTreeMap::new();
    for rack in &site.racks {
        for node in &rack.nodes {
            if let Some(other) = owners.insert(node, &rack.name) {
                let message = format!("names {node}, which {other} has too; write each node once");
                findings.add(format!("rack.{}.nodes", rack.name), message);
            }
        }
    }
}

fn rejection(site: &Site, findings: &Findings<'_>) {
    for unit in &site.rejection {
        if unit.nameplate.spray && unit.nameplate.kind != RejectionKind::DryCooler {
            let path = format!("{}.{}.spray", unit.nameplate.kind.name(), unit.name);
            findings.add(path, "is true, and only a dry_cooler has pads to spray; write false");
        }
    }
    // A unit on an unknown loop may be the one that seems to be missing.
    if site
        .rejection
        .iter()
        .any(|unit| unit.facility_loop == LoopId(UNRESOLVED))
    {
        return;
    }
    for facility_loop in site
        .loops
        .iter()
        .filter(|facility_loop| facility_loop.rejection.is_empty())
    {
        let name = &facility_loop.name;
        let message = format!(
            "has nothing that rejects its heat; write a [[tower_cell]], [[dry_cooler]] or [[chiller]] with loop = \"{name}\""
        );
        findings.add(format!("loop.{name}"), message);
    }
}

/// Whether a device's binding says all that its kind of profile needs.
fn reachable(site: &Site, device: &Device, findings: &Findings<'_>) {
    let path = path(device, findings);
    let binding = &device.binding;
    match device.profile.mapping {
        Mapping::Modbus(_) => {
            match &binding.address {
                None => findings.add(
                    format!("{path}.address"),
                    format!(
                        "is missing, and `{}` speaks Modbus; write address = \"host:port\"",
                        binding.profile
                    ),
                ),
                Some(address) => match address.parse::<Endpoint>() {
                    Err(message) => findings.add(format!("{path}.address"), message),
                    Ok(endpoint) => {
                        if endpoint.is_rtu() && binding.unit.is_some_and(|unit| !(1..=247).contains(&unit)) {
                            let message = "does not address one device on a serial line; write 1 to 247";
                            findings.add(format!("{path}.unit"), message);
                        }
                    }
                },
            }
            unused(binding, &["object"], &path, findings);
            if binding.unit.is_none() {
                findings.add(
                    format!("{path}.unit"),
                    format!(
                        "is missing, and `{}` speaks Modbus; write its unit id, such as unit = 1",
                        binding.profile
                    ),
                );
            }
        }
        Mapping::Dsx(_) => {
            if site.dsx.integration.is_empty() {
                let message = format!(
                    "is empty, and `{}` is on the DSX bus; write our identifier there",
                    binding.profile
                );
                findings.add("dsx.integration", message);
            }
            unused(binding, &["address", "unit"], &path, findings);
        }
        Mapping::Mqtt(_) => {
            if site.mqtt.broker.is_empty() {
                let message = format!(
                    "is empty, and `{}` speaks MQTT; write the broker's \"host:port\"",
                    binding.profile
                );
                findings.add("mqtt.broker", message);
            }
            unused(binding, &["address", "unit"], &path, findings);
        }
    }
}

/// Keys that say nothing for this kind of profile.
fn unused(binding: &DeviceBinding, keys: &[&str], path: &str, findings: &Findings<'_>) {
    for key in keys {
        let (present, instead) = match *key {
            "address" => (binding.address.is_some(), "is found on its bus"),
            "unit" => (binding.unit.is_some(), "is found on its bus"),
            _ => (binding.object.is_some(), "is found by its address"),
        };
        if present {
            let message = format!("is of no use: `{}` {instead}; remove it", binding.profile);
            findings.add(format!("{path}.{key}"), message);
        }
    }
}

/// Two devices behind one address and unit would overwrite each other's setpoints.
fn alone<'s>(device: &'s Device, addresses: &mut BTreeMap<(&'s str, u8), &'s str>, findings: &Findings<'_>) {
    let (Some(address), Some(unit)) = (&device.binding.address, device.binding.unit) else {
        return;
    };
    if let Some(other) = addresses.insert((address, unit), &device.id) {
        let message = format!("is {address} with unit {unit}, where {other} is already; write this device's own");
        findings.add(format!("{}.address", path(device, findings)), message);
    }
}

fn path(device: &Device, findings: &Findings<'_>) -> String {
    format!(
        "{}.{}.device",
        findings.layers.class_of(&device.id).unwrap_or_default(),
        device.id
    )
}
