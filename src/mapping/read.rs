//! From an entry to a resource.

use std::hash::{Hash, Hasher};

use serde_json::{Map, Value, json};

use super::row::{Direction, Row, RowPath};
use super::select;
use super::table::{GroupsOf, ResourceMapping};
use crate::directory::{AttributeName, Dialect, Dn, Entry};
use crate::mapping::codec::Codec;
use crate::scim::{AttributePath, Projection, Resource, ResourceKind};

/// A resource as far as the entry alone tells it; what other entries must tell is still open.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The SCIM id.
    pub id: String,
    /// Where the entry stands.
    pub dn: Dn,
    /// The resource without the values that [`Reading::pointers`] stand for.
    pub resource: Resource,
    /// DNs that have to become ids before the resource is complete.
    pub pointers: Vec<Pointer>,
}

/// A DN inside an entry that becomes a reference to another resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The complex attribute that takes the reference: `manager`, `groups`.
    pub path: AttributePath,
    /// What the DN should point at; `None`: whatever it is.
    pub to: Option<ResourceKind>,
    /// The DN as the entry holds it.
    pub dn: Dn,
    /// Whether the attribute holds a list of references.
    pub multi: bool,
    /// The user is in the group only by way of other groups.
    pub indirect: bool,
}

impl Pointer {
    /// A group that a user is a member of.
    #[must_use]
    pub fn group(dn: Dn) -> Self {
        Self { path: AttributePath::core("groups"), to: Some(ResourceKind::Group), dn, multi: true, indirect: false }
    }

    /// Whether it points at a group that a user is a member of.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.path == AttributePath::core("groups")
    }

    /// A group that a user is in by way of other groups.
    #[must_use]
    pub fn indirect_group(dn: Dn) -> Self {
        Self { indirect: true, ..Self::group(dn) }
    }
}

/// What a pointer turned out to point at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referenced {
    /// What kind of resource it is.
    pub kind: ResourceKind,
    /// Its SCIM id.
    pub id: String,
    /// Its name for people.
    pub display: Option<String>,
    /// Its address.
    pub location: String,
}

/// The entry does not say what its id is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the entry {dn} does not show its {attribute}: give the service account the right to read it")]
pub struct NoId {
    dn: Dn,
    attribute: AttributeName,
}

impl ResourceMapping {
    /// The LDAP attributes a search must ask for so that [`ResourceMapping::read`] can answer what `projection` wants.
    #[must_use]
    pub fn attributes(&self, dialect: &Dialect, projection: &Projection) -> Vec<AttributeName> {
        let mut names = vec![self.id.attribute.clone(), dialect.created.clone(), dialect.modified.clone()];
        names.extend(self.disable.as_ref().and_then(super::table::Disable::attribute));
        names.extend(self.rows.iter().filter(|row| row.codec != Codec::Password).map(|row| row.ldap.clone()));
        if let Some(members) = &self.members
            && projection.wants(&AttributePath::core("members"))
        {
            names.push(members.attribute.clone());
        }
        if let GroupsOf::Attribute(attribute) = &self.groups
            && projection.wants(&AttributePath::core("groups"))
        {
            names.push(attribute.clone());
        }
        names.sort();
        names.dedup();
        names
    }

    /// What `entry` is as a resource.
    pub fn read(&self, entry: &Entry, dialect: &Dialect) -> Result<Reading, NoId> {
        let id =
            self.id.of(entry).ok_or_else(|| NoId { dn: entry.dn.clone(), attribute: self.id.attribute.clone() })?;
        let mut map = Map::with_capacity(self.rows.len() + 4);
        map.insert("schemas".to_owned(), Value::Null);
        map.insert("id".to_owned(), Value::from(id.as_str()));
        let mut resource = Resource::from_map(map);
        let mut pointers = Vec::new();
        // Rows with a fallback come second: to know an invented value again, the rest of the resource is needed.
        for fallback_rows in [false, true] {
            for row in self.rows.iter().filter(|row| row.fallback.is_some() == fallback_rows) {
                read_row(row, entry, &mut resource, &mut pointers);
            }
        }
        self.groups_of(entry, &mut pointers);
        if let Some(disable) = &self.disable {
            resource.set(&AttributePath::core("active"), Value::Bool(disable.is_active(entry)));
        }
        mark_primary(self, &mut resource);
        self.stamp(entry, dialect, &mut resource);
        Ok(Reading { id, dn: entry.dn.clone(), resource, pointers })
    }

    fn groups_of(&self, entry: &Entry, pointers: &mut Vec<Pointer>) {
        let GroupsOf::Attribute(attribute) = &self.groups else { return };
        let dns = entry.names(attribute);
        pointers.extend(dns.map(Pointer::group));
    }

    fn stamp(&self, entry: &Entry, dialect: &Dialect, resource: &mut Resource) {
        let time = |name: &AttributeName| entry.values(name).first().and_then(|v| Codec::GeneralizedTime.decode(v));
        let mut meta = Map::with_capacity(5);
        meta.insert("resourceType".to_owned(), Value::from(self.kind.name()));
        for (key, value) in [("created", time(&dialect.created)), ("lastModified", time(&dialect.modified))] {
            if let Some(value) = value {
                meta.insert(key.to_owned(), value);
            }
        }
        let mut schemas = vec![Value::from(self.schema.core.id.as_str())];
        schemas.extend(
            self.schema
                .extensions
                .iter()
                .filter(|e| resource.as_map().contains_key(&e.id))
                .map(|e| e.id.as_str().into()),
        );
        let map = resource.as_map_mut();
        map.insert("schemas".to_owned(), Value::Array(schemas));
        map.insert("meta".to_owned(), Value::Object(meta));
    }
}

fn read_row(row: &Row, entry: &Entry, resource: &mut Resource, pointers: &mut Vec<Pointer>) {
    let Some(path) = row.scim.as_ref().filter(|_| row.direction != Direction::ToLdap) else { return };
    let values = entry.values(&row.ldap);
    if values.is_empty() {
        return;
    }
    if let Some(reference) = &row.reference {
        let dns = entry.names(&row.ldap);
        let target = AttributePath { sub: None, ..path.path.clone() };
        pointers.extend(dns.take(if row.multi { usize::MAX } else { 1 }).map(|dn| Pointer {
            path: target.clone(),
            to: Some(reference.to),
            dn,
            multi: row.multi,
            indirect: false,
        }));
        return;
    }
    if is_taken(path, row, resource) || is_invented(row, values, resource) {
        return;
    }
    let shown = values.iter().filter_map(|value| shown(row, value));
    select::place(path, row.multi, shown.take(if row.multi { usize::MAX } else { 1 }).collect(), resource);
}

/// Several rows may carry one SCIM path to several attributes; the first that holds a value answers.
fn is_taken(path: &RowPath, row: &Row, resource: &Resource) -> bool {
    path.selectors.is_empty() && !row.multi && resource.get(&path.path).is_some()
}

/// Whether the entry holds no more than what the row's `fallback` made up because the schema demands a value.
fn is_invented(row: &Row, values: &[Vec<u8>], resource: &Resource) -> bool {
    let Some(fallback) = &row.fallback else { return false };
    let Ok(Some(text)) = fallback.render(resource.as_map()) else { return false };
    values.first().is_some_and(|value| value == text.as_bytes())
}

/// One LDAP value as the SCIM value of its row.
fn shown(row: &Row, value: &[u8]) -> Option<Value> {
    let decoded = row.codec.decode(value)?;
    let chosen = row.lookup.as_ref().and_then(|lookup| lookup.to_scim(decoded.as_str()?)).cloned();
    Some(chosen.unwrap_or(decoded))
}

/// The first value that a table gives to a list is the primary one, unless the table speaks of `primary` itself:
/// clients that import look for a primary value, and LDAP has no place to keep the flag.
fn mark_primary(mapping: &ResourceMapping, resource: &mut Resource) {
    for row in &mapping.rows {
        let Some(path) = row.scim.as_ref().filter(|path| path.path.sub.is_some()) else { continue };
        let whole = AttributePath { sub: None, ..path.path.clone() };
        let has_flag = mapping
            .schema
            .resolve(&AttributePath { sub: Some("primary".to_owned()), ..whole.clone() })
            .is_some_and(|(_, attribute)| attribute.name == "primary");
        if !has_flag {
            continue;
        }
        let Some(Value::Array(mut elements)) = resource.get(&whole).cloned() else { continue };
        if elements.iter().any(|element| element.get("primary").is_some()) {
            continue;
        }
        if let Some(Value::Object(first)) = elements.first_mut() {
            first.insert("primary".to_owned(), Value::Bool(true));
            resource.set(&whole, Value::Array(elements));
        }
    }
}

impl Reading {
    /// Completes the resource: pointers become references, those to nothing that is known are left out; `members` is
    /// the JSON text of a group's members; `meta.location` and `meta.version` are set.
    #[must_use]
    pub fn finish(
        mut self,
        location: String,
        known: &dyn Fn(&Pointer) -> Option<Referenced>,
        members: Option<String>,
    ) -> Resource {
        let mut lists: Vec<(AttributePath, Vec<Value>)> = Vec::new();
        for pointer in &self.pointers {
            let Some(referenced) = known(pointer) else { continue };
            if !pointer.multi {
                self.resource.set(&pointer.path, single(&referenced));
                name_schema(&mut self.resource, &pointer.path);
                continue;
            }
            let group = group_of_user(&referenced, pointer.indirect);
            match lists.iter_mut().find(|(path, _)| *path == pointer.path) {
                Some((_, list)) => list.push(group),
                None => lists.push((pointer.path.clone(), vec![group])),
            }
        }
        for (path, list) in lists {
            self.resource.set(&path, Value::Array(list));
        }
        if let Some(members) = members {
            self.resource.set_members_text(members);
        }
        let version = version(&self.resource);
        if let Some(Value::Object(meta)) = self.resource.as_map_mut().get_mut("meta") {
            meta.insert("location".to_owned(), Value::from(location));
            meta.insert("version".to_owned(), Value::from(version));
        }
        self.resource
    }
}

impl Referenced {
    /// Appends an element of `members` (RFC 7643 section 4.2) as JSON.
    pub fn write_member(&self, out: &mut String) {
        let quoted = |text: &str| Value::from(text).to_string();
        out.push_str("{\"value\":");
        out.push_str(&quoted(&self.id));
        out.push_str(",\"$ref\":");
        out.push_str(&quoted(&self.location));
        out.push_str(",\"type\":\"");
        out.push_str(self.kind.name());
        out.push('"');
        if let Some(display) = &self.display {
            out.push_str(",\"display\":");
            out.push_str(&quoted(display));
        }
        out.push('}');
    }
}

/// An extension that only a reference brings in is named in `schemas` as well (RFC 7643 section 3).
fn name_schema(resource: &mut Resource, path: &AttributePath) {
    let Some(urn) = &path.schema else { return };
    if let Some(Value::Array(schemas)) = resource.as_map_mut().get_mut("schemas")
        && !schemas.iter().any(|schema| schema.as_str() == Some(urn))
    {
        schemas.push(Value::from(urn.as_str()));
    }
}

/// `manager` of the enterprise extension (RFC 7643 section 4.3).
fn single(referenced: &Referenced) -> Value {
    let mut value = json!({ "value": referenced.id, "$ref": referenced.location });
    if let (Some(display), Value::Object(map)) = (&referenced.display, &mut value) {
        map.insert("displayName".to_owned(), Value::from(display.as_str()));
    }
    value
}

/// An element of a user's `groups` (RFC 7643 section 4.1.2).
fn group_of_user(referenced: &Referenced, indirect: bool) -> Value {
    let way = if indirect { "indirect" } else { "direct" };
    let mut value = json!({ "value": referenced.id, "$ref": referenced.location, "type": way });
    if let (Some(display), Value::Object(map)) = (&referenced.display, &mut value) {
        map.insert("display".to_owned(), Value::from(display.as_str()));
    }
    value
}

/// The version of a group as it is where its members are not asked for; `None` of what has none.
#[must_use]
pub fn version_without_members(resource: &Resource) -> Option<String> {
    resource.members_text().map(|_| version(&Resource::from_map(resource.as_map().clone())))
}

/// A weak entity tag over what the resource shows, `meta` aside: the server's change stamps do not move with every
/// change that shows (a renamed member, a memberOf), content does (RFC 7644 section 3.14). The order of the elements of
/// a list means nothing (RFC 7643 section 2.4) and is not the same in the directory and in the shadow of it.
fn version(resource: &Resource) -> String {
    let hash = |value: &dyn Fn(&mut std::hash::DefaultHasher)| {
        let mut hasher = std::hash::DefaultHasher::new();
        value(&mut hasher);
        hasher.finish()
    };
    let mut hasher = std::hash::DefaultHasher::new();
    for (key, value) in resource.as_map().iter().filter(|(key, _)| *key != "meta") {
        key.hash(&mut hasher);
        match value {
            Value::Array(elements) => {
                let sum = elements.iter().map(|element| hash(&|hasher| element.hash(hasher)));
                sum.fold(0, u64::wrapping_add).hash(&mut hasher);
            }
            value => value.hash(&mut hasher),
        }
    }
    if let Some(members) = resource.members_text() {
        let elements = members.trim_matches(['[', ']', '{', '}']).split("},{");
        elements.map(|element| hash(&|hasher| element.hash(hasher))).fold(0, u64::wrapping_add).hash(&mut hasher);
    }
    format!("W/\"{:016x}\"", hasher.finish())
}
