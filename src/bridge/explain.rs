//! What an intent would do, without doing it.

use crate::directory::ldif::Ldif;
use crate::directory::{Dn, Entry, Filter, Scope, Search};
use crate::mapping::{Delete, Mentions, ResourceMapping, Step, Unique, Wish};
use crate::scim::{Projection, Resource};

use super::{Action, Bridge, Fault, Intent};

/// What an intent would do.
#[derive(Debug)]
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
        match intent.action {
            Action::Create(resource) => Ok(self.explain_create(mapping, &resource).await),
            Action::Replace { id, resource } => {
                let known = self.known(mapping, &id).await;
                // As in an update: a fault of the body is told before an unknown id is.
                let fault_of_body = || mapping.check(&resource, self.mode(false)).err().map(Fault::from);
                let (entry, before) = known.map_err(|fault| fault_of_body().unwrap_or(fault))?;
                Ok(self.explain_update(mapping, &entry, &before, &resource, false).await)
            }
            Action::Patch { id, patch } => {
                let (entry, before) = self.known(mapping, &id).await?;
                let after = patch.apply(&before, &mapping.schema)?;
                Ok(self.explain_update(mapping, &entry, &before, &after, true).await)
            }
            Action::Delete { id } => {
                let (entry, _) = self.known(mapping, &id).await?;
                Ok(Explanation { steps: Vec::new(), ldif: removal(mapping, &entry), fault: None, unasked: None })
            }
        }
    }

    async fn known(&self, mapping: &ResourceMapping, id: &str) -> Result<(Entry, Resource), Fault> {
        let attributes = mapping.attributes(self.dialect(), &Projection::default());
        let entry = self.entry_by_id(mapping, id, attributes).await?;
        let before = self.finish(mapping, &entry).await?;
        Ok((entry, before))
    }

    async fn explain_create(&self, mapping: &ResourceMapping, resource: &Resource) -> Explanation {
        let LookedUp { mentions, fault, unasked } = self.looked_up(mapping, resource).await;
        let steps = mapping.explain(resource, &mentions, self.mode(true), self.dialect());
        let mut explanation = Explanation { steps, ldif: String::new(), fault, unasked };
        if explanation.fault.is_none() {
            let planned = mapping.plan_create(resource, &mentions, self.mode(true), self.dialect());
            match planned {
                Ok(plan) => {
                    explanation.ldif = Ldif::default().add(&plan.dn, &plan.attributes).into_text();
                    explanation.judge(self.free(mapping, resource, &plan.dn).await);
                }
                Err(fault) => explanation.judge(Err(fault.into())),
            }
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
        let (mode, dialect) = (self.mode(false), self.dialect());
        let mut steps = mapping.explain(after, &mentions, mode, dialect);
        if is_patch {
            let old = mapping.explain(before, &mentions, mode, dialect);
            mark_untouched(&mut steps, &old);
        }
        let mut explanation = Explanation { steps, ldif: String::new(), fault, unasked };
        if explanation.fault.is_none() {
            let wish = Wish { before, after, is_patch, mentions: &mentions, mode, dialect };
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
