//! Changes of resources that are there.

use std::sync::OnceLock;

use crate::directory::{self, AttributeName, Dn, Entry, FaultKind as Kind, Filter, Scope, Search, UnderWay};
use crate::mapping::{MemberDelta, ResourceMapping, Unique, Update, Wish};
use crate::scim::{self, FaultKind, Projection, Resource};

use super::carrier::Asked;
use super::change::Change;
use super::create::duplicate;
use super::late::{Names, Written, is_final};
use super::membership::Beside;
use super::tidy::following_itself;
use super::unmet::LeftOut;
use super::version::{check_version, unchanged};
use super::{Carrier, Fault, Receipt};

/// How often a change is planned anew because the entry moved on between reading and writing, or because it is not
/// known whether the last attempt was carried out.
pub(super) const ATTEMPTS: usize = 3;

/// One request to change a resource.
struct Request<'a> {
    mapping: &'a ResourceMapping,
    id: &'a str,
    change: &'a Change<'a>,
    delta: MemberDelta,
    asked: Asked<'a>,
    /// Tells whether the entry was changed between reading and writing.
    mark: Option<AttributeName>,
    /// Where the entry stood when the request began. A rename whose answer was lost is not planned again, but what
    /// refers to the old name still has to follow.
    home: &'a OnceLock<Dn>,
    /// Knows who leaves their name since the request began.
    under_way: &'a UnderWay,
}

impl Request<'_> {
    /// Who comes and who goes, of a group as it was read.
    fn delta_of(&self, entry: &Entry) -> MemberDelta {
        match &self.mapping.members {
            Some(members) if self.change.resets_members() => {
                members.delta(&members.take_values(&mut entry.clone()), self.delta.add.clone())
            }
            _ => self.delta.clone(),
        }
    }
}

impl Carrier {
    /// Changes a resource: read, compare, write only what differs. Members that come and go are not even read.
    pub(super) async fn update(
        &self,
        mapping: &ResourceMapping,
        id: &str,
        change: Change<'_>,
        asked: Asked<'_>,
    ) -> Result<Receipt, Fault> {
        let _turn = self.inner.locks.turn(id.to_owned()).await;
        let home = asked.home.cloned().map_or_else(OnceLock::new, OnceLock::from);
        for _ in 1..ATTEMPTS {
            let under_way = self.inner.target.under_way();
            let outcome = self.update_now(mapping, id, &change, asked, (&home, &under_way)).await.transpose();
            match outcome {
                Some(outcome) if is_final(&outcome, &under_way) => return outcome,
                None if !under_way.may_be_late() => return Err(self.unsure()),
                _ => {}
            }
        }
        let outcome = self.update_now(mapping, id, &change, asked, (&home, &self.inner.target.under_way())).await?;
        outcome.ok_or_else(|| self.unsure())
    }

    /// Looks up whom the change names, and makes it; `None` when the entry moved on each time that it was planned.
    async fn update_now(
        &self,
        mapping: &ResourceMapping,
        id: &str,
        change: &Change<'_>,
        asked: Asked<'_>,
        (home, under_way): (&OnceLock<Dn>, &UnderWay),
    ) -> Result<Option<Receipt>, Fault> {
        let delta = match (&mapping.members, &change.members) {
            (Some(members), Some(wanted)) => self.member_delta(members, Some(id), wanted, asked.left_out).await?,
            _ => MemberDelta::default(),
        };
        let plain = change.is_small() && asked.if_match.is_none() && !asked.answer;
        if let Some(members) = mapping.members.as_ref().filter(|_| plain) {
            self.touch(asked.touched, &delta);
            self.change_members(mapping, members, id, &delta, under_way).await?;
            let written = Written { mapping, id, came: &delta.add, went: &delta.remove, entry: None };
            self.follow_late(written, asked, under_way).await?;
            return Ok(Some(Receipt::Changed));
        }
        let mark = self.change_mark(asked.if_match).await;
        let request = Request { mapping, id, change, delta, asked, mark, home, under_way };
        for left in (0..ATTEMPTS).rev() {
            if let Some(receipt) = self.attempt(&request, left).await? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    /// One attempt at a change, with `left` more to come; `None` when it has to be planned anew, from what is there now:
    /// what a lost attempt did is then no longer different.
    async fn attempt(&self, request: &Request<'_>, left: usize) -> Result<Option<Receipt>, Fault> {
        let Request { mapping, id, change, asked, .. } = *request;
        let with_members = change.resets_members() || asked.if_match.is_some() || asked.answer;
        let mut attributes = if with_members { self.all_attributes(mapping) } else { self.without_members(mapping)? };
        attributes.extend(request.mark.clone());
        let entry = match self.entry_by_id(mapping, id, attributes.clone()).await {
            Ok(entry) => entry,
            Err(fault) => return self.missing(request, fault).await,
        };
        let mut place = Self::place_at(mapping, &entry);
        let before = self.before(mapping, &entry, asked).await?;
        check_version(&before, asked.if_match)?;
        // What nobody sees may have changed twice as well: then the last attempt is not bound to it.
        let bound = asked.if_match.is_some() && request.mark.is_none() && left > 0;
        let mut update = self.plan(mapping, &entry, &before, (change, asked.left_out), bound).await?;
        let home = request.home.get_or_init(|| entry.dn.clone());
        self.touch_update(asked.touched, mapping, &entry, &update).await?;
        if update.is_empty() && mapping.members.is_none() {
            self.tidy_names(Some(home), asked, Some((&entry.dn, &entry.dn))).await?;
            return Ok(Some(if asked.answer { Receipt::Updated(before) } else { Receipt::Changed }));
        }
        let delta = request.delta_of(&entry);
        if !update.is_empty() || !delta.is_empty() {
            self.may_change(&entry.dn, &update.renamed(&entry.dn)).await?;
        }
        self.touch(asked.touched, &delta);
        let now = update.renamed(&entry.dn);
        if update.rename.is_some() {
            request.under_way.wait_for(&now).await;
            asked.progress.leaves(home);
            request.under_way.announce(&entry.dn, Some(&now), asked.progress.kept());
        }
        let went = change.resets_members().then(|| delta.remove.clone());
        let unchanged = request.mark.as_ref().and_then(|mark| unchanged(&entry, mark));
        let read_back = if self.is_blind(asked) { &[] } else { &*attributes };
        let outcome = match mapping.members.as_ref().filter(|_| !delta.is_empty()) {
            Some(members) => {
                if !with_members {
                    let nobody = self.holds_nobody(mapping, members, &entry.dn).await;
                    place.nobody = nobody.map_err(|fault| self.fault(fault))?;
                }
                let read_back = if asked.answer { attributes.clone() } else { Vec::new() };
                let modifications = update.modifications.clone();
                let beside = Beside { modifications, read_back, assertion: unchanged, exchange: false };
                self.carry_out_together(mapping, members, &mut place, &update, (id, delta, beside)).await
            }
            None => self.carry_out_account(mapping, &entry, &mut update, read_back, unchanged).await,
        };
        match outcome {
            Ok(changed) => {
                self.tidy_names(Some(home), asked, Some((&entry.dn, &now))).await?;
                let changed = self.follow_update(request, &update, (&now, went), changed).await?;
                self.receipt(request, &update, entry, changed).await.map(Some)
            }
            Err(fault) => self.judge(mapping, fault, bound).map(|()| None),
        }
    }

    /// Whether a change that failed is to be planned anew.
    fn judge(&self, mapping: &ResourceMapping, fault: directory::Fault, bound: bool) -> Result<(), Fault> {
        if !self.gives_up(&fault) && (moved_on(&fault) || (bound && self.is_there_or_gone(&fault))) {
            tracing::debug!(%fault, "the entry moved on, planning again");
            return Ok(());
        }
        Err(if fault.is_uniqueness() { taken(mapping, &fault) } else { self.fault(fault) })
    }

    /// Whoever left a name that was just written into the entry at `now` is followed. `went`: the members who were taken out,
    /// where it is not as the client said. Returns `changed`, if it is still as the entry is.
    async fn follow_update(
        &self,
        request: &Request<'_>,
        update: &Update,
        (now, went): (&Dn, Option<Vec<Vec<u8>>>),
        changed: Option<Entry>,
    ) -> Result<Option<Entry>, Fault> {
        let Request { mapping, id, asked, under_way, .. } = *request;
        // All who were to be in count, for an attempt that was lost may have written them.
        let (came, went) = (&request.delta.add, went.as_ref().unwrap_or(&request.delta.remove));
        let entry = Some((now, Names::Changed(&update.modifications)));
        let late = self.follow_late(Written { mapping, id, came, went, entry }, asked, under_way).await?;
        Ok(changed.filter(|_| !late))
    }

    /// The entry is not there. Who asks for nothing of it minds what referred to it.
    async fn missing(&self, request: &Request<'_>, fault: Fault) -> Result<Option<Receipt>, Fault> {
        let Request { mapping, id, change, asked, .. } = *request;
        if !matches!(fault, Fault::NotFound { .. }) || !change.is_nothing() || asked.home.is_none() {
            return Err(self.fault_of_body(mapping, change).unwrap_or(fault));
        }
        self.tidy_names(asked.home, asked, None).await?;
        if let Some(home) = asked.home {
            // It may be kept elsewhere, and a server with referential integrity has let references follow.
            self.tidy_gone(mapping, id, home).await.map_err(|fault| self.fault(fault))?;
        }
        Ok(Some(Receipt::Changed))
    }

    async fn receipt(
        &self,
        request: &Request<'_>,
        update: &Update,
        entry: Entry,
        changed: Option<Entry>,
    ) -> Result<Receipt, Fault> {
        let mapping = request.mapping;
        if !update.is_empty() {
            tracing::info!(entry = %entry.dn, "changed");
        }
        if !request.asked.answer {
            return Ok(Receipt::Changed);
        }
        let entry = match changed {
            Some(changed) => following_itself(mapping, changed, &entry.dn),
            None if update.is_empty() && request.change.members.is_none() => entry,
            None => self.entry_at(&update.renamed(&entry.dn), self.all_attributes(mapping)).await?,
        };
        Ok(Receipt::Updated(self.finish(mapping, entry, true).await?))
    }

    pub(super) fn all_attributes(&self, mapping: &ResourceMapping) -> Vec<AttributeName> {
        mapping.attributes(self.dialect(), &Projection::default())
    }

    fn without_members(&self, mapping: &ResourceMapping) -> Result<Vec<AttributeName>, Fault> {
        let projection = Projection::new(None, Some("members"), &mapping.schema)?;
        let mut attributes = mapping.attributes(self.dialect(), &projection);
        // Of the members only the one who stands for nobody may matter, and it is asked about by itself then.
        attributes.retain(|name| mapping.members.as_ref().is_none_or(|members| members.attribute != *name));
        Ok(attributes)
    }

    async fn plan(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        before: &Resource,
        (change, left_out): (&Change<'_>, &LeftOut),
        bound: bool,
    ) -> Result<Update, Fault> {
        let (after, is_patch) = change.wanted(mapping, before)?;
        let mentions = self.mentioned(mapping, &after, left_out).await?;
        if mapping.unique == Unique::Search && mapping.unique_key(before) != mapping.unique_key(&after) {
            self.refuse_duplicate(mapping, &after, None).await?;
        }
        let (mode, dialect) = (self.mode(false), self.dialect());
        let wish = Wish { before, after: &after, is_patch, mentions: &mentions, mode, dialect };
        let mut update = mapping.plan_update(entry, &wish)?;
        if bound {
            mapping.bind(&mut update, entry);
        }
        Ok(update)
    }

    /// A fault in a replace that shows without the entry: it is told before an unknown id is.
    pub(super) fn fault_of_body(&self, mapping: &ResourceMapping, change: &Change<'_>) -> Option<Fault> {
        let resource = change.replaced()?;
        mapping.check(resource, self.mode(false)).err().map(Fault::from)
    }

    /// Refuses a resource whose unique name another entry has; `own` is the name of an entry that may be its own.
    pub(super) async fn refuse_duplicate(
        &self,
        mapping: &ResourceMapping,
        resource: &Resource,
        own: Option<&Dn>,
    ) -> Result<(), Fault> {
        let Some(filter) = mapping.unique_filter(resource) else { return Ok(()) };
        let found = self.find(mapping, filter, vec![mapping.id.attribute.clone()]).await?;
        let other = found.iter().find(|entry| Some(&entry.dn) != own);
        other.map_or(Ok(()), |entry| Err(duplicate(mapping, resource, &entry.dn)))
    }

    pub(super) async fn entry_at(&self, dn: &Dn, attributes: Vec<AttributeName>) -> Result<Entry, Fault> {
        self.search_entry(dn, attributes).await.map_err(|fault| self.fault(fault))
    }

    pub(super) async fn search_entry(
        &self,
        dn: &Dn,
        attributes: Vec<AttributeName>,
    ) -> Result<Entry, directory::Fault> {
        let search = Search { base: dn.clone(), scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        let found = self.inner.target.search(&search).await?;
        found.into_iter().next().ok_or_else(|| vanished(dn))
    }

    pub(super) fn unsure(&self) -> Fault {
        Fault::Unavailable {
            detail: "The directory did not say whether the change was carried out. Ask again: what is already done \
                     is not done twice."
                .to_owned(),
            retry_after: self.inner.policy.retry_after,
        }
    }
}

fn taken(mapping: &ResourceMapping, fault: &directory::Fault) -> Fault {
    let what = fault.taken().map_or_else(|| mapping.unique_name().to_owned(), |attribute| attribute.to_string());
    Fault::Request(scim::Fault::new(
        FaultKind::Uniqueness,
        format!("Another entry of the directory already has this {what}: {fault}"),
    ))
}

fn vanished(dn: &Dn) -> directory::Fault {
    directory::Fault::new(Kind::NotFound, format!("the entry {dn} is gone"))
}

/// Faults that mean: what was read is no longer what is there, or it is not known.
pub(super) fn moved_on(fault: &directory::Fault) -> bool {
    matches!(
        fault.kind,
        Kind::NoSuchValue | Kind::ValueExists | Kind::NotFound | Kind::UnknownOutcome | Kind::AssertionFailed
    )
}
