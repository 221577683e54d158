//! Names that were written a moment after their entries had left them.
//!
//! A change looks up whom it names, and writes the names a moment later. Who renames or deletes one of them in between may
//! have seen to everything that refers to the old name before it is written. So every change asks afterwards which names
//! were left since it began ([`UnderWay`]). If one of them is among those that it wrote, or took out, it does the rest
//! itself, as if it had come first: the entry that left is meant by its new name, or gone.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::directory::{AttributeName, Change, Dn, Modification, Moved, News, UnderWay};
use crate::mapping::{MemberDelta, Members, NewEntry, ResourceMapping};

use super::carrier::Asked;
use super::tidy::member_value;
use super::{Carrier, Fault, Receipt};

/// Where a change has written names.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    /// Of the entry.
    pub mapping: &'a ResourceMapping,
    /// Its id.
    pub id: &'a str,
    /// Who was to come, as groups hold it.
    pub came: &'a [Vec<u8>],
    /// And who was to go.
    pub went: &'a [Vec<u8>],
    /// The entry, where other attributes may hold names.
    pub entry: Option<(&'a Dn, Names<'a>)>,
}

/// What was written into an entry.
#[derive(Clone, Copy)]
pub(super) enum Names<'a> {
    /// Into one that was there.
    Changed(&'a [Modification]),
    /// Into a new one.
    New(&'a [(AttributeName, Vec<Vec<u8>>)]),
}

/// Whether there is nothing to gain from another attempt. Some servers refuse the name of somebody who has just left it.
pub(super) fn is_final(outcome: &Result<Receipt, Fault>, under_way: &UnderWay) -> bool {
    matches!(outcome, Ok(_) | Err(Fault::Unavailable { .. })) || !under_way.may_be_late()
}

impl Carrier {
    /// Lets what was written follow those who left their names since it was looked up. Whether there was anything to do.
    pub(super) async fn follow_late(
        &self,
        written: Written<'_>,
        asked: Asked<'_>,
        under_way: &UnderWay,
    ) -> Result<bool, Fault> {
        let News { mut moved, mut moving } = under_way.news();
        if moved.is_empty() && moving.is_empty() {
            return Ok(false);
        }
        let mut late = false;
        let mut references = written.references();
        let (mut came, mut went) = (Cow::Borrowed(written.came), Cow::Borrowed(written.went));
        loop {
            let mut rest = None;
            if let Some(members) = &written.mapping.members {
                let listed = Listed::new(members, &came, &went);
                // Who puts the new name in the place of the old one may have found that before it was taken out.
                moving.retain(|it| !it.gone && listed.takes_out(it));
                if !moving.is_empty() {
                    under_way.settled(&moving).await;
                    moved.append(&mut moving);
                }
                rest = Some(listed.left_to_do(&moved)).filter(|rest| !rest.is_empty());
            }
            let followed = self.follow_references(&written, &mut references, &moved).await?;
            if let (Some(members), Some(rest)) = (&written.mapping.members, &rest) {
                self.touch(asked.touched, rest);
                tracing::debug!(id = written.id, "a member left its name in the same moment");
                match self.change_members(written.mapping, members, written.id, rest, under_way).await {
                    Err(Fault::NotFound { .. }) => {}
                    other => other?,
                }
            }
            if !followed && rest.is_none() {
                return Ok(late);
            }
            late = true;
            let MemberDelta { add, remove } = rest.unwrap_or_default();
            (came, went) = (Cow::Owned(add), Cow::Owned(remove));
            News { moved, moving } = under_way.news();
        }
    }

    async fn follow_references(
        &self,
        written: &Written<'_>,
        references: &mut [(AttributeName, Dn)],
        moved: &[Moved],
    ) -> Result<bool, Fault> {
        let mut followed = false;
        let Some((dn, _)) = written.entry else { return Ok(false) };
        for (attribute, held) in references {
            let Some(moved) = moved.iter().find(|moved| moved.old == *held) else { continue };
            tracing::debug!(entry = %dn, reference = %held, "it was left in the same moment");
            let exchanged = self.exchange_reference(dn, attribute, (held, moved.now())).await;
            exchanged.map_err(|fault| self.fault(fault))?;
            if let Some(now) = moved.now() {
                held.clone_from(now);
            }
            followed = true;
        }
        Ok(followed)
    }
}

impl Written<'_> {
    /// The attributes of a new entry that refer to others.
    pub fn names_in(mapping: &ResourceMapping, plan: &NewEntry) -> Vec<(AttributeName, Vec<Vec<u8>>)> {
        plan.attributes.iter().filter(|(name, _)| refers(mapping, name)).cloned().collect()
    }

    /// The names in attributes that refer to one entry each.
    fn references(&self) -> Vec<(AttributeName, Dn)> {
        let written: Vec<(&AttributeName, &[Vec<u8>])> = match self.entry.map(|(_, names)| names) {
            None => Vec::new(),
            Some(Names::New(attributes)) => attributes.iter().map(|(name, values)| (name, &**values)).collect(),
            Some(Names::Changed(modifications)) => modifications.iter().filter_map(comes).collect(),
        };
        let written = written.into_iter().filter(|(name, _)| refers(self.mapping, name));
        written
            .flat_map(|(name, values)| values.iter().filter_map(|value| Some((name.clone(), Dn::in_value(value)?))))
            .collect()
    }
}

/// Whether the attribute holds names of other entries, members apart.
fn refers(mapping: &ResourceMapping, name: &AttributeName) -> bool {
    mapping.rows.iter().any(|row| row.reference.is_some() && row.writes() && row.ldap == *name)
}

/// The values that a modification brings.
fn comes(modification: &Modification) -> Option<(&AttributeName, &[Vec<u8>])> {
    match &modification.change {
        Change::Add(values) | Change::Replace(values) => Some((&modification.attribute, values)),
        Change::Delete(_) => None,
    }
}

/// Who was to come and to go, to be looked up in.
struct Listed<'a> {
    members: &'a Members,
    came: HashSet<Cow<'a, [u8]>>,
    went: HashSet<Cow<'a, [u8]>>,
}

impl<'a> Listed<'a> {
    fn new(members: &'a Members, came: &'a [Vec<u8>], went: &'a [Vec<u8>]) -> Self {
        let all = |values: &'a [Vec<u8>]| values.iter().map(|value| form(members, value)).collect();
        Self { members, came: all(came), went: all(went) }
    }

    fn value(&self, dn: &Dn) -> Option<Vec<u8>> {
        member_value(self.members, dn)
    }

    fn comes(&self, dn: &Dn) -> bool {
        self.value(dn).is_some_and(|value| self.came.contains(&*form(self.members, &value)))
    }

    fn goes(&self, dn: &Dn) -> bool {
        self.value(dn).is_some_and(|value| self.went.contains(&*form(self.members, &value)))
    }

    fn takes_out(&self, moved: &Moved) -> bool {
        self.goes(&moved.old) || moved.names.iter().any(|name| self.goes(name))
    }

    /// What is left to do although all was done, when `moved` left their names: who was to come does so by the name of
    /// today, and who was to go goes by every name since.
    fn left_to_do(&self, moved: &[Moved]) -> MemberDelta {
        let mut rest = MemberDelta::default();
        for it in moved {
            if self.comes(&it.old) {
                rest.remove.extend(self.value(&it.old));
                rest.add.extend(it.now().and_then(|now| self.value(now)));
            } else if self.takes_out(it) {
                // A group that was to hold the new name had the old one taken out for it.
                rest.remove
                    .extend(it.names.iter().filter(|name| !self.comes(name)).filter_map(|name| self.value(name)));
            }
        }
        rest.remove.retain(|value| !rest.add.contains(value));
        for values in [&mut rest.add, &mut rest.remove] {
            values.sort_unstable();
            values.dedup();
        }
        rest
    }
}

/// The one form of a value that may be spelled in several.
fn form<'v>(members: &Members, value: &'v [u8]) -> Cow<'v, [u8]> {
    match members.name_attribute() {
        None => Cow::Owned(Dn::form_of_value(value)),
        Some(_) => Cow::Borrowed(value),
    }
}
