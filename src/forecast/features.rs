//! What is known of a job when it is submitted, as numbers.
//!
//! Names become numbers by what jobs of the same name drew before (target encoding), so that the vector stays small
//! and a user never seen falls back to what is known of all.

use super::lasting::Lasting;
use crate::snapshot::{FinishedJob, Job};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Number of features.
pub(super) const WIDTH: usize = 26;

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
    "last number in the name (log2)",
    "number before it (log2)",
    "mean power of the last job to finish, whose ever",
    "mean power of this user's last three runs",
    "mean power of this user and name on this partition",
    "time since this user's last finished run was submitted in s (log2)",
    "run time of this user's last run in s (log2)",
];

/// Places of the last run's mean and peak among the features: naive forecasts, from which learners may start.
pub(super) const LAST_MEAN: usize = 13;
pub(super) const LAST_PEAK: usize = 11;

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

/// What a finished job teaches of its kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lesson {
    /// What it drew.
    pub(super) power: GpuPower,
    /// How long it ran, s; `None` where it was cut short by the watching, not by itself.
    pub(super) lasted_s: Option<f64>,
    /// Time from its start until it was at work, s.
    pub(super) ramp_s: Option<f64>,
    /// Its time limit, s; 0 for none.
    pub(super) time_limit_s: f64,
    /// When it was submitted, wall ms.
    pub(super) submit_ms: i64,
    /// What the model by itself had predicted, where it was asked.
    pub(super) predicted: Option<GpuPower>,
}

impl From<&FinishedJob> for Lesson {
    fn from(job: &FinishedJob) -> Self {
        Self {
            power: GpuPower::from(job),
            lasted_s: Some(job.end_ms.saturating_sub(job.start_ms).max(0) as f64 / 1000.0),
            ramp_s: job.ramp_s,
            time_limit_s: job.time_limit_s,
            submit_ms: job.submit_ms,
            predicted: None,
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
    name_on_partition: u64,
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
            name_on_partition: hash("place", &[job.user, &stem, job.partition]),
            words: words.map(|word| hash("word", &[&word.to_lowercase()])).collect(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = u64> {
        [
            self.all,
            self.account,
            self.partition,
            self.user,
            self.user_and_name,
            self.name_on_partition,
        ]
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
    /// Mean power of the last three, W.
    three_w: f64,
    /// What the model was off: mean and mean absolute, of mean and of peak, W; and how many runs tell.
    off: [Off; 2],
    judged: u32,
    /// Time from start to work, s; negative where it was never seen.
    ramp_s: f32,
    /// Run times of the last runs, s, newest anywhere; 0 where there are fewer.
    lasted_s: [f32; LASTED],
    /// Submit time and run time of the last.
    submit_ms: i64,
    last_lasted_s: f32,
    /// When it last changed, in jobs learned.
    touched: u64,
}

/// The mean of a group is that of about this many last runs.
const MEMORY: f64 = 10.0;

/// By how much a model is off.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Off {
    mean_w: f64,
    absolute_w: f64,
}

impl Off {
    fn add(&mut self, off_w: f64, weight: f64) {
        self.mean_w += weight * (off_w - self.mean_w);
        self.absolute_w += weight * (off_w.abs() - self.absolute_w);
    }

    /// The part of it that is the same from run to run: noise has no side.
    fn steady_w(self) -> f64 {
        let one_sided = self.mean_w.abs() / self.absolute_w.max(1e-9);
        self.mean_w * (2.0 * one_sided - 1.0).max(0.0)
    }
}

/// Run times that a group remembers.
pub(super) const LASTED: usize = 6;

/// Without any finished job: the order of magnitude of a GPU with its share of a node, W.
const UNKNOWN: GpuPower = GpuPower {
    mean_w: 700.0,
    peak_w: 1000.0,
};

impl Runs {
    fn after(known: Option<Self>, lesson: &Lesson, touched: u64) -> Self {
        let power = lesson.power;
        let count = known.map_or(0, |runs| runs.count).saturating_add(1);
        let weight = 1.0 / f64::from(count).min(MEMORY);
        let mean = known.map_or(power, |runs| GpuPower {
            mean_w: runs.mean.mean_w + weight * (power.mean_w - runs.mean.mean_w),
            peak_w: runs.mean.peak_w + weight * (power.peak_w - runs.mean.peak_w),
        });
        let three_w = known.map_or(power.mean_w, |runs| {
            runs.three_w + (power.mean_w - runs.three_w) / f64::from(count).min(3.0)
        });
        let (mut off, mut judged) = known.map_or(([Off::default(); 2], 0), |runs| (runs.off, runs.judged));
        if let Some(predicted) = lesson.predicted {
            judged = judged.saturating_add(1);
            let weight = 1.0 / f64::from(judged).min(MEMORY);
            off[0].add(power.mean_w - predicted.mean_w, weight);
            off[1].add(power.peak_w - predicted.peak_w, weight);
        }
        let mut ramp_s = known.map_or(-1.0, |runs| runs.ramp_s);
        if let Some(new_s) = lesson.ramp_s {
            let new_s = narrow(new_s);
            ramp_s = if ramp_s < 0.0 {
                new_s
            } else {
                ramp_s + 0.3 * (new_s - ramp_s)
            };
        }
        let mut lasted_s = known.map_or([0.0; LASTED], |runs| runs.lasted_s);
        if let Some(new_s) = lesson.lasted_s {
            lasted_s.rotate_right(1);
            lasted_s[0] = narrow(new_s.max(1.0));
        }
        Self {
            count,
            mean,
            last: power,
            three_w,
            off,
            judged,
            ramp_s,
            lasted_s,
            submit_ms: lesson.submit_ms,
            last_lasted_s: narrow(lesson.lasted_s.unwrap_or(0.0)),
            touched,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "seven digits are plenty for a time or a power"
)]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

/// What finished jobs drew, by group. Bounded: the groups that were not seen for longest go first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct History {
    runs: BTreeMap<u64, Runs>,
    learned: u64,
    /// How long jobs run.
    pub(super) lasting: Lasting,
}

impl History {
    /// Adds a finished job; a group that is new here starts from what `before` knows of it.
    pub(super) fn learn(&mut self, groups: &Groups, lesson: &Lesson, before: Option<&Self>, capacity: usize) {
        self.learned += 1;
        if let Some(lasted_s) = lesson.lasted_s {
            self.lasting.learn(lasted_s, lesson.time_limit_s);
        }
        for group in groups.iter() {
            let known = self.runs.get(&group).or_else(|| before?.runs.get(&group)).copied();
            self.runs.insert(group, Runs::after(known, lesson, self.learned));
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

/// How jobs of a kind start and end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Life {
    /// Time from the start until it is at work, s.
    pub(super) ramp_s: f64,
    /// Run times of the last of the same user and name, s; 0 where there are fewer.
    pub(super) lasted_s: [f32; LASTED],
}

/// The last two whole numbers in a name, as log2 of one more: batch sizes, sequence lengths and limits of power are
/// often written there. 0 where there are none.
fn numbers(name: &str) -> (f64, f64) {
    let mut found = name
        .rsplit(|letter: char| !letter.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| libm::log2(1.0 + digits.parse::<f64>().unwrap_or(0.0).min(1e9)));
    (found.next().unwrap_or(0.0), found.next().unwrap_or(0.0))
}

/// What the model was trained with, and over it what was seen since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory<'a> {
    pub(super) trained: &'a History,
    pub(super) recent: Option<&'a History>,
}

impl Memory<'_> {
    /// How jobs like this one start and end.
    pub(super) fn life(&self, groups: &Groups) -> Life {
        let seen = [groups.user_and_name, groups.user, groups.partition, groups.all];
        let ramp_s = seen
            .iter()
            .filter_map(|group| self.runs(*group))
            .map(|runs| runs.ramp_s)
            .find(|ramp_s| *ramp_s >= 0.0);
        Life {
            ramp_s: ramp_s.map_or(0.0, f64::from),
            lasted_s: self
                .runs(groups.user_and_name)
                .map_or([0.0; LASTED], |runs| runs.lasted_s),
        }
    }

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

        let anyone_w = self.runs(groups.all).map_or(UNKNOWN.mean_w, |runs| runs.last.mean_w);
        let of_user = self.runs(groups.user);
        let three_w = of_user.map_or(user.mean_w, |runs| runs.three_w);
        let here = self.mean(groups.name_on_partition, name);
        let since_s = of_user.map_or(1e7, |runs| {
            job.submit_ms.saturating_sub(runs.submit_ms).max(0) as f64 / 1000.0
        });
        let lasted_s = of_user.map_or(0.0, |runs| f64::from(runs.last_lasted_s));
        let (last_number, number_before) = numbers(job.name);

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
            last_number,
            number_before,
            anyone_w,
            three_w,
            here.mean_w,
            libm::log2(1.0 + since_s),
            libm::log2(1.0 + lasted_s),
        ]
    }

    /// What to add to the model's mean and peak for jobs of the same user and name, by what it was off in service, W.
    pub(super) fn correction(&self, groups: &Groups) -> (f64, f64) {
        let Some(runs) = self.recent.and_then(|recent| recent.runs.get(&groups.user_and_name)) else {
            return (0.0, 0.0);
        };
        let weight = f64::from(runs.judged) / (f64::from(runs.judged) + 1.0);
        (weight * runs.off[0].steady_w(), weight * runs.off[1].steady_w())
    }

    /// Whether jobs of this user have finished in service.
    pub(super) fn knows_user(&self, groups: &Groups) -> bool {
        self.recent.is_some_and(|recent| recent.runs.contains_key(&groups.user))
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

    fn watts(mean_w: f64) -> Lesson {
        Lesson {
            power: GpuPower {
                mean_w,
                peak_w: 2.0 * mean_w,
            },
            lasted_s: Some(600.0),
            ramp_s: Some(80.0),
            time_limit_s: 3600.0,
            submit_ms: 0,
            predicted: None,
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
    fn numbers_in_a_name_are_read_from_its_end() {
        assert_eq!(numbers("resnet50-bs128-pl175"), (libm::log2(176.0), libm::log2(129.0)));
        assert_eq!(numbers("pretrain"), (0.0, 0.0));
        assert!(numbers(&"9".repeat(400)).0 < 31.0);
    }

    #[test]
    fn the_life_of_a_name_is_remembered() {
        let mut history = History::default();
        let groups = Groups::of(&submission("ann", "train"));
        history.learn(&groups, &watts(900.0), None, 100);
        let memory = Memory {
            trained: &history,
            recent: None,
        };
        let life = memory.life(&groups);
        assert!((life.ramp_s - 80.0).abs() < 1e-6 && life.lasted_s[0] > 599.0 && life.lasted_s[1] <= 0.0);
    }

    #[test]
    fn a_known_name_is_told_from_the_rest_and_an_unknown_one_falls_back() {
        let mut history = History::default();
        for _ in 0..20 {
            history.learn(&Groups::of(&submission("ann", "train")), &watts(900.0), None, 100);
            history.learn(&Groups::of(&submission("bob", "serve")), &watts(300.0), None, 100);
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
            trained.learn(&groups, &watts(900.0), None, 100);
        }
        recent.learn(&groups, &watts(300.0), Some(&trained), 100);
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
            history.learn(&Groups::of(&submission(&user, "train")), &watts(500.0), None, 64);
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
