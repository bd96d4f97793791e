//! Finished jobs from accounting without energy, and measured power of nodes beside it.
//!
//! The power is a CSV with the columns `time_s` (s since 1970-01-01 UTC), `node` and `power_w`; the accounting a dump of
//! `sacct -P` with `JobID`, `AllocTRES`, `NodeList`, `Submit`, `Start`, `End` and what else is known. A job's power is the
//! sum over its nodes, minute by minute, where all of them were measured; jobs that shared a node with another job, or
//! were measured for less than half of their time, are left out and counted.

use super::csv::{Row, Table};
use super::finished::{SHORTEST_S, time};
use super::slurm::gpus_of;
use super::{FeedError, nodelist};
use crate::snapshot::FinishedJob;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Readings are gathered into steps of this length, s.
const STEP_S: i64 = 60;

/// Mean power of each node in each step, W: sum and count.
type Power = BTreeMap<String, BTreeMap<i64, (f64, f64)>>;

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// Jobs with their power.
    pub jobs: Vec<FinishedJob>,
    /// Jobs with GPUs that shared a node.
    pub shared: usize,
    /// Jobs with GPUs that were not measured, or for too short.
    pub unmeasured: usize,
}

/// Joins accounting and power; `zone` is that of the accounting's times.
///
/// # Errors
/// The line that cannot be read, and what is expected there.
pub fn join(accounting: &str, power: &str, zone: &TimeZone) -> Result<Joined, FeedError> {
    let power = read_power(power)?;
    let ran = read_jobs(accounting, zone)?;
    let mut held: BTreeMap<&str, Vec<(i64, i64, usize)>> = BTreeMap::new();
    for (index, (job, nodes)) in ran.iter().enumerate() {
        for node in nodes {
            held.entry(node).or_default().push((job.start_ms, job.end_ms, index));
        }
    }
    let mut shared = vec![false; ran.len()];
    for spans in held.values_mut() {
        spans.sort_unstable();
        let mut longest: Option<(i64, usize)> = None;
        for (start_ms, end_ms, index) in spans.iter().copied() {
            if let Some((until_ms, other)) = longest.filter(|(until_ms, _)| *until_ms > start_ms) {
                for both in [index, other] {
                    if let Some(shared) = shared.get_mut(both) {
                        *shared = true;
                    }
                }
                longest = Some(if end_ms > until_ms {
                    (end_ms, index)
                } else {
                    (until_ms, other)
                });
            } else {
                longest = Some((end_ms, index));
            }
        }
    }
    let mut joined = Joined {
        jobs: Vec::new(),
        shared: 0,
        unmeasured: 0,
    };
    for ((job, nodes), shared) in ran.iter().zip(shared) {
        if job.gpus == 0 {
            continue;
        }
        if shared {
            joined.shared += 1;
        } else if let Some((mean_w, peak_w)) = drawn(&power, nodes, job.start_ms, job.end_ms) {
            let gpus = f64::from(job.gpus);
            joined.jobs.push(FinishedJob {
                mean_gpu_w: mean_w / gpus,
                peak_gpu_w: peak_w / gpus,
                ..job.clone()
            });
        } else {
            joined.unmeasured += 1;
        }
    }
    Ok(joined)
}

fn read_power(text: &str) -> Result<Power, FeedError> {
    let mut table = Table::new(text, ',');
    table.require(&["time_s", "node", "power_w"])?;
    let mut power = Power::new();
    while let Some(row) = table.next_row() {
        let (time_s, watts) = (row.number("time_s")?, row.number("power_w")?);
        if !(0.0..=1e10).contains(&time_s) || !(0.0..=1e6).contains(&watts) {
            return Err(row.error("time_s must be s since 1970 and power_w 0 to 1000000 W".into()));
        }
        #[expect(clippy::cast_possible_truncation, reason = "within range")]
        let step = time_s as i64 / STEP_S;
        let of_node = power.entry(row.text("node").to_owned()).or_default();
        let (sum, count) = of_node.entry(step).or_default();
        *sum += watts;
        *count += 1.0;
    }
    Ok(power)
}

/// Jobs that ran long enough, without their power, each with its nodes.
fn read_jobs(text: &str, zone: &TimeZone) -> Result<Vec<(FinishedJob, Vec<String>)>, FeedError> {
    let mut table = Table::new(text, '|');
    table.require(&["jobid", "alloctres", "nodelist", "submit", "start", "end"])?;
    let mut jobs = Vec::new();
    while let Some(row) = table.next_row() {
        if !row.text("jobid").contains('.') {
            jobs.extend(read_job(&row, zone)?);
        }
    }
    Ok(jobs)
}

fn read_job(row: &Row<'_>, zone: &TimeZone) -> Result<Option<(FinishedJob, Vec<String>)>, FeedError> {
    let times = (
        time(row, "submit", zone)?,
        time(row, "start", zone)?,
        time(row, "end", zone)?,
    );
    let (Some(submit_ms), Some(start_ms), Some(end_ms)) = times else {
        return Ok(None);
    };
    if ((end_ms - start_ms) as f64) < SHORTEST_S * 1000.0 {
        return Ok(None);
    }
    let nodes = nodelist::expand(row.text("nodelist")).map_err(|what| row.error(what))?;
    let job = FinishedJob {
        id: row.text("jobid").to_owned(),
        user: row.text("user").to_owned(),
        account: row.text("account").to_owned(),
        name: row.text("jobname").to_owned(),
        partition: row.text("partition").to_owned(),
        gpus: gpus_of(row.text("alloctres")).unwrap_or(0),
        nodes: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
        time_limit_s: row
            .text("timelimitraw")
            .parse::<f64>()
            .map_or(0.0, |minutes| 60.0 * minutes.max(0.0)),
        submit_ms: submit_ms.min(start_ms),
        start_ms,
        end_ms,
        mean_gpu_w: 0.0,
        peak_gpu_w: 0.0,
        ramp_s: None,
    };
    Ok(Some((job, nodes)))
}

/// Mean and largest power of all nodes together, W, over the whole steps of a run.
fn drawn(power: &Power, nodes: &[String], start_ms: i64, end_ms: i64) -> Option<(f64, f64)> {
    let (first, last) = (start_ms / 1000 / STEP_S + 1, end_ms / 1000 / STEP_S);
    let of_nodes: Vec<_> = nodes.iter().map(|node| power.get(node)).collect::<Option<_>>()?;
    let (mut steps, mut sum_w, mut peak_w) = (0.0, 0.0, 0.0_f64);
    for (step, _) in of_nodes.first()?.range(first..last.max(first)) {
        let all = of_nodes
            .iter()
            .map(|node| node.get(step).map(|(sum, count)| sum / count));
        if let Some(watts) = all.sum::<Option<f64>>() {
            steps += 1.0;
            sum_w += watts;
            peak_w = peak_w.max(watts);
        }
    }
    let whole = (last - first).max(1) as f64;
    (steps >= 1.0 && steps >= 0.5 * whole).then(|| (sum_w / steps, peak_w))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const ACCOUNTING: &str = "JobID|User|AllocTRES|NodeList|Submit|Start|End\n\
        1|ann|gres/gpu=8|n[1-2]|1970-01-01T00:00:00|1970-01-01T00:10:00|1970-01-01T00:20:00\n\
        2|bob|gres/gpu=4|n3|1970-01-01T00:00:00|1970-01-01T00:10:00|1970-01-01T00:20:00\n\
        3|bob|gres/gpu=1|n3|1970-01-01T00:00:00|1970-01-01T00:15:00|1970-01-01T00:30:00\n\
        4|eve|gres/gpu=4|n9|1970-01-01T00:00:00|1970-01-01T00:10:00|1970-01-01T00:20:00\n\
        5|eve|cpu=4|n1|1970-01-01T00:30:00|1970-01-01T00:30:00|1970-01-01T00:40:00\n";

    #[test]
    fn power_is_summed_over_a_jobs_nodes_and_shared_nodes_are_left_out() {
        let mut power = "time_s,node,power_w\n".to_owned();
        for second in (0..3000).step_by(30) {
            for (node, watts) in [
                ("n1", 4000),
                ("n2", 4400 + 800 * i32::from(second == 900)),
                ("n3", 1000),
            ] {
                writeln!(power, "{second},{node},{watts}").unwrap();
            }
        }
        let joined = join(ACCOUNTING, &power, &TimeZone::UTC).unwrap();
        assert_eq!((joined.jobs.len(), joined.shared, joined.unmeasured), (1, 2, 1));
        let job = &joined.jobs[0];
        assert_eq!(job.id, "1");
        assert!((1050.0..1060.0).contains(&job.mean_gpu_w), "{job:?}");
        assert!(
            (job.peak_gpu_w - 1100.0).abs() < 1e-9,
            "one minute had 400 W more: {job:?}"
        );
    }

    #[test]
    fn mistakes_name_their_line() {
        let wrong = join(ACCOUNTING, "time_s,node,power_w\n5,n1,lots\n", &TimeZone::UTC).unwrap_err();
        assert!(wrong.to_string().starts_with("line 2: power_w"), "{wrong}");
        assert!(join("JobID|User\n", "time_s,node,power_w\n", &TimeZone::UTC).is_err());
    }
}
