//! Modifications of one entry (RFC 4511 section 4.6): tried out whole before any of them is kept.

use std::collections::{BTreeMap, HashSet};

use super::{Doc, Rule, Shadow, Stop, field};
use crate::directory::{AttributeName, Change, FaultKind, Modification, Rdn};
use crate::store::StoreFault;

/// An entry under change.
pub(super) struct Draft<'a> {
    shadow: &'a Shadow,
    pub doc: Doc,
    /// What becomes of attributes that are kept as links.
    links: BTreeMap<AttributeName, LinkChange>,
    /// Adding what is there and deleting what is not there is no fault.
    lenient: bool,
}

/// What becomes of the links of one attribute.
#[derive(Default)]
struct LinkChange {
    /// All that was there goes.
    emptied: bool,
    /// Values by their form.
    added: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Forms.
    removed: Vec<Vec<u8>>,
}

impl Shadow {
    /// Whether two values of a list are the same.
    pub(super) fn says_twice(&self, attribute: &AttributeName, values: &[Vec<u8>]) -> bool {
        let rule = self.rule(attribute);
        let mut seen = HashSet::with_capacity(values.len());
        values.len() > 1 && !values.iter().all(|value| seen.insert(rule.form(value)))
    }
}

impl<'a> Draft<'a> {
    pub fn new(shadow: &'a Shadow, doc: Doc, lenient: bool) -> Self {
        Self { shadow, doc, links: BTreeMap::new(), lenient }
    }

    /// Carries one modification out.
    pub fn apply(&mut self, modification: &Modification) -> Result<(), Stop> {
        let Modification { attribute, change } = modification;
        if self.shadow.shape.is_secret(attribute) {
            return Ok(());
        }
        let is_link = self.shadow.shape.is_link(attribute);
        match change {
            Change::Add(values) if is_link => self.add_links(attribute, values),
            Change::Delete(values) if is_link && values.is_empty() => self.empty_links(attribute),
            Change::Delete(values) if is_link => self.remove_links(attribute, values),
            Change::Replace(values) if is_link => {
                self.set_links(attribute, values);
                Ok(())
            }
            Change::Add(values) => self.add(attribute, values),
            Change::Delete(values) if values.is_empty() => self.remove_all(attribute),
            Change::Delete(values) => self.remove(attribute, values),
            Change::Replace(values) => {
                self.doc.entry.insert(attribute.clone(), values.clone());
                Ok(())
            }
        }
    }

    fn add(&mut self, attribute: &AttributeName, values: &[Vec<u8>]) -> Result<(), Stop> {
        let rule = self.shadow.rule(attribute);
        let mut all = self.doc.entry.values(attribute).to_vec();
        for value in values {
            let form = rule.form(value);
            if !all.iter().any(|own| rule.form(own) == form) {
                all.push(value.clone());
            } else if !self.lenient {
                return Err(self.value_exists(attribute));
            }
        }
        self.doc.entry.insert(attribute.clone(), all);
        Ok(())
    }

    fn remove(&mut self, attribute: &AttributeName, values: &[Vec<u8>]) -> Result<(), Stop> {
        let rule = self.shadow.rule(attribute);
        let mut all = self.doc.entry.values(attribute).to_vec();
        for value in values {
            let form = rule.form(value);
            match all.iter().position(|own| rule.form(own) == form) {
                Some(at) => drop(all.remove(at)),
                None if self.lenient => {}
                None => return Err(self.no_such_value(attribute)),
            }
        }
        self.doc.entry.insert(attribute.clone(), all);
        Ok(())
    }

    fn remove_all(&mut self, attribute: &AttributeName) -> Result<(), Stop> {
        if self.doc.entry.remove(attribute).is_empty() && !self.lenient {
            return Err(self.no_such_value(attribute));
        }
        Ok(())
    }

    fn add_links(&mut self, attribute: &AttributeName, values: &[Vec<u8>]) -> Result<(), Stop> {
        let rule = self.shadow.rule(attribute);
        for value in values {
            let form = rule.form(value);
            if self.has_link(attribute, &form)? {
                if self.lenient {
                    continue;
                }
                return Err(self.value_exists(attribute));
            }
            self.links.entry(attribute.clone()).or_default().added.insert(form, value.clone());
        }
        Ok(())
    }

    fn remove_links(&mut self, attribute: &AttributeName, values: &[Vec<u8>]) -> Result<(), Stop> {
        let rule = self.shadow.rule(attribute);
        for value in values {
            let form = rule.form(value);
            if !self.has_link(attribute, &form)? {
                if self.lenient {
                    continue;
                }
                return Err(self.no_such_value(attribute));
            }
            let change = self.links.entry(attribute.clone()).or_default();
            if change.added.remove(&form).is_none() {
                change.removed.push(form);
            }
        }
        Ok(())
    }

    fn empty_links(&mut self, attribute: &AttributeName) -> Result<(), Stop> {
        if !self.lenient && !self.holds_links(attribute)? {
            return Err(self.no_such_value(attribute));
        }
        self.set_links(attribute, &[]);
        Ok(())
    }

    fn set_links(&mut self, attribute: &AttributeName, values: &[Vec<u8>]) {
        let rule = self.shadow.rule(attribute);
        let added = values.iter().map(|value| (rule.form(value), value.clone())).collect();
        self.links.insert(attribute.clone(), LinkChange { emptied: true, added, removed: Vec::new() });
    }

    fn has_link(&self, attribute: &AttributeName, form: &[u8]) -> Result<bool, StoreFault> {
        if let Some(change) = self.links.get(attribute) {
            if change.added.contains_key(form) {
                return Ok(true);
            }
            if change.emptied || change.removed.iter().any(|gone| gone == form) {
                return Ok(false);
            }
        }
        self.shadow.has_link(self.doc.row, attribute, form)
    }

    /// Whether the attribute has any value; of a long list only as much is read as is going to be removed.
    fn holds_links(&self, attribute: &AttributeName) -> Result<bool, StoreFault> {
        let none = LinkChange::default();
        let change = self.links.get(attribute).unwrap_or(&none);
        if !change.added.is_empty() {
            return Ok(true);
        }
        // What is removed was there, each value once.
        let enough = change.removed.len() + 1;
        let held = || self.shadow.session.first_links(self.doc.row, &field(attribute), enough);
        Ok(!change.emptied && held()?.len() == enough)
    }

    /// Refuses what no server would keep.
    pub fn check(&self) -> Result<(), Stop> {
        let entry = &self.doc.entry;
        for attribute in entry.dn.rdn().iter().flat_map(Rdn::attributes) {
            if !self.holds_name(attribute) {
                let why = format!("{}: {attribute} can't lose the value that names the entry", self.task());
                return Err(Stop::refused(FaultKind::NotAllowedOnRdn, 67, why));
            }
        }
        let shadow = self.shadow;
        if let Some((name, _)) = entry.attributes().find(|(name, own)| own.len() > 1 && shadow.rules.is_single(name)) {
            let why = format!("{}: {name} can have one value only", self.task());
            return Err(Stop::refused(FaultKind::Constraint, 19, why));
        }
        if let Some(members) = shadow.shape.members()
            && self.links.get(&members.attribute).is_some_and(|change| change.emptied || !change.removed.is_empty())
            && shadow.shape.needs_member(entry)
            && !self.holds_links(&members.attribute)?
        {
            let why = format!("{}: a group of this kind must have a member", self.task());
            return Err(Stop::refused(FaultKind::ObjectClass, 65, why));
        }
        Ok(())
    }

    fn holds_name(&self, attribute: &AttributeName) -> bool {
        let entry = &self.doc.entry;
        let Some(rdn) = entry.dn.rdn() else { return true };
        let Some(named) = rdn.value_of(attribute) else { return true };
        // The attribute may be called otherwise in the entry: commonName for cn.
        let mut same = entry.attributes().filter(|(name, _)| rdn.value_of(name) == Some(named));
        same.any(|(_, own)| own.iter().any(|own| Rule::Text.form(own) == Rule::Text.form(named.as_bytes())))
    }

    /// Writes what became of the links, and returns the entry for the rest.
    pub fn keep_links(self) -> Result<Doc, StoreFault> {
        for (attribute, change) in &self.links {
            let added: Vec<Vec<u8>> = change.added.values().cloned().collect();
            if change.emptied {
                self.shadow.replace_links(self.doc.row, attribute, &added)?;
            } else {
                self.shadow.note_left(attribute, &change.removed)?;
                self.shadow.change_links(self.doc.row, attribute, &added, &change.removed)?;
            }
        }
        Ok(self.doc)
    }

    fn task(&self) -> String {
        format!("cannot modify {}", self.doc.entry.dn)
    }

    fn value_exists(&self, attribute: &AttributeName) -> Stop {
        let why = format!("{}: {attribute} has this value already", self.task());
        Stop::refused(FaultKind::ValueExists, 20, why)
    }

    fn no_such_value(&self, attribute: &AttributeName) -> Stop {
        let why = format!("{}: {attribute} does not have this value", self.task());
        Stop::refused(FaultKind::NoSuchValue, 16, why)
    }
}
