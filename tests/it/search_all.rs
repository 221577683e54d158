//! A search at the tenant's root, over users and groups together (RFC 7644 section 3.4.3).

use crate::harness::Kind;
use crate::world::{World, okta_user};
use serde_json::{Value, json};

on_every_directory! {
    a_filter_finds_users_and_groups_by_what_each_of_them_has,
    pages_go_over_both_kinds_in_an_order_that_stays_the_same,
    attributes_are_cut_for_each_kind_as_its_schema_says,
    where_groups_are_not_served_it_is_a_search_of_users,
}

/// Three users and two groups.
async fn world(kind: Kind, name: &str) -> World {
    let world = World::on(kind, name).await;
    let mut ids = Vec::new();
    for user in ["ada", "bob", "cyd"] {
        ids.push(world.scim.post("/Users", &okta_user(user, user, "Person")).await.id());
    }
    for (group, member) in [("admins", Some(&ids[0])), ("bakers", None)] {
        let members: Vec<Value> = member.iter().map(|id| json!({"value": id})).collect();
        world.scim.post("/Groups", &json!({"displayName": group, "members": members})).await.expect(201);
    }
    world
}

fn name(resource: &Value) -> &str {
    resource["userName"].as_str().or(resource["displayName"].as_str()).unwrap()
}

async fn found(world: &World, filter: &str) -> Vec<String> {
    let answer = world.scim.post("/.search", &json!({"filter": filter})).await;
    let mut names: Vec<String> = answer.resources().iter().map(|resource| name(resource).to_owned()).collect();
    assert_eq!(answer.total(), names.len() as u64, "{filter}");
    names.sort();
    names
}

async fn a_filter_finds_users_and_groups_by_what_each_of_them_has(kind: Kind) {
    let world = world(kind, "root-filters").await;
    let ada =
        world.scim.search("/Users", "userName eq \"ada\"").await.resources()[0]["id"].as_str().unwrap().to_owned();
    let member = format!("members.value eq \"{ada}\"");
    let element = format!("members[value eq \"{ada}\"]");
    let id = format!("id eq \"{ada}\"");
    let all: &[&str] = &["ada", "admins", "bakers", "bob", "cyd"];
    let cases: &[(&str, &[&str])] = &[
        ("meta.resourceType eq \"User\"", &["ada", "bob", "cyd"]),
        ("meta.resourceType eq \"Group\"", &["admins", "bakers"]),
        ("meta.resourceType eq \"Other\"", &[]),
        ("meta.resourceType ne \"User\"", &["admins", "bakers"]),
        ("meta.resourceType eq \"Group\" and displayName sw \"a\"", &["admins"]),
        ("meta.lastModified gt \"2000-01-01T00:00:00Z\"", all),
        ("displayName sw \"a\"", &["ada", "admins"]),
        ("userName eq \"ADA\"", &["ada"]),
        ("userName eq \"ada\" or displayName eq \"bakers\"", &["ada", "bakers"]),
        ("userName pr and displayName pr", &["ada", "bob", "cyd"]),
        ("not (userName eq \"ada\")", &["admins", "bakers", "bob", "cyd"]),
        ("userName ne \"ada\"", &["admins", "bakers", "bob", "cyd"]),
        ("active eq true", &["ada", "bob", "cyd"]),
        ("emails[type eq \"work\" and value eq \"bob\"]", &["bob"]),
        ("urn:ietf:params:scim:schemas:core:2.0:Group:displayName sw \"a\"", &["admins"]),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"a\"", &["ada"]),
        ("id pr", all),
        (&id, &["ada"]),
        (&member, &["admins"]),
        (&element, &["admins"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(&world, filter).await, *expected, "{filter}");
    }
    for filter in ["nickName eq \"x\"", "userName pr or noSuch eq 1", "userName", "active gt true", "members pr x"] {
        world.scim.post("/.search", &json!({"filter": filter})).await.expect_error(400, "invalidFilter");
    }
}

async fn pages_go_over_both_kinds_in_an_order_that_stays_the_same(kind: Kind) {
    let world = world(kind, "root-pages").await;
    let whole = world.scim.post("/.search", &json!({})).await;
    assert_eq!(whole.total(), 5);
    let kinds: Vec<&Value> = whole.resources().iter().map(|it| &it["meta"]["resourceType"]).collect();
    assert_eq!(kinds, ["User", "User", "User", "Group", "Group"]);
    let mut seen = Vec::new();
    for start in [1, 3, 5] {
        let page = world.scim.post("/.search", &json!({"startIndex": start, "count": 2})).await;
        assert_eq!((page.total(), page.body["startIndex"].as_u64()), (5, Some(start)));
        seen.extend(page.resources().iter().map(|it| it["id"].clone()));
    }
    let expected: Vec<Value> = whole.resources().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(seen, expected);

    let sorted = json!({"sortBy": "meta.resourceType", "sortOrder": "descending", "count": 3, "startIndex": 2});
    let sorted = world.scim.post("/.SEARCH", &sorted).await;
    let kinds: Vec<&Value> = sorted.resources().iter().map(|it| &it["meta"]["resourceType"]).collect();
    assert_eq!(kinds, ["User", "User", "Group"]);
    let by_name = world.scim.post("/.search", &json!({"sortBy": "displayName", "count": 4})).await;
    let names: Vec<&str> = by_name.resources().iter().map(name).collect();
    assert_eq!(names, ["ada", "admins", "bakers", "bob"]);

    let first = world.scim.post("/.search", &json!({"cursor": "", "count": 4})).await;
    let next = first.expect(200)["nextCursor"].as_str().unwrap();
    let last = world.scim.post("/.search", &json!({"cursor": next, "count": 4})).await;
    assert_eq!(last.resources()[0]["id"], expected[4]);
    assert!(last.body.get("nextCursor").is_none());
}

async fn attributes_are_cut_for_each_kind_as_its_schema_says(kind: Kind) {
    let world = world(kind, "root-attributes").await;
    let answer = world.scim.post("/.search", &json!({"attributes": ["userName", "members"], "count": 100})).await;
    for resource in answer.resources() {
        let mut keys: Vec<&str> = resource.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        let expected: &[&str] = if resource.get("userName").is_some() {
            &["id", "schemas", "userName"]
        } else {
            &["id", "members", "schemas"]
        };
        assert_eq!(keys, expected);
    }
    world.scim.get("/.search").await.expect_error(405, "");
}

async fn where_groups_are_not_served_it_is_a_search_of_users(kind: Kind) {
    let world = World::on_with(kind, "root-users", |config| config.tenant("groups = false")).await;
    world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.expect(201);
    assert_eq!(found(&world, "userName eq \"ada\"").await, ["ada"]);
    world.scim.post("/.search", &json!({"filter": "members pr"})).await.expect_error(400, "invalidFilter");
}
