//! What the facility is: topology, equipment, points, limits and settings, read from TOML and checked.
//!
//! [`load::load`] layers `config/defaults.toml` (embedded), the site's file and the environment
//! (`ISOTHERM__SECTION__KEY`), and answers either a [`Site`] in which every reference is resolved
//! or every mistake at once. The way there: `layers` merges and remembers lines, `read` turns tables
//! into the structs of `raw` and goes on after a mistake, `build` and `bind` resolve names into ids
//! and profiles into points, `check` asks whether it all fits together.

mod bind;
mod build;
mod check;
mod disclosure;
mod endpoint;
mod findings;
mod grid;
mod hash;
mod ids;
mod layers;
mod limits;
pub mod load;
mod node_finder;
mod nodes;
mod points;
mod profiles;
mod ranges;
mod raw;
mod read;
mod topology;

pub use check::warnings;
pub use disclosure::{Disclosure, ItMetering, LedgerSettings, Threshold};
pub use endpoint::{Endpoint, Parity, SerialLine};
pub use grid::{Grid, GridSettings, Moment, TimeSeries};
pub use ids::{
    AirUnitId, CduId, DeviceId, EquipmentId, LoopId, MeterId, PointId, RackId, RejectionId, ReuseId, ZoneId,
};
pub use limits::{
    ApiSettings, Authority, Band, ControlSettings, DsxSettings, ForecastSettings, ForwardProtocol, ForwardSettings,
    Limits, ModbusSettings, MqttSettings, MqttVersion, PairSettings, Prices, ReadBack, SafetySettings, Secret,
    StoreSettings, StrategyKind, TariffWindow, TlsSettings, TrimRespondSettings, WorkloadSettings,
};
pub use load::{Mistake, load, load_embedded, parse};
pub use node_finder::NodeFinder;
pub use points::{
    AirUnitPoints, BuildingPoints, CduPoints, Direction, FeedPoints, LoopPoints, MeterPoints, Point, PointSpec,
    RackPoints, RejectionPoints, ReusePoints, WeatherPoints, WriteSpec, more_cooling,
};
pub use topology::{
    AirUnit, AirUnitNameplate, Building, Cdu, CduNameplate, Device, DeviceBinding, FacilityLoop, Feed, LoopNameplate,
    Meter, MeterRole, Rack, RackNameplate, Rejection, RejectionKind, RejectionNameplate, Reuse, ReuseNameplate,
    Weather, Zone,
};

/// A checked site: every id in it points to an element of the vector of its kind.
#[derive(Debug, Clone)]
pub struct Site {
    /// Name, as in metrics and reports.
    pub name: String,
    /// IANA time zone, for tariffs, days and the page.
    pub time_zone: String,
    /// Height above sea level, m.
    pub altitude_m: f64,
    /// Currency code, such as `EUR`.
    pub currency: String,
    /// Facility-water loops.
    pub loops: Vec<FacilityLoop>,
    /// CDUs.
    pub cdus: Vec<Cdu>,
    /// Racks.
    pub racks: Vec<Rack>,
    /// Heat-rejection units.
    pub rejection: Vec<Rejection>,
    /// Heat-reuse exchangers.
    pub reuse: Vec<Reuse>,
    /// Air units.
    pub air_units: Vec<AirUnit>,
    /// Meters.
    pub meters: Vec<Meter>,
    /// Weather station.
    pub weather: Option<Weather>,
    /// Feed of the grid's carbon intensity and of prices.
    pub feed: Option<Feed>,
    /// Carbon and prices that change with time.
    pub grid: Grid,
    /// How the books are kept.
    pub ledger: LedgerSettings,
    /// What a report to an authority says beyond the books.
    pub disclosure: Disclosure,
    /// Building system.
    pub building: Option<Building>,
    /// Zones.
    pub zones: Vec<Zone>,
    /// Devices.
    pub devices: Vec<Device>,
    /// Points.
    pub points: Vec<PointSpec>,
    /// Limits.
    pub limits: Limits,
    /// Prices.
    pub prices: Prices,
    /// Cycle and strategies.
    pub control: ControlSettings,
    /// Safety.
    pub safety: SafetySettings,
    /// Forecast.
    pub forecast: ForecastSettings,
    /// Job queue.
    pub workload: WorkloadSettings,
    /// Modbus devices.
    pub modbus: ModbusSettings,
    /// MQTT broker.
    pub mqtt: MqttSettings,
    /// DSX Exchange bus.
    pub dsx: DsxSettings,
    /// The other controller of a pair.
    pub pair: PairSettings,
    /// REST and page.
    pub api: ApiSettings,
    /// Local record.
    pub store: StoreSettings,
    /// The forwarding to a database.
    pub forward: ForwardSettings,
    /// SHA-256 of the merged configuration, hex: names it in records.
    pub hash: String,
    /// SHA-256 of the limits alone (`[limits]`, `[safety]` and `[points]`), hex: what [`SafetySettings::limits_pin`] pins.
    pub limits_hash: String,
}

impl Site {
    /// The point of a tag.
    pub fn point(&self, tag: &str) -> Option<PointId> {
        self.points.iter().position(|point| point.tag == tag).map(PointId)
    }

    /// The specification of a point.
    ///
    /// Ids come from this site, so the index is always there.
    pub fn spec(&self, point: PointId) -> &PointSpec {
        &self.points[point.0]
    }

    /// The name of an equipment, as in tags.
    pub fn equipment_name(&self, equipment: EquipmentId) -> &str {
        match equipment {
            EquipmentId::Loop(id) => &self.loops[id.0].name,
            EquipmentId::Cdu(id) => &self.cdus[id.0].name,
            EquipmentId::Rack(id) => &self.racks[id.0].name,
            EquipmentId::Rejection(id) => &self.rejection[id.0].name,
            EquipmentId::Reuse(id) => &self.reuse[id.0].name,
            EquipmentId::AirUnit(id) => &self.air_units[id.0].name,
            EquipmentId::Meter(id) => &self.meters[id.0].name,
            EquipmentId::Building => self.building.as_ref().map_or("building", |building| &building.name),
            EquipmentId::Weather => self.weather.as_ref().map_or("weather", |weather| &weather.name),
            EquipmentId::Feed => self.feed.as_ref().map_or("feed", |feed| &feed.name),
        }
    }
}
