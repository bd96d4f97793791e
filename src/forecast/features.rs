//! What is known of a job when it is submitted, as numbers.
//!
//! Names become numbers by what jobs of the same name drew before (target encoding), so that the vector stays small
//! and a user never seen falls back to what is known of all.

use crate::snapshot::{FinishedJob, Job};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Number of features.
pub(super) const WIDTH: usize = 19;

/// One job as numbers, in the order of [`NAMES`].
pub(super) type Row = [f64; WIDTH];

/// What the features are, for the model's card.
pub(super) const NAMES: [&str; WIDTH] = [
    "GPUs (log2)",
    "nodes (log2)",
    "GPUs per node",
    "time limit in minutes (log2)",
    "hour of submit, UTC (sine)",
    "hour of submit, UTC (cosine)",
    "weekend",
    "runs of this user and name (log2)",
    "mean power of this user and name",
    "mean power of the last run of this user and name",
    "peak power of this user and name",
    "peak power of the last run of this user and name",
    "mean power of this user",
    "mean power of this user's last run",
    "peak power of this user",
    "mean power of this account",
    "mean power of this partition",
    "mean power of the words in the name",
    "peak power of the words in the name",
];

/// Power per GPU with its share of the node, W.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GpuPower {
    /// Mean over the job's run, W.
    pub mean_w: f64,
    /// Largest in the job's run, W.
    pub peak_w: f64,
}

impl From<&FinishedJob> for GpuPower {
    fn from(job: &FinishedJob) -> Self {
        Self {
            mean_w: job.mean_gpu_w,
            peak_w: job.peak_gpu_w,
        }
    }
}

/// What a job states of itself at submit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Submission<'a> {
    user: &'a str,
    account: &'a str,
    name: &'a str,
    partition: &'a str,
    gpus: u32,
    nodes: u32,
    time_limit_s: f64,
    submit_ms: i64,
}

impl<'a> From<&'a Job> for Submission<'a> {
    fn from(job: &'a Job) -> Self {
        Self {
            user: &job.user,
            account: &job.account,
            name: &job.name,
            partition: &job.partition,
            gpus: job.gpus,
            nodes: job.node_count,
            time_limit_s: job.time_limit_s,
            submit_ms: job.submit_ms,
        }
    }
}

impl<'a> From<&'a FinishedJob> for Submission<'a> {
    fn from(job: &'a FinishedJob) -> Self {
        Self {
            user: &job.user,
            account: &job.account,
            name: &job.name,
            partition: &job.partition,
            gpus: job.gpus,
            nodes: job.nodes,
            time_limit_s: job.time_limit_s,
            submit_ms: job.submit_ms,
        }
    }
}

/// The groups that a job belongs to, hashed: all, account, partition, user, user with name, and up to four words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Groups {
    all: u64,
    account: u64,
    partition: u64,
    user: u64,
    user_and_name: u64,
    words: Vec<u64>,
}

/// Words of a name that count; the rest of a long name is mostly parameters.
const WORDS: usize = 4;

impl Groups {
    pub(super) fn of(job: &Submission<'_>) -> Self {
        // Run numbers would make every name its own.
        let stem: String = job.name.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        let words = stem
            .split(|letter: char| !letter.is_alphabetic())
            .filter(|word| word.len() > 1)
            .take(WORDS);
        Self {
            all: hash("all", &[]),
            account: hash("account", &[job.account]),
            partition: hash("partition", &[job.partition]),
            user: hash("user", &[job.user]),
            user_and_name: hash("name", &[job.user, &stem]),
            words: words.map(|word| hash("word", &[&word.to_lowercase()])).collect(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = u64> {
        [self.all, self.account, self.partition, self.user, self.user_and_name]
            .into_iter()
            .chain(self.words.iter().copied())
    }
}

/// FNV-1a of 64 bit over the parts with a separator: the standard library's hash may change between releases, and a
/// model must not.
fn hash(kind: &str, parts: &[&str]) -> u64 {
    let bytes = kind
        .bytes()
        .chain(parts.iter().flat_map(|part| std::iter::once(0).chain(part.bytes())));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What the jobs of one group drew.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Runs {
    count: u32,
    mean: GpuPower,
    last: GpuPower,
    /// When it last changed, in jobs learned.
    touched: u64,
}

/// The mean of a group is that of about this many last runs.
const MEMORY: f64 = 10.0;

/// Without any finished job: the order of magnitude of a GPU with its share of a node, W.
const UNKNOWN: GpuPower = GpuPower {
    mean_w: 700.0,
    peak_w: 1000.0,
};

/// What finished jobs drew, by group. Bounded: the groups that were not seen for longest go first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct History {
    runs: BTreeMap<u64, Runs>,
    learned: u64,
}

impl History {
    /// Adds a finished job; a group that is new here starts from what `before` knows of it.
    pub(super) fn learn(&mut self, groups: &Groups, power: GpuPower, before: Option<&Self>, capacity: usize) {
        self.learned += 1;
        for group in groups.iter() {
            let known = self.runs.get(&group).or_else(|| before?.runs.get(&group)).copied();
            let count = known.map_or(0, |runs| runs.count).saturating_add(1);
            let weight = 1.0 / f64::from(count).min(MEMORY);
            let mean = known.map_or(power, |runs| GpuPower {
                mean_w: runs.mean.mean_w + weight * (power.mean_w - runs.mean.mean_w),
                peak_w: runs.mean.peak_w + weight * (power.peak_w - runs.mean.peak_w),
            });
            self.runs.insert(
                group,
                Runs {
                    count,
                    mean,
                    last: power,
                    touched: self.learned,
                },
            );
        }
        if self.runs.len() > capacity {
            self.forget(capacity - capacity / 4);
        }
    }

    /// Keeps the `keep` groups that were touched last.
    fn forget(&mut self, keep: usize) {
        let mut touched: Vec<u64> = self.runs.values().map(|runs| runs.touched).collect();
        touched.sort_unstable();
        let oldest = touched
            .len()
            .checked_sub(keep)
            .and_then(|index| touched.get(index))
            .copied()
            .unwrap_or(0);
        self.runs.retain(|_, runs| runs.touched >= oldest);
    }
}

/// What the model was trained with, and over it what was seen since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory<'a> {
    pub(super) trained: &'a History,
    pub(super) recent: Option<&'a History>,
}

impl Memory<'_> {
    fn runs(&self, group: u64) -> Option<&Runs> {
        self.recent
            .and_then(|recent| recent.runs.get(&group))
            .or_else(|| self.trained.runs.get(&group))
    }

    /// Mean of a group, drawn towards `prior` as if that were one more run.
    fn mean(&self, group: u64, prior: GpuPower) -> GpuPower {
        let Some(runs) = self.runs(group) else { return prior };
        let weight = 1.0 / (f64::from(runs.count) + 1.0);
        GpuPower {
            mean_w: runs.mean.mean_w + weight * (prior.mean_w - runs.mean.mean_w),
            peak_w: runs.mean.peak_w + weight * (prior.peak_w - runs.mean.peak_w),
        }
    }

    /// The job as numbers.
    pub(super) fn row(&self, job: &Submission<'_>, groups: &Groups) -> Row {
        let all = self.mean(groups.all, UNKNOWN);
        let account = self.mean(groups.account, all);
        let user = self.mean(groups.user, account);
        let name = self.mean(groups.user_and_name, user);
        let partition = self.mean(groups.partition, all);
        let words = groups.words.iter().map(|word| self.mean(*word, all));
        let (count, sum) = words.fold(
            (
                0.0,
                GpuPower {
                    mean_w: 0.0,
                    peak_w: 0.0,
                },
            ),
            |(count, sum), word| {
                (
                    count + 1.0,
                    GpuPower {
                        mean_w: sum.mean_w + word.mean_w,
                        peak_w: sum.peak_w + word.peak_w,
                    },
                )
            },
        );
        let words = if count > 0.0 {
            GpuPower {
                mean_w: sum.mean_w / count,
                peak_w: sum.peak_w / count,
            }
        } else {
            all
        };
        let name_runs = self.runs(groups.user_and_name);
        let name_last = name_runs.map_or(name, |runs| runs.last);
        let user_last = self.runs(groups.user).map_or(user, |runs| runs.last);

        let (gpus, nodes) = (f64::from(job.gpus.max(1)), f64::from(job.nodes.max(1)));
        let day = job.submit_ms.div_euclid(86_400_000);
        let angle = job.submit_ms.rem_euclid(86_400_000) as f64 / 86_400_000.0 * core::f64::consts::TAU;
        // 1970-01-01 was a Thursday.
        let weekend = (day + 3).rem_euclid(7) >= 5;
        [
            libm::log2(gpus),
            libm::log2(nodes),
            gpus / nodes,
            libm::log2(job.time_limit_s.max(0.0) / 60.0 + 1.0),
            libm::sin(angle),
            libm::cos(angle),
            f64::from(weekend),
            libm::log2(1.0 + name_runs.map_or(0.0, |runs| f64::from(runs.count))),
            name.mean_w,
            name_last.mean_w,
            name.peak_w,
            name_last.peak_w,
            user.mean_w,
            user_last.mean_w,
            user.peak_w,
            account.mean_w,
            partition.mean_w,
            words.mean_w,
            words.peak_w,
        ]
    }

    /// Runs of the same user and name that finished in service, and what they drew.
    pub(super) fn in_service(&self, groups: &Groups) -> Option<(f64, GpuPower)> {
        let recent = self.recent?.runs.get(&groups.user_and_name)?;
        let before = self
            .trained
            .runs
            .get(&groups.user_and_name)
            .map_or(0, |runs| runs.count);
        Some((f64::from(recent.count.saturating_sub(before)), recent.mean))
    }

    /// What the last finished job of the same user drew, or of any user: the naive forecast that a model must beat.
    pub(super) fn last_finished(&self, groups: &Groups) -> GpuPower {
        self.runs(groups.user)
            .or_else(|| self.runs(groups.all))
            .map_or(UNKNOWN, |runs| runs.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission<'a>(user: &'a str, name: &'a str) -> Submission<'a> {
        Submission {
            user,
            account: "a",
            name,
            partition: "p",
            gpus: 8,
            nodes: 2,
            time_limit_s: 3600.0,
            submit_ms: 0,
        }
    }

    fn watts(mean_w: f64) -> GpuPower {
        GpuPower {
            mean_w,
            peak_w: 2.0 * mean_w,
        }
    }

    #[test]
    fn run_numbers_do_not_split_a_name() {
        let of = |name| Groups::of(&submission("u", name));
        assert_eq!(of("train-llama-17"), of("train-llama-18"));
        assert_ne!(of("train-llama-17").user_and_name, of("eval-llama-17").user_and_name);
        assert_eq!(of("train-llama").words.first(), of("Train").words.first());
    }

    #[test]
    fn a_known_name_is_told_from_the_rest_and_an_unknown_one_falls_back() {
        let mut history = History::default();
        for _ in 0..20 {
            history.learn(&Groups::of(&submission("ann", "train")), watts(900.0), None, 100);
            history.learn(&Groups::of(&submission("bob", "serve")), watts(300.0), None, 100);
        }
        let memory = Memory {
            trained: &history,
            recent: None,
        };
        let mean = |user, name| {
            let job = submission(user, name);
            memory.row(&job, &Groups::of(&job))[8]
        };
        assert!((mean("ann", "train") - 900.0).abs() < 20.0);
        assert!((mean("bob", "serve") - 300.0).abs() < 20.0);
        assert!((400.0..800.0).contains(&mean("eve", "other")));
    }

    #[test]
    fn what_was_seen_since_training_counts_and_builds_on_it() {
        let (mut trained, mut recent) = (History::default(), History::default());
        let job = submission("ann", "train");
        let groups = Groups::of(&job);
        for _ in 0..5 {
            trained.learn(&groups, watts(900.0), None, 100);
        }
        recent.learn(&groups, watts(300.0), Some(&trained), 100);
        let row = Memory {
            trained: &trained,
            recent: Some(&recent),
        }
        .row(&job, &groups);
        assert!(
            (300.0..900.0).contains(&row[8]) && (row[9] - 300.0).abs() < 1e-9,
            "{row:?}"
        );
    }

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let mut history = History::default();
        for index in 0..1000 {
            let user = format!("user-{index}");
            history.learn(&Groups::of(&submission(&user, "train")), watts(500.0), None, 64);
            assert!(history.runs.len() <= 64);
        }
        assert!(
            history
                .runs
                .contains_key(&Groups::of(&submission("user-999", "train")).user)
        );
        assert!(
            !history
                .runs
                .contains_key(&Groups::of(&submission("user-0", "train")).user)
        );
    }
}
