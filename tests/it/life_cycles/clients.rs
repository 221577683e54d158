//! How each identity provider says what happens to people and groups.

use super::people::{Person, Team};
use crate::harness::{BASIC, BEARER, Scim};
use crate::world::{ENTERPRISE, USER, World, okta_user, patch};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// What Entra ID has groups carry beside it.
const ENTRA_GROUP: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
/// Changes of a membership in one PATCH.
const BATCH: usize = 100;
/// Requests about one group that Entra ID has under way at the same time.
const SIDE_BY_SIDE: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Okta's custom apps: reads, and PUTs the whole.
    OktaCustom,
    /// Okta's catalogue apps: PATCH without a path.
    OktaCatalogue,
    /// One operation for each attribute, booleans as text, and managers when both are there.
    Entra,
}

/// An identity provider with its tenant.
pub struct Idp {
    client: Client,
    scim: Scim,
}

impl Client {
    pub const ALL: [Self; 3] = [Self::OktaCustom, Self::OktaCatalogue, Self::Entra];

    /// A short name, part of what its people are called.
    pub fn tag(self) -> &'static str {
        match self {
            Self::OktaCustom => "aiw",
            Self::OktaCatalogue => "oin",
            Self::Entra => "entra",
        }
    }

    /// It sends an identifier of its own with groups.
    pub fn names_groups(self) -> bool {
        self == Self::Entra
    }
}

impl Idp {
    pub fn new(world: &World, client: Client) -> Self {
        let credential = if client == Client::OktaCustom { BASIC } else { BEARER };
        Self { client, scim: world.daemon.scim(credential) }
    }

    pub fn tag(&self) -> &'static str {
        self.client.tag()
    }

    /// Looks somebody up, creates the account, reads it back; returns its id.
    pub async fn join(&self, person: &Person) -> String {
        assert_eq!(self.found(person).await, Vec::<String>::new());
        let created = self.scim.post("/Users", &self.profile(person)).await;
        created.expect(201);
        let read = self.scim.get(&format!("/Users/{}", created.id())).await;
        assert_eq!(read.expect(200)["userName"], person.user_name.as_str());
        created.id()
    }

    /// The id behind a userName.
    pub async fn id_of(&self, person: &Person) -> String {
        self.found(person).await.pop().expect("somebody of this userName")
    }

    async fn found(&self, person: &Person) -> Vec<String> {
        let found = self.scim.search("/Users", &format!("userName eq \"{}\"", person.user_name)).await;
        found.resources().iter().map(|user| user["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// Okta has said who the manager is when it created the user.
    pub async fn set_manager(&self, id: &str, manager: &str) {
        if self.client == Client::Entra {
            let change = json!([{"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": manager}]);
            self.scim.patch(&format!("/Users/{id}"), &patch(&change)).await.expect(200);
        }
    }

    /// Sends what is different.
    pub async fn update(&self, id: &str, before: &Person, after: &Person) {
        let path = format!("/Users/{id}");
        let answer = match self.client {
            Client::OktaCustom => {
                let mut whole = self.scim.get(&path).await.expect(200).clone();
                merge(&mut whole, &self.profile(after));
                self.scim.put(&path, &whole).await
            }
            Client::OktaCatalogue => {
                let (before, mut changed) = (self.profile(before), self.profile(after));
                changed.as_object_mut().expect("a user").retain(|name, value| before.get(name) != Some(value));
                self.scim.patch(&path, &patch(&json!([{"op": "replace", "value": changed}]))).await
            }
            Client::Entra => {
                let before = entra_attributes(before);
                let changed = entra_attributes(after).into_iter().filter(|one| !before.contains(one));
                let operation = |(path, value)| json!({"op": "Replace", "path": path, "value": value});
                self.scim.patch(&path, &patch(&changed.map(operation).collect())).await
            }
        };
        assert_eq!(answer.expect(200)["userName"], after.user_name.as_str());
    }

    /// Unassigned, or assigned again: then Okta looks the user up anew.
    pub async fn set_active(&self, id: &str, person: &Person, active: bool) {
        let path = format!("/Users/{id}");
        if active {
            assert_eq!(self.found(person).await, [id], "who has left is found again");
        }
        let answer = match self.client {
            Client::OktaCustom => {
                let mut whole = self.scim.get(&path).await.expect(200).clone();
                merge(&mut whole, &self.profile(person));
                whole["active"] = json!(active);
                self.scim.put(&path, &whole).await
            }
            Client::OktaCatalogue => {
                self.scim.patch(&path, &patch(&json!([{"op": "replace", "value": {"active": active}}]))).await
            }
            Client::Entra => {
                let text = if active { "True" } else { "False" };
                self.scim.patch(&path, &patch(&json!([{"op": "Replace", "path": "active", "value": text}]))).await
            }
        };
        assert_eq!(answer.expect(200)["active"], active);
        assert_eq!(self.scim.get(&path).await.expect(200)["active"], active);
    }

    /// Creates the group and fills it; returns its id.
    pub async fn push(&self, team: &Team, members: &[&String]) -> String {
        let filter = format!("displayName eq \"{}\"", team.name);
        assert_eq!(self.scim.search("/Groups", &filter).await.total(), 0);
        let mut body = json!({"schemas": [GROUP], "displayName": team.name});
        match self.client {
            Client::OktaCustom => body["members"] = json!([]),
            Client::OktaCatalogue => {}
            Client::Entra => {
                body["schemas"] = json!([GROUP, ENTRA_GROUP]);
                body["externalId"] = json!(team.external);
                body["meta"] = json!({"resourceType": "Group"});
            }
        }
        let created = self.scim.post("/Groups", &body).await;
        created.expect(201);
        let team = Team { id: created.id(), name: team.name.clone(), external: None };
        match self.client {
            Client::OktaCustom => {
                self.scim.get(&format!("/Groups/{}", team.id)).await.expect(200);
                self.put_members(&team, members).await;
            }
            Client::OktaCatalogue => {
                self.patch_group(&team, json!([name(&team)])).await;
                for members in members.chunks(BATCH) {
                    let add = json!({"op": "add", "path": "members", "value": values(members)});
                    self.patch_group(&team, json!([name(&team), add])).await;
                }
            }
            Client::Entra => self.patch_side_by_side(&team, "Add", members).await,
        }
        team.id
    }

    /// Takes `leave` out of the group, so that it is left with `stay`.
    pub async fn take_out(&self, team: &Team, leave: &[&String], stay: &[&String]) {
        match self.client {
            Client::OktaCustom => self.put_members(team, stay).await,
            Client::OktaCatalogue => {
                for leave in leave.chunks(BATCH) {
                    let remove = |id: &&String| json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")});
                    let operations: Vec<Value> = std::iter::once(name(team)).chain(leave.iter().map(remove)).collect();
                    self.patch_group(team, Value::from(operations)).await;
                }
            }
            Client::Entra => self.patch_side_by_side(team, "Remove", leave).await,
        }
    }

    async fn put_members(&self, team: &Team, members: &[&String]) {
        let body = json!({"schemas": [GROUP], "id": team.id, "displayName": team.name, "members": values(members)});
        let answer = self.scim.put(&format!("/Groups/{}", team.id), &body).await;
        assert_eq!(answer.expect(200)["members"].as_array().map(Vec::len), Some(members.len()));
    }

    async fn patch_group(&self, team: &Team, operations: Value) {
        self.scim.patch(&format!("/Groups/{}", team.id), &patch(&operations)).await.expect(204);
    }

    async fn patch_side_by_side(&self, team: &Team, op: &str, members: &[&String]) {
        let change = |members: &[&String]| {
            let values: Vec<Value> = members.iter().map(|id| json!({"$ref": null, "value": id})).collect();
            json!([{"op": op, "path": "members", "value": values}])
        };
        let changes = stream::iter(members.chunks(BATCH).map(change).collect::<Vec<Value>>());
        changes.for_each_concurrent(SIDE_BY_SIDE, |change| self.patch_group(team, change)).await;
    }

    /// What it sends of a person.
    fn profile(&self, person: &Person) -> Value {
        let mut user = okta_user(&person.user_name, person.given, person.family);
        user["schemas"] = json!([USER, ENTERPRISE]);
        user["externalId"] = json!(person.external);
        user["title"] = json!(person.title);
        user[ENTERPRISE] = json!({"department": person.department});
        if let Some(mobile) = person.mobile {
            user["phoneNumbers"] = json!([{"value": mobile, "type": "mobile"}]);
        }
        if self.client == Client::Entra {
            let user = user.as_object_mut().expect("a user");
            for of_okta in ["password", "groups", "locale"] {
                user.shift_remove(of_okta);
            }
            user.insert("meta".to_owned(), json!({"resourceType": "User"}));
            user.insert("roles".to_owned(), json!([]));
        } else if let Some(manager) = &person.manager {
            user[ENTERPRISE]["manager"] = json!({"value": manager});
        }
        user
    }
}

/// What Okta sends when it begins, and with every change of members.
fn name(team: &Team) -> Value {
    json!({"op": "replace", "value": {"id": team.id, "displayName": team.name}})
}

fn values(ids: &[&String]) -> Vec<Value> {
    ids.iter().map(|id| json!({"value": id, "display": null})).collect()
}

/// Okta's custom apps put what they know over what they have read.
fn merge(whole: &mut Value, known: &Value) {
    let empty = Map::new();
    for (name, value) in known.as_object().unwrap_or(&empty) {
        whole[name] = value.clone();
    }
}

/// The attributes by the paths that Entra ID changes them by.
fn entra_attributes(person: &Person) -> Vec<(String, Value)> {
    let mut all = vec![
        ("userName", json!(person.user_name)),
        ("name.givenName", json!(person.given)),
        ("name.familyName", json!(person.family)),
        ("displayName", json!(person.display())),
        ("emails[type eq \"work\"].value", json!(person.user_name)),
        ("title", json!(person.title)),
    ];
    all.extend(person.mobile.map(|mobile| ("phoneNumbers[type eq \"mobile\"].value", json!(mobile))));
    let mut all: Vec<(String, Value)> = all.into_iter().map(|(path, value)| (path.to_owned(), value)).collect();
    all.push((format!("{ENTERPRISE}:department"), json!(person.department)));
    all
}
