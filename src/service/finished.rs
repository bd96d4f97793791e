//! The jobs that finished in service, with their measured power, on disk: what the next training learns from.
//!
//! `<store.dir>/jobs/finished-<year>-<month>.csv` in the form that `isotherm train --jobs` reads.

use crate::snapshot::FinishedJob;
use crate::workload::finished;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const HEADER: &str =
    "id,user,account,name,partition,gpus,nodes,time_limit_s,submit_s,start_s,end_s,mean_gpu_w,peak_gpu_w";

/// The newest jobs that are read back, at most: enough to train on, and a bound on memory.
pub const MOST: usize = 50_000;

/// A directory of finished jobs.
#[derive(Debug, Clone)]
pub struct Finished {
    dir: PathBuf,
}

impl Finished {
    /// The jobs beside the record in `store`.
    pub fn beside(store: &Path) -> Self {
        Self {
            dir: store.join("jobs"),
        }
    }

    /// Appends jobs, and deletes files older than `retention_days`.
    pub fn append(&self, jobs: &[FinishedJob], retention_days: u32) -> io::Result<()> {
        let Some(last) = jobs.last() else { return Ok(()) };
        fs::create_dir_all(&self.dir)?;
        for job in jobs {
            let path = self.dir.join(format!("finished-{}.csv", month(job.end_ms)));
            let mut file = File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)?;
            let text = if mend(&mut file)? == 0 {
                format!("{HEADER}\n{}", line(job))
            } else {
                line(job)
            };
            file.write_all(text.as_bytes())?;
        }
        let oldest_ms = last.end_ms.saturating_sub(i64::from(retention_days) * 86_400_000);
        let oldest = format!("finished-{}.csv", month(oldest_ms));
        for path in self.files()? {
            if path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().as_ref() < oldest.as_str())
            {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The newest jobs, oldest first. A line torn by a crash at the end of a file is passed over.
    pub fn read(&self) -> io::Result<Vec<FinishedJob>> {
        let mut jobs: Vec<FinishedJob> = Vec::new();
        for path in self.files()?.into_iter().rev() {
            let text = fs::read_to_string(&path)?;
            let whole = text.rfind('\n').map_or("", |end| text.get(..=end).unwrap_or_default());
            let mut of_month = finished::parse(whole, &TimeZone::UTC)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display())))?;
            of_month.append(&mut jobs);
            jobs = of_month;
            if jobs.len() >= MOST {
                break;
            }
        }
        Ok(jobs.split_off(jobs.len().saturating_sub(MOST)))
    }

    /// The files, oldest first.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("finished-") && path.extension().is_some_and(|kind| kind == "csv") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

/// Cuts off a line that a crash has torn, and goes to the end; answers the length.
fn mend(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(0);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(length);
    }
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end as u64 + 1);
    file.set_len(whole)?;
    file.seek(SeekFrom::End(0))
}

fn month(wall_ms: i64) -> String {
    Timestamp::from_millisecond(wall_ms).map_or_else(|_| "1970-01".to_owned(), |at| at.strftime("%Y-%m").to_string())
}

fn line(job: &FinishedJob) -> String {
    let text = |text: &str| {
        let plain: String = text
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        format!("\"{}\"", plain.replace('"', "\"\""))
    };
    let seconds = |ms: i64| ms as f64 / 1000.0;
    format!(
        "{},{},{},{},{},{},{},{},{},{},{},{:.1},{:.1}\n",
        text(&job.id),
        text(&job.user),
        text(&job.account),
        text(&job.name),
        text(&job.partition),
        job.gpus,
        job.nodes,
        job.time_limit_s,
        seconds(job.submit_ms),
        seconds(job.start_ms),
        seconds(job.end_ms),
        job.mean_gpu_w,
        job.peak_gpu_w.max(job.mean_gpu_w),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, name: &str, end_ms: i64) -> FinishedJob {
        FinishedJob {
            id: id.into(),
            user: "ann".into(),
            account: "llm, \"large\"".into(),
            name: name.into(),
            partition: "gpu".into(),
            gpus: 8,
            nodes: 2,
            time_limit_s: 3600.0,
            submit_ms: end_ms - 100_000,
            start_ms: end_ms - 90_000,
            end_ms,
            mean_gpu_w: 900.5,
            peak_gpu_w: 1100.0,
            ramp_s: None,
        }
    }

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn jobs_come_back_as_they_were_and_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let finished = Finished::beside(dir.path());
        assert!(finished.read().unwrap().is_empty());
        let now_ms = 20_000 * DAY_MS;
        let old = job("old", "a", now_ms - 400 * DAY_MS);
        finished.append(std::slice::from_ref(&old), 400).unwrap();
        let jobs = [job("1", "train\nx", now_ms - 40 * DAY_MS), job("2", "eval", now_ms)];
        finished.append(&jobs, 400).unwrap();
        let read = finished.read().unwrap();
        assert_eq!(read.len(), 3);
        assert_eq!((&read[0], &read[2], read[1].name.as_str()), (&old, &jobs[1], "train x"));

        // A crash in the middle of a line.
        let path = finished.files().unwrap().pop().unwrap();
        fs::write(&path, format!("{}3,\"bo", fs::read_to_string(&path).unwrap())).unwrap();
        assert_eq!(finished.read().unwrap().len(), 3);
        finished.append(&[job("4", "eval", now_ms)], 30).unwrap();
        let ids: Vec<_> = finished.read().unwrap().into_iter().map(|job| job.id).collect();
        assert_eq!(
            ids,
            ["2", "4"],
            "the torn line is gone, and so are jobs beyond the retention"
        );
    }
}
