//! What is asked of a resource that is there.

use std::borrow::Cow;

use crate::mapping::{MemberChange, ResourceMapping};
use crate::scim::{AttributePath, Patch, Resource};

use super::Fault;

/// A change of a resource that is there: what it is apart from its members, and who its members are.
#[derive(Debug)]
pub(super) struct Change<'a> {
    what: What<'a>,
    pub members: Option<MemberChange>,
}

/// A change without what it asks of members.
#[derive(Debug)]
enum What<'a> {
    Replace(Cow<'a, Resource>),
    Patch(Cow<'a, Patch>),
}

impl<'a> Change<'a> {
    /// PUT.
    pub fn replace(mapping: &ResourceMapping, resource: &'a Resource) -> Self {
        let members = mapping.members.as_ref().map(|_| MemberChange::of_resource(resource));
        let mut resource = Cow::Borrowed(resource);
        if resource.get(&AttributePath::core("members")).is_some() {
            resource.to_mut().remove(&AttributePath::core("members"));
        }
        Self { what: What::Replace(resource), members }
    }

    /// PATCH.
    pub fn patch(mapping: &ResourceMapping, patch: &'a Patch) -> Result<Self, Fault> {
        let mut patch = Cow::Borrowed(patch);
        let members = if mapping.members.is_some() { MemberChange::take_from(patch.to_mut())? } else { None };
        Ok(Self { what: What::Patch(patch), members })
    }

    /// What `before` becomes, its members asked, and whether the client named only what changes.
    pub fn wanted(&self, mapping: &ResourceMapping, before: &Resource) -> Result<(Cow<'_, Resource>, bool), Fault> {
        Ok(match &self.what {
            What::Replace(resource) => (Cow::Borrowed(&**resource), false),
            What::Patch(patch) => (Cow::Owned(patch.apply(before, &mapping.schema)?), true),
        })
    }

    /// Whether only single members come and go.
    pub fn is_small(&self) -> bool {
        matches!(&self.what, What::Patch(patch) if patch.operations.is_empty())
            && self.members.as_ref().is_some_and(|members| !members.reset)
    }

    /// Whether it asks for nothing: it is only about what refers to the entry.
    pub fn is_nothing(&self) -> bool {
        matches!(&self.what, What::Patch(patch) if patch.operations.is_empty()) && self.members.is_none()
    }

    pub fn resets_members(&self) -> bool {
        self.members.as_ref().is_some_and(|members| members.reset)
    }

    /// All that the resource is to be, of a PUT.
    pub fn replaced(&self) -> Option<&Resource> {
        match &self.what {
            What::Replace(resource) => Some(resource),
            What::Patch(_) => None,
        }
    }
}
