//! Columns of whole numbers, packed to the bits that they need.
//!
//! A column is its first number, then blocks of up to [`BLOCK`] numbers. A block is packed in the smaller of two ways:
//! each number as its difference from the one before (a trend), or as its height over the block's smallest (noise
//! around a level). Its first byte is the bits of one number, the highest bit telling the way.

use super::column::Damaged;
use super::varint::{Reader, put_signed};

/// Numbers in a block.
const BLOCK: usize = 32;

/// In a block's first byte: heights over the smallest, which follows as its difference from the number before.
const HEIGHTS: u8 = 0x80;

/// Appends a column. Its length is for the caller to know.
pub(super) fn put(bytes: &mut Vec<u8>, numbers: &[i64]) {
    let Some((first, rest)) = numbers.split_first() else {
        return;
    };
    put_signed(bytes, *first);
    let mut last = *first;
    for block in rest.chunks(BLOCK) {
        let mut differences = [0_u64; BLOCK];
        let mut before = last;
        for (to, number) in differences.iter_mut().zip(block) {
            let difference = number.wrapping_sub(before);
            *to = (difference << 1 ^ difference >> 63).cast_unsigned();
            before = *number;
        }
        let smallest = block.iter().copied().min().unwrap_or_default();
        let mut heights = [0_u64; BLOCK];
        for (to, number) in heights.iter_mut().zip(block) {
            *to = number.wrapping_sub(smallest).cast_unsigned();
        }
        let (steep, high) = (width(&differences), width(&heights));
        let mut base = Vec::new();
        put_signed(&mut base, smallest.wrapping_sub(last));
        if packed_len(block.len(), steep) <= packed_len(block.len(), high) + base.len() {
            bytes.push(steep);
            pack(bytes, differences.get(..block.len()).unwrap_or_default(), steep);
        } else {
            bytes.push(high | HEIGHTS);
            bytes.extend(base);
            pack(bytes, heights.get(..block.len()).unwrap_or_default(), high);
        }
        last = before;
    }
}

/// Reads a column of `count` numbers.
pub(super) fn get(reader: &mut Reader<'_>, count: usize) -> Result<Vec<i64>, Damaged> {
    if count == 0 {
        return Ok(Vec::new());
    }
    // A block takes at least a byte: damage cannot ask for much memory.
    if count > (reader.0.len() + 1).saturating_mul(BLOCK) {
        return Err(Damaged);
    }
    let mut numbers = Vec::with_capacity(count);
    let mut last = reader.signed()?;
    numbers.push(last);
    while numbers.len() < count {
        let length = (count - numbers.len()).min(BLOCK);
        let head = reader.byte()?;
        let width = head & !HEIGHTS;
        if width > 64 {
            return Err(Damaged);
        }
        let base = if head & HEIGHTS == 0 {
            None
        } else {
            Some(last.wrapping_add(reader.signed()?))
        };
        let packed = reader.take(packed_len(length, width))?;
        unpack(packed, length, width, |number| {
            last = match base {
                Some(base) => base.wrapping_add(number.cast_signed()),
                None => last.wrapping_add((number >> 1).cast_signed() ^ -(number & 1).cast_signed()),
            };
            numbers.push(last);
        });
    }
    Ok(numbers)
}

fn width(numbers: &[u64]) -> u8 {
    let all = numbers.iter().fold(0, |all, number| all | number);
    u8::try_from(64 - all.leading_zeros()).unwrap_or(64)
}

const fn packed_len(count: usize, width: u8) -> usize {
    (count * width as usize).div_ceil(8)
}

fn pack(bytes: &mut Vec<u8>, numbers: &[u64], width: u8) {
    let (mut held, mut bits) = (0_u128, 0_u32);
    for number in numbers {
        held |= u128::from(*number) << bits;
        bits += u32::from(width);
        while bits >= 8 {
            let [low, ..] = held.to_le_bytes();
            bytes.push(low);
            held >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        let [low, ..] = held.to_le_bytes();
        bytes.push(low);
    }
}

fn unpack(packed: &[u8], count: usize, width: u8, mut take: impl FnMut(u64)) {
    let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
    // A number of up to 56 bits lies in the eight bytes from its first one on.
    let mut padded = [0_u8; BLOCK * 7 + 8];
    if width <= 56
        && let Some(front) = padded.get_mut(..packed.len())
    {
        front.copy_from_slice(packed);
        for index in 0..count {
            let bit = index * usize::from(width);
            let word = padded.get(bit / 8..).and_then(|bytes| bytes.first_chunk());
            take(word.map_or(0, |word| u64::from_le_bytes(*word) >> (bit % 8)) & mask);
        }
        return;
    }
    let (mut held, mut bits) = (0_u128, 0_u32);
    let mut bytes = packed.iter();
    for _ in 0..count {
        while bits < u32::from(width) {
            let Some(byte) = bytes.next() else { return };
            held |= u128::from(*byte) << bits;
            bits += 8;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
        take(held as u64 & mask);
        held >>= width;
        bits -= u32::from(width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn columns_read_back(numbers in prop::collection::vec(prop_oneof![any::<i64>(), -300_i64..300, Just(5)], 0..200)) {
            let mut bytes = Vec::new();
            put(&mut bytes, &numbers);
            let mut reader = Reader(&bytes);
            prop_assert_eq!(get(&mut reader, numbers.len()), Ok(numbers));
            prop_assert!(reader.0.is_empty());
        }

        #[test]
        fn damage_is_refused_or_read_but_asks_for_little(bytes in prop::collection::vec(any::<u8>(), 0..80), count in 0_usize..10_000_000) {
            if let Ok(numbers) = get(&mut Reader(&bytes), count) {
                prop_assert!(numbers.len() <= 81 * BLOCK);
            }
        }
    }

    #[test]
    fn a_level_with_noise_takes_the_bits_of_the_noise_and_a_constant_next_to_none() {
        let noise: Vec<i64> = (0..320_i64).map(|i| 2000 + (i * 7919) % 16).collect();
        let (mut noisy, mut constant) = (Vec::new(), Vec::new());
        put(&mut noisy, &noise);
        put(&mut constant, &[123_456; 320]);
        assert!(noisy.len() <= 2 + 10 * (2 + 16), "{} bytes", noisy.len());
        assert!(constant.len() <= 3 + 10, "{} bytes", constant.len());
    }
}
