//! `isotherm replay`: run recorded cycles again and compare every bit; or run them in the shadow of another model.

use super::{Failure, count, load_site};
use crate::cycle::{Core, CycleRecord, Mind, step};
use crate::forecast::JobModel;
use crate::service::models::{Models, NAME};
use crate::service::{Entry, load_model};
use crate::store::Store;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Arguments of `isotherm replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The site file that the record was made with.
    site: PathBuf,
    /// First cycle: its number, or a time such as 2026-07-01T08:00:00Z; without it from the first checkpoint on.
    from: Option<Moment>,
    /// Last cycle, in the same way.
    to: Option<Moment>,
    /// Directory of the record.
    #[arg(long)]
    store: PathBuf,
    /// Run the cycles with this model instead, and compare how both foresaw the heat five minutes ahead: a new model's
    /// shadow run.
    #[arg(long)]
    model: Option<PathBuf>,
}

/// A cycle's number or a time.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    Cycle(u64),
    Wall(i64),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(cycle) = text.parse() {
            return Ok(Self::Cycle(cycle));
        }
        let time: jiff::Timestamp = text
            .parse()
            .map_err(|_| format!("`{text}` is neither a cycle nor a time: write 4711 or 2026-07-01T08:00:00Z"))?;
        Ok(Self::Wall(time.as_millisecond()))
    }
}

impl Moment {
    /// Whether a cycle lies before it.
    fn is_after(self, record: &CycleRecord) -> bool {
        match self {
            Self::Cycle(cycle) => record.cycle < cycle,
            Self::Wall(wall_ms) => record.now.wall_ms < wall_ms,
        }
    }

    /// Whether a cycle lies behind it.
    fn is_before(self, record: &CycleRecord) -> bool {
        match self {
            Self::Cycle(cycle) => record.cycle > cycle,
            Self::Wall(wall_ms) => record.now.wall_ms > wall_ms,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let site = load_site(&args.site)?;
    let model = match &args.model {
        None => load_model(&site).map_err(|error| Failure::of("load the model", &error))?,
        Some(file) => {
            let bytes = std::fs::read(file).map_err(|error| Failure::of("read the model", &error))?;
            JobModel::from_bytes(&bytes).map_err(|error| Failure::of("use the model", &error))?
        }
    };
    let core = Core::new(Arc::new(site), Arc::new(model), true);
    let models = Models::beside(&args.store);
    let entries = Store::records::<Entry>(&args.store).map_err(|error| Failure::of("read the record", &error))?;

    let mut walk = Walk {
        core,
        models,
        mind: None,
        same: 0,
        skipped: 0,
        shadow: args.model.is_some().then(Shadow::default),
    };
    // Cycles since the last checkpoint that lie before the range: the memory has to walk through them.
    let mut before: Vec<Box<CycleRecord>> = Vec::new();
    for entry in entries {
        match entry.map_err(|error| Failure::Record(format!("the record is damaged: {error}")))? {
            Entry::Checkpoint(checkpoint) => {
                let gap = walk
                    .mind
                    .as_ref()
                    .is_none_or(|mind| mind.cycle != checkpoint.mind.cycle);
                if checkpoint.adopted {
                    for earlier in before.drain(..) {
                        walk.pass(&earlier)?;
                    }
                    walk.mind = Some(checkpoint.mind);
                } else if gap && (walk.same == 0 || before.is_empty()) {
                    before.clear();
                    walk.mind = Some(checkpoint.mind);
                }
            }
            Entry::Cycle(recorded) if args.from.is_some_and(|from| from.is_after(&recorded)) => before.push(recorded),
            Entry::Cycle(recorded) if args.to.is_some_and(|to| to.is_before(&recorded)) => break,
            Entry::Cycle(recorded) => {
                for earlier in before.drain(..) {
                    walk.pass(&earlier)?;
                }
                walk.compare(&recorded)?;
            }
        }
    }
    walk.finish()
}

/// The model that a cycle was made with, by its hash.
fn model_of(models: &Models, hash: &str, cycle: u64) -> Result<JobModel, Failure> {
    let embedded = JobModel::embedded();
    if embedded.hash().is_ok_and(|known| known == hash) {
        return Ok(embedded);
    }
    let name = hash.get(..NAME).unwrap_or(hash);
    models.load(name).map_err(|error| {
        Failure::Record(format!(
            "cycle {cycle} was made with the model {name}, which is not to be had: {error}"
        ))
    })
}

/// The walk through a record.
struct Walk {
    core: Core,
    models: Models,
    mind: Option<Mind>,
    same: usize,
    skipped: usize,
    shadow: Option<Shadow>,
}

impl Walk {
    /// The cycle once more; `None` where the memory before it is not known.
    fn again(&mut self, recorded: &CycleRecord) -> Result<Option<CycleRecord>, Failure> {
        let Some(mind) = self.mind.as_mut().filter(|mind| mind.cycle + 1 == recorded.cycle) else {
            return Ok(None);
        };
        if self.shadow.is_none() && self.core.basis.model != recorded.basis.model {
            let model = model_of(&self.models, &recorded.basis.model, recorded.cycle)?;
            self.core.adopt(Arc::new(model));
        }
        Ok(Some(
            step(&self.core, mind, recorded.inputs.clone(), recorded.now).record,
        ))
    }

    /// Steps through a cycle before the range.
    fn pass(&mut self, recorded: &CycleRecord) -> Result<(), Failure> {
        self.again(recorded).map(|_not_compared| ())
    }

    fn compare(&mut self, recorded: &CycleRecord) -> Result<(), Failure> {
        let Some(again) = self.again(recorded)? else {
            self.skipped += 1;
            return Ok(());
        };
        if let Some(shadow) = &mut self.shadow {
            shadow.look(recorded, &again);
        } else if again != *recorded {
            return Err(Failure::Record(format!(
                "cycle {} replays differently: {}; {}",
                recorded.cycle,
                difference(&again, recorded),
                first_bit(&again, recorded)
            )));
        }
        self.same += 1;
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        if self.same == 0 {
            return Err(Failure::Record(
                "the record holds no cycle that could be replayed".into(),
            ));
        }
        if let Some(shadow) = self.shadow {
            shadow.print(self.same);
        } else {
            println!(
                "{} replayed bit for bit; {} before the first checkpoint or after a gap",
                count(self.same, "cycle"),
                self.skipped
            );
        }
        Ok(())
    }
}

/// Where two records differ, in words.
fn difference(again: &CycleRecord, recorded: &CycleRecord) -> &'static str {
    if again.basis.site != recorded.basis.site {
        "another configuration"
    } else if again.basis.limits != recorded.basis.limits {
        "other limits"
    } else if again.basis.model != recorded.basis.model {
        "another model"
    } else if again.mind_before != recorded.mind_before {
        "the memory before it (another version?)"
    } else if again.heat != recorded.heat {
        "the forecast"
    } else if again.plan != recorded.plan {
        "the plan"
    } else if again.safety != recorded.safety {
        "what safety made of it"
    } else if again.commands != recorded.commands {
        "the commands"
    } else if again.account != recorded.account {
        "the account"
    } else {
        "the memory after it"
    }
}

/// The first bit in which two records differ, of their bytes in the record.
fn first_bit(again: &CycleRecord, recorded: &CycleRecord) -> String {
    let (Ok(again), Ok(recorded)) = (postcard::to_stdvec(again), postcard::to_stdvec(recorded)) else {
        return "they cannot be compared bit by bit".to_owned();
    };
    let pairs = again.iter().zip(&recorded).enumerate();
    match pairs.into_iter().find(|(_, (a, b))| a != b) {
        Some((byte, (a, b))) => {
            let bit = (a ^ b).leading_zeros();
            format!(
                "first in byte {byte}, bit {bit} of its {} bytes: {a:#04x}, recorded {b:#04x}",
                recorded.len()
            )
        }
        None => format!("it has {} bytes, recorded are {}", again.len(), recorded.len()),
    }
}

/// How two models foresaw the heat of the CDUs.
#[derive(Debug, Default)]
struct Shadow {
    /// Time, and by CDU what either expected in five minutes, kW.
    waiting: VecDeque<(u64, Vec<(f64, f64)>)>,
    errors: (f64, f64),
    compared: usize,
    /// Cycles in which the plan would have been another.
    other_plans: usize,
}

/// Index of the horizon of five minutes, and its length, ms.
const AHEAD: (usize, u64) = (1, 300_000);

impl Shadow {
    fn look(&mut self, recorded: &CycleRecord, again: &CycleRecord) {
        self.other_plans += usize::from(recorded.plan.setpoints != again.plan.setpoints);
        let now_ms = recorded.now.mono_ms;
        while self.waiting.front().is_some_and(|(at, _)| at + AHEAD.1 <= now_ms) {
            let Some((_, expected)) = self.waiting.pop_front() else {
                break;
            };
            for (band, (old, new)) in recorded.heat.cdus.iter().zip(expected) {
                self.errors.0 += (old - band.now_kw).abs();
                self.errors.1 += (new - band.now_kw).abs();
                self.compared += 1;
            }
        }
        let pairs = recorded.heat.cdus.iter().zip(&again.heat.cdus);
        let expected = pairs.map(|(old, new)| (old.mean_kw[AHEAD.0], new.mean_kw[AHEAD.0]));
        self.waiting.push_back((now_ms, expected.collect()));
    }

    fn print(&self, cycles: usize) {
        let share = 100.0 * self.other_plans as f64 / cycles as f64;
        println!(
            "{} in the shadow of the other model; it would have planned otherwise in {share:.1} % of them",
            count(cycles, "cycle")
        );
        if self.compared > 0 {
            let n = self.compared as f64;
            println!(
                "heat of a CDU in five minutes, mean error: {:.2} kW as recorded, {:.2} kW with the other model",
                self.errors.0 / n,
                self.errors.1 / n
            );
        }
    }
}
