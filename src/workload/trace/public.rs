//! The rows of public traces.

use super::{TracedJob, gpus_of_processors, in_order, job};
use crate::snapshot::Job;
use crate::workload::FeedError;
use crate::workload::csv::Row;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A pod of the Alibaba GPU traces; `None` without a GPU, or where it was never scheduled.
pub(super) fn pod(row: &Row<'_>) -> Result<Option<TracedJob>, FeedError> {
    let (gpus, start_s) = (row.count("num_gpu")?, row.optional("scheduled_time")?);
    let (Some(start_s), true) = (start_s, gpus > 0) else {
        return Ok(None);
    };
    let (submit_s, end_s) = (row.number("creation_time")?, row.number("deletion_time")?);
    Ok(Some(TracedJob {
        submit_s,
        start_s: start_s.max(submit_s),
        end_s,
        expected_start_s: None,
        job: Job {
            // The traces name neither users nor programs; the service class is what tells pods apart.
            user: row.text("qos").to_owned(),
            name: row.text("qos").to_owned(),
            partition: row.text("gpu_spec").to_owned(),
            gpus,
            ..job(row.text("name"))
        },
    }))
}

/// A job of SURF's Lisa, which starts when it is submitted.
pub(super) fn lisa(row: &Row<'_>) -> Result<TracedJob, FeedError> {
    let (submit_s, duration_s) = (row.number("submit_s")?, row.number("duration_s")?);
    in_order(row, submit_s, submit_s, submit_s + duration_s)?;
    Ok(TracedJob {
        submit_s,
        start_s: submit_s,
        end_s: submit_s + duration_s,
        expected_start_s: None,
        job: Job {
            gpus: gpus_of_processors(row.number("cpu_count")?),
            ..job(row.text("id"))
        },
    })
}

/// A job of NREL's Eagle; `None` where it never ran.
pub(super) fn eagle(row: &Row<'_>) -> Result<Option<TracedJob>, FeedError> {
    let (Some(submit_s), Some(start_s), Some(end_s)) = (
        seconds(row, "submit_time")?,
        seconds(row, "start_time")?,
        seconds(row, "end_time")?,
    ) else {
        return Ok(None);
    };
    in_order(row, submit_s, start_s, end_s)?;
    let gpus = row.count("gpus_req")?;
    Ok(Some(TracedJob {
        submit_s,
        start_s,
        end_s,
        expected_start_s: None,
        job: Job {
            user: row.text("user").to_owned(),
            account: row.text("account").to_owned(),
            name: row.text("name").to_owned(),
            partition: row.text("partition").to_owned(),
            gpus: if gpus > 0 {
                gpus
            } else {
                gpus_of_processors(row.number("processors_req")?)
            },
            node_count: row.count("nodes_req")?.max(1),
            time_limit_s: row.optional("wallclock_req")?.unwrap_or(0.0).max(0.0),
            ..job(row.text("job_id"))
        },
    }))
}

/// A time such as `2019-01-01 08:55:55`, s since 1970; only differences count, so it is taken as UTC. `None` where empty.
fn seconds(row: &Row<'_>, column: &str) -> Result<Option<f64>, FeedError> {
    let text = row.text(column);
    if text.is_empty() {
        return Ok(None);
    }
    let local: Result<DateTime, _> = text.replacen(' ', "T", 1).parse();
    let instant = local.and_then(|local| TimeZone::UTC.to_timestamp(local));
    let instant = instant.map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        row.error(format!(
            "{column} must be a time such as 2019-01-01 08:55:55, not `{shown}`"
        ))
    })?;
    Ok(Some(instant.as_second() as f64))
}
