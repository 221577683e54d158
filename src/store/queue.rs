//! Items: what is owed, in the order in which it was asked for.

use super::sqlite::queue as sql;
use super::{Session, StoreFault};

/// How many rows are read at a time for a caller who wants to see all.
const PAGE: usize = 1000;

/// What is to be owed from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewItem {
    /// Whose it is.
    pub space: String,
    /// What must stay in order: items of one resource are done one after the other.
    pub resource: String,
    /// Other resources that it refers to.
    pub touches: Vec<String>,
    /// What is to be done.
    pub payload: Vec<u8>,
    /// When it was asked for, in milliseconds since 1970.
    pub asked_at: i64,
    /// Who asked for it.
    pub asked_by: String,
    /// The request that it came with.
    pub request: String,
    /// One line for people.
    pub summary: String,
}

/// What is to become of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It is done as soon as it can be.
    Owed,
    /// It can't be done as it is: a person decides.
    Parked,
    /// A person said that it has to wait.
    Held,
    /// It refers to somebody who is not there yet.
    Waiting,
}

/// What is owed, and what became of it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its number; later items have higher ones, and none is ever used again.
    pub number: i64,
    /// What was asked for.
    pub asked: NewItem,
    /// What is to become of it.
    pub state: State,
    /// Why it is in this state, or why the last attempt failed.
    pub reason: Option<String>,
    /// When it came into this state, in milliseconds since 1970.
    pub since: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether somebody began to do it, so that part of it may be done.
    pub started: bool,
}

/// Which items are asked for; the default asks for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemQuery {
    /// Only those of this space.
    pub space: Option<String>,
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those of this resource.
    pub resource: Option<String>,
    /// Only those with a higher number.
    pub after: i64,
    /// No more than these.
    pub limit: usize,
}

impl Default for ItemQuery {
    fn default() -> Self {
        Self { space: None, state: None, resource: None, after: 0, limit: usize::MAX }
    }
}

/// How many items there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// To be done as soon as can be.
    pub owed: usize,
    /// Waiting for a person's decision.
    pub parked: usize,
    /// Waiting because a person said so.
    pub held: usize,
    /// Waiting for somebody who is not there yet.
    pub waiting: usize,
    /// When the first of those to be done was asked for, in milliseconds since 1970.
    pub oldest: Option<i64>,
}

/// As much of an item as an index in memory needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedItem {
    /// Its number.
    pub number: i64,
    /// What must stay in order.
    pub resource: String,
    /// Other resources that it refers to.
    pub touches: Vec<String>,
    /// What is to become of it.
    pub state: State,
}

impl Session {
    /// Puts an item at the end of the queue. Answers its number.
    pub fn push(&self, item: &NewItem) -> Result<i64, StoreFault> {
        self.with(|it| sql::push(it, item))
    }

    /// The items that `query` asks for, in the order of their numbers.
    pub fn items(&self, query: &ItemQuery) -> Result<Vec<Item>, StoreFault> {
        self.with(|it| sql::items(it, query))
    }

    /// The item with this number.
    pub fn item(&self, number: i64) -> Result<Option<Item>, StoreFault> {
        self.with(|it| sql::item(it, number))
    }

    /// Brings an item into a state. Whether there is such an item.
    pub fn set_state(&self, number: i64, state: State, reason: Option<&str>, at: i64) -> Result<bool, StoreFault> {
        self.with(|it| sql::set_state(it, number, state, reason, at))
    }

    /// Notes that these items are being done from now on. Numbers without an item are passed over.
    pub fn mark_started(&self, numbers: &[i64]) -> Result<(), StoreFault> {
        self.with(|it| sql::mark_started(it, numbers))
    }

    /// Notes that an item was tried once more, at `at`, and why that failed. Whether there is such an item.
    pub fn note_attempt(&self, number: i64, reason: Option<&str>, at: i64) -> Result<bool, StoreFault> {
        self.with(|it| sql::note_attempt(it, number, reason, at))
    }

    /// Replaces what is to be done for an item. Whether there is such an item.
    pub fn set_payload(&self, number: i64, payload: &[u8]) -> Result<bool, StoreFault> {
        self.with(|it| sql::set_payload(it, number, payload))
    }

    /// Takes items out of the queue. Answers how many there were.
    pub fn remove(&self, numbers: &[i64]) -> Result<usize, StoreFault> {
        self.with(|it| sql::remove(it, numbers))
    }

    /// How many items there are, in one space or in all.
    pub fn tally(&self, space: Option<&str>) -> Result<Tally, StoreFault> {
        self.with(|it| sql::tally(it, space))
    }

    /// The highest number of an item of a space that is in one of these states.
    pub fn last_item(&self, space: &str, states: &[State]) -> Result<Option<i64>, StoreFault> {
        self.with(|it| sql::last(it, space, states))
    }

    /// Shows `each` the items of a space, all or those in one state, in the order of their numbers and without their
    /// payload.
    pub fn owed_resources(
        &self,
        space: &str,
        state: Option<State>,
        each: &mut dyn FnMut(OwedItem),
    ) -> Result<(), StoreFault> {
        let mut after = 0;
        loop {
            let page = self.with(|it| sql::owed(it, (space, state), after, PAGE))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            page.into_iter().for_each(&mut *each);
        }
    }
}
