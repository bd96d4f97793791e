//! The task that keeps the lease alive, takes the key where nobody has it, and carries the shared memory.

use super::etcd::Etcd;
use super::lease::{Lease, Token};
use super::permit::{Permit, boot_ms};
use crate::site::PairSettings;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Rounds in a lease's time to live: four may fail before the holder stops.
const ROUNDS: u32 = 6;

/// Longest wait between two rounds.
const LONGEST_ROUND: Duration = Duration::from_secs(1);

/// Largest shared memory, bytes: in base64 it fits etcd's limit of 1.5 MiB for a request.
pub(super) const LARGEST: usize = 1_000_000;

/// Longest that giving the key up may take.
const RESIGN: Duration = Duration::from_secs(2);

/// How it stands with the pair.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// What we hold the key with; `None` where we do not.
    pub held: Option<Token>,
    /// Who holds it, as far as we know; empty for nobody.
    pub holder: String,
    /// Controllers that live, this one among them.
    pub members: usize,
    /// Why etcd does not answer; `None` where it does.
    pub trouble: Option<String>,
    /// How often we have taken the key since the start.
    pub taken: u64,
    /// Rounds that failed since the start.
    pub failures: u64,
}

/// This controller's part in a pair.
#[derive(Debug)]
pub struct Pair {
    id: String,
    permit: Permit,
    status: watch::Receiver<Status>,
    share: watch::Sender<Option<Arc<Vec<u8>>>>,
    shared: watch::Receiver<Option<Arc<Vec<u8>>>>,
    resign: mpsc::Sender<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.permit.take();
        self.task.abort();
    }
}

impl Pair {
    /// Starts to take part, for the pair of `settings`, or of the site's name where they name none.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// An endpoint or a TLS file that cannot be used.
    pub fn start(settings: &PairSettings, site: &str) -> Result<Self, String> {
        let ttl = Duration::try_from_secs_f64(settings.ttl_s).map_err(|error| format!("pair.ttl_s: {error}"))?;
        let round = (ttl / ROUNDS).min(LONGEST_ROUND);
        let etcd = Etcd::new(settings, site, round)?;
        let permit = Permit::never();
        let (status_sender, status) = watch::channel(Status::default());
        let (share, to_share) = watch::channel(None);
        let (shared_sender, shared) = watch::channel(None);
        let (resign, resigns) = mpsc::channel(1);
        let campaign = Campaign {
            id: settings.id.clone(),
            ttl_s: ttl.as_secs().max(1),
            etcd,
            lease: Lease::default(),
            permit: permit.clone(),
            status: status_sender,
            to_share,
            shared: shared_sender,
            mind_revision: 0,
            resigned: false,
        };
        Ok(Self {
            id: settings.id.clone(),
            permit,
            status,
            share,
            shared,
            resign,
            task: tokio::spawn(campaign.run(round, resigns)),
        })
    }

    /// What this controller is called.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is asked before every write.
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Waits until we may write where `active` is false, or may not where it is true; looked at in every round.
    pub async fn turns(&mut self, active: bool) {
        while self.token().is_some() == active {
            if self.status.changed().await.is_err() {
                // The task is gone, and with it every turn.
                std::future::pending::<()>().await;
            }
        }
    }

    /// What we may write with now; `None` where it is not our turn.
    pub fn token(&self) -> Option<Token> {
        self.status.borrow().held.filter(|_| self.permit.allows())
    }

    /// Shares our memory with the other one, while we hold the key; the newest replaces one that waits.
    ///
    /// # Errors
    /// Where it is too large for etcd.
    pub fn share(&self, mind: Vec<u8>) -> Result<(), String> {
        if mind.len() > LARGEST {
            let text = format!(
                "the memory has {} bytes packed, and etcd takes {LARGEST}: the other controller goes on with its own",
                mind.len()
            );
            return Err(text);
        }
        self.share.send_replace(Some(Arc::new(mind)));
        Ok(())
    }

    /// The memory that the other one has shared since the last call.
    pub fn take_shared(&mut self) -> Option<Arc<Vec<u8>>> {
        if self.shared.has_changed().unwrap_or(false) {
            self.shared.borrow_and_update().clone()
        } else {
            None
        }
    }

    /// Writes no more, shares what waits to be shared and gives the key up, within a bounded time.
    pub async fn resign(self) {
        self.permit.take();
        let (done, told) = oneshot::channel();
        let resign = async {
            if self.resign.send(done).await.is_ok() {
                told.await.ok();
            }
        };
        if tokio::time::timeout(RESIGN, resign).await.is_err() {
            tracing::warn!("etcd did not take the lease back in time: the other controller waits for its end");
        }
    }
}

struct Campaign {
    id: String,
    ttl_s: u64,
    etcd: Etcd,
    lease: Lease,
    permit: Permit,
    status: watch::Sender<Status>,
    to_share: watch::Receiver<Option<Arc<Vec<u8>>>>,
    shared: watch::Sender<Option<Arc<Vec<u8>>>>,
    /// Of the memory that was shared last, by whomever.
    mind_revision: u64,
    resigned: bool,
}

impl Campaign {
    async fn run(mut self, round: Duration, mut resigns: mpsc::Receiver<oneshot::Sender<()>>) {
        let mut ticks = tokio::time::interval(round);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(done) = resigns.recv() => {
                    self.resign().await;
                    // Nobody waits any longer where this fails.
                    done.send(()).ok();
                    return;
                }
                _ = ticks.tick() => {}
            }
            let outcome = self.round().await;
            self.settle();
            let trouble = outcome.err();
            let held = self.lease.held();
            self.status.send_modify(|status| {
                status.failures += u64::from(trouble.is_some());
                if held.is_some() && held != status.held {
                    status.taken += 1;
                }
                status.held = held;
                status.trouble = trouble;
            });
        }
    }

    /// Gives or takes the permission to write by what the lease says.
    fn settle(&self) {
        match (self.lease.writes_until_ms(), self.lease.held()) {
            (Some(until_ms), Some(token)) if !self.resigned => self.permit.give(until_ms, token.revision),
            _ => self.permit.take(),
        }
    }

    async fn round(&mut self) -> Result<(), String> {
        let sent_ms = boot_ms();
        if let Some(id) = self.lease.id() {
            let ttl_ms = self.etcd.keep_alive(id).await?;
            self.lease.renewed(id, ttl_ms, sent_ms);
            self.settle();
        }
        let id = if let Some(id) = self.lease.id() {
            id
        } else {
            let sent_ms = boot_ms();
            let (id, ttl_ms) = self.etcd.grant(self.ttl_s).await?;
            self.etcd.announce(id, &self.id).await?;
            self.lease.granted(id, ttl_ms, sent_ms);
            id
        };
        let mut sight = self.etcd.look().await?;
        if self.lease.held().is_none() && sight.mind_revision != self.mind_revision {
            // Before the key: whoever takes it goes on from what was shared last.
            if let Some(mind) = self.etcd.mind().await? {
                self.shared.send_replace(Some(Arc::new(mind)));
            }
            self.mind_revision = sight.mind_revision;
        }
        if sight.holder.is_none() {
            sight = self.etcd.campaign(id, &self.id).await?;
        }
        self.lease
            .seen(sight.holder.as_ref().map(|holder| (holder.lease, holder.token)));
        self.settle();
        self.status.send_modify(|status| {
            status.holder = sight
                .holder
                .as_ref()
                .map_or_else(String::new, |holder| holder.name.clone());
            status.members = sight.members;
        });
        if let Some(token) = self.lease.held() {
            self.share(token).await?;
            self.mind_revision = sight.mind_revision;
        }
        Ok(())
    }

    /// Shares the memory that waits to be.
    async fn share(&mut self, token: Token) -> Result<(), String> {
        if self.to_share.has_changed().unwrap_or(false) {
            let mind = self.to_share.borrow_and_update().clone();
            if let Some(mind) = mind {
                self.etcd.share(token, &mind).await?;
            }
        }
        Ok(())
    }

    async fn resign(&mut self) {
        self.resigned = true;
        self.settle();
        let token = self.lease.held();
        self.lease.resign();
        let outcome = async {
            if let Some(token) = token {
                self.share(token).await?;
                self.etcd.resign(token).await?;
            }
            if let Some(id) = self.lease.id() {
                self.etcd.revoke(id).await?;
            }
            Ok::<_, String>(())
        };
        if let Err(error) = outcome.await {
            tracing::warn!(error, "the lease was not given back: it ends by itself");
        }
    }
}
