//! From a path to connections that are ready for use.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Error, OpenFlags};

use super::fault::explain;
use super::schema;
use crate::store::{FaultKind, StoreFault};

/// How long one process waits for another that writes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// After how long somebody who can't open the file because others do tries again.
const AGAIN: Duration = Duration::from_millis(20);
/// How many jobs can read at the same time.
const READERS: usize = 2;
/// Statements that stay prepared, for each connection.
const STATEMENTS: usize = 64;
/// What the connection that writes keeps of the file in memory, and each of those that read, in KiB.
const WRITER_CACHE: i64 = 8192;
const READER_CACHE: i64 = 2048;
/// How many pages the log grows to before they are moved into the file, and the bytes that it keeps afterwards.
const LOG_PAGES: i64 = 4000;
const LOG_BYTES: i64 = 64 * 1024 * 1024;

/// The connections of a store.
pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) readers: Vec<Connection>,
}

/// Opens the file, makes it if it is not there and may be made, and brings it up to date.
pub(super) fn open(path: &Path, create: bool) -> Result<Option<Opened>, StoreFault> {
    match fs::metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound && !create => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => make(path).map_err(|error| unmade(path, &error))?,
        Err(error) => return Err(unmade(path, &error)),
    }
    let begun = Instant::now();
    loop {
        match connect_all(path) {
            // While another process makes the log, SQLite waits for nobody.
            Err(fault) if fault.kind == FaultKind::Busy && begun.elapsed() < PATIENCE => thread::sleep(AGAIN),
            outcome => return outcome.map(Some),
        }
    }
}

fn connect_all(path: &Path) -> Result<Opened, StoreFault> {
    let explained = |error: Error| explain(path, &error);
    let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE).map_err(explained)?;
    check(path, &writer)?;
    prepare(path, &mut writer)?;
    let reader = |_| connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE);
    let readers = (0..READERS).map(reader).collect::<Result<_, _>>().map_err(explained)?;
    Ok(Opened { writer, readers })
}

/// Makes an empty file that only its owner may read, and sees to it that it is still there after a power cut.
fn make(path: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        other => other?,
    };
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (owner, of_file) = (fs::metadata(folder)?, file.metadata()?);
    // A command that root runs must not keep the daemon, which is not root, from its store.
    if of_file.uid() == 0 && owner.uid() != 0 {
        std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

fn unmade(path: &Path, error: &io::Error) -> StoreFault {
    let folder = path.parent().unwrap_or(Path::new(".")).display();
    let (kind, help) = match error.kind() {
        ErrorKind::NotFound => (
            FaultKind::Other,
            format!(
                "the folder {folder} is missing: make it and give it to the user scim2ldap, or change `url` in [store]"
            ),
        ),
        ErrorKind::PermissionDenied => {
            (FaultKind::Other, format!("let the user scim2ldap write in {folder}, or change `url` in [store]"))
        }
        ErrorKind::ReadOnlyFilesystem => {
            (FaultKind::Other, format!("{folder} can't be written to: change `url` in [store]"))
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (FaultKind::Full, format!("make room in {folder}")),
        _ => (FaultKind::Other, "let `url` in [store] name a file in a folder that can be written to".to_owned()),
    };
    StoreFault::new(kind, format!("can't open the store {}: {error}; {help}", path.display()))
}

fn connect(path: &Path, access: OpenFlags, cache: i64) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -cache)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Refuses a file of another program, and one of a later version of this one, before anything in it is changed.
fn check(path: &Path, connection: &Connection) -> Result<(), StoreFault> {
    let explained = |error: Error| explain(path, &error);
    let shown = path.display();
    // Another process may be making the tables: all is read as it is at one moment.
    let moment = connection.unchecked_transaction().map_err(explained)?;
    let (application, version) = schema::label(&moment).map_err(explained)?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = moment.query_row(tables, [], |row| row.get(0)).map_err(explained)?;
    moment.finish().map_err(explained)?;
    if application != schema::APPLICATION && (application, version, tables) != (0, 0, 0) {
        let detail = format!("{shown} is a database of another program: let `url` in [store] name another file");
        return Err(StoreFault::new(FaultKind::Other, detail));
    }
    if version > schema::version() {
        let known = schema::version();
        let detail = format!(
            "the store {shown} was written by a later version of scim2ldap (its tables have version {version}, this \
             program knows {known}): install that version again, or bring back a copy of the store from before"
        );
        return Err(StoreFault::new(FaultKind::Other, detail));
    }
    Ok(())
}

fn prepare(path: &Path, connection: &mut Connection) -> Result<(), StoreFault> {
    let explained = |error: Error| explain(path, &error);
    // SQLite opens a file that can't be written to as one to be read, and says nothing.
    if connection.is_readonly("main").map_err(explained)? {
        let detail = format!("the store {} can't be written to: give it to the user scim2ldap", path.display());
        return Err(StoreFault::new(FaultKind::Other, detail));
    }
    let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
    if mode.map_err(explained)? != "wal" {
        let shown = path.display();
        let detail = format!(
            "the store {shown} lies on a file system whose files processes can't share, such as a network share: let \
             `url` in [store] name a file on a disk of this machine"
        );
        return Err(StoreFault::new(FaultKind::Other, detail));
    }
    configure(connection).map_err(explained)
}

fn configure(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "full")?;
    // What a savepoint has to undo is kept in memory: a file for it would be written to more often than the store.
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    schema::migrate(connection)
}
