//! The tables, and how they came to be: one step for each version.

use rusqlite::{Connection, TransactionBehavior};

/// Says that a file is a store of this program ("S2LD").
pub(super) const APPLICATION: i32 = 0x5332_4c44;

/// What leads from each version to the next. Steps are only ever added.
const STEPS: &[&str] = &[include_str!("step1.sql"), include_str!("step2.sql")];

/// The version that this program knows.
pub(super) fn version() -> i32 {
    i32::try_from(STEPS.len()).unwrap_or(i32::MAX)
}

/// Whose file it is, and of which version: `application_id` and `user_version`.
pub(super) fn label(connection: &Connection) -> rusqlite::Result<(i32, i32)> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((number("application_id")?, number("user_version")?))
}

/// Brings the tables up to date. Another process may be doing the same.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    if label(connection)? == (APPLICATION, version()) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (_, done) = label(&transaction)?;
    for step in STEPS.iter().skip(usize::try_from(done).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", done.max(version()))?;
    transaction.commit()
}
