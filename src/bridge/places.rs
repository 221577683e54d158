//! Where groups are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::directory::{Dn, Entry};
use crate::mapping::ResourceMapping;

use super::Carrier;

/// Groups whose place is remembered.
const REMEMBERED: usize = 10_000;

/// Where groups were last seen, so that a change need not look for them. Used only with an assertion that the entry
/// is still the same, so what is remembered may be wrong.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<String, Place>>);

/// Where a group is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub dn: Dn,
    /// It holds the value that stands for nobody.
    pub nobody: bool,
    /// The place was remembered, not looked up.
    pub remembered: bool,
}

impl Places {
    pub fn get(&self, id: &str) -> Option<Place> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(id).map(|place| Place { remembered: true, ..place.clone() })
    }

    pub fn note(&self, id: &str, place: &Place) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= REMEMBERED {
            places.clear();
        }
        places.insert(id.to_owned(), place.clone());
    }

    pub fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

impl Carrier {
    /// The place of an entry that was just read.
    pub(super) fn place_at(mapping: &ResourceMapping, entry: &Entry) -> Place {
        let nobody = mapping.members.as_ref().is_some_and(|members| members.holds_nobody(entry));
        Place { dn: entry.dn.clone(), nobody, remembered: false }
    }
}
