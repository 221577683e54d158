//! Numbers for new entries, such as gidNumber: the next free one of a range.
//!
//! The directory is the only place that knows which numbers are in use. It is read once, for the highest; from there
//! the bridge counts, and asks before it gives a number whether an entry has it meanwhile. Numbers below the highest
//! are given only when the end of the range is reached, so that who is gone is not confused with who comes.
//!
//! Somebody else, such as a second bridge, may give the same number at the same time. After the entry is made, it is
//! looked for again; whoever sees two entries with one number takes another one for its own. Both may see it, then both
//! do, but it can't happen that neither does: the later of two writers looks after both wrote.

mod series;

use std::ops::ControlFlow;
use std::time::Duration;

use uuid::Uuid;

use crate::directory::{self, AttributeName, Change, Dn, Entry, Filter, Modification, ModifyOptions, Scope, Search};
use crate::mapping::{NewEntry, Number, NumberRange, ResourceMapping};
use crate::scim::{self, FaultKind};

pub(super) use series::Given;
use series::Idea;
pub(super) use series::Numbers;

use super::create::Birth;
use super::{Carrier, Fault};

/// How often another number is taken because somebody else takes the same ones.
const ROUNDS: u8 = 8;
/// Numbers in a row that are in use before it is looked again which is the highest.
const IN_A_ROW: usize = 10;
/// Numbers that are not in use and are remembered at a time.
const HOLES: usize = 1000;

impl Carrier {
    /// Makes the entry that `bare` describes, with its numbers.
    pub(super) async fn add_numbered(&self, bare: Birth<'_>) -> Result<Entry, Fault> {
        for _ in 0..ROUNDS {
            let mut birth = bare.clone();
            let given = self.number(&mut birth.plan).await?;
            let fault = match self.give_birth(birth).await {
                Ok(entry) => return Ok(self.settled(bare.mapping, entry, given).await),
                Err(fault) => fault,
            };
            // The server itself may see to it that numbers are unique.
            let unlucky = is_uniqueness(&fault) && self.lost_to_another(&bare.plan.dn, &given).await?;
            for given in given {
                match &fault {
                    Fault::Unavailable { .. } => given.leave_in_doubt(),
                    _ => given.give_back(),
                }
            }
            if !unlucky {
                return Err(fault);
            }
            pause().await;
        }
        Err(self.unsure())
    }

    /// Puts the numbers that `plan` lacks into its attributes. They are nobody else's in this process until they are
    /// given back.
    pub(super) async fn number(&self, plan: &mut NewEntry) -> Result<Vec<Given<'_>>, Fault> {
        let mut all = Vec::with_capacity(plan.numbers.len());
        for number in &plan.numbers {
            let given = match number.chosen {
                Some(chosen) => self.chosen(number, chosen, &plan.dn).await?,
                None => self.next(number, &plan.dn).await?,
            };
            if number.chosen.is_none() {
                plan.attributes.push((number.attribute.clone(), vec![digits(given.number)]));
            }
            all.push(given);
        }
        Ok(all)
    }

    /// The number that a client wants, if nobody has it.
    async fn chosen(&self, number: &Number, chosen: u64, dn: &Dn) -> Result<Given<'_>, Fault> {
        let _turn = self.inner.locks.turn(turn(number)).await;
        let taken = |by: &str| {
            let detail = format!("The {} {chosen} is taken{by}.", number.attribute);
            Fault::Request(scim::Fault::new(FaultKind::Uniqueness, detail))
        };
        if let Some(holder) = self.other_holders(number, chosen, dn).await?.first() {
            return Err(taken(&format!(": the directory has an entry {holder}")));
        }
        self.inner.numbers.take(number, chosen, dn).ok_or_else(|| taken(" by another new entry"))
    }

    /// The next number that nobody has.
    async fn next(&self, number: &Number, dn: &Dn) -> Result<Given<'_>, Fault> {
        let _turn = self.inner.locks.turn(turn(number)).await;
        let numbers = &self.inner.numbers;
        let mut in_a_row = 0;
        loop {
            let candidate = match numbers.idea(number, dn) {
                Idea::Try(candidate) => candidate,
                Idea::LookForHighest => {
                    let highest = self.in_use(number, &number.range).await?.into_iter().max();
                    numbers.note_highest(number, highest);
                    continue;
                }
                Idea::LookForHoles => {
                    let used = self.in_use(number, &number.range).await?;
                    numbers.note_holes(number, holes(&number.range, used));
                    continue;
                }
                Idea::None => return Err(used_up(number)),
            };
            if self.other_holders(number, candidate, dn).await?.is_empty()
                && let Some(given) = numbers.take(number, candidate, dn)
            {
                return Ok(given);
            }
            in_a_row += 1;
            if in_a_row % IN_A_ROW == 0 {
                numbers.forget_highest(number);
            }
        }
    }

    /// The numbers of `range` that entries have, in any order. Reads the attribute of all entries: rarely done.
    async fn in_use(&self, number: &Number, range: &NumberRange) -> Result<Vec<u64>, Fault> {
        // The usual schema of gidNumber knows no order, so a filter for the range would find nothing.
        let search = search(number, Filter::Present(number.attribute.clone()), number.attribute.clone());
        let mut used = Vec::new();
        let mut note = |entry: Entry| {
            let numbers = entry.texts(&number.attribute).filter_map(|text| text.parse().ok());
            used.extend(numbers.filter(|number| range.contains(*number)));
            ControlFlow::Continue(())
        };
        self.inner.target.scan(&search, &mut note).await.map_err(|fault| self.fault(fault))?;
        Ok(used)
    }

    /// The entries that have this number, but for the one at `dn`.
    async fn other_holders(&self, number: &Number, value: u64, dn: &Dn) -> Result<Vec<Dn>, Fault> {
        self.holders(number, value, dn).await.map_err(|fault| self.fault(fault))
    }

    async fn holders(&self, number: &Number, value: u64, dn: &Dn) -> Result<Vec<Dn>, directory::Fault> {
        let filter = Filter::Equal(number.attribute.clone(), digits(value));
        let found = self.search_whole(&search(number, filter, AttributeName::NONE)).await?;
        Ok(found.into_iter().map(|entry| entry.dn).filter(|holder| holder != dn).collect())
    }

    /// Whether one of the numbers is another entry's by now, which the server did not let happen twice.
    async fn lost_to_another(&self, dn: &Dn, given: &[Given<'_>]) -> Result<bool, Fault> {
        for given in given.iter().filter(|given| given.of.chosen.is_none()) {
            if !self.other_holders(&given.of, given.number, dn).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The entry as it is when its numbers are its own.
    async fn settled(&self, mapping: &ResourceMapping, mut entry: Entry, given: Vec<Given<'_>>) -> Entry {
        for given in given {
            if let Err(fault) = self.settle(mapping, &mut entry, given).await {
                // The entry is made: that can't be taken back, and its number is most likely its own.
                tracing::error!(entry = %entry.dn, %fault, "it is not known whether the number of the entry is its own");
            }
        }
        entry
    }

    async fn settle(&self, mapping: &ResourceMapping, entry: &mut Entry, mut given: Given<'_>) -> Result<(), Fault> {
        let held = entry.text(&given.of.attribute).and_then(|text| text.parse().ok());
        if held.is_some_and(|held: u64| held != given.number) {
            // The entry was made by an earlier attempt, and got its number then.
            given.give_back();
            return Ok(());
        }
        for _ in 0..ROUNDS {
            let others = self.other_holders(&given.of, given.number, &entry.dn).await?;
            let Some(other) = others.first() else {
                given.keep();
                return Ok(());
            };
            tracing::warn!(entry = %entry.dn, %other, attribute = %given.of.attribute, number = given.number,
                "somebody else gave the same number");
            if given.of.chosen.is_some() {
                given.keep();
                return Err(two_holders(&given));
            }
            pause().await;
            let next = self.next(&given.of, &entry.dn).await?;
            if let Some(changed) = self.exchange(mapping, &entry.dn, &given, &next).await? {
                *entry = changed;
            }
            given.keep();
            given = next;
        }
        given.keep();
        Err(two_holders(&given))
    }

    /// Gives an entry another number. `None`: the number it got is taken as well.
    async fn exchange(
        &self,
        mapping: &ResourceMapping,
        dn: &Dn,
        old: &Given<'_>,
        new: &Given<'_>,
    ) -> Result<Option<Entry>, Fault> {
        let attribute = &old.of.attribute;
        let read_back = self.all_attributes(mapping);
        let modification = Modification::new(attribute.clone(), Change::Replace(vec![digits(new.number)]));
        let options = ModifyOptions { read_back: read_back.clone(), ..ModifyOptions::default() };
        match self.inner.target.modify(dn, &[modification], &options).await {
            Ok(Some(entry)) => Ok(Some(entry)),
            Ok(None) => self.entry_at(dn, read_back).await.map(Some),
            Err(fault) if fault.is_uniqueness() => Ok(None),
            Err(fault) => Err(self.fault(fault)),
        }
    }
}

fn search(number: &Number, filter: Filter, attribute: AttributeName) -> Search {
    Search { base: number.range.below.clone(), scope: Scope::Sub, filter, attributes: vec![attribute], size_limit: 0 }
}

fn digits(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// The key of the turn on a series; no id looks like it.
fn turn(number: &Number) -> String {
    let mut key = "number:".to_owned();
    key.push_str(&number.attribute.as_str().to_lowercase());
    key
}

/// Numbers of `range` that are not among `used`, the lowest ones.
fn holes(range: &NumberRange, mut used: Vec<u64>) -> Vec<u64> {
    used.sort_unstable();
    used.dedup();
    let mut used = used.into_iter().peekable();
    let free = (range.from..=range.to).filter(|number| used.next_if_eq(number).is_none());
    free.take(HOLES).collect()
}

fn is_uniqueness(fault: &Fault) -> bool {
    matches!(fault, Fault::Request(fault) if fault.kind == FaultKind::Uniqueness)
}

/// Two bridges that run into each other must not go on in step.
async fn pause() {
    let [first, ..] = Uuid::new_v4().into_bytes();
    tokio::time::sleep(Duration::from_millis(u64::from(first % 64))).await;
}

fn used_up(number: &Number) -> Fault {
    let Number { attribute, range: NumberRange { from, to, below }, row, .. } = number;
    Fault::Directory(format!(
        "No {attribute} is left: entries below {below} have every number from {from} to {to}. Ask the administrator \
         of the bridge to widen the range of `next` in {row}. Nothing was changed."
    ))
}

fn two_holders(given: &Given<'_>) -> Fault {
    Fault::Directory(format!("more than one entry has the {} {}", given.of.attribute, given.number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_the_numbers_that_nobody_has_from_the_lowest() {
        let range = NumberRange { from: 5, to: 12, below: Dn::root() };
        assert_eq!(holes(&range, vec![7, 12, 5, 7, 6]), [8, 9, 10, 11]);
        assert_eq!(holes(&range, (5..=12).collect()), [0; 0]);
        let wide = NumberRange { from: 0, to: u64::MAX, below: Dn::root() };
        assert_eq!(holes(&wide, vec![0]).len(), HOLES);
    }
}
