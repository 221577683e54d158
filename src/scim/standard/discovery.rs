//! The schemas of the discovery resources themselves (RFC 7643 sections 5, 6, 7 and 8.7.2, RFC 9865 section 4).

use super::{RESOURCE_TYPE_URN, SCHEMA_URN, SERVICE_PROVIDER_CONFIG_URN, boolean, complex, integer, reference, text};
use crate::scim::schema::{Attribute, Schema};

/// The schema of `/ServiceProviderConfig`.
pub(in crate::scim) fn service_provider_config() -> Schema {
    let supported = || boolean("supported", "Whether the feature is there").required();
    let feature = |name: &str, description: &str| complex(name, description, vec![supported()]).required();
    let bulk = vec![
        supported(),
        integer("maxOperations", "Most operations in one request").required(),
        integer("maxPayloadSize", "Largest request body, in bytes").required(),
    ];
    let filter = vec![supported(), integer("maxResults", "Most resources in one answer").required()];
    read_only(Schema {
        id: SERVICE_PROVIDER_CONFIG_URN.to_owned(),
        name: "ServiceProviderConfig".to_owned(),
        description: "What this service provider can do".to_owned(),
        attributes: vec![
            reference("documentationUri", "Documentation for people", &["external"]),
            feature("patch", "The PATCH method"),
            complex("bulk", "Bulk requests", bulk).required(),
            complex("filter", "Filters", filter).required(),
            feature("changePassword", "Changing passwords"),
            feature("sort", "Sorting"),
            feature("etag", "Entity tags"),
            complex("authenticationSchemes", "Ways to authenticate", schemes()).many().required(),
            complex("pagination", "How long lists are read", pagination()),
        ],
    })
}

/// RFC 9865 section 4.
fn pagination() -> Vec<Attribute> {
    vec![
        boolean("cursor", "Whether pages can be named by cursors").required(),
        boolean("index", "Whether pages can be named by numbers").required(),
        text("defaultPaginationMethod", "How pages are named unless asked otherwise").canonical(&["cursor", "index"]),
        integer("defaultPageSize", "Resources on a page when no count is given"),
        integer("maxPageSize", "Most resources on a page"),
        integer("cursorTimeout", "Seconds for which a cursor is good"),
    ]
}

fn schemes() -> Vec<Attribute> {
    let types = ["oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest"];
    vec![
        text("type", "Which kind of authentication").canonical(&types).required(),
        text("name", "Name to show").required(),
        text("description", "Explanation to show").required(),
        reference("specUri", "The specification", &["external"]),
        reference("documentationUri", "How to use it here", &["external"]),
        boolean("primary", "Whether this is the preferred way; true at most once"),
    ]
}

/// The schema of `/ResourceTypes`.
pub(in crate::scim) fn resource_type() -> Schema {
    let extensions = vec![
        reference("schema", "URN of the extension", &["uri"]).required(),
        boolean("required", "Whether every resource must carry the extension").required(),
    ];
    read_only(Schema {
        id: RESOURCE_TYPE_URN.to_owned(),
        name: "ResourceType".to_owned(),
        description: "A kind of resource and where to find it".to_owned(),
        attributes: vec![
            text("id", "Identifier of the resource type"),
            text("name", "Name of the resource type").required(),
            text("description", "What resources of this type are"),
            reference("endpoint", "Endpoint relative to the base URL", &["uri"]).required(),
            reference("schema", "URN of the core schema", &["uri"]).required(),
            complex("schemaExtensions", "Extensions that resources of this type may carry", extensions).many(),
        ],
    })
}

/// The schema of `/Schemas`.
pub(in crate::scim) fn schema() -> Schema {
    let mut attributes = attribute_definition();
    attributes.push(complex("subAttributes", "The parts of a complex attribute", attribute_definition()).many());
    read_only(Schema {
        id: SCHEMA_URN.to_owned(),
        name: "Schema".to_owned(),
        description: "A named set of attributes".to_owned(),
        attributes: vec![
            text("id", "URN of the schema").exact().required(),
            text("name", "Name of the schema").required(),
            text("description", "What the schema is for"),
            complex("attributes", "The attributes of the schema", attributes).many().required(),
        ],
    })
}

fn attribute_definition() -> Vec<Attribute> {
    let types = ["string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex"];
    vec![
        text("name", "Name of the attribute").exact().required(),
        text("type", "Data type").canonical(&types).required(),
        boolean("multiValued", "Whether there can be several values").required(),
        text("description", "What the attribute means"),
        boolean("required", "Whether a resource must have it"),
        text("canonicalValues", "Values to be expected").exact().many(),
        boolean("caseExact", "Whether values differ by case"),
        text("mutability", "Who may change it").exact().canonical(&["readOnly", "readWrite", "immutable", "writeOnly"]),
        text("returned", "When it is part of an answer").exact().canonical(&["always", "never", "default", "request"]),
        text("uniqueness", "How far a value must be unique").exact().canonical(&["none", "server", "global"]),
        text("referenceTypes", "What a reference may refer to").exact().many(),
    ]
}

fn read_only(schema: Schema) -> Schema {
    let attributes = schema.attributes.into_iter().map(Attribute::read_only).collect();
    Schema { attributes, ..schema }
}
