//! What an intent would do, without doing it.

use crate::directory::ldif::Ldif;
use crate::directory::{Dn, Entry, Filter, Modification, Scope, Search};
use crate::mapping::{Delete, MemberChange, MemberDelta, Members, Mentions, ResourceMapping, Step, Unique, Wish};
use crate::scim::{Projection, Resource};

use super::write::Change;
use super::{Action, Bridge, Fault, Intent};

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

/// What is known about the references of a resource.
struct LookedUp {
    mentions: Mentions,
    /// Why the intent would be refused because of them.
    fault: Option<Fault>,
    unasked: Option<String>,
}

impl Bridge {
    /// Plans `intent` and tells the plan. The directory is read where the plan needs it, and never written.
    pub async fn explain(&self, intent: Intent) -> Result<Explanation, Fault> {
        let mapping = self.mapping(intent.kind)?;
        let (id, change) = match intent.action {
            Action::Create(resource) => return Ok(self.explain_create(mapping, &resource).await),
            Action::Replace { id, resource } => (id, Change::replace(mapping, resource)),
            Action::Patch { id, patch } => (id, Change::patch(mapping, patch)?),
            Action::Delete { id } => {
                let (entry, _) = self.as_it_is(mapping, &id).await?;
                return Ok(Explanation { ldif: removal(mapping, &entry), ..Explanation::default() });
            }
        };
        // As in an update: a fault of the body is told before an unknown id is.
        let known = self.as_it_is(mapping, &id).await;
        let (entry, before) = known.map_err(|fault| self.fault_of_body(mapping, &change).unwrap_or(fault))?;
        let (after, is_patch) = change.wanted(mapping, &before)?;
        let mut explanation = self.explain_update(mapping, &entry, &before, &after, is_patch).await;
        if let (Some(members), Some(asked)) = (&mapping.members, &change.members) {
            let delta = self.member_delta(members, Some(&id), asked).await;
            let delta = delta.map(|delta| {
                let current = members.take_values(&mut entry.clone());
                if asked.reset { members.delta(&current, delta.add) } else { delta }
            });
            explanation.add_members(members, asked, delta.as_ref());
            if let Ok(delta) = delta {
                let modifications = members.modifications(delta.add, delta.remove);
                explanation.append(&entry.dn, &modifications);
            }
        }
        Ok(explanation)
    }

    async fn as_it_is(&self, mapping: &ResourceMapping, id: &str) -> Result<(Entry, Resource), Fault> {
        let attributes = mapping.attributes(self.dialect(), &Projection::default());
        let entry = self.entry_by_id(mapping, id, attributes).await?;
        let before = self.finish(mapping, entry.clone(), false).await?;
        Ok((entry, before))
    }

    async fn explain_create(&self, mapping: &ResourceMapping, resource: &Resource) -> Explanation {
        let LookedUp { mentions, fault, unasked } = self.looked_up(mapping, resource).await;
        let steps = mapping.explain(resource, &mentions, self.mode(true));
        let mut explanation = Explanation { steps, ldif: String::new(), fault, unasked };
        if explanation.fault.is_some() {
            return explanation;
        }
        let mut plan = match mapping.plan_create(resource, &mentions, self.mode(true)) {
            Ok(plan) => plan,
            Err(fault) => {
                explanation.judge(Err(fault.into()));
                return explanation;
            }
        };
        if let Some(members) = &mapping.members {
            let asked = MemberChange::of_resource(resource);
            let delta = self.member_delta(members, None, &asked).await;
            explanation.add_members(members, &asked, delta.as_ref());
            let first = delta.map(|delta| delta.add).unwrap_or_default();
            plan.attributes.extend(mapping.first_members(first, self.dialect()));
        }
        if explanation.fault.is_none() {
            explanation.ldif = Ldif::default().add(&plan.dn, &plan.attributes).into_text();
            explanation.judge(self.free(mapping, resource, &plan.dn).await);
        }
        explanation
    }

    async fn explain_update(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        before: &Resource,
        after: &Resource,
        is_patch: bool,
    ) -> Explanation {
        let LookedUp { mentions, fault, unasked } = self.looked_up(mapping, after).await;
        let mode = self.mode(false);
        let mut steps = mapping.explain(after, &mentions, mode);
        if is_patch {
            mark_untouched(&mut steps, &mapping.explain(before, &mentions, mode));
        }
        let mut explanation = Explanation { steps, ldif: String::new(), fault, unasked };
        if explanation.fault.is_none() {
            let wish = Wish { before, after, is_patch, mentions: &mentions, mode };
            match mapping.plan_update(entry, &wish) {
                Ok(update) => {
                    explanation.ldif = update.to_ldif(&entry.dn);
                    let renamed = update.renamed(&entry.dn);
                    if renamed != entry.dn {
                        explanation.judge(self.free(mapping, after, &renamed).await);
                    }
                }
                Err(fault) => explanation.judge(Err(fault.into())),
            }
        }
        explanation
    }

    /// References as they can be found now. Without the directory they stay unknown, and the rest can still be told.
    async fn looked_up(&self, mapping: &ResourceMapping, resource: &Resource) -> LookedUp {
        let (mut fault, mut unasked) = (None, None);
        let mentions = match self.mentioned(mapping, resource).await {
            Ok(mentions) => mentions,
            Err(Fault::Unavailable { detail, .. }) => {
                unasked = Some(detail);
                Mentions::unasked()
            }
            Err(refusal) => {
                fault = Some(refusal);
                Mentions::default()
            }
        };
        LookedUp { mentions, fault, unasked }
    }

    /// A fault when the name that the entry would get is taken.
    async fn free(&self, mapping: &ResourceMapping, resource: &Resource, dn: &Dn) -> Result<(), Fault> {
        if mapping.unique == Unique::Search {
            self.refuse_duplicate(mapping, resource).await?;
        }
        let attributes = vec![mapping.id.attribute.clone()];
        let search = Search { base: dn.clone(), scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        match self.inner.directory.search(&search).await {
            Ok(found) if found.is_empty() => Ok(()),
            Ok(_) => Err(super::write::duplicate(mapping, resource, dn)),
            Err(fault) if fault.kind == crate::directory::FaultKind::NotFound => Ok(()),
            Err(fault) => Err(self.fault(fault)),
        }
    }
}

impl Explanation {
    /// Tells what becomes of the members.
    fn add_members(&mut self, members: &Members, asked: &MemberChange, delta: Result<&MemberDelta, &Fault>) {
        let outcome = match delta {
            Ok(delta) if asked.reset && delta.is_empty() && asked.add.is_empty() => "nobody".to_owned(),
            Ok(delta) if asked.reset && delta.remove.is_empty() && delta.add.len() == 1 => "1 member".to_owned(),
            Ok(delta) if asked.reset && delta.remove.is_empty() => format!("{} members", delta.add.len()),
            Ok(delta) => format!("{} come, {} go", delta.add.len(), delta.remove.len()),
            Err(Fault::Unavailable { .. }) => {
                format!("{} members, unknown: the directory can't be asked", asked.add.len())
            }
            Err(fault) => fault.to_string(),
        };
        let (place, ldap) = (members.place.clone(), members.attribute.to_string());
        let refused = matches!(delta, Err(fault) if !matches!(fault, Fault::Unavailable { .. }));
        self.steps.push(Step { place, scim: "members".to_owned(), ldap, outcome, refused });
        self.judge(delta.map(|_| ()).map_err(Clone::clone));
    }

    fn append(&mut self, dn: &Dn, modifications: &[Modification]) {
        if modifications.is_empty() || self.fault.is_some() {
            return;
        }
        if !self.ldif.is_empty() {
            self.ldif.push('\n');
        }
        self.ldif.push_str(&Ldif::default().modify(dn, modifications).into_text());
    }

    /// Takes up what the directory says to the plan; that it says nothing is no fault of the plan.
    fn judge(&mut self, verdict: Result<(), Fault>) {
        match verdict {
            Ok(()) => {}
            Err(Fault::Unavailable { detail, .. }) => self.unasked = Some(detail),
            Err(fault) => {
                self.ldif.clear();
                self.fault = Some(fault);
            }
        }
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
