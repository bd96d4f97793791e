//! Chunks: the samples of many points over some minutes, column by column.
//!
//! Points that are read together have the same times, so each distinct column of times is stored once, as differences
//! of differences. Values become whole numbers where a power of ten makes them so (most registers), else each is
//! stored as its bits' difference from the one before. Everything is a variable-length integer, and reads back bit for
//! bit.

use super::varint::{Reader, put, put_signed};
use crate::snapshot::Quality;

/// One sample of one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Wall time, ms since 1970-01-01 UTC.
    pub ms: i64,
    /// Value in the point's canonical unit.
    pub value: f64,
    /// Whether it was to be trusted.
    pub quality: Quality,
}

/// A chunk that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of samples is damaged")]
pub(super) struct Damaged;

/// The samples of the points, by the point's index, as bytes. Points without samples take no space.
pub(super) fn encode(columns: &[Vec<Sample>]) -> Vec<u8> {
    let mut times: Vec<Vec<u8>> = Vec::new();
    let (mut directory, mut bodies, mut points) = (Vec::new(), Vec::new(), 0);
    let mut before = 0;
    for (index, samples) in columns.iter().enumerate().filter(|(_, samples)| !samples.is_empty()) {
        let column = encode_times(samples);
        // Points of one device stand side by side: their column is among the last.
        let time = times.iter().rposition(|known| *known == column).unwrap_or_else(|| {
            times.push(column);
            times.len() - 1
        });
        let start = bodies.len();
        encode_qualities(&mut bodies, samples);
        encode_values(&mut bodies, samples);
        put(&mut directory, (index - before) as u64);
        put(&mut directory, time as u64);
        put(&mut directory, (bodies.len() - start) as u64);
        before = index;
        points += 1;
    }
    let mut bytes = Vec::with_capacity(bodies.len() + directory.len() + 64);
    put(&mut bytes, times.len() as u64);
    for column in &times {
        put(&mut bytes, column.len() as u64);
        bytes.extend(column);
    }
    put(&mut bytes, points);
    bytes.extend(directory);
    bytes.extend(bodies);
    bytes
}

/// The samples of one point, empty where the chunk has none of it.
pub(super) fn decode(bytes: &[u8], point: usize) -> Result<Vec<Sample>, Damaged> {
    let mut reader = Reader(bytes);
    let times = (0..reader.length()?)
        .map(|_| reader.block())
        .collect::<Result<Vec<_>, _>>()?;
    let points = reader.length()?;
    let (mut index, mut offset, mut wanted) = (0_usize, 0_usize, None);
    for _ in 0..points {
        index = index.checked_add(reader.number()?).ok_or(Damaged)?;
        let (time, length) = (reader.number()?, reader.number()?);
        if index == point {
            wanted = Some((time, offset, length));
        }
        offset = offset.checked_add(length).ok_or(Damaged)?;
    }
    let Some((time, offset, length)) = wanted else {
        return Ok(Vec::new());
    };
    let times = decode_times(times.get(time).ok_or(Damaged)?)?;
    let end = offset.checked_add(length).ok_or(Damaged)?;
    let mut body = Reader(reader.0.get(offset..end).ok_or(Damaged)?);
    let qualities = decode_qualities(&mut body, times.len())?;
    let values = decode_values(&mut body, times.len())?;
    Ok(times
        .into_iter()
        .zip(values)
        .zip(qualities)
        .map(|((ms, value), quality)| Sample { ms, value, quality })
        .collect())
}

fn encode_times(samples: &[Sample]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(samples.len() + 16);
    put(&mut bytes, samples.len() as u64);
    let (mut last, mut step) = (0_i64, 0_i64);
    for sample in samples {
        let difference = sample.ms.wrapping_sub(last);
        put_signed(&mut bytes, difference.wrapping_sub(step));
        (last, step) = (sample.ms, difference);
    }
    bytes
}

fn decode_times(bytes: &[u8]) -> Result<Vec<i64>, Damaged> {
    let mut reader = Reader(bytes);
    let count = reader.length()?;
    let (mut last, mut step) = (0_i64, 0_i64);
    (0..count)
        .map(|_| {
            step = step.wrapping_add(reader.signed()?);
            last = last.wrapping_add(step);
            Ok(last)
        })
        .collect()
}

const fn quality_code(quality: Quality) -> u64 {
    match quality {
        Quality::Good => 0,
        Quality::Bad => 1,
        Quality::Stale => 2,
    }
}

/// Runs of equal quality: almost always one.
fn encode_qualities(bytes: &mut Vec<u8>, samples: &[Sample]) {
    for run in samples.chunk_by(|a, b| a.quality == b.quality) {
        put(
            bytes,
            (run.len() as u64) << 2 | run.first().map_or(0, |sample| quality_code(sample.quality)),
        );
    }
}

fn decode_qualities(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Quality>, Damaged> {
    let mut qualities = Vec::new();
    while qualities.len() < count {
        let run = reader.number()?;
        let quality = match run & 3 {
            0 => Quality::Good,
            1 => Quality::Bad,
            2 => Quality::Stale,
            _ => return Err(Damaged),
        };
        let length = run >> 2;
        if length == 0 || length > count - qualities.len() {
            return Err(Damaged);
        }
        qualities.resize(qualities.len() + length, quality);
    }
    Ok(qualities)
}

/// How a whole number is made into a value: profiles' scales are powers of ten, and a product with 0.1 is not always
/// the same double as a quotient by 10.
#[derive(Clone, Copy)]
enum Scale {
    Over(f64),
    Times(f64),
}

/// Codes of the value encodings are indices into this; [`BITS`] is none of them.
const SCALES: [Scale; 9] = [
    Scale::Over(1.0),
    Scale::Over(10.0),
    Scale::Times(0.1),
    Scale::Over(100.0),
    Scale::Times(0.01),
    Scale::Over(1000.0),
    Scale::Times(0.001),
    Scale::Over(10_000.0),
    Scale::Times(0.0001),
];

/// Code of the encoding by bits.
const BITS: u8 = 255;

impl Scale {
    fn value(self, whole: i64) -> f64 {
        match self {
            Self::Over(divisor) => whole as f64 / divisor,
            Self::Times(factor) => whole as f64 * factor,
        }
    }

    /// The whole number that makes exactly this value.
    fn whole(self, value: f64) -> Option<i64> {
        let scaled = match self {
            Self::Over(divisor) => value * divisor,
            Self::Times(factor) => value / factor,
        };
        if scaled.abs() > 9e15 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "within the whole numbers that a double holds"
        )]
        let whole = scaled.round() as i64;
        (self.value(whole).to_bits() == value.to_bits()).then_some(whole)
    }
}

fn encode_values(bytes: &mut Vec<u8>, samples: &[Sample]) {
    for (code, scale) in (0_u8..).zip(SCALES) {
        let wholes: Option<Vec<i64>> = samples.iter().map(|sample| scale.whole(sample.value)).collect();
        if let Some(wholes) = wholes {
            bytes.push(code);
            let mut last = 0_i64;
            for whole in wholes {
                put_signed(bytes, whole.wrapping_sub(last));
                last = whole;
            }
            return;
        }
    }
    // Values that were single-precision floats end in zeros: no need to store those.
    let zeros = samples
        .iter()
        .fold(0, |all, sample| all | sample.value.to_bits())
        .trailing_zeros()
        .min(63);
    bytes.push(BITS);
    put(bytes, u64::from(zeros));
    let mut last = 0;
    for sample in samples {
        let bits = sample.value.to_bits() >> zeros;
        put(bytes, bits ^ last);
        last = bits;
    }
}

fn decode_values(reader: &mut Reader<'_>, count: usize) -> Result<Vec<f64>, Damaged> {
    let code = reader.byte()?;
    if let Some(scale) = SCALES.get(usize::from(code)) {
        let mut last = 0_i64;
        return (0..count)
            .map(|_| {
                last = last.wrapping_add(reader.signed()?);
                Ok(scale.value(last))
            })
            .collect();
    }
    let zeros = reader.unsigned()?;
    if code != BITS || zeros > 63 {
        return Err(Damaged);
    }
    let mut last = 0;
    (0..count)
        .map(|_| {
            last ^= reader.unsigned()?;
            let value = f64::from_bits(last << zeros);
            if value.is_finite() { Ok(value) } else { Err(Damaged) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            (-40_000_i32..70_000).prop_map(|raw| f64::from(raw) / 10.0),
            (-40_000_i32..70_000).prop_map(|raw| f64::from(raw) * 0.01),
            any::<f32>()
                .prop_filter("finite", |value| value.is_finite())
                .prop_map(f64::from),
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
            Just(-0.0),
        ]
    }

    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        let quality = prop_oneof![8 => Just(Quality::Good), 1 => Just(Quality::Bad), 1 => Just(Quality::Stale)];
        let sample = (any::<i64>(), value(), quality).prop_map(|(ms, value, quality)| Sample { ms, value, quality });
        prop::collection::vec(sample, 0..40)
    }

    proptest! {
        #[test]
        fn every_sample_reads_back_bit_for_bit(columns in prop::collection::vec(samples(), 0..6)) {
            let bytes = encode(&columns);
            for (point, column) in columns.iter().enumerate() {
                let found = decode(&bytes, point).unwrap();
                prop_assert_eq!(found.len(), column.len());
                for (a, b) in found.iter().zip(column) {
                    prop_assert_eq!((a.ms, a.value.to_bits(), a.quality), (b.ms, b.value.to_bits(), b.quality));
                }
            }
            prop_assert_eq!(decode(&bytes, columns.len()), Ok(vec![]));
        }

        #[test]
        fn damaged_chunks_are_refused_or_read_but_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..80), point in 0_usize..4) {
            prop_assert!(decode(&bytes, point).is_ok_and(|found| found.len() <= 80) || decode(&bytes, point).is_err());
            let good = encode(&[vec![Sample { ms: 5, value: 20.5, quality: Quality::Good }; 9]]);
            bytes.extend_from_slice(good.get(bytes.len()..).unwrap_or_default());
            prop_assert!(decode(&bytes, point).is_ok_and(|found| found.len() <= 80) || decode(&bytes, point).is_err());
        }
    }

    #[test]
    fn a_steady_column_takes_about_a_byte_a_sample_and_shared_times_none() {
        let column = |scale: f64| -> Vec<Sample> {
            (0..256_i32)
                .map(|i| Sample {
                    ms: 1_700_000_000_000 + i64::from(i) * 5000,
                    value: f64::from(200 + i % 7) * scale,
                    quality: Quality::Good,
                })
                .collect()
        };
        let one = encode(&[column(0.1)]).len();
        let two = encode(&[column(0.1), column(0.01)]).len();
        assert!(one < 2 * 256 + 40, "{one} bytes");
        assert!(two - one < 256 + 20, "{two} bytes");
    }
}
