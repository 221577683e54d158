//! What one run on the shadow did and saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::StoreFault;

/// What one run on the shadow did and saw: who has to wait for whom follows from it.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Run(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    written: BTreeSet<String>,
    seen: BTreeSet<String>,
    /// Documents that were written and are still there.
    rows: BTreeSet<i64>,
    /// Keys that were left, with the ids of those who left them.
    vacated: BTreeMap<Vec<u8>, BTreeSet<String>>,
    fault: Option<StoreFault>,
}

impl Run {
    /// The ids of the resources that were written, in any way.
    pub fn written(&self) -> Vec<String> {
        self.lock().written.iter().cloned().collect()
    }

    /// The ids of the resources that searches found, apart from those for the names of references; and of those who
    /// owe it to the directory to leave a name that was taken.
    pub fn seen(&self) -> Vec<String> {
        self.lock().seen.iter().cloned().collect()
    }

    /// What went wrong with the store. What was done must not be kept then.
    pub fn fault(&self) -> Option<StoreFault> {
        self.lock().fault.clone()
    }

    pub(super) fn note_fault(&self, fault: StoreFault) {
        self.lock().fault.get_or_insert(fault);
    }

    pub(super) fn note_seen(&self, ids: impl IntoIterator<Item = String>) {
        self.lock().seen.extend(ids);
    }

    pub(super) fn note_written(&self, row: i64, id: Option<String>) {
        let mut noted = self.lock();
        noted.rows.insert(row);
        noted.written.extend(id);
    }

    pub(super) fn note_removed(&self, row: i64, id: Option<String>) {
        let mut noted = self.lock();
        noted.rows.remove(&row);
        noted.written.extend(id);
    }

    pub(super) fn note_vacated(&self, key: Vec<u8>, id: Option<String>) {
        self.lock().vacated.entry(key).or_default().extend(id);
    }

    pub(super) fn rows(&self) -> Vec<i64> {
        self.lock().rows.iter().copied().collect()
    }

    pub(super) fn vacated(&self) -> BTreeMap<Vec<u8>, BTreeSet<String>> {
        self.lock().vacated.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
