//! Searches: few entries by what they are found by, or all below a base one after the other.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::{Doc, Shadow, Stop, doc, field, key};
use crate::directory::{AttributeName, Entry, Fault, Filter, Scope, Search};
use crate::store::{StoreFault, Stored};

/// How many documents are read at a time.
const PAGE: usize = 500;

/// How entries are found without reading others.
enum Lookup {
    /// They have this value in this field.
    Field(String, Vec<u8>),
    /// The group whose name has this form lists them.
    Group(Vec<u8>),
}

impl Shadow {
    /// The entries that `search` finds.
    pub fn search(&self, search: &Search) -> Result<Vec<Entry>, Fault> {
        let mut found = Vec::new();
        self.scan(search, &mut |entry| {
            found.push(entry);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Passes the entries that `search` finds to `each`, until that has seen enough.
    pub fn scan(&self, search: &Search, each: &mut (dyn FnMut(Entry) -> ControlFlow<()> + Send)) -> Result<(), Fault> {
        let outcome = self.find(search, &mut |doc| {
            if search.scope == Scope::Sub {
                self.run.note_seen(self.shape.id_of(&doc.entry));
            }
            Ok(each(self.shown(&doc, &search.attributes)?))
        });
        self.told(outcome)
    }

    /// Passes what `search` finds to `each`.
    pub(super) fn find(
        &self,
        search: &Search,
        each: &mut dyn FnMut(Doc) -> Result<ControlFlow<()>, StoreFault>,
    ) -> Result<(), Stop> {
        if search.scope == Scope::Base {
            let doc = self.doc_at(&search.base)?.ok_or_else(|| Stop::missing(&search.base))?;
            if self.matches(&doc, &search.filter)? {
                let _ = each(doc)?;
            }
            return Ok(());
        }
        match self.narrow(&search.filter) {
            Some(lookups) => self.look_up(lookups, search, each)?,
            None => self.walk(search, each)?,
        }
        Ok(())
    }

    /// How to find everything that `filter` can hold for without reading all there is; `None` if there is no way.
    fn narrow(&self, filter: &Filter) -> Option<Vec<Lookup>> {
        match filter {
            Filter::And(parts) => parts.iter().filter_map(|part| self.narrow(part)).min_by_key(Vec::len),
            Filter::Or(parts) => {
                let parts = parts.iter().map(|part| self.narrow(part)).collect::<Option<Vec<_>>>()?;
                Some(parts.into_iter().flatten().collect())
            }
            Filter::Equal(attribute, value) => {
                let form = self.rule(attribute).form(value);
                let by_field = || Lookup::Field(field(attribute), form.clone());
                if self.shape.is_member_of(attribute) {
                    // Who is a member by way of another group is in no list of this one.
                    let direct = !self.shape.dialect.member_of_all;
                    return direct.then(|| vec![by_field(), Lookup::Group(form.clone())]);
                }
                (self.shape.is_link(attribute) || self.shape.is_indexed(attribute)).then(|| vec![by_field()])
            }
            _ => None,
        }
    }

    fn look_up(
        &self,
        lookups: Vec<Lookup>,
        search: &Search,
        each: &mut dyn FnMut(Doc) -> Result<ControlFlow<()>, StoreFault>,
    ) -> Result<(), StoreFault> {
        let base = key::of(&search.base);
        let mut seen = HashSet::new();
        for lookup in lookups {
            for stored in self.candidates(lookup)? {
                let reached = match search.scope {
                    Scope::One => key::is_child(&stored.key, &base),
                    Scope::Base | Scope::Sub => stored.key.starts_with(&base),
                };
                if !reached || !seen.insert(stored.row) {
                    continue;
                }
                let doc = doc(&stored)?;
                if self.matches(&doc, &search.filter)? && each(doc)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn candidates(&self, lookup: Lookup) -> Result<Vec<Stored>, StoreFault> {
        let space = &self.shape.space;
        let form = match lookup {
            Lookup::Field(name, value) => return self.session.with_field(space, &name, &value),
            Lookup::Group(form) => form,
        };
        let document = |form: &[u8]| {
            let Ok(normal) = std::str::from_utf8(form) else { return Ok(None) };
            self.session.document(space, &key::of_normal(normal))
        };
        let (Some(members), Some(group)) = (self.shape.members(), document(&form)?) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for form in self.session.links(group.row, &field(&members.attribute))? {
            found.extend(document(&form)?);
        }
        Ok(found)
    }

    fn walk(
        &self,
        search: &Search,
        each: &mut dyn FnMut(Doc) -> Result<ControlFlow<()>, StoreFault>,
    ) -> Result<(), StoreFault> {
        let base = key::of(&search.base);
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.session.with_prefix(&self.shape.space, &base, after.as_deref(), PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.key.clone());
            for stored in page {
                if search.scope == Scope::One && !key::is_child(&stored.key, &base) {
                    continue;
                }
                let doc = doc(&stored)?;
                if self.matches(&doc, &search.filter)? && each(doc)?.is_break() {
                    return Ok(());
                }
            }
        }
    }

    /// The part of an entry that a search asked for; with no attributes named, all.
    pub(super) fn shown(&self, doc: &Doc, attributes: &[AttributeName]) -> Result<Entry, StoreFault> {
        let mut shown = Entry::new(doc.entry.dn.clone());
        if attributes.is_empty() {
            shown = doc.entry.clone();
            if let Some(members) = self.shape.members() {
                shown.insert(members.attribute.clone(), self.links(doc.row, &members.attribute)?);
            }
        }
        for attribute in attributes {
            let mut values = doc.entry.values(attribute).to_vec();
            if self.shape.is_link(attribute) {
                values.extend(self.links(doc.row, attribute)?);
            }
            if self.shape.is_member_of(attribute) {
                let groups = self.member_of(&doc.entry.dn)?;
                values.extend(groups.into_iter().map(|group| group.entry.dn.as_str().as_bytes().to_vec()));
            }
            shown.insert(attribute.clone(), values);
        }
        Ok(shown)
    }
}
