//! Add, modify, rename, delete (RFC 4511 sections 4.6 to 4.9).

use super::change::Draft;
use super::record::{self, Kinds};
use super::rules::Rule;
use super::shape::new_id;
use super::{Doc, Shadow, Stop, doc, field, key};
use crate::directory::{AttributeName, Change, Dn, Entry, Fault, FaultKind, Modification, ModifyOptions, Rdn};
use crate::mapping::ResourceMapping;
use crate::store::{Document, StoreFault};

/// How many documents are read at a time.
const PAGE: usize = 500;
const OBJECT_CLASS: AttributeName = AttributeName::literal("objectClass");

/// An attribute with values.
type Values = (AttributeName, Vec<Vec<u8>>);
/// The entry as it is after it was written, where somebody asked.
type ReadBack = Result<Option<Entry>, Fault>;

impl Shadow {
    /// A new entry. What servers fill in is filled in: id and time stamps. Whether there is an entry above it is not
    /// asked, because only those of the table are kept.
    pub fn add(&self, dn: &Dn, attributes: &[Values], read_back: &[AttributeName]) -> ReadBack {
        self.told(self.try_add(dn, attributes, read_back))
    }

    /// A changed entry. No modifications: nothing is done.
    pub fn modify(&self, dn: &Dn, modifications: &[Modification], options: &ModifyOptions) -> ReadBack {
        if modifications.is_empty() {
            return Ok(None);
        }
        self.told(self.try_modify(dn, modifications, options))
    }

    /// An entry with another name, or at another place; the value of the old name goes.
    pub fn rename(&self, dn: &Dn, new_rdn: &Rdn, new_parent: Option<&Dn>, read_back: &[AttributeName]) -> ReadBack {
        self.told(self.try_rename(dn, new_rdn, new_parent, read_back))
    }

    /// An entry that goes.
    pub fn delete(&self, dn: &Dn) -> Result<(), Fault> {
        self.told(self.try_delete(dn))
    }

    fn try_add(&self, dn: &Dn, attributes: &[Values], read_back: &[AttributeName]) -> Result<Option<Entry>, Stop> {
        let listed = attributes.iter().map(|(attribute, values)| (attribute, values));
        self.refuse_values("add", dn, listed)?;
        let (mut entry, links) = self.sorted(dn, attributes);
        if self.shape.needs_member(&entry) && links.iter().all(|(_, values)| values.is_empty()) {
            let why = format!("cannot add {dn}: a group of this kind must have a member");
            return Err(Stop::refused(FaultKind::ObjectClass, 65, why));
        }
        if self.doc_at(dn)?.is_some() {
            return Err(taken("add", dn, dn));
        }
        name_values(&mut entry, dn.rdn());
        let part = self.part_of(&entry)?;
        if let Some(part) = part
            && !entry.has(&part.id.attribute)
        {
            entry.insert(part.id.attribute.clone(), vec![new_id(&part.id)]);
        }
        let dialect = self.shape.dialect;
        for stamp in [&dialect.created, &dialect.modified] {
            entry.insert(stamp.clone(), vec![self.time_stamp()]);
        }
        let kinds = part.map_or_else(Kinds::default, |part| Kinds::only(part.kind));
        let doc = self.keep(entry, kinds, self.now())?;
        for (attribute, values) in links {
            self.replace_links(doc.row, &attribute, &values)?;
        }
        self.note_entered(&key::of(dn))?;
        self.run.note_written(doc.row, self.shape.id_of(&doc.entry));
        self.read_back(&doc, read_back)
    }

    /// Attributes as an entry keeps them, and apart from them those that are kept as links.
    pub(super) fn sorted(&self, dn: &Dn, attributes: &[Values]) -> (Entry, Vec<Values>) {
        let mut entry = Entry::new(dn.clone());
        let mut links = Vec::new();
        for (attribute, values) in attributes.iter().filter(|(attribute, _)| !self.shape.is_secret(attribute)) {
            if self.shape.is_link(attribute) {
                links.push((attribute.clone(), values.clone()));
            } else {
                let mut all = entry.values(attribute).to_vec();
                all.extend(values.iter().cloned());
                entry.insert(attribute.clone(), all);
            }
        }
        (entry, links)
    }

    /// The table that a new entry was made by: one whose filter holds for it, or whose classes it has, because servers
    /// may fill in what a filter asks for.
    pub(super) fn part_of(&self, entry: &Entry) -> Result<Option<&ResourceMapping>, StoreFault> {
        let new = Doc { row: 0, stamp: 0, kinds: Kinds::default(), entry: entry.clone() };
        let mut by_class = None;
        for part in self.shape.parts() {
            let is = |class: &String| entry.texts(&OBJECT_CLASS).any(|own| own.eq_ignore_ascii_case(class));
            if !part.object_class.iter().all(is) {
                continue;
            }
            if part.holds(&entry.dn) && self.looks_like(&new, part.kind)? {
                return Ok(Some(part));
            }
            by_class = by_class.or(Some(part));
        }
        Ok(by_class)
    }

    fn try_modify(
        &self,
        dn: &Dn,
        modifications: &[Modification],
        options: &ModifyOptions,
    ) -> Result<Option<Entry>, Stop> {
        let listed = modifications.iter().filter_map(|Modification { attribute, change }| match change {
            Change::Add(values) | Change::Replace(values) => Some((attribute, values)),
            Change::Delete(_) => None,
        });
        self.refuse_values("modify", dn, listed)?;
        let before = self.doc_at(dn)?.ok_or_else(|| Stop::missing(dn))?;
        if let Some(assertion) = &options.assertion
            && !self.matches(&before, assertion)?
        {
            let why = format!("cannot modify {dn}: the entry is not as the change assumes");
            return Err(Stop::refused(FaultKind::AssertionFailed, 122, why));
        }
        let lenient = options.permissive && self.shape.dialect.permissive_modify;
        let mut draft = Draft::new(self, before.clone(), lenient);
        for modification in modifications {
            draft.apply(modification)?;
        }
        draft.check()?;
        let after = self.settle(&before, draft, modifications)?;
        self.run.note_written(after.row, self.shape.id_of(&after.entry));
        self.read_back(&after, &options.read_back)
    }

    /// Refuses values that their attribute can't have, or that are named twice in one place. Servers look for these
    /// before anything else.
    fn refuse_values<'a>(
        &self,
        operation: &str,
        dn: &Dn,
        lists: impl Iterator<Item = (&'a AttributeName, &'a Vec<Vec<u8>>)>,
    ) -> Result<(), Stop> {
        let checks = self.shape.dialect.checks_syntax;
        for (attribute, values) in lists {
            if checks && !values.iter().all(|value| self.rules.allow(attribute, value)) {
                let why = format!(
                    "cannot {operation} {dn}: a value of {attribute} has characters that the schema of the directory \
                     does not let it have"
                );
                return Err(Stop::refused(FaultKind::InvalidSyntax, 21, why));
            }
            if self.says_twice(attribute, values) {
                let why = format!("cannot {operation} {dn}: {attribute} is given one value twice");
                return Err(Stop::refused(FaultKind::ValueExists, 20, why));
            }
        }
        Ok(())
    }

    /// Keeps a changed entry.
    pub(super) fn settle(
        &self,
        before: &Doc,
        draft: Draft<'_>,
        modifications: &[Modification],
    ) -> Result<Doc, StoreFault> {
        let looked = self.looks(before)?;
        let mut after = draft.keep_links()?;
        after.kinds = self.kinds_after(before, looked, &after, modifications)?;
        after.entry.insert(self.shape.dialect.modified.clone(), vec![self.time_stamp()]);
        self.keep(after.entry, after.kinds, self.now())
    }

    fn looks(&self, doc: &Doc) -> Result<Kinds, StoreFault> {
        self.shape
            .kinds()
            .iter()
            .try_fold(Kinds::default(), |kinds, kind| Ok(kinds.with(*kind, self.looks_like(doc, *kind)?)))
    }

    /// An entry stays a resource until a change makes a difference to the filter of the table.
    fn kinds_after(
        &self,
        before: &Doc,
        looked: Kinds,
        after: &Doc,
        modifications: &[Modification],
    ) -> Result<Kinds, StoreFault> {
        let mut kinds = before.kinds;
        for kind in self.shape.kinds() {
            let mentioned = self.shape.mentioned(*kind);
            let touches =
                |modification: &Modification| mentioned.is_some_and(|names| names.contains(&modification.attribute));
            if modifications.iter().any(touches) {
                let looks = self.looks_like(after, *kind)?;
                if looks != looked.has(*kind) {
                    kinds = kinds.with(*kind, looks);
                }
            }
        }
        Ok(kinds)
    }

    fn try_rename(
        &self,
        dn: &Dn,
        new_rdn: &Rdn,
        new_parent: Option<&Dn>,
        read_back: &[AttributeName],
    ) -> Result<Option<Entry>, Stop> {
        let before = self.doc_at(dn)?.ok_or_else(|| Stop::missing(dn))?;
        let new = new_parent.map_or_else(|| dn.with_rdn(new_rdn), |parent| parent.below(new_rdn));
        if new != *dn && self.doc_at(&new)?.is_some() {
            return Err(taken("rename", dn, &new));
        }
        let after = self.move_to(&before, &new)?;
        if new != *dn {
            self.note_entered(&key::of(&new))?;
            self.run.note_vacated(key::of(dn), self.shape.id_of(&after.entry));
        }
        self.run.note_written(after.row, self.shape.id_of(&after.entry));
        self.read_back(&after, read_back)
    }

    /// Moves an entry, and what stands below it, to another name that nobody has.
    pub(super) fn move_to(&self, doc: &Doc, new: &Dn) -> Result<Doc, StoreFault> {
        let old = doc.entry.dn.clone();
        if *new != old {
            self.move_children(&old, new)?;
            self.session.rekey(doc.row, &key::of(new))?;
        }
        let mut entry = readdressed(&doc.entry, new);
        unname_values(&mut entry, old.rdn().as_ref());
        name_values(&mut entry, new.rdn());
        entry.insert(self.shape.dialect.modified.clone(), vec![self.time_stamp()]);
        self.keep(entry, doc.kinds, self.now())
    }

    fn move_children(&self, old: &Dn, new: &Dn) -> Result<(), StoreFault> {
        let top = key::of(old);
        loop {
            // Whoever was moved is no longer found.
            let page = self.session.with_prefix(&self.shape.space, &top, Some(&top), PAGE)?;
            if page.is_empty() {
                return Ok(());
            }
            for child in page.iter().map(doc) {
                let child = child?;
                let to = key::moved(&child.entry.dn, old, new);
                if let Some(stray) = self.doc_at(&to)? {
                    self.session.delete(stray.row)?;
                }
                self.session.rekey(child.row, &key::of(&to))?;
                self.keep(readdressed(&child.entry, &to), child.kinds, self.now())?;
            }
        }
    }

    fn try_delete(&self, dn: &Dn) -> Result<(), Stop> {
        let doc = self.doc_at(dn)?.ok_or_else(|| Stop::missing(dn))?;
        let key = key::of(dn);
        if !self.session.with_prefix(&self.shape.space, &key, Some(&key), 1)?.is_empty() {
            let why = format!("cannot delete {dn}: it has entries below it");
            return Err(Stop::refused(FaultKind::NonLeaf, 66, why));
        }
        self.session.delete(doc.row)?;
        let id = self.shape.id_of(&doc.entry);
        self.run.note_vacated(key, id.clone());
        self.run.note_removed(doc.row, id);
        Ok(())
    }

    /// Writes an entry into the store, in place of the one at its name.
    pub(super) fn keep(&self, entry: Entry, kinds: Kinds, stamp: i64) -> Result<Doc, StoreFault> {
        let mut fields = Vec::new();
        for (attribute, values) in entry.attributes() {
            if self.shape.is_indexed(attribute) || self.shape.is_member_of(attribute) {
                let rule = self.rule(attribute);
                fields.extend(values.iter().map(|value| (field(attribute), rule.form(value))));
            }
        }
        let document = Document { key: key::of(&entry.dn), body: record::written(&entry, kinds), fields, stamp };
        let row = self.session.put(&self.shape.space, &document)?;
        Ok(Doc { row, stamp, kinds, entry })
    }

    fn read_back(&self, doc: &Doc, attributes: &[AttributeName]) -> Result<Option<Entry>, Stop> {
        Ok(if attributes.is_empty() { None } else { Some(self.shown(doc, attributes)?) })
    }
}

fn taken(operation: &str, dn: &Dn, by: &Dn) -> Stop {
    let why = format!("cannot {operation} {dn}: there is an entry {by} already");
    Stop::refused(FaultKind::AlreadyExists, 68, why)
}

/// The same entry at another name.
fn readdressed(entry: &Entry, dn: &Dn) -> Entry {
    let mut moved = entry.clone();
    moved.dn = dn.clone();
    moved
}

/// Gives the entry the values that name it.
fn name_values(entry: &mut Entry, rdn: Option<Rdn>) {
    let Some(rdn) = rdn else { return };
    for attribute in rdn.attributes() {
        let Some(named) = rdn.value_of(attribute) else { continue };
        // The attribute may be called otherwise in the entry: commonName for cn.
        let own = entry.attributes().map(|(name, _)| name).find(|name| rdn.value_of(name) == Some(named));
        let name = own.unwrap_or(attribute).clone();
        let mut values = entry.values(&name).to_vec();
        let form = Rule::Text.form(named.as_bytes());
        if !values.iter().any(|own| Rule::Text.form(own) == form) {
            values.push(named.as_bytes().to_vec());
            entry.insert(name, values);
        }
    }
}

/// Takes the values away that named the entry.
fn unname_values(entry: &mut Entry, rdn: Option<&Rdn>) {
    let Some(rdn) = rdn else { return };
    let attributes: Vec<AttributeName> = entry.attributes().map(|(name, _)| name.clone()).collect();
    for name in attributes {
        let Some(named) = rdn.value_of(&name) else { continue };
        let form = Rule::Text.form(named.as_bytes());
        let mut values = entry.values(&name).to_vec();
        values.retain(|own| Rule::Text.form(own) != form);
        entry.insert(name, values);
    }
}
