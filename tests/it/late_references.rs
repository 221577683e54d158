//! A user may be sent before the manager that the request names: the reference waits, and is set when the manager is
//! there.

use crate::harness::{BASIC, Kind};
use crate::world::{ENTERPRISE, USER, World, okta_user, patch};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

on_every_directory!(
    a_manager_who_comes_after_the_report_is_set,
    a_report_and_then_its_manager_during_one_outage_end_together,
);

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

/// A user with a manager, as Okta sends it.
fn report(name: &str, manager: &str) -> Value {
    let mut user = okta_user(name, "Re", "Port");
    user["schemas"] = json!([USER, ENTERPRISE]);
    user[ENTERPRISE] = json!({ "manager": { "value": manager } });
    user
}

/// A user whose address is not the userName.
fn with_mail(name: &str, mail: &str) -> Value {
    let mut user = okta_user(name, "Bo", "Ss");
    user["emails"] = json!([{ "primary": true, "value": mail, "type": "work" }]);
    user
}

fn waiting(world: &World) -> Vec<Value> {
    let output = world.daemon.command(&["queue", "list", "--state", "waiting", "--json"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|fault| panic!("{fault}: {output:?}"));
    list["items"].as_array().unwrap().clone()
}

/// Waits until the directory says that `name` has this manager and nothing waits or is owed.
async fn has_manager(world: &World, name: &str, manager: Option<&str>) {
    let wanted: Vec<String> = manager.iter().map(|manager| world.dn(manager)).collect();
    let end = Instant::now() + Duration::from_secs(40);
    loop {
        let found = if world.has_user(name).await { world.user(name).await } else { BTreeMap::default() };
        let has = found.get("manager").cloned().unwrap_or_default();
        let left = world.daemon.command(&["queue", "list", "--json"]);
        let left: Value = serde_json::from_slice(&left.stdout).unwrap();
        if has == wanted && left["items"] == json!([]) {
            return;
        }
        assert!(Instant::now() < end, "{name}: {has:?}, not {wanted:?}; {left}\n{}", world.daemon.log_text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn a_manager_who_comes_after_the_report_is_set(kind: Kind) {
    let (_proxy, world) = World::away(kind, "late-live").await;
    let scim = &world.scim;
    let by_name = scim.post("/Users", &report("report1", "Boss1")).await;
    by_name.expect(201);
    assert!(by_name.body[ENTERPRISE]["manager"].is_null(), "the answer shows what is stored");
    scim.post("/Users", &report("report2", "the.boss@example.com")).await.expect(201);
    let third = scim.post("/Users", &okta_user("report3", "Re", "Port")).await;
    third.expect(201);
    let sets = patch(&json!([{"op": "add", "path": MANAGER, "value": "boss1"}]));
    scim.patch(&format!("/Users/{}", third.id()), &sets).await.expect(200);
    let items = waiting(&world);
    assert_eq!(items.len(), 3, "{items:?}");
    assert!(items[0]["reason"].as_str().unwrap().contains("Boss1"));

    // What waits is not owed: others are carried out at once.
    let other = scim.post("/Users", &okta_user("other", "O", "Ther")).await;
    other.expect(201);
    assert_eq!(other.header("scim2ldap-owed"), "");

    scim.post("/Users", &with_mail("boss1", "boss1@example.com")).await.expect(201);
    has_manager_beside(&world, "report1", "boss1").await;
    has_manager_beside(&world, "report3", "boss1").await;
    let boss2 = scim.post("/Users", &with_mail("boss2", "boss2@example.com")).await;
    boss2.expect(201);
    assert_eq!(waiting(&world).len(), 1, "nobody has that address yet");
    let mail =
        patch(&json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "the.boss@example.com"}]));
    scim.patch(&format!("/Users/{}", boss2.id()), &mail).await.expect(200);
    has_manager(&world, "report2", Some("boss2")).await;
    let shown = scim.get(&format!("/Users/{}", by_name.id())).await;
    assert!(!shown.expect(200)[ENTERPRISE]["manager"]["value"].is_null());
}

/// Waits until the directory says that `name` has this manager, while others may still wait.
async fn has_manager_beside(world: &World, name: &str, manager: &str) {
    let end = Instant::now() + Duration::from_secs(40);
    while world.user(name).await.get("manager") != Some(&vec![world.dn(manager)]) {
        assert!(Instant::now() < end, "{name}\n{}", world.daemon.log_text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn a_report_and_then_its_manager_during_one_outage_end_together(kind: Kind) {
    let (proxy, mut world) = World::away(kind, "late-outage").await;
    proxy.refuse();
    let report1 = world.scim.post("/Users", &report("report1", "boss")).await;
    report1.expect(201);
    assert_eq!(waiting(&world).len(), 1);
    world.daemon.kill();
    world.daemon.restart();
    world.scim = world.daemon.scim(BASIC);
    let boss = world.scim.post("/Users", &okta_user("boss", "Bo", "Ss")).await;
    boss.expect(201);
    world.scim.post("/Users", &report("report2", &boss.id())).await.expect(201);
    assert_eq!(waiting(&world), Vec::<Value>::new());
    let shown = world.scim.get(&format!("/Users/{}", report1.id())).await;
    assert_eq!(shown.expect(200)[ENTERPRISE]["manager"]["value"], boss.id(), "as it will be");
    proxy.resume();
    has_manager(&world, "report1", Some("boss")).await;
    has_manager(&world, "report2", Some("boss")).await;
    // The id that was given out during the outage goes on meaning the same entry.
    world.scim.post("/Users", &report("report3", &boss.id())).await.expect(201);
    has_manager(&world, "report3", Some("boss")).await;
}

#[tokio::test]
async fn what_waits_outlives_the_process_and_finds_a_manager_made_beside_the_bridge() {
    let mut world = World::new("late-beside").await;
    world.is_read();
    world.scim.post("/Users", &report("report", "boss")).await.expect(201);
    world.daemon.kill();
    assert_eq!(waiting(&world).len(), 1);
    world.add_user("boss", &[]).await;
    world.daemon.restart();
    world.scim = world.daemon.scim(BASIC);
    has_manager(&world, "report", Some("boss")).await;
}

#[tokio::test]
async fn a_later_word_about_the_manager_counts_more_than_what_waits() {
    let world = World::new("late-later").await;
    world.is_read();
    let scim = &world.scim;
    let mut paths = Vec::new();
    for name in ["put", "patched", "removed", "deleted", "renamed"] {
        let user = scim.post("/Users", &report(name, "boss")).await;
        user.expect(201);
        paths.push(format!("/Users/{}", user.id()));
    }
    scim.post("/Users", &okta_user("another", "An", "Other")).await.expect(201);
    assert_eq!(waiting(&world).len(), 5);
    scim.put(&paths[0], &okta_user("put", "Pu", "T")).await.expect(200);
    let another = patch(&json!([{"op": "replace", "value": { MANAGER: "another" }}]));
    scim.patch(&paths[1], &another).await.expect(200);
    let none = patch(&json!([{"op": "remove", "path": MANAGER}]));
    scim.patch(&paths[2], &none).await.expect(200);
    scim.delete(&paths[3]).await.expect(204);
    let name = patch(&json!([{"op": "replace", "path": "userName", "value": "renamed.user"}]));
    scim.patch(&paths[4], &name).await.expect(200);
    assert_eq!(waiting(&world).len(), 1, "only the renamed one still wants the manager");
    scim.post("/Users", &okta_user("boss", "Bo", "Ss")).await.expect(201);
    has_manager(&world, "renamed.user", Some("boss")).await;
    has_manager(&world, "put", None).await;
    has_manager(&world, "patched", Some("another")).await;
    has_manager(&world, "removed", None).await;
}

#[tokio::test]
async fn a_manager_who_stays_away_is_named_anew_by_a_replace_and_waits_once() {
    let world = World::new("late-again").await;
    world.is_read();
    let user = world.scim.post("/Users", &report("report", "boss")).await;
    user.expect(201);
    for _ in 0..3 {
        world.scim.put(&format!("/Users/{}", user.id()), &report("report", "boss")).await.expect(200);
    }
    assert_eq!(waiting(&world).len(), 1);
    let text = world.daemon.command(&["queue", "list"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("waiting") && text.contains("boss"), "{text}");
    let number = waiting(&world)[0]["number"].to_string();
    let refused = world.daemon.command(&["queue", "retry", &number]);
    assert!(!refused.status.success());
    assert!(world.daemon.command(&["queue", "drop", &number, "--yes"]).status.success());
    world.scim.post("/Users", &okta_user("boss", "Bo", "Ss")).await.expect(201);
    has_manager(&world, "report", None).await;
}

#[tokio::test]
async fn what_a_request_said_of_the_manager_stands_when_the_next_one_names_nobody() {
    let (proxy, world) = World::away(Kind::OpenLdap, "late-nobody").await;
    let scim = &world.scim;
    let user = scim.post("/Users", &okta_user("report", "Re", "Port")).await;
    user.expect(201);
    scim.post("/Users", &okta_user("boss", "Bo", "Ss")).await.expect(201);
    proxy.refuse();
    // Requests about one user that follow each other may be sent to the directory as one; these may not.
    for manager in ["boss", "nobody.yet"] {
        let sets = patch(&json!([{"op": "replace", "path": MANAGER, "value": manager}]));
        scim.patch(&format!("/Users/{}", user.id()), &sets).await.expect(200);
    }
    let shown = scim.get(&format!("/Users/{}", user.id())).await;
    assert!(!shown.expect(200)[ENTERPRISE]["manager"]["value"].is_null());
    proxy.resume();
    has_manager_beside(&world, "report", "boss").await;
    assert_eq!(waiting(&world).len(), 1);
}
