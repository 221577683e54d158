//! One resource by its id, and from entries to finished resources.

use std::ops::ControlFlow;

use crate::directory::{self, AttributeName, Dn, Entry, FaultKind, Filter, Scope, Search};
use crate::mapping::{Delete, GroupsOf, NoId, Pointer, Reading, ResourceMapping};
use crate::scim::{AttributePath, Projection, Resource, ResourceKind};

use super::carrier::Asked;
use super::members::Held;
use super::references::Known;
use super::{Carrier, Fault};

/// An entry that was read, as far as it tells alone.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The resource, references open.
    pub reading: Reading,
    /// What the entry holds as members, if it was asked.
    pub members: Option<Held>,
}

impl Carrier {
    /// The resource with this id.
    pub async fn get(&self, kind: ResourceKind, id: &str, projection: &Projection) -> Result<Resource, Fault> {
        let mapping = self.mapping(kind)?;
        let attributes = mapping.attributes(self.dialect(), projection);
        if let Some(members) = mapping.members.as_ref().filter(|_| shows_members(projection))
            && let Some((entry, followed)) = self.group_by_id(mapping, members, id, &attributes).await?
        {
            let members = Some(Held::Followed(followed));
            let found = Found { reading: mapping.read(&entry, self.dialect())?, members };
            return self.finish_found(mapping, found).await;
        }
        let entry = self.entry_by_id(mapping, id, attributes).await?;
        self.finish(mapping, entry, shows_members(projection)).await
    }

    /// The entry behind an id.
    pub(super) async fn entry_by_id(
        &self,
        mapping: &ResourceMapping,
        id: &str,
        attributes: Vec<AttributeName>,
    ) -> Result<Entry, Fault> {
        let not_found = || Fault::NotFound { kind: mapping.kind, id: id.to_owned() };
        let filter = mapping.id.filter(id).ok_or_else(not_found)?;
        let found = if self.inner.target.is_live() && attributes.contains(&mapping.id.attribute) {
            self.look_up_by_id(mapping, (id, filter), attributes).await?
        } else {
            self.find(mapping, filter, attributes).await?
        };
        found.into_iter().next().ok_or_else(not_found)
    }

    /// The entries of this kind that `filter` matches, wherever entries of this kind may stand. All of them are held in
    /// memory.
    pub(super) async fn find(
        &self,
        mapping: &ResourceMapping,
        filter: Filter,
        attributes: Vec<AttributeName>,
    ) -> Result<Vec<Entry>, Fault> {
        self.find_entries(mapping, filter, attributes).await.map_err(|fault| self.fault(fault))
    }

    /// The same, with the directory's own words for what goes wrong.
    pub(super) async fn find_entries(
        &self,
        mapping: &ResourceMapping,
        filter: Filter,
        attributes: Vec<AttributeName>,
    ) -> Result<Vec<Entry>, directory::Fault> {
        let filter = Filter::And(vec![filter, mapping.filter.clone()]);
        let mut search = Search { base: Dn::root(), scope: Scope::Sub, filter, attributes, size_limit: 0 };
        let mut found = Vec::new();
        for base in mapping.search_bases() {
            search.base = base;
            found.extend(self.search_whole(&search).await?);
        }
        found.retain(|entry| in_sight(mapping, &entry.dn));
        Ok(found)
    }

    /// Everything that `search` finds: one search where few are found, as is usual, and page by page where the server
    /// does not send as many at once. A manager may have thousands of reports.
    pub(super) async fn search_whole(&self, search: &Search) -> Result<Vec<Entry>, directory::Fault> {
        match self.inner.target.search(search).await {
            Err(fault) if fault.kind == FaultKind::SizeLimit => {}
            other => return other,
        }
        let mut found = Vec::new();
        let mut gather = |entry| {
            found.push(entry);
            ControlFlow::Continue(())
        };
        self.inner.target.scan(search, &mut gather).await?;
        Ok(found)
    }

    /// The resource that `entry` is, references and members included.
    pub(super) async fn finish(
        &self,
        mapping: &ResourceMapping,
        entry: Entry,
        members: bool,
    ) -> Result<Resource, Fault> {
        self.finish_found(mapping, self.read(mapping, entry, members)?).await
    }

    /// What `entry` is before a change, as far as that change may depend on it.
    pub(super) async fn before(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        asked: Asked<'_>,
    ) -> Result<Resource, Fault> {
        if asked.if_match.is_some() {
            return self.finish(mapping, entry.clone(), true).await;
        }
        let found = self.read_without_members(mapping, entry)?;
        if self.is_blind(asked) && !mapping.depends_on_groups() {
            return self.finish_without_groups(mapping, found).await;
        }
        self.finish_found(mapping, found).await
    }

    /// The resource without the groups that the entry is in: nothing that is written depends on them, but where the
    /// table says so.
    async fn finish_without_groups(&self, mapping: &ResourceMapping, mut found: Found) -> Result<Resource, Fault> {
        found.reading.pointers.retain(|pointer| !pointer.is_group());
        let known = if found.reading.pointers.is_empty() {
            Known::default()
        } else {
            self.follow(found.reading.pointers.iter()).await?
        };
        self.complete(mapping, found, &known).await
    }

    async fn finish_found(&self, mapping: &ResourceMapping, found: Found) -> Result<Resource, Fault> {
        let known = self.known(mapping, std::slice::from_ref(&found)).await?;
        self.complete(mapping, found, &known).await
    }

    /// The same for many entries: what several of them refer to is looked up once.
    pub(super) async fn finish_all(
        &self,
        mapping: &ResourceMapping,
        found: Vec<Found>,
    ) -> Result<Vec<Resource>, Fault> {
        let known = self.known(mapping, &found).await?;
        let mut resources = Vec::with_capacity(found.len());
        for found in found {
            resources.push(self.complete(mapping, found, &known).await?);
        }
        Ok(resources)
    }

    /// What one entry alone tells; of a group also its `members`, if they were asked for.
    pub(super) fn read(&self, mapping: &ResourceMapping, mut entry: Entry, members: bool) -> Result<Found, NoId> {
        let members = mapping.members.as_ref().filter(|_| members);
        let members = members.map(|members| Held::Values(members.take_values(&mut entry)));
        Ok(Found { members, ..self.read_without_members(mapping, &entry)? })
    }

    fn read_without_members(&self, mapping: &ResourceMapping, entry: &Entry) -> Result<Found, NoId> {
        Ok(Found { reading: mapping.read(entry, self.dialect())?, members: None })
    }

    async fn known(&self, mapping: &ResourceMapping, found: &[Found]) -> Result<Known, Fault> {
        let pointers = found.iter().flat_map(|found| found.reading.pointers.iter());
        let mut known = if found.iter().all(|found| found.reading.pointers.is_empty()) {
            Known::default()
        } else {
            self.follow(pointers).await?
        };
        if mapping.groups == GroupsOf::Search {
            for found in found {
                self.search_groups(&found.reading.dn, &mut known).await?;
            }
        }
        if mapping.nested_groups || (mapping.kind == ResourceKind::User && self.names_all_groups().is_some()) {
            self.add_indirect(mapping, found, &mut known).await?;
        }
        Ok(known)
    }

    async fn complete(&self, mapping: &ResourceMapping, mut found: Found, known: &Known) -> Result<Resource, Fault> {
        found.reading.pointers.extend(known.groups_of(&found.reading.dn).iter().cloned().map(Pointer::group));
        let indirect = known.indirect_of(&found.reading.dn);
        found.reading.pointers.retain(|pointer| !indirect.contains(&pointer.dn) || !pointer.is_group());
        if mapping.nested_groups {
            found.reading.pointers.extend(indirect.iter().cloned().map(Pointer::indirect_group));
        }
        let members = match (&mapping.members, found.members) {
            (Some(members), Some(held)) => Some(self.members_text(members, &held).await?),
            _ => None,
        };
        let location = self.location(mapping.kind, &found.reading.id);
        Ok(found.reading.finish(location, &|pointer| known.get(pointer), members))
    }
}

/// Whether an answer shows the members of a group.
pub(super) fn shows_members(projection: &Projection) -> bool {
    projection.wants(&AttributePath::core("members"))
}

/// Entries that a DELETE moved away are no longer resources, even where their container lies below the base.
pub(super) fn in_sight(mapping: &ResourceMapping, dn: &Dn) -> bool {
    match &mapping.delete {
        Delete::MoveTo(container) => !dn.is_within(container),
        Delete::Delete | Delete::Disable => true,
    }
}
