//! `isotherm audit`: verify the record's hash chains, and list who did what and why.

use super::{Failure, count};
use crate::cycle::{Basis, CycleRecord};
use crate::service::Entry;
use crate::snapshot::{Author, LoadLimit, Request, RequestKind};
use crate::store::{self, Store, Verified};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Arguments of `isotherm audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Directory of the record.
    #[arg(long)]
    store: PathBuf,
    /// The last link of the chain of decisions, as an earlier audit printed it: fails where the chain does not end there.
    #[arg(long, value_name = "HEX")]
    head: Option<String>,
    /// List every request, with its author, reason and outcome.
    #[arg(long)]
    actions: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (records, samples) =
        store::verify(&args.store).map_err(|error| Failure::Record(format!("the record does not hold: {error}")))?;
    if let Some(head) = &args.head
        && *head != records.head
    {
        return Err(Failure::Record(format!(
            "the chain of decisions ends at {}, not at {head}: it was cut off, replaced, or has grown since",
            records.head
        )));
    }
    let (actions, bases) = if args.actions || args.json {
        walk(&args.store)?
    } else {
        (Vec::new(), Vec::new())
    };
    if args.json {
        let value = json!({
            "records": chain(&records),
            "samples": chain(&samples),
            "actions": actions,
            "basis": bases,
        });
        let text = serde_json::to_string_pretty(&value).map_err(|error| Failure::of("write JSON", &error))?;
        println!("{text}");
        return Ok(());
    }
    for (name, verified) in [("decisions", &records), ("samples", &samples)] {
        println!(
            "{name}: {} in {} hold{}; the chain ends at {}",
            count(usize::try_from(verified.entries).unwrap_or(usize::MAX), "entry").replace("entrys", "entries"),
            count(verified.segments, "segment"),
            match verified.torn_bytes {
                0 => String::new(),
                bytes => format!(", {bytes} bytes at the end are cut off (a crash, or a writer at work)"),
            },
            if verified.head.is_empty() {
                "nothing"
            } else {
                &verified.head
            }
        );
        for outage in &verified.outages {
            println!("{name}: {outage:?}");
        }
    }
    for line in actions {
        println!(
            "{} cycle {} {}: {}{}{}",
            line["time"].as_str().unwrap_or_default(),
            line["cycle"],
            line["who"].as_str().unwrap_or_default(),
            line["what"].as_str().unwrap_or_default(),
            match line["why"].as_str() {
                None | Some("") => String::new(),
                Some(why) => format!(" ({why})"),
            },
            match line["outcome"].as_str() {
                None | Some("") => String::new(),
                Some(outcome) => format!(" -> {outcome}"),
            }
        );
    }
    Ok(())
}

fn chain(verified: &Verified) -> Value {
    json!({
        "segments": verified.segments,
        "entries": verified.entries,
        "outages": verified.outages.len(),
        "torn_bytes": verified.torn_bytes,
        "head": verified.head,
    })
}

/// Every request of the record, and every change of configuration, limits or model.
fn walk(dir: &Path) -> Result<(Vec<Value>, Vec<Value>), Failure> {
    let entries = Store::records::<Entry>(dir).map_err(|error| Failure::of("read the record", &error))?;
    let (mut actions, mut bases) = (Vec::new(), Vec::new());
    let mut basis: Option<Basis> = None;
    for entry in entries {
        let entry = entry.map_err(|error| Failure::Record(format!("the record is damaged: {error}")))?;
        let Entry::Cycle(record) = entry else { continue };
        if basis.as_ref() != Some(&record.basis) {
            basis = Some(record.basis.clone());
            bases.push(json!({ "from_cycle": record.cycle, "time": time(&record), "basis": record.basis }));
        }
        actions.extend(record.inputs.requests.iter().map(|request| action(&record, request)));
    }
    Ok((actions, bases))
}

fn action(record: &CycleRecord, request: &Request) -> Value {
    let who = match &request.author {
        Author::Operator(name) => name.clone(),
        other => format!("{other:?}").to_lowercase(),
    };
    let what = match &request.kind {
        RequestKind::Override { point, value, for_s } => {
            format!("holds point {} at {value} for {for_s:.0} s", point.0)
        }
        RequestKind::ClearOverride { point } => format!("ends the override of point {}", point.0),
        RequestKind::SetAuthority { zone, authority } => {
            format!(
                "sets the authority of zone {} to {}",
                zone.0,
                format!("{authority:?}").to_lowercase()
            )
        }
        RequestKind::SetStrategy { strategy } => format!("sets the strategy to {}", strategy.name()),
        RequestKind::SetLoadTarget { limit, in_s, for_s } => {
            let limit = match limit {
                LoadLimit::Kilowatts(kw) => format!("at {kw:.0} kW"),
                LoadLimit::Cut(share) => format!("{:.0} % lower", share * 100.0),
            };
            format!("wants cooling power {limit} in {in_s:.0} s for {for_s:.0} s")
        }
        RequestKind::ClearLoadTarget => "ends the load target".to_owned(),
        RequestKind::Commission { begin: true } => "begins step tests".to_owned(),
        RequestKind::Commission { begin: false } => "ends step tests".to_owned(),
        RequestKind::Stop => "stops Isotherm".to_owned(),
        RequestKind::Acknowledge { alarm } => format!("acknowledges alarm {alarm}"),
        RequestKind::Shelve { alarm, for_s } => format!("shelves alarm {alarm} for {for_s:.0} s"),
        RequestKind::Unshelve { alarm } => format!("takes alarm {alarm} off the shelf"),
        RequestKind::TakeAdvice { advice } => format!("takes advice {advice}"),
        RequestKind::DeclineAdvice { advice } => format!("declines advice {advice}"),
        RequestKind::AcceptPlan { zone, for_s } => format!("accepts the plan of zone {} for {for_s:.0} s", zone.0),
        RequestKind::DeclinePlan { zone } => format!("declines the plan of zone {}", zone.0),
    };
    let told = record
        .events
        .iter()
        .filter(|event| event.text.starts_with(who.as_str()));
    let outcome: Vec<String> = told
        .map(|event| format!("{} {}: {}", event.code, event.subject, event.text))
        .collect();
    json!({
        "time": time(record),
        "cycle": record.cycle,
        "who": who,
        "what": what,
        "why": request.why,
        "outcome": outcome.join("; "),
    })
}

fn time(record: &CycleRecord) -> String {
    jiff::Timestamp::from_millisecond(record.now.wall_ms).map_or_else(|_| String::new(), |time| time.to_string())
}
