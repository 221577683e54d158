//! Look-ups by id that are asked for at the same time, gathered into one search.
//!
//! A few searches are under way side by side. Who comes when that many are waits for one of them to end, and everybody
//! who comes meanwhile and wants the same of another entry goes along: one search with all their ids. Nobody is answered
//! from a search that was sent before he asked, and a look-up that has the directory to itself is as it would be without
//! all this. Messages are most of what a look-up costs, for the directory and for the bridge.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::directory::{AttributeName, Entry, Filter};
use crate::mapping::ResourceMapping;
use crate::scim::ResourceKind;

use super::{Carrier, Fault};

/// So many searches are under way before look-ups are gathered.
const SIDE_BY_SIDE: usize = 4;
/// So many ids stand in one search at most.
const MOST: usize = 32;
/// Searches that take longer keep nobody waiting: it is the messages that are saved, and where a directory is far away those
/// are not what takes the time. Eight at once who wait 20 ms before one 30 ms away took 52 ms each, and 42 ms with this.
const PATIENCE: Duration = Duration::from_millis(2);

/// What look-ups must have in common to go together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Want {
    kind: ResourceKind,
    attributes: Vec<AttributeName>,
}

/// A look-up that goes along with another one.
struct Companion {
    id: String,
    filter: Filter,
    /// Dropped without a word when the search does not tell for certain: then everybody asks alone.
    tell: oneshot::Sender<Vec<Entry>>,
}

/// The look-ups of one tenant.
#[derive(Default)]
pub(super) struct LookUps {
    running: AtomicUsize,
    /// Whether anybody waits to begin.
    leading: AtomicUsize,
    ended: Notify,
    companions: Mutex<HashMap<Want, Vec<Companion>>>,
}

/// How a look-up goes on.
enum Turn<'l> {
    /// It asks alone, and counts if it holds a place.
    Alone(Option<Place<'l>>),
    /// It waits for a place, and takes along who comes meanwhile.
    First(Lead<'l>),
    /// Another one asks for it.
    Along(oneshot::Receiver<Vec<Entry>>),
}

/// A search that is under way.
struct Place<'l>(&'l LookUps);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_one();
    }
}

/// Whoever takes others along. When it is dropped before it has done so, they ask alone.
struct Lead<'l> {
    all: &'l LookUps,
    /// Nothing once they were taken: another one may lead such look-ups by then.
    want: Option<Want>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.take();
    }
}

impl<'l> Lead<'l> {
    /// Waits until few searches are under way.
    async fn place(&self) -> Place<'l> {
        loop {
            let ended = self.all.ended.notified();
            if let Some(place) = self.all.begin() {
                return place;
            }
            if timeout(PATIENCE, ended).await.is_err() {
                self.all.running.fetch_add(1, Ordering::AcqRel);
                return Place(self.all);
            }
        }
    }

    /// Those who go along. Nobody joins them any more.
    fn take(&mut self) -> Vec<Companion> {
        let Some(want) = self.want.take() else { return Vec::new() };
        self.all.leading.fetch_sub(1, Ordering::AcqRel);
        self.all.lock().remove(&want).unwrap_or_default()
    }
}

impl LookUps {
    fn begin(&self) -> Option<Place<'_>> {
        let more = |running: usize| (running < SIDE_BY_SIDE).then_some(running + 1);
        self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| Place(self))
    }

    fn turn(&self, kind: ResourceKind, attributes: &[AttributeName], id: &str, filter: &Filter) -> Turn<'_> {
        if self.leading.load(Ordering::Acquire) == 0
            && let Some(place) = self.begin()
        {
            return Turn::Alone(Some(place));
        }
        let want = Want { kind, attributes: attributes.to_vec() };
        let mut companions = self.lock();
        if let Some(others) = companions.get_mut(&want) {
            if others.len() + 1 >= MOST {
                return Turn::Alone(None);
            }
            let (tell, told) = oneshot::channel();
            others.push(Companion { id: id.to_owned(), filter: filter.clone(), tell });
            return Turn::Along(told);
        }
        if let Some(place) = self.begin() {
            return Turn::Alone(Some(place));
        }
        companions.insert(want.clone(), Vec::new());
        self.leading.fetch_add(1, Ordering::AcqRel);
        Turn::First(Lead { all: self, want: Some(want) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Want, Vec<Companion>>> {
        self.companions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrier {
    /// The entries with the id that `filter` asks for; `attributes` hold the attribute of the id.
    pub(super) async fn look_up_by_id(
        &self,
        mapping: &ResourceMapping,
        (id, filter): (&str, Filter),
        attributes: Vec<AttributeName>,
    ) -> Result<Vec<Entry>, Fault> {
        match self.inner.lookups.turn(mapping.kind, &attributes, id, &filter) {
            Turn::Alone(_place) => self.find(mapping, filter, attributes).await,
            Turn::First(mut lead) => {
                let _place = lead.place().await;
                self.look_up_together(mapping, (id, filter), attributes, lead.take()).await
            }
            Turn::Along(told) => match told.await {
                Ok(found) => Ok(found),
                Err(_) => self.find(mapping, filter, attributes).await,
            },
        }
    }

    async fn look_up_together(
        &self,
        mapping: &ResourceMapping,
        (id, filter): (&str, Filter),
        attributes: Vec<AttributeName>,
        companions: Vec<Companion>,
    ) -> Result<Vec<Entry>, Fault> {
        if companions.is_empty() {
            return self.find(mapping, filter, attributes).await;
        }
        let filters = companions.iter().map(|companion| companion.filter.clone());
        let any = Filter::Or(std::iter::once(filter.clone()).chain(filters).collect());
        let mut found = Found::new(mapping, self.find(mapping, any, attributes.clone()).await?);
        let own = found.take(id);
        let mut missing = Vec::new();
        for companion in companions {
            match found.take(&companion.id) {
                // Whoever does not wait any more needs no answer.
                Some(entries) => drop(companion.tell.send(entries)),
                None => missing.push(companion),
            }
        }
        let missing = missing.into_iter().filter(|companion| found.has_not(&companion.id));
        missing.for_each(|companion| drop(companion.tell.send(Vec::new())));
        match own {
            Some(entries) => Ok(entries),
            None if found.has_not(id) => Ok(Vec::new()),
            None => self.find(mapping, filter, attributes).await,
        }
    }
}

/// What one search for many ids has found.
struct Found {
    entries: HashMap<String, Vec<Entry>>,
    taken: HashSet<String>,
}

impl Found {
    fn new(mapping: &ResourceMapping, all: Vec<Entry>) -> Self {
        let mut entries: HashMap<String, Vec<Entry>> = HashMap::new();
        for entry in all {
            // What does not show its id could be anybody's.
            entries.entry(mapping.id.of(&entry).unwrap_or_default()).or_default().push(entry);
        }
        Self { entries, taken: HashSet::new() }
    }

    fn take(&mut self, id: &str) -> Option<Vec<Entry>> {
        let entries = self.entries.remove(id)?;
        self.taken.insert(id.to_owned());
        Some(entries)
    }

    /// Whether it is certain that nothing has this id. Servers may find an entry by another spelling of its id, and two
    /// may have asked for the same one.
    fn has_not(&self, id: &str) -> bool {
        self.entries.is_empty() && !self.taken.contains(id)
    }
}
