//! What we ask the BMS for: said on a change and every 100 s, only where it was granted, and looked for in what it reads.

use super::directory::Directory;
use crate::field::link::{Context, Link};
use crate::site::DeviceId;
use crate::snapshot::Now;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::dsx;

/// An unchanged value is said again after this time, s, as the schema says of values.
const SAY_AGAIN_S: f64 = 100.0;

/// A wish that is older than this is not said, s: what was right then may be wrong by now.
const WISH_LIFE_S: f64 = 60.0;

/// The BMS may take this long to follow, s: it checks, and moves at its own rate.
const FOLLOW_S: f64 = 60.0;

/// What was asked for last.
#[derive(Default)]
pub(super) struct Orders {
    said: BTreeMap<(DeviceId, usize), Said>,
    /// The fencing token of the last wish.
    token: u64,
}

#[derive(Clone, Copy)]
struct Said {
    value: f64,
    at_ms: u64,
    /// When it was first said, until the BMS is seen to follow.
    open_ms: Option<u64>,
}

impl Orders {
    /// Forgets what was said: a new connection begins with all of it.
    pub(super) fn forget(&mut self) {
        self.said.clear();
    }

    /// The messages that a device's wishes make now.
    pub(super) fn of(
        &mut self,
        link: &Arc<Link>,
        directory: &Directory,
        permitted: bool,
        context: &Context,
    ) -> Vec<(String, Vec<u8>)> {
        let mut messages = Vec::new();
        while let Some((point, wanted)) = link.outbox.take(None) {
            let now = context.now();
            let Some(grant) = directory.grant(link.device, point) else {
                link.note(|status| {
                    status.write_errors += 1;
                    status.last_error = Some(format!("no metadata names us for point {point} of the profile"));
                });
                continue;
            };
            if wanted.token != self.token {
                self.said.clear();
                self.token = wanted.token;
            }
            let key = (link.device, point);
            if !permitted || !context.may_write(wanted.token) || now.seconds_since(wanted.at_ms) > WISH_LIFE_S {
                self.said.remove(&key);
                continue;
            }
            let before = self.said.get(&key).copied();
            let same = before.filter(|said| said.value.to_bits() == wanted.value.to_bits());
            if same.is_some_and(|said| now.seconds_since(said.at_ms) < SAY_AGAIN_S) {
                continue;
            }
            let (scale, offset) = grant.conversion;
            let value = (wanted.value - offset) / scale;
            messages.push((grant.topic.clone(), dsx::message(Some(value), now.wall_ms)));
            let said = Said {
                value: wanted.value,
                at_ms: now.mono_ms,
                open_ms: same.map_or(Some(now.mono_ms), |said| said.open_ms),
            };
            self.said.insert(key, said);
        }
        messages
    }

    /// The BMS says what the setpoint is: has it followed?
    pub(super) fn seen(&mut self, link: &Link, point: usize, found: f64, now: Now) {
        let Some(said) = self.said.get_mut(&(link.device, point)) else {
            return;
        };
        let Some(open_ms) = said.open_ms else { return };
        let wanted = said.value;
        if (found - wanted).abs() <= 0.005 * wanted.abs().max(10.0) {
            said.open_ms = None;
            link.note(|status| status.writes += 1);
        } else if now.seconds_since(open_ms) > FOLLOW_S {
            said.open_ms = None;
            link.note(|status| {
                status.mismatches += 1;
                status.last_error = Some(format!("{wanted} was asked for, and the BMS is at {found}"));
            });
        }
    }
}
