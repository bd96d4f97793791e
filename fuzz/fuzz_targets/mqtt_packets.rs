//! Any bytes as a broker's packets, of both versions.
#![no_main]
use isotherm::fuzzing::mqtt_packets;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| mqtt_packets(bytes));
