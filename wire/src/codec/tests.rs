use super::*;
use crate::embedded;
use crate::profile::{Access, Table};
use proptest::prelude::*;
use thermo::Unit;

fn point(raw: Raw, scale: f64, offset: f64) -> Point {
    Point {
        name: "p".into(),
        unit: Unit::Celsius,
        scale,
        offset,
        access: Access::ReadWrite,
        place: Place::Register(Register {
            table: Table::Holding,
            address: 0,
            raw,
            words: WordOrder::HighFirst,
            bytes: Order::HighFirst,
            sentinels: vec![],
        }),
        min: f64::MIN,
        max: f64::MAX,
    }
}

fn ordered(mut point: Point, words: WordOrder, bytes: Order) -> Point {
    if let Place::Register(register) = &mut point.place {
        register.words = words;
        register.bytes = bytes;
    }
    point
}

/// An OEM CDU writes raw = 3000 + value / precision.
#[test]
fn offset_register_vectors() {
    for (value, precision, raw) in [(25.5, 0.1, 3255), (75.0, 1.0, 3075), (30.0, 0.1, 3300)] {
        let point = point(Raw::U16, precision, -3000.0 * precision);
        assert_eq!(encode(&point, value), Ok(vec![raw]));
        assert!((decode(&point, &[raw]).unwrap() - value).abs() < 1e-9);
    }
}

#[test]
fn word_and_byte_orders() {
    let float = point(Raw::F32, 1.0, 0.0);
    // 25.5 is 0x41CC0000.
    assert_eq!(encode(&float, 25.5), Ok(vec![0x41CC, 0x0000]));
    assert_eq!(
        encode(&ordered(float.clone(), WordOrder::LowFirst, Order::HighFirst), 25.5),
        Ok(vec![0x0000, 0x41CC])
    );
    assert_eq!(
        encode(&ordered(float, WordOrder::HighFirst, Order::LowFirst), 25.5),
        Ok(vec![0xCC41, 0x0000])
    );
}

/// A number whose four words all differ.
#[test]
fn every_word_order_of_a_long_value() {
    let double = point(Raw::F64, 1.0, 0.0);
    for (order, words) in [
        (WordOrder::HighFirst, [0x3FF1, 0x9999, 0x9998, 0x999A]),
        (WordOrder::LowFirst, [0x999A, 0x9998, 0x9999, 0x3FF1]),
        (WordOrder::PairsSwapped, [0x9999, 0x3FF1, 0x999A, 0x9998]),
        (WordOrder::HalvesSwapped, [0x9998, 0x999A, 0x3FF1, 0x9999]),
    ] {
        let value = f64::from_bits(0x3FF1_9999_9998_999A);
        let double = ordered(double.clone(), order, Order::HighFirst);
        assert_eq!(encode(&double, value), Ok(words.to_vec()), "{order:?}");
        assert_eq!(decode(&double, &words), Ok(value), "{order:?}");
    }
}

#[test]
fn parts_of_a_register() {
    let mode = point(Raw::Field(4, 7), 1.0, 0.0);
    assert_eq!(decode(&mode, &[0xAB5C]), Ok(5.0));
    assert_eq!(encode(&mode, 5.0), Ok(vec![0x0050]));
    assert!(encode(&mode, 16.0).is_err());
    let alarm = point(Raw::AnyOf(0x0006), 1.0, 0.0);
    assert_eq!(
        (decode(&alarm, &[0xFFF9]), decode(&alarm, &[0x0004])),
        (Ok(0.0), Ok(1.0))
    );
    let healthy = point(Raw::BitOf(3), -1.0, 1.0);
    assert_eq!(
        decode(&healthy, &[0x0008]),
        Ok(0.0),
        "a bit that says that all is well, turned into an alarm"
    );
}

#[test]
fn sentinels_nan_short_answers_and_implausible_values_are_errors() {
    let mut short = point(Raw::I16, 0.1, 0.0);
    if let Place::Register(register) = &mut short.place {
        register.sentinels = vec![0x8000];
    }
    (short.min, short.max) = (-40.0, 120.0);
    assert_eq!(decode(&short, &[0x8000]), Err(DecodeError::NoValue));
    assert_eq!(decode(&short, &[]), Err(DecodeError::Malformed));
    assert!(matches!(decode(&short, &[2000]), Err(DecodeError::OutOfRange { .. })));
    assert_eq!(
        decode(&point(Raw::F32, 1.0, 0.0), &[0x7FC0, 0]),
        Err(DecodeError::NoValue)
    );
}

#[test]
fn what_does_not_fit_is_refused_with_the_range() {
    let point = point(Raw::U16, 0.1, 0.0);
    assert!(encode(&point, f64::NAN).is_err());
    let error = encode(&point, -1.0).unwrap_err().to_string();
    assert_eq!(error, "-1 does not fit: the register holds 0 to 6553.5");
}

#[test]
fn a_value_that_means_no_value_is_not_sent() {
    let mut point = point(Raw::U16, 0.1, 0.0);
    if let Place::Register(register) = &mut point.place {
        register.sentinels = vec![0xFFFF];
    }
    assert_eq!(encode(&point, 6553.5), Err(EncodeError::Sentinel(6553.5)));
    assert_eq!(encode(&point, 6553.4), Ok(vec![0xFFFE]));
}

/// -39.8 degF in tenths comes back 7e-15 K below the bound.
#[test]
fn a_bound_is_plausible_however_it_is_rounded() {
    let mut point = point(Raw::I16, 0.1 * (5.0 / 9.0), -160.0 / 9.0);
    (point.min, point.max) = (-39.8 * (5.0 / 9.0) - 160.0 / 9.0, 100.0);
    let words = encode(&point, point.min).unwrap();
    assert_eq!(decode(&point, &words), Ok(point.min));
    let below = words.iter().map(|word| word - 1).collect::<Vec<_>>();
    assert!(matches!(decode(&point, &below), Err(DecodeError::OutOfRange { .. })));
}

/// Every plausible value of every register that the product knows can be sent and comes back.
#[test]
fn embedded_profiles_carry_their_whole_range() {
    for (name, _) in embedded::PROFILES {
        for point in &embedded::profile(name).unwrap().points {
            if !matches!(point.place, Place::Register(_)) {
                continue;
            }
            for step in 0..=64 {
                let value = point.min + (point.max - point.min) * f64::from(step) / 64.0;
                let words = encode(point, value).unwrap_or_else(|error| panic!("{name} {}: {error}", point.name));
                let back = decode(point, &words).unwrap_or_else(|error| panic!("{name} {}: {error}", point.name));
                let float = f64::from(f32::EPSILON) * value.abs();
                let tolerance = (0.5 * resolution(point)).max(float) * (1.0 + 1e-6);
                assert!(
                    (back - value).abs() <= tolerance,
                    "{name} {}: {value} as {back}",
                    point.name
                );
            }
        }
    }
}

#[test]
fn one_bit_of_a_register() {
    assert_eq!(decode(&point(Raw::BitOf(3), 1.0, 0.0), &[0b1000]), Ok(1.0));
    assert_eq!(decode(&point(Raw::BitOf(3), 1.0, 0.0), &[0b0111]), Ok(0.0));
    assert_eq!(encode(&point(Raw::BitOf(3), 1.0, 0.0), 1.0), Ok(vec![0b1000]));
}

fn raws() -> impl Strategy<Value = Raw> {
    prop_oneof![
        Just(Raw::U16),
        Just(Raw::I16),
        Just(Raw::U32),
        Just(Raw::I32),
        Just(Raw::U64),
        Just(Raw::I64),
        Just(Raw::F32),
        Just(Raw::F64),
    ]
}

fn word_orders() -> impl Strategy<Value = WordOrder> {
    prop_oneof![
        Just(WordOrder::HighFirst),
        Just(WordOrder::LowFirst),
        Just(WordOrder::PairsSwapped),
        Just(WordOrder::HalvesSwapped),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_within_the_resolution(
        raw in raws(), value in 0.0..3000.0f64, words in word_orders(), swap_bytes: bool,
    ) {
        let order = |swap| if swap { Order::LowFirst } else { Order::HighFirst };
        let point = ordered(point(raw, 0.1, -20.0), words, order(swap_bytes));
        let words = encode(&point, value).unwrap();
        prop_assert_eq!(words.len(), usize::from(raw.registers()));
        let back = decode(&point, &words).unwrap();
        prop_assert!((back - value).abs() <= 0.0501, "{} came back as {}", value, back);
    }

    #[test]
    fn any_words_decode_without_a_panic(raw in raws(), words in proptest::collection::vec(any::<u16>(), 0..6)) {
        if let Ok(value) = decode(&point(raw, 0.1, 0.0), &words) {
            prop_assert!(value.is_finite());
        }
    }
}
