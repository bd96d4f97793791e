//! The lease as its owner may believe in it: pure, with time as a parameter.
//!
//! etcd ends a lease its time to live after the last keep-alive that reached it. We know when we sent that keep-alive,
//! which is earlier; so what counts from the sending ends first. A quarter of the time to live is left out as well: for
//! clocks that run apart and for a write that is on its way.

/// Share of the time to live in which the holder writes no more.
const MARGIN: u64 = 4;

/// What a holder's writes are told apart by: both numbers grow with every change of hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Token {
    /// Revision of etcd at which the lease's key was made: the fencing token.
    pub revision: u64,
    /// How often the key was made; small, so that a byte of it orders neighbours.
    pub term: u64,
}

/// Our lease, and whether it holds the pair's key.
#[derive(Debug, Clone, Default)]
pub(super) struct Lease {
    own: Option<Own>,
    held: Option<Token>,
}

#[derive(Debug, Clone, Copy)]
struct Own {
    id: i64,
    ttl_ms: u64,
    /// When the last request was sent that made it live on.
    sent_ms: u64,
}

impl Lease {
    /// The lease to keep alive; `None` where one has to be asked for.
    pub(super) fn id(&self) -> Option<i64> {
        self.own.map(|own| own.id)
    }

    /// What we hold the key with.
    pub(super) const fn held(&self) -> Option<Token> {
        self.held
    }

    /// etcd gave a lease; asked for at `sent_ms`.
    pub(super) fn granted(&mut self, id: i64, ttl_ms: u64, sent_ms: u64) {
        self.own = Some(Own { id, ttl_ms, sent_ms });
        self.held = None;
    }

    /// etcd answered a keep-alive of `sent_ms`; a time to live of 0 means that the lease is over.
    pub(super) fn renewed(&mut self, id: i64, ttl_ms: u64, sent_ms: u64) {
        let Some(own) = self.own.as_mut().filter(|own| own.id == id) else {
            return;
        };
        if ttl_ms == 0 {
            self.own = None;
            self.held = None;
        } else {
            own.ttl_ms = ttl_ms;
            own.sent_ms = own.sent_ms.max(sent_ms);
        }
    }

    /// etcd said who holds the key: the lease that it hangs on, and its token; `None` for nobody.
    pub(super) fn seen(&mut self, holder: Option<(i64, Token)>) {
        let own = self.id();
        self.held = holder.filter(|(id, _)| Some(*id) == own).map(|(_, token)| token);
    }

    /// Holds the key no longer, by our own will.
    pub(super) fn resign(&mut self) {
        self.held = None;
    }

    /// Until when the holder may write, ms; `None` where we do not hold the key.
    pub(super) fn writes_until_ms(&self) -> Option<u64> {
        let own = self.own.filter(|_| self.held.is_some())?;
        Some(own.sent_ms.saturating_add(own.ttl_ms - own.ttl_ms / MARGIN))
    }
}

#[cfg(test)]
mod tests;
