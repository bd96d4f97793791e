//! How long jobs run: as a share of their time limit where they have one, by what jobs of the same user and name, of the
//! same user, and of all did before.

use crate::snapshot::Job;
use std::collections::BTreeMap;

/// Without any finished job: run times are spread evenly up to the limit.
const SHARE_OF_LIMIT: f64 = 0.5;

/// Without any finished job and without a limit, s.
const RUN_S: f64 = 4.0 * 3600.0;

/// The mean is that of about this many last runs.
const MEMORY: f64 = 20.0;

/// Groups remembered; the one that was not seen for longest goes first.
const GROUPS: usize = 4096;

/// What finished jobs showed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunTimes {
    groups: BTreeMap<String, Known>,
    learned: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    count: f64,
    /// Share of the limit, where the last ones had one.
    share: Option<f64>,
    run_s: f64,
    touched: u64,
}

impl RunTimes {
    /// Takes in a job that has run for `run_s`.
    pub fn learn(&mut self, job: &Job, run_s: f64) {
        self.learned += 1;
        let share = (job.time_limit_s > 0.0).then(|| (run_s / job.time_limit_s).clamp(0.0, 1.0));
        for group in groups(job) {
            let known = self.groups.entry(group).or_insert(Known {
                count: 0.0,
                share: None,
                run_s,
                touched: 0,
            });
            known.count += 1.0;
            known.touched = self.learned;
            let weight = 1.0 / known.count.min(MEMORY);
            known.run_s += weight * (run_s - known.run_s);
            if let Some(share) = share {
                known.share = Some(known.share.map_or(share, |old| old + weight * (share - old)));
            }
        }
        if self.groups.len() > GROUPS {
            let oldest = self.groups.iter().min_by_key(|(_, known)| known.touched);
            if let Some(group) = oldest.map(|(group, _)| group.clone()) {
                self.groups.remove(&group);
            }
        }
    }

    /// How long a job is expected to run in all, s; `age_s` is how long it has run already.
    pub fn expect(&self, job: &Job, age_s: f64) -> f64 {
        let known = groups(job).find_map(|group| self.groups.get(&group));
        let limit_s = (job.time_limit_s > 0.0).then_some(job.time_limit_s);
        let at_submit = match (limit_s, known) {
            (Some(limit_s), Some(known)) => known
                .share
                .map_or_else(|| known.run_s.min(limit_s), |share| share * limit_s),
            (Some(limit_s), None) => SHARE_OF_LIMIT * limit_s,
            (None, Some(known)) => known.run_s,
            (None, None) => RUN_S,
        };
        // One that has outlived what was expected may last half as long again, but not beyond its limit.
        let outlived = if age_s >= at_submit { 1.5 * age_s } else { at_submit };
        limit_s.map_or(outlived, |limit_s| outlived.min(limit_s.max(age_s)))
    }
}

/// From the narrowest group to all; run numbers in names do not count.
fn groups(job: &Job) -> impl Iterator<Item = String> + use<> {
    let stem: String = job.name.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    [format!("{}\n{stem}", job.user), job.user.clone(), String::new()].into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::JobState;

    fn job(user: &str, name: &str, time_limit_s: f64) -> Job {
        Job {
            id: "1".into(),
            state: JobState::Pending {
                expected_start_ms: None,
            },
            user: user.into(),
            account: String::new(),
            name: name.into(),
            partition: String::new(),
            gpus: 8,
            node_count: 1,
            nodes: Vec::new(),
            submit_ms: 0,
            time_limit_s,
        }
    }

    #[test]
    fn the_narrowest_group_that_is_known_speaks() {
        let mut times = RunTimes::default();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1.0, "{a} is not {b}");
        near(times.expect(&job("ann", "train", 7200.0), 0.0), 3600.0);
        near(times.expect(&job("ann", "train", 0.0), 0.0), RUN_S);
        for run in 0..5 {
            times.learn(&job("ann", &format!("train-{run}"), 7200.0), 1800.0);
            times.learn(&job("bob", "serve", 7200.0), 7200.0);
        }
        near(times.expect(&job("ann", "train-77", 10_000.0), 0.0), 2500.0);
        near(times.expect(&job("bob", "other", 1000.0), 0.0), 1000.0);
        near(times.expect(&job("eve", "x", 8000.0), 0.0), 5000.0);
        near(times.expect(&job("ann", "train", 10_000.0), 5000.0), 7500.0);
        near(times.expect(&job("ann", "train", 10_000.0), 9000.0), 10_000.0);
    }
}
