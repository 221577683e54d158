//! References of an intent that mean nothing the directory has yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::mapping::Unmet;
use crate::scim::AttributePath;

/// The resources that items which wait for a person are about, by their ids; true for those that are to be created, so
/// that the directory does not have them.
pub(super) type Stuck = HashMap<Arc<str>, bool>;

/// Takes note of what one intent refers to that could not be resolved.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    references: Mutex<Vec<Unmet>>,
    members: Mutex<Vec<Unmet>>,
    /// Whom a group may do without for now.
    stuck: Arc<Stuck>,
}

impl LeftOut {
    /// The same where members who are still to be created, when a person has decided, are left out of groups.
    pub fn without(stuck: Arc<Stuck>) -> Self {
        Self { stuck, ..Self::default() }
    }

    /// What was left out in the last attempt; earlier ones count no more.
    pub fn note(&self, unmet: Vec<Unmet>) {
        *self.references.lock().unwrap_or_else(PoisonError::into_inner) = unmet;
    }

    /// Leaves a member out who does not exist. Whether that may be.
    pub fn excuses(&self, member: &str) -> bool {
        let excused = self.stuck.get(member).copied().unwrap_or(false);
        if excused {
            let unmet = Unmet { path: AttributePath::core("members"), text: member.to_owned() };
            self.members.lock().unwrap_or_else(PoisonError::into_inner).push(unmet);
        }
        excused
    }

    /// What was left out in the end.
    pub fn take(&self) -> Vec<Unmet> {
        let mut all = std::mem::take(&mut *self.references.lock().unwrap_or_else(PoisonError::into_inner));
        all.append(&mut self.members.lock().unwrap_or_else(PoisonError::into_inner));
        all
    }
}
