//! Site files, right and wrong: `tests/sites/<case>/site.toml` beside what loading it must answer.
//!
//! `expected.err` holds every mistake as `isotherm check` prints it; `expected.points` every point of a site without
//! mistakes. `UPDATE_EXPECT=1 cargo test --test sites` writes them anew: read the difference before keeping it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use isotherm::site::{self, Mistake, PointSpec, Site};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[test]
fn every_case_loads_as_expected() {
    let cases = cases();
    assert!(cases.len() >= 12, "the cases are not found: {cases:?}");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = String::new();
    for case in cases {
        let (answer, other, text) = match site::load(&case.join("site.toml")) {
            Ok(site) => ("expected.points", "expected.err", points(&site)),
            Err(mistakes) => ("expected.err", "expected.points", lines(&mistakes)),
        };
        if update {
            std::fs::write(case.join(answer), &text).unwrap();
            if case.join(other).exists() {
                std::fs::remove_file(case.join(other)).unwrap();
            }
        }
        let expected = std::fs::read_to_string(case.join(answer)).unwrap_or_default();
        if expected != text || case.join(other).exists() {
            write!(
                wrong,
                "\n== {} ({answer})\n-- expected\n{expected}-- got\n{text}",
                case.display()
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Every example site loads, with nothing to look at but the operator's token, which no example carries.
#[test]
fn the_example_sites_deserve_no_second_look() {
    for name in ["demo", "frontier", "chilled_water"] {
        let site = site::load_embedded(name).unwrap().unwrap();
        let found = site::warnings(&site);
        assert!(
            found.iter().all(|line| line.contains("operator_token")),
            "{name}: {found:?}"
        );
    }
}

/// Both example sites can keep their limits at their design weather; a room whose coil is too small is named.
#[test]
fn a_plant_that_cannot_keep_its_own_limits_is_remarked_on() {
    for name in ["demo", "frontier"] {
        let mut site = site::load_embedded(name).unwrap().unwrap();
        let remarks = |site: &Site| {
            let all = site::warnings(site).into_iter();
            all.filter(|line| line.contains("design weather")).collect::<Vec<_>>()
        };
        assert_eq!(remarks(&site), Vec::<String>::new(), "{name}");
        site.air_units[0].nameplate.approach_k = 20.0;
        let found = remarks(&site);
        assert!(found.len() == 1 && found[0].starts_with("air1: "), "{name}: {found:?}");
    }
}

fn cases() -> Vec<PathBuf> {
    // The tests run in the package's folder, so the paths in the mistakes are the same everywhere.
    let folder = std::fs::read_dir(Path::new("tests/sites")).unwrap();
    let mut cases: Vec<_> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

fn lines(mistakes: &[Mistake]) -> String {
    let lines: Vec<_> = mistakes.iter().map(|mistake| format!("{mistake}\n")).collect();
    lines.concat()
}

fn points(site: &Site) -> String {
    site.points.iter().map(|point| point_line(site, point)).collect()
}

fn point_line(site: &Site, point: &PointSpec) -> String {
    let mut line = format!("{} [{}]", point.tag, point.unit.symbol());
    write!(line, " zone {}", site.zones[point.zone.0].name).unwrap();
    if point.required {
        line.push_str(", required");
    }
    write!(line, ", timeout {} s, slew {}/s", point.timeout_s, point.slew_per_s).unwrap();
    write!(line, ", plausible {} to {}", point.plausible.0, point.plausible.1).unwrap();
    if let Some(write) = &point.write {
        write!(
            line,
            ", written {} to {}, released to {}, +{} -{} a minute, bounded {}, more cooling {:?}",
            write.min,
            write.max,
            write.release,
            write.rise_per_min,
            write.fall_per_min,
            write.bounded_band,
            write.more_cooling
        )
        .unwrap();
    }
    line.push('\n');
    line
}
