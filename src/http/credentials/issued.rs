//! Tokens that were made on the command line. They come and go while the daemon runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;

use super::{Fingerprint, Refusal};

/// A token, as whoever keeps it knows it. Times are in milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// What people call it by.
    pub id: String,
    /// The tenant that it opens.
    pub tenant: String,
    /// The SHA-256 of the secret.
    pub hash: [u8; 32],
    /// From when on it is no good.
    pub expires: Option<i64>,
    /// It is no good any more.
    pub revoked: bool,
}

/// The tokens of all tenants, replaced as a whole when they change.
///
/// They are found by the hash of what was presented. Nobody can choose such a hash piece by piece, so how long the
/// search takes tells nothing.
#[derive(Default)]
pub struct IssuedTokens {
    by_hash: ArcSwap<HashMap<[u8; 32], Arc<Issued>>>,
}

struct Issued {
    token: IssuedToken,
    /// What the log calls it.
    description: Arc<str>,
    /// When it last let somebody in; zero: not since this was asked for.
    used: AtomicI64,
}

impl std::fmt::Debug for IssuedTokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("IssuedTokens").field("count", &self.by_hash.load().len()).finish()
    }
}

impl IssuedTokens {
    /// From now on these tokens count, and no others.
    pub fn replace(&self, tokens: impl IntoIterator<Item = IssuedToken>) {
        let old = self.by_hash.load();
        let issued = |token: IssuedToken| {
            let used = old.get(&token.hash).map_or(0, |issued| issued.used.load(Ordering::Relaxed));
            let description = ["token ", &token.id].concat().into();
            (token.hash, Arc::new(Issued { token, description, used: used.into() }))
        };
        self.by_hash.store(Arc::new(tokens.into_iter().map(issued).collect()));
    }

    /// Whether a tenant has a token that is good at the time `now`.
    #[must_use]
    pub fn has_good(&self, tenant: &str, now: i64) -> bool {
        self.by_hash.load().values().any(|issued| issued.token.tenant == tenant && issued.refusal(now).is_none())
    }

    /// The tokens that were used since this was last asked for, and when.
    #[must_use]
    pub fn take_used(&self) -> Vec<(String, i64)> {
        let table = self.by_hash.load();
        let used = table.values().map(|issued| (issued.token.id.clone(), issued.used.swap(0, Ordering::Relaxed)));
        used.filter(|(_, at)| *at > 0).collect()
    }

    /// What the log calls the token with this secret, or why it doesn't open the tenant; `None`: there is none.
    pub(super) fn find(&self, tenant: &str, secret: &Fingerprint, now: i64) -> Option<Result<Arc<str>, Refusal>> {
        let table = self.by_hash.load();
        let issued = table.get(&secret.0)?;
        if issued.token.tenant != tenant {
            return Some(Err(Refusal::OtherTenant(issued.token.id.clone())));
        }
        if let Some(refusal) = issued.refusal(now) {
            return Some(Err(refusal));
        }
        issued.used.store(now, Ordering::Relaxed);
        Some(Ok(Arc::clone(&issued.description)))
    }
}

impl Issued {
    /// Why the token opens nothing.
    fn refusal(&self, now: i64) -> Option<Refusal> {
        let IssuedToken { id, expires, revoked, .. } = &self.token;
        if *revoked {
            return Some(Refusal::Revoked(id.clone()));
        }
        expires.is_some_and(|expires| expires <= now).then(|| Refusal::Expired(id.clone()))
    }
}
