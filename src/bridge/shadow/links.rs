//! Members of groups, kept as links: each by itself, in the form in which values are compared.

use std::collections::{BTreeMap, HashSet};

use super::{Doc, Rule, Shadow, doc, field};
use crate::directory::{AttributeName, Dn};
use crate::store::StoreFault;

/// Parts the form from the spelling where both are kept. Neither form of a name has it.
const AND: u8 = 0;

impl Shadow {
    /// The values of `attribute`, as they can be sent.
    pub(super) fn links(&self, row: i64, attribute: &AttributeName) -> Result<Vec<Vec<u8>>, StoreFault> {
        let forms = self.session.links(row, &field(attribute))?;
        if self.rule(attribute) != Rule::Name {
            return Ok(forms);
        }
        let placeholder = self.shape.members().map(|members| members.placeholder.as_bytes().to_vec());
        let placeholder = placeholder.map(|value| (Rule::Name.form(&value), value));
        let mut spellings = None;
        let mut values = Vec::with_capacity(forms.len());
        for form in forms {
            values.push(match &placeholder {
                Some((nobody, spelled)) if *nobody == form => spelled.clone(),
                _ if is_sendable(&form) => form,
                _ => {
                    if spellings.is_none() {
                        spellings = Some(self.spellings(row, attribute)?);
                    }
                    spellings.as_ref().and_then(|known| known.get(&form)).cloned().unwrap_or(form)
                }
            });
        }
        values.sort_unstable();
        Ok(values)
    }

    /// Whether `attribute` has the value with this form.
    pub(super) fn has_link(&self, row: i64, attribute: &AttributeName, form: &[u8]) -> Result<bool, StoreFault> {
        self.session.has_link(row, &field(attribute), form)
    }

    /// Who leaves a list counts as seen: by the time that the directory is told, they must not have another name.
    pub(super) fn note_left(&self, attribute: &AttributeName, forms: &[Vec<u8>]) -> Result<(), StoreFault> {
        if self.rule(attribute) != Rule::Name {
            return Ok(());
        }
        let names = forms.iter().filter_map(|form| Dn::in_value(form));
        for name in names {
            let left = self.doc_at(&name)?.and_then(|doc| self.shape.id_of(&doc.entry));
            self.run.note_seen(left);
        }
        Ok(())
    }

    /// Adds values that are not there and removes forms of values.
    pub(super) fn change_links(
        &self,
        row: i64,
        attribute: &AttributeName,
        add: &[Vec<u8>],
        remove: &[Vec<u8>],
    ) -> Result<(), StoreFault> {
        let (rule, name) = (self.rule(attribute), field(attribute));
        self.session.remove_links(row, &name, remove)?;
        self.session.add_links(row, &name, &add.iter().map(|value| rule.form(value)).collect::<Vec<_>>())?;
        if rule != Rule::Name {
            return Ok(());
        }
        let unsendable = |form: &&Vec<u8>| !is_sendable(form);
        if remove.iter().any(|form| unsendable(&form)) {
            let known = self.spellings(row, attribute)?;
            let gone = remove.iter().filter(unsendable).filter_map(|form| known.get(form).map(|to| pair(form, to)));
            self.session.remove_links(row, &spelling_field(attribute), &gone.collect::<Vec<_>>())?;
        }
        let odd = add.iter().map(|value| (rule.form(value), value)).filter(|(form, _)| !is_sendable(form));
        let odd: Vec<Vec<u8>> = odd.map(|(form, value)| pair(&form, value)).collect();
        if !odd.is_empty() {
            self.session.add_links(row, &spelling_field(attribute), &odd)?;
        }
        Ok(())
    }

    /// Makes `values` the values of `attribute`.
    pub(super) fn replace_links(
        &self,
        row: i64,
        attribute: &AttributeName,
        values: &[Vec<u8>],
    ) -> Result<(), StoreFault> {
        let rule = self.rule(attribute);
        let mut wanted: BTreeMap<Vec<u8>, &Vec<u8>> = values.iter().map(|value| (rule.form(value), value)).collect();
        let mut gone = self.session.links(row, &field(attribute))?;
        gone.retain(|form| wanted.remove(form).is_none());
        self.change_links(row, attribute, &wanted.into_values().cloned().collect::<Vec<_>>(), &gone)
    }

    /// The groups that list `dn`.
    pub(super) fn groups_of(&self, dn: &Dn) -> Result<Vec<Doc>, StoreFault> {
        let Some(members) = self.shape.members() else { return Ok(Vec::new()) };
        let form = dn.normal_form().as_bytes();
        let found = self.session.with_field(&self.shape.space, &field(&members.attribute), form)?;
        found.iter().map(doc).collect()
    }

    /// The groups that a server names in an entry's memberOf: those that list it, and with some servers also those that
    /// list these, and so on.
    pub(super) fn member_of(&self, dn: &Dn) -> Result<Vec<Doc>, StoreFault> {
        let mut found = self.groups_of(dn)?;
        if !self.shape.dialect.member_of_all {
            return Ok(found);
        }
        let mut seen: HashSet<i64> = found.iter().map(|group| group.row).collect();
        let mut next = 0;
        while let Some(group) = found.get(next) {
            let above = self.groups_of(&group.entry.dn)?;
            found.extend(above.into_iter().filter(|group| seen.insert(group.row)));
            next += 1;
        }
        Ok(found)
    }

    /// How values are spelled whose form says too little.
    fn spellings(&self, row: i64, attribute: &AttributeName) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreFault> {
        let pairs = self.session.links(row, &spelling_field(attribute))?;
        let split = |pair: Vec<u8>| {
            let at = pair.iter().position(|byte| *byte == AND)?;
            Some((pair.get(..at)?.to_vec(), pair.get(at + 1..)?.to_vec()))
        };
        Ok(pairs.into_iter().filter_map(split).collect())
    }
}

fn pair(form: &[u8], spelled: &[u8]) -> Vec<u8> {
    [form, &[AND], spelled].concat()
}

fn spelling_field(attribute: &AttributeName) -> String {
    let mut name = field(attribute);
    name.push('#');
    name
}

/// Whether the form of a name is a name itself, and of the same entry. It mostly is; the form of one with quotes is not.
fn is_sendable(form: &[u8]) -> bool {
    Dn::in_value(form).is_some_and(|dn| dn.normal_form().as_bytes() == form)
}
