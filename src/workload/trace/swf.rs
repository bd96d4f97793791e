//! The Standard Workload Format of the Parallel Workloads Archive (Chapin et al., 1999; version 2): comments begin with
//! `;`, each job is a line of 18 numbers, and -1 is what is not known.

use super::{TracedJob, gpus_of_processors, job};
use crate::snapshot::Job;
use crate::workload::FeedError;

const FIELDS: usize = 18;

/// Whether a line is a job of this format.
pub(super) fn is_record(line: &str) -> bool {
    line.split_whitespace().count() == FIELDS && line.split_whitespace().all(|field| field.parse::<f64>().is_ok())
}

/// Jobs that ran.
pub(super) fn parse(text: &str) -> Result<Vec<TracedJob>, FeedError> {
    let mut jobs = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let text = text.trim();
        if text.is_empty() || text.starts_with(';') {
            continue;
        }
        let wrong = |what: String| FeedError::Line { line: index + 1, what };
        let mut record = [-1.0; FIELDS];
        let mut count = 0;
        for (place, field) in text.split_whitespace().enumerate() {
            count += 1;
            let number = field.parse::<f64>().ok().filter(|number| number.is_finite());
            let number = number.ok_or_else(|| {
                let shown: String = field.chars().take(40).collect();
                wrong(format!("field {} must be a number, not `{shown}`", place + 1))
            })?;
            if let Some(slot) = record.get_mut(place) {
                *slot = number;
            }
        }
        if count != FIELDS {
            return Err(wrong(format!("has {count} fields; a job has 18 fields")));
        }
        let [
            id,
            submit_s,
            wait_s,
            run_s,
            allocated,
            _,
            _,
            requested,
            limit_s,
            _,
            _,
            user,
            group,
            program,
            queue,
            partition,
            ..,
        ] = record;
        if submit_s < 0.0 || run_s <= 0.0 {
            continue;
        }
        let start_s = submit_s + wait_s.max(0.0);
        let name = |number: f64| {
            if number < 0.0 {
                String::new()
            } else {
                format!("{number:.0}")
            }
        };
        jobs.push(TracedJob {
            submit_s,
            start_s,
            end_s: start_s + run_s,
            expected_start_s: None,
            job: Job {
                user: name(user),
                account: name(group),
                name: name(program),
                partition: name(if partition < 0.0 { queue } else { partition }),
                gpus: gpus_of_processors(if allocated > 0.0 { allocated } else { requested }),
                time_limit_s: limit_s.max(0.0),
                ..job(&name(id))
            },
        });
    }
    Ok(jobs)
}
