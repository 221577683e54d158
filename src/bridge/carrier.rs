//! Who carries an intent out: reads what must be read, lets [`crate::mapping`] plan the change, carries the plan out
//! on a [`Target`], and reads what came of it.

use std::sync::{Arc, OnceLock};

use crate::directory::{Dialect, SchemaView};
use crate::mapping::{Mapping, ResourceMapping, WriteMode};
use crate::scim::ResourceKind;

use super::group_names::{Owed, Touched};
use super::target::Target;
use super::{Action, Fault, Intent, Policy, Receipt, membership, numbers, order, snapshot, write};

/// Carries the intents of one tenant out on one target. Cheap to clone.
#[derive(Clone)]
pub(super) struct Carrier {
    pub inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub mapping: Arc<Mapping>,
    pub target: Target,
    pub policy: Policy,
    pub locks: order::Locks,
    pub places: membership::Places,
    pub numbers: numbers::Numbers,
    /// Users whose attribute could not be brought up to date.
    pub owed_names: Arc<Owed>,
    pub schema: OnceLock<SchemaView>,
    pub snapshots: snapshot::Snapshots,
}

impl Carrier {
    pub fn new(mapping: Arc<Mapping>, target: Target, policy: Policy) -> Self {
        let inner = Inner {
            mapping,
            target,
            policy,
            locks: order::Locks::default(),
            places: membership::Places::default(),
            numbers: numbers::Numbers::default(),
            owed_names: Arc::default(),
            schema: OnceLock::new(),
            snapshots: snapshot::Snapshots::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Carries `intent` out.
    pub async fn apply(&self, intent: Intent) -> Result<Receipt, Fault> {
        let mapping = self.mapping(intent.kind)?;
        let touched = Touched::new(&self.inner.owed_names);
        let outcome = self.carry(mapping, intent, &touched).await;
        // Also after a fault: a write whose outcome is unknown may have been carried out.
        self.inner.snapshots.written(mapping.kind);
        self.follow_up(outcome, touched).await
    }

    async fn carry(&self, mapping: &ResourceMapping, intent: Intent, touched: &Touched) -> Result<Receipt, Fault> {
        let aside = write::Aside { if_match: intent.if_match.as_ref(), answer: intent.answer, touched };
        match intent.action {
            Action::Create(resource) => self.create(mapping, resource, touched).await,
            Action::Replace { id, resource } => {
                self.update(mapping, &id, write::Change::replace(mapping, resource), aside).await
            }
            Action::Patch { id, patch } => {
                self.update(mapping, &id, write::Change::patch(mapping, patch)?, aside).await
            }
            Action::Delete { id } => self.delete(mapping, &id, aside).await,
        }
    }

    /// The part of the table for this kind, where it is served.
    pub fn mapping(&self, kind: ResourceKind) -> Result<&ResourceMapping, Fault> {
        let mapping = match kind {
            ResourceKind::User => Some(&self.inner.mapping.user),
            ResourceKind::Group => self.inner.mapping.group.as_ref().filter(|_| self.inner.policy.groups),
        };
        mapping.ok_or(Fault::NotServed(kind))
    }

    pub fn dialect(&self) -> &'static Dialect {
        self.inner.target.dialect()
    }

    /// `meta.location` of a resource.
    pub fn location(&self, kind: ResourceKind, id: &str) -> String {
        let base = &self.inner.policy.base_url;
        let endpoint = kind.endpoint();
        let mut location = String::with_capacity(base.len() + endpoint.len() + id.len() + 2);
        for part in [base, "/", endpoint, "/", id] {
            location.push_str(part);
        }
        location
    }

    pub fn mode(&self, creating: bool) -> WriteMode {
        WriteMode { creating, password_sync: self.inner.policy.password_sync }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
    pub fn fault(&self, fault: crate::directory::Fault) -> Fault {
        Fault::of_directory(&fault, self.inner.policy.retry_after)
    }
}
