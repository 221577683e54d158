//! Resources that go.

use crate::directory::{self, Dn, Entry, Rdn};
use crate::mapping::{Delete, ResourceMapping};

use super::carrier::Asked;
use super::version::check_version;
use super::write::{ATTEMPTS, moved_on};
use super::{Carrier, Fault, Receipt};

impl Carrier {
    /// Deletes a resource the way the table says.
    pub(super) async fn delete(
        &self,
        mapping: &ResourceMapping,
        id: &str,
        Asked { if_match, home, touched, progress, .. }: Asked<'_>,
    ) -> Result<Receipt, Fault> {
        let _turn = self.inner.locks.turn(id.to_owned()).await;
        // Nobody else takes the name as long as something may refer to who had it.
        let under_way = self.inner.target.under_way();
        let whole = if_match.is_some() || mapping.delete != Delete::Delete;
        let attributes = if whole { self.all_attributes(mapping) } else { vec![mapping.id.attribute.clone()] };
        // What may refer to the entry does so by the name that it had when it was asked for.
        let mut tried = home.cloned();
        for _ in 0..ATTEMPTS {
            let entry = match (self.entry_by_id(mapping, id, attributes.clone()).await, &tried) {
                // The attempt whose answer was lost did it.
                (Err(Fault::NotFound { .. }), Some(dn)) => {
                    self.tidy_gone(mapping, id, dn).await.map_err(|fault| self.fault(fault))?;
                    return Ok(Receipt::Deleted);
                }
                (other, _) => other?,
            };
            if if_match.is_some() {
                check_version(&self.finish(mapping, entry.clone(), true).await?, if_match)?;
            }
            self.may_remove(mapping, &entry).await?;
            if mapping.members.is_some() {
                self.touch_members(touched, &entry.dn).await?;
            }
            progress.leaves(&entry.dn);
            under_way.announce(&entry.dn, None, progress.kept());
            match self.remove(mapping, &entry).await {
                Ok(()) => {
                    self.inner.places.forget(id);
                    match &mapping.delete {
                        Delete::Delete => tracing::info!(entry = %entry.dn, "deleted"),
                        Delete::Disable => tracing::info!(entry = %entry.dn, "disabled instead of deleted"),
                        Delete::MoveTo(to) => tracing::info!(entry = %entry.dn, %to, "moved away instead of deleted"),
                    }
                    return Ok(Receipt::Deleted);
                }
                Err(fault) if moved_on(&fault) && !self.gives_up(&fault) => tried = Some(entry.dn),
                Err(fault) => return Err(self.fault(fault)),
            }
        }
        Err(self.unsure())
    }

    /// Refuses to delete an entry that is protected, or to move it where everything is.
    pub(super) async fn may_remove(&self, mapping: &ResourceMapping, entry: &Entry) -> Result<(), Fault> {
        let now = match &mapping.delete {
            Delete::Delete => entry.dn.clone(),
            Delete::Disable => mapping.plan_disable(entry).renamed(&entry.dn),
            Delete::MoveTo(container) => entry.dn.moved_under(container),
        };
        self.may_change(&entry.dn, &now).await
    }

    async fn remove(&self, mapping: &ResourceMapping, entry: &Entry) -> Result<(), directory::Fault> {
        let update = match &mapping.delete {
            Delete::Delete => {
                self.inner.target.delete(&entry.dn).await?;
                return self.tidy(&entry.dn, None).await;
            }
            Delete::Disable => mapping.plan_disable(entry),
            Delete::MoveTo(container) => {
                let moved = self.move_away(mapping, entry, container).await?;
                // Who is gone is nobody's member and nobody's manager, by no name: a server with referential integrity
                // has let all of them follow.
                self.tidy(&entry.dn, None).await?;
                return self.tidy(&moved, None).await;
            }
        };
        let changed =
            self.carry_out(mapping, entry, &update, std::slice::from_ref(&mapping.id.attribute), None).await?;
        if let Some(moved) = changed {
            self.tidy(&entry.dn, Some(&moved.dn)).await?;
        }
        Ok(())
    }

    /// Moves an entry to where deleted ones are kept, and says where that is. If one of the same name was deleted
    /// before, the id tells them apart.
    async fn move_away(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        container: &Dn,
    ) -> Result<Dn, directory::Fault> {
        let Some(rdn) = entry.dn.rdn() else { return Ok(entry.dn.clone()) };
        let moved = self.inner.target.rename(&entry.dn, &rdn, Some(container), &[]).await;
        let taken = matches!(&moved, Err(fault) if fault.is_uniqueness());
        let apart = || told_apart(&rdn, &mapping.id.of(entry)?);
        let Some(rdn) = taken.then(apart).flatten() else { return moved.map(|_| container.below(&rdn)) };
        self.inner.target.rename(&entry.dn, &rdn, Some(container), &[]).await.map(|_| container.below(&rdn))
    }

    /// Takes away what refers to an entry that stood here and is gone.
    pub(super) async fn tidy_gone(
        &self,
        mapping: &ResourceMapping,
        id: &str,
        old: &Dn,
    ) -> Result<(), directory::Fault> {
        self.inner.target.left(old, None);
        if !self.is_taken(old, None).await? {
            self.tidy(old, None).await?;
        }
        let (Delete::MoveTo(container), Some(rdn)) = (&mapping.delete, old.rdn()) else { return Ok(()) };
        self.tidy(&container.below(&rdn), None).await?;
        match told_apart(&rdn, id) {
            Some(rdn) => self.tidy(&container.below(&rdn), None).await,
            None => Ok(()),
        }
    }
}

/// The name of a deleted entry where another one of its name was deleted before.
fn told_apart(rdn: &Rdn, id: &str) -> Option<Rdn> {
    let attribute = rdn.attributes().next()?;
    let name = [rdn.value_of(attribute).unwrap_or_default(), id].join("-");
    Some(rdn.replacing(attribute, &name))
}
