//! One resource by its id, and from entries to finished resources.

use crate::directory::{AttributeName, Dn, Entry, Filter, Scope, Search};
use crate::mapping::{Delete, Reading, ResourceMapping};
use crate::scim::{Projection, Resource, ResourceKind};

use super::{Bridge, Fault};

impl Bridge {
    /// The resource with this id. `projection` says what the answer will show, so that no more is read.
    pub async fn get(&self, kind: ResourceKind, id: &str, projection: &Projection) -> Result<Resource, Fault> {
        let mapping = self.mapping(kind)?;
        let entry = self.entry_by_id(mapping, id, mapping.attributes(self.dialect(), projection)).await?;
        self.finish(mapping, &entry).await
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
        let found = self.find(mapping, filter, attributes).await?;
        found.into_iter().next().ok_or_else(not_found)
    }

    /// The entries of this kind that `filter` matches, wherever entries of this kind may stand. For few of them.
    pub(super) async fn find(
        &self,
        mapping: &ResourceMapping,
        filter: Filter,
        attributes: Vec<AttributeName>,
    ) -> Result<Vec<Entry>, Fault> {
        let filter = Filter::And(vec![filter, mapping.filter.clone()]);
        let mut search = Search { base: Dn::root(), scope: Scope::Sub, filter, attributes, size_limit: 0 };
        let mut found = Vec::new();
        for base in mapping.search_bases() {
            search.base = base;
            match self.inner.directory.search(&search).await {
                Ok(entries) => found.extend(entries),
                Err(fault) => return Err(self.fault(fault)),
            }
        }
        found.retain(|entry| in_sight(mapping, &entry.dn));
        Ok(found)
    }

    /// The resource that `entry` is, references included.
    pub(super) async fn finish(&self, mapping: &ResourceMapping, entry: &Entry) -> Result<Resource, Fault> {
        let reading = mapping.read(entry, self.dialect())?;
        let known = if reading.pointers.is_empty() {
            super::references::Known::default()
        } else {
            self.follow(reading.pointers.iter()).await?
        };
        Ok(self.complete(mapping, reading, &known))
    }

    /// The same for many entries: what several of them refer to is looked up once.
    pub(super) async fn finish_all(
        &self,
        mapping: &ResourceMapping,
        readings: Vec<Reading>,
    ) -> Result<Vec<Resource>, Fault> {
        let known = self.follow(readings.iter().flat_map(|reading| reading.pointers.iter())).await?;
        Ok(readings.into_iter().map(|reading| self.complete(mapping, reading, &known)).collect())
    }

    fn complete(&self, mapping: &ResourceMapping, reading: Reading, known: &super::references::Known) -> Resource {
        let location = self.location(mapping.kind, &reading.id);
        reading.finish(location, &|pointer| known.get(pointer))
    }

    pub(super) fn dialect(&self) -> &'static crate::directory::Dialect {
        self.inner.directory.dialect()
    }
}

/// Entries that a DELETE moved away are no longer resources, even where their container lies below the base.
pub(super) fn in_sight(mapping: &ResourceMapping, dn: &Dn) -> bool {
    match &mapping.delete {
        Delete::MoveTo(container) => !dn.is_within(container),
        Delete::Delete | Delete::Disable => true,
    }
}
