//! The real-peer tier of the page and REST: schemathesis and a real Chromium against the whole service. Run by
//! `cargo test --test real_peers_page -- --ignored`; a peer that is not installed is said to be missing and fails.

mod browser;
mod support;

use std::process::Command;
use support::{TOKEN, demo_site, level, rig};
use tempfile::tempdir;

/// Neither a server error nor an answer that the document does not have, over generated and hostile input.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis from PyPI"]
async fn schemathesis_finds_no_undocumented_answer() {
    let dir = tempdir().expect("a directory for the record");
    let rig = rig(demo_site(dir.path()), None).await;
    rig.until("normal level", 30, |state| level(state) == "normal").await;
    let document = format!("http://{}/api/v1/openapi.json", rig.service.address());
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,\
                  response_headers_conformance,response_schema_conformance";
    let scratch = dir.path().to_owned();
    let run = tokio::task::spawn_blocking(move || {
        Command::new("schemathesis")
            // It keeps a cache of its runs where it is started.
            .current_dir(scratch)
            .args(["run", &document, "--checks", checks, "--seed", "7", "-n", "50"])
            .args(["--phases", "examples,coverage,fuzzing"])
            // The stream never ends, which schemathesis waits for; `tests/api` reads it.
            .args(["--exclude-path", "/api/v1/stream"])
            .args(["-H", &format!("Authorization: Bearer {TOKEN}")])
            .output()
            .expect("schemathesis is missing: install it from PyPI")
    });
    let run = run.await.expect("schemathesis ran");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    println!("{}", said.lines().rev().take(12).collect::<Vec<_>>().join("\n"));
    rig.stop().await;
}
