//! What is read of the directory goes into the shadow, unless the shadow knows better.

use super::record::Kinds;
use super::{Doc, Rule, Shadow, doc, field, key};
use crate::directory::{AttributeName, Dn, Entry};
use crate::mapping::IdAttribute;
use crate::scim::ResourceKind;
use crate::store::StoreFault;

/// How many documents are read at a time.
const PAGE: usize = 500;

/// What became of an entry that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) enum Learned {
    /// It is kept.
    Kept,
    /// Owed items hold it, or its name or its id: it is as they made it.
    Held,
    /// The shadow was changed after the entry was asked for; reading it again tells.
    Newer,
    /// It does not show its id.
    NoId,
}

impl Shadow {
    /// Keeps an entry of the directory that was asked for at `asked_at`, in milliseconds since 1970, and found by the
    /// filter of `kind`.
    pub fn learn(&self, entry: Entry, kind: ResourceKind, asked_at: i64) -> Result<Learned, StoreFault> {
        self.take_in(entry, kind, asked_at, false)
    }

    /// The same with an entry that was found because it changed: what the bridge has written itself is known already,
    /// and stays as it is.
    pub fn learn_changed(&self, entry: Entry, kind: ResourceKind, asked_at: i64) -> Result<Learned, StoreFault> {
        self.take_in(entry, kind, asked_at, true)
    }

    fn take_in(
        &self,
        mut entry: Entry,
        kind: ResourceKind,
        asked_at: i64,
        spare_known: bool,
    ) -> Result<Learned, StoreFault> {
        let Some(id) = self.shape.part(kind).map(|part| &part.id) else { return Ok(Learned::NoId) };
        let Some(text) = id.of(&entry) else { return Ok(Learned::NoId) };
        let own_key = key::of(&entry.dn);
        if self.has_left(&own_key, &text, asked_at)? {
            return Ok(Learned::Held);
        }
        let by_id = self.doc_with_id(id, &entry)?;
        let by_name = self.doc_at(&entry.dn)?;
        let same = by_id.as_ref().zip(by_name.as_ref()).is_some_and(|(one, other)| one.row == other.row);
        let known: Vec<&Doc> = by_id.iter().chain(by_name.iter().filter(|_| !same)).collect();
        for doc in &known {
            if self.is_pinned(doc.row)? {
                self.session.restamp(doc.row, asked_at.max(doc.stamp))?;
                return Ok(Learned::Held);
            }
        }
        if known.iter().any(|doc| doc.stamp > asked_at) || self.shows_left(&entry, asked_at) {
            return Ok(Learned::Newer);
        }
        let kinds = by_id.as_ref().map_or_else(|| Kinds::only(kind), |doc| doc.kinds.with(kind, true));
        self.strip(&mut entry);
        if spare_known && same && by_id.as_ref().is_some_and(|doc| is_known(doc, &entry, kinds)) {
            return Ok(Learned::Kept);
        }
        if let Some(other) = by_name.filter(|_| !same) {
            self.session.delete(other.row)?;
        }
        if let Some(moved) = by_id.filter(|_| !same) {
            self.session.rekey(moved.row, &own_key)?;
        }
        self.keep_stripped(entry, kinds, asked_at)?;
        Ok(Learned::Kept)
    }

    /// Whether the entry refers to a name that was left when it was asked for, or a moment before or after.
    fn shows_left(&self, entry: &Entry, asked_at: i64) -> bool {
        let left = self.shape.backlog.left.since(asked_at);
        let shows = |attribute: &AttributeName| entry.names(attribute).any(|name| left.contains(name.normal_form()));
        let members = self.shape.members().map(|members| &members.attribute);
        !left.is_empty() && (self.shape.references().into_iter().any(shows) || members.is_some_and(shows))
    }

    /// The document of the entry that has the id of `entry`.
    fn doc_with_id(&self, id: &IdAttribute, entry: &Entry) -> Result<Option<Doc>, StoreFault> {
        let Some(value) = entry.values(&id.attribute).first() else { return Ok(None) };
        let form = self.rule(&id.attribute).form(value);
        let found = self.session.with_field(&self.shape.space, &field(&id.attribute), &form)?;
        found.first().map(doc).transpose()
    }

    /// Keeps an entry as the directory showed it.
    pub(super) fn keep_read(&self, mut entry: Entry, kinds: Kinds, stamp: i64) -> Result<(), StoreFault> {
        self.strip(&mut entry);
        self.keep_stripped(entry, kinds, stamp)
    }

    fn keep_stripped(&self, mut entry: Entry, kinds: Kinds, stamp: i64) -> Result<(), StoreFault> {
        let links = self.shape.members().map(|members| (members.attribute.clone(), entry.remove(&members.attribute)));
        let doc = self.keep(entry, kinds, stamp)?;
        if let Some((attribute, values)) = links {
            self.replace_links(doc.row, &attribute, &values)?;
        }
        Ok(())
    }

    /// Takes away what is computed here, and what is never kept.
    pub(super) fn strip(&self, entry: &mut Entry) {
        let names: Vec<AttributeName> = entry.attributes().map(|(name, _)| name.clone()).collect();
        for name in names {
            if self.shape.is_secret(&name) {
                entry.remove(&name);
            } else if self.shape.is_member_of(&name) {
                let mut values = entry.remove(&name);
                values.retain(|value| !self.is_known_group(value));
                entry.insert(name, values);
            }
        }
    }

    fn is_known_group(&self, value: &[u8]) -> bool {
        Dn::in_value(value).is_some_and(|dn| self.shape.knows_group(&dn))
    }

    /// Forgets the entries of this kind that were not written or read since `before`, in milliseconds since 1970, in
    /// one page of the store; owed items keep theirs. Answers where the next page begins.
    pub(super) fn forget_unseen(
        &self,
        kind: ResourceKind,
        before: i64,
        after: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, StoreFault> {
        let page = self.session.with_prefix(&self.shape.space, &[], after, PAGE)?;
        let next = page.last().map(|last| last.key.clone());
        for stored in page {
            let doc = doc(&stored)?;
            let only = doc.kinds == Kinds::only(kind) || doc.kinds == Kinds::default();
            if only && doc.stamp < before && !self.is_pinned(doc.row)? {
                self.session.delete(doc.row)?;
            }
        }
        Ok(next)
    }

    /// Shows `each` the ids of the entries of this kind, as the directory writes them.
    pub(super) fn each_known_id(&self, kind: ResourceKind, each: &mut dyn FnMut(Vec<u8>)) -> Result<(), StoreFault> {
        let mut after = None::<Vec<u8>>;
        let Some(part) = self.shape.part(kind) else { return Ok(()) };
        loop {
            let page = self.session.with_prefix(&self.shape.space, &[], after.as_deref(), PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.key.clone());
            for stored in page {
                let doc = doc(&stored)?;
                if doc.kinds.has(kind) {
                    doc.entry.values(&part.id.attribute).first().cloned().into_iter().for_each(&mut *each);
                }
            }
        }
    }

    /// Forgets the entry with this id, which the directory no longer has, unless it was written since `before` or an
    /// owed item holds it.
    pub(super) fn forget(&self, id: &IdAttribute, value: &[u8], before: i64) -> Result<(), StoreFault> {
        let form = Rule::Exact.form(value);
        for stored in self.session.with_field(&self.shape.space, &field(&id.attribute), &form)? {
            if stored.stamp < before && !self.is_pinned(stored.row)? {
                self.session.delete(stored.row)?;
            }
        }
        Ok(())
    }
}

/// Whether keeping the entry again would change nothing. Groups are never called known: their members stand elsewhere.
fn is_known(doc: &Doc, entry: &Entry, kinds: Kinds) -> bool {
    doc.kinds == kinds
        && !kinds.has(ResourceKind::Group)
        && doc.entry == *entry
        && doc.entry.dn.as_str() == entry.dn.as_str()
}
