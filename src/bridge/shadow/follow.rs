//! What refers to an entry by its name.

use super::{Shadow, Stop, doc, field};
use crate::directory::{AttributeName, Dn, Entry, Fault, Filter, Rdn, Scope, Search};
use crate::mapping::MemberValue;
use crate::store::StoreFault;

impl Shadow {
    /// Renames an entry as a server does that keeps references itself: what is read back shows them already.
    pub fn rename_and_follow(
        &self,
        dn: &Dn,
        new_rdn: &Rdn,
        new_parent: Option<&Dn>,
        read_back: &[AttributeName],
    ) -> Result<Option<Entry>, Fault> {
        self.rename(dn, new_rdn, new_parent, &[])?;
        let new = new_parent.map_or_else(|| dn.with_rdn(new_rdn), |parent| parent.below(new_rdn));
        if new != *dn {
            self.told(self.follow(dn, Some(&new)).map_err(Stop::from))?;
        }
        if read_back.is_empty() {
            return Ok(None);
        }
        let attributes = read_back.to_vec();
        let search = Search { base: new, scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        Ok(self.search(&search)?.into_iter().next())
    }

    /// Deletes an entry as a server does that keeps references itself.
    pub fn delete_and_follow(&self, dn: &Dn) -> Result<(), Fault> {
        self.delete(dn)?;
        self.told(self.follow(dn, None).map_err(Stop::from))
    }

    /// What refers to an entry follows it, or loses it. Servers do that by themselves and tell nobody; where they don't,
    /// the bridge does it in its next step.
    pub(super) fn follow(&self, old: &Dn, new: Option<&Dn>) -> Result<(), StoreFault> {
        let value = |dn: &Dn| dn.as_str().as_bytes().to_vec();
        if let Some(members) = self.shape.members().filter(|members| members.holds == MemberValue::Dn) {
            let gone = old.normal_form().as_bytes().to_vec();
            for group in self.groups_of(old)? {
                let mut came: Vec<Vec<u8>> = new.map(value).into_iter().collect();
                let last = self.session.first_links(group.row, &field(&members.attribute), 2)?.len() < 2;
                if came.is_empty() && last && self.shape.needs_member(&group.entry) {
                    came.push(members.placeholder.as_bytes().to_vec());
                }
                self.change_links(group.row, &members.attribute, &came, std::slice::from_ref(&gone))?;
                let mut entry = group.entry.clone();
                entry.insert(self.shape.dialect.modified.clone(), vec![self.time_stamp()]);
                self.keep(entry, group.kinds, self.now())?;
                self.run.note_written(group.row, self.shape.id_of(&group.entry));
            }
        }
        for attribute in self.shape.references() {
            let form = self.rule(attribute).form(old.as_str().as_bytes());
            for stored in self.session.with_field(&self.shape.space, &field(attribute), &form)? {
                let mut entry = doc(&stored)?;
                let mut values = entry.entry.remove(attribute);
                values.retain(|value| self.rule(attribute).form(value) != form);
                values.extend(new.map(value));
                entry.entry.insert(attribute.clone(), values);
                entry.entry.insert(self.shape.dialect.modified.clone(), vec![self.time_stamp()]);
                let kept = self.keep(entry.entry, entry.kinds, self.now())?;
                self.run.note_written(kept.row, self.shape.id_of(&kept.entry));
            }
        }
        Ok(())
    }
}
