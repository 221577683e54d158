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
    // Few documents are meant, mostly one: a statement for all of them would make a table for their numbers first.
    let mut holders = connection.prepare_cached("SELECT document FROM link WHERE name = ?1 AND value = ?2")?;
    let rows: Vec<i64> = holders.query_map(params![name, value], |row| row.get(0))?.collect::<Result<_>>()?;
    for row in &rows {
        changed(connection, "UPDATE document SET stamp = ?2 WHERE id = ?1", params![row, stamp])?;
        let statement = "DELETE FROM link WHERE document = ?1 AND name = ?2 AND value = ?3";
        changed(connection, statement, params![row, name, value])?;
    }
    Ok(rows.len())
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
