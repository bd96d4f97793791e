//! `/metrics` in the Prometheus text format (version 0.0.4). The families and their help below are the documentation
//! of the names, on which dashboards and alarms rely. A value that is not known, not good or not finite has no sample,
//! so that a graph shows a gap and an alarm on absence works.

mod books;
mod exposition;
mod plant;
mod shares;

use super::view::{ForwardView, PairView, View};
use crate::site::{Site, StrategyKind};
use crate::snapshot::Severity;
pub use exposition::Take;
use exposition::{Exposition, flag};
use std::collections::BTreeMap;

/// Occurrences of events by severity and code.
pub(super) type EventCounts = BTreeMap<(Severity, String), u64>;

/// The metrics of the latest view; before the first cycle only what is known without one.
pub(super) fn encode(site: &Site, view: Option<&View>, events: &EventCounts) -> String {
    let mut out = Exposition::text(&site.name);
    families(&mut out, site, view, events);
    out.into_text()
}

/// The samples of a view, one by one: what is recorded and forwarded under the names of `/metrics`. The points are not
/// among them: their samples come from the snapshot, with times of their own.
pub(super) fn samples(site: &Site, view: &View, events: &EventCounts, take: Take<'_>) {
    let mut but_points = |name: &str, labels: &[(&str, &str)], value: f64| {
        if name != "point" {
            take(name, labels, value);
        }
    };
    let mut out = Exposition::samples(&mut but_points);
    families(&mut out, site, Some(view), events);
}

fn families(out: &mut Exposition<'_>, site: &Site, view: Option<&View>, events: &EventCounts) {
    out.family(
        "isotherm_build_info",
        "gauge",
        "Always 1; the version of the program and the name of the site are labels.",
    );
    out.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    plant::limits(out, site);
    out.family(
        "isotherm_events_total",
        "counter",
        "Events since the start, by severity and code.",
    );
    for ((severity, code), count) in events {
        let severity = match severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Alarm => "alarm",
        };
        out.sample(&[("severity", severity), ("code", code)], *count as f64);
    }
    if let Some(view) = view {
        cycle(out, view);
        plant::points(out, site, view);
        plant::setpoints(out, view);
        plant::zones(out, view);
        plant::heat(out, view);
        plant::hall(out, view);
        books::books(out, site, view);
        shares::shares(out, site, view);
        edges(out, view);
    }
}

fn cycle(out: &mut Exposition<'_>, view: &View) {
    let pace = &view.pace;
    out.single(
        "isotherm_cycles_total",
        "counter",
        "Cycles completed.",
        view.cycle as f64,
    );
    out.single(
        "isotherm_cycle_age_seconds",
        "gauge",
        "Real time since the last cycle ended.",
        view.age().as_secs_f64(),
    );
    out.single(
        "isotherm_cycle_period_seconds",
        "gauge",
        "Period of the cycle, in plant time.",
        pace.period_s,
    );
    out.single(
        "isotherm_cycle_step_seconds",
        "gauge",
        "Real time that the last step took.",
        pace.step_ms / 1000.0,
    );
    out.single(
        "isotherm_cycle_late_total",
        "counter",
        "Cycles that began more than half a period late.",
        pace.late as f64,
    );
    out.single(
        "isotherm_cycle_overruns_total",
        "counter",
        "Steps that took longer than half a period.",
        pace.overruns as f64,
    );
    out.single(
        "isotherm_speed_ratio",
        "gauge",
        "How much faster than real time the plant's time runs; 1 on a real plant.",
        view.speed,
    );
    out.family(
        "isotherm_strategy",
        "gauge",
        "1 for the strategy whose plan is used, 0 for the others.",
    );
    for kind in [StrategyKind::Fixed, StrategyKind::TrimRespond, StrategyKind::Predictive] {
        out.sample(&[("strategy", kind.name())], flag(kind == view.control.strategy));
    }
}

fn edges(out: &mut Exposition<'_>, view: &View) {
    let jobs = &view.jobs;
    out.family("isotherm_jobs", "gauge", "Jobs in the queue by state.");
    for (state, count) in [
        ("running", jobs.running),
        ("starting", jobs.starting),
        ("pending", jobs.pending),
    ] {
        out.sample(&[("state", state)], count as f64);
    }
    out.family(
        "isotherm_queue_age_seconds",
        "gauge",
        "Age of the job queue, in plant time; none where no feed ever answered.",
    );
    if let Some(age_s) = jobs.age_s {
        out.sample(&[], age_s);
    }
    let feed = &jobs.feed;
    out.single(
        "isotherm_feed_reads_total",
        "counter",
        "Queues and job events read since the start.",
        feed.reads as f64,
    );
    out.single(
        "isotherm_feed_failures_total",
        "counter",
        "Tries of the job feed that failed, and messages that it refused.",
        feed.failures as f64,
    );
    out.single(
        "isotherm_feed_announced_total",
        "counter",
        "Events of prologs and epilogs taken.",
        feed.announced as f64,
    );
    out.single(
        "isotherm_feed_unknown_nodes",
        "gauge",
        "Nodes of jobs that no rack of the site has.",
        feed.unknown_nodes as f64,
    );
    out.family(
        "isotherm_feed_clock_ahead_seconds",
        "gauge",
        "By how much the scheduler's clock is ahead of ours; none where it says nothing of it.",
    );
    if let Some(ahead_s) = feed.clock_ahead_s {
        out.sample(&[], ahead_s);
    }
    out.family("isotherm_device_connected", "gauge", "Whether a device's link stands.");
    for device in &view.devices {
        out.sample(&[("device", &device.id)], flag(device.connected));
    }
    out.family(
        "isotherm_device_age_seconds",
        "gauge",
        "Plant time since a device last answered.",
    );
    for device in &view.devices {
        if let Some(age_s) = device.age_s {
            out.sample(&[("device", &device.id)], age_s);
        }
    }
    out.family(
        "isotherm_device_errors_total",
        "counter",
        "Failures of a device's link since the start.",
    );
    for device in &view.devices {
        out.sample(&[("device", &device.id)], device.errors as f64);
    }
    let store = &view.store;
    out.single(
        "isotherm_store_ok",
        "gauge",
        "Whether the local record is being written.",
        flag(store.state == "ok"),
    );
    out.single(
        "isotherm_store_segments",
        "gauge",
        "Segments of the local record.",
        store.segments as f64,
    );
    out.single(
        "isotherm_store_bytes",
        "gauge",
        "Size of the local record.",
        store.bytes as f64,
    );
    if let Some(forward) = &view.forward {
        forwarding(out, forward);
    }
    if let Some(pair) = &view.pair {
        paired(out, pair);
    }
}

fn paired(out: &mut Exposition<'_>, pair: &PairView) {
    let mut single = |name, kind, help, value| out.single(name, kind, help, value);
    single(
        "isotherm_pair_active",
        "gauge",
        "1 where this controller of a pair writes, 0 where it stands by.",
        flag(pair.role == "active"),
    );
    single(
        "isotherm_pair_term",
        "gauge",
        "Number of the term in which this controller writes; none where it stands by.",
        pair.term.map_or(f64::NAN, |term| term as f64),
    );
    single(
        "isotherm_pair_members",
        "gauge",
        "Controllers of the pair that live, this one among them.",
        pair.members as f64,
    );
    single(
        "isotherm_pair_etcd_ok",
        "gauge",
        "Whether etcd answers.",
        flag(pair.trouble.is_none()),
    );
    single(
        "isotherm_pair_taken_total",
        "counter",
        "How often this controller has taken the lease since its start.",
        pair.taken as f64,
    );
    single(
        "isotherm_pair_failures_total",
        "counter",
        "Rounds with etcd that failed since the start.",
        pair.failures as f64,
    );
}

fn forwarding(out: &mut Exposition<'_>, forward: &ForwardView) {
    let mut single = |name, kind, help, value| out.single(name, kind, help, value);
    single(
        "isotherm_forward_ok",
        "gauge",
        "Whether the database takes samples.",
        flag(forward.state == "ok"),
    );
    single(
        "isotherm_forward_lag_seconds",
        "gauge",
        "Span of plant time that the record has and the database has not.",
        forward.lag_s,
    );
    single(
        "isotherm_forward_backlog_samples",
        "gauge",
        "Samples that are still to be sent.",
        forward.backlog as f64,
    );
    single(
        "isotherm_forward_sent_samples_total",
        "counter",
        "Samples sent since the start; some of them more than once.",
        forward.sent as f64,
    );
    single(
        "isotherm_forward_rejected_samples_total",
        "counter",
        "Samples that the database refused, since the start.",
        forward.rejected as f64,
    );
    single(
        "isotherm_forward_failures_total",
        "counter",
        "Requests that failed since the start.",
        forward.failures as f64,
    );
    single(
        "isotherm_forward_lost_chunks_total",
        "counter",
        "Chunks of samples that were deleted before they were sent.",
        forward.lost_chunks as f64,
    );
    single(
        "isotherm_forward_canary_ok",
        "gauge",
        "Whether the last canary that was read back was there; none where none is.",
        forward.canary.map_or(f64::NAN, flag),
    );
    single(
        "isotherm_forward_canary_age_seconds",
        "gauge",
        "Real time since a canary was last seen.",
        forward.canary_age_s.unwrap_or(f64::NAN),
    );
}
