//! Prometheus remote write 1.0: a protobuf message of four kinds, packed with Snappy.
//!
//! ```text
//! WriteRequest { repeated TimeSeries timeseries = 1 }
//! TimeSeries { repeated Label labels = 1; repeated Sample samples = 2 }
//! Label { string name = 1; string value = 2 }
//! Sample { double value = 1; int64 timestamp = 2 }
//! ```

use super::Row;
use crate::store::Sample;
use crate::store::names::SeriesName;
use crate::store::varint::put;

/// Rows as a message, not packed yet; the samples of a series stand together, and its labels in their order.
pub(super) fn encode(site: &str, rows: &[Row]) -> Vec<u8> {
    let mut message = Vec::with_capacity(rows.len() * 24);
    for run in rows.chunk_by(|(a, _), (b, _)| a == b) {
        let Some((name, _)) = run.first() else { continue };
        field(&mut message, 1, &series(site, name, run));
    }
    message
}

fn series(site: &str, name: &SeriesName, run: &[Row]) -> Vec<u8> {
    let full = format!("isotherm_{}", name.family);
    let own = name
        .labels
        .iter()
        .map(|(label, value)| (label.as_str(), value.as_str()));
    let mut labels: Vec<(&str, &str)> = [("__name__", full.as_str()), ("site", site)]
        .into_iter()
        .chain(own)
        .collect();
    labels.retain(|(_, value)| !value.is_empty());
    labels.sort_unstable();
    let mut series = Vec::new();
    for (label, value) in labels {
        let mut pair = Vec::new();
        field(&mut pair, 1, label.as_bytes());
        field(&mut pair, 2, value.as_bytes());
        field(&mut series, 1, &pair);
    }
    for (_, Sample { ms, value, .. }) in run {
        let mut sample = vec![1 << 3 | 1];
        sample.extend(value.to_bits().to_le_bytes());
        sample.push(2 << 3);
        put(&mut sample, ms.cast_unsigned());
        field(&mut series, 2, &sample);
    }
    series
}

/// A field of bytes with its length.
fn field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    message.push(number << 3 | 2);
    put(message, bytes.len() as u64);
    message.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Quality;
    use std::sync::Arc;

    #[test]
    fn the_message_is_byte_for_byte_what_the_schema_says() {
        let name = Arc::new(SeriesName::new("a", &[("z", "1"), ("b", "2")]));
        let sample = Sample {
            ms: 300,
            value: 1.0,
            quality: Quality::Good,
        };
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
        let label = |name: &str, value: &str| {
            let (n, v) = (length(name.as_bytes()), length(value.as_bytes()));
            let inner = [&[0x0a, n], name.as_bytes(), &[0x12, v], value.as_bytes()].concat();
            [vec![0x0a, length(&inner)], inner].concat()
        };
        let series = [
            label("__name__", "isotherm_a"),
            label("b", "2"),
            label("site", "s"),
            label("z", "1"),
            // Tag 1, double 1.0; tag 2, varint 300.
            vec![0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xac, 0x02],
        ]
        .concat();
        let expected = [vec![0x0a, length(&series)], series].concat();
        assert_eq!(encode("s", &[(name, sample)]), expected);
    }
}
