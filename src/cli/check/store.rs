//! Looking whether the store can be opened, and whether somebody can use each tenant.

use std::collections::HashSet;

use jiff::Timestamp;

use super::survey::{Remark, finding};
use crate::config::{Config, Tenant};
use crate::mapping::check::Severity;
use crate::store::{Store, StoreFault};

/// What is found. A store that is not there yet is no mistake: the daemon makes it.
pub(super) async fn remarks(config: &Config) -> Vec<Remark> {
    match spaces_with_tokens(config).await {
        Err(fault) => {
            let help = "the daemon can't start like this";
            let finding = finding(Severity::Error, &config.store.place, fault.to_string(), help);
            vec![Remark { about: "store".to_owned(), finding }]
        }
        Ok(spaces) => {
            let closed =
                |tenant: &&Tenant| tenant.enabled && tenant.credentials.is_empty() && !spaces.contains(&*tenant.name);
            config.tenants.iter().filter(closed).map(closed_door).collect()
        }
    }
}

fn closed_door(tenant: &Tenant) -> Remark {
    let message = "it has no credential, so nobody can use it".to_owned();
    let help = "make one with `scim2ldap token create`, or add [[tenant.NAME.credential]]";
    let finding = finding(Severity::Warning, &tenant.place, message, help);
    Remark { about: format!("tenant {}", tenant.name), finding }
}

/// The tenants that have a token that is good now.
async fn spaces_with_tokens(config: &Config) -> Result<HashSet<String>, StoreFault> {
    let Some(store) = Store::open_existing(&config.store.settings).await? else { return Ok(HashSet::new()) };
    let now = Timestamp::now().as_millisecond();
    let tokens = store.read(async |session| session.tokens(None)).await?;
    Ok(tokens.into_iter().filter(|token| token.is_good(now)).map(|token| token.space).collect())
}
