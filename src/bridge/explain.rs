//! What an intent would do, without doing it.

use std::collections::HashSet;

use crate::directory::ldif::Ldif;
use crate::directory::{Dn, Entry, FaultKind, Filter, Modification, Scope, Search};
use crate::mapping::{
    Delete, InitialPassword, MemberChange, MemberDelta, Members, Mentions, NewEntry, ResourceMapping, Step, Unique,
    Wish,
};
use crate::scim::Resource;

use super::change::Change;
use super::create::duplicate;
use super::numbers::Given;
use super::unmet::LeftOut;
use super::{Action, Carrier, Fault, Intent};

/// What an intent would do.
#[derive(Debug, Default)]
pub struct Explanation {
    /// What each row of the table makes of the resource.
    pub steps: Vec<Step>,
    /// What would be sent to the directory; empty: nothing would change.
    pub ldif: String,
    /// Why nothing would be sent.
    pub fault: Option<Fault>,
    /// Why the directory could not be asked; what references mean, and whether names are taken, is not known then.
    pub unasked: Option<String>,
}

impl Carrier {
    /// Plans `intent` and tells the plan. The directory is read where the plan needs it, and never written.
    pub async fn explain(&self, intent: Intent) -> Result<Explanation, Fault> {
        let mapping = self.mapping(intent.kind)?;
        match intent.action {
            Action::Create(resource) => Ok(self.explain_create(mapping, &resource).await),
            Action::Replace { id, resource } => {
                self.explain_update(mapping, &id, Change::replace(mapping, &resource)).await
            }
            Action::Patch { id, patch } => {
                let patch = self.spelt_out(mapping, &id, &patch).await?;
                self.explain_update(mapping, &id, Change::patch(mapping, &patch)?).await
            }
            Action::Delete { id } => {
                let entry = self.entry_by_id(mapping, &id, self.all_attributes(mapping)).await?;
                let mut told = Explanation::default();
                let may = self.may_remove(mapping, &entry).await;
                told.take(may.map(|()| removal(mapping, &entry)));
                Ok(told)
            }
        }
    }

    async fn explain_create(&self, mapping: &ResourceMapping, resource: &Resource) -> Explanation {
        let mut told = Explanation::default();
        let mentions = self.looked_up(mapping, resource, &mut told).await;
        told.steps = mapping.explain(resource, &mentions, self.mode(true));
        if told.fault.is_none() {
            let ldif = self.ldif_of_create(mapping, resource, &mentions, &mut told).await;
            told.take(ldif);
        }
        told
    }

    async fn ldif_of_create(
        &self,
        mapping: &ResourceMapping,
        resource: &Resource,
        mentions: &Mentions,
        told: &mut Explanation,
    ) -> Result<String, Fault> {
        let mut plan = mapping.plan_create(resource, mentions, self.mode(true))?;
        self.may_stand(&plan.dn)?;
        let mut later = MemberDelta::default();
        if let Some(members) = &mapping.members {
            let asked = MemberChange::of_resource(resource).add.len();
            let first = self.plan_first_members(mapping, resource, &mut plan, &LeftOut::default()).await;
            let known = first.is_ok();
            later = told.unless_away(first)?.unwrap_or_default();
            if !known {
                plan.attributes.extend(mapping.first_members(Vec::new(), self.dialect()));
            }
            told.steps.extend(members_step(members, asked, known));
        }
        let numbers = self.number(&mut plan).await.map(|given| given.into_iter().for_each(Given::give_back));
        told.unless_away(numbers)?;
        let free = self.free(mapping, resource, &plan.dn).await;
        told.unless_away(free)?;
        let mut ldif = first_password(mapping, &plan);
        if let (Some(members), false) = (&mapping.members, later.is_empty()) {
            ldif = ldif.modify(&plan.dn, &members.modifications(later.add, later.remove));
        }
        Ok(ldif.into_text())
    }

    async fn explain_update(
        &self,
        mapping: &ResourceMapping,
        id: &str,
        change: Change<'_>,
    ) -> Result<Explanation, Fault> {
        let delta = match (&mapping.members, &change.members) {
            (Some(members), Some(asked)) => self.member_delta(members, Some(id), asked, &LeftOut::default()).await?,
            _ => MemberDelta::default(),
        };
        let entry = match self.entry_by_id(mapping, id, self.all_attributes(mapping)).await {
            Ok(entry) => entry,
            Err(fault) => return Err(self.fault_of_body(mapping, &change).unwrap_or(fault)),
        };
        let before = self.finish(mapping, entry.clone(), false).await?;
        let (after, is_patch) = change.wanted(mapping, &before)?;
        let (mut told, mode) = (Explanation::default(), self.mode(false));
        let mentions = self.looked_up(mapping, &after, &mut told).await;
        told.steps = mapping.explain(&after, &mentions, mode);
        if is_patch {
            mark_untouched(&mut told.steps, &mapping.explain(&before, &mentions, mode));
        }
        let mut coming_and_going = Vec::new();
        if let Some(members) = mapping.members.as_ref().filter(|_| change.members.is_some()) {
            coming_and_going = self.member_modifications(mapping, members, &entry, &change, delta);
            told.steps.push(members_change_step(members, &coming_and_going));
        }
        if told.fault.is_none() {
            let wish =
                Wish { before: &before, after: &after, is_patch, mentions: &mentions, mode, dialect: self.dialect() };
            let ldif = self.ldif_of_update(mapping, &entry, &wish, coming_and_going).await;
            told.take(ldif);
        }
        Ok(told)
    }

    async fn ldif_of_update(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        wish: &Wish<'_>,
        members: Vec<Modification>,
    ) -> Result<String, Fault> {
        let mut update = mapping.plan_update(entry, wish)?;
        let now = update.renamed(&entry.dn);
        if !update.is_empty() || !members.is_empty() {
            self.may_change(&entry.dn, &now).await?;
        }
        if now != entry.dn {
            self.free(mapping, wish.after, &now).await?;
        }
        update.modifications.extend(members);
        Ok(update.to_ldif(&entry.dn))
    }

    /// References as they can be found now. Without the directory they stay unknown, and the rest can still be told.
    async fn looked_up(&self, mapping: &ResourceMapping, resource: &Resource, told: &mut Explanation) -> Mentions {
        let found = self.mentioned(mapping, resource, &LeftOut::default()).await;
        match told.unless_away(found) {
            Ok(Some(mentions)) => mentions,
            Ok(None) => Mentions::unasked(),
            Err(fault) => {
                told.fault = Some(fault);
                Mentions::default()
            }
        }
    }

    /// The modification of the member attribute that `delta` comes down to for `entry`.
    fn member_modifications(
        &self,
        mapping: &ResourceMapping,
        members: &Members,
        entry: &Entry,
        change: &Change<'_>,
        delta: MemberDelta,
    ) -> Vec<Modification> {
        let had_nobody = members.holds_nobody(entry);
        let current = members.take_values(&mut entry.clone());
        let mut delta = if change.resets_members() {
            members.delta(&current, delta.add)
        } else {
            let held: HashSet<Result<Dn, Vec<u8>>> = current.iter().map(|value| comparable(value)).collect();
            let MemberDelta { mut add, mut remove } = delta;
            add.retain(|value| !held.contains(&comparable(value)));
            remove.retain(|value| held.contains(&comparable(value)));
            MemberDelta { add, remove }
        };
        delta.add.sort();
        let nobody = members.placeholder.clone().into_bytes();
        if had_nobody && !delta.add.is_empty() {
            delta.remove.push(nobody);
        } else if mapping.needs_a_member(self.dialect())
            && !delta.remove.is_empty()
            && delta.add.is_empty()
            && delta.remove.len() == current.len()
        {
            delta.add.push(nobody);
        }
        members.modifications(delta.add, delta.remove)
    }

    /// A fault when the name that the entry would get is taken.
    async fn free(&self, mapping: &ResourceMapping, resource: &Resource, dn: &Dn) -> Result<(), Fault> {
        if mapping.unique == Unique::Search {
            self.refuse_duplicate(mapping, resource, None).await?;
        }
        let attributes = vec![mapping.id.attribute.clone()];
        let search = Search { base: dn.clone(), scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        match self.inner.target.search(&search).await {
            Ok(found) if found.is_empty() => Ok(()),
            Ok(_) => Err(duplicate(mapping, resource, dn)),
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
            Err(fault) => Err(self.fault(fault)),
        }
    }
}

impl Explanation {
    /// That the directory says nothing is no fault of the intent: it is noted, and there is no answer.
    fn unless_away<T>(&mut self, answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Fault::Unavailable { detail, .. }) => {
                self.unasked = Some(detail);
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    fn take(&mut self, ldif: Result<String, Fault>) {
        match ldif {
            Ok(ldif) => self.ldif = ldif,
            Err(fault) => self.fault = Some(fault),
        }
    }
}

/// The add as it is sent for an account that may not be enabled without a password.
fn first_password(mapping: &ResourceMapping, plan: &NewEntry) -> Ldif {
    match mapping.initial_password {
        InitialPassword::Random if plan.password.is_none() => {
            plan.to_ldif().comment("a random password is set as well, so that the account can be enabled")
        }
        InitialPassword::Missing if plan.password.is_none() => {
            let disabled = mapping.held_back(&plan.attributes);
            Ldif::default().add(&plan.dn, &disabled).comment("the account has no password and stays disabled")
        }
        _ => plan.to_ldif(),
    }
}

/// A row whose value a patch leaves as it was is left alone.
fn mark_untouched(steps: &mut [Step], before: &[Step]) {
    for (step, old) in steps.iter_mut().zip(before) {
        if step.place == old.place && step.outcome == old.outcome && !step.refused {
            "not touched by the patch".clone_into(&mut step.outcome);
        }
    }
}

fn members_step(members: &Members, count: usize, known: bool) -> Option<Step> {
    let outcome = match (count, known) {
        (0, _) => return None,
        (count, false) => format!("{count} named, unknown: the directory can't be asked"),
        (1, true) => "1 member".to_owned(),
        (count, true) => format!("{count} members"),
    };
    Some(about_members(members, outcome))
}

fn members_change_step(members: &Members, modifications: &[Modification]) -> Step {
    use crate::directory::Change;
    let is_somebody = |value: &&Vec<u8>| **value != members.placeholder.as_bytes();
    let (mut come, mut go) = (0, 0);
    for Modification { change, .. } in modifications {
        match change {
            Change::Add(values) => come += values.iter().filter(is_somebody).count(),
            Change::Delete(values) => go += values.iter().filter(is_somebody).count(),
            Change::Replace(_) => {}
        }
    }
    let outcome = if come + go == 0 { "no change".to_owned() } else { format!("{come} come, {go} go") };
    about_members(members, outcome)
}

fn about_members(members: &Members, outcome: String) -> Step {
    let (place, ldap) = (members.place.clone(), members.attribute.to_string());
    Step { place, scim: "members".to_owned(), ldap, outcome, refused: false }
}

/// A value of the member attribute so that those are equal that the directory takes for equal.
fn comparable(value: &[u8]) -> Result<Dn, Vec<u8>> {
    let text = std::str::from_utf8(value).map_err(|_| value.to_vec())?;
    Dn::parse(text).map_err(|_| text.to_lowercase().into_bytes())
}

fn removal(mapping: &ResourceMapping, entry: &Entry) -> String {
    match &mapping.delete {
        Delete::Delete => Ldif::default().delete(&entry.dn).into_text(),
        Delete::Disable => mapping.plan_disable(entry).to_ldif(&entry.dn),
        Delete::MoveTo(container) => moved(&entry.dn, container),
    }
}

fn moved(dn: &Dn, container: &Dn) -> String {
    dn.rdn().map(|rdn| Ldif::default().rename(dn, &rdn, Some(container)).into_text()).unwrap_or_default()
}
