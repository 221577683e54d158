//! Schemas and resource types (RFC 7643 sections 6 and 7).

use super::path::AttributePath;
use super::standard;

mod custom;
mod json;

#[cfg(test)]
mod tests;

/// The two kinds of resource that the bridge serves.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    User,
    Group,
}

impl ResourceKind {
    /// The name of the resource type, `meta.resourceType` (RFC 7643 section 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The endpoint relative to the tenant's base URL (RFC 7644 section 3.2), without a slash.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }
}

/// Data type of an attribute (RFC 7643 section 2.3).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Reference,
    Binary,
    Complex,
}

/// Who may change an attribute (RFC 7643 section 2.2).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

/// When an attribute is part of an answer (RFC 7643 section 2.2).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    Always,
    Never,
    Default,
    Request,
}

/// How far a value must be unique (RFC 7643 section 2.2).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    None,
    Server,
    Global,
}

/// One attribute of a schema (RFC 7643 section 7).
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub name: String,
    pub kind: AttributeType,
    pub multi_valued: bool,
    pub description: String,
    pub required: bool,
    pub canonical_values: Vec<String>,
    pub case_exact: bool,
    pub mutability: Mutability,
    pub returned: Returned,
    pub uniqueness: Uniqueness,
    pub reference_types: Vec<String>,
    pub sub_attributes: Vec<Attribute>,
}

/// A named set of attributes (RFC 7643 section 7).
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The URN.
    pub id: String,
    pub name: String,
    pub description: String,
    pub attributes: Vec<Attribute>,
}

/// A resource type with all the schemas its resources may carry (RFC 7643 section 6).
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceSchema {
    pub kind: ResourceKind,
    pub core: Schema,
    pub extensions: Vec<Schema>,
}

/// The URN of the enterprise extension (RFC 7643 section 4.3).
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

// Older or misspelt names under which clients send the enterprise extension.
const ENTERPRISE_ALIASES: [&str; 5] = [
    "urn:scim:schemas:extension:enterprise:1.0",
    "urn:scim:schemas:extension:enterprise:2.0",
    "urn:scim:schemas:extension:enterprise:1.0:User",
    "urn:scim:schemas:extension:enterprise:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0User",
];

const USER_ALIASES: [&str; 5] = [
    "urn:scim:schemas:core:1.0",
    "urn:scim:schemas:core:2.0",
    "urn:scim:schemas:core:1.0:User",
    "urn:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:core:2.0",
];

const GROUP_ALIASES: [&str; 5] = [
    "urn:scim:schemas:core:1.0",
    "urn:scim:schemas:core:2.0",
    "urn:scim:schemas:core:1.0:Group",
    "urn:scim:schemas:core:2.0:Group",
    "urn:ietf:params:scim:schemas:core:2.0",
];

/// What a URN stands for within one resource type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Namespace<'s> {
    Core,
    Extension(&'s Schema),
}

impl Attribute {
    /// An attribute with the characteristics that RFC 7643 section 2.2 gives one by default.
    pub fn new(name: impl Into<String>, kind: AttributeType) -> Self {
        Self {
            name: name.into(),
            kind,
            multi_valued: false,
            description: String::new(),
            required: false,
            canonical_values: Vec::new(),
            case_exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            reference_types: Vec::new(),
            sub_attributes: Vec::new(),
        }
    }

    /// The sub-attribute called `name`, in any case.
    #[must_use]
    pub fn sub_attribute(&self, name: &str) -> Option<&Self> {
        find(&self.sub_attributes, name)
    }

    pub(super) fn is_complex(&self) -> bool {
        self.kind == AttributeType::Complex
    }

    /// Whether its values name other resources by their ids, as `members` does.
    pub(super) fn is_references(&self) -> bool {
        self.multi_valued && self.sub_attribute("$ref").is_some() && self.sub_attribute("value").is_some()
    }
}

impl Schema {
    /// A schema without attributes, as a custom extension begins.
    pub fn empty(id: impl Into<String>) -> Self {
        let id = id.into();
        let name = id.rsplit(':').next().unwrap_or_default().to_owned();
        let description = format!("Attributes under {id}");
        Self { id, name, description, attributes: Vec::new() }
    }

    /// The attribute called `name`, in any case.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.attributes, name)
    }
}

fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

impl ResourceSchema {
    /// The schemas of RFC 7643: the core one, and for users the enterprise extension.
    #[must_use]
    pub fn standard(kind: ResourceKind) -> Self {
        match kind {
            ResourceKind::User => Self { kind, core: standard::user(), extensions: vec![standard::enterprise_user()] },
            ResourceKind::Group => Self { kind, core: standard::group(), extensions: Vec::new() },
        }
    }

    /// Finds what `path` names, in any case: the path in canonical spelling, and the attribute or sub-attribute.
    #[must_use]
    pub fn resolve(&self, path: &AttributePath) -> Option<(AttributePath, &Attribute)> {
        let namespace = match &path.schema {
            None => Namespace::Core,
            Some(urn) => self.namespace(urn)?,
        };
        let top = self.within(namespace, &path.attribute)?;
        let deepest = match &path.sub {
            None => top,
            Some(sub) => top.sub_attribute(sub)?,
        };
        let canonical = AttributePath {
            schema: namespace.urn().map(str::to_owned),
            attribute: top.name.clone(),
            sub: path.sub.as_ref().map(|_| deepest.name.clone()),
        };
        Some((canonical, deepest))
    }

    /// The URNs of all the schemas, the core one first.
    pub fn urns(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.core.id.as_str()).chain(self.extensions.iter().map(|schema| schema.id.as_str()))
    }

    /// The attribute that the first two parts of `path` name, without its sub-attribute.
    pub(super) fn top(&self, path: &AttributePath) -> Option<&Attribute> {
        match &path.schema {
            None => self.core_attribute(&path.attribute),
            Some(urn) => self.within(self.namespace(urn)?, &path.attribute),
        }
    }

    /// The attribute or sub-attribute that `path` names.
    pub(super) fn deepest(&self, path: &AttributePath) -> Option<&Attribute> {
        let top = self.top(path)?;
        path.sub.as_ref().map_or(Some(top), |sub| top.sub_attribute(sub))
    }

    /// The attribute called `name` in the core schema, or one that all resources have in common.
    pub(super) fn core_attribute(&self, name: &str) -> Option<&Attribute> {
        self.core.attribute(name).or_else(|| find(standard::common(), name))
    }

    pub(super) fn within<'s>(&'s self, namespace: Namespace<'s>, name: &str) -> Option<&'s Attribute> {
        match namespace {
            Namespace::Core => self.core_attribute(name),
            Namespace::Extension(schema) => schema.attribute(name),
        }
    }

    /// What `urn` stands for, by its own name or by one that clients are known to send instead.
    pub(super) fn namespace(&self, urn: &str) -> Option<Namespace<'_>> {
        self.names().find(|(name, _)| name.eq_ignore_ascii_case(urn)).map(|(_, namespace)| namespace)
    }

    /// Splits `text` after the longest URN that this resource type knows. The rest is empty for a bare URN.
    pub(super) fn split_urn<'t>(&self, text: &'t str) -> Option<(Namespace<'_>, &'t str)> {
        let rest_after = |name: &str| {
            let start = text.get(..name.len())?;
            let rest = text.get(name.len()..)?;
            let rest = if rest.is_empty() { rest } else { rest.strip_prefix(':')? };
            (start.eq_ignore_ascii_case(name) && !rest.contains(':')).then_some(rest)
        };
        self.names()
            .filter_map(|(name, namespace)| rest_after(name).map(|rest| (namespace, rest)))
            .min_by_key(|(_, rest)| rest.len())
    }

    fn names(&self) -> impl Iterator<Item = (&str, Namespace<'_>)> {
        let core_aliases = match self.kind {
            ResourceKind::User => &USER_ALIASES,
            ResourceKind::Group => &GROUP_ALIASES,
        };
        let core = std::iter::once(self.core.id.as_str()).chain(core_aliases.iter().copied());
        let extensions = self.extensions.iter().flat_map(|schema| {
            let aliases: &[&str] = if schema.id == ENTERPRISE_URN { &ENTERPRISE_ALIASES } else { &[] };
            let names = std::iter::once(schema.id.as_str()).chain(aliases.iter().copied());
            names.map(move |name| (name, Namespace::Extension(schema)))
        });
        core.map(|name| (name, Namespace::Core)).chain(extensions)
    }
}

impl<'s> Namespace<'s> {
    /// The URN under which values of this namespace stand in a resource; none for the core schema.
    pub(super) fn urn(self) -> Option<&'s str> {
        match self {
            Self::Core => None,
            Self::Extension(schema) => Some(&schema.id),
        }
    }
}
