//! Jobs from public traces, scaled to the hall.

use super::job::{Job, JobClass, Profile};
use crate::random::{mix, unit_interval};

/// Why a trace cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("trace line {line}: {message}")]
pub struct TraceError {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Share of the hall's GPUs that a scaled trace keeps busy on average.
const BUSY: f64 = 0.7;

/// A CSV table by column names.
struct Table<'a> {
    lines: Vec<(usize, Vec<&'a str>)>,
    columns: Vec<usize>,
}

impl<'a> Table<'a> {
    /// Reads `text`, whose header must name all of `columns`.
    fn read(text: &'a str, columns: &[&str]) -> Result<Self, TraceError> {
        let header: Vec<&str> = text.lines().next().unwrap_or("").split(',').map(str::trim).collect();
        let place = |column: &&str| {
            header.iter().position(|name| name == column).ok_or_else(|| TraceError {
                line: 1,
                message: format!("column {column} is missing: the header needs {}", columns.join(", ")),
            })
        };
        let columns = columns.iter().map(place).collect::<Result<_, _>>()?;
        let lines = text
            .lines()
            .enumerate()
            .skip(1)
            .filter(|(_, line)| !line.trim().is_empty());
        Ok(Self {
            lines: lines
                .map(|(n, line)| (n + 1, line.split(',').map(str::trim).collect()))
                .collect(),
            columns,
        })
    }

    /// Rows as (line number, fields in the order of the columns asked for).
    fn rows(&self) -> impl Iterator<Item = (usize, Vec<&'a str>)> {
        self.lines.iter().map(|(line, fields)| {
            (
                *line,
                self.columns
                    .iter()
                    .map(|c| fields.get(*c).copied().unwrap_or(""))
                    .collect(),
            )
        })
    }
}

fn number(line: usize, column: &str, field: &str) -> Result<f64, TraceError> {
    field
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
        .ok_or_else(|| TraceError {
            line,
            message: format!("{column} is {field:?}: write a number"),
        })
}

/// A row of a trace before it is scaled.
struct Row {
    submit_s: f64,
    run_s: f64,
    /// GPUs (or nodes) of the trace's own cluster.
    size: f64,
    partition: &'static str,
    user: String,
    name: String,
    class: JobClass,
    level: f64,
}

/// GPU pods of the Alibaba cluster trace `gpu-v2023` (columns `creation_time`, `scheduled_time`, `deletion_time`,
/// `num_gpu`, `gpu_milli`, `qos`) as jobs of a hall with `hall_gpus`: the busiest `days` of the trace, its GPU counts scaled
/// so that the hall is busy. Pods that never ran, or that ask for no GPU, are left out.
///
/// # Errors
/// A missing column, a field that is not a number, or no pod that ran on a GPU.
pub fn alibaba_pods(text: &str, hall_gpus: u32, gpus_per_node: u32, days: f64) -> Result<Vec<Job>, TraceError> {
    let columns = [
        "creation_time",
        "scheduled_time",
        "deletion_time",
        "num_gpu",
        "gpu_milli",
        "qos",
        "cpu_milli",
    ];
    let mut rows = Vec::new();
    for (line, f) in Table::read(text, &columns)?.rows() {
        let gpus = number(line, "num_gpu", f[3])?;
        if gpus <= 0.0 || f[1].is_empty() || f[2].is_empty() {
            continue;
        }
        let share = number(line, "gpu_milli", f[4])? / 1000.0;
        let (submit_s, start_s) = (
            number(line, "creation_time", f[0])?,
            number(line, "scheduled_time", f[1])?,
        );
        let run_s = number(line, "deletion_time", f[2])? - start_s;
        if run_s < 1.0 {
            continue;
        }
        let service = f[5] == "LS" || f[5] == "Guaranteed";
        rows.push(Row {
            submit_s,
            run_s,
            size: gpus * share,
            partition: if service { "serve" } else { "train" },
            user: f[5].to_lowercase(),
            // Pods of one workload ask for the same: the request is the nearest thing to a name.
            name: format!("{}gpu-{}cpu", f[3], f[6]),
            class: if service {
                JobClass::Inference
            } else {
                JobClass::FineTuning
            },
            level: 0.75,
        });
    }
    Ok(scaled(busiest(rows, days)?, hall_gpus, gpus_per_node, days))
}

/// Jobs of the SURF Lisa trace (columns `submit_s`, `duration_s`, `cpu_count`, `util_mean`, `util_max`) as jobs of a hall with
/// `hall_gpus`: sixteen CPUs become one node, scaled so that the hall is busy, at the utilisation that was measured.
///
/// # Errors
/// A missing column, a field that is not a number, or no job at all.
pub fn surf_lisa(text: &str, hall_gpus: u32, gpus_per_node: u32, days: f64) -> Result<Vec<Job>, TraceError> {
    let mut rows = Vec::new();
    for (line, f) in Table::read(text, &["submit_s", "duration_s", "cpu_count", "util_mean"])?.rows() {
        let run_s = number(line, "duration_s", f[1])?;
        let size = number(line, "cpu_count", f[2])? / 16.0;
        // Jobs shorter than a sample have no utilisation.
        if run_s < 1.0 || size <= 0.0 || f[3].is_empty() {
            continue;
        }
        let class = if run_s < 1800.0 {
            JobClass::Evaluation
        } else {
            JobClass::FineTuning
        };
        rows.push(Row {
            submit_s: number(line, "submit_s", f[0])?,
            run_s,
            size,
            partition: "train",
            user: "batch".to_owned(),
            name: format!("{}cpu", f[2]),
            class,
            level: number(line, "util_mean", f[3])?.clamp(0.0, 1.0),
        });
    }
    Ok(scaled(busiest(rows, days)?, hall_gpus, gpus_per_node, days))
}

/// The rows of the `days` in which the trace asks for most.
fn busiest(mut rows: Vec<Row>, days: f64) -> Result<Vec<Row>, TraceError> {
    if rows.is_empty() {
        return Err(TraceError {
            line: 2,
            message: "no job of this trace can run in the hall".to_owned(),
        });
    }
    let span_s = days * 86_400.0;
    rows.sort_by(|a, b| a.submit_s.total_cmp(&b.submit_s));
    let work = |row: &Row| row.size * row.run_s.min(span_s);
    let (mut best, mut from_s, mut sum, mut tail) = (f64::NEG_INFINITY, 0.0, 0.0, 0);
    for row in &rows {
        sum += work(row);
        while rows[tail].submit_s < row.submit_s - span_s {
            sum -= work(&rows[tail]);
            tail += 1;
        }
        if sum > best {
            (best, from_s) = (sum, rows[tail].submit_s);
        }
    }
    rows.retain(|row| (from_s..from_s + span_s).contains(&row.submit_s));
    for row in &mut rows {
        row.submit_s -= from_s;
    }
    Ok(rows)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "GPU counts between 1 and those of the hall"
)]
fn scaled(rows: Vec<Row>, hall_gpus: u32, gpus_per_node: u32, days: f64) -> Vec<Job> {
    let span_s = days * 86_400.0;
    let asked: f64 = rows
        .iter()
        .map(|row| row.size * row.run_s.min(span_s - row.submit_s))
        .sum::<f64>()
        / span_s;
    let scale = BUSY * f64::from(hall_gpus) / asked.max(1e-9);
    let node = f64::from(gpus_per_node);
    let job = |(place, row): (usize, Row)| {
        let seed = mix(place as u64);
        let by_name = row.name.bytes().fold(7u64, |hash, byte| mix(hash ^ u64::from(byte)));
        let wanted = (row.size * scale).clamp(1.0, f64::from(hall_gpus));
        let gpus = if wanted < node {
            wanted.round()
        } else {
            (wanted / node).round() * node
        };
        // The trace tells no power: it goes with the workload, and somewhat with chance.
        let level = row.level + 0.3 * (unit_interval(by_name) - 0.5) + 0.08 * (unit_interval(seed) - 0.5);
        Job {
            id: place as u64 + 1,
            account: row.user.clone(),
            user: row.user,
            name: row.name,
            partition: row.partition.to_owned(),
            gpus: (gpus as u32).min(hall_gpus),
            time_limit_s: (row.run_s * (1.0 + unit_interval(mix(seed))) / 900.0).ceil() * 900.0,
            submit_s: row.submit_s,
            run_s: row.run_s,
            profile: Profile {
                class: row.class,
                level: level.clamp(0.1, 1.0),
                period_s: 600.0 + 1200.0 * unit_interval(mix(seed ^ 1)),
                dip_s: 45.0,
                failures: Vec::new(),
                seed,
            },
        }
    };
    rows.into_iter().enumerate().map(job).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_become_jobs_of_the_hall() {
        let header = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n";
        let rows = "a,12000,1,1,1000,,LS,Running,0,40000,10.0\nb,6000,1,2,1000,,BE,Failed,3600,20000,3700.0\n\
                    c,6000,1,1,1000,,BE,Pending,3600,20000,\nd,6000,1,0,0,,BE,Succeeded,3600,20000,3700.0\n";
        let jobs = alibaba_pods(&(header.to_owned() + rows), 144, 4, 0.5).unwrap();
        assert_eq!(jobs.len(), 2, "one never ran, one has no GPU");
        assert!((jobs[0].run_s - 39_990.0).abs() < 1e-9 && jobs[0].partition == "serve");
        assert!(jobs[1].gpus == 2 * jobs[0].gpus && jobs[1].gpus.is_multiple_of(4));
        let asked: f64 = jobs.iter().map(|job| f64::from(job.gpus) * job.run_s).sum();
        assert!((asked / (0.7 * 144.0 * 43_200.0) - 1.0).abs() < 0.05, "{asked}");
        assert!(
            alibaba_pods("a,b\n", 144, 4, 1.0)
                .unwrap_err()
                .message
                .contains("creation_time")
        );
        assert!(alibaba_pods(header, 144, 4, 1.0).is_err());
    }

    #[test]
    fn lisa_jobs_keep_their_utilisation() {
        let text = "id,submit_s,duration_s,cpu_count,util_mean,util_std,util_max,n_samples\n1,0,3600,16,0.9,0,1,9\n2,60,3600,32,0.2,0,1,9\n";
        let jobs = surf_lisa(text, 144, 4, 0.1).unwrap();
        assert!(jobs[0].profile.level > jobs[1].profile.level);
        assert!(jobs[0].gpus < jobs[1].gpus);
        let error = surf_lisa(&text.replace("32", "many"), 144, 4, 0.1).unwrap_err();
        assert!(error.line == 3 && error.message.contains("many"), "{error}");
    }
}
