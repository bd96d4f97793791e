//! Finished jobs of the built-in generator: training data when no site's accounting is at hand.

use super::world::{WorldError, cluster};
use crate::site::Site;
use crate::snapshot::FinishedJob;
use simulators::jobs::{Generator, Scheduler, Source};

/// Wall time of the generator's time 0: 2026-01-01 UTC, ms.
const EPOCH_MS: i64 = 1_767_225_600_000;

/// Step of the scheduler, s.
const STEP_S: f64 = 10.0;

/// The first `count` jobs that finish on the site's nodes, submitted by the users of `seed`.
pub fn synthetic_history(site: &Site, seed: u64, count: usize) -> Result<Vec<FinishedJob>, WorldError> {
    let cluster = cluster(site)?;
    let generator = Generator::new(cluster.gpus(), cluster.gpus_per_node(), seed);
    let mut scheduler = Scheduler::new(cluster, Source::Generated(Box::new(generator)));
    let mut elapsed_s = 0.0;
    while scheduler.history().len() < count {
        scheduler.advance(STEP_S, (elapsed_s / 3600.0) % 24.0);
        elapsed_s += STEP_S;
        // Nobody listens: without this the events would pile up to their bound.
        drop(scheduler.take_events());
    }
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a simulated history")]
    let wall = |s: f64| EPOCH_MS + (s * 1000.0).round() as i64;
    let jobs = scheduler.history().iter().take(count).map(|job| FinishedJob {
        id: job.id.to_string(),
        user: job.user.clone(),
        account: job.account.clone(),
        name: job.name.clone(),
        partition: job.partition.clone(),
        gpus: job.gpus,
        nodes: job.nodes,
        time_limit_s: job.time_limit_s,
        submit_ms: wall(job.submit_s),
        start_ms: wall(job.start_s),
        end_ms: wall(job.end_s),
        mean_gpu_w: job.mean_gpu_w,
        peak_gpu_w: job.peak_gpu_w,
        ramp_s: job.ramp_s,
    });
    Ok(jobs.collect())
}
