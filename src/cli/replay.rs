//! `isotherm replay`: run recorded cycles again and compare every bit.

use super::{Failure, count, load_site};
use crate::cycle::{Core, Mind, step};
use crate::forecast::JobModel;
use crate::service::models::{Models, name_of};
use crate::service::{Entry, load_model};
use crate::store::Store;
use std::path::PathBuf;
use std::sync::Arc;

/// Arguments of `isotherm replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The site file that the record was made with.
    site: PathBuf,
    /// Directory of the record.
    #[arg(long)]
    store: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let site = load_site(&args.site)?;
    let model = load_model(&site).map_err(|error| Failure::of("load the model", &error))?;
    let mut core = Core {
        site: Arc::new(site),
        model_fingerprint: model.fingerprint(),
        model: Arc::new(model),
        fingerprints: true,
    };
    let models = Models::beside(&args.store);
    let entries = Store::records::<Entry>(&args.store).map_err(|error| Failure::of("read the record", &error))?;

    let mut mind: Option<Mind> = None;
    let (mut same, mut skipped) = (0_usize, 0_usize);
    for entry in entries {
        match entry.map_err(|error| Failure::Record(format!("the record is damaged: {error}")))? {
            // The memory runs on from cycle to cycle; a checkpoint starts it, and starts it anew after a gap.
            Entry::Checkpoint(checkpoint) => {
                if mind.as_ref().is_none_or(|mind| mind.cycle != checkpoint.mind.cycle) {
                    mind = Some(checkpoint.mind);
                }
            }
            Entry::Cycle(recorded) => {
                let Some(mind) = mind.as_mut().filter(|mind| mind.cycle + 1 == recorded.cycle) else {
                    skipped += 1;
                    continue;
                };
                if core.model_fingerprint != recorded.model {
                    core.model = Arc::new(model_of(&models, recorded.model, recorded.cycle)?);
                    core.model_fingerprint = recorded.model;
                }
                let again = step(&core, mind, recorded.inputs.clone(), recorded.now).record;
                if again != *recorded {
                    let what = difference(&again, &recorded);
                    return Err(Failure::Record(format!(
                        "cycle {} replays differently: {what}",
                        recorded.cycle
                    )));
                }
                same += 1;
            }
        }
    }
    println!(
        "{} replayed bit for bit; {skipped} before the first checkpoint or after a gap",
        count(same, "cycle")
    );
    if same == 0 {
        return Err(Failure::Record(
            "the record holds no cycle that could be replayed".into(),
        ));
    }
    Ok(())
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

fn difference(again: &crate::cycle::CycleRecord, recorded: &crate::cycle::CycleRecord) -> &'static str {
    if again.mind_before != recorded.mind_before {
        "the memory before it differs (another configuration, model or version?)"
    } else if again.model != recorded.model {
        "the model"
    } else if again.heat != recorded.heat {
        "the forecast"
    } else if again.plan != recorded.plan {
        "the plan"
    } else if again.commands != recorded.commands {
        "the commands"
    } else if again.account != recorded.account {
        "the account"
    } else {
        "the memory after it"
    }
}
