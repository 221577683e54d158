//! What the rows of a table make of a resource, told row by row for the people who edit the table.

use super::codec::Codec;
use super::row::{Direction, Row, When};
use super::table::ResourceMapping;
use super::write::{Mentions, Wanted, WriteMode};
use crate::scim::Resource;
use crate::tables::Place;

/// What one row did.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where the row stands in the table.
    pub place: Place,
    /// The SCIM side of the row.
    pub scim: String,
    /// The LDAP attribute.
    pub ldap: String,
    /// What came of it, in words.
    pub outcome: String,
    /// The row refuses the request.
    pub refused: bool,
}

impl ResourceMapping {
    /// One step for each row, in the order of the table.
    #[must_use]
    pub fn explain(&self, resource: &Resource, mentions: &Mentions, mode: WriteMode) -> Vec<Step> {
        let steps = self.rows.iter().enumerate().map(|(at, row)| {
            let wanted = self.wanted(at, resource, mentions, mode);
            let refused = wanted.is_err();
            let outcome = match wanted {
                Ok(Wanted::Untouched) => why_untouched(row, mode),
                Ok(Wanted::Values(values)) if values.is_empty() => "no value".to_owned(),
                Ok(Wanted::Values(values)) => shown(row, &values, !self.shows(at, resource)),
                Err(fault) => fault.to_string(),
            };
            Step { place: row.place.clone(), scim: row.subject(), ldap: row.ldap.to_string(), outcome, refused }
        });
        steps.collect()
    }
}

fn why_untouched(row: &Row, mode: WriteMode) -> String {
    let why = if row.direction == Direction::FromLdap {
        "direction is from-ldap"
    } else if row.when == When::CreateOnly && !mode.creating {
        "when is create-only, and the entry exists"
    } else if row.codec == Codec::Password && !mode.password_sync {
        "password_sync is off"
    } else if row.reference.is_some() {
        "nothing in the directory is meant by the reference"
    } else {
        "the request has none"
    };
    format!("not written: {why}")
}

fn shown(row: &Row, values: &[Vec<u8>], made_up: bool) -> String {
    if row.codec == Codec::Password {
        return "(a password, not shown)".to_owned();
    }
    let mut text =
        values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>().join(" | ");
    if made_up && row.value.is_none() && row.scim.is_some() {
        text.push_str(if row.default.is_some() { "   (default)" } else { "   (fallback)" });
    }
    text
}
