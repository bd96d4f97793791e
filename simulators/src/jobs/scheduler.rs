//! First come, first served, with backfill; the power of what runs; the queue, events and history.

use super::Source;
use super::cluster::{Cluster, Held, Part};
use super::job::{Job, PROLOG_S};
use super::record::{EventKind, FinishedJob, JobEvent, Phase, QueuedJob};
use std::sync::Arc;

#[derive(Debug, Clone)]
struct Running {
    job: Arc<Job>,
    start_s: f64,
    held: Vec<Held>,
    parts: Vec<Part>,
    nodes: Arc<[usize]>,
    /// Energy per GPU, J, and largest power, W.
    joules: f64,
    peak_w: f64,
    /// See [`FinishedJob::ramp_s`].
    ramp_s: Option<f64>,
}

impl Running {
    /// Latest end, by the time limit.
    fn limit_s(&self) -> f64 {
        self.start_s + self.job.time_limit_s
    }
}

/// The hall's scheduler with its jobs.
#[derive(Debug, Clone)]
pub struct Scheduler {
    cluster: Cluster,
    source: Source,
    now_s: f64,
    pending: Vec<Arc<Job>>,
    running: Vec<Running>,
    history: Vec<FinishedJob>,
    events: Vec<JobEvent>,
    revision: u64,
    rack_kw: Vec<f64>,
}

/// How many waiting jobs are looked at for backfill and expected starts.
const DEPTH: usize = 100;
/// Events kept for a reader that does not come.
const EVENTS: usize = 10_000;

impl Scheduler {
    /// A scheduler that starts with an empty hall at time 0.
    pub fn new(cluster: Cluster, source: Source) -> Self {
        let rack_kw = cluster.racks().iter().map(|rack| rack.idle_kw).collect();
        Self {
            cluster,
            source,
            now_s: 0.0,
            pending: Vec::new(),
            running: Vec::new(),
            history: Vec::new(),
            events: Vec::new(),
            revision: 0,
            rack_kw,
        }
    }

    /// Runs for `dt_s` seconds; `hour` is the hour of the day (0 to 24). Start and end of jobs fall on these steps: ten
    /// seconds or less keep ramps true.
    pub fn advance(&mut self, dt_s: f64, hour: f64) {
        let ended = self.end_jobs();
        let submitted = self.take_submissions();
        if ended || submitted {
            self.start_jobs();
        }
        let prepared = |running: &Running, at_s: f64| at_s - running.start_s >= PROLOG_S;
        let until_s = self.now_s + dt_s;
        if self
            .running
            .iter()
            .any(|r| prepared(r, until_s) && !prepared(r, self.now_s))
        {
            self.revision += 1;
        }
        self.draw_power(dt_s, hour);
        self.now_s = until_s;
    }

    /// Electric power of every rack in the last step, kW, in the order of the cluster's racks.
    pub fn rack_kw(&self) -> &[f64] {
        &self.rack_kw
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A number that grows whenever the queue has changed.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Jobs that have ended, oldest first.
    pub fn history(&self) -> &[FinishedJob] {
        &self.history
    }

    /// What has happened since the last call.
    pub fn take_events(&mut self) -> Vec<JobEvent> {
        std::mem::take(&mut self.events)
    }

    /// All jobs: running first, then pending in their order.
    pub fn queue(&self) -> Vec<QueuedJob> {
        let running = self.running.iter().map(|r| self.seen(r));
        let waiting = self.pending.iter().zip(self.expected_starts());
        running
            .chain(waiting.map(|(job, expected_start_s)| self.waiting(job, expected_start_s)))
            .collect()
    }

    fn seen(&self, running: &Running) -> QueuedJob {
        let start_s = running.start_s;
        let phase = if self.now_s - start_s < PROLOG_S {
            Phase::Starting { start_s }
        } else {
            Phase::Running { start_s }
        };
        let node_count = u32::try_from(running.held.len()).unwrap_or(u32::MAX);
        QueuedJob {
            job: Arc::clone(&running.job),
            phase,
            node_count,
            nodes: Arc::clone(&running.nodes),
        }
    }

    fn waiting(&self, job: &Arc<Job>, expected_start_s: Option<f64>) -> QueuedJob {
        QueuedJob {
            job: Arc::clone(job),
            phase: Phase::Pending { expected_start_s },
            node_count: self.cluster.nodes_for(job.gpus),
            nodes: Arc::from([]),
        }
    }

    fn note(&mut self, kind: EventKind, job: QueuedJob) {
        self.revision += 1;
        if self.events.len() < EVENTS {
            self.events.push(JobEvent {
                kind,
                at_s: self.now_s,
                job,
            });
        }
    }

    fn end_jobs(&mut self) -> bool {
        let now_s = self.now_s;
        let (ended, running) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|r| r.start_s + r.job.run_s <= now_s);
        self.running = running;
        let any = !Vec::is_empty(&ended);
        for r in ended {
            self.cluster.release(&r.held);
            let queued = self.seen(&r);
            let job = &r.job;
            self.history.push(FinishedJob {
                id: job.id,
                user: job.user.clone(),
                account: job.account.clone(),
                name: job.name.clone(),
                partition: job.partition.clone(),
                gpus: job.gpus,
                nodes: queued.node_count,
                time_limit_s: job.time_limit_s,
                submit_s: job.submit_s,
                start_s: r.start_s,
                end_s: now_s,
                mean_gpu_w: r.joules / (now_s - r.start_s).max(1e-9),
                peak_gpu_w: r.peak_w,
                ramp_s: r.ramp_s,
            });
            self.note(EventKind::Ended, queued);
        }
        any
    }

    fn take_submissions(&mut self) -> bool {
        let mut any = false;
        while let Some(job) = self.source.next_by(self.now_s) {
            // What can never run is refused at submit, as schedulers do.
            if job.gpus == 0 || job.gpus > self.cluster.gpus() {
                continue;
            }
            let job = Arc::new(job);
            let queued = self.waiting(&job, None);
            self.pending.push(job);
            self.note(EventKind::Submitted, queued);
            any = true;
        }
        any
    }

    /// Starts jobs in order; once one does not fit, later ones start only where they do not delay it.
    fn start_jobs(&mut self) {
        let mut shadow: Option<(f64, u32)> = None;
        let mut place = 0;
        let mut seen = 0;
        while place < self.pending.len() && seen < DEPTH {
            seen += 1;
            let job = Arc::clone(&self.pending[place]);
            let spare =
                shadow.is_none_or(|(start_s, spare)| self.now_s + job.time_limit_s <= start_s || job.gpus <= spare);
            if spare && let Some(held) = self.cluster.allocate(job.gpus) {
                if let Some((start_s, spare)) = &mut shadow
                    && self.now_s + job.time_limit_s > *start_s
                {
                    *spare -= job.gpus;
                }
                self.pending.remove(place);
                self.start(job, held);
                continue;
            }
            if shadow.is_none() {
                shadow = Some(self.reservation(job.gpus));
            }
            place += 1;
        }
    }

    fn start(&mut self, job: Arc<Job>, held: Vec<Held>) {
        let nodes = held.iter().map(|part| part.node).collect();
        let parts = self.cluster.parts(&held);
        let running = Running {
            job,
            start_s: self.now_s,
            held,
            parts,
            nodes,
            joules: 0.0,
            peak_w: 0.0,
            ramp_s: None,
        };
        let queued = self.seen(&running);
        self.running.push(running);
        self.note(EventKind::Started, queued);
    }

    /// When `gpus` will be free at the latest, and how many more will be free then.
    fn reservation(&self, gpus: u32) -> (f64, u32) {
        let mut free = self.cluster.free_gpus();
        for (end_s, released) in self.releases() {
            if free >= gpus {
                break;
            }
            free += released;
            if free >= gpus {
                return (end_s, free - gpus);
            }
        }
        (self.now_s, free.saturating_sub(gpus))
    }

    /// Ends by time limit with the GPUs that they free, soonest first.
    fn releases(&self) -> Vec<(f64, u32)> {
        let mut ends: Vec<(f64, u32)> = self
            .running
            .iter()
            .map(|r| (r.limit_s().max(self.now_s), r.job.gpus))
            .collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        ends
    }

    /// Planned starts of the waiting jobs, in order, by time limits and GPU counts.
    fn expected_starts(&self) -> Vec<Option<f64>> {
        let mut ends = self.releases();
        let (mut free, mut at_s) = (self.cluster.free_gpus(), self.now_s);
        let planned = self.pending.iter().enumerate().map(|(place, job)| {
            if place >= DEPTH {
                return None;
            }
            while free < job.gpus {
                let (end_s, gpus) = (!ends.is_empty()).then(|| ends.remove(0))?;
                at_s = at_s.max(end_s);
                free += gpus;
            }
            free -= job.gpus;
            let end_s = at_s + job.time_limit_s;
            ends.insert(ends.partition_point(|end| end.0 <= end_s), (end_s, job.gpus));
            Some(at_s)
        });
        planned.collect()
    }

    fn draw_power(&mut self, dt_s: f64, hour: f64) {
        for (kw, rack) in self.rack_kw.iter_mut().zip(self.cluster.racks()) {
            *kw = rack.idle_kw;
        }
        // The middle of the step stands for it.
        let at_s = self.now_s + 0.5 * dt_s;
        for running in &mut self.running {
            let utilisation = running
                .job
                .profile
                .utilisation(at_s - running.start_s, hour)
                .clamp(0.0, 1.05);
            if running.ramp_s.is_none() && utilisation > 0.5 * running.job.profile.level {
                running.ramp_s = Some(at_s - running.start_s);
            }
            let (mut all_kw, mut gpus) = (0.0, 0.0);
            for part in &running.parts {
                let (idle_kw, dynamic_kw) = self.cluster.gpu_kw(part.rack);
                let count = f64::from(part.gpus);
                self.rack_kw[part.rack] += utilisation * dynamic_kw * count;
                all_kw += (idle_kw + utilisation * dynamic_kw) * count;
                gpus += count;
            }
            let gpu_w = 1000.0 * all_kw / gpus;
            running.joules += gpu_w * dt_s;
            running.peak_w = running.peak_w.max(gpu_w);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cluster::tests::cluster;
    use super::super::job::{JobClass, Profile};
    use super::super::{Generator, Source};
    use super::*;

    fn job(id: u64, submit_s: f64, gpus: u32, run_s: f64) -> Job {
        Job {
            id,
            user: "user01".into(),
            account: "project1".into(),
            name: "sft-chat".into(),
            partition: "train".into(),
            gpus,
            time_limit_s: 2.0 * run_s,
            submit_s,
            run_s,
            profile: Profile {
                class: JobClass::Pretraining,
                level: 0.9,
                period_s: 1800.0,
                dip_s: 30.0,
                failures: vec![],
                seed: 1,
            },
        }
    }

    fn run(jobs: Vec<Job>, until_s: f64) -> Scheduler {
        let mut scheduler = Scheduler::new(cluster(2), Source::listed(jobs, 1e9));
        let mut t = 0.0;
        while t < until_s {
            scheduler.advance(5.0, 12.0);
            t += 5.0;
        }
        scheduler
    }

    #[test]
    fn order_is_kept_and_backfill_delays_nobody() {
        let jobs = vec![
            job(1, 0.0, 100, 1000.0),
            job(2, 10.0, 144, 1000.0),
            job(3, 20.0, 40, 400.0),
            job(4, 20.0, 40, 3000.0),
        ];
        let scheduler = run(jobs, 600.0);
        let phase = |id: u64| scheduler.queue().iter().find(|q| q.job.id == id).map(|q| q.phase);
        assert!(matches!(phase(1), Some(Phase::Running { .. })));
        assert!(matches!(phase(2), Some(Phase::Pending { expected_start_s: Some(at) }) if (at - 2000.0).abs() < 10.0));
        assert!(
            scheduler.history().iter().any(|done| done.id == 3),
            "short enough to run before job 2 can start"
        );
        assert!(matches!(phase(4), Some(Phase::Pending { .. })), "it would delay job 2");
    }

    #[test]
    fn a_start_is_known_before_its_power_moves() {
        let mut scheduler = run(vec![job(1, 0.0, 72, 4000.0)], 15.0);
        assert!(matches!(scheduler.queue()[0].phase, Phase::Starting { .. }));
        assert!((scheduler.rack_kw()[0] - 24.0).abs() < 1e-9);
        let revision = scheduler.revision();
        for _ in 0..20 {
            scheduler.advance(5.0, 12.0);
        }
        assert!(matches!(scheduler.queue()[0].phase, Phase::Running { .. }));
        assert!(scheduler.revision() > revision);
        assert!(scheduler.rack_kw()[0] > 100.0, "{}", scheduler.rack_kw()[0]);
        assert!((scheduler.rack_kw()[1] - 24.0).abs() < 1e-9);
        let kinds: Vec<EventKind> = scheduler.take_events().iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::Submitted, EventKind::Started]);
    }

    #[test]
    fn history_tells_the_power_that_was_drawn() {
        let scheduler = run(vec![job(1, 0.0, 72, 4000.0)], 4200.0);
        let done = &scheduler.history()[0];
        assert!((done.end_s - done.start_s - 4000.0).abs() < 10.0);
        // Idle 333 W and 1333 W more at full load, of which 0.9.
        assert!((1450.0..1600.0).contains(&done.peak_gpu_w), "{}", done.peak_gpu_w);
        assert!(done.mean_gpu_w > 1350.0 && done.mean_gpu_w < done.peak_gpu_w);
        assert!((scheduler.rack_kw()[0] - 24.0).abs() < 1e-9, "idle again");
    }

    #[test]
    fn a_generated_week_keeps_the_hall_busy_within_its_rated_power() {
        let cluster = cluster(16);
        let generator = Generator::new(cluster.gpus(), cluster.gpus_per_node(), 5);
        let mut scheduler = Scheduler::new(cluster, Source::Generated(Box::new(generator)));
        let (mut sum, mut steps, mut swing) = (0.0, 0.0, 0.0f64);
        let mut last = 0.0;
        for step in 0..7 * 8640 {
            scheduler.advance(10.0, f64::from(step) / 360.0 % 24.0);
            let kw: f64 = scheduler.rack_kw().iter().sum();
            assert!(scheduler.rack_kw().iter().all(|kw| (23.9..126.0).contains(kw)));
            swing = swing.max(kw - last);
            last = kw;
            sum += kw;
            steps += 1.0;
        }
        let share = sum / steps / (16.0 * 120.0);
        assert!((0.45..0.95).contains(&share), "{share}");
        assert!(swing > 150.0, "large jobs start in step: {swing} kW in 10 s");
        assert!(scheduler.history().len() > 100, "{}", scheduler.history().len());
    }
}
