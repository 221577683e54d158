//! The endpoints for users and groups (RFC 7644 section 3): from a request to what is asked of the bridge, and from
//! what the bridge says to an answer.

use std::borrow::Cow;

use actix_web::http::header::{
    CONTENT_LOCATION, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, HttpResponseBuilder, rt};
use tracing::Instrument as _;

use super::body::Body;
use super::negotiation::SCIM_JSON;
use super::outcome::Fault;
use super::pieces::Pieces;
use super::route::Endpoint;
use super::site::Tenant;
use super::{lists, uri};
use crate::bridge::{self, Action, Answered, Intent, Origin, Receipt, VersionMatch};
use crate::config::PatchAnswer;
use crate::scim::{self, FaultKind, Patch, Projection, Query, Resource, ResourceKind, ResourceSchema};

/// Says that a change is accepted and not yet in the directory, and under which number it is owed.
const OWED: HeaderName = HeaderName::from_static("scim2ldap-owed");

/// Members whose text is longer than this, in bytes, are not copied into the body.
const LONG: usize = 64 << 10;

/// The pairs of a query string, decoded.
type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// A request for users or groups, as far as it is known before its body is read.
pub(super) struct Call<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) kind: ResourceKind,
    pub(super) schema: &'a ResourceSchema,
    pub(super) pairs: Pairs<'a>,
    pub(super) conditions: Conditions,
    pub(super) origin: Origin,
}

/// Which versions of the resource the client accepts to change, and which it has already.
#[derive(Default)]
pub(super) struct Conditions {
    if_match: Option<VersionMatch>,
    if_none_match: Option<VersionMatch>,
}

impl Conditions {
    /// What the headers of a request say.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self { if_match: versions(headers, &IF_MATCH), if_none_match: versions(headers, &IF_NONE_MATCH) }
    }

    /// Which versions a write may change: If-None-Match counts where there is no If-Match (RFC 9110 section 13.2.2).
    fn of_a_write(&self) -> Option<VersionMatch> {
        self.if_match.clone().or_else(|| self.if_none_match.clone().map(VersionMatch::negated))
    }

    /// What `version` of an operation in a bulk request says.
    pub(super) fn of_version(version: Option<&str>) -> Self {
        Self { if_match: version.and_then(|version| listed(std::iter::once(version))), if_none_match: None }
    }
}

/// The query string of a request, decoded.
pub(super) fn pairs(query: &str) -> Result<Pairs<'_>, Fault> {
    uri::pairs(query).ok_or_else(|| {
        let detail = "The query string is not UTF-8 once it is decoded. Encode it as UTF-8 before percent-encoding it.";
        Fault::Request(scim::Fault::new(FaultKind::InvalidValue, detail))
    })
}

impl<'a> Call<'a> {
    /// A request for what `endpoint` names, which is something of this kind.
    pub(super) fn new(
        tenant: &'a Tenant,
        kind: ResourceKind,
        pairs: Pairs<'a>,
        conditions: Conditions,
        origin: Origin,
    ) -> Result<Self, Fault> {
        let schema = tenant.settings.bridge.schema(kind).ok_or(bridge::Fault::NotServed(kind))?;
        Ok(Self { tenant, kind, schema, pairs, conditions, origin })
    }

    /// Answers the request for `endpoint`.
    pub(super) async fn answer(
        &self,
        method: &Method,
        endpoint: &Endpoint,
        body: Body<'_>,
    ) -> Result<HttpResponse, Fault> {
        match (endpoint, method.as_str()) {
            (Endpoint::Collection(_), "GET" | "HEAD") => self.list().await,
            (Endpoint::Collection(_), "POST") => self.create(body).await,
            (Endpoint::Search(_), "POST") => self.search(body).await,
            (Endpoint::Resource(_, id), "GET" | "HEAD") => self.read(id).await,
            (Endpoint::Resource(_, id), "PUT") => self.replace(id.clone(), body).await,
            (Endpoint::Resource(_, id), "PATCH") => self.patch(id.clone(), body).await,
            (Endpoint::Resource(_, id), "DELETE") => self.delete(id.clone()).await,
            _ => Err(Fault::MethodNotAllowed(endpoint.allowed())),
        }
    }

    /// RFC 7644 section 3.4.2.
    async fn list(&self) -> Result<HttpResponse, Fault> {
        let pairs = self.pairs.iter().map(|(key, value)| (&**key, &**value));
        lists::page(self.tenant, vec![(self.kind, Query::from_pairs(pairs, self.schema)?)]).await
    }

    /// RFC 7644 section 3.4.3.
    async fn search(&self, body: Body<'_>) -> Result<HttpResponse, Fault> {
        let body = body.json().await?;
        lists::page(self.tenant, vec![(self.kind, Query::from_search_request(body, self.schema)?)]).await
    }

    /// RFC 7644 section 3.4.1; If-Match and If-None-Match as in RFC 9110 section 13.1.
    async fn read(&self, id: &str) -> Result<HttpResponse, Fault> {
        let projection = self.projection()?;
        let resource = self.tenant.settings.bridge.get(self.kind, id, &projection).await?;
        let tag = Tag::of(&resource);
        let is_among =
            |tags: Option<&VersionMatch>| tags.map(|tags| tag.version().is_some_and(|it| tags.allows(&[it])));
        if is_among(self.conditions.if_match.as_ref()) == Some(false) {
            return Err(bridge::Fault::PreconditionFailed.into());
        }
        if is_among(self.conditions.if_none_match.as_ref()) == Some(true) {
            return Ok(tag.on(HttpResponse::NotModified()).finish());
        }
        Ok(self.show(StatusCode::OK, resource, &projection))
    }

    /// RFC 7644 section 3.3.
    async fn create(&self, body: Body<'_>) -> Result<HttpResponse, Fault> {
        let projection = self.projection()?;
        let resource = Resource::from_client(body.json().await?, self.schema)?;
        let answered = self.carry_out(Action::Create(resource), None, true).await?;
        Ok(self.acknowledge(answered, &projection, PatchAnswer::Resource))
    }

    /// RFC 7644 section 3.5.1.
    async fn replace(&self, id: String, body: Body<'_>) -> Result<HttpResponse, Fault> {
        let projection = self.projection()?;
        let resource = Resource::from_client(body.json().await?, self.schema)?;
        let answered = self.carry_out(Action::Replace { id, resource }, self.conditions.of_a_write(), true).await?;
        Ok(self.acknowledge(answered, &projection, PatchAnswer::Resource))
    }

    /// RFC 7644 section 3.5.2.
    async fn patch(&self, id: String, body: Body<'_>) -> Result<HttpResponse, Fault> {
        let projection = self.projection()?;
        let patch = Patch::from_client(body.json().await?, self.schema)?;
        // Who asks for attributes wants to see them: section 3.5.2 makes 200 the only answer then.
        let answer = if projection.is_default() { self.tenant.patch_answer(self.kind) } else { PatchAnswer::Resource };
        let shown = answer == PatchAnswer::Resource;
        let answered = self.carry_out(Action::Patch { id, patch }, self.conditions.of_a_write(), shown).await?;
        Ok(self.acknowledge(answered, &projection, answer))
    }

    /// RFC 7644 section 3.6.
    async fn delete(&self, id: String) -> Result<HttpResponse, Fault> {
        let answered = self.carry_out(Action::Delete { id }, self.conditions.of_a_write(), false).await?;
        Ok(self.acknowledge(answered, &Projection::default(), PatchAnswer::NoContent))
    }

    /// What the answer should hold, from `attributes` and `excludedAttributes` in the query string.
    fn projection(&self) -> Result<Projection, Fault> {
        let named = |name: &str| {
            self.pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
        };
        Ok(Projection::new(named("attributes"), named("excludedAttributes"), self.schema)?)
    }

    /// Has the bridge carry a write out, in a task of its own: once begun it comes to its end, also when the client
    /// hangs up or the time limit passes.
    async fn carry_out(&self, action: Action, if_match: Option<VersionMatch>, answer: bool) -> Result<Answered, Fault> {
        let intent = Intent { kind: self.kind, action, if_match, answer, origin: self.origin.clone() };
        let bridge = self.tenant.settings.bridge.clone();
        let task = rt::spawn(async move { bridge.apply(intent).await }.in_current_span());
        Ok(task.await.map_err(|_| Fault::Panicked)??)
    }

    fn acknowledge(&self, answered: Answered, projection: &Projection, updated: PatchAnswer) -> HttpResponse {
        let mut response = match answered.receipt {
            Receipt::Created(resource) => self.show(StatusCode::CREATED, resource, projection),
            Receipt::Updated(resource) if updated == PatchAnswer::Resource => {
                self.show(StatusCode::OK, resource, projection)
            }
            Receipt::Updated(resource) => Tag::of(&resource).on(HttpResponse::NoContent()).finish(),
            Receipt::Changed | Receipt::Deleted => HttpResponse::NoContent().finish(),
        };
        if let Some(item) = answered.owed {
            response.headers_mut().insert(OWED, HeaderValue::from(item));
        }
        response
    }

    /// An answer that holds `resource`.
    fn show(&self, status: StatusCode, resource: Resource, projection: &Projection) -> HttpResponse {
        let tag = Tag::of(&resource);
        let mut response = HttpResponse::build(status);
        if let Some(location) = tag.location.clone().filter(|_| status == StatusCode::CREATED) {
            response.insert_header((LOCATION, location));
        }
        let shown = projection.apply(resource, self.schema);
        let mut response = tag.on(response);
        response.content_type(SCIM_JSON);
        if shown.members_text().is_some_and(|members| members.len() > LONG) {
            return response.body(Pieces::of(shown.into_json()));
        }
        let mut body = String::new();
        shown.write_json(&mut body);
        response.body(body)
    }
}

/// Where a resource is and which version of it this is, as headers.
struct Tag {
    location: Option<HeaderValue>,
    version: Option<HeaderValue>,
}

impl Tag {
    fn of(resource: &Resource) -> Self {
        let meta = |name: &str| HeaderValue::from_str(resource.as_map().get("meta")?.get(name)?.as_str()?).ok();
        Self { location: meta("location"), version: meta("version") }
    }

    fn version(&self) -> Option<&str> {
        self.version.as_ref().and_then(|version| version.to_str().ok())
    }

    /// Puts the headers on an answer.
    fn on(&self, mut response: HttpResponseBuilder) -> HttpResponseBuilder {
        for (name, value) in [(ETAG, &self.version), (CONTENT_LOCATION, &self.location)] {
            if let Some(value) = value {
                response.insert_header((name, value.clone()));
            }
        }
        response
    }
}

/// The entity tags that the header called `name` lists; `None` when it lists none.
fn versions(headers: &HeaderMap, name: &HeaderName) -> Option<VersionMatch> {
    listed(headers.get_all(name).filter_map(|value| value.to_str().ok()))
}

fn listed<'a>(values: impl Iterator<Item = &'a str>) -> Option<VersionMatch> {
    let tags: Vec<String> = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect();
    match tags.as_slice() {
        [] => None,
        tags if tags.iter().any(|tag| tag == "*") => Some(VersionMatch::Any),
        _ => Some(VersionMatch::OneOf(tags)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn if_match(values: &[&str]) -> Option<VersionMatch> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, HeaderValue::from_str(value).unwrap());
        }
        versions(&headers, &IF_MATCH)
    }

    #[test]
    fn entity_tags_are_read_from_every_line_of_the_header() {
        let expected = VersionMatch::OneOf(vec![r#"W/"1""#.into(), r#""2""#.into(), "3".into()]);
        assert_eq!(if_match(&[r#"W/"1", "2""#, "3"]), Some(expected));
    }

    #[test]
    fn a_star_stands_for_any_version_and_an_empty_header_for_no_condition() {
        assert_eq!(if_match(&["*"]), Some(VersionMatch::Any));
        assert_eq!(if_match(&[" , "]), None);
        assert_eq!(if_match(&[]), None);
    }

    #[test]
    fn location_and_version_go_into_headers() {
        let meta = serde_json::json!({"meta": {"location": "https://x/Users/1", "version": "W/\"7\""}});
        let serde_json::Value::Object(map) = meta else { unreachable!() };
        let response = Tag::of(&Resource::from_map(map)).on(HttpResponse::Ok()).finish();
        assert_eq!(response.headers().get(ETAG).unwrap(), "W/\"7\"");
        assert_eq!(response.headers().get(CONTENT_LOCATION).unwrap(), "https://x/Users/1");
    }
}
