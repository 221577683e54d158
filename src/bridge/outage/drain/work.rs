//! The items that are at hand, and what became of them until it is written down.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::mapping::Unmet;
use crate::store::{Durability, Item, Session, State, StoreFault};

use super::super::super::Action;
use super::super::super::shadow::Shadow;
use super::super::Ledger;
use super::super::keep::{Keep, now};
use super::super::schedule::{Keys, Schedule};
use super::super::stored::Owed;
use super::super::waiting::{self, Waits, says_reference};
use super::{PATIENCE, TOGETHER};

/// More of the queue is read when so few items are at hand.
const AT_HAND: usize = 1536;
/// Items that are read together.
const PAGE: usize = 512;
/// Operations of patches that are sent as one.
const MERGED: usize = 1000;
/// The longest pause of an item that fails again and again while the directory is all right.
const LONGEST: Duration = Duration::from_mins(1);

/// What is carried out as one.
#[derive(Debug)]
pub(super) struct Task {
    /// The items, in order; several are patches of one resource.
    pub parts: Vec<Part>,
    /// It was begun before, and may be done in part.
    pub started: bool,
    /// How often it was tried since it is at hand.
    pub attempts: u32,
    /// It is not to be merged with what comes next.
    alone: bool,
}

/// One item.
#[derive(Debug)]
pub(super) struct Part {
    pub number: i64,
    pub owed: Owed,
}

impl Task {
    /// The number of the first item.
    pub fn first(&self) -> i64 {
        self.parts.first().map_or(0, |part| part.number)
    }

    /// What is asked, of all items together.
    pub fn owed(&self) -> Option<Cow<'_, Owed>> {
        let (first, others) = self.parts.split_first()?;
        if others.is_empty() {
            return Some(Cow::Borrowed(&first.owed));
        }
        let mut owed = first.owed.clone();
        if let Action::Patch { patch, .. } = &mut owed.action {
            let operations = others.iter().filter_map(|part| part.owed.patch());
            patch.operations.extend(operations.flat_map(|patch| patch.operations.iter().cloned()));
        }
        Some(Cow::Owned(owed))
    }

    /// Whether something is to go, so that its being gone is no fault.
    pub fn deletes(&self) -> bool {
        self.parts.iter().all(|part| matches!(part.owed.action, Action::Delete { .. }))
    }

    fn weight(&self) -> usize {
        self.parts.iter().filter_map(|part| part.owed.patch()).map(|patch| patch.operations.len().max(1)).sum()
    }
}

/// A part of the queue.
#[derive(Debug)]
pub(super) struct Page {
    items: Vec<Item>,
    /// All items up to this number were read.
    last: i64,
}

/// What is to be written down of an item.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    Done { number: i64, alias: Option<(String, String)> },
    Waits(Waits),
    Parked { number: i64, reason: String },
    Deferred { number: i64, reason: String },
}

/// The items that are at hand.
#[derive(Default)]
pub(super) struct Work {
    schedule: Schedule,
    items: HashMap<i64, Task>,
    /// All items up to this one were read.
    loaded: i64,
    later: Vec<(Instant, i64)>,
    ended: Vec<Ended>,
    ended_since: Option<Instant>,
    /// Items whose end is being written down.
    unwritten: BTreeSet<i64>,
    /// Those of them that are done: what comes after them begins when that is on disk.
    finished: Vec<i64>,
}

impl Work {
    /// Whether it is time to read more of the queue: few items are left, and there are others.
    pub fn wants_more(&self, ledger: &Ledger) -> bool {
        self.schedule.len() <= AT_HAND && ledger.has_more(self.loaded)
    }

    /// Reads the next items of the queue. What is begun from now on is noted as begun, on disk, before it is: after a
    /// crash it is known that the directory may have done it.
    pub fn read_on(&self, keep: &Keep) -> impl Future<Output = Result<Page, StoreFault>> + Send + use<> {
        let (ledger, loaded) = (Arc::clone(&keep.ledger), self.loaded);
        async move {
            let (accepted, query) = (ledger.accepted(), ledger.query(loaded, PAGE));
            let items = ledger.store.read(move |session: Session| async move { session.items(&query) }).await?;
            let begun = items.iter().filter(|item| item.state == State::Owed && !item.started);
            let begun: Vec<i64> = begun.map(|item| item.number).collect();
            if !begun.is_empty() {
                let job = move |session: Session| async move { session.mark_started(&begun) };
                ledger.store.write(Durability::Durable, job).await?;
            }
            // A person may have taken the last ones out of the queue.
            let last = items.last().map_or(accepted.max(loaded), |item| item.number);
            Ok(Page { items, last })
        }
    }

    /// Puts what was read where it belongs.
    pub fn take_in(&mut self, keep: &Keep, page: &Page) {
        self.loaded = page.last;
        for item in &page.items {
            self.take(keep, item);
        }
        keep.ledger.note_stuck(self.schedule.stuck().clone());
    }

    fn take(&mut self, keep: &Keep, item: &Item) {
        let keys = keys(item);
        if item.state == State::Waiting {
            return;
        }
        if item.state != State::Owed {
            self.schedule.block(&keys);
            return;
        }
        match keep.read_payload(item) {
            Ok(owed) if self.schedule.push(item.number, keys.clone()) => {
                let mapping = keep.mapping_of(owed.kind);
                let alone = owed.patch().zip(mapping).is_some_and(|(patch, table)| says_reference(patch, table));
                let parts = vec![Part { number: item.number, owed }];
                let task = Task { parts, started: item.started, attempts: 0, alone };
                self.items.insert(item.number, task);
            }
            Ok(_) => {}
            Err(fault) => {
                self.schedule.block(&keys);
                self.end(Ended::Parked { number: item.number, reason: fault.to_string() });
            }
        }
    }

    /// What is to be carried out next, with what comes right after it and can be sent together with it.
    pub fn next(&mut self) -> Option<Task> {
        self.take_up_again();
        loop {
            let number = self.schedule.next()?;
            if let Some(mut task) = self.items.remove(&number) {
                self.merge(&mut task);
                return Some(task);
            }
        }
    }

    /// What was put off is handed out again when its time has come.
    fn take_up_again(&mut self) {
        if self.later.is_empty() {
            return;
        }
        let now = Instant::now();
        for (_, number) in self.later.extract_if(.., |(at, _)| *at <= now) {
            self.schedule.again(number);
        }
    }

    /// Patches of one resource that follow each other are one patch.
    fn merge(&mut self, task: &mut Task) {
        let mergeable = |task: &Task| !task.alone && task.parts.iter().all(|part| part.owed.patch().is_some());
        while mergeable(task) && task.weight() < MERGED {
            let last = task.parts.last().map_or(0, |part| part.number);
            let Some(number) = self.schedule.follower(last) else { return };
            if !self.items.get(&number).is_some_and(mergeable) {
                return;
            }
            let Some(more) = self.items.remove(&number) else { return };
            task.started |= more.started;
            task.parts.extend(more.parts);
        }
    }

    /// What comes after a task must not begin before it is on disk that the task is done: after a crash the task is carried
    /// out again, and then nothing may have happened that it does not expect. A create, for instance, must find its entry
    /// at the name that it gave it.
    /// `unmet`: whom the directory does not have, although the shadow had them; who waited for them goes on waiting.
    pub fn done(&mut self, task: &Task, mut alias: Option<(String, String)>, unmet: &[Unmet]) {
        for Part { number, owed } in &task.parts {
            let in_vain = |waits_for: &String| unmet.iter().any(|unmet| unmet.text == *waits_for);
            if let Some(waits) =
                owed.waits_for.as_ref().filter(|it| in_vain(it)).and_then(|_| waiting::waits(*number, owed))
            {
                self.end(Ended::Waits(waits));
                continue;
            }
            self.end(Ended::Done { number: *number, alias: alias.take() });
        }
    }

    /// A task that could not be carried out for now.
    pub fn defer(&mut self, mut task: Task, reason: String) {
        task.attempts += 1;
        let pause = if task.attempts < 2 { Duration::ZERO } else { pause(task.attempts) };
        let number = task.first();
        self.end(Ended::Deferred { number, reason });
        self.later.push((Instant::now() + pause, number));
        let (attempts, alone) = (task.attempts, task.alone);
        self.put_back(task, attempts, alone);
    }

    /// Items that were merged are carried out by themselves, so that only the one that is at fault is parked.
    pub fn one_by_one(&mut self, task: Task) {
        self.schedule.again(task.first());
        self.put_back(task, 0, true);
    }

    fn put_back(&mut self, task: Task, attempts: u32, alone: bool) {
        for part in task.parts {
            // What it may have done is not known: from now on it was begun.
            self.items.insert(part.number, Task { parts: vec![part], started: true, attempts, alone });
        }
    }

    pub fn park(&mut self, task: &Task, reason: &str) {
        for Part { number, .. } in &task.parts {
            for held_up in self.schedule.park(*number) {
                self.items.remove(&held_up);
            }
            self.end(Ended::Parked { number: *number, reason: reason.to_owned() });
        }
    }

    pub fn stuck(&self) -> HashMap<Arc<str>, bool> {
        self.schedule.stuck().clone()
    }

    fn end(&mut self, ended: Ended) {
        self.ended_since.get_or_insert_with(Instant::now);
        self.ended.push(ended);
    }

    /// Whether it is time to write down what became of items. `starved`: nothing more can be begun.
    pub fn wants_writing(&self, starved: bool) -> bool {
        !self.ended.is_empty()
            && (starved
                || self.ended.len() >= TOGETHER
                || self.ended_since.is_some_and(|since| since.elapsed() >= PATIENCE))
    }

    /// Writes down what became of items; what is done leaves the queue, and its entries the guard of the shadow.
    pub fn write_down(&mut self, keep: &Keep) -> impl Future<Output = Result<(), StoreFault>> + Send + use<> {
        self.ended_since = None;
        let ended = std::mem::take(&mut self.ended);
        self.unwritten = ended.iter().filter_map(Ended::leaves).collect();
        self.finished = ended.iter().filter_map(Ended::is_done).collect();
        let (store, space) = (keep.ledger.store.clone(), keep.ledger.tenant.to_string());
        let (shape, keep) = (Arc::clone(&keep.shape), keep.clone());
        async move {
            let waits = ended.iter().filter_map(Ended::waits).cloned();
            keep.ledger.waiting.add(waits);
            let job = move |session: Session| async move {
                let shadow = Shadow::open(session.clone(), &shape)?;
                ended.iter().try_for_each(|ended| ended.write(&session, &shadow, &space, &keep))
            };
            store.write(Durability::Durable, job).await
        }
    }

    pub fn written(&mut self) {
        self.unwritten.clear();
        for number in self.finished.drain(..) {
            self.schedule.done(number);
        }
    }

    /// Tells the ledger how far the queue is done, on disk.
    pub fn tell(&self, ledger: &Ledger) {
        let ended = self.ended.iter().filter_map(Ended::leaves).min();
        let open = [self.schedule.first(), self.unwritten.first().copied(), ended];
        let first = open.into_iter().flatten().min();
        ledger.note_settled(first.map_or(self.loaded, |first| first - 1));
    }

    /// When there is something to do at the latest. `open`: the directory may be asked. `writing`: what is to be written
    /// down has to wait anyway.
    pub fn next_time(&self, otherwise: Instant, open: bool, writing: bool) -> Instant {
        let later = self.later.iter().map(|(at, _)| *at).min().filter(|_| open);
        let write = self.ended_since.map(|since| since + PATIENCE).filter(|_| !writing);
        later.into_iter().chain(write).fold(otherwise, Instant::min)
    }
}

impl Ended {
    /// The number of an item that is owed no more without a person.
    fn leaves(&self) -> Option<i64> {
        match self {
            Self::Done { number, .. } | Self::Parked { number, .. } | Self::Waits(Waits { number, .. }) => {
                Some(*number)
            }
            Self::Deferred { .. } => None,
        }
    }

    fn is_done(&self) -> Option<i64> {
        match self {
            Self::Done { number, .. } | Self::Waits(Waits { number, .. }) => Some(*number),
            Self::Parked { .. } | Self::Deferred { .. } => None,
        }
    }

    const fn waits(&self) -> Option<&Waits> {
        if let Self::Waits(waits) = self { Some(waits) } else { None }
    }

    fn write(&self, session: &Session, shadow: &Shadow, space: &str, keep: &Keep) -> Result<(), StoreFault> {
        match self {
            Self::Done { number, alias } => {
                if let Some((given, real)) = alias {
                    session.add_alias(space, given, real)?;
                }
                shadow.unpin(*number)?;
                session.remove(&[*number]).map(drop)
            }
            Self::Waits(waits) => {
                shadow.unpin(waits.number)?;
                keep.wait_again(session, waits)
            }
            Self::Parked { number, reason } => session.set_state(*number, State::Parked, Some(reason), now()).map(drop),
            Self::Deferred { number, reason } => session.note_attempt(*number, Some(reason), now()).map(drop),
        }
    }
}

fn keys(item: &Item) -> Keys {
    Keys::of(&item.asked.resource, &item.asked.touches)
}

fn pause(attempts: u32) -> Duration {
    Duration::from_millis(500).saturating_mul(1 << attempts.min(10)).min(LONGEST)
}
