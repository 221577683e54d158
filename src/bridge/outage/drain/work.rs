//! The items that are at hand, and what became of them until it is written down.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::mapping::Unmet;
use crate::store::{Durability, Item, Session, State, StoreFault};

use super::super::super::Action;
use super::super::super::shadow::{Shadow, reread};
use super::super::super::unmet::Stuck;
use super::super::Ledger;
use super::super::keep::{Keep, now};
use super::super::schedule::{Keys, Schedule};
use super::super::stored::{Owed, creates};
use super::super::waiting::{Left, Turned, says_reference};
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
    Done {
        number: i64,
        alias: Option<(String, String)>,
        left: Option<Box<Left>>,
    },
    Parked {
        number: i64,
        reason: String,
    },
    Deferred {
        number: i64,
        reason: String,
    },
    /// It waits for a person, or behind one that does, and holds up its own resource only.
    HoldsUp {
        number: i64,
        keys: Keys,
    },
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
    /// Words by which others may wait for what is done.
    came: HashSet<String>,
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
        keep.ledger.note_stuck(Arc::clone(self.schedule.stuck()));
    }

    fn take(&mut self, keep: &Keep, item: &Item) {
        let keys = keys(item);
        if item.state == State::Waiting {
            return;
        }
        if item.state != State::Owed {
            self.schedule.block(&keys, creates(item));
            self.hold_up(item.number, keys);
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
            Ok(_) => self.hold_up(item.number, keys),
            Err(fault) => {
                self.schedule.block(&keys, creates(item));
                self.hold_up(item.number, keys);
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
    /// `unmet`: whom the directory does not have, although the shadow had them; these references wait.
    pub fn done(&mut self, keep: &Keep, task: &Task, mut alias: Option<(String, String)>, mut unmet: Vec<Unmet>) {
        let last = task.parts.last().map_or(0, |part| part.number);
        for Part { number, owed } in &task.parts {
            self.came.extend(keep.words_of(owed));
            let ended = keep.ledger.waiting.ended_by(&owed.id, &owed.action, Some(*number));
            let unmet = if *number == last { std::mem::take(&mut unmet) } else { Vec::new() };
            let left = Left { kind: owed.kind, id: owed.id.clone(), unmet, ended, since: *number };
            let left = Some(Box::new(left)).filter(|left| !left.unmet.is_empty() || !left.ended.is_empty());
            self.end(Ended::Done { number: *number, alias: alias.take(), left });
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
        for Part { number, owed } in &task.parts {
            for (held_up, keys) in self.schedule.park(*number, matches!(owed.action, Action::Create(_))) {
                self.items.remove(&held_up);
                self.hold_up(held_up, keys);
            }
            self.end(Ended::Parked { number: *number, reason: reason.to_owned() });
        }
    }

    fn hold_up(&mut self, number: i64, keys: Keys) {
        if keys.changes.len() > 1 {
            self.end(Ended::HoldsUp { number, keys });
        }
    }

    pub fn stuck(&self) -> &Arc<Stuck> {
        self.schedule.stuck()
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
            let this = keep.clone();
            let job = move |session: Session| async move {
                let shadow = Shadow::open(session.clone(), &shape)?;
                let turned = ended.iter().map(|ended| ended.write(&session, &shadow, &space, &this));
                turned.collect::<Result<Vec<_>, StoreFault>>()
            };
            let turned = store.write(Durability::Durable, job).await?;
            turned.into_iter().flatten().for_each(|turned| keep.settle_references(turned));
            Ok(())
        }
    }

    /// It is written down. Answers the words by which others may wait for what is done.
    pub fn written(&mut self) -> HashSet<String> {
        self.unwritten.clear();
        for number in self.finished.drain(..) {
            self.schedule.done(number);
        }
        std::mem::take(&mut self.came)
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
            Self::Done { number, .. } | Self::Parked { number, .. } => Some(*number),
            Self::Deferred { .. } | Self::HoldsUp { .. } => None,
        }
    }

    fn is_done(&self) -> Option<i64> {
        match self {
            Self::Done { number, .. } => Some(*number),
            Self::Parked { .. } | Self::Deferred { .. } | Self::HoldsUp { .. } => None,
        }
    }

    /// What it means for references, if anything.
    fn write(
        &self,
        session: &Session,
        shadow: &Shadow,
        space: &str,
        keep: &Keep,
    ) -> Result<Option<Turned>, StoreFault> {
        match self {
            Self::Done { number, alias, left } => {
                if let Some((given, real)) = alias {
                    session.add_alias(space, given, real)?;
                }
                shadow.unpin(*number)?;
                let turned = match left {
                    Some(left) => keep.leave_references(session, left)?,
                    None => None,
                };
                session.remove(&[*number])?;
                return Ok(turned);
            }
            Self::Parked { number, reason } => {
                session.set_state(*number, State::Parked, Some(reason), now())?;
            }
            Self::Deferred { number, reason } => {
                session.note_attempt(*number, Some(reason), now())?;
            }
            Self::HoldsUp { number, keys } => {
                let Some((own, others)) = keys.changes.split_first() else { return Ok(None) };
                if shadow.hold_only(*number, own)? {
                    others.iter().try_for_each(|id| reread(session, space, id, false))?;
                    keep.missed.store(true, Ordering::Release);
                }
            }
        }
        Ok(None)
    }
}

fn keys(item: &Item) -> Keys {
    Keys::of(&item.asked.resource, &item.asked.touches)
}

fn pause(attempts: u32) -> Duration {
    Duration::from_millis(500).saturating_mul(1 << attempts.min(10)).min(LONGEST)
}
