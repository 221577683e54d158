//! Names that entries have left while the directory is being read.
//!
//! A server with referential integrity changes what refers to an entry a moment after it was renamed or deleted, and
//! does not always date the change. What is read in between shows the old name, although the shadow knows better, and
//! nothing would tell later that it was wrong.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::directory::Dn;

/// Whoever began to tidy so long ago has given up.
const GIVEN_UP: Duration = Duration::from_mins(1);

/// The names, and the readings that they matter to.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Left(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    /// Nothing is known yet to refer to somebody else.
    untidy: HashMap<String, Instant>,
    /// Until when something may have referred to it, in milliseconds since 1970.
    tidy: HashMap<String, i64>,
    readings: usize,
}

/// The directory is being read as long as this is kept.
#[derive(Debug)]
pub(super) struct Reading<'l>(&'l Left);

impl Left {
    /// Somebody has just left `dn`.
    pub fn note(&self, dn: &Dn) {
        let mut names = self.lock();
        names.untidy.insert(dn.normal_form().to_owned(), Instant::now());
    }

    /// From `now` on, in milliseconds since 1970, nothing in the directory refers to `dn` any more.
    pub fn tidied(&self, dn: &Dn, now: i64) {
        let mut names = self.lock();
        let known = names.untidy.remove(dn.normal_form()).is_some();
        names.untidy.retain(|_, since| since.elapsed() < GIVEN_UP);
        if known && names.readings > 0 {
            names.tidy.insert(dn.normal_form().to_owned(), now);
        }
    }

    pub(super) fn reading(&self) -> Reading<'_> {
        self.lock().readings += 1;
        Reading(self)
    }

    /// The names that something which was asked for at `asked_at` may still show, in normal form.
    pub(super) fn since(&self, asked_at: i64) -> HashSet<String> {
        let names = self.lock();
        let tidy = names.tidy.iter().filter(|(_, until)| **until >= asked_at).map(|(name, _)| name);
        names.untidy.keys().chain(tidy).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut names = self.0.lock();
        names.readings -= 1;
        if names.readings == 0 {
            names.tidy.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_before_all_was_tidy_may_show_the_old_name_and_what_came_later_does_not() {
        let (left, ada) = (Left::default(), Dn::parse("uid=Ada,dc=x").unwrap());
        let name = HashSet::from([ada.normal_form().to_owned()]);
        let reading = left.reading();
        left.note(&ada);
        assert_eq!(left.since(1000), name);
        left.tidied(&ada, 500);
        assert_eq!((left.since(500), left.since(501)), (name, HashSet::new()));
        drop(reading);
        assert_eq!(left.since(0), HashSet::new());
    }

    #[test]
    fn nothing_is_kept_where_nobody_reads() {
        let (left, ada) = (Left::default(), Dn::parse("uid=Ada,dc=x").unwrap());
        left.note(&ada);
        left.tidied(&ada, 500);
        left.tidied(&Dn::parse("uid=bob,dc=x").unwrap(), 500);
        assert_eq!(left.since(0), HashSet::new());
    }
}
