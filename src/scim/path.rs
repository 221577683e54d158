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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::ResourceKind;

    fn user() -> ResourceSchema {
        ResourceSchema::standard(ResourceKind::User)
    }

    fn canonical(text: &str) -> String {
        AttributePath::parse(text, &user()).unwrap().to_string()
    }

    fn patch(text: &str) -> String {
        PatchPath::parse(text, &user()).unwrap().to_string()
    }

    #[test]
    fn names_in_any_case_become_canonical() {
        assert_eq!(canonical("USERNAME"), "userName");
        assert_eq!(canonical("Name.FamilyName"), "name.familyName");
        assert_eq!(canonical("META.lastmodified"), "meta.lastModified");
        assert_eq!(canonical("ExternalID"), "externalId");
    }

    #[test]
    fn the_dot_in_a_urn_is_not_taken_for_a_sub_attribute() {
        let path = AttributePath::parse(&format!("{ENTERPRISE_URN}:manager.value"), &user()).unwrap();
        assert_eq!(path.schema.as_deref(), Some(ENTERPRISE_URN));
        assert_eq!((path.attribute.as_str(), path.sub.as_deref()), ("manager", Some("value")));
    }

    #[test]
    fn the_core_urn_in_front_is_left_out() {
        assert_eq!(canonical("urn:ietf:params:scim:schemas:core:2.0:User:userName"), "userName");
        assert_eq!(canonical("URN:IETF:params:scim:schemas:core:2.0:user:NAME.givenname"), "name.givenName");
        assert_eq!(canonical("urn:scim:schemas:core:1.0:userName"), "userName");
        assert_eq!(canonical("urn:scim:schemas:core:2.0:User:emails.value"), "emails.value");
    }

    #[test]
    fn other_names_of_the_enterprise_urn_are_understood() {
        for urn in [
            "urn:scim:schemas:extension:enterprise:1.0",
            "urn:scim:schemas:extension:enterprise:2.0",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0User",
            "URN:ietf:params:scim:schemas:extension:Enterprise:2.0:USER",
        ] {
            assert_eq!(canonical(&format!("{urn}:Department")), format!("{ENTERPRISE_URN}:department"));
        }
    }

    #[test]
    fn an_enterprise_attribute_is_found_without_its_urn() {
        assert_eq!(canonical("manager.value"), format!("{ENTERPRISE_URN}:manager.value"));
    }

    #[test]
    fn what_is_unknown_stays_as_written() {
        assert_eq!(canonical("shoeSize"), "shoeSize");
        assert_eq!(canonical("urn:okta:app:1.0:user:custom:Color.Shade"), "urn:okta:app:1.0:user:custom:Color.Shade");
        assert_eq!(canonical(&format!("{ENTERPRISE_URN}:klueRole")), format!("{ENTERPRISE_URN}:klueRole"));
    }

    #[test]
    fn a_malformed_path_is_refused_with_invalid_path() {
        for text in ["", " ", ".", "a.", ".a", "a.b.c", "a b", "1a", ":", "urn:", ":a", "a\0b", "é", "urn:x y:a", "a,b"]
        {
            let fault = AttributePath::parse(text, &user()).unwrap_err();
            assert_eq!(fault.kind, FaultKind::InvalidPath, "{text:?}");
        }
    }

    #[test]
    fn a_bare_urn_is_a_patch_target_but_not_an_attribute() {
        assert_eq!(AttributePath::parse(ENTERPRISE_URN, &user()).unwrap_err().kind, FaultKind::InvalidPath);
        let urn = "urn:scim:schemas:extension:enterprise:1.0";
        assert_eq!(PatchPath::parse(urn, &user()).unwrap(), PatchPath::Extension(ENTERPRISE_URN.to_owned()));
        let core = "urn:ietf:params:scim:schemas:core:2.0:user";
        assert_eq!(PatchPath::parse(core, &user()).unwrap(), PatchPath::Extension(user().core.id));
    }

    #[test]
    fn a_patch_path_may_select_elements() {
        assert_eq!(patch("Emails[TYPE eq \"work\"].VALUE"), "emails[type eq \"work\"].value");
        assert_eq!(patch("addresses[type eq \"work\"]"), "addresses[type eq \"work\"]");
        assert_eq!(patch("emails[value eq \"a]b:c.d\"].type"), "emails[value eq \"a]b:c.d\"].type");
        assert_eq!(
            patch("urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq \"work\" and primary eq \"True\"]"),
            "emails[type eq \"work\" and primary eq true]"
        );
    }

    #[test]
    fn a_patch_path_that_does_not_end_after_the_bracket_is_refused() {
        for text in ["emails[type eq \"work\"]value", "emails[type eq \"work\"].", "emails[type eq \"work\"].a.b"] {
            assert_eq!(PatchPath::parse(text, &user()).unwrap_err().kind, FaultKind::InvalidPath, "{text}");
        }
        for text in ["emails[", "emails[]", "emails[type eq \"work\"", "emails[type eq work]", "emails[type]"] {
            assert_eq!(PatchPath::parse(text, &user()).unwrap_err().kind, FaultKind::InvalidFilter, "{text}");
        }
        assert_eq!(PatchPath::parse("emails.value[type eq \"x\"]", &user()).unwrap_err().kind, FaultKind::InvalidPath);
    }
}
