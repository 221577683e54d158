//! What an intent becomes: order, apply, reads.
//!
//! A [`Carrier`] carries intents out on a target. A resource is changed by one intent at a time ([`order`]); what the
//! directory answers becomes a [`Receipt`] or a [`Fault`].

mod account;
mod carrier;
mod carry_out;
mod change;
mod create;
mod delete;
mod explain;
mod fault;
mod group_names;
mod late;
mod list;
mod lookups;
mod matching;
mod member_values;
mod members;
mod membership;
mod nested;
mod numbers;
mod order;
mod outage;
mod places;
mod primary;
mod protect;
mod read;
mod references;
mod shadow;
mod snapshot;
mod target;
mod tidy;
mod unmet;
mod version;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use explain::Explanation;
pub use fault::Fault;
pub use list::Page;
pub use outage::{Backstage, Figures, Ledger, Pulse, desk};
pub(crate) use snapshot::CURSOR_TIMEOUT;

use crate::directory::Directory;
use crate::mapping::Mapping;
use crate::mapping::protect::Protect;
use crate::scim::{Patch, Projection, Query, Resource, ResourceKind, ResourceSchema};
use crate::store::seal::SealKey;
use crate::store::{Session, Store, StoreFault};

use carrier::{Carrier, Earlier};
use outage::{Keep, turn_key};
use target::{Live, Target};
use unmet::LeftOut;

/// What one tenant is served by: a mapping table over a directory. Cheap to clone.
#[derive(Clone)]
pub struct Bridge {
    tenant: Arc<str>,
    directory: Directory,
    live: Carrier,
    /// Where changes are accepted while the directory is away.
    keep: Option<Keep>,
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
    /// What is never written.
    pub protect: Arc<[Protect]>,
    /// The most resources that one list answer holds.
    pub max_results: usize,
    /// Seconds after which a client may ask again when the directory is away.
    pub retry_after: u32,
    /// Whether somebody else goes on where the directory does not answer, so that it need not be asked again at once.
    pub hands_over: bool,
}

/// What is asked of one resource.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The kind of resource.
    pub kind: ResourceKind,
    /// What to do.
    pub action: Action,
    /// The versions the client accepts to change (If-Match and If-None-Match, RFC 7644 section 3.14).
    pub if_match: Option<VersionMatch>,
    /// Whether the receipt has to hold the changed resource; without, it need not be read.
    pub answer: bool,
    /// Who asks.
    pub origin: Origin,
}

/// Who asks for something, as people read it later.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The credential that the request came with, by its name.
    pub by: Arc<str>,
    /// The id of the request in the log.
    pub request: Arc<str>,
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
    /// None of these.
    NoneOf(Vec<String>),
    /// `*` in If-None-Match: no version, so the resource must not be there.
    Never,
}

impl VersionMatch {
    /// Every version but these.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Any => Self::Never,
            Self::OneOf(tags) => Self::NoneOf(tags),
            Self::NoneOf(tags) => Self::OneOf(tags),
            Self::Never => Self::Any,
        }
    }

    /// Whether a resource is allowed that shows itself under these versions; weak comparison (RFC 9110 section
    /// 8.8.3.2), for SCIM's tags are weak.
    #[must_use]
    pub fn allows(&self, versions: &[&str]) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let is_it = |tag: &String| versions.iter().any(|version| opaque(tag) == opaque(version));
        let listed = |tags: &[String]| tags.iter().any(is_it);
        match self {
            Self::Any => true,
            Self::OneOf(tags) => listed(tags),
            Self::NoneOf(tags) => !listed(tags),
            Self::Never => false,
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

/// A receipt, and whether it is a promise.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What came of the intent, or what will come of it.
    pub receipt: Receipt,
    /// The number of the item, where the change is on disk and still owed to the directory.
    pub owed: Option<i64>,
}

impl Bridge {
    /// A bridge from `tenant`'s resources to the entries of `directory`, which can do nothing while that is away.
    #[must_use]
    pub fn new(tenant: Arc<str>, mapping: Arc<Mapping>, directory: Directory, policy: Policy) -> Self {
        Self::knowing(tenant, mapping, directory, policy, Arc::default())
    }

    /// The same for a command beside the daemon: it knows the ids that were given out before the directory gave its own.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn beside(
        store: &Store,
        tenant: Arc<str>,
        mapping: Arc<Mapping>,
        directory: Directory,
        policy: Policy,
    ) -> Result<Self, StoreFault> {
        let aliases = Arc::new(outage::Aliases::default());
        let (space, known) = (Arc::clone(&tenant), Arc::clone(&aliases));
        let read = async move |session: Session| session.aliases(&space, &mut |given, real| known.add(given, real));
        store.read(read).await?;
        Ok(Self::knowing(tenant, mapping, directory, policy, aliases))
    }

    fn knowing(
        tenant: Arc<str>,
        mapping: Arc<Mapping>,
        directory: Directory,
        policy: Policy,
        aliases: Arc<outage::Aliases>,
    ) -> Self {
        let target = Target::Live(Live::new(directory.clone(), &mapping, aliases));
        let live = Carrier::new(mapping, target, policy, snapshot::Snapshots::default());
        Self { tenant, directory, live, keep: None }
    }

    /// A bridge that goes on while the directory is away, and carries out what is owed when it is back. Its work in the
    /// background begins with [`Backstage::run`] and ends when the last clone of the bridge is dropped.
    #[must_use]
    pub fn keeping(
        ledger: Arc<Ledger>,
        key: Option<SealKey>,
        mapping: Arc<Mapping>,
        directory: Directory,
        policy: Policy,
    ) -> (Self, Backstage) {
        let policy = Policy { hands_over: true, ..policy };
        let snapshots = snapshot::Snapshots::default();
        let (keep, backstage) = Keep::new(ledger, key, &mapping, &directory, &policy, &snapshots);
        let target = Target::Live(keep.echoing(&directory));
        let live = Carrier::new(mapping, target, policy, snapshots);
        (Self { tenant: Arc::clone(&keep.ledger.tenant), directory, live, keep: Some(keep) }, backstage)
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

    /// Whether requests are answered also while the directory is away.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.keep.as_ref().is_some_and(Keep::is_filled)
    }

    /// How the tenant stands; `None` where it owes nothing because nothing is kept while the directory is away.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn figures(&self) -> Result<Option<Figures>, StoreFault> {
        match &self.keep {
            Some(keep) => keep.figures().await.map(Some),
            None => Ok(None),
        }
    }

    /// Carries `intent` out; or, if the directory can't do it now, puts it on disk to be carried out later.
    pub async fn apply(&self, intent: Intent) -> Result<Answered, Fault> {
        let Some(keep) = &self.keep else {
            let receipt = self.live.apply(intent, &Earlier::default()).await?;
            return Ok(Answered { receipt, owed: None });
        };
        let mapping = self.live.mapping(intent.kind)?;
        // From the question whether the intent has to wait until it does nobody else may change the resource.
        let turn = keep.ledger.turn(turn_key(&intent, mapping)).await;
        let answered = self.apply_or_keep(keep, &intent).await?;
        drop(turn);
        keep.ledger.note_synced();
        // Others may have waited for whom this intent made or renamed.
        keep.meet(&intent, &answered.receipt).await;
        Ok(answered)
    }

    async fn apply_or_keep(&self, keep: &Keep, intent: &Intent) -> Result<Answered, Fault> {
        if self.is_away() || keep.has_to_wait(intent) {
            return keep.accept(intent.clone(), None).await;
        }
        let earlier = Earlier { progress: keep.headway(intent), ..Earlier::default() };
        let left_out = LeftOut::default();
        match self.live.apply_noting(intent.into(), &earlier, &left_out).await {
            Err(Fault::Unavailable { .. }) => {
                keep.ledger.wake();
                keep.accept(intent.clone(), Some(&earlier.progress)).await
            }
            Ok(receipt) => {
                keep.note_references(intent, &receipt, left_out.take()).await;
                Ok(Answered { receipt, owed: None })
            }
            Err(fault) => Err(fault),
        }
    }

    /// Whether the directory did not answer when it was last asked.
    fn is_away(&self) -> bool {
        self.directory.is_away()
    }

    /// The resource with this id. `projection` says what the answer will show, so that no more is read.
    pub async fn get(&self, kind: ResourceKind, id: &str, projection: &Projection) -> Result<Resource, Fault> {
        let Some(keep) = &self.keep else { return self.live.get(kind, id, projection).await };
        if self.is_away() || keep.knows_better(Some(id)) {
            return keep.get(kind, id, projection).await;
        }
        match self.live.get(kind, id, projection).await {
            Err(Fault::Unavailable { .. }) => keep.get(kind, id, projection).await,
            answer => answer,
        }
    }

    /// One page of what matches, of one kind or of several. With several kinds each has the query in the terms of its
    /// own schema; page and order are those of the first.
    pub async fn list(&self, asked: &[(ResourceKind, Query)]) -> Result<Page, Fault> {
        let Some(keep) = &self.keep else { return self.live.list(asked).await };
        if self.is_away() || keep.knows_better(None) {
            return keep.list(asked).await;
        }
        match self.live.list(asked).await {
            Err(Fault::Unavailable { .. }) => keep.list(asked).await,
            answer => answer,
        }
    }

    /// Plans `intent` and tells the plan. The directory is read where the plan needs it, and never written.
    pub async fn explain(&self, intent: Intent) -> Result<Explanation, Fault> {
        self.live.explain(intent).await
    }
}
