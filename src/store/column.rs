//! One column of a chunk: the times of its samples and their values, bit for bit.
//!
//! Values become whole numbers where a power of ten makes them so (most registers), else their bits are taken for
//! whole numbers; [`integers`] packs them. Times are packed as differences, so that a regular step takes next to nothing.

use super::integers;
use super::rollup::Bucket;
use super::varint::{Reader, put, put_signed};
use crate::snapshot::Quality;

/// One sample of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Wall time, ms since 1970-01-01 UTC.
    pub ms: i64,
    /// Value in the series' unit; finite.
    pub value: f64,
    /// Whether it was to be trusted.
    pub quality: Quality,
}

/// A chunk that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of samples is damaged")]
pub(super) struct Damaged;

/// Most rows of a column; more is damage.
pub(super) const MAX_ROWS: usize = 1 << 20;

pub(super) fn put_times(bytes: &mut Vec<u8>, times: &[i64]) {
    put(bytes, times.len() as u64);
    let Some((first, _)) = times.split_first() else {
        return;
    };
    put_signed(bytes, *first);
    let steps: Vec<i64> = times
        .windows(2)
        .map(|pair| match pair {
            [before, after] => after.wrapping_sub(*before),
            _ => 0,
        })
        .collect();
    integers::put(bytes, &steps);
}

pub(super) fn get_times(bytes: &[u8]) -> Result<Vec<i64>, Damaged> {
    let mut reader = Reader(bytes);
    let count = reader.number()?;
    if count > MAX_ROWS {
        return Err(Damaged);
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    let first = reader.signed()?;
    let mut times = integers::get(&mut reader, count - 1)?;
    times.insert(0, first);
    let mut last = 0_i64;
    for time in &mut times {
        last = last.wrapping_add(*time);
        *time = last;
    }
    Ok(times)
}

/// The body of raw samples; their times are kept apart.
pub(super) fn put_samples(bytes: &mut Vec<u8>, samples: &[Sample]) {
    for run in samples.chunk_by(|a, b| a.quality == b.quality) {
        let code = run.first().map_or(0, |sample| quality_code(sample.quality));
        put(bytes, (run.len() as u64) << 2 | code);
    }
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    put_values(bytes, &values);
}

pub(super) fn get_samples(times: &[i64], body: &[u8]) -> Result<Vec<Sample>, Damaged> {
    let mut reader = Reader(body);
    let qualities = get_qualities(&mut reader, times.len())?;
    let values = get_values(&mut reader, times.len())?;
    let rows = times.iter().zip(values).zip(qualities);
    Ok(rows
        .map(|((ms, value), quality)| Sample {
            ms: *ms,
            value,
            quality,
        })
        .collect())
}

/// The body of buckets; their starts are kept apart.
pub(super) fn put_buckets(bytes: &mut Vec<u8>, buckets: &[Bucket]) {
    let counts: Vec<i64> = buckets.iter().map(|bucket| i64::from(bucket.count)).collect();
    let covered: Vec<i64> = buckets.iter().map(|bucket| i64::from(bucket.covered_percent)).collect();
    integers::put(bytes, &counts);
    integers::put(bytes, &covered);
    let fields: [fn(&Bucket) -> f64; 4] = [|b| b.mean, |b| b.min, |b| b.max, |b| b.last];
    for field in fields {
        put_values(bytes, &buckets.iter().map(field).collect::<Vec<_>>());
    }
}

pub(super) fn get_buckets(times: &[i64], body: &[u8]) -> Result<Vec<Bucket>, Damaged> {
    let mut reader = Reader(body);
    let counts = integers::get(&mut reader, times.len())?;
    let covered = integers::get(&mut reader, times.len())?;
    let mut field = || get_values(&mut reader, times.len());
    let (means, mins, maxs, lasts) = (field()?, field()?, field()?, field()?);
    let mut buckets = Vec::with_capacity(times.len());
    for (row, ms) in times.iter().enumerate() {
        let at = |column: &[f64]| column.get(row).copied().ok_or(Damaged);
        let whole = |column: &[i64]| column.get(row).copied().ok_or(Damaged);
        buckets.push(Bucket {
            ms: *ms,
            count: u32::try_from(whole(&counts)?).map_err(|_| Damaged)?,
            covered_percent: u8::try_from(whole(&covered)?).map_err(|_| Damaged)?,
            mean: at(&means)?,
            min: at(&mins)?,
            max: at(&maxs)?,
            last: at(&lasts)?,
        });
    }
    Ok(buckets)
}

pub(super) const fn quality_code(quality: Quality) -> u64 {
    match quality {
        Quality::Good => 0,
        Quality::Bad => 1,
        Quality::Stale => 2,
    }
}

pub(super) const fn quality_of(code: u64) -> Result<Quality, Damaged> {
    match code {
        0 => Ok(Quality::Good),
        1 => Ok(Quality::Bad),
        2 => Ok(Quality::Stale),
        _ => Err(Damaged),
    }
}

/// Runs of equal quality: almost always one.
fn get_qualities(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Quality>, Damaged> {
    let mut qualities = Vec::new();
    while qualities.len() < count {
        let run = reader.unsigned()?;
        let quality = quality_of(run & 3)?;
        let length = usize::try_from(run >> 2).map_err(|_| Damaged)?;
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
const SCALES: [Scale; 11] = [
    Scale::Over(1.0),
    Scale::Over(10.0),
    Scale::Times(0.1),
    Scale::Over(100.0),
    Scale::Times(0.01),
    Scale::Over(1000.0),
    Scale::Times(0.001),
    Scale::Over(10_000.0),
    Scale::Times(0.0001),
    Scale::Over(100_000.0),
    Scale::Over(1_000_000.0),
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

fn put_values(bytes: &mut Vec<u8>, values: &[f64]) {
    for (code, scale) in (0_u8..).zip(SCALES) {
        let wholes: Option<Vec<i64>> = values.iter().map(|value| scale.whole(*value)).collect();
        if let Some(wholes) = wholes {
            bytes.push(code);
            integers::put(bytes, &wholes);
            return;
        }
    }
    // Values that were single-precision floats end in zeros: no need to store those.
    let zeros = values
        .iter()
        .fold(0, |all, value| all | value.to_bits())
        .trailing_zeros()
        .min(63);
    bytes.push(BITS);
    put(bytes, u64::from(zeros));
    let wholes: Vec<i64> = values
        .iter()
        .map(|value| (value.to_bits() >> zeros).cast_signed())
        .collect();
    integers::put(bytes, &wholes);
}

fn get_values(reader: &mut Reader<'_>, count: usize) -> Result<Vec<f64>, Damaged> {
    let code = reader.byte()?;
    if let Some(scale) = SCALES.get(usize::from(code)) {
        let wholes = integers::get(reader, count)?;
        return Ok(wholes.into_iter().map(|whole| scale.value(whole)).collect());
    }
    let zeros = reader.unsigned()?;
    if code != BITS || zeros > 63 {
        return Err(Damaged);
    }
    let wholes = integers::get(reader, count)?;
    let values = wholes
        .into_iter()
        .map(|whole| f64::from_bits(whole.cast_unsigned() << zeros));
    values
        .map(|value| value.is_finite().then_some(value).ok_or(Damaged))
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
        prop::collection::vec(sample, 1..80)
    }

    fn bits(samples: &[Sample]) -> Vec<(i64, u64, Quality)> {
        let bits = |sample: &Sample| (sample.ms, sample.value.to_bits(), sample.quality);
        samples.iter().map(bits).collect()
    }

    proptest! {
        #[test]
        fn every_sample_reads_back_bit_for_bit(given in samples()) {
            let (mut times, mut body) = (Vec::new(), Vec::new());
            put_times(&mut times, &given.iter().map(|sample| sample.ms).collect::<Vec<_>>());
            put_samples(&mut body, &given);
            let found = get_samples(&get_times(&times).unwrap(), &body).unwrap();
            prop_assert_eq!(bits(&found), bits(&given));
        }

        #[test]
        fn buckets_read_back(given in prop::collection::vec((any::<u32>(), 0_u8..=100, value(), value()), 0..60)) {
            let times: Vec<i64> = (0..60_i64).take(given.len()).map(|i| i * 60_000).collect();
            let bucket = |(ms, (count, covered_percent, a, b)): (&i64, &(u32, u8, f64, f64))| Bucket {
                ms: *ms, count: *count, covered_percent: *covered_percent, mean: *a, min: *b, max: *a, last: *b,
            };
            let buckets: Vec<Bucket> = times.iter().zip(&given).map(bucket).collect();
            let mut body = Vec::new();
            put_buckets(&mut body, &buckets);
            prop_assert_eq!(get_buckets(&times, &body), Ok(buckets));
        }

        #[test]
        fn damage_is_refused_or_read_but_never_panics(times in prop::collection::vec(any::<u8>(), 0..60), body in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(times) = get_times(&times) {
                prop_assert!(times.len() <= 61 * 32 + 2);
                if let Ok(samples) = get_samples(&times, &body) {
                    prop_assert_eq!(samples.len(), times.len());
                }
                if let Ok(buckets) = get_buckets(&times, &body) {
                    prop_assert_eq!(buckets.len(), times.len());
                }
            }
        }
    }
}
