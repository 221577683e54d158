//! What the rows of a table make of a resource, told row by row for the people who edit the table.

use super::codec::Codec;
use super::row::{Direction, Row, When};
use super::table::ResourceMapping;
use super::write::{Mentions, Wanted, WriteMode};
use crate::scim::{AttributePath, Resource};
use crate::tables::Place;

/// What stands in the place of a password.
const PASSWORD: &str = "(a password, not shown)";

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
    /// One step for each row, in the order of the table, then the account.
    #[must_use]
    pub fn explain(&self, resource: &Resource, mentions: &Mentions, mode: WriteMode) -> Vec<Step> {
        let rows = self.rows.iter().enumerate().map(|(at, row)| {
            let wanted = self.wanted(at, resource, mentions, mode);
            let refused = wanted.is_err();
            let outcome = match wanted {
                Ok(Wanted::Untouched) => why_untouched(row, mode, mentions),
                Ok(Wanted::Values(values)) if values.is_empty() => "no value".to_owned(),
                Ok(Wanted::Values(values)) => shown(row, &values, !self.shows(at, resource)),
                Err(fault) => fault.to_string(),
            };
            let scim = row.scim.as_ref().map_or_else(|| "(computed)".to_owned(), ToString::to_string);
            Step { place: row.place.clone(), scim, ldap: row.ldap.to_string(), outcome, refused }
        });
        let rows = rows.chain(self.account_step(resource)).chain(self.password_step(resource, mode));
        rows.chain(self.group_steps()).collect()
    }

    /// What no request says: the names of the groups that the user turns out to be in.
    fn group_steps(&self) -> impl Iterator<Item = Step> {
        self.group_names.iter().map(|row| Step {
            place: row.place.clone(),
            scim: "groups".to_owned(),
            ldap: row.ldap.to_string(),
            outcome: "the names of the user's groups, written when these change".to_owned(),
            refused: false,
        })
    }

    /// The password, which no row has to carry.
    fn password_step(&self, resource: &Resource, mode: WriteMode) -> Option<Step> {
        self.password_of(resource, mode).filter(|password| password.attribute.is_none())?;
        let (scim, ldap) = ("password".to_owned(), "(password)".to_owned());
        Some(Step { place: self.place.clone(), scim, ldap, outcome: PASSWORD.to_owned(), refused: false })
    }

    /// What `active` says; `disable` of the table carries it, unless a row does.
    fn account_step(&self, resource: &Resource) -> Option<Step> {
        let active = resource.get(&AttributePath::core("active"))?.as_bool()?;
        let disable = self.disable.as_ref()?;
        let ldap = disable.attribute().map_or_else(|| "(its place)".to_owned(), |attribute| attribute.to_string());
        let outcome = if active { "the account is active" } else { "the account is disabled" }.to_owned();
        Some(Step { place: self.place.clone(), scim: "active".to_owned(), ldap, outcome, refused: false })
    }
}

fn why_untouched(row: &Row, mode: WriteMode, mentions: &Mentions) -> String {
    if let (Some(range), true) = (&row.next, mode.creating) {
        return format!("the next free number from {} to {}", range.from, range.to);
    }
    let why = if row.next.is_some() {
        "a number is given once, when the entry is created"
    } else if row.direction == Direction::FromLdap {
        "direction is from-ldap"
    } else if row.when == When::CreateOnly && !mode.creating {
        "when is create-only, and the entry exists"
    } else if row.codec == Codec::Password && !mode.password_sync {
        "password_sync is off"
    } else if row.reference.is_some() && mentions.is_unasked() {
        return "unknown: the directory can't be asked what the reference means".to_owned();
    } else if row.reference.is_some() {
        "nothing in the directory is meant by the reference"
    } else {
        "the request has none"
    };
    format!("not written: {why}")
}

fn shown(row: &Row, values: &[Vec<u8>], made_up: bool) -> String {
    if row.codec == Codec::Password {
        return PASSWORD.to_owned();
    }
    let mut text =
        values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>().join(" | ");
    if made_up && row.generate.is_some() {
        text.push_str(" (made up; another one if it is taken)");
    } else if made_up && row.value.is_none() && row.scim.is_some() {
        text.push_str(if row.default.is_some() { " (default)" } else { " (fallback)" });
    }
    text
}
