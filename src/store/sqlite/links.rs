//! Links: single values of long lists.

use rusqlite::{Connection, Result, params};

use super::bytes::{changed, counted, limit};

pub(in crate::store) fn add(connection: &Connection, row: i64, name: &str, values: &[Vec<u8>]) -> Result<Vec<bool>> {
    let statement = "INSERT INTO link (document, name, value) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let mut statement = connection.prepare_cached(statement)?;
    values.iter().map(|value| Ok(statement.execute(params![row, name, value])? == 0)).collect()
}

pub(in crate::store) fn remove(connection: &Connection, row: i64, name: &str, values: &[Vec<u8>]) -> Result<Vec<bool>> {
    let statement = "DELETE FROM link WHERE document = ?1 AND name = ?2 AND value = ?3";
    let mut statement = connection.prepare_cached(statement)?;
    values.iter().map(|value| Ok(statement.execute(params![row, name, value])? > 0)).collect()
}

pub(in crate::store) fn remove_everywhere(
    connection: &Connection,
    name: &str,
    value: &[u8],
    stamp: i64,
) -> Result<usize> {
    let statement =
        "UPDATE document SET stamp = ?3 WHERE id IN (SELECT document FROM link WHERE name = ?1 AND value = ?2)";
    changed(connection, statement, params![name, value, stamp])?;
    changed(connection, "DELETE FROM link WHERE name = ?1 AND value = ?2", params![name, value])
}

pub(in crate::store) fn all(connection: &Connection, row: i64, name: &str) -> Result<Vec<Vec<u8>>> {
    let statement = "SELECT value FROM link WHERE document = ?1 AND name = ?2 ORDER BY value";
    connection.prepare_cached(statement)?.query_map(params![row, name], |row| row.get(0))?.collect()
}

pub(in crate::store) fn first(connection: &Connection, row: i64, name: &str, most: usize) -> Result<Vec<Vec<u8>>> {
    let statement = "SELECT value FROM link WHERE document = ?1 AND name = ?2 ORDER BY value LIMIT ?3";
    connection.prepare_cached(statement)?.query_map(params![row, name, limit(most)], |row| row.get(0))?.collect()
}

pub(in crate::store) fn count(connection: &Connection, row: i64, name: &str) -> Result<usize> {
    counted(connection, "SELECT count(*) FROM link WHERE document = ?1 AND name = ?2", params![row, name])
}

pub(in crate::store) fn has(connection: &Connection, row: i64, name: &str, value: &[u8]) -> Result<bool> {
    let statement = "SELECT 1 FROM link WHERE document = ?1 AND name = ?2 AND value = ?3";
    connection.prepare_cached(statement)?.exists(params![row, name, value])
}

pub(in crate::store) fn clear(connection: &Connection, row: i64, name: &str) -> Result<usize> {
    changed(connection, "DELETE FROM link WHERE document = ?1 AND name = ?2", params![row, name])
}
