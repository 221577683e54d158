//! The schemas that RFC 7643 section 8.7 defines, in our own words.

use std::sync::LazyLock;

use super::schema::{Attribute, AttributeType, Mutability, Returned, Schema, Uniqueness};

mod discovery;
mod user;

pub(super) use discovery::{resource_type, schema, service_provider_config};
pub(super) use user::{enterprise_user, user};

pub(super) const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(super) const SERVICE_PROVIDER_CONFIG_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
pub(super) const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
pub(super) const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// The attributes that every resource has and no schema lists (RFC 7643 section 3.1).
pub(super) fn common() -> &'static [Attribute] {
    static COMMON: LazyLock<[Attribute; 4]> = LazyLock::new(|| {
        [
            text("schemas", "URNs of the schemas of this resource").many().exact().read_only().always(),
            text("id", "Identifier that the directory gave this resource; never changes")
                .exact()
                .read_only()
                .always()
                .unique(),
            text("externalId", "Identifier that the client uses for this resource").exact(),
            complex("meta", "Facts about this resource that the bridge keeps", meta()).read_only(),
        ]
    });
    &*COMMON
}

fn meta() -> Vec<Attribute> {
    vec![
        text("resourceType", "Name of the resource type").exact().read_only(),
        of(AttributeType::DateTime, "created", "When the resource came into being").read_only(),
        of(AttributeType::DateTime, "lastModified", "When the resource was last changed").read_only(),
        reference("location", "URL of the resource", &["uri"]).read_only(),
        text("version", "Entity tag of the current state").exact().read_only(),
    ]
}

/// The core group schema (RFC 7643 section 4.2).
pub(super) fn group() -> Schema {
    let members = vec![
        text("value", "The id of the member").immutable(),
        reference("$ref", "URL of the member", &["User", "Group"]).immutable(),
        text("display", "Name of the member, kept up to date by the bridge").read_only(),
        text("type", "Whether the member is a user or a group").canonical(&["User", "Group"]).immutable(),
    ];
    Schema {
        id: GROUP_URN.to_owned(),
        name: "Group".to_owned(),
        description: "A group of users and of other groups".to_owned(),
        attributes: vec![
            text("displayName", "Name of the group").required(),
            complex("members", "The users and groups that belong to the group", members).many(),
        ],
    }
}

fn of(kind: AttributeType, name: &str, description: &str) -> Attribute {
    Attribute { description: description.to_owned(), ..Attribute::new(name, kind) }
}

fn text(name: &str, description: &str) -> Attribute {
    of(AttributeType::String, name, description)
}

fn boolean(name: &str, description: &str) -> Attribute {
    of(AttributeType::Boolean, name, description)
}

fn integer(name: &str, description: &str) -> Attribute {
    of(AttributeType::Integer, name, description)
}

fn reference(name: &str, description: &str, to: &[&str]) -> Attribute {
    let reference_types = to.iter().map(|&name| name.to_owned()).collect();
    // References are compared by case (RFC 7643 section 2.3.7).
    Attribute { reference_types, case_exact: true, ..of(AttributeType::Reference, name, description) }
}

fn complex(name: &str, description: &str, sub_attributes: Vec<Attribute>) -> Attribute {
    Attribute { sub_attributes, ..of(AttributeType::Complex, name, description) }
}

// Steps of a description, so that a schema reads as a list.
impl Attribute {
    fn many(self) -> Self {
        Self { multi_valued: true, ..self }
    }

    fn required(self) -> Self {
        Self { required: true, ..self }
    }

    fn exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    fn immutable(self) -> Self {
        Self { mutability: Mutability::Immutable, ..self }
    }

    fn always(self) -> Self {
        Self { returned: Returned::Always, ..self }
    }

    fn unique(self) -> Self {
        Self { uniqueness: Uniqueness::Server, ..self }
    }

    fn canonical(self, values: &[&str]) -> Self {
        Self { canonical_values: values.iter().map(|&value| value.to_owned()).collect(), ..self }
    }

    fn read_only(self) -> Self {
        let sub_attributes = self.sub_attributes.into_iter().map(Self::read_only).collect();
        Self { mutability: Mutability::ReadOnly, sub_attributes, ..self }
    }
}
