//! A user's life as Okta's two flavours of provisioning tell it: custom apps (AIW) read and PUT, catalogue apps (OIN)
//! PATCH. After each step the LDAP entry is read without the bridge and compared attribute by attribute.

use crate::harness::{Attributes, Credential, Kind};
use crate::world::{ENTERPRISE, USER, World, okta_user, patch};
use serde_json::{Value, json};

on_every_directory! {
    a_new_user_becomes_an_entry_with_what_was_sent_and_nothing_else,
    a_new_user_is_answered_with_the_whole_resource,
    aiw_changes_a_profile_and_the_entry_changes_in_the_same_places_only,
    a_put_that_changes_nothing_writes_nothing,
    values_that_the_mapping_does_not_name_are_never_touched,
    aiw_deactivates_and_reactivates_by_put_and_the_account_is_locked_meanwhile,
    oin_deactivates_changes_and_reactivates_by_patch,
    a_new_user_name_renames_the_entry_and_the_id_and_the_memberships_stay,
    a_user_name_that_is_taken_is_refused_and_nothing_changes,
    the_crud_suite_passes_in_both_flavours,
    the_log_tells_everything_but_secrets_even_at_its_most_talkative,
}

const ANN: &str = "ann.lee@example.com";

/// Ann with everything that an ordinary profile has, as Okta sends it.
fn ann() -> Value {
    let mut user = okta_user(ANN, "Ann", "Lee");
    user["schemas"] = json!([USER, ENTERPRISE]);
    user["title"] = json!("Researcher");
    user["phoneNumbers"] = json!([{"value": "+1 555 0100", "type": "mobile"}]);
    user[ENTERPRISE] = json!({"department": "Research"});
    user
}

/// What stands in the directory for her and follows from what was sent.
fn expected(kind: Kind) -> Attributes {
    let facts = kind.facts();
    let mut entry: Vec<(&str, &[&str])> = vec![
        ("objectClass", facts.person),
        (facts.user_name, &[ANN]),
        ("employeeNumber", &["00ujl29u0le5T6Aj10h7"]),
        ("givenName", &["Ann"]),
        ("sn", &["Lee"]),
        ("cn", if facts.cn_from_name { &["Ann Lee"] } else { &[ANN] }),
        ("displayName", &["Ann Lee"]),
        ("mail", &[ANN]),
        ("mobile", &["+1 555 0100"]),
        ("title", &["Researcher"]),
        (facts.department, &["Research"]),
    ];
    if kind == Kind::ActiveDirectory {
        entry.extend([("sAMAccountName", &["ann.lee"] as &[&str]), (facts.lock, facts.unlocked)]);
    }
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    entry.into_iter().map(|(name, values)| (name.to_owned(), owned(values))).collect()
}

impl World {
    /// The change that locks an account.
    fn lock(&self) -> String {
        format!("{}: [{}] -> [{}]", self.facts().lock, self.facts().unlocked.concat(), self.facts().locked)
    }

    /// The change that unlocks it.
    fn unlock(&self) -> String {
        format!("{}: [{}] -> [{}]", self.facts().lock, self.facts().locked, self.facts().unlocked.concat())
    }

    /// These changes, and that of the cn where it follows the names; sorted.
    fn with_cn(&self, before: &str, after: &str, others: &[&str]) -> Vec<String> {
        let cn = self.facts().cn_from_name.then(|| format!("cn: [{before}] -> [{after}]"));
        let mut all: Vec<String> = cn.into_iter().chain(others.iter().map(|change| (*change).to_owned())).collect();
        all.sort();
        all
    }

    /// Looks the user up, as Okta does before everything else, and creates her; returns her id.
    async fn assign(&self, user: &Value) -> String {
        let filter = format!("userName eq {}", user["userName"]);
        assert_eq!(self.scim.search("/Users", &filter).await.total(), 0);
        let created = self.scim.post("/Users", user).await;
        created.expect(201);
        let id = created.id();
        let read = self.scim.get(&format!("/Users/{id}")).await;
        assert_eq!(read.expect(200), &created.body, "what is read differs from what creating it answered");
        id
    }

    /// AIW's update: read, merge, PUT. Returns what it changed in the directory.
    async fn update(&self, id: &str, merge: impl FnOnce(&mut Value)) -> Vec<String> {
        let uid = self.scim.get(&format!("/Users/{id}")).await.expect(200)["userName"].as_str().unwrap().to_owned();
        let before = self.user(&uid).await;
        let mut profile = self.scim.get(&format!("/Users/{id}")).await.expect(200).clone();
        merge(&mut profile);
        let answer = self.scim.put(&format!("/Users/{id}"), &profile).await;
        assert_eq!(answer.expect(200), self.scim.get(&format!("/Users/{id}")).await.expect(200));
        assert_eq!(answer.id(), id);
        self.changes(&before, &self.user(answer.body["userName"].as_str().unwrap()).await)
    }

    /// OIN's update: a PATCH without a path. Returns what it changed in the directory.
    async fn patched(&self, id: &str, uid: &str, value: Value) -> Vec<String> {
        let before = self.user(uid).await;
        let answer =
            self.scim.patch(&format!("/Users/{id}"), &patch(&json!([{"op": "replace", "value": value}]))).await;
        assert_eq!(answer.expect(200), self.scim.get(&format!("/Users/{id}")).await.expect(200));
        self.changes(&before, &self.user(answer.body["userName"].as_str().unwrap()).await)
    }
}

async fn a_new_user_becomes_an_entry_with_what_was_sent_and_nothing_else(kind: Kind) {
    let world = World::on(kind, "life-create").await;
    let id = world.assign(&ann()).await;

    let mut entry = world.raw.entry(&world.dn(ANN)).await.unwrap();
    entry.retain(|name, _| !kind.facts().supplied.contains(&name.as_str()));
    assert_eq!(entry, expected(kind));
    assert_eq!(kind.scim_id(&world.user(ANN).await), id);
}

async fn a_new_user_is_answered_with_the_whole_resource(kind: Kind) {
    let world = World::on(kind, "life-answer").await;
    let created = world.scim.post("/Users", &ann()).await;
    let user = created.expect(201);
    let sent = ann();
    for name in ["userName", "externalId", "displayName", "title", "active", ENTERPRISE] {
        assert_eq!(user[name], sent[name], "{name}");
    }
    for name in ["givenName", "familyName"] {
        assert_eq!(user["name"][name], sent["name"][name], "{name}");
    }
    assert_eq!(user["emails"], sent["emails"]);
    assert_eq!(user["phoneNumbers"], json!([{"value": "+1 555 0100", "type": "mobile", "primary": true}]));
    assert_eq!(user["meta"]["resourceType"], "User");
    for name in ["created", "lastModified", "version", "location"] {
        assert!(user["meta"][name].is_string(), "meta.{name} of {user:#}");
    }
    let location = created.header("location");
    assert!(location.ends_with(&format!("/scim/v2/Users/{}", created.id())), "{location}");
}

async fn aiw_changes_a_profile_and_the_entry_changes_in_the_same_places_only(kind: Kind) {
    let world = World::on(kind, "life-aiw-profile").await;
    let id = world.assign(&ann()).await;

    let changed = world.update(&id, |user| {
        user["title"] = json!("Head of Research");
        user["name"]["givenName"] = json!("Ann Marie");
    });
    let others = ["givenName: [Ann] -> [Ann Marie]", "title: [Researcher] -> [Head of Research]"];
    let expected = world.with_cn("Ann Lee", "Ann Marie Lee", &others);
    assert_eq!(changed.await, expected);

    for empty in [json!(""), Value::Null] {
        let cleared = world.update(&id, |user| user["title"] = empty).await;
        assert_eq!(cleared, ["title: [Head of Research] -> []"]);
        world.update(&id, |user| user["title"] = json!("Head of Research")).await;
    }
    let left_out = world.update(&id, |user| {
        user.as_object_mut().unwrap().shift_remove("title");
    });
    assert_eq!(left_out.await, ["title: [Head of Research] -> []"]);
}

async fn a_put_that_changes_nothing_writes_nothing(kind: Kind) {
    let world = World::on(kind, "life-aiw-nothing").await;
    let id = world.assign(&ann()).await;
    let before = world.user(ANN).await;
    assert_eq!(world.update(&id, |_| ()).await, [""; 0]);
    assert_eq!(world.user(ANN).await, before, "the entry was written to");
}

async fn values_that_the_mapping_does_not_name_are_never_touched(kind: Kind) {
    let world = World::on(kind, "life-unmapped").await;
    let id = world.assign(&ann()).await;
    world.raw.replace(&world.dn(ANN), "roomNumber", &["4.17"]).await;
    world.set_password(ANN, "Her-Own-Secret-1").await;

    let changed = world.update(&id, |user| user["title"] = json!("Head of Research")).await;
    assert_eq!(changed, ["title: [Researcher] -> [Head of Research]"]);
    assert_eq!(world.user(ANN).await["roomNumber"], ["4.17"]);
    assert_eq!(world.try_login(ANN, "Her-Own-Secret-1").await, Ok(()));
}

async fn aiw_deactivates_and_reactivates_by_put_and_the_account_is_locked_meanwhile(kind: Kind) {
    let world = World::on(kind, "life-aiw-active").await;
    let id = world.assign(&ann()).await;
    world.set_password(ANN, "Her-Own-Secret-1").await;
    let may_log_in = async || world.try_login(ANN, "Her-Own-Secret-1").await.is_ok();
    assert!(may_log_in().await);

    assert_eq!(world.update(&id, |user| user["active"] = json!(false)).await, [world.lock()]);
    assert!(!may_log_in().await);
    let found = world.scim.search("/Users", &format!("userName eq \"{ANN}\"")).await;
    assert_eq!((found.total(), &found.resources()[0]["active"]), (1, &json!(false)));
    assert_eq!(found.resources()[0]["id"], id.as_str());

    assert_eq!(world.update(&id, |user| user["active"] = json!(true)).await, [world.unlock()]);
    assert!(may_log_in().await);
}

async fn oin_deactivates_changes_and_reactivates_by_patch(kind: Kind) {
    let world = World::on(kind, "life-oin").await;
    let id = world.assign(&ann()).await;

    assert_eq!(world.patched(&id, ANN, json!({"active": false})).await, [world.lock()]);
    assert_eq!(world.patched(&id, ANN, json!({"active": false})).await, [""; 0]);
    assert_eq!(world.scim.get(&format!("/Users/{id}")).await.expect(200)["active"], false);
    let found = world.scim.search("/Users", &format!("userName eq \"{ANN}\"")).await;
    assert_eq!(found.resources()[0]["active"], false);
    assert_eq!(world.patched(&id, ANN, json!({"active": true})).await, [world.unlock()]);

    let profile = json!({"title": "Head of Research", "name": {"familyName": "Miller"}});
    let others = ["sn: [Lee] -> [Miller]", "title: [Researcher] -> [Head of Research]"];
    let expected = world.with_cn("Ann Lee", "Ann Miller", &others);
    assert_eq!(world.patched(&id, ANN, profile).await, expected, "givenName must stay");
    assert_eq!(world.patched(&id, ANN, json!({"password": "2nz061or"})).await, [""; 0]);
}

async fn a_new_user_name_renames_the_entry_and_the_id_and_the_memberships_stay(kind: Kind) {
    let world = World::on(kind, "life-rename").await;
    let id = world.assign(&ann()).await;
    let group = world.group_dn("research");
    let class = kind.facts().group_class;
    world.raw.add(&group, &[("objectClass", &["top", class]), ("member", &[&world.dn(ANN)])]).await;

    let changed = world.update(&id, |user| {
        user["userName"] = json!("ann.miller@example.com");
        user["name"]["familyName"] = json!("Miller");
    });
    let dn = world.dn("ann.miller@example.com");
    let renamed = format!("{}: [{ANN}] -> [ann.miller@example.com]", kind.facts().user_name);
    let mut expected = world.with_cn("Ann Lee", "Ann Miller", &["sn: [Lee] -> [Miller]", &renamed]);
    if !kind.facts().cn_from_name {
        expected.insert(0, format!("cn: [{ANN}] -> [ann.miller@example.com]"));
    }
    assert_eq!(changed.await, expected);
    assert_eq!(world.raw.entry(&world.dn(ANN)).await, None);
    world.raw.wait_for(&group, |group| group["member"] == [dn.as_str()]).await;
    assert_eq!(world.scim.search("/Users", &format!("userName eq \"{ANN}\"")).await.total(), 0);
}

async fn a_user_name_that_is_taken_is_refused_and_nothing_changes(kind: Kind) {
    let world = World::on(kind, "life-taken").await;
    world.assign(&ann()).await;
    let other = world.assign(&okta_user("bob@example.com", "Bob", "Ray")).await;
    let before = world.user("bob@example.com").await;

    let mut profile = world.scim.get(&format!("/Users/{other}")).await.expect(200).clone();
    profile["userName"] = json!("ANN.LEE@example.com");
    profile["title"] = json!("Impostor");
    world.scim.put(&format!("/Users/{other}"), &profile).await.expect_error(409, "uniqueness");
    assert_eq!(world.user("bob@example.com").await, before);
}

async fn the_crud_suite_passes_in_both_flavours(kind: Kind) {
    let world = World::on(kind, "life-crud").await;
    let id = world.assign(&ann()).await;
    assert_eq!(world.scim.search("/Users", &format!("userName eq \"{ANN}\"")).await.total(), 1);
    let path = format!("/Users/{id}");
    let is_active = async || world.scim.get(&path).await.expect(200)["active"].as_bool().unwrap();

    world.update(&id, |user| user["name"]["givenName"] = json!("Anna")).await;
    assert_eq!(world.scim.get(&path).await.expect(200)["name"]["givenName"], "Anna");
    world.update(&id, |user| user["active"] = json!(false)).await;
    assert!(!is_active().await);
    world.update(&id, |user| user["active"] = json!(true)).await;
    assert!(is_active().await);
    world.patched(&id, ANN, json!({"active": false})).await;
    assert!(!is_active().await);
}

#[tokio::test]
async fn every_form_of_credential_opens_the_same_door() {
    use crate::harness::{BASIC, BEARER, HEADER};
    let world = World::new("life-credentials").await;
    let Credential::Basic(name, password) = BASIC else { unreachable!() };
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{name}:{password}"));
    for credential in [BASIC, BEARER, HEADER, Credential::Bearer(&encoded)] {
        let answer = world.daemon.scim(credential).get("/Users?startIndex=1&count=2").await;
        assert_eq!(answer.total(), 0, "{credential:?}");
    }
}

async fn the_log_tells_everything_but_secrets_even_at_its_most_talkative(kind: Kind) {
    let world = World::on_with(kind, "life-secrets", |config| config.log("trace")).await;
    let id = world.assign(&ann()).await;
    world.update(&id, |user| user["password"] = json!("2nz061or")).await;
    world.patched(&id, ANN, json!({"password": "3oz172ps"})).await;
    world.daemon.scim(Credential::Bearer("A-Wrong-Token")).get("/Users").await.expect(401);

    let log = world.daemon.log_text();
    assert!(log.contains(&world.dn(ANN)), "the log is not talkative at all");
    world.daemon.assert_no_secret_in_the_log(&["1mz050nq", "2nz061or", "3oz172ps", "A-Wrong-Token"]);
}
