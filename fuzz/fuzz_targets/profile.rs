//! Any text as a profile: parsed, or mistakes with their lines; what parses can be planned.
#![no_main]
use libfuzzer_sys::fuzz_target;
use wire::{Profile, plan};

fuzz_target!(|text: &str| {
    match Profile::parse(text, "fuzz.toml") {
        Ok(profile) => {
            for block in plan::blocks(&profile) {
                assert!(block.count > 0 && !block.points.is_empty());
            }
        }
        Err(mistakes) => assert!(!mistakes.is_empty()),
    }
});
