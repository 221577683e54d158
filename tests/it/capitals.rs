//! A name that changes in nothing but its capitals.

use crate::harness::Kind;
use crate::world::{World, okta_user, patch};
use serde_json::{Value, json};

on_every_directory!(a_name_in_other_capitals_shows_and_leaves_nothing_when_the_next_one_comes);

fn named(name: &str) -> Value {
    patch(&json!([{"op": "replace", "path": "userName", "value": name}]))
}

async fn a_name_in_other_capitals_shows_and_leaves_nothing_when_the_next_one_comes(kind: Kind) {
    let world = World::on(kind, "capitals").await;
    let scim = &world.scim;
    let id = scim.post("/Users", &okta_user("grace@example.com", "Grace", "Hopper")).await.id();
    let group = json!({"displayName": "Navy", "members": [{"value": id}]});
    let group = format!("/Groups/{}", scim.post("/Groups", &group).await.id());
    let path = format!("/Users/{id}");
    for name in ["GRACE@example.com", "GRACE@example.com", "grace@example.com", "Grace@Example.com"] {
        assert_eq!(scim.patch(&path, &named(name)).await.expect(200)["userName"], name);
        assert_eq!(scim.get(&path).await.expect(200)["userName"], name);
        let found = scim.search("/Users", "userName eq \"graCE@example.com\"").await;
        assert_eq!(found.resources()[0]["userName"], name);
        if kind != Kind::ActiveDirectory {
            let (dn, entry) = world.raw.find_one(&world.people(), "(uid=grace@example.com)").await;
            assert_eq!(entry["uid"], [name]);
            // 389 does not always survive such a rename.
            let in_name = if kind == Kind::Ds389 { "grace@example.com" } else { name };
            assert!(dn.starts_with(&format!("uid={in_name},")), "{dn}");
        }
        assert_eq!(scim.get(&group).await.expect(200)["members"][0]["value"], id.as_str());
    }
    assert_eq!(scim.patch(&path, &named("hopper@example.com")).await.expect(200)["userName"], "hopper@example.com");
    assert_eq!(scim.search("/Users", "userName eq \"grace@example.com\"").await.total(), 0);
    let entry = world.user("hopper@example.com").await;
    if kind != Kind::ActiveDirectory {
        assert_eq!(entry["uid"], ["hopper@example.com"]);
    }
    assert_eq!(scim.get(&group).await.expect(200)["members"][0]["value"], id.as_str());
    scim.delete(&path).await.expect(204);
    assert!(!world.has_user("hopper@example.com").await);
}
