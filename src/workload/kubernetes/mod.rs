//! Kubernetes: pods and jobs that ask for accelerators, and Kueue's workloads; listed once and watched from there.
//!
//! | file | subject |
//! |---|---|
//! | `watch` | list and watch of one resource: versions, bookmarks, 410 Gone |
//! | `objects` | what of a pod, job or workload counts |
//! | `cluster` | the objects together, as jobs |
//!
//! The service account needs `list` and `watch` on `pods`, on `jobs` of `batch` and, where Kueue runs, on `workloads` of
//! `kueue.x-k8s.io`; nothing else. A node of the cluster is a node of a rack by its name.

mod cluster;
mod objects;
mod watch;

use super::FeedError;
use super::http::{Server, file};
use super::publisher::Publisher;
use crate::site::Secret;
use cluster::Cluster;
use std::sync::{Mutex, PoisonError};
use watch::Resource;

/// Changes are gathered for this long before the queue is handed over, plant seconds.
const STEP_S: f64 = 2.0;

/// Where the API server is and how to speak to it.
pub(super) struct Address<'a> {
    pub(super) url: &'a str,
    pub(super) namespace: &'a str,
    pub(super) token: &'a Secret,
    pub(super) ca_file: &'a str,
}

/// What every watch shares.
struct Link<'a> {
    server: Server,
    token: &'a Secret,
    publisher: &'a Publisher,
    cluster: Mutex<Cluster>,
}

impl Link<'_> {
    fn with<R>(&self, change: impl FnOnce(&mut Cluster) -> R) -> R {
        change(&mut self.cluster.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lists and watches until the feed stops.
pub(super) async fn listen(address: Address<'_>, publisher: &Publisher) {
    let server = async {
        let authority = if address.ca_file.is_empty() {
            Vec::new()
        } else {
            file(address.ca_file).await?
        };
        Server::new(address.url, &authority)
    };
    let server = match server.await {
        Ok(server) => server,
        Err(error) => return publisher.failed(&error),
    };
    let link = Link {
        server,
        token: address.token,
        publisher,
        cluster: Mutex::new(Cluster::default()),
    };
    let [pods, jobs, workloads] = Resource::all(address.namespace);
    tokio::join!(
        watch::follow(&pods, &link),
        watch::follow(&jobs, &link),
        watch::follow(&workloads, &link),
        hand_over(&link),
    );
}

/// The queue is true as long as every watch stands; when one is lost it grows old with it.
async fn hand_over(link: &Link<'_>) {
    loop {
        tokio::time::sleep(link.publisher.real(STEP_S)).await;
        let now = link.publisher.now();
        let news = link.with(|cluster| {
            if !cluster.is_whole() {
                return None;
            }
            Some(cluster.take_changed().then(|| cluster.jobs()))
        });
        match news {
            Some(Some(jobs)) => link.publisher.publish(jobs, now.mono_ms),
            Some(None) => link.publisher.confirm(now.mono_ms),
            None => {}
        }
    }
}

/// An answer that is not what was asked for, in words.
fn refusal(status: hyper::StatusCode, path: &str, body: &[u8]) -> FeedError {
    let said: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message: String = said["message"]
        .as_str()
        .unwrap_or("no reason is given")
        .chars()
        .take(200)
        .collect();
    let hint = match status.as_u16() {
        401 => ": renew the token (workload.token_file)",
        403 => ": let the service account list and watch it",
        _ => "",
    };
    FeedError::Source(format!("the API server answers {status} to {path} ({message}){hint}"))
}

#[cfg(test)]
mod tests;
