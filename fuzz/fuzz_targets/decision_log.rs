//! Any bytes as a segment of the decision log: verified or a flaw with its place; and as an entry behind the checksums.
#![no_main]
use isotherm::service::Entry;
use isotherm::store::{self, Store};
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;

static DIR: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = std::env::temp_dir().join(format!("isotherm-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("records")).expect("the temporary directory takes a directory");
    dir
});

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(DIR.join("records").join("00000001.log"), bytes).expect("the temporary directory takes a file");
    let _verified = store::verify(&DIR);
    if let Ok(records) = Store::records::<Entry>(&DIR) {
        for record in records.take(1000) {
            if record.is_err() {
                break;
            }
        }
    }
    let _entry = postcard::from_bytes::<Entry>(bytes);
});
