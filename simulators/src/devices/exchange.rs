//! Who is connected to the broker, who asked for what, and what is retained.

use rumqttc::mqttbytes::v4::{Packet, Publish, Subscribe, SubscribeReasonCode};
use rumqttc::mqttbytes::{QoS, valid_filter};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// What all connections share.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchange(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(super) struct State {
    /// By number of the connection.
    sessions: BTreeMap<u64, Session>,
    retained: BTreeMap<String, Publish>,
    lost: u64,
}

#[derive(Debug)]
struct Session {
    client_id: String,
    filters: Vec<(String, QoS)>,
    outbox: mpsc::Sender<Packet>,
    last_id: u16,
}

impl Exchange {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Clients connected now.
    pub(super) fn clients(&self) -> usize {
        self.sessions.len()
    }

    /// Messages lost because a subscriber did not read.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes a client out.
    pub(super) fn leave(&mut self, number: u64) {
        self.sessions.remove(&number);
    }

    /// Takes a client in; an older connection of the same client goes.
    pub(super) fn join(&mut self, number: u64, client_id: &str, outbox: mpsc::Sender<Packet>) {
        self.sessions
            .retain(|_, session| client_id.is_empty() || session.client_id != client_id);
        let client_id = client_id.to_owned();
        self.sessions.insert(
            number,
            Session {
                client_id,
                filters: Vec::new(),
                outbox,
                last_id: 0,
            },
        );
    }

    pub(super) fn subscribe(&mut self, number: u64, subscribe: &Subscribe) -> Vec<SubscribeReasonCode> {
        let mut codes = Vec::new();
        let mut matching = Vec::new();
        let Some(session) = self.sessions.get_mut(&number) else {
            return codes;
        };
        for filter in &subscribe.filters {
            if !valid_filter(&filter.path) {
                codes.push(SubscribeReasonCode::Failure);
                continue;
            }
            let qos = least(filter.qos, QoS::AtLeastOnce);
            session.filters.retain(|(path, _)| *path != filter.path);
            session.filters.push((filter.path.clone(), qos));
            codes.push(SubscribeReasonCode::Success(qos));
            matching.extend(
                self.retained
                    .values()
                    .filter(|kept| matches(&kept.topic, &filter.path))
                    .cloned()
                    .map(|kept| (kept, qos)),
            );
        }
        for (kept, qos) in matching {
            self.lost += u64::from(!session.deliver(&kept, qos, true));
        }
        codes
    }

    pub(super) fn unsubscribe(&mut self, number: u64, topics: &[String]) {
        if let Some(session) = self.sessions.get_mut(&number) {
            session.filters.retain(|(path, _)| !topics.contains(path));
        }
    }

    /// Hands a message to everyone who asked for it, once each, and keeps it where it is retained.
    pub(super) fn route(&mut self, publish: &Publish) {
        if publish.retain {
            if publish.payload.is_empty() {
                self.retained.remove(&publish.topic);
            } else {
                self.retained.insert(publish.topic.clone(), publish.clone());
            }
        }
        for session in self.sessions.values_mut() {
            let asked = session
                .filters
                .iter()
                .filter(|(path, _)| matches(&publish.topic, path))
                .map(|(_, qos)| *qos);
            if let Some(qos) = asked.max_by_key(|qos| *qos as u8) {
                self.lost += u64::from(!session.deliver(publish, qos, false));
            }
        }
    }
}

impl Session {
    /// Queues a message; false where the queue is full.
    fn deliver(&mut self, publish: &Publish, asked: QoS, retain: bool) -> bool {
        let mut message = publish.clone();
        message.qos = least(least(publish.qos, asked), QoS::AtLeastOnce);
        message.retain = retain;
        message.dup = false;
        message.pkid = 0;
        if message.qos == QoS::AtLeastOnce {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            message.pkid = self.last_id;
        }
        self.outbox.try_send(Packet::Publish(message)).is_ok()
    }
}

fn least(a: QoS, b: QoS) -> QoS {
    if (a as u8) < (b as u8) { a } else { b }
}

/// Whether a topic matches a filter with `+` for one level and a last `#` for all below. Topics that start with `$` match
/// no filter that starts with a wildcard.
fn matches(topic: &str, filter: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_as_in_the_standard() {
        for (topic, filter, wanted) in [
            ("a/b/c", "a/b/c", true),
            ("a/b/c", "a/+/c", true),
            ("a/b/c", "a/#", true),
            ("a", "a/#", true),
            ("a/b/c", "#", true),
            ("a/b/c", "a/b", false),
            ("a/b", "a/b/+", false),
            ("a/b", "a/b/c", false),
            ("/a", "+/a", true),
            ("$SYS/x", "#", false),
            ("$SYS/x", "$SYS/#", true),
            ("é/x", "+/x", true),
        ] {
            assert_eq!(matches(topic, filter), wanted, "{topic} {filter}");
        }
    }
}
