//! Notes.

use rusqlite::{Connection, Result, params};

use super::bytes::{changed, limit};

pub(in crate::store) fn add(connection: &Connection, space: &str, body: &[u8]) -> Result<()> {
    changed(connection, "INSERT INTO note (space, body) VALUES (?1, ?2)", params![space, body]).map(drop)
}

/// There are few spaces and notes do not stay, so an index would cost more than it saves.
pub(in crate::store) fn first(connection: &Connection, space: &str, most: usize) -> Result<Vec<(i64, Vec<u8>)>> {
    let statement = "SELECT number, body FROM note WHERE space = ?1 ORDER BY number LIMIT ?2";
    connection
        .prepare_cached(statement)?
        .query_map(params![space, limit(most)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

pub(in crate::store) fn remove(connection: &Connection, space: &str, last: i64) -> Result<usize> {
    changed(connection, "DELETE FROM note WHERE number <= ?2 AND space = ?1", params![space, last])
}
