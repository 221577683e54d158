//! Reading the JSON body of a request, up to a limit.

use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::timeout;

use super::negotiation;
use super::outcome::Fault;
use crate::scim::{self, FaultKind};

/// How long the body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the body of an operation comes from.
pub(super) enum Body<'a> {
    /// The request itself, which has not been read yet.
    Request { headers: &'a HeaderMap, payload: &'a mut Payload, limit: usize },
    /// A bulk request, which has; it may have left it out.
    Bulk(Option<Value>),
}

impl Body<'_> {
    /// The body as JSON.
    pub(super) async fn json(self) -> Result<Value, Fault> {
        match self {
            Self::Request { headers, payload, limit } => read(headers, payload, limit).await,
            Self::Bulk(Some(data)) => Ok(data),
            Self::Bulk(None) => {
                let detail = "The operation has no data; a JSON object is needed.";
                Err(Fault::Request(scim::Fault::new(FaultKind::InvalidSyntax, detail)))
            }
        }
    }
}

/// Reads the body of a request as JSON; it may have up to `limit` bytes.
pub(super) async fn read(headers: &HeaderMap, payload: &mut Payload, limit: usize) -> Result<Value, Fault> {
    negotiation::check_body_type(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        return Err(Fault::BodyTooLarge(limit));
    }
    let bytes = timeout(PATIENCE, collect(payload, limit)).await.map_err(|_| Fault::BodyTooSlow)??;
    parse(&bytes).map_err(Fault::Request)
}

/// All the bytes of the body. One that arrives in one piece is not copied.
async fn collect(payload: &mut Payload, limit: usize) -> Result<Bytes, Fault> {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| broken_off(&error))?;
        if first.len() + more.len() + chunk.len() > limit {
            return Err(Fault::BodyTooLarge(limit));
        }
        if first.is_empty() && more.is_empty() {
            first = chunk;
        } else {
            more.extend_from_slice(&std::mem::take(&mut first));
            more.extend_from_slice(&chunk);
        }
    }
    Ok(if more.is_empty() { first } else { more.freeze() })
}

fn broken_off(error: &PayloadError) -> Fault {
    Fault::Request(scim::Fault::new(
        FaultKind::InvalidSyntax,
        format!("The body of the request broke off ({error}). Nothing was changed. Send it again."),
    ))
}

/// Parses a body, naming line and column of a mistake.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, scim::Fault> {
    let invalid = |detail: String| scim::Fault::new(FaultKind::InvalidSyntax, detail);
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Err(invalid("The request has no body; a JSON object is needed.".to_owned()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        invalid(format!("The body is not UTF-8: byte {} is not valid there.", error.valid_up_to() + 1))
    })?;
    serde_json::from_str(text).map_err(|error| invalid(format!("The body is not valid JSON: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: &[u8]) -> String {
        let fault = parse(body).unwrap_err();
        assert_eq!(fault.kind, FaultKind::InvalidSyntax);
        fault.detail
    }

    #[test]
    fn an_object_is_read_also_behind_a_byte_order_mark() {
        assert_eq!(parse("\u{feff}{\"a\": 1}".as_bytes()).unwrap()["a"], 1);
    }

    #[test]
    fn broken_json_is_refused_with_line_and_column() {
        assert!(fault(b"{\n  \"a\": }").contains("line 2 column 8"));
        assert!(fault(b"{} {}").contains("line 1 column 4"));
    }

    #[test]
    fn an_empty_body_is_refused_as_missing() {
        assert!(fault(b"").contains("no body"));
        assert!(fault(b" \r\n").contains("no body"));
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused_where_they_stand() {
        assert!(fault(b"{\"a\": \"\xff\"}").contains("byte 8"));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        assert!(fault("[".repeat(100_000).as_bytes()).contains("recursion limit"));
    }
}
