//! Is the point map right? Looks at a live plant before anybody writes to it, and at its answers to small steps.
//!
//! Pure: it is handed what was read, and answers findings. In reading order: `watch` gathers readings, `reads` looks at
//! each point by itself, `balance` at heat across each exchanger, `causes` names what would explain a wrong figure,
//! `steps` looks at the answer to a step, `report` puts it on paper.

mod balance;
mod causes;
mod reads;
mod report;
mod steps;
mod watch;

pub use report::{Report, Signature};
pub use steps::{Step, process_tag};
pub use watch::Watch;

use crate::site::Site;

/// How a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// As it should be.
    Pass,
    /// Deserves a look.
    Look,
    /// Wrong: not to be signed off.
    Fail,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it weighs.
    pub mark: Mark,
    /// The tag or equipment.
    pub subject: String,
    /// What was seen, with figures.
    pub seen: String,
    /// What most likely explains it.
    pub likely: Option<String>,
}

impl Finding {
    fn new(mark: Mark, subject: &str, seen: impl Into<String>) -> Self {
        Self {
            mark,
            subject: subject.to_owned(),
            seen: seen.into(),
            likely: None,
        }
    }

    fn because(mut self, likely: Option<String>) -> Self {
        self.likely = likely;
        self
    }
}

/// Everything that can be said of the point map without writing: each point, then each exchanger, the worst first.
/// `troubles` are the links' last errors, by device.
pub fn verify(site: &Site, watch: &Watch, troubles: &[Option<String>]) -> Vec<Finding> {
    let mut findings = reads::check(site, watch, troubles);
    findings.extend(balance::check(site, watch));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.mark));
    findings
}

#[cfg(test)]
mod tests;
