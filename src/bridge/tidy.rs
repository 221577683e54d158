//! When an entry is gone or has another name, nothing may go on naming it by the old one: a membership that leads
//! nowhere is a membership for whoever gets the name next.
//!
//! Servers with referential integrity do this themselves, some a moment later, and some fail where a group would lose
//! its last member; so it is looked for in any case, and what is already done is no fault.

use std::time::Instant;

use crate::directory::{
    self, AttributeName, Change, Dn, Entry, FaultKind as Kind, Filter, Modification, ModifyOptions, Scope, Search,
};
use crate::mapping::{MemberDelta, Members, ResourceMapping, Row};
use crate::scim::ResourceKind;

use super::carrier::Asked;
use super::{Carrier, Fault};

/// An entry that left the name `old`, as the server showed it right after that: where it refers to itself, such as its own
/// manager, it follows itself only a moment later.
pub(super) fn following_itself(mapping: &ResourceMapping, mut entry: Entry, old: &Dn) -> Entry {
    let is_old = |value: &Vec<u8>| Dn::in_value(value).is_some_and(|dn| dn == *old);
    for row in mapping.rows.iter().filter(|row| row.reference.is_some()) {
        let values = entry.values(&row.ldap);
        if entry.dn != *old && values.iter().any(is_old) {
            let now = || entry.dn.as_str().as_bytes().to_vec();
            let followed = values.iter().map(|value| if is_old(value) { now() } else { value.clone() }).collect();
            entry.insert(row.ldap.clone(), followed);
        }
    }
    entry
}

impl Carrier {
    /// Lets what refers to an entry follow from all the names that it had since the change was asked for: from `home`,
    /// where it stood first, to the one that it had right before the change. `names` are that one and the one it has
    /// now; without, the entry is gone.
    ///
    /// A name that the entry did not leave just now may belong to somebody else, whose memberships stay.
    pub(super) async fn tidy_names(
        &self,
        home: Option<&Dn>,
        asked: Asked<'_>,
        names: Option<(&Dn, &Dn)>,
    ) -> Result<(), Fault> {
        let (was, now) = names.unzip();
        let mut done: Vec<&Dn> = now.into_iter().collect();
        for old in home.into_iter().chain(asked.later_homes).chain(was) {
            if done.contains(&old) {
                continue;
            }
            done.push(old);
            // Also where it belongs to somebody else by now, others may have meant this entry.
            self.inner.target.left(old, now);
            let outcome = match self.is_taken(old, was).await {
                Ok(false) => self.tidy(old, now).await,
                Ok(true) => {
                    tracing::warn!(entry = %old, "another entry has this name by now; what refers to it is left as it is");
                    Ok(())
                }
                Err(fault) => Err(fault),
            };
            outcome.map_err(|fault| self.fault(fault))?;
        }
        Ok(())
    }

    /// Whether another entry may be meant by the name `old`. The entry itself has just left the name `was`.
    pub(super) async fn is_taken(&self, old: &Dn, was: Option<&Dn>) -> Result<bool, directory::Fault> {
        if was == Some(old) {
            return Ok(false);
        }
        let (base, attributes) = (old.clone(), vec![AttributeName::NONE]);
        let search = Search { base, scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        match self.inner.target.search(&search).await {
            Ok(found) => Ok(!found.is_empty()),
            Err(fault) if fault.kind == Kind::NotFound => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Makes everything that refers to `old` refer to `new`, or to nothing. The change itself is made and can't be taken
    /// back; so what fails is logged, but where the directory is away and somebody else goes on later, that is for them.
    pub(super) async fn tidy(&self, old: &Dn, new: Option<&Dn>) -> Result<(), directory::Fault> {
        if new == Some(old) {
            return Ok(());
        }
        let began = Instant::now();
        // Another tenant may rename the same entry meanwhile.
        let under_way = self.inner.target.under_way();
        self.inner.target.left(old, new);
        let mut outcome = self.tidy_all(old, new).await;
        while let (Ok(()), Some(further)) =
            (&outcome, under_way.news().moved.into_iter().find(|it| Some(&it.old) == new))
        {
            outcome = self.tidy_all(&further.old, further.now()).await;
        }
        self.inner.target.tidied(old, began.elapsed());
        outcome
    }

    async fn tidy_all(&self, old: &Dn, new: Option<&Dn>) -> Result<(), directory::Fault> {
        for kind in [ResourceKind::User, ResourceKind::Group] {
            let outcome = self.tidy_references(kind, old, new).await;
            let outcome = if outcome.is_ok() && kind == ResourceKind::Group {
                self.tidy_members(old, new).await
            } else {
                outcome
            };
            if let Err(fault) = outcome {
                if self.inner.policy.hands_over && fault.is_transient() {
                    return Err(fault);
                }
                tracing::error!(entry = %old, %fault, "references to the entry by its old name may be left");
            }
        }
        Ok(())
    }

    async fn tidy_references(&self, kind: ResourceKind, old: &Dn, new: Option<&Dn>) -> Result<(), directory::Fault> {
        let Ok(mapping) = self.mapping(kind) else { return Ok(()) };
        let rows: Vec<&Row> = mapping.rows.iter().filter(|row| row.reference.is_some() && row.writes()).collect();
        for row in rows {
            let filter = Filter::Equal(row.ldap.clone(), old.as_str().as_bytes().to_vec());
            for entry in self.find_entries(mapping, filter, vec![mapping.id.attribute.clone()]).await? {
                if !self.is_protected(&entry.dn, old).await? {
                    self.exchange_reference(&entry.dn, &row.ldap, (old, new)).await?;
                }
            }
        }
        Ok(())
    }

    /// Puts `new`, if there is one, in the place of `old` in one attribute of the entry at `dn`.
    pub(super) async fn exchange_reference(
        &self,
        dn: &Dn,
        attribute: &AttributeName,
        (old, new): (&Dn, Option<&Dn>),
    ) -> Result<(), directory::Fault> {
        let (value, change) =
            (|dn: &Dn| vec![dn.as_str().as_bytes().to_vec()], |it| Modification::new(attribute.clone(), it));
        let mut modifications = vec![change(Change::Delete(value(old)))];
        modifications.extend(new.map(|new| change(Change::Add(value(new)))));
        match self.inner.target.modify(dn, &modifications, &ModifyOptions::default()).await {
            Err(fault) if !is_done(fault.kind) => Err(fault),
            _ => Ok(()),
        }
    }

    /// Whether `dn` must be left as it is, which is logged: it goes on naming `old`.
    async fn is_protected(&self, dn: &Dn, old: &Dn) -> Result<bool, directory::Fault> {
        let Some(line) = self.protecting(dn).await? else { return Ok(false) };
        let why = line.reason(dn);
        tracing::warn!(entry = %dn, reference = %old, why, "a protected entry still names an entry by its old name");
        Ok(true)
    }

    async fn tidy_members(&self, old: &Dn, new: Option<&Dn>) -> Result<(), directory::Fault> {
        let Ok(mapping) = self.mapping(ResourceKind::Group) else { return Ok(()) };
        let Some(members) = &mapping.members else { return Ok(()) };
        let (Some(gone), came) = (member_value(members, old), new.and_then(|new| member_value(members, new))) else {
            return Ok(());
        };
        if came.as_ref() == Some(&gone) {
            return Ok(());
        }
        let filter = Filter::Equal(members.attribute.clone(), gone.clone());
        for entry in self.find_entries(mapping, filter, vec![mapping.id.attribute.clone()]).await? {
            if self.is_protected(&entry.dn, old).await? {
                continue;
            }
            let mut place = Self::place_at(mapping, &entry);
            let delta = MemberDelta { add: came.iter().cloned().collect(), remove: vec![gone.clone()] };
            let id = mapping.id.of(&entry).unwrap_or_default();
            self.inner.places.forget(&id);
            match self.exchange_member(mapping, members, &mut place, &id, delta).await {
                Err(fault) if !is_done(fault.kind) => return Err(fault),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What groups hold for the entry `dn`, as far as its name tells.
pub(super) fn member_value(members: &Members, dn: &Dn) -> Option<Vec<u8>> {
    match members.name_attribute() {
        None => Some(dn.as_str().as_bytes().to_vec()),
        Some(name) => dn.rdn()?.value_of(name).map(|value| value.as_bytes().to_vec()),
    }
}

/// Faults that mean that somebody else, the server most likely, was faster.
fn is_done(kind: Kind) -> bool {
    matches!(kind, Kind::NoSuchValue | Kind::ValueExists | Kind::NotFound)
}
