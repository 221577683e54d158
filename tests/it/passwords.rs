//! Passwords from the identity provider, on every kind of directory: carried over where the tenant says so, in every
//! request that can hold one, and nowhere else.

use crate::harness::{Kind, Proxy, Slapd};
use crate::world::{World, okta_user, patch};
use serde_json::json;

const FIRST: &str = "Sehr.Geheim-1";
const SECOND: &str = "Noch.Geheimer-2";
const THIRD: &str = "Am.Geheimsten-3";

const NAME: &str = "ada@example.test";

on_every_directory!(
    a_password_is_set_by_post_put_and_patch_and_never_shown,
    without_password_sync_no_password_is_set,
    a_user_without_a_password_gets_it_by_the_first_request_that_has_one,
    a_password_brings_nobody_back,
);

async fn syncing(kind: Kind, name: &str) -> World {
    World::on_with(kind, name, |config| config.tenant("password_sync = true").log("debug")).await
}

async fn a_password_is_set_by_post_put_and_patch_and_never_shown(kind: Kind) {
    let world = syncing(kind, "passwords").await;
    let mut user = okta_user(NAME, "Ada", "Lovelace");
    user["password"] = json!(FIRST);
    let created = world.scim.post("/Users", &user).await;
    assert!(created.expect(201).get("password").is_none());
    world.try_login(NAME, FIRST).await.unwrap();
    let path = format!("/Users/{}", created.id());

    user["password"] = json!(SECOND);
    user["title"] = json!("Countess");
    for _ in 0..2 {
        let changed = world.scim.put(&path, &user).await;
        assert!(changed.expect(200).get("password").is_none());
        world.try_login(NAME, SECOND).await.unwrap();
    }
    assert!(world.try_login(NAME, FIRST).await.is_err());

    for operations in [
        json!([{"op": "replace", "value": {"password": THIRD}}]),
        json!([{"op": "replace", "path": "password", "value": FIRST}]),
    ] {
        world.scim.patch(&path, &patch(&operations)).await.expect(200);
    }
    world.try_login(NAME, FIRST).await.unwrap();

    // Requests without one leave it alone.
    user.as_object_mut().unwrap().remove("password");
    user["title"] = json!("Lady");
    world.scim.put(&path, &user).await.expect(200);
    let operations = json!([{"op": "replace", "path": "active", "value": false}]);
    world.scim.patch(&path, &patch(&operations)).await.expect(200);
    assert!(world.try_login(NAME, FIRST).await.is_err(), "disabled");
    let operations = json!([{"op": "replace", "path": "active", "value": true}]);
    world.scim.patch(&path, &patch(&operations)).await.expect(200);
    world.try_login(NAME, FIRST).await.unwrap();
    assert!(world.scim.get(&path).await.expect(200).get("password").is_none());
    world.daemon.assert_no_secret_in_the_log(&[FIRST, SECOND, THIRD]);
}

async fn without_password_sync_no_password_is_set(kind: Kind) {
    let world = World::on(kind, "nopasswords").await;
    let mut user = okta_user(NAME, "Ada", "Lovelace");
    user["password"] = json!(FIRST);
    let created = world.scim.post("/Users", &user).await;
    let path = format!("/Users/{}", created.id());
    assert!(world.try_login(NAME, FIRST).await.is_err());
    world.set_password(NAME, SECOND).await;
    world.scim.put(&path, &user).await.expect(200);
    let operations = json!([{"op": "replace", "value": {"password": THIRD}}]);
    world.scim.patch(&path, &patch(&operations)).await.expect(200);
    world.try_login(NAME, SECOND).await.unwrap();
}

async fn a_user_without_a_password_gets_it_by_the_first_request_that_has_one(kind: Kind) {
    let world = syncing(kind, "laterpassword").await;
    let mut user = okta_user(NAME, "Ada", "Lovelace");
    user.as_object_mut().unwrap().remove("password");
    let created = world.scim.post("/Users", &user).await;
    assert_eq!(created.expect(201)["active"], true);
    // With another name at the same time.
    user["userName"] = json!("countess@example.test");
    user["password"] = json!(FIRST);
    world.scim.put(&format!("/Users/{}", created.id()), &user).await.expect(200);
    world.try_login("countess@example.test", FIRST).await.unwrap();
}

async fn a_password_brings_nobody_back(kind: Kind) {
    let world = syncing(kind, "leaverpassword").await;
    let mut user = okta_user(NAME, "Ada", "Lovelace");
    user["password"] = json!(FIRST);
    user["active"] = json!(false);
    let created = world.scim.post("/Users", &user).await;
    assert_eq!(created.expect(201)["active"], false);
    assert!(world.locked(NAME).await, "made with a password");
    let path = format!("/Users/{}", created.id());
    user["password"] = json!(SECOND);
    assert_eq!(world.scim.put(&path, &user).await.expect(200)["active"], false);
    assert!(world.locked(NAME).await, "after a PUT");
    let operations = json!([{"op": "replace", "value": {"password": THIRD}}]);
    assert_eq!(world.scim.patch(&path, &patch(&operations)).await.expect(200)["active"], false);
    assert!(world.locked(NAME).await, "after a PATCH");
    let operations = json!([{"op": "replace", "value": {"active": true, "password": FIRST}}]);
    assert_eq!(world.scim.patch(&path, &patch(&operations)).await.expect(200)["active"], true);
    world.try_login(NAME, FIRST).await.unwrap();
    let operations = json!([{"op": "replace", "value": {"active": false, "password": SECOND}}]);
    assert_eq!(world.scim.patch(&path, &patch(&operations)).await.expect(200)["active"], false);
    assert!(world.locked(NAME).await, "both at once");
}

#[tokio::test]
async fn a_password_that_openldaps_policy_refuses_leaves_nothing_behind() {
    let world = syncing(Kind::OpenLdap, "weakpassword").await;
    let mut user = okta_user(NAME, "Ada", "Lovelace");
    user["password"] = json!("abc");
    let refused = world.scim.post("/Users", &user).await;
    assert!(refused.expect_error(400, "invalidValue").contains("does not meet the domain's policy"));
    assert!(!world.has_user(NAME).await);
    user["password"] = json!(FIRST);
    let created = world.scim.post("/Users", &user).await;
    let path = format!("/Users/{}", created.id());
    let before = world.user(NAME).await;
    user["password"] = json!("abc");
    user["title"] = json!("Countess");
    let refused = world.scim.put(&path, &user).await;
    assert!(refused.expect_error(400, "invalidValue").contains("does not meet the domain's policy"));
    assert_eq!(world.changes(&before, &world.user(NAME).await), [""; 0]);
    world.try_login(NAME, FIRST).await.unwrap();
}

#[tokio::test]
async fn a_new_user_whose_connection_breaks_before_the_password_has_it_when_the_directory_is_back() {
    let proxy = Proxy::before(Slapd::shared().port());
    let world = World::with("passwordoutage", |config| {
        let config = config.urls(&[&proxy.url()]).directory("allow_plaintext = true").tenant("password_sync = true");
        config.store("key_file = \"store-key\"").file("store-key", &"7f".repeat(32))
    });
    let world = world.await;
    world.is_read();
    let mut user = okta_user(NAME, "Ada", "Lovelace");
    user["password"] = json!(FIRST);
    proxy.hold_next_extended();
    let break_off = async {
        proxy.await_held().await;
        assert!(world.has_user(NAME).await, "the entry is there, without its password");
        proxy.refuse();
    };
    let (created, ()) = tokio::join!(world.scim.post("/Users", &user), break_off);
    created.expect(201);
    assert_ne!(created.header("scim2ldap-owed"), "");
    proxy.resume();
    world.daemon.wait_for_log("the directory is back");
    let until = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while world.try_login(NAME, FIRST).await.is_err() {
        assert!(std::time::Instant::now() < until, "{}", world.daemon.log_text());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(world.scim.get(&format!("/Users/{}", created.id())).await.expect(200)["userName"], NAME);
}
