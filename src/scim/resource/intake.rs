//! Reading what clients send: strict about types, lenient about everything that real clients get wrong.

use std::fmt;

use serde_json::{Map, Value};

use super::{Resource, elements};
use crate::scim::fault::{Fault, FaultKind};
use crate::scim::schema::{Attribute, AttributeType, Mutability, Namespace, ResourceSchema};
use crate::scim::text;

/// The name of what is being read, put together only for an error message.
#[derive(Clone, Copy)]
pub(in crate::scim) struct Trail<'a> {
    pub schema: Option<&'a str>,
    pub attribute: &'a str,
    pub sub: Option<&'a str>,
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = self.schema {
            write!(f, "{urn}:")?;
        }
        f.write_str(self.attribute)?;
        self.sub.map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}

impl Resource {
    /// Reads the body of a POST or PUT. Names come in any case and leave in canonical spelling; `schemas`, read-only and
    /// unknown attributes are dropped; null, blank text and empty collections count as absent; values are brought
    /// into the type of their attribute where they plainly can be.
    ///
    /// # Errors
    /// [`FaultKind::InvalidSyntax`] if the body is no object, or names an attribute twice.
    /// [`FaultKind::InvalidValue`], naming the attribute, if a value is not of its type.
    pub fn from_client(body: Value, schema: &ResourceSchema) -> Result<Self, Fault> {
        let Value::Object(members) = body else {
            let detail = format!("The body must be a JSON object that describes one resource, not {}.", kind_of(&body));
            return Err(Fault::new(FaultKind::InvalidSyntax, detail));
        };
        let mut resource = Map::with_capacity(members.len());
        read_block(members, Namespace::Core, schema, &mut resource)?;
        resource.retain(|_, value| !value.is_null());
        Ok(Self::from_map(resource))
    }
}

/// Reads the attributes of one namespace into `out`, absent ones as null.
fn read_block(
    members: Map<String, Value>,
    namespace: Namespace<'_>,
    schema: &ResourceSchema,
    out: &mut Map<String, Value>,
) -> Result<(), Fault> {
    for (key, value) in members {
        if let Some(attribute) = schema.within(namespace, &key) {
            if attribute.mutability == Mutability::ReadOnly {
                continue;
            }
            let trail = Trail { schema: namespace.urn(), attribute: &attribute.name, sub: None };
            let value = read(value, attribute, trail)?;
            insert(out, key, &attribute.name, value, trail)?;
        } else if let Namespace::Core = namespace
            && key.contains(':')
        {
            read_extension(&key, value, schema, out)?;
        }
    }
    Ok(())
}

fn read_extension(key: &str, value: Value, schema: &ResourceSchema, out: &mut Map<String, Value>) -> Result<(), Fault> {
    let Some(namespace) = schema.namespace(key) else { return Ok(()) };
    if is_unassigned(&value) {
        return Ok(());
    }
    let Value::Object(members) = value else {
        return Err(Fault::new(FaultKind::InvalidValue, format!("{key} must be an object, not {}.", kind_of(&value))));
    };
    let Namespace::Extension(extension) = namespace else { return read_block(members, namespace, schema, out) };
    let mut block = Map::with_capacity(members.len());
    read_block(members, namespace, schema, &mut block)?;
    block.retain(|_, value| !value.is_null());
    if block.is_empty() {
        return Ok(());
    }
    let trail = Trail { schema: None, attribute: &extension.id, sub: None };
    insert(out, extension.id.clone(), &extension.id, Some(Value::Object(block)), trail)
}

// Absent values are put down as null, so that a second spelling of the same name is noticed.
fn insert(
    out: &mut Map<String, Value>,
    key: String,
    name: &str,
    value: Option<Value>,
    trail: Trail<'_>,
) -> Result<(), Fault> {
    let key = if key == name { key } else { name.to_owned() };
    if out.insert(key, value.unwrap_or(Value::Null)).is_none() {
        return Ok(());
    }
    let detail = format!("{trail} is there twice, in different spellings. Send it once.");
    Err(Fault::new(FaultKind::InvalidSyntax, detail))
}

/// Brings a value into the type of `attribute`. None if it is unassigned (RFC 7643 section 2.5).
pub(in crate::scim) fn read(value: Value, attribute: &Attribute, trail: Trail<'_>) -> Result<Option<Value>, Fault> {
    if attribute.multi_valued {
        let mut elements = read_elements(value, attribute, trail)?;
        elements.retain(|element| !elements::is_hollow(element, attribute));
        let elements = elements::merged(elements, attribute);
        return Ok((!elements.is_empty()).then_some(Value::Array(elements)));
    }
    read_single(value, attribute, trail)
}

/// Reads the elements of a multi-valued attribute one by one, be it a single one without brackets. An element of a list
/// that is to name another resource has to: passed over, it would be a member that is lost, or with `replace` all of
/// them.
pub(in crate::scim) fn read_elements(
    value: Value,
    attribute: &Attribute,
    trail: Trail<'_>,
) -> Result<Vec<Value>, Fault> {
    let sent = match value {
        Value::Array(elements) => elements,
        single if is_unassigned(&single) => return Ok(Vec::new()),
        single => vec![single],
    };
    let mut elements = Vec::with_capacity(sent.len());
    for element in sent {
        let element = read_single(element, attribute, trail)?;
        if attribute.is_references() && element.as_ref().and_then(|element| element.get("value")).is_none() {
            let detail = format!("Every element of {trail} needs a value: the id of what it names.");
            return Err(Fault::new(FaultKind::InvalidValue, detail));
        }
        elements.extend(element);
    }
    Ok(elements)
}

/// Reads one value: that of a singular attribute, or one element of a multi-valued one.
pub(in crate::scim) fn read_single(
    value: Value,
    attribute: &Attribute,
    trail: Trail<'_>,
) -> Result<Option<Value>, Fault> {
    if is_unassigned(&value) {
        return Ok(None);
    }
    if attribute.is_complex() { read_complex(value, attribute, trail) } else { read_scalar(value, attribute, trail) }
}

fn read_complex(value: Value, attribute: &Attribute, trail: Trail<'_>) -> Result<Option<Value>, Fault> {
    let members = match value {
        Value::Object(members) => members,
        Value::Array(mut elements) if !attribute.multi_valued && elements.len() == 1 => {
            return read_complex(elements.remove(0), attribute, trail);
        }
        scalar @ (Value::String(_) | Value::Number(_)) if attribute.sub_attribute("value").is_some() => {
            Map::from_iter([("value".to_owned(), scalar)])
        }
        other => return Err(wrong_type(&other, attribute, trail)),
    };
    let mut read = Map::with_capacity(members.len());
    for (key, value) in members {
        let Some(sub) = attribute.sub_attribute(&key) else { continue };
        if sub.mutability == Mutability::ReadOnly {
            continue;
        }
        let trail = Trail { sub: Some(&sub.name), ..trail };
        let value = self::read(value, sub, trail)?;
        insert(&mut read, key, &sub.name, value, trail)?;
    }
    read.retain(|_, value| !value.is_null());
    Ok((!read.is_empty()).then_some(Value::Object(read)))
}

fn read_scalar(value: Value, attribute: &Attribute, trail: Trail<'_>) -> Result<Option<Value>, Fault> {
    use AttributeType::{Binary, Boolean, DateTime, Decimal, Integer, Reference};
    if let Value::String(text) = &value {
        text::check_characters(text, &trail)?;
    }
    let read = match (attribute.kind, value) {
        (AttributeType::String | Reference | Binary, value @ Value::String(_))
        | (Boolean, value @ Value::Bool(_))
        | (Decimal, value @ Value::Number(_)) => Ok(value),
        (AttributeType::String, Value::Number(number)) => Ok(Value::String(number.to_string())),
        (DateTime, Value::String(text)) if text::instant(&text).is_some() => Ok(Value::String(text)),
        (Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        (Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        (Integer, value @ (Value::Number(_) | Value::String(_))) => integer(&value).map(Value::from).ok_or(value),
        (Decimal, Value::String(text)) => match text.parse::<serde_json::Number>() {
            Ok(number) => Ok(Value::Number(number)),
            Err(_) => Err(Value::String(text)),
        },
        (_, other) => Err(other),
    };
    read.map(Some).map_err(|value| wrong_type(&value, attribute, trail))
}

/// The whole number that a number or a text is.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation)]
fn whole(number: f64) -> Option<i64> {
    // Beyond this, not every whole number has a floating-point form of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

/// Whether a value is the absence of one (RFC 7643 section 2.5), which clients also write as blank text.
pub(in crate::scim) fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn wrong_type(value: &Value, attribute: &Attribute, trail: Trail<'_>) -> Fault {
    let expected = match attribute.kind {
        AttributeType::String => "text",
        AttributeType::Boolean => "true or false",
        AttributeType::Decimal => "a number",
        AttributeType::Integer => "a whole number",
        AttributeType::DateTime => "a date and time such as 2024-05-13T04:42:34Z",
        AttributeType::Reference => "a URL",
        AttributeType::Binary => "Base64 text",
        AttributeType::Complex => "an object",
    };
    let detail = format!("{trail} must be {expected}, not {}.", kind_of(value));
    Fault::new(FaultKind::InvalidValue, detail)
}

/// What kind of JSON value this is, for an error message; the value itself may be a secret.
pub(in crate::scim) const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
