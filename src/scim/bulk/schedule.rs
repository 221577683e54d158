//! In which order the operations of a bulk request can be carried out (RFC 7644 section 3.7.1).
//!
//! In the order of the request, except that an operation waits for the resources that it refers to, and for operations
//! on the same resource that wait. Where resources wait for each other in a circle, one of them is made without the
//! references, which are added as soon as they can be.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};

use super::Operation;
use super::reference;
use crate::scim::fault::{Fault, FaultKind};
use crate::scim::text::quoted;

/// The operations that are still to be carried out.
#[derive(Debug)]
pub struct Schedule<'a> {
    operations: &'a [Operation],
    /// In the order of the request.
    pending: Vec<Pending>,
    /// What became of the resources that have a bulkId.
    made: HashMap<&'a str, Made>,
    /// References that resources were made without.
    owed: Vec<Owed>,
}

#[derive(Debug)]
struct Pending {
    index: usize,
    needs: BTreeSet<String>,
    fault: Option<Fault>,
}

#[derive(Debug)]
enum Made {
    /// Not yet; the operation with this index will.
    By(usize),
    /// It has this id.
    Id(String),
    /// It was not made.
    Failed,
}

#[derive(Debug)]
struct Owed {
    index: usize,
    needs: BTreeSet<String>,
    additions: Vec<Value>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The place of the operation in the request.
    pub index: usize,
    /// What to do for it.
    pub what: What,
}

/// What to do for an operation.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum What {
    /// Carry it out, references resolved.
    Perform { path: String, data: Option<Value> },
    /// It made its resource without references that can be added now: a PATCH with this body.
    Amend { path: String, data: Value },
    /// It can't be carried out, or not to its end.
    Refuse(Refusal),
}

/// Why an operation is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is wrong as it stands.
    Wrong(Fault),
    /// It refers to something that was not made.
    Unresolved(String),
}

impl<'a> Schedule<'a> {
    /// A schedule for these operations.
    #[must_use]
    pub fn new(operations: &'a [Operation]) -> Self {
        let mut made = HashMap::new();
        let mut pending = Vec::with_capacity(operations.len());
        for (index, operation) in operations.iter().enumerate() {
            let mut fault = operation.fault.clone();
            if let Some(bulk_id) =
                operation.bulk_id.as_deref().filter(|_| operation.method == "POST" && fault.is_none())
            {
                if made.contains_key(bulk_id) {
                    let detail = format!("Another operation of the request has the bulkId {} too.", quoted(bulk_id));
                    fault = Some(Fault::new(FaultKind::InvalidValue, detail));
                } else {
                    made.insert(bulk_id, Made::By(index));
                }
            }
            let needs = reference::names(&operation.path, operation.data.as_ref());
            pending.push(Pending { index, needs, fault });
        }
        Self { operations, pending, made, owed: Vec::new() }
    }

    /// What to do next; `None` when everything is done. Of what a POST made, [`Self::made`] has to be told before.
    pub fn next_step(&mut self) -> Option<Step> {
        if let Some(at) = self.owed.iter().position(|owed| !self.is_open(&owed.needs)) {
            let owed = self.owed.remove(at);
            return Some(Step { index: owed.index, what: self.settle(&owed) });
        }
        let at = self.ready().or_else(|| self.on_a_circle())?;
        let pending = self.pending.remove(at);
        Some(Step { index: pending.index, what: self.perform(pending) })
    }

    /// The operation with this index made the resource with this id, or (`None`) failed.
    pub fn made(&mut self, index: usize, id: Option<String>) {
        if id.is_none() {
            self.owed.retain(|owed| owed.index != index);
        }
        let bulk_id = self.operations.get(index).and_then(|operation| operation.bulk_id.as_deref());
        if let Some(made @ Made::By(_)) = bulk_id.and_then(|bulk_id| self.made.get_mut(bulk_id))
            && matches!(made, Made::By(by) if *by == index)
        {
            *made = id.map_or(Made::Failed, Made::Id);
        }
    }

    /// Gives up what was not begun, and returns it. References that are still owed are added where they can be.
    pub fn halt(&mut self) -> Vec<usize> {
        for made in self.made.values_mut().filter(|made| matches!(made, Made::By(_))) {
            *made = Made::Failed;
        }
        self.pending.drain(..).map(|pending| pending.index).collect()
    }

    /// The first operation that need not wait.
    fn ready(&self) -> Option<usize> {
        let mut waited_for = HashSet::new();
        self.pending.iter().position(|pending| {
            let target = self.operations.get(pending.index).and_then(Operation::target);
            let waits = pending.fault.is_none()
                && (self.is_open(&pending.needs) || target.as_ref().is_some_and(|it| waited_for.contains(it)));
            if waits {
                waited_for.extend(target);
            }
            !waits
        })
    }

    /// When all of them wait: one whose resource waits, over however many others, for itself. Whoever waits from one to
    /// the next comes by somebody again, and that one is on the circle.
    fn on_a_circle(&self) -> Option<usize> {
        let (mut passed, mut at) = (HashSet::new(), 0);
        loop {
            let pending = self.pending.get(at)?;
            let maker = pending.needs.iter().find_map(|name| self.maker(name));
            let next = maker.and_then(|by| self.pending.binary_search_by_key(&by, |other| other.index).ok());
            match next {
                Some(next) if passed.insert(at) => at = next,
                _ => return Some(at),
            }
        }
    }

    fn perform(&mut self, pending: Pending) -> What {
        let Pending { index, needs, fault } = pending;
        let Some(operation) = self.operations.get(index) else { return What::Refuse(nothing_there()) };
        if let Some(fault) = fault {
            return What::Refuse(Refusal::Wrong(fault));
        }
        if let Some(refusal) = self.refusal(&needs) {
            return What::Refuse(refusal);
        }
        let mut data = operation.data.clone();
        if self.is_open(&needs) {
            let (Some(data), "POST") = (&mut data, operation.method.as_str()) else {
                return What::Refuse(Refusal::Unresolved("Operations of the request wait for each other.".to_owned()));
            };
            let additions = reference::strip(data, &|name| self.maker(name).is_some());
            self.owed.push(Owed { index, needs, additions });
        }
        let resolve = |name: &str| self.id(name);
        if let Some(data) = &mut data {
            reference::fill(data, &resolve);
        }
        What::Perform { path: reference::in_path(&operation.path, &resolve), data }
    }

    /// Adds references to what was made without them.
    fn settle(&self, owed: &Owed) -> What {
        let operation = self.operations.get(owed.index);
        let own = operation.and_then(|operation| Some((operation, self.id(operation.bulk_id.as_deref()?)?)));
        let Some((operation, id)) = own else { return What::Refuse(nothing_there()) };
        if let Some(refusal) = self.refusal(&owed.needs) {
            return What::Refuse(refusal);
        }
        let (collection, _) = operation.path.split_once('?').unwrap_or((&operation.path, ""));
        let mut data = json!({ "Operations": owed.additions });
        reference::fill(&mut data, &|name| self.id(name));
        What::Amend { path: [collection.trim_end_matches('/'), "/", &id].concat(), data }
    }

    /// Why an operation with these references can't be carried out, if it can't.
    fn refusal(&self, needs: &BTreeSet<String>) -> Option<Refusal> {
        needs.iter().find_map(|name| {
            match self.made.get(name.as_str()) {
                Some(Made::By(_) | Made::Id(_)) => None,
                Some(Made::Failed) => Some(format!(
                    "The resource with the bulkId {} was not made, so nothing can refer to it.",
                    quoted(name)
                )),
                None => Some(format!("No POST of the request has the bulkId {}.", quoted(name))),
            }
            .map(Refusal::Unresolved)
        })
    }

    /// Whether one of these names stands for something that is still to be made, and none for what can't be.
    fn is_open(&self, needs: &BTreeSet<String>) -> bool {
        self.refusal(needs).is_none() && needs.iter().any(|name| self.maker(name).is_some())
    }

    fn maker(&self, name: &str) -> Option<usize> {
        if let Some(Made::By(index)) = self.made.get(name) { Some(*index) } else { None }
    }

    fn id(&self, name: &str) -> Option<String> {
        if let Some(Made::Id(id)) = self.made.get(name) { Some(id.clone()) } else { None }
    }
}

impl Operation {
    /// The resource that it changes, by which operations on the same one are known.
    fn target(&self) -> Option<String> {
        let (path, _) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        (segments.len() > 1).then(|| segments.join("/").to_ascii_lowercase())
    }
}

/// Said of an operation whose resource is not there to be worked on.
fn nothing_there() -> Refusal {
    Refusal::Unresolved("The resource was not made.".to_owned())
}
