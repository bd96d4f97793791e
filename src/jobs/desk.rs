//! All that is known of jobs, kept up to date by the cycles.

use super::curve::Curves;
use super::duel::Duel;
use super::meter::Meter;
use super::outlook::{JobOutlook, Outlooks};
use super::profile::Profile;
use super::run_time::RunTimes;
use crate::forecast::{GpuPower, JobModel, Recent};
use crate::ledger::Totals;
use crate::site::Site;
use crate::snapshot::{FinishedJob, Job, JobState, Now};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a cycle shows of jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    /// When.
    pub now: Now,
    /// The queue; `None` where it is lost.
    pub queue: Option<Vec<Job>>,
    /// Each rack's good power reading, kW.
    pub rack_kw: Vec<Option<f64>>,
    /// The ledger's counters since it began.
    pub total: Totals,
}

/// Everything of this room together.
#[derive(Debug, Clone)]
pub struct Desk {
    site: Arc<Site>,
    model: Arc<JobModel>,
    recent: Recent,
    meter: Meter,
    run_times: RunTimes,
    profile: Profile,
    /// The model that is tried beside the one in use.
    pub duel: Option<Duel>,
    /// Predicted once for a job, W per GPU.
    predicted: BTreeMap<String, GpuPower>,
}

impl Desk {
    /// A desk for a site and the model in use.
    pub fn new(site: Arc<Site>, model: Arc<JobModel>) -> Self {
        Self {
            meter: Meter::new(&site),
            site,
            model,
            recent: Recent::default(),
            run_times: RunTimes::default(),
            profile: Profile::default(),
            duel: None,
            predicted: BTreeMap::new(),
        }
    }

    /// Another model is in use from now on.
    pub fn change_model(&mut self, model: Arc<JobModel>) {
        self.model = model;
        self.predicted.clear();
        self.duel = None;
    }

    /// Takes in a job that finished earlier, oldest first: after a restart.
    pub fn remember(&mut self, finished: &FinishedJob) {
        self.recent.learn(&self.model, finished);
        let run_s = finished.end_ms.saturating_sub(finished.start_ms) as f64 / 1000.0;
        self.run_times.learn(&as_job(finished), run_s);
    }

    /// Takes in a cycle; answers the jobs that finished with known power.
    pub fn observe(&mut self, sight: &Sight) -> Vec<FinishedJob> {
        let now = sight.now;
        self.profile.observe(&sight.total, now.local_hour());
        if let Some(queue) = &sight.queue {
            self.predict(queue);
        }
        let predicted = &self.predicted;
        let weight_w = |job: &Job| predicted.get(&job.id).map_or(1.0, |power| power.mean_w);
        let queue = sight.queue.as_deref();
        let over = self.meter.observe(&self.site, queue, &sight.rack_kw, weight_w, now);
        let mut learned = Vec::new();
        for (job, run_ms, finished) in over {
            self.run_times.learn(&job, run_ms as f64 / 1000.0);
            if let Some(duel) = &mut self.duel {
                duel.ended(&job.id, finished.as_ref());
            }
            if let Some(finished) = finished {
                self.recent.learn(&self.model, &finished);
                learned.push(finished);
            }
        }
        learned
    }

    /// Predictions for jobs that are new, and the challenger's word on those that start.
    fn predict(&mut self, queue: &[Job]) {
        for job in queue {
            if !self.predicted.contains_key(&job.id) {
                self.predicted
                    .insert(job.id.clone(), self.recent.predict(&self.model, job));
            }
            if let (JobState::Running { .. }, Some(duel)) = (job.state, &mut self.duel)
                && self.meter.job(&job.id).is_none()
            {
                duel.started(job, &self.model, &self.recent);
            }
        }
        if self.predicted.len() > 2 * queue.len() + 64 {
            let live: std::collections::BTreeSet<&str> = queue.iter().map(|job| job.id.as_str()).collect();
            self.predicted.retain(|id, _| live.contains(id.as_str()));
        }
    }

    /// The outlook of every job of a queue.
    pub fn outlooks(&self, queue: &[Job], now: Now) -> Outlooks {
        let curves = self.curves(now);
        let outlook = |job: &Job| self.outlook(job, &curves, now);
        Outlooks {
            wall_ms: now.wall_ms,
            jobs: queue.iter().map(outlook).collect(),
            curves,
        }
    }

    /// The outlook of one job, in the queue or only thought of.
    pub fn outlook(&self, job: &Job, curves: &Curves, now: Now) -> JobOutlook {
        let power = self.predicted.get(&job.id).copied();
        let power = power.unwrap_or_else(|| self.recent.predict(&self.model, job));
        let gpus = f64::from(job.gpus) / 1000.0;
        let age_s = match job.state {
            JobState::Running { start_ms } => now.wall_ms.saturating_sub(start_ms).max(0) as f64 / 1000.0,
            JobState::Starting { .. } | JobState::Pending { .. } => 0.0,
        };
        let run_s = self.run_times.expect(job, age_s);
        let metered = self.meter.job(&job.id);
        JobOutlook::new(
            job,
            (gpus * power.mean_w, gpus * power.peak_w),
            run_s,
            metered,
            curves,
            now,
        )
    }

    /// The site's curves as measured so far.
    pub fn curves(&self, now: Now) -> Curves {
        Curves::new(&self.site, &self.profile, now)
    }

    /// Takes in the ledger's counters alone: what an earlier run measured.
    pub fn measured(&mut self, total: &Totals, local_hour: f64) {
        self.profile.observe(total, local_hour);
    }
}

fn as_job(finished: &FinishedJob) -> Job {
    Job {
        id: finished.id.clone(),
        state: JobState::Running {
            start_ms: finished.start_ms,
        },
        user: finished.user.clone(),
        account: finished.account.clone(),
        name: finished.name.clone(),
        partition: finished.partition.clone(),
        gpus: finished.gpus,
        node_count: finished.nodes,
        nodes: Vec::new(),
        submit_ms: finished.submit_ms,
        time_limit_s: finished.time_limit_s,
    }
}
