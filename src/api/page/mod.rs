//! The dashboard: our own files, carried in the binary; nothing is loaded from elsewhere.

use super::Shared;
use axum::Router;
use axum::http::header;
use axum::routing::get;

/// Path, media type and content of each file.
const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("index.html")),
    ("/app.css", "text/css; charset=utf-8", include_str!("app.css")),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ("/app.js", JAVASCRIPT, include_str!("app.js")),
    ("/texts.js", JAVASCRIPT, include_str!("texts.js")),
    ("/dom.js", JAVASCRIPT, include_str!("dom.js")),
    ("/mimic.js", JAVASCRIPT, include_str!("mimic.js")),
    ("/charts.js", JAVASCRIPT, include_str!("charts.js")),
    ("/trends.js", JAVASCRIPT, include_str!("trends.js")),
    ("/cdus.js", JAVASCRIPT, include_str!("cdus.js")),
    ("/panels.js", JAVASCRIPT, include_str!("panels.js")),
    ("/actions.js", JAVASCRIPT, include_str!("actions.js")),
];
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    FILES.iter().fold(router, |router, (path, kind, content)| {
        router.route(path, get(async move || ([(header::CONTENT_TYPE, *kind)], *content)))
    })
}
