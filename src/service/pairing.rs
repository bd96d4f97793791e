//! What the loop does with a pair: whose turn it is, what is shared of the memory, and what is told of both.

use super::keeper::Checkpoint;
use crate::api::PairView;
use crate::cycle::{Core, Mind};
use crate::pair::{Pair, Status};
use crate::snapshot::{Duty, Event, Now, Severity};
use serde::{Deserialize, Serialize};

/// Plant time between two memories that are shared, s.
const SHARE_S: f64 = 60.0;

/// Most bytes that a shared memory may unpack to.
const UNPACKED_MAX: u32 = 256 << 20;

/// Clocks of a pair may differ by this much, ms: stamps in a memory are by its owner's clock.
const SKEW_MAX_MS: i64 = 5000;

/// Cycles for which a trouble stands before it is told: a leader of etcd may change.
const PATIENCE: u32 = 2;

/// The memory as it is shared.
#[derive(Debug, Serialize, Deserialize)]
struct Shared {
    /// Which controller it is of.
    from: String,
    /// The configuration that it belongs to.
    site: String,
    /// The model in use.
    model: String,
    checkpoint: Checkpoint,
}

/// A pair as the loop sees it.
pub(super) struct Pairing {
    pair: Pair,
    active: bool,
    shared_ms: Option<u64>,
    /// Wall time at which our own memory was last in use, ms: what is shared from before tells nothing new.
    own_ms: i64,
    /// Conditions that stand, by the cycles for which they have.
    silent: Condition,
    unled: Condition,
    alone: Condition,
    unshared: Condition,
    /// What else is to be told.
    news: Vec<Event>,
}

/// Something that is told when it has stood for a while, and when it is over.
struct Condition {
    code: &'static str,
    severity: Severity,
    cycles: u32,
}

impl Condition {
    const fn new(code: &'static str, severity: Severity) -> Self {
        Self {
            code,
            severity,
            cycles: 0,
        }
    }

    fn look(&mut self, stands: bool, text: impl FnOnce() -> String) -> Option<Event> {
        let told = self.cycles >= PATIENCE;
        self.cycles = if stands { self.cycles.saturating_add(1) } else { 0 };
        if stands && self.cycles == PATIENCE {
            Some(event(self.severity, self.code, text()))
        } else if told && !stands {
            Some(event(
                Severity::Info,
                &format!("{}_over", self.code),
                "it is over".into(),
            ))
        } else {
            None
        }
    }
}

fn event(severity: Severity, code: &str, text: String) -> Event {
    Event {
        severity,
        code: code.to_owned(),
        subject: "pair".to_owned(),
        text,
    }
}

impl Pairing {
    /// Takes part with `pair`; our own memory was last in use at the wall time `own_ms`, ms.
    pub(super) const fn new(pair: Pair, own_ms: i64) -> Self {
        Self {
            pair,
            active: false,
            shared_ms: None,
            own_ms,
            silent: Condition::new("etcd_silent", Severity::Warning),
            unled: Condition::new("pair_unled", Severity::Alarm),
            alone: Condition::new("pair_alone", Severity::Warning),
            unshared: Condition::new("pair_unshared", Severity::Warning),
            news: Vec::new(),
        }
    }

    /// Whether another one is there to take over.
    pub(super) fn can_hand_over(&self) -> bool {
        self.pair.token().is_some() && self.pair.status().members > 1
    }

    /// Waits until it is our turn and has not been, or the other way round.
    pub(super) async fn turns(&mut self) {
        self.pair.turns(self.active).await;
    }

    /// Whose turn this cycle is, and what is to be told of it.
    pub(super) fn look(&mut self) -> (Duty, Vec<Event>) {
        let (token, status) = (self.pair.token(), self.pair.status());
        let mut events = std::mem::take(&mut self.news);
        let active = token.is_some();
        if active != self.active {
            self.active = active;
            self.shared_ms = None;
            let (code, text) = match token {
                Some(token) => (
                    "pair_active",
                    format!(
                        "{} writes, in term {} with token {}",
                        self.pair.id(),
                        token.term,
                        token.revision
                    ),
                ),
                None => ("pair_standby", format!("{} writes no more", self.pair.id())),
            };
            events.push(event(Severity::Info, code, text));
        }
        let trouble = status.trouble.as_deref();
        let why = || trouble.unwrap_or("no answer").to_owned();
        events.extend(self.silent.look(active && trouble.is_some(), || {
            format!(
                "etcd does not answer ({}): without it this controller stops writing when its lease ends",
                why()
            )
        }));
        events.extend(self.unled.look(!active && trouble.is_some(), || {
            format!(
                "etcd does not answer ({}): this controller writes nothing, devices may be on their own",
                why()
            )
        }));
        events.extend(self.alone.look(active && status.members < 2, || {
            "no other controller is there to take over".to_owned()
        }));
        (
            token.map_or(Duty::Standby, |token| Duty::Active { term: token.term }),
            events,
        )
    }

    /// The other controller's memory, where it has shared one that we can go on from.
    pub(super) fn adopt(&mut self, core: &Core, now: Now) -> Option<Checkpoint> {
        let packed = self.pair.take_shared()?;
        match unpack(&packed).and_then(|shared| self.fits(shared, core, now)) {
            Ok(checkpoint) => checkpoint,
            Err(why) => {
                let text = format!("the other controller's memory is not taken up: {why}");
                self.news.push(event(Severity::Info, "pair_memory_refused", text));
                None
            }
        }
    }

    fn fits(&self, shared: Shared, core: &Core, now: Now) -> Result<Option<Checkpoint>, String> {
        if shared.from == self.pair.id() || shared.checkpoint.now.wall_ms <= self.own_ms {
            return Ok(None);
        }
        if shared.site != core.basis.site {
            return Err("it belongs to another configuration".into());
        }
        if shared.model != core.basis.model {
            tracing::info!(
                theirs = shared.model,
                ours = core.basis.model,
                "the two controllers use different models"
            );
        }
        let theirs = shared.checkpoint.now;
        let skew_ms = ahead_ms(theirs).saturating_sub(ahead_ms(now));
        if skew_ms.abs() > SKEW_MAX_MS {
            return Err(format!("the clocks of the two machines went apart by {skew_ms} ms"));
        }
        Ok(Some(shared.checkpoint))
    }

    /// Shares the memory each minute while it is our turn; at once where it is the last one.
    pub(super) fn share(&mut self, core: &Core, mind: &Mind, now: Now, last: bool) {
        if self.active {
            self.own_ms = now.wall_ms;
        }
        let due = self.shared_ms.is_none_or(|at| now.seconds_since(at) >= SHARE_S);
        if !self.active || !(due || last) {
            return;
        }
        self.shared_ms = Some(now.mono_ms);
        let shared = Shared {
            from: self.pair.id().to_owned(),
            site: core.basis.site.clone(),
            model: core.basis.model.clone(),
            checkpoint: Checkpoint {
                now,
                mind: mind.clone(),
                adopted: true,
            },
        };
        let packed = postcard::to_stdvec(&shared).map_err(|error| error.to_string());
        let sent = packed.and_then(|bytes| self.pair.share(lz4_flex::compress_prepend_size(&bytes)));
        // Told at once: it is tried only each minute.
        self.unshared.cycles = if sent.is_err() && self.unshared.cycles == 0 {
            PATIENCE - 1
        } else {
            self.unshared.cycles
        };
        let told = self.unshared.look(sent.is_err(), || sent.err().unwrap_or_default());
        self.news.extend(told);
    }

    /// Writes no more and lets the other one take over.
    pub(super) async fn resign(self) {
        self.pair.resign().await;
    }

    /// As the page and the metrics show it.
    pub(super) fn view(&self) -> PairView {
        let Status {
            held,
            holder,
            members,
            trouble,
            taken,
            failures,
        } = self.pair.status();
        let token = held.filter(|_| self.active);
        PairView {
            id: self.pair.id().to_owned(),
            role: if self.active { "active" } else { "standby" },
            holder,
            token: token.map(|token| token.revision),
            term: token.map(|token| token.term),
            members,
            trouble,
            taken,
            failures,
        }
    }
}

/// By how much the monotonic time is ahead of the wall time, ms.
fn ahead_ms(now: Now) -> i64 {
    i64::try_from(now.mono_ms)
        .unwrap_or(i64::MAX)
        .saturating_sub(now.wall_ms)
}

/// Unpacks what came from etcd, where anybody with access to it may have written.
fn unpack(packed: &[u8]) -> Result<Shared, String> {
    let size = packed.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes));
    if size.is_none_or(|size| size > UNPACKED_MAX) {
        return Err("it is damaged".into());
    }
    let bytes = lz4_flex::decompress_size_prepended(packed).map_err(|error| format!("it is damaged: {error}"))?;
    postcard::from_bytes(&bytes).map_err(|_| "it is from another version".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_told_when_it_has_stood_and_when_it_is_over() {
        let mut condition = Condition::new("etcd_silent", Severity::Warning);
        let mut look = |stands| condition.look(stands, || "why".into()).map(|event| event.code);
        assert_eq!((look(true), look(false)), (None, None), "a moment is no trouble");
        assert_eq!(
            (look(true), look(true), look(true)),
            (None, Some("etcd_silent".into()), None)
        );
        assert_eq!((look(false), look(false)), (Some("etcd_silent_over".into()), None));
    }

    #[test]
    fn what_is_no_memory_is_refused() {
        let bomb = [0xFF, 0xFF, 0xFF, 0xFF, 0];
        for bytes in [&[][..], &[1, 2], &bomb, &lz4_flex::compress_prepend_size(b"no memory")] {
            assert!(unpack(bytes).is_err(), "{bytes:?}");
        }
    }
}
