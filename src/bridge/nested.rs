//! Groups in groups: whoever is in a group is also in the groups that hold it (RFC 7643 section 4.1.2).
//!
//! Going up takes one search for each level, for all groups of the level together, and for all users of a page; where
//! the server can follow a chain of memberships itself, one for each user. A group that holds itself in the end is met
//! once. Where the server's own attribute names all groups of an entry, a search tells which of them are direct ones.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::directory::{self, AttributeName, Dn, Entry, Filter};
use crate::mapping::{GroupsOf, Members, ResourceMapping};
use crate::scim::{AttributePath, ResourceKind};

use super::read::Found;
use super::references::{AT_ONCE, Known, SIDE_BY_SIDE};
use super::{Carrier, Fault};

/// Users with groups of theirs of which it is not known yet whether they are direct ones.
type Doubts = Vec<(Dn, HashSet<Dn>)>;

impl Carrier {
    /// The attribute that names the groups of a user with all that hold these, where the server keeps one and the table
    /// shows it.
    pub(super) fn names_all_groups(&self) -> Option<&AttributeName> {
        let members = self.mapping(ResourceKind::Group).ok()?.members.as_ref()?;
        match &self.mapping(ResourceKind::User).ok()?.groups {
            GroupsOf::Attribute(attribute) if self.dialect().member_of_all && members.name_attribute().is_none() => {
                Some(attribute)
            }
            _ => None,
        }
    }

    /// Finds the groups that each of `found` is in by way of other groups.
    pub(super) async fn add_indirect(
        &self,
        mapping: &ResourceMapping,
        found: &[Found],
        known: &mut Known,
    ) -> Result<(), Fault> {
        let Ok(groups) = self.mapping(ResourceKind::Group) else { return Ok(()) };
        let Some(members) = &groups.members else { return Ok(()) };
        let direct: Vec<(Dn, HashSet<Dn>)> = found
            .iter()
            .map(|found| (found.reading.dn.clone(), direct_groups(found, known)))
            .filter(|(_, direct)| !direct.is_empty())
            .collect();
        match &mapping.groups {
            GroupsOf::Attribute(_) if self.names_all_groups().is_some() => {
                self.sort_out(groups, members, direct, known).await?;
            }
            GroupsOf::Attribute(attribute) if self.dialect().in_chain_rule.is_none() => {
                let starts = direct.iter().flat_map(|(_, direct)| direct.iter().cloned()).collect();
                let above = self.above(groups, attribute, starts, known).await?;
                for (user, direct) in direct {
                    known.note_indirect(user, reach(&above, &direct));
                }
            }
            _ => {
                let names = groups.display_attributes();
                let searches =
                    direct.into_iter().map(|(user, direct)| self.chain(groups, members, &names, user, direct));
                let mut searches = stream::iter(searches).buffer_unordered(SIDE_BY_SIDE);
                while let Some((user, direct, entries)) = searches.try_next().await? {
                    let all = entries.into_iter().filter_map(|entry| self.referenced(groups, &names, entry));
                    let mut indirect = Vec::new();
                    for (dn, group) in all.filter(|(dn, _)| !direct.contains(dn)) {
                        indirect.push(dn.clone());
                        known.note(dn, group);
                    }
                    known.note_indirect(user, indirect);
                }
            }
        }
        Ok(())
    }

    /// Where the server's own attribute names all groups: a group that holds none of a user's other groups is a direct
    /// one. Of the rest one search for all users together tells which of them hold any of the users, and only where
    /// these are several it takes one for each user.
    async fn sort_out(
        &self,
        groups: &ResourceMapping,
        members: &Members,
        named: Doubts,
        known: &mut Known,
    ) -> Result<(), Fault> {
        let mut open = doubtful(named, known);
        let mut indirect: HashMap<Dn, Vec<Dn>> = HashMap::new();
        for together in [AT_ONCE, 1] {
            let mut users = std::mem::take(&mut open).into_iter();
            let parts = std::iter::from_fn(|| {
                Some(users.by_ref().take(together).collect::<Doubts>()).filter(|part| !part.is_empty())
            });
            let mut searches =
                stream::iter(parts).map(|users| self.that_list(groups, members, users)).buffer_unordered(SIDE_BY_SIDE);
            while let Some((users, held)) = searches.try_next().await? {
                let alone = users.len() == 1;
                for (user, doubtful) in users {
                    let (direct, others): (HashSet<Dn>, HashSet<Dn>) =
                        doubtful.into_iter().partition(|group| held.contains(group));
                    indirect.entry(user.clone()).or_default().extend(others);
                    if !alone && !direct.is_empty() {
                        open.push((user, direct));
                    }
                }
            }
        }
        for (user, groups) in indirect {
            known.note_indirect(user, groups);
        }
        Ok(())
    }

    /// The groups that list any of `users`.
    async fn that_list(
        &self,
        groups: &ResourceMapping,
        members: &Members,
        users: Doubts,
    ) -> Result<(Doubts, HashSet<Dn>), Fault> {
        let lists = |(user, _): &(Dn, _)| Filter::Equal(members.attribute.clone(), user.as_str().as_bytes().to_vec());
        let filter = Filter::Or(users.iter().map(lists).collect());
        let found = self.find(groups, filter, vec![groups.id.attribute.clone()]).await?;
        Ok((users, found.into_iter().map(|group| group.dn).collect()))
    }

    async fn chain(
        &self,
        groups: &ResourceMapping,
        members: &Members,
        names: &[AttributeName],
        user: Dn,
        direct: HashSet<Dn>,
    ) -> Result<(Dn, HashSet<Dn>, Vec<Entry>), Fault> {
        let mut attributes = names.to_vec();
        attributes.push(groups.id.attribute.clone());
        let value = user.as_str().as_bytes().to_vec();
        let found = self.groups_listing(groups, members, value, (true, attributes)).await;
        Ok((user, direct, found.map_err(|fault| self.fault(fault))?))
    }

    /// For each of the groups at `starts`, and for those above them, which groups hold it, by the attribute that the
    /// server keeps.
    async fn above(
        &self,
        groups: &ResourceMapping,
        attribute: &AttributeName,
        starts: HashSet<Dn>,
        known: &mut Known,
    ) -> Result<HashMap<Dn, Vec<Dn>>, Fault> {
        let names = groups.display_attributes();
        let mut above: HashMap<Dn, Vec<Dn>> = HashMap::new();
        let mut level: Vec<Dn> = starts.into_iter().collect();
        while !level.is_empty() {
            let entries =
                self.entries_at(groups, &level, &[&names[..], std::slice::from_ref(attribute)].concat()).await?;
            for entry in entries {
                let parents = entry.names(attribute).collect();
                above.insert(entry.dn.clone(), parents);
                if let Some((dn, group)) = self.referenced(groups, &names, entry) {
                    known.note(dn, group);
                }
            }
            // What is no group that is served has no place in `above`, and must not be asked for again.
            for dn in level {
                above.entry(dn).or_default();
            }
            let next: HashSet<&Dn> = above.values().flatten().filter(|dn| !above.contains_key(*dn)).collect();
            level = next.into_iter().cloned().collect();
        }
        Ok(above)
    }

    /// The groups whose member attribute holds `value`; with `nested` also the groups that hold these, and so on.
    pub(super) async fn groups_listing(
        &self,
        groups: &ResourceMapping,
        members: &Members,
        value: Vec<u8>,
        (nested, attributes): (bool, Vec<AttributeName>),
    ) -> Result<Vec<Entry>, directory::Fault> {
        let nested = nested && members.name_attribute().is_none();
        if let (Some(rule), true) = (self.dialect().in_chain_rule, nested) {
            let filter = Filter::Matches { attribute: members.attribute.clone(), rule: rule.to_owned(), value };
            return self.find_entries(groups, filter, attributes).await;
        }
        let (mut found, mut seen, mut level) = (Vec::new(), HashSet::new(), vec![value]);
        while !level.is_empty() {
            let mut next = Vec::new();
            for values in level.chunks(AT_ONCE) {
                let equal = |value: &Vec<u8>| Filter::Equal(members.attribute.clone(), value.clone());
                let filter = Filter::Or(values.iter().map(equal).collect());
                for entry in self.find_entries(groups, filter, attributes.clone()).await? {
                    if seen.insert(entry.dn.clone()) {
                        next.push(entry.dn.as_str().as_bytes().to_vec());
                        found.push(entry);
                    }
                }
            }
            level = if nested { next } else { Vec::new() };
        }
        Ok(found)
    }
}

fn direct_groups(found: &Found, known: &Known) -> HashSet<Dn> {
    let groups = AttributePath::core("groups");
    let listed = found.reading.pointers.iter().filter(|pointer| pointer.path == groups).map(|pointer| &pointer.dn);
    listed.chain(known.groups_of(&found.reading.dn)).cloned().collect()
}

/// The groups of each user that hold another one of his groups, or may: only for users who have any.
fn doubtful(named: Doubts, known: &Known) -> Doubts {
    let of_one = |(user, named): (Dn, HashSet<Dn>)| {
        let above = |group: &Dn| {
            named.iter().any(|other| other != group && known.above(other).is_none_or(|above| above.contains(group)))
        };
        let doubtful: HashSet<Dn> = named.iter().filter(|group| above(group)).cloned().collect();
        (!doubtful.is_empty()).then_some((user, doubtful))
    };
    named.into_iter().filter_map(of_one).collect()
}

/// Everything above `direct`, without `direct` itself.
fn reach(above: &HashMap<Dn, Vec<Dn>>, direct: &HashSet<Dn>) -> Vec<Dn> {
    let mut seen: HashSet<&Dn> = direct.iter().collect();
    let mut open: Vec<&Dn> = direct.iter().collect();
    let mut reached = Vec::new();
    while let Some(dn) = open.pop() {
        for parent in above.get(dn).into_iter().flatten() {
            if seen.insert(parent) {
                open.push(parent);
                reached.push(parent.clone());
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_of_groups_ends_and_a_direct_group_is_not_indirect_as_well() {
        let dn = |name: &str| Dn::root().child(&AttributeName::literal("cn"), name);
        let above = HashMap::from([
            (dn("a"), vec![dn("b")]),
            (dn("b"), vec![dn("c"), dn("d")]),
            (dn("c"), vec![dn("a")]),
            (dn("d"), Vec::new()),
        ]);
        let reached = |names: &[&str]| {
            let mut reached = reach(&above, &names.iter().map(|name| dn(name)).collect());
            reached.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
            reached
        };
        assert_eq!(reached(&["a"]), [dn("b"), dn("c"), dn("d")]);
        assert_eq!(reached(&["a", "c"]), [dn("b"), dn("d")]);
        assert_eq!(reached(&["d"]), []);
    }
}
