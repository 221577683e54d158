//! Intents carried out on the shadow by the same code that carries them out on a directory.

use serde_json::{Value, json};

use super::*;
use crate::bridge::carrier::{Carrier, Earlier};
use crate::bridge::snapshot::Snapshots;
use crate::bridge::target::Target;
use crate::bridge::{self, Action, Intent, Origin, Policy, Receipt, VersionMatch};
use crate::scim::{self, Patch, Projection, Query, Resource, ResourceKind};

/// A carrier on the shadow, in one job.
struct Bench {
    carrier: Carrier,
    mapping: Arc<Mapping>,
    shadow: Shadow,
}

impl World {
    async fn carry(&self, work: impl AsyncFnOnce(Bench) + Send + 'static) {
        let mapping = Arc::clone(&self.mapping);
        self.run(async move |shadow| {
            let policy = Policy {
                base_url: "https://scim.test/v2".to_owned(),
                groups: true,
                password_sync: false,
                max_results: 100,
                retry_after: 5,
                hands_over: false,
                protect: Arc::default(),
            };
            let carrier =
                Carrier::new(Arc::clone(&mapping), Target::Shadow(shadow.clone()), policy, Snapshots::default());
            work(Bench { carrier, mapping, shadow }).await;
        })
        .await;
    }
}

fn asked(kind: ResourceKind, action: Action, if_match: Option<VersionMatch>, answer: bool) -> Intent {
    Intent { kind, action, if_match, answer, origin: Origin::default() }
}

impl Bench {
    fn schema(&self, kind: ResourceKind) -> &scim::ResourceSchema {
        &self.mapping.of(kind).unwrap().schema
    }

    async fn apply(&self, kind: ResourceKind, action: Action) -> Result<Receipt, bridge::Fault> {
        self.carrier.apply(asked(kind, action, None, true), &Earlier::default()).await
    }

    async fn create(&self, kind: ResourceKind, body: Value) -> Result<Value, bridge::Fault> {
        let resource = Resource::from_client(body, self.schema(kind)).unwrap();
        self.apply(kind, Action::Create(resource)).await.map(shown)
    }

    async fn user(&self, name: &str) -> String {
        id(&self.create(ResourceKind::User, json!({ "userName": name })).await.unwrap())
    }

    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "displayName": name, "members": members });
        id(&self.create(ResourceKind::Group, body).await.unwrap())
    }

    async fn replace(&self, kind: ResourceKind, id: &str, body: Value) -> Result<Value, bridge::Fault> {
        let resource = Resource::from_client(body, self.schema(kind)).unwrap();
        self.apply(kind, Action::Replace { id: id.to_owned(), resource }).await.map(shown)
    }

    async fn patch(&self, kind: ResourceKind, id: &str, operations: Value) -> Result<Value, bridge::Fault> {
        let patch = Patch::from_client(json!({ "Operations": operations }), self.schema(kind)).unwrap();
        self.apply(kind, Action::Patch { id: id.to_owned(), patch }).await.map(shown)
    }

    /// A patch that nobody wants to see the outcome of.
    async fn push(&self, id: &str, operations: Value) -> Result<Receipt, bridge::Fault> {
        let kind = ResourceKind::Group;
        let patch = Patch::from_client(json!({ "Operations": operations }), self.schema(kind)).unwrap();
        let action = Action::Patch { id: id.to_owned(), patch };
        self.carrier.apply(asked(kind, action, None, false), &Earlier::default()).await
    }

    async fn delete(&self, kind: ResourceKind, id: &str) {
        assert!(matches!(self.apply(kind, Action::Delete { id: id.to_owned() }).await, Ok(Receipt::Deleted)));
    }

    async fn get(&self, kind: ResourceKind, id: &str) -> Result<Value, bridge::Fault> {
        self.carrier.get(kind, id, &Projection::default()).await.map(|resource| json_of(&resource))
    }

    async fn members(&self, id: &str) -> Vec<String> {
        let group = self.get(ResourceKind::Group, id).await.unwrap();
        let mut ids: Vec<String> = elements(&group["members"]).iter().map(|member| text(&member["value"])).collect();
        ids.sort();
        ids
    }

    async fn list(&self, kind: ResourceKind, pairs: &[(&str, &str)]) -> (usize, Vec<String>) {
        let query = Query::from_pairs(pairs.iter().copied(), self.schema(kind)).unwrap();
        let page = self.carrier.list(&[(kind, query)]).await.unwrap();
        (page.total, page.resources.into_iter().map(|(_, resource)| id(&json_of(&resource))).collect())
    }

    fn stored(&self, dn: &str, attribute: &str) -> Vec<String> {
        let entry = at(&self.shadow, dn, &[attribute]);
        entry.texts(&name(attribute)).map(ToOwned::to_owned).collect()
    }
}

fn shown(receipt: Receipt) -> Value {
    match receipt {
        Receipt::Created(resource) | Receipt::Updated(resource) => json_of(&resource),
        other => panic!("{other:?}"),
    }
}

fn json_of(resource: &Resource) -> Value {
    let mut text = String::new();
    resource.write_json(&mut text);
    serde_json::from_str(&text).unwrap()
}

fn id(resource: &Value) -> String {
    text(&resource["id"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

fn elements(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn is_taken(outcome: &Result<Value, bridge::Fault>) -> bool {
    matches!(outcome, Err(bridge::Fault::Request(fault)) if fault.kind == scim::FaultKind::Uniqueness)
}

const USER: ResourceKind = ResourceKind::User;
const GROUP: ResourceKind = ResourceKind::Group;

#[tokio::test]
async fn a_user_is_created_read_changed_and_deleted() {
    let world = World::new().await;
    world
        .carry(async |bench| {
            let body = json!({ "userName": "Ada", "name": { "givenName": "Ada", "familyName": "Lovelace" },
                "emails": [{ "type": "work", "value": "ada@x" }], "externalId": "00u1" });
            let ada = bench.create(USER, body.clone()).await.unwrap();
            assert_eq!((text(&ada["userName"]), ada["active"].as_bool()), ("Ada".to_owned(), Some(true)));
            assert!(ada["meta"]["created"].is_string() && ada["meta"]["lastModified"].is_string());
            let id = id(&ada);
            assert!(is_taken(&bench.create(USER, json!({ "userName": "ADA" })).await));
            assert_eq!(bench.get(USER, &id).await.unwrap()["emails"][0]["value"], "ada@x");
            let off = json!([{ "op": "replace", "value": { "active": false } }]);
            assert_eq!(bench.patch(USER, &id, off).await.unwrap()["active"], json!(false));
            assert_eq!(bench.list(USER, &[("filter", "active eq false")]).await, (1, vec![id.clone()]));
            let mut other = body;
            other["title"] = json!("Countess");
            other["emails"] = json!([]);
            other["active"] = json!(true);
            let ada = bench.replace(USER, &id, other).await.unwrap();
            assert_eq!(
                (text(&ada["title"]), ada.get("emails"), &ada["active"]),
                ("Countess".to_owned(), None, &json!(true))
            );
            bench.delete(USER, &id).await;
            assert!(matches!(bench.get(USER, &id).await, Err(bridge::Fault::NotFound { .. })));
            assert!(bench.create(USER, json!({ "userName": "ada" })).await.is_ok());
        })
        .await;
}

#[tokio::test]
async fn a_version_is_good_until_the_resource_changes() {
    let world = World::new().await;
    world
        .carry(async |bench| {
            let ada = bench.create(USER, json!({ "userName": "ada" })).await.unwrap();
            let change = async |title: &str| {
                let operations = json!([{ "op": "add", "path": "title", "value": title }]);
                let patch = Patch::from_client(json!({ "Operations": operations }), bench.schema(USER)).unwrap();
                let if_match = Some(VersionMatch::OneOf(vec![text(&ada["meta"]["version"])]));
                let action = Action::Patch { id: id(&ada), patch };
                bench.carrier.apply(asked(USER, action, if_match, true), &Earlier::default()).await
            };
            assert!(change("Dr").await.is_ok());
            assert!(matches!(change("Prof").await, Err(bridge::Fault::PreconditionFailed)));
        })
        .await;
}

#[tokio::test]
async fn members_come_and_go_and_the_last_one_leaves_nobody() {
    let world = World::new().await;
    world
        .carry(async |bench| {
            let (ada, bob) = (bench.user("ada").await, bench.user("bob").await);
            let staff = bench.group("staff", &[]).await;
            assert_eq!(bench.stored("cn=staff,ou=groups,dc=x", "member"), [""]);
            let add = |ids: &[&String]| {
                let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
                json!([{ "op": "add", "path": "members", "value": members }])
            };
            let remove = |id: &String| json!([{ "op": "remove", "path": format!("members[value eq \"{id}\"]") }]);
            bench.push(&staff, add(&[&ada])).await.unwrap();
            bench.push(&staff, add(&[&ada, &bob])).await.unwrap();
            let mut both = vec![ada.clone(), bob.clone()];
            both.sort();
            assert_eq!(bench.members(&staff).await, both);
            assert_eq!(bench.stored("cn=staff,ou=groups,dc=x", "member").len(), 2);
            let groups = bench.get(USER, &ada).await.unwrap()["groups"].clone();
            assert_eq!((elements(&groups).len(), &groups[0]["value"]), (1, &json!(staff)));
            bench.push(&staff, remove(&ada)).await.unwrap();
            bench.push(&staff, remove(&ada)).await.unwrap();
            bench.push(&staff, remove(&bob)).await.unwrap();
            assert!(bench.members(&staff).await.is_empty());
            assert_eq!(bench.stored("cn=staff,ou=groups,dc=x", "member"), [""]);
            let renamed = json!([{ "op": "replace", "value": { "displayName": "crew" } },
                { "op": "replace", "path": "members", "value": [{ "value": bob }] }]);
            let crew = bench.patch(GROUP, &staff, renamed).await.unwrap();
            assert_eq!((text(&crew["displayName"]), elements(&crew["members"]).len()), ("crew".to_owned(), 1));
            assert_eq!(bench.list(GROUP, &[("filter", &format!("members.value eq \"{bob}\""))]).await.0, 1);
            assert!(is_taken(&bench.create(GROUP, json!({ "displayName": "Crew" })).await));
            let nobody = bench.push(&staff, add(&[&"0a0a0a0a-0000-4000-8000-000000000000".to_owned()])).await;
            assert!(matches!(nobody, Err(bridge::Fault::Request(_))));
        })
        .await;
}

#[tokio::test]
async fn who_is_renamed_or_deleted_leaves_no_trace_by_the_old_name() {
    let world = World::new().await;
    world
        .carry(async |bench| {
            let (ada, bob) = (bench.user("ada").await, bench.user("bob").await);
            let staff = bench.group("staff", &[&ada]).await;
            let manager = json!([{ "op": "add", "value": {
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "manager": { "value": "ADA" } } } }]);
            let report = bench.patch(USER, &bob, manager).await.unwrap();
            let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
            assert_eq!(report[enterprise]["manager"]["value"], json!(ada));
            let rename = json!([{ "op": "replace", "path": "userName", "value": "lovelace" }]);
            assert_eq!(bench.patch(USER, &ada, rename).await.unwrap()["userName"], "lovelace");
            assert_eq!(bench.stored("uid=bob,ou=people,dc=x", "manager"), ["uid=lovelace,ou=people,dc=x"]);
            assert_eq!(bench.members(&staff).await, std::slice::from_ref(&ada));
            let taken = json!([{ "op": "replace", "path": "userName", "value": "Bob" }]);
            assert!(is_taken(&bench.patch(USER, &ada, taken).await));
            bench.delete(USER, &ada).await;
            assert!(bench.stored("uid=bob,ou=people,dc=x", "manager").is_empty());
            assert_eq!(bench.stored("cn=staff,ou=groups,dc=x", "member"), [""]);
        })
        .await;
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let world = World::new().await;
    world
        .carry(async |bench| {
            let mut ids = Vec::new();
            for number in 0..12 {
                ids.push(bench.user(&format!("user{number:02}")).await);
            }
            bench.group("user01", &[]).await;
            assert_eq!(bench.list(USER, &[("filter", "userName eq \"USER03\"")]).await, (1, vec![ids[3].clone()]));
            let page =
                [("filter", "userName sw \"user0\""), ("sortBy", "userName"), ("startIndex", "3"), ("count", "4")];
            assert_eq!(bench.list(USER, &page).await, (10, ids[2..6].to_vec()));
            assert_eq!(bench.list(USER, &[("count", "5")]).await.0, 12);
            assert_eq!(bench.list(USER, &[("filter", "userName eq \"nobody\"")]).await, (0, Vec::new()));
            assert_eq!(
                bench.list(USER, &[("filter", &format!("id eq \"{}\"", ids[7]))]).await,
                (1, vec![ids[7].clone()])
            );
            let recent = "meta.lastModified gt \"2020-01-01T00:00:00Z\" and not (userName co \"1\")";
            assert_eq!(bench.list(USER, &[("filter", recent)]).await.0, 9);
        })
        .await;
}

#[tokio::test]
async fn active_directory_and_389ds_are_modelled_too() {
    for (kind, table) in [(Kind::ActiveDirectory, "active-directory"), (Kind::Ds389, "389ds")] {
        let world = World::with(kind, table, &[]).await;
        world
            .carry(async move |bench| {
                let (ada, bob) = (bench.user("ada@x.test").await, bench.user("bob@x.test").await);
                let twice = bench.create(USER, json!({ "userName": "ADA@x.test" })).await;
                assert!(is_taken(&twice), "{table}: {twice:?}");
                let staff = bench.group("staff", &[&ada, &bob]).await;
                let off = json!([{ "op": "replace", "value": { "active": false } }]);
                assert_eq!(bench.patch(USER, &ada, off).await.unwrap()["active"], json!(false), "{table}");
                assert_eq!(bench.list(USER, &[("filter", "active eq false")]).await, (1, vec![ada.clone()]), "{table}");
                assert_eq!(elements(&bench.get(USER, &bob).await.unwrap()["groups"]).len(), 1, "{table}");
                bench.delete(USER, &ada).await;
                assert_eq!(bench.members(&staff).await, std::slice::from_ref(&bob), "{table}");
                let remove =
                    json!([{ "op": "remove", "path": "members", "value": [{ "value": bob }, { "value": ada }] }]);
                bench.push(&staff, remove).await.unwrap();
                assert!(bench.members(&staff).await.is_empty(), "{table}");
                assert_eq!(bench.list(USER, &[]).await.0, 1, "{table}");
            })
            .await;
    }
}

#[tokio::test]
async fn deleted_users_can_be_moved_away_and_disabled_ones_too() {
    let changes = [
        ("disable = \"ppolicy\"", "disable = { move_to = \"ou=off,{base_dn}\" }"),
        ("delete = \"delete\"\n\nattributes", "delete = { move_to = \"ou=old,{base_dn}\" }\n\nattributes"),
    ];
    let world = World::with(Kind::OpenLdap, "openldap", &changes).await;
    world
        .carry(async |bench| {
            let ada = bench.user("ada").await;
            let staff = bench.group("staff", &[&ada]).await;
            let active = |active: bool| json!([{ "op": "replace", "value": { "active": active } }]);
            assert_eq!(bench.patch(USER, &ada, active(false)).await.unwrap()["active"], json!(false));
            assert_eq!(bench.stored("cn=staff,ou=groups,dc=x", "member"), ["uid=ada,ou=off,dc=x"]);
            assert_eq!(bench.members(&staff).await, std::slice::from_ref(&ada));
            assert_eq!(bench.patch(USER, &ada, active(true)).await.unwrap()["active"], json!(true));
            bench.delete(USER, &ada).await;
            let again = bench.user("ada").await;
            bench.delete(USER, &again).await;
            assert_eq!(bench.stored("cn=staff,ou=groups,dc=x", "member"), [""]);
            assert_eq!(found(&bench.shadow, Scope::One, "ou=old,dc=x", "(objectClass=*)").len(), 2);
            assert_eq!(bench.list(USER, &[]).await.0, 0);
        })
        .await;
}

#[tokio::test]
async fn groups_can_hold_names_instead_of_dns() {
    let changes = [
        ("object_class = [\"top\", \"groupOfNames\"]", "object_class = [\"top\", \"posixGroup\"]"),
        ("filter = \"(objectClass=groupOfNames)\"", "filter = \"(objectClass=posixGroup)\""),
        ("members = \"member\"", "members = { attribute = \"memberUid\", value = \"uid\" }"),
    ];
    let world = World::with(Kind::OpenLdap, "openldap", &changes).await;
    world
        .carry(async |bench| {
            let (ada, bob) = (bench.user("Ada").await, bench.user("bob").await);
            let staff = bench.group("staff", &[&ada]).await;
            assert_eq!(bench.stored("cn=staff,ou=groups,dc=x", "memberUid"), ["Ada"]);
            let both = json!([{ "op": "replace", "path": "members", "value": [{ "value": bob }, { "value": ada }] }]);
            bench.push(&staff, both).await.unwrap();
            assert_eq!(bench.stored("cn=staff,ou=groups,dc=x", "memberUid"), ["Ada", "bob"]);
            assert_eq!(elements(&bench.get(USER, &bob).await.unwrap()["groups"]).len(), 1);
        })
        .await;
}

#[tokio::test]
async fn a_run_knows_what_it_wrote_and_saw() {
    let world = World::new().await;
    world
        .carry(async |bench| {
            let (ada, bob) = (bench.user("ada").await, bench.user("bob").await);
            let staff = bench.group("staff", &[&ada]).await;
            let mut all = vec![ada.clone(), bob.clone(), staff.clone()];
            all.sort();
            assert_eq!(bench.shadow.run().written(), all);
            assert_eq!(bench.shadow.run().seen(), std::slice::from_ref(&ada));
            assert!(bench.shadow.run().fault().is_none());
        })
        .await;
    world
        .carry(async |bench| {
            let ada = bench.list(USER, &[("filter", "userName eq \"ada\"")]).await.1.remove(0);
            let staff = bench.list(GROUP, &[("filter", "displayName eq \"staff\"")]).await.1.remove(0);
            bench.delete(USER, &ada).await;
            let mut written = vec![ada, staff];
            written.sort();
            assert_eq!(bench.shadow.run().written(), written);
            assert_eq!(bench.shadow.run().seen(), written);
        })
        .await;
}

/// The group's members are never read as a whole, and what is written does not grow with them.
#[tokio::test]
async fn one_more_member_costs_the_same_in_a_group_of_a_hundred_thousand() {
    let world = World::new().await;
    let staff = world
        .run(async |shadow| {
            let members: Vec<String> = (0..100_000).map(|at| format!("uid=u{at},ou=people,dc=x")).collect();
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            let ids = [name("entryUUID")];
            let read = shadow.add(&dn("cn=staff,ou=groups,dc=x"), &group("staff", &members), &ids).unwrap().unwrap();
            read.text(&ids[0]).unwrap().to_owned()
        })
        .await;
    world
        .carry(async move |bench| {
            let ada = bench.user("ada").await;
            for op in ["add", "remove", "add"] {
                let operation = json!([{ "op": op, "path": "members", "value": [{ "value": ada }] }]);
                bench.push(&staff, operation).await.unwrap();
            }
            let field = field(&name("member"));
            let group = bench.shadow.doc_at(&dn("cn=staff,ou=groups,dc=x")).unwrap().unwrap();
            assert_eq!(bench.shadow.session.count_links(group.row, &field).unwrap(), 100_001);
            assert!(record::written(&group.entry, group.kinds).len() < 1000);
        })
        .await;
}
