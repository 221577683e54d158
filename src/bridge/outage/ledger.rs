//! What is remembered for one tenant beyond a request and beyond the process: what it owes to the directory, and which
//! ids were given out. A ledger outlives a reload of the configuration.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::store::{ItemQuery, State, Store, StoreFault};

use super::super::order::{Locks, Turn};
use super::super::shadow::Backlog;
use super::super::unmet::Stuck;
use super::keep::now;
use super::leaving::Leaving;
use super::waiting::{Waiting, Waits};
use super::{Aliases, Pulse};

/// What one tenant owes, and to whom it gave which id.
pub struct Ledger {
    pub(in crate::bridge) store: Store,
    pub(in crate::bridge) tenant: Arc<str>,
    pub(in crate::bridge) aliases: Arc<Aliases>,
    /// What the directory has done and the shadow does not show yet.
    pub(in crate::bridge) backlog: Arc<Backlog>,
    /// Entries that are leaving their name just now.
    pub(super) leaving: Arc<Leaving>,
    /// One intent at a time for each resource, from the question whether it has to wait until it does.
    turns: Locks,
    /// The highest number that an item was given.
    accepted: AtomicI64,
    /// All items up to this number are done or wait for a person.
    settled: AtomicI64,
    /// The resources of which items wait for a person.
    stuck: RwLock<Arc<Stuck>>,
    /// When something was last carried out or accepted, in milliseconds since 1970; 0: never.
    synced: AtomicI64,
    /// The daemon ends.
    pub(super) ending: Arc<AtomicBool>,
    /// References to somebody who is not there yet.
    pub(super) waiting: Waiting,
    wake: Notify,
    at_work: Mutex<()>,
}

impl Ledger {
    /// What `store` holds for `tenant`.
    ///
    /// # Errors
    /// When the store can't be read, or another process has it.
    pub async fn open(store: Store, tenant: Arc<str>) -> Result<Arc<Self>, StoreFault> {
        let leaving = Arc::new(Leaving::open(&store, &tenant).await?);
        let aliases = Arc::new(Aliases::default());
        let (space, known) = (Arc::clone(&tenant), Arc::clone(&aliases));
        let (accepted, synced, waits) = store
            .read(move |session| async move {
                session.aliases(&space, &mut |given, real| known.add(given, real))?;
                // Of a long queue only the end is looked for: the drain reads it.
                let last = session.last_item(&space, &[State::Owed, State::Parked, State::Held])?.unwrap_or(0);
                let mut waits = Vec::new();
                session.owed_resources(&space, Some(State::Waiting), &mut |item| waits.extend(Waits::of(item)))?;
                let synced = Pulse::last(&session, &space)?.and_then(|pulse| pulse.synced);
                Ok::<_, StoreFault>((last, synced.unwrap_or(0), waits))
            })
            .await?;
        let (accepted, settled, synced) = (AtomicI64::new(accepted), AtomicI64::new(0), AtomicI64::new(synced));
        let (turns, wake, at_work) = (Locks::default(), Notify::new(), Mutex::new(()));
        let (stuck, waiting) = (RwLock::default(), Waiting::default());
        waiting.add(waits);
        let backlog = Arc::new(Backlog::open(&store, &tenant).await);
        Ok(Arc::new(Self {
            store,
            tenant,
            aliases,
            backlog,
            leaving,
            turns,
            accepted,
            settled,
            stuck,
            synced,
            ending: Arc::default(),
            waiting,
            wake,
            at_work,
        }))
    }

    /// Whether anything is left that will be done without a person.
    pub(in crate::bridge) fn owes(&self) -> bool {
        self.accepted.load(Ordering::Acquire) > self.settled.load(Ordering::Acquire)
    }

    /// Whether an intent about this resource has to wait behind an item that waits for a person.
    pub(in crate::bridge) fn is_stuck(&self, id: &str) -> bool {
        self.stuck().contains_key(id)
    }

    /// Whether anything waits for a person.
    pub(in crate::bridge) fn has_stuck(&self) -> bool {
        !self.stuck().is_empty()
    }

    /// Whether the item that is to make this resource waits for a person.
    pub(in crate::bridge) fn lacks(&self, id: &str) -> bool {
        self.stuck().get(id).copied().unwrap_or(false)
    }

    /// The resources of which items wait for a person.
    pub(super) fn stuck(&self) -> Arc<Stuck> {
        Arc::clone(&self.stuck.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(in crate::bridge) async fn turn(&self, key: String) -> Turn {
        self.turns.turn(key).await
    }

    /// The highest number that an item was given: all up to it are on disk.
    pub(super) fn accepted(&self) -> i64 {
        self.accepted.load(Ordering::Acquire)
    }

    /// Whether there are items behind number `last`.
    pub(super) fn has_more(&self, last: i64) -> bool {
        self.accepted.load(Ordering::Acquire) > last
    }

    /// An item is on disk.
    pub(super) fn note_accepted(&self, number: i64) {
        self.accepted.fetch_max(number, Ordering::AcqRel);
        self.wake.notify_one();
    }

    pub(super) fn note_settled(&self, number: i64) {
        self.settled.store(number, Ordering::Release);
    }

    pub(super) fn note_stuck(&self, stuck: Arc<Stuck>) {
        *self.stuck.write().unwrap_or_else(PoisonError::into_inner) = stuck;
    }

    /// A request to change something was just carried out or accepted.
    pub(in crate::bridge) fn note_synced(&self) {
        self.synced.store(now(), Ordering::Relaxed);
    }

    /// When that was last, in milliseconds since 1970.
    pub(super) fn synced(&self) -> Option<i64> {
        Some(self.synced.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    /// Has the drain look at what there is to do.
    pub(in crate::bridge) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// There is one drain at a time, also while a reload replaces it.
    pub(super) async fn work(&self) -> MutexGuard<'_, ()> {
        self.at_work.lock().await
    }

    /// The items of this tenant behind number `after`.
    pub(super) fn query(&self, after: i64, limit: usize) -> ItemQuery {
        ItemQuery { space: Some(self.tenant.to_string()), after, limit, ..ItemQuery::default() }
    }
}
