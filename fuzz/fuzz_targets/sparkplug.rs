//! Any bytes as a Sparkplug B payload; what decodes is encoded and decoded again to the same.
#![no_main]
use libfuzzer_sys::fuzz_target;
use wire::sparkplug;

fuzz_target!(|bytes: &[u8]| {
    let Ok(payload) = sparkplug::decode(bytes) else { return };
    for metric in &payload.metrics {
        let _number = metric.number(Some(3));
    }
    let again = sparkplug::decode(&sparkplug::encode(&payload)).expect("what was encoded decodes");
    assert_eq!(again.metrics.len(), payload.metrics.len());
});
