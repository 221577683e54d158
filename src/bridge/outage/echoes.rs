//! What the directory has done is noted for the shadow, before the client is told that it is done: when the directory
//! goes away in the next moment, the shadow knows what the client knows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::super::shadow::{self, Echo, Shape};
use super::keep::{Keep, now};
use crate::directory::Dn;
use crate::store::{Store, StoreFault};

/// How often it is looked whether there is time to work notes in.
const LOOK: Duration = Duration::from_secs(2);
/// So few notes in that time mean that there is.
const CALM: u64 = 200;
/// At so many they are worked in at any rate: a shadow that is needed must not be far behind.
const BEHIND: u64 = 20_000;
/// How often it is tried to get to the end of notes that go on coming.
const ROUNDS: u32 = 20;

/// Notes for the shadow what the directory has done. Cheap to clone.
#[derive(Clone)]
pub(in crate::bridge) struct Echoes {
    store: Store,
    shape: Arc<Shape>,
}

impl Echoes {
    pub fn new(store: Store, shape: Arc<Shape>) -> Self {
        Self { store, shape }
    }

    /// Returns when a killed process would not lose it any more.
    pub async fn repeat(&self, echo: Echo<'_>) {
        if let Some(dn) = echo.leaves() {
            self.shape.backlog.left.note(dn);
        }
        shadow::note(&self.store, &self.shape, &echo).await;
    }

    /// Nothing refers to the name any more that an entry has left.
    pub fn tidied(&self, old: &Dn) {
        self.shape.backlog.left.tidied(old, now());
    }
}

impl Keep {
    /// Works into the shadow what the directory is known to have done, before the shadow is read.
    pub(super) async fn catch_up(&self) -> Result<(), StoreFault> {
        self.ledger.backlog.catch_up(&self.ledger.store, &self.shape, false).await
    }
}

/// Works notes in when there is time for it, until the configuration is replaced.
pub(super) async fn follow(keep: Keep, mut stop: watch::Receiver<()>) {
    let backlog = &keep.ledger.backlog;
    let mut before = backlog.noted();
    while !matches!(timeout(LOOK, stop.changed()).await, Ok(Err(_closed))) {
        let noted = backlog.noted();
        let calm = noted - before < CALM;
        before = noted;
        // New ones come meanwhile; the file is only emptied when there are none.
        let mut rounds = if calm || backlog.len() > BEHIND { ROUNDS } else { 0 };
        while rounds > 0 && backlog.is_behind() {
            rounds -= 1;
            if let Err(fault) = backlog.catch_up(&keep.ledger.store, &keep.shape, true).await {
                tracing::warn!(%fault, "what the directory did can't be written into the tables now");
                rounds = 0;
            }
        }
    }
}
