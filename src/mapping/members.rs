//! `members` of a group: DNs in the entry, ids in the resource (RFC 7643 section 4.2).

use std::collections::HashSet;

use serde_json::Value;

use super::table::{Members, ResourceMapping};
use super::write::{Mention, Mentions};
use crate::directory::{Change, Dialect, Dn, Entry, Modification};
use crate::scim::{AttributePath, Resource};

/// Object classes that can't do without a member on servers that hold to their definition (RFC 4519 section 3.5).
const NEED_A_MEMBER: [&str; 2] = ["groupOfNames", "groupOfUniqueNames"];
/// The empty DN, which stands for nobody: a group without members holds it where the schema wants a value.
const NOBODY: &[u8] = b"";

impl ResourceMapping {
    /// The members that `resource` lists, each once.
    pub(super) fn listed_members(&self, resource: &Resource) -> Vec<Mention> {
        if self.members.is_none() {
            return Vec::new();
        }
        let Some(Value::Array(list)) = resource.get(&AttributePath::core("members")) else { return Vec::new() };
        let mut seen = HashSet::new();
        list.iter()
            .filter_map(|member| member.get("value").and_then(Value::as_str))
            .filter(|id| seen.insert(*id))
            .map(Mention::member)
            .collect()
    }

    /// The values a new group's member attribute gets.
    pub(super) fn member_values(
        &self,
        resource: &Resource,
        mentions: &Mentions,
        dialect: &Dialect,
    ) -> Option<(&Members, Vec<Vec<u8>>)> {
        let members = self.members.as_ref()?;
        let listed = self.listed_members(resource);
        let mut values: Vec<Vec<u8>> =
            listed.iter().filter_map(|mention| mentions.get(mention)).map(to_value).collect();
        if values.is_empty() && self.needs_a_member(dialect) {
            values.push(NOBODY.to_vec());
        }
        (!values.is_empty()).then_some((members, values))
    }

    /// What has to change so that the group has exactly the members that `resource` lists. The placeholder for nobody
    /// never stands beside somebody.
    pub(super) fn plan_members(
        &self,
        entry: &Entry,
        resource: &Resource,
        mentions: &Mentions,
        dialect: &Dialect,
    ) -> Vec<Modification> {
        let Some(members) = &self.members else { return Vec::new() };
        let listed = self.listed_members(resource);
        let wanted: HashSet<&Dn> = listed.iter().filter_map(|mention| mentions.get(mention)).collect();
        let current = entry.values(&members.attribute);
        let mut present = HashSet::new();
        let mut removed = Vec::new();
        for value in current {
            match std::str::from_utf8(value).ok().and_then(|text| Dn::parse(text).ok()) {
                Some(dn) if wanted.contains(&dn) => {
                    present.insert(dn);
                }
                Some(dn) if dn.is_root() && wanted.is_empty() && self.needs_a_member(dialect) => {
                    present.insert(dn);
                }
                // A value that is no member SCIM could show was not taken out by a client that never saw it.
                Some(dn) if !dn.is_root() && !self.can_be_member(&dn) => {}
                _ => removed.push(value.clone()),
            }
        }
        let mut added: Vec<Vec<u8>> =
            wanted.iter().filter(|dn| !present.contains(**dn)).map(|dn| to_value(dn)).collect();
        if added.is_empty() && self.needs_a_member(dialect) && !current.is_empty() && removed.len() == current.len() {
            added.push(NOBODY.to_vec());
        }
        let change = |change| Modification { attribute: members.attribute.clone(), change };
        // Added first: a server that wants a member never sees the group without one.
        let added = (!added.is_empty()).then(|| change(Change::Add(added)));
        let removed = (!removed.is_empty()).then(|| change(Change::Delete(removed)));
        added.into_iter().chain(removed).collect()
    }

    fn can_be_member(&self, dn: &Dn) -> bool {
        self.members.as_ref().is_none_or(|members| members.within.iter().any(|base| dn.is_within(base)))
    }

    fn needs_a_member(&self, dialect: &Dialect) -> bool {
        !dialect.empty_groups
            && self.object_class.iter().any(|class| NEED_A_MEMBER.iter().any(|needs| needs.eq_ignore_ascii_case(class)))
    }
}

fn to_value(dn: &Dn) -> Vec<u8> {
    dn.as_str().as_bytes().to_vec()
}
