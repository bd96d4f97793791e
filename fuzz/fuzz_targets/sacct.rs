//! Any text as an accounting document of Slurm.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(jobs) = isotherm::workload::finished::parse(text, &jiff::tz::TimeZone::UTC) {
        assert!(jobs.iter().all(|job| job.gpus >= 1 && job.mean_gpu_w.is_finite() && job.end_ms >= job.start_ms));
    }
});
