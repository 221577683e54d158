//! What is served: the tenants, each with its bridge, its credentials and its discovery documents.

use std::sync::Arc;

use super::credentials::Credentials;
use super::discovery::Documents;
use super::health::Readiness;
use super::route::{self, Prefix, Target};
use crate::bridge::Bridge;
use crate::config::{PatchAnswer, PatchResponse};
use crate::scim::ResourceKind;

/// Everything a request needs to know; replaced as a whole on a reload.
pub struct Site {
    tenants: Vec<Tenant>,
    max_body: usize,
    readiness: Readiness,
}

/// One tenant, as the configuration has it.
pub struct TenantSettings {
    /// The name in the configuration, as the log shows it.
    pub name: Arc<str>,
    /// The path below which the tenant lives, for instance `/scim/v2`.
    pub path: String,
    /// Public URL and path, without a slash at the end.
    pub base_url: String,
    /// Whether requests are let in at all.
    pub enabled: bool,
    /// Who is let in.
    pub credentials: Credentials,
    /// What a PATCH answers.
    pub patch_response: PatchResponse,
    /// The most resources that one list answer holds.
    pub max_results: usize,
    /// Whether a password in a request is set in the directory.
    pub password_sync: bool,
    /// Whether bulk requests are served.
    pub bulk: bool,
    /// What carries requests out.
    pub bridge: Bridge,
}

/// One tenant, ready to serve.
pub(super) struct Tenant {
    pub(super) settings: TenantSettings,
    pub(super) documents: Documents,
    prefix: Prefix,
}

impl Site {
    /// A site of these tenants; bodies of requests may have up to `max_body` bytes.
    #[must_use]
    pub fn new(tenants: Vec<TenantSettings>, max_body: usize) -> Self {
        let tenants = tenants.into_iter().map(|settings| Tenant::new(settings, max_body)).collect();
        Self { tenants, max_body, readiness: Readiness::default() }
    }

    /// What `path` names.
    pub(super) fn find(&self, path: &str) -> Target {
        route::find(path, self.tenants.iter().map(|tenant| &tenant.prefix))
    }

    /// The tenant at this place in the list.
    pub(super) fn tenant(&self, index: usize) -> Option<&Tenant> {
        self.tenants.get(index)
    }

    /// All tenants.
    pub(super) fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    /// The names of the tenants that are switched on and let nobody in: they have no credential that is good.
    pub fn without_credentials(&self) -> impl Iterator<Item = &str> {
        let settings = self.tenants.iter().map(|tenant| &tenant.settings);
        settings.filter(|it| it.enabled && !it.credentials.has_any()).map(|it| &*it.name)
    }

    /// The longest body that is read, in bytes.
    pub(super) fn max_body(&self) -> usize {
        self.max_body
    }

    /// What is known about the directories.
    pub(super) fn readiness(&self) -> &Readiness {
        &self.readiness
    }
}

impl Tenant {
    fn new(settings: TenantSettings, max_body: usize) -> Self {
        let documents = Documents::new(&settings, max_body);
        let prefix = Prefix::new(&settings.path);
        Self { settings, documents, prefix }
    }

    /// What a PATCH of this kind answers.
    pub(super) fn patch_answer(&self, kind: ResourceKind) -> PatchAnswer {
        match kind {
            ResourceKind::User => self.settings.patch_response.user,
            ResourceKind::Group => self.settings.patch_response.group,
        }
    }
}
