//! The users of the bench, as an identity provider sends them and as the directory holds them.

use crate::harness::Attributes;
use crate::workload::Outcome;
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The title of a user who has just been created.
pub const FIRST_TITLE: &str = "Engineer";

/// One user. Everything in which users differ comes from the key, so that all of them are alike otherwise.
#[derive(Clone, Debug)]
pub struct Person {
    /// What makes the user different from all others: `b32r1.00017`.
    pub key: String,
    /// The SCIM id, once there is one.
    pub id: String,
}

/// The users with keys from `PREFIX.00000` on.
pub fn cohort(prefix: &str, size: usize) -> Vec<Person> {
    (0..size).map(|index| Person { key: format!("{prefix}.{index:05}"), id: String::new() }).collect()
}

impl Person {
    /// userName, uid and mail address.
    pub fn name(&self) -> String {
        format!("{}@example.test", self.key)
    }

    /// What Okta sends to create a user, with a job and a telephone.
    pub fn to_create(&self) -> Value {
        let mut user = self.with_title(FIRST_TITLE);
        if let Some(user) = user.as_object_mut() {
            // Nobody asked for either, but they always come.
            user.insert("groups".to_owned(), json!([]));
            user.insert("password".to_owned(), json!("1mz050nq"));
        }
        user
    }

    /// What Okta sends to say that nothing has changed.
    pub fn with_title(&self, title: &str) -> Value {
        let (key, name) = (&self.key, self.name());
        json!({
            "schemas": [USER, ENTERPRISE],
            "userName": name,
            "externalId": format!("00u-{key}"),
            "name": {"givenName": "Ada", "familyName": format!("Lovelace {key}")},
            "displayName": format!("Ada Lovelace {key}"),
            "title": title,
            "emails": [{"primary": true, "value": name, "type": "work"}],
            "phoneNumbers": [{"primary": true, "value": "+44 20 7946 0018", "type": "work"}],
            "active": true,
            ENTERPRISE: {"department": "Engines"}
        })
    }

    /// The SCIM resource has to be this user's, with this title.
    pub fn check(&self, resource: &Value, title: &str) -> Outcome<()> {
        let expected = self.with_title(title);
        let pointers =
            ["/userName", "/externalId", "/name/givenName", "/name/familyName", "/title", "/emails/0/value", "/active"];
        for pointer in pointers {
            if resource.pointer(pointer) != expected.pointer(pointer) {
                return Err(format!("{pointer} of {} is not what was sent: {resource:#}", self.key).into());
            }
        }
        let location = resource.pointer("/meta/location").and_then(Value::as_str).unwrap_or_default();
        let kind = resource.pointer("/meta/resourceType").and_then(Value::as_str).unwrap_or_default();
        if resource["id"] != *self.id || !location.ends_with(&format!("/Users/{}", self.id)) || kind != "User" {
            return Err(format!("id or meta of {} are not right: {resource:#}", self.key).into());
        }
        Ok(())
    }
}

/// A PATCH of one attribute, as Okta sends it: without a path.
pub fn retitle(title: &str) -> Value {
    json!({"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"title": title}}]})
}

/// The entries that the bridge makes of such users: read once from the directory, so that the comparison is with the
/// very same attributes.
#[derive(Clone, Debug)]
pub struct Template {
    key: String,
    dn: String,
    attributes: Attributes,
}

/// An entry to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    pub dn: String,
    pub attributes: Vec<(String, Vec<String>)>,
}

impl Template {
    /// From the entry of one person, its user attributes.
    pub fn new(person: &Person, dn: String, attributes: Attributes) -> Self {
        Self { key: person.key.clone(), dn, attributes }
    }

    /// The same entry for somebody else.
    pub fn for_person(&self, person: &Person) -> Prepared {
        let fill = |text: &String| text.replace(&self.key, &person.key);
        let attributes = self.attributes.iter();
        Prepared {
            dn: fill(&self.dn),
            attributes: attributes.map(|(name, values)| (name.clone(), values.iter().map(fill).collect())).collect(),
        }
    }
}
