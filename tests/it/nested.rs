//! Groups in groups: which of them a user is shown to be in.

use crate::groups::values;
use crate::harness::{Kind, field, shipped};
use crate::world::{World, patch};
use serde_json::{Value, json};

on_every_directory! {
    groups_that_hold_a_users_groups_are_shown_as_indirect_by_what_the_server_keeps,
    groups_that_hold_a_users_groups_are_shown_as_indirect_by_searches,
    without_nested_groups_only_those_are_shown_that_list_the_user,
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

async fn without_nested_groups_only_those_are_shown_that_list_the_user(kind: Kind) {
    let (proxy, world) = World::away(kind, "nested-not").await;
    let ids = world.people_named(&["ada", "bob", "eve"]).await;
    let inner = world.group("Inner", &[&ids[0], &ids[1]]).await;
    let middle = world.group("Middle", &[&inner, &ids[1]]).await;
    world.group("Outer", &[&middle]).await;
    world.group("Other", &[&ids[0], &ids[2]]).await;
    // There, and by what the bridge knows of it.
    for _ in 0..2 {
        for (id, expected) in ids.iter().zip([["Inner", "Other"].as_slice(), &["Inner", "Middle"], &["Other"]]) {
            let groups = groups_of(&world, id).await;
            assert!(groups.iter().all(|(_, way, _)| way == "direct"), "{groups:?}");
            assert_eq!(groups.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), expected);
            let list = world.scim.get("/Users?count=10").await;
            let user = list.resources().iter().find(|user| user["id"] == **id).unwrap().clone();
            let mut names: Vec<&str> =
                user["groups"].as_array().unwrap().iter().map(|group| group["display"].as_str().unwrap()).collect();
            names.sort_unstable();
            assert_eq!(names, expected);
        }
        proxy.refuse();
    }
}

/// How many searches a request costs.
async fn searches_of(world: &World, path: &str) -> usize {
    let searches = || {
        let lines = world.daemon.log();
        // Those of requests: what goes on in the background has no span.
        let asked = lines.iter().filter(|line| line["span"].is_object());
        asked.filter(|line| field(line, "op").is_some_and(|op| op == "search")).count()
    };
    let before = searches();
    world.scim.get(path).await.expect(200);
    searches() - before
}

#[tokio::test]
async fn that_a_group_is_a_direct_one_is_asked_once_for_all_users_and_only_where_groups_are_nested() {
    let world = World::on_with(Kind::Ds389, "nested-asked", |config| config.log("debug")).await;
    let ids = world.people_named(&["ada", "bob", "eve"]).await;
    let everybody: Vec<&String> = ids.iter().collect();
    let inner = world.group("Inner", &everybody).await;
    world.group("Other", &everybody).await;
    let (one, page) = (format!("/Users/{}", ids[0]), "/Users?filter=userName+pr");
    // The first one also reads the schema.
    searches_of(&world, page).await;
    let flat = (searches_of(&world, &one).await, searches_of(&world, page).await);
    assert_eq!(flat.0, 2, "the user, and its groups");
    world.group("Outer", &[&inner]).await;
    let nested = (searches_of(&world, &one).await, searches_of(&world, page).await);
    assert_eq!(nested, (flat.0 + 1, flat.1 + 1));
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
        let path = format!("/Users/{}", ids[0]);
        assert_eq!(searches_of(&world, &path).await, 2 + levels, "the user, its groups, and one for each level");
        let user = world.scim.get(&path).await;
        assert_eq!(user.expect(200)["groups"].as_array().unwrap().len(), if levels == 0 { 1 } else { 3 });
    }
}
