//! Tokens: credentials of a tenant that were made on the command line. Of the secret itself only a hash is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::sqlite::tokens as sql;
use super::{FaultKind, Session, StoreFault};

/// A credential. All times are in milliseconds since 1970.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What people call it by; no two tokens share one.
    pub id: String,
    /// Whose it is.
    pub space: String,
    /// What it is for.
    pub description: String,
    /// The SHA-256 of the secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: i64,
    /// From when on it is no good.
    pub expires: Option<i64>,
    /// When it was revoked.
    pub revoked: Option<i64>,
    /// When it was last seen to be used.
    pub last_used: Option<i64>,
}

/// What every secret begins with, so that it is known for one where it does not belong.
const PREFIX: &str = "s2l_";

impl Token {
    /// A new token and its secret: 32 random bytes, as text.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn mint(
        space: &str,
        description: &str,
        created: i64,
        expires: Option<i64>,
    ) -> Result<(Self, SecretString), StoreFault> {
        let (mut name, mut inside) = ([0; 4], Zeroizing::new([0; 32]));
        let random = SystemRandom::new();
        if random.fill(&mut name).and_then(|()| random.fill(&mut *inside)).is_err() {
            return Err(StoreFault::new(FaultKind::Other, "the system refuses random numbers"));
        }
        let secret = Zeroizing::new([PREFIX, &Zeroizing::new(URL_SAFE_NO_PAD.encode(*inside))].concat());
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        let token = Self {
            id: format!("{:08x}", u32::from_be_bytes(name)),
            space: space.to_owned(),
            description: description.to_owned(),
            hash,
            created,
            expires,
            revoked: None,
            last_used: None,
        };
        Ok((token, SecretString::from(&**secret)))
    }

    /// Whether it lets anybody in at the time `now`.
    #[must_use]
    pub fn is_good(&self, now: i64) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Token").field("id", &self.id).field("space", &self.space).finish_non_exhaustive()
    }
}

impl Session {
    /// Keeps a token.
    ///
    /// # Errors
    /// Also when there is a token with this id or this hash.
    pub fn add_token(&self, token: &Token) -> Result<(), StoreFault> {
        self.with(|it| sql::add(it, token))
    }

    /// All tokens of one space, or of all, in the order in which they were made.
    pub fn tokens(&self, space: Option<&str>) -> Result<Vec<Token>, StoreFault> {
        self.with(|it| sql::all(it, space))
    }

    /// The token with this hash.
    pub fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Token>, StoreFault> {
        self.with(|it| sql::by_hash(it, hash))
    }

    /// Revokes a token, if it is not revoked yet. Whether there is such a token.
    pub fn revoke_token(&self, id: &str, at: i64) -> Result<bool, StoreFault> {
        self.with(|it| sql::revoke(it, id, at))
    }

    /// Notes that a token was used. Whether there is such a token.
    pub fn touch_token(&self, id: &str, at: i64) -> Result<bool, StoreFault> {
        self.with(|it| sql::touch(it, id, at))
    }
}
