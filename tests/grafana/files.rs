//! The files: dashboards for both kinds of source, alert rules, and rules for Prometheus itself.

use crate::model::{Alert, Dashboard, Kind, Map, Panel, Query, read};
use crate::query::Place;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Prometheus,
    Influx,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Influx => "influxdb",
        }
    }

    fn reference(self) -> Value {
        json!({ "type": self.name(), "uid": "${datasource}" })
    }

    fn query(self, query: &Query, place: Place) -> String {
        match self {
            Self::Prometheus => query.promql(place),
            Self::Influx => query.flux(place),
        }
    }
}

/// Name under `grafana/`, and text, of every generated file.
pub(crate) fn all() -> Vec<(String, String)> {
    let description = read();
    let mut files = Vec::new();
    for source in [Source::Prometheus, Source::Influx] {
        for described in &description.dashboard {
            let name = format!("dashboards/{}/{}.json", source.name(), described.id);
            files.push((name, pretty(&dashboard(described, source))));
        }
        let rules = alerting(&description.alert, source);
        files.push((format!("alerting/{}.yaml", source.name()), pretty(&rules)));
    }
    files.push((
        "alerting/prometheus-rules.yaml".to_owned(),
        pretty(&rules(&description.alert)),
    ));
    files
}

/// JSON is YAML too, so one form serves both.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn dashboard(described: &Dashboard, source: Source) -> Value {
    let mut panels = Vec::new();
    let (mut x, mut y, mut row_h) = (0, 0, 0);
    for (place, described) in described.panels.iter().enumerate() {
        if x + described.w > 24 {
            (x, y, row_h) = (0, y + row_h, 0);
        }
        let position = json!({ "x": x, "y": y, "w": described.w, "h": described.h });
        panels.push(panel(described, place + 1, &position, source));
        x += described.w;
        row_h = row_h.max(described.h);
    }
    json!({
        "uid": format!("isotherm-{}-{}", described.id, if source == Source::Influx { "flux" } else { "prom" }),
        "title": format!("Isotherm: {}", described.title),
        "tags": ["isotherm"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": { "from": "now-3h", "to": "now" },
        "templating": { "list": variables(described, source) },
        "annotations": { "list": [] },
        "links": [{
            "title": "Isotherm", "type": "dashboards", "tags": ["isotherm"], "asDropdown": true, "includeVars": true,
            "keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "",
        }],
        "panels": panels,
    })
}

fn variables(described: &Dashboard, source: Source) -> Value {
    let chosen = |name: &str, label: &str, query: Value| {
        json!({
            "name": name, "label": label, "type": "query", "datasource": source.reference(), "query": query,
            "refresh": 2, "multi": true, "includeAll": true, "sort": 1,
            "current": { "text": ["All"], "value": ["$__all"] },
        })
    };
    let mut list = vec![json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": source.name(), "hide": 0,
    })];
    let pattern = described
        .equipment
        .as_deref()
        .map(|pattern| pattern.trim_start_matches('~'));
    match source {
        Source::Prometheus => {
            list.push(chosen(
                "site",
                "Site",
                json!({ "query": "label_values(isotherm_cycles_total, site)", "refId": "site" }),
            ));
            if let Some(pattern) = pattern {
                let query = format!(
                    "label_values(isotherm_heat_kilowatts{{site=~\"$site\",equipment=~\"{pattern}\"}}, equipment)"
                );
                list.push(chosen(
                    "equipment",
                    "Equipment",
                    json!({ "query": query, "refId": "equipment" }),
                ));
            }
        }
        Source::Influx => {
            list.push(json!({
                "name": "bucket", "label": "Bucket", "type": "textbox", "query": "isotherm", "hide": 0,
                "current": { "text": "isotherm", "value": "isotherm" },
            }));
            let values = |tag: &str, predicate: &str| {
                let text = format!(
                    "import \"influxdata/influxdb/schema\"\nschema.tagValues(bucket: \"${{bucket}}\", tag: \"{tag}\", predicate: (r) => {predicate})"
                );
                json!({ "query": text, "refId": tag })
            };
            list.push(chosen("site", "Site", values("site", "r._measurement == \"isotherm\"")));
            if let Some(pattern) = pattern {
                let predicate = format!("r._field == \"heat_kilowatts\" and r.equipment =~ /^({pattern})$/");
                list.push(chosen("equipment", "Equipment", values("equipment", &predicate)));
            }
        }
    }
    Value::Array(list)
}

fn panel(described: &Panel, id: usize, position: &Value, source: Source) -> Value {
    let targets = described.queries.iter().zip('A'..='Z').map(|(query, letter)| {
        let text = source.query(query, Place::Dashboard);
        match source {
            Source::Prometheus => json!({
                "refId": letter.to_string(), "datasource": source.reference(), "expr": text, "legendFormat": query.legend,
            }),
            Source::Influx => json!({
                "refId": letter.to_string(), "datasource": source.reference(), "query": text,
            }),
        }
    });
    let mut defaults = json!({ "unit": described.unit });
    if let Some(decimals) = described.decimals {
        defaults["decimals"] = json!(decimals);
    }
    if let Some(map) = described.map {
        defaults["mappings"] = mappings(map);
    }
    if source == Source::Influx {
        // Flux has no legend of its own: the same names, from the labels of each frame.
        if let Some(query) = described.queries.first() {
            defaults["displayName"] = json!(query.legend.replace("{{", "${__field.labels.").replace("}}", "}"));
        }
    }
    let last = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    let (kind, options) = match described.kind {
        Kind::Stat => (
            "stat",
            json!({ "reduceOptions": last, "colorMode": "value", "graphMode": "none", "textMode": "auto" }),
        ),
        Kind::Bar => (
            "bargauge",
            json!({ "reduceOptions": last, "displayMode": "basic", "orientation": "horizontal", "valueMode": "color" }),
        ),
        Kind::State => (
            "state-timeline",
            json!({ "mergeValues": true, "showValue": "auto", "rowHeight": 0.8 }),
        ),
        Kind::Timeseries => {
            defaults["custom"] = json!({
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": if described.stack { 40 } else { 0 },
                "showPoints": "never", "stacking": { "mode": if described.stack { "normal" } else { "none" }, "group": "A" },
            });
            (
                "timeseries",
                json!({ "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] }, "tooltip": { "mode": "multi", "sort": "desc" } }),
            )
        }
    };
    json!({
        "id": id, "type": kind, "title": described.title, "description": described.help, "gridPos": position,
        "datasource": source.reference(), "targets": targets.collect::<Vec<_>>(),
        "fieldConfig": { "defaults": defaults, "overrides": [] }, "options": options,
    })
}

fn mappings(map: Map) -> Value {
    let named = |names: &[(&str, &str)]| {
        let options: serde_json::Map<String, Value> = names
            .iter()
            .enumerate()
            .map(|(value, (text, colour))| {
                (
                    value.to_string(),
                    json!({ "text": text, "color": colour, "index": value }),
                )
            })
            .collect();
        json!([{ "type": "value", "options": options }])
    };
    match map {
        Map::Level => named(&[
            ("Normal", "green"),
            ("Guarded", "yellow"),
            ("Critical", "red"),
            ("Failsafe", "red"),
        ]),
        Map::Authority => named(&[
            ("Observe", "text"),
            ("Advise", "blue"),
            ("Bounded", "yellow"),
            ("Full", "green"),
        ]),
        Map::Yes => named(&[("No", "red"), ("Yes", "green")]),
    }
}

/// The threshold of an alert: its comparison in words of Grafana, in `PromQL`, and its value.
fn threshold(alert: &Alert) -> (&'static str, char, f64) {
    match (alert.above, alert.below) {
        (Some(above), None) => ("gt", '>', above),
        (None, Some(below)) => ("lt", '<', below),
        _ => panic!("{}: write `above` or `below`", alert.id),
    }
}

/// Alert rules that Grafana itself evaluates.
fn alerting(alerts: &[Alert], source: Source) -> Value {
    let rules = alerts.iter().map(|alert| {
        let (word, _, value) = threshold(alert);
        let query = source.query(&alert.query, Place::Alert);
        let model = match source {
            Source::Prometheus => json!({ "refId": "A", "expr": query, "instant": true }),
            Source::Influx => json!({ "refId": "A", "query": query }),
        };
        json!({
            "uid": format!("isotherm-{}", alert.id),
            "title": alert.title,
            "condition": "C",
            "for": alert.r#for,
            "noDataState": alert.no_data,
            "execErrState": "Error",
            "labels": { "severity": alert.severity },
            "annotations": { "summary": template(&alert.text) },
            "data": [
                { "refId": "A", "datasourceUid": "isotherm", "relativeTimeRange": { "from": 900, "to": 0 }, "model": model },
                { "refId": "B", "datasourceUid": "__expr__", "model": { "refId": "B", "type": "reduce", "expression": "A", "reducer": "last" } },
                { "refId": "C", "datasourceUid": "__expr__", "model": {
                    "refId": "C", "type": "threshold", "expression": "B",
                    "conditions": [{ "evaluator": { "type": word, "params": [value] } }],
                } },
            ],
        })
    });
    json!({
        "apiVersion": 1,
        "groups": [{
            "orgId": 1, "name": "isotherm", "folder": "Isotherm", "interval": "30s", "rules": rules.collect::<Vec<_>>(),
        }],
    })
}

/// `{{site}}` in the templates of alerts.
fn template(text: &str) -> String {
    text.replace("{{", "{{ $labels.").replace("}}", " }}")
}

/// The same as rules of Prometheus or vmalert.
fn rules(alerts: &[Alert]) -> Value {
    let rules = alerts.iter().map(|alert| {
        let (_, sign, value) = threshold(alert);
        json!({
            "alert": format!("Isotherm{}{}", alert.id[..1].to_uppercase(), &alert.id[1..]),
            "expr": format!("{} {sign} {value}", alert.query.promql(Place::Alert)),
            "for": alert.r#for,
            "labels": { "severity": alert.severity },
            "annotations": { "summary": template(&alert.text) },
        })
    });
    json!({ "groups": [{ "name": "isotherm", "rules": rules.collect::<Vec<_>>() }] })
}
