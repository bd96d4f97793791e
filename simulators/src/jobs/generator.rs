//! Users who submit jobs, so that the power of a job can be learnt from who submitted what.

use super::job::{Job, JobClass, Profile};
use crate::random::Random;

/// One class of jobs: its share of the hall and how its jobs come out.
struct Habit {
    class: JobClass,
    partition: &'static str,
    names: [&'static str; 3],
    /// Share of all GPU hours asked for.
    share: f64,
    /// Median GPUs as a share of the hall, and spread (sigma of the logarithm).
    size: (f64, f64),
    /// Median run time, h, and spread.
    hours: (f64, f64),
    /// Utilisation at work.
    level: f64,
    /// Range of the period, min, and of the dip, s.
    period_min: (f64, f64),
    dip_s: (f64, f64),
    /// Whether it is submitted mostly in working hours.
    by_day: bool,
}

const HABITS: [Habit; 4] = [
    Habit {
        class: JobClass::Pretraining,
        partition: "train",
        names: ["pretrain-dense", "pretrain-moe", "pretrain-vision"],
        share: 0.48,
        size: (0.22, 0.5),
        hours: (9.0, 0.8),
        level: 0.90,
        period_min: (10.0, 40.0),
        dip_s: (20.0, 70.0),
        by_day: false,
    },
    Habit {
        class: JobClass::FineTuning,
        partition: "train",
        names: ["sft-chat", "dpo-code", "lora-search"],
        share: 0.18,
        size: (0.02, 0.7),
        hours: (2.0, 0.7),
        level: 0.76,
        period_min: (15.0, 30.0),
        dip_s: (60.0, 180.0),
        by_day: true,
    },
    Habit {
        class: JobClass::Evaluation,
        partition: "train",
        names: ["eval-reasoning", "eval-safety", "eval-code"],
        share: 0.06,
        size: (0.008, 0.6),
        hours: (0.5, 0.6),
        level: 0.62,
        period_min: (2.0, 6.0),
        dip_s: (0.0, 0.0),
        by_day: true,
    },
    Habit {
        class: JobClass::Inference,
        partition: "serve",
        names: ["serve-chat", "serve-embed", "serve-vision"],
        share: 0.16,
        size: (0.03, 0.4),
        hours: (40.0, 0.6),
        level: 0.72,
        period_min: (10.0, 20.0),
        dip_s: (0.0, 0.0),
        by_day: false,
    },
];

const USERS: usize = 24;
const ACCOUNTS: usize = 6;
/// Mean time between failures of one GPU that stop a synchronous job, h (published large runs: an interruption every
/// three hours on 16 000 GPUs).
const FAILURE_GPU_H: f64 = 48_000.0;

/// An endless stream of jobs.
#[derive(Debug, Clone)]
pub struct Generator {
    random: Random,
    hall_gpus: f64,
    gpus_per_node: u32,
    /// Deviation of each user's and each name's utilisation from that of the class.
    users: Vec<f64>,
    names: Vec<[f64; 3]>,
    /// Next submit time of each class.
    next_s: [f64; 4],
    /// Services that the hall runs from the start.
    first: Vec<Job>,
    count: u64,
}

impl Generator {
    /// Users of a hall of `hall_gpus` GPUs, `gpus_per_node` to a node, drawn from `seed`.
    pub fn new(hall_gpus: u32, gpus_per_node: u32, seed: u64) -> Self {
        let mut random = Random::new(seed, 3);
        let users = (0..USERS).map(|_| random.range(-0.07, 0.07)).collect();
        let names = HABITS
            .iter()
            .map(|_| [(); 3].map(|()| random.range(-0.10, 0.08)))
            .collect();
        let mut generator = Self {
            random,
            hall_gpus: f64::from(hall_gpus),
            gpus_per_node,
            users,
            names,
            next_s: [0.0; 4],
            first: Vec::new(),
            count: 0,
        };
        generator.next_s = [0, 1, 2, 3].map(|class| generator.gap_s(class));
        // A hall in service is not empty: its services and one large run are there from the start.
        for (class, share) in [(3, 0.8 * HABITS[3].share), (0, 0.25)] {
            let mut gpus = 0.0;
            while gpus < share * generator.hall_gpus {
                let mut job = generator.job(class, 0.0);
                job.gpus = job.gpus.min(hall_gpus / 4).max(1);
                gpus += f64::from(job.gpus);
                generator.first.push(job);
            }
        }
        generator.first.reverse();
        generator
    }

    /// The next job submitted by `now_s`, if any.
    pub(crate) fn next_by(&mut self, now_s: f64) -> Option<Job> {
        if let Some(job) = self.first.pop() {
            return Some(job);
        }
        loop {
            let (class, submit_s) = self
                .next_s
                .iter()
                .copied()
                .enumerate()
                .min_by(|a, b| a.1.total_cmp(&b.1))?;
            if submit_s > now_s {
                return None;
            }
            self.next_s[class] = submit_s + self.gap_s(class);
            let hour = submit_s / 3600.0 % 24.0;
            // Thinning: at night most of those who work by day do not submit.
            let asleep = HABITS[class].by_day && !(8.0..19.0).contains(&hour) && self.random.chance(0.7);
            if !asleep {
                return Some(self.job(class, submit_s));
            }
        }
    }

    /// Time to the next submission of a class, s.
    fn gap_s(&mut self, class: usize) -> f64 {
        let habit = &HABITS[class];
        let mean = |(median, sigma): (f64, f64)| median * libm::exp(0.5 * sigma * sigma);
        let gpu_hours = mean(habit.size) * mean(habit.hours);
        // 13 hours of a day are thinned to 30 %.
        let thinned = if habit.by_day { (11.0 + 0.3 * 13.0) / 24.0 } else { 1.0 };
        self.random.exponential(gpu_hours / habit.share * thinned * 3600.0)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "GPU counts below those of the hall"
    )]
    fn job(&mut self, class: usize, submit_s: f64) -> Job {
        let habit = &HABITS[class];
        self.count += 1;
        let user = self.random.below(USERS);
        let name = self.random.below(3);
        let wanted = (self.random.log_normal(habit.size.0, habit.size.1).min(0.6) * self.hall_gpus).max(1.0);
        let node = f64::from(self.gpus_per_node);
        // Beyond a node people ask for whole nodes.
        let gpus = if wanted < node {
            wanted.round().max(1.0)
        } else {
            (wanted / node).round() * node
        };
        let run_s = self.random.log_normal(habit.hours.0, habit.hours.1).clamp(0.05, 120.0) * 3600.0;
        let deviation = self.users[user] + self.names[class][name] + 0.03 * self.random.normal();
        // Limits are asked in whole hours and well above need; some jobs run into theirs all the same.
        let time_limit_s = (run_s * self.random.range(0.95, 2.5) / 3600.0).ceil() * 3600.0;
        Job {
            id: self.count,
            user: format!("user{user:02}"),
            account: format!("project{}", user % ACCOUNTS),
            name: habit.names[name].to_owned(),
            partition: habit.partition.to_owned(),
            gpus: gpus as u32,
            time_limit_s,
            submit_s,
            run_s: run_s.min(time_limit_s),
            profile: Profile {
                class: habit.class,
                level: (habit.level + deviation).clamp(0.2, 1.0),
                period_s: 60.0 * self.random.range(habit.period_min.0, habit.period_min.1),
                dip_s: self.random.range(habit.dip_s.0, habit.dip_s.1),
                failures: self.failures(habit.class, gpus, run_s),
                seed: self.random.below(usize::MAX) as u64,
            },
        }
    }

    fn failures(&mut self, class: JobClass, gpus: f64, run_s: f64) -> Vec<(f64, f64)> {
        let mut failures = Vec::new();
        if class == JobClass::Pretraining {
            let mean_s = FAILURE_GPU_H / gpus * 3600.0;
            let mut at = self.random.exponential(mean_s);
            while at < run_s && failures.len() < 50 {
                let lasts = self.random.range(180.0, 600.0);
                failures.push((at, lasts));
                at += lasts + self.random.exponential(mean_s);
            }
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(seed: u64) -> Vec<Job> {
        let mut generator = Generator::new(1152, 4, seed);
        std::iter::from_fn(|| generator.next_by(7.0 * 86_400.0)).collect()
    }

    #[test]
    fn a_week_asks_for_most_of_the_hall() {
        let jobs = week(11);
        assert_eq!(jobs, week(11));
        let asked: f64 = jobs
            .iter()
            .map(|job| f64::from(job.gpus) * job.run_s.min(7.0 * 86_400.0 - job.submit_s))
            .sum();
        let share = asked / (1152.0 * 7.0 * 86_400.0);
        assert!((0.6..1.3).contains(&share), "{share}");
        assert!(jobs.windows(2).all(|pair| pair[0].submit_s <= pair[1].submit_s));
        assert!(
            jobs.iter()
                .all(|job| job.gpus >= 1 && job.gpus <= 1152 && job.run_s <= job.time_limit_s)
        );
        for class in [
            JobClass::Pretraining,
            JobClass::FineTuning,
            JobClass::Evaluation,
            JobClass::Inference,
        ] {
            assert!(
                jobs.iter().filter(|job| job.profile.class == class).count() >= 5,
                "{class:?}"
            );
        }
    }

    #[test]
    fn users_and_names_tell_the_level() {
        let jobs = week(3);
        let spread = |of: &[f64]| {
            let mean = of.iter().sum::<f64>() / of.len() as f64;
            (of.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / of.len() as f64).sqrt()
        };
        let evals: Vec<&Job> = jobs
            .iter()
            .filter(|job| job.profile.class == JobClass::Evaluation)
            .collect();
        let all = spread(&evals.iter().map(|job| job.profile.level).collect::<Vec<_>>());
        let (user, name) = (&evals[0].user, &evals[0].name);
        let same: Vec<f64> = evals
            .iter()
            .filter(|job| &job.user == user && &job.name == name)
            .map(|job| job.profile.level)
            .collect();
        assert!(same.len() < 2 || spread(&same) < all, "{} {all}", spread(&same));
    }
}
