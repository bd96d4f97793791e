//! Traces from the generator and from public data.
//!
//! Power is laid over halls as sensibly as each source allows; what is derived and not measured is said at each.

use super::hall::{HallSpec, lay_out};
use super::table::{Columns, lines, wrong};
use super::trace::{Trace, TraceJob, wall_ms};
use super::{lisa, pods};
use crate::site::{Mistake, Site};
use crate::snapshot::{FinishedJob, Job, JobState};
use crate::trial::jobs;
use crate::trial::world::{WorldError, cluster, read};
use simulators::jobs::{Generator, Scheduler};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Wall time of a trace's beginning: 2026-01-05, a Monday, UTC, ms.
pub(super) const EPOCH_MS: i64 = 1_767_571_200_000;

/// Step of traces whose jobs are known, s: a service's cycle.
pub(super) const STEP_S: f64 = 10.0;

/// Where a trace comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Jobs of the simulators' generator on a site.
    Synthetic {
        /// Seed.
        seed: u64,
        /// Length, days.
        days: f64,
    },
    /// SURF Lisa: jobs with utilisation every 30 s; a directory with `jobs.csv.gz` and `util_30s.csv.gz`. Power is 120 W and
    /// 280 W times the utilisation for every 16 cores; each job is shown as pending for the 30 min before its start, with
    /// that start stated.
    SurfLisa(PathBuf),
    /// Measured heat of CDUs; a directory with `cdu_heat_15s.csv.gz`. Nothing is known of jobs.
    FrontierCduHeat(PathBuf),
    /// Pods of a GPU cluster; a directory with `pods.csv.gz`. Power is 400 W for every GPU in use; pods wait from creation to
    /// scheduling, and nobody states when they will start.
    AlibabaGpu2023(PathBuf),
    /// Measured mean power of training runs; a directory with `power_*.csv`. For job models alone.
    ZeusDnnPower(PathBuf),
}

/// Why a trace cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be read, or has another form.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The hall for it has mistakes.
    #[error("the hall laid out for the trace has mistakes: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Hall(Vec<Mistake>),
}

impl Source {
    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Self::Synthetic { seed, .. } => format!("synthetic {seed}"),
            Self::SurfLisa(_) => "surf_lisa".into(),
            Self::FrontierCduHeat(_) => "frontier_cdu_heat".into(),
            Self::AlibabaGpu2023(_) => "alibaba_gpu_2023".into(),
            Self::ZeusDnnPower(_) => "zeus_dnn_power".into(),
        }
    }

    /// Reads or makes the trace. `site` is the hall of synthetic jobs.
    ///
    /// # Errors
    /// The file, line and column that cannot be read.
    pub fn trace(&self, site: &Site) -> Result<Trace, SourceError> {
        match self {
            Self::Synthetic { seed, days } => synthetic(self.name(), site, *seed, *days),
            Self::SurfLisa(folder) => lisa::trace(self.name(), folder),
            Self::FrontierCduHeat(folder) => frontier(self.name(), folder),
            Self::AlibabaGpu2023(folder) => pods::trace(self.name(), folder),
            Self::ZeusDnnPower(folder) => zeus(self.name(), site, folder),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of steps of a trace"
)]
pub(super) fn steps(span_s: f64, step_s: f64) -> usize {
    (span_s / step_s).floor().max(0.0) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a power")]
pub(super) const fn narrow(kw: f64) -> f32 {
    kw as f32
}

/// Time from a generated job's start until its nodes are prepared and its power moves, s.
const PROLOG_S: f64 = 20.0;

fn synthetic(name: String, site: &Site, seed: u64, days: f64) -> Result<Trace, SourceError> {
    let cluster = cluster(site)?;
    let generator = Generator::new(cluster.gpus(), cluster.gpus_per_node(), seed);
    let mut scheduler = Scheduler::new(cluster, simulators::jobs::Source::Generated(Box::new(generator)));
    let count = steps(days * 86_400.0, STEP_S);
    let (mut rack_kw, mut queues, mut revision) = (Vec::new(), Vec::new(), None);
    let mut placed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for step in 0..count {
        let t_s = step as f64 * STEP_S;
        // Half steps keep ramps true.
        for half in 0..2 {
            scheduler.advance(0.5 * STEP_S, ((t_s + 5.0 * f64::from(half)) / 3600.0) % 24.0);
        }
        rack_kw.extend(scheduler.rack_kw().iter().map(|kw| narrow(*kw)));
        drop(scheduler.take_events());
        if revision != Some(scheduler.revision()) {
            revision = Some(scheduler.revision());
            // The queue of the step's end, at which power is read; its clock begins a step early.
            let queue = jobs::jobs(&scheduler, EPOCH_MS - wall_ms(0, STEP_S));
            for job in &queue {
                if !job.nodes.is_empty() && !placed.contains_key(&job.id) {
                    placed.insert(job.id.clone(), job.nodes.clone());
                }
            }
            queues.push((step, queue));
        }
    }
    let back_s = STEP_S;
    let finished: Vec<FinishedJob> = scheduler
        .history()
        .iter()
        .map(|job| FinishedJob {
            id: job.id.to_string(),
            user: job.user.clone(),
            account: job.account.clone(),
            name: job.name.clone(),
            partition: job.partition.clone(),
            gpus: job.gpus,
            nodes: job.nodes,
            time_limit_s: job.time_limit_s,
            submit_ms: wall_ms(EPOCH_MS, job.submit_s - back_s),
            start_ms: wall_ms(EPOCH_MS, job.start_s - back_s),
            end_ms: wall_ms(EPOCH_MS, job.end_s - back_s),
            mean_gpu_w: job.mean_gpu_w,
            peak_gpu_w: job.peak_gpu_w,
            ramp_s: job.ramp_s,
        })
        .collect();
    let means: BTreeMap<&str, f64> = finished.iter().map(|job| (job.id.as_str(), job.mean_gpu_w)).collect();
    let ends: BTreeMap<&str, i64> = finished.iter().map(|job| (job.id.as_str(), job.end_ms)).collect();
    // Jobs as they ran, from what the queue said last of each.
    let mut seen: BTreeMap<String, Job> = BTreeMap::new();
    for job in queues.iter().flat_map(|(_, queue)| queue) {
        if matches!(job.state, JobState::Running { .. } | JobState::Starting { .. }) {
            seen.insert(job.id.clone(), job.clone());
        }
    }
    let s = |ms: i64| (ms - EPOCH_MS) as f64 / 1000.0;
    let ran = seen.into_values().map(|job| {
        let start_s = match job.state {
            JobState::Running { start_ms } | JobState::Starting { start_ms } => s(start_ms),
            JobState::Pending { .. } => 0.0,
        };
        TraceJob {
            shown_s: s(job.submit_ms),
            expected_s: None,
            start_s,
            moves_s: start_s + PROLOG_S,
            end_s: ends.get(job.id.as_str()).map_or(f64::INFINITY, |ms| s(*ms)),
            mean_w: means.get(job.id.as_str()).copied().unwrap_or(f64::NAN),
            job,
        }
    });
    let mut ran: Vec<TraceJob> = ran.collect();
    ran.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    Ok(Trace {
        name,
        site: site.clone(),
        step_s: STEP_S,
        steps: count,
        epoch_ms: EPOCH_MS,
        rack_kw,
        jobs: ran,
        queues,
        finished,
        has_jobs: true,
    })
}

fn frontier(name: String, folder: &Path) -> Result<Trace, SourceError> {
    let file = folder.join("cdu_heat_15s.csv.gz");
    let text = read(&file)?;
    let header: Vec<&str> = text.lines().next().unwrap_or("").split(',').map(str::trim).collect();
    let cdus: Vec<&str> = header.iter().copied().filter(|name| name.ends_with("_w")).collect();
    let columns = Columns::of(&file, &text, &[&["time_s"], cdus.as_slice()].concat())?;
    let (mut rack_kw, mut times) = (Vec::new(), Vec::new());
    for (line, row) in lines(&text) {
        let fields = columns.fields(row);
        times.push(columns.number(line, fields[0])?);
        for field in &fields[1..] {
            rack_kw.push(narrow((columns.number(line, field)? / 1000.0).max(0.0)));
        }
    }
    let step_s = match times.as_slice() {
        [first, second, ..] if second > first => second - first,
        _ => return Err(wrong(&file, 2, "write at least two rows with rising time_s").into()),
    };
    // One rack stands for the cabinets of a CDU group; a group is rated for 1.25 MW.
    let site = lay_out(&HallSpec {
        name: name.clone(),
        racks_a_cdu: vec![1; cdus.len()],
        nodes: 1,
        gpus_a_node: 8,
        idle_kw: 200.0,
        rated_kw: 1250.0,
    })
    .map_err(SourceError::Hall)?;
    Ok(Trace {
        name,
        site,
        step_s,
        steps: times.len(),
        epoch_ms: EPOCH_MS,
        rack_kw,
        jobs: vec![],
        queues: vec![],
        finished: vec![],
        has_jobs: false,
    })
}

fn zeus(name: String, site: &Site, folder: &Path) -> Result<Trace, SourceError> {
    let names = [
        "dataset",
        "network",
        "batch_size",
        "optimizer",
        "power_limit",
        "average_power",
    ];
    let mut runs = Vec::new();
    for gpu in ["a40", "rtx6000", "v100"] {
        let file = folder.join(format!("power_{gpu}.csv"));
        let text = read(&file)?;
        let columns = Columns::of(&file, &text, &names)?;
        for (line, row) in lines(&text) {
            let f = columns.fields(row);
            let watts = columns.number(line, f[5])?;
            runs.push((
                f[0].to_owned(),
                format!("{}-bs{}-pl{}", f[1], f[2], f[4]),
                f[3].to_owned(),
                gpu,
                watts,
            ));
        }
    }
    // The runs have no dates. An order without pattern stands for time: by a hash of what each is.
    let hash = |run: &(String, String, String, &str, f64)| {
        let text = format!("{}{}{}{}", run.0, run.1, run.2, run.3);
        let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        fnv ^ (fnv >> 29)
    };
    runs.sort_by_key(|run| (hash(run), run.1.clone()));
    let finished = runs
        .into_iter()
        .enumerate()
        .map(|(index, (dataset, run, optimiser, gpu, watts))| {
            let start_ms = wall_ms(EPOCH_MS, 60.0 * index as f64);
            FinishedJob {
                id: index.to_string(),
                user: dataset,
                account: optimiser,
                name: run,
                partition: gpu.into(),
                gpus: 1,
                nodes: 1,
                time_limit_s: 0.0,
                submit_ms: start_ms,
                start_ms,
                end_ms: start_ms + 59_000,
                mean_gpu_w: watts,
                peak_gpu_w: watts,
                ramp_s: None,
            }
        });
    Ok(Trace {
        name,
        site: site.clone(),
        step_s: STEP_S,
        steps: 0,
        epoch_ms: EPOCH_MS,
        rack_kw: vec![],
        jobs: vec![],
        queues: vec![],
        finished: finished.collect(),
        has_jobs: false,
    })
}
