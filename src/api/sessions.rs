//! Sessions of browsers: a token is given once, a cookie that scripts cannot read stands for it, and whatever changes
//! something carries a second secret that only the page knows, so that another site's page can ask nothing in its name.

use super::people::{Person, equal, random, to_hex};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The cookie.
pub(super) const COOKIE: &str = "isotherm_session";
/// The header with the second secret.
pub(super) const CSRF: &str = "x-csrf-token";
/// Longest life of a session: a shift.
const LIFE: Duration = Duration::from_hours(8);
/// Longest time without a request.
const IDLE: Duration = Duration::from_mins(30);
/// Most sessions at a time; the one that was idle longest goes.
const MOST: usize = 256;

struct Session {
    person: Person,
    csrf: [u8; 32],
    began: Instant,
    used: Instant,
}

/// All sessions, by the hash of their cookie.
#[derive(Default)]
pub(super) struct Sessions(Mutex<BTreeMap<[u8; 32], Session>>);

/// A new session's secrets.
pub(super) struct Opened {
    pub cookie: String,
    pub csrf: String,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, person: &Person, now: Instant) -> io::Result<Opened> {
        let (cookie, csrf) = (to_hex(&random()?), to_hex(&random()?));
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.lives(now));
        while sessions.len() >= MOST {
            let Some(oldest) = sessions
                .iter()
                .min_by_key(|(_, session)| session.used)
                .map(|(key, _)| *key)
            else {
                break;
            };
            sessions.remove(&oldest);
        }
        let session = Session {
            person: person.clone(),
            csrf: Sha256::digest(&csrf).into(),
            began: now,
            used: now,
        };
        sessions.insert(Sha256::digest(&cookie).into(), session);
        Ok(Opened { cookie, csrf })
    }

    /// The person of a cookie; `csrf` is what the request carries, and has to be right where `changes`.
    pub(super) fn find(&self, cookie: &str, csrf: Option<&str>, changes: bool, now: Instant) -> Option<Person> {
        let key: [u8; 32] = Sha256::digest(cookie).into();
        let mut sessions = self.lock();
        let session = sessions.get_mut(&key)?;
        if !session.lives(now) {
            sessions.remove(&key);
            return None;
        }
        if changes {
            let given: [u8; 32] = Sha256::digest(csrf?).into();
            if !equal(&given, &session.csrf) {
                return None;
            }
        }
        session.used = now;
        Some(session.person.clone())
    }

    pub(super) fn close(&self, cookie: &str) {
        let key: [u8; 32] = Sha256::digest(cookie).into();
        self.lock().remove(&key);
    }
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) < LIFE && now.saturating_duration_since(self.used) < IDLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::people::Role;

    fn person() -> Person {
        Person {
            name: "night-shift".into(),
            role: Role::Operator,
        }
    }

    #[test]
    fn a_change_needs_the_second_secret_and_looking_does_not() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let opened = sessions.open(&person(), now).unwrap();
        assert_eq!(sessions.find(&opened.cookie, None, false, now), Some(person()));
        assert_eq!(
            sessions.find(&opened.cookie, Some(&opened.csrf), true, now),
            Some(person())
        );
        for wrong in [None, Some(""), Some(opened.cookie.as_str())] {
            assert_eq!(sessions.find(&opened.cookie, wrong, true, now), None);
        }
        assert_eq!(sessions.find(&opened.csrf, Some(&opened.csrf), true, now), None);
    }

    #[test]
    fn sessions_end_by_themselves_and_when_asked() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let opened = sessions.open(&person(), now).unwrap();
        let later = now + IDLE + Duration::from_secs(1);
        assert_eq!(sessions.find(&opened.cookie, None, false, later), None, "idle");
        let opened = sessions.open(&person(), now).unwrap();
        let mut at = now;
        while at < now + LIFE {
            assert!(sessions.find(&opened.cookie, None, false, at).is_some());
            at += Duration::from_mins(20);
        }
        assert_eq!(
            sessions.find(&opened.cookie, None, false, now + LIFE),
            None,
            "a shift is over"
        );
        let opened = sessions.open(&person(), now).unwrap();
        sessions.close(&opened.cookie);
        assert_eq!(sessions.find(&opened.cookie, None, false, now), None);
    }

    #[test]
    fn their_number_is_bounded() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        for _ in 0..2 * MOST {
            sessions.open(&person(), now).unwrap();
        }
        assert_eq!(sessions.lock().len(), MOST);
    }
}
