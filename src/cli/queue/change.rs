//! `scim2ldap queue retry`, `drop`, `hold` and `release`: each is one transaction of the store.

use serde_json::{Value, json};

use super::{Selection, as_json, name};
use crate::bridge::desk;
use crate::cli::columns::on_one_line;
use crate::cli::{Exit, complain, print};
use crate::store::{Durability, Item, ItemQuery, Session, State, Store, StoreFault};

/// What a person says when an item is held.
const HELD: &str = "held by a person";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Retry,
    Drop,
    Hold,
    Release,
}

/// What became of the items that were meant.
#[derive(Debug, Default)]
struct Done {
    items: Vec<Item>,
    /// Why others stay as they are.
    left: Vec<String>,
    /// For each item that goes, the later ones of its resource that stay.
    remaining: Vec<(i64, Vec<Item>)>,
}

pub(super) async fn run(
    store: Option<&Store>,
    verb: Verb,
    selection: &Selection,
    really: bool,
) -> Result<Exit, StoreFault> {
    let done = match store {
        None => Done { left: selection.numbers.iter().map(|number| absent(*number)).collect(), ..Done::default() },
        Some(store) => {
            let meant = Meant::of(selection, verb);
            let change = async move |session: Session| meant.change(&session, really);
            if really { store.write(Durability::Durable, change).await? } else { store.read(change).await? }
        }
    };
    show(&done, verb, selection.json, really);
    if !really {
        complain("nothing was dropped; to drop it write --yes");
        return Ok(Exit::Usage);
    }
    Ok(if done.left.is_empty() { Exit::Good } else { Exit::Problems })
}

/// The items that a command line names.
struct Meant {
    verb: Verb,
    numbers: Vec<i64>,
    tenant: Option<String>,
    parked: bool,
}

impl Meant {
    fn of(selection: &Selection, verb: Verb) -> Self {
        let mut numbers = selection.numbers.clone();
        numbers.sort_unstable();
        numbers.dedup();
        Self { verb, numbers, tenant: selection.tenant.clone(), parked: selection.parked }
    }

    fn change(&self, session: &Session, really: bool) -> Result<Done, StoreFault> {
        let mut done = Done::default();
        for item in self.find(session, &mut done)? {
            match self.refusal(&item) {
                Some(why) => done.left.push(why),
                None => done.items.push(item),
            }
        }
        if self.verb == Verb::Drop {
            let goes = |later: &Item| done.items.iter().any(|item| item.number == later.number);
            for item in &done.items {
                let later: Vec<Item> = desk::later(session, item)?.into_iter().filter(|later| !goes(later)).collect();
                done.remaining.extend((!later.is_empty()).then_some((item.number, later)));
            }
        }
        if really {
            done.items.iter().try_for_each(|item| self.verb.carry_out(session, item))?;
        }
        Ok(done)
    }

    fn find(&self, session: &Session, done: &mut Done) -> Result<Vec<Item>, StoreFault> {
        if self.numbers.is_empty() {
            let state = if self.parked { State::Parked } else { self.verb.usual() };
            let query = ItemQuery { space: self.tenant.clone(), state: Some(state), ..ItemQuery::default() };
            return session.items(&query);
        }
        let mut items = Vec::new();
        for number in &self.numbers {
            match session.item(*number)? {
                Some(item) => items.push(item),
                None => done.left.push(absent(*number)),
            }
        }
        Ok(items)
    }

    /// Why an item stays as it is.
    fn refusal(&self, item: &Item) -> Option<String> {
        let Item { number, state, .. } = item;
        if self.tenant.as_ref().is_some_and(|tenant| *tenant != item.asked.space) {
            return Some(format!("item {number} is of the tenant {}", item.asked.space));
        }
        if self.parked && *state != State::Parked {
            return Some(format!("item {number} is {}, not parked", name(*state)));
        }
        match (self.verb, state) {
            (Verb::Retry, State::Held) => Some(format!("item {number} is held: `queue release` lets it go on")),
            (Verb::Hold, State::Parked) => Some(format!("item {number} is parked, and waits for a person anyway")),
            (Verb::Release, State::Parked) => Some(format!("item {number} is parked: `queue retry` lets it go on")),
            _ => None,
        }
    }
}

impl Verb {
    /// The state of the items that it is meant for.
    const fn usual(self) -> State {
        match self {
            Self::Retry | Self::Drop => State::Parked,
            Self::Hold => State::Owed,
            Self::Release => State::Held,
        }
    }

    const fn past(self) -> &'static str {
        match self {
            Self::Retry => "is owed again",
            Self::Drop => "is dropped",
            Self::Hold => "is held",
            Self::Release => "is released",
        }
    }

    fn carry_out(self, session: &Session, item: &Item) -> Result<(), StoreFault> {
        let now = jiff::Timestamp::now().as_millisecond();
        match self {
            Self::Drop => desk::forgo(session, item).map(drop),
            Self::Hold => session.set_state(item.number, State::Held, Some(HELD), now).map(drop),
            Self::Retry | Self::Release => session.set_state(item.number, State::Owed, None, now).map(drop),
        }
    }
}

fn absent(number: i64) -> String {
    format!("there is no item {number}: it may be done; `scim2ldap queue list` shows what there is")
}

fn show(done: &Done, verb: Verb, as_json_: bool, really: bool) {
    done.left.iter().for_each(complain);
    if as_json_ {
        let numbers = |items: &[Item]| items.iter().map(|item| item.number).collect::<Vec<_>>();
        let remaining: Vec<Value> =
            done.remaining.iter().map(|(number, later)| json!({ "number": number, "later": numbers(later) })).collect();
        let items: Vec<Value> = done.items.iter().map(as_json).collect();
        return print(
            &json!({ "done": really, "items": items, "left": done.left, "remaining": remaining }).to_string(),
        );
    }
    let words = if really { verb.past() } else { "would be dropped" };
    for item in &done.items {
        let begun = if verb == Verb::Drop && item.started { "; the directory may have done it in part" } else { "" };
        print(&format!("item {} ({}) {words}{begun}", item.number, on_one_line(&item.asked.summary)));
    }
    for (number, later) in &done.remaining {
        let later: Vec<String> = later.iter().map(|it| format!("{} ({})", it.number, it.asked.summary)).collect();
        print(&format!("  later items of the same resource as {number} stay: {}", on_one_line(&later.join(", "))));
    }
    if done.items.is_empty() && done.left.is_empty() {
        print("no items");
    }
}
