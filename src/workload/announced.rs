//! What prologs and epilogs announce, laid over a queue that is read only now and then.

use super::events::Change;
use crate::snapshot::{Job, JobState};
use std::collections::BTreeMap;

/// An announcement is forgotten after this long: by then the queue tells it itself, or it never came true, ms.
const KEPT_MS: u64 = 180_000;

/// A job that the queue does not show counts for this long after its announcement, ms: a queue may be read while the
/// scheduler is still writing.
const UNSEEN_MS: u64 = 30_000;

/// Announcements kept at most; the oldest go first.
const MOST: usize = 10_000;

/// The latest announcement of each job.
#[derive(Debug, Default)]
pub(super) struct Announced {
    jobs: BTreeMap<String, Heard>,
}

#[derive(Debug)]
struct Heard {
    mono_ms: u64,
    change: Change,
}

impl Announced {
    /// Takes an announcement heard at a monotonic time; what is older than what is known of its job is passed over.
    pub(super) fn take(&mut self, change: Change, mono_ms: u64) {
        let known = self.jobs.get(&change.id);
        if known.is_some_and(|known| known.change.time_ms > change.time_ms) {
            return;
        }
        self.jobs.insert(change.id.clone(), Heard { mono_ms, change });
        if self.jobs.len() > MOST {
            let oldest = self.jobs.iter().min_by_key(|(_, heard)| heard.mono_ms);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                self.jobs.remove(&id);
            }
        }
    }

    /// The queue that was read at `read_ms`, with what was announced since laid over it.
    pub(super) fn over(&mut self, queue: &[Job], read_ms: u64, now_ms: u64) -> Vec<Job> {
        self.jobs
            .retain(|_, heard| now_ms.saturating_sub(heard.mono_ms) <= KEPT_MS);
        if self.jobs.is_empty() {
            return queue.to_vec();
        }
        let mut unseen: BTreeMap<&str, &Heard> = self.jobs.iter().map(|(id, heard)| (id.as_str(), heard)).collect();
        let mut told = Vec::new();
        let mut merged: Vec<Job> = Vec::with_capacity(queue.len());
        for job in queue {
            let Some(heard) = unseen.remove(job.id.as_str()) else {
                merged.push(job.clone());
                continue;
            };
            match (&heard.change.job, job.state) {
                // The queue was read before the end came, or still lists what is completing.
                (None, _) => {}
                (Some(_), JobState::Running { .. }) => {
                    told.push(job.id.clone());
                    merged.push(job.clone());
                }
                (Some(announced), _) => merged.push(joined(job, announced)),
            }
        }
        let young = |heard: &Heard| heard.mono_ms > read_ms || now_ms.saturating_sub(heard.mono_ms) <= UNSEEN_MS;
        let unseen = unseen.into_values().filter(|heard| young(heard));
        merged.extend(unseen.filter_map(|heard| heard.change.job.clone()));
        for id in told {
            self.jobs.remove(&id);
        }
        merged
    }
}

/// A waiting job as announced; what the script did not know stays as the queue has it.
fn joined(queued: &Job, announced: &Job) -> Job {
    let text = |own: &String, other: &String| if own.is_empty() { other.clone() } else { own.clone() };
    let nodes = if announced.nodes.is_empty() {
        &queued.nodes
    } else {
        &announced.nodes
    };
    Job {
        id: queued.id.clone(),
        state: announced.state,
        user: text(&queued.user, &announced.user),
        account: text(&queued.account, &announced.account),
        name: text(&queued.name, &announced.name),
        partition: text(&queued.partition, &announced.partition),
        gpus: if queued.gpus > 0 { queued.gpus } else { announced.gpus },
        node_count: queued.node_count.max(announced.node_count),
        nodes: nodes.clone(),
        submit_ms: queued.submit_ms,
        time_limit_s: queued.time_limit_s,
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::{Message, parse};
    use super::*;

    fn change(event: &str, time_ms: i64) -> Change {
        let text =
            format!(r#"{{"event": "{event}", "time_ms": {time_ms}, "job": {{"id": "7", "nodes": ["r01n[01-02]"]}}}}"#);
        match parse(text.as_bytes()).unwrap() {
            Message::Change(change) => change,
            other @ Message::Queue { .. } => panic!("{other:?}"),
        }
    }

    fn queued(state: JobState) -> Vec<Job> {
        vec![Job {
            id: "7".into(),
            state,
            user: "ann".into(),
            account: "llm".into(),
            name: "train".into(),
            partition: "gpu".into(),
            gpus: 8,
            node_count: 2,
            nodes: Vec::new(),
            submit_ms: 5,
            time_limit_s: 60.0,
        }]
    }

    const PENDING: JobState = JobState::Pending {
        expected_start_ms: None,
    };

    #[test]
    fn an_announced_start_shows_at_once_and_the_queue_takes_over() {
        let mut announced = Announced::default();
        announced.take(change("announce", 20_000), 1_000);
        let merged = announced.over(&queued(PENDING), 500, 1_000);
        assert_eq!(merged[0].state, JobState::Starting { start_ms: 20_000 });
        assert_eq!(
            (merged[0].gpus, merged[0].nodes.len()),
            (8, 2),
            "what each knows is kept"
        );
        let running = JobState::Running { start_ms: 21_000 };
        assert_eq!(announced.over(&queued(running), 2_000, 2_000)[0].state, running);
        assert_eq!(
            announced.over(&queued(PENDING), 3_000, 3_000)[0].state,
            PENDING,
            "a requeued job"
        );
    }

    #[test]
    fn an_announced_end_takes_the_job_away_until_the_queue_knows() {
        let mut announced = Announced::default();
        announced.take(change("end", 20_000), 1_000);
        announced.take(change("announce", 10_000), 1_001);
        let running = queued(JobState::Running { start_ms: 1 });
        assert!(
            announced.over(&running, 500, 1_001).is_empty(),
            "an older message is passed over"
        );
        assert_eq!(announced.over(&running, 500, 1_000 + KEPT_MS + 1).len(), 1, "forgotten");
    }

    #[test]
    fn a_job_that_the_queue_does_not_know_yet_counts_and_one_that_never_comes_is_forgotten() {
        let mut announced = Announced::default();
        announced.take(change("start", 20_000), 1_000);
        assert_eq!(announced.over(&[], 900, 1_100).len(), 1);
        assert_eq!(
            announced.over(&[], 5_000, 5_000).len(),
            1,
            "the scheduler may still be writing"
        );
        assert_eq!(announced.over(&[], 40_000, 40_000).len(), 0);
    }
}
