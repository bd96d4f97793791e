//! Which points of the bus are which of ours, as the metadata says.

use crate::field::link::Link;
use crate::site::{Device, DeviceId};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::Profile;
use wire::dsx::{self, Metadata, Role};
use wire::profile::DsxMap;

/// The points of the bus that concern us.
#[derive(Default)]
pub(super) struct Directory {
    objects: Vec<Object>,
    /// By the tail of their topics.
    readings: BTreeMap<String, Vec<Heard>>,
    /// Topic on which a point of a device is asked for, and the units there; by the tail that granted it.
    requests: BTreeMap<(DeviceId, usize), Grant>,
}

struct Object {
    kind: String,
    name: String,
    link: Arc<Link>,
    profile: Arc<Profile>,
}

/// A value of the bus that is a point of a device.
#[derive(Clone)]
pub(super) struct Heard {
    pub link: Arc<Link>,
    pub profile: Arc<Profile>,
    pub point: usize,
    /// Factor and offset to the canonical unit.
    pub conversion: (f64, f64),
}

/// Leave to ask for a point.
pub(super) struct Grant {
    pub topic: String,
    pub conversion: (f64, f64),
    tail: String,
}

impl Directory {
    pub(super) fn add(&mut self, map: &DsxMap, device: &Device, link: &Arc<Link>) {
        self.objects.push(Object {
            kind: map.object_type.clone(),
            name: device.bus_name().to_owned(),
            link: Arc::clone(link),
            profile: Arc::clone(&device.profile),
        });
    }

    /// The object types of our devices.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().map(|object| object.kind.as_str())
    }

    /// Forgets what the metadata said.
    pub(super) fn forget(&mut self) {
        self.readings.clear();
        self.requests.clear();
    }

    /// Forgets what the metadata of one point said.
    pub(super) fn withdraw(&mut self, tail: &str) {
        self.readings.remove(tail);
        self.requests.retain(|_, grant| grant.tail != tail);
    }

    /// Takes a point's metadata: an object is known by its id or by its name.
    pub(super) fn metadata(&mut self, metadata: &Metadata, integration: &str) {
        let ours = self.objects.iter().filter(|object| {
            object.kind == metadata.object_type && (object.name == metadata.object || object.name == metadata.name)
        });
        for object in ours {
            for (point, role) in dsx::points(&object.profile, metadata) {
                let Some(spec) = object.profile.points.get(point) else {
                    continue;
                };
                let Some(conversion) = dsx::conversion(spec, &metadata.unit) else {
                    let (unit, wanted) = (&metadata.unit, spec.unit.symbol());
                    object.link.note(|status| {
                        status.read_errors += 1;
                        status.last_error = Some(format!("{} is in `{unit}`, not in `{wanted}`", metadata.tail));
                    });
                    continue;
                };
                match role {
                    Role::Reads => self.readings.entry(metadata.tail.clone()).or_default().push(Heard {
                        link: Arc::clone(&object.link),
                        profile: Arc::clone(&object.profile),
                        point,
                        conversion,
                    }),
                    Role::Requests => {
                        if let Some(topic) = metadata.integration_topic(integration) {
                            let tail = metadata.tail.clone();
                            let grant = Grant {
                                topic,
                                conversion,
                                tail,
                            };
                            self.requests.insert((object.link.device, point), grant);
                        }
                    }
                }
            }
        }
    }

    /// What a value on a topic of this tail is.
    pub(super) fn readings(&self, tail: &str) -> Vec<Heard> {
        self.readings.get(tail).cloned().unwrap_or_default()
    }

    /// The devices that a value on a topic of this tail is for.
    pub(super) fn links(&self, tail: &str) -> impl Iterator<Item = &Arc<Link>> {
        self.readings.get(tail).into_iter().flatten().map(|heard| &heard.link)
    }

    /// Leave to ask for a point, where there is any.
    pub(super) fn grant(&self, device: DeviceId, point: usize) -> Option<&Grant> {
        self.requests.get(&(device, point))
    }
}
