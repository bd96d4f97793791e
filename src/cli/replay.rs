//! `isotherm replay`: run recorded cycles again and compare every bit.

use super::{Failure, count, load_site};
use crate::cycle::{Core, CycleRecord, Mind, step};
use crate::forecast::JobModel;
use crate::service::models::{Models, name_of};
use crate::service::{Entry, load_model};
use crate::store::Store;
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
    let model = load_model(&site).map_err(|error| Failure::of("load the model", &error))?;
    let core = Core {
        site: Arc::new(site),
        model_fingerprint: model.fingerprint(),
        model: Arc::new(model),
        fingerprints: true,
    };
    let entries = Store::records::<Entry>(&args.store).map_err(|error| Failure::of("read the record", &error))?;

    let mut walk = Walk {
        core,
        mind: None,
        same: 0,
        skipped: 0,
        models: Models::beside(&args.store),
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
                if gap && (walk.same == 0 || before.is_empty()) {
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

/// The walk through a record.
struct Walk {
    core: Core,
    mind: Option<Mind>,
    models: Models,
    same: usize,
    skipped: usize,
}

impl Walk {
    fn again(&mut self, recorded: &CycleRecord) -> Result<Option<CycleRecord>, Failure> {
        let Some(mind) = self.mind.as_mut().filter(|mind| mind.cycle + 1 == recorded.cycle) else {
            return Ok(None);
        };
        if self.core.model_fingerprint != recorded.model {
            self.core.model = Arc::new(model_of(&self.models, recorded.model, recorded.cycle)?);
            self.core.model_fingerprint = recorded.model;
        }
        Ok(Some(
            step(&self.core, mind, recorded.inputs.clone(), recorded.now).record,
        ))
    }

    /// Steps through a cycle before the range.
    fn pass(&mut self, recorded: &CycleRecord) -> Result<(), Failure> {
        self.again(recorded).map(drop)
    }

    fn compare(&mut self, recorded: &CycleRecord) -> Result<(), Failure> {
        let Some(again) = self.again(recorded)? else {
            self.skipped += 1;
            return Ok(());
        };
        if again != *recorded {
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
        println!(
            "{} replayed bit for bit; {} before the first checkpoint or after a gap",
            count(self.same, "cycle"),
            self.skipped
        );
        if self.same == 0 {
            return Err(Failure::Record(
                "the record holds no cycle that could be replayed".into(),
            ));
        }
        Ok(())
    }
}

/// The model that a cycle was made with.
fn model_of(models: &Models, fingerprint: u64, cycle: u64) -> Result<JobModel, Failure> {
    let embedded = JobModel::embedded();
    if embedded.fingerprint() == fingerprint {
        return Ok(embedded);
    }
    let name = name_of(fingerprint);
    models.load(&name).map_err(|error| {
        Failure::Record(format!(
            "cycle {cycle} was made with the model {name}, which is not to be had: {error}"
        ))
    })
}

/// Where two records differ, in words.
fn difference(again: &CycleRecord, recorded: &CycleRecord) -> &'static str {
    if again.basis.site != recorded.basis.site {
        "another configuration"
    } else if again.basis.limits != recorded.basis.limits {
        "other limits"
    } else if again.model != recorded.model {
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
