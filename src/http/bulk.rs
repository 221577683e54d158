//! `POST /Bulk` (RFC 7644 section 3.7): every operation goes the way that a request of its own would go.

use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LOCATION, ETAG, HeaderName};
use serde_json::Value;
use tracing::{Instrument as _, info_span};

use super::body::Body;
use super::negotiation::SCIM_JSON;
use super::outcome::Fault;
use super::resources::{self, Call, Conditions};
use super::route::{self, Endpoint};
use super::site::Tenant;
use crate::bridge::Origin;
use crate::scim::bulk::{self, Bulk, Operation, Outcome, Refusal, Schedule, Step, What};
use crate::scim::discovery;

/// The most operations in one request.
pub(super) const MAX_OPERATIONS: usize = 1000;
/// When no more operations are begun, so that what was done is answered before the time of the whole request is up.
const PATIENCE: Duration = Duration::from_secs(35);
/// The methods of operations, as an `Allow` header says them.
const ALLOWED: &str = "POST, PUT, PATCH, DELETE";

/// Carries the operations of a bulk request out, one after the other.
pub(super) async fn answer(tenant: &Tenant, origin: Origin, body: Value) -> Result<HttpResponse, Fault> {
    let bulk = Bulk::from_client(body)?;
    if bulk.operations.len() > MAX_OPERATIONS {
        return Err(Fault::TooManyOperations(MAX_OPERATIONS));
    }
    let outcomes = vec![None; bulk.operations.len()];
    let mut run = Run { tenant, origin, operations: &bulk.operations, outcomes, errors: 0 };
    run.all(bulk.fail_on_errors.unwrap_or(usize::MAX)).await;
    let answers = bulk.operations.iter().zip(run.outcomes);
    let answers = answers.filter_map(|(operation, outcome)| Some(operation.answer(outcome?))).collect();
    Ok(HttpResponse::Ok().content_type(SCIM_JSON).body(bulk::response(answers).to_string()))
}

/// A bulk request that is being carried out.
struct Run<'a> {
    tenant: &'a Tenant,
    origin: Origin,
    operations: &'a [Operation],
    /// What came of each operation that was begun.
    outcomes: Vec<Option<Outcome>>,
    errors: usize,
}

impl Run<'_> {
    async fn all(&mut self, most_errors: usize) {
        let begun = Instant::now();
        let mut schedule = Schedule::new(self.operations);
        while let Some(Step { index, what }) = schedule.next_step() {
            let Some(operation) = self.operations.get(index) else { continue };
            let span = info_span!("operation", number = index + 1, method = operation.method, path = operation.path);
            let before = self.outcomes.get_mut(index).and_then(Option::take);
            let is_first = before.is_none();
            let (outcome, id) = match before {
                None => self.perform(operation, what).instrument(span).await,
                Some(made) => (self.complete(made, what).instrument(span).await, None),
            };
            if is_first {
                schedule.made(index, id);
            }
            self.note(index, outcome);
            if self.errors >= most_errors {
                schedule.halt();
            } else if begun.elapsed() > PATIENCE {
                schedule.halt().into_iter().for_each(|index| self.note(index, failed(&Fault::TimeLimit, None)));
            }
        }
    }

    fn note(&mut self, index: usize, outcome: Outcome) {
        self.errors += usize::from(outcome.status >= 400);
        if let Some(place) = self.outcomes.get_mut(index) {
            *place = Some(outcome);
        }
    }

    /// Carries an operation out. Of a POST that made something the id is told too.
    async fn perform(&self, operation: &Operation, what: What) -> (Outcome, Option<String>) {
        let (path, data) = match what {
            What::Perform { path, data } => (path, data),
            What::Amend { path, data } => (path, Some(data)),
            What::Refuse(refusal) => return (failed(&refused(refusal), self.location(&operation.path)), None),
        };
        let location = self.location(&path);
        match self.request(&operation.method, &path, data, operation.version.as_deref()).await {
            Ok(response) => {
                let id = self.id(header(&response, &CONTENT_LOCATION).as_deref());
                (succeeded(&response, location), id)
            }
            Err(fault) => (failed(&fault, location), None),
        }
    }

    /// Adds to what was made the references that it had to be made without.
    async fn complete(&self, made: Outcome, what: What) -> Outcome {
        let result = match what {
            What::Amend { path, data } => self.request("PATCH", &path, Some(data), None).await,
            What::Refuse(refusal) => Err(refused(refusal)),
            What::Perform { .. } => return made,
        };
        match result {
            Ok(response) => Outcome { version: header(&response, &ETAG), ..made },
            Err(fault) => {
                let outcome = failed(&Fault::Incomplete(Box::new(fault)), made.location);
                Outcome { version: made.version, ..outcome }
            }
        }
    }

    async fn request(
        &self,
        method: &str,
        path: &str,
        data: Option<Value>,
        version: Option<&str>,
    ) -> Result<HttpResponse, Fault> {
        let (endpoint, query) = self.endpoint(path);
        let (Endpoint::Collection(kind) | Endpoint::Resource(kind, _)) = &endpoint else {
            return Err(Fault::NoSuchEndpoint(self.tenant.settings.base_url.clone()));
        };
        let known = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let method =
            known.into_iter().find(|known| known.as_str() == method).ok_or(Fault::MethodNotAllowed(ALLOWED))?;
        let conditions = Conditions::of_version(version);
        let call = Call::new(self.tenant, *kind, resources::pairs(query)?, conditions, self.origin.clone())?;
        call.answer(&method, &endpoint, Body::Bulk(data)).await
    }

    /// What the path of an operation names, and its query string. A whole URL of the tenant is taken as well.
    fn endpoint<'p>(&self, path: &'p str) -> (Endpoint, &'p str) {
        let path = path.strip_prefix(self.tenant.settings.base_url.as_str()).unwrap_or(path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        (route::below(path), query)
    }

    /// The address of the resource that a path names.
    fn location(&self, path: &str) -> Option<String> {
        let (Endpoint::Resource(kind, id), _) = self.endpoint(path) else { return None };
        Some([self.tenant.settings.base_url.as_str(), "/", kind.endpoint(), "/", &id].concat())
    }

    fn id(&self, location: Option<&str>) -> Option<String> {
        let path = location?.strip_prefix(self.tenant.settings.base_url.as_str())?;
        let (Endpoint::Resource(_, id), _) = self.endpoint(path) else { return None };
        Some(id)
    }
}

fn refused(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::Wrong(fault) => Fault::Request(fault),
        Refusal::Unresolved(reason) => Fault::Unresolved(reason),
    }
}

fn succeeded(response: &HttpResponse, location: Option<String>) -> Outcome {
    Outcome {
        status: response.status().as_u16(),
        location: header(response, &CONTENT_LOCATION).or(location),
        version: header(response, &ETAG),
        response: None,
    }
}

fn failed(fault: &Fault, location: Option<String>) -> Outcome {
    let outcome = fault.outcome();
    let status = outcome.status.as_u16();
    let response = Some(discovery::error(status, outcome.keyword, &outcome.detail));
    Outcome { status, location, version: None, response }
}

fn header(response: &HttpResponse, name: &HeaderName) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
