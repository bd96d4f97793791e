//! Frames and segment headers: the bytes of a journal.
//!
//! A frame is `length u32, kind u8, packing u8, from_ms i64, to_ms i64, link [u8; 16], payload crc u32, head crc u32,
//! payload`, little endian. `link` is the first half of SHA-256 over the link before it and everything else that the
//! frame says: who changes, removes or inserts a frame has to write every later one anew, and then no longer ends at
//! the head that was noted elsewhere. The checksums (CRC-32/ISO-HDLC) tell a torn or rotten frame from an altered one;
//! the head has one of its own, so that a rotten length is not taken for the end of the file.

use sha2::{Digest, Sha256};

/// The chain's state after a frame.
pub(super) type Link = [u8; 16];

/// Bytes of a frame before its payload.
pub(super) const FRAME_HEAD: usize = 46;

/// Largest payload, packed or not; larger lengths are damage.
pub(super) const MAX_PAYLOAD: usize = 64 << 20;

const MAGIC: &[u8; 8] = b"ISOTHRM2";

/// Bytes of a segment header.
pub(super) const SEGMENT_HEAD: usize = 44;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the caller appended.
    Entry = 1,
    /// A [`super::Outage`]: entries before this frame are missing.
    Outage = 2,
}

/// How a payload is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    /// As it is.
    Plain = 0,
    /// LZ4, on its own.
    Alone = 1,
    /// LZ4, with the entry before it in the segment as dictionary.
    AfterPrevious = 2,
}

/// What a frame says of itself before its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub kind: Kind,
    packing: Packing,
    /// Wall time of the first thing in the entry, ms.
    pub from_ms: i64,
    /// Wall time of the last, ms.
    pub to_ms: i64,
    pub link: Link,
    /// Bytes of the payload as stored.
    pub length: usize,
    payload_crc: u32,
}

/// A frame as found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub head: FrameHead,
    said: &'a [u8],
    packed: &'a [u8],
}

/// Why the bytes at an offset are no frame that belongs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameFlaw {
    #[error("the frame is cut off")]
    CutOff,
    #[error("the frame is damaged")]
    Damaged,
    #[error("the frame was altered, or one before it was removed or inserted")]
    Altered,
}

/// Bytes of a head that the link covers.
const SAID: usize = 22;

impl FrameHead {
    /// The head in the first [`FRAME_HEAD`] of `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, FrameFlaw> {
        let (head, _) = bytes.split_at_checked(FRAME_HEAD).ok_or(FrameFlaw::CutOff)?;
        let (covered, own_crc) = head.split_at(FRAME_HEAD - 4);
        if Fields(own_crc).u32() != checksum(&[covered]) {
            // A file system may lengthen a file before it writes the data: then zeros follow the last good frame.
            let never_written = bytes.iter().all(|byte| *byte == 0);
            return Err(if never_written {
                FrameFlaw::CutOff
            } else {
                FrameFlaw::Damaged
            });
        }
        let mut fields = Fields(covered);
        let length = fields.u32() as usize;
        let [kind, packing] = fields.array();
        let kind = match kind {
            1 => Kind::Entry,
            2 => Kind::Outage,
            _ => return Err(FrameFlaw::Damaged),
        };
        let packing = match packing {
            0 => Packing::Plain,
            1 => Packing::Alone,
            2 => Packing::AfterPrevious,
            _ => return Err(FrameFlaw::Damaged),
        };
        let (from_ms, to_ms) = (fields.i64(), fields.i64());
        let (link, payload_crc) = (fields.array(), fields.u32());
        if length > MAX_PAYLOAD {
            return Err(FrameFlaw::Damaged);
        }
        Ok(Self {
            kind,
            packing,
            from_ms,
            to_ms,
            link,
            length,
            payload_crc,
        })
    }
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes`, and what follows it. Whether it belongs there, [`Frame::follows`] tells.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), FrameFlaw> {
        let head = FrameHead::parse(bytes)?;
        let (first, rest) = bytes.split_at_checked(FRAME_HEAD).ok_or(FrameFlaw::CutOff)?;
        let (packed, rest) = rest.split_at_checked(head.length).ok_or(FrameFlaw::CutOff)?;
        if head.payload_crc != checksum(&[packed]) {
            return Err(if rest.is_empty() {
                FrameFlaw::CutOff
            } else {
                FrameFlaw::Damaged
            });
        }
        let said = first.get(..SAID).unwrap_or_default();
        Ok((Self { head, said, packed }, rest))
    }

    /// Whether the frame comes after `previous` in the chain.
    pub(super) fn follows(&self, previous: &Link) -> bool {
        self.head.link == next_link(previous, &[self.said, self.packed])
    }

    /// Bytes of the frame in its file.
    pub(super) const fn stored_len(&self) -> usize {
        FRAME_HEAD + self.packed.len()
    }

    /// The payload as it was appended; `previous` is the entry before it in the segment, empty for the first.
    pub(super) fn unpack(&self, previous: &[u8]) -> Result<Vec<u8>, FrameFlaw> {
        if self.head.packing == Packing::Plain {
            return Ok(self.packed.to_vec());
        }
        let (size, block) = lz4_flex::block::uncompressed_size(self.packed).map_err(|_| FrameFlaw::Damaged)?;
        if size > MAX_PAYLOAD {
            return Err(FrameFlaw::Damaged);
        }
        let dictionary = if self.head.packing == Packing::AfterPrevious {
            previous
        } else {
            &[]
        };
        lz4_flex::block::decompress_with_dict(block, size, dictionary).map_err(|_| FrameFlaw::Damaged)
    }
}

/// The bytes of a frame, and the chain's state after it. `previous_entry` is the dictionary, empty for none; without it
/// the payload is left as it is.
pub(super) fn frame(
    kind: Kind,
    (from_ms, to_ms): (i64, i64),
    payload: &[u8],
    previous_entry: Option<&[u8]>,
    previous: &Link,
) -> (Vec<u8>, Link) {
    let packed = match previous_entry {
        None => (Packing::Plain, Vec::new()),
        Some([]) => (Packing::Alone, lz4_flex::block::compress_prepend_size(payload)),
        Some(entry) => (
            Packing::AfterPrevious,
            lz4_flex::block::compress_prepend_size_with_dict(payload, entry),
        ),
    };
    let (packing, stored) = if packed.0 != Packing::Plain && packed.1.len() < payload.len() {
        (packed.0, packed.1.as_slice())
    } else {
        (Packing::Plain, payload)
    };

    let mut bytes = Vec::with_capacity(FRAME_HEAD + stored.len());
    bytes.extend(u32::try_from(stored.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend([kind as u8, packing as u8]);
    bytes.extend(from_ms.to_le_bytes());
    bytes.extend(to_ms.to_le_bytes());
    let link = next_link(previous, &[&bytes, stored]);
    let payload_crc = checksum(&[stored]).to_le_bytes();
    let head_crc = checksum(&[&bytes, &link, &payload_crc]).to_le_bytes();
    bytes.extend(link);
    bytes.extend(payload_crc);
    bytes.extend(head_crc);
    bytes.extend(stored);
    (bytes, link)
}

/// What stands at the start of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHead {
    /// Number of the segment, from 1.
    pub sequence: u64,
    /// Wall time of its first entry, ms.
    pub start_ms: i64,
    /// The chain's state at the end of the segment before it.
    pub previous: Link,
}

impl SegmentHead {
    /// The header's bytes, and the chain's state after it.
    pub(super) fn to_bytes(self) -> (Vec<u8>, Link) {
        let mut bytes = Vec::with_capacity(SEGMENT_HEAD);
        bytes.extend(MAGIC);
        bytes.extend(self.sequence.to_le_bytes());
        bytes.extend(self.start_ms.to_le_bytes());
        bytes.extend(self.previous);
        let link = next_link(&self.previous, &[&bytes]);
        bytes.extend(checksum(&[&bytes]).to_le_bytes());
        (bytes, link)
    }

    /// The header at the start of a segment, the chain's state after it, and what follows.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, Link, &[u8]), FrameFlaw> {
        let (head, rest) = bytes.split_at_checked(SEGMENT_HEAD).ok_or(FrameFlaw::CutOff)?;
        let (said, crc) = head.split_at(SEGMENT_HEAD - 4);
        let mut fields = Fields(said);
        if &fields.array() != MAGIC || Fields(crc).u32() != checksum(&[said]) {
            return Err(FrameFlaw::Damaged);
        }
        let (sequence, start_ms, previous) = (fields.u64(), fields.i64(), fields.array());
        Ok((
            Self {
                sequence,
                start_ms,
                previous,
            },
            next_link(&previous, &[said]),
            rest,
        ))
    }
}

/// Reads fixed fields from bytes whose length was checked; answers zeros beyond their end.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk() else {
            return [0; N];
        };
        self.0 = rest;
        *field
    }
    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }
    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for part in parts {
        crc.update(part);
    }
    crc.finalize()
}

fn next_link(previous: &Link, parts: &[&[u8]]) -> Link {
    let mut hash = Sha256::new();
    hash.update(previous);
    for part in parts {
        hash.update(part);
    }
    let mut link = Link::default();
    link.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    link
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Link = [7; 16];

    proptest! {
        #[test]
        fn a_frame_reads_back(payload in prop::collection::vec(0_u8..4, 0..400), before in prop::collection::vec(0_u8..4, 0..400)) {
            let (bytes, link) = frame(Kind::Entry, (-5, 9), &payload, Some(&before), &START);
            let (found, rest) = Frame::parse(&bytes).unwrap();
            prop_assert_eq!((found.head.kind, found.head.from_ms, found.head.to_ms, found.head.link), (Kind::Entry, -5, 9, link));
            prop_assert!(found.follows(&START) && rest.is_empty());
            prop_assert_eq!(found.unpack(&before).unwrap(), payload);
        }

        #[test]
        fn any_changed_bit_is_found(payload in prop::collection::vec(any::<u8>(), 1..60), at in any::<prop::sample::Index>(), bit in 0..8) {
            let (mut bytes, _) = frame(Kind::Entry, (1, 2), &payload, Some(&[]), &START);
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(Frame::parse(&bytes).is_err());
        }

        #[test]
        fn no_bytes_make_a_frame_or_a_header_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Frame::parse(&bytes).is_err());
            prop_assert!(SegmentHead::parse(&bytes).is_err());
        }
    }

    #[test]
    fn an_altered_frame_with_fresh_checksums_breaks_the_chain() {
        let (_, after_first) = frame(Kind::Entry, (0, 0), b"flow 480", None, &START);
        let (second, _) = frame(Kind::Entry, (1, 1), b"flow 481", None, &after_first);
        let (forged, after_forged) = frame(Kind::Entry, (0, 0), b"flow 999", None, &START);
        assert!(Frame::parse(&forged).unwrap().0.follows(&START));
        let second = Frame::parse(&second).unwrap().0;
        assert!(second.follows(&after_first));
        assert!(!second.follows(&after_forged), "the first was altered");
        assert!(!second.follows(&START), "the first was removed");
    }

    #[test]
    fn what_was_never_fully_written_is_cut_off_and_what_rotted_is_damaged() {
        let (whole, _) = frame(Kind::Entry, (0, 0), &[1, 2, 3, 4], None, &START);
        for length in 0..whole.len() {
            assert_eq!(Frame::parse(&whole[..length]).unwrap_err(), FrameFlaw::CutOff);
        }
        assert_eq!(Frame::parse(&[0; 100]).unwrap_err(), FrameFlaw::CutOff);
        let mut rotten = whole.clone();
        rotten[2] ^= 1; // a length beyond the end of the file
        assert_eq!(Frame::parse(&rotten).unwrap_err(), FrameFlaw::Damaged);
    }

    #[test]
    fn a_segment_head_reads_back() {
        let head = SegmentHead {
            sequence: 3,
            start_ms: 1_700_000_000_000,
            previous: START,
        };
        let (mut bytes, link) = head.to_bytes();
        bytes.extend(b"rest");
        assert_eq!(SegmentHead::parse(&bytes), Ok((head, link, b"rest".as_slice())));
    }
}
