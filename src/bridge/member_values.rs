//! Who is meant by the ids in a change of members, as groups of the directory hold it.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::mapping::{MemberChange, MemberDelta, Members, ResourceMapping};
use crate::scim::{self, FaultKind, Patch, Projection, ResourceKind};

use super::unmet::LeftOut;
use super::{Carrier, Fault};

impl Carrier {
    /// `patch` with the ids of the members that it means. Only where they can't be told without the members, those are
    /// read: no identity provider is known to ask so.
    pub(super) async fn spelt_out<'p>(
        &self,
        mapping: &ResourceMapping,
        id: &str,
        patch: &'p Patch,
    ) -> Result<Cow<'p, Patch>, Fault> {
        if mapping.members.is_none() || !MemberChange::depends_on_members(patch) {
            return Ok(Cow::Borrowed(patch));
        }
        let mut group = self.get(mapping.kind, id, &Projection::default()).await?;
        group.unfold_members();
        Ok(Cow::Owned(MemberChange::spelt_out(patch, &group, &mapping.schema)?))
    }

    /// What the directory holds for the members with these ids. Who does not exist is left out.
    pub(super) async fn member_values(
        &self,
        members: &Members,
        ids: &[String],
    ) -> Result<HashMap<String, Vec<u8>>, Fault> {
        let mut values = HashMap::with_capacity(ids.len());
        for kind in [ResourceKind::User, ResourceKind::Group] {
            let open: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !values.contains_key(*id)).collect();
            let Ok(mapping) = self.mapping(kind) else { continue };
            if open.is_empty() || (kind == ResourceKind::Group && members.name_attribute().is_some()) {
                break;
            }
            let mut attributes = vec![mapping.id.attribute.clone()];
            attributes.extend(members.name_attribute().cloned());
            for entry in self.entries_by_ids(mapping, &open, &attributes).await? {
                let value = match members.name_attribute() {
                    None => Some(entry.dn.as_str().as_bytes().to_vec()),
                    Some(name) => entry.values(name).first().cloned(),
                };
                values.extend(mapping.id.of(&entry).zip(value));
            }
        }
        Ok(values)
    }

    /// What `change` means for the directory. Somebody to add who does not exist is a fault, unless `left_out` excuses
    /// it; somebody to remove who does not exist is no member.
    pub(super) async fn member_delta(
        &self,
        members: &Members,
        group: Option<&str>,
        change: &MemberChange,
        left_out: &LeftOut,
    ) -> Result<MemberDelta, Fault> {
        if group.is_some_and(|group| change.add.iter().any(|id| id == group)) {
            return Err(refused("A group can't be a member of itself."));
        }
        let ids: Vec<String> = change.add.iter().chain(&change.remove).cloned().collect();
        let mut values = self.member_values(members, &ids).await?;
        let mut delta = MemberDelta::default();
        for id in &change.add {
            match values.remove(id) {
                Some(value) => delta.add.push(value),
                None if left_out.excuses(id) => {}
                None => return Err(refused(&format!("The member {id} does not exist."))),
            }
        }
        delta.remove = change.remove.iter().filter_map(|id| values.remove(id)).collect();
        Ok(delta)
    }
}

fn refused(what: &str) -> Fault {
    Fault::Request(scim::Fault::new(FaultKind::InvalidValue, format!("{what} Nothing was changed.")))
}
