//! What of a pod, a job or a workload counts; everything else of the document is passed over.

use crate::workload::FeedError;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Most accelerators of one pod, and pods of one job.
const MOST: f64 = 1e5;

/// Longest name that is kept, bytes (the API's own limit is 253).
const LONGEST_NAME: usize = 253;

/// Extended resources that are accelerators, each of which counts as one GPU.
const ACCELERATORS: &[&str] = &[
    "nvidia.com/gpu",
    "amd.com/gpu",
    "gpu.intel.com/i915",
    "gpu.intel.com/xe",
    "habana.ai/gaudi",
    "google.com/tpu",
    "aws.amazon.com/neuron",
];

/// A slice of a GPU, such as `nvidia.com/mig-3g.20gb`: so many of seven parts.
const SLICE: &str = "nvidia.com/mig-";

/// Labels by which operators name the job that a pod belongs to, the larger before its parts.
const GROUPS: &[&str] = &[
    "jobset.sigs.k8s.io/jobset-name",
    "training.kubeflow.org/job-name",
    "ray.io/cluster",
    "batch.kubernetes.io/job-name",
    "job-name",
];

const QUEUE: &str = "kueue.x-k8s.io/queue-name";

/// What every object says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Identity {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The job that it belongs to: `namespace/name`.
    pub(super) group: String,
    /// Kueue's queue; empty where it is in none.
    pub(super) queue: String,
    /// When it was made, wall ms.
    pub(super) made_ms: i64,
}

/// A pod that holds or wants accelerators.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pod {
    pub(super) identity: Identity,
    pub(super) gpus: f64,
    /// Node; empty while none is found.
    pub(super) node: String,
    pub(super) priority: String,
    pub(super) limit_s: f64,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Phase {
    Waiting,
    /// Bound to a node at this time; images are pulled and containers made.
    Bound(i64),
    Running(i64),
}

/// A job of `batch/v1` or a Kueue workload: what is asked for before there are pods.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    pub(super) identity: Identity,
    pub(super) gpus: f64,
    pub(super) pods: u32,
    pub(super) priority: String,
    pub(super) limit_s: f64,
    /// When Kueue let it in, wall ms.
    pub(super) admitted_ms: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Meta {
    name: String,
    namespace: String,
    creation_timestamp: String,
    labels: BTreeMap<String, String>,
    owner_references: Vec<Owner>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Owner {
    kind: String,
    name: String,
    controller: bool,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    node_name: String,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    priority_class_name: String,
    active_deadline_seconds: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Container {
    resources: Resources,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Resources {
    limits: BTreeMap<String, Value>,
    requests: BTreeMap<String, Value>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Condition {
    r#type: String,
    status: String,
    last_transition_time: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    start_time: String,
    conditions: Vec<Condition>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawPod {
    metadata: Meta,
    spec: PodSpec,
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Template {
    spec: PodSpec,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct JobSpec {
    parallelism: Option<f64>,
    active_deadline_seconds: Option<f64>,
    template: Template,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawJob {
    metadata: Meta,
    spec: JobSpec,
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PodSet {
    count: f64,
    template: Template,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct WorkloadSpec {
    queue_name: String,
    pod_sets: Vec<PodSet>,
    active: Option<bool>,
    priority_class_name: String,
    maximum_execution_time_seconds: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawWorkload {
    metadata: Meta,
    spec: WorkloadSpec,
    status: Status,
}

fn read<T: for<'de> Deserialize<'de>>(kind: &str, object: &Value) -> Result<T, FeedError> {
    T::deserialize(object).map_err(|error| FeedError::Document(format!("not a {kind}: {error}")))
}

/// `namespace/name` of any object.
pub(super) fn key(object: &Value) -> Result<String, FeedError> {
    let meta = &object["metadata"];
    let name = meta["name"]
        .as_str()
        .filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME);
    let name = name.ok_or_else(|| FeedError::Document("an object has no usable name".into()))?;
    let namespace = meta["namespace"].as_str().filter(|name| name.len() <= LONGEST_NAME);
    Ok(format!("{}/{name}", namespace.unwrap_or("default")))
}

impl Meta {
    fn identity(&self) -> Identity {
        let namespace = if self.namespace.is_empty() {
            "default"
        } else {
            &self.namespace
        };
        let controller = self.owner_references.iter().find(|owner| owner.controller);
        let by_label = GROUPS.iter().find_map(|label| self.labels.get(*label));
        let name = match (by_label, controller) {
            (Some(name), _) => name,
            (None, Some(owner)) if owner.kind != "ReplicaSet" => &owner.name,
            (None, _) => &self.name,
        };
        Identity {
            group: format!("{namespace}/{name}"),
            namespace: namespace.to_owned(),
            name: self.name.clone(),
            queue: self.labels.get(QUEUE).cloned().unwrap_or_default(),
            made_ms: time_ms(&self.creation_timestamp).unwrap_or(0),
        }
    }
}

impl PodSpec {
    /// Accelerators; one container after the other at start, all others at once.
    fn gpus(&self) -> Result<f64, FeedError> {
        let sum = |all: &[Container]| {
            all.iter()
                .map(|one| one.resources.gpus())
                .sum::<Result<f64, FeedError>>()
        };
        let mut at_start = self.init_containers.iter().map(|one| one.resources.gpus());
        let at_start = at_start.try_fold(0.0, |most: f64, gpus| gpus.map(|gpus| most.max(gpus)))?;
        Ok(sum(&self.containers)?.max(at_start))
    }
}

impl Resources {
    fn gpus(&self) -> Result<f64, FeedError> {
        // Extended resources cannot be overcommitted: where both stand they are equal.
        let stated = if self.limits.is_empty() {
            &self.requests
        } else {
            &self.limits
        };
        let mut gpus = 0.0;
        for (name, quantity) in stated {
            let share = if ACCELERATORS.contains(&name.as_str()) {
                1.0
            } else if let Some(slices) = name.strip_prefix(SLICE).and_then(|rest| rest.split_once('g')) {
                slices
                    .0
                    .parse::<u8>()
                    .map_or(1.0, |slices| f64::from(slices.min(7)) / 7.0)
            } else {
                continue;
            };
            let count = match quantity {
                Value::String(text) => text.parse::<u32>().ok().map(f64::from),
                Value::Number(number) => number.as_f64(),
                _ => None,
            };
            let count = count.filter(|count| (0.0..=MOST).contains(count)).ok_or_else(|| {
                let shown: String = quantity.to_string().chars().take(40).collect();
                FeedError::Document(format!("{name}: {shown} is no count of devices"))
            })?;
            gpus += share * count;
        }
        Ok(gpus)
    }
}

impl Status {
    fn since(&self, condition: &str) -> Option<i64> {
        let mut all = self.conditions.iter();
        let found = all.find(|each| each.r#type == condition && each.status == "True")?;
        Some(time_ms(&found.last_transition_time).unwrap_or(0))
    }
}

/// A pod; `None` where it has no accelerators or is over.
pub(super) fn pod(object: &Value) -> Result<Option<Pod>, FeedError> {
    let raw: RawPod = read("pod", object)?;
    let gpus = raw.spec.gpus()?;
    let phase = match raw.status.phase.as_str() {
        "Running" => Phase::Running(
            time_ms(&raw.status.start_time)
                .or_else(|| raw.status.since("PodScheduled"))
                .unwrap_or(0),
        ),
        // One whose node is lost keeps what it holds.
        "Pending" | "Unknown" | "" if !raw.spec.node_name.is_empty() => {
            Phase::Bound(raw.status.since("PodScheduled").unwrap_or(0))
        }
        "Pending" | "Unknown" | "" => Phase::Waiting,
        _ => return Ok(None),
    };
    Ok((gpus > 0.0).then(|| Pod {
        identity: raw.metadata.identity(),
        gpus,
        node: raw.spec.node_name,
        priority: raw.spec.priority_class_name,
        limit_s: seconds(raw.spec.active_deadline_seconds),
        phase,
    }))
}

/// A job; `None` where it wants no accelerators or is over.
pub(super) fn job(object: &Value) -> Result<Option<Wanted>, FeedError> {
    let raw: RawJob = read("job", object)?;
    if raw.status.since("Complete").is_some() || raw.status.since("Failed").is_some() {
        return Ok(None);
    }
    let pods = count(raw.spec.parallelism.unwrap_or(1.0));
    let gpus = raw.spec.template.spec.gpus()? * f64::from(pods);
    Ok((gpus > 0.0).then(|| Wanted {
        identity: raw.metadata.identity(),
        gpus,
        pods,
        priority: raw.spec.template.spec.priority_class_name,
        limit_s: seconds(raw.spec.active_deadline_seconds),
        admitted_ms: None,
    }))
}

/// A workload; `None` where it wants no accelerators, is over, or is held by a person.
pub(super) fn workload(object: &Value) -> Result<Option<Wanted>, FeedError> {
    let raw: RawWorkload = read("workload", object)?;
    if raw.status.since("Finished").is_some() || raw.spec.active == Some(false) {
        return Ok(None);
    }
    let (mut gpus, mut pods) = (0.0, 0_u32);
    for set in &raw.spec.pod_sets {
        let of_set = count(set.count);
        pods = pods.saturating_add(of_set);
        gpus += set.template.spec.gpus()? * f64::from(of_set);
    }
    let mut identity = raw.metadata.identity();
    identity.queue = raw.spec.queue_name;
    Ok((gpus > 0.0).then(|| Wanted {
        identity,
        gpus,
        pods,
        priority: raw.spec.priority_class_name,
        limit_s: seconds(raw.spec.maximum_execution_time_seconds),
        admitted_ms: raw.status.since("Admitted"),
    }))
}

fn count(pods: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within range")]
    let pods = pods.clamp(0.0, MOST) as u32;
    pods
}

fn seconds(limit: Option<f64>) -> f64 {
    limit.filter(|limit| limit.is_finite() && *limit > 0.0).unwrap_or(0.0)
}

/// A time of the API (RFC 3339), wall ms; `None` where there is none.
fn time_ms(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_millisecond)
}
