//! What writes do to lists that are kept, so that a client that pages through a million users does not make the bridge
//! read all of them again because somebody was hired meanwhile.

use std::collections::{HashMap, VecDeque};

use super::id::Id;
use crate::scim::{AttributePath, Resource, ResourceKind};

/// Writes that are remembered for each kind. A list that was not asked for during more is thrown away.
const RECENT: usize = 4096;

/// What a write did to the list of everything of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge) enum Effect {
    /// This one came.
    Added(Id),
    /// This one went.
    Removed(Id),
    /// Somebody looks different.
    Changed,
    /// Nobody knows.
    Unknown,
}

impl Effect {
    /// A resource was made.
    pub fn of_new(kind: ResourceKind, resource: &Resource) -> Self {
        let id = resource.text(&AttributePath::core("id"));
        id.map_or(Self::Unknown, |id| Self::Added(Id::new(kind, id)))
    }

    /// The resource with this id went.
    pub fn of_gone(kind: ResourceKind, id: Option<&str>) -> Self {
        id.map_or(Self::Unknown, |id| Self::Removed(Id::new(kind, id)))
    }
}

/// The last writes of one kind.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// How many there have ever been.
    pub count: u64,
    last: VecDeque<Effect>,
}

impl Recent {
    pub fn note(&mut self, effect: Effect) {
        self.count += 1;
        if self.last.len() >= RECENT {
            self.last.pop_front();
        }
        self.last.push_back(effect);
    }

    /// The writes behind the first `count`; `None` when they are too many.
    pub fn since(&self, count: u64) -> Option<impl Iterator<Item = &Effect>> {
        let new = usize::try_from(self.count.saturating_sub(count)).ok()?;
        let known = self.last.len().checked_sub(new)?;
        Some(self.last.iter().skip(known))
    }
}

/// Makes a list of everything, in the order of ids, what it is after these writes, and says whether it is now.
/// `plain`: it has no filter and no other order. Of another list nobody knows what a write does to it.
pub(super) fn follow<'a>(ids: &mut Vec<Id>, effects: impl Iterator<Item = &'a Effect>, plain: bool) -> bool {
    let mut last: HashMap<&Id, bool> = HashMap::new();
    for effect in effects {
        match effect {
            Effect::Changed if plain => {}
            Effect::Added(id) if plain => drop(last.insert(id, true)),
            Effect::Removed(id) if plain => drop(last.insert(id, false)),
            _ => return false,
        }
    }
    if last.values().any(|there| !there) {
        ids.retain(|id| last.get(id) != Some(&false));
    }
    let came: Vec<Id> = last.into_iter().filter(|(_, there)| *there).map(|(id, _)| id.clone()).collect();
    if !came.is_empty() {
        ids.reserve_exact(came.len());
        ids.extend(came);
        // Two runs that are in order already are merged, whatever their length.
        ids.sort();
        ids.dedup();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::new(ResourceKind::User, text)
    }

    fn after(effects: &[Effect], plain: bool) -> Option<String> {
        let mut ids = ["b", "d", "f"].map(id).to_vec();
        follow(&mut ids, effects.iter(), plain).then(|| ids.iter().map(Id::text).collect())
    }

    #[test]
    fn a_list_of_everything_follows_who_comes_and_who_goes() {
        let (added, removed) = (|text| Effect::Added(id(text)), |text| Effect::Removed(id(text)));
        assert_eq!(after(&[], true).unwrap(), "bdf");
        assert_eq!(after(&[Effect::Changed], true).unwrap(), "bdf");
        assert_eq!(after(&[added("e"), added("a"), removed("d"), removed("x")], true).unwrap(), "abef");
        assert_eq!(after(&[added("d"), added("c"), removed("c")], true).unwrap(), "bdf", "the last one counts");
        assert_eq!(after(&[removed("d"), added("d")], true).unwrap(), "bdf");
    }

    #[test]
    fn a_list_with_a_filter_follows_nothing_and_none_follows_what_is_unknown() {
        assert_eq!(after(&[], false).unwrap(), "bdf");
        assert_eq!(after(&[Effect::Changed], false), None);
        assert_eq!(after(&[Effect::Added(id("e"))], false), None);
        assert_eq!(after(&[Effect::Unknown], true), None);
    }

    #[test]
    fn only_the_last_writes_are_remembered() {
        let mut recent = Recent::default();
        for _ in 0..RECENT + 10 {
            recent.note(Effect::Changed);
        }
        let count = recent.count;
        assert_eq!(recent.since(count).unwrap().count(), 0);
        assert_eq!(recent.since(10).unwrap().count(), RECENT);
        assert!(recent.since(9).is_none());
    }
}
