//! Looks for mistakes that no single key shows.
//!
//! A number that could not be read is NaN here and a name that could not be resolved is [`super::build::UNRESOLVED`], so
//! that one mistake does not bring others with it: every rule is written as a comparison that is true where it is broken.

mod equipment;
mod forward;
mod pair;
mod review;
mod settings;

pub use review::warnings;
pub(super) use settings::is_host_and_port;

use super::Site;
use super::findings::Findings;
use super::layers::CLASSES;
use super::raw::Raw;
use std::collections::BTreeSet;

/// Notes every mistake in how the parts of a site fit together.
pub(super) fn check(site: &Site, findings: &Findings<'_>) {
    equipment::check(site, findings);
    settings::check(site, findings);
    forward::check(&site.forward, findings);
    pair::check(&site.pair, findings);
}

/// Notes every id that cannot serve as a name, before the ids are resolved.
pub(super) fn ids(raw: &Raw, findings: &Findings<'_>) {
    let equipment = (raw.loops.iter().map(|entry| (&entry.path, &entry.links.id)))
        .chain(raw.cdus.iter().map(|entry| (&entry.path, &entry.links.id)))
        .chain(raw.racks.iter().map(|entry| (&entry.path, &entry.links.id)))
        .chain(raw.rejection.iter().map(|entry| (&entry.path, &entry.links.id)))
        .chain(raw.reuse.iter().map(|entry| (&entry.path, &entry.links.id)))
        .chain(raw.air_units.iter().map(|entry| (&entry.path, &entry.links.id)))
        .chain(raw.meters.iter().map(|entry| (&entry.path, &entry.links.id)))
        .chain(raw.weather.iter().map(|entry| (&entry.path, &entry.links.id)))
        .chain(raw.feed.iter().map(|entry| (&entry.path, &entry.links.id)))
        .chain(raw.building.iter().map(|entry| (&entry.path, &entry.links.id)));
    distinct(equipment, findings);
    distinct(raw.zones.iter().map(|entry| (&entry.path, &entry.links.id)), findings);
    if raw.loops.is_empty() {
        findings.add("loop", "is missing; write a [[loop]] for each facility-water loop");
    }
}

fn distinct<'r>(items: impl Iterator<Item = (&'r String, &'r String)>, findings: &Findings<'_>) {
    let mut seen = BTreeSet::new();
    for (path, id) in items {
        let path = format!("{path}.id");
        let plain = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        // Ids and classes share the names of [points.<class or id>]; the weather station, the building and the feed may be
        // called what they are.
        let class = CLASSES.contains(&id.as_str()) && id != "weather" && id != "building" && id != "feed";
        if id.is_empty() {
            findings.add(path, "is empty; write a name");
        } else if !plain {
            findings.add(
                path,
                format!("is `{id}`; write letters, digits, `-` and `_` only: it is part of tags and topics"),
            );
        } else if class {
            findings.add(
                path,
                format!("is `{id}`, which names a class; write another name, such as `{id}1`"),
            );
        } else if !seen.insert(id) {
            findings.add(path, format!("is `{id}`, which is taken; write another name"));
        }
    }
}
