//! The messages of the NVIDIA DSX Exchange bus for building management systems (`schemas/asyncapi/bms/bms.yaml` of
//! NVIDIA/dsx-exchange at c24771c, 2026-08-05): topics, metadata, values.
//!
//! A BMS says in a retained metadata message what each point is; the point's values come on a topic of the same tail. An
//! integration publishes values, never metadata, and only where a point's metadata names it.

#![deny(clippy::indexing_slicing)]

use crate::codec::{self, DecodeError};
use crate::profile::{DsxPoint, Place, Point, Profile};
use crate::unit::DeviceUnit;
use serde_json::Value;

/// Largest message that is looked at, bytes.
pub const MESSAGE_MAX: usize = 64 * 1024;

/// Filter of all metadata.
pub const METADATA: &str = "BMS/v1/PUB/Metadata/#";

const METADATA_PREFIX: &str = "BMS/v1/PUB/Metadata/";
const VALUE_PREFIX: &str = "BMS/v1/PUB/Value/";

/// Largest time that a stamp may have, epoch milliseconds: year 9999.
const LATEST_MS: i64 = 253_402_300_799_000;

/// Why a message says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsxError {
    /// Too many bytes.
    #[error("the message has {0} bytes, more than {MESSAGE_MAX}")]
    TooLarge(usize),
    /// Not a JSON object.
    #[error("the message is not a JSON object")]
    NotJson,
    /// A field is missing or of another kind.
    #[error("`{0}` is missing or of another kind than the schema says")]
    Field(&'static str),
    /// The topic and the message name different points.
    #[error("the topic says {topic}, the message {message}")]
    Contradiction {
        /// From the topic.
        topic: String,
        /// From the message.
        message: String,
    },
    /// Not a topic of this bus.
    #[error("`{0}` is not a topic of the bus")]
    Topic(String),
}

/// What a BMS says of one point.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// `objectType/pointType/tagPath`: what its topics share. The path is opaque.
    pub tail: String,
    /// Such as `CDU`.
    pub object_type: String,
    /// Such as `LiquidTemperature`.
    pub point_type: String,
    /// Who the point belongs to: an object, a rack's location, or an associate, whichever the message gives.
    pub object: String,
    /// Its readable name.
    pub name: String,
    /// Where in the equipment, such as `Secondary`, `Supply`.
    pub process_area: Vec<String>,
    /// A target, not a reading.
    pub setpoint: bool,
    /// Engineering unit; empty where the point has states.
    pub unit: String,
    /// Who publishes the value, where that is not the BMS.
    pub integration: Option<String>,
}

/// A value message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// `None` where there is no valid reading: null is never zero.
    pub value: Option<f64>,
    /// Epoch milliseconds.
    pub timestamp_ms: i64,
    /// Quality 1.
    pub good: bool,
}

impl Metadata {
    /// Topic on which the BMS publishes the value.
    pub fn value_topic(&self) -> String {
        format!("{VALUE_PREFIX}{}", self.tail)
    }

    /// Topic on which `integration` publishes the value, derived as the schema's contract says; `None` where the
    /// metadata does not name it.
    pub fn integration_topic(&self, integration: &str) -> Option<String> {
        let named = self.integration.as_deref() == Some(integration) && !integration.is_empty();
        named.then(|| format!("BMS/v1/{integration}/Value/{}", self.tail))
    }
}

/// The tail `objectType/pointType/tagPath` of a value topic of the BMS.
pub fn value_tail(topic: &str) -> Option<&str> {
    topic
        .strip_prefix(VALUE_PREFIX)
        .filter(|tail| tail.split('/').count() >= 3)
}

fn object(payload: &[u8]) -> Result<serde_json::Map<String, Value>, DsxError> {
    if payload.len() > MESSAGE_MAX {
        return Err(DsxError::TooLarge(payload.len()));
    }
    serde_json::from_slice(payload).map_err(|_| DsxError::NotJson)
}

/// Reads a metadata message. What it says of its types must be what its topic says.
///
/// # Errors
/// A topic or a message that is not as the schema says.
pub fn metadata(topic: &str, payload: &[u8]) -> Result<Metadata, DsxError> {
    let tail = topic
        .strip_prefix(METADATA_PREFIX)
        .ok_or_else(|| DsxError::Topic(topic.to_owned()))?;
    let mut parts = tail.splitn(3, '/');
    let (Some(object_type), Some(point_type), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(DsxError::Topic(topic.to_owned()));
    };
    let json = object(payload)?;
    let text = |key: &'static str| match json.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(DsxError::Field(key)),
    };
    for (key, topic) in [("objectType", object_type), ("pointType", point_type)] {
        let message = text(key)?.ok_or(DsxError::Field(key))?;
        if message != topic {
            return Err(DsxError::Contradiction {
                topic: topic.to_owned(),
                message,
            });
        }
    }
    let process_area = match json.get("processArea") {
        None => Vec::new(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or(DsxError::Field("processArea")))
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(DsxError::Field("processArea")),
    };
    let setpoint = match json.get("isSetpoint") {
        None => false,
        Some(flag) => flag.as_bool().ok_or(DsxError::Field("isSetpoint"))?,
    };
    let owner = [text("rackLocationId")?, text("objectId")?, text("associateId")?];
    let name = [text("rackLocationName")?, text("objectName")?];
    Ok(Metadata {
        tail: tail.to_owned(),
        object_type: object_type.to_owned(),
        point_type: point_type.to_owned(),
        object: owner.into_iter().flatten().next().unwrap_or_default(),
        name: name.into_iter().flatten().next().unwrap_or_default(),
        process_area,
        setpoint,
        unit: text("engUnit")?.unwrap_or_default(),
        integration: text("integration")?,
    })
}

/// Reads a value message.
///
/// # Errors
/// A message that is not as the schema says.
pub fn reading(payload: &[u8]) -> Result<Reading, DsxError> {
    let json = object(payload)?;
    let value = match json.get("value") {
        Some(Value::Null) => None,
        Some(value) => Some(
            value
                .as_f64()
                .filter(|value| value.is_finite())
                .ok_or(DsxError::Field("value"))?,
        ),
        None => return Err(DsxError::Field("value")),
    };
    let timestamp_ms = json
        .get("timestamp")
        .and_then(Value::as_i64)
        .filter(|ms| (0..=LATEST_MS).contains(ms))
        .ok_or(DsxError::Field("timestamp"))?;
    let quality = json
        .get("quality")
        .and_then(Value::as_i64)
        .ok_or(DsxError::Field("quality"))?;
    Ok(Reading {
        value,
        timestamp_ms,
        good: quality == 1,
    })
}

/// A value message of ours.
pub fn message(value: Option<f64>, timestamp_ms: i64) -> Vec<u8> {
    let quality = i32::from(value.is_some());
    serde_json::json!({ "value": value, "timestamp": timestamp_ms, "quality": quality })
        .to_string()
        .into_bytes()
}

/// How a point of a profile is found on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its value is published there.
    Reads,
    /// A value for it may be asked for there.
    Requests,
}

/// The points of a profile that a metadata message is about, with their role.
pub fn points<'a>(profile: &'a Profile, metadata: &'a Metadata) -> impl Iterator<Item = (usize, Role)> + 'a {
    profile.points.iter().enumerate().filter_map(|(index, point)| {
        let Place::Dsx(place) = &point.place else { return None };
        let role = role(place, metadata)?;
        Some((index, role))
    })
}

fn role(place: &DsxPoint, metadata: &Metadata) -> Option<Role> {
    let inside = |wanted: &[String]| wanted.iter().all(|area| metadata.process_area.contains(area));
    if place.point_type == metadata.point_type
        && place.setpoint == metadata.setpoint
        && inside(&place.process_area)
        // A point that integrations publish is theirs to say, not a reading.
        && metadata.integration.is_none()
    {
        return Some(Role::Reads);
    }
    let requested = place.request.as_deref() == Some(metadata.point_type.as_str());
    (requested && inside(&place.request_area)).then_some(Role::Requests)
}

/// Factor and offset from a unit of the bus to a point's canonical unit; `None` where they do not measure the same.
/// Points with states have none.
pub fn conversion(point: &Point, unit: &str) -> Option<(f64, f64)> {
    let name = match unit {
        "" => return (point.unit.symbol().is_empty() || is_state(point)).then_some((1.0, 0.0)),
        "C" | "degC" | "°C" => "degC",
        "F" | "degF" | "°F" => "degF",
        "LPM" | "L/min" => "L/min",
        "GPM" => "gpm",
        "%" => "percent",
        other => other,
    };
    let device = DeviceUnit::named(name)?;
    // The bus says C for differences of temperature too.
    let canonical = device.canonical == point.unit;
    let difference = device.canonical == thermo::Unit::Celsius && point.unit == thermo::Unit::KelvinDelta;
    if difference {
        return Some((device.scale, 0.0));
    }
    canonical.then_some((device.scale, device.offset))
}

fn is_state(point: &Point) -> bool {
    matches!(point.unit, thermo::Unit::Flag | thermo::Unit::Count)
}

/// A reading as a value of a point, canonical unit, by the factor and offset of [`conversion`].
pub fn decode(point: &Point, reading: &Reading, (scale, offset): (f64, f64)) -> Result<f64, DecodeError> {
    let value = reading.value.ok_or(DecodeError::NoValue)?;
    codec::check(point, value * scale + offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REQUEST: &str = "BMS/v1/PUB/Metadata/CDU/LiquidTemperatureSpRequest/site1/row3/cdu5";

    /// The schema's own example of the derivation.
    #[test]
    fn topics_are_derived_as_the_contract_says() {
        let payload = br#"{"objectType":"CDU","pointType":"LiquidTemperatureSpRequest","objectName":"CDU 5",
            "objectId":"cdu5","engUnit":"C","integration":"MEPAI"}"#;
        let metadata = metadata(REQUEST, payload).unwrap();
        let topic = "BMS/v1/MEPAI/Value/CDU/LiquidTemperatureSpRequest/site1/row3/cdu5";
        assert_eq!(metadata.integration_topic("MEPAI").as_deref(), Some(topic));
        assert_eq!(metadata.integration_topic("ANOTHER"), None);
        assert_eq!(
            metadata.value_topic(),
            "BMS/v1/PUB/Value/CDU/LiquidTemperatureSpRequest/site1/row3/cdu5"
        );
        assert_eq!((metadata.object.as_str(), metadata.unit.as_str()), ("cdu5", "C"));
    }

    #[test]
    fn metadata_that_contradicts_its_topic_or_the_schema_is_refused() {
        let read = |text: &str| metadata(REQUEST, text.as_bytes());
        assert!(matches!(
            read(r#"{"objectType":"Rack","pointType":"LiquidTemperatureSpRequest"}"#),
            Err(DsxError::Contradiction { .. })
        ));
        assert_eq!(read(r#"{"objectType":"CDU"}"#), Err(DsxError::Field("pointType")));
        assert_eq!(read("[]"), Err(DsxError::NotJson));
        assert_eq!(
            read(r#"{"objectType":"CDU","pointType":"LiquidTemperatureSpRequest","integration":7}"#),
            Err(DsxError::Field("integration"))
        );
        assert!(matches!(
            metadata("BMS/v1/PUB/Metadata/CDU/x", b"{}"),
            Err(DsxError::Topic(_))
        ));
    }

    #[test]
    fn null_is_no_value_and_only_quality_1_is_good() {
        let read = |text: &str| reading(text.as_bytes());
        let good = read(r#"{"value":22.5,"timestamp":1743620423000,"quality":1}"#).unwrap();
        assert_eq!(
            (good.value, good.timestamp_ms, good.good),
            (Some(22.5), 1_743_620_423_000, true)
        );
        assert!(!read(r#"{"value":22.5,"timestamp":1,"quality":2}"#).unwrap().good);
        assert_eq!(read(r#"{"value":null,"timestamp":1,"quality":1}"#).unwrap().value, None);
        for (text, field) in [
            (r#"{"timestamp":1,"quality":1}"#, "value"),
            (r#"{"value":"22","timestamp":1,"quality":1}"#, "value"),
            (r#"{"value":1,"timestamp":1.5,"quality":1}"#, "timestamp"),
            (r#"{"value":1,"timestamp":-1,"quality":1}"#, "timestamp"),
            (r#"{"value":1,"timestamp":1}"#, "quality"),
        ] {
            assert_eq!(read(text), Err(DsxError::Field(field)), "{text}");
        }
    }

    #[test]
    fn what_we_say_is_read_back() {
        for value in [Some(25.5), None] {
            let read = reading(&message(value, 1_743_620_423_000)).unwrap();
            assert_eq!((read.value, read.good), (value, value.is_some()));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(topic in "(BMS/v1/PUB/Metadata/)?[A-Za-z/]{0,30}", bytes in ".{0,80}") {
            if let Ok(metadata) = metadata(&topic, bytes.as_bytes()) {
                prop_assert!(topic.ends_with(&metadata.tail));
            }
            if let Ok(reading) = reading(bytes.as_bytes()) {
                prop_assert!(reading.value.is_none_or(f64::is_finite));
            }
        }
    }
}
