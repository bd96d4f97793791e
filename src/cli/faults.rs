//! `isotherm faults`: every fault alone, in pairs, or at random, with the controller and under local control alone.

use super::{Failure, load_site};
use crate::trial::faults::{self, Campaign, Pair, Row};
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Arguments of `isotherm faults`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Site file (TOML), or the name of an embedded site: `demo`, `frontier`, `chilled_water`.
    #[arg(long, default_value = "demo")]
    site: PathBuf,
    /// Seed of plant, weather, jobs and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fly so many days of random faults, each with the next seed, instead of the table.
    #[arg(long)]
    days: Option<usize>,
    /// Nobody follows the power caps that the controller asks the scheduler for.
    #[arg(long, requires = "days")]
    alone: bool,
    /// Every pair of faults as well.
    #[arg(long, conflicts_with = "days")]
    pairs: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let site = load_site(&args.site)?;
    let fail = |error| Failure::of("fly the faults", &error);
    if let Some(days) = args.days {
        let done = AtomicUsize::new(0);
        let campaign = faults::campaign(&site, args.seed, days, args.alone, |day| {
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if day.is_worse() {
                eprintln!(
                    "seed {}: {:.3} K min with Isotherm ({:.3?}), {:.3} without: {}",
                    day.seed,
                    day.limit_k_min,
                    day.limit_k_min_by_limit.values(),
                    day.limit_k_min_local,
                    day.beyond_alone.join("; ")
                );
            } else if done.is_multiple_of(50) {
                eprintln!("{done} of {days} days");
            }
        })
        .map_err(fail)?;
        if args.json {
            return print_json(&json!({ "campaign": campaign }));
        }
        print_campaign(&campaign);
        return Ok(());
    }
    let rows = faults::singles(&site, args.seed).map_err(fail)?;
    let pairs = if args.pairs {
        faults::pairs(&site, args.seed, &rows).map_err(fail)?
    } else {
        Vec::new()
    };
    if args.json {
        let mut value = json!({ "seed": args.seed, "faults": rows });
        if args.pairs {
            value["pairs"] = json!(pairs);
        }
        return print_json(&value);
    }
    println!("{}: every fault alone, seed {}", site.name, args.seed);
    print_rows(&rows);
    if args.pairs {
        print_pairs(&pairs);
    }
    Ok(())
}

fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::of("write JSON", &error))?;
    println!("{text}");
    Ok(())
}

fn seconds(time_s: Option<f64>) -> String {
    time_s.map_or("-".to_owned(), |time_s| format!("{time_s:.0}"))
}

fn print_rows(rows: &[Row]) {
    println!(
        "{:<16}{:<34}{:>9}{:>8}  {:<9}{:>7}{:>10}{:>9}{:>10}{:>9}",
        "fault", "where", "detect s", "within", "state", "safe s", "margin K", "local", "K min", "local"
    );
    for row in rows {
        println!(
            "{:<16}{:<34}{:>9}{:>8}  {:<9}{:>7.0}{:>10.1}{:>9.1}{:>10.3}{:>9.3}",
            row.name,
            row.target.chars().take(33).collect::<String>(),
            seconds(row.detected_s),
            seconds(row.detect_within_s),
            format!("{:?}", row.state).to_lowercase(),
            row.safe_s,
            row.worst_margin_k,
            row.worst_margin_k_local,
            row.limit_k_min,
            row.limit_k_min_local
        );
    }
}

fn print_pairs(pairs: &[Pair]) {
    let slower: Vec<&Pair> = pairs.iter().filter(|pair| pair.row.safe_s > pair.slower_s).collect();
    let worse: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| pair.row.limit_k_min > pair.row.limit_k_min_local + 1e-6)
        .collect();
    println!(
        "\n{} pairs; {} took longer to be safe than the slower of the two alone; {} were beyond limits for more K min than \
         under local control",
        pairs.len(),
        slower.len(),
        worse.len()
    );
    for pair in slower.iter().chain(&worse) {
        println!(
            "  {} and {}: safe after {:.0} s (alone {:.0} s), {:.3} K min (local {:.3})",
            pair.names[0],
            pair.names[1],
            pair.row.safe_s,
            pair.slower_s,
            pair.row.limit_k_min,
            pair.row.limit_k_min_local
        );
    }
}

fn print_campaign(campaign: &Campaign) {
    println!(
        "{} days of random faults from seed {}: {} faults; beyond critical limits {:.3} K min with Isotherm, {:.3} under \
         local control; worst chip margin {:.1} K and {:.1} K; {} days worse with Isotherm",
        campaign.days,
        campaign.seed,
        campaign.faults,
        campaign.limit_k_min,
        campaign.limit_k_min_local,
        campaign.worst_margin_k,
        campaign.worst_margin_k_local,
        campaign.worse.len()
    );
    println!("{:<16}{:>8}{:>14}{:>14}", "fault", "count", "K min", "local");
    for line in &campaign.by_fault {
        println!(
            "{:<16}{:>8}{:>14.3}{:>14.3}",
            line.name, line.count, line.limit_k_min, line.limit_k_min_local
        );
    }
    for day in &campaign.worse {
        println!(
            "worse: seed {}: {:.3} K min, local {:.3}: {}",
            day.seed,
            day.limit_k_min,
            day.limit_k_min_local,
            day.beyond_alone.join("; ")
        );
    }
}
