//! What each job draws, from the power of its racks.

use crate::site::Site;
use crate::snapshot::{FinishedJob, Job, JobState, Now};
use std::collections::BTreeMap;

/// Over a longer pause nobody knows what jobs drew, s.
const LONGEST_STEP_S: f64 = 120.0;

/// A job that was watched for less says little, s.
const SHORTEST_LESSON_S: f64 = 300.0;

/// And so does one that was watched for less than this share of its run.
const WATCHED: f64 = 0.5;

/// Memory of a job's present level, s.
const LEVEL_S: f64 = 600.0;

/// Running jobs, and what each has drawn so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Meter {
    jobs: BTreeMap<String, Metered>,
    at_ms: Option<u64>,
    node_racks: BTreeMap<String, usize>,
}

/// A running job.
#[derive(Debug, Clone, PartialEq)]
pub struct Metered {
    job: Job,
    start_ms: i64,
    /// GPUs by rack.
    placed: Vec<(usize, f64)>,
    /// Weight of a GPU in the split of a rack's power above idle, W.
    weight_w: f64,
    /// Time in which all its racks were measured, s.
    pub watched_s: f64,
    /// Energy in it, kWh.
    pub kwh: f64,
    /// Largest power, kW.
    pub peak_kw: f64,
    /// Power over the last minutes, kW.
    pub level_kw: f64,
    seen: bool,
}

impl Metered {
    /// Mean power while it was watched, kW; `None` before.
    pub fn mean_kw(&self) -> Option<f64> {
        (self.watched_s > 0.0).then(|| 3600.0 * self.kwh / self.watched_s)
    }

    fn finished(&self, end_ms: i64) -> Option<FinishedJob> {
        let run_s = end_ms.saturating_sub(self.start_ms).max(1) as f64 / 1000.0;
        let (gpus, mean_kw) = (f64::from(self.job.gpus.max(1)), self.mean_kw()?);
        let told = self.watched_s >= SHORTEST_LESSON_S && self.watched_s >= WATCHED * run_s && self.job.gpus > 0;
        told.then(|| FinishedJob {
            id: self.job.id.clone(),
            user: self.job.user.clone(),
            account: self.job.account.clone(),
            name: self.job.name.clone(),
            partition: self.job.partition.clone(),
            gpus: self.job.gpus,
            nodes: self.job.node_count,
            time_limit_s: self.job.time_limit_s,
            submit_ms: self.job.submit_ms.min(self.start_ms),
            start_ms: self.start_ms,
            end_ms: end_ms.max(self.start_ms + 1),
            mean_gpu_w: 1000.0 * mean_kw / gpus,
            peak_gpu_w: 1000.0 * self.peak_kw.max(mean_kw) / gpus,
            ramp_s: None,
        })
    }
}

impl Meter {
    /// A meter for a site's racks.
    pub fn new(site: &Site) -> Self {
        let racks = site.racks.iter().enumerate();
        let node_racks = racks.flat_map(|(rack, of)| of.nodes.iter().map(move |node| (node.clone(), rack)));
        Self {
            node_racks: node_racks.collect(),
            ..Self::default()
        }
    }

    /// Takes a cycle: the queue (`None` where it is lost, and nothing can be said of starts and ends), each rack's good
    /// power reading, kW, and the weight of a job's GPU in the split of its racks' power, W. Answers what has finished:
    /// each job that ran, and with its power where it was watched for long enough.
    pub fn observe(
        &mut self,
        site: &Site,
        queue: Option<&[Job]>,
        rack_kw: &[Option<f64>],
        weight_w: impl Fn(&Job) -> f64,
        now: Now,
    ) -> Vec<(Job, i64, Option<FinishedJob>)> {
        let dt_s = self.at_ms.replace(now.mono_ms).map_or(0.0, |at| now.seconds_since(at));
        self.draw(site, rack_kw, if dt_s > LONGEST_STEP_S { 0.0 } else { dt_s });
        let Some(queue) = queue else { return Vec::new() };
        for job in queue {
            let JobState::Running { start_ms } = job.state else {
                continue;
            };
            match self.jobs.get_mut(&job.id) {
                Some(known) if known.start_ms == start_ms && known.job.nodes == job.nodes => known.seen = true,
                _ => {
                    let metered = self.begin(job, start_ms, weight_w(job));
                    self.jobs.insert(job.id.clone(), metered);
                }
            }
        }
        let mut over = Vec::new();
        self.jobs.retain(|_, metered| {
            let runs = std::mem::take(&mut metered.seen);
            if !runs {
                let run_ms = now.wall_ms.saturating_sub(metered.start_ms).max(0);
                over.push((metered.job.clone(), run_ms, metered.finished(now.wall_ms)));
            }
            runs
        });
        over
    }

    /// A running job.
    pub fn job(&self, id: &str) -> Option<&Metered> {
        self.jobs.get(id)
    }

    fn begin(&self, job: &Job, start_ms: i64, weight_w: f64) -> Metered {
        let mut placed: BTreeMap<usize, f64> = BTreeMap::new();
        let gpus_a_node = f64::from(job.gpus) / job.nodes.len().max(1) as f64;
        for rack in job.nodes.iter().filter_map(|node| self.node_racks.get(node)) {
            *placed.entry(*rack).or_default() += gpus_a_node;
        }
        Metered {
            job: job.clone(),
            start_ms,
            placed: placed.into_iter().collect(),
            weight_w: weight_w.max(1.0),
            watched_s: 0.0,
            kwh: 0.0,
            peak_kw: 0.0,
            level_kw: 0.0,
            seen: true,
        }
    }

    /// Splits the racks' power over the jobs that ran on them.
    fn draw(&mut self, site: &Site, rack_kw: &[Option<f64>], dt_s: f64) {
        if dt_s <= 0.0 {
            return;
        }
        let mut weights = vec![0.0; site.racks.len()];
        for metered in self.jobs.values() {
            for (rack, gpus) in &metered.placed {
                if let Some(weight) = weights.get_mut(*rack) {
                    *weight += gpus * metered.weight_w;
                }
            }
        }
        for metered in self.jobs.values_mut() {
            let share = |(rack, gpus): &(usize, f64)| {
                let (of, power_kw, weights) = (site.racks.get(*rack)?, (*rack_kw.get(*rack)?)?, weights.get(*rack)?);
                let (idle_kw, all) = (of.nameplate.idle_kw, f64::from(of.nameplate.gpus.max(1)));
                let idle_kw = idle_kw.min(power_kw);
                Some(idle_kw * gpus / all + (power_kw - idle_kw) * gpus * metered.weight_w / weights.max(1e-9))
            };
            let power_kw = metered.placed.iter().map(share).sum::<Option<f64>>();
            let Some(power_kw) = power_kw.filter(|_| !metered.placed.is_empty()) else {
                continue;
            };
            let fresh = dt_s / (metered.watched_s + dt_s).min(LEVEL_S);
            metered.level_kw += (power_kw - metered.level_kw) * fresh.min(1.0);
            metered.watched_s += dt_s;
            metered.kwh += power_kw * dt_s / 3600.0;
            metered.peak_kw = metered.peak_kw.max(power_kw);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::load_embedded;

    fn now(second: i64) -> Now {
        Now {
            mono_ms: u64::try_from(second).unwrap() * 1000,
            wall_ms: second * 1000,
            utc_offset_s: 0,
        }
    }

    fn running(id: &str, nodes: &[&str], gpus: u32) -> Job {
        Job {
            id: id.into(),
            state: JobState::Running { start_ms: 0 },
            user: "ann".into(),
            account: "llm".into(),
            name: "train".into(),
            partition: "gpu".into(),
            gpus,
            node_count: 1,
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            submit_ms: 0,
            time_limit_s: 3600.0,
        }
    }

    #[test]
    fn the_power_of_a_rack_is_split_without_rest() {
        let site = load_embedded("demo").unwrap().unwrap();
        let of = &site.racks[0].nameplate;
        let all: Vec<&str> = site.racks[0].nodes.iter().map(String::as_str).collect();
        let (first, second) = all.split_at(all.len() / 3);
        let gpus_a_node = of.gpus / u32::try_from(all.len()).unwrap();
        let count = |nodes: &[&str]| gpus_a_node * u32::try_from(nodes.len()).unwrap();
        let queue = [running("a", first, count(first)), running("b", second, count(second))];
        let mut rack_kw = vec![None; site.racks.len()];
        rack_kw[0] = Some(90.0);
        let mut meter = Meter::new(&site);
        let weight = |job: &Job| if job.id == "a" { 2000.0 } else { 1000.0 };
        for second in (0..=1200).step_by(5) {
            meter.observe(&site, Some(&queue), &rack_kw, weight, now(second));
        }
        let (a, b) = (meter.job("a").unwrap(), meter.job("b").unwrap());
        assert!(
            (a.kwh + b.kwh - 90.0 * 1200.0 / 3600.0).abs() < 1e-6,
            "{} {}",
            a.kwh,
            b.kwh
        );
        let idle_kw = of.idle_kw / f64::from(of.gpus);
        let above = |job: &Metered, gpus: u32| job.level_kw - idle_kw * f64::from(gpus);
        let (above_a, above_b) = (above(a, count(first)), above(b, count(second)));
        assert!(
            (above_a - above_b).abs() < 1e-6,
            "half the GPUs at twice the weight: {above_a} {above_b}"
        );

        // The queue is lost: nothing ends. It is back without a: a has ended.
        assert!(meter.observe(&site, None, &rack_kw, weight, now(1205)).is_empty());
        let over = meter.observe(&site, Some(&queue[1..]), &rack_kw, weight, now(1210));
        let (_, _, finished) = &over[0];
        let finished = finished.as_ref().unwrap();
        assert_eq!((over.len(), finished.id.as_str(), finished.end_ms), (1, "a", 1_210_000));
        assert!((finished.mean_gpu_w * f64::from(finished.gpus) / 1000.0 - a_kw(finished)).abs() < 1e-9);
        assert!(finished.peak_gpu_w >= finished.mean_gpu_w && finished.mean_gpu_w > 300.0);
    }

    fn a_kw(job: &FinishedJob) -> f64 {
        job.mean_gpu_w * f64::from(job.gpus) / 1000.0
    }

    #[test]
    fn a_job_on_unmeasured_racks_teaches_nothing() {
        let site = load_embedded("demo").unwrap().unwrap();
        let queue = [running("a", &[&site.racks[0].nodes[0], "elsewhere"], 8)];
        let mut meter = Meter::new(&site);
        for second in (0..=1200).step_by(5) {
            meter.observe(&site, Some(&queue), &vec![None; site.racks.len()], |_| 1.0, now(second));
        }
        let over = meter.observe(&site, Some(&[]), &[], |_| 1.0, now(1205));
        assert_eq!(over.len(), 1);
        assert_eq!(over[0].2, None);
    }
}
