//! Finished jobs with their power, for training: Slurm's accounting, or a CSV of one's own.
//!
//! The accounting comes from a site with an energy plugin (`AcctGatherEnergyType`):
//!
//! ```text
//! sacct -a -P -S 2026-01-01 -o JobID,User,Account,JobName,Partition,AllocTRES,AllocNodes,TimelimitRaw,Submit,Start,End,ElapsedRaw,ConsumedEnergyRaw
//! ```
//!
//! The CSV has the columns `id`, `gpus`, `submit_s`, `start_s`, `end_s` (s since 1970-01-01 UTC), `mean_gpu_w`, `peak_gpu_w`,
//! and where known `user`, `account`, `name`, `partition`, `nodes`, `time_limit_s`.

use super::FeedError;
use super::csv::{Row, Table};
use super::slurm::gpus_of;
use crate::snapshot::FinishedJob;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Jobs shorter than this are mostly start and end, s.
pub(super) const SHORTEST_S: f64 = 60.0;

/// Reads either form, told apart by the header.
///
/// # Errors
/// The line that cannot be read, and what is expected there.
pub fn parse(text: &str, zone: &TimeZone) -> Result<Vec<FinishedJob>, FeedError> {
    if text.lines().next().is_some_and(|header| header.contains('|')) {
        sacct(text, zone)
    } else {
        csv(text)
    }
}

fn csv(text: &str) -> Result<Vec<FinishedJob>, FeedError> {
    let mut table = Table::new(text, ',');
    table.require(&["id", "gpus", "submit_s", "start_s", "end_s", "mean_gpu_w", "peak_gpu_w"])?;
    let mut jobs = Vec::new();
    while let Some(row) = table.next_row() {
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
        let ms = |column| row.number(column).map(|seconds| (seconds * 1000.0) as i64);
        jobs.push(FinishedJob {
            id: row.text("id").to_owned(),
            user: row.text("user").to_owned(),
            account: row.text("account").to_owned(),
            name: row.text("name").to_owned(),
            partition: row.text("partition").to_owned(),
            gpus: row.count("gpus")?,
            nodes: row.count("nodes")?,
            time_limit_s: row.optional("time_limit_s")?.unwrap_or(0.0),
            submit_ms: ms("submit_s")?,
            start_ms: ms("start_s")?,
            end_ms: ms("end_s")?,
            mean_gpu_w: row.number("mean_gpu_w")?,
            peak_gpu_w: row.number("peak_gpu_w")?,
            ramp_s: None,
        });
    }
    Ok(jobs)
}

/// Jobs of `sacct -P` that had GPUs, ended, and have energy to their name. Times are local to `zone`, as sacct prints
/// them. Accounting keeps energy and no peak: the peak is the mean of the hungriest step, a lower bound.
fn sacct(text: &str, zone: &TimeZone) -> Result<Vec<FinishedJob>, FeedError> {
    let mut table = Table::new(text, '|');
    table.require(&["jobid", "alloctres", "submit", "start", "end", "consumedenergyraw"])?;
    let mut jobs: Vec<FinishedJob> = Vec::new();
    while let Some(row) = table.next_row() {
        let id = row.text("jobid");
        let Some((start_ms, end_ms)) = time(&row, "start", zone)?.zip(time(&row, "end", zone)?) else {
            continue;
        };
        let (seconds, joules) = ((end_ms - start_ms) as f64 / 1000.0, energy_j(&row)?);
        let gpus = gpus_of(row.text("alloctres")).unwrap_or(0);
        if let Some((of, _)) = id.split_once('.') {
            // A step follows its job.
            if let Some(job) = jobs
                .last_mut()
                .filter(|job| job.id == of && seconds >= SHORTEST_S && gpus > 0)
            {
                job.peak_gpu_w = job.peak_gpu_w.max(joules / (seconds * f64::from(gpus)));
            }
            continue;
        }
        if gpus == 0 || seconds < SHORTEST_S || joules <= 0.0 {
            continue;
        }
        let Some(submit_ms) = time(&row, "submit", zone)? else {
            continue;
        };
        let mean_gpu_w = joules / (seconds * f64::from(gpus));
        jobs.push(FinishedJob {
            id: id.to_owned(),
            user: row.text("user").to_owned(),
            account: row.text("account").to_owned(),
            name: row.text("jobname").to_owned(),
            partition: row.text("partition").to_owned(),
            gpus,
            nodes: row.count("allocnodes")?,
            // Minutes, or a word where there is none.
            time_limit_s: row
                .text("timelimitraw")
                .parse::<f64>()
                .map_or(0.0, |minutes| 60.0 * minutes.max(0.0)),
            submit_ms: submit_ms.min(start_ms),
            start_ms,
            end_ms,
            mean_gpu_w,
            peak_gpu_w: mean_gpu_w,
            ramp_s: None,
        });
    }
    Ok(jobs)
}

/// Energy, J; empty is none.
fn energy_j(row: &Row<'_>) -> Result<f64, FeedError> {
    Ok(row.optional("consumedenergyraw")?.unwrap_or(0.0))
}

/// A time, wall ms; `None` where it is `Unknown` or empty.
pub(super) fn time(row: &Row<'_>, column: &str, zone: &TimeZone) -> Result<Option<i64>, FeedError> {
    let text = row.text(column);
    if matches!(text, "" | "Unknown" | "None") {
        return Ok(None);
    }
    let wrong = || {
        row.error(format!(
            "{column} must be a time such as 2026-01-31T08:55:00, not `{}`",
            text.chars().take(40).collect::<String>()
        ))
    };
    let local: DateTime = text.parse().map_err(|_| wrong())?;
    let instant = zone.to_timestamp(local).map_err(|_| wrong())?;
    Ok(Some(instant.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SACCT: &str = "JobID|User|Account|JobName|Partition|AllocTRES|AllocNodes|TimelimitRaw|Submit|Start|End|ElapsedRaw|ConsumedEnergyRaw\n\
        7|ann|llm|train|gpu|billing=64,cpu=64,gres/gpu=8,node=2|2|1440|2026-01-01T10:00:00|2026-01-01T11:00:00|2026-01-01T12:00:00|3600|28800000\n\
        7.batch|||batch||cpu=64,gres/gpu=8,node=1|1||2026-01-01T11:00:00|2026-01-01T11:00:00|2026-01-01T11:30:00|1800|17280000\n\
        8|bob|llm|cpu|cpu|billing=64,cpu=64,node=2|2|UNLIMITED|2026-01-01T10:00:00|2026-01-01T11:00:00|2026-01-01T12:00:00|3600|100\n\
        9|bob|llm|train|gpu|gres/gpu=8|2|60|2026-01-01T10:00:00|2026-01-01T11:00:00|Unknown|3600|\n";

    #[test]
    fn accounting_becomes_power_per_gpu() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let jobs = parse(SACCT, &zone).unwrap();
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        assert!((jobs[0].mean_gpu_w - 1000.0).abs() < 1e-9);
        assert!((jobs[0].peak_gpu_w - 1200.0).abs() < 1e-9, "the batch step drew more");
        assert_eq!(jobs[0].start_ms, 1_767_261_600_000, "10:00 UTC");
        assert!((jobs[0].time_limit_s - 86_400.0).abs() < 1e-9);
    }

    #[test]
    fn a_csv_of_ones_own_is_read() {
        let text = "id,gpus,submit_s,start_s,end_s,mean_gpu_w,peak_gpu_w,user\na,8,0,10,100,900,1100,ann\n";
        let jobs = parse(text, &TimeZone::UTC).unwrap();
        assert_eq!((jobs[0].user.as_str(), jobs[0].end_ms), ("ann", 100_000));
    }

    #[test]
    fn mistakes_name_line_and_column() {
        let text = SACCT.replace("2026-01-01T12:00:00|3600|28800000", "noon|3600|28800000");
        assert!(
            parse(&text, &TimeZone::UTC)
                .unwrap_err()
                .to_string()
                .starts_with("line 2: end must be a time")
        );
        assert!(
            parse("JobID|User\n", &TimeZone::UTC)
                .unwrap_err()
                .to_string()
                .contains("alloctres")
        );
        assert!(
            parse("id,gpus\n", &TimeZone::UTC)
                .unwrap_err()
                .to_string()
                .contains("mean_gpu_w")
        );
    }
}
