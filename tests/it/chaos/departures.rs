//! The daemon is killed while an entry leaves its name. OpenLDAP's overlay refint lets nothing follow when the connection
//! ends before the answer is sent, so these servers have none.

use crate::harness::{BASIC, Options, Proxy, Slapd};
use crate::world::{ENTERPRISE, USER, World, okta_user};
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
