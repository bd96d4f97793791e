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
    /// The forwarding; `None` where there is none.
    pub forward: Option<ForwardView>,
    /// The pair that this controller is one of; `None` for one alone.
    pub pair: Option<PairView>,
    /// The alarms, newest first; `/api/v1/alarms` has more.
    pub alarms: Vec<AlarmView>,
    /// What a person could do, and what came of it.
    pub advice: AdviceView,
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
    /// What the plant as found would cost per hour now, on the same model.
    pub as_found_per_h: Option<f64>,
    /// What one more of something would save per hour: name and money.
    #[schemars(with = "Vec<(String, Option<f64>)>")]
    pub worth_per_h: Vec<(String, f64)>,
    /// Equipment that is not what it should be.
    #[schemars(with = "Vec<shapes::Finding>")]
    pub findings: Vec<crate::snapshot::Finding>,
    /// How far the model is off the metered power of cooling, as a share.
    pub model_error: Option<f64>,
    /// Step tests that are under way.
    #[schemars(with = "Option<shapes::Commissioning>")]
    pub commissioning: Option<crate::snapshot::Commissioning>,
    /// The load target that is announced or in force.
    #[schemars(with = "Option<shapes::LoadReport>")]
    pub load_target: Option<crate::snapshot::LoadReport>,
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
    /// Wall time at which a person's override ends, ms; `None` where there is none.
    pub until_ms: Option<i64>,
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
    /// Time to the first critical limit after a loss.
    pub ride: RideView,
}

/// Time to the first critical limit after a loss, s, by what the plant has stored now; `None` where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, JsonSchema)]
pub struct RideView {
    /// After the coolant stands still: chips.
    pub flow_s: Option<f64>,
    /// After the facility water stands still: coolant.
    pub pump_s: Option<f64>,
    /// After heat rejection stops, pumps running: the whole loop.
    pub tower_s: Option<f64>,
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
    /// How the feed is doing.
    pub feed: FeedView,
    /// The jobs, those about to start first, then running, then pending; at most 200.
    pub list: Vec<JobView>,
}

/// The link to the scheduler.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct FeedView {
    /// Kind of source, as in `workload.source`.
    pub source: &'static str,
    /// One sentence.
    pub text: String,
    /// Queues or events read since the start.
    pub reads: u64,
    /// Tries that failed and messages that were refused since the start.
    pub failures: u64,
    /// Events of prologs and epilogs taken since the start.
    pub announced: u64,
    /// Nodes of jobs that no rack of the site has.
    pub unknown_nodes: usize,
    /// By how much the scheduler's clock is ahead of ours, s; null where it says nothing of it.
    pub clock_ahead_s: Option<f64>,
    /// The last failure; null where all has been well since.
    pub last_error: Option<String>,
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
    /// Energy into the IT equipment that it is expected to draw from now on, kWh; null where not known yet.
    pub to_come_kwh: Option<f64>,
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
    /// Efficiency score of today.
    pub today_score: ScoreView,
    /// Efficiency score since the ledger began.
    pub total_score: ScoreView,
}

/// An efficiency score: 0 to 100, the mean of its parts; see `docs/page.md` for each part's two ends.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, JsonSchema)]
pub struct ScoreView {
    /// Mean of the parts that are known.
    pub score: Option<f64>,
    /// Energy, by PUE: 100 at 1.0, 0 at 2.0.
    pub energy: Option<f64>,
    /// Water, by WUE: 100 at 0, 0 at 2.0 L/kWh, which is a site that evaporates all of its heat.
    pub water: Option<f64>,
    /// Carbon, by CUE: 100 at 0, 0 at 0.6 kg/kWh.
    pub carbon: Option<f64>,
    /// Reuse, by ERF: 100 at 1, 0 at 0.
    pub reuse: Option<f64>,
}

impl ScoreView {
    pub(super) fn of(indicators: &Indicators) -> Self {
        let part = |value: Option<f64>, worst: f64, best: f64| {
            value.map(|value| rounded((100.0 * (value - worst) / (best - worst)).clamp(0.0, 100.0)))
        };
        let parts = [
            part(indicators.pue, 2.0, 1.0),
            part(indicators.wue_l_per_kwh, 2.0, 0.0),
            part(indicators.cue_kg_per_kwh, 0.6, 0.0),
            part(indicators.erf, 0.0, 1.0),
        ];
        let known: Vec<f64> = parts.into_iter().flatten().collect();
        let [energy, water, carbon, reuse] = parts;
        Self {
            score: (!known.is_empty()).then(|| rounded(known.iter().sum::<f64>() / known.len() as f64)),
            energy,
            water,
            carbon,
            reuse,
        }
    }
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

/// The forwarding to a database.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct ForwardView {
    /// URL of the database.
    pub target: String,
    /// `ok`, or what it waits for.
    pub state: String,
    /// Span of plant time that the record has and the database has not, s.
    pub lag_s: f64,
    /// Samples that are still to be sent.
    pub backlog: u64,
    /// Samples sent since the start; some of them more than once.
    pub sent: u64,
    /// Samples that the database refused, since the start.
    pub rejected: u64,
    /// Requests that failed since the start.
    pub failures: u64,
    /// Chunks of samples that were deleted before they were sent.
    pub lost_chunks: u64,
    /// Whether the last canary was there; `None` where none is read back, or none was due yet.
    pub canary: Option<bool>,
    /// Real time since one was last seen, s.
    pub canary_age_s: Option<f64>,
}

/// One of a pair of controllers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct PairView {
    /// What this controller is called.
    pub id: String,
    /// `active` or `standby`.
    pub role: &'static str,
    /// Who holds the lease, as far as is known; empty for nobody.
    pub holder: String,
    /// Our fencing token, while we write.
    pub token: Option<u64>,
    /// The number of our term, while we write.
    pub term: Option<u64>,
    /// Controllers that live, this one among them.
    pub members: usize,
    /// Why etcd does not answer.
    pub trouble: Option<String>,
    /// How often we have taken the lease since the start.
    pub taken: u64,
    /// Rounds with etcd that failed since the start.
    pub failures: u64,
}

/// An alarm: a condition that stands, or that is over and that nobody has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AlarmView {
    /// Its number: later is larger; never used again.
    pub id: u64,
    /// How much it matters.
    #[schemars(schema_with = "shapes::severity")]
    pub severity: Severity,
    /// Stable name of the condition.
    pub code: String,
    /// Tag, equipment or zone.
    pub subject: String,
    /// The evidence when it last began.
    pub text: String,
    /// When it last began, wall ms.
    pub since_ms: i64,
    /// When it was over, wall ms; null as long as it stands.
    pub over_ms: Option<i64>,
    /// How often it has begun since it entered the list.
    pub times: u32,
    /// Who has seen it.
    pub acknowledged_by: Option<String>,
    /// When, wall ms.
    pub acknowledged_ms: Option<i64>,
    /// Who has put it aside.
    pub shelved_by: Option<String>,
    /// Until when, wall ms.
    pub shelved_until_ms: Option<i64>,
    /// The alarm that came first of those that began close together; its own number where that is this one.
    pub first_up: u64,
}

impl AlarmView {
    pub(super) fn of(alarm: &crate::alarms::Alarm) -> Self {
        let (acknowledged, shelved) = (alarm.acknowledged.as_ref(), alarm.shelved.as_ref());
        Self {
            id: alarm.id,
            severity: alarm.severity,
            code: alarm.code.clone(),
            subject: alarm.subject.clone(),
            text: alarm.text.clone(),
            since_ms: alarm.since_ms,
            over_ms: alarm.over_ms,
            times: alarm.times,
            acknowledged_by: acknowledged.map(|mark| mark.by.clone()),
            acknowledged_ms: acknowledged.map(|mark| mark.wall_ms),
            shelved_by: shelved.map(|mark| mark.by.clone()),
            shelved_until_ms: shelved.map(|mark| mark.wall_ms),
            first_up: alarm.first_up,
        }
    }
}

/// What a person could do, and what came of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct AdviceView {
    /// What stands, the largest saving first.
    pub open: Vec<OpenAdviceView>,
    /// What was taken, newest first.
    pub taken: Vec<TakenAdviceView>,
}

/// Advice that stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OpenAdviceView {
    /// Its number; never used again.
    pub id: u64,
    /// What could be done: a stable name.
    pub kind: &'static str,
    /// To what: an equipment, or the tag of a setpoint.
    pub subject: String,
    /// What is seen.
    pub text: String,
    /// What to do.
    pub action: String,
    /// Saved a day, in the site's currency.
    pub money_per_day: f64,
    /// Electricity saved a day, kWh.
    pub kwh_per_day: f64,
    /// Water saved a day, L.
    pub litres_per_day: f64,
    /// Carbon saved a day, kg.
    pub co2e_kg_per_day: f64,
    /// 0 to 1.
    pub confidence: f64,
    /// What could go wrong.
    pub risk: String,
    /// When it was raised, wall ms.
    pub since_ms: i64,
}

/// Advice that was taken.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TakenAdviceView {
    /// Its number.
    pub id: u64,
    /// What was done.
    pub kind: &'static str,
    /// To what.
    pub subject: String,
    /// By whom.
    pub taken_by: String,
    /// When, wall ms.
    pub taken_ms: i64,
    /// What was promised a day, in the site's currency.
    pub promised_per_day: f64,
    /// What came a day; null in the first hour.
    pub came_per_day: Option<f64>,
    /// For how long it was followed, h.
    pub watched_h: f64,
}

impl AdviceView {
    pub(super) fn of(state: &crate::advice::State) -> Self {
        let open = state.open().into_iter().map(|advice| OpenAdviceView {
            id: advice.id,
            kind: advice.kind.name(),
            subject: advice.subject,
            text: advice.text,
            action: advice.action,
            money_per_day: rounded(advice.per_day.money),
            kwh_per_day: rounded(advice.per_day.kwh),
            litres_per_day: rounded(advice.per_day.litres),
            co2e_kg_per_day: rounded(advice.per_day.co2e_kg),
            confidence: rounded(advice.confidence),
            risk: advice.risk,
            since_ms: advice.since_ms,
        });
        let taken = state.taken().iter().rev().map(|taken| TakenAdviceView {
            id: taken.id,
            kind: taken.kind.name(),
            subject: taken.subject.clone(),
            taken_by: taken.by.clone(),
            taken_ms: taken.taken_ms,
            promised_per_day: rounded(taken.promised.money),
            came_per_day: taken.came().map(|came| rounded(came.money)),
            watched_h: rounded(taken.watched_s / 3600.0),
        });
        Self {
            open: open.collect(),
            taken: taken.collect(),
        }
    }
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
