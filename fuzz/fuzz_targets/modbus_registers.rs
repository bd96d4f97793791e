//! Any registers through every embedded profile: a finite plausible value or an error, and what is encoded reads back.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wire::profile::Place;
use wire::{Profile, codec};

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let names = wire::embedded::PROFILES.iter().map(|(name, _)| *name);
    names.filter_map(wire::embedded::profile).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((which, rest)) = bytes.split_first() else { return };
    let words: Vec<u16> = rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let profile = &PROFILES[usize::from(*which) % PROFILES.len()];
    for point in &profile.points {
        if !matches!(point.place, Place::Register(_)) {
            continue;
        }
        if let Ok(value) = codec::decode(point, &words) {
            assert!(value.is_finite() && value >= point.min && value <= point.max);
            if let Ok(encoded) = codec::encode(point, value) {
                let back = codec::decode(point, &encoded).expect("what was encoded decodes");
                let tolerance = codec::resolution(point).max(value.abs() * 1e-6);
                assert!((back - value).abs() <= tolerance, "{value} came back as {back}");
            }
        }
    }
});
