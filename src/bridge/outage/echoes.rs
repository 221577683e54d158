//! What the directory has done is repeated on the shadow, before the client is told that it is done: when the directory
//! goes away in the next moment, the shadow knows what the client knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::shadow::{Echo, Shadow, Shape};
use crate::store::{Durability, Session, Store, StoreFault};

/// Repeats on the shadow what the directory has done. Cheap to clone.
#[derive(Clone)]
pub(in crate::bridge) struct Echoes {
    store: Store,
    shape: Arc<Shape>,
    /// Something could not be repeated: the directory has to be read again.
    missed: Arc<AtomicBool>,
}

impl Echoes {
    pub fn new(store: Store, shape: Arc<Shape>, missed: Arc<AtomicBool>) -> Self {
        Self { store, shape, missed }
    }

    /// Returns when a killed process would not lose it any more.
    pub async fn repeat(&self, echo: Echo) {
        let shape = Arc::clone(&self.shape);
        let job = move |session: Session| async move { Shadow::open(session, &shape)?.echo(&echo) };
        let outcome: Result<(), StoreFault> = self.store.write(Durability::Soon, job).await;
        if let Err(fault) = outcome
            && !self.missed.swap(true, Ordering::AcqRel)
        {
            tracing::error!(%fault, "the store can't follow what the directory does; it will be read again");
        }
    }
}
