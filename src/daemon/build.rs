//! From the configuration to what serves requests.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderName};

use crate::bridge::{Backstage, Bridge, Ledger, Policy};
use crate::config::{Config, Credential, Tenant};
use crate::directory::{Directory, SettingsFault};
use crate::http::credentials::{Credentials, IssuedTokens};
use crate::http::site::{Site, TenantSettings};
use crate::store::{Store, StoreFault};

/// The most resources that one list answer holds. Okta asks for 100 at a time and goes on by 100 whatever it gets.
const MAX_RESULTS: usize = 1000;
/// Seconds after which a client may ask again when the directory is away. Okta doubles this on every attempt, and gives
/// up for good after ten.
const RETRY_AFTER: u32 = 30;

/// The directories of a configuration by name. Nothing is connected yet.
pub fn directories(config: &Config) -> Result<HashMap<&str, Directory>, SettingsFault> {
    let named = |settings: &crate::directory::Settings| Directory::new(settings.clone());
    config.directories.iter().map(|it| Ok((it.settings.name.as_str(), named(&it.settings)?))).collect()
}

/// What the process keeps, as far as a site needs it.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The port that is listened at in place of port 0.
    pub port: u16,
    /// The tokens that were made on the command line.
    pub issued: &'a Arc<IssuedTokens>,
    /// What the tenants owe that go on while their directory is away.
    pub ledgers: &'a HashMap<Arc<str>, Arc<Ledger>>,
}

/// What is served, and what works for it in the background.
pub fn site(config: &Config, means: Means<'_>) -> Result<(Site, Vec<Backstage>), SettingsFault> {
    let directories = directories(config)?;
    let public_url = public_url(&config.server.public_url, means.port);
    let mut backstages = Vec::new();
    let mut tenants = Vec::with_capacity(config.tenants.len());
    for tenant in &config.tenants {
        let Some(directory) = directories.get(tenant.directory.as_str()) else { continue };
        let base_url = [&public_url, tenant.path.as_str()].concat();
        let bridge = match means.ledgers.get(&tenant.name) {
            None => bridge(tenant, base_url.clone(), directory.clone()),
            Some(ledger) => {
                let (policy, key) = (policy(tenant, base_url.clone()), config.store.key.clone());
                let (mapping, directory) = (Arc::clone(&tenant.mapping), directory.clone());
                let (bridge, backstage) = Bridge::keeping(Arc::clone(ledger), key, mapping, directory, policy);
                backstages.push(backstage);
                bridge
            }
        };
        tenants.push(settings(tenant, base_url, bridge, means.issued));
    }
    Ok((Site::new(tenants, config.server.max_body), backstages))
}

/// The public URL with the port that was bound where any port was asked for.
fn public_url(configured: &str, port: u16) -> String {
    configured.strip_suffix(":0").map_or_else(|| configured.to_owned(), |host| format!("{host}:{port}"))
}

/// What carries the requests of a tenant out at once or not at all. `base_url` is the tenant's, without a slash at the
/// end.
#[must_use]
pub fn bridge(tenant: &Tenant, base_url: String, directory: Directory) -> Bridge {
    Bridge::new(tenant.name.clone(), tenant.mapping.clone(), directory, policy(tenant, base_url))
}

/// The same for a command beside the daemon, which reads of `store` what ids were given out.
///
/// # Errors
/// When the store can't be read.
pub async fn bridge_beside(
    store: &Store,
    tenant: &Tenant,
    base_url: String,
    directory: Directory,
) -> Result<Bridge, StoreFault> {
    let (name, mapping) = (tenant.name.clone(), tenant.mapping.clone());
    Bridge::beside(store, name, mapping, directory, policy(tenant, base_url)).await
}

fn policy(tenant: &Tenant, base_url: String) -> Policy {
    Policy {
        base_url,
        groups: tenant.groups,
        password_sync: tenant.password_sync,
        protect: tenant.protect.clone(),
        max_results: MAX_RESULTS,
        retry_after: RETRY_AFTER,
        hands_over: false,
    }
}

fn settings(tenant: &Tenant, base_url: String, bridge: Bridge, issued: &Arc<IssuedTokens>) -> TenantSettings {
    let mut credentials = credentials(&tenant.credentials);
    credentials.allow_issued(&tenant.name, issued);
    TenantSettings {
        name: tenant.name.clone(),
        path: tenant.path.clone(),
        base_url,
        enabled: tenant.enabled,
        credentials,
        patch_response: tenant.patch_response,
        max_results: MAX_RESULTS,
        password_sync: tenant.password_sync,
        bulk: tenant.bulk,
        bridge,
    }
}

/// Each credential is called by its kind and its place in the list, a user name and a password by the user name.
fn credentials(configured: &[Credential]) -> Credentials {
    let mut credentials = Credentials::default();
    for (number, credential) in (1..).zip(configured) {
        match credential {
            Credential::Basic { username, password } => {
                credentials.allow_basic(&format!("basic {username}"), username, password);
            }
            Credential::Bearer { token } => credentials.allow_token(&format!("bearer #{number}"), token),
            Credential::Header { name, token } => {
                let header = HeaderName::try_from(name).unwrap_or(AUTHORIZATION);
                credentials.allow_header(&format!("header {name} #{number}"), header, token);
            }
        }
    }
    credentials
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_port_becomes_the_one_that_was_bound() {
        assert_eq!(public_url("http://127.0.0.1:0", 4711), "http://127.0.0.1:4711");
        assert_eq!(public_url("https://scim.example.com", 4711), "https://scim.example.com");
        assert_eq!(public_url("http://127.0.0.1:8080", 8080), "http://127.0.0.1:8080");
    }
}
