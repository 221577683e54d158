//! References to resources that the same request makes: `bulkId:NAME` (RFC 7644 section 3.7.2).
//!
//! A reference stands for an id: as a whole text (`"value": "bulkId:qwerty"`), in quotes inside one
//! (`"path": "members[value eq \"bulkId:qwerty\"]"`), or as a segment of the operation's path.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

const MARK: &str = "bulkId:";

/// What a reference stands for, as far as it is known.
pub(super) type Resolve<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The names that a path and the data of an operation refer to.
pub(super) fn names(path: &str, data: Option<&Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    found.extend(path.split('/').filter_map(whole).map(str::to_owned));
    if let Some(data) = data {
        collect(data, &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => found.extend(in_text(text).into_iter().map(str::to_owned)),
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, found)),
        Value::Object(members) => members.values().for_each(|member| collect(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn whole(text: &str) -> Option<&str> {
    let (mark, name) = text.split_at_checked(MARK.len())?;
    (mark.eq_ignore_ascii_case(MARK) && !name.is_empty()).then_some(name)
}

fn in_text(text: &str) -> Vec<&str> {
    match whole(text) {
        Some(name) => vec![name],
        // Every other piece stands between quotes.
        None => text.split('"').skip(1).step_by(2).filter_map(whole).collect(),
    }
}

/// The path with ids in place of the references that `resolve` knows.
pub(super) fn in_path(path: &str, resolve: Resolve<'_>) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let segment = |segment: &str| whole(segment).and_then(resolve).unwrap_or_else(|| segment.to_owned());
    let mut resolved = path.split('/').map(segment).collect::<Vec<_>>().join("/");
    if let Some(query) = query {
        resolved.push('?');
        resolved.push_str(query);
    }
    resolved
}

/// Puts ids in place of the references that `resolve` knows.
pub(super) fn fill(value: &mut Value, resolve: Resolve<'_>) {
    match value {
        Value::String(text) => {
            if let Some(resolved) = filled(text, resolve) {
                *text = resolved;
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| fill(element, resolve)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, resolve)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn filled(text: &str, resolve: Resolve<'_>) -> Option<String> {
    if let Some(name) = whole(text) {
        return resolve(name);
    }
    if in_text(text).is_empty() {
        return None;
    }
    let piece = |(at, piece): (usize, &str)| {
        let id = if at % 2 == 1 { whole(piece).and_then(resolve) } else { None };
        id.unwrap_or_else(|| piece.to_owned())
    };
    Some(text.split('"').enumerate().map(piece).collect::<Vec<_>>().join("\""))
}

/// Takes out of a new resource what refers to resources that are not there yet, and returns the operations of a PATCH
/// that puts it back once they are.
pub(super) fn strip(data: &mut Value, is_open: &dyn Fn(&str) -> bool) -> Vec<Value> {
    let Value::Object(members) = data else { return Vec::new() };
    let mut later = Vec::new();
    for (name, value) in members.iter_mut() {
        // In the block of an extension each attribute counts for itself.
        if let Value::Object(block) = value
            && name.contains(':')
        {
            strip_members(block, Some(name), is_open, &mut later);
        }
    }
    strip_members(members, None, is_open, &mut later);
    later
}

fn strip_members(
    members: &mut Map<String, Value>,
    urn: Option<&String>,
    is_open: &dyn Fn(&str) -> bool,
    later: &mut Vec<Value>,
) {
    let refers = |value: &Value| names("", Some(value)).iter().any(|name| is_open(name));
    for (name, value) in members.iter_mut().filter(|(_, value)| refers(value)) {
        let open = match value {
            Value::Array(elements) => elements.extract_if(.., |element| refers(element)).collect(),
            single => single.take(),
        };
        later.push(addition(urn, name, &open));
    }
}

fn addition(urn: Option<&String>, name: &str, value: &Value) -> Value {
    let path = urn.map_or_else(|| name.to_owned(), |urn| [urn, ":", name].concat());
    json!({ "op": "add", "path": path, "value": value })
}
