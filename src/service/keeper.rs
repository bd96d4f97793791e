//! Keeps the record on a thread of its own, so that a slow or full disk never delays a cycle.

use crate::api::{Figures, StoreView};
use crate::cycle::{CycleRecord, Mind};
use crate::site::Site;
use crate::snapshot::Now;
use crate::store::{Books, Store};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Entries that may wait for the disk before further ones are counted as lost.
const QUEUE: usize = 256;

/// The memory at a moment: where a restart or a replay begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// When.
    pub now: Now,
    /// The memory.
    pub mind: Mind,
    /// It came from the other controller of a pair: what follows goes on from it, not from the cycle before.
    pub adopted: bool,
}

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// The memory before the cycles that follow.
    Checkpoint(Box<Checkpoint>),
    /// A cycle.
    Cycle(Box<CycleRecord>),
}

/// The thread that writes, and the store that it shares with readers.
pub(super) struct Keeper {
    store: Arc<Mutex<Store>>,
    sender: Option<SyncSender<(Entry, Option<Figures>)>>,
    thread: Option<JoinHandle<()>>,
    lost: AtomicU64,
    last_view: Mutex<StoreView>,
}

impl Keeper {
    pub(super) fn start(store: Store, mut books: Option<Books>, site: Arc<Site>) -> std::io::Result<Self> {
        let store = Arc::new(Mutex::new(store));
        let (sender, receiver) = sync_channel::<(Entry, Option<Figures>)>(QUEUE);
        let writer = Arc::clone(&store);
        let thread = std::thread::Builder::new().name("keeper".into()).spawn(move || {
            while let Ok((entry, figures)) = receiver.recv() {
                let mut store = writer.lock().unwrap_or_else(PoisonError::into_inner);
                write(&mut store, &site, &entry, figures.as_ref());
                drop(store);
                if let (Some(books), Entry::Cycle(record)) = (&mut books, &entry)
                    && let Some(page) = &record.page
                    && let Err(error) = books.append(record.now.wall_ms, page)
                {
                    tracing::warn!(%error, "the page of the books waits in memory until the disk takes it");
                }
            }
            if let Some(Err(error)) = books.as_mut().map(Books::flush) {
                tracing::error!(%error, "pages of the books are lost");
            }
        })?;
        Ok(Self {
            store,
            sender: Some(sender),
            thread: Some(thread),
            lost: AtomicU64::default(),
            last_view: Mutex::default(),
        })
    }

    /// Hands an entry over, and the figures of its cycle; never waits. Where the queue is full they are lost and counted.
    pub(super) fn keep(&self, entry: Entry, figures: Option<Figures>) {
        let Some(sender) = &self.sender else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sender.try_send((entry, figures)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Entries that found the queue full.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// The store, for readers.
    pub(super) fn store(&self) -> Arc<Mutex<Store>> {
        Arc::clone(&self.store)
    }

    /// The store's state as last shown.
    pub(super) fn last_view(&self) -> StoreView {
        self.last_view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes the store's state for cycles in which the store is busy.
    pub(super) fn remember(&self, view: StoreView) {
        *self.last_view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }

    /// Waits until everything handed over is written.
    pub(super) fn finish(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the keeper's thread panicked");
        }
    }
}

fn write(store: &mut Store, site: &Site, entry: &Entry, figures: Option<&Figures>) {
    let (now, samples) = match entry {
        Entry::Checkpoint(checkpoint) => (checkpoint.now, None),
        Entry::Cycle(record) => (record.now, Some(&record.inputs.snapshot)),
    };
    if let Err(error) = store.append_record(now, entry) {
        tracing::warn!(%error, "the record was not kept");
    }
    if let Some(snapshot) = samples
        && let Err(error) = store.append_samples(site, snapshot)
    {
        tracing::warn!(%error, "the samples were not kept");
    }
    if let Some(figures) = figures
        && let Err(error) = store.append_figures(now, |take| figures.each(take))
    {
        tracing::warn!(%error, "the figures were not kept");
    }
    if let Entry::Checkpoint(checkpoint) = entry {
        match postcard::to_stdvec(checkpoint) {
            Ok(bytes) => {
                if let Err(error) = store.save_mind(&bytes) {
                    tracing::warn!(%error, "the memory was not saved");
                }
            }
            Err(error) => tracing::error!(%error, "the memory could not be serialised"),
        }
    }
}
