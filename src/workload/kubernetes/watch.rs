//! List and watch of one resource, as the API's conventions have it: a list names the version from which a watch goes on;
//! bookmarks move that version forward; 410 Gone means that it is too old, and the list is read anew.

use super::cluster::Kind;
use super::{Link, refusal};
use crate::workload::http::{Answer, secret};
use crate::workload::{FeedError, MOST_JOBS};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The server ends a watch after this long, s: its end is a sign of life, and the next goes on at once.
const WATCH_S: u64 = 60;
/// A watch that says nothing for longer than it may last is dead; real time.
const SILENCE: Duration = Duration::from_secs(WATCH_S + 15);
/// First and longest wait before the next try.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A resource that the server does not have is looked for again after this long.
const ABSENT: Duration = Duration::from_mins(10);
/// Objects of a page of a list.
const PAGE: usize = 500;
/// Objects of a list, at most.
const MOST_OBJECTS: usize = 4 * MOST_JOBS;

/// One resource.
pub(super) struct Resource {
    kind: Kind,
    path: String,
    /// Whether a server may do without it.
    optional: bool,
}

impl Resource {
    /// Pods, jobs, Kueue workloads; of one namespace, or of all where it is empty.
    pub(super) fn all(namespace: &str) -> [Self; 3] {
        let within = if namespace.is_empty() {
            String::new()
        } else {
            format!("/namespaces/{namespace}")
        };
        let resource = |kind, group: &str, name: &str, optional| Self {
            kind,
            path: format!("{group}{within}/{name}"),
            optional,
        };
        [
            resource(Kind::Pod, "/api/v1", "pods", false),
            resource(Kind::Job, "/apis/batch/v1", "jobs", false),
            resource(Kind::Workload, "/apis/kueue.x-k8s.io/v1beta1", "workloads", true),
        ]
    }
}

/// Why a watch did not go on.
enum Broken {
    /// The version is too old: list again.
    Gone,
    /// The server has no such resource.
    Absent,
    Failed(FeedError),
}

impl From<FeedError> for Broken {
    fn from(error: FeedError) -> Self {
        Self::Failed(error)
    }
}

/// Follows a resource for ever.
pub(super) async fn follow(resource: &Resource, link: &Link<'_>) {
    let mut wait = RETRY.0;
    let mut version = None;
    loop {
        let listed = match version.take() {
            Some(version) => Ok(version),
            None => list(resource, link).await,
        };
        let broken = match listed {
            Ok(mut from) => {
                let broken = loop {
                    let begun = Instant::now();
                    match watch(resource, link, &mut from).await {
                        Ok(()) => wait = RETRY.0,
                        Err(broken) => break broken,
                    }
                    if begun.elapsed() < RETRY.0 {
                        // A server that ends every watch at once is not asked without end.
                        tokio::time::sleep(RETRY.0).await;
                    }
                };
                if !matches!(broken, Broken::Gone) {
                    version = Some(from);
                }
                broken
            }
            Err(broken) => broken,
        };
        match broken {
            Broken::Gone => tracing::info!(path = resource.path, "the watch's version is gone: listing anew"),
            Broken::Absent if resource.optional => {
                link.with(|cluster| cluster.absent(resource.kind));
                tokio::time::sleep(ABSENT).await;
                continue;
            }
            Broken::Absent => {
                link.with(|cluster| cluster.stands(resource.kind, false));
                let error = refusal(StatusCode::NOT_FOUND, &resource.path, &[]);
                link.publisher.failed(&error);
            }
            Broken::Failed(error) => {
                link.with(|cluster| cluster.stands(resource.kind, false));
                link.publisher.failed(&error);
            }
        }
        // Without this wait a server that answers Gone again and again would be asked without end.
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY.1);
    }
}

async fn get(resource: &Resource, link: &Link<'_>, query: &str) -> Result<Answer, Broken> {
    let token = secret(link.token).await?.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = token.iter().map(|token| ("authorization", token.as_str())).collect();
    let answer = link.server.get(&format!("{}?{query}", resource.path), &headers).await?;
    if let Some(date_ms) = answer.date_ms {
        link.publisher.stamped(date_ms);
    }
    match answer.status {
        StatusCode::OK => Ok(answer),
        StatusCode::GONE => Err(Broken::Gone),
        StatusCode::NOT_FOUND => Err(Broken::Absent),
        status => {
            let body = answer.bytes(SILENCE).await?;
            Err(refusal(status, &resource.path, &body).into())
        }
    }
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    items: Option<Vec<Value>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ListMeta {
    resource_version: String,
    r#continue: String,
}

/// Reads the whole list, page by page; answers the version from which to watch.
async fn list(resource: &Resource, link: &Link<'_>) -> Result<String, Broken> {
    let mut found = Vec::new();
    let mut next = String::new();
    loop {
        let query = if next.is_empty() {
            format!("limit={PAGE}")
        } else {
            format!("limit={PAGE}&continue={}", encoded(&next))
        };
        let body = get(resource, link, &query).await?.bytes(SILENCE).await?;
        let list: List = serde_json::from_slice(&body)
            .map_err(|error| FeedError::Document(format!("{} is no list: {error}", resource.path)))?;
        found.extend(list.items.unwrap_or_default());
        if found.len() > MOST_OBJECTS {
            return Err(FeedError::Document(format!("{} has more than {MOST_OBJECTS} objects", resource.path)).into());
        }
        if list.metadata.r#continue.is_empty() {
            if list.metadata.resource_version.is_empty() {
                return Err(FeedError::Document(format!("the list of {} has no version", resource.path)).into());
            }
            let refused = link.with(|cluster| cluster.replace(resource.kind, &found));
            for error in &refused {
                link.publisher.refused(error);
            }
            link.publisher.read();
            return Ok(list.metadata.resource_version);
        }
        next = list.metadata.r#continue;
    }
}

/// Watches from a version until the server ends the watch, moving the version forward.
async fn watch(resource: &Resource, link: &Link<'_>, version: &mut String) -> Result<(), Broken> {
    let query = format!(
        "watch=1&allowWatchBookmarks=true&timeoutSeconds={WATCH_S}&resourceVersion={}",
        encoded(version)
    );
    let mut answer = get(resource, link, &query).await?;
    link.with(|cluster| cluster.stands(resource.kind, true));
    while let Some(line) = answer.line(SILENCE).await? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let event: WatchEvent = serde_json::from_slice(&line)
            .map_err(|error| FeedError::Document(format!("{}: not a watch event: {error}", resource.path)))?;
        if event.r#type == "ERROR" {
            let code = event.object["code"].as_u64();
            return Err(if code == Some(410) {
                Broken::Gone
            } else {
                let message = event.object["message"].as_str().unwrap_or("no reason is given");
                FeedError::Source(format!(
                    "the watch of {} ended: {}",
                    resource.path,
                    message.chars().take(200).collect::<String>()
                ))
                .into()
            });
        }
        if let Some(newer) = event.object["metadata"]["resourceVersion"].as_str() {
            newer.clone_into(version);
        }
        let change = |cluster: &mut super::Cluster| match event.r#type.as_str() {
            "ADDED" | "MODIFIED" => cluster.put(resource.kind, &event.object),
            "DELETED" => cluster.remove(resource.kind, &event.object),
            "BOOKMARK" => Ok(()),
            other => Err(FeedError::Document(format!(
                "{}: an unknown watch event `{}`",
                resource.path,
                other.chars().take(40).collect::<String>()
            ))),
        };
        match link.with(change) {
            Ok(()) => link.publisher.read(),
            Err(error) => link.publisher.refused(&error),
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct WatchEvent {
    r#type: String,
    #[serde(default)]
    object: Value,
}

/// A value of a query, percent-encoded (RFC 3986, unreserved characters kept).
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            all + &char::from(byte).to_string()
        } else {
            all + &format!("%{byte:02X}")
        }
    })
}
