//! Limits, prices and the settings of the rooms, as the configuration states them.

use serde::{Deserialize, Serialize};

/// How far Isotherm may go in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// Computes and records, writes nothing.
    Observe,
    /// Shows what it would do, for a person to accept.
    Advise,
    /// Writes within a narrow band around the setpoint found on entry.
    Bounded,
    /// Writes within the site's limits.
    Full,
}

/// Three thresholds of one measured limit. For an upper limit target < critical < trip; a margin's run the other way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Where normal operation ends.
    pub target: f64,
    /// From here on: most cooling, until back at the target.
    pub critical: f64,
    /// Where the equipment's own trip is expected.
    pub trip: f64,
}

/// Limits of the hall.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Coolant supply to the racks, degC (the liquid class, e.g. S40).
    pub secondary_supply_c: Band,
    /// Coolant return from a rack, degC.
    pub rack_return_c: Band,
    /// Distance of the hottest chip to its throttle limit, K (falling).
    pub chip_margin_k: Band,
    /// Coolant supply above the room's dew point, K (falling).
    pub dew_point_margin_k: Band,
    /// Room air, degC.
    pub room_c: Band,
    /// Dew point assumed when no room sensor answers, degC.
    pub dew_point_fallback_c: f64,
    /// Outdoor wet bulb of the design; hotter is reported as an event of its own, degC.
    pub design_wet_bulb_c: f64,
}

/// One line of a tariff: a price in a daily window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TariffWindow {
    /// Start, hour of the day in the site's zone, 0 to 24.
    pub from_h: f64,
    /// End, hour of the day.
    pub to_h: f64,
    /// Price per kWh.
    pub per_kwh: f64,
}

/// Prices in the site's currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Electricity outside the windows, per kWh.
    pub energy_per_kwh: f64,
    /// Daily windows with another price; the first that matches counts.
    pub windows: Vec<TariffWindow>,
    /// Make-up water, per m3.
    pub water_per_m3: f64,
    /// Waste water (blowdown), per m3.
    pub sewer_per_m3: f64,
    /// Price that control puts on carbon, per kg of CO2 equivalent.
    pub carbon_per_kg: f64,
    /// Paid for heat handed to the network, per kWh.
    pub heat_per_kwh: f64,
    /// Carbon intensity of the grid, g of CO2 equivalent per kWh, for each hour of the day in the site's zone (24 values).
    pub carbon_g_per_kwh: Vec<f64>,
    /// Share of the electricity that is renewable by contract, 0 to 1.
    pub renewable_fraction: f64,
}

impl Prices {
    /// Price of electricity per kWh at a local hour of the day.
    pub fn energy_at(&self, local_hour: f64) -> f64 {
        let window = self
            .windows
            .iter()
            .find(|w| local_hour >= w.from_h && local_hour < w.to_h);
        window.map_or(self.energy_per_kwh, |w| w.per_kwh)
    }

    /// Carbon intensity of the grid, gCO2e/kWh, at a local hour of the day; 0 where none is stated.
    pub fn carbon_g_per_kwh_at(&self, local_hour: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an hour of the day, 0 up to 24"
        )]
        let hour = local_hour.max(0.0) as usize;
        self.carbon_g_per_kwh
            .get(hour)
            .or(self.carbon_g_per_kwh.last())
            .copied()
            .unwrap_or(0.0)
    }
}

/// Names of the strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// The plant as found: release values, never moved.
    Fixed,
    /// ASHRAE Guideline 36 trim and respond.
    TrimRespond,
    /// Least cost over the forecast.
    Predictive,
}

impl StrategyKind {
    /// The name in configuration, reports and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::TrimRespond => "trim_respond",
            Self::Predictive => "predictive",
        }
    }
}

/// Settings of the cycle and the strategies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlSettings {
    /// Period of the cycle, s.
    pub cycle_s: f64,
    /// Strategy on start.
    pub strategy: StrategyKind,
    /// Parameters of trim and respond.
    pub trim_respond: TrimRespondSettings,
}

/// Parameters of one trim-and-respond reset, in the terms of Guideline 36 section 5.1.14.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrimRespondSettings {
    /// Time step T of CDUs and loops, s.
    pub step_s: f64,
    /// Time step T of air units, s: a room has less mass than a loop of water.
    pub air_step_s: f64,
    /// Ignored requests I.
    pub ignored_requests: f64,
    /// Trim per step, on the reset's 0-to-1 scale (0 least cooling); not positive.
    pub trim: f64,
    /// Response per request beyond the ignored ones.
    pub respond: f64,
    /// Largest response per step.
    pub respond_max: f64,
    /// Smallest CDU differential pressure, as a share of the range between its limits: the reserve that a sudden
    /// full-load start needs before the next step.
    pub pressure_floor: f64,
    /// Kept clear of the critical chip margin and coolant return after a sudden start, K: the coolant itself warms until
    /// the CDU's valve has followed (about 5 K), and racks draw more than their rating at times.
    pub start_reserve_k: f64,
}

/// Settings of the safety room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetySettings {
    /// SHA-256 of the limits as they were signed off, hex; with another hash nothing starts. Empty: not pinned. Best given
    /// by `ISOTHERM__SAFETY__LIMITS_PIN`, from where whoever edits the site's file cannot reach it.
    pub limits_pin: String,
    /// Smallest heat assumed for a rack when its flow minimum is formed, as a share of rated power.
    pub min_heat_fraction: f64,
    /// Vetoes within `veto_window_s` that demote a zone.
    pub veto_limit: u32,
    /// Window of `veto_limit`, s.
    pub veto_window_s: f64,
    /// Clean time before a demoted zone may return, s.
    pub return_after_s: f64,
    /// Longest life of an operator's override, s.
    pub override_max_s: f64,
    /// Beats missed by a device's mirror before the zone is failed over; the beat is the cycle.
    pub heartbeat_misses: u32,
}

/// Settings of the forecast room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecastSettings {
    /// Model file; empty for the one that the binary carries.
    pub model: String,
    /// Share of the readings that the interval shall cover, 0 to 1.
    pub coverage: f64,
    /// A queue older than this is lost, s.
    pub queue_timeout_s: f64,
    /// Plant time between two trainings in service, h; 0 for none.
    pub retrain_h: f64,
    /// Plant time for which a new model is scored beside the one in use before it may take over, h.
    pub shadow_h: f64,
}

/// Where the job queue comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkloadSettings {
    /// No queue: the forecast works from rack power alone.
    None,
    /// A command that prints `squeue --json`.
    Slurm {
        /// Program and arguments.
        command: Vec<String>,
        /// Period, s.
        period_s: f64,
    },
    /// slurmrestd, asked over HTTP.
    Slurmrestd {
        /// `http://host:port/slurm/v0.0.38`, with the version of its interface.
        url: String,
        /// User that the token belongs to.
        user: String,
        /// Where the token comes from.
        token: Secret,
        /// Period, s.
        period_s: f64,
    },
    /// A Kubernetes API server, whose pods, jobs and Kueue workloads are listed and watched.
    Kubernetes {
        /// `http://host:port` or `https://host:port`.
        url: String,
        /// Namespace; empty for all.
        namespace: String,
        /// Where the bearer token comes from.
        token: Secret,
        /// Certificates of the authority that signed the server's, PEM; for https.
        ca_file: String,
    },
    /// A file in the form of `squeue --json`, read again when it changes.
    File {
        /// Path.
        path: String,
        /// Period, s.
        period_s: f64,
    },
    /// Job events that the scheduler's scripts send over REST, and nothing else.
    Events,
    /// Job events on the site's MQTT broker.
    Mqtt {
        /// Topic filter.
        topic: String,
    },
    /// A trace file replayed from its start (see the documentation of the workload room).
    Trace {
        /// Path.
        path: String,
    },
}

/// A secret that never stands in a site file: from the environment, or from a file that is read whenever it is needed,
/// so that a token may be renewed under a running controller.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// There is none.
    None,
    /// The value itself.
    Value(String),
    /// A file that holds it.
    File(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Value(_) => f.write_str("Value(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Files of a TLS client, PEM. Empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// Authorities that sign the servers' certificates.
    pub ca: String,
    /// Our own certificate, where servers ask for one.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// What holds for all Modbus devices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModbusSettings {
    /// For devices whose address begins with `tls://`.
    pub tls: TlsSettings,
}

/// Version of the MQTT protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MqttVersion {
    /// 3.1.1 (OASIS 2014), which every broker speaks.
    #[serde(rename = "3.1.1")]
    V311,
    /// 5 (OASIS 2019), whose brokers say why they refuse.
    #[serde(rename = "5")]
    V5,
}

/// The MQTT broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttSettings {
    /// `host:port`, or `mqtts://host:port` for TLS; empty for none.
    pub broker: String,
    /// Protocol version.
    pub version: MqttVersion,
    /// Client id; must be unique on the broker.
    pub client_id: String,
    /// User, empty for none.
    pub username: String,
    /// Password; better set by `ISOTHERM__MQTT__PASSWORD` than in a file.
    pub password: String,
    /// File whose first line is the password, read at each connection; instead of `password`.
    pub password_file: String,
    /// For a broker with `mqtts://`.
    pub tls: TlsSettings,
}

/// The NVIDIA DSX Exchange bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DsxSettings {
    /// Our identifier, as metadata names it; empty for no bus.
    pub integration: String,
    /// Process areas of the point on which we say that we are ready.
    pub ready: Vec<String>,
    /// Process areas of the point that says that the BMS's operator has enabled us.
    pub enabled: Vec<String>,
    /// Process areas of the point that says that the BMS has thrown us out.
    pub kicked_out: Vec<String>,
    /// Whether grid events are heard.
    pub flex: bool,
    /// Feeds whose targets concern us; empty for all.
    pub flex_feeds: Vec<String>,
    /// PEM file of the public keys of those whose events are believed.
    pub flex_keys: String,
    /// Its broker; without one it is the site's.
    pub mqtt: MqttSettings,
}

/// Two controllers of one plant, of which the holder of a lease in etcd writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairSettings {
    /// Client URLs of etcd's members, `http://host:port` or `https://host:port`; empty for a controller alone.
    pub endpoints: Vec<String>,
    /// What the pair is called in etcd; empty for the site's name.
    pub name: String,
    /// What this controller is called; different for each of the pair.
    pub id: String,
    /// Life of the lease, s.
    pub ttl_s: f64,
    /// For endpoints with `https://`.
    pub tls: TlsSettings,
}

impl PairSettings {
    /// Whether this controller is one of a pair.
    pub const fn is_on(&self) -> bool {
        !self.endpoints.is_empty()
    }
}

/// The REST interface and the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    /// Address to listen on, `host:port`; port 0 picks a free one.
    pub listen: String,
    /// Token that authorises operators' actions; empty: none is possible. At least 16 characters.
    pub operator_token: String,
    /// File of further people with their roles and token hashes, which `isotherm user` makes; empty: none.
    pub users: String,
    /// PEM file with the certificate chain that the page and REST are served with; empty: without TLS.
    pub tls_certificate: String,
    /// PEM file with its key.
    pub tls_key: String,
    /// Name under which that token's actions are recorded.
    pub operator_name: String,
    /// Token that authorises job events (a scheduler's prolog and epilog) and nothing else; empty: none is taken.
    pub feed_token: String,
}

/// The local record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// Directory; empty keeps nothing on disk (trials).
    pub dir: String,
    /// Days for which records (every cycle with its inputs, decisions and events) are kept.
    pub retention_days: u32,
    /// Days for which raw samples are kept.
    pub raw_days: u32,
    /// Days for which buckets of a minute are kept.
    pub minute_days: u32,
    /// Days for which buckets of a quarter of an hour are kept.
    pub quarter_days: u32,
    /// Size above which the oldest segments are deleted, MiB.
    pub max_mib: u64,
}

/// How samples are sent to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardProtocol {
    /// They are not.
    None,
    /// The write interface of `InfluxDB` 2: line protocol with organisation, bucket and token.
    Influxdb2,
    /// Line protocol over HTTP, as many servers read it.
    LineProtocol,
    /// Prometheus remote write.
    RemoteWrite,
}

/// How the canary is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadBack {
    /// It is not.
    None,
    /// By the query interface of Prometheus.
    Prometheus,
    /// By Flux, as `InfluxDB` 2 has it.
    Flux,
}

/// The forwarding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardSettings {
    /// How.
    pub protocol: ForwardProtocol,
    /// Where to: `http://host:port`, with the path of the write interface where it is not the protocol's own.
    pub url: String,
    /// Organisation, for `InfluxDB` 2.
    pub org: String,
    /// Bucket, for `InfluxDB` 2.
    pub bucket: String,
    /// Token; better set by `ISOTHERM__FORWARD__TOKEN`, or in a file.
    pub token: String,
    /// File of the token.
    pub token_file: String,
    /// PEM file of the authorities that an `https` server is believed by.
    pub ca_file: String,
    /// How the canary is read back.
    pub read_back: ReadBack,
    /// Where from; empty for the server that is written to.
    pub read_url: String,
    /// Most samples in a request.
    pub batch: u32,
}
