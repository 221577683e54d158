//! Where an outage meets something else: a second bridge, and values that the directory would not have taken.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::Kind;
use crate::world::{BINARY, ENTERPRISE, World, okta_user, patch};

on_every_directory! {
    values_that_the_directory_would_refuse_are_refused_during_an_outage_too,
    who_is_their_own_manager_still_is_in_the_answer_to_a_rename,
    groups_that_hold_groups_are_shown_as_the_directory_shows_them,
}

async fn values_that_the_directory_would_refuse_are_refused_during_an_outage_too(kind: Kind) {
    let (proxy, world) = World::away(kind, "outage-values").await;
    let scim = &world.scim;
    let ada = scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    ada.expect(201);
    let path = format!("/Users/{}", ada.id());
    let mut number = 0;
    let mut statuses = async || {
        number += 1;
        let phone =
            |value: &str| json!([{"op": "replace", "path": "phoneNumbers[type eq \"work\"].value", "value": value}]);
        let mail = json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "\u{fc}@example.com"}]);
        let mut user = okta_user(&format!("eve{number}"), "Eve", "Nobody");
        user["emails"] = json!([{"type": "work", "value": "e\u{fc}@example.com"}]);
        let mut all = vec![scim.post("/Users", &user).await];
        for change in [mail, phone("+1 555 0100 #4"), phone("+1 (555) 010-0/4 x=2")] {
            all.push(scim.patch(&path, &patch(&change)).await);
        }
        all.into_iter().map(|it| (it.status, it.body["scimType"].clone())).collect::<Vec<_>>()
    };
    let up = statuses().await;
    proxy.refuse();
    let away = statuses().await;
    assert_eq!(away, up);
    if kind != Kind::ActiveDirectory {
        assert_eq!(up.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [400, 400, 400, 200]);
    }
}

#[tokio::test]
async fn a_second_bridge_on_a_store_that_is_in_use_does_not_start() {
    let (proxy, mut world) = World::away(Kind::OpenLdap, "outage-second").await;
    proxy.refuse();
    let ada = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    ada.expect(201);
    let serve = || {
        let mut command = Command::new(BINARY);
        command.arg("serve").arg("--config").arg(world.daemon.configuration());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("scim2ldap")
    };
    let mut second = serve();
    let until = Instant::now() + Duration::from_secs(30);
    while second.try_wait().expect("its state").is_none() {
        if Instant::now() > until {
            second.kill().expect("its end");
            panic!("two bridges run on one store");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = second.wait_with_output().expect("what it said");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("one bridge at a time can use a store"), "{said}");
    // The first one goes on, and who comes after it gets the store.
    world.scim.get(&format!("/Users/{}", ada.id())).await.expect(200);
    world.daemon.kill();
    world.daemon.restart();
}

async fn who_is_their_own_manager_still_is_in_the_answer_to_a_rename(kind: Kind) {
    let (proxy, world) = World::away(kind, "outage-own-manager").await;
    let mut answers = Vec::new();
    for name in ["up", "away"] {
        if name == "away" {
            proxy.refuse();
        }
        let made = world.scim.post("/Users", &okta_user(name, "Ada", "Lovelace")).await;
        made.expect(201);
        let mut put = okta_user(&format!("{name}2"), "Ada", "Lovelace");
        put[ENTERPRISE] = json!({"manager": {"value": made.id()}});
        let path = format!("/Users/{}", made.id());
        put["userName"] = json!(name);
        world.scim.put(&path, &put).await.expect(200);
        put["userName"] = json!(format!("{name}2"));
        let renamed = world.scim.put(&path, &put).await;
        answers.push(renamed.expect(200)[ENTERPRISE]["manager"]["value"] == made.id());
        let read = world.scim.get(&path).await;
        assert_eq!(read.expect(200)[ENTERPRISE], renamed.body[ENTERPRISE], "{name}");
    }
    assert_eq!(answers, [true, true]);
}

async fn groups_that_hold_groups_are_shown_as_the_directory_shows_them(kind: Kind) {
    let (proxy, world) = World::away(kind, "outage-nested").await;
    let ids = world.people_named(&["ada", "bob"]).await;
    let inner = world.group("Inner", &[&ids[0]]).await;
    let middle = world.group("Middle", &[&inner]).await;
    world.group("Outer", &[&middle, &ids[1]]).await;
    let shown = async || {
        let mut all = Vec::new();
        for id in &ids {
            let read = world.scim.get(&format!("/Users/{id}")).await;
            let groups = read.expect(200)["groups"].as_array().cloned().unwrap_or_default();
            let mut groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
            groups.sort();
            all.push(groups);
        }
        all
    };
    let up = shown().await;
    assert!(!up[0].is_empty() && !up[1].is_empty(), "{up:?}");
    proxy.refuse();
    assert_eq!(shown().await, up);
}
