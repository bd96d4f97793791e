//! The description.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    pub(crate) dashboard: Vec<Dashboard>,
    pub(crate) alert: Vec<Alert>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dashboard {
    pub(crate) id: String,
    pub(crate) title: String,
    /// Pattern of the equipment that can be chosen.
    pub(crate) equipment: Option<String>,
    pub(crate) panels: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) unit: String,
    pub(crate) w: u32,
    pub(crate) h: u32,
    pub(crate) decimals: Option<u32>,
    #[serde(default)]
    pub(crate) help: String,
    #[serde(default)]
    pub(crate) stack: bool,
    pub(crate) map: Option<Map>,
    pub(crate) queries: Vec<Query>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Stat,
    Timeseries,
    Bar,
    State,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Map {
    Level,
    Authority,
    Yes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    pub(crate) field: String,
    #[serde(default, rename = "where")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) how: How,
    pub(crate) over: Option<Over>,
    #[serde(default)]
    pub(crate) by: Vec<String>,
    pub(crate) ahead: Option<String>,
    #[serde(default)]
    pub(crate) legend: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    #[default]
    Value,
    PerHour,
    Increase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Over {
    Sum,
    Mean,
    Min,
    Max,
    Count,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alert {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) severity: String,
    pub(crate) r#for: String,
    pub(crate) query: Query,
    pub(crate) above: Option<f64>,
    pub(crate) below: Option<f64>,
    #[serde(default = "ok")]
    pub(crate) no_data: String,
    pub(crate) text: String,
}

fn ok() -> String {
    "OK".to_owned()
}

pub(crate) fn read() -> Description {
    toml::from_str(include_str!("../../grafana/dashboards.toml")).unwrap()
}
