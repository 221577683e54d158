//! Documents and links against a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

type Bytes = Vec<u8>;

#[derive(Debug, Clone)]
enum Step {
    Put { space: usize, document: Document },
    Rekey { at: usize, key: Bytes },
    Delete { at: usize },
    Sweep { space: usize, stamp: i64 },
    Clear { space: usize },
    Add { at: usize, name: usize, values: Vec<Bytes> },
    Remove { at: usize, name: usize, values: Vec<Bytes> },
    Empty { at: usize, name: usize },
    Everywhere { name: usize, value: Bytes, stamp: i64 },
}

const SPACES: [&str; 2] = ["here", "there"];
const NAMES: [&str; 2] = ["members", "name"];

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(prop::sample::select(vec![0, 1, b'a', 0xff]), 0..3)
}

fn some_document() -> impl Strategy<Value = Document> {
    let field = (0..NAMES.len(), bytes()).prop_map(|(name, value)| (NAMES[name].to_owned(), value));
    (bytes(), bytes(), prop::collection::vec(field, 0..4), 0..4_i64).prop_map(|(key, body, fields, stamp)| Document {
        key,
        body,
        fields,
        stamp,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let values = || prop::collection::vec(bytes(), 0..4);
    let (space, name, at) = (0..SPACES.len(), 0..NAMES.len(), 0..8_usize);
    prop_oneof![
        6 => (space.clone(), some_document()).prop_map(|(space, document)| Step::Put { space, document }),
        2 => (at.clone(), bytes()).prop_map(|(at, key)| Step::Rekey { at, key }),
        2 => at.clone().prop_map(|at| Step::Delete { at }),
        1 => (space.clone(), 0..4_i64).prop_map(|(space, stamp)| Step::Sweep { space, stamp }),
        1 => space.prop_map(|space| Step::Clear { space }),
        4 => (at.clone(), name.clone(), values()).prop_map(|(at, name, values)| Step::Add { at, name, values }),
        3 => (at.clone(), name.clone(), values()).prop_map(|(at, name, values)| Step::Remove { at, name, values }),
        1 => (at, name.clone()).prop_map(|(at, name)| Step::Empty { at, name }),
        2 => (name, bytes(), 0..4_i64).prop_map(|(name, value, stamp)| Step::Everywhere { name, value, stamp }),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Known {
    space: &'static str,
    document: Document,
    links: BTreeSet<(&'static str, Bytes)>,
}

/// What should be there, by row.
#[derive(Debug, Clone, Default)]
struct Model(BTreeMap<i64, Known>);

impl Model {
    fn row(&self, at: usize) -> Option<i64> {
        self.0.keys().nth(at).copied()
    }

    fn by_key(&self, space: &str, key: &[u8]) -> Option<i64> {
        self.0.iter().find(|(_, known)| known.space == space && known.document.key == key).map(|(row, _)| *row)
    }

    fn apply(&mut self, step: &Step, session: &Session) -> Result<(), StoreFault> {
        match step {
            Step::Put { space, document } => {
                let space = SPACES[*space];
                let row = session.put(space, document)?;
                let old = self.by_key(space, &document.key);
                assert!(old.is_none_or(|old| old == row) && (old.is_some() || !self.0.contains_key(&row)));
                let links = self.0.remove(&row).map(|known| known.links).unwrap_or_default();
                self.0.insert(row, Known { space, document: document.clone(), links });
            }
            Step::Sweep { space, stamp } => {
                let before = self.0.len();
                self.0.retain(|_, known| known.space != SPACES[*space] || known.document.stamp >= *stamp);
                assert_eq!(session.delete_older(SPACES[*space], *stamp)?, before - self.0.len());
            }
            Step::Clear { space } => {
                let before = self.0.len();
                self.0.retain(|_, known| known.space != SPACES[*space]);
                assert_eq!(session.clear(SPACES[*space])?, before - self.0.len());
            }
            Step::Everywhere { name, value, stamp } => {
                let mut count = 0;
                for known in self.0.values_mut() {
                    if known.links.remove(&(NAMES[*name], value.clone())) {
                        known.document.stamp = *stamp;
                        count += 1;
                    }
                }
                assert_eq!(session.remove_everywhere(NAMES[*name], value, *stamp)?, count);
            }
            Step::Rekey { at, .. }
            | Step::Delete { at }
            | Step::Add { at, .. }
            | Step::Remove { at, .. }
            | Step::Empty { at, .. } => {
                if let Some(row) = self.row(*at) {
                    self.apply_to(row, step, session)?;
                }
            }
        }
        Ok(())
    }

    fn apply_to(&mut self, row: i64, step: &Step, session: &Session) -> Result<(), StoreFault> {
        let space = self.0[&row].space;
        let holder = if let Step::Rekey { key, .. } = step { self.by_key(space, key) } else { None };
        let known = self.0.get_mut(&row).unwrap();
        match step {
            Step::Rekey { key, .. } => {
                let taken = holder.is_some_and(|holder| holder != row);
                assert_eq!(session.rekey(row, key).is_err(), taken);
                if !taken {
                    known.document.key.clone_from(key);
                }
            }
            Step::Delete { .. } => {
                assert!(session.delete(row)?);
                self.0.remove(&row);
            }
            Step::Add { name, values, .. } => {
                let there: Vec<bool> =
                    values.iter().map(|value| !known.links.insert((NAMES[*name], value.clone()))).collect();
                assert_eq!(session.add_links(row, NAMES[*name], values)?, there);
            }
            Step::Remove { name, values, .. } => {
                let there: Vec<bool> =
                    values.iter().map(|value| known.links.remove(&(NAMES[*name], value.clone()))).collect();
                assert_eq!(session.remove_links(row, NAMES[*name], values)?, there);
            }
            Step::Empty { name, .. } => {
                let before = known.links.len();
                known.links.retain(|(of, _)| *of != NAMES[*name]);
                assert_eq!(session.clear_links(row, NAMES[*name])?, before - known.links.len());
            }
            Step::Put { .. } | Step::Sweep { .. } | Step::Clear { .. } | Step::Everywhere { .. } => unreachable!(),
        }
        Ok(())
    }

    fn in_order(&self, space: &str, wanted: impl Fn(&Known) -> bool) -> Vec<Stored> {
        let mut found: Vec<Stored> = self
            .0
            .iter()
            .filter(|(_, known)| known.space == space && wanted(known))
            .map(|(row, Known { document, .. })| {
                let Document { key, body, stamp, .. } = document.clone();
                Stored { row: *row, key, body, stamp }
            })
            .collect();
        found.sort_by(|one, other| one.key.cmp(&other.key));
        found
    }

    /// The store answers every question as the model does.
    fn compare(&self, session: &Session) -> Result<(), StoreFault> {
        let interesting: [&[u8]; 5] = [b"", b"a", b"\xff", b"a\xff", b"\0"];
        for space in SPACES {
            assert_eq!(session.count(space)?, self.in_order(space, |_| true).len());
            for bytes in interesting {
                let with_prefix = self.in_order(space, |known| known.document.key.starts_with(bytes));
                let mut paged = Vec::new();
                loop {
                    let after = paged.last().map(|last: &Stored| last.key.clone());
                    let page = session.with_prefix(space, bytes, after.as_deref(), 2)?;
                    if page.is_empty() {
                        break;
                    }
                    paged.extend(page);
                }
                assert_eq!(paged, with_prefix);
                for name in NAMES {
                    let has = |known: &Known| {
                        known.links.contains(&(name, bytes.to_vec()))
                            || known.document.fields.contains(&(name.to_owned(), bytes.to_vec()))
                    };
                    assert_eq!(session.with_field(space, name, bytes)?, self.in_order(space, has));
                }
            }
        }
        for (row, known) in &self.0 {
            for name in NAMES {
                let links: Vec<Bytes> =
                    known.links.iter().filter(|(of, _)| *of == name).map(|(_, value)| value.clone()).collect();
                assert_eq!(session.count_links(*row, name)?, links.len());
                assert_eq!(session.links(*row, name)?, links);
            }
        }
        Ok(())
    }
}

/// Jobs, each of some steps; one that is `spoiled` ends in an error.
fn jobs() -> impl Strategy<Value = Vec<(Vec<Step>, bool)>> {
    prop::collection::vec((prop::collection::vec(step(), 1..6), prop::bool::weighted(0.25)), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn documents_and_links_are_what_a_plain_model_says(jobs in jobs()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let scratch = Scratch::new();
            let store = scratch.open().await;
            let mut model = Model::default();
            for (steps, spoiled) in jobs {
                let mut changed = model.clone();
                let job = async move |session: Session| {
                    steps.iter().try_for_each(|step| changed.apply(step, &session))?;
                    if spoiled { Err(StoreFault::closed()) } else { Ok(changed) }
                };
                if let Ok(changed) = store.write(Durability::Soon, job).await {
                    model = changed;
                } else {
                    assert!(spoiled);
                }
                let expected = model.clone();
                store.read(async move |session| expected.compare(&session)).await.unwrap();
            }
        });
    }
}
