//! A change that goes through only while the attributes that it exchanges are what they were when they were read: for
//! servers that can't tie a change to the state of an entry otherwise (RFC 4528).

use super::plan::Update;
use super::table::ResourceMapping;
use crate::directory::{Change, Entry, Modification};

impl ResourceMapping {
    /// Turns what replaces values of `entry` by way of rows into deletions of exactly these values and additions: the
    /// server refuses to delete what is gone by then. An attribute that had no value is not covered: nothing can be
    /// said of it that the server would check.
    pub fn bind(&self, update: &mut Update, entry: &Entry) {
        let modifications = std::mem::take(&mut update.modifications);
        update.modifications = modifications.into_iter().flat_map(|one| self.bound(one, entry)).collect();
    }

    fn bound(&self, modification: Modification, entry: &Entry) -> Vec<Modification> {
        let Modification { attribute, change } = modification;
        let held = entry.values(&attribute);
        let of_a_row = self.rows.iter().any(|row| row.ldap == attribute);
        let wanted = match change {
            Change::Replace(wanted) if of_a_row && !held.is_empty() => wanted,
            change => return vec![Modification { attribute, change }],
        };
        let gone: Vec<Vec<u8>> = held.iter().filter(|value| !wanted.contains(value)).cloned().collect();
        let new: Vec<Vec<u8>> = wanted.iter().filter(|value| !held.contains(value)).cloned().collect();
        let steps = [(gone, Change::Delete as fn(_) -> _), (new, Change::Add)];
        let steps = steps.into_iter().filter(|(values, _)| !values.is_empty());
        steps.map(|(values, change)| Modification::new(attribute.clone(), change(values))).collect()
    }
}
