//! Comparing what the directory has with what the shadow has: who is gone, and who is missing.
//!
//! Of a directory of a million only a number for each id is held, and the ids of those who make a difference.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::fill::{AT_ONCE, FillFault, Reading, any_of, search_for};
use super::shape::Shape;
use super::{Shadow, now};
use crate::bridge::target::Target;
use crate::directory::Fault;
use crate::mapping::ResourceMapping;
use crate::store::{Durability, Session, Store, StoreFault};

/// Tombstones that nothing is owed for are kept for so long, in milliseconds.
const GRAVES: i64 = 600_000;

/// Compares the ids that the directory has with those of the shadow: who is gone is forgotten, after the directory was
/// asked a second time, and who is missing is read. Answers how many were forgotten or read.
pub(in crate::bridge) async fn sweep(
    directory: &Target,
    store: &Store,
    shape: &Arc<Shape>,
) -> Result<usize, FillFault> {
    let mut changed = 0;
    for part in shape.parts() {
        let begun = now();
        let mut there = Prints::default();
        each_id(directory, part, |id| there.add(&id)).await?;
        let (gone, missing) = compare(store, shape, part, there).await?;
        for values in gone.chunks(AT_ONCE) {
            changed += confirm_gone(directory, store, shape, part, values, begun).await?;
        }
        let mut ids = Vec::new();
        if !missing.is_empty() {
            each_id(directory, part, |id| ids.extend(missing.has(&id).then_some(id))).await?;
        }
        for values in ids.chunks(AT_ONCE) {
            let mut reading = Reading::new(directory, store, shape, &|_| {});
            reading.read(part, part.filter.clone().and(any_of(part, values))).await?;
            changed += reading.count;
        }
    }
    let shape = Arc::clone(shape);
    let old = now() - GRAVES;
    store
        .write(Durability::Soon, async move |session: Session| Shadow::open(session, &shape)?.forget_graves(old))
        .await?;
    Ok(changed)
}

/// Ids, by a number for each that is the same for no other one: with a million of them two are alike in one of tens of
/// millions of comparisons, and the next one, which has other numbers, makes up for it.
#[derive(Default)]
struct Prints {
    hasher: RandomState,
    known: HashSet<u64>,
}

impl Prints {
    fn add(&mut self, id: &[u8]) {
        self.known.insert(self.hasher.hash_one(id));
    }

    fn has(&self, id: &[u8]) -> bool {
        self.known.contains(&self.hasher.hash_one(id))
    }

    /// Whether it was there.
    fn remove(&mut self, id: &[u8]) -> bool {
        self.known.remove(&self.hasher.hash_one(id))
    }

    fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

async fn each_id(
    directory: &Target,
    part: &ResourceMapping,
    mut each: impl FnMut(Vec<u8>) + Send,
) -> Result<(), Fault> {
    for base in part.search_bases() {
        let search = search_for(base, part.filter.clone(), vec![part.id.attribute.clone()]);
        let mut pass = |entry: crate::directory::Entry| {
            entry.values(&part.id.attribute).first().cloned().into_iter().for_each(&mut each);
            ControlFlow::Continue(())
        };
        directory.scan(&search, &mut pass).await?;
    }
    Ok(())
}

/// Those of the shadow that are not among `there`, and what is left of `there`.
async fn compare(
    store: &Store,
    shape: &Arc<Shape>,
    part: &ResourceMapping,
    mut there: Prints,
) -> Result<(Vec<Vec<u8>>, Prints), StoreFault> {
    let (shape, kind) = (Arc::clone(shape), part.kind);
    let job = async move |session: Session| {
        let mut gone = Vec::new();
        Shadow::open(session, &shape)?.each_known_id(kind, &mut |id| {
            if !there.remove(&id) {
                gone.push(id);
            }
        })?;
        Ok((gone, there))
    };
    store.read(job).await
}

async fn confirm_gone(
    directory: &Target,
    store: &Store,
    shape: &Arc<Shape>,
    part: &ResourceMapping,
    values: &[Vec<u8>],
    begun: i64,
) -> Result<usize, FillFault> {
    let mut gone: HashSet<Vec<u8>> = values.iter().cloned().collect();
    let filter = part.filter.clone().and(any_of(part, values));
    for base in part.search_bases() {
        for entry in directory.search(&search_for(base, filter.clone(), vec![part.id.attribute.clone()])).await? {
            for value in entry.values(&part.id.attribute) {
                gone.remove(value);
            }
        }
    }
    let (count, shape, id) = (gone.len(), Arc::clone(shape), part.id.clone());
    let forget = async move |session: Session| {
        let shadow = Shadow::open(session, &shape)?;
        gone.iter().try_for_each(|value| shadow.forget(&id, value, begun))
    };
    store.write(Durability::Soon, forget).await?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_by_its_number_until_it_is_taken_out() {
        let mut prints = Prints::default();
        for id in ["ada", "bob"] {
            prints.add(id.as_bytes());
        }
        assert!(prints.has(b"ada") && !prints.has(b"carol"));
        assert!(prints.remove(b"ada") && !prints.remove(b"ada") && !prints.has(b"ada"));
        assert!(!prints.is_empty());
        assert!(prints.remove(b"bob") && prints.is_empty());
    }
}
