//! Sparkplug B payloads (Eclipse Sparkplug 3.0.0, chapter 6): as much of the protobuf as metrics need.
//!
//! Read by hand, because the message has two levels and a decoder of its own can bound what it takes: a payload is
//! hostile until it is checked. Data sets, templates and property sets are skipped.

#![deny(clippy::indexing_slicing)]

use crate::payload::PAYLOAD_MAX;

/// Most metrics that one payload may carry.
const METRICS_MAX: usize = 10_000;

/// A payload.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payload {
    /// When it was made, epoch milliseconds.
    pub timestamp_ms: Option<u64>,
    /// Sequence number of the edge node, 0 to 255.
    pub sequence: Option<u64>,
    /// The metrics.
    pub metrics: Vec<Metric>,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metric {
    /// Name; in data messages often left out for the alias.
    pub name: Option<String>,
    /// Number that stands for the name since the birth message.
    pub alias: Option<u64>,
    /// When it was sampled, epoch milliseconds.
    pub timestamp_ms: Option<u64>,
    /// Code of the data type, as in the specification; given at birth, often left out later.
    pub datatype: Option<u32>,
    /// The value is from the past, sent late.
    pub historical: bool,
    /// The value.
    pub value: Value,
}

/// A metric's value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// The metric has no value, or one of a kind that is no number.
    #[default]
    None,
    /// An integer as it is on the wire: the data type says whether its bits are signed.
    Bits(u64),
    /// A float or a double.
    Float(f64),
    /// True or false.
    Flag(bool),
}

/// Why bytes are no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SparkplugError {
    /// Too many bytes or metrics.
    #[error("the payload is too large: at most {PAYLOAD_MAX} bytes and {METRICS_MAX} metrics are taken")]
    TooLarge,
    /// The protobuf ends in the middle of a field, or breaks its rules.
    #[error("the payload is not a Sparkplug B protobuf")]
    Malformed,
}

/// Codes of data types whose bits are signed, with their number of bits.
const SIGNED: &[(u32, u32)] = &[(1, 8), (2, 16), (3, 32), (4, 64)];

impl Metric {
    /// The value as a number, by the data type of the birth where the message states none. Flags are 0 and 1.
    pub fn number(&self, born: Option<u32>) -> Option<f64> {
        match self.value {
            Value::None => None,
            Value::Float(value) => Some(value),
            Value::Flag(flag) => Some(f64::from(u8::from(flag))),
            Value::Bits(bits) => {
                let signed = SIGNED.iter().find(|(code, _)| Some(*code) == self.datatype.or(born));
                Some(match signed {
                    Some((_, width)) => ((bits << (64 - width)).cast_signed() >> (64 - width)) as f64,
                    None => bits as f64,
                })
            }
        }
    }
}

/// Reads a payload.
///
/// # Errors
/// Bytes that are too many or no protobuf of this kind.
pub fn decode(bytes: &[u8]) -> Result<Payload, SparkplugError> {
    if bytes.len() > PAYLOAD_MAX {
        return Err(SparkplugError::TooLarge);
    }
    let mut payload = Payload::default();
    let mut fields = Fields { rest: bytes };
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Varint(ms)) => payload.timestamp_ms = Some(ms),
            (2, Field::Bytes(bytes)) => {
                if payload.metrics.len() == METRICS_MAX {
                    return Err(SparkplugError::TooLarge);
                }
                payload.metrics.push(metric(bytes)?);
            }
            (3, Field::Varint(sequence)) => payload.sequence = Some(sequence),
            _ => {}
        }
    }
    Ok(payload)
}

fn metric(bytes: &[u8]) -> Result<Metric, SparkplugError> {
    let mut metric = Metric::default();
    let mut null = false;
    let mut fields = Fields { rest: bytes };
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(name)) => {
                let name = std::str::from_utf8(name).map_err(|_| SparkplugError::Malformed)?;
                metric.name = Some(name.to_owned());
            }
            (2, Field::Varint(alias)) => metric.alias = Some(alias),
            (3, Field::Varint(ms)) => metric.timestamp_ms = Some(ms),
            (4, Field::Varint(code)) => metric.datatype = u32::try_from(code).ok(),
            (5, Field::Varint(flag)) => metric.historical = flag != 0,
            (7, Field::Varint(flag)) => null = flag != 0,
            (10 | 11, Field::Varint(bits)) => metric.value = Value::Bits(bits),
            (12, Field::Four(bits)) => metric.value = Value::Float(f64::from(f32::from_bits(bits))),
            (13, Field::Eight(bits)) => metric.value = Value::Float(f64::from_bits(bits)),
            (14, Field::Varint(flag)) => metric.value = Value::Flag(flag != 0),
            _ => {}
        }
    }
    if null {
        metric.value = Value::None;
    }
    Ok(metric)
}

/// A protobuf field.
enum Field<'a> {
    Varint(u64),
    Four(u32),
    Eight(u64),
    Bytes(&'a [u8]),
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The next field with its number; `None` at the end.
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, SparkplugError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Eight(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| SparkplugError::Malformed)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Four(u32::from_le_bytes(self.array()?)),
            // Groups are long gone from protobuf.
            _ => return Err(SparkplugError::Malformed),
        };
        Ok(Some((key >> 3, field)))
    }

    fn varint(&mut self) -> Result<u64, SparkplugError> {
        let mut value = 0_u64;
        for place in 0..10 {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7F).checked_shl(7 * place).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(SparkplugError::Malformed)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], SparkplugError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(SparkplugError::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SparkplugError> {
        self.take(N)?.try_into().map_err(|_| SparkplugError::Malformed)
    }
}

/// Writes a payload: for commands to edge nodes, and for simulated ones.
pub fn encode(payload: &Payload) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(ms) = payload.timestamp_ms {
        put_varint(&mut out, 1, ms);
    }
    for metric in &payload.metrics {
        let mut inner = Vec::new();
        if let Some(name) = &metric.name {
            put_bytes(&mut inner, 1, name.as_bytes());
        }
        for (number, value) in [
            (2, metric.alias),
            (3, metric.timestamp_ms),
            (4, metric.datatype.map(u64::from)),
            (5, metric.historical.then_some(1)),
        ] {
            if let Some(value) = value {
                put_varint(&mut inner, number, value);
            }
        }
        match metric.value {
            Value::None => put_varint(&mut inner, 7, 1),
            Value::Bits(bits) if metric.datatype == Some(4) || bits > u64::from(u32::MAX) => {
                put_varint(&mut inner, 11, bits);
            }
            Value::Bits(bits) => put_varint(&mut inner, 10, bits),
            Value::Float(value) => {
                inner.push(13 << 3 | 1);
                inner.extend(value.to_bits().to_le_bytes());
            }
            Value::Flag(flag) => put_varint(&mut inner, 14, u64::from(flag)),
        }
        put_bytes(&mut out, 2, &inner);
    }
    if let Some(sequence) = payload.sequence {
        put_varint(&mut out, 3, sequence);
    }
    out
}

fn put_varint(out: &mut Vec<u8>, number: u64, value: u64) {
    varint(out, number << 3);
    varint(out, value);
}

fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7F) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may panic")]

    use super::*;
    use proptest::prelude::*;

    /// Put together by hand from the specification's protobuf definition.
    #[test]
    fn a_payload_written_by_hand() {
        let bytes = [
            0x08, 0xD2, 0x09, // timestamp 1234
            0x12, 0x0B, // a metric of 11 bytes
            0x0A, 0x01, b't', // name "t"
            0x10, 0x05, // alias 5
            0x20, 0x09, // a float
            0x65, 0x00, 0x00, 0xCC, 0x41, // 25.5, little endian, in field 12
            0x18, 0x07, // sequence 7
        ];
        // The metric's length: 3 + 2 + 2 + 5.
        let mut bytes = bytes.to_vec();
        bytes[4] = 12;
        let payload = decode(&bytes).unwrap();
        assert_eq!((payload.timestamp_ms, payload.sequence), (Some(1234), Some(7)));
        let metric = &payload.metrics[0];
        assert_eq!(
            (metric.name.as_deref(), metric.alias, metric.datatype),
            (Some("t"), Some(5), Some(9))
        );
        assert_eq!(metric.number(None), Some(25.5));
    }

    #[test]
    fn negative_integers_are_signed_by_their_type_or_by_the_birth() {
        let metric = Metric {
            // Int16 -3 in the 32 bits of int_value.
            value: Value::Bits(0xFFFF_FFFD),
            datatype: Some(2),
            ..Metric::default()
        };
        assert_eq!(metric.number(None), Some(-3.0));
        let later = Metric {
            datatype: None,
            ..metric.clone()
        };
        assert_eq!(later.number(Some(2)), Some(-3.0));
        assert_eq!(later.number(Some(7)), Some(4_294_967_293.0));
    }

    #[test]
    fn what_is_cut_off_or_too_large_is_refused() {
        let whole = encode(&Payload {
            timestamp_ms: Some(1),
            sequence: Some(2),
            metrics: vec![Metric {
                name: Some("temperature".into()),
                value: Value::Float(1.0),
                ..Metric::default()
            }],
        });
        assert_eq!(decode(&whole[..10]), Err(SparkplugError::Malformed));
        assert_eq!(decode(&[0x0B]), Err(SparkplugError::Malformed), "a group");
        let endless = [&[0x08][..], &[0xFF; 11]].concat();
        assert_eq!(decode(&endless), Err(SparkplugError::Malformed));
        assert_eq!(decode(&vec![0; PAYLOAD_MAX + 1]), Err(SparkplugError::TooLarge));
        assert_eq!(
            decode(&[0x12, 0x00].repeat(METRICS_MAX + 1)),
            Err(SparkplugError::TooLarge)
        );
    }

    fn metrics() -> impl Strategy<Value = Metric> {
        let value = prop_oneof![
            Just(Value::None),
            any::<u64>().prop_map(Value::Bits),
            (-1e12..1e12).prop_map(Value::Float),
            any::<bool>().prop_map(Value::Flag),
        ];
        (
            proptest::option::of("[a-zA-Z/ ]{0,20}"),
            any::<Option<u64>>(),
            any::<Option<u64>>(),
            any::<bool>(),
            value,
        )
            .prop_map(|(name, alias, timestamp_ms, historical, value)| Metric {
                name,
                alias,
                timestamp_ms,
                datatype: Some(8),
                historical,
                value,
            })
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            timestamp_ms: Option<u64>, sequence in proptest::option::of(0..256_u64),
            metrics in proptest::collection::vec(metrics(), 0..8),
        ) {
            let payload = Payload { timestamp_ms, sequence, metrics };
            prop_assert_eq!(decode(&encode(&payload)), Ok(payload));
        }

        #[test]
        fn any_bytes_decode_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(payload) = decode(&bytes) {
                prop_assert!(payload.metrics.len() <= bytes.len());
            }
        }
    }
}
