//! What intents say: about references, about members, and which names they give.

use std::collections::HashSet;

use serde_json::json;

use crate::mapping::{MemberChange, ResourceMapping, Unmet};
use crate::scim::{AttributePath, Op, Operation, Patch, PatchPath};

use super::super::super::Action;
use super::super::keep::texts_in;
use super::super::stored::Owed;

/// The attribute of groups, as it waits.
pub(super) const MEMBERS: &str = "members";

/// The words in an intent that may be names of its resource, in lower case. Those that refer to others are not.
pub(super) fn words_in(action: &Action, mapping: &ResourceMapping) -> HashSet<String> {
    let mut texts = Vec::new();
    let mut others: HashSet<String> = HashSet::new();
    match action {
        Action::Create(resource) | Action::Replace { resource, .. } => {
            resource.as_map().values().for_each(|value| texts_in(value, &mut texts));
            others = mapping.mentions(resource).into_iter().map(|mention| mention.text.to_lowercase()).collect();
        }
        Action::Patch { patch, .. } => {
            let refers = |path: &AttributePath| mapping.references().any(|own| stem(own) == stem(path));
            let named = |operation: &&Operation| !matches!(&operation.path, Some(PatchPath::Attribute { path, .. }) if refers(path));
            let values = patch.operations.iter().filter(named).filter_map(|operation| operation.value.as_ref());
            values.for_each(|value| texts_in(value, &mut texts));
        }
        Action::Delete { .. } => {}
    }
    texts.into_iter().map(str::to_lowercase).filter(|text| !others.contains(text)).collect()
}

/// Whether a patch says to whom a single reference leads. Who can't be found leaves the attribute as it was
/// (docs/decisions/0006-references.md); so what an earlier patch has made of it must be there by then.
pub(in super::super) fn says_reference(patch: &Patch, mapping: &ResourceMapping) -> bool {
    mapping.references().any(|path| says(patch, &stem(path)))
}

/// Whether a patch says something about an attribute, which is in lower case.
pub(super) fn says(patch: &Patch, attribute: &str) -> bool {
    patch.operations.iter().any(|operation| match &operation.path {
        Some(PatchPath::Attribute { path, .. }) => stem(path) == attribute,
        Some(PatchPath::Extension(urn)) => {
            attribute.strip_prefix(&urn.to_lowercase()).is_some_and(|rest| rest.starts_with(':'))
        }
        None => true,
    })
}

/// Whether a patch says of a member whether it is one. `member`: the id in lower case.
pub(super) fn says_member(patch: &Patch, member: &str) -> bool {
    let change = MemberChange::take_from(&mut patch.clone());
    let Ok(Some(change)) = change else { return false };
    change.reset || change.add.iter().chain(&change.remove).any(|id| id.to_lowercase() == member)
}

/// Whether a reference is a membership.
pub(super) fn is_membership(unmet: &Unmet) -> bool {
    stem(&unmet.path) == MEMBERS
}

/// The patch that sets a reference, or adds a member.
pub(super) fn setting(unmet: &Unmet) -> Patch {
    let path = PatchPath::Attribute { path: unmet.path.clone(), filter: None };
    let (op, value) = if is_membership(unmet) {
        (Op::Add, json!([{ "value": unmet.text }]))
    } else {
        (Op::Replace, unmet.text.clone().into())
    };
    Patch { operations: vec![Operation { op, path: Some(path), value: Some(value) }] }
}

/// The reference that an item sets, if it does only that.
pub(super) fn set_by(owed: &Owed) -> Option<Unmet> {
    let text = owed.waits_for.clone()?;
    match owed.patch()?.operations.first()?.path.as_ref()? {
        PatchPath::Attribute { path, .. } => Some(Unmet { path: path.clone(), text }),
        PatchPath::Extension(_) => None,
    }
}

pub(super) fn stem(path: &AttributePath) -> String {
    AttributePath { sub: None, ..path.clone() }.to_string().to_lowercase()
}

/// Why a reference waits.
pub(super) fn why(unmet: &Unmet) -> String {
    let text = &unmet.text;
    if is_membership(unmet) {
        return format!("the member {text:?} is still to be made, which waits for a person; it is added then");
    }
    format!("{text:?} means nobody yet; it is set as soon as there is somebody")
}
