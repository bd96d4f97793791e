//! slurmrestd: the document of `squeue --json` over HTTP.
//!
//! A token (`scontrol token username=isotherm lifespan=...`) goes with every request; where it comes from a file, that is
//! read each time, so that whoever renews it need not tell us. slurmrestd speaks plain HTTP: keep it on a management
//! network or behind a proxy on the same machine, since the token passes in the open.

use super::http::{Server, secret};
use super::publisher::Publisher;
use super::{FeedError, poll, slurm};
use crate::site::Secret;
use hyper::StatusCode;
use std::time::Duration;

/// Longest pause within an answer; real time.
const SILENCE: Duration = Duration::from_secs(30);

/// Asks every `period_s` plant seconds.
pub(super) async fn listen(url: &str, user: &str, token: &Secret, period_s: f64, publisher: &Publisher) {
    let server = match Server::new(url, &[]) {
        Ok(server) => server,
        Err(error) => return publisher.failed(&error),
    };
    let mut ticks = poll::ticks(publisher.real(period_s));
    loop {
        ticks.tick().await;
        let document = ask(&server, user, token, publisher).await;
        poll::hand_over_document(document, publisher);
    }
}

async fn ask(server: &Server, user: &str, token: &Secret, publisher: &Publisher) -> Result<Vec<u8>, FeedError> {
    let token = secret(token).await?.unwrap_or_default();
    let headers = [("x-slurm-user-name", user), ("x-slurm-user-token", token.as_str())];
    let answer = server.get("/jobs", &headers).await?;
    let (status, date_ms) = (answer.status, answer.date_ms);
    let body = answer.bytes(SILENCE).await?;
    match status {
        StatusCode::OK => {
            if let Some(date_ms) = date_ms {
                publisher.stamped(date_ms);
            }
            Ok(body)
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(FeedError::Source(format!(
            "slurmrestd refuses the token of `{user}` ({status}): renew it with `scontrol token username={user}`"
        ))),
        StatusCode::NOT_FOUND => Err(FeedError::Source(
            "slurmrestd does not know this path: end workload.url with the version that it serves, such as \
             /slurm/v0.0.40 (`slurmrestd -s list`)"
                .into(),
        )),
        // It answers 500 where slurmctld is away, and also where that refuses the token.
        status => Err(FeedError::Source(format!(
            "slurmrestd answers {status}: {} (where slurmctld is well, the token of `{user}` has run out or is wrong)",
            slurm::complaint(&body)
        ))),
    }
}
