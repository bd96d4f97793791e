//! The dashboard: our own files, carried in the binary; nothing is loaded from elsewhere.

use super::rest::{describe, point_views};
use super::{Shared, rest::PointView};
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;

/// Path, media type and content of each file.
const FILES: &[(&str, &str, &str)] = &[
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
    ("/login.js", JAVASCRIPT, include_str!("login.js")),
];
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The document, cut where the first state goes.
const INDEX: &str = include_str!("index.html");
const FIRST: &str = "{first}";

/// What the page needs before it can draw, sent with it so that it draws at once.
#[derive(Serialize)]
struct First<'a> {
    site: Value,
    points: Vec<PointView>,
    state: Option<&'a super::View>,
}

pub(super) fn routes(router: Router<Shared>) -> Router<Shared> {
    let files = FILES.iter().fold(router, |router, (path, kind, content)| {
        router.route(path, get(async move || ([(header::CONTENT_TYPE, *kind)], *content)))
    });
    files.route("/", get(index)).route("/login", get(async || login()))
}

/// Where somebody says who they are.
pub(super) fn login() -> Html<&'static str> {
    Html(include_str!("login.html"))
}

async fn index(State(shared): State<Shared>) -> Response {
    let view = shared.seen.latest();
    let first = First {
        site: describe(&shared.site),
        points: point_views(&shared.site, None).collect(),
        state: view.as_deref(),
    };
    Html(INDEX.replacen(FIRST, &inline(&first), 1)).into_response()
}

/// JSON that cannot end the element that it stands in: the only `<` of JSON is inside strings, where it may be escaped.
fn inline(value: &impl Serialize) -> String {
    // Cannot fail: string keys only, and numbers that are not finite are written as null.
    serde_json::to_string(value).unwrap_or_default().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inlined_json_cannot_leave_its_element() {
        let hostile = "</script><script>alert(1)</script><!--";
        let text = inline(&hostile);
        assert!(!text.contains('<'), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
        assert_eq!(INDEX.matches(FIRST).count(), 1);
    }
}
