//! Fitting the standard schemas to a mapping: attributes it adds, attributes it does not serve.

use super::{Attribute, AttributeType, Namespace, ResourceSchema, Schema};
use crate::scim::path::AttributePath;

// What tells the elements of a multi-valued attribute apart; of no use without the element, and part of it always.
const COMPANIONS: [&str; 3] = ["value", "type", "primary"];

impl ResourceSchema {
    /// Adds what `path` names: a new attribute of the core schema, of a known extension or of a new one, or a new
    /// sub-attribute. `attribute` describes the deepest part; its name is taken from `path`. What is there already
    /// stays as it is.
    pub fn add_custom(&mut self, path: &AttributePath, attribute: Attribute) {
        if self.resolve(path).is_some()
            || (path.schema.is_none() && self.core_attribute(&path.attribute).is_some_and(|it| !it.is_complex()))
        {
            return;
        }
        let attributes = self.attributes_for(path.schema.as_deref());
        let Some(sub) = &path.sub else {
            attributes.push(Attribute { name: path.attribute.clone(), ..attribute });
            return;
        };
        let known = attributes.iter().position(|it| it.name.eq_ignore_ascii_case(&path.attribute));
        if known.is_none() {
            attributes.push(Attribute::new(path.attribute.clone(), AttributeType::Complex));
        }
        let parent = match known {
            Some(index) => attributes.get_mut(index),
            None => attributes.last_mut(),
        };
        if let Some(parent) = parent.filter(|parent| parent.is_complex()) {
            parent.sub_attributes.push(Attribute { name: sub.clone(), ..attribute });
        }
    }

    fn attributes_for(&mut self, urn: Option<&str>) -> &mut Vec<Attribute> {
        let Some(urn) = urn else { return &mut self.core.attributes };
        let canonical = match self.namespace(urn) {
            Some(Namespace::Core) => return &mut self.core.attributes,
            Some(Namespace::Extension(schema)) => schema.id.clone(),
            None => urn.to_owned(),
        };
        if self.extensions.iter().all(|schema| schema.id != canonical) {
            self.extensions.push(Schema::empty(canonical.clone()));
        }
        match self.extensions.iter_mut().find(|schema| schema.id == canonical) {
            Some(schema) => &mut schema.attributes,
            None => &mut self.core.attributes,
        }
    }

    /// The part of the schemas that a mapping serves: the attributes and sub-attributes in `mapped`, with what
    /// belongs to them. Extensions of which nothing is left are gone; the core schema stays in any case.
    #[must_use]
    pub fn pruned(&self, mapped: &[AttributePath]) -> Self {
        let mapped: Vec<AttributePath> =
            mapped.iter().map(|path| self.resolve(path).map_or_else(|| path.clone(), |(path, _)| path)).collect();
        let extensions = self.extensions.iter().map(|schema| prune(schema, Some(&schema.id), &mapped));
        Self {
            kind: self.kind,
            core: prune(&self.core, None, &mapped),
            extensions: extensions.filter(|schema| !schema.attributes.is_empty()).collect(),
        }
    }
}

fn prune(schema: &Schema, urn: Option<&str>, mapped: &[AttributePath]) -> Schema {
    let of_schema: Vec<&AttributePath> = mapped.iter().filter(|path| path.schema.as_deref() == urn).collect();
    let attributes = schema.attributes.iter().filter_map(|attribute| prune_attribute(attribute, &of_schema)).collect();
    Schema { attributes, ..schema.clone() }
}

fn prune_attribute(attribute: &Attribute, mapped: &[&AttributePath]) -> Option<Attribute> {
    let mut paths = mapped.iter().filter(|path| path.attribute == attribute.name).peekable();
    paths.peek()?;
    let mut kept = attribute.clone();
    if paths.clone().any(|path| path.sub.is_none()) {
        return Some(kept);
    }
    kept.sub_attributes.retain(|sub| {
        let companion = attribute.multi_valued && COMPANIONS.contains(&sub.name.as_str());
        companion || paths.clone().any(|path| path.sub.as_deref() == Some(sub.name.as_str()))
    });
    Some(kept)
}
