//! Whether the directory was there when it was last spoken to.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::fault::Fault;

/// Whether the directory was there when it was last spoken to.
#[derive(Debug, Clone)]
pub struct Health {
    /// None until it was spoken to for the first time.
    pub reachable: Option<bool>,
    /// Since when that is so.
    pub since: SystemTime,
    /// Why it is not, or was not the last time it was not.
    pub last_error: Option<String>,
    /// The address of the server in use.
    pub url: String,
}

/// Keeps the [`Health`]; noting a success that changes nothing costs one load.
pub(super) struct HealthBook {
    directory: String,
    state: AtomicU8,
    page: Mutex<(SystemTime, Option<String>)>,
}

const UNKNOWN: u8 = 0;
const REACHABLE: u8 = 1;
const AWAY: u8 = 2;

impl HealthBook {
    pub(super) fn new(directory: &str) -> Self {
        let directory = directory.to_owned();
        Self { directory, state: AtomicU8::new(UNKNOWN), page: Mutex::new((SystemTime::now(), None)) }
    }

    pub(super) fn note_success(&self) {
        if self.state.load(Ordering::Relaxed) != REACHABLE {
            let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
            if self.state.swap(REACHABLE, Ordering::Relaxed) == AWAY {
                tracing::info!(target: "scim2ldap::directory", directory = %self.directory, "the directory is back");
            }
            page.0 = SystemTime::now();
        }
    }

    pub(super) fn note_fault(&self, fault: &Fault) {
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        if self.state.swap(AWAY, Ordering::Relaxed) != AWAY {
            let (directory, why) = (&self.directory, &fault.message);
            tracing::warn!(target: "scim2ldap::directory", %directory, %why, "the directory is away");
            page.0 = SystemTime::now();
        }
        page.1 = Some(fault.message.clone());
    }

    pub(super) fn is_away(&self) -> bool {
        self.state.load(Ordering::Relaxed) == AWAY
    }

    pub(super) fn read(&self, url: String) -> Health {
        let page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        let reachable = match self.state.load(Ordering::Relaxed) {
            UNKNOWN => None,
            state => Some(state == REACHABLE),
        };
        Health { reachable, since: page.0, last_error: page.1.clone(), url }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::FaultKind;
    use super::*;

    #[test]
    fn the_time_changes_with_the_state_only() {
        let book = HealthBook::new("corp");
        assert_eq!(book.read(String::new()).reachable, None);
        assert!(!book.is_away(), "nobody knows");
        book.note_fault(&Fault::new(FaultKind::Unreachable, "first"));
        let since = book.read(String::new()).since;
        book.note_fault(&Fault::new(FaultKind::Unreachable, "second"));
        let away = book.read("ldap://x".into());
        assert_eq!((away.reachable, away.since, away.last_error.as_deref()), (Some(false), since, Some("second")));
        assert!(book.is_away());
        book.note_success();
        assert!(!book.is_away());
        let back = book.read(String::new());
        assert_eq!((back.reachable, back.last_error.as_deref()), (Some(true), Some("second")));
    }
}
