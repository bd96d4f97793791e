//! The site's file as written: serde structs whose references are still names.

use super::findings::{Findings, unknown};
use super::layers::{CLASSES, Layers, lay_over};
use super::read::Item;
use super::topology::{
    AirUnitNameplate, CduNameplate, DeviceBinding, LoopNameplate, MeterRole, RackNameplate, RejectionKind,
    RejectionNameplate, ReuseNameplate,
};
use super::{
    ApiSettings, Authority, ControlSettings, Disclosure, DsxSettings, ForecastSettings, ForwardSettings, GridSettings,
    LedgerSettings, Limits, ModbusSettings, MqttSettings, PairSettings, Prices, SafetySettings, Secret, StoreSettings,
    WorkloadSettings,
};
use serde::Deserialize;
use toml::{Table, Value};

/// Every table of the configuration, read.
pub(super) struct Raw {
    pub(super) site: Identity,
    pub(super) limits: Limits,
    pub(super) prices: Prices,
    pub(super) control: ControlSettings,
    pub(super) safety: SafetySettings,
    pub(super) forecast: ForecastSettings,
    pub(super) workload: WorkloadSettings,
    pub(super) modbus: ModbusSettings,
    pub(super) mqtt: MqttSettings,
    pub(super) dsx: DsxSettings,
    pub(super) pair: PairSettings,
    pub(super) api: ApiSettings,
    pub(super) store: StoreSettings,
    pub(super) forward: ForwardSettings,
    pub(super) zones: Vec<Entry<ZoneLinks, NoKeys>>,
    pub(super) loops: Vec<Entry<LoopLinks, LoopNameplate>>,
    pub(super) cdus: Vec<Entry<OnLoop, CduNameplate>>,
    pub(super) racks: Vec<Entry<RackLinks, RackNameplate>>,
    pub(super) rejection: Vec<Entry<OnLoop, RejectionNameplate>>,
    pub(super) reuse: Vec<Entry<OnLoop, ReuseNameplate>>,
    pub(super) air_units: Vec<Entry<OnLoop, AirUnitNameplate>>,
    pub(super) meters: Vec<Entry<MeterLinks, NoKeys>>,
    pub(super) weather: Option<Entry<LoopLinks, NoKeys>>,
    pub(super) feed: Option<Entry<LoopLinks, NoKeys>>,
    pub(super) grid: GridSettings,
    pub(super) ledger: LedgerSettings,
    pub(super) disclosure: Disclosure,
    pub(super) building: Option<Entry<LoopLinks, NoKeys>>,
}

/// One item of a class: its key path, what it is connected to, and its nameplate.
pub(super) struct Entry<L, N> {
    pub(super) class: &'static str,
    pub(super) path: String,
    pub(super) links: L,
    pub(super) nameplate: N,
}

/// `[site]`.
#[derive(Deserialize)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) time_zone: String,
    pub(super) altitude_m: f64,
    pub(super) currency: String,
}

/// For classes without a nameplate.
#[derive(Deserialize)]
pub(super) struct NoKeys {}

#[derive(Deserialize)]
pub(super) struct ZoneLinks {
    pub(super) id: String,
    pub(super) authority: Authority,
}

/// Links of what stands for itself: a loop, the weather station.
#[derive(Deserialize)]
pub(super) struct LoopLinks {
    pub(super) id: String,
    pub(super) zone: String,
    pub(super) device: Option<DeviceBinding>,
}

/// Links of what is connected to a facility-water loop.
#[derive(Deserialize)]
pub(super) struct OnLoop {
    pub(super) id: String,
    pub(super) zone: String,
    #[serde(rename = "loop")]
    pub(super) facility_loop: String,
    pub(super) device: Option<DeviceBinding>,
}

/// Links of a rack; its zone is its CDU's.
#[derive(Deserialize)]
pub(super) struct RackLinks {
    pub(super) id: String,
    pub(super) cdu: String,
    pub(super) nodes: Vec<String>,
    pub(super) device: Option<DeviceBinding>,
}

#[derive(Deserialize)]
pub(super) struct MeterLinks {
    pub(super) id: String,
    pub(super) zone: String,
    pub(super) role: MeterRole,
    pub(super) rollover: f64,
    pub(super) class: f64,
    pub(super) device: Option<DeviceBinding>,
}

/// `[workload]`: which of the keys count depends on the source.
#[derive(Deserialize)]
struct Workload {
    source: WorkloadSource,
    command: Vec<String>,
    period_s: f64,
    url: String,
    user: String,
    token: String,
    token_file: String,
    namespace: String,
    ca_file: String,
    path: String,
    topic: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WorkloadSource {
    None,
    Slurm,
    Slurmrestd,
    Kubernetes,
    File,
    Events,
    Mqtt,
    Trace,
}

const SECTIONS: &[&str] = &[
    "site",
    "limits",
    "prices",
    "control",
    "safety",
    "forecast",
    "workload",
    "modbus",
    "mqtt",
    "dsx",
    "pair",
    "api",
    "store",
    "forward",
    "grid",
    "ledger",
    "disclosure",
];
const OTHER_TABLES: &[&str] = &["zone", "points", "defaults"];

/// Reads every table; `None` where a section could not even be stood in for.
pub(super) fn read(findings: &Findings<'_>) -> Option<Raw> {
    let layers = findings.layers;
    let tables: Vec<_> = SECTIONS.iter().chain(OTHER_TABLES).chain(CLASSES).copied().collect();
    for key in layers.merged.keys().filter(|key| !tables.contains(&key.as_str())) {
        findings.add(key.as_str(), unknown("table", key, &tables));
    }
    default_classes(findings);
    let mut rejection = entries(findings, "tower_cell");
    rejection.extend(entries(findings, "dry_cooler"));
    rejection.extend(entries(findings, "chiller"));
    Some(Raw {
        site: section(findings, "site")?,
        limits: section(findings, "limits")?,
        prices: section(findings, "prices")?,
        control: section(findings, "control")?,
        safety: section(findings, "safety")?,
        forecast: section(findings, "forecast")?,
        workload: workload(findings, section(findings, "workload")?),
        modbus: section(findings, "modbus")?,
        mqtt: section(findings, "mqtt")?,
        dsx: section(findings, "dsx")?,
        pair: section(findings, "pair")?,
        api: section(findings, "api")?,
        store: section(findings, "store")?,
        forward: section(findings, "forward")?,
        zones: entries(findings, "zone"),
        loops: entries(findings, "loop"),
        cdus: entries(findings, "cdu"),
        racks: entries(findings, "rack"),
        rejection,
        reuse: entries(findings, "reuse"),
        air_units: entries(findings, "air_unit"),
        meters: entries(findings, "meter"),
        weather: entries(findings, "weather").pop(),
        feed: entries(findings, "feed").pop(),
        grid: section(findings, "grid")?,
        ledger: section(findings, "ledger")?,
        disclosure: section(findings, "disclosure")?,
        building: entries(findings, "building").pop(),
    })
}

fn section<T: for<'de> Deserialize<'de>>(findings: &Findings<'_>, name: &str) -> Option<T> {
    let table = match findings.layers.merged.get(name) {
        Some(Value::Table(table)) => table.clone(),
        Some(_) => {
            findings.add(name, format!("is not a table; write [{name}] and its keys below"));
            return None;
        }
        None => Table::new(),
    };
    let item = Item::new(name, table, findings);
    let read = item.read();
    item.finish();
    read
}

/// The items of a class, each laid over `[defaults.<class>]`.
fn entries<L, N>(findings: &Findings<'_>, class: &'static str) -> Vec<Entry<L, N>>
where
    L: for<'de> Deserialize<'de>,
    N: for<'de> Deserialize<'de>,
{
    let layers = findings.layers;
    let single = matches!(class, "weather" | "feed" | "building");
    let shape_is_right = match layers.merged.get(class) {
        None => true,
        Some(Value::Table(_)) => single,
        Some(Value::Array(_)) => !single,
        Some(_) => false,
    };
    if !shape_is_right {
        let wanted = if single {
            format!("one table, [{class}]")
        } else {
            format!("[[{class}]] for each item")
        };
        findings.add(class, format!("has the wrong shape; write {wanted}"));
    }
    let mut entries = vec![];
    for (label, value) in layers.items(class) {
        let path = format!("{class}.{label}");
        let Value::Table(own) = value else {
            findings.add(path, format!("is not a table; write [[{class}]] and its keys below"));
            continue;
        };
        let mut table = defaults(layers, class);
        lay_over(&mut table, own);
        if let Some(kind) = rejection_kind(class) {
            table.insert("kind".to_owned(), Value::String(kind.to_owned()));
        }
        let item = Item::new(path, table, findings);
        let read = (item.read(), item.read());
        let path = item.path.clone();
        item.finish();
        if let (Some(links), Some(nameplate)) = read {
            entries.push(Entry {
                class,
                path,
                links,
                nameplate,
            });
        }
    }
    entries
}

/// `[defaults.<class>]`.
pub(super) fn defaults(layers: &Layers, class: &str) -> Table {
    let table = layers.merged.get("defaults").and_then(|defaults| defaults.get(class));
    table.and_then(Value::as_table).cloned().unwrap_or_default()
}

/// Every `[defaults.<class>]` must name a class; its keys are checked with the items that they stand in for.
fn default_classes(findings: &Findings<'_>) {
    let Some(Value::Table(defaults)) = findings.layers.merged.get("defaults") else {
        return;
    };
    let classes: Vec<_> = CLASSES.iter().chain(&["zone", "point"]).copied().collect();
    for (class, table) in defaults {
        let path = format!("defaults.{class}");
        if !classes.contains(&class.as_str()) {
            findings.add(path, unknown("class", class, &classes));
        } else if !table.is_table() {
            findings.add(
                path,
                format!("is not a table; write [defaults.{class}] and its keys below"),
            );
        }
    }
}

/// The class of a heat-rejection unit says its kind, so that no `kind` is written.
fn rejection_kind(class: &str) -> Option<&'static str> {
    match class {
        "tower_cell" => Some("tower_cell"),
        "dry_cooler" => Some("dry_cooler"),
        "chiller" => Some("chiller"),
        _ => None,
    }
}

impl RejectionKind {
    /// The name of the class in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TowerCell => "tower_cell",
            Self::DryCooler => "dry_cooler",
            Self::Chiller => "chiller",
        }
    }
}

fn workload(findings: &Findings<'_>, raw: Workload) -> WorkloadSettings {
    let needs = |key: &str, empty: bool, example: &str| {
        if empty {
            findings.add(format!("workload.{key}"), format!("is empty; write {example}"));
        }
    };
    match raw.source {
        WorkloadSource::None => WorkloadSettings::None,
        WorkloadSource::Slurm => {
            needs(
                "command",
                raw.command.is_empty(),
                "the program and its arguments, such as [\"squeue\", \"--json\"]",
            );
            WorkloadSettings::Slurm {
                command: raw.command,
                period_s: raw.period_s,
            }
        }
        WorkloadSource::Slurmrestd => {
            let example = "its address with the version of its interface, such as \"http://head:6820/slurm/v0.0.40\"";
            url(findings, &raw.url, &["http"], example);
            needs("user", raw.user.is_empty(), "the user that the token was made for");
            let token = secret(findings, raw.token, raw.token_file);
            if token == Secret::None {
                needs("token_file", true, "the file of the token that `scontrol token` prints");
            }
            WorkloadSettings::Slurmrestd {
                url: raw.url,
                user: raw.user,
                token,
                period_s: raw.period_s,
            }
        }
        WorkloadSource::Kubernetes => {
            let example = "the API server's address, such as \"https://kubernetes.default.svc:443\"";
            url(findings, &raw.url, &["http", "https"], example);
            if raw.url.starts_with("https:") {
                needs(
                    "ca_file",
                    raw.ca_file.is_empty(),
                    "the file of the cluster's certificates, such as \"/var/run/secrets/kubernetes.io/serviceaccount/ca.crt\"",
                );
            }
            WorkloadSettings::Kubernetes {
                url: raw.url,
                namespace: raw.namespace,
                token: secret(findings, raw.token, raw.token_file),
                ca_file: raw.ca_file,
            }
        }
        WorkloadSource::File => {
            needs("path", raw.path.is_empty(), "the path of the queue's file");
            WorkloadSettings::File {
                path: raw.path,
                period_s: raw.period_s,
            }
        }
        WorkloadSource::Events => WorkloadSettings::Events,
        WorkloadSource::Mqtt => {
            needs(
                "topic",
                raw.topic.is_empty(),
                "the topic filter of the job events, such as \"jobs/#\"",
            );
            WorkloadSettings::Mqtt { topic: raw.topic }
        }
        WorkloadSource::Trace => {
            needs("path", raw.path.is_empty(), "the path of the trace, a CSV of jobs");
            WorkloadSettings::Trace { path: raw.path }
        }
    }
}

/// A secret of `[workload]`, from the environment or a file.
fn secret(findings: &Findings<'_>, value: String, file: String) -> Secret {
    const KEY: &str = "workload.token";
    if !value.is_empty() && findings.layers.variable(KEY).is_none() {
        findings.add(
            KEY,
            "is a secret in a site file; write its file's path as token_file, or set ISOTHERM__WORKLOAD__TOKEN",
        );
    }
    match (value.is_empty(), file.is_empty()) {
        (false, _) => Secret::Value(value),
        (true, false) => Secret::File(file),
        (true, true) => Secret::None,
    }
}

/// Checks `workload.url`: scheme, host and port, and a plain path.
fn url(findings: &Findings<'_>, url: &str, schemes: &[&str], example: &str) {
    let rest = url.split_once("://").filter(|(scheme, _)| schemes.contains(scheme));
    let good = rest.is_some_and(|(_, rest)| {
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        super::check::is_host_and_port(host) && path.bytes().all(plain)
    });
    if !good {
        findings.add("workload.url", format!("is `{url}`; write {example}"));
    }
}
