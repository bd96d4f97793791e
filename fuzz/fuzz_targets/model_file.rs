//! Any bytes as a model's file, and as what lies behind its checksum: a sound model or an error.
#![no_main]
use isotherm::forecast::JobModel;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// What stands before the checksum.
static PREFIX: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let file = JobModel::nameplate().to_bytes().expect("the simplest model has a file");
    let start = (0..file.len().saturating_sub(32))
        .find(|at| Sha256::digest(&file[at + 32..]).as_slice() == &file[*at..at + 32])
        .expect("a file holds the checksum of what follows");
    file[..start].to_vec()
});

fuzz_target!(|bytes: &[u8]| {
    let _as_it_is = JobModel::from_bytes(bytes);
    let mended = [PREFIX.as_slice(), &Sha256::digest(bytes), bytes].concat();
    if let Ok(model) = JobModel::from_bytes(&mended) {
        assert!(model.to_bytes().is_ok());
    }
});
