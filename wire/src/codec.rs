//! Registers to values and back.
//!
//! Whatever a device sends is hostile until checked: too few registers, sentinels, NaN and values
//! outside the point's plausible range are typed errors.

#![deny(clippy::indexing_slicing)]

use crate::profile::{Order, Place, Point, Raw, Register, WordOrder};

/// Why registers hold no usable value.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The device says that it has no value: a sentinel, NaN or infinity, or JSON null.
    #[error("the device has no value")]
    NoValue,
    /// The value is outside the point's plausible range.
    #[error("{value} is outside the point's plausible range")]
    OutOfRange {
        /// The value, canonical unit.
        value: f64,
    },
    /// Fewer registers than the value needs, or a payload field of another kind.
    #[error("the answer is too short or of another kind than the profile says")]
    Malformed,
}

/// Why a value cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// The value is NaN or infinite.
    #[error("{0} is not a finite number")]
    NotFinite(f64),
    /// The value does not fit into the register's type at its scale.
    #[error("{value} does not fit: the register holds {low} to {high}")]
    DoesNotFit {
        /// The value, canonical unit.
        value: f64,
        /// Smallest value that fits.
        low: f64,
        /// Largest value that fits.
        high: f64,
    },
    /// The device would read the value as "no value".
    #[error("{0} is what the device sends for \"no value\"")]
    Sentinel(f64),
    /// The point is not in registers.
    #[error("the point is not in registers")]
    NotARegister,
}

impl Raw {
    /// Registers that a value takes; 1 for bits, which a bit table counts one by one.
    pub const fn registers(self) -> u16 {
        match self {
            Self::Bit | Self::BitOf(_) | Self::Field(..) | Self::AnyOf(_) | Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }

    /// Whether the value is a part of a register, whose other bits mean something else.
    pub const fn is_part(self) -> bool {
        matches!(self, Self::BitOf(_) | Self::Field(..) | Self::AnyOf(_))
    }

    /// Smallest and largest raw value.
    const fn range(self) -> (f64, f64) {
        match self {
            Self::Bit | Self::BitOf(_) | Self::AnyOf(_) => (0.0, 1.0),
            Self::Field(low, high) => (0.0, field_mask(low, high) as f64),
            Self::U16 => (0.0, u16::MAX as f64),
            Self::I16 => (i16::MIN as f64, i16::MAX as f64),
            Self::U32 => (0.0, u32::MAX as f64),
            Self::I32 => (i32::MIN as f64, i32::MAX as f64),
            // Beyond 2^53 an f64 no longer holds every integer; counters stay far below.
            Self::U64 => (0.0, 9_007_199_254_740_992.0),
            Self::I64 => (-9_007_199_254_740_992.0, 9_007_199_254_740_992.0),
            Self::F32 => (f32::MIN as f64, f32::MAX as f64),
            Self::F64 => (f64::MIN, f64::MAX),
        }
    }
}

/// The value of a point in its canonical unit, from its registers in the order in which the device sent them.
pub fn decode(point: &Point, words: &[u16]) -> Result<f64, DecodeError> {
    let Place::Register(register) = &point.place else {
        return Err(DecodeError::Malformed);
    };
    let count = usize::from(register.raw.registers());
    let words = words.get(..count).ok_or(DecodeError::Malformed)?;
    let bits = join(words, register);
    if register.sentinels.contains(&bits) {
        return Err(DecodeError::NoValue);
    }
    check(point, raw_value(register.raw, bits) * point.scale + point.offset)
}

/// The value of a point of a bit table.
pub fn decode_bit(point: &Point, bit: bool) -> Result<f64, DecodeError> {
    check(point, f64::from(u8::from(bit)) * point.scale + point.offset)
}

/// A decoded value where it is finite and plausible.
///
/// A bound counts as the register's step nearest to it, which rounding may put a trace outside: it reads as the bound.
pub(crate) fn check(point: &Point, value: f64) -> Result<f64, DecodeError> {
    let slack = 0.5 * resolution(point);
    if !value.is_finite() {
        Err(DecodeError::NoValue)
    } else if value < point.min - slack || value > point.max + slack {
        Err(DecodeError::OutOfRange { value })
    } else {
        Ok(value.max(point.min).min(point.max))
    }
}

/// The registers of a value, in the order in which the device takes them. A bit of a bit table is one word, 0 or 1.
///
/// The value is rounded to the register's resolution. A bit of a register comes with its neighbours at 0; a profile
/// refuses to make it writable, because they would be overwritten.
pub fn encode(point: &Point, value: f64) -> Result<Vec<u16>, EncodeError> {
    let Place::Register(register) = &point.place else {
        return Err(EncodeError::NotARegister);
    };
    if !value.is_finite() {
        return Err(EncodeError::NotFinite(value));
    }
    let raw = (value - point.offset) / point.scale;
    let (low, high) = register.raw.range();
    let float = matches!(register.raw, Raw::F32 | Raw::F64);
    let raw = if float { raw } else { raw.round() };
    if !(raw >= low && raw <= high) {
        let (a, b) = (low * point.scale + point.offset, high * point.scale + point.offset);
        return Err(EncodeError::DoesNotFit {
            value,
            low: a.min(b),
            high: a.max(b),
        });
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded and within the type's range, just checked"
    )]
    let bits = match register.raw {
        Raw::Bit | Raw::U16 | Raw::U32 | Raw::U64 => raw as u64,
        Raw::BitOf(bit) | Raw::Field(bit, _) => (raw as u64) << bit.min(15),
        Raw::AnyOf(mask) => raw as u64 * u64::from(mask),
        Raw::I16 => u64::from((raw as i16).cast_unsigned()),
        Raw::I32 => u64::from((raw as i32).cast_unsigned()),
        Raw::I64 => (raw as i64).cast_unsigned(),
        Raw::F32 => u64::from((raw as f32).to_bits()),
        Raw::F64 => raw.to_bits(),
    };
    if register.sentinels.contains(&bits) {
        return Err(EncodeError::Sentinel(value));
    }
    Ok(words(register, bits))
}

/// How far apart two neighbouring values of a point are on the wire, canonical unit; 0 for floats.
pub fn resolution(point: &Point) -> f64 {
    match &point.place {
        Place::Register(register) if !matches!(register.raw, Raw::F32 | Raw::F64) => point.scale.abs(),
        _ => 0.0,
    }
}

/// The largest number in the bits from `low` to `high` of a register.
const fn field_mask(low: u8, high: u8) -> u64 {
    let bits = if high < low { 1 } else { high - low + 1 };
    (1 << if bits > 16 { 16 } else { bits }) - 1
}

/// Where the words of a value stand, the most significant first: each order is its own reverse.
fn place_of(order: WordOrder, index: usize, count: usize) -> usize {
    match order {
        WordOrder::HighFirst => index,
        WordOrder::LowFirst => (count - 1) - index,
        WordOrder::PairsSwapped => (index ^ 1).min(count - 1),
        WordOrder::HalvesSwapped => (index + count / 2) % count,
    }
}

/// The words of a value, put together with the most significant first.
fn join(words: &[u16], register: &Register) -> u64 {
    (0..words.len())
        .filter_map(|index| words.get(place_of(register.words, index, words.len())))
        .map(|word| in_order(*word, register.bytes))
        .fold(0, |bits, word| bits << 16 | u64::from(word))
}

const fn in_order(word: u16, bytes: Order) -> u16 {
    match bytes {
        Order::HighFirst => word,
        Order::LowFirst => word.swap_bytes(),
    }
}

/// The registers of a raw value, in the order in which the device has them.
pub fn words(register: &Register, bits: u64) -> Vec<u16> {
    let count = usize::from(register.raw.registers());
    (0..count)
        .map(|index| {
            let rank = count - 1 - place_of(register.words, index, count);
            #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are wanted")]
            let word = (bits >> (16 * rank)) as u16;
            in_order(word, register.bytes)
        })
        .collect()
}

fn raw_value(raw: Raw, bits: u64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the value was joined from exactly the type's registers"
    )]
    match raw {
        Raw::Bit | Raw::U16 | Raw::U32 | Raw::U64 => bits as f64,
        Raw::BitOf(bit) => ((bits >> u32::from(bit.min(15))) & 1) as f64,
        Raw::Field(low, high) => ((bits >> u32::from(low.min(15))) & field_mask(low, high)) as f64,
        Raw::AnyOf(mask) => f64::from(u8::from(bits & u64::from(mask) != 0)),
        Raw::I16 => f64::from((bits as u16).cast_signed()),
        Raw::I32 => f64::from((bits as u32).cast_signed()),
        Raw::I64 => bits.cast_signed() as f64,
        Raw::F32 => f64::from(f32::from_bits(bits as u32)),
        Raw::F64 => f64::from_bits(bits),
    }
}

#[cfg(test)]
mod tests;
