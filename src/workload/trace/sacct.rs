//! A dump of `sacct -P` as a trace.

use super::{TracedJob, gpus_of_processors, in_order, job};
use crate::snapshot::Job;
use crate::workload::csv::Table;
use crate::workload::finished::time;
use crate::workload::slurm::gpus_of;
use crate::workload::{FeedError, nodelist};
use jiff::tz::TimeZone;

/// Jobs that ran and ended; their steps are passed over.
pub(super) fn parse(text: &str, zone: &TimeZone) -> Result<Vec<TracedJob>, FeedError> {
    let mut table = Table::new(text, '|');
    table.require(&["jobid", "submit", "start", "end"])?;
    let mut jobs = Vec::new();
    while let Some(row) = table.next_row() {
        let id = row.text("jobid");
        if id.contains('.') {
            continue;
        }
        let times = (
            time(&row, "submit", zone)?,
            time(&row, "start", zone)?,
            time(&row, "end", zone)?,
        );
        let (Some(submit_ms), Some(start_ms), Some(end_ms)) = times else {
            continue;
        };
        let seconds = |ms: i64| ms as f64 / 1000.0;
        // A requeued job keeps its first submit; one that was made eligible by hand may start before it.
        let (submit_s, start_s, end_s) = (seconds(submit_ms.min(start_ms)), seconds(start_ms), seconds(end_ms));
        in_order(&row, submit_s, start_s, end_s)?;
        let tres = [row.text("alloctres"), row.text("reqtres")];
        let gpus = tres.iter().find_map(|tres| gpus_of(tres)).filter(|gpus| *gpus > 0);
        let processors = tres.iter().find_map(|tres| {
            let mut items = tres.split(',').filter_map(|item| item.strip_prefix("cpu="));
            items.next()?.parse::<f64>().ok()
        });
        let nodes = nodelist::expand(row.text("nodelist")).map_err(|what| row.error(what))?;
        jobs.push(TracedJob {
            submit_s,
            start_s,
            end_s,
            expected_start_s: None,
            job: Job {
                user: row.text("user").to_owned(),
                account: row.text("account").to_owned(),
                name: row.text("jobname").to_owned(),
                partition: row.text("partition").to_owned(),
                gpus: gpus.unwrap_or_else(|| gpus_of_processors(processors.unwrap_or(1.0))),
                node_count: row
                    .count("allocnodes")?
                    .max(u32::try_from(nodes.len()).unwrap_or(u32::MAX)),
                nodes,
                // Minutes, or a word where there is none.
                time_limit_s: row
                    .text("timelimitraw")
                    .parse::<f64>()
                    .map_or(0.0, |minutes| 60.0 * minutes.max(0.0)),
                ..job(id)
            },
        });
    }
    Ok(jobs)
}
