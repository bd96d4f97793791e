//! The forecast on the demo hall: 16 racks of 72 GPUs behind 4 CDUs, 30 kW idle and 120 kW rated each.

use super::*;
use crate::site::{PointId, load_embedded};
use crate::snapshot::{Job, JobState, Quality, Reading};
use proptest::prelude::*;
use std::sync::LazyLock;
use std::time::Duration;

static SITE: LazyLock<Site> = LazyLock::new(|| load_embedded("demo").unwrap().unwrap());
static MODEL: LazyLock<JobModel> = LazyLock::new(JobModel::embedded);

fn at(seconds: f64) -> Now {
    let time = Duration::from_secs_f64(seconds);
    let ms = i64::try_from(time.as_millis()).unwrap();
    Now {
        mono_ms: ms.unsigned_abs(),
        wall_ms: 1_750_000_000_000 + ms,
        utc_offset_s: 0,
    }
}

fn wall_ms(seconds: f64) -> i64 {
    at(seconds).wall_ms
}

fn set(snapshot: &mut Snapshot, point: PointId, value: f64) {
    let mono_ms = snapshot.now.mono_ms;
    snapshot.readings[point.0] = Some(Reading {
        value,
        quality: Quality::Good,
        mono_ms,
    });
}

/// All racks at these powers; `None` is a lost reading.
fn powers(now: Now, kw: impl Fn(usize) -> Option<f64>) -> Snapshot {
    let mut snapshot = Snapshot::empty(SITE.points.len(), now);
    for (index, rack) in SITE.racks.iter().enumerate() {
        if let Some(kw) = kw(index) {
            set(&mut snapshot, rack.points.power.unwrap().id(), kw);
        }
    }
    snapshot
}

/// A job on all nodes of some racks.
fn job(id: &str, racks: std::ops::Range<usize>, state: JobState) -> Job {
    let nodes: Vec<String> = SITE.racks[racks.clone()]
        .iter()
        .flat_map(|rack| rack.nodes.clone())
        .collect();
    Job {
        id: id.into(),
        state,
        user: "user1".into(),
        account: "research".into(),
        name: "pretrain".into(),
        partition: "gpu".into(),
        gpus: 72 * u32::try_from(racks.len()).unwrap(),
        node_count: u32::try_from(nodes.len()).unwrap(),
        nodes,
        submit_ms: wall_ms(0.0),
        time_limit_s: 7.0 * 86_400.0,
    }
}

fn queue(now: Now, jobs: Vec<Job>) -> JobQueue {
    JobQueue {
        mono_ms: Some(now.mono_ms),
        jobs,
    }
}

fn ask(snapshot: &Snapshot, queue: &JobQueue, state: &mut State) -> HeatForecast {
    forecast(&SITE, &MODEL, snapshot, queue, state, snapshot.now)
}

fn liquid(rack: usize) -> f64 {
    SITE.racks[rack].nameplate.liquid_fraction
}

#[test]
fn blind_it_is_persistence_and_says_why() {
    let snapshot = powers(at(1000.0), |rack| Some(40.0 + rack as f64));
    let heat = ask(&snapshot, &JobQueue::default(), &mut State::default());
    assert_eq!(heat.source, HeatSource::RackPower);
    assert!(heat.notes[0].contains("no job queue"), "{:?}", heat.notes);
    for (rack, band) in heat.racks.iter().enumerate() {
        assert!((band.now_kw - liquid(rack) * (40.0 + rack as f64)).abs() < 1e-9);
        let rated_kw = liquid(rack) * 120.0;
        assert!(
            band.mean_kw.iter().all(|kw| kw.to_bits() == band.now_kw.to_bits()),
            "{band:?}"
        );
        assert!(
            band.upper_kw.iter().all(|kw| (kw - rated_kw).abs() < 1e-9),
            "the rating while nothing is known"
        );
    }
    for (cdu, band) in SITE.cdus.iter().zip(&heat.cdus) {
        let sum: f64 = cdu.racks.iter().map(|rack| heat.racks[rack.0].now_kw).sum();
        assert!((band.now_kw - sum).abs() < 1e-9);
    }
    let old = JobQueue {
        mono_ms: Some(0),
        jobs: vec![],
    };
    assert!(ask(&snapshot, &old, &mut State::default()).notes[0].contains("1000 s old"));
}

#[test]
fn an_announced_start_is_seen_on_its_racks_before_the_power_moves() {
    let now = at(1000.0);
    let snapshot = powers(now, |_| Some(30.0));
    let start_ms = wall_ms(1020.0);
    let queue = queue(now, vec![job("1", 4..8, JobState::Starting { start_ms })]);
    let heat = ask(&snapshot, &queue, &mut State::default());
    assert_eq!(heat.source, HeatSource::Queue);
    assert!(heat.notes[0].contains("job 1 (288 GPUs"), "{:?}", heat.notes);
    for (index, rack) in SITE.racks.iter().enumerate() {
        let band = &heat.racks[index];
        let (loading_kw, rise_kw) = (band.mean_kw[0] - band.now_kw, band.mean_kw[1] - band.now_kw);
        assert_eq!(rise_kw > 20.0, (4..8).contains(&index), "{}: {rise_kw}", rack.name);
        assert!(
            loading_kw < 0.5 * rise_kw.max(1.0),
            "it loads before it works: {loading_kw}"
        );
    }
}

#[test]
fn a_start_that_does_not_come_is_no_longer_counted_on() {
    let rise_kw = |seconds: f64, state: JobState| {
        let now = at(seconds);
        let queue = queue(now, vec![job("1", 0..1, state)]);
        let heat = ask(&powers(now, |_| Some(30.0)), &queue, &mut State::default());
        heat.racks[0].mean_kw.map(|kw| kw - heat.racks[0].now_kw)
    };
    let pending = JobState::Pending {
        expected_start_ms: Some(wall_ms(1900.0)),
    };
    let before = rise_kw(1000.0, pending);
    assert!(
        before.windows(2).all(|pair| pair[1] > pair[0] - 0.1),
        "the chance grows with the horizon: {before:?}"
    );
    assert!(
        before[0] < 1e-9 && before[2] > 10.0 && before[4] > 1.5 * before[2],
        "{before:?}"
    );
    assert!(rise_kw(2100.0, pending)[0] > 10.0, "late, and any moment now");
    for state in [
        pending,
        JobState::Starting {
            start_ms: wall_ms(1900.0),
        },
        JobState::Pending {
            expected_start_ms: None,
        },
    ] {
        assert!(rise_kw(2300.0, state).iter().all(|kw| kw.abs() < 1e-9), "{state:?}");
    }
}

#[test]
fn a_job_that_draws_less_than_predicted_is_believed_and_its_dip_is_seen_through() {
    let mut state = State::default();
    let running = |now| queue(now, vec![job("1", 0..1, JobState::Running { start_ms: wall_ms(0.0) })]);
    let power = |kw| move |rack: usize| Some(if rack == 0 { kw } else { 30.0 });
    let young = ask(&powers(at(60.0), power(35.0)), &running(at(60.0)), &mut state);
    assert!(
        young.racks[0].mean_kw[1] > young.racks[0].now_kw + 20.0,
        "a young job is still loading"
    );

    // It checkpoints now and then.
    let mut heat = young;
    for step in 0..1000_u32 {
        let seconds = 65.0 + 5.0 * f64::from(step);
        let kw = if [1000, 1700, 2900, 4100]
            .iter()
            .any(|from| (0.0..60.0).contains(&(seconds - f64::from(*from))))
        {
            35.0
        } else {
            60.0
        };
        heat = ask(&powers(at(seconds), power(kw)), &running(at(seconds)), &mut state);
    }
    let band = heat.racks[0];
    assert!((band.mean_kw[2] - band.now_kw).abs() < 2.0, "{band:?}");
    let now = at(5070.0);
    let dip = ask(&powers(now, power(35.0)), &running(now), &mut state).racks[0];
    assert!(
        dip.mean_kw[2] > band.mean_kw[2] - 3.0,
        "after a checkpoint it goes on: {dip:?}"
    );
    assert!(
        dip.upper_kw[0] > band.now_kw - 3.0,
        "and may do so at any time: {dip:?}"
    );
}

#[test]
fn without_rack_power_heat_comes_from_the_coolant_and_the_bound_is_the_rating() {
    let now = at(1000.0);
    let mut snapshot = powers(now, |_| None);
    let cdu = &SITE.cdus[0];
    set(&mut snapshot, cdu.points.secondary_flow.unwrap().id(), 400.0);
    set(
        &mut snapshot,
        cdu.points.secondary_supply_temperature.unwrap().id(),
        30.0,
    );
    set(
        &mut snapshot,
        cdu.points.secondary_return_temperature.unwrap().id(),
        38.0,
    );
    let heat = ask(&snapshot, &queue(now, vec![]), &mut State::default());
    assert_eq!(heat.source, HeatSource::Feedback);
    // 400 L/min of PG25 over 8 K at 34 degC: 0.0667 kW per L/min and K.
    assert!((heat.cdus[0].now_kw - 213.5).abs() < 2.0, "{:?}", heat.cdus[0]);
    let cap_kw: f64 = (0..4).map(|rack| 120.0 * liquid(rack)).sum();
    assert!((heat.cdus[0].upper_kw[0] - cap_kw).abs() < 1e-6);
    assert!(
        (heat.cdus[1].now_kw - cap_kw).abs() < 1e-6,
        "nothing known is the nameplate"
    );
    assert!(
        heat.notes.iter().any(|note| note.contains("from 16 of 16 racks")),
        "{:?}",
        heat.notes
    );
}

#[test]
fn a_stale_reading_counts_with_what_it_may_have_risen() {
    let mut snapshot = powers(at(1000.0), |_| Some(50.0));
    let point = SITE.racks[0].points.power.unwrap().id();
    let slew_kw = SITE.spec(point).slew_per_s;
    snapshot.readings[point.0] = Some(Reading {
        value: 50.0,
        quality: Quality::Stale,
        mono_ms: 998_000,
    });
    let heat = ask(&snapshot, &queue(at(1000.0), vec![]), &mut State::default());
    assert!((heat.racks[0].now_kw - liquid(0) * (50.0 + 2.0 * slew_kw).min(120.0)).abs() < 1e-9);
    assert_eq!(heat.source, HeatSource::Queue, "one lost rack is not blindness");
}

#[test]
fn what_jobs_draw_in_service_teaches_the_next_of_their_kind() {
    let mut state = State::default();
    let predicted = |state: &mut State, seconds| {
        let now = at(seconds);
        let start_ms = now.wall_ms;
        let next = queue(now, vec![job("next", 0..1, JobState::Starting { start_ms })]);
        // What is believed of it is another matter.
        (state.racks, state.cdus) = Default::default();
        let band = ask(&powers(now, |_| Some(30.0)), &next, state).racks[0];
        band.mean_kw[1] - band.now_kw
    };
    let before = predicted(&mut State::default(), 0.0);
    let mut seconds = 0.0;
    for run in 0..6 {
        let start_ms = wall_ms(seconds);
        for _ in 0..200 {
            let now = at(seconds);
            let jobs = vec![job(&format!("run{run}"), 0..1, JobState::Running { start_ms })];
            ask(
                &powers(now, |rack| Some(if rack == 0 { 60.0 } else { 30.0 })),
                &queue(now, jobs),
                &mut state,
            );
            seconds += 5.0;
        }
    }
    let after = predicted(&mut state, seconds);
    let truth = liquid(0) * 30.0;
    assert!(
        (after - truth).abs() < 0.5 * (before - truth).abs(),
        "{before} then {after} for {truth}"
    );
}

#[test]
fn memory_survives_its_bytes_and_a_clock_that_starts_anew() {
    let mut state = State::default();
    for step in 0..100 {
        let now = at(5.0 * f64::from(step));
        let jobs = vec![job("1", 0..3, JobState::Running { start_ms: wall_ms(0.0) })];
        ask(&powers(now, |_| Some(70.0)), &queue(now, jobs), &mut state);
    }
    let bytes = postcard::to_stdvec(&state).unwrap();
    let mut again: State = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(again, state);
    let snapshot = powers(at(1.0), |_| Some(70.0));
    let heat = ask(&snapshot, &JobQueue::default(), &mut again);
    assert!(
        heat.cdus
            .iter()
            .all(|band| band.upper_kw.iter().all(|kw| kw.is_finite()))
    );
}

#[test]
fn memory_is_bounded_whatever_the_queue_holds() {
    let mut state = State::default();
    for round in 0..3_u32 {
        let now = at(f64::from(round));
        let many = (0..17_000_u32).map(|index| Job {
            id: format!("{round}-{index}"),
            nodes: vec!["nowhere".into()],
            ..job("", 0..0, JobState::Running { start_ms: 0 })
        });
        let heat = ask(&powers(now, |_| Some(70.0)), &queue(now, many.collect()), &mut state);
        assert!(
            heat.notes.iter().any(|note| note.contains("are followed")),
            "{:?}",
            heat.notes
        );
        assert!(
            heat.notes.iter().any(|note| note.contains("no rack of the site")),
            "{:?}",
            heat.notes
        );
    }
    assert!(state.jobs.len() <= MOST_JOBS);
}

fn any_state() -> impl Strategy<Value = JobState> {
    prop_oneof![
        proptest::option::of(-4000_i64..8000).prop_map(|s| JobState::Pending {
            expected_start_ms: s.map(|s| wall_ms(0.0) + s * 1000)
        }),
        (-1000_i64..1000).prop_map(|s| JobState::Starting {
            start_ms: wall_ms(0.0) + s * 1000
        }),
        (-90_000_i64..100).prop_map(|s| JobState::Running {
            start_ms: wall_ms(0.0) + s * 1000
        }),
    ]
}

fn any_job() -> impl Strategy<Value = Job> {
    (
        0_usize..16,
        0_usize..5,
        any_state(),
        0_u32..2000,
        prop_oneof![Just(0.0), 60.0..1e6_f64],
    )
        .prop_map(|(first, count, state, gpus, time_limit_s)| {
            let last = (first + count).min(16);
            Job {
                gpus,
                time_limit_s,
                ..job(&format!("{first}-{count}-{gpus}"), first..last, state)
            }
        })
}

type Course = Vec<(Vec<Option<f64>>, bool)>;

fn any_course() -> impl Strategy<Value = Course> {
    let powers = proptest::collection::vec(proptest::option::weighted(0.9, 0.0..200.0), 16);
    proptest::collection::vec((powers, proptest::bool::weighted(0.8)), 1..40)
}

fn run(course: &Course, jobs: &[Job], state: &mut State) -> Vec<HeatForecast> {
    let steps = course.iter().enumerate().map(|(step, (kw, with_queue))| {
        let now = at(10.0 * step as f64);
        let queue = if *with_queue {
            queue(now, jobs.to_vec())
        } else {
            JobQueue::default()
        };
        ask(&powers(now, |rack| kw[rack]), &queue, state)
    });
    steps.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bounds_are_ordered_capped_and_deterministic(
        course in any_course(), jobs in proptest::collection::vec(any_job(), 0..12),
    ) {
        let (mut state, mut twin) = (State::default(), State::default());
        let heats = run(&course, &jobs, &mut state);
        prop_assert_eq!(&heats, &run(&course, &jobs, &mut twin));
        prop_assert_eq!(&state, &twin);
        for (heat, (kw, _)) in heats.iter().zip(&course) {
            for (rack, band) in heat.racks.iter().enumerate() {
                let cap_kw = liquid(rack) * kw[rack].unwrap_or(0.0).max(120.0);
                for (mean_kw, upper_kw) in band.mean_kw.iter().zip(&band.upper_kw) {
                    prop_assert!(0.0 <= *mean_kw && mean_kw <= upper_kw && *upper_kw <= cap_kw + 1e-9, "{:?}", band);
                    prop_assert!(*upper_kw >= band.now_kw - 1e-9, "{:?}", band);
                }
            }
            for band in &heat.cdus {
                for (mean_kw, upper_kw) in band.mean_kw.iter().zip(&band.upper_kw) {
                    prop_assert!(0.0 <= *mean_kw && *mean_kw <= upper_kw + 1e-9, "{:?}", band);
                    prop_assert!(*upper_kw >= band.now_kw - 1e-9, "{:?}", band);
                }
            }
        }
    }

    #[test]
    fn losing_a_reading_or_the_queue_never_asks_for_less_than_the_present(
        course in any_course(), jobs in proptest::collection::vec(any_job(), 0..12), lost in 0_usize..16,
    ) {
        let mut state = State::default();
        run(&course, &jobs, &mut state);
        let now = at(10.0 * course.len() as f64);
        let full = powers(now, |_| Some(80.0));
        let fewer = powers(now, |rack| (rack != lost).then_some(80.0));
        let with_queue = queue(now, jobs);
        let whole = ask(&full, &with_queue, &mut state.clone());
        let blind = ask(&full, &JobQueue::default(), &mut state.clone());
        let without = ask(&fewer, &with_queue, &mut state.clone());
        for rack in 0..16 {
            for h in 0..HORIZONS {
                prop_assert!(blind.racks[rack].upper_kw[h] >= whole.racks[rack].now_kw - 1e-9);
            }
        }
        for h in 0..HORIZONS {
            prop_assert!(without.racks[lost].upper_kw[h] >= whole.racks[lost].upper_kw[h] - 1e-9);
        }
    }
}
