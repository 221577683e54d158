//! From DNs to the resources they stand for, and from a client's words to DNs.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::directory::{Dn, Entry, Filter, Scope, Search};
use crate::mapping::{Mention, Mentions, Pointer, ReferenceKey, Referenced, ResourceMapping};
use crate::scim::ResourceKind;

use super::snapshot::Id;
use super::{Bridge, Fault};

/// Look-ups that run side by side for one request.
const SIDE_BY_SIDE: usize = 16;

/// What DNs turned out to stand for.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<Dn, Referenced>);

impl Known {
    /// What `pointer` points at, if that is of the kind it should be.
    pub fn get(&self, pointer: &Pointer) -> Option<Referenced> {
        self.0.get(&pointer.dn).filter(|found| pointer.to.is_none_or(|kind| kind == found.kind)).cloned()
    }
}

impl Bridge {
    /// Looks up what `pointers` point at, each DN once.
    pub(super) async fn follow(&self, pointers: impl Iterator<Item = &Pointer>) -> Result<Known, Fault> {
        let mut asked = HashSet::new();
        let wanted: Vec<&Pointer> = pointers.filter(|pointer| asked.insert(&pointer.dn)).collect();
        let found: Vec<Option<(Dn, Referenced)>> = stream::iter(wanted)
            .map(|pointer| self.follow_one(pointer))
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        Ok(Known(found.into_iter().flatten().collect()))
    }

    async fn follow_one(&self, pointer: &Pointer) -> Result<Option<(Dn, Referenced)>, Fault> {
        for kind in [ResourceKind::User, ResourceKind::Group] {
            let Ok(mapping) = self.mapping(kind) else { continue };
            if pointer.to.is_some_and(|to| to != kind) || !mapping.holds(&pointer.dn) {
                continue;
            }
            if let Some(referenced) = self.referenced(mapping, &pointer.dn).await? {
                return Ok(Some((pointer.dn.clone(), referenced)));
            }
        }
        Ok(None)
    }

    async fn referenced(&self, mapping: &ResourceMapping, dn: &Dn) -> Result<Option<Referenced>, Fault> {
        let names = mapping.display_attributes();
        let mut attributes = names.clone();
        attributes.push(mapping.id.attribute.clone());
        let filter = mapping.filter.clone();
        let search = Search { base: dn.clone(), scope: Scope::Base, filter, attributes, size_limit: 0 };
        let entries = match self.inner.directory.search(&search).await {
            Ok(entries) => entries,
            Err(fault) if fault.kind == crate::directory::FaultKind::NotFound => return Ok(None),
            Err(fault) => return Err(self.fault(fault)),
        };
        Ok(entries.first().and_then(|entry| {
            let id = mapping.id.of(entry)?;
            let display = names.iter().find_map(|name| entry.text(name)).map(ToOwned::to_owned);
            Some(Referenced { kind: mapping.kind, location: self.location(mapping.kind, &id), id, display })
        }))
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
            .map(|mention| async move { Ok::<_, Fault>(self.resolve_one(&mention).await?.map(|dn| (mention, dn))) })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        for (mention, dn) in found.into_iter().flatten() {
            resolved.insert(mention, dn);
        }
        Ok(resolved)
    }

    async fn resolve_one(&self, mention: &Mention) -> Result<Option<Dn>, Fault> {
        for key in &mention.by {
            for kind in [ResourceKind::User, ResourceKind::Group] {
                let Ok(mapping) = self.mapping(kind) else { continue };
                if mention.to.is_some_and(|to| to != kind) {
                    continue;
                }
                if let Some(entry) = self.entry_by_key(mapping, key, &mention.text).await? {
                    return Ok(Some(entry.dn));
                }
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

    /// The filter for an id, used to fetch the page of a list.
    pub(super) fn any_id(mapping: &ResourceMapping, ids: &[&Id]) -> Filter {
        Filter::Or(ids.iter().filter_map(|id| mapping.id.filter(&id.text())).collect())
    }
}
