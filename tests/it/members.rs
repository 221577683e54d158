//! Who the members of a group are: by one search where the server can follow names, by searches for names elsewhere.

use crate::cursors::searches;
use crate::harness::{Config, Kind, Options, SUFFIX, Slapd};
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_every_directory! {
    a_group_whose_members_are_all_there_is_read_by_one_search_where_names_can_be_followed,
}

fn telling(config: Config) -> Config {
    config.log("info,scim2ldap::directory=debug")
}

/// A group of a user, one further down, a group, and five names that lead to no member.
async fn mixed_group(world: &World) -> String {
    let (people, groups, base) = (world.people(), format!("ou=groups,{}", world.base), &world.base);
    let unit: &[(&str, &[&str])] = &[("objectClass", &["organizationalUnit"])];
    for place in [format!("ou=deep,{people}"), format!("ou=devices,{base}")] {
        world.raw.add(&place, unit).await;
    }
    let (ann, bob) = (format!("uid=ann,{people}"), format!("uid=bob,ou=deep,{people}"));
    let stranger = format!("uid=stranger,ou=devices,{base}");
    for (dn, uid) in [(&ann, "ann"), (&bob, "bob"), (&stranger, "stranger")] {
        let person: [(&str, &[&str]); 4] =
            [("objectClass", &["inetOrgPerson"]), ("uid", &[uid]), ("cn", &["x"]), ("sn", &["x"])];
        world.raw.add(dn, &person).await;
    }
    world.raw.replace(&ann, "displayName", &["Ann"]).await;
    let (inner, outer) = (format!("cn=Inner,{groups}"), format!("cn=Outer,{groups}"));
    world.raw.add(&inner, &[("objectClass", &["groupOfNames"]), ("cn", &["Inner"]), ("member", &[&ann])]).await;
    let gone = format!("uid=gone,{people}");
    let unit = format!("ou=deep,{people}");
    let members = [&*ann, &bob, &inner, &stranger, &gone, &unit, "cn=away,dc=elsewhere", ""];
    world.raw.add(&outer, &[("objectClass", &["groupOfNames"]), ("cn", &["Outer"]), ("member", &members)]).await;
    world.scim.search("/Groups", "displayName eq \"Outer\"").await.resources()[0]["id"].as_str().unwrap().to_owned()
}

/// The members as they are shown by id, and how many searches that took.
async fn shown(world: &World, id: &str) -> (Vec<Value>, usize) {
    let path = format!("/Groups/{id}");
    world.scim.get(&path).await.expect(200);
    let before = searches(world);
    let group = world.scim.get(&path).await;
    (group.expect(200)["members"].as_array().unwrap().clone(), searches(world) - before)
}

#[tokio::test]
async fn the_same_members_are_shown_whether_names_are_followed_or_looked_up() {
    for (no_deref, most) in [(false, 3), (true, 9)] {
        let slapd = Slapd::with(Options { no_deref, ..Options::default() });
        let world = World::before(&slapd, SUFFIX.to_owned(), telling).await;
        let id = mixed_group(&world).await;
        let (members, took) = shown(&world, &id).await;
        let names: Vec<_> =
            members.iter().map(|member| (member["type"].as_str(), member["display"].as_str())).collect();
        let of = |kind, name| (Some(kind), name);
        let expected = [of("Group", Some("Inner")), of("User", Some("Ann")), of("User", None)];
        assert_eq!(names.iter().copied().collect::<BTreeSet<_>>(), expected.into_iter().collect(), "{no_deref}");
        assert!((1..=most).contains(&took), "{took} searches");
        let listed = world.scim.search("/Groups", "displayName eq \"Outer\"").await;
        assert_eq!(listed.resources()[0]["members"].as_array(), Some(&members), "{no_deref}");
    }
}

async fn a_group_whose_members_are_all_there_is_read_by_one_search_where_names_can_be_followed(kind: Kind) {
    let world = World::on_with(kind, "members-one-search", telling).await;
    let mut members = Vec::new();
    for name in ["a", "b", "c"] {
        world.add_user(name, &[]).await;
        let found = world.scim.search("/Users", &format!("userName eq \"{name}\"")).await;
        members.push(json!({"value": found.resources()[0]["id"]}));
    }
    for (name, count) in [("Empty", 0), ("Three", 3)] {
        let body = json!({"displayName": name, "members": members[..count]});
        let group = world.scim.post("/Groups", &body).await.id();
        let (shown, took) = shown(&world, &group).await;
        let ids = |list: &[Value]| list.iter().map(|one| one["value"].to_string()).collect::<BTreeSet<_>>();
        assert_eq!(ids(&shown), ids(&members[..count]));
        assert!(kind == Kind::ActiveDirectory || count == 0 || took == 1, "{took} searches");
    }
    world.scim.get("/Groups/00000000-0000-0000-0000-000000000000").await.expect_error(404, "");
}
