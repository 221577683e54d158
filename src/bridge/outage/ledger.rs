//! What is remembered for one tenant beyond a request and beyond the process: what it owes to the directory, and which
//! ids were given out. A ledger outlives a reload of the configuration.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::store::{ItemQuery, Store, StoreFault};

use super::super::order::{Locks, Turn};
use super::Aliases;

/// What one tenant owes, and to whom it gave which id.
pub struct Ledger {
    pub(in crate::bridge) store: Store,
    pub(in crate::bridge) tenant: Arc<str>,
    pub(in crate::bridge) aliases: Arc<Aliases>,
    /// One intent at a time for each resource, from the question whether it has to wait until it does.
    turns: Locks,
    /// The highest number that an item was given.
    accepted: AtomicI64,
    /// All items up to this number are done or wait for a person.
    settled: AtomicI64,
    /// Resources that items which wait for a person change (true) or refer to (false).
    stuck: RwLock<Arc<HashMap<Arc<str>, bool>>>,
    /// How many echoes were noted, and how many of them are worked into the shadow.
    noted: AtomicU64,
    worked_in: AtomicU64,
    wake: Notify,
    at_work: Mutex<()>,
}

impl Ledger {
    /// What `store` holds for `tenant`.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn open(store: Store, tenant: Arc<str>) -> Result<Arc<Self>, StoreFault> {
        let aliases = Arc::new(Aliases::default());
        let (space, known) = (Arc::clone(&tenant), Arc::clone(&aliases));
        let accepted = store
            .read(move |session| async move {
                session.aliases(&space, &mut |given, real| known.add(given, real))?;
                let mut last = 0;
                session.owed_resources(&space, &mut |item| last = item.number)?;
                Ok::<_, StoreFault>(last)
            })
            .await?;
        let (accepted, settled) = (AtomicI64::new(accepted), AtomicI64::new(0));
        let (turns, wake, at_work) = (Locks::default(), Notify::new(), Mutex::new(()));
        // An earlier process may have left some.
        let (noted, worked_in) = (AtomicU64::new(1), AtomicU64::new(0));
        let stuck = RwLock::default();
        Ok(Arc::new(Self { store, tenant, aliases, turns, accepted, settled, stuck, noted, worked_in, wake, at_work }))
    }

    /// Whether anything is left that will be done without a person.
    pub(in crate::bridge) fn owes(&self) -> bool {
        self.accepted.load(Ordering::Acquire) > self.settled.load(Ordering::Acquire)
    }

    /// Whether an intent about this resource would have to wait behind an item that waits for a person.
    pub(in crate::bridge) fn is_stuck(&self, id: &str) -> bool {
        self.stuck.read().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    /// Whether anything waits for a person.
    pub(in crate::bridge) fn has_stuck(&self) -> bool {
        !self.stuck.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether an item that waits for a person changes this resource.
    pub(in crate::bridge) fn changes_stuck(&self, id: &str) -> bool {
        self.stuck.read().unwrap_or_else(PoisonError::into_inner).get(id).copied().unwrap_or(false)
    }

    pub(in crate::bridge) async fn turn(&self, key: String) -> Turn {
        self.turns.turn(key).await
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

    pub(super) fn note_stuck(&self, stuck: HashMap<Arc<str>, bool>) {
        *self.stuck.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(stuck);
    }

    /// An echo is being noted.
    pub(super) fn note_echo(&self) {
        self.noted.fetch_add(1, Ordering::AcqRel);
    }

    /// How many echoes were noted since this process began.
    pub(super) fn noted(&self) -> u64 {
        self.noted.load(Ordering::Acquire)
    }

    /// How many of them are not worked in, at most.
    pub(super) fn unworked(&self) -> u64 {
        self.noted().saturating_sub(self.worked_in.load(Ordering::Acquire))
    }

    /// The first of them, so many, are worked in, and that is kept.
    pub(super) fn note_worked_in(&self, noted: u64) {
        self.worked_in.fetch_max(noted, Ordering::AcqRel);
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
