//! Items.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

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
    let most = limit(query.limit);
    let mut parameters: Vec<(&str, &dyn ToSql)> = vec![(":after", &query.after), (":most", &most)];
    parameters.extend(query.space.as_ref().map(|space| (":space", space as &dyn ToSql)));
    parameters.extend(query.state.as_ref().map(|state| (":state", state as &dyn ToSql)));
    parameters.extend(query.resource.as_ref().map(|resource| (":resource", resource as &dyn ToSql)));
    let statement = [COLUMNS, "WHERE number IN (", &numbers(query), ") ORDER BY number"].concat();
    connection.prepare_cached(&statement)?.query_map(&*parameters, read)?.collect()
}

/// The statement that finds the numbers of the items that are asked for. Conditions that are not asked for are left out,
/// so that SQLite finds the right index for those that are.
fn numbers(ItemQuery { space, state, resource, .. }: &ItemQuery) -> String {
    let space = match space {
        // By its index the items of a space come in the order of their resources: all would be read for a few. The sign
        // keeps SQLite from that where nothing else is asked for.
        Some(_) if state.is_none() && resource.is_none() => " AND +space = :space",
        Some(_) => " AND space = :space",
        None => "",
    };
    let state = if state.is_some() { " AND state = :state" } else { "" };
    let resource = if resource.is_some() { " AND resource = :resource" } else { "" };
    let (begin, end) = ("SELECT number FROM item WHERE number > :after", " ORDER BY number LIMIT :most");
    [begin, space, state, resource, end].concat()
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
    let of_space = if space.is_some() { " AND space = :space" } else { "" };
    let count = ["SELECT count(*) FROM item WHERE state = :state", of_space].concat();
    for (state, number) in [
        (State::Owed, &mut tally.owed),
        (State::Parked, &mut tally.parked),
        (State::Held, &mut tally.held),
        (State::Waiting, &mut tally.waiting),
    ] {
        *number = super::bytes::counted(connection, &count, &*parameters(&state, space.as_ref()))?;
    }
    let first = "SELECT asked_at FROM item WHERE number = (SELECT min(number) FROM item WHERE state = :state";
    let first = [first, of_space, ")"].concat();
    let asked_at = |row: &Row<'_>| row.get(0);
    tally.oldest = connection
        .prepare_cached(&first)?
        .query_row(&*parameters(&State::Owed, space.as_ref()), asked_at)
        .optional()?;
    Ok(tally)
}

fn parameters<'p>(state: &'p State, space: Option<&'p &str>) -> Vec<(&'static str, &'p dyn ToSql)> {
    let space = space.map(|space| (":space", space as &dyn ToSql));
    std::iter::once((":state", state as &dyn ToSql)).chain(space).collect()
}

/// The highest number of an item of a space that is in one of these states.
pub(in crate::store) fn last(connection: &Connection, space: &str, states: &[State]) -> Result<Option<i64>> {
    let statement = "SELECT max(number) FROM item WHERE state = ?1 AND space = ?2";
    let mut statement = connection.prepare_cached(statement)?;
    let mut last = None;
    for state in states {
        let found: Option<i64> = statement.query_row(params![state, space], |row| row.get(0))?;
        last = last.max(found);
    }
    Ok(last)
}

pub(in crate::store) fn owed(
    connection: &Connection,
    (space, state): (&str, Option<State>),
    after: i64,
    most: usize,
) -> Result<Vec<OwedItem>> {
    let most = limit(most);
    let mut parameters: Vec<(&str, &dyn ToSql)> = vec![(":space", &space), (":after", &after), (":most", &most)];
    // See `items` about the sign.
    let wanted = if let Some(state) = &state {
        parameters.push((":state", state));
        "state = :state AND space = :space"
    } else {
        "+space = :space"
    };
    let columns = "SELECT number, resource, touches, state FROM item WHERE number > :after AND ";
    let statement = [columns, wanted, " ORDER BY number LIMIT :most"].concat();
    let owed = |row: &Row<'_>| {
        let touches = split(row.get_ref(2)?.as_blob()?);
        Ok(OwedItem { number: row.get(0)?, resource: row.get(1)?, touches, state: row.get(3)? })
    };
    connection.prepare_cached(&statement)?.query_map(&*parameters, owed)?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_items_of_a_long_queue_are_found_without_reading_all_of_it() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("step1.sql")).unwrap();
        let (space, resource, state) = (|| Some("okta".to_owned()), || Some("u7".to_owned()), Some(State::Parked));
        let all = ItemQuery::default;
        for query in [
            all(),
            ItemQuery { space: space(), ..all() },
            ItemQuery { space: space(), state, ..all() },
            ItemQuery { space: space(), resource: resource(), ..all() },
            ItemQuery { resource: resource(), ..all() },
            ItemQuery { space: space(), resource: resource(), state, ..all() },
        ] {
            let explained = ["EXPLAIN QUERY PLAN ", &numbers(&query)].concat();
            let mut statement = connection.prepare(&explained).unwrap();
            let mut rows = statement.raw_query();
            let mut plan = String::new();
            while let Some(row) = rows.next().unwrap() {
                plan += &row.get::<_, String>("detail").unwrap();
            }
            // What is read in the order of the numbers ends with the last one that is wanted.
            assert!(plan.contains("SEARCH") && !plan.contains("TEMP B-TREE"), "{query:?}: {plan}");
        }
    }
}
