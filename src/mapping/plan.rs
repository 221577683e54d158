//! The plan: what to change in the directory so that an entry becomes what a resource says. Pure.
//!
//! Only attributes that rows name are compared or written. Applied twice, the second plan is empty.

mod name;

use super::account::AccountChange;
use super::codec::Codec;
use super::generate::Generated;
use super::row::{Direction, Number, Row, When};
use super::table::{InitialPassword, ResourceMapping};
use super::template::Template;
use super::write::{Mentions, Wanted, WriteMode};
use crate::directory::ldif::Ldif;
use crate::directory::{AttributeName, Change, Dialect, Dn, Entry, Modification, Password, PasswordWay, Rdn};
use crate::scim::{AttributePath, Fault, FaultKind, Resource};
use name::Naming;

/// A new entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Where it goes.
    pub dn: Dn,
    /// All its attributes, the naming attribute included; not the members of a group, and not the password.
    pub attributes: Vec<(AttributeName, Vec<Vec<u8>>)>,
    /// The password that the client gives.
    pub password: Option<NewPassword>,
    /// Values among the attributes that were made up, and give way to others where they are taken.
    pub generated: Vec<Generated>,
    /// Numbers that it gets from a range. Which ones only the directory can tell, unless the client chose.
    pub numbers: Vec<Number>,
}

/// A password to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPassword {
    /// The password.
    pub secret: Password,
    /// The attribute that a row of the table puts it into; `None`: as this kind of server wants it.
    pub attribute: Option<AttributeName>,
}

impl NewPassword {
    /// How it is set in a directory of this kind.
    #[must_use]
    pub fn way(&self, dialect: &Dialect) -> PasswordWay {
        self.attribute.clone().map_or_else(|| dialect.password.clone(), PasswordWay::Attribute)
    }
}

impl NewEntry {
    /// The entry as LDIF. The password is not shown.
    #[must_use]
    pub fn to_ldif(&self) -> Ldif {
        let ldif = Ldif::default().add(&self.dn, &self.attributes);
        if self.password.is_some() { ldif.comment(PASSWORD_HIDDEN) } else { ldif }
    }
}

/// What stands in LDIF where a password is set.
const PASSWORD_HIDDEN: &str = "the password is set as well, and not shown here";

/// The change of an entry that is there: first the rename, then the modifications.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// The new name, the new container, or both.
    pub rename: Option<Rename>,
    /// Attribute changes, carried out as one LDAP modify.
    pub modifications: Vec<Modification>,
    /// The password that the client gives: it cannot be compared, so it is set again.
    pub password: Option<NewPassword>,
}

/// A modrdn (RFC 4511 section 4.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The relative name the entry gets; the old one's value is removed.
    pub rdn: Rdn,
    /// The container the entry moves to; `None`: it stays where it is.
    pub parent: Option<Dn>,
}

/// What a change should lead to.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The resource as the client sees it now.
    pub before: &'a Resource,
    /// The resource as it should be.
    pub after: &'a Resource,
    /// The client named only what changes.
    pub is_patch: bool,
    /// Which entries `after` refers to.
    pub mentions: &'a Mentions,
    /// What may be carried over.
    pub mode: WriteMode,
    /// What the server of the entry does in its own way.
    pub dialect: &'a Dialect,
}

impl Update {
    /// Whether the entry already is as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rename.is_none() && self.modifications.is_empty() && self.password.is_none()
    }

    /// The name of the entry `dn` after the rename, if there is one.
    #[must_use]
    pub fn renamed(&self, dn: &Dn) -> Dn {
        let Some(rename) = &self.rename else { return dn.clone() };
        let named = dn.with_rdn(&rename.rdn);
        rename.parent.as_ref().map_or_else(|| named.clone(), |parent| named.moved_under(parent))
    }

    /// The change of the entry `dn` as LDIF, in the order it is carried out.
    #[must_use]
    pub fn to_ldif(&self, dn: &Dn) -> String {
        let mut ldif = Ldif::default();
        if let Some(rename) = &self.rename {
            ldif = ldif.rename(dn, &rename.rdn, rename.parent.as_ref());
        }
        if !self.modifications.is_empty() {
            ldif = ldif.modify(&self.renamed(dn), &self.modifications);
        }
        if self.password.is_some() {
            if self.modifications.is_empty() {
                ldif = ldif.modify(&self.renamed(dn), &[]);
            }
            ldif = ldif.comment(PASSWORD_HIDDEN);
        }
        ldif.into_text()
    }
}

impl ResourceMapping {
    /// The password that `resource` brings, where passwords are carried over.
    pub(super) fn password_of(&self, resource: &Resource, mode: WriteMode) -> Option<NewPassword> {
        let text = resource.text(&AttributePath::core("password")).filter(|_| mode.password_sync)?;
        let row = self.rows.iter().find(|row| row.codec == Codec::Password);
        let attribute = row.map(|row| row.ldap.clone());
        (!text.is_empty()).then(|| NewPassword { secret: Password::new(text), attribute })
    }

    /// The entry that `resource` becomes when it is created.
    pub fn plan_create(&self, resource: &Resource, mentions: &Mentions, mode: WriteMode) -> Result<NewEntry, Fault> {
        let classes = self.object_class.iter().map(|class| class.as_bytes().to_vec()).collect();
        let mut attributes = vec![(AttributeName::literal("objectClass"), classes)];
        let mut numbers = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            let wanted = self.wanted(at, resource, mentions, mode)?;
            numbers.extend(number(row, &wanted));
            if let Wanted::Values(values) = wanted
                && !values.is_empty()
                && row.codec != Codec::Password
            {
                merge(&mut attributes, &row.ldap, values);
            }
        }
        let generated = self.generated(resource)?;
        let password = self.password_of(resource, mode);
        let active = wants_active(resource).unwrap_or(true);
        match &self.disable {
            Some(disable) => attributes.extend(disable.on_create(active)),
            None if !active && !self.has_active_row() => return Err(self.cannot_disable()),
            None => {}
        }
        let name = attributes.iter().find(|(attribute, _)| *attribute == self.rdn);
        let name = name.and_then(|(_, values)| values.first()).and_then(|value| std::str::from_utf8(value).ok());
        let name = name.ok_or_else(|| self.nameless())?.to_owned();
        let container = match &self.disable {
            Some(super::table::Disable::MoveTo(container)) if !active => container.clone(),
            _ => self.home(resource)?,
        };
        Ok(NewEntry { dn: container.child(&self.rdn, &name), attributes, password, generated, numbers })
    }

    /// The values that rows make up for a new entry.
    fn generated(&self, resource: &Resource) -> Result<Vec<Generated>, Fault> {
        let mut all = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            let Some(generate) = &row.generate else { continue };
            all.extend(Self::generated_value(row, generate, self.given_text(at, row, resource), resource)?.1);
        }
        Ok(all)
    }

    /// The change that makes `entry`, which shows as `before`, what `after` says. In a patch, rows whose value it did
    /// not touch are left alone even where the entry differs from what the row would write; in a replace, every row
    /// is compared.
    pub fn plan_update(&self, entry: &Entry, wish: &Wish<'_>) -> Result<Update, Fault> {
        let mut update = Update::default();
        let mut rdn = None;
        for (at, row) in self.rows.iter().enumerate() {
            if computes_the_same(row, wish) {
                continue;
            }
            let Wanted::Values(wanted) = self.wanted(at, wish.after, wish.mentions, wish.mode)? else { continue };
            if row.codec == Codec::Password {
                continue;
            }
            if self.is_untouched(at, &wanted, wish) || (row.when == When::IfEmpty && entry.has(&row.ldap)) {
                continue;
            }
            // An adopted entry may be named by another attribute; then this one is an ordinary value.
            let name = entry.dn.rdn().filter(|rdn| row.ldap == self.rdn && rdn.value_of(&self.rdn).is_some());
            match name {
                Some(name) => match self.plan_name(entry, &name, &wanted, wish.dialect)? {
                    Naming::Rename(new) => rdn = Some(new),
                    Naming::Respell(modifications) => update.modifications.extend(modifications),
                    Naming::Keep => {}
                },
                None => update.modifications.extend(diff(row, entry, wanted)),
            }
        }
        let account = self.plan_account(entry, wish.after)?;
        update.modifications.extend(account.modifications);
        update.password = self.password_of(wish.after, wish.mode);
        update.rename = match (rdn, account.parent) {
            (None, None) => None,
            (Some(rdn), parent) => Some(Rename { rdn, parent }),
            (None, parent) => entry.dn.rdn().map(|rdn| Rename { rdn, parent }),
        };
        Ok(update)
    }

    /// Whether the request leaves the value of a row as it is: a patch that did not change it, or one left out that
    /// the client never saw (a reference to something outside the tenant's bases, a value the codec can't read).
    fn is_untouched(&self, at: usize, wanted: &[Vec<u8>], wish: &Wish<'_>) -> bool {
        let was = self.wanted(at, wish.before, wish.mentions, wish.mode);
        if wish.is_patch && matches!(&was, Ok(Wanted::Values(same)) if same == wanted) {
            return true;
        }
        let reads_back = self.rows.get(at).is_some_and(|row| row.direction == Direction::Both && row.scim.is_some());
        wanted.is_empty() && reads_back && !self.shows(at, wish.before)
    }

    /// A fault of `resource` that shows without looking at any entry.
    pub fn check(&self, resource: &Resource, mode: WriteMode) -> Result<(), Fault> {
        for at in 0..self.rows.len() {
            self.wanted(at, resource, &Mentions::default(), mode)?;
        }
        Ok(())
    }

    fn plan_account(&self, entry: &Entry, after: &Resource) -> Result<AccountChange, Fault> {
        // A replace that says nothing of `active` must not bring a leaver back.
        let Some(active) = wants_active(after) else { return Ok(AccountChange::default()) };
        match &self.disable {
            Some(disable) if disable.is_active(entry) != active => {
                Ok(disable.change(entry, active, &self.home(after)?))
            }
            None if !active && !self.has_active_row() => Err(self.cannot_disable()),
            _ => Ok(AccountChange::default()),
        }
    }

    /// The change that a DELETE makes where the table says `delete = "disable"`.
    #[must_use]
    pub fn plan_disable(&self, entry: &Entry) -> Update {
        let Some(disable) = &self.disable else { return Update::default() };
        let account = disable.change(entry, false, &entry.dn);
        let rename = account.parent.and_then(|parent| entry.dn.rdn().map(|rdn| Rename { rdn, parent: Some(parent) }));
        Update { rename, modifications: account.modifications, password: None }
    }

    /// Whether a new account stays disabled until it has a password.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        self.initial_password != InitialPassword::NotNeeded
    }

    /// The attributes of a new entry as long as it has no password.
    #[must_use]
    pub fn held_back(&self, attributes: &[(AttributeName, Vec<Vec<u8>>)]) -> Vec<(AttributeName, Vec<Vec<u8>>)> {
        let mut attributes = attributes.to_vec();
        let disabled = self.disable.as_ref().filter(|_| self.holds_back()).map(|disable| disable.on_create(false));
        for (name, values) in disabled.into_iter().flatten() {
            attributes.retain(|(other, _)| *other != name);
            attributes.push((name, values));
        }
        attributes
    }

    /// Whether `entry`, which was made disabled, has to be enabled to become what was `planned`.
    #[must_use]
    pub fn enables(&self, entry: &Entry, planned: &[(AttributeName, Vec<Vec<u8>>)]) -> bool {
        let Some(disable) = self.disable.as_ref().filter(|_| self.holds_back()) else { return false };
        let mut wanted = Entry::new(entry.dn.clone());
        for (name, values) in planned {
            wanted.insert(name.clone(), values.clone());
        }
        disable.is_active(&wanted) && !disable.is_active(entry)
    }

    /// The change that disables `entry` once more, if it is disabled: servers lift a lock when they set a password.
    #[must_use]
    pub fn stay_disabled(&self, entry: &Entry) -> Vec<Modification> {
        let disable = self.disable.as_ref().filter(|disable| !disable.is_active(entry));
        let values = disable.map(|disable| disable.on_create(false)).unwrap_or_default();
        values.into_iter().map(|(name, values)| Modification::new(name, Change::Replace(values))).collect()
    }

    /// The change that enables an account.
    #[must_use]
    pub fn plan_enable(&self, entry: &Entry) -> Vec<Modification> {
        let change = self.disable.as_ref().map(|disable| disable.change(entry, true, &entry.dn));
        change.map(|change| change.modifications).unwrap_or_default()
    }

    /// The container that active entries of this kind live in.
    fn home(&self, resource: &Resource) -> Result<Dn, Fault> {
        self.base.parent_for(resource.as_map()).map_err(|reason| Fault::new(FaultKind::InvalidValue, reason))
    }

    fn has_active_row(&self) -> bool {
        let active = AttributePath::core("active");
        self.rows.iter().any(|row| row.scim.as_ref().is_some_and(|path| path.path == active))
    }

    fn nameless(&self) -> Fault {
        let subject = self.rows.iter().find(|row| row.ldap == self.rdn).map_or_else(String::new, Row::subject);
        Fault::new(FaultKind::InvalidValue, format!("{subject} is required: the entry is named by {}.", self.rdn))
    }

    fn cannot_disable(&self) -> Fault {
        Fault::new(
            FaultKind::InvalidValue,
            format!(
                "{} can't be deactivated: the mapping table says nothing of how. Add `disable` to it.",
                self.kind.endpoint()
            ),
        )
    }
}

/// Whether a row is computed, and a patch changed nothing that it is computed from.
fn computes_the_same(row: &Row, wish: &Wish<'_>) -> bool {
    let same = |template: &Template| template.reads_the_same(wish.before.as_map(), wish.after.as_map());
    wish.is_patch
        && row.only_if.is_none()
        && row.value.as_ref().is_some_and(same)
        && row.fallback.as_ref().is_none_or(same)
}

fn wants_active(resource: &Resource) -> Option<bool> {
    resource.get(&AttributePath::core("active")).and_then(serde_json::Value::as_bool)
}

fn number(row: &Row, wanted: &Wanted) -> Option<Number> {
    let range = row.next.clone().filter(|_| row.writes())?;
    let chosen = match wanted {
        Wanted::Values(values) => values.first().and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()),
        Wanted::Untouched => None,
    };
    Some(Number { attribute: row.ldap.clone(), range, chosen, row: row.place.to_string() })
}

fn merge(attributes: &mut Vec<(AttributeName, Vec<Vec<u8>>)>, name: &AttributeName, values: Vec<Vec<u8>>) {
    match attributes.iter_mut().find(|(attribute, _)| attribute == name) {
        Some((_, have)) => {
            for value in values {
                if !have.contains(&value) {
                    have.push(value);
                }
            }
        }
        None => attributes.push((name.clone(), values)),
    }
}

/// The modifications that bring one attribute from what the entry holds to `wanted`.
///
/// A row that is not `multi` owns only the value that it shows: other values of the attribute belong to somebody else.
fn diff(row: &Row, entry: &Entry, wanted: Vec<Vec<u8>>) -> Vec<Modification> {
    let current = entry.values(&row.ldap);
    let change = |change: Change| Modification { attribute: row.ldap.clone(), change };
    if row.multi && row.reference.is_none() && current.iter().any(|value| row.codec.decode(value).is_none()) {
        return exchange(row, current, wanted);
    }
    if row.multi || current.len() <= 1 {
        if same(row, current, &wanted) {
            return Vec::new();
        }
        return vec![change(Change::Replace(wanted))];
    }
    let shown = current.first().cloned().into_iter().collect::<Vec<_>>();
    if same(row, &shown, &wanted) {
        return Vec::new();
    }
    let added: Vec<Vec<u8>> = wanted.into_iter().filter(|value| !current.contains(value)).collect();
    let mut modifications = vec![change(Change::Delete(shown))];
    if !added.is_empty() {
        modifications.push(change(Change::Add(added)));
    }
    modifications
}

/// The same where some values are of a form that the row does not read: they belong to somebody else, and stay.
fn exchange(row: &Row, current: &[Vec<u8>], wanted: Vec<Vec<u8>>) -> Vec<Modification> {
    let gone = current.iter().filter(|value| row.codec.decode(value).is_some() && !wanted.contains(value));
    let gone: Vec<Vec<u8>> = gone.cloned().collect();
    let added: Vec<Vec<u8>> = wanted.into_iter().filter(|value| !current.contains(value)).collect();
    let steps = [(gone, Change::Delete as fn(_) -> _), (added, Change::Add)];
    let steps = steps.into_iter().filter(|(values, _)| !values.is_empty());
    steps.map(|(values, change)| Modification::new(row.ldap.clone(), change(values))).collect()
}

fn same(row: &Row, current: &[Vec<u8>], wanted: &[Vec<u8>]) -> bool {
    current.len() == wanted.len() && wanted.iter().all(|value| current.iter().any(|have| equal(row, have, value)))
}

fn equal(row: &Row, one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    row.reference.is_some() && Dn::in_value(one).is_some_and(|one| Some(one) == Dn::in_value(other))
}

#[cfg(test)]
mod tests;
