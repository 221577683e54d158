//! Attribute paths (RFC 7644 figure 1 `attrPath` and figure 7 `PATH`).

use std::fmt;

use super::fault::{Fault, FaultKind};
use super::filter::{Filter, parse_value_path};
use super::schema::{Attribute, ENTERPRISE_URN, Namespace, ResourceSchema};
use super::text::quoted;

/// The name of an attribute or of a sub-attribute, with the extension that it belongs to.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct AttributePath {
    /// URN of the extension; none for the core schema.
    pub schema: Option<String>,
    /// Name of the attribute.
    pub attribute: String,
    /// Name of the sub-attribute.
    pub sub: Option<String>,
}

/// The target of a PATCH operation (RFC 7644 section 3.5.2).
#[derive(Clone, PartialEq, Debug)]
pub enum PatchPath {
    /// All attributes under one URN, which may also be that of the core schema.
    Extension(String),
    /// An attribute, or with a filter some of its values; `path.sub` holds what follows the `]` or the `.`.
    #[allow(missing_docs)]
    Attribute { path: AttributePath, filter: Option<Filter> },
}

/// What a text names: a schema as a whole, or an attribute with its definition if the schema knows one.
pub(super) enum Named<'s> {
    Schema(String),
    Attribute(AttributePath, Option<&'s Attribute>),
}

impl AttributePath {
    /// The attribute called `attribute` of the core schema.
    #[must_use]
    pub fn core(attribute: &str) -> Self {
        Self { schema: None, attribute: attribute.to_owned(), sub: None }
    }

    /// Reads `URN:attribute.sub`, of which only the attribute is needed. What `schema` knows comes back in its
    /// canonical spelling, the rest as written.
    ///
    /// # Errors
    /// [`FaultKind::InvalidPath`] if the text is no attribute path, or names a schema as a whole.
    pub fn parse(text: &str, schema: &ResourceSchema) -> Result<Self, Fault> {
        match named(text.trim(), schema)? {
            Named::Attribute(path, _) => Ok(path),
            Named::Schema(urn) => Err(invalid(text, &format!("it names the schema {urn}, add `:` and an attribute"))),
        }
    }

    /// The same attribute with this sub-attribute.
    pub(super) fn with_sub(&self, sub: &str) -> Self {
        Self { sub: Some(sub.to_owned()), ..self.clone() }
    }

    /// The same attribute without a sub-attribute.
    pub(super) fn without_sub(&self) -> Self {
        Self { sub: None, ..self.clone() }
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.schema {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        self.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}

/// Finds out what `text` names.
pub(super) fn named<'s>(text: &str, schema: &'s ResourceSchema) -> Result<Named<'s>, Fault> {
    if !text.contains(':') {
        return attribute_in(text, text, Namespace::Core, schema);
    }
    if let Some((namespace, rest)) = schema.split_urn(text) {
        if rest.is_empty() {
            return Ok(Named::Schema(namespace.urn().unwrap_or(&schema.core.id).to_owned()));
        }
        return attribute_in(text, rest, namespace, schema);
    }
    let (urn, rest) = text.rsplit_once(':').unwrap_or_default();
    if urn.is_empty() || urn.chars().any(|c| c.is_whitespace() || c.is_control() || c == '"') {
        return Err(invalid(text, "what stands before the last `:` is no URN"));
    }
    let (attribute, sub) = split_name(text, rest)?;
    let path =
        AttributePath { schema: Some(urn.to_owned()), attribute: attribute.to_owned(), sub: sub.map(str::to_owned) };
    Ok(Named::Attribute(path, None))
}

fn attribute_in<'s>(
    text: &str,
    name: &str,
    namespace: Namespace<'s>,
    schema: &'s ResourceSchema,
) -> Result<Named<'s>, Fault> {
    let (attribute, sub) = split_name(text, name)?;
    let (namespace, top) = match schema.within(namespace, attribute) {
        Some(top) => (namespace, Some(top)),
        None => unqualified(attribute, namespace, schema),
    };
    let deepest = match sub {
        None => top,
        Some(sub) => top.and_then(|top| top.sub_attribute(sub)),
    };
    let path = AttributePath {
        schema: namespace.urn().map(str::to_owned),
        attribute: top.map_or(attribute, |top| &top.name).to_owned(),
        sub: sub.map(|sub| deepest.map_or(sub, |deepest| &deepest.name).to_owned()),
    };
    Ok(Named::Attribute(path, deepest))
}

// Entra ID asks for `manager` and `department` without the URN of the enterprise extension.
fn unqualified<'s>(
    attribute: &str,
    namespace: Namespace<'s>,
    schema: &'s ResourceSchema,
) -> (Namespace<'s>, Option<&'s Attribute>) {
    if let Namespace::Core = namespace
        && let Some(enterprise) = schema.extensions.iter().find(|extension| extension.id == ENTERPRISE_URN)
        && let Some(found) = enterprise.attribute(attribute)
    {
        return (Namespace::Extension(enterprise), Some(found));
    }
    (namespace, None)
}

fn split_name<'t>(text: &str, name: &'t str) -> Result<(&'t str, Option<&'t str>), Fault> {
    let (attribute, sub) = match name.split_once('.') {
        None => (name, None),
        Some((attribute, sub)) => (attribute, Some(sub)),
    };
    if is_name(attribute) && sub.is_none_or(is_name) {
        return Ok((attribute, sub));
    }
    Err(invalid(text, "an attribute path looks like userName, name.givenName or URN:attribute"))
}

/// Whether `text` can be the name of an attribute (RFC 7643 section 2.1; `$ref` is one, too).
pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, b'$' | b'_'))
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$'))
}

pub(super) fn invalid(text: &str, why: &str) -> Fault {
    Fault::new(FaultKind::InvalidPath, format!("The path {} cannot be used: {why}.", quoted(text)))
}

impl PatchPath {
    /// Reads the `path` of a PATCH operation.
    ///
    /// # Errors
    /// [`FaultKind::InvalidPath`] if it is neither an attribute path, nor one with a filter in brackets, nor a
    /// known URN. [`FaultKind::InvalidFilter`] if the filter in brackets is at fault.
    pub fn parse(text: &str, schema: &ResourceSchema) -> Result<Self, Fault> {
        let text = text.trim();
        let Some((before, _)) = text.split_once('[') else {
            return Ok(match named(text, schema)? {
                Named::Schema(urn) => Self::Extension(urn),
                Named::Attribute(path, _) => Self::Attribute { path, filter: None },
            });
        };
        let Named::Attribute(path, _) = named(before.trim_end(), schema)? else {
            return Err(invalid(text, "a filter in brackets can only follow the name of an attribute"));
        };
        if path.sub.is_some() {
            return Err(invalid(text, "the filter belongs to the attribute: write emails[type eq \"work\"].value"));
        }
        let top = schema.top(&path);
        let (filter, rest) = parse_value_path(text, before.len() + 1, top)?;
        let sub = match rest.strip_prefix('.') {
            None if rest.is_empty() => None,
            Some(sub) if is_name(sub) => {
                Some(top.and_then(|top| top.sub_attribute(sub)).map_or(sub, |sub| &sub.name).to_owned())
            }
            _ => return Err(invalid(text, "only `.` and the name of a sub-attribute can follow the `]`")),
        };
        Ok(Self::Attribute { path: AttributePath { sub, ..path }, filter: Some(filter) })
    }
}

impl fmt::Display for PatchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extension(urn) => f.write_str(urn),
            Self::Attribute { path, filter: None } => path.fmt(f),
            Self::Attribute { path, filter: Some(filter) } => {
                write!(f, "{}[{filter}]", path.without_sub())?;
                path.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
            }
        }
    }
}
