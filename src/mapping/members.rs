//! `members` of a group: values of an LDAP attribute in the entry, ids in the resource (RFC 7643 section 4.2).

use std::collections::HashSet;

use serde_json::{Value, json};

use super::table::{MemberValue, Members, ResourceMapping};
use crate::directory::{AttributeName, Change, Dialect, Dn, Entry, Modification};
use crate::scim::{AttributePath, Fault, FaultKind, Op, Operation, Patch, PatchPath, Resource, ResourceSchema};

/// Object classes that can't do without a member on servers that hold to their definition (RFC 4519 section 3.5).
const NEED_A_MEMBER: [&str; 2] = ["groupOfNames", "groupOfUniqueNames"];

/// What a request asks of the members of a group, by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberChange {
    /// Everybody else goes.
    pub reset: bool,
    /// Who is a member afterwards.
    pub add: Vec<String>,
    /// Who is none afterwards.
    pub remove: Vec<String>,
}

/// The same by the values that the directory holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberDelta {
    /// Values that must be there.
    pub add: Vec<Vec<u8>>,
    /// Values that must not.
    pub remove: Vec<Vec<u8>>,
}

impl MemberDelta {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

impl MemberChange {
    /// Exactly the members that `resource` lists.
    #[must_use]
    pub fn of_resource(resource: &Resource) -> Self {
        let listed = resource.get(&AttributePath::core("members"));
        Self { reset: true, add: ids(listed), remove: Vec::new() }.tidied()
    }

    /// Takes what `patch` asks of the members out of it; `None` if it asks nothing. The order of the operations
    /// decides: who is added and later removed is removed.
    pub fn take_from(patch: &mut Patch) -> Result<Option<Self>, Fault> {
        let (members, others): (Vec<Operation>, Vec<Operation>) =
            std::mem::take(&mut patch.operations).into_iter().partition(is_about_members);
        patch.operations = others;
        if members.is_empty() {
            return Ok(None);
        }
        let mut change = Self::default();
        for operation in members {
            change.note(&operation)?;
        }
        Ok(Some(change.tidied()))
    }

    /// Whether `patch` removes members by what only the members tell, as `members[type eq "Group"]` does.
    #[must_use]
    pub fn depends_on_members(patch: &Patch) -> bool {
        let filtered = |operation: &Operation| operation.op == Op::Remove && is_whole(operation, true);
        let mut members = patch.operations.iter().filter(|operation| is_about_members(operation));
        members.clone().any(filtered) && members.all(|operation| filtered(operation) || is_whole(operation, false))
    }

    /// `patch` with the ids of who goes and who comes in place of what it says of the members of `group`.
    ///
    /// # Errors
    /// What [`Patch::apply`] returns for what it says of them.
    pub fn spelt_out(patch: &Patch, group: &Resource, schema: &ResourceSchema) -> Result<Patch, Fault> {
        let (members, mut operations): (Vec<Operation>, Vec<Operation>) =
            patch.operations.iter().cloned().partition(is_about_members);
        let members_of = |group: &Resource| ids(group.get(&AttributePath::core("members")));
        let before = members_of(group);
        let after = members_of(&Patch { operations: members }.apply(group, schema)?);
        for (op, some, others) in [(Op::Remove, &before, &after), (Op::Add, &after, &before)] {
            let others: HashSet<&String> = others.iter().collect();
            let named = some.iter().filter(|id| !others.contains(id)).map(|id| json!({ "value": id })).collect();
            let target = PatchPath::Attribute { path: AttributePath::core("members"), filter: None };
            operations.push(Operation { op, path: Some(target), value: Some(Value::Array(named)) });
        }
        Ok(Patch { operations })
    }

    fn note(&mut self, operation: &Operation) -> Result<(), Fault> {
        if !is_whole(operation, false) {
            return Err(Fault::new(
                FaultKind::NoTarget,
                "Members can be added, removed and replaced, but not changed. Name who is to be removed by \
                 members[value eq \"<id>\"] or another filter, and who is to be added by a list of objects with a value.",
            ));
        }
        match (operation.op, &operation.value) {
            (Op::Add, value) => self.add.extend(ids(value.as_ref())),
            (Op::Remove, Some(value)) => {
                let gone: HashSet<String> = ids(Some(value)).into_iter().collect();
                self.add.retain(|id| !gone.contains(id));
                self.remove.extend(gone);
                return Ok(());
            }
            (Op::Remove, None) => *self = Self { reset: true, ..Self::default() },
            (Op::Replace, value) => *self = Self { reset: true, add: ids(value.as_ref()), remove: Vec::new() },
        }
        let there: HashSet<&String> = self.add.iter().collect();
        self.remove.retain(|id| !there.contains(id));
        Ok(())
    }

    fn tidied(mut self) -> Self {
        for list in [&mut self.add, &mut self.remove] {
            let mut seen = HashSet::with_capacity(list.len());
            list.retain(|id| seen.insert(id.clone()));
        }
        if self.reset {
            self.remove.clear();
        }
        self
    }
}

fn ids(list: Option<&Value>) -> Vec<String> {
    let id = |member: &Value| member.get("value").unwrap_or(member).as_str().map(ToOwned::to_owned);
    match list {
        Some(Value::Array(list)) => list.iter().filter_map(id).collect(),
        Some(one) => id(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Whether an operation is about whole members: those that a filter finds, or all.
fn is_whole(operation: &Operation, filtered: bool) -> bool {
    matches!(&operation.path, Some(PatchPath::Attribute { path, filter })
        if path.sub.is_none() && filter.is_some() == filtered)
}

fn is_about_members(operation: &Operation) -> bool {
    matches!(&operation.path,
        Some(PatchPath::Attribute { path, .. }) if path.schema.is_none() && path.attribute == "members")
}

impl Members {
    /// Takes the members out of an entry, without the value that stands for nobody.
    #[must_use]
    pub fn take_values(&self, entry: &mut Entry) -> Vec<Vec<u8>> {
        let mut values = entry.remove(&self.attribute);
        values.retain(|value| value != self.placeholder.as_bytes());
        values
    }

    /// Whether the entry holds the value that stands for nobody.
    #[must_use]
    pub fn holds_nobody(&self, entry: &Entry) -> bool {
        entry.values(&self.attribute).iter().any(|value| value == self.placeholder.as_bytes())
    }

    /// The attribute of a member whose value the group holds; `None`: its DN.
    #[must_use]
    pub const fn name_attribute(&self) -> Option<&AttributeName> {
        match &self.holds {
            MemberValue::Dn => None,
            MemberValue::Name(attribute) => Some(attribute),
        }
    }

    /// What has to change so that a group that holds `current` holds exactly `wanted`. A value of something that can
    /// be no member was never shown to a client, so it is not removed for being left out.
    #[must_use]
    pub fn delta(&self, current: &[Vec<u8>], wanted: Vec<Vec<u8>>) -> MemberDelta {
        if self.holds != MemberValue::Dn {
            let has: HashSet<&Vec<u8>> = current.iter().collect();
            let wants: HashSet<&Vec<u8>> = wanted.iter().collect();
            let remove = current.iter().filter(|value| !wants.contains(value)).cloned().collect();
            let add = wanted.iter().filter(|value| !has.contains(value)).cloned().collect();
            return MemberDelta { add, remove };
        }
        let mut missing: std::collections::HashMap<Dn, Vec<u8>> =
            wanted.into_iter().filter_map(|value| Some((Dn::in_value(&value)?, value))).collect();
        let mut remove = Vec::new();
        for value in current {
            match Dn::in_value(value) {
                Some(dn) if missing.remove(&dn).is_some() => {}
                Some(dn) if !self.within.iter().any(|base| dn.is_within(base)) => {}
                _ => remove.push(value.clone()),
            }
        }
        MemberDelta { add: missing.into_values().collect(), remove }
    }

    /// The modification of the member attribute.
    #[must_use]
    pub fn modifications(&self, add: Vec<Vec<u8>>, remove: Vec<Vec<u8>>) -> Vec<Modification> {
        let change = |change| Modification { attribute: self.attribute.clone(), change };
        let added = (!add.is_empty()).then(|| change(Change::Add(add)));
        let removed = (!remove.is_empty()).then(|| change(Change::Delete(remove)));
        added.into_iter().chain(removed).collect()
    }
}

impl ResourceMapping {
    /// Whether the server refuses a group of this table without any value in the member attribute.
    #[must_use]
    pub fn needs_a_member(&self, dialect: &Dialect) -> bool {
        !dialect.empty_groups
            && self.members.is_some()
            && self.object_class.iter().any(|class| NEED_A_MEMBER.iter().any(|needs| needs.eq_ignore_ascii_case(class)))
    }

    /// The member attribute of a new group: the given values, or the one that stands for nobody where the server
    /// wants one.
    #[must_use]
    pub fn first_members(&self, values: Vec<Vec<u8>>, dialect: &Dialect) -> Option<(AttributeName, Vec<Vec<u8>>)> {
        let members = self.members.as_ref()?;
        if !values.is_empty() {
            return Some((members.attribute.clone(), values));
        }
        let nobody = members.placeholder.clone().into_bytes();
        self.needs_a_member(dialect).then(|| (members.attribute.clone(), vec![nobody]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::ResourceKind;
    use crate::tables::Place;

    fn change(operations: &Value) -> (MemberChange, usize) {
        let schema = ResourceSchema::standard(ResourceKind::Group);
        let mut patch = Patch::from_client(json!({ "Operations": operations }), &schema).unwrap();
        let change = MemberChange::take_from(&mut patch).unwrap().unwrap();
        (change, patch.operations.len())
    }

    #[test]
    fn the_last_word_on_a_member_counts() {
        let (change, others) = change(&json!([
            {"op": "replace", "value": {"id": "g", "displayName": "Engineers"}},
            {"op": "remove", "path": "members[value eq \"a\"]"},
            {"op": "add", "path": "members", "value": [{"value": "a"}, {"value": "b"}, {"value": "b"}]},
            {"op": "remove", "path": "members", "value": [{"value": "b"}, {"value": "c"}]},
        ]));
        assert_eq!(others, 1, "the name is changed by other means");
        assert_eq!((change.reset, change.add, change.remove.len()), (false, vec!["a".to_owned()], 2));
    }

    #[test]
    fn removing_all_and_adding_some_is_a_replacement() {
        let (change, _) = change(&json!([
            {"op": "add", "path": "members", "value": [{"value": "x"}]},
            {"op": "remove", "path": "members"},
            {"op": "add", "path": "members", "value": [{"value": "a"}]},
        ]));
        assert_eq!(change, MemberChange { reset: true, add: vec!["a".to_owned()], remove: Vec::new() });
    }

    fn members() -> Members {
        Members {
            attribute: AttributeName::literal("member"),
            holds: MemberValue::Dn,
            placeholder: String::new(),
            within: vec![Dn::parse("ou=people,dc=x").unwrap()],
            place: Place { file: "t".into(), line: 1, column: 1 },
        }
    }

    #[test]
    fn a_difference_leaves_strangers_and_other_spellings_alone() {
        let values = |list: &[&str]| list.iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>();
        let current = values(&["uid=a,ou=people,dc=x", "UID=B, OU=people,dc=x", "cn=printer,ou=devices,dc=x"]);
        let delta = members().delta(&current, values(&["uid=b,ou=people,dc=x", "uid=c,ou=people,dc=x"]));
        assert_eq!(delta.add, values(&["uid=c,ou=people,dc=x"]));
        assert_eq!(delta.remove, values(&["uid=a,ou=people,dc=x"]));
    }
}
