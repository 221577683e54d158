//! Bringing operations into normal form: one attribute each, with a value in the type of that attribute.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{Op, Operation};
use crate::scim::fault::{Fault, FaultKind};
use crate::scim::filter::{Comparison, Filter, Literal};
use crate::scim::path::{AttributePath, PatchPath};
use crate::scim::resource::intake::{self, Trail, kind_of};
use crate::scim::schema::{Attribute, Mutability, ResourceSchema};

/// Who named the attribute: a path, which must be one that can be changed, or a key of a value, which may be part of
/// a resource that is sent back as it was received.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NamedBy {
    Path,
    Key,
}

/// Appends the normal form of an operation to `out`.
pub(super) fn operation(operation: Operation, schema: &ResourceSchema, out: &mut Vec<Operation>) -> Result<(), Fault> {
    let Operation { op, path, value } = operation;
    let mut normalizer = Normalizer { op, schema, out };
    match path {
        None => normalizer.resource(value),
        Some(PatchPath::Extension(urn)) => normalizer.block(urn, value),
        Some(PatchPath::Attribute { path, filter }) => normalizer.attribute(path, filter, value, NamedBy::Path),
    }
}

/// Appends an operation, or if it was made by hand its normal form.
pub(super) fn operation_again<'o>(
    given: &'o Operation,
    schema: &ResourceSchema,
    out: &mut Vec<Cow<'o, Operation>>,
) -> Result<(), Fault> {
    match (&given.path, given.op) {
        (Some(PatchPath::Attribute { .. }), _) | (Some(PatchPath::Extension(_)), Op::Remove) => {
            out.push(Cow::Borrowed(given));
        }
        _ => {
            let mut parts = Vec::new();
            operation(given.clone(), schema, &mut parts)?;
            out.extend(parts.into_iter().map(Cow::Owned));
        }
    }
    Ok(())
}

struct Normalizer<'a> {
    op: Op,
    schema: &'a ResourceSchema,
    out: &'a mut Vec<Operation>,
}

impl Normalizer<'_> {
    /// An operation without a path: the keys of the value are paths.
    fn resource(&mut self, value: Option<Value>) -> Result<(), Fault> {
        if self.op == Op::Remove {
            let detail = "A remove operation needs a path that says what to remove.";
            return Err(Fault::new(FaultKind::NoTarget, detail));
        }
        for (key, value) in members_of(value)? {
            match PatchPath::parse(&key, self.schema) {
                Ok(PatchPath::Extension(urn)) => self.block(urn, Some(value))?,
                Ok(PatchPath::Attribute { path, filter }) => {
                    self.attribute(path, filter, Some(value), NamedBy::Key)?;
                }
                Err(fault) if key.contains('[') => return Err(fault),
                // A key that cannot be the name of an attribute is the name of an unknown one.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// An operation on all that stands under one URN.
    fn block(&mut self, urn: String, value: Option<Value>) -> Result<(), Fault> {
        let is_core = urn == self.schema.core.id;
        let value = value.unwrap_or(Value::Null);
        if self.op == Op::Remove || (self.op == Op::Replace && value.is_null()) {
            if is_core {
                let detail = format!("{urn} cannot be removed as a whole. Name the attribute to remove.");
                return Err(Fault::new(FaultKind::NoTarget, detail));
            }
            self.push(Op::Remove, PatchPath::Extension(urn), None);
            return Ok(());
        }
        if intake::is_unassigned(&value) {
            return Ok(());
        }
        let Value::Object(members) = value else {
            let detail = format!("The value for {urn} must be an object, not {}.", kind_of(&value));
            return Err(Fault::new(FaultKind::InvalidValue, detail));
        };
        for (key, value) in members {
            match PatchPath::parse(&format!("{urn}:{key}"), self.schema) {
                Ok(PatchPath::Attribute { path, filter }) => {
                    self.attribute(path, filter, Some(value), NamedBy::Key)?;
                }
                Err(fault) if key.contains('[') => return Err(fault),
                Ok(PatchPath::Extension(_)) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        path: AttributePath,
        filter: Option<Filter>,
        value: Option<Value>,
        named_by: NamedBy,
    ) -> Result<(), Fault> {
        let Some(top) = self.schema.top(&path) else { return Ok(()) };
        let Some(target) = path.sub.as_ref().map_or(Some(top), |sub| top.sub_attribute(sub)) else { return Ok(()) };
        if path.schema.is_none() && path.attribute == "schemas" {
            return Ok(());
        }
        if top.mutability == Mutability::ReadOnly || target.mutability == Mutability::ReadOnly {
            return match named_by {
                NamedBy::Key => Ok(()),
                NamedBy::Path => Err(read_only(&path)),
            };
        }
        if filter.is_some() && !top.multi_valued {
            let detail = format!("{path} has only one value, so its path cannot have a filter in brackets.");
            return Err(Fault::new(FaultKind::InvalidPath, detail));
        }
        let one_element = filter.is_some() && path.sub.is_none();
        let value = match (self.op, value) {
            (Op::Remove, value) => return self.remove(path, filter, value, top),
            (op, None) => {
                let detail = format!("The {} operation on {path} has no value.", op.name());
                return Err(Fault::new(FaultKind::InvalidValue, detail));
            }
            (_, Some(value)) if one_element => element(value, top, &path)?,
            (_, Some(value)) => intake::read(value, target, trail(&path))?,
        };
        match (self.op, value) {
            (op, Some(value)) => self.push(op, PatchPath::Attribute { path, filter }, Some(value)),
            (Op::Replace, None) => return self.remove(path, filter, None, top),
            (_, None) => {}
        }
        Ok(())
    }

    fn remove(
        &mut self,
        path: AttributePath,
        filter: Option<Filter>,
        value: Option<Value>,
        top: &Attribute,
    ) -> Result<(), Fault> {
        let (filter, value) = match filter.as_ref().filter(|_| path.sub.is_none()).and_then(named_values) {
            Some(named) => (None, Some(Value::Array(named))),
            None => (filter, value),
        };
        let some_values = top.multi_valued && filter.is_none() && path.sub.is_none();
        let value = match value {
            // An empty list names nothing to remove; it must not empty the attribute.
            Some(Value::Array(listed)) if some_values && listed.is_empty() => return Ok(()),
            Some(value) if some_values && !intake::is_unassigned(&value) => {
                let listed = intake::read_elements(value, top, trail(&path))?;
                if listed.is_empty() {
                    return Ok(());
                }
                Some(Value::Array(listed))
            }
            _ => None,
        };
        if top.required && value.is_none() && filter.is_none() && path.sub.is_none() {
            let detail = format!("{path} is required and cannot be removed.");
            return Err(Fault::new(FaultKind::InvalidValue, detail));
        }
        self.push(Op::Remove, PatchPath::Attribute { path, filter }, value);
        Ok(())
    }

    // Clients send one operation for each of a thousand members; as one operation it is carried out in one go.
    fn push(&mut self, op: Op, path: PatchPath, mut value: Option<Value>) {
        if let (Op::Add | Op::Remove, Some(Value::Array(more)), Some(last)) = (op, &mut value, self.out.last_mut())
            && last.op == op
            && last.path.as_ref() == Some(&path)
            && let Some(Value::Array(listed)) = &mut last.value
        {
            listed.append(more);
            return;
        }
        self.out.push(Operation { op, path: Some(path), value });
    }
}

/// The elements that a filter names by their value and nothing else, as `members[value eq "1"]` does.
fn named_values(filter: &Filter) -> Option<Vec<Value>> {
    match filter {
        Filter::Compare { path, op: Comparison::Eq, value } if path.attribute == "value" && *value != Literal::Null => {
            Some(vec![json!({ "value": value.to_value() })])
        }
        Filter::Or(filters) => Some(filters.iter().map(named_values).collect::<Option<Vec<_>>>()?.concat()),
        _ => None,
    }
}

/// The members of a value without a path, which Keycloak sends as text that holds an object.
fn members_of(value: Option<Value>) -> Result<Map<String, Value>, Fault> {
    let value = match value {
        Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        Some(value) => value,
        None => Value::Null,
    };
    match value {
        Value::Object(members) => Ok(members),
        other => {
            let detail =
                format!("Without a path, the value must be an object with attributes, not {}.", kind_of(&other));
            Err(Fault::new(FaultKind::InvalidValue, detail))
        }
    }
}

/// The value for the elements that a filter finds.
fn element(value: Value, attribute: &Attribute, path: &AttributePath) -> Result<Option<Value>, Fault> {
    let mut elements = intake::read_elements(value, attribute, trail(path))?;
    let element = elements.pop();
    if elements.is_empty() {
        return Ok(element);
    }
    let detail = format!("The value for {path} with a filter must be one value, not a list.");
    Err(Fault::new(FaultKind::InvalidValue, detail))
}

fn trail(path: &AttributePath) -> Trail<'_> {
    Trail { schema: path.schema.as_deref(), attribute: &path.attribute, sub: path.sub.as_deref() }
}

fn read_only(path: &AttributePath) -> Fault {
    let detail = format!("{path} is read-only: the directory or the bridge sets it.");
    Fault::new(FaultKind::Mutability, detail)
}
