//! Media types: which bodies are read, and as what answers go out (RFC 7644 sections 3.1 and 8.1).

use actix_web::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::outcome::Fault;

/// The media type of SCIM.
pub(super) const SCIM_JSON: &str = "application/scim+json";
const JSON: &str = "application/json";

/// Refuses a body that is not JSON in UTF-8, sent as it is. A body without a type is taken to be JSON.
pub(super) fn check_body_type(headers: &HeaderMap) -> Result<(), Fault> {
    let is_plain = |encoding: &HeaderValue| {
        let encoding = encoding.as_bytes().trim_ascii();
        encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity")
    };
    if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|encoding| !is_plain(encoding)) {
        return Err(unsupported("compressed", encoding));
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let unreadable = || unsupported("", value);
    let mut parts = value.to_str().map_err(|_| unreadable())?.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let known = ["", SCIM_JSON, JSON, "text/json"];
    if !known.iter().any(|known| essence.eq_ignore_ascii_case(known)) || !parts.all(is_utf_8_or_no_charset) {
        return Err(unreadable());
    }
    Ok(())
}

fn unsupported(what: &str, value: &HeaderValue) -> Fault {
    let value = String::from_utf8_lossy(value.as_bytes());
    Fault::UnsupportedMediaType(format!("{what} {value}").trim().to_owned())
}

/// Whether a parameter of a media type leaves the text in UTF-8.
fn is_utf_8_or_no_charset(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return true };
    let charset = value.trim().trim_matches('"');
    !name.trim().eq_ignore_ascii_case("charset")
        || ["utf-8", "utf8", "us-ascii"].iter().any(|it| charset.eq_ignore_ascii_case(it))
}

/// The media type of the answer: SCIM's own, unless the client takes plain JSON and not SCIM's, or prefers it
/// (RFC 9110 section 12.5.1).
///
/// Never none at all: a client that accepts neither gets SCIM's, because a 406 tells an admin nothing.
pub(super) fn answer_type(headers: &HeaderMap) -> &'static str {
    let (mut scim, mut any, mut json) = (None, None, None);
    for value in headers.get_all(ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        for range in value.split(',') {
            let (essence, parameters) = range.split_once(';').unwrap_or((range, ""));
            let is = |wanted: &str| essence.trim().eq_ignore_ascii_case(wanted);
            if is(SCIM_JSON) {
                scim = Some(quality(parameters));
            } else if is(JSON) {
                json = Some(quality(parameters));
            } else if is("*/*") || is("application/*") {
                any = Some(quality(parameters));
            }
        }
    }
    if json.unwrap_or(0.0) > scim.or(any).unwrap_or(0.0) { JSON } else { SCIM_JSON }
}

/// How much a media range is wanted, from 0 to 1; what is no quality counts as the most.
fn quality(parameters: &str) -> f32 {
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let quality = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let quality = quality.and_then(|(_, value)| value.trim().parse::<f32>().ok());
    quality.filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderName;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    fn reads(content_type: &str) -> bool {
        check_body_type(&headers(CONTENT_TYPE, content_type)).is_ok()
    }

    fn answers(accept: &str) -> &'static str {
        answer_type(&headers(ACCEPT, accept))
    }

    #[test]
    fn json_of_every_name_is_read_with_utf_8_or_no_charset() {
        for content_type in [
            "application/scim+json",
            "application/scim+json; charset=utf-8",
            "Application/JSON;charset=\"UTF8\"",
            "text/json",
            "application/json; profile=x; charset=UTF-8",
        ] {
            assert!(reads(content_type), "{content_type}");
        }
        assert!(check_body_type(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn other_types_and_other_charsets_are_refused_by_name() {
        for content_type in
            ["application/xml", "text/plain", "application/json; charset=iso-8859-1", "multipart/form-data"]
        {
            assert!(!reads(content_type), "{content_type}");
        }
        let fault = check_body_type(&headers(CONTENT_TYPE, "application/xml")).unwrap_err();
        assert_eq!(fault.outcome().status.as_u16(), 415);
        assert!(fault.outcome().detail.contains("application/xml"));
    }

    #[test]
    fn compressed_bodies_are_refused_and_identity_is_not_compression() {
        assert!(check_body_type(&headers(CONTENT_ENCODING, "gzip")).is_err());
        assert!(check_body_type(&headers(CONTENT_ENCODING, "Identity")).is_ok());
    }

    #[test]
    fn scim_json_is_the_answer_unless_only_plain_json_is_accepted() {
        assert_eq!(answer_type(&HeaderMap::new()), SCIM_JSON);
        assert_eq!(answers("application/scim+json"), SCIM_JSON);
        assert_eq!(answers("*/*"), SCIM_JSON);
        assert_eq!(answers("application/json, text/plain, */*"), SCIM_JSON);
        assert_eq!(answers("application/json"), JSON);
        assert_eq!(answers("application/json;q=0.9, text/html"), JSON);
        assert_eq!(answers("application/json, application/scim+json;q=0"), JSON);
    }

    #[test]
    fn of_two_types_that_are_accepted_the_answer_is_the_one_that_is_preferred() {
        assert_eq!(answers("application/json;q=0.9, application/scim+json;q=0.5"), JSON);
        assert_eq!(answers("application/json, */*;q=0.8"), JSON);
        assert_eq!(answers("application/json;q=0.5, */*"), SCIM_JSON);
        assert_eq!(answers("application/scim+json, application/json"), SCIM_JSON);
        assert_eq!(answers("application/json;q=much, application/scim+json;q=0.5"), JSON);
    }

    #[test]
    fn a_client_that_accepts_neither_still_gets_scim_json() {
        assert_eq!(answers("text/html"), SCIM_JSON);
        assert_eq!(answers("nonsense"), SCIM_JSON);
    }
}
