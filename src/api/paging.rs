//! Long lists, a page at a time.

use super::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most items of one page.
pub(super) const LIMIT_MAX: usize = 1000;
/// Items of one page, where the query names no number.
const LIMIT: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    limit: Option<usize>,
    cursor: Option<u64>,
}

/// Which page of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    limit: usize,
    cursor: Option<u64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let form = format!("send ?limit=<1 to {LIMIT_MAX}>&cursor=<`next` of the page before>");
        let query: Result<Query<PageQuery>, QueryRejection> = Query::from_request_parts(parts, state).await;
        let Query(query) = query.map_err(|error| Problem::bad_request(format!("{}: {form}", error.body_text())))?;
        let limit = query.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::bad_request(form));
        }
        Ok(Self {
            limit,
            cursor: query.cursor,
        })
    }
}

/// One page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Page<T> {
    /// The items.
    items: Vec<T>,
    /// What to send as `cursor` for the next page; null at the end.
    next: Option<u64>,
}

impl Wanted {
    /// The page of a list whose items' keys are in order, each item once: newest first where they fall, oldest first
    /// where they rise. The cursor is the key of the first item.
    pub(super) fn page<T>(self, items: impl Iterator<Item = T>, key: impl Fn(&T) -> u64, falling: bool) -> Page<T> {
        let from = |item: &T| match self.cursor {
            None => true,
            Some(cursor) if falling => key(item) <= cursor,
            Some(cursor) => key(item) >= cursor,
        };
        let mut items = items.filter(from);
        let page = items.by_ref().take(self.limit).collect();
        Page {
            items: page,
            next: items.next().map(|item| key(&item)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_and_end() {
        let collect = |falling: bool| {
            let mut cursor = None;
            let mut seen = Vec::new();
            loop {
                let keys = (0..7_u64).map(|key| if falling { 6 - key } else { key });
                let page = Wanted { limit: 3, cursor }.page(keys, |key| *key, falling);
                seen.push(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    return seen;
                }
            }
        };
        assert_eq!(collect(false), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
        assert_eq!(collect(true), [vec![6, 5, 4], vec![3, 2, 1], vec![0]]);
    }
}
