//! The schemas that clients are shown: what the table serves, and how (RFC 7643 section 7).
//!
//! A client that goes by `/Schemas` must be able to send what it finds there and get back what it sent, so what the
//! directory has no place for is not offered.

use crate::mapping::codec::Codec;
use crate::mapping::row::{Row, RowPath};
use crate::scim::{Attribute, AttributePath, Literal, Mutability, ResourceKind, ResourceSchema};

use super::read::Sketch;

/// What the bridge shows of another resource beside its id.
const REFERENCE_PARTS: [&str; 4] = ["$ref", "type", "display", "displayName"];

/// The schemas that clients are shown.
pub(super) fn schemas(sketch: &Sketch) -> ResourceSchema {
    let rows: Vec<(&Row, &RowPath)> = sketch
        .rows
        .iter()
        .filter(|draft| draft.row.codec != Codec::Password)
        .filter_map(|draft| Some((&draft.row, draft.row.scim.as_ref()?)))
        .collect();
    let mut mapped: Vec<AttributePath> = rows.iter().flat_map(|(row, path)| shown_with(row, path)).collect();
    if sketch.disable.is_some() {
        mapped.push(AttributePath::core("active"));
    }
    match sketch.kind {
        ResourceKind::User => mapped.push(AttributePath::core("groups")),
        ResourceKind::Group if sketch.members.is_some() => mapped.push(AttributePath::core("members")),
        ResourceKind::Group => {}
    }
    let mut schema = sketch.schema.pruned(&mapped);
    for_each_attribute(&mut schema, |urn, attribute| {
        let own: Vec<(&Row, &RowPath)> =
            rows.iter().copied().filter(|(_, path)| is_at(&path.path, urn, &attribute.name)).collect();
        if !own.is_empty() {
            describe(attribute, &own);
        }
    });
    schema
}

/// The paths that a row puts into an answer.
fn shown_with(row: &Row, path: &RowPath) -> Vec<AttributePath> {
    let parts: &[&str] = if row.reference.is_some() && path.path.sub.is_some() { &REFERENCE_PARTS } else { &[] };
    let beside = parts.iter().map(|part| AttributePath { sub: Some((*part).to_owned()), ..path.path.clone() });
    std::iter::once(path.path.clone()).chain(beside).collect()
}

fn for_each_attribute(schema: &mut ResourceSchema, mut visit: impl FnMut(Option<&str>, &mut Attribute)) {
    for attribute in &mut schema.core.attributes {
        visit(None, attribute);
    }
    for extension in &mut schema.extensions {
        for attribute in &mut extension.attributes {
            visit(Some(&extension.id), attribute);
        }
    }
}

fn is_at(path: &AttributePath, urn: Option<&str>, name: &str) -> bool {
    path.schema.as_deref() == urn && path.attribute == name
}

/// Fits one attribute to the rows that carry it.
fn describe(attribute: &mut Attribute, rows: &[(&Row, &RowPath)]) {
    if attribute.sub_attributes.is_empty() {
        limit(attribute, rows);
        return;
    }
    for sub in &mut attribute.sub_attributes {
        let own: Vec<(&Row, &RowPath)> =
            rows.iter().copied().filter(|(_, path)| path.path.sub.as_deref() == Some(sub.name.as_str())).collect();
        if !own.is_empty() {
            limit(sub, &own);
        }
    }
    if attribute.multi_valued {
        limit_type(attribute, rows);
        limit_primary(attribute, rows);
    }
    if attribute.sub_attributes.iter().all(|sub| sub.mutability == Mutability::ReadOnly) {
        attribute.mutability = Mutability::ReadOnly;
    }
}

/// What no row takes from clients is read-only, and what a row limits to some values has these as canonical ones.
fn limit(attribute: &mut Attribute, rows: &[(&Row, &RowPath)]) {
    if !rows.iter().any(|(row, path)| takes_value(row, path)) {
        attribute.mutability = Mutability::ReadOnly;
    }
    if let Some((row, _)) = rows.iter().find(|(row, _)| !row.one_of.is_empty()) {
        attribute.canonical_values.clone_from(&row.one_of);
    }
}

/// Whether what clients send for the path of the row has an influence on what is written.
fn takes_value(row: &Row, path: &RowPath) -> bool {
    let name = AttributePath { schema: None, ..path.path.clone() }.to_string();
    row.writes() && row.value.as_ref().is_none_or(|value| value.mentions(&name))
}

/// The types of elements that have a place. Where no row chooses by type, no type is kept.
fn limit_type(attribute: &mut Attribute, rows: &[(&Row, &RowPath)]) {
    if rows.iter().any(|(_, path)| path.path.sub.as_deref() == Some("type")) {
        return;
    }
    let mut types: Vec<String> = Vec::new();
    for (_, path) in rows {
        for (name, literal) in path.selectors.iter().flatten() {
            if let Literal::String(text) = literal
                && name == "type"
                && !types.contains(text)
            {
                types.push(text.clone());
            }
        }
    }
    if types.is_empty() {
        attribute.sub_attributes.retain(|sub| sub.name != "type");
    }
    for sub in attribute.sub_attributes.iter_mut().filter(|sub| sub.name == "type") {
        sub.canonical_values.clone_from(&types);
    }
}

/// Directories don't keep which value is the primary one, so the first is shown as primary: `true` is the only value
/// that comes back, unless the table speaks of `primary` itself.
fn limit_primary(attribute: &mut Attribute, rows: &[(&Row, &RowPath)]) {
    let is_told = rows.iter().any(|(_, path)| {
        path.path.sub.as_deref() == Some("primary")
            || path.selectors.first().is_some_and(|preferred| preferred.iter().any(|(name, _)| name == "primary"))
    });
    if is_told {
        return;
    }
    for sub in attribute.sub_attributes.iter_mut().filter(|sub| sub.name == "primary") {
        sub.canonical_values = vec!["true".to_owned()];
    }
}
