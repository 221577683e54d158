//! The one table from what went wrong to what the client is told: status, `scimType`, `detail` and headers
//! (RFC 7644 section 3.12).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use super::credentials::Refusal;
use super::negotiation;
use crate::bridge;
use crate::scim::{self, FaultKind};

/// Seconds after which a request that took too long here may be sent again.
const RETRY_AFTER_TIME_LIMIT: u32 = 30;

/// Everything that keeps a request from being carried out.
#[derive(Debug)]
pub(super) enum Fault {
    /// The bridge could not do what was asked.
    Bridge(bridge::Fault),
    /// The request itself is at fault.
    Request(scim::Fault),
    /// The request carries no credential of the tenant.
    Unauthenticated(Refusal, Vec<HeaderValue>),
    /// The tenant is switched off.
    Disabled,
    /// The path names nothing below the tenant's URL, which is given.
    NoSuchEndpoint(String),
    /// The path is below no tenant at all.
    NoSuchTenant,
    /// A discovery document of this kind and name does not exist.
    NoSuchDocument(&'static str, String),
    /// The endpoint answers these methods only.
    MethodNotAllowed(&'static str),
    /// The bridge does not do this, for the reason given.
    NotImplemented(String),
    /// Discovery can't be filtered (RFC 7644 section 4).
    FilterOnDiscovery,
    /// The body is longer than this many bytes.
    BodyTooLarge(usize),
    /// The body did not arrive in time.
    BodyTooSlow,
    /// The body is of a kind that can't be read; the text names it.
    UnsupportedMediaType(String),
    /// A bulk request has more operations than this.
    TooManyOperations(usize),
    /// An operation of a bulk request refers to what another one did not make; the text says so.
    Unresolved(String),
    /// An operation of a bulk request made its resource, but not with all its references.
    Incomplete(Box<Fault>),
    /// The time limit for one request passed.
    TimeLimit,
    /// A bug in the bridge; the log has the details.
    Panicked,
}

impl From<bridge::Fault> for Fault {
    fn from(fault: bridge::Fault) -> Self {
        Self::Bridge(fault)
    }
}

impl From<scim::Fault> for Fault {
    fn from(fault: scim::Fault) -> Self {
        Self::Request(fault)
    }
}

/// What the client is told, headers aside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) status: StatusCode,
    pub(super) keyword: Option<FaultKind>,
    pub(super) detail: String,
}

impl Fault {
    /// The row of the table for this fault.
    pub(super) fn outcome(&self) -> Outcome {
        let (status, detail) = match self {
            Self::Bridge(fault) => return of_bridge(fault),
            Self::Request(fault) => return of_request(fault),
            Self::Unauthenticated(refusal, _) => (StatusCode::UNAUTHORIZED, unauthenticated(refusal).to_owned()),
            Self::Disabled => (StatusCode::FORBIDDEN, DISABLED.to_owned()),
            Self::NoSuchEndpoint(base) => (StatusCode::NOT_FOUND, no_such_endpoint(base)),
            Self::NoSuchTenant => (StatusCode::NOT_FOUND, NO_SUCH_TENANT.to_owned()),
            Self::NoSuchDocument(what, name) => {
                (StatusCode::NOT_FOUND, format!("There is no {what} called \"{name}\" here."))
            }
            Self::MethodNotAllowed(allowed) => (StatusCode::METHOD_NOT_ALLOWED, method_not_allowed(allowed)),
            Self::NotImplemented(reason) => (StatusCode::NOT_IMPLEMENTED, reason.clone()),
            Self::FilterOnDiscovery => (StatusCode::FORBIDDEN, FILTER_ON_DISCOVERY.to_owned()),
            Self::BodyTooLarge(limit) => (StatusCode::PAYLOAD_TOO_LARGE, body_too_large(*limit)),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, BODY_TOO_SLOW.to_owned()),
            Self::TooManyOperations(limit) => (StatusCode::PAYLOAD_TOO_LARGE, too_many_operations(*limit)),
            Self::Unresolved(reason) => (StatusCode::CONFLICT, reason.clone()),
            Self::Incomplete(fault) => {
                let outcome = fault.outcome();
                return Outcome { detail: [INCOMPLETE, &outcome.detail].concat(), ..outcome };
            }
            Self::UnsupportedMediaType(what) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, unsupported_media_type(what)),
            Self::TimeLimit => (StatusCode::TOO_MANY_REQUESTS, TIME_LIMIT.to_owned()),
            Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, PANICKED.to_owned()),
        };
        Outcome { status, keyword: None, detail }
    }

    /// The answer for this fault, whole.
    pub(super) fn response(&self, outcome: &Outcome) -> HttpResponse {
        let error = scim::discovery::error(outcome.status.as_u16(), outcome.keyword, &outcome.detail);
        let mut response =
            HttpResponse::build(outcome.status).content_type(negotiation::SCIM_JSON).body(error.to_string());
        let headers = response.headers_mut();
        let (name, value) = match self {
            Self::Unauthenticated(_, challenges) => {
                for challenge in challenges {
                    headers.append(WWW_AUTHENTICATE, challenge.clone());
                }
                return response;
            }
            Self::MethodNotAllowed(allowed) => (ALLOW, HeaderValue::from_static(allowed)),
            Self::Bridge(bridge::Fault::Unavailable { retry_after, .. }) => {
                (RETRY_AFTER, HeaderValue::from(*retry_after))
            }
            Self::TimeLimit => (RETRY_AFTER, HeaderValue::from(RETRY_AFTER_TIME_LIMIT)),
            _ => return response,
        };
        headers.insert(name, value);
        response
    }
}

/// The rows for what the bridge reports.
fn of_bridge(fault: &bridge::Fault) -> Outcome {
    let (status, keyword) = match fault {
        bridge::Fault::Request(fault) => return of_request(fault),
        bridge::Fault::NotFound { .. } => (StatusCode::NOT_FOUND, None),
        bridge::Fault::NotServed(_) => (StatusCode::NOT_IMPLEMENTED, None),
        bridge::Fault::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, None),
        bridge::Fault::Forbidden(_) => (StatusCode::FORBIDDEN, None),
        bridge::Fault::Unavailable { .. } => (StatusCode::TOO_MANY_REQUESTS, None),
        bridge::Fault::Directory(_) => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    Outcome { status, keyword, detail: fault.to_string() }
}

/// The rows for faults of the request, RFC 7644 table 9.
fn of_request(fault: &scim::Fault) -> Outcome {
    let status = match fault.kind {
        FaultKind::Uniqueness => StatusCode::CONFLICT,
        FaultKind::Sensitive => StatusCode::FORBIDDEN,
        FaultKind::InvalidFilter
        | FaultKind::TooMany
        | FaultKind::Mutability
        | FaultKind::InvalidSyntax
        | FaultKind::InvalidPath
        | FaultKind::NoTarget
        | FaultKind::InvalidValue
        | FaultKind::InvalidVersion
        | FaultKind::InvalidCursor
        | FaultKind::ExpiredCursor
        | FaultKind::InvalidCount => StatusCode::BAD_REQUEST,
    };
    Outcome { status, keyword: Some(fault.kind), detail: fault.detail.clone() }
}

const DISABLED: &str = "Provisioning through this URL is switched off in the configuration of scim2ldap \
    (enabled = false). Nothing was read or changed. Ask the administrator of the bridge to switch it on.";
const NO_SUCH_TENANT: &str = "Nothing is served at this path. Check the base URL that the identity provider is \
    configured with: it must be the public URL of the bridge followed by the path of a tenant.";
const FILTER_ON_DISCOVERY: &str =
    "Discovery endpoints can't be filtered (RFC 7644 section 4). Ask again without \"filter\".";
const BODY_TOO_SLOW: &str = "The body of the request did not arrive in time. Nothing was changed. Send it again.";
const INCOMPLETE: &str = "The resource was made, but not with all its references; add what is missing with a PATCH. ";
const TIME_LIMIT: &str = "The request took longer than the bridge allows, most likely because the directory is slow. \
    It is safe to send it again.";
const PANICKED: &str = "The bridge failed on this request because of a fault of its own. The log of the bridge has \
    the details, under the id in the X-Request-Id header.";

fn unauthenticated(refusal: &Refusal) -> &'static str {
    if *refusal == Refusal::Missing {
        "The request carries no credentials. Enter the user name and the password, or the token, of this tenant in \
            the identity provider."
    } else {
        "The credentials were not accepted. Check the user name and the password, or the token, that the identity \
            provider is configured with. The log of the bridge says what was wrong."
    }
}

fn no_such_endpoint(base: &str) -> String {
    format!(
        "There is no such endpoint. Below {base} there are Users, Groups, ServiceProviderConfig, ResourceTypes and \
         Schemas."
    )
}

fn method_not_allowed(allowed: &str) -> String {
    format!("This method is not allowed here. Allowed: {allowed}.")
}

fn body_too_large(limit: usize) -> String {
    format!("The body is longer than {limit} bytes, the limit of the bridge (max_body). Send less in one request.")
}

fn too_many_operations(limit: usize) -> String {
    format!("The bulk request has more than {limit} operations. Nothing was changed. Send less in one request.")
}

fn unsupported_media_type(what: &str) -> String {
    format!("A body of the kind {what} can't be read. Send application/scim+json in UTF-8 and without compression.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::ResourceKind;
    use actix_web::body::{BodySize, MessageBody};

    fn request(kind: FaultKind) -> Fault {
        Fault::Request(scim::Fault::new(kind, "what to do"))
    }

    fn row(fault: &Fault) -> (u16, Option<&'static str>) {
        let outcome = fault.outcome();
        assert!(!outcome.detail.is_empty());
        (outcome.status.as_u16(), outcome.keyword.map(FaultKind::scim_type))
    }

    fn header(fault: &Fault, name: actix_web::http::header::HeaderName) -> Vec<String> {
        let response = fault.response(&fault.outcome());
        response.headers().get_all(name).map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn faults_of_the_request_are_400_except_conflicts_and_sensitive_data() {
        assert_eq!(row(&request(FaultKind::InvalidFilter)), (400, Some("invalidFilter")));
        assert_eq!(row(&request(FaultKind::InvalidSyntax)), (400, Some("invalidSyntax")));
        assert_eq!(row(&request(FaultKind::NoTarget)), (400, Some("noTarget")));
        assert_eq!(row(&request(FaultKind::Mutability)), (400, Some("mutability")));
        assert_eq!(row(&request(FaultKind::Uniqueness)), (409, Some("uniqueness")));
        assert_eq!(row(&request(FaultKind::Sensitive)), (403, Some("sensitive")));
    }

    #[test]
    fn faults_of_the_bridge_have_the_status_of_their_kind() {
        let bridged = |fault: bridge::Fault| row(&Fault::Bridge(fault));
        assert_eq!(bridged(bridge::Fault::NotFound { kind: ResourceKind::User, id: "1".into() }), (404, None));
        assert_eq!(bridged(bridge::Fault::PreconditionFailed), (412, None));
        assert_eq!(bridged(bridge::Fault::Forbidden("no".into())), (403, None));
        assert_eq!(bridged(bridge::Fault::Directory("no".into())), (500, None));
        assert_eq!(bridged(bridge::Fault::NotServed(ResourceKind::Group)), (501, None));
        let request = scim::Fault::new(FaultKind::Uniqueness, "taken");
        assert_eq!(bridged(bridge::Fault::Request(request)), (409, Some("uniqueness")));
    }

    #[test]
    fn an_unavailable_directory_is_429_with_whole_seconds_to_wait() {
        let fault = Fault::Bridge(bridge::Fault::Unavailable { detail: "down".into(), retry_after: 17 });
        assert_eq!(row(&fault), (429, None));
        assert_eq!(header(&fault, RETRY_AFTER), ["17"]);
        assert_eq!(header(&Fault::TimeLimit, RETRY_AFTER), ["30"]);
    }

    #[test]
    fn a_method_that_is_not_allowed_is_told_which_ones_are() {
        let fault = Fault::MethodNotAllowed("GET, HEAD");
        assert_eq!(row(&fault), (405, None));
        assert_eq!(header(&fault, ALLOW), ["GET, HEAD"]);
    }

    #[test]
    fn a_401_carries_every_challenge() {
        let challenges = vec![HeaderValue::from_static("Basic"), HeaderValue::from_static("Bearer")];
        let fault = Fault::Unauthenticated(Refusal::WrongToken, challenges);
        assert_eq!(row(&fault), (401, None));
        assert_eq!(header(&fault, WWW_AUTHENTICATE), ["Basic", "Bearer"]);
    }

    #[test]
    fn a_401_does_not_say_which_half_of_the_credentials_was_wrong() {
        let detail = |refusal| Fault::Unauthenticated(refusal, Vec::new()).outcome().detail;
        assert_eq!(detail(Refusal::UnknownUser), detail(Refusal::WrongPassword));
    }

    #[test]
    fn every_answer_to_a_fault_is_scim_json_with_a_body() {
        for fault in [Fault::Panicked, Fault::NoSuchTenant, Fault::BodyTooLarge(8), Fault::Disabled] {
            let response = fault.response(&fault.outcome());
            assert_eq!(response.headers().get("content-type").unwrap(), "application/scim+json");
            assert!(!matches!(response.body().size(), BodySize::None | BodySize::Sized(0)));
        }
    }
}
