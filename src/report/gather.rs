//! The pages of a period, summed.

use super::{Hour, Period};
use crate::ledger::{Amounts, JobShare, Page, Totals};
use crate::site::Site;
use std::collections::BTreeMap;

/// What the pages of a period say.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// Each local day's counters.
    pub days: BTreeMap<i64, Totals>,
    /// Each job's sum over its days.
    pub jobs: BTreeMap<String, JobShare>,
    /// What fell on GPUs without a job.
    pub idle: Amounts,
    racks: Vec<Amounts>,
    /// What the shadow says, by local day and hour since 1970-01-01 UTC.
    pub(super) hours: BTreeMap<(i64, i64), Hour>,
}

/// Sums the pages of a period, or of all days. Of a page that was written twice, after a crash, the last version counts.
///
/// # Errors
/// The first error that the pages' iterator answers.
pub fn gather<E>(
    pages: impl IntoIterator<Item = Result<Page, E>>,
    open: Option<Page>,
    period: Option<&Period>,
) -> Result<Gathered, E> {
    let mut gathered = Gathered::default();
    let wanted = |page: &Page| period.is_none_or(|period| period.has(page.day));
    let same = |a: &Page, b: &Page| (a.from_ms, a.begun_ms, a.day) == (b.from_ms, b.begun_ms, b.day);
    // Versions of one page follow each other.
    let mut last: Option<Page> = None;
    for page in pages {
        let page = page?;
        if let Some(before) = last.replace(page)
            && !last.as_ref().is_some_and(|page| same(page, &before))
            && wanted(&before)
        {
            gathered.add(before);
        }
    }
    // What is still open counts where it was not closed since.
    let open = open.filter(|open| {
        last.as_ref()
            .is_none_or(|last| !same(last, open) && last.from_ms <= open.from_ms)
    });
    for page in last.into_iter().chain(open).filter(wanted) {
        gathered.add(page);
    }
    Ok(gathered)
}

impl Gathered {
    fn add(&mut self, page: Page) {
        if page.totals.shadow_s > 0.0 {
            let hour = page.from_ms.div_euclid(3_600_000);
            self.hours.entry((page.day, hour)).or_default().add(&page.totals);
        }
        self.days.entry(page.day).or_default().add(&page.totals);
        self.racks
            .resize(self.racks.len().max(page.shares.racks.len()), Amounts::default());
        for (sum, own) in self.racks.iter_mut().zip(&page.shares.racks) {
            *sum = sum.and(own);
        }
        self.idle = self.idle.and(&page.shares.idle);
        for job in page.shares.jobs {
            match self.jobs.get_mut(&job.id) {
                Some(sum) => {
                    sum.used = sum.used.and(&job.used);
                    sum.gpu_h += job.gpu_h;
                }
                None => drop(self.jobs.insert(job.id.clone(), job)),
            }
        }
    }

    pub(super) fn racks(&self, site: &Site) -> BTreeMap<String, Amounts> {
        let names = site.racks.iter().map(|rack| rack.name.clone());
        names.zip(self.racks.iter().copied()).collect()
    }

    pub(super) fn tenants(&self) -> BTreeMap<String, Amounts> {
        self.by(|job| &job.tenant)
    }

    pub(super) fn users(&self) -> BTreeMap<String, Amounts> {
        self.by(|job| &job.user)
    }

    fn by(&self, whose: impl Fn(&JobShare) -> &String) -> BTreeMap<String, Amounts> {
        let mut sums: BTreeMap<String, Amounts> = BTreeMap::new();
        for job in self.jobs.values() {
            let sum = sums.entry(whose(job).clone()).or_default();
            *sum = sum.and(&job.used);
        }
        sums
    }
}
