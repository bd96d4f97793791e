//! `isotherm forecast job`: energy, cooling share, water, carbon and money of a job before it is submitted, and when it
//! would best start. For a job in the queue ask the controller: `/api/v1/jobs/<id>` and `/api/v1/jobs/<id>/windows`.

use crate::cli::{Failure, load_site};
use crate::jobs::{Advice, Amounts, Desk, JobOutlook, Window, advise};
use crate::ledger::Totals;
use crate::service::finished::Finished;
use crate::service::models::Models;
use crate::service::{Entry, load_model};
use crate::site::Site;
use crate::snapshot::{Job, JobState, Now};
use crate::store::Store;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `isotherm forecast job`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The site file, or the name of an embedded site.
    site: PathBuf,
    /// GPUs of the job.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    gpus: u32,
    /// Nodes of the job.
    #[arg(long, default_value_t = 1)]
    nodes: u32,
    /// Requested time limit, h.
    #[arg(long, value_parser = hours)]
    limit_h: Option<f64>,
    /// Expected run time, h; without it what jobs of this user and name did before.
    #[arg(long, value_parser = hours)]
    run_h: Option<f64>,
    /// User.
    #[arg(long, default_value = "")]
    user: String,
    /// Account.
    #[arg(long, default_value = "")]
    account: String,
    /// Name of the job.
    #[arg(long, default_value = "")]
    name: String,
    /// Partition.
    #[arg(long, default_value = "")]
    partition: String,
    /// Hours from now by which it must have ended: asks when it would best start.
    #[arg(long, value_parser = hours)]
    within_h: Option<f64>,
    /// Start now at another time, such as 2026-01-31T17:00:00Z.
    #[arg(long)]
    at: Option<Timestamp>,
    /// Directory of the record, for what the site has measured; without it the site's `store.dir`.
    #[arg(long)]
    store: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text.parse().map_err(|_| "write hours, such as 12".to_owned())?;
    if hours > 0.0 && hours <= 8760.0 {
        Ok(hours)
    } else {
        Err("write hours above 0 and up to 8760".into())
    }
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    model: String,
    currency: &'a str,
    overheads_measured: bool,
    #[serde(flatten)]
    outlook: &'a JobOutlook,
    soonest: Option<Window>,
    advice: Option<&'a [Advice; 3]>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let site = Arc::new(load_site(&args.site)?);
    let zone = TimeZone::get(&site.time_zone).map_err(|error| Failure::of("find the site's time zone", &error))?;
    let at = args.at.unwrap_or_else(Timestamp::now);
    let now = Now {
        mono_ms: 0,
        wall_ms: at.as_millisecond(),
        utc_offset_s: zone.to_offset(at).seconds(),
    };
    let dir = args.store.clone().unwrap_or_else(|| PathBuf::from(&site.store.dir));
    let (mut desk, model) = desk(&site, &dir)?;
    let measured = last_total(&dir, &mut desk)?;

    let job = Job {
        id: String::new(),
        state: JobState::Pending {
            expected_start_ms: Some(now.wall_ms),
        },
        user: args.user.clone(),
        account: args.account.clone(),
        name: args.name.clone(),
        partition: args.partition.clone(),
        gpus: args.gpus,
        node_count: args.nodes,
        nodes: Vec::new(),
        submit_ms: now.wall_ms,
        time_limit_s: 3600.0 * args.limit_h.unwrap_or(0.0),
    };
    let curves = desk.curves(now);
    let mut outlook = desk.outlook(&job, &curves, now);
    if let Some(run_h) = args.run_h {
        outlook.span.end_ms = now.wall_ms.saturating_add(ms(run_h));
        outlook.to_come = curves.between(outlook.span.mean_kw, outlook.span.start_ms, outlook.span.end_ms);
    }
    let span = outlook.span;
    let advised = args.within_h.map(|within_h| {
        let deadline_ms = now.wall_ms.saturating_add(ms(within_h));
        advise(
            &curves,
            span.mean_kw,
            span.end_ms - span.start_ms,
            span.start_ms,
            deadline_ms,
        )
    });
    let advised = advised
        .transpose()
        .map_err(|error| Failure::of("find a better start", &error))?;
    if args.json {
        let answer = Answer {
            model,
            currency: &site.currency,
            overheads_measured: curves.measured,
            outlook: &outlook,
            soonest: advised.as_ref().map(|(soonest, _)| *soonest),
            advice: advised.as_ref().map(|(_, advice)| advice),
        };
        let text = serde_json::to_string_pretty(&answer).map_err(|error| Failure::of("write JSON", &error))?;
        println!("{text}");
        return Ok(());
    }
    println!(
        "{} GPUs, {:.1} kW expected, {:.1} kW at most, for {:.1} h (model {model})",
        job.gpus,
        span.mean_kw,
        span.peak_kw,
        (span.end_ms - span.start_ms) as f64 / 3_600_000.0
    );
    println!("{}", amounts("from now", &outlook.to_come, &site.currency));
    if !measured || !curves.measured {
        println!(
            "cooling and water are not measured in {} yet: they are left at nothing",
            dir.display()
        );
    }
    if let Some((_, advice)) = &advised {
        for advice in advice {
            println!("{}", advice_line(advice, &zone, &site.currency, now));
        }
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "at most a year")]
fn ms(hours: f64) -> i64 {
    (hours * 3_600_000.0) as i64
}

/// What a controller on this record knows: the model in use there, and the jobs that finished.
fn desk(site: &Arc<Site>, dir: &Path) -> Result<(Desk, String), Failure> {
    let base = load_model(site).map_err(|error| Failure::of("load the model", &error))?;
    let models = Models::beside(dir);
    let appointed = models
        .history()
        .ok()
        .and_then(|history| history.into_iter().next_back());
    let model = match appointed {
        Some(appointed) => models
            .load(&appointed.model)
            .map_err(|error| Failure::of("load the model", &error))?,
        None => base,
    };
    let name = crate::service::models::name_of(model.fingerprint());
    let mut desk = Desk::new(Arc::clone(site), Arc::new(model));
    let finished = Finished::beside(dir).read();
    let finished = finished.map_err(|error| Failure::of("read the jobs that finished in service", &error))?;
    for job in &finished {
        desk.remember(job);
    }
    Ok((desk, name))
}

/// Takes up what the record says of cooling and water at each hour; answers whether there is a record.
fn last_total(dir: &Path, desk: &mut Desk) -> Result<bool, Failure> {
    if !dir.join("records").is_dir() {
        return Ok(false);
    }
    let entries = Store::records::<Entry>(dir).map_err(|error| Failure::of("read the record", &error))?;
    let mut last: Option<(Totals, f64)> = None;
    let mut hour = None;
    let mut any = false;
    for entry in entries {
        let entry = entry.map_err(|error| Failure::Record(format!("the record is damaged: {error}")))?;
        if let Entry::Cycle(record) = entry {
            any = true;
            let at = record.now.local_hour();
            // One look an hour is enough to know the hour.
            if hour != Some(at.floor()) {
                hour = Some(at.floor());
                if let Some((total, at)) = &last {
                    desk.measured(total, *at);
                }
            }
            last = Some((record.account.total, at));
        }
    }
    if let Some((total, at)) = &last {
        desk.measured(total, *at);
    }
    Ok(any)
}

fn amounts(what: &str, amounts: &Amounts, currency: &str) -> String {
    format!(
        "{what:<10} {:.1} kWh IT, {:.1} kWh cooling, {:.1} kWh other, {:.0} L water, {:.1} kg CO2e, {:.2} {currency}",
        amounts.it_kwh, amounts.cooling_kwh, amounts.other_kwh, amounts.water_l, amounts.co2e_kg, amounts.cost
    )
}

fn advice_line(advice: &Advice, zone: &TimeZone, currency: &str, now: Now) -> String {
    let goal = format!("{:?}", advice.goal).to_lowercase();
    if advice.best.start_ms <= now.wall_ms {
        return format!("least {goal:<7} now: waiting saves nothing");
    }
    let start = Timestamp::from_millisecond(advice.best.start_ms).unwrap_or_default();
    let start = ZonedDateTime::new(start, zone.clone()).strftime("%a %H:%M").to_string();
    let saves = &advice.saves;
    format!(
        "least {goal:<7} {start}: saves {:.2} {currency}, {:.1} kg CO2e, {:.0} L",
        saves.cost, saves.co2e_kg, saves.water_l
    )
}
