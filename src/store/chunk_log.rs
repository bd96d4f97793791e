//! A log of chunks: a journal on disk with an index of its chunks in memory, and the chunks that are not on disk yet.

use super::chunk::{Chunk, Dictionary, Layout};
use super::frame::FRAME_HEAD;
use super::journal::{Journal, Manner, Place, Recovery};
use super::names::SeriesName;
use super::segment;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Chunks kept in memory where there is no disk, or as long as it refuses: a day's,
const MEMORY_MS: i64 = 86_400_000;

/// but no more than these bytes.
const MEMORY_BYTES: usize = 64 << 20;

/// A chunk and where it is.
#[derive(Debug)]
pub(super) struct ChunkRef {
    /// Counts up from the oldest chunk found on opening.
    pub number: u64,
    /// Wall time of its first sample, ms.
    pub from_ms: i64,
    /// Wall time of its last sample, ms.
    pub to_ms: i64,
    pub rows: u32,
    home: Home,
}

#[derive(Debug)]
enum Home {
    Disk { place: Place, layout: Layout },
    Memory(Chunk),
}

impl ChunkRef {
    /// Where it is on disk.
    pub(super) const fn place(&self) -> Option<Place> {
        match &self.home {
            Home::Disk { place, .. } => Some(*place),
            Home::Memory(_) => None,
        }
    }

    /// Whether it has a sample from `from_ms` up to `to_ms`.
    pub(super) const fn overlaps(&self, from_ms: i64, to_ms: i64) -> bool {
        self.from_ms < to_ms && self.to_ms >= from_ms
    }
}

#[derive(Debug, Default)]
pub(super) struct ChunkLog {
    dir: PathBuf,
    journal: Option<Journal>,
    chunks: VecDeque<ChunkRef>,
    next_number: u64,
    /// By segment.
    dictionaries: BTreeMap<u64, Dictionary>,
    /// Every name once, however many segments have it.
    names: HashSet<Arc<SeriesName>>,
    memory_bytes: usize,
}

impl ChunkLog {
    /// A log in `dir`, made where absent.
    pub(super) fn open(dir: &Path, manner: Manner) -> io::Result<(Self, Vec<Recovery>)> {
        let (journal, recoveries) = Journal::open(dir, manner)?;
        let mut log = Self::read(dir)?;
        log.journal = Some(journal);
        Ok((log, recoveries))
    }

    /// The chunks in `dir`, for reading alone: a controller may be writing.
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        let mut log = Self {
            dir: dir.to_owned(),
            ..Self::default()
        };
        for (sequence, path) in segment::list(dir)? {
            let file = File::open(&path)?;
            for (offset, head) in segment::skim(&path)? {
                let start = offset + FRAME_HEAD as u64;
                let place = Place { sequence, offset };
                match Layout::read(&file, start, head.length) {
                    Ok((layout, names)) => {
                        let names: Vec<_> = names.into_iter().map(|name| log.intern(name)).collect();
                        log.dictionaries.entry(sequence).or_default().extend(names);
                        log.index((head.from_ms, head.to_ms), layout.rows, Home::Disk { place, layout });
                    }
                    Err(error) => {
                        tracing::warn!(file = %path.display(), offset, %error, "a chunk of samples is left out");
                    }
                }
            }
        }
        Ok(log)
    }

    fn intern(&mut self, name: SeriesName) -> Arc<SeriesName> {
        if let Some(known) = self.names.get(&name) {
            return Arc::clone(known);
        }
        let name = Arc::new(name);
        self.names.insert(Arc::clone(&name));
        name
    }

    fn index(&mut self, (from_ms, to_ms): (i64, i64), rows: u32, home: Home) {
        self.chunks.push_back(ChunkRef {
            number: self.next_number,
            from_ms,
            to_ms,
            rows,
            home,
        });
        self.next_number += 1;
    }

    /// The chunks, oldest first.
    pub(super) const fn chunks(&self) -> &VecDeque<ChunkRef> {
        &self.chunks
    }

    /// The number that the next chunk will have.
    pub(super) const fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Every series that any chunk has.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<SeriesName>> {
        self.names.iter()
    }

    /// The journal; none for a log in memory, or one that is only read.
    pub(super) const fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Takes a chunk up; [`ChunkLog::write_pending`] brings it to the disk. What has been waiting for the disk for too
    /// long, or takes too much memory, is lost and counted.
    pub(super) fn push(&mut self, span_ms: (i64, i64), chunk: Chunk) {
        for column in &chunk.columns {
            if !self.names.contains(&column.name) {
                self.names.insert(Arc::clone(&column.name));
            }
        }
        self.memory_bytes += chunk.weight();
        self.index(span_ms, chunk.rows, Home::Memory(chunk));
        while let Some(place) = self.chunks.iter().position(|chunk| chunk.place().is_none())
            && let Some(oldest) = self.chunks.get(place)
            && (span_ms.1.saturating_sub(oldest.to_ms) > MEMORY_MS || self.memory_bytes > MEMORY_BYTES)
            && let Some(gone) = self.chunks.remove(place)
        {
            if let Home::Memory(chunk) = gone.home {
                self.memory_bytes -= chunk.weight();
            }
            if let Some(journal) = &mut self.journal {
                journal.count_loss();
            }
        }
    }

    /// Writes the chunks that are not on disk yet; after an outage those that piled up. Answers whether any was.
    pub(super) fn write_pending(&mut self) -> io::Result<bool> {
        let Some(journal) = &mut self.journal else {
            return Ok(false);
        };
        let mut written = false;
        for waiting in &mut self.chunks {
            let Home::Memory(chunk) = &waiting.home else { continue };
            let span_ms = (waiting.from_ms, waiting.to_ms);
            let sequence = journal.segment_for(span_ms)?;
            let dictionary = self.dictionaries.entry(sequence).or_default();
            let (bytes, new) = chunk.to_bytes(dictionary).map_err(io::Error::other)?;
            let place = journal.append(span_ms, &bytes)?;
            let (layout, _) = Layout::read(bytes.as_slice(), 0, bytes.len())?;
            dictionary.extend(new);
            self.memory_bytes -= chunk.weight();
            waiting.home = Home::Disk { place, layout };
            written = true;
        }
        Ok(written)
    }

    /// Deletes the oldest segment and forgets its chunks.
    pub(super) fn delete_oldest(&mut self) -> io::Result<()> {
        if let Some(sequence) = self.journal.as_mut().map_or(Ok(None), Journal::delete_oldest)? {
            self.chunks
                .retain(|chunk| chunk.place().is_none_or(|place| place.sequence != sequence));
            self.dictionaries.remove(&sequence);
        }
        Ok(())
    }

    /// A reader of columns; it keeps the file of the latest chunk open.
    pub(super) const fn reader(&self) -> Reader<'_> {
        Reader { log: self, file: None }
    }

    /// A chunk as a whole: its series, each with times and body.
    pub(super) fn load(&self, chunk: &ChunkRef) -> io::Result<Loaded<'_>> {
        match &chunk.home {
            // Encoded as it would be on disk: rare, and one way to read is enough.
            Home::Memory(chunk) => {
                let mut dictionary = Dictionary::default();
                let (bytes, names) = chunk.to_bytes(&dictionary).map_err(io::Error::other)?;
                dictionary.extend(names);
                let (layout, _) = Layout::read(bytes.as_slice(), 0, bytes.len())?;
                Ok(Loaded {
                    bytes,
                    layout,
                    dictionary: Lent::Own(dictionary),
                })
            }
            Home::Disk { place, layout } => {
                let dictionary = self.dictionaries.get(&place.sequence);
                Ok(Loaded {
                    bytes: segment::read_payload(&segment::path(&self.dir, place.sequence), place.offset)?,
                    layout: *layout,
                    dictionary: dictionary.map_or_else(|| Lent::Own(Dictionary::default()), Lent::Segment),
                })
            }
        }
    }
}

/// Reads columns of one series after another chunk.
pub(super) struct Reader<'a> {
    log: &'a ChunkLog,
    file: Option<(u64, File)>,
}

impl Reader<'_> {
    /// Times and body of a series in a chunk; empty where the chunk has none of it.
    pub(super) fn find(&mut self, chunk: &ChunkRef, name: &SeriesName) -> io::Result<(Vec<i64>, Vec<u8>)> {
        let (place, layout) = match &chunk.home {
            Home::Memory(chunk) => {
                let found = chunk.find(name);
                return Ok(found.map_or_else(Default::default, |(times, body)| (times, body.to_vec())));
            }
            Home::Disk { place, layout } => (place, layout),
        };
        let dictionary = self.log.dictionaries.get(&place.sequence);
        let Some(number) = dictionary.and_then(|dictionary| dictionary.number(name)) else {
            return Ok(Default::default());
        };
        let file = match &mut self.file {
            Some((sequence, file)) if *sequence == place.sequence => file,
            other => {
                let file = File::open(segment::path(&self.log.dir, place.sequence))?;
                &mut other.insert((place.sequence, file)).1
            }
        };
        let found = layout.find(file, place.offset + FRAME_HEAD as u64, number)?;
        Ok(found.unwrap_or_default())
    }
}

/// A chunk that was read whole.
pub(super) struct Loaded<'a> {
    bytes: Vec<u8>,
    layout: Layout,
    dictionary: Lent<'a>,
}

enum Lent<'a> {
    Segment(&'a Dictionary),
    Own(Dictionary),
}

impl Loaded<'_> {
    const fn dictionary(&self) -> &Dictionary {
        match &self.dictionary {
            Lent::Segment(dictionary) => dictionary,
            Lent::Own(dictionary) => dictionary,
        }
    }

    /// The series, in the order in which they are stored.
    pub(super) fn series(&self) -> io::Result<Vec<Arc<SeriesName>>> {
        let numbers = self.layout.numbers(self.bytes.as_slice(), 0)?;
        let names = self.dictionary().names();
        let known = numbers.iter().filter_map(|number| names.get(*number as usize));
        Ok(known.map(Arc::clone).collect())
    }

    /// Times and body of a series; empty where the chunk has none of it.
    pub(super) fn find(&self, name: &SeriesName) -> io::Result<(Vec<i64>, Vec<u8>)> {
        let Some(number) = self.dictionary().number(name) else {
            return Ok(Default::default());
        };
        Ok(self.layout.find(self.bytes.as_slice(), 0, number)?.unwrap_or_default())
    }
}
