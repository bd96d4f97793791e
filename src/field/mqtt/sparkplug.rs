//! Sparkplug B as a host application (Eclipse Sparkplug 3.0.0): edge nodes, the devices behind them, births and deaths.
//!
//! A birth names every metric and gives each a number; data may then come under the numbers alone. So a node whose birth
//! was missed, or whose sequence has a gap, is asked for a rebirth, at most once in ten seconds.

use super::heard::sampled_ms;
use crate::connect::mqtt::{Message, Session, Will};
use crate::field::link::{Context, Link};
use crate::site::Device;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::codec::DecodeError;
use wire::payload::decode_raw;
use wire::profile::Place;
use wire::sparkplug::{self, Metric, Payload, Value};

const NAMESPACE: &str = "spBv1.0";

/// Least time between two requests for a rebirth, s.
const ASK_AGAIN_S: f64 = 10.0;

/// A stamp may be this far in the future, s.
const FUTURE_S: f64 = 5.0;

/// Most metrics that are remembered of one node: more than any PLC has, and a bound on what a stranger can make us keep.
const ALIASES_MAX: usize = 50_000;

/// All nodes that the site's devices are behind.
pub(super) struct Sparkplug {
    context: Context,
    /// By `group/node`.
    nodes: BTreeMap<String, Node>,
}

#[derive(Default)]
struct Node {
    devices: BTreeMap<String, Member>,
    /// What the numbers of the last births stand for: a device, a metric, its type.
    aliases: BTreeMap<u64, (String, String, Option<u32>)>,
    born: bool,
    next: u8,
    /// Number of the birth, which its death repeats.
    birth: Option<u64>,
    asked_ms: Option<u64>,
}

struct Member {
    link: Arc<Link>,
    points: BTreeMap<String, usize>,
}

/// A message to a node.
type Answer = (String, Vec<u8>);

impl Sparkplug {
    pub(super) const fn new(context: Context) -> Self {
        Self {
            context,
            nodes: BTreeMap::new(),
        }
    }

    /// Adds a device, whose topic is `group/node/device`.
    pub(super) fn add(&mut self, topic: &str, device: &Device, link: &Arc<Link>) {
        let Some((node, name)) = topic.rsplit_once('/') else {
            return;
        };
        let points = device.profile.points.iter().enumerate().filter_map(|(index, point)| {
            let Place::Metric(metric) = &point.place else {
                return None;
            };
            Some((metric.clone(), index))
        });
        let member = Member {
            link: Arc::clone(link),
            points: points.collect(),
        };
        let node = self.nodes.entry(node.to_owned()).or_default();
        node.devices.insert(name.to_owned(), member);
    }

    pub(super) fn filters(&self) -> Vec<String> {
        let filters = self.nodes.keys().filter_map(|node| {
            let (group, node) = node.split_once('/')?;
            Some([
                format!("{NAMESPACE}/{group}/+/{node}"),
                format!("{NAMESPACE}/{group}/+/{node}/+"),
            ])
        });
        filters.flatten().collect()
    }

    /// What the broker says of us when we are gone: nodes may then buffer what they measure.
    pub(super) fn will(&self) -> Option<Will> {
        (!self.nodes.is_empty()).then(|| Will {
            topic: self.state_topic(),
            payload: self.state(false),
            retain: true,
        })
    }

    /// Says that we are there.
    pub(super) fn connected(&self, session: &mut Session) -> Result<(), String> {
        if self.nodes.is_empty() {
            return Ok(());
        }
        session.publish(&self.state_topic(), &self.state(true), true)
    }

    /// Says that we go.
    pub(super) fn farewell(&self, session: &mut Session) -> Result<(), String> {
        if self.nodes.is_empty() {
            return Ok(());
        }
        session.publish(&self.state_topic(), &self.state(false), true)
    }

    fn state_topic(&self) -> String {
        format!("{NAMESPACE}/STATE/{}", self.context.site.mqtt.client_id)
    }

    fn state(&self, online: bool) -> Vec<u8> {
        let timestamp = self.context.now().wall_ms;
        serde_json::json!({ "online": online, "timestamp": timestamp })
            .to_string()
            .into_bytes()
    }

    /// Takes a message; the answer, where there is one, asks a node for its birth.
    pub(super) fn take(&mut self, message: &Message) -> Option<Answer> {
        let mut parts = message.topic.strip_prefix(NAMESPACE)?.strip_prefix('/')?.split('/');
        let (group, kind, node, device) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
        let name = format!("{group}/{node}");
        let context = &self.context;
        let state = self.nodes.get_mut(&name)?;
        let payload = match sparkplug::decode(&message.payload) {
            Ok(payload) => payload,
            Err(error) => {
                state.note_all(|status| {
                    status.read_errors += 1;
                    status.last_error = Some(error.to_string());
                });
                return None;
            }
        };
        let whole = match (kind, device) {
            ("NBIRTH", None) => state.birth(&payload),
            ("NDEATH", None) => {
                state.death(context, &payload);
                true
            }
            ("DBIRTH", Some(device)) => state.in_order(&payload) & state.device_birth(context, device, &payload),
            ("DDEATH", Some(device)) => {
                state.device_death(context, device);
                state.in_order(&payload)
            }
            ("NDATA", None) => state.in_order(&payload),
            ("DDATA", Some(device)) => state.in_order(&payload) & state.data(context, device, &payload),
            _ => return None,
        };
        if whole { None } else { state.ask(context, group, node) }
    }
}

impl Node {
    fn birth(&mut self, payload: &Payload) -> bool {
        self.aliases.clear();
        self.born = true;
        self.birth = number_of(payload, "bdSeq");
        self.next = low_byte(payload.sequence).wrapping_add(1);
        true
    }

    /// The node is gone. A death of an earlier birth, which a broker may send late, is none.
    fn death(&mut self, context: &Context, payload: &Payload) {
        let number = number_of(payload, "bdSeq");
        if self.birth.is_some() && number.is_some() && number != self.birth {
            return;
        }
        self.born = false;
        for member in self.devices.values() {
            member.gone(context, "the edge node has died");
        }
    }

    /// Whether a message follows the last one; counts those between.
    fn in_order(&mut self, payload: &Payload) -> bool {
        if !self.born {
            return false;
        }
        let sequence = low_byte(payload.sequence);
        let missing = u64::from(sequence.wrapping_sub(self.next));
        self.next = sequence.wrapping_add(1);
        if missing > 0 {
            self.note_all(|status| status.lost_messages += missing);
        }
        missing == 0
    }

    fn device_birth(&mut self, context: &Context, device: &str, payload: &Payload) -> bool {
        for metric in &payload.metrics {
            if let (Some(alias), Some(name)) = (metric.alias, &metric.name)
                && self.aliases.len() < ALIASES_MAX
            {
                self.aliases
                    .insert(alias, (device.to_owned(), name.clone(), metric.datatype));
            }
        }
        if let Some(member) = self.devices.get(device) {
            member.link.note(|status| status.connected = true);
        }
        self.data(context, device, payload)
    }

    fn device_death(&self, context: &Context, device: &str) {
        if let Some(member) = self.devices.get(device) {
            member.gone(context, "the device behind the edge node has died");
        }
    }

    /// Takes the values of a device. Answers whether every metric was known.
    fn data(&self, context: &Context, device: &str, payload: &Payload) -> bool {
        let Some(member) = self.devices.get(device) else {
            // Another device of the node, which the site does not use.
            return true;
        };
        let mut known = true;
        for metric in payload.metrics.iter().filter(|metric| !metric.historical) {
            let by_alias = metric.alias.and_then(|alias| self.aliases.get(&alias));
            let by_alias = by_alias.filter(|(owner, ..)| owner == device);
            let name = metric.name.as_ref().or(by_alias.map(|(_, name, _)| name));
            let Some(name) = name else {
                known = false;
                continue;
            };
            if let Some(point) = member.points.get(name) {
                let stamp = metric.timestamp_ms.or(payload.timestamp_ms);
                member.take(context, *point, metric, by_alias.and_then(|alias| alias.2), stamp);
            }
        }
        known
    }

    fn ask(&mut self, context: &Context, group: &str, node: &str) -> Option<Answer> {
        let now = context.now();
        if self.asked_ms.is_some_and(|at| now.seconds_since(at) < ASK_AGAIN_S) {
            return None;
        }
        self.asked_ms = Some(now.mono_ms);
        let rebirth = Metric {
            name: Some("Node Control/Rebirth".into()),
            datatype: Some(11),
            value: Value::Flag(true),
            ..Metric::default()
        };
        let payload = Payload {
            timestamp_ms: u64::try_from(now.wall_ms).ok(),
            sequence: None,
            metrics: vec![rebirth],
        };
        Some((format!("{NAMESPACE}/{group}/NCMD/{node}"), sparkplug::encode(&payload)))
    }

    fn note_all(&self, change: impl Fn(&mut crate::field::LinkStatus)) {
        self.devices.values().for_each(|member| member.link.note(&change));
    }
}

impl Member {
    fn take(&self, context: &Context, point: usize, metric: &Metric, born: Option<u32>, stamp: Option<u64>) {
        let device = context.site.devices.get(self.link.device.0);
        let Some(spec) = device.and_then(|device| device.profile.points.get(point)) else {
            return;
        };
        let now = context.now();
        let stamp = stamp.and_then(|ms| i64::try_from(ms).ok());
        let future_s = FUTURE_S * context.speed.max(1.0);
        let sampled = sampled_ms(stamp, now, false, future_s);
        if let Ok(sampled_ms) = sampled {
            let value = decode_raw(spec, metric.number(born));
            context.post(self.link.device, sampled_ms, [(point, value)], true);
        }
        self.link.note(|status| match sampled {
            Ok(_) => {
                status.reads += 1;
                status.last_ok_mono_ms = Some(now.mono_ms);
            }
            Err(error) => {
                status.read_errors += 1;
                status.last_error = Some(error);
            }
        });
    }

    /// Nothing that it said is to be trusted any longer.
    fn gone(&self, context: &Context, why: &str) {
        let nothing = self.points.values().map(|point| (*point, Err(DecodeError::NoValue)));
        context.post(self.link.device, context.now().mono_ms, nothing, true);
        self.link.note(|status| {
            status.connected = false;
            status.last_error = Some(why.to_owned());
        });
    }
}

fn number_of(payload: &Payload, name: &str) -> Option<u64> {
    let metric = payload
        .metrics
        .iter()
        .find(|metric| metric.name.as_deref() == Some(name))?;
    match metric.value {
        Value::Bits(bits) => Some(bits),
        _ => None,
    }
}

/// A sequence number has one byte; what has more is a node that breaks the protocol, and reads as a gap.
fn low_byte(sequence: Option<u64>) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "the low byte is wanted")]
    let byte = sequence.unwrap_or(0) as u8;
    byte
}
