//! Any topic and message of the DSX Exchange bus.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wire::{Profile, dsx};

static CDU: LazyLock<Profile> = LazyLock::new(|| wire::embedded::profile("dsx-cdu").expect("it is embedded"));

fuzz_target!(|bytes: &[u8]| {
    let (topic, payload) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let topic = format!("BMS/v1/PUB/Metadata/{}", String::from_utf8_lossy(topic));
    if let Ok(metadata) = dsx::metadata(&topic, payload) {
        assert!(topic.ends_with(&metadata.tail));
        if let Some(ours) = metadata.integration_topic("US") {
            assert!(ours.starts_with("BMS/v1/US/Value/"));
        }
        for (index, _) in dsx::points(&CDU, &metadata) {
            let _conversion = dsx::conversion(&CDU.points[index], &metadata.unit);
        }
    }
    if let Ok(reading) = dsx::reading(payload) {
        for point in &CDU.points {
            if let Ok(value) = dsx::decode(point, &reading, (1.0, 0.0)) {
                assert!((point.min..=point.max).contains(&value));
            }
        }
    }
});
