//! Changes that hold for one version of a resource only (If-Match, RFC 7644 section 3.14).

use crate::directory::{AttributeName, Entry, Filter};
use crate::mapping::version_without_members;
use crate::scim::{AttributePath, Resource};

use super::{Carrier, Fault, VersionMatch};

impl Carrier {
    /// What tells whether an entry was changed between reading and writing, where the client wants to know and the
    /// server can be asked to look at it in the same step.
    pub(super) async fn change_mark(&self, if_match: Option<&VersionMatch>) -> Option<AttributeName> {
        if_match?;
        let mark = self.dialect().change_mark.clone().filter(|_| self.dialect().assertion)?;
        self.inner.target.has_assertion().await.then_some(mark)
    }
}

/// Holds as long as the entry is at the change that it was read at.
pub(super) fn unchanged(entry: &Entry, mark: &AttributeName) -> Option<Filter> {
    entry.values(mark).first().map(|value| Filter::Equal(mark.clone(), value.clone()))
}

/// Refuses the change of a resource that is at another version than the client expects.
pub(super) fn check_version(resource: &Resource, if_match: Option<&VersionMatch>) -> Result<(), Fault> {
    let Some(wanted) = if_match else { return Ok(()) };
    let path = AttributePath { sub: Some("version".to_owned()), ..AttributePath::core("meta") };
    // Who did not ask for the members of a group saw another version of it, and changes nothing unseen of the rest.
    let without_members = version_without_members(resource);
    let versions: Vec<&str> = resource.text(&path).into_iter().chain(without_members.as_deref()).collect();
    if wanted.allows(&versions) { Ok(()) } else { Err(Fault::PreconditionFailed) }
}
