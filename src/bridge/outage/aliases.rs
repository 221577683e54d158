//! Ids that were given out before the directory gave its own. Everybody outside goes on using the first one; the
//! directory knows only the other.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use super::super::snapshot::Id;
use crate::directory::{Entry, Filter};
use crate::mapping::IdAttribute;
use crate::scim::ResourceKind;

/// What is known of ids of both kinds, and the attributes that hold them.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Aliases {
    known: RwLock<Known>,
}

/// One alias for each resource that was ever made during an outage: they are kept in little room.
#[derive(Debug, Default)]
struct Known {
    /// From the id that was given out to the directory's.
    real: HashMap<Id, Id>,
    /// And back.
    given: HashMap<Id, Id>,
}

impl Known {
    fn real(&self, given: &str) -> Option<String> {
        self.real.get(&id(given)).map(|real| real.text().into_owned())
    }

    fn given(&self, real: &str) -> Option<String> {
        self.given.get(&id(real)).map(|given| given.text().into_owned())
    }
}

/// No two resources have one id, of whatever kind they are.
fn id(text: &str) -> Id {
    Id::new(ResourceKind::User, text)
}

impl Aliases {
    /// From now on `given` means what the directory calls `real`.
    pub fn add(&self, given: &str, real: &str) {
        let (given, real) = (id(given), id(real));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.real.insert(given.clone(), real.clone());
        known.given.insert(real, given);
    }

    /// Puts the ids that were given out in the place of the directory's.
    pub fn outward(&self, entries: &mut [Entry], ids: &[IdAttribute]) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.given.is_empty() {
            return;
        }
        for entry in entries {
            for id in ids {
                let given = id.of(entry).and_then(|real| known.given(&real)).and_then(|given| id.value(&given));
                if let Some(value) = given {
                    entry.insert(id.attribute.clone(), vec![value]);
                }
            }
        }
    }

    /// Puts the directory's ids in the place of those that were given out.
    pub fn inward<'f>(&self, filter: &'f Filter, ids: &[IdAttribute]) -> Cow<'f, Filter> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.real.is_empty() { Cow::Borrowed(filter) } else { Cow::Owned(translated(filter, &known, ids)) }
    }

    /// What the directory calls this id.
    pub fn real(&self, given: &str) -> Option<String> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).real(given)
    }
}

fn translated(filter: &Filter, known: &Known, ids: &[IdAttribute]) -> Filter {
    let all = |filters: &[Filter]| filters.iter().map(|filter| translated(filter, known, ids)).collect();
    match filter {
        Filter::And(filters) => Filter::And(all(filters)),
        Filter::Or(filters) => Filter::Or(all(filters)),
        Filter::Not(filter) => Filter::Not(Box::new(translated(filter, known, ids))),
        Filter::Equal(attribute, value) => {
            let id = ids.iter().find(|id| id.attribute == *attribute);
            let real = id.and_then(|id| id.value(&known.real(&id.text(value)?)?));
            Filter::Equal(attribute.clone(), real.unwrap_or_else(|| value.clone()))
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Dn, Kind};

    const GIVEN: &str = "11111111-2222-3333-4444-555555555555";
    const REAL: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

    fn ids(kind: Kind) -> Vec<IdAttribute> {
        vec![kind.dialect().into()]
    }

    #[test]
    fn outside_an_entry_is_known_by_the_id_that_was_given_out_first() {
        for kind in [Kind::OpenLdap, Kind::ActiveDirectory] {
            let (aliases, ids) = (Aliases::default(), ids(kind));
            aliases.add(GIVEN, REAL);
            let mut entry = Entry::new(Dn::parse("cn=ada,dc=example,dc=test").unwrap());
            entry.insert(ids[0].attribute.clone(), vec![ids[0].value(REAL).unwrap()]);
            aliases.outward(std::slice::from_mut(&mut entry), &ids);
            assert_eq!(ids[0].of(&entry).as_deref(), Some(GIVEN));
        }
    }

    #[test]
    fn the_directory_is_asked_for_the_id_that_it_knows_wherever_it_stands_in_a_filter() {
        let (aliases, ids) = (Aliases::default(), ids(Kind::OpenLdap));
        let asked = Filter::And(vec![Filter::any(), Filter::Not(Box::new(ids[0].filter(GIVEN).unwrap()))]);
        assert!(matches!(aliases.inward(&asked, &ids), Cow::Borrowed(_)), "nothing to translate");
        aliases.add(GIVEN, REAL);
        let expected = Filter::And(vec![Filter::any(), Filter::Not(Box::new(ids[0].filter(REAL).unwrap()))]);
        assert_eq!(*aliases.inward(&asked, &ids), expected);
        assert_eq!(aliases.real(GIVEN).as_deref(), Some(REAL));
    }

    #[test]
    fn a_minted_id_has_the_form_of_the_directorys_own() {
        for kind in Kind::ALL {
            let id: IdAttribute = kind.dialect().into();
            let minted = id.mint();
            assert!(id.value(&minted).is_some(), "{minted}");
        }
    }
}
