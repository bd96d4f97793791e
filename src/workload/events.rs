//! Job events, and the queue that follows from them.
//!
//! On MQTT under `isotherm/jobs`, or as configured, `QoS` 1; over REST as `POST /api/v1/jobs/events`. One event a message,
//! JSON:
//!
//! ```json
//! {"event": "submit" | "announce" | "start" | "end", "time_ms": 1700000000000,
//!  "job": {"id": "4711", "user": "ann", "account": "llm", "name": "pretrain-70b", "partition": "gpu",
//!          "gpus": 576, "node_count": 144, "nodes": ["r01n[01-18]", "r02n01"], "submit_ms": 1699999000000,
//!          "time_limit_s": 86400, "expected_start_ms": 1700000600000}}
//! ```
//!
//! | event | means | `time_ms` |
//! |---|---|---|
//! | `submit` | the job waits, or what is expected of its start has changed | when that was so |
//! | `announce` | the prolog runs on `nodes`; the start is `expected_start_ms`, or at once where that is null | when announced |
//! | `start` | the job runs on `nodes` | its start |
//! | `end` | the job has left, for whatever reason | its end |
//!
//! | field | form | where absent |
//! |---|---|---|
//! | `event`, `time_ms`, `job.id` | as above; ms since 1970-01-01 UTC | refused |
//! | `user`, `account`, `name`, `partition` | text of at most 1024 bytes | empty |
//! | `gpus`, `node_count` | counts, at most a million | 0: not known |
//! | `nodes` | names, or Slurm's compact lists of them | none |
//! | `submit_ms` | ms since 1970-01-01 UTC | `time_ms` |
//! | `time_limit_s` | s, 0 for none | 0 |
//! | `expected_start_ms` | ms since 1970-01-01 UTC, or null | null: nothing is expected |
//!
//! Every event carries the whole job, so a listener may come late and events may be repeated: a publisher that repeats
//! the last event of every live job once in a while lets a restarted controller catch up. Unknown fields are passed over.
//!
//! Two more messages are read on MQTT under the same filter. A whole queue, the document of `squeue --json`, takes the
//! place of all that was known; published retained, and again every few seconds, it also shows that the publisher lives.
//! And `{"event": ..., "at_ms": ..., "job": <a job of that document>}`, whose `job_state` says what has become of the job.

use super::{FeedError, MOST_JOBS, nodelist, slurm};
use crate::snapshot::{Job, JobState};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A running job is dropped when it is past its time limit for this long: its end was missed, ms.
const OVERSTAY_MS: i64 = 10 * 60_000;

/// Longest text of a job, bytes.
const LONGEST_TEXT: usize = 1024;

/// Most GPUs or nodes of a job.
const MOST_UNITS: u32 = 1_000_000;

/// Latest time that is believed, ms: the year 2286.
const LATEST_MS: i64 = 10_000_000_000_000;

/// An event as it is sent.
#[derive(Debug, Deserialize)]
struct JobEvent {
    event: Kind,
    time_ms: i64,
    job: Described,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Submit,
    Announce,
    Start,
    End,
}

#[derive(Debug, Deserialize)]
struct Described {
    id: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    partition: String,
    #[serde(default)]
    gpus: u32,
    #[serde(default)]
    node_count: u32,
    #[serde(default)]
    nodes: Vec<String>,
    #[serde(default)]
    submit_ms: Option<i64>,
    #[serde(default)]
    time_limit_s: f64,
    #[serde(default)]
    expected_start_ms: Option<i64>,
}

/// What has become of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The job's id.
    pub id: String,
    /// When, wall ms.
    pub time_ms: i64,
    /// The job as it stands now; `None` where it neither runs nor will.
    pub job: Option<Job>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// What happened to one job.
    Change(Change),
    /// The whole queue.
    Queue {
        /// When it was made, wall ms, where it says so.
        made_ms: Option<i64>,
        /// The jobs.
        jobs: Vec<Job>,
    },
}

/// Reads one message.
///
/// # Errors
/// Says what of the schema the message does not keep.
pub fn parse(payload: &[u8]) -> Result<Message, FeedError> {
    let message: Value = serde_json::from_slice(payload).map_err(|error| wrong(&error))?;
    if message.get("jobs").is_some() {
        let jobs = slurm::parse(payload)?;
        return Ok(Message::Queue {
            made_ms: slurm::made_ms(payload),
            jobs,
        });
    }
    if let Some(job) = message.get("job").filter(|job| job.get("job_id").is_some()) {
        let time_ms = message.get("at_ms").and_then(Value::as_i64);
        let time_ms = time_ms.ok_or_else(|| wrong(&"at_ms is missing"))?;
        return Ok(Message::Change(Change {
            id: slurm::id(job)?,
            time_ms,
            job: slurm::one(job)?,
        }));
    }
    event(message).map(Message::Change)
}

/// Reads one event, and nothing else.
///
/// # Errors
/// Says what of the schema the event does not keep.
pub fn parse_event(payload: &[u8]) -> Result<Change, FeedError> {
    event(serde_json::from_slice(payload).map_err(|error| wrong(&error))?)
}

fn wrong(what: &dyn std::fmt::Display) -> FeedError {
    FeedError::Document(format!("not a job event: {what}"))
}

fn event(message: Value) -> Result<Change, FeedError> {
    let event = JobEvent::deserialize(message).map_err(|error| wrong(&error))?;
    let (job, time_ms) = (event.job, event.time_ms);
    let bad = |what: &str| FeedError::Job {
        id: job.id.chars().take(40).collect(),
        what: what.to_owned(),
    };
    let texts = [&job.id, &job.user, &job.account, &job.name, &job.partition];
    if job.id.is_empty() || texts.iter().any(|text| text.len() > LONGEST_TEXT) {
        return Err(bad("id must not be empty, and no text longer than 1024 bytes"));
    }
    if job.gpus > MOST_UNITS || job.node_count > MOST_UNITS {
        return Err(bad("gpus and node_count must be counts of at most a million"));
    }
    if !job.time_limit_s.is_finite() || job.time_limit_s < 0.0 {
        return Err(bad("time_limit_s must be a duration, 0 for none"));
    }
    let times = [Some(time_ms), job.submit_ms, job.expected_start_ms];
    if times.into_iter().flatten().any(|ms| !(0..=LATEST_MS).contains(&ms)) {
        return Err(bad("times are ms since 1970-01-01 UTC"));
    }
    if job.nodes.len() > nodelist::MOST_NODES {
        return Err(bad("has too many nodes"));
    }
    let nodes = nodelist::expand(&job.nodes.join(",")).map_err(|what| bad(&what))?;
    let state = match event.event {
        Kind::Submit => Some(JobState::Pending {
            expected_start_ms: job.expected_start_ms,
        }),
        Kind::Announce => Some(JobState::Starting {
            start_ms: job.expected_start_ms.unwrap_or(time_ms),
        }),
        Kind::Start => Some(JobState::Running { start_ms: time_ms }),
        Kind::End => None,
    };
    let whole = |state| Job {
        id: job.id.clone(),
        state,
        user: job.user,
        account: job.account,
        name: job.name,
        partition: job.partition,
        gpus: job.gpus,
        node_count: job.node_count.max(u32::try_from(nodes.len()).unwrap_or(u32::MAX)),
        nodes,
        submit_ms: job.submit_ms.unwrap_or(time_ms),
        time_limit_s: job.time_limit_s,
    };
    Ok(Change {
        id: job.id.clone(),
        time_ms,
        job: state.map(whole),
    })
}

/// The queue that follows from events.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Board {
    jobs: BTreeMap<String, (i64, Job)>,
}

impl Board {
    /// Takes a message; what is older than what is known of its job is passed over.
    ///
    /// # Errors
    /// The board is full.
    pub fn take(&mut self, message: Message) -> Result<(), FeedError> {
        let Change { id, time_ms, job } = match message {
            Message::Queue { made_ms, jobs } => {
                let time_ms = made_ms.unwrap_or(i64::MIN);
                self.jobs = jobs.into_iter().map(|job| (job.id.clone(), (time_ms, job))).collect();
                return Ok(());
            }
            Message::Change(change) => change,
        };
        if self.jobs.get(&id).is_some_and(|(known_ms, _)| *known_ms > time_ms) {
            return Ok(());
        }
        let Some(job) = job else {
            self.jobs.remove(&id);
            return Ok(());
        };
        if self.jobs.len() >= MOST_JOBS && !self.jobs.contains_key(&id) {
            return Err(FeedError::Document(format!(
                "events tell of more than {MOST_JOBS} live jobs"
            )));
        }
        self.jobs.insert(id, (time_ms, job));
        Ok(())
    }

    /// The jobs at a wall time, by id, without those whose end must have been missed.
    pub fn jobs(&mut self, wall_ms: i64) -> Vec<Job> {
        self.jobs.retain(|_, (_, job)| match job.state {
            JobState::Running { start_ms } if job.time_limit_s > 0.0 => {
                #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
                let limit_ms = (job.time_limit_s * 1000.0) as i64;
                wall_ms <= start_ms.saturating_add(limit_ms).saturating_add(OVERSTAY_MS)
            }
            _ => true,
        });
        self.jobs.values().map(|(_, job)| job.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, time_ms: i64, id: &str) -> Message {
        let text = format!(
            r#"{{"event": "{kind}", "time_ms": {time_ms}, "job": {{"id": "{id}", "user": "ann", "gpus": 8, "node_count": 2,
            "nodes": ["n1", "n2"], "submit_ms": 5, "time_limit_s": 60, "expected_start_ms": null, "colour": "blue"}}}}"#
        );
        parse(text.as_bytes()).unwrap()
    }

    fn states(board: &mut Board, wall_ms: i64) -> Vec<JobState> {
        board.jobs(wall_ms).into_iter().map(|job| job.state).collect()
    }

    #[test]
    fn a_job_lives_from_submit_to_end() {
        let mut board = Board::default();
        for (kind, time_ms, expected) in [
            (
                "submit",
                10,
                Some(JobState::Pending {
                    expected_start_ms: None,
                }),
            ),
            ("announce", 20, Some(JobState::Starting { start_ms: 20 })),
            ("start", 30, Some(JobState::Running { start_ms: 30 })),
            ("submit", 10, Some(JobState::Running { start_ms: 30 })),
            ("end", 40, None),
        ] {
            board.take(event(kind, time_ms, "1")).unwrap();
            assert_eq!(
                states(&mut board, 40),
                expected.into_iter().collect::<Vec<_>>(),
                "after {kind}"
            );
        }
    }

    #[test]
    fn a_missed_end_does_not_keep_a_job_for_ever() {
        let mut board = Board::default();
        board.take(event("start", 0, "1")).unwrap();
        assert_eq!(states(&mut board, 60_000 + OVERSTAY_MS).len(), 1);
        assert_eq!(states(&mut board, 60_001 + OVERSTAY_MS).len(), 0);
    }

    #[test]
    fn a_whole_queue_takes_the_place_of_what_was_known() {
        let mut board = Board::default();
        board.take(event("start", 10, "1")).unwrap();
        let pending = r#"{"job_id": 2, "job_state": ["PENDING"], "tres_req_str": "gres/gpu=4"}"#;
        let queue = format!(r#"{{"jobs": [{pending}], "last_update": {{"set": true, "number": 60}}}}"#);
        board.take(parse(queue.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            board.jobs(0).iter().map(|job| job.id.as_str()).collect::<Vec<_>>(),
            ["2"]
        );

        let change = |at_ms: i64, state: &str| {
            let text = format!(
                r#"{{"event": "started", "at_ms": {at_ms},
                "job": {{"job_id": 2, "job_state": ["{state}"], "start_time": 61, "nodes": "n[1-2]"}}}}"#
            );
            parse(text.as_bytes()).unwrap()
        };
        board.take(change(59_000, "COMPLETED")).unwrap();
        assert_eq!(board.jobs(0).len(), 1, "older than the queue");
        board.take(change(61_000, "RUNNING")).unwrap();
        assert_eq!(states(&mut board, 0), [JobState::Running { start_ms: 61_000 }]);
        board.take(change(62_000, "COMPLETED")).unwrap();
        assert!(board.jobs(0).is_empty());
    }

    #[test]
    fn messages_that_break_the_schema_are_refused() {
        for text in [
            "",
            "{}",
            r#"{"event": "pause", "time_ms": 1, "job": {"id": "1", "gpus": 1, "submit_ms": 1}}"#,
            r#"{"event": "start", "time_ms": 1, "job": {"id": "1", "gpus": -1, "submit_ms": 1}}"#,
            r#"{"event": "start", "time_ms": 1, "job": {"id": "1", "gpus": 1, "submit_ms": 1, "time_limit_s": -3}}"#,
            r#"{"event": "start", "time_ms": -1, "job": {"id": "1"}}"#,
            r#"{"event": "start", "time_ms": 1, "job": {"id": ""}}"#,
            r#"{"event": "start", "time_ms": 1, "job": {"id": "1", "nodes": ["n[1"]}}"#,
            r#"{"event": "start", "time_ms": 1, "job": {"id": "1", "nodes": ["a[0-9999]b[0-9999]"]}}"#,
            r#"{"event": "start", "time_ms": 1, "job": {"id": "1", "gpus": 2000000}}"#,
            r#"{"event": "announce", "time_ms": 1, "job": {"id": "1", "expected_start_ms": 99999999999999}}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
