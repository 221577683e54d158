//! New resources.

use crate::directory::{self, AttributeName, Dn, Entry, FaultKind as Kind, Filter, Scope, Search, UnderWay};
use crate::mapping::{IdForm, InitialPassword, MemberChange, MemberDelta, NewEntry, ResourceMapping, Unique};
use crate::scim::{self, AttributePath, FaultKind, Resource};

use super::carrier::{Asked, Earlier, Headway};
use super::late::{Names, Written, is_final};
use super::membership::VALUES;
use super::unmet::LeftOut;
use super::write::ATTEMPTS;
use super::{Carrier, Fault, Receipt};

/// How many numbers behind a name are tried before nothing is free.
const NUMBERS: usize = 1000;
/// How many of them are asked about at once.
const NUMBERS_AT_ONCE: usize = 50;
/// How often a name that looked free may be taken by somebody else meanwhile.
const RACES: usize = 5;

/// An entry on its way into the directory.
#[derive(Clone)]
pub(super) struct Birth<'a> {
    pub mapping: &'a ResourceMapping,
    pub resource: &'a Resource,
    pub plan: NewEntry,
    /// What is read of the new entry in the same step.
    read_back: Vec<AttributeName>,
    /// The same intent was begun before, so an entry that is there may be its own.
    resumed: bool,
    /// An attempt of this very request was lost.
    unsure: bool,
    /// The number of each made-up value that was tried last.
    tried: usize,
    /// Whoever goes on with the intent must know that the entry is there, also before it has its password.
    progress: &'a Headway,
}

/// An entry that an intent has made.
pub(super) enum Made {
    /// Just now.
    New(Entry),
    /// In an attempt before, as far as that came.
    Earlier(Entry),
}

/// Why an entry was not added.
pub(super) enum Refusal {
    /// The server's own words.
    Raw(directory::Fault),
    /// What the client is told.
    Told(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Told(fault)
    }
}

/// Attributes with their values, as an add takes them.
pub(super) type Attributes = Vec<(AttributeName, Vec<Vec<u8>>)>;

impl Carrier {
    /// Creates an entry for `resource`: one LDAP operation, where the name alone guards against duplicates.
    ///
    /// `earlier.started` says that the same intent was begun before and that nobody knows how far it came. Then an
    /// entry of the planned name that holds everything as it is planned is the intent's own, and what is missing is
    /// done to it; any other entry stays somebody else's.
    pub(super) async fn create(
        &self,
        mapping: &ResourceMapping,
        resource: &Resource,
        earlier: &Earlier,
        asked: Asked<'_>,
    ) -> Result<Receipt, Fault> {
        let _turn = match mapping.unique {
            Unique::Naming => None,
            Unique::Search => Some(self.inner.locks.turn(mapping.unique_key(resource)).await),
        };
        for _ in 1..ATTEMPTS {
            let under_way = self.inner.target.under_way();
            let outcome = self.create_now(mapping, resource, earlier, asked, &under_way).await;
            if is_final(&outcome, &under_way) || earlier.progress.made.get().is_some() {
                return outcome;
            }
        }
        self.create_now(mapping, resource, earlier, asked, &self.inner.target.under_way()).await
    }

    async fn create_now(
        &self,
        mapping: &ResourceMapping,
        resource: &Resource,
        earlier: &Earlier,
        asked: Asked<'_>,
        under_way: &UnderWay,
    ) -> Result<Receipt, Fault> {
        let mentions = self.mentioned(mapping, resource, asked.left_out).await?;
        let mut plan = mapping.plan_create(resource, &mentions, self.mode(true))?;
        if mapping.id.form == IdForm::Writable {
            let id = earlier.id.clone().unwrap_or_else(|| mapping.id.mint());
            plan.attributes.push((mapping.id.attribute.clone(), vec![id.into_bytes()]));
        }
        self.may_stand(&plan.dn)?;
        let later = self.plan_first_members(mapping, resource, &mut plan, asked.left_out).await?;
        let own = earlier.started || self.inner.accounts.is_unfinished(&plan.dn);
        if mapping.unique == Unique::Search {
            self.refuse_duplicate(mapping, resource, own.then_some(&plan.dn)).await?;
        }
        let dn = plan.dn.clone();
        under_way.wait_for(&dn).await;
        self.touch_new(asked.touched, mapping, &plan);
        self.touch(asked.touched, &later);
        let blind = self.is_blind(asked);
        // What is finished step by step goes on from what is there.
        let at_once = plan.password.is_none() && mapping.initial_password != InitialPassword::Random;
        let brief = blind && at_once && plan.numbers.is_empty();
        let read_back = if brief { vec![mapping.id.attribute.clone()] } else { self.all_attributes(mapping) };
        let (names, listed) = (Written::names_in(mapping, &plan), first_members(mapping, &plan, &later));
        let birth = Birth::new(mapping, resource, (plan, read_back), earlier);
        let mut entry = self.add_numbered(birth).await?;
        if let (Some(members), false) = (&mapping.members, later.is_empty()) {
            let id = mapping.id.of(&entry).unwrap_or_default();
            let mut place = Self::place_at(mapping, &entry);
            let added = self.apply_delta(mapping, members, &mut place, &id, later).await;
            added.map_err(|fault| self.fault(fault))?;
            entry = self.entry_at(&dn, self.all_attributes(mapping)).await?;
        }
        let id = mapping.id.of(&entry).unwrap_or_default();
        let written = Written { mapping, id: &id, came: &listed, went: &[], entry: Some((&dn, Names::New(&names))) };
        if self.follow_late(written, asked, under_way).await? && !blind {
            entry = self.entry_at(&dn, self.all_attributes(mapping)).await?;
        }
        tracing::info!(entry = %entry.dn, "created");
        if blind {
            let mut resource = Resource::new();
            resource.set(&AttributePath::core("id"), mapping.read(&entry, self.dialect())?.id.into());
            return Ok(Receipt::Created(resource));
        }
        Ok(Receipt::Created(self.finish(mapping, entry, true).await?))
    }

    /// Gives a new group its members, as many as one request can hold; returns the others.
    pub(super) async fn plan_first_members(
        &self,
        mapping: &ResourceMapping,
        resource: &Resource,
        plan: &mut NewEntry,
        left_out: &LeftOut,
    ) -> Result<MemberDelta, Fault> {
        let Some(members) = &mapping.members else { return Ok(MemberDelta::default()) };
        let listed = MemberChange::of_resource(resource);
        let mut first = self.member_delta(members, None, &listed, left_out).await?.add;
        let add = first.split_off(first.len().min(VALUES));
        plan.attributes.extend(mapping.first_members(first, self.dialect()));
        Ok(MemberDelta { add, remove: Vec::new() })
    }

    /// Adds the entry with what `attributes` makes of the planned attributes.
    pub(super) async fn add(
        &self,
        birth: &mut Birth<'_>,
        attributes: &(dyn Fn(&NewEntry) -> Attributes + Sync),
    ) -> Result<Made, Refusal> {
        let made = self.try_to_add(birth, attributes).await?;
        let _ = birth.progress.made.set(());
        Ok(made)
    }

    async fn try_to_add(
        &self,
        birth: &mut Birth<'_>,
        attributes: &(dyn Fn(&NewEntry) -> Attributes + Sync),
    ) -> Result<Made, Refusal> {
        let read_back = birth.read_back.clone();
        let (mut lost, mut raced) = (0, 0);
        while lost < ATTEMPTS {
            match self.inner.target.add(&birth.plan.dn, &attributes(&birth.plan), &read_back).await {
                Ok(Some(entry)) => return Ok(Made::New(entry)),
                Ok(None) => return Ok(Made::New(self.entry_at(&birth.plan.dn, read_back).await?)),
                Err(fault) if self.gives_up(&fault) => return Err(Refusal::Raw(fault)),
                Err(fault) if fault.kind == Kind::UnknownOutcome => {
                    birth.unsure = true;
                    lost += 1;
                }
                Err(fault) if fault.is_uniqueness() => {
                    if let Some(entry) = self.earlier(birth).await? {
                        return Ok(Made::Earlier(entry));
                    }
                    raced += 1;
                    if raced > RACES {
                        return Err(Refusal::Raw(fault));
                    }
                    self.give_way(birth, &fault).await?;
                }
                Err(fault) => return Err(Refusal::Raw(fault)),
            }
        }
        Err(Refusal::Told(self.unsure()))
    }

    /// The entry of the planned name, if this intent itself made it: in an attempt whose answer was lost, or one that
    /// ended before the account was finished. Then it is as it was sent.
    async fn earlier(&self, birth: &Birth<'_>) -> Result<Option<Entry>, Fault> {
        let unfinished = self.inner.accounts.unfinished(&birth.plan.dn);
        if !(birth.unsure || birth.resumed || unfinished.is_some()) {
            return Ok(None);
        }
        let read = self.all_attributes(birth.mapping);
        let Some(entry) = self.look(&birth.plan.dn, read.clone()).await? else { return Ok(None) };
        let known = birth.unsure || birth.resumed || unfinished == birth.mapping.id.of(&entry);
        Ok((known && birth.is_as_planned(&entry, &read)).then_some(entry))
    }

    /// The entry at `dn`, if there is one.
    async fn look(&self, dn: &Dn, attributes: Vec<AttributeName>) -> Result<Option<Entry>, Fault> {
        let search = Search { base: dn.clone(), scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        match self.inner.target.search(&search).await {
            Ok(found) => Ok(found.into_iter().next()),
            Err(fault) if fault.kind == Kind::NotFound => Ok(None),
            Err(fault) => Err(self.fault(fault)),
        }
    }

    /// Something is taken. A value that the bridge made up gives way to the next one that is free; anything else the
    /// client has to choose anew.
    async fn give_way(&self, birth: &mut Birth<'_>, fault: &directory::Fault) -> Result<(), Fault> {
        let taken = fault.taken();
        let made_up = |name: &AttributeName| birth.plan.generated.iter().position(|made| made.attribute == *name);
        let at = match &taken {
            Some(name) => made_up(name),
            None if self.look(&birth.plan.dn, vec![birth.mapping.id.attribute.clone()]).await?.is_some() => {
                return Err(duplicate(birth.mapping, birth.resource, &birth.plan.dn));
            }
            None if birth.plan.generated.is_empty() => None,
            None => Some(0),
        };
        match (at, taken) {
            (Some(at), _) => self.renumber(birth, at).await,
            (None, Some(name)) => Err(birth.is_taken(&name)),
            (None, None) => Err(self.fault(fault.clone())),
        }
    }

    /// Puts the next number behind a made-up value that no entry of the directory has.
    async fn renumber(&self, birth: &mut Birth<'_>, at: usize) -> Result<(), Fault> {
        let Some(made) = birth.plan.generated.get(at).cloned() else { return Ok(()) };
        let attribute = &made.attribute;
        while birth.tried < NUMBERS {
            let numbers = birth.tried + 1..=birth.tried + NUMBERS_AT_ONCE;
            let candidates: Vec<(usize, String)> =
                numbers.filter_map(|number| Some((number, made.candidate(number)?))).collect();
            if candidates.is_empty() {
                break;
            }
            let filter = Filter::Or(candidates.iter().map(|(_, name)| Filter::equal(attribute, name)).collect());
            let (base, attributes) = (birth.mapping.root.clone(), vec![attribute.clone()]);
            let search = Search { base, scope: Scope::Sub, filter, attributes, size_limit: 0 };
            let found = self.inner.target.search(&search).await.map_err(|fault| self.fault(fault))?;
            let taken: Vec<String> =
                found.iter().filter_map(|entry| entry.text(attribute)).map(str::to_lowercase).collect();
            birth.tried += NUMBERS_AT_ONCE;
            if let Some((number, name)) = candidates.into_iter().find(|(_, name)| !taken.contains(&name.to_lowercase()))
            {
                birth.tried = number;
                tracing::debug!(%attribute, name, "made up another value, the first is taken");
                birth.set(attribute, &name);
                return Ok(());
            }
        }
        Err(birth.is_taken(attribute))
    }
}

impl<'a> Birth<'a> {
    /// Of an entry as it is planned; `earlier` says whether the same intent was begun before.
    pub fn new(
        mapping: &'a ResourceMapping,
        resource: &'a Resource,
        (plan, read_back): (NewEntry, Vec<AttributeName>),
        earlier: &'a Earlier,
    ) -> Self {
        let (resumed, progress) = (earlier.started, earlier.progress.as_ref());
        Self { mapping, resource, plan, read_back, resumed, unsure: false, tried: 1, progress }
    }

    fn set(&mut self, attribute: &AttributeName, value: &str) {
        for (name, values) in &mut self.plan.attributes {
            if name == attribute {
                *values = vec![value.as_bytes().to_vec()];
            }
        }
    }

    /// Whether the entry holds everything as it is planned, as far as the directory shows it. Whether the account is
    /// enabled is not compared: a new one may be unfinished. Nor is what a new attempt makes up anew.
    fn is_as_planned(&self, entry: &Entry, read: &[AttributeName]) -> bool {
        let account = self.mapping.disable.as_ref().and_then(crate::mapping::Disable::attribute);
        let made_up = |name: &AttributeName| {
            let id = self.resumed && *name == self.mapping.id.attribute;
            let number = self.plan.numbers.iter().any(|it| it.chosen.is_none() && it.attribute == *name);
            let generated = self.plan.generated.iter().any(|made| made.attribute == *name);
            id || number || generated || account.as_ref() == Some(name)
        };
        let compared = self.plan.attributes.iter().filter(|(name, _)| read.contains(name) && !made_up(name));
        compared.into_iter().all(|(name, values)| {
            let has = entry.values(name);
            let form = |value: &Vec<u8>| if self.holds_dns(name) { Dn::form_of_value(value) } else { value.clone() };
            let held: Vec<Vec<u8>> = has.iter().map(form).collect();
            has.len() == values.len() && values.iter().all(|value| held.contains(&form(value)))
        })
    }

    /// Whether the values are names of entries, which the server may spell in its own way.
    fn holds_dns(&self, name: &AttributeName) -> bool {
        self.mapping.rows.iter().any(|row| row.reference.is_some() && row.ldap == *name)
            || self.mapping.members.as_ref().is_some_and(|it| it.attribute == *name && it.name_attribute().is_none())
    }

    fn is_taken(&self, attribute: &AttributeName) -> Fault {
        let value = self.plan.attributes.iter().find(|(name, _)| name == attribute).and_then(|(_, it)| it.first());
        let value = value.map(|value| String::from_utf8_lossy(value)).unwrap_or_default();
        Fault::Request(scim::Fault::new(
            FaultKind::Uniqueness,
            format!("The {attribute} {value:?} is taken by another entry of the directory."),
        ))
    }
}

/// Everybody whom a new group gets as a member.
fn first_members(mapping: &ResourceMapping, plan: &NewEntry, later: &MemberDelta) -> Vec<Vec<u8>> {
    let Some(members) = &mapping.members else { return Vec::new() };
    let first = plan.attributes.iter().filter(|(name, _)| *name == members.attribute).flat_map(|(_, values)| values);
    first.chain(&later.add).cloned().collect()
}

pub(super) fn duplicate(mapping: &ResourceMapping, resource: &Resource, dn: &Dn) -> Fault {
    let name = mapping.unique_name();
    let value = resource.text(&AttributePath::core(name)).unwrap_or_default();
    Fault::Request(scim::Fault::new(
        FaultKind::Uniqueness,
        format!("The {name} {value:?} is taken: the directory has an entry {dn}."),
    ))
}
