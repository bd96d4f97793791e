use super::*;
use crate::snapshot::Author;

fn now(s: u64) -> Now {
    Now {
        mono_ms: s * 1000,
        wall_ms: 1_800_000_000_000 + i64::try_from(s).unwrap() * 1000,
        utc_offset_s: 0,
    }
}

fn event(severity: Severity, code: &str, subject: &str) -> Event {
    Event {
        severity,
        code: code.into(),
        subject: subject.into(),
        text: format!("{subject} shows {code}"),
    }
}

fn ask(kind: RequestKind) -> Request {
    Request {
        author: Author::Operator("shift".into()),
        kind,
        why: String::new(),
    }
}

fn codes(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.code.as_str()).collect()
}

#[test]
fn an_alarm_stays_until_it_is_over_and_seen() {
    let mut state = State::default();
    attend(&[event(Severity::Alarm, "leak", "cdu1.leak")], &[], &mut state, now(0));
    attend(
        &[event(Severity::Info, "leak_over", "cdu1.leak")],
        &[],
        &mut state,
        now(60),
    );
    assert_eq!(state.alarms().len(), 1, "nobody has seen it");
    assert_eq!(state.alarms()[0].over_ms, Some(now(60).wall_ms));
    let told = attend(&[], &[ask(RequestKind::Acknowledge { alarm: 1 })], &mut state, now(70));
    assert_eq!(codes(&told), ["alarm_acknowledged"]);
    assert!(told[0].text.contains("shift"), "the author is told");
    assert!(state.alarms().is_empty());
}

#[test]
fn an_acknowledged_alarm_that_comes_back_asks_again() {
    let mut state = State::default();
    let leak = [event(Severity::Alarm, "leak", "cdu1.leak")];
    attend(&leak, &[ask(RequestKind::Acknowledge { alarm: 1 })], &mut state, now(0));
    assert!(state.alarms()[0].acknowledged.is_some());
    attend(
        &[event(Severity::Info, "leak_over", "cdu1.leak")],
        &[],
        &mut state,
        now(5),
    );
    assert!(state.alarms().is_empty());
    attend(&leak, &[], &mut state, now(10));
    assert_eq!(
        (state.alarms()[0].id, state.alarms()[0].acknowledged.is_some()),
        (2, false)
    );
}

#[test]
fn the_first_of_a_group_is_known() {
    let mut state = State::default();
    attend(
        &[event(Severity::Alarm, "missing_reading", "cdu1.flow")],
        &[],
        &mut state,
        now(0),
    );
    attend(
        &[event(Severity::Alarm, "limit_critical", "cdu1.supply")],
        &[],
        &mut state,
        now(90),
    );
    attend(
        &[event(Severity::Alarm, "heartbeat_lost", "cdu1")],
        &[],
        &mut state,
        now(180),
    );
    attend(
        &[event(Severity::Alarm, "leak", "cdu2.leak")],
        &[],
        &mut state,
        now(1000),
    );
    let first: Vec<u64> = state.alarms().iter().map(|alarm| alarm.first_up).collect();
    assert_eq!(first, [1, 1, 1, 4]);
}

#[test]
fn a_shelf_has_an_end_and_a_limit() {
    let mut state = State::default();
    attend(
        &[event(Severity::Warning, "energy_imbalance", "cdu1")],
        &[],
        &mut state,
        now(0),
    );
    let shelve = |for_s: f64| [ask(RequestKind::Shelve { alarm: 1, for_s })];
    for wrong in [0.0, -1.0, f64::NAN, SHELVE_MAX_S + 1.0] {
        assert_eq!(
            codes(&attend(&[], &shelve(wrong), &mut state, now(1))),
            ["request_refused"],
            "{wrong}"
        );
    }
    attend(&[], &shelve(600.0), &mut state, now(10));
    assert_eq!(state.alarms()[0].shelved.as_ref().unwrap().wall_ms, now(610).wall_ms);
    assert!(attend(&[], &[], &mut state, now(609)).is_empty());
    assert_eq!(codes(&attend(&[], &[], &mut state, now(610))), ["alarm_unshelved"]);
    assert_eq!(state.alarms()[0].shelved, None);
    let unknown = [ask(RequestKind::Acknowledge { alarm: 9 })];
    assert_eq!(codes(&attend(&[], &unknown, &mut state, now(611))), ["request_refused"]);
}

#[test]
fn what_people_do_is_no_alarm_and_the_list_is_bounded() {
    let mut state = State::default();
    attend(
        &[event(Severity::Warning, "override_set", "cdu1.x")],
        &[],
        &mut state,
        now(0),
    );
    assert!(state.alarms().is_empty());
    for each in 0..2 * MOST {
        attend(
            &[event(Severity::Alarm, "missing_reading", &format!("p{each}"))],
            &[],
            &mut state,
            now(each as u64),
        );
    }
    assert_eq!(state.alarms().len(), MOST);
    assert_eq!(state.alarms().last().unwrap().id, 2 * MOST as u64);
}

#[test]
fn the_memory_survives_a_restart() {
    let mut state = State::default();
    attend(
        &[event(Severity::Alarm, "leak", "cdu1.leak")],
        &[ask(RequestKind::Shelve { alarm: 1, for_s: 60.0 })],
        &mut state,
        now(0),
    );
    let bytes = postcard::to_stdvec(&state).unwrap();
    assert_eq!(postcard::from_bytes::<State>(&bytes).unwrap(), state);
}
