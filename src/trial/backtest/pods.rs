//! Pods of a GPU cluster, laid over racks of eight GPUs behind one CDU.

use super::hall::{HallSpec, lay_out};
use super::slots::{Slots, node};
use super::sources::{EPOCH_MS, SourceError, narrow, steps};
use super::table::{Columns, lines};
use super::trace::{Trace, TraceJob, wall_ms};
use crate::snapshot::{Job, JobState};
use crate::trial::world::{WorldError, read};
use std::path::Path;

/// Power of a GPU in use with its share of the node, W: assumed, the trace has none.
const POD_W: f64 = 400.0;
const POD_NODES: usize = 8;
/// The busy end of the trace, days, and its step, s.
const POD_DAYS: f64 = 40.0;
const POD_STEP_S: f64 = 30.0;

struct Pod {
    id: String,
    gpus: f64,
    name: String,
    user: String,
    created_s: f64,
    start_s: f64,
    end_s: f64,
}

fn read_pods(file: &Path) -> Result<Vec<Pod>, WorldError> {
    let text = read(file)?;
    let names = [
        "name",
        "num_gpu",
        "gpu_milli",
        "qos",
        "cpu_milli",
        "creation_time",
        "deletion_time",
        "scheduled_time",
    ];
    let columns = Columns::of(file, &text, &names)?;
    let mut pods = Vec::new();
    for (line, row) in lines(&text) {
        let f = columns.fields(row);
        let gpus = columns.number(line, f[1])? * columns.number(line, f[2])? / 1000.0;
        if gpus <= 0.0 || f[7].is_empty() || f[6].is_empty() {
            continue;
        }
        let (start_s, end_s) = (columns.number(line, f[7])?, columns.number(line, f[6])?);
        if end_s > start_s {
            pods.push(Pod {
                id: f[0].to_owned(),
                gpus,
                name: format!("{}gpu-{}cpu", f[1], f[4]),
                user: f[3].to_lowercase(),
                created_s: columns.number(line, f[5])?,
                start_s,
                end_s,
            });
        }
    }
    pods.sort_by(|a, b| a.start_s.total_cmp(&b.start_s).then_with(|| a.id.cmp(&b.id)));
    Ok(pods)
}

pub(super) fn trace(name: String, folder: &Path) -> Result<Trace, SourceError> {
    let pods = read_pods(&folder.join("pods.csv.gz"))?;
    let last_s = pods.iter().map(|pod| pod.end_s).fold(0.0, f64::max);
    let from_s = last_s - POD_DAYS * 86_400.0;
    let mut slots = Slots { ends: vec![] };
    let mut jobs = Vec::new();
    let mut parts = Vec::new();
    for pod in pods.iter().filter(|pod| pod.end_s > from_s) {
        let (start_s, end_s) = (pod.start_s - from_s, pod.end_s - from_s);
        let (mut nodes, mut left) = (Vec::new(), pod.gpus);
        while left > 1e-9 {
            let share = left.min(1.0);
            let slot = slots.take(start_s, end_s, share);
            parts.push((slot, share, start_s, end_s));
            nodes.push(node(slot, POD_NODES));
            left -= share;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of GPUs")]
        let gpus = pod.gpus.ceil() as u32;
        jobs.push(TraceJob {
            job: Job {
                id: pod.id.clone(),
                state: JobState::Pending {
                    expected_start_ms: None,
                },
                user: pod.user.clone(),
                account: "pai".into(),
                name: pod.name.clone(),
                partition: "gpu".into(),
                gpus,
                node_count: gpus,
                nodes,
                submit_ms: wall_ms(EPOCH_MS, pod.created_s - from_s),
                time_limit_s: 0.0,
            },
            shown_s: pod.created_s - from_s,
            expected_s: None,
            start_s,
            moves_s: start_s,
            end_s,
            mean_w: POD_W * pod.gpus / f64::from(gpus),
        });
    }
    let racks = slots.ends.len().div_ceil(POD_NODES).max(1);
    let site = lay_out(&HallSpec {
        name: name.clone(),
        racks_a_cdu: vec![racks],
        nodes: POD_NODES,
        gpus_a_node: 1,
        idle_kw: 0.0,
        rated_kw: POD_W / 1000.0 * POD_NODES as f64,
    })
    .map_err(SourceError::Hall)?;
    let count = steps(POD_DAYS * 86_400.0, POD_STEP_S);
    let mut rack_kw = vec![0.0_f32; count * racks];
    for (slot, share, start_s, end_s) in parts {
        for step in steps(start_s.max(0.0) + POD_STEP_S - 1e-9, POD_STEP_S)..steps(end_s, POD_STEP_S).min(count) {
            if let Some(kw) = rack_kw.get_mut(step * racks + slot / POD_NODES) {
                *kw += narrow(share * POD_W / 1000.0);
            }
        }
    }
    Ok(Trace {
        name,
        site,
        step_s: POD_STEP_S,
        steps: count,
        epoch_ms: EPOCH_MS,
        rack_kw,
        jobs,
        queues: vec![],
        finished: vec![],
        has_jobs: true,
    })
}
