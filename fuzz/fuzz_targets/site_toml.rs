//! Any text as a site's file: a checked site, or every mistake with a place and a sentence.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match isotherm::site::load::parse("fuzz.toml", text) {
    Ok(site) => {
        assert!(!site.name.is_empty() && site.limits_hash.len() == 64);
        for spec in &site.points {
            if let Some(write) = spec.write {
                assert!(write.min < write.max && (write.min..=write.max).contains(&write.release), "{}", spec.tag);
            }
        }
    }
    Err(mistakes) => assert!(mistakes.iter().all(|mistake| !mistake.message.is_empty()) && !mistakes.is_empty()),
});
