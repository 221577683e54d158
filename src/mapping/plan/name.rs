//! What becomes of the name of an entry when the value that names it changes.

use super::ResourceMapping;
use crate::directory::{Change, Dialect, Entry, Modification, Rdn};
use crate::scim::Fault;

/// What another value of the attribute that names an entry leads to.
pub(super) enum Naming {
    /// Nothing: the value is as it should be.
    Keep,
    /// Another name.
    Rename(Rdn),
    /// The same name, and the value in other capitals.
    Respell(Vec<Modification>),
}

impl ResourceMapping {
    /// What makes `wanted` the value that names `entry`, whose relative name is `rdn`.
    pub(super) fn plan_name(
        &self,
        entry: &Entry,
        rdn: &Rdn,
        wanted: &[Vec<u8>],
        dialect: &Dialect,
    ) -> Result<Naming, Fault> {
        let Some(new) = wanted.first().and_then(|value| std::str::from_utf8(value).ok()) else {
            return Err(self.nameless());
        };
        let same_name = |value: &str| rdn.replacing(&self.rdn, value) == *rdn;
        if !dialect.renames_capitals && same_name(new) {
            let mut texts = entry.texts(&self.rdn).filter(|text| same_name(text));
            if let Some(old) = texts.next() {
                return Ok(if old == new { Naming::Keep } else { Naming::Respell(self.respelled(old, new)) });
            }
        }
        let is_there = rdn.value_of(&self.rdn) == Some(new);
        Ok(if is_there { Naming::Keep } else { Naming::Rename(rdn.replacing(&self.rdn, new)) })
    }

    fn respelled(&self, old: &str, new: &str) -> Vec<Modification> {
        let modification = |change| Modification { attribute: self.rdn.clone(), change };
        let values = |text: &str| vec![text.as_bytes().to_vec()];
        vec![modification(Change::Delete(values(old))), modification(Change::Add(values(new)))]
    }
}
