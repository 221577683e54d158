//! Changes of the members of groups that cost the same in a small group and in a large one.
//!
//! A change that names who comes and who goes is sent without reading the members. Only where the server says that a
//! value is there already, or not there, each of the values is asked about and the change is cut down to what is left
//! to do: so a repeated change is no change, on servers with and without the permissive modify control.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::directory::{
    self, AttributeName, Dn, Entry, FaultKind as Kind, Filter, Modification, ModifyOptions, Scope, Search, UnderWay,
};
use crate::mapping::{MemberDelta, Members, ResourceMapping};

use super::places::Place;
use super::references::SIDE_BY_SIDE;
use super::{Carrier, Fault};

/// Values in one modify: servers limit the size of a request.
pub(super) const VALUES: usize = 5000;
/// How often a change is cut down because others change the same group.
const ROUNDS: usize = 8;

/// What goes along with a change of members, in one and the same modify.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    /// Changes of other attributes of the group.
    pub modifications: Vec<Modification>,
    /// Attributes of the group to return as they are afterwards.
    pub read_back: Vec<AttributeName>,
    /// Holds as long as the group is as it was read.
    pub assertion: Option<Filter>,
    /// Who comes does so only in the place of who goes.
    pub exchange: bool,
}

impl Carrier {
    /// Changes the members of the group with this id and nothing else, without reading them.
    pub(super) async fn change_members(
        &self,
        mapping: &ResourceMapping,
        members: &Members,
        id: &str,
        delta: &MemberDelta,
        under_way: &UnderWay,
    ) -> Result<(), Fault> {
        let mut place = match self.inner.places.get(id).filter(|_| self.dialect().assertion) {
            Some(place) => place,
            None => self.place_of(mapping, members, id).await?,
        };
        for _ in 0..ROUNDS {
            match self.may_write(&place.dn).await {
                Err(_) if place.remembered => {
                    self.inner.places.forget(id);
                    place = self.place_of(mapping, members, id).await?;
                    continue;
                }
                other => other?,
            }
            match self.apply_delta(mapping, members, &mut place, id, delta.clone()).await {
                Ok(changed) => {
                    self.inner.places.note(id, &place);
                    tracing::info!(entry = %place.dn, changed, "members");
                    return Ok(());
                }
                Err(fault) if self.gives_up(&fault) => return Err(self.fault(fault)),
                // A member is elsewhere, for all that is known, and some servers let nobody in who is not there.
                Err(fault) if fault.kind == Kind::NotFound && !place.remembered && under_way.may_be_late() => {
                    return Err(self.fault(fault));
                }
                // The group is elsewhere by now, or it is another one.
                Err(fault) if matches!(fault.kind, Kind::AssertionFailed | Kind::NotFound | Kind::UnknownOutcome) => {
                    self.inner.places.forget(id);
                    place = self.place_of(mapping, members, id).await?;
                }
                Err(fault) => return Err(self.fault(fault)),
            }
        }
        Err(self.unsure())
    }

    async fn place_of(&self, mapping: &ResourceMapping, members: &Members, id: &str) -> Result<Place, Fault> {
        let entry = self.entry_by_id(mapping, id, vec![mapping.id.attribute.clone()]).await?;
        let nobody = self.holds_nobody(mapping, members, &entry.dn).await.map_err(|fault| self.fault(fault))?;
        Ok(Place { dn: entry.dn, nobody, remembered: false })
    }

    /// Whether the group at `dn` holds the value that stands for nobody; asked where its members were not read.
    pub(super) async fn holds_nobody(
        &self,
        mapping: &ResourceMapping,
        members: &Members,
        dn: &Dn,
    ) -> Result<bool, directory::Fault> {
        Ok(mapping.needs_a_member(self.dialect())
            && self.has_member(members, dn, members.placeholder.as_bytes()).await?)
    }

    /// Brings a group from holding or not holding single values to holding what `delta` says. Returns whether
    /// anything had to change.
    pub(super) async fn apply_delta(
        &self,
        mapping: &ResourceMapping,
        members: &Members,
        place: &mut Place,
        id: &str,
        mut delta: MemberDelta,
    ) -> Result<bool, directory::Fault> {
        let mut changed = false;
        while !delta.is_empty() {
            let rest = split(&mut delta);
            changed |= self.apply_part(mapping, members, place, id, delta, &Beside::default()).await?.is_some();
            delta = rest;
        }
        Ok(changed)
    }

    /// The same together with changes of other attributes: both are done, or none is, as far as one request can hold
    /// all of it. Returns the group as it is now, where the server told in the same step.
    pub(super) async fn apply_together(
        &self,
        mapping: &ResourceMapping,
        members: &Members,
        place: &mut Place,
        id: &str,
        (mut delta, mut beside): (MemberDelta, Beside),
    ) -> Result<Option<Entry>, directory::Fault> {
        let rest = split(&mut delta);
        if !rest.is_empty() {
            beside.read_back.clear();
        }
        let entry = self.apply_part(mapping, members, place, id, delta, &beside).await?.flatten();
        self.apply_delta(mapping, members, place, id, rest).await?;
        Ok(entry)
    }

    /// Puts who comes in the place of who goes, if that one is still a member.
    pub(super) async fn exchange_member(
        &self,
        mapping: &ResourceMapping,
        members: &Members,
        place: &mut Place,
        id: &str,
        delta: MemberDelta,
    ) -> Result<(), directory::Fault> {
        let beside = Beside { exchange: true, ..Beside::default() };
        self.apply_part(mapping, members, place, id, delta, &beside).await.map(drop)
    }

    /// One modify, made smaller as long as the server says that parts of it are done already. `None`: all was.
    async fn apply_part(
        &self,
        mapping: &ResourceMapping,
        members: &Members,
        place: &mut Place,
        id: &str,
        mut delta: MemberDelta,
        beside: &Beside,
    ) -> Result<Option<Option<Entry>>, directory::Fault> {
        let mut empties = false;
        for _ in 0..ROUNDS {
            let modifications = together(members, place, &delta, empties, beside);
            let expected = self.as_expected(mapping, members, place, (id, !delta.add.is_empty()));
            let assertion = both(beside.assertion.clone(), expected);
            let options = ModifyOptions { read_back: beside.read_back.clone(), assertion, permissive: false };
            match self.inner.target.modify(&place.dn, &modifications, &options).await {
                Ok(entry) => {
                    place.nobody = empties || (place.nobody && delta.add.is_empty());
                    if empties {
                        self.leave_alone(members, place).await?;
                    }
                    return Ok(Some(entry));
                }
                // The last member goes: the one who stands for nobody takes the place.
                Err(fault) if fault.kind == Kind::ObjectClass && mapping.needs_a_member(self.dialect()) && !empties => {
                    empties = delta.add.is_empty() && !delta.is_empty();
                    if !empties {
                        return Err(fault);
                    }
                }
                // Somebody else took the last member out meanwhile.
                Err(fault) if fault.kind == Kind::AssertionFailed && !place.nobody => {
                    place.nobody = self.holds_nobody(mapping, members, &place.dn).await?;
                    // He may have come and gone; anything else that did not hold is for whoever asked for it.
                    if !place.nobody && (place.remembered || beside.assertion.is_some()) {
                        return Err(fault);
                    }
                }
                Err(fault) if self.is_there_or_gone(&fault) => {
                    empties = false;
                    place.nobody = self.holds_nobody(mapping, members, &place.dn).await?;
                    let mut left = self.cut_down(members, &place.dn, delta.clone()).await?;
                    if beside.exchange && left.remove.is_empty() {
                        left.add.clear();
                    }
                    if left.is_empty() && beside.modifications.is_empty() {
                        return Ok(None);
                    }
                    if left == delta && !beside.modifications.is_empty() {
                        // It is not about the members.
                        return Err(fault);
                    }
                    delta = left;
                }
                Err(fault) => return Err(fault),
            }
        }
        Err(directory::Fault::new(Kind::Busy, "the members of the group change faster than they can be compared"))
    }

    /// What must be true of the entry: where its place was only remembered, that it is the same group; where somebody
    /// is to come, that the one who stands for nobody did not come meanwhile, for nobody would take him out.
    fn as_expected(
        &self,
        mapping: &ResourceMapping,
        members: &Members,
        place: &Place,
        (id, adds): (&str, bool),
    ) -> Option<Filter> {
        let same = mapping.id.filter(id).filter(|_| place.remembered);
        let dialect = self.dialect();
        let could_come = mapping.needs_a_member(dialect) && dialect.assertion && !place.nobody && adds;
        let nobody = Filter::Equal(members.attribute.clone(), members.placeholder.clone().into_bytes());
        both(same, could_come.then(|| Filter::Not(Box::new(nobody))))
    }

    /// Takes out the one who stands for nobody again if somebody came in the same moment.
    async fn leave_alone(&self, members: &Members, place: &mut Place) -> Result<(), directory::Fault> {
        let attributes = vec![members.attribute.clone()];
        let base = place.dn.clone();
        let search = Search { base, scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        let found = self.inner.target.search(&search).await?;
        if found.iter().all(|entry| entry.values(&members.attribute).len() < 2) {
            return Ok(());
        }
        let modifications = members.modifications(Vec::new(), vec![members.placeholder.clone().into_bytes()]);
        match self.inner.target.modify(&place.dn, &modifications, &ModifyOptions::default()).await {
            Ok(_) => place.nobody = false,
            // They are gone as well by now, or took him out themselves.
            Err(fault) if fault.kind == Kind::ObjectClass || self.is_there_or_gone(&fault) => {}
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    pub(super) fn is_there_or_gone(&self, fault: &directory::Fault) -> bool {
        let dialect = self.dialect();
        fault.code.is_some_and(|code| dialect.value_there.contains(&code) || dialect.value_gone.contains(&code))
    }

    /// `delta` without the values that are as they should be.
    async fn cut_down(&self, members: &Members, dn: &Dn, delta: MemberDelta) -> Result<MemberDelta, directory::Fault> {
        let add = self.sift(members, dn, delta.add, false).await?;
        let add = self.besides_primary(dn, add, &delta.remove).await?;
        let remove = self.sift(members, dn, delta.remove, true).await?;
        Ok(MemberDelta { add, remove })
    }

    /// Those of `values` that the group holds, or does not hold.
    async fn sift(
        &self,
        members: &Members,
        dn: &Dn,
        values: Vec<Vec<u8>>,
        held: bool,
    ) -> Result<Vec<Vec<u8>>, directory::Fault> {
        let sifted: Vec<Option<Vec<u8>>> = stream::iter(values)
            .map(|value| async move {
                let has = self.has_member(members, dn, &value).await?;
                Ok::<_, directory::Fault>((has == held).then_some(value))
            })
            .buffered(SIDE_BY_SIDE * 2)
            .try_collect()
            .await?;
        Ok(sifted.into_iter().flatten().collect())
    }

    async fn has_member(&self, members: &Members, dn: &Dn, value: &[u8]) -> Result<bool, directory::Fault> {
        let filter = Filter::Equal(members.attribute.clone(), value.to_vec());
        let attributes = vec![directory::AttributeName::NONE];
        let search = Search { base: dn.clone(), scope: Scope::Base, filter, attributes, size_limit: 0 };
        Ok(!self.inner.target.search(&search).await?.is_empty())
    }
}

/// The modify that makes `delta` and what goes along with it true, where the group holds nobody or somebody.
fn together(
    members: &Members,
    place: &Place,
    delta: &MemberDelta,
    empties: bool,
    beside: &Beside,
) -> Vec<Modification> {
    let nobody = members.placeholder.as_bytes();
    let (mut add, mut remove) = (delta.add.clone(), delta.remove.clone());
    if empties {
        add.push(nobody.to_vec());
    } else if place.nobody && !add.is_empty() {
        remove.push(nobody.to_vec());
    }
    let mut modifications = beside.modifications.clone();
    modifications.extend(members.modifications(add, remove));
    modifications
}

/// What holds where both hold.
fn both(one: Option<Filter>, other: Option<Filter>) -> Option<Filter> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Filter::And(vec![one, other])),
        (one, other) => one.or(other),
    }
}

/// Cuts what fits into one request off the front of `delta`; returns the rest.
fn split(delta: &mut MemberDelta) -> MemberDelta {
    let remove = delta.remove.split_off(delta.remove.len().min(VALUES));
    let room = VALUES.saturating_sub(delta.remove.len());
    let add = delta.add.split_off(delta.add.len().min(room));
    MemberDelta { add, remove }
}
