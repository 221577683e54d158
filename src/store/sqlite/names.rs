//! Aliases and marks.

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::bytes::{changed, limit};

pub(in crate::store) fn add_alias(connection: &Connection, space: &str, given: &str, real: &str) -> Result<()> {
    let statement = "INSERT INTO alias (space, given, real) VALUES (?1, ?2, ?3)
                     ON CONFLICT (space, given) DO UPDATE SET real = excluded.real";
    changed(connection, statement, [space, given, real]).map(drop)
}

pub(in crate::store) fn alias(connection: &Connection, space: &str, given: &str) -> Result<Option<String>> {
    let statement = "SELECT real FROM alias WHERE space = ?1 AND given = ?2";
    connection.prepare_cached(statement)?.query_row([space, given], |row| row.get(0)).optional()
}

pub(in crate::store) fn remove_alias(connection: &Connection, space: &str, given: &str) -> Result<bool> {
    Ok(changed(connection, "DELETE FROM alias WHERE space = ?1 AND given = ?2", [space, given])? > 0)
}

/// The next aliases behind `after`.
pub(in crate::store) fn aliases(
    connection: &Connection,
    space: &str,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<(String, String)>> {
    // No alias is the empty text: there is nothing before the first.
    let statement = "SELECT given, real FROM alias WHERE space = ?1 AND given > ?2 ORDER BY given LIMIT ?3";
    let parameters = params![space, after.unwrap_or_default(), limit(most)];
    connection.prepare_cached(statement)?.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

pub(in crate::store) fn mark(connection: &Connection, space: &str, name: &str) -> Result<Option<Vec<u8>>> {
    let statement = "SELECT value FROM mark WHERE space = ?1 AND name = ?2";
    connection.prepare_cached(statement)?.query_row([space, name], |row| row.get(0)).optional()
}

pub(in crate::store) fn set_mark(connection: &Connection, space: &str, name: &str, value: &[u8]) -> Result<()> {
    let statement = "INSERT INTO mark (space, name, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (space, name) DO UPDATE SET value = excluded.value";
    changed(connection, statement, params![space, name, value]).map(drop)
}

pub(in crate::store) fn remove_mark(connection: &Connection, space: &str, name: &str) -> Result<bool> {
    Ok(changed(connection, "DELETE FROM mark WHERE space = ?1 AND name = ?2", [space, name])? > 0)
}
