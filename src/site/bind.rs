//! Binds the points of device profiles to equipment, each with the manners that `[points]` gives it.

use super::findings::{Findings, unknown};
use super::layers::{CLASSES, lay_over};
use super::points::more_cooling;
use super::profiles::Profiles;
use super::raw;
use super::read::Item;
use super::{
    AirUnitPoints, BuildingPoints, CduPoints, Device, DeviceBinding, DeviceId, EquipmentId, FeedPoints, LoopPoints,
    MeterPoints, PointId, PointSpec, RackPoints, RejectionPoints, ReusePoints, WeatherPoints, WriteSpec, ZoneId,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use thermo::Unit;
use toml::{Table, Value};
use wire::Access;

/// The devices and points put together so far.
pub(super) struct Binder<'a> {
    profiles: Profiles,
    findings: &'a Findings<'a>,
    devices: Vec<Device>,
    points: Vec<PointSpec>,
    /// Pairs of class or id, and quantity, to which some point belongs.
    bound: BTreeSet<(String, String)>,
}

/// What the binder hands over.
pub(super) struct Bound {
    pub(super) devices: Vec<Device>,
    pub(super) points: Vec<PointSpec>,
    pub(super) profile_sources: BTreeMap<String, String>,
}

/// `[points.<class or id>.<quantity>]`, over `[defaults.point]`.
#[derive(Deserialize)]
struct Manners {
    required: bool,
    timeout_s: f64,
    slew_per_s: f64,
    min: Option<f64>,
    max: Option<f64>,
    release: Option<f64>,
    rise_per_min: Option<f64>,
    fall_per_min: Option<f64>,
    bounded_band: Option<f64>,
}

impl<'a> Binder<'a> {
    pub(super) const fn new(profiles: Profiles, findings: &'a Findings<'a>) -> Self {
        Self {
            profiles,
            findings,
            devices: vec![],
            points: vec![],
            bound: BTreeSet::new(),
        }
    }

    /// Adds an equipment's device with all points of its profile.
    pub(super) fn device(
        &mut self,
        equipment: EquipmentId,
        class: &str,
        id: &str,
        zone: ZoneId,
        binding: Option<DeviceBinding>,
    ) -> Option<DeviceId> {
        // Without an id there is no tag; that it is missing is known.
        let binding = binding.filter(|_| !id.is_empty())?;
        let profile = self
            .profiles
            .find(&binding.profile, &format!("{class}.{id}.device.profile"), self.findings)?;
        let device = DeviceId(self.devices.len());
        let first = self.points.len();
        for (profile_point, point) in profile.points.iter().enumerate() {
            let written = point.access == Access::ReadWrite && is_written(&point.name);
            let manners = self.manners(class, id, &point.name);
            let path = format!("points.{id}.{}", point.name);
            let device_range = (point.min, point.max);
            self.bound
                .extend([class, id].map(|owner| (owner.to_owned(), point.name.clone())));
            self.points.push(PointSpec {
                tag: format!("{id}.{}", point.name),
                equipment,
                zone,
                quantity: point.name.clone(),
                unit: point.unit,
                device,
                profile_point,
                required: manners.as_ref().is_some_and(|manners| manners.required),
                timeout_s: manners.as_ref().map_or(f64::NAN, |manners| manners.timeout_s),
                slew_per_s: manners.as_ref().map_or(f64::NAN, |manners| manners.slew_per_s),
                plausible: match &manners {
                    Some(manners) if !written => self.plausible(&path, manners, device_range),
                    _ => device_range,
                },
                write: manners
                    .filter(|_| written)
                    .map(|it| self.write(&path, &point.name, &it, device_range)),
            });
        }
        self.check_profile(class, id, &profile);
        let points = (first..self.points.len()).map(PointId).collect();
        self.devices.push(Device {
            id: id.to_owned(),
            binding,
            profile,
            points,
        });
        Some(device)
    }

    /// The point of a quantity, in its unit.
    pub(super) fn find(&self, device: Option<DeviceId>, quantity: &str, unit: Unit) -> Option<PointId> {
        let points = &self.devices.get(device?.0)?.points;
        points.iter().copied().find(|point| {
            self.points
                .get(point.0)
                .is_some_and(|spec| spec.quantity == quantity && spec.unit == unit)
        })
    }

    /// Ends the binding: what `[points]` says of no point at all is a mistake.
    pub(super) fn finish(self) -> Bound {
        self.check_owners();
        Bound {
            devices: self.devices,
            points: self.points,
            profile_sources: self.profiles.sources,
        }
    }

    /// What `[points]` says of one point: its class's table, and its equipment's table over that.
    fn manners(&self, class: &str, id: &str, quantity: &str) -> Option<Manners> {
        let layers = self.findings.layers;
        let mut table = raw::defaults(layers, "point");
        let all = layers.merged.get("points");
        for owner in [class, id] {
            let own = all
                .and_then(|all| all.get(owner)?.get(quantity))
                .and_then(Value::as_table);
            lay_over(&mut table, own.unwrap_or(&Table::new()));
        }
        let item = Item::new(format!("points.{id}.{quantity}"), table, self.findings);
        let manners = item.read();
        item.finish();
        manners
    }

    /// The plausible range of a reading: the device's, narrowed or replaced by the site.
    fn plausible(&self, path: &str, manners: &Manners, device: (f64, f64)) -> (f64, f64) {
        let (low, high) = (manners.min.unwrap_or(device.0), manners.max.unwrap_or(device.1));
        if low >= high {
            self.findings.add(
                format!("{path}.min"),
                format!("is {low}, not below max = {high}; write a smaller number"),
            );
        }
        let writing = [
            ("release", manners.release),
            ("rise_per_min", manners.rise_per_min),
            ("fall_per_min", manners.fall_per_min),
            ("bounded_band", manners.bounded_band),
        ];
        for (key, _) in writing.iter().filter(|(_, value)| value.is_some()) {
            self.findings.add(
                format!("{path}.{key}"),
                "belongs to points that are written, and this one is only read; remove it",
            );
        }
        (low, high)
    }

    fn write(&self, path: &str, quantity: &str, manners: &Manners, device: (f64, f64)) -> WriteSpec {
        let needs = |key: &str, value: Option<f64>, what: &str| {
            value.unwrap_or_else(|| {
                self.findings
                    .add(format!("{path}.{key}"), format!("is missing; write {what}"));
                f64::NAN
            })
        };
        let write = WriteSpec {
            min: needs("min", manners.min, "the smallest value that may ever be written"),
            max: needs("max", manners.max, "the largest value that may ever be written"),
            release: needs(
                "release",
                manners.release,
                "the value at which the plant runs without Isotherm",
            ),
            more_cooling: more_cooling(quantity),
            rise_per_min: needs("rise_per_min", manners.rise_per_min, "the largest rise in a minute"),
            fall_per_min: needs("fall_per_min", manners.fall_per_min, "the largest fall in a minute"),
            bounded_band: needs(
                "bounded_band",
                manners.bounded_band,
                "the half-width of the band of bounded authority",
            ),
        };
        if write.min >= write.max {
            let message = format!(
                "is {}, not below max = {}; write a smaller number",
                write.min, write.max
            );
            self.findings.add(format!("{path}.min"), message);
        } else if write.release < write.min || write.release > write.max {
            let message = format!(
                "is {}; write a number from min = {} to max = {}",
                write.release, write.min, write.max
            );
            self.findings.add(format!("{path}.release"), message);
        }
        for (key, value) in [("min", write.min), ("max", write.max)] {
            if value < device.0 || value > device.1 {
                let message = format!("is {value}; the device takes {} to {}", device.0, device.1);
                self.findings.add(format!("{path}.{key}"), message);
            }
        }
        write
    }

    /// Whether a profile serves a class: it gives quantities of the class's vocabulary in their units, and all that
    /// the class requires, since nobody could notice the loss of what was never there.
    fn check_profile(&self, class: &str, id: &str, profile: &wire::Profile) {
        let mut complaints = vec![];
        for (quantity, unit) in vocabulary(class) {
            match profile.points.iter().find(|point| point.name == *quantity) {
                Some(point) if point.unit != *unit => {
                    let (given, wanted) = (point.unit.symbol(), unit.symbol());
                    complaints.push(format!("gives {quantity} in `{given}`, where a {class} has `{wanted}`"));
                }
                None if self
                    .manners(class, id, quantity)
                    .is_some_and(|manners| manners.required) =>
                {
                    let instead = format!("[points.{class}] {quantity} = {{ required = false }}");
                    complaints.push(format!(
                        "has no {quantity}, which a {class} requires (or write {instead})"
                    ));
                }
                _ => {}
            }
        }
        if !complaints.is_empty() {
            let message = format!(
                "profile `{}` {}; write another profile",
                profile.name,
                complaints.join(", ")
            );
            self.findings.add(format!("{class}.{id}.device.profile"), message);
        }
    }

    fn check_owners(&self) {
        let layers = self.findings.layers;
        let Some(all) = layers.merged.get("points") else { return };
        let Value::Table(owners) = all else {
            return self
                .findings
                .add("points", "is not a table; write [points.<class or id>]");
        };
        let ids: Vec<_> = self.devices.iter().map(|device| device.id.as_str()).collect();
        let known: Vec<_> = CLASSES.iter().copied().chain(ids.iter().copied()).collect();
        for (owner, quantities) in owners {
            let path = format!("points.{owner}");
            if !known.contains(&owner.as_str()) {
                self.findings.add(path, unknown("class or equipment", owner, &known));
                continue;
            }
            let Value::Table(quantities) = quantities else {
                self.findings
                    .add(path, format!("is not a table; write [points.{owner}.<quantity>]"));
                continue;
            };
            for (quantity, manners) in quantities {
                let path = format!("{path}.{quantity}");
                let Value::Table(manners) = manners else {
                    self.findings.add(
                        path,
                        "is not a table; write { required = true, timeout_s = 30 } or the like",
                    );
                    continue;
                };
                if layers.is_overridden(&path) {
                    self.check_override(owner, quantity, manners, &path);
                }
            }
        }
    }

    /// An override must meet some point, unless it says that there need not be one. A class of which no device is
    /// known is left in peace.
    fn check_override(&self, owner: &str, quantity: &str, manners: &Table, path: &str) {
        let class = self.findings.layers.class_of(owner).unwrap_or(owner);
        let of_class = || vocabulary(class).iter().map(|(quantity, _)| *quantity);
        let of_owner = self
            .bound
            .iter()
            .filter(|(known, _)| known == owner)
            .map(|(_, quantity)| quantity.as_str());
        let mut known: Vec<_> = of_owner.collect();
        let waives = manners.get("required") == Some(&Value::Boolean(false));
        if known.is_empty() || waives {
            known.extend(of_class());
        }
        if !known.contains(&quantity) {
            self.findings.add(path, unknown("point", quantity, &known));
        }
    }
}

/// Whether Isotherm writes a quantity where the device lets it: setpoints, enables and heartbeats, nothing else.
fn is_written(quantity: &str) -> bool {
    quantity.ends_with("_setpoint") || matches!(quantity, "enable" | "heartbeat")
}

/// The quantities of a class, with the units in which they are kept.
pub(super) fn vocabulary(class: &str) -> &'static [(&'static str, Unit)] {
    match class {
        "loop" => LoopPoints::VOCABULARY,
        "cdu" => CduPoints::VOCABULARY,
        "rack" => RackPoints::VOCABULARY,
        "tower_cell" | "dry_cooler" | "chiller" => RejectionPoints::VOCABULARY,
        "reuse" => ReusePoints::VOCABULARY,
        "air_unit" => AirUnitPoints::VOCABULARY,
        "meter" => MeterPoints::VOCABULARY,
        "weather" => WeatherPoints::VOCABULARY,
        "feed" => FeedPoints::VOCABULARY,
        "building" => BuildingPoints::VOCABULARY,
        _ => &[],
    }
}
