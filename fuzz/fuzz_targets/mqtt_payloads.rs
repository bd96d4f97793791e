//! Any payload: JSON document, batch, plain number.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wire::{Profile, payload};

static RACK: LazyLock<Profile> = LazyLock::new(|| wire::embedded::profile("rack-mqtt").expect("it is embedded"));
static BATCH: LazyLock<Profile> = LazyLock::new(|| {
    let text = r#"
        [profile]
        description = "d"
        source = "s"
        [mqtt]
        payload = "batch"
        topic = "racks"
        items = "/a"
        device = "/i"
        timestamp = "/t"
        sequence = "/n"
        quality = "/q"
        [[point]]
        name = "power"
        unit = "kW"
        pointer = "/p"
        min = 0
        max = 100
    "#;
    Profile::parse(text, "batch").expect("it is right")
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(sample) = payload::decode(&RACK, bytes) {
        for (index, value) in sample.values {
            let point = &RACK.points[index];
            assert!(value.is_err() || value.is_ok_and(|value| (point.min..=point.max).contains(&value)));
        }
    }
    if let Ok(batch) = payload::decode_batch(&BATCH, bytes) {
        assert!(batch.len() <= 10_000);
    }
    for point in &RACK.points {
        if let Ok(value) = payload::decode_number(point, bytes) {
            assert!((point.min..=point.max).contains(&value));
        }
    }
});
