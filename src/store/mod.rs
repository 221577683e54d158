//! What must outlive the process: small records, a queue, aliases, marks and tokens, by key.
//!
//! The room knows bytes and keys, and nothing of what they mean. Callers hand a [`Store`] *jobs*: code that works on
//! a [`Session`] and sees and changes the store as if it were alone with it.
//!
//! | file | does |
//! |---|---|
//! | [`documents`], [`links`] | small records, found by key and by field; single values of large lists |
//! | [`queue`] | items that are owed, in their order |
//! | [`names`] | aliases and marks |
//! | [`journal`] | what is to be worked into the tables later, in a file beside them |
//! | [`stamp`] | what is known as long as a file is there |
//! | [`tokens`] | credentials that were made on the command line |
//! | [`seal`] | secrets that have to lie on the disk for a while |
//! | `job`, [`session`] | how work reaches the store |
//! | `sqlite` | the only backend so far: all SQL is there |

pub mod documents;
mod fault;
mod job;
pub mod journal;
pub mod links;
pub mod names;
pub mod queue;
pub mod seal;
pub mod session;
mod sqlite;
pub mod stamp;
pub mod tokens;

use std::path::{Path, PathBuf};

use secrecy::SecretString;

pub use documents::{Document, Stored};
pub use fault::{FaultKind, StoreFault};
pub use journal::Journal;
pub use queue::{Item, ItemQuery, NewItem, OwedItem, State, Tally};
pub use session::Session;
pub use stamp::Stamp;
pub use tokens::Token;

/// Where the store is.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// In this file.
    Sqlite(PathBuf),
    /// In a PostgreSQL database; the URL may hold a password.
    Postgres(SecretString),
}

/// What a store needs to know before it is opened.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Where it is.
    pub url: StoreUrl,
}

/// What a change must survive before the caller is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: the change is on the disk.
    Durable,
    /// The end of the process, however sudden, but not a power cut.
    Soon,
}

/// Changes whenever somebody else wrote; see [`Store::changed_elsewhere`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(i64);

/// A handle on an open store; clones share it. When the last one is dropped, the store closes.
#[derive(Debug, Clone)]
pub struct Store {
    backend: sqlite::Handle,
}

impl Store {
    /// Opens the store, makes it if there is none, and brings it up to date if it is of an older version.
    ///
    /// # Errors
    /// The text says what is wrong and what to do about it.
    pub async fn open(settings: &StoreSettings) -> Result<Self, StoreFault> {
        let backend = sqlite::open(file(settings)?, true).await?;
        backend.map(|backend| Self { backend }).ok_or_else(StoreFault::closed)
    }

    /// As [`open`](Self::open), for a command beside the daemon: `None` when there is no store yet.
    pub async fn open_existing(settings: &StoreSettings) -> Result<Option<Self>, StoreFault> {
        Ok(sqlite::open(file(settings)?, false).await?.map(|backend| Self { backend }))
    }

    /// Runs `job`, which may change the store, and answers what it answers, when its changes are as durable as
    /// `durability` asks. If it ends in an error none of its changes is kept, whatever other jobs do.
    ///
    /// A job runs on the store's own thread, and others wait for it: it may take locks, but must not wait for
    /// anything slow. When this future is dropped before its end, the job may be done or not.
    ///
    /// # Errors
    /// Those of the job, and [`StoreFault`] when its changes could not be kept. A job that panics ends in a fault.
    pub async fn write<T, E, F, R>(&self, durability: Durability, job: F) -> Result<T, E>
    where
        F: FnOnce(Session) -> R + Send + 'static,
        R: Future<Output = Result<T, E>>,
        T: Send + 'static,
        E: From<StoreFault> + Send + 'static,
    {
        self.backend.write(durability, job).await
    }

    /// Runs `job` on the store as it is at one moment: nothing changes under it, and it can't change anything.
    ///
    /// # Errors
    /// Those of the job, and [`StoreFault`] when the store can't be read. A job that panics ends in a fault.
    pub async fn read<T, E, F, R>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(Session) -> R + Send + 'static,
        R: Future<Output = Result<T, E>>,
        T: Send + 'static,
        E: From<StoreFault> + Send + 'static,
    {
        self.backend.read(job).await
    }

    /// A value that changes whenever another process wrote to the store, and never through writes of this one. Cheap
    /// enough to ask for every second.
    pub async fn changed_elsewhere(&self) -> Result<Generation, StoreFault> {
        self.backend.changed_elsewhere().await.map(Generation)
    }

    /// How many bytes it takes on the disk, as far as that can be seen.
    #[must_use]
    pub fn size(&self) -> u64 {
        let beside = |ending: &str| {
            let mut name = self.path().as_os_str().to_owned();
            name.push(ending);
            std::fs::metadata(name).map_or(0, |file| file.len())
        };
        ["", "-wal", "-shm"].map(beside).iter().sum()
    }

    /// Where the store is, for people.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.backend.path()
    }
}

fn file(settings: &StoreSettings) -> Result<&Path, StoreFault> {
    match &settings.url {
        StoreUrl::Sqlite(path) => Ok(path),
        StoreUrl::Postgres(_) => Err(StoreFault::new(
            FaultKind::Other,
            "a store in PostgreSQL is not served yet: write `url = \"sqlite:/var/lib/scim2ldap/store.db\"` in [store]",
        )),
    }
}

#[cfg(test)]
mod tests;
