//! Reading the directory into the shadow: all of it, and what changed since.
//!
//! The directory is read outside the store's jobs; what was read goes into them in batches.

use std::sync::Arc;

use super::latest::Latest;
use super::record::{KINDS_AT, kinds_of};
use super::rules::definitions;
use super::shape::Shape;
use super::{Learned, SCHEMA, Shadow, left, now, written_time};
use crate::bridge::target::Target;
use crate::directory::{AttributeName, Dn, Entry, Fault, Filter, Scope, Search};
use crate::mapping::ResourceMapping;
use crate::scim::ResourceKind;
use crate::store::{Durability, Session, Store, StoreFault};

/// Entries in one job.
const BATCH: usize = 500;
/// Values in one job: a few large groups are much work, too.
const VALUES: usize = 20_000;
/// Entries asked for by their ids at once.
pub(super) const AT_ONCE: usize = 200;
/// How often an entry is read again that is changed while it is read.
const AGAIN: usize = 3;
/// The mark of a whole reading: the fingerprint of the table and when it was begun.
const FILLED: &str = "shadow filled";

/// Why the directory could not be read into the shadow.
#[derive(Debug, thiserror::Error)]
pub(in crate::bridge) enum FillFault {
    /// The directory's fault.
    #[error(transparent)]
    Directory(#[from] Fault),
    /// The store's fault.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Whether the shadow holds all that this table asks for.
pub(in crate::bridge) fn is_filled(session: &Session, shape: &Shape) -> Result<bool, StoreFault> {
    let mark = session.mark(&shape.space, FILLED)?;
    Ok(mark.is_some_and(|mark| mark.split(|byte| *byte == b' ').next() == Some(shape.fingerprint().as_bytes())))
}

/// When the directory was read whole for the last time, in milliseconds since 1970, whatever table asked for it.
pub(in crate::bridge) fn filled_at(session: &Session, space: &str) -> Result<Option<i64>, StoreFault> {
    let mark = session.mark(space, FILLED)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&mark).rsplit(' ').next().and_then(|at| at.parse().ok()))
}

/// How many entries of these kinds the shadow of the tenant `space` holds. Reads all of them.
pub(in crate::bridge) fn count<const N: usize>(
    session: &Session,
    space: &str,
    kinds: [ResourceKind; N],
) -> Result<[usize; N], StoreFault> {
    let counts = session.count_by_byte(space, KINDS_AT)?;
    Ok(kinds.map(|kind| counts.iter().filter(|(byte, _)| kinds_of(*byte).has(kind)).map(|(_, count)| count).sum()))
}

/// Reads all entries of the table's kinds, forgets those that are gone, and notes that the shadow is filled. Answers
/// how many entries were read; `progress` is told after each batch.
pub(in crate::bridge) async fn fill(
    directory: &Target,
    store: &Store,
    shape: &Arc<Shape>,
    progress: &(dyn Fn(usize) + Send + Sync),
) -> Result<usize, FillFault> {
    let begun = now();
    remember_schema(directory, store, shape).await?;
    let mut reading = Reading::new(directory, store, shape, progress);
    for part in shape.parts() {
        reading.read(part, part.filter.clone()).await?;
        forget_unseen(store, shape, part.kind, begun).await?;
    }
    let count = reading.count;
    let shape = Arc::clone(shape);
    store
        .write(Durability::Soon, async move |session: Session| {
            Shadow::open(session.clone(), &shape)?.forget_graves(begun)?;
            let mark = [shape.fingerprint(), begun.to_string()].join(" ");
            session.set_mark(&shape.space, FILLED, mark.as_bytes())
        })
        .await?;
    Ok(count)
}

/// Reads the entries that changed since the directory was last read. Answers how many that were.
pub(in crate::bridge) async fn refresh(
    directory: &Target,
    store: &Store,
    shape: &Arc<Shape>,
) -> Result<usize, FillFault> {
    let mut reading = Reading { changed: true, ..Reading::new(directory, store, shape, &|_| {}) };
    for part in shape.parts() {
        let (space, kind, begun) = (shape.space.clone(), part.kind, now());
        let latest = store.read(async move |session: Session| Latest::of(&session, &space, kind)).await?;
        let mut filter = part.filter.clone();
        if let Some(since) = latest.since() {
            filter = filter.and(Filter::GreaterOrEqual(shape.dialect.modified.clone(), written_time(since)));
        }
        reading.read(part, filter).await?;
        if let Some(settled) = latest.settled_by(begun) {
            let space = shape.space.clone();
            let settle = async move |session: Session| settled.replace(&session, &space, kind, &latest);
            store.write(Durability::Soon, settle).await?;
        }
    }
    Ok(reading.count)
}

/// What is known of the schema counts from the next job on, so it is read before any entry.
pub(super) async fn remember_schema(directory: &Target, store: &Store, shape: &Arc<Shape>) -> Result<(), FillFault> {
    // Without the schema comparisons go without regard to case.
    let Ok(schema) = directory.schema().await else { return Ok(()) };
    let names: Vec<AttributeName> = shape.parts().flat_map(|part| shape.attributes_to_read(part)).collect();
    let text = definitions(&schema, names.iter());
    let space = shape.space.clone();
    let remember = async move |session: Session| session.set_mark(&space, SCHEMA, &text);
    Ok(store.write(Durability::Soon, remember).await?)
}

async fn forget_unseen(store: &Store, shape: &Arc<Shape>, kind: ResourceKind, before: i64) -> Result<(), StoreFault> {
    let mut after = None::<Vec<u8>>;
    loop {
        let (shape, from) = (Arc::clone(shape), after.take());
        let forget =
            async move |session: Session| Shadow::open(session, &shape)?.forget_unseen(kind, before, from.as_deref());
        after = store.write(Durability::Soon, forget).await?;
        if after.is_none() {
            return Ok(());
        }
    }
}

pub(super) fn any_of(part: &ResourceMapping, ids: &[Vec<u8>]) -> Filter {
    Filter::Or(ids.iter().map(|id| Filter::Equal(part.id.attribute.clone(), id.clone())).collect())
}

pub(super) fn search_for(base: Dn, filter: Filter, attributes: Vec<AttributeName>) -> Search {
    Search { base, scope: Scope::Sub, filter, attributes, size_limit: 0 }
}

/// What one batch came to.
struct Taken {
    /// Entries that were changed after they were asked for.
    again: Vec<Dn>,
}

/// Entries on their way from the directory into the store.
pub(super) struct Reading<'a> {
    directory: &'a Target,
    store: &'a Store,
    shape: &'a Arc<Shape>,
    progress: &'a (dyn Fn(usize) + Send + Sync),
    pub(super) count: usize,
    /// Only what changed is read, and of that most is known.
    changed: bool,
    _reads: left::Reading<'a>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        directory: &'a Target,
        store: &'a Store,
        shape: &'a Arc<Shape>,
        progress: &'a (dyn Fn(usize) + Send + Sync),
    ) -> Self {
        Self { directory, store, shape, progress, count: 0, changed: false, _reads: shape.backlog.left.reading() }
    }

    /// Reads what `filter` finds into the shadow.
    pub(super) async fn read(&mut self, part: &ResourceMapping, filter: Filter) -> Result<(), FillFault> {
        let mut again = Vec::new();
        for base in part.search_bases() {
            let search = search_for(base, filter.clone(), self.shape.attributes_to_read(part));
            again.extend(self.read_base(part, &search).await?);
        }
        for _ in 0..AGAIN {
            let mut still = Vec::new();
            for dn in again {
                let search = Search {
                    scope: Scope::Base,
                    ..search_for(dn, part.filter.clone(), self.shape.attributes_to_read(part))
                };
                let asked_at = now();
                match self.directory.search(&search).await {
                    Ok(found) => still.extend(self.take(part.kind, found, asked_at).await?.again),
                    Err(fault) if fault.kind == crate::directory::FaultKind::NotFound => {}
                    Err(fault) => return Err(fault.into()),
                }
            }
            again = still;
        }
        Ok(())
    }

    /// Reads one base; answers which entries have to be read again. The next page is asked for while one goes into the
    /// store, and none beyond it: a store is slower than a directory, and what would pile up is all of the directory.
    async fn read_base(&mut self, part: &ResourceMapping, search: &Search) -> Result<Vec<Dn>, FillFault> {
        let (asked_at, mut again) = (now(), Vec::new());
        let mut pages = self.directory.pages(search);
        let mut page = pages.next().await?;
        while let Some(entries) = page {
            let taken = async { self.take_all(part.kind, entries, asked_at).await.map_err(FillFault::from) };
            let next = async { pages.next().await.map_err(FillFault::from) };
            let (taken, next) = futures_util::try_join!(taken, next)?;
            again.extend(taken);
            page = next;
        }
        Ok(again)
    }

    async fn take_all(&mut self, kind: ResourceKind, entries: Vec<Entry>, at: i64) -> Result<Vec<Dn>, StoreFault> {
        let (mut batch, mut again) = (Batch::default(), Vec::new());
        for entry in entries {
            if let Some(full) = batch.push(entry) {
                again.extend(self.take(kind, full, at).await?.again);
            }
        }
        again.extend(self.take(kind, batch.entries, at).await?.again);
        Ok(again)
    }

    async fn take(&mut self, kind: ResourceKind, batch: Vec<Entry>, asked_at: i64) -> Result<Taken, StoreFault> {
        if batch.is_empty() {
            return Ok(Taken { again: Vec::new() });
        }
        self.count += batch.len();
        let (shape, changed) = (Arc::clone(self.shape), self.changed);
        let learn = async move |session: Session| {
            let shadow = Shadow::open(session, &shape)?;
            learn_all(&shadow, kind, batch, &|entry| {
                if changed { shadow.learn_changed(entry, kind, asked_at) } else { shadow.learn(entry, kind, asked_at) }
            })
        };
        let taken = self.store.write(Durability::Soon, learn).await?;
        (self.progress)(self.count);
        Ok(taken)
    }
}

#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    values: usize,
}

impl Batch {
    /// Takes an entry; answers the batch when it is full.
    fn push(&mut self, entry: Entry) -> Option<Vec<Entry>> {
        self.values += entry.attributes().map(|(_, values)| values.len()).sum::<usize>();
        self.entries.push(entry);
        let full = self.entries.len() >= BATCH || self.values >= VALUES;
        full.then(|| std::mem::take(self).entries)
    }
}

/// Keeps a batch with `learn`, and notes the latest change stamp in it.
fn learn_all(
    shadow: &Shadow,
    kind: ResourceKind,
    batch: Vec<Entry>,
    learn: &dyn Fn(Entry) -> Result<Learned, StoreFault>,
) -> Result<Taken, StoreFault> {
    let mut taken = Taken { again: Vec::new() };
    let mut latest = Latest::of(&shadow.session, &shadow.shape.space, kind)?;
    for entry in batch {
        latest.see(entry.values(&shadow.shape.dialect.modified).first());
        let dn = entry.dn.clone();
        match learn(entry)? {
            Learned::Newer => taken.again.push(dn),
            Learned::NoId => {
                tracing::warn!(entry = %dn, "the entry does not show its id; it is left out of the shadow");
            }
            Learned::Kept | Learned::Held => {}
        }
    }
    latest.keep(&shadow.session, &shadow.shape.space, kind)?;
    Ok(taken)
}
