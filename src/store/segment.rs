//! Segment files: their names, and the walk through the frames of one.

use super::frame::{FRAME_HEAD, Frame, FrameFlaw, FrameHead, Kind, Link, SEGMENT_HEAD, SegmentHead};
use std::fs::{File, read_dir};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// One segment file of a journal.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub path: PathBuf,
    pub sequence: u64,
    /// Wall time of its first entry, ms.
    pub start_ms: i64,
    /// Length up to the end of its last good frame.
    pub bytes: u64,
}

/// The path of a segment.
pub(super) fn path(dir: &Path, sequence: u64) -> PathBuf {
    dir.join(format!("{sequence:08}.log"))
}

/// The segment files of a directory with their sequence numbers, oldest first; an absent directory has none.
pub(super) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".log"));
        if let Some(sequence) = number.and_then(|number| number.parse().ok()) {
            found.push((sequence, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The header of a segment file; `None` where it is damaged.
pub(super) fn read_head(path: &Path) -> io::Result<Option<SegmentHead>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SEGMENT_HEAD as u64).read_to_end(&mut bytes)?;
    Ok(SegmentHead::parse(&bytes).ok().map(|(head, ..)| head))
}

/// The payload of the frame that starts at `offset`, checked; only for frames that are not packed.
pub(super) fn read_payload(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; FRAME_HEAD];
    file.read_exact(&mut bytes)?;
    let head = FrameHead::parse(&bytes).map_err(io::Error::other)?;
    file.take(head.length as u64).read_to_end(&mut bytes)?;
    let (frame, _) = Frame::parse(&bytes).map_err(io::Error::other)?;
    frame.unpack(&[]).map_err(io::Error::other)
}

/// Offset and head of each entry of a segment, by its frames' heads alone; ends before the first one that is damaged or
/// not whole yet.
pub(super) fn skim(path: &Path) -> io::Result<Vec<(u64, FrameHead)>> {
    if read_head(path)?.is_none() {
        return Ok(Vec::new());
    }
    let mut offset = SEGMENT_HEAD as u64;
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut file = BufReader::new(file);
    file.seek(SeekFrom::Start(offset))?;
    let mut found = Vec::new();
    let mut bytes = [0; FRAME_HEAD];
    while file.read_exact(&mut bytes).is_ok()
        && let Ok(head) = FrameHead::parse(&bytes)
    {
        let length = head.length;
        if offset + (FRAME_HEAD + length) as u64 > end {
            break;
        }
        if head.kind == Kind::Entry {
            found.push((offset, head));
        }
        offset += (FRAME_HEAD + length) as u64;
        file.seek_relative(i64::try_from(length).unwrap_or(i64::MAX))?;
    }
    Ok(found)
}

/// One frame on a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub kind: Kind,
    pub to_ms: i64,
    pub payload: Vec<u8>,
    /// Where the frame starts in its file.
    pub offset: usize,
}

/// Walks through a segment's frames and checks each: checksums, chain, packing.
#[derive(Debug)]
pub(super) struct Walk<B> {
    bytes: B,
    offset: usize,
    link: Link,
    previous_entry: Vec<u8>,
}

impl<B: AsRef<[u8]>> Walk<B> {
    /// The segment's header, and the walk that starts behind it.
    pub(super) fn start(bytes: B) -> Result<(SegmentHead, Self), FrameFlaw> {
        let (head, link, rest) = SegmentHead::parse(bytes.as_ref())?;
        let offset = bytes.as_ref().len() - rest.len();
        Ok((
            head,
            Self {
                bytes,
                offset,
                link,
                previous_entry: Vec::new(),
            },
        ))
    }

    /// The next frame; `None` at the end. After a flaw the walk stands before the flawed frame.
    pub(super) fn advance(&mut self) -> Option<Result<Entry, FrameFlaw>> {
        let rest = self.bytes.as_ref().get(self.offset..).filter(|rest| !rest.is_empty())?;
        Some(Frame::parse(rest).and_then(|(frame, _)| {
            if !frame.follows(&self.link) {
                return Err(FrameFlaw::Altered);
            }
            let payload = frame.unpack(&self.previous_entry)?;
            let offset = self.offset;
            self.offset += frame.stored_len();
            self.link = frame.head.link;
            if frame.head.kind == Kind::Entry {
                self.previous_entry.clone_from(&payload);
            }
            Ok(Entry {
                kind: frame.head.kind,
                to_ms: frame.head.to_ms,
                payload,
                offset,
            })
        }))
    }

    /// Where the walk stands, in bytes from the start of the file.
    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    /// The chain's state where the walk stands.
    pub(super) const fn link(&self) -> Link {
        self.link
    }

    /// The last entry walked past, empty at the start.
    pub(super) fn into_previous_entry(self) -> Vec<u8> {
        self.previous_entry
    }
}
