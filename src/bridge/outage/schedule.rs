//! In which order what is owed may be done.
//!
//! An item is about one resource, may change others with it, and refers to others. It may be done when no earlier item is
//! left that changes what it changes or refers to, or that refers to what it changes. Everything else may be done side by
//! side.
//!
//! What waits for a person holds up the later items of its own resource, and nothing else: who refers to a resource that
//! is not made because of that goes on without it, and the reference waits (docs/decisions/0015-late-references.md).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::super::unmet::Stuck;

/// What the order is decided by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// The ids of the resources that the item changes. The first is the one that it is about.
    pub changes: Vec<Arc<str>>,
    /// The ids of the resources that it refers to.
    pub refers: Vec<Arc<str>>,
}

impl Keys {
    /// Those of an item, by its own resource and what it touches.
    pub fn of(resource: &str, touches: &[String]) -> Self {
        let with = |mark: &str| touches.iter().filter_map(|it| it.strip_prefix(mark)).map(Arc::from).collect();
        let mut changes: Vec<Arc<str>> = with("w:");
        changes.insert(0, Arc::from(resource));
        Self { changes, refers: with("r:") }
    }

    /// Whether two items are about the same resource.
    pub fn is_about_same(&self, other: &Self) -> bool {
        self.changes.first() == other.changes.first()
    }

    /// Whether of two items with these keys the later one waits for the earlier one.
    pub fn meet(&self, other: &Self) -> bool {
        self.all().any(|(key, changes)| other.all().any(|(name, too)| key == name && (changes || too)))
    }

    fn all(&self) -> impl Iterator<Item = (&Arc<str>, bool)> {
        self.changes.iter().map(|key| (key, true)).chain(self.refers.iter().map(|key| (key, false)))
    }
}

/// Who stands in line for one resource.
#[derive(Debug, Default)]
struct Line {
    /// The last one that changes it.
    writer: Option<i64>,
    /// Those that refer to it since then.
    readers: Vec<i64>,
}

/// An item that is not done yet.
#[derive(Debug)]
struct Waiting {
    keys: Keys,
    /// Earlier items that have to be done first.
    after: BTreeSet<i64>,
    /// Later items that wait for this one.
    before: Vec<i64>,
}

/// The items that can be reached now, and what each waits for. Items come in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    waiting: BTreeMap<i64, Waiting>,
    lines: HashMap<Arc<str>, Line>,
    ready: BTreeSet<i64>,
    stuck: Arc<Stuck>,
}

impl Schedule {
    /// The next item. It goes at the end of every line that it stands in. Whether it is kept: what is about a resource of
    /// which an earlier item waits for a person is not.
    pub fn push(&mut self, number: i64, keys: Keys) -> bool {
        if keys.changes.first().is_some_and(|own| self.stuck.contains_key(own)) {
            return false;
        }
        let mut after = BTreeSet::new();
        for (key, changes) in keys.all() {
            let line = self.lines.entry(Arc::clone(key)).or_default();
            after.extend(line.writer.filter(|writer| *writer != number));
            if changes {
                after.extend(line.readers.drain(..).filter(|reader| *reader != number));
                line.writer = Some(number);
            } else if line.writer != Some(number) {
                line.readers.push(number);
            }
        }
        after.retain(|earlier| self.waiting.contains_key(earlier));
        for earlier in &after {
            if let Some(earlier) = self.waiting.get_mut(earlier) {
                earlier.before.push(number);
            }
        }
        if after.is_empty() {
            self.ready.insert(number);
        }
        self.waiting.insert(number, Waiting { keys, after, before: Vec::new() });
        true
    }

    /// An item that waits for a person: the later ones of its resource wait as well. `creates`: it is to make it.
    pub fn block(&mut self, keys: &Keys, creates: bool) {
        if let Some(own) = keys.changes.first() {
            *Arc::make_mut(&mut self.stuck).entry(Arc::clone(own)).or_default() |= creates;
        }
    }

    /// The earliest item that may be done now. It is handed out once.
    pub fn next(&mut self) -> Option<i64> {
        self.ready.pop_first()
    }

    /// What comes right after `number` for the same resource and waits for nothing else; it is handed out together
    /// with it.
    pub fn follower(&self, number: i64) -> Option<i64> {
        let own = self.waiting.get(&number)?;
        let same = |later: &&i64| self.waiting.get(later).is_some_and(|later| later.keys.changes == own.keys.changes);
        own.before.iter().find(same).copied().filter(|later| self.waits_only_for(*later, number))
    }

    fn waits_only_for(&self, later: i64, number: i64) -> bool {
        self.waiting.get(&later).is_some_and(|later| later.after.iter().all(|earlier| *earlier == number))
    }

    /// An item that was handed out could not be done for now: it is handed out again.
    pub fn again(&mut self, number: i64) {
        if self.waiting.contains_key(&number) {
            self.ready.insert(number);
        }
    }

    /// An item is done.
    pub fn done(&mut self, number: i64) {
        self.remove(number);
    }

    /// An item waits for a person from now on, and so do the later ones of its resource; all of them are answered and
    /// kept no more. `creates`: it is to make the resource.
    pub fn park(&mut self, number: i64, creates: bool) -> Vec<(i64, Keys)> {
        let Some(own) = self.waiting.get(&number).map(|waiting| waiting.keys.clone()) else { return Vec::new() };
        self.block(&own, creates);
        let later = self.waiting.range(number..).filter(|(_, later)| later.keys.is_about_same(&own));
        let parked: Vec<(i64, Keys)> = later.map(|(number, waiting)| (*number, waiting.keys.clone())).collect();
        for (number, _) in &parked {
            self.remove(*number);
        }
        parked
    }

    /// Takes an item out of all lines; who waited for nothing else may be done.
    fn remove(&mut self, number: i64) {
        let Some(own) = self.waiting.remove(&number) else { return };
        self.ready.remove(&number);
        self.leave(number, &own.keys);
        for later in own.before {
            if let Some(waiting) = self.waiting.get_mut(&later) {
                waiting.after.remove(&number);
                if waiting.after.is_empty() {
                    self.ready.insert(later);
                }
            }
        }
    }

    fn leave(&mut self, number: i64, keys: &Keys) {
        for (key, _) in keys.all() {
            if let Some(line) = self.lines.get_mut(key) {
                line.readers.retain(|reader| *reader != number);
                line.writer = line.writer.filter(|writer| *writer != number);
                if line.writer.is_none() && line.readers.is_empty() {
                    self.lines.remove(key);
                }
            }
        }
    }

    /// The earliest item that is kept.
    pub fn first(&self) -> Option<i64> {
        self.waiting.first_key_value().map(|(number, _)| *number)
    }

    /// The resources of which items wait for a person.
    pub fn stuck(&self) -> &Arc<Stuck> {
        &self.stuck
    }

    /// How many items are kept.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(changes: &[&str], refers: &[&str]) -> Keys {
        let keys = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
        Keys { changes: keys(changes), refers: keys(refers) }
    }

    fn drain(schedule: &mut Schedule) -> Vec<i64> {
        std::iter::from_fn(|| schedule.next()).collect()
    }

    #[test]
    fn different_resources_are_done_side_by_side_and_one_resource_in_order() {
        let mut schedule = Schedule::default();
        schedule.push(1, keys(&["ada"], &[]));
        schedule.push(2, keys(&["bob"], &[]));
        schedule.push(3, keys(&["ada"], &[]));
        assert_eq!(drain(&mut schedule), [1, 2]);
        schedule.done(2);
        assert_eq!(schedule.next(), None);
        schedule.done(1);
        assert_eq!(schedule.next(), Some(3));
    }

    #[test]
    fn a_membership_waits_for_its_member_and_the_members_deletion_for_the_membership() {
        let mut schedule = Schedule::default();
        schedule.push(1, keys(&["ada"], &[]));
        schedule.push(2, keys(&["staff"], &["ada"]));
        schedule.push(3, keys(&["ada"], &[]));
        assert_eq!(drain(&mut schedule), [1]);
        schedule.done(1);
        assert_eq!(drain(&mut schedule), [2]);
        schedule.done(2);
        assert_eq!(drain(&mut schedule), [3]);
        schedule.done(3);
        assert_eq!(schedule.len(), 0);
        assert!(schedule.lines.is_empty());
    }

    #[test]
    fn those_who_only_refer_to_the_same_resource_do_not_wait_for_each_other() {
        let mut schedule = Schedule::default();
        schedule.push(1, keys(&["staff"], &["ada"]));
        schedule.push(2, keys(&["admins"], &["ada"]));
        assert_eq!(drain(&mut schedule), [1, 2]);
    }

    #[test]
    fn what_waits_for_a_person_holds_up_its_own_resource_and_nothing_else() {
        let mut schedule = Schedule::default();
        schedule.push(1, keys(&["ada"], &[]));
        schedule.push(2, keys(&["ada"], &[]));
        schedule.push(3, keys(&["bob"], &[]));
        assert_eq!(drain(&mut schedule), [1, 3]);
        let parked = schedule.park(1, true);
        assert_eq!(parked.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
        schedule.done(3);
        assert_eq!(schedule.next(), None);
        assert!(schedule.push(4, keys(&["staff"], &["ada"])), "a group goes on without her");
        assert!(!schedule.push(5, keys(&["ada"], &["staff"])));
        assert!(schedule.push(6, keys(&["bob"], &[])));
        assert_eq!(drain(&mut schedule), [4, 6]);
        assert_eq!(**schedule.stuck(), Stuck::from([(Arc::from("ada"), true)]));
    }

    #[test]
    fn who_refers_to_what_comes_to_wait_for_a_person_goes_on_and_the_later_ones_of_its_resource_do_not() {
        let mut schedule = Schedule::default();
        schedule.push(1, keys(&["ada"], &[]));
        schedule.push(2, keys(&["staff"], &["ada"]));
        schedule.push(3, keys(&["bob", "ada"], &[]));
        schedule.push(4, keys(&["ada", "staff"], &[]));
        assert_eq!(drain(&mut schedule), [1]);
        schedule.park(1, false);
        assert_eq!(drain(&mut schedule), [2]);
        schedule.done(2);
        assert_eq!(drain(&mut schedule), [3]);
        schedule.done(3);
        assert!(drain(&mut schedule).is_empty(), "what is behind it waits for a person, too");
        assert_eq!(**schedule.stuck(), Stuck::from([(Arc::from("ada"), false)]));
        assert!(schedule.lines.is_empty());
    }

    #[test]
    fn a_follower_is_what_comes_next_for_the_same_resource_and_waits_for_nothing_else() {
        let mut schedule = Schedule::default();
        schedule.push(1, keys(&["staff"], &[]));
        schedule.push(2, keys(&["ada"], &[]));
        schedule.push(3, keys(&["staff"], &["bob"]));
        schedule.push(4, keys(&["staff"], &["ada"]));
        assert_eq!(schedule.next(), Some(1));
        assert_eq!(schedule.follower(1), Some(3));
        assert_eq!(schedule.follower(3), None, "ada is not there yet");
    }

    /// Items over five resources, and the order in which those at work end.
    fn history() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>, usize)>> {
        let few = || proptest::collection::vec(0..5_u8, 0..3);
        proptest::collection::vec((proptest::collection::vec(0..5_u8, 1..3), few(), 0..4_usize), 1..40)
    }

    proptest! {
        #[test]
        fn nothing_overtakes_what_it_depends_on_and_everything_is_done(history in history()) {
            let names = |ids: &[u8]| ids.iter().map(|id| Arc::from(id.to_string())).collect::<Vec<Arc<str>>>();
            let all: Vec<Keys> = history.iter().map(|(c, r, _)| Keys { changes: names(c), refers: names(r) }).collect();
            let conflict = |one: &Keys, other: &Keys| {
                one.all().any(|(key, changes)| other.all().any(|(name, too)| key == name && (changes || too)))
            };
            let mut schedule = Schedule::default();
            let (mut done, mut at_work): (Vec<usize>, Vec<i64>) = (Vec::new(), Vec::new());
            for (number, keys) in all.iter().enumerate() {
                prop_assert!(schedule.push(i64::try_from(number).unwrap(), keys.clone()));
            }
            let mut picks = history.iter().map(|(_, _, pick)| *pick).cycle();
            loop {
                while let Some(number) = schedule.next() {
                    let number = usize::try_from(number).unwrap();
                    for earlier in (0..number).filter(|earlier| conflict(&all[*earlier], &all[number])) {
                        prop_assert!(done.contains(&earlier), "{number} began before {earlier} was done");
                    }
                    at_work.push(i64::try_from(number).unwrap());
                }
                if at_work.is_empty() {
                    break;
                }
                let ended = at_work.swap_remove(picks.next().unwrap() % at_work.len());
                schedule.done(ended);
                done.push(usize::try_from(ended).unwrap());
            }
            prop_assert_eq!(done.len(), all.len());
            prop_assert!(schedule.lines.is_empty());
        }
    }
}
