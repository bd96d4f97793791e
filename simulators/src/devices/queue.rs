//! The job queue as Slurm's `squeue --json` prints it, and job events in the same terms.
//!
//! The document is that of Slurm's data parser v0.0.40: times in seconds since 1970, limits in minutes,
//! numbers that may be absent as `{"set", "infinite", "number"}`, node lists in bracket form
//! (`r00n[00-17],r01n03`), GPUs in `tres_req_str` (`gres/gpu=72`). A job whose nodes are being prepared
//! has `CONFIGURING` beside `RUNNING` in `job_state`; a pending job's `start_time` is its expected start.
//!
//! On MQTT the whole document is retained on [`QUEUE_TOPIC`]. Each change comes on [`EVENT_TOPIC`] as
//! `{"event": "submitted" | "started" | "ended", "at_ms": <ms since 1970>, "job": <a job of the document>}`.

use super::hall::Hall;
use crate::jobs::{JobEvent, Phase, QueuedJob, Scheduler};
use serde_json::{Value, json};

/// Topic of the whole queue, retained: published on change and every ten seconds.
pub const QUEUE_TOPIC: &str = "isotherm/jobs/queue";
/// Topic of single events.
pub const EVENT_TOPIC: &str = "isotherm/jobs/event";

/// The queue of the hall's scheduler as `squeue --json` prints it; an empty queue where the load is no jobs.
pub fn squeue_document(hall: &Hall) -> Value {
    let (queue, names) = hall.with(|world| {
        let scheduler = world.scheduler();
        (
            scheduler.map(Scheduler::queue).unwrap_or_default(),
            scheduler.map(|s| s.cluster().node_names().clone()),
        )
    });
    let names = names.map_or_else(Vec::new, |names| names.to_vec());
    let jobs: Vec<Value> = queue
        .iter()
        .map(|queued| job_document(hall, queued, &names, None))
        .collect();
    json!({
        "meta": { "plugin": { "data_parser": "data_parser/v0.0.40" }, "slurm": { "cluster": "simulated" } },
        "jobs": jobs,
        "last_update": number(hall.now_ms() / 1000),
        "warnings": [],
        "errors": []
    })
}

/// An event as published on [`EVENT_TOPIC`].
pub fn event_document(hall: &Hall, event: &JobEvent, node_names: &[String]) -> Value {
    let ended = (event.kind == crate::jobs::EventKind::Ended).then_some(event.at_s);
    json!({
        "event": event.kind,
        "at_ms": hall.wall_ms(event.at_s),
        "job": job_document(hall, &event.job, node_names, ended)
    })
}

fn job_document(hall: &Hall, queued: &QueuedJob, names: &[String], ended_s: Option<f64>) -> Value {
    let job = &queued.job;
    let (mut state, start_s) = match queued.phase {
        Phase::Pending { expected_start_s } => (json!(["PENDING"]), expected_start_s),
        Phase::Starting { start_s } => (json!(["RUNNING", "CONFIGURING"]), Some(start_s)),
        Phase::Running { start_s } => (json!(["RUNNING"]), Some(start_s)),
    };
    if ended_s.is_some() {
        state = json!(["COMPLETED"]);
    }
    let nodes: Vec<&str> = queued
        .nodes
        .iter()
        .filter_map(|node| names.get(*node))
        .map(String::as_str)
        .collect();
    let seconds = |t_s: Option<f64>| t_s.map_or(0, |t_s| hall.wall_ms(t_s) / 1000);
    let tres = format!("node={},gres/gpu={}", queued.node_count, job.gpus);
    json!({
        "job_id": job.id,
        "name": job.name,
        "user_name": job.user,
        "account": job.account,
        "partition": job.partition,
        "job_state": state,
        "nodes": host_list(&nodes),
        "node_count": number(i64::from(queued.node_count)),
        "tres_req_str": tres,
        "tres_alloc_str": if nodes.is_empty() { "" } else { &tres },
        "submit_time": number(seconds(Some(job.submit_s))),
        "start_time": number(seconds(start_s)),
        "end_time": number(seconds(ended_s.or(start_s.map(|start_s| start_s + job.time_limit_s)))),
        "time_limit": number(minutes(job.time_limit_s))
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a time limit in minutes")]
fn minutes(seconds: f64) -> i64 {
    (seconds / 60.0).ceil() as i64
}

/// A number that Slurm may leave unset; 0 stands for unset times.
fn number(value: i64) -> Value {
    json!({ "set": value != 0, "infinite": false, "number": value })
}

/// Node names in Slurm's bracket form: names that differ in their last digits only share a prefix.
fn host_list(names: &[&str]) -> String {
    /// A prefix and a width of digits, with runs of numbers.
    type Group = (String, usize, Vec<(u32, u32)>);
    let split = |name: &str| {
        let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count().min(9);
        let (prefix, number) = name.split_at(name.len() - digits);
        (prefix.to_owned(), number.to_owned())
    };
    let mut groups: Vec<Group> = Vec::new();
    for name in names {
        let (prefix, digits) = split(name);
        let Ok(number) = digits.parse::<u32>() else {
            groups.push((prefix, 0, Vec::new()));
            continue;
        };
        match groups.last_mut() {
            Some((last, width, runs)) if *last == prefix && *width == digits.len() => match runs.last_mut() {
                Some((_, end)) if *end + 1 == number => *end = number,
                _ => runs.push((number, number)),
            },
            _ => groups.push((prefix, digits.len(), vec![(number, number)])),
        }
    }
    let shown = groups.iter().map(|(prefix, width, runs)| {
        let one = |n: &u32| format!("{n:0width$}");
        match runs.as_slice() {
            [] => prefix.clone(),
            [(from, to)] if from == to => format!("{prefix}{}", one(from)),
            runs => {
                let run = |(from, to): &(u32, u32)| {
                    if from == to {
                        one(from)
                    } else {
                        format!("{}-{}", one(from), one(to))
                    }
                };
                format!("{prefix}[{}]", runs.iter().map(run).collect::<Vec<_>>().join(","))
            }
        }
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::demo_world;

    #[test]
    fn host_lists_are_those_of_slurm() {
        assert_eq!(host_list(&[]), "");
        assert_eq!(host_list(&["r00n03"]), "r00n03");
        assert_eq!(
            host_list(&["r00n03", "r00n04", "r00n05", "r00n09", "r01n00"]),
            "r00n[03-05,09],r01n00"
        );
        assert_eq!(host_list(&["login", "n9", "n10"]), "login,n9,n10");
    }

    #[test]
    fn the_document_lists_running_and_pending_jobs() {
        let mut world = demo_world(2);
        world.advance(12.0 * 3600.0);
        let hall = Hall::new(world, 1_700_000_000_000);
        let document = squeue_document(&hall);
        let jobs = document["jobs"].as_array().unwrap();
        let running: Vec<&Value> = jobs.iter().filter(|job| job["job_state"][0] == "RUNNING").collect();
        assert!(!running.is_empty());
        for job in running {
            assert!(
                job["nodes"].as_str().is_some_and(|nodes| nodes.starts_with('r')),
                "{job}"
            );
            let start = job["start_time"]["number"].as_i64().unwrap();
            assert!((1_700_000_000..=1_700_000_000 + 12 * 3600).contains(&start));
            assert!(job["tres_req_str"].as_str().unwrap().contains("gres/gpu="));
            assert!(job["time_limit"]["number"].as_i64().unwrap() >= 60);
        }
        let text = serde_json::to_string(&document).unwrap();
        assert!(
            !text.contains("run_s") && !text.contains("level"),
            "what only time will tell is not told"
        );
    }
}
