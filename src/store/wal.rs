//! The log of the open chunk: each append is in it before it is acknowledged, so that a crash of the process takes
//! nothing that was.
//!
//! It holds the samples of exactly one chunk. The head names the place at which the journal of chunks ended when the log
//! began: where a chunk stands at or behind that place, the log's samples are in it, and the log is void.
//!
//! ```text
//! magic, place {segment u64, offset u64}, checksum u32
//! frames: length u32, checksum u32, payload
//! payload: new series (postcard), rows, then each row: series, time and quality as integers, value as bits
//! ```

use super::chunk::ReadAt;
use super::column::{Damaged, Sample, quality_code, quality_of};
use super::disk::{Disk, open_for_append, sync_dir};
use super::journal::Place;
use super::names::SeriesName;
use super::varint::{Reader, put, put_signed};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"ISOTWAL1";
const HEAD: usize = 28;
const FRAME_HEAD: usize = 8;
const NAME: &str = "open";
const NEW: &str = "open.new";

/// A row: the index of its series in the store, and the sample.
pub(super) type Row = (usize, Sample);

/// What was found of an open chunk: its series in the order of their numbers, rows by those numbers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    pub base: Place,
    pub names: Vec<SeriesName>,
    pub rows: Vec<(usize, Sample)>,
    /// Bytes of a frame at the end that is not whole: it was never acknowledged.
    pub torn_bytes: u64,
}

/// The log under way.
#[derive(Debug)]
pub(super) struct Wal {
    file: File,
    bytes: u64,
    /// By index in the store: the number in this log, from 1; 0 for none yet.
    numbers: Vec<u32>,
    count: u32,
    torn: bool,
}

/// The log's file.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

impl Wal {
    /// Begins a log with what is in the open chunk already. The one before it is replaced in one step.
    pub(super) fn begin(
        dir: &Path,
        disk: &dyn Disk,
        base: Place,
        names: &[Arc<SeriesName>],
        rows: &[Row],
    ) -> io::Result<Self> {
        let new = dir.join(NEW);
        drop(File::create(&new)?);
        let mut wal = Self {
            file: open_for_append(&new)?,
            bytes: 0,
            numbers: Vec::new(),
            count: 0,
            torn: false,
        };
        let mut head = MAGIC.to_vec();
        head.extend(base.sequence.to_le_bytes());
        head.extend(base.offset.to_le_bytes());
        head.extend(crc32fast::hash(&head).to_le_bytes());
        let begun = disk.write(&mut wal.file, &head).and_then(|()| {
            wal.bytes = head.len() as u64;
            wal.append(disk, names, rows)?;
            wal.file.sync_all()?;
            fs::rename(&new, path(dir))?;
            sync_dir(dir)
        });
        begun.inspect_err(|_| {
            // Gives the space back; the log before it is untouched.
            fs::remove_file(&new).ok();
        })?;
        Ok(wal)
    }

    /// Appends rows, whole or not at all.
    pub(super) fn append(&mut self, disk: &dyn Disk, names: &[Arc<SeriesName>], rows: &[Row]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.torn {
            self.file.set_len(self.bytes)?;
            self.torn = false;
        }
        let count = self.count;
        let frame = self.frame(names, rows)?;
        if let Err(error) = disk.write(&mut self.file, &frame) {
            // The series that the frame would have defined are still to be defined.
            self.numbers
                .iter_mut()
                .filter(|number| **number > count)
                .for_each(|number| *number = 0);
            self.count = count;
            self.torn = self.file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.bytes += frame.len() as u64;
        Ok(())
    }

    fn frame(&mut self, names: &[Arc<SeriesName>], rows: &[Row]) -> io::Result<Vec<u8>> {
        self.numbers.resize(names.len(), 0);
        let mut new: Vec<&SeriesName> = Vec::new();
        for (index, _) in rows {
            if let (Some(number @ 0), Some(name)) = (self.numbers.get_mut(*index), names.get(*index)) {
                self.count += 1;
                *number = self.count;
                new.push(name);
            }
        }
        let mut bytes = vec![0; FRAME_HEAD];
        bytes.extend(postcard::to_stdvec(&new).map_err(io::Error::other)?);
        put(&mut bytes, rows.len() as u64);
        let (mut number_before, mut ms_before) = (0_i64, 0_i64);
        for (index, sample) in rows {
            let number = i64::from(self.numbers.get(*index).copied().unwrap_or_default());
            put_signed(&mut bytes, number - number_before);
            put_signed(&mut bytes, sample.ms.wrapping_sub(ms_before));
            put(&mut bytes, quality_code(sample.quality));
            bytes.extend(sample.value.to_bits().to_le_bytes());
            (number_before, ms_before) = (number, sample.ms);
        }
        let length = u32::try_from(bytes.len() - FRAME_HEAD).map_err(io::Error::other)?;
        let checksum = crc32fast::hash(bytes.get(FRAME_HEAD..).unwrap_or_default());
        let head = length.to_le_bytes().into_iter().chain(checksum.to_le_bytes());
        bytes.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        Ok(bytes)
    }

    /// Brings everything appended to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Size of the file.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The log in a directory; `None` where there is none, or its head is not whole.
pub(super) fn read(dir: &Path) -> io::Result<Option<Found>> {
    let bytes = match fs::read(path(dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Option<Found> {
    let (head, mut rest) = bytes.split_at_checked(HEAD)?;
    let (said, checksum) = head.split_at(HEAD - 4);
    if said.strip_prefix(MAGIC).is_none() || crc32fast::hash(said).to_le_bytes() != *checksum {
        return None;
    }
    let field = |at: usize| said.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let mut found = Found {
        base: Place {
            sequence: field(8)?,
            offset: field(16)?,
        },
        ..Found::default()
    };
    while let Some(length) = frame_len(rest)
        && let Ok(payload) = rest.read_at(FRAME_HEAD as u64, length)
        && rest.get(4..8) == Some(crc32fast::hash(&payload).to_le_bytes().as_slice())
        && take(&mut found, &payload).is_ok()
    {
        rest = rest.get(FRAME_HEAD + length..).unwrap_or_default();
    }
    found.torn_bytes = rest.len() as u64;
    Some(found)
}

fn frame_len(bytes: &[u8]) -> Option<usize> {
    let field = bytes.get(..4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(field)).ok()
}

fn take(found: &mut Found, payload: &[u8]) -> Result<(), Damaged> {
    let (new, rest) = postcard::take_from_bytes::<Vec<SeriesName>>(payload).map_err(|_| Damaged)?;
    let known = found.names.len() + new.len();
    let mut reader = Reader(rest);
    let count = reader.number()?;
    let (mut number, mut ms) = (0_i64, 0_i64);
    let mut rows = Vec::new();
    for _ in 0..count {
        number = number.wrapping_add(reader.signed()?);
        ms = ms.wrapping_add(reader.signed()?);
        let quality = quality_of(reader.unsigned()?)?;
        let bits = reader.take(8)?.try_into().map_err(|_| Damaged)?;
        let value = f64::from_bits(u64::from_le_bytes(bits));
        let place = usize::try_from(number - 1).map_err(|_| Damaged)?;
        if place >= known || !value.is_finite() {
            return Err(Damaged);
        }
        rows.push((place, Sample { ms, value, quality }));
    }
    found.names.extend(new);
    found.rows.extend(rows);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Quality;
    use crate::store::disk::RealDisk;
    use crate::store::disk::tests::SmallDisk;
    use proptest::prelude::*;

    fn names(count: usize) -> Vec<Arc<SeriesName>> {
        let name = |number: usize| Arc::new(SeriesName::new("a", &[("n", &number.to_string())]));
        (0..count).map(name).collect()
    }

    fn rows(cycle: i64, series: &[usize]) -> Vec<Row> {
        let row = |index: &usize| {
            let sample = Sample {
                ms: cycle * 5000,
                value: (*index as f64).sqrt() + cycle as f64,
                quality: Quality::Good,
            };
            (*index, sample)
        };
        series.iter().map(row).collect()
    }

    /// Rows by name, as a reader sees them.
    fn named(found: &Found) -> Vec<(String, Sample)> {
        let row = |(place, sample): &(usize, Sample)| (found.names[*place].to_string(), *sample);
        found.rows.iter().map(row).collect()
    }

    fn given(names: &[Arc<SeriesName>], rows: &[Row]) -> Vec<(String, Sample)> {
        rows.iter()
            .map(|(index, sample)| (names[*index].to_string(), *sample))
            .collect()
    }

    #[test]
    fn every_append_reads_back_and_a_torn_one_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let names = names(9);
        let base = Place {
            sequence: 3,
            offset: 99,
        };
        assert_eq!(read(dir.path()).unwrap(), None);
        let mut all = rows(0, &[4, 2]);
        let mut wal = Wal::begin(dir.path(), &RealDisk, base, &names[..5], &all).unwrap();
        for cycle in 1..4 {
            let more = rows(cycle, &[0, 2, 4, 8]);
            wal.append(&RealDisk, &names, &more).unwrap();
            all.extend(more);
        }
        let found = read(dir.path()).unwrap().unwrap();
        assert_eq!((found.base, found.torn_bytes), (base, 0));
        assert_eq!(named(&found), given(&names, &all));
        let whole = fs::read(path(dir.path())).unwrap();
        for length in 0..whole.len() {
            match parse(&whole[..length]) {
                None => assert!(length < HEAD),
                Some(found) => {
                    let rows = found.rows.len();
                    assert!([0, 2, 6, 10].contains(&rows), "{rows} of {length} bytes");
                    assert_eq!(named(&found), given(&names, &all[..rows]));
                }
            }
        }
    }

    #[test]
    fn a_full_disk_leaves_the_log_whole() {
        let dir = tempfile::tempdir().unwrap();
        let names = names(3);
        let mut wal = Wal::begin(dir.path(), &RealDisk, Place::default(), &names, &rows(0, &[1])).unwrap();
        for space in 0..30 {
            let disk = SmallDisk::with_space(space);
            assert!(wal.append(&disk, &names, &rows(1, &[0, 1, 2])).is_err());
            assert!(Wal::begin(dir.path(), &disk, Place::default(), &names, &rows(1, &[0, 1, 2])).is_err());
            let found = read(dir.path()).unwrap().unwrap();
            assert_eq!((found.rows.len(), found.torn_bytes), (1, 0));
        }
        wal.append(&RealDisk, &names, &rows(2, &[0, 1])).unwrap();
        let found = read(dir.path()).unwrap().unwrap();
        assert_eq!(named(&found)[1..], given(&names, &rows(2, &[0, 1])));
    }

    proptest! {
        #[test]
        fn damage_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..60), at in any::<prop::sample::Index>()) {
            parse(&bytes);
            let dir = tempfile::tempdir().unwrap();
            Wal::begin(dir.path(), &RealDisk, Place::default(), &names(3), &rows(0, &[0, 1, 2])).unwrap();
            let mut whole = fs::read(path(dir.path())).unwrap();
            let at = at.index(whole.len());
            whole.truncate(at);
            whole.append(&mut bytes);
            parse(&whole);
        }
    }
}
