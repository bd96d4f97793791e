//! Reads what holds for a whole MQTT device.

use super::{POINTER, read_pointer};
use crate::profile::{MqttMap, Payload};
use crate::section::Section;

const PAYLOAD: &str = "json, number, batch or sparkplug_b";

/// The map of an MQTT device. What is wrong is replaced, so that the points are checked all the same.
pub(super) fn read(mut section: Section<'_>) -> MqttMap {
    let kind: String = section.optional("payload", PAYLOAD).unwrap_or_else(|| "json".into());
    let topic = match kind.as_str() {
        "number" => "one topic with `{device}` and `{point}`, without # or +",
        "batch" => "one topic, without # or +",
        "sparkplug_b" => "group/node/{device}, the names of the edge node that the device is behind",
        _ => "one topic with `{device}` for the device's id, without # or +",
    };
    let payload = match kind.as_str() {
        "json" => Payload::Json,
        "number" => Payload::Number,
        "batch" => Payload::Batch {
            items: read_pointer(&mut section, "items").unwrap_or_default(),
            device: read_pointer(&mut section, "device").unwrap_or_else(|| {
                section.wrong(
                    "device",
                    format!("write, for the id of the device in an item, {POINTER}"),
                );
                String::new()
            }),
        },
        "sparkplug_b" => Payload::Sparkplug,
        _ => {
            section.wrong("payload", format!("`{kind}` is unknown: write {PAYLOAD}"));
            Payload::Json
        }
    };
    let mut map = MqttMap {
        topic: section.required("topic", topic).unwrap_or_else(|| "{device}".into()),
        payload,
        timestamp: None,
        quality: None,
        sequence: None,
    };
    if matches!(map.payload, Payload::Json | Payload::Batch { .. }) {
        map.timestamp = read_pointer(&mut section, "timestamp");
        map.quality = read_pointer(&mut section, "quality");
        map.sequence = read_pointer(&mut section, "sequence");
    }
    let named = map.topic.contains("{device}") || matches!(map.payload, Payload::Batch { .. });
    let right = match map.payload {
        Payload::Number => map.topic.contains("{point}"),
        Payload::Sparkplug => map.topic.split('/').filter(|part| !part.is_empty()).count() == 3,
        Payload::Json | Payload::Batch { .. } => true,
    };
    if !named || !right || map.topic.contains(['#', '+']) {
        section.wrong("topic", format!("write {topic}"));
    }
    section.finish();
    map
}
