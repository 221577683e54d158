//! What the process keeps across reloads: the store, the tokens of the command line, and what each tenant owes.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::bridge::Ledger;
use crate::config::{Config, WhenUnreachable};
use crate::http::credentials::IssuedTokens;
use crate::store::{Store, StoreFault};

/// What the process keeps across reloads.
pub(super) struct Kept {
    /// The open store.
    pub(super) store: Store,
    /// The tokens that count.
    pub(super) issued: Arc<IssuedTokens>,
    ledgers: Mutex<HashMap<Arc<str>, Arc<Ledger>>>,
}

impl Kept {
    pub(super) fn new(store: Store, issued: Arc<IssuedTokens>) -> Self {
        Self { store, issued, ledgers: Mutex::default() }
    }

    /// The ledgers of the tenants that go on while their directory is away; each tenant has one for good.
    pub(super) async fn ledgers(&self, config: &Config) -> Result<HashMap<Arc<str>, Arc<Ledger>>, StoreFault> {
        let mut known = self.ledgers.lock().await;
        let mut chosen = HashMap::new();
        for tenant in &config.tenants {
            let directory = config.directory(&tenant.directory);
            if directory.is_none_or(|it| it.when_unreachable == WhenUnreachable::Refuse) {
                continue;
            }
            let ledger = match known.get(&tenant.name) {
                Some(ledger) => Arc::clone(ledger),
                None => Ledger::open(self.store.clone(), Arc::clone(&tenant.name)).await?,
            };
            known.insert(Arc::clone(&tenant.name), Arc::clone(&ledger));
            chosen.insert(Arc::clone(&tenant.name), ledger);
        }
        Ok(chosen)
    }
}
