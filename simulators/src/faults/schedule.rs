//! Which faults come when.

use super::Kind;
use crate::plant::{Plant, WoundError};
use crate::random::Random;

/// Stream of the chance of faults, apart from those of plant, weather and jobs.
const STREAM: u64 = 11;

/// One fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What fails.
    pub kind: Kind,
    /// Where: an id of a unit, a tag of a signal, or several joined by `+`.
    pub target: String,
    /// From when, s of the world's time.
    pub from_s: f64,
    /// Until when, s.
    pub until_s: f64,
    /// How bad or which way, 0 to 1.
    pub amount: f64,
}

impl Fault {
    fn is_active(&self, at_s: f64) -> bool {
        at_s >= self.from_s && at_s < self.until_s
    }

    fn change(&self, plant: &mut Plant, broken: bool) -> Result<(), WoundError> {
        let Some(wound) = self.kind.wound(self.amount) else {
            return Ok(());
        };
        for target in self.target.split('+') {
            if broken {
                plant.wound(target, wound)?;
            } else {
                plant.mend(target, wound)?;
            }
        }
        Ok(())
    }
}

/// Faults and which of them are at work.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    faults: Vec<Fault>,
    at_work: Vec<bool>,
    now_s: f64,
}

impl Schedule {
    /// These faults.
    pub fn new(faults: Vec<Fault>) -> Self {
        Self {
            at_work: vec![false; faults.len()],
            faults,
            now_s: 0.0,
        }
    }

    /// Faults as chance has them: on average `per_day` of them from `from_s` on for `days`, each kind as likely as the
    /// others, anywhere in the plant. No fault begins while another of its kind is at its target.
    pub fn random(plant: &Plant, seed: u64, from_s: f64, days: f64, per_day: f64) -> Self {
        let mut random = Random::new(seed, STREAM);
        let possible: Vec<(Kind, Vec<String>)> = Kind::ALL
            .into_iter()
            .map(|kind| (kind, kind.targets(plant)))
            .filter(|(_, targets)| !targets.is_empty())
            .collect();
        let (mut faults, end_s) = (Vec::<Fault>::new(), from_s + days * 86_400.0);
        let mut at_s = from_s;
        while per_day > 0.0 && !possible.is_empty() {
            at_s += random.exponential(86_400.0 / per_day);
            if at_s >= end_s {
                break;
            }
            let (kind, targets) = &possible[random.below(possible.len())];
            let fault = Fault {
                kind: *kind,
                target: targets[random.below(targets.len())].clone(),
                from_s: at_s,
                until_s: at_s + kind.lasts_s(&mut random),
                amount: random.uniform(),
            };
            let taken = |other: &Fault| {
                other.kind == fault.kind && other.target == fault.target && other.until_s > fault.from_s
            };
            if !faults.iter().any(taken) {
                faults.push(fault);
            }
        }
        Self::new(faults)
    }

    /// All faults, past and to come.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Faults of a kind that are at work now.
    pub fn active(&self, kind: Kind) -> impl Iterator<Item = &Fault> {
        let at_work = self.faults.iter().zip(&self.at_work);
        at_work
            .filter(move |(fault, at_work)| **at_work && fault.kind == kind)
            .map(|(fault, _)| fault)
    }

    /// Breaks and mends what is due at `now_s`.
    pub(crate) fn act(&mut self, now_s: f64, plant: &mut Plant) {
        self.now_s = now_s;
        for (fault, at_work) in self.faults.iter().zip(&mut self.at_work) {
            let due = fault.is_active(now_s);
            if due == *at_work {
                continue;
            }
            *at_work = due;
            if let Err(error) = fault.change(plant, due) {
                tracing::warn!(%error, fault = fault.kind.name(), "a fault has no place to be");
            }
        }
    }
}
