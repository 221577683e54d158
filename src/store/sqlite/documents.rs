//! Documents and their fields.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::bytes::{behind, changed, counted, limit};
use crate::store::{Document, Stored};

pub(in crate::store) fn put(connection: &Connection, space: &str, document: &Document) -> Result<i64> {
    let Document { key, body, fields, stamp } = document;
    let row = connection
        .prepare_cached(
            "INSERT INTO document (space, key, stamp, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (space, key) DO UPDATE SET stamp = excluded.stamp, body = excluded.body RETURNING id",
        )?
        .query_row(params![space, key, stamp, body], |row| row.get(0))?;
    set_fields(connection, row, fields)?;
    Ok(row)
}

/// Most fields stay as they are when a document changes; only the others are touched.
fn set_fields(connection: &Connection, row: i64, fields: &[(String, Vec<u8>)]) -> Result<()> {
    let mut wanted: BTreeSet<(&str, &[u8])> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let mut statement = connection.prepare_cached("SELECT name, value FROM field WHERE document = ?1")?;
    let present: Vec<(String, Vec<u8>)> =
        statement.query_map([row], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    for (name, value) in &present {
        if !wanted.remove(&(&**name, &**value)) {
            let statement = "DELETE FROM field WHERE document = ?1 AND name = ?2 AND value = ?3";
            changed(connection, statement, params![row, name, value])?;
        }
    }
    let mut statement = connection.prepare_cached("INSERT INTO field (document, name, value) VALUES (?1, ?2, ?3)")?;
    for (name, value) in wanted {
        statement.execute(params![row, name, value])?;
    }
    Ok(())
}

fn stored(row: &Row<'_>) -> Result<Stored> {
    Ok(Stored { row: row.get(0)?, key: row.get(1)?, body: row.get(2)?, stamp: row.get(3)? })
}

pub(in crate::store) fn by_key(connection: &Connection, space: &str, key: &[u8]) -> Result<Option<Stored>> {
    let statement = "SELECT id, key, body, stamp FROM document WHERE space = ?1 AND key = ?2";
    connection.prepare_cached(statement)?.query_row(params![space, key], stored).optional()
}

pub(in crate::store) fn rekey(connection: &Connection, row: i64, key: &[u8]) -> Result<bool> {
    Ok(changed(connection, "UPDATE document SET key = ?2 WHERE id = ?1", params![row, key])? > 0)
}

pub(in crate::store) fn restamp(connection: &Connection, row: i64, stamp: i64) -> Result<bool> {
    Ok(changed(connection, "UPDATE document SET stamp = ?2 WHERE id = ?1", params![row, stamp])? > 0)
}

pub(in crate::store) fn delete(connection: &Connection, row: i64) -> Result<bool> {
    Ok(changed(connection, "DELETE FROM document WHERE id = ?1", params![row])? > 0)
}

pub(in crate::store) fn with_prefix(
    connection: &Connection,
    space: &str,
    prefix: &[u8],
    after: Option<&[u8]>,
    most: usize,
) -> Result<Vec<Stored>> {
    // Nothing lies between a byte string and the same with a zero behind it.
    let next = after.map(|after| [after, &[0]].concat()).filter(|next| **next > *prefix);
    let (from, most) = (next.as_deref().unwrap_or(prefix), limit(most));
    match behind(prefix) {
        Some(to) => connection
            .prepare_cached(
                "SELECT id, key, body, stamp FROM document WHERE space = ?1 AND key >= ?2 AND key < ?3
                 ORDER BY key LIMIT ?4",
            )?
            .query_map(params![space, from, to, most], stored)?
            .collect(),
        None => connection
            .prepare_cached(
                "SELECT id, key, body, stamp FROM document WHERE space = ?1 AND key >= ?2 ORDER BY key LIMIT ?3",
            )?
            .query_map(params![space, from, most], stored)?
            .collect(),
    }
}

pub(in crate::store) fn with_field(
    connection: &Connection,
    space: &str,
    name: &str,
    value: &[u8],
) -> Result<Vec<Stored>> {
    // The sign keeps SQLite from reading the whole space by its index.
    connection
        .prepare_cached(
            "SELECT id, key, body, stamp FROM document WHERE id IN (
                 SELECT document FROM field WHERE name = ?2 AND value = ?3
                 UNION SELECT document FROM link WHERE name = ?2 AND value = ?3
             ) AND +space = ?1 ORDER BY key",
        )?
        .query_map(params![space, name, value], stored)?
        .collect()
}

pub(in crate::store) fn count(connection: &Connection, space: &str) -> Result<usize> {
    counted(connection, "SELECT count(*) FROM document WHERE space = ?1", [space])
}

pub(in crate::store) fn count_by_byte(connection: &Connection, space: &str, place: usize) -> Result<Vec<(u8, usize)>> {
    let statement = "SELECT substr(body, ?2, 1), count(*) FROM document WHERE space = ?1 GROUP BY 1";
    let read = |row: &Row<'_>| {
        let (value, count): (Vec<u8>, i64) = (row.get(0)?, row.get(1)?);
        Ok(value.first().map(|value| (*value, usize::try_from(count).unwrap_or(0))))
    };
    let rows = connection
        .prepare_cached(statement)?
        .query_map(params![space, limit(place + 1)], read)?
        .collect::<Result<Vec<_>>>()?;
    Ok(rows.into_iter().flatten().collect())
}

pub(in crate::store) fn delete_older(connection: &Connection, space: &str, stamp: i64) -> Result<usize> {
    changed(connection, "DELETE FROM document WHERE space = ?1 AND stamp < ?2", params![space, stamp])
}

pub(in crate::store) fn clear(connection: &Connection, space: &str) -> Result<usize> {
    changed(connection, "DELETE FROM document WHERE space = ?1", [space])
}
