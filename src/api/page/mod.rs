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
use std::sync::OnceLock;

/// Path, media type and content of each file.
const FILES: &[(&str, &str, &str)] = &[
    ("/app.css", "text/css; charset=utf-8", include_str!("app.css")),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ("/app.js", JAVASCRIPT, include_str!("app.js")),
    ("/texts.js", JAVASCRIPT, include_str!("texts.js")),
    ("/units.js", JAVASCRIPT, include_str!("units.js")),
    ("/dom.js", JAVASCRIPT, include_str!("dom.js")),
    ("/route.js", JAVASCRIPT, include_str!("route.js")),
    ("/history.js", JAVASCRIPT, include_str!("history.js")),
    ("/charts.js", JAVASCRIPT, include_str!("charts.js")),
    ("/parts.js", JAVASCRIPT, include_str!("parts.js")),
    ("/mimic.js", JAVASCRIPT, include_str!("mimic.js")),
    ("/actions.js", JAVASCRIPT, include_str!("actions.js")),
    ("/login.js", JAVASCRIPT, include_str!("login.js")),
    ("/hall.js", JAVASCRIPT, include_str!("hall.js")),
    ("/cdus.js", JAVASCRIPT, include_str!("cdus.js")),
    ("/queue.js", JAVASCRIPT, include_str!("queue.js")),
    ("/energy.js", JAVASCRIPT, include_str!("energy.js")),
    ("/green.js", JAVASCRIPT, include_str!("green.js")),
    ("/record.js", JAVASCRIPT, include_str!("record.js")),
    ("/alarms.js", JAVASCRIPT, include_str!("alarms.js")),
    ("/control.js", JAVASCRIPT, include_str!("control.js")),
    ("/audit.js", JAVASCRIPT, include_str!("audit.js")),
];
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The document, cut where the first state goes.
const INDEX: &str = include_str!("index.html");
const FIRST: &str = "{first}";
/// Where the words go, and the words by the tag of their language.
const TEXTS: &str = "{texts}";
const LANGUAGES: [(&str, &str); 2] = [
    ("en", include_str!("en.json")),
    ("zh-Hant", include_str!("zh-Hant.json")),
];

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
    let page = INDEX.replacen(TEXTS, texts(), 1).replacen(FIRST, &inline(&first), 1);
    Html(page).into_response()
}

/// The tables of words, as one object.
fn texts() -> &'static str {
    static TABLES: OnceLock<String> = OnceLock::new();
    TABLES.get_or_init(|| {
        let tables = LANGUAGES.map(|(tag, table)| format!("\"{tag}\":{}", table.replace('<', "\\u003c")));
        format!("{{{}}}", tables.join(","))
    })
}

/// JSON that cannot end the element that it stands in: the only `<` of JSON is inside strings, where it may be escaped.
fn inline(value: &impl Serialize) -> String {
    // Cannot fail: string keys only, and numbers that are not finite are written as null.
    serde_json::to_string(value).unwrap_or_default().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn inlined_json_cannot_leave_its_element() {
        let hostile = "</script><script>alert(1)</script><!--";
        let text = inline(&hostile);
        assert!(!text.contains('<'), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
        assert_eq!(INDEX.matches(FIRST).count(), 1);
        assert_eq!(INDEX.matches(TEXTS).count(), 1);
    }

    /// Every text by its path of keys.
    fn flat(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(fields) => fields
                .iter()
                .for_each(|(key, value)| flat(&format!("{path}.{key}"), value, into)),
            Value::String(text) => drop(into.insert(path.to_owned(), text.clone())),
            other => panic!("{path} is no text: {other}"),
        }
    }

    /// The `{places}` of a text, in order.
    fn places(text: &str) -> BTreeSet<&str> {
        let parts = text.split('{').skip(1);
        parts.filter_map(|part| part.split('}').next()).collect()
    }

    #[test]
    fn every_language_has_every_text_with_the_same_places() {
        let tables: Value = serde_json::from_str(texts()).unwrap();
        let [mut english, mut chinese] = [BTreeMap::new(), BTreeMap::new()];
        flat("", &tables["en"], &mut english);
        flat("", &tables["zh-Hant"], &mut chinese);
        let keys = |table: &BTreeMap<String, String>| table.keys().cloned().collect::<BTreeSet<_>>();
        let differs: Vec<_> = keys(&english).symmetric_difference(&keys(&chinese)).cloned().collect();
        assert!(differs.is_empty(), "in one table only: {differs:?}");
        for (key, text) in &english {
            assert_eq!(places(text), places(&chinese[key]), "{key}");
            assert!(!chinese[key].is_empty() || text.is_empty(), "{key} is empty");
        }
    }

    #[test]
    fn the_page_uses_only_texts_that_there_are_and_all_of_them() {
        let tables: Value = serde_json::from_str(texts()).unwrap();
        let english = tables["en"].as_object().unwrap();
        let code: String = FILES
            .iter()
            .filter(|(_, kind, _)| *kind == JAVASCRIPT)
            .map(|(.., content)| *content)
            .collect();
        let mut used = BTreeSet::new();
        for (at, _) in code.match_indices("T.") {
            // Not the end of a longer word.
            if code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
                continue;
            }
            let word = |text: &str| -> String {
                text.chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect()
            };
            let key = word(&code[at + 2..]);
            let rest = &code[at + 2 + key.len()..];
            let table = english
                .get(&key)
                .unwrap_or_else(|| panic!("the page says T.{key}, which no table has"));
            if let (Some(inner), Some(rest)) = (table.as_object(), rest.strip_prefix('.')) {
                let inner_key = word(rest);
                assert!(
                    inner.contains_key(&inner_key),
                    "the page says T.{key}.{inner_key}, which no table has"
                );
            }
            used.insert(key);
        }
        let markup = INDEX
            .split("data-text=\"")
            .skip(1)
            .filter_map(|part| part.split('"').next());
        used.extend(markup.map(str::to_owned));
        let spare: Vec<_> = english
            .keys()
            .filter(|key| !used.contains(*key) && !["language", "today", "total"].contains(&key.as_str()))
            .collect();
        assert!(spare.is_empty(), "nothing says {spare:?}");
    }
}
