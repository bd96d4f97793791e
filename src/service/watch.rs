//! Events of the edges: what happens to the record and to its forwarding. The core knows nothing of either.

use crate::api::StoreView;
use crate::snapshot::{Event, Severity};
use crate::store::{CanaryStatus, ForwardStatus};

/// Trouble with the database is an event after this long, s: a restart of it is none.
const PATIENCE_S: f64 = 60.0;

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct Watch {
    store_ill: bool,
    forward_waits: bool,
    canary_missing: bool,
    rejected: u64,
    lost_chunks: u64,
}

impl Watch {
    /// What is new since the last look.
    pub(super) fn look(&mut self, store: &StoreView, forward: Option<&ForwardStatus>) -> Vec<Event> {
        let mut events = Vec::new();
        let mut say = |severity, code: &str, text: String| {
            events.push(Event {
                severity,
                code: code.to_owned(),
                subject: code.split('_').next().unwrap_or_default().to_owned(),
                text,
            });
        };
        // Before its first report the state is empty.
        let ill = !store.state.is_empty() && !store.state.starts_with("ok");
        if ill != self.store_ill {
            self.store_ill = ill;
            if ill {
                let text = format!("{}; control goes on, the newest samples wait in memory", store.state);
                say(Severity::Alarm, "store_refused", text);
            } else {
                say(
                    Severity::Info,
                    "store_recovered",
                    "the record is written again".to_owned(),
                );
            }
        }
        let Some(forward) = forward else { return events };
        let waits = forward.waits.as_ref().filter(|_| forward.waits_s >= PATIENCE_S);
        if let Some(why) = waits.filter(|_| !self.forward_waits) {
            let text = format!("{} is waited for: {why}; nothing is lost", forward.target);
            say(Severity::Warning, "forward_waits", text);
            self.forward_waits = true;
        } else if self.forward_waits && forward.waits.is_none() {
            say(
                Severity::Info,
                "forward_goes",
                format!("{} takes samples again", forward.target),
            );
            self.forward_waits = false;
        }
        let missing = forward.canary == CanaryStatus::Missing;
        if missing && !self.canary_missing {
            let text = format!("{} accepts samples and does not keep them", forward.target);
            say(Severity::Alarm, "forward_canary", text);
        }
        self.canary_missing = missing;
        if forward.rejected > self.rejected {
            let why = forward.why_rejected.as_deref().unwrap_or("no reason given");
            let text = format!("{} refused samples, which are left out: {why}", forward.target);
            say(Severity::Warning, "forward_rejected", text);
            self.rejected = forward.rejected;
        }
        if forward.lost_chunks > self.lost_chunks {
            let text = format!(
                "samples were deleted before {} took them: see store.raw_days",
                forward.target
            );
            say(Severity::Alarm, "forward_lost", text);
            self.lost_chunks = forward.lost_chunks;
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let mut watch = Watch::default();
        let store = |state: &str| StoreView {
            state: state.to_owned(),
            ..StoreView::default()
        };
        let codes = |events: Vec<Event>| events.into_iter().map(|event| event.code).collect::<Vec<_>>();
        let mut forward = ForwardStatus::new("http://db".to_owned());
        assert_eq!(watch.look(&store(""), Some(&forward)), []);
        assert_eq!(watch.look(&store("ok"), Some(&forward)), []);
        assert_eq!(
            codes(watch.look(&store("disk refuses: full"), Some(&forward))),
            ["store_refused"]
        );
        assert_eq!(watch.look(&store("disk refuses: still full"), Some(&forward)), []);
        (forward.waits, forward.waits_s) = (Some("refused".to_owned()), 5.0);
        assert_eq!(codes(watch.look(&store("ok"), Some(&forward))), ["store_recovered"]);
        forward.waits_s = 61.0;
        assert_eq!(codes(watch.look(&store("ok"), Some(&forward))), ["forward_waits"]);
        assert_eq!(watch.look(&store("ok"), Some(&forward)), []);
        (forward.waits, forward.rejected) = (None, 3);
        assert_eq!(
            codes(watch.look(&store("ok"), Some(&forward))),
            ["forward_goes", "forward_rejected"]
        );
        (forward.canary, forward.lost_chunks) = (CanaryStatus::Missing, 1);
        assert_eq!(
            codes(watch.look(&store("ok"), Some(&forward))),
            ["forward_canary", "forward_lost"]
        );
        assert_eq!(watch.look(&store("ok"), Some(&forward)), []);
    }
}
