//! From DNs to the resources they stand for, and from a client's words to entries: many at a time, by a few searches.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::directory::{AttributeName, Dn, Entry, FaultKind, Filter, Scope, Search};
use crate::mapping::{Mention, Mentions, Pointer, ReferenceKey, Referenced, ResourceMapping};
use crate::scim::{Resource, ResourceKind};

use super::unmet::LeftOut;
use super::{Carrier, Fault};

/// Searches that run side by side for one request.
pub(super) const SIDE_BY_SIDE: usize = 8;
/// Entries asked for by one search. Servers compare each entry that they find with every alternative of the filter, so
/// that twice as many take four times as long; fewer take more round trips.
pub(super) const AT_ONCE: usize = 50;

/// What DNs turned out to stand for.
#[derive(Debug, Default)]
pub(super) struct Known {
    at: HashMap<Dn, Referenced>,
    /// The groups that list an entry, where only a search tells.
    groups: HashMap<Dn, Vec<Dn>>,
    /// The groups that an entry is in by way of other groups.
    indirect: HashMap<Dn, Vec<Dn>>,
    /// The groups that a group itself is in, where the server names all groups of an entry.
    above: HashMap<Dn, Vec<Dn>>,
}

impl Known {
    /// What `pointer` points at, if that is of the kind it should be.
    pub fn get(&self, pointer: &Pointer) -> Option<Referenced> {
        self.at.get(&pointer.dn).filter(|found| pointer.to.is_none_or(|kind| kind == found.kind)).cloned()
    }

    /// What stands at `dn`.
    pub fn at(&self, dn: &Dn) -> Option<&Referenced> {
        self.at.get(dn)
    }

    /// The groups that list the entry `dn`, as far as they were searched for.
    pub fn groups_of(&self, dn: &Dn) -> &[Dn] {
        self.groups.get(dn).map_or(&[], Vec::as_slice)
    }

    /// The groups that the entry `dn` is in by way of other groups, as far as they were looked for.
    pub fn indirect_of(&self, dn: &Dn) -> &[Dn] {
        self.indirect.get(dn).map_or(&[], Vec::as_slice)
    }

    /// The groups that the group `dn` is in; `None` where nothing is known of it.
    pub fn above(&self, dn: &Dn) -> Option<&[Dn]> {
        self.above.get(dn).map(Vec::as_slice)
    }

    /// Notes what stands at `dn`.
    pub fn note(&mut self, dn: Dn, found: Referenced) {
        self.at.insert(dn, found);
    }

    /// Notes the groups that the entry `dn` is in by way of other groups.
    pub fn note_indirect(&mut self, dn: Dn, mut groups: Vec<Dn>) {
        // In an order that is the same every time, for the version of the resource depends on it.
        groups.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        self.indirect.insert(dn, groups);
    }
}

impl Carrier {
    /// Looks up what `pointers` point at, each DN once.
    pub(super) async fn follow(&self, pointers: impl Iterator<Item = &Pointer>) -> Result<Known, Fault> {
        let mut of_kind: BTreeMap<Option<ResourceKind>, HashSet<&Dn>> = BTreeMap::new();
        for pointer in pointers {
            of_kind.entry(pointer.to).or_default().insert(&pointer.dn);
        }
        let mut known = Known::default();
        for (kind, dns) in of_kind {
            let kinds = kind.map_or(vec![ResourceKind::User, ResourceKind::Group], |kind| vec![kind]);
            let found = self.look_at(dns.into_iter().cloned().collect(), &kinds).await?;
            known.at.extend(found.at);
            known.above.extend(found.above);
        }
        Ok(known)
    }

    /// What stands at each of `dns`; where the first kind has nothing, the next is asked.
    pub(super) async fn look_at(&self, dns: Vec<Dn>, kinds: &[ResourceKind]) -> Result<Known, Fault> {
        let mut known = Known::default();
        let mut open = dns;
        for kind in kinds {
            let Ok(mapping) = self.mapping(*kind) else { continue };
            let here: Vec<Dn> = open.iter().filter(|dn| mapping.holds(dn)).cloned().collect();
            let searches = searches_for(here);
            let names = mapping.display_attributes();
            let holders = self.names_all_groups().filter(|_| *kind == ResourceKind::Group);
            let attributes: Vec<AttributeName> = names.iter().chain(holders).cloned().collect();
            let found: Vec<Vec<Entry>> = stream::iter(searches)
                .map(|(parent, filter, dns)| self.entries_below(mapping, parent, (filter, dns), &attributes))
                .buffer_unordered(SIDE_BY_SIDE)
                .try_collect()
                .await?;
            for entry in found.into_iter().flatten() {
                if let Some(holders) = holders {
                    known.above.insert(entry.dn.clone(), entry.names(holders).collect());
                }
                known.at.extend(self.referenced(mapping, &names, entry));
            }
            open.retain(|dn| !known.at.contains_key(dn));
            if open.is_empty() {
                break;
            }
        }
        Ok(known)
    }

    /// The entries of one kind at `dns`, by a few searches.
    pub(super) async fn entries_at(
        &self,
        mapping: &ResourceMapping,
        dns: &[Dn],
        attributes: &[AttributeName],
    ) -> Result<Vec<Entry>, Fault> {
        let here: Vec<Dn> = dns.iter().filter(|dn| mapping.holds(dn)).cloned().collect();
        let found: Vec<Vec<Entry>> = stream::iter(searches_for(here))
            .map(|(parent, filter, dns)| self.entries_below(mapping, parent, (filter, dns), attributes))
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Those of `dns` that stand directly below `parent`, with their ids and `attributes`.
    async fn entries_below(
        &self,
        mapping: &ResourceMapping,
        parent: Dn,
        (filter, dns): (Filter, HashSet<Dn>),
        attributes: &[AttributeName],
    ) -> Result<Vec<Entry>, Fault> {
        let mut attributes = attributes.to_vec();
        attributes.push(mapping.id.attribute.clone());
        let filter = Filter::And(vec![filter, mapping.filter.clone()]);
        let search = Search { base: parent, scope: Scope::One, filter, attributes, size_limit: 0 };
        match self.search_whole(&search).await {
            Ok(entries) => Ok(entries.into_iter().filter(|entry| dns.contains(&entry.dn)).collect()),
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(Vec::new()),
            Err(fault) => Err(self.fault(fault)),
        }
    }

    pub(super) fn referenced(
        &self,
        mapping: &ResourceMapping,
        names: &[AttributeName],
        entry: Entry,
    ) -> Option<(Dn, Referenced)> {
        let id = mapping.id.of(&entry)?;
        let display = names.iter().find_map(|name| entry.text(name)).map(ToOwned::to_owned);
        let location = self.location(mapping.kind, &id);
        Some((entry.dn, Referenced { kind: mapping.kind, location, id, display }))
    }

    /// Finds the groups that list the entry `dn`, for directories that don't keep memberOf.
    pub(super) async fn search_groups(&self, dn: &Dn, known: &mut Known) -> Result<(), Fault> {
        let Ok(mapping) = self.mapping(ResourceKind::Group) else { return Ok(()) };
        let Some(members) = &mapping.members else { return Ok(()) };
        let value = match members.name_attribute() {
            None => Some(dn.as_str().as_bytes().to_vec()),
            Some(name) => dn.rdn().and_then(|rdn| rdn.value_of(name).map(|value| value.as_bytes().to_vec())),
        };
        let Some(value) = value else { return Ok(()) };
        let names = mapping.display_attributes();
        let mut attributes = names.clone();
        attributes.push(mapping.id.attribute.clone());
        let found = self.find(mapping, Filter::Equal(members.attribute.clone(), value), attributes).await?;
        let found: Vec<_> = found.into_iter().filter_map(|entry| self.referenced(mapping, &names, entry)).collect();
        known.groups.insert(dn.clone(), found.iter().map(|(group, _)| group.clone()).collect());
        known.at.extend(found);
        Ok(())
    }

    /// Resolves what `resource` refers to. A manager who is not there yet is left out and the log says so; `left_out`
    /// takes note of it.
    pub(super) async fn mentioned(
        &self,
        mapping: &ResourceMapping,
        resource: &Resource,
        left_out: &LeftOut,
    ) -> Result<Mentions, Fault> {
        let asked = mapping.mentions(resource);
        if asked.is_empty() {
            return Ok(Mentions::default());
        }
        let resolved = self.resolve(asked.clone()).await?;
        for mention in asked.iter().filter(|mention| resolved.get(mention).is_none()) {
            tracing::warn!(reference = mention.text, "nothing in the directory is meant by this reference; left out");
        }
        left_out.note(mapping.unmet(resource, &resolved));
        Ok(resolved)
    }

    /// Finds the entries that `mentions` mean. What is not found is left out; what means several entries at once is
    /// a fault, for a guess would give somebody the wrong manager.
    pub(super) async fn resolve(&self, mentions: Vec<Mention>) -> Result<Mentions, Fault> {
        let mut resolved = Mentions::default();
        if mentions.is_empty() {
            return Ok(resolved);
        }
        let unique: HashSet<Mention> = mentions.into_iter().collect();
        let found: Vec<Option<(Mention, Dn)>> = stream::iter(unique)
            .map(|mention| async move {
                Ok::<_, Fault>(self.resolve_one(&mention).await?.map(|(entry, _)| (mention, entry.dn)))
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        for (mention, dn) in found.into_iter().flatten() {
            resolved.insert(mention, dn);
        }
        Ok(resolved)
    }

    /// The id of the resource that is meant.
    pub(super) async fn meant(&self, mention: &Mention) -> Result<Option<String>, Fault> {
        Ok(self.resolve_one(mention).await?.and_then(|(entry, mapping)| mapping.id.of(&entry)))
    }

    async fn resolve_one(&self, mention: &Mention) -> Result<Option<(Entry, &ResourceMapping)>, Fault> {
        let Ok(mapping) = self.mapping(mention.to) else { return Ok(None) };
        for key in &mention.by {
            if let Some(entry) = self.entry_by_key(mapping, key, &mention.text).await? {
                return Ok(Some((entry, mapping)));
            }
        }
        Ok(None)
    }

    async fn entry_by_key(
        &self,
        mapping: &ResourceMapping,
        key: &ReferenceKey,
        text: &str,
    ) -> Result<Option<Entry>, Fault> {
        let filter = match key {
            ReferenceKey::Id => mapping.id.filter(text),
            ReferenceKey::Path(path) => mapping.key_filter(path, text),
        };
        let Some(filter) = filter else { return Ok(None) };
        let mut found = self.find(mapping, filter, vec![mapping.id.attribute.clone()]).await?;
        if found.len() > 1 {
            return Err(Fault::Request(crate::scim::Fault::new(
                crate::scim::FaultKind::InvalidValue,
                format!("The reference {text:?} means {} entries: name the one by its id.", found.len()),
            )));
        }
        Ok(found.pop())
    }

    /// The entries of one kind that have these ids, by a few searches.
    pub(super) async fn entries_by_ids(
        &self,
        mapping: &ResourceMapping,
        ids: &[&str],
        attributes: &[AttributeName],
    ) -> Result<Vec<Entry>, Fault> {
        let filters: Vec<Filter> = ids
            .chunks(AT_ONCE)
            .map(|ids| Filter::Or(ids.iter().filter_map(|id| mapping.id.filter(id)).collect()))
            .filter(|filter| !matches!(filter, Filter::Or(parts) if parts.is_empty()))
            .collect();
        let found: Vec<Vec<Entry>> = stream::iter(filters)
            .map(|filter| self.find(mapping, filter, attributes.to_vec()))
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// Searches that find the entries at `dns`: LDAP has no search for a list of names, but the entries below one parent
/// can be asked for by the values that name them.
pub(super) fn searches_for(dns: Vec<Dn>) -> Vec<(Dn, Filter, HashSet<Dn>)> {
    let mut below: HashMap<Dn, Vec<(Filter, Dn)>> = HashMap::new();
    for dn in dns {
        let named = dn.parent().zip(dn.rdn()).and_then(|(parent, rdn)| {
            let attribute = rdn.attributes().next()?.clone();
            let value = rdn.value_of(&attribute)?;
            Some((parent, Filter::equal(&attribute, value)))
        });
        if let Some((parent, filter)) = named {
            below.entry(parent).or_default().push((filter, dn));
        }
    }
    let mut searches = Vec::new();
    for (parent, mut children) in below {
        while !children.is_empty() {
            let rest = children.split_off(children.len().min(AT_ONCE));
            let (filters, dns): (Vec<Filter>, HashSet<Dn>) = children.into_iter().unzip();
            searches.push((parent.clone(), Filter::Or(filters), dns));
            children = rest;
        }
    }
    searches
}
