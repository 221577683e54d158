//! What an intent would do, without doing it.

use crate::directory::ldif::Ldif;
use crate::directory::{Dn, Entry};
use crate::mapping::{Delete, Mentions, ResourceMapping, Step, Wish};
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
}

impl Bridge {
    /// Plans `intent` and tells the plan. The directory is read where the plan needs it, and never written.
    pub async fn explain(&self, intent: Intent) -> Result<Explanation, Fault> {
        let mapping = self.mapping(intent.kind)?;
        match intent.action {
            Action::Create(resource) => self.explain_create(mapping, &resource).await,
            Action::Replace { id, resource } => {
                let (entry, before) = self.as_it_is(mapping, &id).await?;
                self.explain_update(mapping, &entry, &before, &resource, false).await
            }
            Action::Patch { id, patch } => {
                let (entry, before) = self.as_it_is(mapping, &id).await?;
                let after = patch.apply(&before, &mapping.schema)?;
                self.explain_update(mapping, &entry, &before, &after, true).await
            }
            Action::Delete { id } => {
                let (entry, _) = self.as_it_is(mapping, &id).await?;
                Ok(Explanation { steps: Vec::new(), ldif: removal(mapping, &entry), fault: None })
            }
        }
    }

    async fn as_it_is(&self, mapping: &ResourceMapping, id: &str) -> Result<(Entry, Resource), Fault> {
        let attributes = mapping.attributes(self.dialect(), &Projection::default());
        let entry = self.entry_by_id(mapping, id, attributes).await?;
        let before = self.finish(mapping, entry.clone(), false).await?;
        Ok((entry, before))
    }

    async fn explain_create(&self, mapping: &ResourceMapping, resource: &Resource) -> Result<Explanation, Fault> {
        let mentions = self.looked_up(mapping, resource).await?;
        let steps = mapping.explain(resource, &mentions, self.mode(true));
        let plan = mapping.plan_create(resource, &mentions, self.mode(true));
        let ldif = plan.map(|plan| Ldif::default().add(&plan.dn, &plan.attributes).into_text());
        Ok(Explanation::of(steps, ldif.map_err(Fault::from)))
    }

    async fn explain_update(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        before: &Resource,
        after: &Resource,
        is_patch: bool,
    ) -> Result<Explanation, Fault> {
        let mentions = self.looked_up(mapping, after).await?;
        let mode = self.mode(false);
        let steps = mapping.explain(after, &mentions, mode);
        let wish = Wish { before, after, is_patch, mentions: &mentions, mode };
        let update = mapping.plan_update(entry, &wish).map_err(Fault::from);
        Ok(Explanation::of(steps, update.map(|update| update.to_ldif(&entry.dn))))
    }

    /// References as they can be found now. Without the directory they stay unknown, and the rest can still be told.
    async fn looked_up(&self, mapping: &ResourceMapping, resource: &Resource) -> Result<Mentions, Fault> {
        match self.resolve(mapping.mentions(resource)).await {
            Err(Fault::Unavailable { .. }) => Ok(Mentions::default()),
            other => other,
        }
    }
}

impl Explanation {
    fn of(steps: Vec<Step>, ldif: Result<String, Fault>) -> Self {
        match ldif {
            Ok(ldif) => Self { steps, ldif, fault: None },
            Err(fault) => Self { steps, ldif: String::new(), fault: Some(fault) },
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
