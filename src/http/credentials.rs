//! Who may talk to a tenant: every form of credential that identity providers send.
//!
//! Secrets are random tokens and passwords that a machine keeps, so a plain SHA-256 stands in for them in memory.

mod issued;

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

pub use self::issued::{IssuedToken, IssuedTokens};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The credentials of one tenant.
#[derive(Debug, Default)]
pub struct Credentials {
    pairs: Vec<Pair>,
    tokens: Vec<Token>,
    issued: Option<(Arc<str>, Arc<IssuedTokens>)>,
}

/// A user name and its password.
#[derive(Debug)]
struct Pair {
    description: Arc<str>,
    user: Fingerprint,
    password: Fingerprint,
}

/// A token, and the header it arrives in.
#[derive(Debug)]
struct Token {
    description: Arc<str>,
    header: HeaderName,
    secret: Fingerprint,
}

/// Why a request was not let in. The log says it; the client is only told that its credentials were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing in the request looks like a credential.
    #[error("no Authorization header")]
    Missing,
    /// `Basic` with something behind it that is not base64 of `user:password`.
    #[error("the Authorization header can't be decoded")]
    Malformed,
    /// A user name that the tenant doesn't know.
    #[error("unknown user name")]
    UnknownUser,
    /// A user name that the tenant knows, with another password.
    #[error("wrong password")]
    WrongPassword,
    /// A token that the tenant doesn't know.
    #[error("wrong token")]
    WrongToken,
    /// A token from the command line whose time is over.
    #[error("the token {0} has expired")]
    Expired(String),
    /// A token from the command line that was taken back.
    #[error("the token {0} was revoked")]
    Revoked(String),
    /// A token from the command line that was made for another tenant.
    #[error("the token {0} was made for another tenant")]
    OtherTenant(String),
    /// A kind of credential of which the tenant has none.
    #[error("the tenant has no credential of the kind {0}")]
    NotConfigured(&'static str),
}

impl Credentials {
    /// Lets a user name with a password in. `description` is what the log calls it.
    pub fn allow_basic(&mut self, description: &str, user: &str, password: &SecretString) {
        self.pairs.push(Pair {
            description: description.into(),
            user: Fingerprint::of(user.as_bytes()),
            password: Fingerprint::of(password.expose_secret().as_bytes()),
        });
    }

    /// Lets a token in that arrives in the `Authorization` header, with or without `Bearer` before it.
    pub fn allow_token(&mut self, description: &str, token: &SecretString) {
        self.allow_header(description, AUTHORIZATION, token);
    }

    /// Lets a token in that arrives in the header called `header`.
    pub fn allow_header(&mut self, description: &str, header: HeaderName, token: &SecretString) {
        let secret = Fingerprint::of(token.expose_secret().trim().as_bytes());
        self.tokens.push(Token { description: description.into(), header, secret });
    }

    /// Lets the tokens in that are made for `tenant` on the command line, in the `Authorization` header.
    pub fn allow_issued(&mut self, tenant: &Arc<str>, issued: &Arc<IssuedTokens>) {
        self.issued = Some((Arc::clone(tenant), Arc::clone(issued)));
    }

    /// Whether user names with passwords are let in.
    #[must_use]
    pub fn has_basic(&self) -> bool {
        !self.pairs.is_empty()
    }

    /// Whether tokens are let in.
    #[must_use]
    pub fn has_token(&self) -> bool {
        let has_good = |(tenant, issued): &(Arc<str>, Arc<IssuedTokens>)| issued.has_good(tenant, now());
        !self.tokens.is_empty() || self.issued.as_ref().is_some_and(has_good)
    }

    /// Whether anybody is let in.
    #[must_use]
    pub fn has_any(&self) -> bool {
        self.has_basic() || self.has_token()
    }

    /// The `WWW-Authenticate` headers that go with a 401 (RFC 9110 section 11.6.1).
    #[must_use]
    pub fn challenges(&self) -> Vec<HeaderValue> {
        let basic = self.has_basic().then_some(HeaderValue::from_static(r#"Basic realm="scim", charset="UTF-8""#));
        let bearer =
            (self.has_token() || !self.has_basic()).then_some(HeaderValue::from_static(r#"Bearer realm="scim""#));
        basic.into_iter().chain(bearer).collect()
    }

    /// Finds the credential that a request carries; the description of the one that fits is the answer.
    ///
    /// Every configured credential is compared, in constant time, so the time taken tells nothing.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<str>, Refusal> {
        let authorization = headers.get(AUTHORIZATION).map(|value| Presented::read(value.as_bytes()));
        let by_token = self.known_token(headers);
        let by_pair = match authorization.as_ref().and_then(Presented::pair) {
            Some((user, password)) => self.known_pair(&user, &password),
            None => Err(Refusal::Malformed),
        };
        match (by_token, by_pair, authorization) {
            (Some(description), ..) | (None, Ok(description), _) => Ok(Arc::clone(description)),
            (None, Err(_), None) if self.tokens.iter().any(|token| headers.contains_key(&token.header)) => {
                Err(Refusal::WrongToken)
            }
            (None, Err(_), None) => Err(Refusal::Missing),
            (None, Err(refusal), Some(presented)) => {
                self.issued_token(&presented).unwrap_or_else(|| Err(self.why_not(&presented, refusal)))
            }
        }
    }

    /// The description of the token from the command line that was presented, or why it opens nothing.
    fn issued_token(&self, presented: &Presented<'_>) -> Option<Result<Arc<str>, Refusal>> {
        let (tenant, issued) = self.issued.as_ref()?;
        let now = now();
        presented.tokens().find_map(|token| issued.find(tenant, &Fingerprint::of(token), now))
    }

    /// The description of the token that stands in one of the headers.
    fn known_token(&self, headers: &HeaderMap) -> Option<&Arc<str>> {
        let mut found = None;
        for token in &self.tokens {
            let Some(value) = headers.get(&token.header) else { continue };
            let presented = Presented::read(value.as_bytes());
            let mut fits = Choice::from(0);
            for candidate in presented.tokens() {
                fits |= token.secret.equals(&Fingerprint::of(candidate));
            }
            if bool::from(fits) {
                found = Some(&token.description);
            }
        }
        found
    }

    /// The description of the pair with this user name and password.
    fn known_pair(&self, user: &Fingerprint, password: &Fingerprint) -> Result<&Arc<str>, Refusal> {
        let (mut found, mut user_known) = (None, Choice::from(0));
        for pair in &self.pairs {
            let same_user = pair.user.equals(user);
            user_known |= same_user;
            if bool::from(same_user & pair.password.equals(password)) {
                found = Some(&pair.description);
            }
        }
        found.ok_or(if bool::from(user_known) { Refusal::WrongPassword } else { Refusal::UnknownUser })
    }

    /// Why nothing fitted what stands in the `Authorization` header.
    fn why_not(&self, presented: &Presented<'_>, refusal: Refusal) -> Refusal {
        match (presented.basic.is_some(), self.has_basic(), self.has_token()) {
            (true, true, _) => refusal,
            (true, false, _) => Refusal::NotConfigured("basic"),
            (false, _, true) => Refusal::WrongToken,
            (false, true, false) if refusal != Refusal::Malformed => refusal,
            (false, _, false) => Refusal::NotConfigured("bearer"),
        }
    }
}

/// The value of a header, read in every way it could be meant.
struct Presented<'a> {
    whole: &'a [u8],
    basic: Option<&'a [u8]>,
    bearer: Option<&'a [u8]>,
}

impl<'a> Presented<'a> {
    fn read(value: &'a [u8]) -> Self {
        let whole = value.trim_ascii();
        let after = |scheme: &[u8]| {
            let (head, rest) = whole.split_at_checked(scheme.len())?;
            let named = head.eq_ignore_ascii_case(scheme) && rest.first().is_some_and(u8::is_ascii_whitespace);
            named.then(|| rest.trim_ascii())
        };
        Self { whole, basic: after(b"Basic"), bearer: after(b"Bearer") }
    }

    /// What could be meant as a token.
    fn tokens(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        [Some(self.whole), self.bearer].into_iter().flatten().filter(|value| !value.is_empty())
    }

    /// The user name and the password: behind `Basic`, or as a token that decodes to them.
    fn pair(&self) -> Option<(Fingerprint, Fingerprint)> {
        let encoded = self.basic.or(self.bearer).unwrap_or(self.whole);
        let decoded = Zeroizing::new(BASE64.decode(encoded).ok()?);
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let (user, password) = (decoded.get(..colon)?, decoded.get(colon + 1..)?);
        Some((Fingerprint::of(user), Fingerprint::of(password)))
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The SHA-256 of a secret.
struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, secret).as_ref());
        Self(bytes)
    }

    fn equals(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[hidden]")
    }
}

#[cfg(test)]
mod tests;
