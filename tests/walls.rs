//! The walls between the rooms, as ARCHITECTURE.md draws them: which room may use which.
//!
//! The crates `thermo`, `wire` and `simulators` are walled by the compiler; the rooms of the root
//! package by this scan of `crate::<room>` uses.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms it may use. What is not listed is forbidden.
const WALLS: &[(&str, &[&str])] = &[
    ("site", &[]),
    ("snapshot", &["site"]),
    ("forecast", &["site", "snapshot"]),
    ("control", &["site", "snapshot"]),
    ("alarms", &["snapshot"]),
    ("advice", &["site", "snapshot", "control"]),
    ("safety", &["site", "snapshot"]),
    ("ledger", &["site", "snapshot"]),
    (
        "cycle",
        &[
            "site", "snapshot", "forecast", "control", "safety", "shadow", "ledger", "alarms", "advice",
        ],
    ),
    ("shadow", &["site", "snapshot", "control"]),
    ("report", &["site", "snapshot", "ledger"]),
    ("jobs", &["site", "snapshot", "forecast", "ledger"]),
    ("connect", &["site"]),
    ("commission", &["site", "snapshot"]),
    ("field", &["site", "snapshot", "safety", "connect", "pair"]),
    ("workload", &["site", "snapshot", "forecast", "connect"]),
    ("store", &["site", "snapshot", "connect"]),
    ("pair", &["site", "connect"]),
    (
        "api",
        &[
            "site", "snapshot", "cycle", "ledger", "safety", "forecast", "jobs", "alarms", "advice",
        ],
    ),
    (
        "service",
        &[
            "site", "snapshot", "forecast", "safety", "cycle", "field", "workload", "store", "api", "ledger", "jobs",
            "alarms", "advice", "pair",
        ],
    ),
    (
        "trial",
        &[
            "site", "snapshot", "forecast", "safety", "cycle", "ledger", "workload", "advice",
        ],
    ),
];

/// Rooms that must be pure: same inputs, same bits.
const PURE: &[&str] = &[
    "snapshot", "forecast", "control", "safety", "ledger", "cycle", "report", "jobs", "alarms", "advice",
];

/// What a pure room must not name, with what to use instead.
const IMPURE: &[(&str, &str)] = &[
    ("tokio::", "move the I/O to an edge"),
    ("std::fs", "take bytes as a parameter"),
    ("std::net", "move the I/O to an edge"),
    ("std::env", "read configuration in `site`"),
    ("Instant::now", "take `Now` as a parameter"),
    ("SystemTime", "take `Now` as a parameter"),
    (
        "HashMap",
        "use BTreeMap or a Vec by index: iteration order must not vary",
    ),
    ("HashSet", "use BTreeSet: iteration order must not vary"),
    ("thread_rng", "seed the generator and print the seed"),
    (".exp()", "use libm::exp: std's precision varies by platform"),
    (".ln()", "use libm::log: std's precision varies by platform"),
    (".powf(", "use libm::pow: std's precision varies by platform"),
    (".tanh()", "use libm::tanh: std's precision varies by platform"),
];

/// Longest file of service code, in lines without tests.
const LINES_MAX: usize = 600;

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The code of a file without its test modules and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let body = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    body.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn room(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name)
}

fn rooms_used(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default(),
            None => rest,
        };
        for part in names.split(',') {
            let name: String = part
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            used.push(name);
            if !rest.starts_with('{') {
                break;
            }
        }
    }
    used
}

#[test]
fn rooms_use_only_what_their_walls_allow() {
    let mut breaches = Vec::new();
    for (name, allowed) in WALLS {
        for path in sources(&room(name)) {
            for used in rooms_used(&code(&path)) {
                let is_room = WALLS.iter().any(|(other, _)| *other == used) || used == "cli";
                if is_room && used != *name && !allowed.contains(&used.as_str()) {
                    breaches.push(format!("{}: room `{name}` may not use `{used}`", path.display()));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn pure_rooms_name_no_clock_no_io_and_no_platform_dependent_function() {
    let mut breaches = Vec::new();
    for name in PURE {
        for path in sources(&room(name)) {
            let code = code(&path);
            for (word, instead) in IMPURE {
                if code.contains(word) {
                    breaches.push(format!("{}: `{word}`: {instead}", path.display()));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn safety_uses_no_crate_beyond_thermo_and_serde() {
    let mut breaches = Vec::new();
    for path in sources(&room("safety")) {
        for line in code(&path).lines() {
            let Some(import) = line.trim_start().strip_prefix("use ") else {
                continue;
            };
            let root = import.split([':', ';', ' ']).next().unwrap_or_default();
            if !["thermo", "serde", "std", "core", "crate", "super", "self"].contains(&root)
                && !root.starts_with(char::is_uppercase)
            {
                let local = room("safety").join(format!("{root}.rs")).exists();
                if !local {
                    breaches.push(format!("{}: {line}", path.display()));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn the_simulators_never_see_the_controller() {
    let manifest = fs::read_to_string(room("../simulators/Cargo.toml")).unwrap();
    assert!(
        !manifest.contains("isotherm"),
        "simulators must depend on thermo and wire only"
    );
}

#[test]
fn every_file_is_part_of_the_crate() {
    let mut orphans = Vec::new();
    for path in sources(&room("")) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if ["lib", "main", "mod"].contains(&stem) {
            continue;
        }
        let dir = path.parent().unwrap();
        let beside = dir.with_extension("rs");
        let parents = [dir.join("mod.rs"), dir.join("lib.rs"), beside];
        let declares = |text: String| {
            text.lines()
                .any(|line| line.trim_end().ends_with(&format!("mod {stem};")))
        };
        let named = parents
            .iter()
            .filter_map(|parent| fs::read_to_string(parent).ok())
            .any(declares);
        if !named {
            orphans.push(format!("{}: no parent declares `mod {stem};`", path.display()));
        }
    }
    assert!(orphans.is_empty(), "{}", orphans.join("\n"));
}

#[test]
fn files_have_one_subject_and_stay_short() {
    let mut long = Vec::new();
    for path in sources(&room("")) {
        let lines = code(&path).lines().count();
        if lines > LINES_MAX {
            long.push(format!("{}: {lines} lines, at most {LINES_MAX}", path.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
