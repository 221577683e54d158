//! Which attributes an answer shows (RFC 7644 section 3.9).

use serde_json::{Map, Value};

use super::fault::Fault;
use super::path::{AttributePath, Named, named};
use super::resource::Resource;
use super::schema::{Attribute, Namespace, ResourceSchema, Returned};

/// Which attributes an answer shows. The default is everything that is shown by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    attributes: Option<Vec<Selector>>,
    excluded: Vec<Selector>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Selector {
    /// All attributes under a URN; none is the core schema.
    Schema(Option<String>),
    Attribute(AttributePath),
}

/// How much of an attribute a list of selectors covers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cover {
    Nothing,
    Parts,
    Whole,
}

impl Projection {
    /// Reads the parameters `attributes` and `excludedAttributes`, lists with commas. Blank ones count as not given.
    /// What the schema does not know selects nothing. If both are given, the second takes away from the first.
    ///
    /// # Errors
    /// [`super::FaultKind::InvalidPath`] if a name is malformed.
    pub fn new(attributes: Option<&str>, excluded: Option<&str>, schema: &ResourceSchema) -> Result<Self, Fault> {
        let attributes = attributes.map(|list| selectors(list, schema)).transpose()?;
        let excluded = excluded.map(|list| selectors(list, schema)).transpose()?;
        Ok(Self { attributes: attributes.filter(|list| !list.is_empty()), excluded: excluded.unwrap_or_default() })
    }

    /// Whether everything is shown that is shown by default.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.attributes.is_none() && self.excluded.is_empty()
    }

    /// Whether the attribute that a canonical path names, or a part of it, would be in the answer.
    #[must_use]
    pub fn wants(&self, path: &AttributePath) -> bool {
        if path.schema.is_none() && matches!(path.attribute.as_str(), "id" | "schemas") {
            return true;
        }
        let selected = self.attributes.as_ref().is_none_or(|list| cover(list, path) != Cover::Nothing);
        selected && cover(&self.excluded, path) != Cover::Whole
    }

    /// The resource with what the answer shows.
    #[must_use]
    pub fn apply(&self, resource: Resource, schema: &ResourceSchema) -> Resource {
        let mut shown = Map::new();
        for (key, value) in resource.into_map() {
            match (schema.core_attribute(&key), schema.namespace(&key), value) {
                (None, Some(Namespace::Extension(extension)), Value::Object(block)) => {
                    let find = |name: &str| extension.attribute(name);
                    let mut kept = Map::new();
                    for (name, value) in block {
                        let path = AttributePath { schema: Some(key.clone()), attribute: name, sub: None };
                        if let Some(value) = self.show(value, &path, find(&path.attribute)) {
                            kept.insert(path.attribute, value);
                        }
                    }
                    if !kept.is_empty() {
                        shown.insert(key, Value::Object(kept));
                    }
                }
                (attribute, _, value) => {
                    let path = AttributePath { schema: None, attribute: key, sub: None };
                    if let Some(value) = self.show(value, &path, attribute) {
                        shown.insert(path.attribute, value);
                    }
                }
            }
        }
        Resource::from_map(shown)
    }

    /// What is shown of the value of one attribute.
    fn show(&self, value: Value, path: &AttributePath, attribute: Option<&Attribute>) -> Option<Value> {
        if !self.shows_any(path, attribute.map_or(Returned::Default, |it| it.returned)) {
            return None;
        }
        let Some(attribute) = attribute.filter(|it| it.is_complex()) else { return Some(value) };
        match value {
            Value::Array(elements) if elements.is_empty() => Some(Value::Array(elements)),
            Value::Array(elements) => {
                let shown: Vec<Value> =
                    elements.into_iter().filter_map(|element| self.show_parts(element, path, attribute)).collect();
                (!shown.is_empty()).then_some(Value::Array(shown))
            }
            single => self.show_parts(single, path, attribute),
        }
    }

    fn show_parts(&self, value: Value, path: &AttributePath, attribute: &Attribute) -> Option<Value> {
        let Value::Object(mut members) = value else { return Some(value) };
        let mut path = path.without_sub();
        members.retain(|name, _| {
            let returned = attribute.sub_attribute(name).map_or(Returned::Default, |sub| sub.returned);
            path.sub = Some(name.clone());
            self.shows_any(&path, returned)
        });
        (!members.is_empty()).then_some(Value::Object(members))
    }

    fn shows_any(&self, path: &AttributePath, returned: Returned) -> bool {
        match returned {
            Returned::Always => true,
            Returned::Never => false,
            Returned::Default => self.wants(path),
            Returned::Request => self.attributes.is_some() && self.wants(path),
        }
    }
}

fn selectors(list: &str, schema: &ResourceSchema) -> Result<Vec<Selector>, Fault> {
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            Ok(match named(name, schema)? {
                Named::Schema(urn) => Selector::Schema(Some(urn).filter(|urn| *urn != schema.core.id)),
                Named::Attribute(path, _) => Selector::Attribute(path),
            })
        })
        .collect()
}

fn cover(list: &[Selector], path: &AttributePath) -> Cover {
    let mut cover = Cover::Nothing;
    for selector in list {
        match selector {
            Selector::Schema(urn) if *urn == path.schema => return Cover::Whole,
            Selector::Attribute(it) if it.schema == path.schema && it.attribute == path.attribute => {
                match (&it.sub, &path.sub) {
                    (None, _) => return Cover::Whole,
                    (Some(a), Some(b)) if a == b => return Cover::Whole,
                    (Some(_), Some(_)) => {}
                    (Some(_), None) => cover = Cover::Parts,
                }
            }
            _ => {}
        }
    }
    cover
}
