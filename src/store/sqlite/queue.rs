//! Items.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Result, Row, named_params, params};

use super::bytes::{changed, joined, limit, split};
use crate::store::{Item, ItemQuery, NewItem, OwedItem, State, Tally};

impl ToSql for State {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        let number: i64 = match self {
            Self::Owed => 0,
            Self::Parked => 1,
            Self::Held => 2,
            Self::Waiting => 3,
        };
        Ok(number.into())
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self::Owed),
            1 => Ok(Self::Parked),
            2 => Ok(Self::Held),
            3 => Ok(Self::Waiting),
            number => Err(FromSqlError::OutOfRange(number)),
        }
    }
}

pub(in crate::store) fn push(connection: &Connection, item: &NewItem) -> Result<i64> {
    let NewItem { space, resource, touches, payload, asked_at, asked_by, request, summary } = item;
    connection
        .prepare_cached(
            "INSERT INTO item (space, resource, state, started, attempts, since, asked_at, asked_by, request, summary,
                               touches, payload)
             VALUES (?1, ?2, ?3, FALSE, 0, ?4, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .insert(params![space, resource, State::Owed, asked_at, asked_by, request, summary, joined(touches), payload])
}

const COLUMNS: &str = "SELECT number, space, resource, state, started, attempts, since, asked_at, asked_by, request, \
                       summary, reason, touches, payload FROM item ";

fn read(row: &Row<'_>) -> Result<Item> {
    let asked = NewItem {
        space: row.get("space")?,
        resource: row.get("resource")?,
        touches: split(row.get_ref("touches")?.as_blob()?),
        payload: row.get("payload")?,
        asked_at: row.get("asked_at")?,
        asked_by: row.get("asked_by")?,
        request: row.get("request")?,
        summary: row.get("summary")?,
    };
    Ok(Item {
        number: row.get("number")?,
        asked,
        state: row.get("state")?,
        reason: row.get("reason")?,
        since: row.get("since")?,
        attempts: row.get("attempts")?,
        started: row.get("started")?,
    })
}

pub(in crate::store) fn items(connection: &Connection, query: &ItemQuery) -> Result<Vec<Item>> {
    let ItemQuery { space, state, resource, after, limit: most } = query;
    // Conditions that are not asked for are left out, so that SQLite finds the right index for those that are.
    let mut numbers = "SELECT number FROM item WHERE number > :after".to_owned();
    let mut parameters: Vec<(&str, &dyn ToSql)> = vec![(":after", after)];
    let mut add = |condition, name, value| {
        numbers.push_str(condition);
        parameters.push((name, value));
    };
    if let Some(space) = space {
        add(" AND space = :space", ":space", space);
    }
    if let Some(state) = state {
        add(" AND state = :state", ":state", state);
    }
    if let Some(resource) = resource {
        add(" AND resource = :resource", ":resource", resource);
    }
    let most = limit(*most);
    parameters.push((":most", &most));
    let statement = [COLUMNS, "WHERE number IN (", &numbers, " ORDER BY number LIMIT :most) ORDER BY number"].concat();
    connection.prepare_cached(&statement)?.query_map(&*parameters, read)?.collect()
}

pub(in crate::store) fn item(connection: &Connection, number: i64) -> Result<Option<Item>> {
    let statement = [COLUMNS, "WHERE number = ?1"].concat();
    connection.prepare_cached(&statement)?.query_row([number], read).optional()
}

pub(in crate::store) fn set_state(
    connection: &Connection,
    number: i64,
    state: State,
    reason: Option<&str>,
    at: i64,
) -> Result<bool> {
    let statement = "UPDATE item SET state = ?2, reason = ?3, since = ?4 WHERE number = ?1";
    Ok(changed(connection, statement, params![number, state, reason, at])? > 0)
}

pub(in crate::store) fn mark_started(connection: &Connection, numbers: &[i64]) -> Result<()> {
    let mut statement = connection.prepare_cached("UPDATE item SET started = TRUE WHERE number = ?1")?;
    numbers.iter().try_for_each(|number| statement.execute([number]).map(drop))
}

pub(in crate::store) fn note_attempt(
    connection: &Connection,
    number: i64,
    reason: Option<&str>,
    at: i64,
) -> Result<bool> {
    let statement = "UPDATE item SET attempts = attempts + 1, reason = ?2, since = ?3 WHERE number = ?1";
    Ok(changed(connection, statement, params![number, reason, at])? > 0)
}

pub(in crate::store) fn set_payload(connection: &Connection, number: i64, payload: &[u8]) -> Result<bool> {
    Ok(changed(connection, "UPDATE item SET payload = ?2 WHERE number = ?1", params![number, payload])? > 0)
}

pub(in crate::store) fn remove(connection: &Connection, numbers: &[i64]) -> Result<usize> {
    let mut statement = connection.prepare_cached("DELETE FROM item WHERE number = ?1")?;
    numbers.iter().map(|number| statement.execute([number])).sum()
}

pub(in crate::store) fn tally(connection: &Connection, space: Option<&str>) -> Result<Tally> {
    let mut tally = Tally::default();
    for (state, count) in [
        (State::Owed, &mut tally.owed),
        (State::Parked, &mut tally.parked),
        (State::Held, &mut tally.held),
        (State::Waiting, &mut tally.waiting),
    ] {
        let statement = "SELECT count(*) FROM item WHERE state = :state AND (:space IS NULL OR space = :space)";
        let parameters = named_params! { ":state": state, ":space": space };
        *count = super::bytes::counted(connection, statement, parameters)?;
    }
    let statement = "SELECT asked_at FROM item WHERE number =
                     (SELECT min(number) FROM item WHERE state = :state AND (:space IS NULL OR space = :space))";
    let parameters = named_params! { ":state": State::Owed, ":space": space };
    tally.oldest = connection.prepare_cached(statement)?.query_row(parameters, |row| row.get(0)).optional()?;
    Ok(tally)
}

pub(in crate::store) fn owed(connection: &Connection, space: &str, after: i64, most: usize) -> Result<Vec<OwedItem>> {
    let statement =
        "SELECT number, resource, touches, state FROM item WHERE number > ?2 AND +space = ?1 ORDER BY number LIMIT ?3";
    let owed = |row: &Row<'_>| {
        let touches = split(row.get_ref(2)?.as_blob()?);
        Ok(OwedItem { number: row.get(0)?, resource: row.get(1)?, touches, state: row.get(3)? })
    };
    connection.prepare_cached(statement)?.query_map(params![space, after, limit(most)], owed)?.collect()
}
