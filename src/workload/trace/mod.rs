//! A trace of jobs, replayed as if its time 0 were the start of the feed.
//!
//! | form | told by | time 0 |
//! |---|---|---|
//! | CSV of jobs: `id`, `submit_s`, `start_s`, `end_s`, `gpus` (all needed), and where known `nodes` (a count), `node_list` (Slurm's compact form), `user`, `account`, `name`, `partition`, `time_limit_s`, `expected_start_s` | its header | 0 s |
//! | a dump of `sacct -P`, with `JobID`, `AllocTRES` or `ReqTRES`, `Submit`, `Start`, `End`, and where known `NodeList`, `AllocNodes`, `TimelimitRaw`, ... | a header with bars | the first submit |
//! | Standard Workload Format, version 2 | comments with `;`, 18 numbers a line | 0 s |
//! | pods of the Alibaba GPU traces: `name`, `num_gpu`, `creation_time`, `scheduled_time`, `deletion_time` | its header | the first submit |
//! | jobs of SURF's Lisa: `id`, `submit_s`, `duration_s`, `cpu_count` | its header | 0 s |
//! | jobs of NREL's Eagle: `job_id`, `submit_time`, `start_time`, `end_time`, `processors_req`, `gpus_req`, ... | its header | the first submit |
//!
//! Jobs that never ran are left out, and so are pods without a GPU. Traces of machines without accelerators (Standard
//! Workload Format, Lisa, most of Eagle) count every 16 processors of a job as one GPU. The queue shows what a scheduler
//! would know: a waiting job's actual start is not told ahead.

mod public;
mod sacct;
mod swf;

use super::csv::{Row, Table};
use super::{FeedError, nodelist};
use crate::snapshot::{Job, JobState};
use jiff::tz::TimeZone;

/// Processors that stand for one GPU in traces of machines without any.
const PROCESSORS_A_GPU: f64 = 16.0;

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

/// Reads a trace of any form, ordered by submit time; `zone` is that of local times in it.
///
/// # Errors
/// The line and column that cannot be read, and what is expected there.
pub fn parse(text: &str, zone: &TimeZone) -> Result<Vec<TracedJob>, FeedError> {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let (mut jobs, from_first) = if header.starts_with(';') || swf::is_record(header) {
        (swf::parse(text)?, false)
    } else if header.contains('|') {
        (sacct::parse(text, zone)?, true)
    } else {
        let mut table = Table::new(text, ',');
        if table.has("num_gpu") && table.has("creation_time") {
            (rows(&mut table, public::pod)?, true)
        } else if table.has("duration_s") && table.has("cpu_count") {
            (rows(&mut table, |row| public::lisa(row).map(Some))?, false)
        } else if table.has("job_id") && table.has("wallclock_req") {
            (rows(&mut table, public::eagle)?, true)
        } else {
            table.require(&["id", "submit_s", "start_s", "end_s", "gpus"])?;
            (rows(&mut table, |row| generic(row).map(Some))?, false)
        }
    };
    jobs.sort_by(|a, b| a.submit_s.total_cmp(&b.submit_s).then_with(|| a.job.id.cmp(&b.job.id)));
    if from_first {
        let mut submits = jobs.iter().map(|job| job.submit_s);
        let first_s = submits.find(|submit_s| *submit_s > 0.0).unwrap_or(0.0);
        for job in &mut jobs {
            job.submit_s = (job.submit_s - first_s).max(0.0);
            job.start_s = (job.start_s - first_s).max(0.0);
            job.end_s -= first_s;
        }
    }
    Ok(jobs)
}

fn rows(
    table: &mut Table<'_>,
    read: impl Fn(&Row<'_>) -> Result<Option<TracedJob>, FeedError>,
) -> Result<Vec<TracedJob>, FeedError> {
    let mut jobs = Vec::new();
    while let Some(row) = table.next_row() {
        jobs.extend(read(&row)?);
    }
    Ok(jobs)
}

/// A job of which only its id is known.
fn job(id: &str) -> Job {
    Job {
        id: id.to_owned(),
        state: JobState::Pending {
            expected_start_ms: None,
        },
        user: String::new(),
        account: String::new(),
        name: String::new(),
        partition: String::new(),
        gpus: 0,
        node_count: 1,
        nodes: Vec::new(),
        submit_ms: 0,
        time_limit_s: 0.0,
    }
}

/// GPUs that a count of processors stands for, at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
fn gpus_of_processors(processors: f64) -> u32 {
    (processors / PROCESSORS_A_GPU).ceil().max(1.0) as u32
}

fn generic(row: &Row<'_>) -> Result<TracedJob, FeedError> {
    let nodes = nodelist::expand(row.text("node_list")).map_err(|what| row.error(what))?;
    let job = Job {
        user: row.text("user").to_owned(),
        account: row.text("account").to_owned(),
        name: row.text("name").to_owned(),
        partition: row.text("partition").to_owned(),
        gpus: row.count("gpus")?,
        node_count: row.count("nodes")?.max(u32::try_from(nodes.len()).unwrap_or(u32::MAX)),
        nodes,
        time_limit_s: row.optional("time_limit_s")?.unwrap_or(0.0).max(0.0),
        ..job(row.text("id"))
    };
    let (submit_s, start_s, end_s) = (row.number("submit_s")?, row.number("start_s")?, row.number("end_s")?);
    in_order(row, submit_s, start_s, end_s)?;
    Ok(TracedJob {
        submit_s,
        start_s,
        end_s,
        expected_start_s: row.optional("expected_start_s")?,
        job,
    })
}

fn in_order(row: &Row<'_>, submit_s: f64, start_s: f64, end_s: f64) -> Result<(), FeedError> {
    if submit_s <= start_s && start_s <= end_s {
        return Ok(());
    }
    Err(row.error(format!(
        "a job is submitted, starts and ends in this order, not at {submit_s}, {start_s}, {end_s} s"
    )))
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
        let jobs = parse(text, &TimeZone::UTC).unwrap();
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
        let jobs = parse(text, &TimeZone::UTC).unwrap();
        assert_eq!(
            jobs.iter().map(|job| job.job.id.as_str()).collect::<Vec<_>>(),
            ["p0", "p1"]
        );
        assert_eq!((jobs[1].submit_s, jobs[1].start_s), (0.0, 9.0));
    }

    #[test]
    fn mistakes_name_their_line() {
        let with = |row: &str| {
            parse(&format!("id,submit_s,start_s,end_s,gpus\n{row}\n"), &TimeZone::UTC)
                .unwrap_err()
                .to_string()
        };
        assert!(with("a,0,5,3,1").starts_with("line 2: a job is submitted"));
        assert!(with("a,0,5,nan,1").contains("end_s"));
        assert!(with("a,0,5,9,-1").contains("gpus"));
        assert!(
            parse("id,gpus\n", &TimeZone::UTC)
                .unwrap_err()
                .to_string()
                .contains("submit_s")
        );
    }

    #[test]
    fn a_dump_of_accounting_is_a_trace_too() {
        let text = "JobID|User|JobName|Partition|AllocTRES|AllocNodes|NodeList|TimelimitRaw|Submit|Start|End\n\
            7|ann|train|gpu|cpu=64,gres/gpu=8,node=2|2|r01n[01-02]|1440|2026-01-01T10:00:00|2026-01-01T11:00:00|2026-01-01T12:00:00\n\
            7.batch||batch||cpu=64|1|r01n01||2026-01-01T11:00:00|2026-01-01T11:00:00|2026-01-01T12:00:00\n\
            8|bob|wait|gpu|gres/gpu=4|1|None assigned|60|2026-01-01T10:10:00|Unknown|Unknown\n\
            9|bob|cpu|cpu|cpu=32|1|r01n03|60|2026-01-01T10:20:00|2026-01-01T10:20:05|2026-01-01T10:30:00\n";
        let jobs = parse(text, &TimeZone::UTC).unwrap();
        let shown: Vec<_> = jobs
            .iter()
            .map(|job| (job.job.id.as_str(), job.job.gpus, job.submit_s, job.start_s))
            .collect();
        assert_eq!(shown, [("7", 8, 0.0, 3600.0), ("9", 2, 1200.0, 1205.0)]);
        assert_eq!(jobs[0].job.nodes, ["r01n01", "r01n02"]);
        assert!((jobs[0].job.time_limit_s - 86_400.0).abs() < 1e-9);
    }

    #[test]
    fn the_standard_workload_format_is_read() {
        let text = "; Version: 2.2\n;\n 1 0 10 100 32 -1 -1 32 3600 -1 1 3 1 7 2 1 -1 -1\n\
                    2 5 -1 -1 -1 -1 -1 16 60 -1 5 3 1 7 2 1 -1 -1\n";
        let jobs = parse(text, &TimeZone::UTC).unwrap();
        assert_eq!(jobs.len(), 1, "a cancelled job never ran");
        assert_eq!((jobs[0].start_s, jobs[0].end_s, jobs[0].job.gpus), (10.0, 110.0, 2));
        assert_eq!((jobs[0].job.user.as_str(), jobs[0].job.name.as_str()), ("3", "7"));
        let wrong = parse(
            "; Version: 2\n1 0 10 many 32 -1 -1 32 3600 -1 1 3 1 7 2 1 -1 -1\n",
            &TimeZone::UTC,
        );
        assert!(wrong.unwrap_err().to_string().starts_with("line 2: field 4"));
        let short = parse("; Version: 2\n1 0 10\n", &TimeZone::UTC).unwrap_err().to_string();
        assert!(short.contains("18 fields"), "{short}");
    }

    /// A file of the shared data, unpacked; `None` where it is not at hand.
    #[cfg(feature = "sim")]
    fn shared(file: &str) -> Option<String> {
        use std::io::Read;
        let data = std::env::var("ISOTHERM_DATA").unwrap_or_else(|_| "../shared/data".into());
        let Ok(file) = std::fs::File::open(format!("{data}/{file}")) else {
            eprintln!("skipped: no {file} in {data}");
            return None;
        };
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[cfg(feature = "sim")]
    #[test]
    fn the_public_traces_can_be_read_where_they_are_at_hand() {
        for (file, most, least) in [
            ("alibaba_gpu_2023/pods.csv.gz", 8152, 5000),
            ("surf_lisa/jobs.csv.gz", 10_000, 1000),
            ("nrel_eagle_sample/jobs.csv.gz", 1000, 900),
        ] {
            let Some(text) = shared(file) else { continue };
            let jobs = parse(&text, &TimeZone::UTC).unwrap();
            assert!((least..=most).contains(&jobs.len()), "{file}: {}", jobs.len());
            assert!(
                jobs.iter().all(|job| job.job.gpus > 0 && job.submit_s <= job.start_s),
                "{file}"
            );
            println!(
                "{file}: {} jobs over {:.1} days",
                jobs.len(),
                jobs.last().unwrap().submit_s / 86_400.0
            );
        }
    }
}
