//! Numbers and lists as SQLite keeps them.

use rusqlite::Connection;
use rusqlite::Params;

/// A limit as SQL takes it.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The number that a statement answers.
pub(super) fn counted(connection: &Connection, statement: &str, parameters: impl Params) -> rusqlite::Result<usize> {
    let count: i64 = connection.prepare_cached(statement)?.query_row(parameters, |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// How many rows a statement changed.
pub(super) fn changed(connection: &Connection, statement: &str, parameters: impl Params) -> rusqlite::Result<usize> {
    connection.prepare_cached(statement)?.execute(parameters)
}

/// The first byte string behind all those that begin with `prefix`, if there is one.
pub(super) fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut behind = prefix.get(..=last)?.to_vec();
    *behind.last_mut()? += 1;
    Some(behind)
}

/// Several texts as one value, each behind its length.
pub(super) fn joined(texts: &[String]) -> Vec<u8> {
    let mut joined = Vec::new();
    for text in texts {
        joined.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        joined.extend_from_slice(text.as_bytes());
    }
    joined
}

/// The texts that were [`joined`].
pub(super) fn split(mut joined: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = joined.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((text, rest)) = rest.split_at_checked(length) else { break };
        texts.push(String::from_utf8_lossy(text).into_owned());
        joined = rest;
    }
    texts
}
