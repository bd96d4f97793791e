//! From names to ids: puts the equipment together into a [`Site`].
//!
//! Where a name is wrong, the mistake is noted and a stand-in id is used; such a site is never handed out.

use super::bind::Binder;
use super::findings::{Findings, unknown};
use super::ids::{AirUnitId, CduId, EquipmentId, LoopId, MeterId, RackId, RejectionId, ReuseId, ZoneId};
use super::profiles::Profiles;
use super::raw::{Entry, LoopLinks, MeterLinks, NoKeys, RackLinks, Raw, ZoneLinks};
use super::topology::{
    AirUnit, Building, Cdu, FacilityLoop, Feed, LoopNameplate, Meter, Rack, RackNameplate, Rejection, Reuse, Weather,
    Zone,
};
use super::{
    AirUnitPoints, BuildingPoints, CduPoints, FeedPoints, Grid, LoopPoints, MeterPoints, PointId, PointSpec,
    RackPoints, RejectionPoints, ReusePoints, Site, WeatherPoints, hash, nodes,
};

/// Index of what a wrong name stands for: no vector is that long, so nothing is connected there.
pub(super) const UNRESOLVED: usize = usize::MAX;

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

    fn cdu(&self, name: &str, path: &str) -> CduId {
        CduId(self.index(&self.cdus, "cdu", name, path))
    }

    fn index(&self, names: &[String], class: &str, name: &str, path: &str) -> usize {
        names.iter().position(|known| known == name).unwrap_or_else(|| {
            let known: Vec<_> = names.iter().map(String::as_str).collect();
            self.findings
                .add(format!("{path}.{class}"), unknown(class, name, &known));
            UNRESOLVED
        })
    }
}

/// What the equipment is put together with.
struct Builder<'a> {
    names: Names<'a>,
    binder: Binder<'a>,
}

/// Equipment on a facility-water loop: every class of it is put together in the same way.
macro_rules! on_loop {
    (
        $builder:ident, $loops:ident.$list:ident, $entries:expr,
        $kind:ident($id:ident) => $item:ident($points:ident) { $($extra:ident: $value:expr)? }
    ) => {{
        let mut items = vec![];
        for (index, entry) in $entries.into_iter().enumerate() {
            let links = entry.links;
            let zone = $builder.names.zone(&links.zone, &entry.path);
            let facility_loop = $builder.names.facility_loop(&links.facility_loop, &entry.path);
            let equipment = EquipmentId::$kind($id(index));
            let device = $builder.binder.device(equipment, entry.class, &links.id, zone, links.device);
            if let Some(parent) = $loops.get_mut(facility_loop.0) {
                parent.$list.push($id(index));
            }
            items.push($item {
                points: $points::bind(|name, unit| $builder.binder.find(device, name, unit)),
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
    let mut it = Builder {
        names,
        binder: Binder::new(profiles, findings),
    };
    let mut loops = it.loops(raw.loops);
    let mut cdus = on_loop!(it, loops.cdus, raw.cdus, Cdu(CduId) => Cdu(CduPoints) { racks: vec![] });
    let racks = it.racks(raw.racks, &mut cdus, findings);
    let rejection =
        on_loop!(it, loops.rejection, raw.rejection, Rejection(RejectionId) => Rejection(RejectionPoints) {});
    let reuse = on_loop!(it, loops.reuse, raw.reuse, Reuse(ReuseId) => Reuse(ReusePoints) {});
    let air_units = on_loop!(it, loops.air_units, raw.air_units, AirUnit(AirUnitId) => AirUnit(AirUnitPoints) {});
    let meters = it.meters(raw.meters);
    let weather = raw.weather.map(|entry| it.weather(entry));
    let feed = raw.feed.map(|entry| it.feed(entry));
    let building = raw.building.map(|entry| it.building(entry));
    let bound = it.binder.finish();
    Site {
        zones: zones(raw.zones, &bound.points),
        name: raw.site.name,
        time_zone: raw.site.time_zone,
        altitude_m: raw.site.altitude_m,
        currency: raw.site.currency,
        hash: hash::of(&findings.layers.merged, &bound.profile_sources),
        limits_hash: hash::limits(&findings.layers.merged),
        loops,
        cdus,
        racks,
        rejection,
        reuse,
        air_units,
        meters,
        weather,
        feed,
        grid: Grid {
            settings: raw.grid,
            ..Grid::default()
        },
        ledger: raw.ledger,
        disclosure: raw.disclosure,
        building,
        devices: bound.devices,
        points: bound.points,
        limits: raw.limits,
        prices: raw.prices,
        control: raw.control,
        safety: raw.safety,
        forecast: raw.forecast,
        workload: raw.workload,
        modbus: raw.modbus,
        mqtt: raw.mqtt,
        dsx: raw.dsx,
        pair: raw.pair,
        api: raw.api,
        store: raw.store,
        forward: raw.forward,
    }
}

impl Builder<'_> {
    fn loops(&mut self, entries: Vec<Entry<LoopLinks, LoopNameplate>>) -> Vec<FacilityLoop> {
        let mut loops = vec![];
        for (index, entry) in entries.into_iter().enumerate() {
            let links = entry.links;
            let zone = self.names.zone(&links.zone, &entry.path);
            let equipment = EquipmentId::Loop(LoopId(index));
            let device = self
                .binder
                .device(equipment, entry.class, &links.id, zone, links.device);
            loops.push(FacilityLoop {
                points: LoopPoints::bind(|name, unit| self.binder.find(device, name, unit)),
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
        loops
    }

    fn racks(
        &mut self,
        entries: Vec<Entry<RackLinks, RackNameplate>>,
        cdus: &mut [Cdu],
        findings: &Findings<'_>,
    ) -> Vec<Rack> {
        let mut racks = vec![];
        for (index, entry) in entries.into_iter().enumerate() {
            let links = entry.links;
            let cdu = self.names.cdu(&links.cdu, &entry.path);
            let zone = cdus.get(cdu.0).map_or(ZoneId(UNRESOLVED), |parent| parent.zone);
            let equipment = EquipmentId::Rack(RackId(index));
            let device = self
                .binder
                .device(equipment, entry.class, &links.id, zone, links.device);
            if let Some(parent) = cdus.get_mut(cdu.0) {
                parent.racks.push(RackId(index));
            }
            racks.push(Rack {
                points: RackPoints::bind(|name, unit| self.binder.find(device, name, unit)),
                nodes: nodes::expand_all(&links.nodes, &entry.path, findings),
                name: links.id,
                zone,
                cdu,
                nameplate: entry.nameplate,
                device,
            });
        }
        racks
    }

    fn meters(&mut self, entries: Vec<Entry<MeterLinks, NoKeys>>) -> Vec<Meter> {
        let mut meters = vec![];
        for (index, entry) in entries.into_iter().enumerate() {
            let links = entry.links;
            let zone = self.names.zone(&links.zone, &entry.path);
            let equipment = EquipmentId::Meter(MeterId(index));
            let device = self
                .binder
                .device(equipment, entry.class, &links.id, zone, links.device);
            meters.push(Meter {
                points: MeterPoints::bind(|name, unit| self.binder.find(device, name, unit)),
                name: links.id,
                zone,
                role: links.role,
                rollover: links.rollover,
                class: links.class,
                device,
            });
        }
        meters
    }

    fn building(&mut self, entry: Entry<LoopLinks, NoKeys>) -> Building {
        let links = entry.links;
        let zone = self.names.zone(&links.zone, &entry.path);
        let device = self
            .binder
            .device(EquipmentId::Building, entry.class, &links.id, zone, links.device);
        Building {
            points: BuildingPoints::bind(|name, unit| self.binder.find(device, name, unit)),
            name: links.id,
            device,
        }
    }

    fn weather(&mut self, entry: Entry<LoopLinks, NoKeys>) -> Weather {
        let links = entry.links;
        let zone = self.names.zone(&links.zone, &entry.path);
        let device = self
            .binder
            .device(EquipmentId::Weather, entry.class, &links.id, zone, links.device);
        Weather {
            points: WeatherPoints::bind(|name, unit| self.binder.find(device, name, unit)),
            name: links.id,
            device,
        }
    }

    fn feed(&mut self, entry: Entry<LoopLinks, NoKeys>) -> Feed {
        let links = entry.links;
        let zone = self.names.zone(&links.zone, &entry.path);
        let device = self
            .binder
            .device(EquipmentId::Feed, entry.class, &links.id, zone, links.device);
        Feed {
            points: FeedPoints::bind(|name, unit| self.binder.find(device, name, unit)),
            name: links.id,
            device,
        }
    }
}

/// The zones, each with the points that it commands.
fn zones(entries: Vec<Entry<ZoneLinks, NoKeys>>, points: &[PointSpec]) -> Vec<Zone> {
    let mut zones = vec![];
    for (index, entry) in entries.into_iter().enumerate() {
        let own = points
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
    zones
}
