//! What an intent becomes: order, apply, reads.
//!
//! `apply` reads what must be read, lets [`crate::mapping`] plan the change and carries the plan out. A resource is
//! changed by one intent at a time ([`order`]); what the directory answers becomes a [`Receipt`] or a [`Fault`].

mod explain;
mod fault;
mod list;
mod matching;
mod membership;
mod order;
mod read;
mod references;
mod snapshot;
mod tidy;
mod version;
mod write;

use std::sync::{Arc, OnceLock};

pub use explain::Explanation;
pub use fault::Fault;
pub use list::Page;
pub(crate) use snapshot::CURSOR_TIMEOUT;

use crate::directory::{Directory, SchemaView};
use crate::mapping::{Mapping, ResourceMapping, WriteMode};
use crate::scim::{Patch, Resource, ResourceKind, ResourceSchema};

/// What one tenant is served by: a mapping table over a directory. Cheap to clone.
#[derive(Clone)]
pub struct Bridge {
    inner: Arc<Inner>,
}

struct Inner {
    tenant: Arc<str>,
    mapping: Arc<Mapping>,
    directory: Directory,
    policy: Policy,
    locks: order::Locks,
    places: membership::Places,
    schema: OnceLock<SchemaView>,
    snapshots: snapshot::Snapshots,
}

/// What a tenant's configuration says about how its intents are carried out.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The tenant's base URL without a trailing slash, for `meta.location` and `$ref`.
    pub base_url: String,
    /// Whether groups are served.
    pub groups: bool,
    /// Whether passwords in requests are carried over.
    pub password_sync: bool,
    /// The most resources that one list answer holds.
    pub max_results: usize,
    /// Seconds after which a client may ask again when the directory is away.
    pub retry_after: u32,
}

/// What is asked of one resource.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The kind of resource.
    pub kind: ResourceKind,
    /// What to do.
    pub action: Action,
    /// The versions the client accepts to change (If-Match, RFC 7644 section 3.14).
    pub if_match: Option<VersionMatch>,
    /// Whether the receipt has to hold the changed resource; without, it need not be read.
    pub answer: bool,
}

/// What to do with one resource.
#[derive(Debug, Clone)]
pub enum Action {
    /// POST.
    Create(Resource),
    /// PUT.
    Replace {
        /// The SCIM id.
        id: String,
        /// The wanted state.
        resource: Resource,
    },
    /// PATCH.
    Patch {
        /// The SCIM id.
        id: String,
        /// The operations.
        patch: Patch,
    },
    /// DELETE.
    Delete {
        /// The SCIM id.
        id: String,
    },
}

/// Entity tags as a client lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionMatch {
    /// `*`: any version.
    Any,
    /// One of these, each with its quotes and `W/`.
    OneOf(Vec<String>),
}

impl VersionMatch {
    /// Whether `version` is among them; weak comparison (RFC 9110 section 8.8.3.2), for SCIM's tags are weak.
    #[must_use]
    pub fn allows(&self, version: &str) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|tag| opaque(tag) == opaque(version)),
        }
    }
}

/// What came of an intent.
#[derive(Debug, Clone)]
pub enum Receipt {
    /// The resource as the directory holds it now.
    Created(Resource),
    /// The resource as the directory holds it now, changed or as it was.
    Updated(Resource),
    /// It is as it was asked for; nobody asked what it looks like.
    Changed,
    /// It is gone.
    Deleted,
}

impl Bridge {
    /// A bridge from `tenant`'s resources to the entries of `directory`.
    #[must_use]
    pub fn new(tenant: Arc<str>, mapping: Arc<Mapping>, directory: Directory, policy: Policy) -> Self {
        let inner = Inner {
            tenant,
            mapping,
            directory,
            policy,
            locks: order::Locks::default(),
            places: membership::Places::default(),
            schema: OnceLock::new(),
            snapshots: snapshot::Snapshots::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The tenant's name.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.inner.tenant
    }

    /// The directory behind this bridge.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.inner.directory
    }

    /// The schema that requests of this kind are read by; `None` when the kind is not served.
    #[must_use]
    pub fn schema(&self, kind: ResourceKind) -> Option<&ResourceSchema> {
        self.mapping(kind).ok().map(|mapping| &mapping.schema)
    }

    /// The schema that `/Schemas` shows for this kind; `None` when the kind is not served.
    #[must_use]
    pub fn served(&self, kind: ResourceKind) -> Option<&ResourceSchema> {
        self.mapping(kind).ok().map(|mapping| &mapping.served)
    }

    /// Whether the directory answers.
    pub async fn ready(&self) -> Result<(), Fault> {
        self.inner.directory.ping().await.map_err(|fault| self.fault(fault))
    }

    /// Carries `intent` out.
    pub async fn apply(&self, intent: Intent) -> Result<Receipt, Fault> {
        let mapping = self.mapping(intent.kind)?;
        let outcome = self.carry(mapping, intent).await;
        // Also after a fault: a write whose outcome is unknown may have been carried out.
        self.inner.snapshots.written(mapping.kind);
        outcome
    }

    async fn carry(&self, mapping: &ResourceMapping, intent: Intent) -> Result<Receipt, Fault> {
        let if_match = intent.if_match.as_ref();
        match intent.action {
            Action::Create(resource) => self.create(mapping, resource).await,
            Action::Replace { id, resource } => {
                self.update(mapping, &id, write::Change::replace(mapping, resource), if_match, intent.answer).await
            }
            Action::Patch { id, patch } => {
                self.update(mapping, &id, write::Change::patch(mapping, patch)?, if_match, intent.answer).await
            }
            Action::Delete { id } => self.delete(mapping, &id, if_match).await,
        }
    }

    fn mapping(&self, kind: ResourceKind) -> Result<&ResourceMapping, Fault> {
        let mapping = match kind {
            ResourceKind::User => Some(&self.inner.mapping.user),
            ResourceKind::Group => self.inner.mapping.group.as_ref().filter(|_| self.inner.policy.groups),
        };
        mapping.ok_or(Fault::NotServed(kind))
    }

    fn location(&self, kind: ResourceKind, id: &str) -> String {
        let base = &self.inner.policy.base_url;
        let endpoint = kind.endpoint();
        let mut location = String::with_capacity(base.len() + endpoint.len() + id.len() + 2);
        for part in [base, "/", endpoint, "/", id] {
            location.push_str(part);
        }
        location
    }

    fn mode(&self, creating: bool) -> WriteMode {
        WriteMode { creating, password_sync: self.inner.policy.password_sync }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
    fn fault(&self, fault: crate::directory::Fault) -> Fault {
        Fault::of_directory(&fault, self.inner.policy.retry_after)
    }
}
