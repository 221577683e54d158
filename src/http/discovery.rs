//! The discovery documents of a tenant (RFC 7644 section 4), written once and handed out as they are.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderMap, USER_AGENT};
use actix_web::web::Bytes;
use serde_json::Value;

use super::bulk::MAX_OPERATIONS;
use super::credentials::Credentials;
use super::negotiation::SCIM_JSON;
use super::outcome::Fault;
use super::route::Endpoint;
use super::site::TenantSettings;
use crate::bridge::CURSOR_TIMEOUT;
use crate::scim::discovery::{self, AuthenticationScheme, Features};
use crate::scim::{ResourceKind, ResourceSchema};

/// The discovery documents, as they go out.
pub(super) struct Documents {
    provider: Bytes,
    provider_for_okta: Bytes,
    resource_types: Collection,
    schemas: Collection,
}

/// A list of documents and each of them by its name.
struct Collection {
    list: Bytes,
    single: Vec<(String, Bytes)>,
}

impl Documents {
    /// Writes the documents of a tenant that reads up to `max_body` bytes of a request.
    pub(super) fn new(settings: &TenantSettings, max_body: usize) -> Self {
        let base = settings.base_url.as_str();
        let features = features(settings, max_body);
        let kinds = [ResourceKind::User, ResourceKind::Group];
        let served: Vec<ResourceSchema> =
            kinds.into_iter().filter_map(|kind| settings.bridge.served(kind).cloned()).collect();
        Self {
            provider: bytes(&discovery::service_provider_config(&features, base)),
            provider_for_okta: bytes(&discovery::okta_provider_config(&features, base)),
            resource_types: Collection::new(discovery::resource_types(&served, base), "name"),
            schemas: Collection::new(discovery::schemas(&served, base), "id"),
        }
    }

    /// The document that `endpoint` names.
    pub(super) fn answer(&self, endpoint: &Endpoint, headers: &HeaderMap) -> Result<HttpResponse, Fault> {
        let document = match endpoint {
            Endpoint::ServiceProviderConfig { plural } if *plural || is_okta_agent(headers) => &self.provider_for_okta,
            Endpoint::ServiceProviderConfig { .. } => &self.provider,
            Endpoint::ResourceTypes(name) => self.resource_types.find("resource type", name.as_deref())?,
            Endpoint::Schemas(name) => self.schemas.find("schema", name.as_deref())?,
            _ => return Err(Fault::NoSuchTenant),
        };
        Ok(HttpResponse::Ok().content_type(SCIM_JSON).body(document.clone()))
    }
}

impl Collection {
    /// The documents, each called by the text of its member `key`.
    fn new(documents: Vec<Value>, key: &str) -> Self {
        let name = |document: &Value| document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let single = documents.iter().map(|document| (name(document), bytes(document))).collect();
        let total = documents.len();
        Self { list: bytes(&discovery::list_response(documents, total, 1)), single }
    }

    /// The list, or the document called `name` in any case.
    fn find(&self, what: &'static str, name: Option<&str>) -> Result<&Bytes, Fault> {
        let Some(name) = name else { return Ok(&self.list) };
        let found = self.single.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, document)| document).ok_or_else(|| Fault::NoSuchDocument(what, name.to_owned()))
    }
}

fn bytes(document: &Value) -> Bytes {
    Bytes::from(document.to_string())
}

fn features(settings: &TenantSettings, max_body: usize) -> Features {
    let if_bulk = |limit| if settings.bulk { limit } else { 0 };
    Features {
        patch: true,
        bulk: settings.bulk,
        // Some clients take the number of operations for something else: who does not serve bulk requests says 0.
        bulk_max_operations: if_bulk(MAX_OPERATIONS),
        bulk_max_payload: if_bulk(max_body),
        filter_max_results: settings.max_results,
        cursor_timeout: CURSOR_TIMEOUT.as_secs(),
        change_password: settings.password_sync,
        sort: true,
        etag: true,
        authentication: schemes(&settings.credentials),
        documentation_uri: None,
    }
}

fn schemes(credentials: &Credentials) -> Vec<AuthenticationScheme> {
    let basic = credentials.has_basic().then(|| AuthenticationScheme {
        kind: "httpbasic",
        name: "HTTP Basic".to_owned(),
        description: "A user name and a password in the Authorization header".to_owned(),
        primary: true,
    });
    let token = credentials.has_token().then(|| AuthenticationScheme {
        kind: "oauthbearertoken",
        name: "Bearer token".to_owned(),
        description: "A token that the administrator of the bridge hands out".to_owned(),
        primary: !credentials.has_basic(),
    });
    basic.into_iter().chain(token).collect()
}

/// Whether Okta's on-premises provisioning agent asks; it wants to be told about its capabilities, which a strict
/// client would trip over.
fn is_okta_agent(headers: &HeaderMap) -> bool {
    let Some(agent) = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()) else { return false };
    let agent = agent.to_ascii_lowercase();
    let hints = ["provisioning agent", "provisioning-agent", "provisioningagent", "on-prem", "onprem", "opp"];
    agent.contains("okta") && hints.iter().any(|hint| agent.contains(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use serde_json::json;

    fn agent(name: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(name));
        headers
    }

    #[test]
    fn only_oktas_agent_is_taken_for_oktas_agent() {
        assert!(is_okta_agent(&agent("Okta Provisioning Agent 2.1.0")));
        assert!(is_okta_agent(&agent("okta-onprem-agent/1")));
        assert!(!is_okta_agent(&agent("Okta SCIM Client 1.0.0")));
        assert!(!is_okta_agent(&agent("opportunistic crawler")));
        assert!(!is_okta_agent(&HeaderMap::new()));
    }

    #[test]
    fn a_document_is_found_by_its_name_in_any_case_and_an_unknown_one_is_not() {
        let collection = Collection::new(vec![json!({"id": "urn:a:User"}), json!({"id": "urn:b"})], "id");
        assert_eq!(collection.find("schema", Some("URN:a:user")).unwrap(), &bytes(&json!({"id": "urn:a:User"})));
        assert!(collection.find("schema", Some("urn:c")).is_err());
        let list: Value = serde_json::from_slice(collection.find("schema", None).unwrap()).unwrap();
        assert_eq!(list["totalResults"], 2);
    }
}
