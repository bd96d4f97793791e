//! What the page, REST and the metrics show of one cycle. Names are stable: others build on them.

use super::shapes;
use crate::ledger::{Account, Indicators, Totals};
use crate::safety::Level;
use crate::site::{Authority, StrategyKind};
use crate::snapshot::{Demotion, HeatBand, HeatSource, PlanStatus, Reading, Severity};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What the controller is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A real plant.
    Plant,
    /// A simulated plant.
    Simulated,
}

/// One cycle as shown.
#[derive(Debug, Serialize, JsonSchema)]
pub struct View {
    /// Name of the site.
    pub site: String,
    /// Number of the cycle.
    pub cycle: u64,
    /// Its wall time, ms since 1970-01-01 UTC.
    pub wall_ms: i64,
    /// What the controller is connected to.
    pub mode: Mode,
    /// How much faster than real time the plant's time runs.
    pub speed: f64,
    /// How the cycles keep time.
    pub pace: PaceView,
    /// What is being done and why.
    pub control: ControlView,
    /// Zones, in the site's order.
    pub zones: Vec<ZoneView>,
    /// CDUs, in the site's order.
    pub cdus: Vec<CduView>,
    /// Racks, in the site's order.
    pub racks: Vec<RackView>,
    /// Facility-water loops.
    pub loops: Vec<EquipmentView>,
    /// Heat-rejection units.
    pub rejection: Vec<EquipmentView>,
    /// Heat-reuse exchangers.
    pub reuse: Vec<EquipmentView>,
    /// Air units.
    pub air_units: Vec<EquipmentView>,
    /// Meters.
    pub meters: Vec<EquipmentView>,
    /// Weather station.
    pub weather: Option<EquipmentView>,
    /// The forecast as a whole.
    pub forecast: ForecastView,
    /// The job queue.
    pub jobs: JobsView,
    /// Energy, water, heat, carbon and cost.
    pub books: BooksView,
    /// Device links.
    pub devices: Vec<DeviceView>,
    /// The local record.
    pub store: StoreView,
    /// The latest events, newest first; `/api/v1/events` has more.
    pub events: Vec<EventView>,
    /// Every point's last reading, by `PointId`: for the metrics and the list of points.
    #[serde(skip)]
    pub readings: Vec<Option<ReadingView>>,
    /// When the cycle was shown.
    #[serde(skip)]
    pub(super) shown: Instant,
    #[serde(skip)]
    pub(super) json: OnceLock<String>,
}

impl View {
    /// The view as JSON, encoded once however many read it.
    pub fn json(&self) -> &str {
        // Cannot fail: the view has string keys only, and JSON writes a number that is not finite as null.
        self.json
            .get_or_init(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// How long a cycle lasts on the real clock.
    pub fn real_period(&self) -> Duration {
        Duration::try_from_secs_f64(self.pace.period_s / self.speed).unwrap_or(Duration::from_mins(1))
    }

    /// How long ago the cycle ended, on the real clock.
    pub fn age(&self) -> Duration {
        self.shown.elapsed()
    }

    /// Whether the next cycles are overdue: none for three periods (and a second, so that an accelerated demo on a
    /// busy machine is not called dead).
    pub fn is_overdue(&self) -> bool {
        self.age() > (self.real_period() * 3).max(Duration::from_secs(1))
    }
}

/// How the cycles keep time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, JsonSchema)]
pub struct PaceView {
    /// Period of the cycle in plant time, s.
    pub period_s: f64,
    /// Real time that the last step took, ms.
    pub step_ms: f64,
    /// Cycles that began late.
    pub late: u64,
    /// Steps that took too long.
    pub overruns: u64,
}

/// What is being done and why.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ControlView {
    /// The strategy whose plan was used.
    #[schemars(schema_with = "shapes::strategy")]
    pub strategy: StrategyKind,
    /// Whether the supervisor imposed it in place of the wanted one.
    pub imposed: bool,
    /// Whether the strategy fell back.
    #[schemars(schema_with = "shapes::plan_status")]
    pub status: PlanStatus,
    /// One sentence for the operator.
    pub sentence: String,
    /// Constraints at their bound.
    pub binding: Vec<String>,
    /// Expected cost terms per hour: name and value.
    #[schemars(with = "Vec<(String, Option<f64>)>")]
    pub cost_per_h: Vec<(String, f64)>,
    /// Expected cooling power, kW.
    pub expected_cooling_kw: Option<f64>,
    /// Setpoints that safety refused or changed.
    #[schemars(with = "Vec<shapes::Change>")]
    pub changes: Vec<crate::safety::Change>,
}

/// One zone.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ZoneView {
    /// Name.
    pub name: String,
    /// How cautious it has to be.
    #[schemars(schema_with = "shapes::level")]
    pub level: Level,
    /// Authority in force.
    #[schemars(schema_with = "shapes::authority")]
    pub authority: Authority,
    /// Authority asked for.
    #[schemars(schema_with = "shapes::authority")]
    pub wanted: Authority,
    /// Why.
    pub causes: Vec<String>,
}

/// A reading as shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct ReadingView {
    /// Value in the point's unit.
    #[schemars(with = "Option<f64>")]
    pub value: f64,
    /// `good`, `bad` or `stale`.
    pub quality: &'static str,
    /// Age, s of plant time.
    pub age_s: f64,
}

impl ReadingView {
    pub(super) fn of(reading: &Reading, now: crate::snapshot::Now) -> Self {
        use crate::snapshot::Quality;
        let quality = match reading.quality {
            Quality::Good => "good",
            Quality::Bad => "bad",
            Quality::Stale => "stale",
        };
        Self {
            value: rounded(reading.value),
            quality,
            age_s: rounded(reading.age_s(now)),
        }
    }

    /// The value, where it may be used.
    pub fn good(&self) -> Option<f64> {
        (self.quality == "good").then_some(self.value)
    }
}

/// Who stands behind a setpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OwnerView {
    /// `strategy`, `operator`, `safety` or `release`.
    pub kind: &'static str,
    /// Name of the strategy or the person; empty otherwise.
    pub name: String,
}

/// A writable point.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SetpointView {
    /// What the device reports as its setpoint.
    pub reading: Option<ReadingView>,
    /// What was commanded in this cycle; `None` where nothing was, as in observe.
    pub commanded: Option<f64>,
    /// Who stands behind the commanded value.
    pub owner: Option<OwnerView>,
    /// What the plan wants.
    pub planned: Option<f64>,
    /// The value of the plant as found.
    pub release: f64,
}

/// An equipment with its points by quantity, named as in tags.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct EquipmentView {
    /// Name.
    pub name: String,
    /// What is measured.
    pub readings: BTreeMap<String, Option<ReadingView>>,
    /// What is set.
    pub setpoints: BTreeMap<String, SetpointView>,
}

impl EquipmentView {
    /// The good value of a quantity.
    pub fn good(&self, quantity: &str) -> Option<f64> {
        self.readings.get(quantity)?.as_ref()?.good()
    }
}

/// A CDU.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CduView {
    /// Its points.
    #[serde(flatten)]
    pub equipment: EquipmentView,
    /// Heat now and expected.
    #[schemars(with = "shapes::HeatBand")]
    pub heat: HeatBand,
    /// Smallest good chip margin of its racks, K.
    pub worst_margin_k: Option<f64>,
    /// The rack that has it.
    pub worst_rack: Option<String>,
}

/// A rack.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RackView {
    /// Its points.
    #[serde(flatten)]
    pub equipment: EquipmentView,
    /// Heat into the liquid, now and expected.
    #[schemars(with = "shapes::HeatBand")]
    pub heat: HeatBand,
}

/// The forecast as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ForecastView {
    /// What it was made from.
    #[schemars(schema_with = "shapes::heat_source")]
    pub source: HeatSource,
    /// The horizons, s.
    pub horizons_s: [f64; crate::snapshot::HORIZONS],
    /// Notes for a person.
    pub notes: Vec<String>,
    /// Guards that keep the forecast a step down, with the evidence.
    #[schemars(with = "Vec<shapes::Demotion>")]
    pub demotions: Vec<Demotion>,
    /// Share of the readings of late that the interval of CDUs covered, by horizon; null while too few tell.
    pub covered: [Option<f64>; crate::snapshot::HORIZONS],
}

/// The job queue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct JobsView {
    /// Age of the queue, s of plant time; `None` where no feed ever answered.
    pub age_s: Option<f64>,
    /// Jobs that run.
    pub running: usize,
    /// Jobs about to start.
    pub starting: usize,
    /// Jobs that wait.
    pub pending: usize,
    /// GPUs of the jobs that run.
    pub running_gpus: u64,
    /// The jobs, those about to start first, then running, then pending; at most 200.
    pub list: Vec<JobView>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct JobView {
    /// The scheduler's id.
    pub id: String,
    /// `running`, `starting` or `pending`.
    pub state: &'static str,
    /// Start or expected start, wall ms.
    pub start_ms: Option<i64>,
    /// Name.
    pub name: String,
    /// User.
    pub user: String,
    /// Partition.
    pub partition: String,
    /// GPUs.
    pub gpus: u32,
    /// Nodes.
    pub nodes: u32,
    /// Requested time limit, s; 0 for none.
    pub time_limit_s: f64,
}

/// Energy, water, heat, carbon and cost.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BooksView {
    /// Rates of this cycle and the counters of today and in total.
    #[serde(flatten)]
    #[schemars(schema_with = "shapes::like::<Account>")]
    pub account: Account,
    /// Indicators of today.
    #[schemars(with = "std::collections::BTreeMap<String, Option<f64>>")]
    pub today_indicators: Indicators,
    /// Indicators since the ledger began.
    #[schemars(with = "std::collections::BTreeMap<String, Option<f64>>")]
    pub total_indicators: Indicators,
}

impl BooksView {
    /// The counters with their name: `today` and `total`.
    pub fn periods(&self) -> [(&'static str, &Totals, &Indicators); 2] {
        [
            ("today", &self.account.today, &self.today_indicators),
            ("total", &self.account.total, &self.total_indicators),
        ]
    }
}

/// A device link.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct DeviceView {
    /// Id, as in the site.
    pub id: String,
    /// Whether the link stands.
    pub connected: bool,
    /// Time since it last answered, s of plant time; `None` where it never did.
    pub age_s: Option<f64>,
    /// Failures since start.
    pub errors: u64,
    /// The last failure.
    pub last_error: Option<String>,
}

/// The local record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct StoreView {
    /// `ok`, `off`, or what is wrong.
    pub state: String,
    /// Segments on disk.
    pub segments: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EventView {
    /// Number of the latest occurrence: later is larger.
    pub seq: u64,
    /// Cycle of the latest occurrence.
    pub cycle: u64,
    /// Wall time of the latest occurrence, ms.
    pub wall_ms: i64,
    /// How much it matters.
    #[schemars(schema_with = "shapes::severity")]
    pub severity: Severity,
    /// Stable name.
    pub code: String,
    /// What it is about.
    pub subject: String,
    /// A sentence.
    pub text: String,
    /// How often it was said in the same words since it entered the list.
    pub times: u64,
}

/// Four decimals: finer than any sensor here, and short in JSON.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// A band in four decimals.
pub(super) fn rounded_band(band: &HeatBand) -> HeatBand {
    HeatBand {
        now_kw: rounded(band.now_kw),
        mean_kw: band.mean_kw.map(rounded),
        lower_kw: band.lower_kw.map(rounded),
        upper_kw: band.upper_kw.map(rounded),
    }
}
