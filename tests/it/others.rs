//! What others do in the directory, beside the bridge, is known in the next outage.

use crate::harness::{BASIC, Kind};
use crate::world::{World, okta_user};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_every_directory! {
    what_others_change_in_the_directory_is_known_in_the_next_outage,
}

/// What the bridge shows while the directory is away.
async fn shown(world: &World, path: &str) -> Value {
    let answer = world.scim.get(path).await;
    if answer.status == 404 { Value::Null } else { answer.expect(200).clone() }
}

async fn what_others_change_in_the_directory_is_known_in_the_next_outage(kind: Kind) {
    let (proxy, mut world) = World::away(kind, "others-change").await;
    let mut ids = Vec::new();
    for name in ["ada", "bob", "gone"] {
        let created = world.scim.post("/Users", &okta_user(name, "A", "B")).await;
        created.expect(201);
        ids.push(created.id());
    }
    let members = json!([{"value": ids[1]}, {"value": ids[2]}]);
    let staff = world.scim.post("/Groups", &json!({"displayName": "Staff", "members": members})).await;
    staff.expect(201);
    world.daemon.kill();
    // Meanwhile, by another hand: somebody new, another title, a member more, and somebody who leaves.
    world.add_user("newcomer", &[("title", &["Guest"])]).await;
    world.raw.replace(&world.dn("ada"), "title", &["Countess"]).await;
    world.raw.add_values(&world.group_dn("Staff"), "member", &[&world.dn("ada")]).await;
    world.raw.delete(&world.dn("gone")).await;
    world.daemon.restart();
    world.scim = world.daemon.scim(BASIC);

    let until = Instant::now() + Duration::from_mins(1);
    let (ada, gone) = (format!("/Users/{}", ids[0]), format!("/Users/{}", ids[2]));
    let mut pause = Duration::from_secs(2);
    loop {
        // Each outage makes the bridge wait longer before it looks again.
        tokio::time::sleep(pause).await;
        pause *= 2;
        proxy.refuse();
        let titled = shown(&world, &ada).await["title"] == "Countess";
        let left = shown(&world, &gone).await.is_null();
        if titled && left && world.scim.search("/Users", "userName eq \"newcomer\"").await.total() == 1 {
            break;
        }
        assert!(Instant::now() < until, "it was not noticed:\n{}", world.daemon.log_text());
        proxy.resume();
    }
    let group = shown(&world, &format!("/Groups/{}", staff.id())).await;
    let mut members: Vec<&str> =
        group["members"].as_array().unwrap().iter().filter_map(|it| it["value"].as_str()).collect();
    members.sort_unstable();
    let mut expected = [ids[0].as_str(), ids[1].as_str()];
    expected.sort_unstable();
    assert_eq!(members, expected);
}
