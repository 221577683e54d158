//! New resources.

use crate::directory::{Dn, Entry, FaultKind as Kind};
use crate::mapping::{IdForm, MemberChange, MemberDelta, NewEntry, ResourceMapping, Unique};
use crate::scim::{self, AttributePath, FaultKind, Resource};

use super::group_names::Touched;
use super::membership::VALUES;
use super::write::ATTEMPTS;
use super::{Carrier, Fault, Receipt};

impl Carrier {
    /// Creates an entry for `resource`: one LDAP operation, where the name alone guards against duplicates.
    pub(super) async fn create(
        &self,
        mapping: &ResourceMapping,
        resource: Resource,
        touched: &Touched,
    ) -> Result<Receipt, Fault> {
        let mentions = self.mentioned(mapping, &resource).await?;
        let mut plan = mapping.plan_create(&resource, &mentions, self.mode(true))?;
        if mapping.id.form == IdForm::Writable {
            let minted = uuid::Uuid::new_v4().to_string().into_bytes();
            plan.attributes.push((mapping.id.attribute.clone(), vec![minted]));
        }
        let later = self.plan_first_members(mapping, &resource, &mut plan).await?;
        let _turn = match mapping.unique {
            Unique::Naming => None,
            Unique::Search => {
                let turn = self.inner.locks.turn(mapping.unique_key(&resource)).await;
                self.refuse_duplicate(mapping, &resource).await?;
                Some(turn)
            }
        };
        self.touch_new(touched, mapping, &plan);
        self.touch(touched, &later);
        let mut entry = self.add_numbered(mapping, &resource, &mut plan).await?;
        if let (Some(members), false) = (&mapping.members, later.is_empty()) {
            let id = mapping.id.of(&entry).unwrap_or_default();
            let mut place = Self::place_at(mapping, &entry);
            let added = self.apply_delta(mapping, members, &mut place, &id, later).await;
            added.map_err(|fault| self.fault(fault))?;
            entry = self.entry_at(&plan.dn, self.all_attributes(mapping)).await?;
        }
        tracing::info!(entry = %entry.dn, "created");
        Ok(Receipt::Created(self.finish(mapping, entry, true).await?))
    }

    /// Gives a new group its members, as many as one request can hold; returns the others.
    pub(super) async fn plan_first_members(
        &self,
        mapping: &ResourceMapping,
        resource: &Resource,
        plan: &mut NewEntry,
    ) -> Result<MemberDelta, Fault> {
        let Some(members) = &mapping.members else { return Ok(MemberDelta::default()) };
        let listed = MemberChange::of_resource(resource);
        let mut first = self.member_delta(members, None, &listed).await?.add;
        let add = first.split_off(first.len().min(VALUES));
        plan.attributes.extend(mapping.first_members(first, self.dialect()));
        Ok(MemberDelta { add, remove: Vec::new() })
    }

    pub(super) async fn add(
        &self,
        mapping: &ResourceMapping,
        resource: &Resource,
        plan: &NewEntry,
    ) -> Result<Entry, Fault> {
        let read_back = self.all_attributes(mapping);
        let mut unsure = false;
        for _ in 0..ATTEMPTS {
            match self.inner.target.add(&plan.dn, &plan.attributes, &read_back).await {
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
}

fn is_as_planned(entry: &Entry, plan: &NewEntry, read: &[crate::directory::AttributeName]) -> bool {
    plan.attributes.iter().filter(|(name, _)| read.contains(name)).all(|(name, values)| {
        let has = entry.values(name);
        has.len() == values.len() && values.iter().all(|value| has.contains(value))
    })
}

pub(super) fn duplicate(mapping: &ResourceMapping, resource: &Resource, dn: &Dn) -> Fault {
    let name = mapping.unique_name();
    let value = resource.text(&AttributePath::core(name)).unwrap_or_default();
    Fault::Request(scim::Fault::new(
        FaultKind::Uniqueness,
        format!("The {name} {value:?} is taken: the directory has an entry {dn}."),
    ))
}
