//! Any bytes as a device's answer: the TCP and RTU decoders that the field uses, read by the field's own session.
#![no_main]
use isotherm::fuzzing::modbus_answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| modbus_answer(bytes));
