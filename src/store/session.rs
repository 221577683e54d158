//! What a job works on.

use std::sync::Arc;

use super::StoreFault;
use super::sqlite::{Answer, Connection, Slot};

/// The store during one job. It can be cloned and held across awaits, but is of no use after the job.
#[derive(Debug, Clone)]
pub struct Session {
    slot: Arc<Slot>,
    writes: bool,
}

impl Session {
    pub(super) fn new(slot: Arc<Slot>, writes: bool) -> Self {
        Self { slot, writes }
    }

    /// Whether the job may change the store.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.writes
    }

    /// Does one thing on the connection.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Connection) -> Answer<T>) -> Result<T, StoreFault> {
        self.slot.with(work)
    }
}
