//! SURF Lisa: jobs with their utilisation, laid over racks of sixteen nodes behind one CDU.

use super::hall::{HallSpec, lay_out};
use super::slots::{Slots, node};
use super::sources::{EPOCH_MS, STEP_S, SourceError, narrow, steps};
use super::table::{Columns, lines};
use super::trace::{Trace, TraceJob, wall_ms};
use crate::snapshot::{FinishedJob, Job, JobState};
use crate::trial::world::{WorldError, read};
use std::collections::BTreeMap;
use std::path::Path;

/// Nodes of sixteen cores in a rack.
const NODES: usize = 16;

/// Time for which jobs, whose wait is not known, are shown as pending, s.
const SHOWN_S: f64 = 1800.0;

/// Days that the trace spans.
const DAYS: f64 = 4.0;

struct Row {
    id: String,
    start_s: f64,
    end_s: f64,
    cores: f64,
    mean: Option<f64>,
}

/// Power of sixteen cores, W: derived, the trace has none.
fn watts(utilisation: f64) -> f64 {
    120.0 + 280.0 * utilisation
}

type Utilisation = BTreeMap<String, Vec<f32>>;

fn utilisation(util_file: &Path) -> Result<Utilisation, WorldError> {
    let text = read(util_file)?;
    let columns = Columns::of(util_file, &text, &["id", "sample", "util"])?;
    let mut utilisation: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let mut last = String::new();
    for (line, row) in lines(&text) {
        let fields = columns.fields(row);
        if last != fields[0] {
            fields[0].clone_into(&mut last);
        }
        let samples = utilisation.entry(last.clone()).or_default();
        samples.push(narrow(columns.number(line, fields[2])?.clamp(0.0, 1.0)));
    }
    Ok(utilisation)
}

fn rows(jobs_file: &Path) -> Result<Vec<Row>, WorldError> {
    let text = read(jobs_file)?;
    let columns = Columns::of(
        jobs_file,
        &text,
        &["id", "submit_s", "duration_s", "cpu_count", "util_mean"],
    )?;
    let mut rows = Vec::new();
    for (line, row) in lines(&text) {
        let fields = columns.fields(row);
        let start_s = columns.number(line, fields[1])?;
        rows.push(Row {
            id: fields[0].to_owned(),
            start_s,
            end_s: start_s + columns.number(line, fields[2])?.max(1.0),
            cores: columns.number(line, fields[3])?.max(1.0),
            mean: if fields[4].is_empty() {
                None
            } else {
                Some(columns.number(line, fields[4])?)
            },
        });
    }
    rows.sort_by(|a, b| a.start_s.total_cmp(&b.start_s).then_with(|| a.id.cmp(&b.id)));
    Ok(rows)
}

pub(super) fn trace(name: String, folder: &Path) -> Result<Trace, SourceError> {
    let utilisation = utilisation(&folder.join("util_30s.csv.gz"))?;
    let rows = rows(&folder.join("jobs.csv.gz"))?;
    let mut slots = Slots { ends: vec![] };
    let (mut jobs, mut finished) = (Vec::new(), Vec::new());
    // Parts of slots, laid over racks once their number is known.
    let mut parts: Vec<(usize, f64, &Row)> = Vec::new();
    for row in &rows {
        let job = place(row, &mut slots, &mut parts);
        finished.extend(finished_job(row, &job.job, &utilisation));
        jobs.push(job);
    }
    let racks = slots.ends.len().div_ceil(NODES).max(1);
    let site = lay_out(&HallSpec {
        name: name.clone(),
        racks_a_cdu: vec![racks],
        nodes: NODES,
        gpus_a_node: 1,
        idle_kw: 0.0,
        rated_kw: 0.4 * NODES as f64,
    })
    .map_err(SourceError::Hall)?;
    let count = steps(DAYS * 86_400.0, STEP_S);
    let mut rack_kw = vec![0.0_f32; count * racks];
    for (slot, share, row) in parts {
        let samples = utilisation.get(&row.id);
        let first = steps(row.start_s + STEP_S - 1e-9, STEP_S);
        for step in first..count {
            let t_s = step as f64 * STEP_S;
            if t_s >= row.end_s {
                break;
            }
            let sample = samples.and_then(|samples| samples.get(steps(t_s - row.start_s, 30.0)).or(samples.last()));
            let utilisation = sample.map_or(row.mean.unwrap_or(0.0), |sample| f64::from(*sample));
            if let Some(kw) = rack_kw.get_mut(step * racks + slot / NODES) {
                *kw += narrow(share * watts(utilisation) / 1000.0);
            }
        }
    }
    Ok(Trace {
        name,
        site,
        step_s: STEP_S,
        steps: count,
        epoch_ms: EPOCH_MS,
        rack_kw,
        jobs,
        queues: vec![],
        finished,
        has_jobs: true,
    })
}

/// Takes places for a job.
fn place<'a>(row: &'a Row, slots: &mut Slots, parts: &mut Vec<(usize, f64, &'a Row)>) -> TraceJob {
    let units = (row.cores / 16.0).ceil().max(1.0);
    let mut nodes = Vec::new();
    let mut left = row.cores / 16.0;
    while left > 1e-9 {
        let share = left.min(1.0);
        let slot = slots.take(row.start_s, row.end_s, share);
        parts.push((slot, share, row));
        nodes.push(node(slot, NODES));
        left -= share;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of nodes"
    )]
    let gpus = units as u32;
    let submit_ms = wall_ms(EPOCH_MS, row.start_s - SHOWN_S);
    let mean_w = watts(row.mean.unwrap_or(0.0));
    let job = Job {
        id: row.id.clone(),
        state: JobState::Pending {
            expected_start_ms: None,
        },
        user: "lisa".into(),
        account: "surf".into(),
        name: format!("{}cpu", row.cores),
        partition: "batch".into(),
        gpus,
        node_count: gpus,
        nodes,
        submit_ms,
        time_limit_s: 0.0,
    };
    TraceJob {
        job,
        shown_s: row.start_s - SHOWN_S,
        expected_s: Some(row.start_s),
        start_s: row.start_s,
        moves_s: row.start_s,
        end_s: row.end_s,
        mean_w,
    }
}

/// The job as one to train on; jobs shorter than a sample have no power.
fn finished_job(row: &Row, job: &Job, utilisation: &Utilisation) -> Option<FinishedJob> {
    let mean_w = watts(row.mean?);
    Some(FinishedJob {
        id: row.id.clone(),
        user: job.user.clone(),
        account: job.account.clone(),
        name: job.name.clone(),
        partition: job.partition.clone(),
        gpus: job.gpus,
        nodes: job.gpus,
        time_limit_s: 0.0,
        // The public trace knows no waiting: for job models a job is submitted when it starts.
        submit_ms: wall_ms(EPOCH_MS, row.start_s),
        start_ms: wall_ms(EPOCH_MS, row.start_s),
        end_ms: wall_ms(EPOCH_MS, row.end_s),
        mean_gpu_w: mean_w,
        peak_gpu_w: utilisation.get(&row.id).map_or(mean_w, |samples| {
            samples
                .iter()
                .fold(mean_w, |peak, sample| peak.max(watts(f64::from(*sample))))
        }),
        ramp_s: None,
    })
}
