//! The daemon is killed while an entry leaves its name. OpenLDAP's overlay refint lets nothing follow when the connection
//! ends before the answer is sent, so these servers have none.
//!
//! And an entry leaves its name while the directory is away for the bridge.

use crate::harness::{BASIC, Options, Proxy, Slapd};
use crate::world::{ENTERPRISE, USER, World, okta_user, patch};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// The daemon still waits for an answer when it is killed.
const PATIENCE: &str = "allow_plaintext = true\nconnect_timeout = 2\noperation_timeout = 30";

/// A bridge with a boss, whose report and group are of these names, and the path of the boss.
async fn office(slapd: &Slapd, proxy: &Proxy, name: &str) -> (World, String) {
    let base = slapd.suffix(name).await;
    let world = World::before(slapd, base, |config| config.urls(&[&proxy.url()]).directory(PATIENCE)).await;
    world.is_read();
    let boss = world.scim.post("/Users", &okta_user("boss", "Bo", "Ss")).await;
    boss.expect(201);
    let mut report = okta_user("report", "Re", "Port");
    report["schemas"] = json!([USER, ENTERPRISE]);
    report[ENTERPRISE] = json!({ "manager": { "value": boss.id() } });
    world.scim.post("/Users", &report).await.expect(201);
    let staff = json!({"displayName": "Staff", "members": [{"value": boss.id()}]});
    world.scim.post("/Groups", &staff).await.expect(201);
    (world, format!("/Users/{}", boss.id()))
}

/// Sends a request and kills the daemon as soon as the directory has done it, unanswered.
async fn killed_at(world: &mut World, proxy: &Proxy, method: Method, path: &str, body: Option<Value>) {
    let (scim, own) = (world.scim.clone(), path.to_owned());
    let sent = tokio::spawn(async move { scim.try_send(method, &own, &[], body.as_ref()).await });
    while world.has_user("boss").await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.daemon.kill();
    assert!(sent.await.unwrap().is_err(), "it was answered");
    proxy.resume();
    world.daemon.restart();
    world.scim = world.daemon.scim(BASIC);
}

async fn nothing_is_owed(world: &World) {
    while super::store::count(world.daemon.folder()) > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn who_gets_another_name_while_the_daemon_is_killed_keeps_reports_and_memberships() {
    let slapd = Slapd::with(Options { no_refint: true, ..Options::default() });
    let proxy = Proxy::before(slapd.port());
    let (mut world, path) = office(&slapd, &proxy, "left-renamed").await;
    proxy.half_open_at_next_rename();
    killed_at(&mut world, &proxy, Method::PUT, &path, Some(okta_user("chief", "Bo", "Ss"))).await;
    // Who takes the name is not the one that they mean.
    world.scim.put(&path, &okta_user("chief", "Bo", "Ss")).await.expect(200);
    let other = world.scim.post("/Users", &okta_user("boss", "Other", "Boss")).await;
    other.expect(201);
    nothing_is_owed(&world).await;
    assert_eq!(world.user("report").await["manager"], [world.dn("chief")]);
    assert_eq!(world.members("Staff").await, ["chief".to_owned()].into());
}

#[tokio::test]
async fn who_is_deleted_while_the_daemon_is_killed_leaves_no_report_and_no_membership() {
    let slapd = Slapd::with(Options { no_refint: true, ..Options::default() });
    let proxy = Proxy::before(slapd.port());
    let (mut world, path) = office(&slapd, &proxy, "left-deleted").await;
    proxy.half_open_at_next_delete();
    killed_at(&mut world, &proxy, Method::DELETE, &path, None).await;
    world.raw.wait_for(&world.dn("report"), |entry| !entry.contains_key("manager")).await;
    nothing_is_owed(&world).await;
    assert_eq!(world.members("Staff").await, world.nobody());
}

fn renamed(name: &str) -> Value {
    patch(&json!([{"op": "replace", "path": "userName", "value": name}]))
}

#[tokio::test]
async fn who_got_a_name_that_another_entry_left_behind_the_back_of_the_bridge_keeps_memberships() {
    let slapd = Slapd::with(Options { no_refint: true, ..Options::default() });
    let proxy = Proxy::before(slapd.port());
    let (world, path) = office(&slapd, &proxy, "left-taken").await;
    proxy.refuse();
    let title = patch(&json!([{"op": "replace", "path": "title", "value": "Chief"}]));
    world.scim.patch(&path, &title).await.expect(200);
    let old = world.dn("boss");
    world.raw.rename(&old, "uid=chief", None).await;
    let class: &[&str] = &["inetOrgPerson"];
    world.raw.add(&old, &[("objectClass", class), ("sn", &["Boss"]), ("cn", &["Other Boss"])]).await;
    let group = format!("cn=Others,{}", world.groups());
    world.raw.add(&group, &[("objectClass", &["groupOfNames"]), ("member", &[&old])]).await;
    proxy.resume();
    nothing_is_owed(&world).await;
    assert_eq!(world.user("chief").await["title"], ["Chief"]);
    assert_eq!(world.members("Others").await, ["boss".to_owned()].into());
}

#[tokio::test]
async fn what_refers_to_a_name_between_two_renames_that_are_carried_out_as_one_follows() {
    let slapd = Slapd::with(Options { no_refint: true, ..Options::default() });
    let proxy = Proxy::before(slapd.port());
    let (world, path) = office(&slapd, &proxy, "left-between").await;
    proxy.refuse();
    world.scim.patch(&path, &renamed("chief")).await.expect(200);
    world.scim.patch(&path, &renamed("boss")).await.expect(200);
    // As it is when the first one was carried out before, and the bridge heard nothing of it.
    world.raw.replace(&world.dn("report"), "manager", &[&world.dn("chief")]).await;
    proxy.resume();
    nothing_is_owed(&world).await;
    assert_eq!(world.user("report").await["manager"], [world.dn("boss")]);
}

#[tokio::test]
async fn a_change_of_a_version_that_is_interrupted_behind_the_rename_is_accepted_as_a_whole() {
    let proxy = Proxy::before(Slapd::shared().port());
    let world = World::behind(&proxy, "left-version", crate::world::PATIENCE).await;
    let ada = world.scim.post("/Users", &okta_user("ada", "Ada", "King")).await;
    let tag = ada.expect(201)["meta"]["version"].as_str().unwrap().to_owned();
    let path = format!("/Users/{}", ada.id());
    proxy.hold_next_modify();
    let headers = [("if-match", tag.as_str())];
    let answer =
        world.scim.try_send(Method::PUT, &path, &headers, Some(&okta_user("eve", "Ada", "Lovelace"))).await.unwrap();
    assert_eq!(answer.expect(200)["userName"], "eve");
    proxy.resume();
    nothing_is_owed(&world).await;
    assert_eq!(world.user("eve").await["sn"], ["Lovelace"]);
    assert_eq!(answer.body["name"], world.scim.get(&path).await.expect(200)["name"]);
    let again =
        world.scim.try_send(Method::PUT, &path, &headers, Some(&okta_user("ada", "Ada", "King"))).await.unwrap();
    again.expect(412);
}
