//! What a cycle's forecast and one prediction cost: on a hall of 25 CDUs and 74 racks with 200 jobs, and on one of 50 CDUs and
//! 1,000 racks with 10,000 jobs that run or wait.

use criterion::{Criterion, criterion_group, criterion_main};
use isotherm::forecast::{self, JobModel};
use isotherm::site::{Site, load_embedded};
use isotherm::snapshot::{Job, JobQueue, JobState, Now, Quality, Reading, Snapshot};

const JOBS: usize = 200;

fn at(second: u32) -> Now {
    Now {
        mono_ms: u64::from(second) * 1000,
        wall_ms: 1_750_000_000_000 + i64::from(second) * 1000,
        utc_offset_s: 0,
    }
}

fn jobs(site: &Site) -> Vec<Job> {
    let nodes: Vec<&String> = site.racks.iter().flat_map(|rack| &rack.nodes).collect();
    let each = nodes.len() / JOBS;
    let job = |(index, nodes): (usize, &[&String])| Job {
        id: index.to_string(),
        state: JobState::Running {
            start_ms: 1_749_990_000_000,
        },
        user: format!("user{}", index % 20),
        account: "research".into(),
        name: format!("train-{index}"),
        partition: "gpu".into(),
        gpus: 4 * u32::try_from(nodes.len()).unwrap_or(0),
        node_count: u32::try_from(nodes.len()).unwrap_or(0),
        nodes: nodes.iter().map(|name| (*name).clone()).collect(),
        submit_ms: 1_749_980_000_000,
        time_limit_s: 86_400.0,
    };
    nodes.chunks(each).take(JOBS).enumerate().map(job).collect()
}

fn snapshot(site: &Site, now: Now) -> Snapshot {
    let mut snapshot = Snapshot::empty(site.points.len(), now);
    for point in site.racks.iter().filter_map(|rack| rack.points.power) {
        if let Some(reading) = snapshot.readings.get_mut(point.id().0) {
            *reading = Some(Reading {
                value: 250.0,
                quality: Quality::Good,
                mono_ms: now.mono_ms,
            });
        }
    }
    snapshot
}

/// 50 CDUs of 20 racks of 18 nodes of 4 GPUs.
#[cfg(feature = "sim")]
fn large_hall(criterion: &mut Criterion) {
    use isotherm::trial::backtest::{HallSpec, lay_out};
    let spec = HallSpec {
        name: "large".into(),
        racks_a_cdu: vec![20; 50],
        nodes: 18,
        gpus_a_node: 4,
        idle_kw: 30.0,
        rated_kw: 120.0,
    };
    let Ok(site) = lay_out(&spec) else {
        eprintln!("the large hall has mistakes");
        return;
    };
    let model = JobModel::embedded();
    let nodes: Vec<&String> = site.racks.iter().flat_map(|rack| &rack.nodes).collect();
    // 8,000 jobs on 2 nodes each and 2,000 that wait.
    let job = |index: u32| {
        let first = 2 * index as usize;
        let held = if index < 8000 {
            nodes.get(first..first + 2).unwrap_or_default()
        } else {
            &[]
        };
        Job {
            id: index.to_string(),
            state: if held.is_empty() {
                JobState::Pending {
                    expected_start_ms: Some(1_750_000_000_000 + i64::from(index) * 1000),
                }
            } else {
                JobState::Running {
                    start_ms: 1_749_990_000_000 - i64::from(index) * 1000,
                }
            },
            user: format!("user{}", index % 300),
            account: format!("project{}", index % 40),
            name: format!("train-{}", index % 50),
            partition: "gpu".into(),
            gpus: 8,
            node_count: 2,
            nodes: held.iter().map(|name| (*name).clone()).collect(),
            submit_ms: 1_749_980_000_000,
            time_limit_s: 86_400.0,
        }
    };
    let mut queue = JobQueue {
        mono_ms: Some(0),
        jobs: (0..10_000).map(job).collect(),
    };
    let mut state = forecast::State::default();
    let mut readings = snapshot(&site, at(0));
    let mut second = 0;
    let mut cycle = || {
        second += 5;
        let now = at(second);
        queue.mono_ms = Some(now.mono_ms);
        readings.now = now;
        for reading in readings.readings.iter_mut().flatten() {
            reading.mono_ms = now.mono_ms;
            // Some racks dip and rise, so that dips are looked for.
            reading.value = 95.0 + f64::from((second / 5 + 7) % 11);
        }
        forecast::forecast(&site, &model, &readings, &queue, &mut state, now)
    };
    for _ in 0..120 {
        cycle();
    }
    criterion.bench_function("forecast_cycle_10000_jobs_1000_racks", |bencher| {
        bencher.iter(&mut cycle);
    });
}

#[cfg(not(feature = "sim"))]
fn large_hall(_: &mut Criterion) {}

fn benches(criterion: &mut Criterion) {
    let Some(Ok(site)) = load_embedded("frontier") else {
        eprintln!("the carried site `frontier` cannot be read");
        return;
    };
    let model = JobModel::embedded();
    let mut state = forecast::State::default();
    let mut queue = JobQueue {
        mono_ms: Some(0),
        jobs: jobs(&site),
    };
    let mut second = 0;
    // Two hours of service fill the memory.
    let mut cycle = || {
        second += 15;
        let now = at(second);
        queue.mono_ms = Some(now.mono_ms);
        forecast::forecast(&site, &model, &snapshot(&site, now), &queue, &mut state, now)
    };
    for _ in 0..480 {
        cycle();
    }
    criterion.bench_function("forecast_cycle", |bencher| bencher.iter(&mut cycle));
    let first_cycle = || {
        let queue = JobQueue {
            mono_ms: Some(1000),
            jobs: jobs(&site),
        };
        forecast::forecast(
            &site,
            &model,
            &snapshot(&site, at(1)),
            &queue,
            &mut forecast::State::default(),
            at(1),
        )
    };
    criterion.bench_function("forecast_first_cycle", |bencher| bencher.iter(first_cycle));
    if let Some(job) = jobs(&site).first() {
        criterion.bench_function("predict_job", |bencher| {
            bencher.iter(|| model.predict(std::hint::black_box(job)));
        });
    }
}

criterion_group!(forecast_benches, benches, large_hall);
criterion_main!(forecast_benches);
