//! Intents as data that outlives the process: JSON with a version. What was asked is kept as it was understood, in
//! canonical spelling, so that a later version of the bridge and a changed mapping table can still read it.

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::mapping::ResourceMapping;
use crate::scim::{AttributePath, Operation, Patch, PatchPath, Resource, ResourceKind};
use crate::store::Item;
use crate::store::seal::SealKey;

use super::super::carrier::Errand;
use super::super::{Action, Intent, Origin};

/// The version that is written. A reader knows this one and all before it.
const VERSION: u64 = 1;

/// What is owed: an intent, and what is known of the entry it is about.
#[derive(Debug, Clone)]
pub(in crate::bridge) struct Owed {
    /// The kind of resource.
    pub kind: ResourceKind,
    /// What to do. Of a create the id is in [`id`](Self::id).
    pub action: Action,
    /// The id that the client knows; made by the bridge for what it creates.
    pub id: String,
    /// The DN of the entry when it was asked, by which others may refer to it.
    pub home: Option<String>,
    /// In the client's words: whom a patch that sets one reference waits for, or has waited for.
    pub waits_for: Option<String>,
}

/// Why an item can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::bridge) enum Unreadable {
    #[error("the item is of format {0}, which this version of scim2ldap does not know: use the version that wrote it")]
    Newer(u64),
    #[error("the item is damaged: {0}")]
    Damaged(String),
    #[error("the mapping table has no [{}] any more: put it back and retry the item, or drop the item", .0.name().to_lowercase())]
    NotServed(ResourceKind),
    #[error("it holds a password, and can't be opened: {0}")]
    Sealed(crate::store::seal::SealFault),
    #[error("it holds a password, and [store] has no key_file to open it with: bring the key back")]
    NoKey,
    #[error("with today's mapping table the request is not valid any more: {0}")]
    Invalid(crate::scim::Fault),
}

impl Owed {
    /// The intent again.
    pub fn intent(&self) -> Intent {
        Intent {
            kind: self.kind,
            action: self.action.clone(),
            if_match: None,
            answer: false,
            origin: Origin::default(),
        }
    }

    /// What is to be carried out, whether or not anybody wants to know what comes of it.
    pub fn errand(&self) -> Errand<'_> {
        Errand { kind: self.kind, action: &self.action, if_match: None, answer: false }
    }

    /// What is asked, in one word.
    pub const fn verb(&self) -> &'static str {
        match self.action {
            Action::Create(_) => "create",
            Action::Replace { .. } => "replace",
            Action::Patch { .. } => "patch",
            Action::Delete { .. } => "delete",
        }
    }

    /// The patch, if it is one.
    pub const fn patch(&self) -> Option<&Patch> {
        match &self.action {
            Action::Patch { patch, .. } => Some(patch),
            Action::Create(_) | Action::Replace { .. } | Action::Delete { .. } => None,
        }
    }

    /// Whether a password is to be set.
    pub fn has_password(&self) -> bool {
        match &self.action {
            Action::Create(resource) | Action::Replace { resource, .. } => {
                resource.get(&AttributePath::core("password")).is_some()
            }
            Action::Patch { patch, .. } => patch.operations.iter().any(is_about_password),
            Action::Delete { .. } => false,
        }
    }

    /// Leaves a password out, where passwords are not carried over anyway.
    pub fn forget_password(&mut self) {
        match &mut self.action {
            Action::Create(resource) | Action::Replace { resource, .. } => {
                resource.remove(&AttributePath::core("password"));
            }
            Action::Patch { patch, .. } => patch.operations.retain(|operation| !is_about_password(operation)),
            Action::Delete { .. } => {}
        }
    }

    /// The form that is stored.
    pub fn to_json(&self) -> Value {
        let mut json = json!({ "v": VERSION, "kind": self.kind.name(), "action": self.verb(), "id": self.id });
        let (key, value) = match &self.action {
            Action::Create(resource) | Action::Replace { resource, .. } => {
                ("resource", Value::Object(resource.as_map().clone()))
            }
            Action::Patch { patch, .. } => ("operations", patch.operations.iter().map(operation_json).collect()),
            Action::Delete { .. } => ("resource", Value::Null),
        };
        if let Value::Object(json) = &mut json {
            if !value.is_null() {
                json.insert(key.to_owned(), value);
            }
            json.extend(self.home.clone().map(|home| ("home".to_owned(), home.into())));
            json.extend(self.waits_for.clone().map(|text| ("waits_for".to_owned(), text.into())));
        }
        json
    }

    /// Reads what was stored, by the mapping that `mapping` gives for its kind.
    pub fn from_json<'m>(
        json: Value,
        mapping: impl FnOnce(ResourceKind) -> Option<&'m ResourceMapping>,
    ) -> Result<Self, Unreadable> {
        let Value::Object(mut json) = json else { return Err(damaged("it is no object")) };
        match json.get("v").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => return Err(Unreadable::Newer(other)),
            None => return Err(damaged("it has no version")),
        }
        let kind = match take_text(&mut json, "kind").as_deref() {
            Some("User") => ResourceKind::User,
            Some("Group") => ResourceKind::Group,
            _ => return Err(damaged("it is about nothing that is known")),
        };
        let mapping = mapping(kind).ok_or(Unreadable::NotServed(kind))?;
        let id = take_text(&mut json, "id").ok_or_else(|| damaged("it has no id"))?;
        let resource = |json: &mut Map<String, Value>| {
            let body = json.remove("resource").ok_or_else(|| damaged("it has no resource"))?;
            Resource::from_client(body, &mapping.schema).map_err(Unreadable::Invalid)
        };
        let action = match take_text(&mut json, "action").as_deref() {
            Some("create") => Action::Create(resource(&mut json)?),
            Some("replace") => Action::Replace { id: id.clone(), resource: resource(&mut json)? },
            Some("patch") => Action::Patch { id: id.clone(), patch: read_patch(&mut json, mapping)? },
            Some("delete") => Action::Delete { id: id.clone() },
            _ => return Err(damaged("it asks for nothing that is known")),
        };
        let home = take_text(&mut json, "home");
        Ok(Self { kind, action, id, home, waits_for: take_text(&mut json, "waits_for") })
    }
}

/// Whether an item is to make its resource. What it does is the first word of its summary; its payload may be sealed with
/// a key that is not at hand.
pub(super) fn creates(item: &Item) -> bool {
    item.asked.summary.split(' ').next() == Some("create")
}

/// The stored form of an item, opened if it is sealed.
pub(super) fn open(item: &Item, key: Option<&SealKey>) -> Result<Value, Unreadable> {
    let payload = item.asked.payload.as_slice();
    let opened = match (payload.first(), key) {
        (Some(b'{'), _) => Zeroizing::new(payload.to_vec()),
        (_, Some(key)) => {
            key.open(payload, &about(&item.asked.space, &item.asked.resource)).map_err(Unreadable::Sealed)?
        }
        (_, None) => return Err(Unreadable::NoKey),
    };
    serde_json::from_slice(&opened).map_err(|fault| Unreadable::Damaged(fault.to_string()))
}

/// What a sealed item is about: nobody can move it to where it does not belong.
pub(super) fn about(tenant: &str, id: &str) -> Vec<u8> {
    [tenant.as_bytes(), b"/", id.as_bytes()].concat()
}

/// An empty list of operations is one that had nothing to do with what the schema knows.
fn read_patch(json: &mut Map<String, Value>, mapping: &ResourceMapping) -> Result<Patch, Unreadable> {
    let operations = json.remove("operations").ok_or_else(|| damaged("it has no operations"))?;
    if operations.as_array().is_some_and(Vec::is_empty) {
        return Ok(Patch::default());
    }
    Patch::from_client(json!({ "Operations": operations }), &mapping.schema).map_err(Unreadable::Invalid)
}

fn operation_json(operation: &Operation) -> Value {
    let mut json = Map::new();
    json.insert("op".to_owned(), operation.op.name().into());
    json.extend(operation.path.as_ref().map(|path| ("path".to_owned(), path.to_string().into())));
    json.extend(operation.value.clone().map(|value| ("value".to_owned(), value)));
    Value::Object(json)
}

fn is_about_password(operation: &Operation) -> bool {
    matches!(&operation.path, Some(PatchPath::Attribute { path, .. })
        if path.schema.is_none() && path.attribute == "password")
}

fn take_text(json: &mut Map<String, Value>, key: &str) -> Option<String> {
    match json.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn damaged(why: &str) -> Unreadable {
    Unreadable::Damaged(why.to_owned())
}
