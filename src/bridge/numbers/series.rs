//! What the process remembers of the numbers of a range.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::directory::Dn;
use crate::mapping::Number;

/// A range in which nothing was free is not looked through again before this time has passed.
const RETRY: Duration = Duration::from_secs(10);
/// New entries of which it is not known whether they were made, and the numbers meant for them.
const IN_DOUBT: usize = 1000;

type Key = (String, u64, u64);

/// The series of numbers that were given since the process started.
#[derive(Default)]
pub(in crate::bridge) struct Numbers(Mutex<HashMap<Key, Series>>);

/// The numbers of one range.
#[derive(Default)]
struct Series {
    /// The lowest number that nobody had when it was last looked; `None`: nobody has looked yet.
    next: Option<u64>,
    /// Numbers below it that are not in use, as far as is known.
    spare: BTreeSet<u64>,
    /// Numbers on their way into the directory.
    under_way: HashSet<u64>,
    /// Numbers of entries that may have been made or not. Whoever makes such an entry once more gets the same number.
    in_doubt: HashMap<Dn, u64>,
    /// When it was found that every number is in use.
    used_up: Option<Instant>,
}

/// What to do to find the next number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Idea {
    /// Ask whether this one is free.
    Try(u64),
    /// Look which number is the highest in use.
    LookForHighest,
    /// Look which numbers are not in use.
    LookForHoles,
    /// There is none.
    None,
}

/// A number that is given to one entry and to nobody else. Dropped without a word, it is in doubt.
pub(in crate::bridge) struct Given<'a> {
    pub(super) number: u64,
    pub(super) of: Number,
    dn: Dn,
    numbers: &'a Numbers,
    after: After,
}

/// What becomes of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    InDoubt,
    Kept,
    Back,
}

impl Numbers {
    /// What to do next to find a number for the entry at `dn`.
    pub(super) fn idea(&self, number: &Number, dn: &Dn) -> Idea {
        let mut all = self.lock();
        let series = all.entry(key(number)).or_default();
        if let Some(again) = series.in_doubt.remove(dn).filter(|again| !series.under_way.contains(again)) {
            return Idea::Try(again);
        }
        let Some(next) = series.next else { return Idea::LookForHighest };
        if let Some(spare) = series.spare.pop_first() {
            return Idea::Try(spare);
        }
        if number.range.contains(next) {
            series.next = Some(next.saturating_add(1));
            return Idea::Try(next);
        }
        match series.used_up {
            Some(when) if when.elapsed() < RETRY => Idea::None,
            _ => Idea::LookForHoles,
        }
    }

    /// Takes `value` for the entry at `dn`; `None` when another new entry is about to get it.
    pub(super) fn take(&self, number: &Number, value: u64, dn: &Dn) -> Option<Given<'_>> {
        let mut all = self.lock();
        let series = all.entry(key(number)).or_default();
        let promised = series.in_doubt.iter().any(|(to, promised)| *promised == value && to != dn);
        if promised || !series.under_way.insert(value) {
            return None;
        }
        series.spare.remove(&value);
        let of = number.clone();
        Some(Given { number: value, of, dn: dn.clone(), numbers: self, after: After::InDoubt })
    }

    pub(super) fn note_highest(&self, number: &Number, highest: Option<u64>) {
        let mut all = self.lock();
        let series = all.entry(key(number)).or_default();
        // What is under way is not in the directory yet.
        let given = series.under_way.iter().chain(series.in_doubt.values()).copied();
        let highest = given.filter(|value| number.range.contains(*value)).chain(highest).max();
        series.next = Some(highest.map_or(number.range.from, |highest| highest.saturating_add(1)));
    }

    pub(super) fn forget_highest(&self, number: &Number) {
        if let Some(series) = self.lock().get_mut(&key(number)) {
            series.next = None;
        }
    }

    pub(super) fn note_holes(&self, number: &Number, holes: Vec<u64>) {
        let mut all = self.lock();
        let series = all.entry(key(number)).or_default();
        series.spare = holes.into_iter().filter(|hole| !series.under_way.contains(hole)).collect();
        for promised in series.in_doubt.values() {
            series.spare.remove(promised);
        }
        series.used_up = series.spare.is_empty().then(Instant::now);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Series>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Given<'_> {
    /// The entry has it.
    pub(super) fn keep(&mut self) {
        self.after = After::Kept;
    }

    /// The entry was not made.
    pub(in crate::bridge) fn give_back(mut self) {
        self.after = After::Back;
    }

    /// The entry may have been made.
    pub(super) fn leave_in_doubt(self) {
        drop(self);
    }
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        let mut all = self.numbers.lock();
        let series = all.entry(key(&self.of)).or_default();
        series.under_way.remove(&self.number);
        if self.of.chosen.is_some() {
            return;
        }
        match self.after {
            After::Kept => {}
            After::Back => {
                series.spare.insert(self.number);
            }
            After::InDoubt => {
                if series.in_doubt.len() >= IN_DOUBT {
                    series.in_doubt.clear();
                }
                series.in_doubt.insert(self.dn.clone(), self.number);
            }
        }
    }
}

fn key(number: &Number) -> Key {
    (number.attribute.as_str().to_lowercase(), number.range.from, number.range.to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::AttributeName;
    use crate::mapping::NumberRange;

    fn number() -> Number {
        let range = NumberRange { from: 5, to: 8, below: Dn::root() };
        Number { attribute: AttributeName::literal("gidNumber"), range, chosen: None, row: String::new() }
    }

    fn dn(name: &str) -> Dn {
        Dn::root().child(&AttributeName::literal("cn"), name)
    }

    fn take<'n>(numbers: &'n Numbers, name: &str) -> Given<'n> {
        let Idea::Try(value) = numbers.idea(&number(), &dn(name)) else { panic!("no number") };
        numbers.take(&number(), value, &dn(name)).unwrap()
    }

    #[test]
    fn numbers_go_up_from_the_highest_and_what_comes_back_is_given_again() {
        let numbers = Numbers::default();
        assert_eq!(numbers.idea(&number(), &dn("a")), Idea::LookForHighest);
        numbers.note_highest(&number(), Some(5));
        let (first, mut second) = (take(&numbers, "a"), take(&numbers, "b"));
        assert_eq!((first.number, second.number), (6, 7));
        assert!(numbers.take(&number(), 7, &dn("c")).is_none(), "it is on its way to somebody else");
        first.give_back();
        second.keep();
        let mut third = take(&numbers, "c");
        assert_eq!(third.number, 6);
        third.keep();
        take(&numbers, "d").keep();
        assert_eq!(numbers.idea(&number(), &dn("e")), Idea::LookForHoles);
    }

    #[test]
    fn an_entry_that_may_have_been_made_gets_the_same_number_again_and_nobody_else_gets_it() {
        let numbers = Numbers::default();
        numbers.note_highest(&number(), None);
        take(&numbers, "a").leave_in_doubt();
        let other = take(&numbers, "b");
        let again = take(&numbers, "a");
        assert_eq!((again.number, other.number), (5, 6));
        drop(again);
        numbers.note_highest(&number(), Some(8));
        numbers.note_holes(&number(), vec![5, 6, 7]);
        assert_eq!(numbers.idea(&number(), &dn("c")), Idea::Try(7));
    }

    #[test]
    fn a_range_that_is_used_up_is_not_looked_through_at_every_request() {
        let numbers = Numbers::default();
        numbers.note_highest(&number(), Some(8));
        assert_eq!(numbers.idea(&number(), &dn("a")), Idea::LookForHoles);
        numbers.note_holes(&number(), Vec::new());
        assert_eq!(numbers.idea(&number(), &dn("a")), Idea::None);
    }
}
