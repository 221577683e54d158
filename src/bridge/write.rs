//! Creates, changes and deletes.

use crate::directory::{self, AttributeName, Dn, Entry, FaultKind as Kind, Filter, ModifyOptions, Scope, Search};
use crate::mapping::{Delete, Mention, Mentions, NewEntry, ResourceMapping, Unique, Update, Wish};
use crate::scim::{self, AttributePath, FaultKind, Patch, Projection, Resource};

use super::{Bridge, Fault, Receipt, VersionMatch};

/// How often a change is planned anew because the entry moved on between reading and writing, or because it is not
/// known whether the last attempt was carried out.
const ATTEMPTS: usize = 3;

/// A change of a resource that is there.
#[derive(Debug)]
pub(super) enum Change {
    /// PUT.
    Replace(Resource),
    /// PATCH.
    Patch(Patch),
}

impl Bridge {
    /// Creates an entry for `resource`: one LDAP operation, where the name alone guards against duplicates.
    pub(super) async fn create(&self, mapping: &ResourceMapping, resource: Resource) -> Result<Receipt, Fault> {
        let mentions = self.mentioned(mapping, &resource).await?;
        let plan = mapping.plan_create(&resource, &mentions, self.mode(true), self.dialect())?;
        let _turn = match mapping.unique {
            Unique::Naming => None,
            Unique::Search => {
                let turn = self.inner.locks.turn(mapping.unique_key(&resource)).await;
                self.refuse_duplicate(mapping, &resource).await?;
                Some(turn)
            }
        };
        let entry = self.add(mapping, &resource, &plan).await?;
        tracing::info!(entry = %entry.dn, "created");
        Ok(Receipt::Created(self.finish(mapping, &entry).await?))
    }

    async fn add(&self, mapping: &ResourceMapping, resource: &Resource, plan: &NewEntry) -> Result<Entry, Fault> {
        let read_back = mapping.attributes(self.dialect(), &Projection::default());
        let mut unsure = false;
        for _ in 0..ATTEMPTS {
            match self.inner.directory.add(&plan.dn, &plan.attributes, &read_back).await {
                Ok(Some(entry)) => return Ok(entry),
                Ok(None) => return self.entry_at(&plan.dn, read_back).await,
                Err(fault) if fault.kind == Kind::UnknownOutcome => unsure = true,
                Err(fault) if fault.kind == Kind::AlreadyExists && unsure => {
                    // The lost attempt may have made it. If everything is as it was sent, it was ours.
                    let entry = self.entry_at(&plan.dn, read_back.clone()).await?;
                    return if is_as_planned(&entry, plan, &read_back) {
                        Ok(entry)
                    } else {
                        Err(duplicate(mapping, resource, &plan.dn))
                    };
                }
                Err(fault) if fault.is_uniqueness() => return Err(duplicate(mapping, resource, &plan.dn)),
                Err(fault) => return Err(self.fault(fault)),
            }
        }
        Err(self.unsure())
    }

    /// Changes a resource: read, compare, write only what differs.
    pub(super) async fn update(
        &self,
        mapping: &ResourceMapping,
        id: &str,
        change: &Change,
        if_match: Option<&VersionMatch>,
    ) -> Result<Receipt, Fault> {
        let _turn = self.inner.locks.turn(id.to_owned()).await;
        let mark = self.change_mark(if_match).await;
        let mut attributes = mapping.attributes(self.dialect(), &Projection::default());
        attributes.extend(mark.clone());
        for _ in 0..ATTEMPTS {
            let entry = match self.entry_by_id(mapping, id, attributes.clone()).await {
                Ok(entry) => entry,
                Err(fault) => return Err(self.fault_of_body(mapping, change).unwrap_or(fault)),
            };
            let before = self.finish(mapping, &entry).await?;
            check_version(&before, if_match)?;
            let update = self.plan(mapping, &entry, &before, change).await?;
            if update.is_empty() {
                return Ok(Receipt::Updated(before));
            }
            let unchanged = mark.as_ref().and_then(|mark| unchanged(&entry, mark));
            match self.carry_out(&entry.dn, &update, &attributes, unchanged).await {
                Ok(entry) => {
                    tracing::info!(entry = %entry.dn, "changed");
                    return Ok(Receipt::Updated(self.finish(mapping, &entry).await?));
                }
                // Planned again from what is there now: what the lost attempt did is then no longer different.
                Err(fault) if moved_on(&fault) => {
                    tracing::debug!(%fault, "the entry moved on, planning again");
                }
                Err(fault) if fault.is_uniqueness() => return Err(taken(mapping, &fault)),
                Err(fault) => return Err(self.fault(fault)),
            }
        }
        Err(self.unsure())
    }

    /// What tells whether an entry was changed between reading and writing, where the client wants to know and the
    /// server can be asked to look at it in the same step.
    async fn change_mark(&self, if_match: Option<&VersionMatch>) -> Option<AttributeName> {
        if_match?;
        let mark = self.dialect().change_mark.clone().filter(|_| self.dialect().assertion)?;
        self.inner.directory.server().await.ok().filter(directory::ServerInfo::has_assertion).map(|_| mark)
    }

    async fn plan(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        before: &Resource,
        change: &Change,
    ) -> Result<Update, Fault> {
        let (after, is_patch) = match change {
            Change::Replace(resource) => (resource.clone(), false),
            Change::Patch(patch) => (patch.apply(before, &mapping.schema)?, true),
        };
        let mentions = self.mentioned(mapping, &after).await?;
        if mapping.unique == Unique::Search && mapping.unique_key(before) != mapping.unique_key(&after) {
            self.refuse_duplicate(mapping, &after).await?;
        }
        let mode = self.mode(false);
        let wish = Wish { before, after: &after, is_patch, mentions: &mentions, mode, dialect: self.dialect() };
        Ok(mapping.plan_update(entry, &wish)?)
    }

    /// A fault in a replace that shows without the entry: it is told before an unknown id is.
    fn fault_of_body(&self, mapping: &ResourceMapping, change: &Change) -> Option<Fault> {
        let Change::Replace(resource) = change else { return None };
        mapping.check(resource, self.mode(false)).err().map(Fault::from)
    }

    /// Rename first, for that is where conflicts show, then the modifications. If those are refused, the old name
    /// comes back: a request is carried out whole or not at all.
    async fn carry_out(
        &self,
        dn: &Dn,
        update: &Update,
        read_back: &[AttributeName],
        unchanged: Option<Filter>,
    ) -> Result<Entry, directory::Fault> {
        let directory = &self.inner.directory;
        let now = update.renamed(dn);
        let mut answer = None;
        if let Some(rename) = &update.rename {
            answer = directory.rename(dn, &rename.rdn, rename.parent.as_ref(), read_back).await?;
        }
        if !update.modifications.is_empty() {
            // The rename itself changed what there would be to compare.
            let assertion = unchanged.filter(|_| update.rename.is_none());
            let options = ModifyOptions { read_back: read_back.to_vec(), assertion, permissive: false };
            match directory.modify(&now, &update.modifications, &options).await {
                Ok(entry) => answer = entry,
                Err(fault) if update.rename.is_some() && !fault.is_transient() => {
                    self.rename_back(dn, &now).await;
                    return Err(fault);
                }
                Err(fault) => return Err(fault),
            }
        }
        match answer {
            Some(entry) => Ok(entry),
            None => self.search_entry(&now, read_back.to_vec()).await,
        }
    }

    async fn rename_back(&self, old: &Dn, now: &Dn) {
        let (Some(rdn), parent) = (old.rdn(), old.parent()) else { return };
        if let Err(fault) = self.inner.directory.rename(now, &rdn, parent.as_ref(), &[]).await {
            tracing::error!(entry = %now, wanted = %old, %fault, "the old name could not be restored");
        }
    }

    /// Deletes a resource the way the table says.
    pub(super) async fn delete(
        &self,
        mapping: &ResourceMapping,
        id: &str,
        if_match: Option<&VersionMatch>,
    ) -> Result<Receipt, Fault> {
        let _turn = self.inner.locks.turn(id.to_owned()).await;
        let whole = if_match.is_some() || mapping.delete != Delete::Delete;
        let attributes = if whole {
            mapping.attributes(self.dialect(), &Projection::default())
        } else {
            vec![mapping.id.attribute.clone()]
        };
        let mut unsure = false;
        for _ in 0..ATTEMPTS {
            let entry = match self.entry_by_id(mapping, id, attributes.clone()).await {
                Err(Fault::NotFound { .. }) if unsure => return Ok(Receipt::Deleted),
                other => other?,
            };
            if if_match.is_some() {
                check_version(&self.finish(mapping, &entry).await?, if_match)?;
            }
            match self.remove(mapping, &entry).await {
                Ok(()) => {
                    tracing::info!(entry = %entry.dn, "deleted");
                    return Ok(Receipt::Deleted);
                }
                Err(fault) if moved_on(&fault) => unsure = true,
                Err(fault) => return Err(self.fault(fault)),
            }
        }
        Err(self.unsure())
    }

    async fn remove(&self, mapping: &ResourceMapping, entry: &Entry) -> Result<(), directory::Fault> {
        match &mapping.delete {
            Delete::Delete => self.inner.directory.delete(&entry.dn).await,
            Delete::Disable => {
                let update = mapping.plan_disable(entry);
                if update.is_empty() {
                    return Ok(());
                }
                self.carry_out(&entry.dn, &update, std::slice::from_ref(&mapping.id.attribute), None).await.map(drop)
            }
            Delete::MoveTo(container) => {
                let Some(rdn) = entry.dn.rdn() else { return Ok(()) };
                self.inner.directory.rename(&entry.dn, &rdn, Some(container), &[]).await.map(drop)
            }
        }
    }

    /// Resolves what `resource` refers to. Members must be there; a manager who is not there yet is left out and the
    /// log says so.
    async fn mentioned(&self, mapping: &ResourceMapping, resource: &Resource) -> Result<Mentions, Fault> {
        let asked = mapping.mentions(resource);
        if asked.is_empty() {
            return Ok(Mentions::default());
        }
        let resolved = self.resolve(asked.clone()).await?;
        for mention in asked.iter().filter(|mention| resolved.get(mention).is_none()) {
            if *mention == Mention::member(&mention.text) {
                return Err(Fault::Request(scim::Fault::new(
                    FaultKind::InvalidValue,
                    format!("The member {} does not exist. Nothing was changed.", mention.text),
                )));
            }
            tracing::warn!(reference = mention.text, "nothing in the directory is meant by this reference; left out");
        }
        Ok(resolved)
    }

    async fn refuse_duplicate(&self, mapping: &ResourceMapping, resource: &Resource) -> Result<(), Fault> {
        let Some(filter) = mapping.unique_filter(resource) else { return Ok(()) };
        let found = self.find(mapping, filter, vec![mapping.id.attribute.clone()]).await?;
        found.first().map_or(Ok(()), |entry| Err(duplicate(mapping, resource, &entry.dn)))
    }

    async fn entry_at(&self, dn: &Dn, attributes: Vec<AttributeName>) -> Result<Entry, Fault> {
        self.search_entry(dn, attributes).await.map_err(|fault| self.fault(fault))
    }

    async fn search_entry(&self, dn: &Dn, attributes: Vec<AttributeName>) -> Result<Entry, directory::Fault> {
        let search = Search { base: dn.clone(), scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        let found = self.inner.directory.search(&search).await?;
        found.into_iter().next().ok_or_else(|| vanished(dn))
    }

    fn unsure(&self) -> Fault {
        Fault::Unavailable {
            detail: "The directory did not say whether the change was carried out. Ask again: what is already done \
                     is not done twice."
                .to_owned(),
            retry_after: self.inner.policy.retry_after,
        }
    }
}

fn taken(mapping: &ResourceMapping, fault: &directory::Fault) -> Fault {
    Fault::Request(scim::Fault::new(
        FaultKind::Uniqueness,
        format!("Another {} already has this {}: {fault}", mapping.kind.name(), mapping.unique_name()),
    ))
}

fn vanished(dn: &Dn) -> directory::Fault {
    directory::Fault::new(Kind::NotFound, format!("the entry {dn} is gone"))
}

/// Faults that mean: what was read is no longer what is there, or it is not known.
fn moved_on(fault: &directory::Fault) -> bool {
    matches!(
        fault.kind,
        Kind::NoSuchValue | Kind::ValueExists | Kind::NotFound | Kind::UnknownOutcome | Kind::AssertionFailed
    )
}

/// Holds as long as the entry is at the change that it was read at.
fn unchanged(entry: &Entry, mark: &AttributeName) -> Option<Filter> {
    entry.values(mark).first().map(|value| Filter::Equal(mark.clone(), value.clone()))
}

fn check_version(resource: &Resource, if_match: Option<&VersionMatch>) -> Result<(), Fault> {
    let Some(wanted) = if_match else { return Ok(()) };
    let path = AttributePath { sub: Some("version".to_owned()), ..AttributePath::core("meta") };
    let allowed = resource.text(&path).is_some_and(|version| wanted.allows(version));
    if allowed { Ok(()) } else { Err(Fault::PreconditionFailed) }
}

fn is_as_planned(entry: &Entry, plan: &NewEntry, read: &[AttributeName]) -> bool {
    plan.attributes.iter().filter(|(name, _)| read.contains(name)).all(|(name, values)| {
        let has = entry.values(name);
        has.len() == values.len() && values.iter().all(|value| has.contains(value))
    })
}

fn duplicate(mapping: &ResourceMapping, resource: &Resource, dn: &Dn) -> Fault {
    let name = mapping.unique_name();
    let value = resource.text(&AttributePath::core(name)).unwrap_or_default();
    Fault::Request(scim::Fault::new(
        FaultKind::Uniqueness,
        format!("The {name} {value:?} is taken: the directory has an entry {dn}."),
    ))
}
