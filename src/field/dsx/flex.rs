//! Grid events of DSX Flex (`schemas/asyncapi/dsx-flex/dsx-flex.yaml` of NVIDIA/dsx-exchange at c24771c): `CloudEvents`
//! whose data is signed. What is not signed by a known key is told and does nothing.

use super::jws::Keys;
use crate::connect::mqtt::Message;
use crate::site::DsxSettings;
use crate::snapshot::{Author, LoadLimit, Now, Request, RequestKind};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};

/// Largest event, bytes.
const EVENT_MAX: usize = 128 * 1024;
/// An event older or newer than this is not believed, s: somebody may send an old one again.
const BELIEVED_S: i64 = 300;
/// Events whose ids are remembered, so that one is not taken twice.
const REMEMBERED: usize = 512;
/// A target without an end holds this long, s, unless it is replaced before.
const OPEN_END_S: f64 = 86_400.0;
/// Most feeds whose default is remembered.
const FEEDS_MAX: usize = 256;

const TOPICS: [&str; 4] = [
    "grid/v1/isv/+/loadtarget/set",
    "grid/v1/dsx-flex-agent/+/powerstate/status",
    "grid/v1/dsx-flex-agent/+/powerbreach",
    "grid/v1/infra/+/powerbreach/enforcement",
];

/// Hears grid events.
pub(super) struct Flex {
    feeds: Vec<String>,
    keys: Result<Keys, String>,
    seen: VecDeque<String>,
    /// Power of each feed without a target, kW, as its agent says.
    defaults: BTreeMap<String, f64>,
}

/// The envelope, as far as it concerns us.
#[derive(Deserialize)]
struct CloudEvent {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    time: String,
    data: String,
}

#[derive(Deserialize)]
struct SetTargets {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    interval: Interval,
    #[serde(default)]
    feed_tags: Vec<String>,
    load_constraint: Option<Power>,
}

#[derive(Deserialize, Default)]
struct Interval {
    start_time: Option<String>,
    end_time: Option<String>,
}

#[derive(Deserialize, Clone)]
struct Power {
    value: f64,
    unit: String,
}

impl Power {
    fn kw(&self) -> Option<f64> {
        let factor = match self.unit.as_str() {
            "watt" => 0.001,
            "kilowatt" => 1.0,
            "megawatt" => 1000.0,
            _ => return None,
        };
        Some(self.value * factor).filter(|kw| kw.is_finite() && *kw >= 0.0)
    }
}

#[derive(Deserialize)]
struct PowerState {
    feeds: BTreeMap<String, Feed>,
}

#[derive(Deserialize)]
struct Feed {
    metadata: FeedMetadata,
    event: String,
    compliant: bool,
}

#[derive(Deserialize)]
struct FeedMetadata {
    default_constraint: Power,
}

#[derive(Deserialize)]
struct Breach {
    feed_tag: String,
    status: String,
    severity: String,
    measured_load: Power,
}

impl Flex {
    pub(super) fn new(settings: &DsxSettings) -> Self {
        let keys = if settings.flex_keys.is_empty() {
            Err("dsx.flex_keys names no keys: write the PEM file of those whose events are believed".to_owned())
        } else {
            Keys::read(&settings.flex_keys)
        };
        if let Err(error) = &keys {
            tracing::warn!(error, "grid events are told and do nothing");
        }
        Self {
            feeds: settings.flex_feeds.clone(),
            keys,
            seen: VecDeque::new(),
            defaults: BTreeMap::new(),
        }
    }

    pub(super) fn filters() -> impl Iterator<Item = String> {
        TOPICS.iter().map(|topic| (*topic).to_owned())
    }

    /// Takes a message; `None` where it is none of ours. What it asks for becomes requests.
    pub(super) fn take(&mut self, message: &Message, now: Now) -> Option<Vec<Request>> {
        if !message.topic.starts_with("grid/v1/") {
            return None;
        }
        match self.requests(message, now) {
            Ok(requests) => Some(requests),
            Err(error) => {
                tracing::warn!(topic = message.topic, error, "a grid event was not taken");
                Some(Vec::new())
            }
        }
    }

    fn requests(&mut self, message: &Message, now: Now) -> Result<Vec<Request>, String> {
        if message.payload.len() > EVENT_MAX {
            return Err(format!("it has more than {EVENT_MAX} bytes"));
        }
        let event: CloudEvent = serde_json::from_slice(&message.payload).map_err(|error| error.to_string())?;
        if !event.specversion.starts_with("1.0") {
            return Err(format!("CloudEvents {} is not known", event.specversion));
        }
        let made_ms = millisecond(&event.time)?;
        if now.wall_ms.saturating_sub(made_ms).abs() > BELIEVED_S * 1000 {
            return Err(format!("it was made at {}, too far from now", event.time));
        }
        if self.seen.contains(&event.id) {
            return Err(format!("event {} came before", event.id));
        }
        let data = self.keys.as_ref().map_err(Clone::clone)?.verify(&event.data)?;
        self.seen.push_back(event.id.clone());
        if self.seen.len() > REMEMBERED {
            self.seen.pop_front();
        }
        match event.kind.as_str() {
            "grid.loadtarget.set.v1" => self.targets(&data, &event.source, now),
            "grid.powerstate.status.v1" => self.state(&data),
            "grid.powerbreach.alert.v1" => {
                let breach: Breach = parse(&data)?;
                tracing::warn!(
                    feed = breach.feed_tag,
                    status = breach.status,
                    severity = breach.severity,
                    measured_kw = breach.measured_load.kw(),
                    "the grid's agent reports a power breach"
                );
                Ok(Vec::new())
            }
            "grid.powerbreach.enforcement.v1" => {
                tracing::warn!(source = event.source, "the grid's agent enforces a power limit");
                Ok(Vec::new())
            }
            other => Err(format!("events of type {other} are not known")),
        }
    }

    /// A limit on a feed becomes a cut of cooling power in the same proportion: cooling does its share, and no more.
    fn targets(&self, data: &[u8], source: &str, now: Now) -> Result<Vec<Request>, String> {
        let set: SetTargets = parse(data)?;
        let mut requests = Vec::new();
        for target in set.targets {
            let concerns = |feed: &String| target.feed_tags.is_empty() || target.feed_tags.contains(feed);
            if !self.feeds.is_empty() && !self.feeds.iter().any(concerns) {
                continue;
            }
            let kind = match &target.load_constraint {
                None => RequestKind::ClearLoadTarget,
                Some(power) => {
                    let limit_kw = power.kw().ok_or("a load constraint is no power")?;
                    let default_kw = self.default_kw(&target.feed_tags).ok_or(
                        "no status has said yet what the feed draws without a target: the cut cannot be formed",
                    )?;
                    let start_ms = target
                        .interval
                        .start_time
                        .as_deref()
                        .map_or(Ok(now.wall_ms), millisecond)?;
                    let in_s = start_ms.saturating_sub(now.wall_ms).max(0) as f64 / 1000.0;
                    let for_s = match target.interval.end_time.as_deref() {
                        Some(end) => millisecond(end)?.saturating_sub(start_ms.max(now.wall_ms)) as f64 / 1000.0,
                        None => OPEN_END_S,
                    };
                    if for_s <= 0.0 {
                        return Err("the target's interval is over or ends before it begins".into());
                    }
                    let cut = (1.0 - limit_kw / default_kw).clamp(0.0, 0.9);
                    RequestKind::SetLoadTarget {
                        limit: LoadLimit::Cut(cut),
                        in_s,
                        for_s,
                    }
                }
            };
            requests.push(Request {
                author: Author::Bus(format!("DSX Flex: {source}")),
                kind,
                why: "a load target of the grid".into(),
            });
        }
        Ok(requests)
    }

    /// Power without a target of the feeds that a target is for, kW.
    fn default_kw(&self, tags: &[String]) -> Option<f64> {
        let concerned = self
            .defaults
            .iter()
            .filter(|(feed, _)| (tags.is_empty() || tags.contains(feed)) && self.concerns(feed));
        let total: f64 = concerned.map(|(_, kw)| kw).sum();
        (total > 0.0).then_some(total)
    }

    fn concerns(&self, feed: &String) -> bool {
        self.feeds.is_empty() || self.feeds.contains(feed)
    }

    fn state(&mut self, data: &[u8]) -> Result<Vec<Request>, String> {
        let state: PowerState = parse(data)?;
        for (feed, state) in state.feeds.into_iter().take(FEEDS_MAX) {
            if !self.concerns(&feed) {
                continue;
            }
            if state.event != "periodic" || !state.compliant {
                tracing::info!(
                    feed,
                    event = state.event,
                    compliant = state.compliant,
                    "power state of a feed"
                );
            }
            if let Some(kw) = state.metadata.default_constraint.kw()
                && (self.defaults.len() < FEEDS_MAX || self.defaults.contains_key(&feed))
            {
                self.defaults.insert(feed, kw);
            }
        }
        Ok(Vec::new())
    }
}

fn parse<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(data).map_err(|error| error.to_string())
}

fn millisecond(text: &str) -> Result<i64, String> {
    let time: Timestamp = text
        .parse()
        .map_err(|_| format!("`{text}` is not a time in ISO 8601"))?;
    Ok(time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::super::jws::tests::Signer;
    use super::*;

    struct Bench {
        signer: Signer,
        flex: Flex,
        number: u32,
        _dir: tempfile::TempDir,
    }

    const NOW: Now = Now {
        mono_ms: 1_000_000,
        wall_ms: 1_790_000_000_000,
        utc_offset_s: 0,
    };

    fn iso(seconds: i64) -> String {
        Timestamp::from_millisecond(NOW.wall_ms + seconds * 1000)
            .unwrap()
            .to_string()
    }

    impl Bench {
        fn new(feeds: &[&str]) -> Self {
            let (signer, dir) = (Signer::new(), tempfile::tempdir().unwrap());
            let file = dir.path().join("keys.pem");
            std::fs::write(&file, signer.pem()).unwrap();
            let mut settings = crate::site::load_embedded("demo").unwrap().unwrap().dsx;
            settings.flex = true;
            settings.flex_feeds = feeds.iter().map(|feed| (*feed).to_owned()).collect();
            settings.flex_keys = file.to_str().unwrap().into();
            Self {
                signer,
                flex: Flex::new(&settings),
                number: 0,
                _dir: dir,
            }
        }

        fn event(&mut self, kind: &str, data: &str, made_s: i64) -> Message {
            self.number += 1;
            let event = serde_json::json!({
                "specversion": "1.0.2", "id": format!("id-{}", self.number), "source": "//grid/v1/isv/acme",
                "type": kind, "time": iso(made_s), "datacontenttype": "application/json", "subject": "loadtarget",
                "traceparent": "00-0-0-01", "data": self.signer.sign(data),
            });
            Message {
                topic: "grid/v1/isv/acme/loadtarget/set".into(),
                payload: event.to_string().into_bytes().into(),
                retained: false,
            }
        }

        fn status(&mut self) {
            let power = |kw: f64| serde_json::json!({ "value": kw, "unit": "kilowatt" });
            let feed = |kw: f64| {
                serde_json::json!({ "metadata": { "power_minimum": power(0.0), "power_maximum": power(kw),
                    "default_constraint": power(kw) }, "targets": [], "calculated_load": power(kw),
                    "in_flight": false, "event": "periodic", "compliant": true })
            };
            let data = serde_json::json!({ "snapshot_time": iso(0), "feeds": { "main-a": feed(4000.0), "main-b": feed(9000.0) } });
            let event = self.event("grid.powerstate.status.v1", &data.to_string(), 0);
            assert_eq!(self.flex.requests(&event, NOW), Ok(Vec::new()));
        }
    }

    fn target(limit: &str, start_s: i64, end_s: i64, feeds: &str) -> String {
        format!(
            r#"{{"targets":[{{"interval":{{"start_time":"{}","end_time":"{}"}},"feed_tags":{feeds},"load_constraint":{limit}}}]}}"#,
            iso(start_s),
            iso(end_s)
        )
    }

    const LIMIT: &str = r#"{"value":3.4,"unit":"megawatt"}"#;

    #[test]
    fn a_load_target_becomes_a_cut_in_proportion() {
        let mut bench = Bench::new(&["main-a"]);
        let data = target(LIMIT, 900, 2700, r#"["main-a"]"#);
        let early = bench.event("grid.loadtarget.set.v1", &data, 0);
        assert!(bench.flex.requests(&early, NOW).unwrap_err().contains("no status"));
        bench.status();
        let event = bench.event("grid.loadtarget.set.v1", &data, -2);
        let requests = bench.flex.requests(&event, NOW).unwrap();
        let [request] = &requests[..] else {
            panic!("{requests:?}")
        };
        assert_eq!(request.author, Author::Bus("DSX Flex: //grid/v1/isv/acme".into()));
        let RequestKind::SetLoadTarget {
            limit: LoadLimit::Cut(cut),
            in_s,
            for_s,
        } = request.kind
        else {
            panic!("{request:?}")
        };
        assert!((cut - 0.15).abs() < 1e-9, "3.4 MW of 4 MW");
        assert_eq!((in_s.to_bits(), for_s.to_bits()), (900f64.to_bits(), 1800f64.to_bits()));
        assert!(bench.flex.requests(&event, NOW).unwrap_err().contains("came before"));

        let cleared = bench.event("grid.loadtarget.set.v1", &target("null", 0, 10, "[]"), 0);
        let requests = bench.flex.requests(&cleared, NOW).unwrap();
        assert_eq!(requests[0].kind, RequestKind::ClearLoadTarget);
        let other = bench.event("grid.loadtarget.set.v1", &target(LIMIT, 0, 10, r#"["main-b"]"#), 0);
        assert_eq!(bench.flex.requests(&other, NOW), Ok(Vec::new()), "another feed's");
    }

    #[test]
    fn what_is_old_unsigned_or_malformed_does_nothing() {
        let mut bench = Bench::new(&[]);
        bench.status();
        let data = target(LIMIT, 0, 600, "[]");
        let refused = |bench: &mut Bench, event: Message| bench.flex.requests(&event, NOW).unwrap_err();
        let old = bench.event("grid.loadtarget.set.v1", &data, -301);
        assert!(refused(&mut bench, old).contains("too far"));
        let over = bench.event("grid.loadtarget.set.v1", &target(LIMIT, -600, -10, "[]"), 0);
        assert!(refused(&mut bench, over).contains("is over"));
        bench.signer = Signer::new();
        let foreign = bench.event("grid.loadtarget.set.v1", &data, 0);
        assert!(refused(&mut bench, foreign).contains("no key"));
        let noise = Message {
            topic: "grid/v1/isv/acme/loadtarget/set".into(),
            payload: bytes::Bytes::from_static(b"{}"),
            retained: false,
        };
        assert_eq!(bench.flex.take(&noise, NOW), Some(Vec::new()));
    }
}
