//! The live stream: views as server-sent events. A client that is slow, or slower than the cycles, misses views and
//! always gets the newest.

use super::Shared;
use super::problem::Problem;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::time::Duration;

/// Least time between two views.
const PACE: Duration = Duration::from_millis(400);
/// Silence after which a comment is sent, so that proxies and clients see that the line stands.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Time after which a client that lost the line asks again.
const RETRY: Duration = Duration::from_secs(2);

pub(super) async fn stream(State(shared): State<Shared>) -> Response {
    let Ok(seat) = shared.streams.clone().try_acquire_owned() else {
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many streams are open: close one, or poll /api/v1/state",
        )
        .into_response();
    };
    let mut views = shared.seen.view.clone();
    views.mark_changed();
    let start = (views, shared.stopping.clone(), seat, true);
    let events = futures_util::stream::unfold(start, |(mut views, mut stopping, seat, first)| async move {
        let next = async {
            if !first {
                tokio::time::sleep(PACE).await;
            }
            loop {
                views.changed().await.ok()?;
                // The borrow must not be held while waiting.
                let view = views.borrow_and_update().clone();
                if let Some(view) = view {
                    return Some(view);
                }
            }
        };
        let view = tokio::select! {
            view = next => view?,
            _ = stopping.wait_for(|stop| *stop) => return None,
        };
        let event = Event::default()
            .event("view")
            .id(view.cycle.to_string())
            .retry(RETRY)
            .data(view.json());
        Some((Ok::<_, Infallible>(event), (views, stopping, seat, false)))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    // Proxies that buffer would hold back the views.
    (
        [(header::HeaderName::from_static("x-accel-buffering"), "no")],
        Sse::new(events).keep_alive(keep_alive),
    )
        .into_response()
}
