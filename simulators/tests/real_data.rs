//! Public traces and weather through the readers, where they are at hand: `ISOTHERM_DATA`, or `shared/data` beside the
//! checkout.

use simulators::heat_trace::HeatTrace;
use simulators::jobs::{alibaba_pods, surf_lisa};
use simulators::weather::Weather;
use std::path::PathBuf;
use std::process::Command;

/// The text of a gzip file of the data folder, or `None` with a note where it is absent.
fn data(path: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let folder = std::env::var_os("ISOTHERM_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let file = folder.join(path);
    if !file.exists() {
        println!("skipped: {} is absent", file.display());
        return None;
    }
    let unpacked = Command::new("gzip").arg("-dc").arg(&file).output();
    match unpacked {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).ok(),
        other => {
            println!("skipped: gzip cannot read {}: {other:?}", file.display());
            None
        }
    }
}

#[test]
fn measured_heat_of_the_cdus() {
    let Some(text) = data("frontier_cdu_heat/cdu_heat_15s.csv.gz") else {
        return;
    };
    let trace = HeatTrace::parse(&text).unwrap();
    assert_eq!(trace.cdus(), 25);
    assert!((trace.span_s() - 43_200.0).abs() < 30.0, "{}", trace.span_s());
}

#[test]
fn pods_of_a_production_cluster() {
    let Some(text) = data("alibaba_gpu_2023/pods.csv.gz") else {
        return;
    };
    let jobs = alibaba_pods(&text, 1152, 4, 7.0).unwrap();
    assert!(jobs.len() > 500, "{}", jobs.len());
    assert!(
        jobs.iter()
            .all(|job| (1..=1152).contains(&job.gpus) && (0.0..7.0 * 86_400.0).contains(&job.submit_s))
    );
}

#[test]
fn jobs_of_a_research_cluster() {
    let Some(text) = data("surf_lisa/jobs.csv.gz") else {
        return;
    };
    let jobs = surf_lisa(&text, 1152, 4, 4.0).unwrap();
    assert!(jobs.len() > 2000, "{}", jobs.len());
}

/// The files carry a wet bulb by the psychrometer equation, which reads up to some 0.3 K above the thermodynamic wet bulb in
/// dry air; their relative humidity is rounded to 1 % and in a few hours at odds with their dew point, and below freezing
/// they count over water.
#[test]
fn typical_years_with_their_wet_bulb() {
    for site in ["USA_IL_Chicago_OHare", "USA_AZ_Tucson_Davis_Monthan"] {
        let Some(text) = data(&format!("weather/{site}.csv.gz")) else {
            continue;
        };
        let weather = Weather::parse(&text).unwrap();
        let (mut sum, mut count, mut far) = (0.0, 0.0, 0.0);
        for (hour, line) in text.lines().skip(1).enumerate() {
            let wet_bulb: f64 = line.rsplit(',').next().unwrap().parse().unwrap();
            if wet_bulb > 2.0 {
                let error = weather.at((hour as f64 + 1.0) * 3600.0).wet_bulb_c - wet_bulb;
                sum += error;
                far += f64::from(u8::from(!(-0.5..0.1).contains(&error)));
                count += 1.0;
            }
        }
        let (bias, far): (f64, f64) = (sum / count, far / count);
        assert!(
            (-0.3..0.0).contains(&bias) && far < 0.03,
            "{site}: {bias} K, {far} far off"
        );
    }
}
