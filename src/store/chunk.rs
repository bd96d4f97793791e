//! Chunks: the columns of many series over some minutes, laid out so that one column is read without the others.
//!
//! ```text
//! definitions length, times, times length, columns, rows   u32 each, little endian
//! definitions   names of the series that the segment has not had yet; a series' number is its place among all of them
//! times         {offset, checksum} each      series that are read together have the same times: stored once
//! columns       {series, times, offset, checksum} each, by series
//! the times, then the bodies
//! ```
//!
//! A frame's checksum covers its whole chunk; those of the columns let a reader of one know that it is what was written.

use super::column::{Damaged, get_times, put_times};
use super::names::SeriesName;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes of a chunk before its definitions.
pub(super) const HEAD: usize = 20;
const TIME_ENTRY: u64 = 8;
const COLUMN_ENTRY: u64 = 16;

/// The series of a segment: what its chunks' numbers mean.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    names: Vec<Arc<SeriesName>>,
    numbers: HashMap<Arc<SeriesName>, u32>,
}

impl Dictionary {
    pub(super) fn extend(&mut self, names: impl IntoIterator<Item = Arc<SeriesName>>) {
        for name in names {
            let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
            self.names.push(Arc::clone(&name));
            self.numbers.insert(name, number);
        }
    }

    pub(super) fn names(&self) -> &[Arc<SeriesName>] {
        &self.names
    }

    pub(super) fn number(&self, name: &SeriesName) -> Option<u32> {
        self.numbers.get(name).copied()
    }
}

/// A column in memory: its series, the place of its times, its body.
#[derive(Debug)]
pub(super) struct Column {
    pub name: Arc<SeriesName>,
    time: usize,
    pub body: Vec<u8>,
}

/// A chunk that is not on disk.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Distinct columns of times, packed.
    times: Vec<Vec<u8>>,
    pub columns: Vec<Column>,
    /// Rows of all columns.
    pub rows: u32,
    /// The latest times in plain, for the next column that shares them.
    latest: Vec<i64>,
}

impl Chunk {
    /// Adds a column.
    pub(super) fn push(&mut self, name: Arc<SeriesName>, times: Vec<i64>, body: Vec<u8>) {
        let rows = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let time = if times == self.latest && !self.times.is_empty() {
            self.columns.last().map_or(0, |column| column.time)
        } else {
            let mut packed = Vec::new();
            put_times(&mut packed, &times);
            // Series of one device stand side by side: theirs is among the last.
            self.times
                .iter()
                .rposition(|known| *known == packed)
                .unwrap_or_else(|| {
                    self.times.push(packed);
                    self.times.len() - 1
                })
        };
        self.latest = times;
        self.rows = self.rows.saturating_add(rows);
        self.columns.push(Column { name, time, body });
    }

    /// Times and body of a series.
    pub(super) fn find(&self, name: &SeriesName) -> Option<(Vec<i64>, &[u8])> {
        let column = self.columns.iter().find(|column| *column.name == *name)?;
        let times = get_times(self.times.get(column.time)?).ok()?;
        Some((times, &column.body))
    }

    /// Bytes in memory, about.
    pub(super) fn weight(&self) -> usize {
        let times: usize = self.times.iter().map(Vec::len).sum();
        times + self.columns.iter().map(|column| column.body.len() + 64).sum::<usize>()
    }

    /// The chunk as bytes for a segment with this dictionary, and the series that are new to it.
    pub(super) fn to_bytes(&self, dictionary: &Dictionary) -> Result<(Vec<u8>, Vec<Arc<SeriesName>>), postcard::Error> {
        let mut new: Vec<Arc<SeriesName>> = Vec::new();
        let mut numbered: Vec<(u32, &Column)> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let number = dictionary.number(&column.name).unwrap_or_else(|| {
                new.push(Arc::clone(&column.name));
                u32::try_from(dictionary.names.len() + new.len() - 1).unwrap_or(u32::MAX)
            });
            numbered.push((number, column));
        }
        numbered.sort_by_key(|(number, _)| *number);
        let definitions = postcard::to_stdvec(&new.iter().map(|name| &**name).collect::<Vec<&SeriesName>>())?;
        let times_len: usize = self.times.iter().map(Vec::len).sum();
        let mut bytes = Vec::with_capacity(self.weight() + definitions.len());
        let counts = [
            definitions.len(),
            self.times.len(),
            times_len,
            numbered.len(),
            self.rows as usize,
        ];
        for count in counts {
            put_u32(&mut bytes, count);
        }
        bytes.extend(definitions);
        let mut offset = 0;
        for packed in &self.times {
            put_u32(&mut bytes, offset);
            bytes.extend(crc32fast::hash(packed).to_le_bytes());
            offset += packed.len();
        }
        offset = 0;
        for (number, column) in &numbered {
            bytes.extend(number.to_le_bytes());
            put_u32(&mut bytes, column.time);
            put_u32(&mut bytes, offset);
            bytes.extend(crc32fast::hash(&column.body).to_le_bytes());
            offset += column.body.len();
        }
        for packed in &self.times {
            bytes.extend(packed);
        }
        for (_, column) in &numbered {
            bytes.extend(&column.body);
        }
        Ok((bytes, new))
    }
}

/// Frames hold at most 64 MiB, so that every length fits.
fn put_u32(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

/// Bytes that can be read from any place: a file, or a chunk that was read whole.
pub(super) trait ReadAt {
    fn read_at(&self, at: u64, length: usize) -> io::Result<Vec<u8>>;
}

impl ReadAt for File {
    fn read_at(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        let found = start.checked_add(length).and_then(|end| self.get(start..end));
        found.map(<[u8]>::to_vec).ok_or_else(|| Damaged.into())
    }
}

impl From<Damaged> for io::Error {
    fn from(damaged: Damaged) -> Self {
        Self::new(io::ErrorKind::InvalidData, damaged)
    }
}

/// Where the parts of a chunk on disk lie, from the start of the chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    definitions_len: u32,
    times: u32,
    times_len: u32,
    columns: u32,
    pub rows: u32,
    length: u64,
}

impl Layout {
    /// The layout of a chunk of `length` bytes that starts at `start`, and its definitions.
    pub(super) fn read<R: ReadAt + ?Sized>(
        source: &R,
        start: u64,
        length: usize,
    ) -> io::Result<(Self, Vec<SeriesName>)> {
        let head = source.read_at(start, HEAD.min(length))?;
        let mut fields = head.chunks_exact(4).filter_map(|field| field.try_into().ok());
        let mut field = || fields.next().map(u32::from_le_bytes).ok_or(Damaged);
        let layout = Self {
            definitions_len: field()?,
            times: field()?,
            times_len: field()?,
            columns: field()?,
            rows: field()?,
            length: length as u64,
        };
        if layout.bodies() > layout.length {
            return Err(Damaged.into());
        }
        let definitions = source.read_at(start + HEAD as u64, layout.definitions_len as usize)?;
        let names = postcard::from_bytes(&definitions).map_err(|_| Damaged)?;
        Ok((layout, names))
    }

    const fn time_entries(&self) -> u64 {
        HEAD as u64 + self.definitions_len as u64
    }
    const fn column_entries(&self) -> u64 {
        self.time_entries() + self.times as u64 * TIME_ENTRY
    }
    const fn times_area(&self) -> u64 {
        self.column_entries() + self.columns as u64 * COLUMN_ENTRY
    }
    const fn bodies(&self) -> u64 {
        self.times_area() + self.times_len as u64
    }

    /// Times and body of the series with a number; `None` where the chunk has none of it.
    pub(super) fn find<R: ReadAt + ?Sized>(
        &self,
        source: &R,
        start: u64,
        number: u32,
    ) -> io::Result<Option<(Vec<i64>, Vec<u8>)>> {
        let Some((place, [_, time, offset, checksum])) = self.entry(source, start, number)? else {
            return Ok(None);
        };
        let end = if place + 1 < self.columns {
            let [_, _, next, _] = self.entry_at(source, start, place + 1)?;
            u64::from(next)
        } else {
            self.length - self.bodies()
        };
        let body = self.part(source, start + self.bodies(), (offset, end), checksum)?;
        if time >= self.times {
            return Err(Damaged.into());
        }
        let at = start + self.time_entries() + u64::from(time) * TIME_ENTRY;
        let more = time + 1 < self.times;
        let entry = source.read_at(at, if more { 12 } else { 8 })?;
        let field = |index: usize| {
            let bytes = entry.get(index * 4..index * 4 + 4);
            bytes
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u32::from_le_bytes)
        };
        let end = if more { field(2) } else { self.times_len };
        let times = self.part(source, start + self.times_area(), (field(0), u64::from(end)), field(1))?;
        Ok(Some((get_times(&times)?, body)))
    }

    /// Place and fields of a column's entry.
    fn entry<R: ReadAt + ?Sized>(&self, source: &R, start: u64, number: u32) -> io::Result<Option<(u32, [u32; 4])>> {
        // Most chunks have all series of their segment: then the number is the place.
        if number < self.columns {
            let entry = self.entry_at(source, start, number)?;
            if entry.first() == Some(&number) {
                return Ok(Some((number, entry)));
            }
        }
        let (mut low, mut high) = (0, self.columns.min(number));
        while low < high {
            let middle = low.midpoint(high);
            let entry = self.entry_at(source, start, middle)?;
            let [found, ..] = entry;
            match found.cmp(&number) {
                std::cmp::Ordering::Equal => return Ok(Some((middle, entry))),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    fn entry_at<R: ReadAt + ?Sized>(&self, source: &R, start: u64, place: u32) -> io::Result<[u32; 4]> {
        let at = start + self.column_entries() + u64::from(place) * COLUMN_ENTRY;
        let bytes = source.read_at(at, 16)?;
        let mut entry = [0; 4];
        for (to, from) in entry.iter_mut().zip(bytes.chunks_exact(4)) {
            *to = from.try_into().map_or(0, u32::from_le_bytes);
        }
        Ok(entry)
    }

    /// A part of an area, checked.
    fn part<R: ReadAt + ?Sized>(
        &self,
        source: &R,
        area: u64,
        (offset, end): (u32, u64),
        checksum: u32,
    ) -> io::Result<Vec<u8>> {
        let length = end
            .checked_sub(u64::from(offset))
            .filter(|length| *length <= self.length);
        let length = usize::try_from(length.ok_or(Damaged)?).map_err(|_| Damaged)?;
        let bytes = source.read_at(area + u64::from(offset), length)?;
        if crc32fast::hash(&bytes) == checksum {
            Ok(bytes)
        } else {
            Err(Damaged.into())
        }
    }

    /// The numbers of all series in the chunk.
    pub(super) fn numbers<R: ReadAt + ?Sized>(&self, source: &R, start: u64) -> io::Result<Vec<u32>> {
        let length = self.columns as usize * 16;
        let bytes = source.read_at(start + self.column_entries(), length)?;
        let number = |entry: &[u8]| {
            let field = entry.get(..4).and_then(|field| field.try_into().ok());
            field.map_or(0, u32::from_le_bytes)
        };
        Ok(bytes.chunks_exact(16).map(number).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Quality;
    use crate::store::column::{Sample, get_samples, put_samples};
    use proptest::prelude::*;

    fn name(number: usize) -> Arc<SeriesName> {
        Arc::new(SeriesName::new("a", &[("n", &number.to_string())]))
    }

    fn samples(number: usize, rows: usize) -> Vec<Sample> {
        let sample = |row: usize| Sample {
            ms: 1_780_000_000_000 + 5000 * i64::try_from(row).unwrap() + i64::try_from(number / 3).unwrap(),
            value: (number * 100 + row * 7 % 11) as f64 / 10.0,
            quality: Quality::Good,
        };
        (0..rows).map(sample).collect()
    }

    fn chunk(numbers: impl IntoIterator<Item = usize>, rows: usize) -> Chunk {
        let mut chunk = Chunk::default();
        for number in numbers {
            let samples = samples(number, rows);
            let mut body = Vec::new();
            put_samples(&mut body, &samples);
            chunk.push(name(number), samples.iter().map(|sample| sample.ms).collect(), body);
        }
        chunk
    }

    #[test]
    fn each_column_is_found_alone_and_new_series_are_defined_once() {
        let mut dictionary = Dictionary::default();
        let (first, second) = (chunk(0..10, 50), chunk((0..20).filter(|n| n % 4 != 1).rev(), 30));
        let mut seen = 0;
        for (chunk, rows) in [(&first, 50), (&second, 30)] {
            let (bytes, new) = chunk.to_bytes(&dictionary).unwrap();
            let (layout, definitions) = Layout::read(bytes.as_slice(), 0, bytes.len()).unwrap();
            assert_eq!(definitions.len(), new.len());
            dictionary.extend(new);
            assert_eq!(layout.rows as usize, rows * chunk.columns.len());
            assert_eq!(layout.numbers(bytes.as_slice(), 0).unwrap().len(), chunk.columns.len());
            for number in 0..25 {
                let found = dictionary
                    .number(&name(number))
                    .and_then(|known| layout.find(bytes.as_slice(), 0, known).unwrap());
                let in_memory = chunk.find(&name(number));
                assert_eq!(found.is_some(), in_memory.is_some());
                if let Some((times, body)) = found {
                    assert_eq!(get_samples(&times, &body).unwrap(), samples(number, rows));
                    assert_eq!(in_memory.unwrap(), (times, body.as_slice()));
                    seen += 1;
                }
            }
        }
        assert_eq!((seen, dictionary.names().len()), (10 + 15, 10 + 8));
    }

    #[test]
    fn columns_of_one_device_share_their_times() {
        let (one, three) = (chunk([0], 180), chunk(0..3, 180));
        assert_eq!((one.times.len(), three.times.len()), (1, 1));
        assert_eq!(chunk(0..9, 180).times.len(), 3);
    }

    proptest! {
        #[test]
        fn a_damaged_chunk_is_refused_or_read_but_never_panics(at in any::<prop::sample::Index>(), bit in 0..8, cut in any::<prop::sample::Index>()) {
            let (mut bytes, _) = chunk(0..5, 20).to_bytes(&Dictionary::default()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            for bytes in [bytes.as_slice(), &bytes[..cut.index(bytes.len())]] {
                if let Ok((layout, _)) = Layout::read(bytes, 0, bytes.len()) {
                    for number in 0..6 {
                        if let Ok(Some((times, body))) = layout.find(bytes, 0, number) {
                            prop_assert!(get_samples(&times, &body).is_ok_and(|found| found.len() == 20));
                        }
                    }
                }
            }
        }
    }
}
