//! What comes from files, schedulers and browsers, damaged at random: an answer or a sentence, never a panic. The fuzz
//! targets of `fuzz/` go on from here for hours.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use isotherm::forecast::JobModel;
use isotherm::service::Entry;
use isotherm::site::{Site, load::parse, load_embedded};
use isotherm::store::{self, Store};
use isotherm::{api, workload};
use proptest::prelude::*;
use std::sync::LazyLock;

static SITE: LazyLock<Site> = LazyLock::new(|| load_embedded("demo").unwrap().unwrap());
const DEMO: &str = include_str!("../config/demo.toml");
const QUEUE: &str = r#"{"jobs": [{"job_id": 4711, "name": "train", "user_name": "u1", "account": "a", "partition": "gpu",
    "job_state": ["RUNNING"], "nodes": "r01n[01-18]", "node_count": {"set": true, "number": 18}, "tres_req_str": "gres/gpu=72",
    "submit_time": {"set": true, "number": 1750000000}, "start_time": {"set": true, "number": 1750000100},
    "time_limit": {"set": true, "number": 600}}]}"#;
const ACCOUNTS: &str = "JobID|User|Account|JobName|Partition|AllocTRES|NNodes|Timelimit|Submit|Start|End|ConsumedEnergyRaw\n\
    4711|u1|a|train|gpu|gres/gpu=72|18|10:00:00|2026-01-01T00:00:00|2026-01-01T00:01:00|2026-01-01T05:00:00|900000000\n";
const BODY: &str = r#"{"kind": "override", "tag": "cdu1.secondary_supply_temperature_setpoint", "value": 30, "for_s": 1800, "why": "test"}"#;

/// One damage: at a place (as a share of the length) some bytes go and others come.
type Damage = (f64, usize, Vec<u8>);

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    prop::collection::vec((0.0..1.0f64, 0..8usize, prop::collection::vec(any::<u8>(), 0..6)), 1..6)
}

fn damaged(text: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for (share, gone, come) in damages {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in the text"
        )]
        let at = (bytes.len() as f64 * share) as usize;
        let end = (at + gone).min(bytes.len());
        bytes.splice(at..end, come.iter().copied());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_site_file_is_a_site_or_every_mistake(damages in damages()) {
        match parse("site.toml", &String::from_utf8_lossy(&damaged(DEMO.as_bytes(), &damages))) {
            Ok(site) => prop_assert!(site.points.iter().filter_map(|spec| spec.write).all(|write| write.min < write.max)),
            Err(mistakes) => prop_assert!(mistakes.iter().all(|mistake| !mistake.message.is_empty())),
        }
    }

    #[test]
    fn a_body_is_a_request_or_a_sentence(damages in damages()) {
        if let Err(why) = api::read_request(&SITE, &damaged(BODY.as_bytes(), &damages)) {
            prop_assert!(!why.is_empty());
        }
    }

    #[test]
    fn scheduler_documents_are_jobs_or_an_error(damages in damages()) {
        if let Ok(jobs) = workload::slurm::parse(&damaged(QUEUE.as_bytes(), &damages)) {
            prop_assert!(jobs.iter().all(|job| job.time_limit_s.is_finite() && job.time_limit_s >= 0.0));
        }
        let text = damaged(ACCOUNTS.as_bytes(), &damages);
        if let Ok(jobs) = workload::finished::parse(&String::from_utf8_lossy(&text), &jiff::tz::TimeZone::UTC) {
            prop_assert!(jobs.iter().all(|job| job.gpus >= 1));
        }
    }

    #[test]
    fn a_model_and_a_log_are_whole_or_refused(damages in damages()) {
        let model = JobModel::nameplate().to_bytes().unwrap();
        let bytes = damaged(&model, &damages);
        prop_assert!(bytes == model || JobModel::from_bytes(&bytes).is_err());
        drop(postcard::from_bytes::<Entry>(&bytes));
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("records")).unwrap();
        std::fs::write(dir.path().join("records/00000001.log"), &bytes).unwrap();
        drop(store::verify(dir.path()));
        if let Ok(records) = Store::records::<Entry>(dir.path()) {
            prop_assert!(records.take(10).count() <= 10);
        }
    }
}
