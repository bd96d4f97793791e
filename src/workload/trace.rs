//! A trace of jobs as CSV, replayed as if its time 0 were the start of the feed.
//!
//! Columns by name: `id`, `submit_s`, `start_s`, `end_s`, `gpus` (all needed), and where known `nodes` (a count),
//! `node_list` (Slurm's compact form), `user`, `account`, `name`, `partition`, `time_limit_s`, `expected_start_s`.
//! The pods of the Alibaba GPU traces (`name`, `num_gpu`, `creation_time`, `scheduled_time`, `deletion_time`) are read too;
//! pods without a GPU or never scheduled are left out. The queue shows what a scheduler would know: a waiting job's
//! actual start is not told ahead.

use super::csv::{Row, Table};
use super::{FeedError, nodelist};
use crate::snapshot::{Job, JobState};

/// One job of a trace; times in s from the trace's beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedJob {
    /// Submit.
    pub submit_s: f64,
    /// Actual start.
    pub start_s: f64,
    /// End.
    pub end_s: f64,
    /// Start that the scheduler expected, where the trace has it.
    pub expected_start_s: Option<f64>,
    /// The rest; state and wall times are filled in by [`queue_at`].
    job: Job,
}

/// Reads a trace, ordered by submit time. The first submit of an Alibaba trace is its time 0.
///
/// # Errors
/// The line and column that cannot be read, and what is expected there.
pub fn parse(text: &str) -> Result<Vec<TracedJob>, FeedError> {
    let mut table = Table::new(text, ',');
    let alibaba = table.has("num_gpu") && table.has("creation_time");
    if !alibaba {
        table.require(&["id", "submit_s", "start_s", "end_s", "gpus"])?;
    }
    let mut jobs = Vec::new();
    while let Some(row) = table.next_row() {
        jobs.extend(if alibaba { pod(&row)? } else { Some(generic(&row)?) });
    }
    jobs.sort_by(|a, b| a.submit_s.total_cmp(&b.submit_s).then_with(|| a.job.id.cmp(&b.job.id)));
    if alibaba {
        let first_s = jobs
            .iter()
            .map(|job| job.submit_s)
            .find(|submit_s| *submit_s > 0.0)
            .unwrap_or(0.0);
        for job in &mut jobs {
            job.submit_s = (job.submit_s - first_s).max(0.0);
            job.start_s = (job.start_s - first_s).max(0.0);
            job.end_s -= first_s;
        }
    }
    Ok(jobs)
}

fn generic(row: &Row<'_>) -> Result<TracedJob, FeedError> {
    let nodes = nodelist::expand(row.text("node_list")).map_err(|what| row.error(what))?;
    let job = Job {
        id: row.text("id").to_owned(),
        state: JobState::Pending {
            expected_start_ms: None,
        },
        user: row.text("user").to_owned(),
        account: row.text("account").to_owned(),
        name: row.text("name").to_owned(),
        partition: row.text("partition").to_owned(),
        gpus: row.count("gpus")?,
        node_count: row.count("nodes")?.max(u32::try_from(nodes.len()).unwrap_or(u32::MAX)),
        nodes,
        submit_ms: 0,
        time_limit_s: row.optional("time_limit_s")?.unwrap_or(0.0).max(0.0),
    };
    let (submit_s, start_s, end_s) = (row.number("submit_s")?, row.number("start_s")?, row.number("end_s")?);
    if !(submit_s <= start_s && start_s <= end_s) {
        return Err(row.error(format!(
            "a job is submitted, starts and ends in this order, not at {submit_s}, {start_s}, {end_s} s"
        )));
    }
    Ok(TracedJob {
        submit_s,
        start_s,
        end_s,
        expected_start_s: row.optional("expected_start_s")?,
        job,
    })
}

fn pod(row: &Row<'_>) -> Result<Option<TracedJob>, FeedError> {
    let (gpus, start_s) = (row.count("num_gpu")?, row.optional("scheduled_time")?);
    let (Some(start_s), true) = (start_s, gpus > 0) else {
        return Ok(None);
    };
    let (submit_s, end_s) = (row.number("creation_time")?, row.number("deletion_time")?);
    let job = Job {
        id: row.text("name").to_owned(),
        state: JobState::Pending {
            expected_start_ms: None,
        },
        // The traces name neither users nor programs; the service class is what tells pods apart.
        user: row.text("qos").to_owned(),
        account: String::new(),
        name: row.text("qos").to_owned(),
        partition: row.text("gpu_spec").to_owned(),
        gpus,
        node_count: 1,
        nodes: Vec::new(),
        submit_ms: 0,
        time_limit_s: 0.0,
    };
    Ok(Some(TracedJob {
        submit_s,
        start_s: start_s.max(submit_s),
        end_s,
        expected_start_s: None,
        job,
    }))
}

/// The queue `at_s` seconds into the trace (`jobs` ordered by submit time), whose beginning was at `origin_ms` wall time.
pub fn queue_at(jobs: &[TracedJob], at_s: f64, origin_ms: i64) -> Vec<Job> {
    let wall_ms = |seconds: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
        origin_ms.saturating_add((seconds * 1000.0) as i64)
    };
    let submitted = jobs.iter().take_while(|job| job.submit_s <= at_s);
    let live = submitted.filter(|job| at_s < job.end_s).map(|traced| {
        let running = traced.start_s <= at_s;
        let state = if running {
            JobState::Running {
                start_ms: wall_ms(traced.start_s),
            }
        } else {
            JobState::Pending {
                expected_start_ms: traced.expected_start_s.map(wall_ms),
            }
        };
        let nodes = if running { traced.job.nodes.clone() } else { Vec::new() };
        Job {
            state,
            nodes,
            submit_ms: wall_ms(traced.submit_s),
            ..traced.job.clone()
        }
    });
    live.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_unfolds_in_time_and_does_not_tell_the_future() {
        let text = "id,submit_s,start_s,end_s,gpus,nodes,node_list,user,time_limit_s,expected_start_s\n\
                    b,50,60,500,8,2,\"n[1-2]\",ann,600,90\n\
                    a,0,100,200,4,1,n7,bob,,\n";
        let jobs = parse(text).unwrap();
        let at = |at_s| queue_at(&jobs, at_s, 1_000_000);
        let states = |at_s| at(at_s).into_iter().map(|job| (job.id, job.state)).collect::<Vec<_>>();
        let pending = |expected_start_ms| JobState::Pending { expected_start_ms };
        assert_eq!(states(0.0), [("a".into(), pending(None))]);
        assert_eq!(
            states(55.0),
            [("a".into(), pending(None)), ("b".into(), pending(Some(1_090_000)))]
        );
        assert!(at(55.0).iter().all(|job| job.nodes.is_empty()));
        assert_eq!(
            states(150.0)[1],
            ("b".into(), JobState::Running { start_ms: 1_060_000 })
        );
        assert_eq!(at(150.0)[1].nodes, ["n1", "n2"]);
        assert_eq!(states(200.0).len(), 1);
        assert!(states(500.0).is_empty());
    }

    #[test]
    fn pods_are_read_without_those_that_never_ran_on_a_gpu() {
        let text = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n\
                    p0,12000,16384,1,1000,,LS,Running,0,12537496,0.0\n\
                    p1,6000,12288,2,1000,V100,BE,Running,427061,12902960,427070.0\n\
                    p2,6000,12288,0,0,,BE,Running,427061,12902960,427061.0\n\
                    p3,6000,12288,1,1000,,BE,Pending,427061,12902960,\n";
        let jobs = parse(text).unwrap();
        assert_eq!(
            jobs.iter().map(|job| job.job.id.as_str()).collect::<Vec<_>>(),
            ["p0", "p1"]
        );
        assert_eq!((jobs[1].submit_s, jobs[1].start_s), (0.0, 9.0));
    }

    #[test]
    fn mistakes_name_their_line() {
        let with = |row: &str| {
            parse(&format!("id,submit_s,start_s,end_s,gpus\n{row}\n"))
                .unwrap_err()
                .to_string()
        };
        assert!(with("a,0,5,3,1").starts_with("line 2: a job is submitted"));
        assert!(with("a,0,5,nan,1").contains("end_s"));
        assert!(with("a,0,5,9,-1").contains("gpus"));
        assert!(parse("id,gpus\n").unwrap_err().to_string().contains("submit_s"));
    }

    #[test]
    fn the_public_pods_can_be_read_where_they_are_at_hand() {
        let data = std::env::var("ISOTHERM_DATA").unwrap_or_else(|_| "../data".into());
        let Ok(text) = std::fs::read_to_string(format!("{data}/alibaba_gpu_2023/pods.csv")) else {
            eprintln!("skipped: no unpacked pods.csv in {data}");
            return;
        };
        assert!(parse(&text).unwrap().len() > 5000);
    }
}
