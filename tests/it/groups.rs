//! Groups and their memberships, read back from the directory itself.

use crate::harness::Kind;
use crate::world::{ENTERPRISE, World, okta_user, patch};
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_every_directory! {
    an_empty_group_is_legal_and_nobody_stands_in_for_its_members_unseen,
    adding_removing_and_replacing_touch_exactly_who_is_named,
    members_go_by_whatever_a_filter_says_of_them,
    a_change_that_changes_nothing_does_not_touch_the_group,
    a_member_that_does_not_exist_is_named_and_nothing_is_applied,
    a_member_without_an_id_is_refused_and_nobody_is_lost,
    hundreds_of_members_come_and_go_in_one_request_and_groups_hold_groups,
    thirty_clients_at_once_end_with_exactly_what_they_asked_for,
    who_comes_while_the_last_member_goes_does_not_stand_beside_nobody,
    who_is_deleted_or_renamed_leaves_no_stale_name_behind,
    a_users_groups_are_shown_and_follow_memberships,
    every_change_of_members_reaches_the_members_own_entries,
}

pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

impl World {
    pub async fn person(&self, name: &str) -> String {
        let created = self.scim.post("/Users", &okta_user(name, "Given", name)).await;
        created.expect(201);
        created.id()
    }

    pub async fn people_named(&self, names: &[&str]) -> Vec<String> {
        let mut ids = Vec::new();
        for name in names {
            ids.push(self.person(name).await);
        }
        ids
    }

    pub async fn group(&self, name: &str, members: &[&String]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
        let created = self.scim.post("/Groups", &body).await;
        created.expect(201);
        created.id()
    }

    pub async fn patch_group(&self, id: &str, operations: Value) {
        self.scim.patch(&format!("/Groups/{id}"), &patch(&operations)).await.expect(204);
    }

    /// The display names of the members that SCIM shows.
    pub async fn shown(&self, id: &str) -> BTreeSet<String> {
        let group = self.scim.get(&format!("/Groups/{id}")).await;
        let members = group.expect(200)["members"].as_array().expect("members are always there");
        members.iter().map(|member| member["display"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn values(ids: &[&String]) -> Value {
    ids.iter().map(|id| json!({"value": id})).collect()
}

async fn an_empty_group_is_legal_and_nobody_stands_in_for_its_members_unseen(kind: Kind) {
    let world = World::on(kind, "group-empty").await;
    let ids = world.people_named(&["a", "b"]).await;
    let group = world.group("Engineers", &[]).await;
    assert_eq!(world.members("Engineers").await, world.nobody());
    assert_eq!(world.shown(&group).await, set(&[]));

    world.patch_group(&group, json!([{"op": "add", "path": "members", "value": values(&[&ids[0]])}])).await;
    assert_eq!(world.members("Engineers").await, set(&["a"]), "nobody never stands beside somebody");
    for _ in 0..2 {
        world.patch_group(&group, json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", ids[0])}])).await;
        assert_eq!(world.members("Engineers").await, world.nobody());
    }
    world
        .patch_group(&group, json!([{"op": "replace", "path": "members", "value": values(&[&ids[0], &ids[1]])}]))
        .await;
    assert_eq!(world.members("Engineers").await, set(&["a", "b"]));
    world.patch_group(&group, json!([{"op": "remove", "path": "members"}])).await;
    assert_eq!(world.members("Engineers").await, world.nobody());
    assert_eq!(world.shown(&group).await, set(&[]));
}

async fn adding_removing_and_replacing_touch_exactly_who_is_named(kind: Kind) {
    let world = World::on(kind, "group-exact").await;
    let ids = world.people_named(&["a", "b", "c", "d"]).await;
    let [a, b, c, d] = [&ids[0], &ids[1], &ids[2], &ids[3]];
    let group = world.group("G", &[a, b]).await;
    // One is there already, one is named twice.
    world.patch_group(&group, json!([{"op": "add", "path": "members", "value": values(&[a, c, c, d])}])).await;
    assert_eq!(world.members("G").await, set(&["a", "b", "c", "d"]));
    // A value list removes only those, also when one of them is no member or nobody at all.
    let ghost = "00000000-0000-4000-8000-000000000000".to_owned();
    world.patch_group(&group, json!([{"op": "Remove", "path": "members", "value": values(&[a, &ghost])}])).await;
    world.patch_group(&group, json!([{"op": "Remove", "path": "members", "value": values(&[a, b])}])).await;
    assert_eq!(world.members("G").await, set(&["c", "d"]));
    // The name alone, and the name with members, as Okta sends it.
    world.patch_group(&group, json!([{"op": "replace", "value": {"id": group, "displayName": "G"}}])).await;
    assert_eq!(world.members("G").await, set(&["c", "d"]));
    world
        .patch_group(
            &group,
            json!([
                {"op": "replace", "value": {"id": group, "displayName": "Renamed"}},
                {"op": "remove", "path": format!("members[value eq \"{c}\"]")},
                {"op": "add", "path": "members", "value": [{"value": a, "display": null}]},
            ]),
        )
        .await;
    assert_eq!(world.members("Renamed").await, set(&["a", "d"]));
    assert_eq!(world.scim.get(&format!("/Groups/{group}")).await.expect(200)["displayName"], "Renamed");
    let put = json!({"schemas": [GROUP], "displayName": "Renamed", "members": values(&[b])});
    let answer = world.scim.put(&format!("/Groups/{group}"), &put).await;
    assert_eq!(answer.expect(200)["members"][0]["value"], **b);
    assert_eq!(world.members("Renamed").await, set(&["b"]));
}

async fn members_go_by_whatever_a_filter_says_of_them(kind: Kind) {
    let world = World::on(kind, "group-filters").await;
    let ids = world.people_named(&["a", "b", "c", "d"]).await;
    let [a, b, c, d] = [&ids[0], &ids[1], &ids[2], &ids[3]];
    let inner = world.group("Inner", &[a]).await;
    let group = world.group("G", &[a, b, c, &inner]).await;
    let remove = |filter: String| json!({"op": "remove", "path": format!("members[{filter}]")});
    world.patch_group(&group, json!([remove("type eq \"Group\"".into())])).await;
    assert_eq!(world.members("G").await, set(&["a", "b", "c"]));
    world.patch_group(&group, json!([remove(format!("value eq \"{a}\" and type eq \"User\""))])).await;
    assert_eq!(world.members("G").await, set(&["b", "c"]));
    world.patch_group(&group, json!([remove("display eq \"nobody\"".into())])).await;
    assert_eq!(world.members("G").await, set(&["b", "c"]));
    // In the order of the operations, beside another attribute.
    world
        .patch_group(
            &group,
            json!([
                {"op": "add", "path": "members", "value": values(&[a, d])},
                remove(format!("not (value eq \"{a}\" or value eq \"{b}\")")),
                {"op": "add", "path": "members", "value": values(&[d])},
                {"op": "replace", "path": "displayName", "value": "H"},
            ]),
        )
        .await;
    assert_eq!(world.members("H").await, set(&["a", "b", "d"]));
    world.patch_group(&group, json!([remove("display pr".into())])).await;
    assert_eq!(world.members("H").await, world.nobody());
    let ghost = json!([{"op": "add", "path": "members", "value": [{"value": "ghost"}]}, remove("display pr".into())]);
    world.scim.patch(&format!("/Groups/{group}"), &patch(&ghost)).await.expect_error(400, "invalidValue");
    let nowhere = "/Groups/00000000-0000-4000-8000-000000000000";
    world.scim.patch(nowhere, &patch(&json!([remove("display pr".into())]))).await.expect_error(404, "");
}

async fn a_change_that_changes_nothing_does_not_touch_the_group(kind: Kind) {
    let world = World::on(kind, "group-same").await;
    let ids = world.people_named(&["a", "b"]).await;
    let group = world.group("G", &[&ids[0]]).await;
    let before = world.raw.find_one(&world.groups(), "(cn=G)").await.1;
    world.patch_group(&group, json!([{"op": "add", "path": "members", "value": values(&[&ids[0]])}])).await;
    world.patch_group(&group, json!([{"op": "remove", "path": "members", "value": values(&[&ids[1]])}])).await;
    world.patch_group(&group, json!([{"op": "replace", "path": "members", "value": values(&[&ids[0]])}])).await;
    let body = world.scim.get(&format!("/Groups/{group}")).await.expect(200).clone();
    world.scim.put(&format!("/Groups/{group}"), &body).await.expect(200);
    assert_eq!(world.raw.find_one(&world.groups(), "(cn=G)").await.1, before, "not even the time stamps moved");
}

async fn a_member_that_does_not_exist_is_named_and_nothing_is_applied(kind: Kind) {
    let world = World::on(kind, "group-ghost").await;
    let a = world.person("a").await;
    let b = world.person("b").await;
    let group = world.group("G", &[&a]).await;
    let ghost = "00000000-0000-4000-8000-000000000000";
    for (method, body) in [
        ("PATCH", patch(&json!([{"op": "add", "path": "members", "value": [{"value": b}, {"value": ghost}]}]))),
        ("PATCH", patch(&json!([{"op": "add", "path": "members", "value": [{"value": "no id at all"}]}]))),
        ("PATCH", patch(&json!([{"op": "add", "path": "members", "value": [{"value": group}]}]))),
        ("PUT", json!({"displayName": "Other", "members": [{"value": ghost}]})),
    ] {
        let path = format!("/Groups/{group}");
        let answer = world.scim.send(method.parse().unwrap(), &path, Some(&body)).await;
        answer.expect_error(400, "invalidValue");
        assert_eq!(world.members("G").await, set(&["a"]));
    }
    let create = json!({"displayName": "New", "members": [{"value": ghost}]});
    let detail = world.scim.post("/Groups", &create).await.expect_error(400, "invalidValue").to_owned();
    assert!(detail.contains(ghost), "{detail}");
    assert!(world.raw.find(&world.groups(), "(cn=New)").await.is_empty());
}

async fn a_member_without_an_id_is_refused_and_nobody_is_lost(kind: Kind) {
    let world = World::on(kind, "group-no-id").await;
    let ids = world.people_named(&["a", "b"]).await;
    let group = world.group("G", &[&ids[0], &ids[1]]).await;
    let path = format!("/Groups/{group}");
    for broken in [json!({"display": "a"}), json!({"value": ""}), json!({"value": null}), json!({}), json!(null)] {
        for listed in [json!([broken]), json!([{"value": ids[0]}, broken])] {
            let put = json!({"displayName": "G", "members": listed});
            world.scim.put(&path, &put).await.expect_error(400, "invalidValue");
            let post = json!({"displayName": "New", "members": listed});
            world.scim.post("/Groups", &post).await.expect_error(400, "invalidValue");
            for op in ["add", "replace", "remove"] {
                for change in [
                    json!([{"op": op, "path": "members", "value": listed}]),
                    json!([{"op": if op == "remove" { "replace" } else { op }, "value": {"members": listed}}]),
                ] {
                    world.scim.patch(&path, &patch(&change)).await.expect_error(400, "invalidValue");
                }
            }
        }
    }
    assert_eq!(world.members("G").await, set(&["a", "b"]));
    assert!(world.raw.find(&world.groups(), "(cn=New)").await.is_empty());
    // Keycloak says so that there are no members.
    world.patch_group(&group, json!([{"op": "remove", "path": "members", "value": null}])).await;
    assert_eq!(world.members("G").await, world.nobody());
}

async fn hundreds_of_members_come_and_go_in_one_request_and_groups_hold_groups(kind: Kind) {
    let world = World::on(kind, "group-hundreds").await;
    let mut ids = Vec::new();
    for number in 0..300 {
        world.add_user(&format!("u{number}"), &[]).await;
    }
    for page in [1, 101, 201] {
        let answer = world.scim.get(&format!("/Users?startIndex={page}&count=100")).await;
        ids.extend(answer.resources().iter().map(|user| user["id"].as_str().unwrap().to_owned()));
    }
    let group = world.group("Big", &ids[..200].iter().collect::<Vec<_>>()).await;
    assert_eq!(world.members("Big").await.len(), 200);
    let mut operations: Vec<Value> =
        ids[..100].iter().map(|id| json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")})).collect();
    operations.push(json!({"op": "add", "path": "members", "value": values(&ids[200..].iter().collect::<Vec<_>>())}));
    world.patch_group(&group, json!(operations)).await;
    let answer = world.scim.get(&format!("/Groups/{group}")).await;
    let shown: BTreeSet<String> =
        answer.body["members"].as_array().unwrap().iter().map(|m| m["value"].as_str().unwrap().to_owned()).collect();
    assert_eq!(shown, ids[100..].iter().cloned().collect());

    let outer = world.group("Outer", &[&group, &ids[0]]).await;
    let members = world.scim.get(&format!("/Groups/{outer}")).await;
    let kinds: BTreeSet<&str> =
        members.body["members"].as_array().unwrap().iter().map(|m| m["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["Group", "User"]));
    let found = world.scim.search("/Groups", &format!("members.value eq \"{}\"", ids[150])).await;
    assert_eq!(found.total(), 1);
    assert_eq!(world.scim.search("/Groups", &format!("members[value eq \"{}\"]", ids[0])).await.total(), 1);
    assert_eq!(world.scim.search("/Groups", "members[value eq \"nobody\"]").await.total(), 0);
    let without = world.scim.get("/Groups?excludedAttributes=members&filter=displayName%20eq%20%22big%22").await;
    assert_eq!(without.total(), 1);
    assert!(without.resources()[0].get("members").is_none());
}

async fn thirty_clients_at_once_end_with_exactly_what_they_asked_for(kind: Kind) {
    let world = World::on(kind, "group-parallel").await;
    let names: Vec<String> = (0..30).map(|number| format!("p{number}")).collect();
    let ids = world.people_named(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let group = world.group("G", &[]).await;
    let add = |id: &String| patch(&json!([{"op": "add", "path": "members", "value": [{"value": id}]}]));
    let remove = |id: &String| patch(&json!([{"op": "remove", "path": "members", "value": [{"value": id}]}]));
    let path = format!("/Groups/{group}");
    let send = async |bodies: Vec<Value>| {
        let requests = bodies.iter().map(|body| world.scim.patch(&path, body));
        for answer in futures_util::future::join_all(requests).await {
            answer.expect(204);
        }
    };
    send(ids.iter().map(add).collect()).await;
    assert_eq!(world.members("G").await, names.iter().cloned().collect());
    send(ids.iter().map(remove).collect()).await;
    assert_eq!(world.members("G").await, world.nobody());
    send(ids.iter().flat_map(|id| [add(id), add(id)]).collect()).await;
    assert_eq!(world.members("G").await.len(), 30);
}

async fn who_comes_while_the_last_member_goes_does_not_stand_beside_nobody(kind: Kind) {
    let world = World::on(kind, "group-last").await;
    let stays = world.person("stays").await;
    let mut groups = Vec::new();
    for number in 0..40 {
        let goes = world.person(&format!("goes{number}")).await;
        groups.push((format!("G{number}"), world.group(&format!("G{number}"), &[&goes]).await, goes));
    }
    let add = json!([{"op": "add", "path": "members", "value": [{"value": stays}]}]);
    for (name, group, goes) in &groups {
        let path = format!("/Users/{goes}");
        let (gone, ()) = tokio::join!(world.scim.delete(&path), world.patch_group(group, add.clone()));
        gone.expect(204);
        assert_eq!(world.members(name).await, set(&["stays"]), "{name}");
    }
}

async fn who_is_deleted_or_renamed_leaves_no_stale_name_behind(kind: Kind) {
    let world = World::on(kind, "group-tidy").await;
    let ids = world.people_named(&["boss", "only", "other"]).await;
    let mut report = okta_user("report", "R", "R");
    report[ENTERPRISE] = json!({"manager": {"value": ids[0]}});
    world.scim.post("/Users", &report).await.expect(201);
    world.group("Alone", &[&ids[1]]).await;
    world.group("Both", &[&ids[1], &ids[2], &ids[0]]).await;
    world.scim.delete(&format!("/Users/{}", ids[1])).await.expect(204);
    assert_eq!(world.members("Alone").await, world.nobody(), "the last member does not stay as a ghost");
    assert_eq!(world.members("Both").await, set(&["boss", "other"]));
    let rename = patch(&json!([{"op": "replace", "path": "userName", "value": "chief"}]));
    world.scim.patch(&format!("/Users/{}", ids[0]), &rename).await.expect(200);
    assert_eq!(world.members("Both").await, set(&["chief", "other"]));
    assert_eq!(world.user("report").await["manager"], [world.dn("chief")]);
    world.scim.delete(&format!("/Users/{}", ids[0])).await.expect(204);
    assert!(!world.user("report").await.contains_key("manager"));
}

async fn a_users_groups_are_shown_and_follow_memberships(kind: Kind) {
    let world = World::on(kind, "group-memberof").await;
    let a = world.person("a").await;
    let one = world.group("One", &[&a]).await;
    let two = world.group("Two", &[]).await;
    world.patch_group(&two, json!([{"op": "add", "path": "members", "value": [{"value": a}]}])).await;
    let user = world.scim.get(&format!("/Users/{a}")).await;
    let groups: BTreeSet<(String, String)> = user.expect(200)["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| (g["display"].as_str().unwrap().to_owned(), g["value"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(groups, BTreeSet::from([("One".to_owned(), one.clone()), ("Two".to_owned(), two)]));
    // What was read goes back: groups are read only and nothing happens to them.
    world.scim.put(&format!("/Users/{a}"), &user.body).await.expect(200);
    world.scim.delete(&format!("/Groups/{one}")).await.expect(204);
    let user = world.scim.get(&format!("/Users/{a}")).await;
    assert_eq!(user.body["groups"].as_array().unwrap().len(), 1);
    let without = world.scim.get(&format!("/Users/{a}?excludedAttributes=groups")).await;
    assert!(without.body.get("groups").is_none());
}

#[tokio::test]
async fn posix_groups_hold_names_and_unique_names_hold_dns() {
    let text = std::fs::read_to_string(crate::harness::shipped("mapping/openldap.toml")).unwrap();
    let (users, _) = text.split_once("\n[group]").unwrap();
    for (name, classes, attribute, rows, held) in [
        ("group-posix", r#"["posixGroup"]"#, "memberUid", r#"{ ldap = "gidNumber", value = "1000" },"#, "a"),
        ("group-unique", r#"["groupOfUniqueNames"]"#, "uniqueMember", "", "uid=a,ou=people"),
    ] {
        let table = format!(
            "{users}\n[group]\nbase = \"ou=groups,{{base_dn}}\"\nobject_class = {classes}\nrdn = \"cn\"\nmembers = \
             \"{attribute}\"\nattributes = [ {{ scim = \"displayName\", ldap = \"cn\", required = true }}, {rows} ]\n"
        );
        let world = World::with(name, |config| config.mapping_text(&table)).await;
        let ids = world.people_named(&["a", "b"]).await;
        let group = world.group("G", &[&ids[0], &ids[1]]).await;
        world.patch_group(&group, json!([{"op": "remove", "path": "members", "value": values(&[&ids[1]])}])).await;
        let entry = world.raw.find_one(&world.groups(), "(cn=G)").await.1;
        assert_eq!(entry[attribute].len(), 1);
        assert!(entry[attribute][0].starts_with(held), "{:?}", entry[attribute]);
        assert_eq!(world.shown(&group).await, set(&["Given a"]));
        let found = world.scim.search("/Groups", &format!("members.value eq \"{}\"", ids[0])).await;
        assert_eq!(found.total(), 1);
        world.scim.delete(&format!("/Users/{}", ids[0])).await.expect(204);
        assert_eq!(world.shown(&group).await, set(&[]));
    }
}

#[tokio::test]
async fn attributes_and_members_change_in_one_step_or_not_at_all() {
    let text = std::fs::read_to_string(crate::harness::shipped("mapping/openldap.toml")).unwrap();
    let marker = "{ scim = \"displayName\",";
    let (users, groups) = text.split_once("\n[group]").unwrap();
    let row = "{ scim = \"urn:example:it:2.0:Group:owner\", ldap = \"owner\" },\n  ";
    assert!(groups.contains(marker));
    let table = format!("{users}\n[group]{}", groups.replacen(marker, &format!("{row}{marker}"), 1));
    let world = World::with("group-whole", |config| config.log("debug").mapping_text(&table)).await;
    let ids = world.people_named(&["a", "b"]).await;
    let group = world.group("G", &[&ids[0]]).await;
    let modifies = || {
        let lines = world.daemon.log();
        lines.iter().filter(|line| crate::harness::field(line, "op").is_some_and(|op| op == "modify")).count()
    };
    let both = |owner: &str| {
        json!([
            {"op": "replace", "path": "urn:example:it:2.0:Group:owner", "value": owner},
            {"op": "add", "path": "members", "value": values(&[&ids[1]])},
            {"op": "remove", "path": format!("members[value eq \"{}\"]", ids[0])},
        ])
    };
    let path = format!("/Groups/{group}");
    world.scim.patch(&path, &patch(&both("no DN at all"))).await.expect_error(400, "invalidValue");
    assert_eq!(world.members("G").await, set(&["a"]), "what is refused is refused as a whole");
    let before = modifies();
    world.patch_group(&group, both("cn=it,dc=example,dc=test")).await;
    assert_eq!(modifies(), before + 1);
    let entry = world.raw.find_one(&world.base, "(cn=G)").await.1;
    assert_eq!((entry["owner"].len(), world.members("G").await), (1, set(&["b"])));
    // Half of it is done already: the rest is, and what is done is no fault.
    world.patch_group(&group, both("cn=other,dc=example,dc=test")).await;
    let entry = world.raw.find_one(&world.base, "(cn=G)").await.1;
    assert_eq!((entry["owner"][0].as_str(), world.members("G").await), ("cn=other,dc=example,dc=test", set(&["b"])));
    // A name that is refused after all takes nothing with it either.
    let renamed = json!([
        {"op": "replace", "path": "displayName", "value": "H"},
        {"op": "replace", "path": "urn:example:it:2.0:Group:owner", "value": "still no DN"},
        {"op": "add", "path": "members", "value": values(&[&ids[0]])},
    ]);
    world.scim.patch(&path, &patch(&renamed)).await.expect_error(400, "invalidValue");
    assert_eq!(world.members("G").await, set(&["b"]), "the old name is back");
}

/// The first change looks for the group, the others remember where it was.
async fn every_change_of_members_reaches_the_members_own_entries(kind: Kind) {
    let world = World::on(kind, "groups-own-entries").await;
    let ids = world.people_named(&["a", "b", "c"]).await;
    let (group, inner) = (world.group("Team", &[]).await, world.group("Inner", &[]).await);
    let dn = vec![world.group_dn("Team")];
    for id in ids.iter().chain([&inner]) {
        world.patch_group(&group, json!([{"op": "add", "path": "members", "value": values(&[id])}])).await;
    }
    let own = |name: &str| if name == "Inner" { world.group_dn(name) } else { world.dn(name) };
    for name in ["a", "b", "c", "Inner"] {
        world.raw.wait_for(&own(name), |entry| entry.get("memberOf") == Some(&dn)).await;
    }
    for id in ids.iter().chain([&inner]) {
        world.patch_group(&group, json!([{"op": "remove", "path": "members", "value": values(&[id])}])).await;
    }
    for name in ["a", "b", "c", "Inner"] {
        world.raw.wait_for(&own(name), |entry| !entry.contains_key("memberOf")).await;
    }
}
