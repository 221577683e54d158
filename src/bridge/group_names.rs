//! Attributes of users that hold the names of their groups, kept true after every change of a membership.
//!
//! What a request changed is only noted: whose attribute may no longer be true. When the request is carried out, each of
//! these users is looked at: the names are always computed from the groups as the directory holds them, never from the
//! request. So a repeated or late update writes the same as the first one. After a write the groups are read once more:
//! of several who write at the same time, in several bridges too, the last one sees what all of them changed.
//!
//! A table without such rows costs nothing.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt, stream};

use crate::directory::{
    self, AttributeName, Dn, Entry, FaultKind as Kind, Filter, Modification, ModifyOptions, Scope, Search,
};
use crate::mapping::{GroupNames, MemberDelta, Members, NewEntry, ResourceMapping, Update};
use crate::scim::ResourceKind;

use super::membership::VALUES;
use super::references::SIDE_BY_SIDE;
use super::snapshot::Effect;
use super::{Carrier, Fault, Receipt};

/// How often one user's groups may change while they are written, before somebody else's write is relied upon.
const ROUNDS: usize = 8;
/// Users that are remembered because their attribute could not be written.
const REMEMBERED: usize = 100_000;

/// Members, as groups hold them, whose attribute is known not to be true: those of requests that ended too soon.
#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<BTreeSet<Vec<u8>>>);

/// Members, as groups hold them, whose attribute may no longer be true because of one request. Those that are left when
/// the request ends, in whatever way, are owed.
#[derive(Debug)]
pub(super) struct Touched {
    values: Mutex<BTreeSet<Vec<u8>>>,
    owed: Arc<Owed>,
}

/// The parts of a table that have to do with it.
#[derive(Clone, Copy)]
struct Kept<'a> {
    users: &'a ResourceMapping,
    groups: &'a ResourceMapping,
    members: &'a Members,
}

impl Owed {
    fn note(&self, values: BTreeSet<Vec<u8>>) {
        let mut all = lock(&self.0);
        all.extend(values);
        if all.len() > REMEMBERED {
            tracing::error!(users = all.len(), "too many users whose groups' names could not be written; forgotten");
            all.clear();
        }
    }
}

impl Touched {
    /// Nobody yet.
    pub fn new(owed: &Arc<Owed>) -> Self {
        Self { values: Mutex::default(), owed: Arc::clone(owed) }
    }

    fn note(&self, values: impl IntoIterator<Item = Vec<u8>>) {
        lock(&self.values).extend(values);
    }

    fn take_over_what_is_owed(&self) {
        let owed = std::mem::take(&mut *lock(&self.owed.0));
        self.note(owed);
    }

    fn done(&self, value: &[u8]) {
        lock(&self.values).remove(value);
    }

    fn all(&self) -> BTreeSet<Vec<u8>> {
        lock(&self.values).clone()
    }

    fn count(&self) -> usize {
        lock(&self.values).len()
    }

    fn clear(&self) {
        lock(&self.values).clear();
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *lock(&self.values));
        if !left.is_empty() {
            self.owed.note(left);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Carrier {
    fn kept(&self) -> Option<Kept<'_>> {
        let users = self.mapping(ResourceKind::User).ok().filter(|users| !users.group_names.is_empty())?;
        let groups = self.mapping(ResourceKind::Group).ok()?;
        Some(Kept { users, groups, members: groups.members.as_ref()? })
    }

    /// Notes that who comes and who goes is in other groups than before.
    pub(super) fn touch(&self, touched: &Touched, delta: &MemberDelta) {
        if self.kept().is_some() {
            touched.note(delta.add.iter().chain(&delta.remove).cloned());
        }
    }

    /// Notes the members that a new group will have, or that the new user may be one.
    pub(super) fn touch_new(&self, touched: &Touched, mapping: &ResourceMapping, plan: &NewEntry) {
        let Some(kept) = self.kept() else { return };
        let mut entry = Entry::new(plan.dn.clone());
        for (name, values) in &plan.attributes {
            entry.insert(name.clone(), values.clone());
        }
        match mapping.kind {
            ResourceKind::Group => touched.note(kept.members.take_values(&mut entry)),
            ResourceKind::User => touched.note(kept.value_of(&entry)),
        }
    }

    /// Notes what `update` will do to `entry`: to all members of a group that gets another name, or to the user.
    pub(super) async fn touch_update(
        &self,
        touched: &Touched,
        mapping: &ResourceMapping,
        entry: &Entry,
        update: &Update,
    ) -> Result<(), Fault> {
        let Some(kept) = self.kept() else { return Ok(()) };
        if mapping.kind == ResourceKind::User {
            let mut entry = entry.clone();
            entry.dn = update.renamed(&entry.dn);
            touched.note(kept.value_of(&entry));
        } else if kept.gets_another_name(update) {
            self.touch_members(touched, &entry.dn).await?;
        }
        Ok(())
    }

    /// Notes everybody who is in the group at `dn` now.
    pub(super) async fn touch_members(&self, touched: &Touched, dn: &Dn) -> Result<(), Fault> {
        let Some(kept) = self.kept() else { return Ok(()) };
        let values = self.members_at(kept, dn).await.map_err(|fault| self.fault(fault))?;
        touched.note(values);
        Ok(())
    }

    /// Brings the attributes of those up to date whom a request touched, before it is answered. What the request itself
    /// asked for is done: if the directory is away now, a request that may be repeated is told so, and in any case
    /// the next one works off what is left.
    pub(super) async fn follow_up(&self, outcome: Result<Receipt, Fault>, touched: Touched) -> Result<Receipt, Fault> {
        let Some(kept) = self.kept() else { return outcome };
        match &outcome {
            // It may have been carried out.
            Err(Fault::Unavailable { .. }) => return outcome,
            // It was not, except for the first part of a change that takes several requests to the directory.
            Err(_) if touched.count() <= VALUES => touched.clear(),
            _ => {}
        }
        touched.take_over_what_is_owed();
        if touched.count() == 0 {
            return outcome;
        }
        let updated = self.bring_up_to_date(kept, &touched).await;
        self.inner.snapshots.written(ResourceKind::User, Effect::Changed);
        let Err(fault) = updated else { return outcome };
        tracing::warn!(users = touched.count(), %fault, "the names of users' groups are left to the next request");
        match outcome {
            // Repeated, they would fail: the resource is there, or gone.
            Ok(receipt @ (Receipt::Created(_) | Receipt::Deleted)) => Ok(receipt),
            Ok(_) => Err(self.fault(fault)),
            refused => refused,
        }
    }

    /// A fault when the directory is away. What it refuses for good is logged: nobody can do anything about it later.
    async fn bring_up_to_date(&self, kept: Kept<'_>, touched: &Touched) -> Result<(), directory::Fault> {
        let mut seen = touched.all();
        let mut open: Vec<Vec<u8>> = seen.iter().cloned().collect();
        while !open.is_empty() {
            let work = std::mem::take(&mut open).into_iter();
            let work = work.map(|value| async move { (self.refresh(kept, &value).await, value) });
            let mut work = stream::iter(work).buffer_unordered(SIDE_BY_SIDE);
            while let Some((outcome, value)) = work.next().await {
                match outcome {
                    Ok(further) => {
                        touched.note(further.iter().cloned());
                        open.extend(further.into_iter().filter(|value| seen.insert(value.clone())));
                    }
                    Err(fault) if fault.is_transient() => return Err(fault),
                    Err(fault) => {
                        let member = String::from_utf8_lossy(&value).into_owned();
                        tracing::error!(member, %fault, said = fault.diagnostic,
                            "the names of a user's groups can't be written");
                    }
                }
                touched.done(&value);
            }
        }
        Ok(())
    }

    /// Makes the attributes of one member true. Returns who is in it, if it is a group and that matters.
    async fn refresh(&self, kept: Kept<'_>, value: &[u8]) -> Result<Vec<Vec<u8>>, directory::Fault> {
        // Of the user's changes, only this one depends on what others write; so it has a turn of its own.
        let mut key = "groups of ".to_owned();
        key.push_str(&String::from_utf8_lossy(value).to_lowercase());
        let _turn = self.inner.locks.turn(key).await;
        let mut written = None;
        for _ in 0..ROUNDS {
            let Some(entry) = self.user_of(kept, value).await? else { return self.further(kept, value).await };
            let modifications = self.differences(kept, &entry, value).await?;
            if modifications.is_empty() || written.as_ref() == Some(&modifications) {
                break;
            }
            match self.inner.target.modify(&entry.dn, &modifications, &ModifyOptions::default()).await {
                Ok(_) => tracing::info!(entry = %entry.dn, "names of groups"),
                // The user is gone, or elsewhere by now.
                Err(fault) if fault.kind == Kind::NotFound => {}
                Err(fault) => return Err(fault),
            }
            written = Some(modifications);
        }
        Ok(Vec::new())
    }

    /// The entry of a user that groups hold as `value`.
    async fn user_of(&self, kept: Kept<'_>, value: &[u8]) -> Result<Option<Entry>, directory::Fault> {
        let attributes: Vec<AttributeName> = kept.users.group_names.iter().map(|row| row.ldap.clone()).collect();
        if let Some(name) = kept.members.name_attribute() {
            let found = self.find_entries(kept.users, Filter::Equal(name.clone(), value.to_vec()), attributes).await?;
            return Ok(found.into_iter().next());
        }
        let Some(dn) = Dn::in_value(value).filter(|dn| kept.users.holds(dn)) else { return Ok(None) };
        let search =
            Search { base: dn, scope: Scope::Base, filter: kept.users.filter.clone(), attributes, size_limit: 0 };
        Ok(gone_is_none(self.inner.target.search(&search).await)?.and_then(|found| found.into_iter().next()))
    }

    /// What has to change in a user's entry so that each of the rows is right.
    async fn differences(
        &self,
        kept: Kept<'_>,
        entry: &Entry,
        value: &[u8],
    ) -> Result<Vec<Modification>, directory::Fault> {
        let mut modifications = Vec::new();
        for indirect in [false, true] {
            let rows: Vec<&GroupNames> = kept.users.group_names.iter().filter(|row| row.indirect == indirect).collect();
            if rows.is_empty() {
                continue;
            }
            let mut attributes = vec![kept.groups.id.attribute.clone()];
            attributes.extend(rows.iter().flat_map(|row| kept.groups.name_attributes(row.show)));
            let groups = self.groups_listing(kept.groups, kept.members, value.to_vec(), (indirect, attributes)).await?;
            for row in rows {
                let names = groups.iter().filter_map(|group| kept.groups.name_of_group(group, row.show));
                let joined = row.joined(names.collect());
                for name in &joined.left_out {
                    tracing::warn!(entry = %entry.dn, group = name, attribute = %row.ldap,
                        "the name of a group is left out: the separator is in it, or there is no room");
                }
                modifications.extend(row.difference(entry, joined.value.as_ref()));
            }
        }
        Ok(modifications)
    }

    /// The members of a group, where a change above it shows in the attributes of its members.
    async fn further(&self, kept: Kept<'_>, value: &[u8]) -> Result<Vec<Vec<u8>>, directory::Fault> {
        let nested = kept.users.group_names.iter().any(|row| row.indirect);
        match Dn::in_value(value).filter(|dn| nested && kept.groups.holds(dn)) {
            Some(dn) if kept.members.name_attribute().is_none() => self.members_at(kept, &dn).await,
            _ => Ok(Vec::new()),
        }
    }

    async fn members_at(&self, kept: Kept<'_>, dn: &Dn) -> Result<Vec<Vec<u8>>, directory::Fault> {
        let (attributes, filter) = (vec![kept.members.attribute.clone()], kept.groups.filter.clone());
        let search = Search { base: dn.clone(), scope: Scope::Base, filter, attributes, size_limit: 0 };
        let found = gone_is_none(self.inner.target.search(&search).await)?.unwrap_or_default();
        Ok(found.into_iter().flat_map(|mut entry| kept.members.take_values(&mut entry)).collect())
    }
}

impl Kept<'_> {
    /// What groups hold for this user.
    fn value_of(&self, entry: &Entry) -> Option<Vec<u8>> {
        let Some(name) = self.members.name_attribute() else { return Some(entry.dn.as_str().as_bytes().to_vec()) };
        let in_rdn = || entry.dn.rdn().and_then(|rdn| rdn.value_of(name).map(|value| value.as_bytes().to_vec()));
        in_rdn().or_else(|| entry.values(name).first().cloned())
    }

    fn gets_another_name(&self, update: &Update) -> bool {
        let names = self.users.group_names.iter().flat_map(|row| self.groups.name_attributes(row.show));
        let names: HashSet<AttributeName> = names.collect();
        let renamed = update.rename.is_some() && names.contains(&self.groups.rdn);
        renamed || update.modifications.iter().any(|change| names.contains(&change.attribute))
    }
}

fn gone_is_none<T>(outcome: Result<T, directory::Fault>) -> Result<Option<T>, directory::Fault> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(fault) if fault.kind == Kind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}
