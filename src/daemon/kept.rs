//! What the process keeps across reloads: the store, the tokens of the command line, and what each tenant owes.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::bridge::Ledger;
use crate::config::{Config, WhenUnreachable};
use crate::http::credentials::IssuedTokens;
use crate::store::{Session, Store, StoreFault};

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
                self.warn_of_owed(&tenant.name).await?;
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

    /// Writes down for commands beside the daemon that it ends.
    pub(super) async fn note_stopped(&self) -> Result<(), StoreFault> {
        for ledger in self.ledgers.lock().await.values() {
            ledger.note_stopped().await?;
        }
        Ok(())
    }

    /// What was accepted before the tenant was told to refuse is carried out by nobody.
    async fn warn_of_owed(&self, tenant: &Arc<str>) -> Result<(), StoreFault> {
        let space = Arc::clone(tenant);
        let tally = self.store.read(async move |session: Session| session.tally(Some(&space))).await?;
        if tally.owed + tally.parked + tally.held > 0 {
            let (owed, parked, held) = (tally.owed, tally.parked, tally.held);
            tracing::warn!(
                tenant = &**tenant,
                owed,
                parked,
                held,
                "what is owed is not carried out while when_unreachable is \"refuse\": write \"accept\" until the queue is empty"
            );
        }
        Ok(())
    }
}
