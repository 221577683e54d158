//! Tokens that are made and revoked on the command line while the daemon runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::http::credentials::{IssuedToken, IssuedTokens};
use crate::store::{Durability, Generation, Store, StoreFault, Token};

/// How often the store is asked whether somebody else wrote to it.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is noted which tokens were used.
const NOTE: Duration = Duration::from_mins(1);

/// Keeps the tokens that count as they are in the store.
pub(super) struct Keeper {
    store: Store,
    issued: Arc<IssuedTokens>,
    /// As of when the tokens are.
    seen: Generation,
    noted: Instant,
    /// The store could not be asked the last time.
    is_failing: bool,
}

impl Keeper {
    /// Reads the tokens that are there.
    pub(super) async fn new(store: Store) -> Result<Self, StoreFault> {
        let issued = Arc::new(IssuedTokens::default());
        let seen = store.changed_elsewhere().await?;
        read(&store, &issued).await?;
        Ok(Self { store, issued, seen, noted: Instant::now(), is_failing: false })
    }

    /// The tokens that count.
    pub(super) fn issued(&self) -> &Arc<IssuedTokens> {
        &self.issued
    }

    /// Follows the store. Never ends.
    pub(super) async fn follow(mut self) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.look().await {
                Ok(()) if self.is_failing => info!("the store answers again"),
                Err(fault) if !self.is_failing => {
                    warn!(%fault, "tokens of the command line stay as they were: the store can't be read");
                    self.is_failing = true;
                    continue;
                }
                Err(_) => continue,
                Ok(()) => {}
            }
            self.is_failing = false;
        }
    }

    async fn look(&mut self) -> Result<(), StoreFault> {
        let generation = self.store.changed_elsewhere().await?;
        if generation != self.seen {
            read(&self.store, &self.issued).await?;
            self.seen = generation;
        }
        if self.noted.elapsed() >= NOTE {
            self.noted = Instant::now();
            note_used(&self.store, &self.issued).await?;
        }
        Ok(())
    }
}

async fn read(store: &Store, issued: &IssuedTokens) -> Result<(), StoreFault> {
    let tokens = store.read(async |session| session.tokens(None)).await?;
    issued.replace(tokens.into_iter().map(|Token { id, space, hash, expires, revoked, .. }| IssuedToken {
        id,
        tenant: space,
        hash,
        expires,
        revoked: revoked.is_some(),
    }));
    Ok(())
}

/// Notes which tokens were used, for `token list`.
pub(super) async fn note_used(store: &Store, issued: &IssuedTokens) -> Result<(), StoreFault> {
    let used = issued.take_used();
    if used.is_empty() {
        return Ok(());
    }
    let note = async move |session: crate::store::Session| {
        used.iter().try_for_each(|(id, at)| session.touch_token(id, *at).map(drop))
    };
    store.write(Durability::Soon, note).await
}
