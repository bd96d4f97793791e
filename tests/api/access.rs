//! People, roles, sessions, limits.

use crate::hall::{Hall, Reply, call, serve};
use crate::record::record;
use isotherm::api::to_hex;
use isotherm::site::load_embedded;
use sha2::{Digest, Sha256};

const VIEWER: &str = "a token of somebody who looks";
const OPERATOR: &str = "a token of the night shift";
const ENGINEER: &str = "a token of an engineer";
const STOP: &str = r#"{"kind": "stop", "why": "smoke in the hall"}"#;

/// A hall with three people, who are known by their tokens' hashes.
async fn hall() -> (tempfile::TempDir, Hall) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users.toml");
    let entry = |name: &str, role: &str, token: &str| {
        let hash = to_hex(&Sha256::digest(token));
        format!("[[user]]\nname = \"{name}\"\nrole = \"{role}\"\ntoken_sha256 = \"{hash}\"\n")
    };
    let users =
        entry("screen", "viewer", VIEWER) + &entry("night", "operator", OPERATOR) + &entry("day", "engineer", ENGINEER);
    std::fs::write(&file, users).unwrap();
    let mut site = load_embedded("demo").unwrap().unwrap();
    site.api.users = file.to_string_lossy().into_owned();
    let mut hall = serve(site).await;
    hall.show(&record(&hall.site, 1, vec![]));
    (dir, hall)
}

async fn ask(hall: &Hall, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    call(hall.address, &text(method, path, headers, body)).await
}

fn text(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers = headers
        .iter()
        .fold(String::new(), |text, (name, value)| text + name + ": " + value + "\r\n");
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn post(hall: &Hall, token: &str, body: &str) -> Reply {
    ask(
        hall,
        "POST",
        "/api/v1/requests",
        &[("authorization", &format!("Bearer {token}"))],
        body,
    )
    .await
}

#[tokio::test]
async fn each_role_may_do_what_it_is_for_and_no_more() {
    let (_dir, mut hall) = hall().await;
    post(&hall, VIEWER, STOP).await.is_problem(403, "takes a operator");
    let strategy = r#"{"kind": "set_strategy", "strategy": "fixed"}"#;
    post(&hall, OPERATOR, strategy).await.is_problem(403, "engineer");
    let full = r#"{"kind": "set_authority", "zone": "hall", "authority": "full"}"#;
    post(&hall, OPERATOR, full).await.is_problem(403, "engineer");
    assert!(
        hall.requests.try_recv().is_err(),
        "nothing of this reached the controller"
    );
    for (token, body, name) in [
        (OPERATOR, STOP, "night"),
        (ENGINEER, full, "day"),
        (ENGINEER, strategy, "day"),
    ] {
        // The answer comes with the cycle that takes it, for which nobody waits here.
        let sent = text(
            "POST",
            "/api/v1/requests",
            &[("authorization", &format!("Bearer {token}"))],
            body,
        );
        let address = hall.address;
        let asking = tokio::spawn(async move { call(address, &sent).await });
        let request = hall.requests.recv().await.unwrap();
        asking.abort();
        assert_eq!(request.author, isotherm::snapshot::Author::Operator(name.into()));
    }
}

#[tokio::test]
async fn a_session_stands_for_a_token_and_changes_need_its_second_secret() {
    let (_dir, mut hall) = hall().await;
    let bearer = format!("Bearer {OPERATOR}");
    ask(&hall, "POST", "/api/v1/session", &[], "")
        .await
        .is_problem(401, "Bearer");
    let begun = ask(&hall, "POST", "/api/v1/session", &[("authorization", &bearer)], "").await;
    assert_eq!(begun.status, 200, "{}", begun.body);
    let set = begun.header("set-cookie").unwrap().to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let csrf = begun.json()["csrf"].as_str().unwrap().to_owned();
    assert!(
        !begun.body.contains(cookie.split('=').nth(1).unwrap()),
        "the cookie is not for scripts"
    );

    let who = ask(&hall, "GET", "/api/v1/session", &[("cookie", cookie)], "")
        .await
        .json();
    assert_eq!(
        (who["name"].as_str(), who["role"].as_str()),
        (Some("night"), Some("operator"))
    );
    let forged = ask(&hall, "POST", "/api/v1/requests", &[("cookie", cookie)], STOP).await;
    forged.is_problem(401, "X-CSRF-Token");
    let with = [("cookie", cookie), ("x-csrf-token", csrf.as_str())];
    let stopped = ask(&hall, "POST", "/api/v1/requests", &with, STOP).await;
    assert!(stopped.status < 300, "{}", stopped.body);
    assert_eq!(hall.requests.try_recv().unwrap().why, "smoke in the hall");
    assert_eq!(
        ask(&hall, "POST", "/api/v1/session/end", &[("cookie", cookie)], "")
            .await
            .status,
        200
    );
    ask(&hall, "POST", "/api/v1/requests", &with, STOP)
        .await
        .is_problem(401, "token");
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let (_dir, hall) = hall().await;
    let mut statuses = Vec::new();
    for guess in 0..8 {
        statuses.push(
            post(&hall, &format!("a wrong token, number {guess}"), STOP)
                .await
                .status,
        );
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    assert!(
        post(&hall, OPERATOR, STOP).await.status < 300,
        "who has a token is not held up"
    );
}

#[tokio::test]
async fn who_did_what_and_why_is_listed() {
    let (_dir, mut hall) = hall().await;
    let request = isotherm::snapshot::Request {
        author: isotherm::snapshot::Author::Operator("night".into()),
        kind: isotherm::snapshot::RequestKind::Stop,
        why: "smoke in the hall".into(),
    };
    let taken = record(&hall.site, 2, vec![request]);
    hall.show(&taken);
    let page = hall.get("/api/v1/actions").await.json();
    let first = &page["items"][0];
    assert_eq!(
        (first["who"].as_str(), first["what"].as_str(), first["why"].as_str()),
        (Some("night"), Some("stop"), Some("smoke in the hall"))
    );
}
