//! Reading a journal from its files, by another process or after the fact: replay and audit.

use super::frame::{FrameFlaw, Kind, Link};
use super::journal::Outage;
use super::segment::{self, Walk};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Something in a record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file cannot be read.
    #[error("`{}` cannot be read", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// What a file says is not what was written.
    #[error(transparent)]
    Flaw(#[from] Flaw),
}

/// The first place at which a journal is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}`, byte {offset}: {what}", file.display())]
pub struct Flaw {
    /// The file.
    pub file: PathBuf,
    /// Where in it, bytes from its start.
    pub offset: usize,
    /// What is wrong.
    pub what: String,
}

/// A journal that is as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Segments.
    pub segments: usize,
    /// Entries.
    pub entries: u64,
    /// Outages: entries that are missing because the disk refused them, as recorded at the time.
    pub outages: Vec<Outage>,
    /// The chain's last link, hex. Noted elsewhere (printed, mailed, signed) it proves later that nothing before it was
    /// changed and nothing was cut off at the end.
    pub head: String,
    /// Bytes of a frame at the very end that is cut off: a crash, or a writer at work.
    pub torn_bytes: usize,
}

/// Walks through all segments of a journal and checks every frame and every link.
pub(super) fn verify(dir: &Path) -> Result<Verified, ReadError> {
    let files = segment::list(dir).map_err(|source| ReadError::Io {
        file: dir.to_owned(),
        source,
    })?;
    let mut verified = Verified {
        segments: files.len(),
        ..Verified::default()
    };
    let mut before: Option<(u64, Link)> = None;
    let newest = files.last().map(|(sequence, _)| *sequence);
    for (sequence, file) in files {
        let bytes = fs::read(&file).map_err(|source| ReadError::Io {
            file: file.clone(),
            source,
        })?;
        let flaw = |offset: usize, what: String| {
            ReadError::Flaw(Flaw {
                file: file.clone(),
                offset,
                what,
            })
        };
        let length = bytes.len();
        let (head, mut walk) = match Walk::start(bytes) {
            Ok(started) => started,
            Err(FrameFlaw::CutOff) if newest == Some(sequence) => {
                verified.torn_bytes = length;
                break;
            }
            Err(error) => return Err(flaw(0, format!("the header of the segment: {error}"))),
        };
        if head.sequence != sequence {
            return Err(flaw(0, format!("the file is segment {}, renamed", head.sequence)));
        }
        if let Some((last, link)) = before {
            if sequence != last + 1 {
                return Err(flaw(0, format!("segment {} before it is missing", last + 1)));
            }
            if head.previous != link {
                return Err(flaw(0, "the segment does not continue the one before it".into()));
            }
        }
        loop {
            match walk.advance() {
                None => break,
                Some(Ok(entry)) if entry.kind == Kind::Entry => verified.entries += 1,
                Some(Ok(entry)) => verified.outages.extend(postcard::from_bytes::<Outage>(&entry.payload)),
                Some(Err(FrameFlaw::CutOff)) if newest == Some(sequence) => {
                    verified.torn_bytes = length - walk.offset();
                    break;
                }
                Some(Err(error)) => return Err(flaw(walk.offset(), error.to_string())),
            }
        }
        before = Some((sequence, walk.link()));
        verified.head = format!("{:032x}", u128::from_be_bytes(walk.link()));
    }
    Ok(verified)
}

/// The entries of a journal, oldest first. A flaw ends its segment: the walk goes on in the next one.
#[derive(Debug)]
pub struct Records<T> {
    files: VecDeque<PathBuf>,
    newest: Option<PathBuf>,
    walk: Option<(PathBuf, Walk<Vec<u8>>)>,
    entry: PhantomData<fn() -> T>,
}

impl<T> Records<T> {
    pub(super) fn open(dir: &Path) -> Result<Self, ReadError> {
        let files = segment::list(dir).map_err(|source| ReadError::Io {
            file: dir.to_owned(),
            source,
        })?;
        let files: VecDeque<_> = files.into_iter().map(|(_, file)| file).collect();
        Ok(Self {
            newest: files.back().cloned(),
            files,
            walk: None,
            entry: PhantomData,
        })
    }

    /// A frame that is cut off at the end of the newest segment is a crash or a writer at work, no flaw.
    fn flaw(&self, file: &Path, offset: usize, flaw: FrameFlaw) -> Option<ReadError> {
        let the_end = flaw == FrameFlaw::CutOff && self.newest.as_deref() == Some(file);
        (!the_end).then(|| {
            Flaw {
                file: file.to_owned(),
                offset,
                what: flaw.to_string(),
            }
            .into()
        })
    }
}

impl<T: DeserializeOwned> Iterator for Records<T> {
    type Item = Result<T, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((file, walk)) = &mut self.walk else {
                let file = self.files.pop_front()?;
                match fs::read(&file).map(Walk::start) {
                    Ok(Ok((_, walk))) => self.walk = Some((file, walk)),
                    Ok(Err(flaw)) => {
                        if let Some(error) = self.flaw(&file, 0, flaw) {
                            return Some(Err(error));
                        }
                    }
                    Err(source) => return Some(Err(ReadError::Io { file, source })),
                }
                continue;
            };
            let offset = walk.offset();
            match walk.advance() {
                Some(Ok(entry)) if entry.kind == Kind::Entry => {
                    let read = postcard::from_bytes(&entry.payload).map_err(|error| {
                        Flaw {
                            file: file.clone(),
                            offset,
                            what: format!("an entry of another version: {error}"),
                        }
                        .into()
                    });
                    return Some(read);
                }
                Some(Ok(_)) => {}
                Some(Err(flaw)) => {
                    let file = file.clone();
                    self.walk = None;
                    if let Some(error) = self.flaw(&file, offset, flaw) {
                        return Some(Err(error));
                    }
                }
                None => self.walk = None,
            }
        }
    }
}
