//! Tokens.

use rusqlite::{Connection, OptionalExtension as _, Result, Row, named_params, params};

use super::bytes::changed;
use crate::store::Token;

pub(in crate::store) fn add(connection: &Connection, token: &Token) -> Result<()> {
    let Token { id, space, description, hash, created, expires, revoked, last_used } = token;
    let statement = "INSERT INTO token (id, space, description, hash, created, expires, revoked, last_used)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let parameters = params![id, space, description, hash, created, expires, revoked, last_used];
    changed(connection, statement, parameters).map(drop)
}

const COLUMNS: &str = "SELECT id, space, description, hash, created, expires, revoked, last_used FROM token ";

fn read(row: &Row<'_>) -> Result<Token> {
    Ok(Token {
        id: row.get(0)?,
        space: row.get(1)?,
        description: row.get(2)?,
        hash: row.get(3)?,
        created: row.get(4)?,
        expires: row.get(5)?,
        revoked: row.get(6)?,
        last_used: row.get(7)?,
    })
}

pub(in crate::store) fn all(connection: &Connection, space: Option<&str>) -> Result<Vec<Token>> {
    let statement = [COLUMNS, "WHERE :space IS NULL OR space = :space ORDER BY number"].concat();
    connection.prepare_cached(&statement)?.query_map(named_params! { ":space": space }, read)?.collect()
}

pub(in crate::store) fn by_hash(connection: &Connection, hash: &[u8; 32]) -> Result<Option<Token>> {
    let statement = [COLUMNS, "WHERE hash = ?1"].concat();
    connection.prepare_cached(&statement)?.query_row([hash], read).optional()
}

pub(in crate::store) fn revoke(connection: &Connection, id: &str, at: i64) -> Result<bool> {
    let statement = "UPDATE token SET revoked = coalesce(revoked, ?2) WHERE id = ?1";
    Ok(changed(connection, statement, params![id, at])? > 0)
}

pub(in crate::store) fn touch(connection: &Connection, id: &str, at: i64) -> Result<bool> {
    Ok(changed(connection, "UPDATE token SET last_used = ?2 WHERE id = ?1", params![id, at])? > 0)
}
