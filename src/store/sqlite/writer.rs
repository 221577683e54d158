//! The thread that writes. It runs every job that waits in a savepoint of its own, all of them in one transaction, and
//! tells their callers when that is on the disk: many jobs share one wait for the disk. A job that is alone needs no
//! savepoint, the transaction undoes it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;

use super::fault::explain;
use super::open::PATIENCE;
use super::{Slot, runtime};
use crate::store::job::Job;
use crate::store::{Durability, Session, StoreFault};

/// The most jobs that share a transaction.
const BATCH: usize = 512;
/// When a transaction is ended though more jobs wait.
const SLICE: Duration = Duration::from_millis(20);
/// After so long without a job the log is moved into the file.
const IDLE: Duration = Duration::from_secs(2);

/// What callers ask for.
pub(super) enum Message {
    /// A job, and what its changes must survive.
    Job(Box<dyn Job>, Durability),
    /// The number that changes when another process writes.
    Version(oneshot::Sender<Result<i64, StoreFault>>),
}

pub(super) struct Writer {
    path: Arc<Path>,
    runtime: Runtime,
    queue: mpsc::Receiver<Message>,
    waiting: VecDeque<(Box<dyn Job>, Durability)>,
    connection: Option<Connection>,
    /// The connection waits for the disk on a commit.
    waits_for_disk: bool,
    /// When the log was last written to, until it is moved into the file.
    log_since: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        path: Arc<Path>,
        connection: Connection,
        queue: mpsc::Receiver<Message>,
    ) -> Result<Self, StoreFault> {
        let (runtime, waiting, connection) = (runtime()?, VecDeque::new(), Some(connection));
        Ok(Self { path, runtime, queue, waiting, connection, waits_for_disk: true, log_since: Some(Instant::now()) })
    }

    /// Lives until nobody can ask for anything any more.
    pub(super) fn live(mut self) {
        while self.wait() {
            while !self.waiting.is_empty() {
                self.run_batch();
                self.gather();
            }
        }
    }

    /// Waits for a message; `false`: there will be none.
    fn wait(&mut self) -> bool {
        loop {
            let message = match self.log_since {
                // Questions after the version come all the time; only jobs keep the log busy.
                Some(since) => {
                    let queue = &mut self.queue;
                    self.runtime.block_on(async { timeout_at((since + IDLE).into(), queue.recv()).await })
                }
                None => Ok(self.runtime.block_on(self.queue.recv())),
            };
            match message {
                Ok(Some(message)) => {
                    self.take(message);
                    self.gather();
                    return true;
                }
                Ok(None) => return false,
                Err(_) => self.checkpoint(),
            }
        }
    }

    /// Takes what else waits, up to a batch.
    fn gather(&mut self) {
        while self.waiting.len() < BATCH {
            let Ok(message) = self.queue.try_recv() else { return };
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Job(job, durability) => self.waiting.push_back((job, durability)),
            Message::Version(answer) => {
                let version = self.connection().and_then(|connection| {
                    let version = connection.pragma_query_value(None, "data_version", |row| row.get(0));
                    version.map_err(|error| explain(&self.path, &error))
                });
                // The caller may have gone away.
                let _ = answer.send(version);
            }
        }
    }

    fn run_batch(&mut self) {
        if let Err(fault) = self.begin() {
            for (job, _) in self.waiting.drain(..) {
                job.finish(Err(fault.clone()));
            }
            return;
        }
        let begun = Instant::now();
        let mut done = Vec::with_capacity(self.waiting.len());
        let mut outcome = Ok(());
        let alone = self.waiting.len() == 1;
        while let Some((mut job, _)) = self.waiting.pop_front() {
            outcome = if alone { self.run_alone(&mut *job) } else { self.run_beside_others(&mut *job) };
            done.push(job);
            if outcome.is_err() || begun.elapsed() > SLICE {
                break;
            }
        }
        let outcome = outcome.and_then(|()| self.execute("COMMIT"));
        if outcome.is_err() {
            self.give_up();
        }
        self.log_since = Some(Instant::now());
        for job in done {
            job.finish(outcome.clone());
        }
    }

    /// Begins a transaction that waits for the disk at its end if one of the jobs asks for that.
    fn begin(&mut self) -> Result<(), StoreFault> {
        // Something may be left of the one before, if it could not be undone at once.
        self.give_up();
        let wait = self.waiting.iter().any(|(_, durability)| *durability == Durability::Durable);
        if wait != self.waits_for_disk {
            self.execute(if wait { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })?;
            self.waits_for_disk = wait;
        }
        self.execute("BEGIN IMMEDIATE")
    }

    /// Runs the only job of a transaction. A fault means that the transaction is lost.
    fn run_alone(&mut self, job: &mut dyn Job) -> Result<(), StoreFault> {
        if self.run_job(job)? { Ok(()) } else { self.execute("ROLLBACK").and_then(|()| self.execute("BEGIN")) }
    }

    /// Runs one of several jobs. A fault means that the transaction is lost, and all jobs in it.
    fn run_beside_others(&mut self, job: &mut dyn Job) -> Result<(), StoreFault> {
        self.execute("SAVEPOINT job")?;
        if !self.run_job(job)? {
            self.execute("ROLLBACK TO job")?;
        }
        self.execute("RELEASE job")
    }

    /// Whether what the job changed is to be kept.
    fn run_job(&mut self, job: &mut dyn Job) -> Result<bool, StoreFault> {
        let connection = self.connection.take().ok_or_else(StoreFault::closed)?;
        let slot = Arc::new(Slot::new(Arc::clone(&self.path), connection));
        let keep = job.run(Session::new(Arc::clone(&slot), true), &self.runtime);
        let (connection, fault) = slot.take();
        self.connection = connection;
        if self.connection()?.is_autocommit() {
            return Err(fault.unwrap_or_else(StoreFault::closed));
        }
        Ok(keep)
    }

    /// Undoes what is left of a transaction, if anything is.
    fn give_up(&self) {
        if self.connection().is_ok_and(|connection| !connection.is_autocommit()) {
            // The next transaction can't begin if this fails, and says why.
            let _ = self.execute("ROLLBACK");
        }
    }

    /// Moves the log into the file and cuts it off, unless somebody is in the way.
    fn checkpoint(&mut self) {
        self.log_since = None;
        let Ok(connection) = self.connection() else { return };
        // Who reads for long must not keep jobs waiting. The log is moved later, then, and nothing is lost.
        let _ = connection.busy_timeout(Duration::ZERO);
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let _ = connection.busy_timeout(PATIENCE);
    }

    fn execute(&self, statement: &str) -> Result<(), StoreFault> {
        let connection = self.connection()?;
        let done = if statement.starts_with("PRAGMA") {
            connection.execute_batch(statement)
        } else {
            connection.prepare_cached(statement).and_then(|mut it| it.execute([]).map(drop))
        };
        done.map_err(|error| explain(&self.path, &error))
    }

    fn connection(&self) -> Result<&Connection, StoreFault> {
        self.connection.as_ref().ok_or_else(StoreFault::closed)
    }
}
