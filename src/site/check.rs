//! Looks for mistakes that no single key shows.

use super::Site;
use super::read::Findings;

/// Notes every mistake in how the parts of a site fit together.
pub(super) fn check(_site: &Site, _findings: &Findings<'_>) {}
