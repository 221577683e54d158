//! Resources of which the shadow is no longer right, because an owed change of theirs was taken back: they are read
//! again, or forgotten when the directory does not have them. Which ones is kept in the store, so that whoever takes
//! a change back need not be the process that reads, nor the directory be there.

use std::collections::HashSet;
use std::sync::Arc;

use super::fill::{AT_ONCE, Reading, any_of, search_for};
use super::shape::Shape;
use super::{FillFault, Shadow, now};
use crate::bridge::target::Target;
use crate::directory::Filter;
use crate::store::{Document, Durability, Session, Store, StoreFault, Stored};

/// The mark of a resource that only the owed change had made.
const MADE: &[u8] = b"made";

fn place(space: &str) -> String {
    [space, "/reread"].concat()
}

/// From now on the resource `id` of the tenant `space` has to be read again. `made`: it is not in the directory yet.
pub(in crate::bridge) fn reread(session: &Session, space: &str, id: &str, made: bool) -> Result<(), StoreFault> {
    let body = if made { MADE.to_vec() } else { Vec::new() };
    let document = Document { key: id.as_bytes().to_vec(), body, fields: Vec::new(), stamp: now() };
    session.put(&place(space), &document).map(drop)
}

/// Forgets those of the resources to be read again that only an owed change had made. Answers how many resources there
/// are to be read again.
pub(in crate::bridge) async fn forget_made(store: &Store, shape: &Arc<Shape>) -> Result<usize, StoreFault> {
    let space = shape.space.clone();
    let asked = store.read(async move |session: Session| page(&session, &space, None)).await?;
    let made: Vec<String> = asked.iter().filter(|it| it.body == MADE).filter_map(id).collect();
    if !made.is_empty() {
        let shape = Arc::clone(shape);
        let forget = async move |session: Session| {
            let shadow = Shadow::open(session, &shape)?;
            made.iter().try_for_each(|id| forget(&shadow, &shape, id, i64::MAX))
        };
        store.write(Durability::Soon, forget).await?;
    }
    Ok(asked.len())
}

/// Reads all that is to be read again; what other owed items hold stays to be read. Answers how many were read.
pub(in crate::bridge) async fn read_again(
    directory: &Target,
    store: &Store,
    shape: &Arc<Shape>,
) -> Result<usize, FillFault> {
    let (mut count, mut after) = (0, None::<Vec<u8>>);
    loop {
        let (space, from) = (shape.space.clone(), after.take());
        let asked = store.read(async move |session: Session| page(&session, &space, from.as_deref())).await?;
        let Some(last) = asked.last() else { return Ok(count) };
        after = Some(last.key.clone());
        read_page(directory, store, shape, &asked).await?;
        let shape = Arc::clone(shape);
        let done = async move |session: Session| settle(&Shadow::open(session, &shape)?, &asked);
        count += store.write(Durability::Soon, done).await?;
    }
}

/// Notes that these were read. Answers how many were.
fn settle(shadow: &Shadow, asked: &[Stored]) -> Result<usize, StoreFault> {
    let mut count = 0;
    for stored in asked {
        // Who took another change of it back meanwhile wants it read once more.
        let now = shadow.session.document(&place(&shadow.shape.space), &stored.key)?;
        let is_same = now.is_some_and(|now| now.stamp == stored.stamp);
        if is_same && !id(stored).map_or(Ok(false), |id| shadow.is_held(&id))? {
            shadow.session.delete(stored.row)?;
            count += 1;
        }
    }
    Ok(count)
}

async fn read_page(directory: &Target, store: &Store, shape: &Arc<Shape>, asked: &[Stored]) -> Result<(), FillFault> {
    let begun = now();
    let ids: Vec<String> = asked.iter().filter_map(id).collect();
    let mut there = HashSet::new();
    for part in shape.parts() {
        let values: Vec<Vec<u8>> = ids.iter().filter_map(|id| part.id.value(id)).collect();
        if values.is_empty() {
            continue;
        }
        let filter: Filter = part.filter.clone().and(any_of(part, &values));
        for base in part.search_bases() {
            let search = search_for(base, filter.clone(), vec![part.id.attribute.clone()]);
            let found = directory.search(&search).await?;
            there.extend(found.iter().filter_map(|entry| part.id.of(entry)));
        }
        Reading::new(directory, store, shape, &|_| {}).read(part, filter).await?;
    }
    let gone: Vec<String> = ids.into_iter().filter(|id| !there.contains(id)).collect();
    let shape = Arc::clone(shape);
    let forget = async move |session: Session| {
        let shadow = Shadow::open(session, &shape)?;
        gone.iter().try_for_each(|id| forget(&shadow, &shape, id, begun))
    };
    Ok(store.write(Durability::Soon, forget).await?)
}

fn forget(shadow: &Shadow, shape: &Shape, id: &str, before: i64) -> Result<(), StoreFault> {
    for part in shape.parts() {
        if let Some(value) = part.id.value(id) {
            shadow.forget(&part.id, &value, before)?;
        }
    }
    Ok(())
}

fn page(session: &Session, space: &str, after: Option<&[u8]>) -> Result<Vec<Stored>, StoreFault> {
    session.with_prefix(&place(space), &[], after, AT_ONCE)
}

fn id(stored: &Stored) -> Option<String> {
    String::from_utf8(stored.key.clone()).ok()
}
