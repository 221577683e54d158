//! What the discovery endpoints and the envelopes of answers look like (RFC 7644 sections 3.4.2, 3.12 and 4).

use serde_json::{Map, Value, json};

use super::fault::FaultKind;
use super::resource::Resource;
use super::schema::{ResourceKind, ResourceSchema};
use super::standard::{self, RESOURCE_TYPE_URN, SERVICE_PROVIDER_CONFIG_URN};

const OKTA_URN: &str = "urn:okta:schemas:scim:providerconfig:1.0";

// All that the agent of Okta needs to hear to send users and groups.
const OKTA_CAPABILITIES: [&str; 9] = [
    "GROUP_PUSH",
    "IMPORT_NEW_USERS",
    "IMPORT_PROFILE_UPDATES",
    "PUSH_NEW_USERS",
    "PUSH_PASSWORD_UPDATES",
    "PUSH_PENDING_USERS",
    "PUSH_PROFILE_UPDATES",
    "PUSH_USER_DEACTIVATION",
    "REACTIVATE_USERS",
];

/// What a tenant can do (RFC 7643 section 5).
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, Default)]
pub struct Features {
    /// PATCH is understood.
    pub patch: bool,
    /// Bulk requests are understood.
    pub bulk: bool,
    /// The most operations in one bulk request.
    pub bulk_max_operations: usize,
    /// The largest bulk request, in bytes.
    pub bulk_max_payload: usize,
    /// The most resources in one answer.
    pub filter_max_results: usize,
    /// How long a cursor is good for, in seconds (RFC 9865).
    pub cursor_timeout: u64,
    /// A password in a request is set.
    pub change_password: bool,
    /// Listings can be sorted.
    pub sort: bool,
    /// Entity tags are understood.
    pub etag: bool,
    /// How clients prove who they are.
    pub authentication: Vec<AuthenticationScheme>,
    /// Where people read on.
    pub documentation_uri: Option<String>,
}

/// One way to authenticate (RFC 7643 section 5).
#[derive(Clone, Debug)]
pub struct AuthenticationScheme {
    /// `httpbasic`, `oauthbearertoken`, ...
    pub kind: &'static str,
    /// The name to show.
    pub name: String,
    /// The explanation to show.
    pub description: String,
    /// Whether this is the preferred way.
    pub primary: bool,
}

/// The answer of `/ServiceProviderConfig`, with nothing but what the RFCs list. `base` is the tenant's base URL, without
/// a slash at its end.
#[must_use]
pub fn service_provider_config(features: &Features, base: &str) -> Value {
    let schemes: Vec<Value> = features.authentication.iter().map(authentication_scheme).collect();
    let mut config = json!({
        "schemas": [SERVICE_PROVIDER_CONFIG_URN],
        "patch": { "supported": features.patch },
        "bulk": {
            "supported": features.bulk,
            "maxOperations": features.bulk_max_operations,
            "maxPayloadSize": features.bulk_max_payload,
        },
        "filter": { "supported": true, "maxResults": features.filter_max_results },
        "changePassword": { "supported": features.change_password },
        "sort": { "supported": features.sort },
        "etag": { "supported": features.etag },
        "authenticationSchemes": schemes,
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": features.filter_max_results,
            "maxPageSize": features.filter_max_results,
            "cursorTimeout": features.cursor_timeout,
        },
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig") },
    });
    if let Some(uri) = &features.documentation_uri {
        config["documentationUri"] = uri.as_str().into();
    }
    config
}

fn authentication_scheme(scheme: &AuthenticationScheme) -> Value {
    json!({
        "type": scheme.kind,
        "name": scheme.name,
        "description": scheme.description,
        "primary": scheme.primary,
    })
}

/// The same with the block that Okta's on-premises agent looks for before it sends anything.
#[must_use]
pub fn okta_provider_config(features: &Features, base: &str) -> Value {
    let mut config = service_provider_config(features, base);
    config["schemas"] = json!([SERVICE_PROVIDER_CONFIG_URN, OKTA_URN]);
    config[OKTA_URN] = json!({ "userManagementCapabilities": OKTA_CAPABILITIES });
    config
}

/// The answers of `/ResourceTypes`, one for each kind of resource that is served.
#[must_use]
pub fn resource_types(schemas: &[ResourceSchema], base: &str) -> Vec<Value> {
    schemas.iter().map(|schema| resource_type(schema, base)).collect()
}

fn resource_type(schema: &ResourceSchema, base: &str) -> Value {
    let name = schema.kind.name();
    let description = match schema.kind {
        ResourceKind::User => "User accounts",
        ResourceKind::Group => "Groups of users",
    };
    let extensions = schema.extensions.iter().map(|it| json!({ "schema": it.id, "required": false }));
    json!({
        "schemas": [RESOURCE_TYPE_URN],
        "id": name,
        "name": name,
        "description": description,
        "endpoint": format!("/{}", schema.kind.endpoint()),
        "schema": schema.core.id,
        "schemaExtensions": extensions.collect::<Vec<_>>(),
        "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{name}") },
    })
}

/// The answers of `/Schemas`: those of the resources, each once, and those of the discovery resources themselves.
#[must_use]
pub fn schemas(schemas: &[ResourceSchema], base: &str) -> Vec<Value> {
    let own = [standard::service_provider_config(), standard::resource_type(), standard::schema()];
    let served = schemas.iter().flat_map(|it| std::iter::once(&it.core).chain(&it.extensions));
    let mut seen: Vec<&str> = Vec::new();
    let mut shown = Vec::new();
    for schema in served.chain(&own) {
        if !seen.contains(&schema.id.as_str()) {
            seen.push(&schema.id);
            shown.push(schema.to_json(base));
        }
    }
    shown
}

/// A `ListResponse` (RFC 7644 section 3.4.2) of one page, out of `total` resources.
#[must_use]
pub fn list_response(resources: Vec<Value>, total: usize, start_index: usize) -> Value {
    let schemas = json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]);
    let shown = resources.len();
    // Put together by hand: the macro would copy every resource.
    Value::Object(Map::from_iter([
        ("schemas".to_owned(), schemas),
        ("totalResults".to_owned(), total.into()),
        ("startIndex".to_owned(), start_index.into()),
        ("itemsPerPage".to_owned(), shown.into()),
        ("Resources".to_owned(), Value::Array(resources)),
    ]))
}

/// A `ListResponse` of one page of resources as JSON text: groups can be too large to be copied. `next` and `previous` are
/// the cursors of the neighbouring pages, where there are any (RFC 9865 section 2).
#[must_use]
pub fn page(
    resources: &[Resource],
    total: usize,
    start_index: usize,
    next: Option<String>,
    previous: Option<String>,
) -> String {
    let Value::Object(mut envelope) = list_response(Vec::new(), total, start_index) else { return String::new() };
    envelope.shift_remove("Resources");
    envelope.insert("itemsPerPage".to_owned(), resources.len().into());
    for (name, cursor) in [("nextCursor", next), ("previousCursor", previous)] {
        envelope.extend(cursor.map(|cursor| (name.to_owned(), cursor.into())));
    }
    let mut text = Value::Object(envelope).to_string();
    text.pop();
    text.push_str(",\"Resources\":[");
    for (at, resource) in resources.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        resource.write_json(&mut text);
    }
    text.push_str("]}");
    text
}

/// The body of an error (RFC 7644 section 3.12), whose status is a text.
#[must_use]
pub fn error(status: u16, fault: Option<FaultKind>, detail: &str) -> Value {
    let mut body = Map::new();
    body.insert("schemas".to_owned(), json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    body.insert("status".to_owned(), status.to_string().into());
    if let Some(kind) = fault {
        body.insert("scimType".to_owned(), kind.scim_type().into());
    }
    body.insert("detail".to_owned(), detail.into());
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://scim.example.com/scim/v2";

    fn features() -> Features {
        Features {
            patch: true,
            filter_max_results: 1000,
            cursor_timeout: 600,
            authentication: vec![AuthenticationScheme {
                kind: "httpbasic",
                name: "HTTP Basic".to_owned(),
                description: "User name and password".to_owned(),
                primary: true,
            }],
            documentation_uri: Some("https://example.com/docs".to_owned()),
            ..Features::default()
        }
    }

    /// Every member must be an attribute of the schema that describes the resource.
    fn check_members(value: &Value, attributes: &[crate::scim::Attribute]) {
        for (name, value) in value.as_object().unwrap() {
            if matches!(name.as_str(), "schemas" | "meta") {
                continue;
            }
            let attribute = attributes.iter().find(|it| it.name == *name).unwrap_or_else(|| panic!("unknown {name}"));
            match value {
                Value::Array(elements) if elements.iter().any(Value::is_object) => {
                    for element in elements {
                        check_members(element, &attribute.sub_attributes);
                    }
                }
                Value::Object(_) => check_members(value, &attribute.sub_attributes),
                _ => {}
            }
        }
        for attribute in attributes.iter().filter(|it| it.required) {
            assert!(value.get(&attribute.name).is_some(), "{} is missing", attribute.name);
        }
    }

    #[test]
    fn the_provider_config_has_only_members_of_its_schema() {
        let config = service_provider_config(&features(), BASE);
        check_members(&config, &standard::service_provider_config().attributes);
        assert_eq!(config["meta"]["location"], format!("{BASE}/ServiceProviderConfig"));
        assert_eq!(config["bulk"], json!({ "supported": false, "maxOperations": 0, "maxPayloadSize": 0 }));
        assert_eq!(config["authenticationSchemes"][0]["type"], "httpbasic");
        assert_eq!(config["pagination"]["cursorTimeout"], 600);
        assert_eq!(config["pagination"]["defaultPaginationMethod"], "index");
    }

    #[test]
    fn the_agent_of_okta_finds_its_block() {
        let config = okta_provider_config(&features(), BASE);
        assert_eq!(config["schemas"][1], OKTA_URN);
        assert_eq!(config[OKTA_URN]["userManagementCapabilities"].as_array().unwrap().len(), 9);
        assert_eq!(config["patch"]["supported"], true);
    }

    #[test]
    fn resource_types_name_their_schemas() {
        let served = [ResourceKind::User, ResourceKind::Group].map(ResourceSchema::standard);
        let types = resource_types(&served, BASE);
        for shown in &types {
            check_members(shown, &standard::resource_type().attributes);
        }
        assert_eq!(types[0]["endpoint"], "/Users");
        assert_eq!(types[0]["schemaExtensions"][0]["schema"], crate::scim::schema::ENTERPRISE_URN);
        assert_eq!(types[1]["schemaExtensions"], json!([]));
        assert_eq!(types[1]["meta"]["location"], format!("{BASE}/ResourceTypes/Group"));
    }

    #[test]
    fn schemas_describe_themselves_too() {
        let served = [ResourceKind::User, ResourceKind::Group].map(ResourceSchema::standard);
        let shown = schemas(&served, BASE);
        let names: Vec<&str> = shown.iter().filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(names, ["User", "EnterpriseUser", "Group", "ServiceProviderConfig", "ResourceType", "Schema"]);
    }

    #[test]
    fn a_list_counts_in_numbers() {
        let list = list_response(vec![json!({ "id": "1" })], 7, 3);
        assert_eq!(
            (&list["totalResults"], &list["startIndex"], &list["itemsPerPage"]),
            (&json!(7), &json!(3), &json!(1))
        );
        assert_eq!(list_response(Vec::new(), 0, 1)["Resources"], json!([]));
        assert!(list.get("meta").is_none());
    }

    #[test]
    fn a_list_names_only_the_neighbours_that_there_are() {
        let list = |next, previous| serde_json::from_str::<Value>(&page(&[], 7, 3, next, previous)).unwrap();
        let first = list(Some("n".to_owned()), None);
        assert_eq!((first.get("nextCursor"), first.get("previousCursor")), (Some(&json!("n")), None));
        assert_eq!(list(None, Some("p".to_owned()))["previousCursor"], "p");
        assert_eq!(list(None, None), list_response(Vec::new(), 7, 3));
    }

    #[test]
    fn an_error_has_its_status_as_text() {
        let body = error(400, Some(FaultKind::InvalidFilter), "why");
        assert_eq!(
            (&body["status"], &body["scimType"], &body["detail"]),
            (&json!("400"), &json!("invalidFilter"), &json!("why"))
        );
        assert!(error(404, None, "gone").get("scimType").is_none());
    }
}
