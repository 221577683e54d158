//! What an intent becomes: order, apply, reads.
//!
//! A [`Carrier`] carries intents out on a target. A resource is changed by one intent at a time ([`order`]); what the
//! directory answers becomes a [`Receipt`] or a [`Fault`].

mod carrier;
mod create;
mod delete;
mod explain;
mod fault;
mod group_names;
mod list;
mod matching;
mod membership;
mod nested;
mod numbers;
mod order;
mod read;
mod references;
mod snapshot;
mod target;
mod tidy;
mod version;
mod write;

use std::sync::Arc;

pub use explain::Explanation;
pub use fault::Fault;
pub use list::Page;
pub(crate) use snapshot::CURSOR_TIMEOUT;

use crate::directory::Directory;
use crate::mapping::Mapping;
use crate::scim::{Patch, Projection, Query, Resource, ResourceKind, ResourceSchema};

use carrier::Carrier;
use target::Target;

/// What one tenant is served by: a mapping table over a directory. Cheap to clone.
#[derive(Clone)]
pub struct Bridge {
    tenant: Arc<str>,
    directory: Directory,
    live: Carrier,
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
        let live = Carrier::new(mapping, Target::Live(directory.clone()), policy);
        Self { tenant, directory, live }
    }

    /// The tenant's name.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The directory behind this bridge.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The schema that requests of this kind are read by; `None` when the kind is not served.
    #[must_use]
    pub fn schema(&self, kind: ResourceKind) -> Option<&ResourceSchema> {
        self.live.mapping(kind).ok().map(|mapping| &mapping.schema)
    }

    /// The schema that `/Schemas` shows for this kind; `None` when the kind is not served.
    #[must_use]
    pub fn served(&self, kind: ResourceKind) -> Option<&ResourceSchema> {
        self.live.mapping(kind).ok().map(|mapping| &mapping.served)
    }

    /// Whether the directory answers.
    pub async fn ready(&self) -> Result<(), Fault> {
        self.directory.ping().await.map_err(|fault| self.live.fault(fault))
    }

    /// Carries `intent` out.
    pub async fn apply(&self, intent: Intent) -> Result<Receipt, Fault> {
        self.live.apply(intent).await
    }

    /// The resource with this id. `projection` says what the answer will show, so that no more is read.
    pub async fn get(&self, kind: ResourceKind, id: &str, projection: &Projection) -> Result<Resource, Fault> {
        self.live.get(kind, id, projection).await
    }

    /// One page of what matches, of one kind or of several. With several kinds each has the query in the terms of its
    /// own schema; page and order are those of the first.
    pub async fn list(&self, asked: &[(ResourceKind, Query)]) -> Result<Page, Fault> {
        self.live.list(asked).await
    }

    /// Plans `intent` and tells the plan. The directory is read where the plan needs it, and never written.
    pub async fn explain(&self, intent: Intent) -> Result<Explanation, Fault> {
        self.live.explain(intent).await
    }
}
