//! The queue as it is on the disk.

use rusqlite::{Connection, OpenFlags, Row};
use std::path::Path;
use std::time::Duration;

/// Something that is owed to the directory.
#[derive(Debug, PartialEq, Eq)]
pub struct Owed {
    /// It waits for a person.
    pub parked: bool,
    /// The resource that it is about.
    pub resource: String,
    /// What is asked, in a few words.
    pub summary: String,
    /// Why it is parked, or was not carried out the last time.
    pub reason: String,
}

/// What is in the queue of the daemon with this folder, apart from references that wait for somebody (state 3): they
/// wait on a quiet day as well.
pub fn owed(folder: &Path) -> Vec<Owed> {
    let store = open(folder);
    let mut items = store
        .prepare("SELECT state, resource, summary, reason FROM item WHERE state <> 3 ORDER BY number")
        .expect("its items");
    let read = |row: &Row<'_>| {
        let reason = row.get::<_, Option<String>>(3)?.unwrap_or_default();
        Ok(Owed { parked: row.get::<_, i64>(0)? != 0, resource: row.get(1)?, summary: row.get(2)?, reason })
    };
    items.query_map([], read).expect("its items").map(|item| item.expect("an item")).collect()
}

/// How many items are in the queue.
pub fn count(folder: &Path) -> usize {
    number(folder, "SELECT count(*) FROM item WHERE state <> 3")
}

/// Whether the directory has been read once.
pub fn is_filled(folder: &Path) -> bool {
    number(folder, "SELECT count(*) FROM mark WHERE name = 'shadow filled'") > 0
}

fn number(folder: &Path, question: &str) -> usize {
    let number: i64 = open(folder).query_row(question, [], |row| row.get(0)).expect("a number");
    usize::try_from(number).expect("no less than none")
}

fn open(folder: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = Connection::open_with_flags(folder.join("store.db"), flags).expect("the store");
    store.busy_timeout(Duration::from_secs(5)).expect("a store that waits");
    store
}
