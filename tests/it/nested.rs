//! Groups in groups: which of them a user is shown to be in.

use crate::groups::values;
use crate::harness::{Kind, field, shipped};
use crate::world::{World, patch};
use serde_json::{Value, json};

on_every_directory! {
    groups_that_hold_a_users_groups_are_shown_as_indirect_by_what_the_server_keeps,
    groups_that_hold_a_users_groups_are_shown_as_indirect_by_searches,
}

/// The shipped table with other keys for users.
fn table(kind: Kind, keys: &str) -> String {
    let text = std::fs::read_to_string(shipped(kind.facts().mapping)).unwrap();
    let (before, after) = text.split_once("[user]\n").unwrap();
    assert!(!after.contains("\ngroups ="), "the shipped table says it already");
    format!("{before}[user]\n{keys}\n{after}")
}

/// A user's groups by name, each with the way and the id.
async fn groups_of(world: &World, user: &str) -> Vec<(String, String, String)> {
    let answer = world.scim.get(&format!("/Users/{user}")).await;
    let text =
        |group: &Value, part: &str| group[part].as_str().unwrap_or_else(|| panic!("no {part}: {group}")).to_owned();
    let groups = answer.expect(200).get("groups").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut groups: Vec<_> = groups
        .iter()
        .map(|group| {
            let id = text(group, "value");
            assert!(text(group, "$ref").ends_with(&format!("/Groups/{id}")));
            (text(group, "display"), text(group, "type"), id)
        })
        .collect();
    groups.sort();
    groups
}

async fn nested(kind: Kind, name: &str, keys: &str) {
    let world = World::on_with(kind, name, |config| config.mapping_text(&table(kind, keys))).await;
    let ids = world.people_named(&["ada", "bob", "eve"]).await;
    let inner = world.group("Inner", &[&ids[0]]).await;
    let middle = world.group("Middle", &[&inner, &ids[1]]).await;
    let outer = world.group("Outer", &[&middle]).await;
    world.group("Other", &[&ids[2]]).await;
    let shown = |groups: &[(&str, &str, &String)]| {
        let mut all: Vec<_> = groups.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).clone())).collect();
        all.sort();
        all
    };
    let of_ada = shown(&[("Inner", "direct", &inner), ("Middle", "indirect", &middle), ("Outer", "indirect", &outer)]);
    assert_eq!(groups_of(&world, &ids[0]).await, of_ada);
    assert_eq!(
        groups_of(&world, &ids[1]).await,
        shown(&[("Middle", "direct", &middle), ("Outer", "indirect", &outer)])
    );
    assert_eq!(groups_of(&world, &ids[2]).await.len(), 1);

    // The same on a page of users, and who does not want to see groups does not pay for them.
    let list = world.scim.get("/Users?count=10").await;
    let by_name = |name: &str| list.resources().iter().find(|user| user["userName"] == name).unwrap();
    assert_eq!(by_name("ada")["groups"].as_array().unwrap().len(), 3);
    assert_eq!(by_name("eve")["groups"].as_array().unwrap().len(), 1);
    let tag = world.scim.get(&format!("/Users/{}", ids[0])).await.header("etag").to_owned();

    // A circle: everybody in it is in all of it, once.
    let circle = patch(&json!([{"op": "add", "path": "members", "value": values(&[&outer])}]));
    world.scim.patch(&format!("/Groups/{inner}"), &circle).await.expect(204);
    assert_eq!(groups_of(&world, &ids[0]).await, of_ada);
    assert_eq!(groups_of(&world, &ids[1]).await.len(), 3);
    assert_eq!(world.scim.get(&format!("/Users/{}", ids[0])).await.header("etag"), tag);
    let everywhere = patch(&json!([{"op": "add", "path": "members", "value": values(&[&ids[0]])}]));
    world.scim.patch(&format!("/Groups/{outer}"), &everywhere).await.expect(204);
    let of_ada = shown(&[("Inner", "direct", &inner), ("Middle", "indirect", &middle), ("Outer", "direct", &outer)]);
    assert_eq!(groups_of(&world, &ids[0]).await, of_ada, "what is direct is not indirect as well");

    // What was read goes back and does no harm.
    let user = world.scim.get(&format!("/Users/{}", ids[0])).await.body;
    world.scim.put(&format!("/Users/{}", ids[0]), &user).await.expect(200);
    assert_eq!(groups_of(&world, &ids[0]).await, of_ada);
}

async fn groups_that_hold_a_users_groups_are_shown_as_indirect_by_what_the_server_keeps(kind: Kind) {
    nested(kind, "nested-memberof", "nested_groups = true").await;
}

async fn groups_that_hold_a_users_groups_are_shown_as_indirect_by_searches(kind: Kind) {
    nested(kind, "nested-search", "nested_groups = true\ngroups = \"search\"").await;
}

#[tokio::test]
async fn each_level_of_groups_costs_one_search_and_only_where_the_table_wants_them() {
    for (name, keys, levels) in [("nested-cost", "nested_groups = true", 3), ("nested-none", "", 0)] {
        let world = World::with(name, |config| config.log("debug").mapping_text(&table(Kind::OpenLdap, keys))).await;
        let ids = world.people_named(&["ada"]).await;
        let mut group = world.group("Inner", &[&ids[0]]).await;
        for outer in ["Middle", "Outer"] {
            group = world.group(outer, &[&group]).await;
        }
        let searches = || {
            let lines = world.daemon.log();
            // Those of requests: what goes on in the background has no span.
            let asked = lines.iter().filter(|line| line["span"].is_object());
            asked.filter(|line| field(line, "op").is_some_and(|op| op == "search")).count()
        };
        let before = searches();
        let user = world.scim.get(&format!("/Users/{}", ids[0])).await;
        assert_eq!(user.expect(200)["groups"].as_array().unwrap().len(), if levels == 0 { 1 } else { 3 });
        assert_eq!(searches() - before, 2 + levels, "the user, its groups, and one for each level");
    }
}
