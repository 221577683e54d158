//! The store in a SQLite file: one thread writes, a few read, and other processes may do both.

mod bytes;
pub(super) mod documents;
mod fault;
pub(super) mod links;
pub(super) mod names;
pub(super) mod notes;
mod open;
pub(super) mod queue;
mod reader;
mod schema;
mod slot;
pub(super) mod tokens;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread;

pub(super) use rusqlite::{Connection, Result as Answer};
use tokio::sync::{mpsc, oneshot};

use self::open::Opened;
use self::reader::Reader;
pub(super) use self::slot::Slot;
use self::writer::{Message, Writer};
use super::job::{Job, Task};
use super::{Durability, FaultKind, Session, StoreFault};

/// How many jobs may wait before callers do.
const WAITING: usize = 1024;

/// How callers reach the threads; they end when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Handle {
    path: Arc<Path>,
    writer: mpsc::Sender<Message>,
    reader: mpsc::Sender<Box<dyn Job>>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Sqlite").field(&self.path).finish()
    }
}

/// Opens the file at `path`. `None`: it isn't there, and must not be made.
pub(super) async fn open(path: &Path, create: bool) -> Result<Option<Handle>, StoreFault> {
    let path: Arc<Path> = path.into();
    let (answer, opened) = oneshot::channel();
    let of_file = Arc::clone(&path);
    spawn("store-open", move || {
        // The caller may have gone away.
        let _ = answer.send(open::open(&of_file, create));
    })?;
    let Some(opened) = opened.await.map_err(|_| StoreFault::closed())?? else { return Ok(None) };
    start(path, opened).map(Some)
}

fn start(path: Arc<Path>, Opened { writer, readers }: Opened) -> Result<Handle, StoreFault> {
    let (to_writer, jobs) = mpsc::channel(WAITING);
    let writer = Writer::new(Arc::clone(&path), writer, jobs)?;
    spawn("store-writer", move || writer.live())?;
    let (to_reader, jobs) = mpsc::channel(WAITING);
    let jobs = Arc::new(tokio::sync::Mutex::new(jobs));
    for connection in readers {
        let reader = Reader::new(Arc::clone(&path), connection, Arc::clone(&jobs))?;
        spawn("store-reader", move || reader.live())?;
    }
    Ok(Handle { path, writer: to_writer, reader: to_reader })
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StoreFault> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(drop).map_err(|fault| refused(&fault))
}

/// A runtime for a thread of the store: jobs are polled there.
fn runtime() -> Result<tokio::runtime::Runtime, StoreFault> {
    tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|fault| refused(&fault))
}

fn refused(fault: &std::io::Error) -> StoreFault {
    StoreFault::new(FaultKind::Other, format!("the system refuses the store a thread of its own: {fault}"))
}

impl Handle {
    pub(super) async fn write<T, E, F, R>(&self, durability: Durability, work: F) -> Result<T, E>
    where
        F: FnOnce(Session) -> R + Send + 'static,
        R: Future<Output = Result<T, E>>,
        T: Send + 'static,
        E: From<StoreFault> + Send + 'static,
    {
        let (task, outcome) = Task::new(work);
        self.writer.send(Message::Job(Box::new(task), durability)).await.map_err(|_| StoreFault::closed())?;
        outcome.await.unwrap_or_else(|_| Err(StoreFault::closed().into()))
    }

    pub(super) async fn read<T, E, F, R>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(Session) -> R + Send + 'static,
        R: Future<Output = Result<T, E>>,
        T: Send + 'static,
        E: From<StoreFault> + Send + 'static,
    {
        let (task, outcome) = Task::new(work);
        self.reader.send(Box::new(task)).await.map_err(|_| StoreFault::closed())?;
        outcome.await.unwrap_or_else(|_| Err(StoreFault::closed().into()))
    }

    pub(super) async fn changed_elsewhere(&self) -> Result<i64, StoreFault> {
        let (answer, version) = oneshot::channel();
        self.writer.send(Message::Version(answer)).await.map_err(|_| StoreFault::closed())?;
        version.await.unwrap_or_else(|_| Err(StoreFault::closed()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
