//! The elements of a multi-valued attribute (RFC 7643 section 2.4).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

use crate::scim::schema::Attribute;
use crate::scim::text;

// Up to here, comparing each with each is cheaper than hashing.
const FEW: usize = 16;

/// The elements with those that say the same made one, and `primary` true at most once: the last one wins.
pub(in crate::scim) fn merged(elements: Vec<Value>, attribute: &Attribute) -> Vec<Value> {
    let mut list = Vec::with_capacity(elements.len());
    absorb(&mut list, elements, attribute);
    list
}

/// Adds elements to a list. One that is there already takes on what the new one says; a new primary element takes
/// that place from the others.
pub(in crate::scim) fn absorb(list: &mut Vec<Value>, elements: Vec<Value>, attribute: &Attribute) {
    let mut index = Index::new(list, elements.len(), attribute);
    let mut primary = None;
    for element in elements {
        let claims = is_primary(&element);
        let known = index.find(list, &element, attribute);
        let at = known.unwrap_or(list.len());
        if let Some(known) = known.and_then(|at| list.get_mut(at)) {
            merge(known, element);
        } else {
            index.add(at, &element, attribute);
            list.push(element);
        }
        if claims {
            primary = Some(at);
        }
    }
    if let Some(winner) = primary {
        keep_primary(list, winner);
    }
}

/// Leaves `primary` true only in the element at `winner`.
pub(in crate::scim) fn keep_primary(list: &mut [Value], winner: usize) {
    for (at, element) in list.iter_mut().enumerate() {
        if at != winner && is_primary(element) {
            element["primary"] = Value::Bool(false);
        }
    }
}

pub(in crate::scim) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// Whether an element says nothing but what kind of value it would be, as `{"type": "work"}` does.
pub(in crate::scim) fn is_hollow(element: &Value, attribute: &Attribute) -> bool {
    let is_label = |name: &str| matches!(name, "type" | "primary");
    let Value::Object(members) = element else { return element.is_null() };
    members.keys().all(|name| is_label(name)) && attribute.sub_attributes.iter().any(|sub| !is_label(&sub.name))
}

/// Takes on what `new` says. What was derived from a value is dropped together with that value.
pub(in crate::scim) fn merge(known: &mut Value, new: Value) {
    match (known, new) {
        (Value::Object(known), Value::Object(new)) => {
            if new.get("value").is_some_and(|value| known.get("value").is_some_and(|old| old != value)) {
                forget_derived(known);
            }
            known.extend(new);
        }
        (known, new) => *known = new,
    }
}

/// Drops what says something about the `value` of an element that is about to change.
pub(in crate::scim) fn forget_derived(members: &mut Map<String, Value>) {
    for name in ["$ref", "display", "displayName"] {
        members.shift_remove(name);
    }
}

/// Removes from a list the elements that `unwanted` names: by their `value` and, if both say one, `type`; without a
/// `value` by everything that is said.
pub(in crate::scim) fn remove(list: &mut Vec<Value>, unwanted: &[Value], attribute: &Attribute) {
    if list.len() + unwanted.len() <= FEW {
        list.retain(|element| !unwanted.iter().any(|it| is_meant(element, it, attribute)));
        return;
    }
    let mut by_value: HashMap<u64, Vec<&Value>> = HashMap::new();
    let (keyed, others): (Vec<&Value>, Vec<&Value>) = unwanted.iter().partition(|it| value_of(it).is_some());
    for it in keyed {
        by_value.entry(hash(it, attribute)).or_default().push(it);
    }
    list.retain(|element| {
        let named = by_value.get(&hash(element, attribute));
        !named.into_iter().flatten().chain(&others).any(|it| is_meant(element, it, attribute))
    });
}

fn is_meant(element: &Value, unwanted: &Value, attribute: &Attribute) -> bool {
    if value_of(unwanted).is_some() {
        return is_same(element, unwanted, attribute);
    }
    let (Value::Object(element), Value::Object(unwanted)) = (element, unwanted) else { return false };
    unwanted.iter().all(|(name, value)| {
        let exact = attribute.sub_attribute(name).is_some_and(|sub| sub.case_exact);
        element.get(name).is_some_and(|other| equal(other, value, exact))
    })
}

/// Whether two elements are the same one: equal in `value` and, if both say one, in `type`; without a `value`, equal
/// in everything.
fn is_same(left: &Value, right: &Value, attribute: &Attribute) -> bool {
    match (value_of(left), value_of(right)) {
        (Some(a), Some(b)) => equal(a, b, is_exact(attribute)) && types_agree(left, right),
        (None, None) => left == right,
        _ => false,
    }
}

fn types_agree(left: &Value, right: &Value) -> bool {
    match (left.get("type"), right.get("type")) {
        (Some(a), Some(b)) => equal(a, b, false),
        _ => true,
    }
}

fn value_of(element: &Value) -> Option<&Value> {
    match element {
        Value::Object(members) => members.get("value"),
        scalar => Some(scalar),
    }
}

fn is_exact(attribute: &Attribute) -> bool {
    attribute.sub_attribute("value").unwrap_or(attribute).case_exact
}

/// Whether two values are equal; text by case or regardless of it.
pub(in crate::scim) fn equal(left: &Value, right: &Value, exact: bool) -> bool {
    match (left, right) {
        (Value::String(a), Value::String(b)) => text::equal(a, b, exact),
        _ => left == right,
    }
}

/// Where the elements of a long list are, by their value.
struct Index(Option<HashMap<u64, Vec<usize>>>);

impl Index {
    fn new(list: &[Value], more: usize, attribute: &Attribute) -> Self {
        if list.len() + more <= FEW {
            return Self(None);
        }
        let mut index = Self(Some(HashMap::with_capacity(list.len() + more)));
        for (at, element) in list.iter().enumerate() {
            index.add(at, element, attribute);
        }
        index
    }

    fn add(&mut self, at: usize, element: &Value, attribute: &Attribute) {
        if let Some(map) = &mut self.0 {
            map.entry(hash(element, attribute)).or_default().push(at);
        }
    }

    fn find(&self, list: &[Value], element: &Value, attribute: &Attribute) -> Option<usize> {
        let is_it = |other: &Value| is_same(other, element, attribute);
        let Some(map) = &self.0 else { return list.iter().position(is_it) };
        let places = map.get(&hash(element, attribute))?;
        places.iter().copied().find(|&at| list.get(at).is_some_and(is_it))
    }
}

/// A number that is the same for elements that are the same.
fn hash(element: &Value, attribute: &Attribute) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value_of(element) {
        Some(Value::String(text)) if is_exact(attribute) => text.hash(&mut hasher),
        Some(Value::String(text)) if text.is_ascii() => {
            text.bytes().for_each(|byte| hasher.write_u8(byte.to_ascii_lowercase()));
        }
        Some(Value::String(text)) => {
            // An ASCII letter must count the same here as above: U+212A folds to `k`.
            text.chars().flat_map(char::to_lowercase).for_each(|c| {
                let mut buffer = [0; 4];
                c.encode_utf8(&mut buffer).bytes().for_each(|byte| hasher.write_u8(byte));
            });
        }
        Some(other) => other.hash(&mut hasher),
        None => element.hash(&mut hasher),
    }
    hasher.finish()
}
