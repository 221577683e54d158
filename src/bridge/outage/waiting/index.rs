//! The references that wait, in memory: found by what may put an end to their waiting.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use crate::mapping::Unmet;
use crate::store::{OwedItem, State};

use super::super::super::Action;
use super::words;

/// What stands before the words among what an item touches, before the attribute, and before the number of the item that
/// left the reference out.
const WORDS: &str = "t:";
const ATTRIBUTE: &str = "p:";
const SINCE: &str = "n:";

/// A reference that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Waits {
    /// The number of its item.
    pub number: i64,
    /// The id of the resource that refers.
    pub resource: String,
    /// The client's words in lower case.
    words: String,
    /// The attribute in lower case, without a sub-attribute.
    attribute: String,
    /// The number of the item that left it out: later ones may say otherwise. 0: an intent that was carried out at once.
    pub since: i64,
}

/// The references that wait, by what may put an end to that.
#[derive(Debug, Default)]
pub(in super::super) struct Waiting(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    all: HashMap<i64, Waits>,
    by_words: HashMap<String, BTreeSet<i64>>,
    by_resource: HashMap<String, BTreeSet<i64>>,
    /// Those that have only just begun to wait.
    new: Vec<i64>,
}

/// What an intent did to the references that wait.
#[derive(Debug, Default)]
pub(in super::super) struct Turned {
    pub(super) added: Vec<Waits>,
    pub(super) ended: Vec<i64>,
}

impl Waits {
    /// That of a resource to `unmet`, which item `since` has left out. It has no item of its own yet.
    pub(super) fn new(resource: &str, unmet: &Unmet, since: i64) -> Self {
        let (words, attribute) = (unmet.text.to_lowercase(), words::stem(&unmet.path));
        Self { number: 0, resource: resource.to_owned(), words, attribute, since }
    }

    /// With the number of its item.
    pub(super) fn numbered(self, number: i64) -> Self {
        Self { number, ..self }
    }

    /// As the queue keeps it.
    pub fn of(item: OwedItem) -> Option<Self> {
        let part = |mark: &str| item.touches.iter().find_map(|it| it.strip_prefix(mark)).map(ToOwned::to_owned);
        let (words, attribute) = (part(WORDS)?, part(ATTRIBUTE)?);
        let since = part(SINCE).and_then(|number| number.parse().ok()).unwrap_or(0);
        (item.state == State::Waiting).then_some(Self {
            number: item.number,
            resource: item.resource,
            words,
            attribute,
            since,
        })
    }

    /// Whether it waits for the resource with this id.
    pub fn is_for(&self, id: &str) -> bool {
        self.words == id.to_lowercase()
    }

    pub(super) fn touches(&self) -> Vec<String> {
        let since = self.since.to_string();
        [[WORDS, &self.words], [ATTRIBUTE, &self.attribute], [SINCE, &since]].map(|it| it.concat()).into()
    }

    /// Whether an intent about the same resource says anew what the attribute is to be, or whether this one is a member.
    pub(super) fn is_ended_by(&self, action: &Action) -> bool {
        match action {
            Action::Create(_) => false,
            Action::Replace { .. } | Action::Delete { .. } => true,
            Action::Patch { patch, .. } if self.attribute == words::MEMBERS => words::says_member(patch, &self.words),
            Action::Patch { patch, .. } => words::says(patch, &self.attribute),
        }
    }
}

impl Waiting {
    /// From now on these wait.
    pub fn add(&self, waits: impl IntoIterator<Item = Waits>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for waits in waits {
            known.by_words.entry(waits.words.clone()).or_default().insert(waits.number);
            known.by_resource.entry(waits.resource.clone()).or_default().insert(waits.number);
            known.all.insert(waits.number, waits);
        }
    }

    /// These don't wait any more.
    pub fn forget(&self, numbers: &[i64]) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *known;
        for number in numbers {
            let Some(gone) = known.all.remove(number) else { continue };
            for (index, key) in [(&mut known.by_words, &gone.words), (&mut known.by_resource, &gone.resource)] {
                if let Some(numbers) = index.get_mut(key) {
                    numbers.remove(number);
                    if numbers.is_empty() {
                        index.remove(key);
                    }
                }
            }
        }
    }

    /// What an intent did counts from now on.
    pub fn turn(&self, turned: Turned) {
        let added: Vec<i64> = turned.added.iter().map(|waits| waits.number).collect();
        self.settle(turned);
        self.0.write().unwrap_or_else(PoisonError::into_inner).new.extend(added);
    }

    /// The same where whom they mean can't have come in the same moment.
    pub fn settle(&self, turned: Turned) {
        self.forget(&turned.ended);
        self.add(turned.added);
    }

    pub fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).all.is_empty()
    }

    pub(super) fn get(&self, number: i64) -> Option<Waits> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).all.get(&number).cloned()
    }

    /// Those whose words are among these, which are in lower case; and those that have only just begun to wait: whom they
    /// mean may have come in the same moment, and found nobody waiting.
    pub(super) fn named(&self, words: &HashSet<String>) -> Vec<i64> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut found: BTreeSet<i64> = std::mem::take(&mut known.new).into_iter().collect();
        found.extend(words.iter().filter_map(|words| known.by_words.get(words)).flatten());
        found.into_iter().collect()
    }

    /// Whether the same reference waits already, as this item or a later one has left it.
    pub(super) fn covers(&self, waits: &Waits) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let same = |other: &Waits| {
            (&other.words, &other.attribute) == (&waits.words, &waits.attribute) && other.since >= waits.since
        };
        let numbers = known.by_resource.get(&waits.resource).into_iter().flatten();
        numbers.filter_map(|number| known.all.get(number)).any(same)
    }

    /// Those that an intent about a resource puts an end to. `item`: its number, where it was owed; what later items have
    /// left out is none of its business.
    pub fn ended_by(&self, resource: &str, action: &Action, item: Option<i64>) -> Vec<i64> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(numbers) = known.by_resource.get(resource) else { return Vec::new() };
        let earlier = |waits: &Waits| item.is_none_or(|item| waits.since < item);
        let ended = |waits: &Waits| earlier(waits) && waits.is_ended_by(action);
        numbers.iter().filter(|number| known.all.get(number).is_some_and(ended)).copied().collect()
    }
}
