//! Slurm: the document that `squeue --json` prints.
//!
//! Releases differ: numbers are plain (22.05) or objects of `set`, `infinite` and `number` (23.02 on), a job's state is a
//! word or a list of words. Both forms are read; fields that are not needed are passed over.

use super::{FeedError, MOST_JOBS, nodelist};
use crate::snapshot::{Job, JobState};
use serde::Deserialize;
use serde_json::Value;

/// The jobs of a `squeue --json` document: pending, starting (`CONFIGURING`) and running. Those suspended, completing or
/// done are left out.
///
/// # Errors
/// The text is no such document, it tells of errors, or a field has a form that no release prints; the message names job and field.
pub fn parse(text: &[u8]) -> Result<Vec<Job>, FeedError> {
    let document: Document = serde_json::from_slice(text)
        .map_err(|error| FeedError::Document(format!("not a document of `squeue --json`: {error}")))?;
    // With slurmctld away squeue prints an empty queue all the same, and ends well.
    if !document.errors.is_empty() {
        return Err(FeedError::Source(format!("Slurm says: {}", complaint(text))));
    }
    if document.jobs.len() > MOST_JOBS {
        return Err(FeedError::Document(format!(
            "has {} jobs; at most {MOST_JOBS} are read",
            document.jobs.len()
        )));
    }
    document.jobs.iter().filter_map(|raw| job(raw).transpose()).collect()
}

/// When a document says that it was made, wall ms.
pub(super) fn made_ms(text: &[u8]) -> Option<i64> {
    #[derive(Deserialize)]
    struct Stamp {
        #[serde(default)]
        last_update: Value,
    }
    let stamp: Stamp = serde_json::from_slice(text).ok()?;
    milliseconds(number(&stamp.last_update)?)
}

/// What a document says went wrong, in short.
pub(super) fn complaint(text: &[u8]) -> String {
    let document: Value = serde_json::from_slice(text).unwrap_or_default();
    let errors = document.get("errors").and_then(Value::as_array).into_iter().flatten();
    let words = errors.filter_map(|error| {
        ["description", "error"]
            .iter()
            .find_map(|key| error.get(*key)?.as_str())
    });
    let said: String = words.collect::<Vec<_>>().join("; ").chars().take(200).collect();
    if said.is_empty() {
        "no reason is given".to_owned()
    } else {
        said
    }
}

/// One job in the document's form; `None` where it neither runs nor will.
pub(super) fn one(job: &Value) -> Result<Option<Job>, FeedError> {
    let raw = RawJob::deserialize(job).map_err(|error| FeedError::Document(format!("not a job: {error}")))?;
    self::job(&raw)
}

/// The id of a job in the document's form.
pub(super) fn id(job: &Value) -> Result<String, FeedError> {
    id_of(job.get("job_id").unwrap_or(&Value::Null))
}

fn id_of(value: &Value) -> Result<String, FeedError> {
    match (value, number(value)) {
        (Value::String(id), _) => Ok(id.clone()),
        (_, Some(Number::Finite(id))) if id >= 0.0 => Ok(format!("{id:.0}")),
        _ => Err(FeedError::Document(format!(
            "a job has no usable job_id: {}",
            short(value)
        ))),
    }
}

#[derive(Deserialize)]
struct Document {
    jobs: Vec<RawJob>,
    #[serde(default)]
    errors: Vec<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawJob {
    job_id: Value,
    job_state: Value,
    user_name: Value,
    account: Value,
    name: Value,
    partition: Value,
    nodes: Value,
    scheduled_nodes: Value,
    node_count: Value,
    tres_req_str: Value,
    tres_alloc_str: Value,
    tres_per_node: Value,
    tres_per_job: Value,
    submit_time: Value,
    start_time: Value,
    time_limit: Value,
}

fn job(raw: &RawJob) -> Result<Option<Job>, FeedError> {
    let id = id_of(&raw.job_id)?;
    let field = |name: &'static str, value: &Value| {
        number(value).ok_or_else(|| FeedError::Job {
            id: id.clone(),
            what: format!("{name} is no number: {}", short(value)),
        })
    };
    let start_ms = milliseconds(field("start_time", &raw.start_time)?);
    let Some(state) = state(&raw.job_state, start_ms) else {
        return Ok(None);
    };
    let names = if text(&raw.nodes).is_empty() {
        &raw.scheduled_nodes
    } else {
        &raw.nodes
    };
    let nodes = nodelist::expand(text(names)).map_err(|what| FeedError::Job { id: id.clone(), what })?;
    let node_count = whole(field("node_count", &raw.node_count)?).max(u32::try_from(nodes.len()).unwrap_or(u32::MAX));
    let time_limit_s = match field("time_limit", &raw.time_limit)? {
        Number::Finite(minutes) => (60.0 * minutes).max(0.0),
        Number::Infinite | Number::Unset => 0.0,
    };
    let job = Job {
        state,
        user: text(&raw.user_name).to_owned(),
        account: text(&raw.account).to_owned(),
        name: text(&raw.name).to_owned(),
        partition: text(&raw.partition).to_owned(),
        gpus: gpus(raw, node_count),
        node_count,
        nodes,
        submit_ms: milliseconds(field("submit_time", &raw.submit_time)?).unwrap_or(0),
        time_limit_s,
        id,
    };
    Ok(Some(job))
}

/// The state, of one word or of a base word with flags; `None` for jobs that neither run nor will.
fn state(value: &Value, start_ms: Option<i64>) -> Option<JobState> {
    let words: Vec<&str> = match value {
        Value::String(word) => vec![word.as_str()],
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let has = |word: &str| words.iter().any(|have| have.eq_ignore_ascii_case(word));
    if has("COMPLETING") || has("SUSPENDED") || has("STOPPED") {
        None
    } else if has("CONFIGURING") {
        Some(JobState::Starting { start_ms: start_ms? })
    } else if has("RUNNING") {
        Some(JobState::Running { start_ms: start_ms? })
    } else if has("PENDING") {
        Some(JobState::Pending {
            expected_start_ms: start_ms,
        })
    } else {
        None
    }
}

#[derive(Clone, Copy)]
enum Number {
    Finite(f64),
    Infinite,
    Unset,
}

/// A number in either form; absent is unset, anything else is `None`.
fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Null => Some(Number::Unset),
        Value::Number(plain) => plain.as_f64().filter(|plain| plain.is_finite()).map(Number::Finite),
        Value::Object(object) => {
            let flag = |name| object.get(name).and_then(Value::as_bool);
            if flag("infinite") == Some(true) {
                Some(Number::Infinite)
            } else if flag("set") == Some(false) {
                Some(Number::Unset)
            } else {
                object
                    .get("number")?
                    .as_f64()
                    .filter(|plain| plain.is_finite())
                    .map(Number::Finite)
            }
        }
        Value::Bool(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// Unix seconds as ms; 0 and unset are no time.
#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn milliseconds(number: Number) -> Option<i64> {
    match number {
        Number::Finite(seconds) if seconds > 0.0 && seconds < 1e11 => Some((seconds * 1000.0) as i64),
        _ => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
fn whole(number: Number) -> u32 {
    if let Number::Finite(count) = number {
        count as u32
    } else {
        0
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

/// GPUs of a job: as allocated, else as requested in all, by job or by node.
fn gpus(raw: &RawJob, node_count: u32) -> u32 {
    let first = [&raw.tres_alloc_str, &raw.tres_req_str, &raw.tres_per_job]
        .into_iter()
        .find_map(|tres| gpus_of(text(tres)));
    first
        .or_else(|| gpus_of(text(&raw.tres_per_node))?.checked_mul(node_count.max(1)))
        .unwrap_or(0)
}

/// GPUs in a list of resources, as `cpu=64,gres/gpu=8`, `gres/gpu:a100=8`, `gres:gpu:a100:4` or `gpu:4`; where the total
/// stands beside its kinds, the total.
pub(super) fn gpus_of(resources: &str) -> Option<u32> {
    let (mut total, mut kinds) = (None, None);
    for item in resources.split(',') {
        // `gpu:4(IDX:0-3)` names the devices after the count.
        let item = item.split('(').next().unwrap_or(item).trim();
        let item = item
            .strip_prefix("gres/")
            .or_else(|| item.strip_prefix("gres:"))
            .unwrap_or(item);
        let Some(rest) = item.strip_prefix("gpu") else { continue };
        // `gpu` alone is one; otherwise the count follows the last sign.
        let (kind, count) = rest.rsplit_once(['=', ':']).unwrap_or((rest, "1"));
        let Ok(count) = count.parse::<u32>() else { continue };
        match kind {
            "" => total = Some(count),
            kind if kind.starts_with(':') => kinds = Some(kinds.unwrap_or(0_u32).saturating_add(count)),
            _ => {}
        }
    }
    total.or(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As 22.05 prints it (`OpenAPI` v0.0.38), cut to a few fields beside those that are read.
    const PLAIN: &str = r#"{"meta": {"Slurm": {"version": {"major": 22}}}, "errors": [], "jobs": [
      {"job_id": 101, "job_state": "RUNNING", "user_name": "ann", "account": "llm", "name": "pretrain-70b",
       "partition": "gpu", "nodes": "r01n[01-02,05]", "node_count": 3, "tres_req_str": "cpu=192,mem=1T,node=3,billing=192,gres/gpu=12",
       "tres_alloc_str": "cpu=192,mem=1T,node=3,billing=192,gres/gpu=12,gres/gpu:b200=12",
       "submit_time": 1700000000, "start_time": 1700000100, "time_limit": 1440, "cpus": 192},
      {"job_id": 102, "job_state": "PENDING", "user_name": "bob", "account": "llm", "name": "eval", "partition": "gpu",
       "nodes": "", "node_count": 2, "tres_req_str": "cpu=16,node=2", "tres_per_node": "gres:gpu:b200:4",
       "submit_time": 1700000050, "start_time": 0, "time_limit": 60},
      {"job_id": 100, "job_state": "COMPLETING", "start_time": 1, "node_count": 1}], "warnings": []}"#;

    /// As 23.11 and later print it.
    const OBJECTS: &str = r#"{"jobs": [
      {"job_id": 101, "job_state": ["RUNNING"], "user_name": "ann", "account": "llm", "name": "pretrain-70b",
       "partition": "gpu", "nodes": "r01n[01-02,05]", "node_count": {"set": true, "infinite": false, "number": 3},
       "tres_alloc_str": "cpu=192,node=3,gres/gpu:b200=12", "submit_time": {"set": true, "infinite": false, "number": 1700000000},
       "start_time": {"set": true, "infinite": false, "number": 1700000100},
       "time_limit": {"set": true, "infinite": false, "number": 1440}},
      {"job_id": 103, "job_state": ["PENDING"], "scheduled_nodes": "r02n01", "node_count": {"set": true, "infinite": false, "number": 1},
       "tres_req_str": "gres/gpu=4", "start_time": {"set": true, "infinite": false, "number": 1700009000},
       "time_limit": {"set": false, "infinite": true, "number": 0}},
      {"job_id": 104, "job_state": ["RUNNING", "CONFIGURING"], "nodes": "r02n02", "node_count": 1,
       "start_time": {"set": true, "infinite": false, "number": 1700000200}, "time_limit": {"set": false, "infinite": false, "number": 0}}],
      "last_update": {"set": true, "infinite": false, "number": 1700000300}}"#;

    #[test]
    fn both_forms_of_numbers_and_states_say_the_same() {
        let plain = parse(PLAIN.as_bytes()).unwrap();
        let objects = parse(OBJECTS.as_bytes()).unwrap();
        assert_eq!(plain[0], objects[0]);
        assert_eq!(plain[0].nodes, ["r01n01", "r01n02", "r01n05"]);
        assert_eq!((plain[0].gpus, plain[0].time_limit_s), (12, 86_400.0));
        assert_eq!(
            plain[0].state,
            JobState::Running {
                start_ms: 1_700_000_100_000
            }
        );
        assert_eq!(plain.len(), 2, "a completing job is left out");
        assert_eq!(
            (plain[1].gpus, plain[1].state),
            (
                8,
                JobState::Pending {
                    expected_start_ms: None
                }
            )
        );
        assert_eq!(objects[1].nodes, ["r02n01"]);
        assert_eq!((objects[1].time_limit_s, objects[1].gpus), (0.0, 4));
        assert_eq!(
            objects[2].state,
            JobState::Starting {
                start_ms: 1_700_000_200_000
            }
        );
    }

    #[test]
    fn errors_name_the_job_and_the_field() {
        let wrong = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert!(wrong("slurm_load_jobs error").contains("squeue --json"));
        assert!(wrong(r#"{"errors": []}"#).contains("jobs"));
        // As 22.05 prints it, with exit code 0, where slurmctld cannot be reached.
        let away = r#"{"errors": [{"description": "Failed while looking for jobs", "error_number": -1,
            "error": "Unspecified error", "source": "slurm_load_jobs"}], "jobs": []}"#;
        assert_eq!(wrong(away), "Slurm says: Failed while looking for jobs");
        assert_eq!(
            wrong(r#"{"jobs": [{"job_id": 7, "start_time": "noon"}]}"#),
            "job 7: start_time is no number: \"noon\""
        );
        assert!(
            wrong(r#"{"jobs": [{"job_id": 7, "job_state": "PENDING", "nodes": "n[1"}]}"#)
                .contains("job 7: a node list")
        );
        assert!(wrong(r#"{"jobs": [{"job_state": "RUNNING"}]}"#).contains("job_id"));
    }

    #[test]
    fn gpu_counts_of_every_spelling() {
        for (resources, expected) in [
            ("cpu=8,gres/gpu=4", Some(4)),
            ("gres/gpu=8,gres/gpu:a100=6,gres/gpu:h100=2", Some(8)),
            ("gres/gpu:a100=6,gres/gpu:h100=2", Some(8)),
            ("gres:gpu:4", Some(4)),
            ("gres:gpu:a100:4(IDX:0-3)", Some(4)),
            ("gpu", Some(1)),
            ("gres/gpumem=80G", None),
            ("cpu=8", None),
            ("", None),
        ] {
            assert_eq!(gpus_of(resources), expected, "{resources}");
        }
    }

    proptest! {
        #[test]
        fn any_damage_to_a_document_is_answered(place in 0_usize..2000, byte in any::<u8>()) {
            for text in [PLAIN, OBJECTS] {
                let mut bytes = text.as_bytes().to_vec();
                let place = place % bytes.len();
                bytes[place] = byte;
                if let Ok(jobs) = parse(&bytes) {
                    prop_assert!(jobs.iter().all(|job| job.time_limit_s.is_finite() && job.time_limit_s >= 0.0));
                }
            }
        }
    }
}
