//! Who may write in a zone: graded authority, demotion on vetoes, timed return.

use super::state::{State, ZoneState};
use crate::site::{Authority, Site, ZoneId};
use crate::snapshot::Now;

/// Makes the zones' memory on the first cycle, and drops vetoes that are past their window.
pub(super) fn keep(site: &Site, state: &mut State, now: Now) {
    if state.zones.len() != site.zones.len() {
        let fresh = |zone: &crate::site::Zone| ZoneState {
            wanted: zone.authority,
            demoted_until_ms: None,
            vetoes: Vec::new(),
            leaving: false,
            stopped: false,
        };
        state.zones = site.zones.iter().map(fresh).collect();
    }
    for zone in &mut state.zones {
        zone.vetoes.retain(|at| now.seconds_since(*at) <= site.safety.veto_window_s);
        if zone.demoted_until_ms.is_some_and(|until| now.mono_ms >= until) && zone.vetoes.is_empty() {
            zone.demoted_until_ms = None;
        }
    }
}

/// The authority in force.
pub(super) const fn in_force(zone: &ZoneState) -> Authority {
    if zone.demoted_until_ms.is_some() { Authority::Observe } else { zone.wanted }
}

/// Whether we write in a zone on our own account.
pub(super) const fn writes(authority: Authority) -> bool {
    matches!(authority, Authority::Bounded | Authority::Full)
}

/// Counts a veto; answers whether it demoted the zone.
pub(super) fn veto(site: &Site, zone: &mut ZoneState, now: Now) -> bool {
    zone.vetoes.push(now.mono_ms);
    let limit = usize::try_from(site.safety.veto_limit).unwrap_or(usize::MAX);
    if zone.vetoes.len() < limit || zone.demoted_until_ms.is_some() {
        return false;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time of the configuration")]
    let return_ms = (site.safety.return_after_s * 1000.0) as u64;
    zone.demoted_until_ms = Some(now.mono_ms.saturating_add(return_ms));
    zone.leaving = true;
    true
}

/// Changes what is asked for. Leaving writing authority starts the way back to the release values.
pub(super) fn set(state: &mut State, zone: ZoneId, wanted: Authority, at_once: bool) {
    let Some(zone) = state.zones.get_mut(zone.0) else { return };
    let wrote = writes(in_force(zone)) || zone.leaving;
    zone.wanted = wanted;
    if writes(wanted) {
        // A person who raises authority has seen why it fell.
        zone.demoted_until_ms = None;
        zone.vetoes.clear();
        zone.leaving = false;
        zone.stopped = false;
    } else if wrote {
        zone.leaving = true;
        zone.stopped = at_once;
    }
}
