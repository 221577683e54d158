//! The primary group of an account of Active Directory: the account is in it, but the group does not list it, and no
//! change of the group can add it or take it out.

use crate::directory::{self, AttributeName, Dn, FaultKind as Kind, Filter, Scope, Search};

use super::Carrier;

pub(super) const OBJECT_SID: AttributeName = AttributeName::literal("objectSid");

impl Carrier {
    /// `add` without those whose primary group this is: they are members already. If one of `remove` is among them,
    /// that is a fault, for nothing that is done to the group takes them out.
    pub(super) async fn besides_primary(
        &self,
        group: &Dn,
        add: Vec<Vec<u8>>,
        remove: &[Vec<u8>],
    ) -> Result<Vec<Vec<u8>>, directory::Fault> {
        let Some(names) = &self.dialect().primary_group else { return Ok(add) };
        if add.is_empty() && remove.is_empty() {
            return Ok(add);
        }
        let Some(number) = self.relative_id(group).await? else { return Ok(add) };
        let is_in_it = Filter::equal(&names.of_member, &number.to_string());
        for value in remove {
            if self.is_primary(value, &is_in_it).await? {
                let member = String::from_utf8_lossy(value);
                let why = format!(
                    "cannot take {member} out of {group}: it is the primary group of that account; give the account \
                     another primary group first"
                );
                return Err(directory::Fault::new(Kind::Constraint, why));
            }
        }
        let mut others = Vec::with_capacity(add.len());
        for value in add {
            if !self.is_primary(&value, &is_in_it).await? {
                others.push(value);
            }
        }
        Ok(others)
    }

    async fn is_primary(&self, member: &[u8], is_in_it: &Filter) -> Result<bool, directory::Fault> {
        let Some(base) = Dn::in_value(member) else {
            return Ok(false);
        };
        let attributes = vec![AttributeName::NONE];
        let search = Search { base, scope: Scope::Base, filter: is_in_it.clone(), attributes, size_limit: 0 };
        match self.inner.target.search(&search).await {
            Ok(found) => Ok(!found.is_empty()),
            Err(fault) if fault.kind == Kind::NotFound => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// The last number of the group's security identifier, by which accounts name their primary group.
    async fn relative_id(&self, group: &Dn) -> Result<Option<u32>, directory::Fault> {
        let (base, attributes) = (group.clone(), vec![OBJECT_SID]);
        let search = Search { base, scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        let found = self.inner.target.search(&search).await?;
        let sid = found.first().and_then(|entry| entry.values(&OBJECT_SID).first());
        Ok(sid.and_then(|sid| sid.last_chunk()).map(|last| u32::from_le_bytes(*last)))
    }
}
