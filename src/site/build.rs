//! From names to ids: puts the equipment together into a [`Site`].
//!
//! Where a name is wrong, the mistake is noted and a stand-in id is used; such a site is never handed out.

use super::bind::Binder;
use super::ids::{AirUnitId, CduId, EquipmentId, LoopId, MeterId, RackId, RejectionId, ReuseId, ZoneId};
use super::profiles::Profiles;
use super::raw::Raw;
use super::read::{Findings, unknown};
use super::topology::{AirUnit, Cdu, FacilityLoop, Meter, Rack, Rejection, Reuse, Weather, Zone};
use super::{
    AirUnitPoints, CduPoints, LoopPoints, MeterPoints, PointId, RackPoints, RejectionPoints, ReusePoints, Site,
    WeatherPoints, hash, nodes,
};

/// The names of what others refer to.
struct Names<'a> {
    zones: Vec<String>,
    loops: Vec<String>,
    cdus: Vec<String>,
    findings: &'a Findings<'a>,
}

impl Names<'_> {
    fn zone(&self, name: &str, path: &str) -> ZoneId {
        ZoneId(self.index(&self.zones, "zone", name, path))
    }

    fn facility_loop(&self, name: &str, path: &str) -> LoopId {
        LoopId(self.index(&self.loops, "loop", name, path))
    }

    fn index(&self, names: &[String], class: &str, name: &str, path: &str) -> usize {
        names.iter().position(|known| known == name).unwrap_or_else(|| {
            let known: Vec<_> = names.iter().map(String::as_str).collect();
            self.findings
                .add(format!("{path}.{class}"), unknown(class, name, &known));
            0
        })
    }
}

/// Equipment on a facility-water loop: every class of it is put together in the same way.
macro_rules! on_loop {
    (
        $entries:expr, $names:ident, $binder:ident, $loops:ident.$list:ident,
        $kind:ident($id:ident) => $item:ident($points:ident) { $($extra:ident: $value:expr)? }
    ) => {{
        let mut items = vec![];
        for (index, entry) in $entries.into_iter().enumerate() {
            let links = entry.links;
            let zone = $names.zone(&links.zone, &entry.path);
            let facility_loop = $names.facility_loop(&links.facility_loop, &entry.path);
            let device = $binder.device(EquipmentId::$kind($id(index)), entry.class, &links.id, zone, links.device);
            if let Some(parent) = $loops.get_mut(facility_loop.0) {
                parent.$list.push($id(index));
            }
            items.push($item {
                points: $points::bind(|name, unit| $binder.find(device, name, unit)),
                name: links.id,
                zone,
                facility_loop,
                nameplate: entry.nameplate,
                device,
                $($extra: $value,)?
            });
        }
        items
    }};
}

/// Resolves every reference and binds every point.
pub(super) fn build(raw: Raw, profiles: Profiles, findings: &Findings<'_>) -> Site {
    let names = Names {
        zones: raw.zones.iter().map(|entry| entry.links.id.clone()).collect(),
        loops: raw.loops.iter().map(|entry| entry.links.id.clone()).collect(),
        cdus: raw.cdus.iter().map(|entry| entry.links.id.clone()).collect(),
        findings,
    };
    let mut binder = Binder::new(profiles, findings);
    let mut loops = vec![];
    for (index, entry) in raw.loops.into_iter().enumerate() {
        let links = entry.links;
        let zone = names.zone(&links.zone, &entry.path);
        let device = binder.device(
            EquipmentId::Loop(LoopId(index)),
            entry.class,
            &links.id,
            zone,
            links.device,
        );
        loops.push(FacilityLoop {
            points: LoopPoints::bind(|name, unit| binder.find(device, name, unit)),
            name: links.id,
            zone,
            nameplate: entry.nameplate,
            device,
            cdus: vec![],
            rejection: vec![],
            reuse: vec![],
            air_units: vec![],
        });
    }
    let mut cdus = on_loop!(raw.cdus, names, binder, loops.cdus, Cdu(CduId) => Cdu(CduPoints) { racks: vec![] });
    let mut racks = vec![];
    for (index, entry) in raw.racks.into_iter().enumerate() {
        let links = entry.links;
        let cdu = CduId(names.index(&names.cdus, "cdu", &links.cdu, &entry.path));
        let zone = cdus.get(cdu.0).map_or(ZoneId(0), |parent: &Cdu| parent.zone);
        let device = binder.device(
            EquipmentId::Rack(RackId(index)),
            entry.class,
            &links.id,
            zone,
            links.device,
        );
        if let Some(parent) = cdus.get_mut(cdu.0) {
            parent.racks.push(RackId(index));
        }
        racks.push(Rack {
            points: RackPoints::bind(|name, unit| binder.find(device, name, unit)),
            nodes: nodes::expand_all(&links.nodes, &entry.path, findings),
            name: links.id,
            zone,
            cdu,
            nameplate: entry.nameplate,
            device,
        });
    }
    let rejection = on_loop!(raw.rejection, names, binder, loops.rejection,
        Rejection(RejectionId) => Rejection(RejectionPoints) {});
    let reuse = on_loop!(raw.reuse, names, binder, loops.reuse, Reuse(ReuseId) => Reuse(ReusePoints) {});
    let air_units = on_loop!(raw.air_units, names, binder, loops.air_units,
        AirUnit(AirUnitId) => AirUnit(AirUnitPoints) {});
    let mut meters = vec![];
    for (index, entry) in raw.meters.into_iter().enumerate() {
        let links = entry.links;
        let zone = names.zone(&links.zone, &entry.path);
        let device = binder.device(
            EquipmentId::Meter(MeterId(index)),
            entry.class,
            &links.id,
            zone,
            links.device,
        );
        meters.push(Meter {
            points: MeterPoints::bind(|name, unit| binder.find(device, name, unit)),
            name: links.id,
            zone,
            role: links.role,
            rollover: links.rollover,
            device,
        });
    }
    let weather = raw.weather.map(|entry| {
        let links = entry.links;
        let zone = names.zone(&links.zone, &entry.path);
        let device = binder.device(EquipmentId::Weather, entry.class, &links.id, zone, links.device);
        Weather {
            points: WeatherPoints::bind(|name, unit| binder.find(device, name, unit)),
            name: links.id,
            device,
        }
    });
    let bound = binder.finish();
    let mut zones = vec![];
    for (index, entry) in raw.zones.into_iter().enumerate() {
        let own = bound
            .points
            .iter()
            .enumerate()
            .filter(|(_, point)| point.zone == ZoneId(index));
        let points = own.map(|(point, _)| PointId(point)).collect();
        zones.push(Zone {
            name: entry.links.id,
            authority: entry.links.authority,
            points,
        });
    }
    Site {
        zones,
        name: raw.site.name,
        time_zone: raw.site.time_zone,
        altitude_m: raw.site.altitude_m,
        currency: raw.site.currency,
        hash: hash::of(&findings.layers.merged, &bound.profile_sources),
        loops,
        cdus,
        racks,
        rejection,
        reuse,
        air_units,
        meters,
        weather,
        devices: bound.devices,
        points: bound.points,
        limits: raw.limits,
        prices: raw.prices,
        control: raw.control,
        safety: raw.safety,
        forecast: raw.forecast,
        workload: raw.workload,
        mqtt: raw.mqtt,
        api: raw.api,
        store: raw.store,
    }
}
