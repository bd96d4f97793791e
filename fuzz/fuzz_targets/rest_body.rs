//! Any bytes as the body of a request: something that safety may judge, or a problem that says what to send.
#![no_main]
use isotherm::site::{Site, load_embedded};
use isotherm::snapshot::RequestKind;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SITE: LazyLock<Site> = LazyLock::new(|| load_embedded("demo").expect("it is embedded").expect("it is right"));

fuzz_target!(|bytes: &[u8]| match isotherm::api::read_request(&SITE, bytes) {
    Ok(request) => {
        if let RequestKind::Override { point, value, for_s } = request.kind {
            let write = SITE.spec(point).write.expect("only what is written is overridden");
            assert!((write.min..=write.max).contains(&value) && for_s > 0.0 && for_s <= SITE.safety.override_max_s);
        }
    }
    Err(problem) => assert!(!problem.is_empty()),
});
