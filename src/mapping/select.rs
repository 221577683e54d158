//! Where a row finds its values in a resource, and where it puts them back.

use serde_json::{Map, Value};

use super::row::{Row, RowPath};
use crate::scim::{AttributePath, Literal, Resource};

/// The values of `resource` that `row` carries, in the order they stand in the request.
///
/// A row that names alternatives (`emails[type eq "work" or primary eq true].value`) takes the first alternative that
/// some element fulfils. `takes_untyped` lets elements without a `type` stand in where no element has the wanted one:
/// several identity providers send their only address or number without a type.
pub(super) fn select<'a>(row: &Row, path: &RowPath, resource: &'a Resource, takes_untyped: bool) -> Vec<&'a Value> {
    let found = if path.selectors.is_empty() {
        primary_first(path, resource)
    } else {
        by_selector(path, resource, takes_untyped)
    };
    if row.multi { found } else { found.into_iter().take(1).collect() }
}

fn primary_first<'a>(path: &RowPath, resource: &'a Resource) -> Vec<&'a Value> {
    let Some(Value::Array(elements)) = resource.get(&whole(path)) else {
        return resource.values(&path.path);
    };
    let (primary, others): (Vec<&Value>, Vec<&Value>) = elements.iter().partition(|element| is_primary(element));
    primary.into_iter().chain(others).filter_map(|element| part(path, element)).collect()
}

fn by_selector<'a>(path: &RowPath, resource: &'a Resource, takes_untyped: bool) -> Vec<&'a Value> {
    let Some(Value::Array(elements)) = resource.get(&whole(path)) else { return Vec::new() };
    for alternative in &path.selectors {
        let hits: Vec<&Value> = elements
            .iter()
            .filter(|element| fulfils(element, alternative))
            .filter_map(|element| part(path, element))
            .collect();
        if !hits.is_empty() {
            return hits;
        }
    }
    if !takes_untyped || !path.selectors.iter().flatten().any(|(sub, _)| sub == "type") {
        return Vec::new();
    }
    elements.iter().filter(|element| element.get("type").is_none()).filter_map(|element| part(path, element)).collect()
}

/// The path of the whole multi-valued attribute that `path` points into.
fn whole(path: &RowPath) -> AttributePath {
    AttributePath { sub: None, ..path.path.clone() }
}

fn part<'a>(path: &RowPath, element: &'a Value) -> Option<&'a Value> {
    match &path.path.sub {
        Some(sub) => element.get(sub),
        None => element.get("value").or(Some(element)),
    }
}

fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// Whether `element` has what every condition of one alternative asks for; texts compare without regard to case, as
/// `type` does in RFC 7643.
pub(super) fn fulfils(element: &Value, alternative: &[(String, Literal)]) -> bool {
    alternative.iter().all(|(sub, wanted)| match (element.get(sub), wanted) {
        (Some(Value::String(has)), Literal::String(wanted)) => has.eq_ignore_ascii_case(wanted),
        (Some(Value::Bool(has)), Literal::Boolean(wanted)) => has == wanted,
        _ => false,
    })
}

/// Puts what an entry holds for a row into `resource`: rows that share a selector share one element.
pub(super) fn place(path: &RowPath, multi: bool, values: Vec<Value>, resource: &mut Resource) {
    if path.selectors.is_empty() && !multi {
        if let Some(value) = values.into_iter().next() {
            resource.set(&path.path, value);
        }
        return;
    }
    let mut elements = match resource.get(&whole(path)) {
        Some(Value::Array(elements)) => elements.clone(),
        _ => Vec::new(),
    };
    for value in values {
        put_element(path, multi, value, &mut elements);
    }
    if !elements.is_empty() {
        resource.set(&whole(path), Value::Array(elements));
    }
}

fn put_element(path: &RowPath, multi: bool, value: Value, elements: &mut Vec<Value>) {
    let preferred: &[(String, Literal)] = path.selectors.first().map_or(&[], Vec::as_slice);
    let Some(sub) = &path.path.sub else {
        elements.push(value);
        return;
    };
    let shared = if multi || preferred.is_empty() {
        None
    } else {
        elements.iter_mut().find(|element| element.get(sub).is_none() && fulfils(element, preferred))
    };
    if let Some(Value::Object(element)) = shared {
        element.insert(sub.clone(), value);
        return;
    }
    let mut element = Map::new();
    element.insert(sub.clone(), value);
    for (name, wanted) in preferred {
        element.insert(name.clone(), json(wanted));
    }
    elements.push(Value::Object(element));
}

fn json(literal: &Literal) -> Value {
    match literal {
        Literal::String(text) => Value::from(text.as_str()),
        Literal::Boolean(flag) => Value::from(*flag),
        Literal::Integer(number) => Value::from(*number),
        Literal::Decimal(number) => Value::from(*number),
        Literal::Null => Value::Null,
    }
}

/// Whether `asked` names what `own` carries; a list attribute without a sub-attribute means its `value`s.
pub(super) fn names(own: &RowPath, asked: &AttributePath) -> bool {
    own.path.schema == asked.schema
        && own.path.attribute == asked.attribute
        && match (&own.path.sub, &asked.sub) {
            (own, asked) if own == asked => true,
            (Some(sub), None) | (None, Some(sub)) => sub == "value",
            _ => false,
        }
}
