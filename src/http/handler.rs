//! Every request comes in here, also those for unknown paths and with unknown methods, so that every answer is SCIM's.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use tokio::time::timeout;
use tracing::{Instrument as _, Span, debug, field, info, info_span, warn};

use super::body::Body;
use super::health;
use super::negotiation::{self, SCIM_JSON};
use super::outcome::{Fault, Outcome};
use super::request_id::{self, RequestId};
use super::resources::{self, Call, Conditions};
use super::route::{Endpoint, Target};
use super::site::{Site, Tenant};
use super::{bulk, lists};
use crate::bridge::Origin;
use crate::metrics;
use crate::scim::FaultKind;

/// The longest a request may take. Clients give up after a minute and say nothing useful then.
const TIME_LIMIT: Duration = Duration::from_secs(50);

/// Answers one request.
pub(super) async fn answer(request: HttpRequest, mut payload: Payload, site: Data<ArcSwap<Site>>) -> HttpResponse {
    let begun = Instant::now();
    let site = site.load_full();
    let id = RequestId::of(request.headers());
    let target = site.find(request.path());
    let span = span(&request, &id, tenant_of(&site, &target));
    let served = AssertUnwindSafe(serve(&site, &target, &request, &id, &mut payload)).catch_unwind();
    let result = match timeout(TIME_LIMIT, served).instrument(span.clone()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(Fault::Panicked),
        Err(_elapsed) => Err(Fault::TimeLimit),
    };
    let (mut response, refused) = match result {
        Ok(response) => (response, None),
        Err(fault) => {
            let outcome = fault.outcome();
            (fault.response(&outcome), Some((fault, outcome)))
        }
    };
    finish(&mut response, &request, &id);
    let elapsed = begun.elapsed();
    metrics::note_request(target.name(), method_name(request.method()), response.status().as_u16(), elapsed);
    span.in_scope(|| report(&request, response.status(), elapsed, refused.as_ref()));
    response
}

/// A method in figures: one of few, whatever a client makes up.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

fn tenant_of<'a>(site: &'a Site, target: &Target) -> Option<&'a Tenant> {
    match target {
        Target::Tenant(index, _) => site.tenant(*index),
        Target::Health | Target::Readiness | Target::Nowhere => None,
    }
}

fn span(request: &HttpRequest, id: &RequestId, tenant: Option<&Tenant>) -> Span {
    info_span!(
        "request",
        request_id = %id,
        tenant = tenant.map(|tenant| &*tenant.settings.name),
        method = request.method().as_str(),
        path = request.path(),
        credential = field::Empty,
    )
}

/// What the path names, if the request may have it.
async fn serve(
    site: &Site,
    target: &Target,
    request: &HttpRequest,
    id: &RequestId,
    payload: &mut Payload,
) -> Result<HttpResponse, Fault> {
    match target {
        Target::Health | Target::Readiness if !is_read(request.method()) => Err(Fault::MethodNotAllowed("GET, HEAD")),
        Target::Health => Ok(health::alive()),
        Target::Readiness => Ok(health::ready(site).await),
        Target::Nowhere => Err(Fault::NoSuchTenant),
        Target::Tenant(index, endpoint) => {
            let tenant = site.tenant(*index).ok_or(Fault::NoSuchTenant)?;
            let by = admit(tenant, request)?;
            let body = Body::Request { headers: request.headers(), payload, limit: site.max_body() };
            let origin = Origin { by, request: id.to_string().into() };
            serve_tenant(tenant, endpoint, request, origin, body).await
        }
    }
}

/// Lets the request in if the tenant is switched on and knows the credential.
fn admit(tenant: &Tenant, request: &HttpRequest) -> Result<Arc<str>, Fault> {
    let settings = &tenant.settings;
    if !settings.enabled {
        return Err(Fault::Disabled);
    }
    let credentials = &settings.credentials;
    match credentials.authenticate(request.headers()) {
        Ok(description) => {
            Span::current().record("credential", &*description);
            Ok(description)
        }
        Err(refusal) => Err(Fault::Unauthenticated(refusal, credentials.challenges())),
    }
}

async fn serve_tenant(
    tenant: &Tenant,
    endpoint: &Endpoint,
    request: &HttpRequest,
    origin: Origin,
    body: Body<'_>,
) -> Result<HttpResponse, Fault> {
    let kind = match endpoint {
        Endpoint::Unknown => return Err(Fault::NoSuchEndpoint(tenant.settings.base_url.clone())),
        Endpoint::Me => return Err(Fault::NotImplemented(ME.to_owned())),
        Endpoint::Bulk if !tenant.settings.bulk => return Err(Fault::NotImplemented(BULK.to_owned())),
        Endpoint::ServiceProviderConfig { .. } | Endpoint::ResourceTypes(_) | Endpoint::Schemas(_) => {
            return discover(tenant, endpoint, request);
        }
        Endpoint::Bulk | Endpoint::SearchAll if *request.method() != Method::POST => {
            return Err(Fault::MethodNotAllowed(endpoint.allowed()));
        }
        Endpoint::Bulk => return bulk::answer(tenant, origin, body.json().await?).await,
        Endpoint::SearchAll => return lists::search_all(tenant, body.json().await?).await,
        Endpoint::Collection(kind) | Endpoint::Resource(kind, _) | Endpoint::Search(kind) => *kind,
    };
    let pairs = resources::pairs(request.query_string())?;
    let call = Call::new(tenant, kind, pairs, Conditions::of(request.headers()), origin)?;
    call.answer(request.method(), endpoint, body).await
}

/// A discovery document, which can be read but neither changed nor filtered.
fn discover(tenant: &Tenant, endpoint: &Endpoint, request: &HttpRequest) -> Result<HttpResponse, Fault> {
    if !is_read(request.method()) {
        return Err(Fault::MethodNotAllowed(endpoint.allowed()));
    }
    if resources::pairs(request.query_string())?.iter().any(|(key, _)| key.eq_ignore_ascii_case("filter")) {
        return Err(Fault::FilterOnDiscovery);
    }
    tenant.documents.answer(endpoint, request.headers())
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Puts on what every answer carries.
fn finish(response: &mut HttpResponse, request: &HttpRequest, id: &RequestId) {
    let headers = response.headers_mut();
    headers.insert(request_id::HEADER, id.header());
    if headers.get(CONTENT_TYPE).is_some_and(|value| value == SCIM_JSON) {
        let wanted = negotiation::answer_type(request.headers());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(wanted));
    }
}

/// One line for each request: writes at `info`, reads at `debug`, what went wrong on this side at `warn`.
///
/// The detail of a refusal may hold values of the request, so it stays out of the log that is written every day.
fn report(request: &HttpRequest, status: StatusCode, elapsed: Duration, refused: Option<&(Fault, Outcome)>) {
    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    let code = status.as_u16();
    let scim_type = refused.and_then(|(_, outcome)| outcome.keyword).map(FaultKind::scim_type);
    match refused {
        Some((Fault::Unauthenticated(refusal, _), _)) => {
            let remote = request.peer_addr().map(field::display);
            warn!(status = code, elapsed_us, remote, reason = %refusal, "credentials refused");
        }
        Some((_, outcome)) if is_our_fault(status) => {
            warn!(status = code, elapsed_us, detail = outcome.detail, "request failed");
        }
        _ if !is_read(request.method()) => info!(status = code, elapsed_us, scim_type, "answered"),
        _ => debug!(status = code, elapsed_us, scim_type, "answered"),
    }
    if let Some((_, outcome)) = refused {
        debug!(detail = outcome.detail, "refused");
    }
}

/// Whether a status says that something is wrong on this side of the wire.
fn is_our_fault(status: StatusCode) -> bool {
    let failed = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    failed || status == StatusCode::TOO_MANY_REQUESTS
}

const ME: &str = "/Me is not supported: the credentials of an identity provider stand for no user. Use /Users/{id}.";
const BULK: &str = "Bulk requests are not supported for this tenant (ServiceProviderConfig says so). Send one request \
    for each change, or ask the administrator of the bridge to switch them on (bulk = true).";
