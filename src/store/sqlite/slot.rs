//! Where the connection lies while a job may use it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::fault::explain;
use crate::store::StoreFault;

/// Lends a connection to one job. A session that is kept after its job finds it empty.
#[derive(Debug)]
pub(in crate::store) struct Slot {
    path: Arc<Path>,
    lent: Mutex<Lent>,
}

#[derive(Debug, Default)]
struct Lent {
    connection: Option<Connection>,
    /// The last thing that went wrong.
    fault: Option<StoreFault>,
}

impl Slot {
    pub(super) fn new(path: Arc<Path>, connection: Connection) -> Self {
        Self { path, lent: Mutex::new(Lent { connection: Some(connection), fault: None }) }
    }

    /// Takes the connection back, and what went wrong last.
    pub(super) fn take(&self) -> (Option<Connection>, Option<StoreFault>) {
        let mut lent = self.lock();
        (lent.connection.take(), lent.fault.take())
    }

    /// Does one thing on the connection.
    pub(in crate::store) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreFault> {
        let mut lent = self.lock();
        let Some(connection) = lent.connection.as_ref() else { return Err(StoreFault::closed()) };
        // SQLite ends a transaction by itself on some faults. What came after would be kept at once and for good.
        if connection.is_autocommit() {
            return Err(lent.fault.clone().unwrap_or_else(StoreFault::closed));
        }
        work(connection).map_err(|error| lent.fault.insert(explain(&self.path, &error)).clone())
    }

    fn lock(&self) -> MutexGuard<'_, Lent> {
        // A panic leaves nothing half done here: the job's changes are undone with its savepoint.
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
