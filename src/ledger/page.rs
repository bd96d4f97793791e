//! Pages of the books: a quarter of an hour each, kept for years.

use super::shares::{DayShares, Shares};
use super::totals::Totals;
use crate::site::Site;
use crate::snapshot::Now;
use serde::{Deserialize, Serialize};

/// Length of a page, ms: the interval of European electricity markets and settlement.
pub const PAGE_MS: i64 = 900_000;

/// The books of a quarter of an hour.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Page {
    /// Start of its quarter of an hour, wall ms.
    pub from_ms: i64,
    /// Monotonic time at which it was begun, ms: after a crash a page may be written again, and its last version counts.
    pub begun_ms: u64,
    /// Local day that it belongs to, counted from 1970-01-01.
    pub day: i64,
    /// What was counted in it.
    pub totals: Totals,
    /// Racks, jobs and the idle share, as far as they close with it.
    pub shares: DayShares,
}

/// The page that is being written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct OpenPage {
    page: Option<Page>,
}

impl OpenPage {
    /// Adds a cycle; answers the page before, where this cycle begins another one.
    pub(super) fn add(&mut self, site: &Site, shares: &mut Shares, delta: &Totals, now: Now) -> Option<Box<Page>> {
        let (from_ms, day) = (now.wall_ms.div_euclid(PAGE_MS) * PAGE_MS, now.local_day());
        let goes_on = |page: &Page| page.from_ms == from_ms && page.day == day;
        let closed = if self.page.as_ref().is_some_and(goes_on) {
            None
        } else {
            self.page.take().map(|mut page| {
                page.shares = shares.hand_over(site, page.day != day);
                Box::new(page)
            })
        };
        let page = self.page.get_or_insert_with(|| Page {
            from_ms,
            begun_ms: now.mono_ms,
            day,
            ..Page::default()
        });
        page.totals.add(delta);
        closed
    }

    /// The page so far, with the day so far.
    pub(super) fn so_far(&self, site: &Site, shares: &Shares) -> Option<Page> {
        let mut page = self.page.clone()?;
        page.shares = shares.clone().hand_over(site, true);
        Some(page)
    }
}
