//! Features, folds and series as CSV, so that learners outside can be held against ours on the same data.
//!
//! | file | rows |
//! |---|---|
//! | `jobs.csv` | one a job: fold, target, last finished job, our prediction, features |
//! | `heat.csv` | one a minute and CDU: heat, GPUs running and waiting, GPUs stated to start within each horizon |

use super::trace::{Knowledge, Shown, Trace};
use crate::forecast;
use crate::snapshot::{HORIZONS_S, JobState};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes the tables into a directory.
///
/// # Errors
/// A file cannot be written.
pub fn export(trace: &Trace, seed: u64, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if let Ok(examination) = forecast::examine(&trace.finished, seed) {
        let mut out = BufWriter::new(File::create(folder.join("jobs.csv"))?);
        let names: Vec<String> = examination.features.iter().map(|name| name.replace(',', "")).collect();
        writeln!(out, "id,fold,mean_w,last_w,ours_w,{}", names.join(","))?;
        for job in &examination.jobs {
            let fold = match job.held_out {
                Some(true) => "test",
                Some(false) => "train",
                None => "between",
            };
            write!(
                out,
                "{},{fold},{},{},{}",
                job.id, job.mean_w, job.last_w, job.predicted_w
            )?;
            for value in &job.row {
                write!(out, ",{value}")?;
            }
            writeln!(out)?;
        }
        out.flush()?;
    }
    if trace.steps > 0 {
        heat(trace, folder)?;
    }
    Ok(())
}

fn heat(trace: &Trace, folder: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(folder.join("heat.csv"))?);
    writeln!(
        out,
        "step,time_s,cdu,heat_kw,running_gpus,waiting_gpus,{}",
        HORIZONS_S.map(|s| format!("stated_gpus_{s:.0}s")).join(",")
    )?;
    let heat = trace.cdu_heat();
    let mut shown = Shown::new(trace, Knowledge::Queue);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of steps"
    )]
    let every = (60.0 / trace.step_s).round().max(1.0) as usize;
    for step in 0..trace.steps {
        let queue = shown.at(step);
        if !step.is_multiple_of(every) {
            continue;
        }
        let now = trace.now(step);
        let (mut running, mut waiting, mut stated) = (0, 0, [0; HORIZONS_S.len()]);
        for job in &queue.jobs {
            match job.state {
                JobState::Running { .. } => running += job.gpus,
                JobState::Starting { start_ms }
                | JobState::Pending {
                    expected_start_ms: Some(start_ms),
                } => {
                    waiting += job.gpus;
                    for (stated, horizon_s) in stated.iter_mut().zip(HORIZONS_S) {
                        if (start_ms - now.wall_ms) as f64 <= 1000.0 * horizon_s {
                            *stated += job.gpus;
                        }
                    }
                }
                JobState::Pending {
                    expected_start_ms: None,
                } => waiting += job.gpus,
            }
        }
        for (cdu, series) in heat.iter().enumerate() {
            let stated = stated.map(|gpus| gpus.to_string()).join(",");
            writeln!(
                out,
                "{step},{},{cdu},{},{running},{waiting},{stated}",
                step as f64 * trace.step_s,
                series[step]
            )?;
        }
    }
    out.flush()
}
