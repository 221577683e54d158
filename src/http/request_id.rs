//! The id that ties the lines of the log to one request.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries the id both ways.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken over from a client, in bytes.
const LONGEST: usize = 128;

/// The id of one request: the client's own when it is short and harmless, otherwise one that was made here.
#[derive(Debug, Clone)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// The id of the request with these headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match headers.get(&HEADER) {
            Some(value) if is_harmless(value.as_bytes()) => Self(value.clone()),
            _ => Self::made(),
        }
    }

    /// A new id, unique among those made by this process and, for all practical purposes, by earlier ones.
    fn made() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros());
        let text = format!("{micros:x}-{count:x}");
        Self(HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from(count)))
    }

    /// The id as the value of a header.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// Visible ASCII only: nothing that could forge a line of the log.
fn is_harmless(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(value: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(value).unwrap());
        RequestId::of(&headers).to_string()
    }

    #[test]
    fn a_short_visible_id_is_taken_over() {
        assert_eq!(id_of(b"okta-7f/42"), "okta-7f/42");
        assert_eq!(id_of(&[b'a'; LONGEST]).len(), LONGEST);
    }

    #[test]
    fn an_empty_long_or_unprintable_id_is_replaced() {
        for id in [&b""[..], b"two words", b"tab\there", "größe".as_bytes(), &[b'a'; LONGEST + 1]] {
            let replaced = id_of(id);
            assert_ne!(replaced.as_bytes(), id);
            assert!(is_harmless(replaced.as_bytes()));
        }
    }

    #[test]
    fn ids_that_are_made_here_differ() {
        assert_ne!(RequestId::made().to_string(), RequestId::made().to_string());
    }
}
