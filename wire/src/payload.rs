//! MQTT payloads to values and back.

#![deny(clippy::indexing_slicing)]

use crate::codec::{self, DecodeError};
use crate::profile::{Mapping, MqttMap, Payload, Place, Point, Profile};
use serde_json::{Map, Value};
use thermo::Unit;

/// Largest payload that is looked at, bytes.
pub const PAYLOAD_MAX: usize = 256 * 1024;

/// One decoded message.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The sample's own time, epoch milliseconds, where the payload has one.
    pub timestamp_ms: Option<i64>,
    /// Whether the sender vouches for it: its quality is 1, or it states none.
    pub quality_good: bool,
    /// Sequence number, where the payload has one.
    pub sequence: Option<u64>,
    /// For each point of the profile that the payload carries: its index and value, canonical unit.
    pub values: Vec<(usize, Result<f64, DecodeError>)>,
}

/// Why a payload says nothing.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The profile is not for MQTT.
    #[error("the profile is not for MQTT")]
    NotMqtt,
    /// The payload is too large.
    #[error("the payload has {0} bytes, more than {PAYLOAD_MAX}")]
    TooLarge(usize),
    /// The payload is not JSON.
    #[error("the payload is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// A batch without a list.
    #[error("the payload has no list of devices where the profile says")]
    NoItems,
    /// The time or sequence number is not a number.
    #[error("`{0}` is not a whole number")]
    NotANumber(String),
}

/// Most devices that one batch may carry.
const BATCH_MAX: usize = 10_000;

/// The topic of a device: `{device}` replaced by its id.
pub fn topic(map: &MqttMap, device: &str) -> String {
    map.topic.replace("{device}", device)
}

/// Decodes a message. A field that is absent is not in the answer; `null` is no value, never zero; a number in quotes
/// is refused, and so is true or false in the place of a number.
pub fn decode(profile: &Profile, payload: &[u8]) -> Result<Sample, PayloadError> {
    let Mapping::Mqtt(map) = &profile.mapping else {
        return Err(PayloadError::NotMqtt);
    };
    if payload.len() > PAYLOAD_MAX {
        return Err(PayloadError::TooLarge(payload.len()));
    }
    let json: Value = serde_json::from_slice(payload).map_err(PayloadError::NotJson)?;
    sample(profile, map, &json)
}

/// A device of a batch: its id and its sample.
pub type Named = (String, Result<Sample, PayloadError>);

/// Decodes a batch: the id and the sample of each of its devices. A device whose time or sequence number is wrong is an
/// error of its own; an item without an id is left out.
pub fn decode_batch(profile: &Profile, payload: &[u8]) -> Result<Vec<Named>, PayloadError> {
    let Mapping::Mqtt(map) = &profile.mapping else {
        return Err(PayloadError::NotMqtt);
    };
    let Payload::Batch { items, device } = &map.payload else {
        return Err(PayloadError::NotMqtt);
    };
    if payload.len() > PAYLOAD_MAX {
        return Err(PayloadError::TooLarge(payload.len()));
    }
    let json: Value = serde_json::from_slice(payload).map_err(PayloadError::NotJson)?;
    let items = json
        .pointer(items)
        .and_then(Value::as_array)
        .ok_or(PayloadError::NoItems)?;
    let named = items.iter().take(BATCH_MAX).filter_map(|item| {
        let id = item.pointer(device)?.as_str()?;
        Some((id.to_owned(), sample(profile, map, item)))
    });
    Ok(named.collect())
}

/// A point's value from a payload of plain text: a number, or for flags also a word.
pub fn decode_number(point: &Point, payload: &[u8]) -> Result<f64, DecodeError> {
    let text = std::str::from_utf8(payload).map_err(|_| DecodeError::Malformed)?.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("null") || text.eq_ignore_ascii_case("nan") {
        return Err(DecodeError::NoValue);
    }
    if point.unit == Unit::Flag {
        match text.to_ascii_lowercase().as_str() {
            "true" | "on" => return codec::decode_bit(point, true),
            "false" | "off" => return codec::decode_bit(point, false),
            _ => {}
        }
    }
    // Rust reads "inf" and the like as numbers; a device that sends them has no value.
    let raw: f64 = text.parse().map_err(|_| DecodeError::Malformed)?;
    codec::check(point, raw * point.scale + point.offset)
}

/// A point's value from a number, for payloads whose decoder knows its type.
pub fn decode_raw(point: &Point, raw: Option<f64>) -> Result<f64, DecodeError> {
    codec::check(point, raw.ok_or(DecodeError::NoValue)? * point.scale + point.offset)
}

fn sample(profile: &Profile, map: &MqttMap, json: &Value) -> Result<Sample, PayloadError> {
    let timestamp_ms = whole(json, map.timestamp.as_deref(), Value::as_i64)?;
    let sequence = whole(json, map.sequence.as_deref(), Value::as_u64)?;
    let quality = map.quality.as_deref().and_then(|pointer| json.pointer(pointer));
    let values = profile.points.iter().enumerate().filter_map(|(index, point)| {
        let Place::Pointer(pointer) = &point.place else {
            return None;
        };
        let value = match json.pointer(pointer)? {
            Value::Number(number) => match number.as_f64() {
                Some(raw) => codec::check(point, raw * point.scale + point.offset),
                None => Err(DecodeError::Malformed),
            },
            Value::Bool(flag) if point.unit == Unit::Flag => codec::decode_bit(point, *flag),
            Value::Null => Err(DecodeError::NoValue),
            Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => Err(DecodeError::Malformed),
        };
        Some((index, value))
    });
    Ok(Sample {
        timestamp_ms,
        sequence,
        quality_good: quality.is_none_or(|quality| quality.as_i64() == Some(1)),
        values: values.collect(),
    })
}

fn whole<T>(
    json: &Value,
    pointer: Option<&str>,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, PayloadError> {
    let Some((pointer, field)) = pointer.and_then(|pointer| Some((pointer, json.pointer(pointer)?))) else {
        return Ok(None);
    };
    read(field)
        .map(Some)
        .ok_or_else(|| PayloadError::NotANumber(pointer.to_owned()))
}

/// A message with the given values (index in the profile, canonical unit); empty for a profile that is not for MQTT.
/// A value that is not finite becomes `null`.
pub fn encode(profile: &Profile, values: &[(usize, f64)], timestamp_ms: i64, sequence: u64) -> Vec<u8> {
    let Mapping::Mqtt(map) = &profile.mapping else {
        return Vec::new();
    };
    let mut json = Value::Object(Map::new());
    for (pointer, value) in [
        (&map.timestamp, Value::from(timestamp_ms)),
        (&map.quality, Value::from(1)),
        (&map.sequence, Value::from(sequence)),
    ] {
        if let Some(pointer) = pointer {
            insert(&mut json, pointer, value);
        }
    }
    for (index, value) in values {
        let Some(point) = profile.points.get(*index) else {
            continue;
        };
        if let Place::Pointer(pointer) = &point.place {
            insert(&mut json, pointer, Value::from((value - point.offset) / point.scale));
        }
    }
    json.to_string().into_bytes()
}

/// Puts a value at a JSON pointer, making the objects on the way.
fn insert(json: &mut Value, pointer: &str, value: Value) {
    let mut place = json;
    for token in pointer.split('/').skip(1) {
        let key = token.replace("~1", "/").replace("~0", "~");
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(object) = place else { return };
        place = object.entry(key).or_insert(Value::Null);
    }
    *place = value;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;
    use crate::embedded;
    use proptest::prelude::*;

    fn rack() -> Profile {
        embedded::profile("rack-mqtt").unwrap()
    }

    fn index(profile: &Profile, name: &str) -> usize {
        profile.points.iter().position(|point| point.name == name).unwrap()
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let profile = rack();
        let (power, margin) = (index(&profile, "power"), index(&profile, "chip_margin"));
        let sample = decode(
            &profile,
            &encode(&profile, &[(power, 101.5), (margin, 12.25)], 1_700_000_000_000, 7),
        )
        .unwrap();
        assert_eq!(sample.timestamp_ms, Some(1_700_000_000_000));
        assert_eq!(sample.sequence, Some(7));
        assert!(sample.quality_good);
        assert!(sample.values.contains(&(power, Ok(101.5))) && sample.values.contains(&(margin, Ok(12.25))));
    }

    #[test]
    fn null_is_no_value_and_a_quoted_number_is_refused() {
        let profile = rack();
        let power = index(&profile, "power");
        let value = |text: &str| {
            let payload = String::from_utf8(encode(&profile, &[(power, 1.0)], 0, 0))
                .unwrap()
                .replace("1.0", text);
            decode(&profile, payload.as_bytes())
                .unwrap()
                .values
                .iter()
                .find(|(i, _)| *i == power)
                .unwrap()
                .1
        };
        assert_eq!(value("null"), Err(DecodeError::NoValue));
        assert_eq!(value("\"1.0\""), Err(DecodeError::Malformed));
        assert_eq!(value("true"), Err(DecodeError::Malformed));
        assert!(matches!(value("1e9"), Err(DecodeError::OutOfRange { .. })));
    }

    #[test]
    fn a_flag_may_be_true_or_1() {
        let profile = rack();
        for (payload, expected) in [
            (r#"{"leak":true}"#, 1.0),
            (r#"{"leak":1}"#, 1.0),
            (r#"{"leak":false}"#, 0.0),
        ] {
            let values = decode(&profile, payload.as_bytes()).unwrap().values;
            assert_eq!(values, [(index(&profile, "leak"), Ok(expected))], "{payload}");
        }
    }

    #[test]
    fn what_is_too_large_or_of_the_wrong_kind_is_refused_whole() {
        let profile = rack();
        assert!(matches!(
            decode(&profile, &vec![b' '; PAYLOAD_MAX + 1]),
            Err(PayloadError::TooLarge(_))
        ));
        // Deeper than the parser's own bound, well within the size.
        assert!(matches!(
            decode(&profile, "[".repeat(100_000).as_bytes()),
            Err(PayloadError::NotJson(_))
        ));
        assert!(matches!(
            decode(&profile, br#"{"sequence":"7"}"#),
            Err(PayloadError::NotANumber(_))
        ));
        let modbus = embedded::profile("generic-cdu").unwrap();
        assert!(matches!(decode(&modbus, b"{}"), Err(PayloadError::NotMqtt)));
    }

    #[test]
    fn a_batch_names_its_devices() {
        let text = r#"
            [profile]
            description = "racks in one message"
            source = "this test"
            [mqtt]
            payload = "batch"
            topic = "hall/racks"
            items = "/racks"
            device = "/id"
            timestamp = "/time"
            [[point]]
            name = "power"
            unit = "W"
            pointer = "/power_w"
            min = 0
            max = 200000
        "#;
        let profile = Profile::parse(text, "batch.toml").unwrap();
        let payload = br#"{"racks":[{"id":"r1","time":5,"power_w":90000},{"id":"r2","power_w":null},{"power_w":1},
            {"id":"r3","time":"5"}]}"#;
        let batch = decode_batch(&profile, payload).unwrap();
        let values = |index: usize| batch[index].1.as_ref().unwrap().values.clone();
        assert_eq!(
            batch.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
            ["r1", "r2", "r3"]
        );
        assert_eq!(values(0), [(0, Ok(90.0))]);
        assert_eq!(values(1), [(0, Err(DecodeError::NoValue))]);
        assert!(batch[2].1.is_err());
        assert!(matches!(decode_batch(&profile, b"[]"), Err(PayloadError::NoItems)));
    }

    #[test]
    fn plain_numbers() {
        let profile = rack();
        let point = |name: &str| &profile.points[index(&profile, name)];
        assert_eq!(decode_number(point("power"), b" 101.5\n"), Ok(101.5));
        assert_eq!(decode_number(point("leak"), b"ON"), Ok(1.0));
        for (text, error) in [
            (&b"inf"[..], DecodeError::NoValue),
            (b"", DecodeError::NoValue),
            (b"null", DecodeError::NoValue),
            (b"21,5", DecodeError::Malformed),
            (b"\xFF", DecodeError::Malformed),
            (b"on", DecodeError::Malformed),
        ] {
            assert_eq!(decode_number(point("power"), text), Err(error));
        }
    }

    #[test]
    fn a_bad_quality_is_told() {
        let profile = rack();
        let payload = String::from_utf8(encode(&profile, &[], 0, 0))
            .unwrap()
            .replace("\"quality\":1", "\"quality\":0");
        assert!(!decode(&profile, payload.as_bytes()).unwrap().quality_good);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&rack(), &bytes).map_or(true, |sample| sample.values.len() < 100));
        }

        #[test]
        fn any_json_decodes_without_a_panic(text in "[\\[\\]{}\":,a-z0-9.eE-]{0,80}") {
            prop_assert!(decode(&rack(), text.as_bytes()).map_or(true, |sample| sample.values.len() < 100));
        }

        #[test]
        fn a_field_of_any_kind_is_a_plausible_value_or_an_error(
            field in prop_oneof![
                any::<f64>().prop_map(Value::from),
                any::<i64>().prop_map(Value::from),
                any::<bool>().prop_map(Value::from),
                ".{0,10}".prop_map(Value::from),
                Just(Value::Null),
                Just(serde_json::json!({"supply_c": [1]})),
            ],
        ) {
            let profile = rack();
            let payload = serde_json::json!({"power_kw": &field, "liquid": &field, "leak": &field}).to_string();
            for (index, value) in decode(&profile, payload.as_bytes()).unwrap().values {
                let point = profile.points.get(index).unwrap();
                prop_assert!(value.is_err() || value.is_ok_and(|value| (point.min..=point.max).contains(&value)));
            }
        }
    }
}
