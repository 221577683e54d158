//! Which attributes an answer shows (RFC 7644 section 3.9).

use serde_json::{Map, Value};

use super::fault::Fault;
use super::path::{AttributePath, Named, named};
use super::resource::Resource;
use super::schema::{Attribute, Namespace, ResourceSchema, Returned, Schema};

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
    pub fn apply(&self, mut resource: Resource, schema: &ResourceSchema) -> Resource {
        // What is read from a directory never holds what is not shown by default.
        if self.is_default() && !resource.as_map().contains_key("password") {
            return resource;
        }
        let members = AttributePath::core("members");
        let mut members_text = None;
        if !self.wants(&members) {
            resource.take_members_text();
        } else if self.shows_all_of(&members) {
            members_text = resource.take_members_text();
        } else {
            resource.unfold_members();
        }
        let mut shown = Map::new();
        for (key, value) in resource.into_map() {
            let extension = if key.contains(':') { schema.namespace(&key) } else { None };
            match (extension, value) {
                (Some(Namespace::Extension(extension)), Value::Object(block)) => {
                    let block = self.show_block(block, extension);
                    if !block.is_empty() {
                        shown.insert(key, Value::Object(block));
                    }
                }
                (_, value) => {
                    let path = AttributePath { schema: None, attribute: key, sub: None };
                    if let Some(value) = self.show(value, &path, schema.core_attribute(&path.attribute)) {
                        shown.insert(path.attribute, value);
                    }
                }
            }
        }
        let mut shown = Resource::from_map(shown);
        if let Some(text) = members_text {
            shown.set_members_text(text);
        }
        shown
    }

    /// Whether `path` is shown with everything in it.
    fn shows_all_of(&self, path: &AttributePath) -> bool {
        self.attributes.as_ref().is_none_or(|list| cover(list, path) == Cover::Whole)
            && cover(&self.excluded, path) == Cover::Nothing
    }

    fn show_block(&self, block: Map<String, Value>, extension: &Schema) -> Map<String, Value> {
        let mut shown = Map::new();
        for (name, value) in block {
            let path = AttributePath { schema: Some(extension.id.clone()), attribute: name, sub: None };
            if let Some(value) = self.show(value, &path, extension.attribute(&path.attribute)) {
                shown.insert(path.attribute, value);
            }
        }
        shown
    }

    /// What is shown of the value of one attribute.
    fn show(&self, value: Value, path: &AttributePath, attribute: Option<&Attribute>) -> Option<Value> {
        if !self.shows_any(path, attribute.map_or(Returned::Default, |it| it.returned)) {
            return None;
        }
        let Some(attribute) = attribute.filter(|it| it.is_complex() && !self.shows_whole(path, it)) else {
            return Some(value);
        };
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

    // Spares a large group a look at every part of every member.
    fn shows_whole(&self, path: &AttributePath, attribute: &Attribute) -> bool {
        let is_plain = |sub: &Attribute| matches!(sub.returned, Returned::Default | Returned::Always);
        attribute.sub_attributes.iter().all(is_plain)
            && self.attributes.as_ref().is_none_or(|list| cover(list, path) == Cover::Whole)
            && cover(&self.excluded, path) == Cover::Nothing
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema::ENTERPRISE_URN;
    use crate::scim::{FaultKind, ResourceKind};

    fn schema() -> ResourceSchema {
        ResourceSchema::standard(ResourceKind::User)
    }

    fn projection(attributes: &str, excluded: &str) -> Projection {
        Projection::new(Some(attributes), Some(excluded), &schema()).unwrap()
    }

    fn shown(attributes: &str, excluded: &str) -> Value {
        let Value::Object(map) = json!({
            "schemas": ["x"], "id": "1", "userName": "a", "password": "secret",
            "name": { "givenName": "G", "familyName": "F" },
            "emails": [{ "value": "a@b", "type": "work" }, { "type": "home" }],
            "meta": { "version": "1", "created": "c" },
            (ENTERPRISE_URN): { "department": "D", "manager": { "value": "m" } },
        }) else {
            unreachable!()
        };
        Value::Object(projection(attributes, excluded).apply(Resource::from_map(map), &schema()).into_map())
    }

    #[test]
    fn everything_but_the_password_is_shown_by_default() {
        let all = shown("", " ");
        assert_eq!(all.as_object().unwrap().len(), 7);
        assert!(all.get("password").is_none() && all[ENTERPRISE_URN]["manager"]["value"] == "m");
        assert!(projection("", " , ").is_default() && !projection("", "emails").is_default());
    }

    #[test]
    fn a_password_is_not_shown_when_it_is_asked_for() {
        assert_eq!(shown("password", ""), json!({ "schemas": ["x"], "id": "1" }));
    }

    #[test]
    fn what_is_asked_for_comes_with_id_and_schemas() {
        assert_eq!(shown("USERNAME", ""), json!({ "schemas": ["x"], "id": "1", "userName": "a" }));
        assert_eq!(shown("shoeSize", ""), json!({ "schemas": ["x"], "id": "1" }));
        assert_eq!(shown("name.FamilyName, meta", "")["name"], json!({ "familyName": "F" }));
        assert_eq!(shown("emails.value", "")["emails"], json!([{ "value": "a@b" }]));
    }

    #[test]
    fn what_is_excluded_is_left_out_except_for_id_and_schemas() {
        let rest = shown("", "id,schemas,NAME,emails.type,meta.version,manager");
        let expected = json!({
            "schemas": ["x"], "id": "1", "userName": "a", "emails": [{ "value": "a@b" }], "meta": { "created": "c" },
            (ENTERPRISE_URN): { "department": "D" },
        });
        assert_eq!(rest, expected);
    }

    #[test]
    fn a_urn_alone_selects_its_block() {
        let block = json!({ "department": "D", "manager": { "value": "m" } });
        assert_eq!(shown(ENTERPRISE_URN, ""), json!({ "schemas": ["x"], "id": "1", (ENTERPRISE_URN): block }));
        assert!(shown("", ENTERPRISE_URN).get(ENTERPRISE_URN).is_none());
        assert!(shown("urn:ietf:params:scim:schemas:core:2.0:User", "").get(ENTERPRISE_URN).is_none());
        let department = format!("{ENTERPRISE_URN}:department");
        assert_eq!(shown(&department, "")[ENTERPRISE_URN], json!({ "department": "D" }));
    }

    #[test]
    fn exclusion_takes_away_from_what_is_asked_for() {
        assert_eq!(shown("name,userName", "name.givenName,userName")["name"], json!({ "familyName": "F" }));
        assert!(shown("name,userName", "userName").get("userName").is_none());
    }

    #[test]
    fn an_empty_list_of_members_is_shown() {
        let schema = ResourceSchema::standard(ResourceKind::Group);
        let group = Resource::from_map(Map::from_iter([("members".to_owned(), json!([]))]));
        for attributes in [None, Some("members"), Some("members.value")] {
            let projection = Projection::new(attributes, None, &schema).unwrap();
            assert_eq!(projection.apply(group.clone(), &schema), group);
        }
    }

    #[test]
    fn wants_tells_what_need_not_be_read() {
        let wants = |attributes: &str, excluded: &str, path: &str| {
            projection(attributes, excluded).wants(&AttributePath::parse(path, &schema()).unwrap())
        };
        assert!(wants("", "", "groups") && wants("userName", "id", "id") && wants("groups.value", "", "groups"));
        assert!(wants("groups", "", "groups.value") && wants("", "groups.display", "groups"));
        assert!(wants(ENTERPRISE_URN, "", "manager") && !wants(ENTERPRISE_URN, "", "userName"));
        assert!(!wants("userName", "", "groups") && !wants("", "groups", "groups.value"));
        assert!(!wants("", "groups.display", "groups.display") && !wants("groups.value", "", "groups.display"));
    }

    #[test]
    fn a_malformed_name_is_refused() {
        let fault = Projection::new(Some("userName,a..b"), None, &schema()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::InvalidPath);
    }
}
