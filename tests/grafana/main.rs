//! Grafana's files are made from one description, `grafana/dashboards.toml`, and are up to date.
//!
//! `ISOTHERM_WRITE=1 cargo test --test grafana` writes them. The real-peer tier (`tests/real_peers_grafana.rs`) validates
//! them against Grafana's published schema and runs every query against a server.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod files;
mod model;
mod query;

use std::fs;
use std::path::Path;

#[test]
fn the_files_are_made_from_the_description() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana");
    let write = std::env::var_os("ISOTHERM_WRITE").is_some();
    let mut stale = Vec::new();
    for (name, text) in files::all() {
        let path = root.join(&name);
        if write {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        } else if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "not what the description says: {stale:?}; write them by ISOTHERM_WRITE=1 cargo test --test grafana"
    );
}

#[test]
fn every_field_is_a_family_of_the_metrics() {
    let sources = ["mod.rs", "books.rs", "plant.rs", "shares.rs"].map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/metrics").join(file);
        fs::read_to_string(path).unwrap()
    });
    let known = |field: &str| {
        sources
            .iter()
            .any(|text| text.contains(&format!("\"isotherm_{field}\"")))
    };
    let description = model::read();
    let panels = description.dashboard.iter().flat_map(|dashboard| &dashboard.panels);
    let queries = panels.flat_map(|panel| &panel.queries);
    for query in queries.chain(description.alert.iter().map(|alert| &alert.query)) {
        assert!(known(&query.field), "/metrics has no family isotherm_{}", query.field);
    }
}
