//! A thread that reads: each job sees the store as it was when it first looked.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc};

use super::fault::explain;
use super::{Slot, runtime};
use crate::store::job::Job;
use crate::store::{Session, StoreFault};

pub(super) struct Reader {
    path: Arc<Path>,
    runtime: Runtime,
    queue: Arc<Mutex<mpsc::Receiver<Box<dyn Job>>>>,
    connection: Option<Connection>,
}

impl Reader {
    pub(super) fn new(
        path: Arc<Path>,
        connection: Connection,
        queue: Arc<Mutex<mpsc::Receiver<Box<dyn Job>>>>,
    ) -> Result<Self, StoreFault> {
        Ok(Self { path, runtime: runtime()?, queue, connection: Some(connection) })
    }

    /// Lives until nobody can ask for anything any more.
    pub(super) fn live(mut self) {
        while let Some(mut job) = self.runtime.block_on(async { self.queue.lock().await.recv().await }) {
            let outcome = self.run(&mut *job);
            job.finish(outcome);
        }
    }

    fn run(&mut self, job: &mut dyn Job) -> Result<(), StoreFault> {
        self.execute("BEGIN")?;
        let connection = self.connection.take().ok_or_else(StoreFault::closed)?;
        let slot = Arc::new(Slot::new(Arc::clone(&self.path), connection));
        job.run(Session::new(Arc::clone(&slot), false), &self.runtime);
        (self.connection, _) = slot.take();
        if self.connection.as_ref().is_some_and(Connection::is_autocommit) { Ok(()) } else { self.execute("ROLLBACK") }
    }

    fn execute(&self, statement: &str) -> Result<(), StoreFault> {
        let connection = self.connection.as_ref().ok_or_else(StoreFault::closed)?;
        let done = connection.prepare_cached(statement).and_then(|mut it| it.execute([]).map(drop));
        done.map_err(|error| explain(&self.path, &error))
    }
}
