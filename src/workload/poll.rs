//! Sources that are asked again and again: a command, a file, a trace.

use super::publisher::Publisher;
use super::{FeedError, LARGEST_DOCUMENT, slurm, trace};
use crate::snapshot::Job;
use jiff::tz::TimeZone;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::MissedTickBehavior;

/// A command that takes longer is killed; real time, whatever the plant's.
const PATIENCE: Duration = Duration::from_secs(30);

/// A trace is looked up this often, plant seconds.
const TRACE_STEP_S: f64 = 1.0;

/// A queue of events alone is confirmed this often, plant seconds.
const EVENTS_STEP_S: f64 = 2.0;

/// Runs a command that prints `squeue --json` every `period_s` plant seconds.
pub(super) async fn command(command: &[String], period_s: f64, publisher: &Publisher) {
    let mut ticks = ticks(publisher.real(period_s));
    loop {
        ticks.tick().await;
        hand_over_document(output(command, PATIENCE).await, publisher);
    }
}

/// Reads a file in the form of `squeue --json` whenever it has changed, looked at every `period_s` plant seconds. A file
/// that nobody writes any more grows old as a lost source does.
pub(super) async fn file(path: &Path, period_s: f64, publisher: &Publisher) {
    let mut ticks = ticks(publisher.real(period_s));
    let mut seen = None;
    loop {
        ticks.tick().await;
        let version = tokio::fs::metadata(path)
            .await
            .map(|meta| (meta.modified().ok(), meta.len()));
        match version {
            Ok(version) if seen == Some(version) => {}
            Ok(version) => {
                let jobs = content(path).await.and_then(|text| slurm::parse(&text));
                // One that could not be read may be half written: it is looked at again.
                seen = jobs.is_ok().then_some(version);
                hand_over(jobs, publisher);
            }
            Err(error) => publisher.failed(&source(path, &error)),
        }
    }
}

/// Job events alone leave no trace of a sender that has died: they are believed until the next.
pub(super) async fn events(publisher: &Publisher) {
    let mut ticks = ticks(publisher.real(EVENTS_STEP_S));
    loop {
        ticks.tick().await;
        publisher.confirm_events();
    }
}

/// Replays a trace from now on.
pub(super) async fn trace(path: &Path, zone: &TimeZone, publisher: &Publisher) {
    let jobs = match content(path).await.and_then(|bytes| {
        let text = String::from_utf8(bytes)
            .map_err(|_| FeedError::Document(format!("{} is not text; unpack it first", path.display())))?;
        trace::parse(&text, zone)
    }) {
        Ok(jobs) => jobs,
        Err(error) => return publisher.failed(&error),
    };
    let origin = publisher.now();
    let mut ticks = ticks(publisher.real(TRACE_STEP_S));
    loop {
        ticks.tick().await;
        let at_s = publisher.now().seconds_since(origin.mono_ms);
        hand_over(Ok(trace::queue_at(&jobs, at_s, origin.wall_ms)), publisher);
    }
}

/// Hands over the jobs of a `squeue --json` document, and what it says of the scheduler's clock.
pub(super) fn hand_over_document(document: Result<Vec<u8>, FeedError>, publisher: &Publisher) {
    let jobs = document.and_then(|text| {
        let jobs = slurm::parse(&text)?;
        if let Some(made_ms) = slurm::made_ms(&text) {
            publisher.stamped(made_ms);
        }
        Ok(jobs)
    });
    hand_over(jobs, publisher);
}

fn hand_over(jobs: Result<Vec<Job>, FeedError>, publisher: &Publisher) {
    match jobs {
        Ok(jobs) => {
            publisher.read();
            publisher.publish(jobs, publisher.now().mono_ms);
        }
        Err(error) => publisher.failed(&error),
    }
}

pub(super) fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn source(path: &Path, error: &std::io::Error) -> FeedError {
    FeedError::Source(format!("{}: {error}", path.display()))
}

async fn content(path: &Path) -> Result<Vec<u8>, FeedError> {
    let file = tokio::fs::File::open(path)
        .await
        .map_err(|error| source(path, &error))?;
    bounded(file)
        .await
        .map_err(|what| FeedError::Source(format!("{}: {what}", path.display())))
}

/// All of a stream, unless it is too large.
async fn bounded(stream: impl AsyncRead + Unpin) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = LARGEST_DOCUMENT as u64 + 1;
    stream
        .take(limit)
        .read_to_end(&mut bytes)
        .await
        .map_err(|error| error.to_string())?;
    if bytes.len() > LARGEST_DOCUMENT {
        Err(format!("more than {LARGEST_DOCUMENT} bytes"))
    } else {
        Ok(bytes)
    }
}

/// What a command prints; one that fails, prints too much or takes longer than `patience` is an error, and is killed.
pub(super) async fn output(command: &[String], patience: Duration) -> Result<Vec<u8>, FeedError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(FeedError::Source("the command is empty".into()));
    };
    let failed = |what: String| FeedError::Source(format!("{program}: {what}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(failed("has no output".into()));
    };
    let finish = async {
        let (printed, complaint) = tokio::join!(bounded(stdout), bounded(stderr));
        let printed = printed.map_err(&failed)?;
        let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
        if status.success() {
            return Ok(printed);
        }
        let complaint = complaint.unwrap_or_default();
        let complaint: String = String::from_utf8_lossy(&complaint).trim().chars().take(200).collect();
        Err(failed(format!("{status}: {complaint}")))
    };
    // Past its time the child is dropped, which kills it.
    tokio::time::timeout(patience, finish)
        .await
        .unwrap_or_else(|_| Err(failed(format!("took longer than {patience:?}"))))
}
