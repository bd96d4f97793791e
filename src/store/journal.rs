//! An append-only journal in segments, which survives a crash at any byte and a disk that runs full.

use super::disk::{Disk, open_for_append, sync_dir};
use super::frame::{FrameFlaw, Kind, Link, SegmentHead, frame};
use super::segment::{self, Segment, Walk};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DAY_MS: i64 = 86_400_000;

/// A time in which entries could not be written; it is written itself as soon as that is possible again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Wall time of the first entry that failed, ms.
    pub since_ms: i64,
    /// What the system said.
    pub reason: String,
    /// Entries lost.
    pub lost: u64,
}

/// What was found and mended when a journal was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The file.
    pub file: PathBuf,
    /// What was found and done.
    pub what: String,
}

/// How a journal writes.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub disk: Arc<dyn Disk>,
    /// Size at which a segment ends,
    pub segment_bytes: u64,
    /// or days: it ends with the last of them (UTC).
    pub segment_days: u32,
    /// Whether an entry is packed with the one before it as dictionary: smaller, but only readable in order. Otherwise
    /// entries are left as they are.
    pub in_order: bool,
}

/// Where an entry was written; later is larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(super) struct Place {
    pub sequence: u64,
    pub offset: u64,
}

#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    manner: Manner,
    /// Oldest first; the last one is written where `tail` is open.
    segments: Vec<Segment>,
    tail: Option<Tail>,
    /// The chain's state after the last good frame.
    link: Link,
    outage: Option<Outage>,
}

#[derive(Debug)]
struct Tail {
    file: File,
    previous_entry: Vec<u8>,
    /// A failed write may have left bytes behind the last good frame.
    torn: bool,
}

impl Journal {
    /// Opens the journal in `dir`, made where absent, and mends a tail that was torn by a crash.
    pub(super) fn open(dir: &Path, manner: Manner) -> io::Result<(Self, Vec<Recovery>)> {
        fs::create_dir_all(dir)?;
        let mut recoveries = Vec::new();
        let mut journal = Self {
            dir: dir.to_owned(),
            manner,
            segments: Vec::new(),
            tail: None,
            link: Link::default(),
            outage: None,
        };
        let mut files = segment::list(dir)?;
        while let Some((sequence, path)) = files.pop() {
            if let Some(last) = journal.open_last(sequence, &path, &mut recoveries)? {
                journal.segments.push(last);
                break;
            }
        }
        let mut start_ms = i64::MAX;
        for (sequence, path) in files.into_iter().rev() {
            let newer_ms = journal.segments.first().map_or(i64::MAX, |segment| segment.start_ms);
            start_ms = segment::read_head(&path)?.map_or(start_ms.min(newer_ms), |head| head.start_ms);
            let bytes = fs::metadata(&path)?.len();
            journal.segments.insert(
                0,
                Segment {
                    path,
                    sequence,
                    start_ms,
                    bytes,
                },
            );
        }
        Ok((journal, recoveries))
    }

    /// Walks through the newest segment, cuts a torn tail off and opens the file to go on in it. A segment whose very
    /// header was cut off is deleted and answers `None`; a damaged one is left as it is, for `verify` to report.
    fn open_last(&mut self, sequence: u64, path: &Path, mended: &mut Vec<Recovery>) -> io::Result<Option<Segment>> {
        let bytes = fs::read(path)?;
        let length = bytes.len();
        let mut mend = |what: String| {
            mended.push(Recovery {
                file: path.to_owned(),
                what,
            });
        };
        let (head, mut walk) = match Walk::start(bytes) {
            Ok(started) => started,
            Err(FrameFlaw::CutOff) => {
                fs::remove_file(path)?;
                mend("a segment without an entry was cut off in its header and deleted".into());
                return Ok(None);
            }
            Err(flaw) => {
                mend(format!(
                    "the header of the segment: {flaw}; left as it is, a new segment begins"
                ));
                return Ok(Some(Segment {
                    path: path.to_owned(),
                    sequence,
                    start_ms: i64::MAX,
                    bytes: length as u64,
                }));
            }
        };
        let flaw = loop {
            match walk.advance() {
                Some(Ok(_)) => {}
                Some(Err(flaw)) => break Some(flaw),
                None => break None,
            }
        };
        let good = walk.offset() as u64;
        self.link = walk.link();
        let mut segment = Segment {
            path: path.to_owned(),
            sequence,
            start_ms: head.start_ms,
            bytes: good,
        };
        match flaw {
            None | Some(FrameFlaw::CutOff) => {
                let file = open_for_append(path)?;
                if flaw.is_some() {
                    file.set_len(good)?;
                    file.sync_all()?;
                    mend(format!(
                        "the last frame was cut off: {} bytes from byte {good} on were removed",
                        length as u64 - good
                    ));
                }
                self.tail = Some(Tail {
                    file,
                    previous_entry: walk.into_previous_entry(),
                    torn: false,
                });
            }
            Some(flaw @ (FrameFlaw::Damaged | FrameFlaw::Altered)) => {
                segment.bytes = length as u64;
                mend(format!("at byte {good}: {flaw}; left as it is, a new segment begins"));
            }
        }
        Ok(Some(segment))
    }

    /// Appends an entry that covers the wall times `from_ms` to `to_ms`. After an error the journal is in an outage and
    /// tries anew with the next entry.
    pub(super) fn append(&mut self, span_ms: (i64, i64), payload: &[u8]) -> io::Result<Place> {
        let done = self.try_append(span_ms, payload);
        self.note(span_ms, done)
    }

    /// The segment that the next entry goes into; begins it where needed.
    pub(super) fn segment_for(&mut self, span_ms: (i64, i64)) -> io::Result<u64> {
        let begun = if self.segment_is_over(span_ms.1) {
            self.begin_segment(span_ms.0)
        } else {
            Ok(())
        };
        self.note(span_ms, begun)?;
        Ok(self.segments.last().map_or(0, |segment| segment.sequence))
    }

    /// Where the next entry goes at the earliest.
    pub(super) fn end(&self) -> Place {
        self.segments.last().map_or(Place::default(), |segment| Place {
            sequence: segment.sequence,
            offset: segment.bytes,
        })
    }

    /// An error begins an outage, where none lasts.
    pub(super) fn note<T>(&mut self, span_ms: (i64, i64), done: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &done {
            let (since_ms, reason) = (span_ms.1, error.to_string());
            self.outage.get_or_insert(Outage {
                since_ms,
                reason,
                lost: 0,
            });
        }
        done
    }

    /// Counts an entry that failed and will not be appended again.
    pub(super) const fn count_loss(&mut self) {
        if let Some(outage) = &mut self.outage {
            outage.lost += 1;
        }
    }

    fn try_append(&mut self, span_ms: (i64, i64), payload: &[u8]) -> io::Result<Place> {
        if payload.len() > super::frame::MAX_PAYLOAD {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "an entry of more than 64 MiB",
            ));
        }
        if self.segment_is_over(span_ms.1) {
            self.begin_segment(span_ms.0)?;
        }
        if let Some(outage) = &self.outage {
            let told = postcard::to_stdvec(outage).map_err(io::Error::other)?;
            self.write(Kind::Outage, (outage.since_ms, span_ms.1), &told)?;
            self.outage = None;
        }
        self.write(Kind::Entry, span_ms, payload)
    }

    fn segment_is_over(&self, now_ms: i64) -> bool {
        let (Some(_), Some(segment)) = (&self.tail, self.segments.last()) else {
            return true;
        };
        let last_day = segment.start_ms.div_euclid(DAY_MS) + i64::from(self.manner.segment_days.max(1)) - 1;
        segment.bytes >= self.manner.segment_bytes || now_ms.div_euclid(DAY_MS) > last_day
    }

    fn begin_segment(&mut self, start_ms: i64) -> io::Result<()> {
        self.sync()?;
        let sequence = self.segments.last().map_or(1, |last| last.sequence + 1);
        let head = SegmentHead {
            sequence,
            start_ms,
            previous: self.link,
        };
        let (bytes, link) = head.to_bytes();
        let path = segment::path(&self.dir, sequence);
        let file = self.make_file(&path, &bytes).inspect_err(|_| {
            // What cannot be deleted now is overwritten at the next try, or deleted when the journal is next opened.
            fs::remove_file(&path).ok();
        })?;
        self.link = link;
        self.segments.push(Segment {
            path,
            sequence,
            start_ms,
            bytes: bytes.len() as u64,
        });
        self.tail = Some(Tail {
            file,
            previous_entry: Vec::new(),
            torn: false,
        });
        Ok(())
    }

    fn make_file(&self, path: &Path, bytes: &[u8]) -> io::Result<File> {
        drop(File::create(path)?);
        let mut file = open_for_append(path)?;
        self.manner.disk.write(&mut file, bytes)?;
        file.sync_all()?;
        sync_dir(&self.dir)?;
        Ok(file)
    }

    /// Writes one frame whole or not at all.
    fn write(&mut self, kind: Kind, span_ms: (i64, i64), payload: &[u8]) -> io::Result<Place> {
        let (Some(tail), Some(segment)) = (&mut self.tail, self.segments.last_mut()) else {
            return Err(io::Error::other("no segment is open"));
        };
        if tail.torn {
            tail.file.set_len(segment.bytes)?;
            tail.torn = false;
        }
        let in_order = kind == Kind::Entry && self.manner.in_order;
        let dictionary = in_order.then_some(tail.previous_entry.as_slice());
        let (bytes, link) = frame(kind, span_ms, payload, dictionary, &self.link);
        if let Err(error) = self.manner.disk.write(&mut tail.file, &bytes) {
            tail.torn = tail.file.set_len(segment.bytes).is_err();
            return Err(error);
        }
        let place = Place {
            sequence: segment.sequence,
            offset: segment.bytes,
        };
        segment.bytes += bytes.len() as u64;
        self.link = link;
        if in_order {
            tail.previous_entry.clear();
            tail.previous_entry.extend_from_slice(payload);
        }
        Ok(place)
    }

    /// Waits until everything appended is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.tail.as_ref().map_or(Ok(()), |tail| tail.file.sync_data())
    }

    /// The outage that lasts, `None` while entries can be written.
    pub(super) const fn outage(&self) -> Option<&Outage> {
        self.outage.as_ref()
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The segments, oldest first.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// When the oldest segment begins, wall ms; `None` where it is also the newest, which is never deleted.
    pub(super) fn oldest_ms(&self) -> Option<i64> {
        let [oldest, _, ..] = self.segments.as_slice() else {
            return None;
        };
        Some(oldest.start_ms)
    }

    /// Whether the oldest segment ended more than `days` ago. As many segments as fill these
    /// days are kept whatever the clock says: one that jumps ahead must not empty the record.
    pub(super) fn is_oldest_outlived(&self, now_ms: i64, days: u32) -> bool {
        let [_, next, ..] = self.segments.as_slice() else {
            return false;
        };
        let kept = days.div_ceil(self.manner.segment_days.max(1)) as usize;
        self.segments.len() > kept && next.start_ms < now_ms.saturating_sub(i64::from(days) * DAY_MS)
    }

    /// Deletes the oldest segment, never the newest; answers its number.
    pub(super) fn delete_oldest(&mut self) -> io::Result<Option<u64>> {
        if self.segments.len() < 2 {
            return Ok(None);
        }
        fs::remove_file(&self.segments[0].path)?;
        Ok(Some(self.segments.remove(0).sequence))
    }
}
