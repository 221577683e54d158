//! One SCIM resource as a value (RFC 7643 section 3).

use serde_json::{Map, Value};

use super::path::AttributePath;
use super::schema::ResourceSchema;

pub(super) mod elements;
pub(super) mod intake;

/// The attributes of a resource in canonical spelling; those of an extension stand under its URN.
///
/// The members of a group can be many; in what is read from the directory they stand apart, as the JSON text that an
/// answer holds ([`Resource::set_members_text`]), because a tree of a hundred thousand of them costs ten times as much.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    map: Map<String, Value>,
    members: Option<String>,
}

impl Resource {
    /// A resource without attributes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A resource from attributes that are known to be valid and in canonical spelling.
    #[must_use]
    pub const fn from_map(map: Map<String, Value>) -> Self {
        Self { map, members: None }
    }

    /// The attributes.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.map
    }

    /// The attributes, to be changed with care.
    pub const fn as_map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.map
    }

    /// The attributes, taken out.
    #[must_use]
    pub fn into_map(self) -> Map<String, Value> {
        self.map
    }

    /// Sets `members` to a JSON array that is already text.
    pub fn set_members_text(&mut self, array: String) {
        self.members = Some(array);
    }

    /// `members` as JSON text, where they stand apart.
    #[must_use]
    pub fn members_text(&self) -> Option<&str> {
        self.members.as_deref()
    }

    /// Takes `members` out where they stand apart.
    pub fn take_members_text(&mut self) -> Option<String> {
        self.members.take()
    }

    /// Puts members that stand apart back among the other attributes, to be compared or filtered.
    pub fn unfold_members(&mut self) {
        if let Some(Ok(members)) = self.members.take().map(|text| serde_json::from_str(&text)) {
            self.map.insert("members".to_owned(), members);
        }
    }

    /// Appends the resource as JSON.
    pub fn write_json(&self, out: &mut String) {
        let text = self.json_without_end();
        out.reserve(text.len() + self.members.as_ref().map_or(1, |members| members.len() + 1));
        out.push_str(&text);
        out.push_str(self.members.as_deref().unwrap_or_default());
        out.push('}');
    }

    /// The resource as JSON, in pieces that belong together in this order: the text of members is not copied.
    #[must_use]
    pub fn into_json(mut self) -> Vec<String> {
        let text = self.json_without_end();
        let members = self.members.take();
        [Some(text), members, Some("}".to_owned())].into_iter().flatten().collect()
    }

    /// The resource as JSON up to the text of the members or, if there is none, to the last brace.
    fn json_without_end(&self) -> String {
        let mut text = serde_json::to_string(&self.map).unwrap_or_default();
        text.pop();
        if self.members.is_some() {
            text.push_str(if self.map.is_empty() { "" } else { "," });
            text.push_str("\"members\":");
        }
        text
    }

    /// The value that a canonical path names. None for a sub-attribute of a multi-valued attribute: see
    /// [`Self::values`].
    #[must_use]
    pub fn get(&self, path: &AttributePath) -> Option<&Value> {
        let top = self.top(path)?;
        path.sub.as_ref().map_or(Some(top), |sub| top.as_object()?.get(sub))
    }

    /// Every value that a canonical path names: the elements of a multi-valued attribute one by one, or what its
    /// elements hold under the sub-attribute.
    #[must_use]
    pub fn values<'a>(&'a self, path: &AttributePath) -> Vec<&'a Value> {
        let mut values = Vec::new();
        self.any_value(path, &mut |value| {
            values.push(value);
            false
        });
        values
    }

    /// Whether one of the values that a canonical path names passes the test.
    pub(super) fn any_value<'a>(&'a self, path: &AttributePath, test: &mut dyn FnMut(&'a Value) -> bool) -> bool {
        let Some(top) = self.top(path) else { return false };
        let mut part = |value: &'a Value| match &path.sub {
            None => test(value),
            Some(sub) => value.as_object().and_then(|members| members.get(sub)).is_some_and(&mut *test),
        };
        match top {
            Value::Array(elements) => elements.iter().any(part),
            single => part(single),
        }
    }

    /// The text that a canonical path names. None if there is none or it is no text.
    #[must_use]
    pub fn text(&self, path: &AttributePath) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// Gives the attribute that a canonical path names this value; null removes it. A sub-attribute of a multi-valued
    /// attribute is set in every element.
    pub fn set(&mut self, path: &AttributePath, value: Value) {
        if value.is_null() {
            return self.remove(path);
        }
        let Some(block) = self.block(path.schema.as_deref()) else { return };
        let Some(sub) = &path.sub else {
            block.insert(path.attribute.clone(), value);
            return;
        };
        let parent = block.entry(path.attribute.as_str()).or_insert_with(|| Value::Object(Map::new()));
        match parent {
            Value::Object(members) => {
                members.insert(sub.clone(), value);
            }
            Value::Array(elements) => {
                for members in elements.iter_mut().filter_map(Value::as_object_mut) {
                    members.insert(sub.clone(), value.clone());
                }
            }
            other => *other = Value::Object(Map::from_iter([(sub.clone(), value)])),
        }
    }

    /// Removes what a canonical path names, and what is empty without it.
    pub fn remove(&mut self, path: &AttributePath) {
        match &path.schema {
            None => remove_from(&mut self.map, path),
            Some(urn) => {
                if let Some(block) = self.map.get_mut(urn).and_then(Value::as_object_mut) {
                    remove_from(block, path);
                    if block.is_empty() {
                        self.map.shift_remove(urn);
                    }
                }
            }
        }
    }

    /// Writes down in `schemas` which schemas the resource makes use of (RFC 7643 section 3).
    pub fn set_schemas(&mut self, schema: &ResourceSchema) {
        let used = schema.extensions.iter().map(|it| &it.id).filter(|id| self.map.contains_key(id.as_str()));
        let urns = std::iter::once(&schema.core.id).chain(used).map(|id| Value::from(id.as_str())).collect();
        // First, where people look for it.
        self.map.shift_insert(0, "schemas".to_owned(), urns);
    }

    fn top(&self, path: &AttributePath) -> Option<&Value> {
        match &path.schema {
            None => self.map.get(&path.attribute),
            Some(urn) => self.map.get(urn)?.as_object()?.get(&path.attribute),
        }
    }

    pub(super) fn top_mut(&mut self, path: &AttributePath) -> Option<&mut Value> {
        match &path.schema {
            None => self.map.get_mut(&path.attribute),
            Some(urn) => self.map.get_mut(urn)?.as_object_mut()?.get_mut(&path.attribute),
        }
    }

    /// The attributes under a URN, which are created where there are none.
    fn block(&mut self, urn: Option<&str>) -> Option<&mut Map<String, Value>> {
        let Some(urn) = urn else { return Some(&mut self.map) };
        let block = self.map.entry(urn).or_insert(Value::Null);
        if !block.is_object() {
            *block = Value::Object(Map::new());
        }
        block.as_object_mut()
    }
}

fn remove_from(block: &mut Map<String, Value>, path: &AttributePath) {
    let Some(sub) = &path.sub else {
        block.shift_remove(&path.attribute);
        return;
    };
    match block.get_mut(&path.attribute) {
        Some(Value::Object(members)) => {
            members.shift_remove(sub);
            if members.is_empty() {
                block.shift_remove(&path.attribute);
            }
        }
        Some(Value::Array(elements)) => {
            for members in elements.iter_mut().filter_map(Value::as_object_mut) {
                members.shift_remove(sub);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
