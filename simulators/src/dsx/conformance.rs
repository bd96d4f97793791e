//! Every message of an integration against the schema and the contract.

use super::bms::Heard;
use super::points::BmsPoint;
use super::schema::Schema;
use serde_json::Value;
use std::time::Duration;

/// One rule, how often it was looked at, and where it was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The rule.
    pub rule: &'static str,
    /// Messages, or pairs of them, that it was held against.
    pub checked: usize,
    /// What broke it.
    pub broken: Vec<String>,
}

impl Check {
    fn new(rule: &'static str) -> Self {
        Self {
            rule,
            checked: 0,
            broken: Vec::new(),
        }
    }

    fn hold(&mut self, good: bool, what: impl FnOnce() -> String) {
        self.checked += 1;
        if !good {
            self.broken.push(what());
        }
    }
}

/// Beats may come this much early or late, as a share of the period.
const BEAT_TOLERANCE: f64 = 0.2;

/// Holds `messages` of an integration against the rules; `period` is that of its heartbeat, real time.
pub fn check(
    messages: &[Heard],
    points: &[BmsPoint],
    integration: &str,
    schema: &Schema,
    period: Duration,
) -> Vec<Check> {
    let mut topics = Check::new("topic is BMS/v1/{integration}/Value/{objectType}/{pointType}/{tagPath}, ours");
    let mut types = Check::new("the schema lets an integration publish this point type of this object type");
    let mut granted = Check::new("the point's metadata names us as its integration");
    let mut metadata = Check::new("no metadata is published, nor anything in the BMS's name");
    let mut fields = Check::new("payload is an object of value, timestamp and quality, and nothing else");
    let mut values = Check::new("value is a number or null");
    let mut times = Check::new("timestamp is a whole number of ms, within 5 s of its arrival");
    let mut quality = Check::new("quality is a whole number, and 1 only with a value");
    let mut retained = Check::new("values are not retained");
    let mut beats = Check::new("heartbeats come every 10 s of the bus, each later than the last");
    let mut last_beat: Option<(Duration, f64)> = None;
    for message in messages {
        let topic = &message.topic;
        let told = || topic.clone();
        metadata.hold(!topic.contains("/Metadata/") && !topic.starts_with("BMS/v1/PUB/"), told);
        let parts: Vec<&str> = topic.splitn(7, '/').collect();
        let [bus, version, who, kind, object_type, point_type, path] = parts[..] else {
            topics.hold(false, told);
            continue;
        };
        let right = (bus, version, kind) == ("BMS", "v1", "Value") && who == integration && !path.is_empty();
        topics.hold(right, told);
        let allowed = schema.integration.get(object_type);
        types.hold(allowed.is_some_and(|types| types.contains(point_type)), told);
        let tail = format!("{object_type}/{point_type}/{path}");
        let ours = points
            .iter()
            .any(|point| point.tail == tail && point.metadata["integration"] == *integration);
        granted.hold(ours, told);
        retained.hold(!message.retain, told);

        let Ok(Value::Object(json)) = serde_json::from_slice(&message.payload) else {
            fields.hold(false, || format!("{topic}: not a JSON object"));
            continue;
        };
        let mut keys: Vec<&str> = json.keys().map(String::as_str).collect();
        keys.sort_unstable();
        fields.hold(keys == ["quality", "timestamp", "value"], || {
            format!("{topic}: {keys:?}")
        });
        let value = json.get("value");
        let number = value.and_then(Value::as_f64);
        values.hold(number.is_some() || value == Some(&Value::Null), told);
        let time = json.get("timestamp").and_then(Value::as_i64);
        times.hold(time.is_some_and(|ms| (message.at_ms - ms).abs() <= 5000), || {
            format!("{topic}: {time:?}")
        });
        let good = json.get("quality").and_then(Value::as_i64);
        quality.hold(good.is_some_and(|good| good != 1 || number.is_some()), told);
        if point_type == "HeartbeatTimestampIntegration" {
            let stamp = number.unwrap_or(f64::NAN);
            if let Some((after, before)) = last_beat {
                let gap = message.after.saturating_sub(after).as_secs_f64() / period.as_secs_f64();
                let in_time = (gap - 1.0).abs() <= BEAT_TOLERANCE;
                beats.hold(in_time && stamp > before, || {
                    format!("{topic}: {gap:.1} periods after the last")
                });
            }
            last_beat = Some((message.after, stamp));
        }
    }
    vec![
        topics, types, granted, metadata, fields, values, times, quality, retained, beats,
    ]
}

#[cfg(test)]
mod tests {
    use super::super::points::hall;
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    fn message(topic: &str, payload: &str) -> Heard {
        Heard {
            after: Duration::ZERO,
            at_ms: NOW,
            topic: topic.into(),
            payload: payload.as_bytes().to_vec(),
            retain: false,
        }
    }

    fn broken(message: Heard) -> Vec<&'static str> {
        let checks = check(
            &[message],
            &hall("US"),
            "US",
            &Schema::restated(),
            Duration::from_secs(10),
        );
        let broken = checks.into_iter().filter(|check| !check.broken.is_empty());
        broken
            .map(|check| check.rule.split_whitespace().next().unwrap())
            .collect()
    }

    const REQUEST: &str = "BMS/v1/US/Value/CDU/LiquidTemperatureSpRequest/hall1/cdu1/secondary/supply_sp_req";

    #[test]
    fn each_breach_is_found_and_a_good_message_has_none() {
        let good = r#"{"value":25.5,"timestamp":1790000000000,"quality":1}"#;
        assert_eq!(broken(message(REQUEST, good)), Vec::<&str>::new());
        assert_eq!(broken(message(&REQUEST.replace("US", "THEM"), good)), ["topic"]);
        assert_eq!(
            broken(message("BMS/v1/US/Value/CDU/PumpSpeed/hall1/x", good)),
            ["the", "the"]
        );
        assert_eq!(broken(message(&REQUEST.replace("cdu1", "cdu2"), good)), ["the"]);
        assert_eq!(
            broken(message(REQUEST, r#"{"value":1,"timestamp":1790000000000}"#)),
            ["payload", "quality"]
        );
        assert_eq!(
            broken(message(REQUEST, &good.replace("25.5", "\"25.5\""))),
            ["value", "quality"]
        );
        assert_eq!(
            broken(message(REQUEST, &good.replace("1790000000000", "1.5"))),
            ["timestamp"]
        );
        assert_eq!(broken(message(REQUEST, &good.replace("25.5", "null"))), ["quality"]);
        assert_eq!(broken(message(REQUEST, "[]")), ["payload"]);
        let retained = Heard {
            retain: true,
            ..message(REQUEST, good)
        };
        assert_eq!(broken(retained), ["values"]);
        let metadata = message(&REQUEST.replace("US/Value", "PUB/Metadata"), good);
        assert!(broken(metadata).contains(&"no"));
    }

    /// Against the published document where it is beside the checkout.
    #[test]
    fn what_is_restated_is_what_was_published() {
        let data = std::env::var("ISOTHERM_DATA").unwrap_or_else(|_| "../../shared/data".into());
        let file = std::path::Path::new(&data).join("dsx_exchange/bms.yaml");
        let Ok(yaml) = std::fs::read_to_string(&file) else {
            eprintln!("skipped: {} is not there", file.display());
            return;
        };
        let published = Schema::published("bms.yaml", &yaml).unwrap();
        assert_eq!(published.integration, Schema::restated().integration);
    }
}
