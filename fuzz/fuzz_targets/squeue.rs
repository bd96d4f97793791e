//! Any bytes as a queue document of Slurm.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(jobs) = isotherm::workload::slurm::parse(bytes) {
        assert!(jobs.iter().all(|job| !job.id.is_empty() && job.time_limit_s.is_finite() && job.time_limit_s >= 0.0));
    }
});
