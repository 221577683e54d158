//! What the directory has done is noted for the shadow, before the client is told that it is done: when the directory
//! goes away in the next moment, the shadow knows what the client knows. Notes are worked in when there is time for
//! it, and always before the shadow is read or changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::shadow::{Echo, Note, Shadow, Shape};
use super::Ledger;
use crate::store::{Durability, Session, StoreFault};

/// Notes that are worked in by one job, so that others need not wait for long.
const TOGETHER: usize = 200;

/// Notes for the shadow what the directory has done. Cheap to clone.
#[derive(Clone)]
pub(in crate::bridge) struct Echoes {
    ledger: Arc<Ledger>,
    shape: Arc<Shape>,
    /// Something could not be noted: the directory has to be read again.
    missed: Arc<AtomicBool>,
}

impl Echoes {
    pub fn new(ledger: Arc<Ledger>, shape: Arc<Shape>, missed: Arc<AtomicBool>) -> Self {
        Self { ledger, shape, missed }
    }

    /// Returns when a killed process would not lose it any more.
    pub async fn repeat(&self, echo: Echo) {
        let (ledger, shape) = (Arc::clone(&self.ledger), Arc::clone(&self.shape));
        let note = Note::of(&echo, &shape);
        let job = move |session: Session| async move {
            // Here, in the order of the store's jobs: whoever works notes in afterwards finds this one.
            ledger.note_echo();
            note.keep(&session, &shape)
        };
        let outcome: Result<(), StoreFault> = self.ledger.store.write(Durability::Soon, job).await;
        if let Err(fault) = outcome
            && !self.missed.swap(true, Ordering::AcqRel)
        {
            tracing::error!(%fault, "the store can't follow what the directory does; it will be read again");
        }
    }
}

/// Works in what was noted, if anything was.
pub(super) async fn catch_up(ledger: &Arc<Ledger>, shape: &Arc<Shape>) -> Result<(), StoreFault> {
    while ledger.unworked() > 0 {
        let (known, shape) = (Arc::clone(ledger), Arc::clone(shape));
        let job = move |session: Session| async move {
            // No other job is at work now: what is counted is kept.
            let noted = known.noted();
            let all = Shadow::open(session, &shape)?.catch_up(TOGETHER)?;
            Ok::<_, StoreFault>(all.then_some(noted))
        };
        if let Some(noted) = ledger.store.write(Durability::Soon, job).await? {
            ledger.note_worked_in(noted);
        }
    }
    Ok(())
}
