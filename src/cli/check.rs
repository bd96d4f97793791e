//! `isotherm check`: every mistake in a site file, or what the site is.

use super::{Failure, load_site};
use crate::site::{self, RejectionKind, Site};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Arguments of `isotherm check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Site file (TOML), or the name of an embedded site.
    site: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let site = load_site(&args.site)?;
    print!("{}", summary(&site));
    Ok(())
}

/// What a site without mistakes consists of, and what deserves a second look.
fn summary(site: &Site) -> String {
    let kind = |kind| site.rejection.iter().filter(|unit| unit.nameplate.kind == kind).count();
    let equipment = [
        (site.loops.len(), "facility-water loop"),
        (site.cdus.len(), "CDU"),
        (site.racks.len(), "rack"),
        (kind(RejectionKind::TowerCell), "tower cell"),
        (kind(RejectionKind::DryCooler), "dry cooler"),
        (kind(RejectionKind::Chiller), "chiller"),
        (site.reuse.len(), "reuse exchanger"),
        (site.air_units.len(), "air unit"),
        (site.meters.len(), "meter"),
        (usize::from(site.weather.is_some()), "weather station"),
        (usize::from(site.building.is_some()), "building system"),
    ];
    let equipment = equipment
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, noun)| super::count(*number, noun));
    let mut profiles: BTreeMap<&str, usize> = BTreeMap::new();
    for device in &site.devices {
        *profiles.entry(&device.binding.profile).or_default() += 1;
    }
    let profiles = profiles.iter().map(|(name, number)| format!("{number} x {name}"));
    let zones = site
        .zones
        .iter()
        .map(|zone| format!("{} ({:?})", zone.name, zone.authority).to_lowercase());
    let written = site.points.iter().filter(|point| point.write.is_some()).count();
    let required = site.points.iter().filter(|point| point.required).count();
    let nodes: usize = site.racks.iter().map(|rack| rack.nodes.len()).sum();
    let rated_kw: f64 = site.racks.iter().map(|rack| rack.nameplate.rated_kw).sum();
    let lines = [
        (
            "site",
            format!(
                "{} ({}, {} m, {})",
                site.name, site.time_zone, site.altitude_m, site.currency
            ),
        ),
        ("hash", site.hash.clone()),
        ("limits", site.limits_hash.clone()),
        ("equipment", list(equipment)),
        ("IT load", format!("{rated_kw:.0} kW rated, {nodes} nodes")),
        ("zones", list(zones)),
        ("devices", format!("{} ({})", site.devices.len(), list(profiles))),
        (
            "points",
            format!("{} ({required} required, {written} written)", site.points.len()),
        ),
        (
            "control",
            format!("{}, every {} s", site.control.strategy.name(), site.control.cycle_s),
        ),
    ];
    let warnings = site::warnings(site);
    let warnings = warnings.into_iter().map(|warning| ("look at", warning));
    let mut text = String::new();
    for (name, value) in lines.into_iter().chain(warnings) {
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{name:<10} {value}");
    }
    text
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_what_the_demo_has() {
        let site = site::load_embedded("demo").unwrap().unwrap();
        let summary = summary(&site);
        assert!(
            summary.contains("1 facility-water loop, 4 CDUs, 16 racks, 3 tower cells, 1 reuse exchanger"),
            "{summary}"
        );
        assert!(summary.contains("1920 kW rated, 288 nodes"), "{summary}");
        assert!(summary.contains("api.operator_token is empty"), "{summary}");
    }
}
