//! References of an intent that mean nothing the directory has yet.

use std::sync::{Mutex, PoisonError};

use crate::mapping::Unmet;

/// Takes note of the references of one intent that could not be resolved.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Mutex<Vec<Unmet>>);

impl LeftOut {
    /// What was left out in the last attempt; earlier ones count no more.
    pub fn note(&self, unmet: Vec<Unmet>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = unmet;
    }

    /// What was left out in the end.
    pub fn take(&self) -> Vec<Unmet> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
