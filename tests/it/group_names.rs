//! Attributes of users that hold the names of their groups, read back from the directory itself.

use crate::groups::{GROUP, values};
use crate::harness::{BASIC, Config, Daemon, Proxy, Slapd, field, shipped};
use crate::world::{BINARY, World, okta_user, patch, run, run_with};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// The shipped table with more rows for users.
pub fn table(rows: &str) -> String {
    let text = std::fs::read_to_string(shipped("mapping/openldap.toml")).unwrap();
    assert!(!text.contains("carLicense") && !text.contains("roomNumber"));
    text.replacen("attributes = [", &format!("attributes = [\n{rows}"), 1)
}

pub const PLAIN: &str = r#"{ scim = "groups", ldap = "carLicense", separator = "; " },"#;

async fn world(name: &str, rows: &str) -> World {
    let refuse = "when_unreachable = \"refuse\"";
    World::with(name, |config| config.log("debug").directory(refuse).mapping_text(&table(rows))).await
}

impl World {
    /// What an attribute of a user holds; empty: there is none.
    async fn text_of(&self, uid: &str, attribute: &str) -> String {
        self.user(uid).await.get(attribute).map(|values| values.join(" | ")).unwrap_or_default()
    }

    async fn license(&self, uid: &str) -> String {
        self.text_of(uid, "carLicense").await
    }
}

fn add(ids: &[&String]) -> Value {
    json!([{"op": "add", "path": "members", "value": values(ids)}])
}

fn remove(ids: &[&String]) -> Value {
    json!([{"op": "remove", "path": "members", "value": values(ids)}])
}

#[tokio::test]
async fn every_change_of_a_membership_shows_in_the_users_own_attribute() {
    let world = world("names-life", PLAIN).await;
    let ids = world.people_named(&["ada", "bob", "eve"]).await;
    let [ada, bob, eve] = [&ids[0], &ids[1], &ids[2]];
    let readers = world.group("Readers", &[ada, bob]).await;
    let admins = world.group("Admins", &[]).await;
    assert_eq!((world.license("ada").await, world.license("eve").await), ("Readers".to_owned(), String::new()));
    world.patch_group(&admins, add(&[ada, eve])).await;
    assert_eq!(world.license("ada").await, "Admins; Readers");
    assert_eq!(world.license("eve").await, "Admins");
    world.patch_group(&admins, remove(&[eve])).await;
    assert_eq!(world.license("eve").await, "");

    let put = |name: &str, ids: &[&String]| json!({"schemas": [GROUP], "displayName": name, "members": values(ids)});
    let path = format!("/Groups/{readers}");
    world.scim.put(&path, &put("Readers", &[bob, eve])).await.expect(200);
    assert_eq!((world.license("ada").await, world.license("eve").await), ("Admins".to_owned(), "Readers".to_owned()));
    // A new name, alone and together with other members, shows in everybody's.
    world.patch_group(&readers, json!([{"op": "replace", "value": {"displayName": "Writers"}}])).await;
    assert_eq!((world.license("bob").await, world.license("eve").await), ("Writers".to_owned(), "Writers".to_owned()));
    world.scim.put(&path, &put("Editors", &[ada, bob])).await.expect(200);
    assert_eq!(world.license("ada").await, "Admins; Editors");
    assert_eq!((world.license("bob").await, world.license("eve").await), ("Editors".to_owned(), String::new()));
    world.patch_group(&readers, json!([{"op": "replace", "path": "members", "value": values(&[ada, eve])}])).await;
    assert_eq!((world.license("bob").await, world.license("eve").await), (String::new(), "Editors".to_owned()));
    world.patch_group(&readers, json!([{"op": "remove", "path": "members"}])).await;
    assert_eq!(world.license("ada").await, "Admins");

    // Another name of the user changes nothing, and neither does what a client says about groups.
    let rename = json!([{"op": "replace", "path": "userName", "value": "countess"}]);
    world.scim.patch(&format!("/Users/{ada}"), &patch(&rename)).await.expect(200);
    assert_eq!(world.license("countess").await, "Admins");
    let mut body = okta_user("countess", "Ada", "Lovelace");
    body["groups"] = json!([{"value": readers, "display": "Editors"}]);
    world.scim.put(&format!("/Users/{ada}"), &body).await.expect(200);
    assert_eq!(world.license("countess").await, "Admins");
    body["userName"] = json!("new");
    world.scim.post("/Users", &body).await.expect(201);
    assert_eq!(world.license("new").await, "");
    world.scim.delete(&format!("/Groups/{admins}")).await.expect(204);
    assert_eq!(world.license("countess").await, "");
}

#[tokio::test]
async fn a_user_is_put_right_by_the_next_change_whatever_happened_beside_the_bridge() {
    let world = world("names-beside", PLAIN).await;
    let ids = world.people_named(&["ada"]).await;
    world.group("Readers", &[&ids[0]]).await;
    world.raw.replace(&format!("uid=ada,{}", world.people()), "carLicense", &["by", "hand"]).await;
    let title = json!([{"op": "replace", "path": "title", "value": "Countess"}]);
    world.scim.patch(&format!("/Users/{}", ids[0]), &patch(&title)).await.expect(200);
    assert_eq!(world.license("ada").await, "Readers");
}

#[tokio::test]
async fn groups_may_be_told_by_another_name_and_by_way_of_other_groups() {
    let rows = r#"{ scim = "groups", ldap = "carLicense", show = "externalId", separator = "," },
        { scim = "groups", ldap = "roomNumber", indirect = true, max_length = 14 },"#;
    let world = world("names-nested", rows).await;
    let ids = world.people_named(&["ada", "bob"]).await;
    let create = async |name: &str, external: &str, ids: &[&String]| {
        let body = json!({"displayName": name, "externalId": external, "members": values(ids)});
        let created = world.scim.post("/Groups", &body).await;
        created.expect(201);
        created.id()
    };
    let inner = create("Inner", "x1", &[&ids[0]]).await;
    let outer = create("Outer", "x2", &[&inner, &ids[1]]).await;
    let top = create("Top", "x3", &[]).await;
    let both = async |uid: &str| (world.license(uid).await, world.text_of(uid, "roomNumber").await);
    let of = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(both("ada").await, of("x1", "Inner;Outer"));
    assert_eq!(both("bob").await, of("x2", "Outer"));
    world.patch_group(&top, add(&[&outer])).await;
    assert_eq!(both("ada").await, of("x1", "Inner;Outer"), "a third name would be too long");
    assert_eq!(both("bob").await, of("x2", "Outer;Top"));
    world.patch_group(&outer, json!([{"op": "replace", "value": {"displayName": "Out", "externalId": "y2"}}])).await;
    assert_eq!((both("ada").await, both("bob").await), (of("x1", "Inner;Out;Top"), of("y2", "Out;Top")));
    world.patch_group(&outer, remove(&[&inner])).await;
    assert_eq!(both("ada").await, of("x1", "Inner"));
    world.scim.delete(&format!("/Groups/{top}")).await.expect(204);
    assert_eq!(both("bob").await, of("y2", "Out"));
}

#[tokio::test]
async fn groups_that_hold_names_show_too() {
    let users = table(PLAIN).split_once("\n[group]").unwrap().0.to_owned();
    let table = format!(
        "{users}\n[group]\nbase = \"ou=groups,{{base_dn}}\"\nobject_class = [\"posixGroup\"]\nrdn = \"cn\"\n\
         members = \"memberUid\"\nattributes = [ {{ scim = \"displayName\", ldap = \"cn\", required = true }}, \
         {{ ldap = \"gidNumber\", next = {{ from = 1, to = 99 }} }} ]\n"
    );
    let world = World::with("names-posix", |config| config.mapping_text(&table)).await;
    let ids = world.people_named(&["ada", "bob"]).await;
    let group = world.group("Readers", &[&ids[0]]).await;
    world.patch_group(&group, add(&[&ids[1]])).await;
    assert_eq!((world.license("ada").await, world.license("bob").await), ("Readers".to_owned(), "Readers".to_owned()));
    let rename = json!([{"op": "replace", "path": "userName", "value": "countess"}]);
    world.scim.patch(&format!("/Users/{}", ids[0]), &patch(&rename)).await.expect(200);
    assert_eq!(world.license("countess").await, "Readers");
    world.patch_group(&group, remove(&[&ids[0]])).await;
    assert_eq!(world.license("countess").await, "");
}

#[tokio::test]
async fn many_groups_that_change_at_once_in_two_bridges_end_with_the_truth() {
    let slapd = Slapd::shared();
    let world =
        World::before(slapd, slapd.suffix("names-parallel").await, |config| config.mapping_text(&table(PLAIN))).await;
    let other = Daemon::start(BINARY, &Config::for_server(slapd, &world.base).mapping_text(&table(PLAIN)));
    let clients = [world.daemon.scim(BASIC), other.scim(BASIC)];
    let ids = world.people_named(&["ada", "bob"]).await;
    let mut groups = Vec::new();
    for number in 10..34 {
        groups.push(world.group(&format!("g{number}"), &[]).await);
    }
    for round in 0..3 {
        let send = async |at: usize, operations: Value| {
            let path = format!("/Groups/{}", groups[at]);
            clients[(at + round) % 2].patch(&path, &patch(&operations)).await.expect(204);
        };
        join_all((0..24).map(|at| send(at, add(&[&ids[0], &ids[1]])))).await;
        let all: Vec<String> = (10..34).map(|number| format!("g{number}")).collect();
        assert_eq!(world.license("ada").await, all.join("; "));
        assert_eq!(world.license("bob").await, all.join("; "));
        join_all((0..24).map(|at| send(at, remove(&[&ids[at % 2]])))).await;
        let odd: Vec<String> = (10..34).filter(|number| number % 2 == 1).map(|number| format!("g{number}")).collect();
        assert_eq!(world.license("ada").await, odd.join("; "));
    }
}

#[tokio::test]
async fn what_the_directory_refuses_for_good_is_logged_and_the_membership_stands() {
    let world = world("names-refused", r#"{ scim = "groups", ldap = "memberUid" },"#).await;
    let ids = world.people_named(&["ada"]).await;
    let group = world.group("Readers", &[&ids[0]]).await;
    assert_eq!(world.members("Readers").await.len(), 1);
    world.patch_group(&group, remove(&[&ids[0]])).await;
    let line = world.daemon.wait_for_log("the names of a user's groups can't be written");
    assert!(field(&line, "member").unwrap().as_str().unwrap().starts_with("uid=ada,"));
}

#[tokio::test]
async fn a_connection_that_dies_between_group_and_user_is_made_good_by_the_same_request() {
    let proxy = Proxy::before(Slapd::shared().port());
    let plain = |config: Config| {
        config.urls(&[&proxy.url()]).directory("allow_plaintext = true\nwhen_unreachable = \"refuse\"")
    };
    let world = World::with("names-cut", |config| plain(config).mapping_text(&table(PLAIN))).await;
    let ids = world.people_named(&["ada", "bob"]).await;
    let group = world.group("Readers", &[&ids[0]]).await;
    let path = format!("/Groups/{group}");
    let body = json!({"displayName": "Readers", "members": values(&[&ids[1]])});
    // The first modify is the group's, the second one a user's.
    proxy.hold_next_modify();
    let cut = async {
        proxy.await_held().await;
        proxy.hold_next_modify();
        proxy.resume();
        proxy.await_held().await;
        proxy.refuse();
    };
    let (answer, ()) = tokio::join!(world.scim.put(&path, &body), cut);
    assert_eq!(answer.status, 429, "{:?}", answer.body);
    proxy.resume();
    assert_eq!(world.members("Readers").await.into_iter().collect::<Vec<_>>(), ["bob"], "the membership stands");
    world.scim.put(&path, &body).await.expect(200);
    assert_eq!((world.license("ada").await, world.license("bob").await), (String::new(), "Readers".to_owned()));
}

#[tokio::test]
async fn what_is_accepted_during_an_outage_shows_when_the_directory_is_back() {
    let proxy = Proxy::before(Slapd::shared().port());
    let plain = |config: Config| config.urls(&[&proxy.url()]).directory("allow_plaintext = true");
    let world = World::with("names-outage", |config| plain(config).mapping_text(&table(PLAIN))).await;
    let ids = world.people_named(&["ada", "bob"]).await;
    let group = world.group("Readers", &[&ids[0]]).await;
    proxy.refuse();
    let body = json!({"displayName": "Readers", "members": values(&[&ids[1]])});
    world.scim.put(&format!("/Groups/{group}"), &body).await.expect(200);
    assert_eq!(world.license("ada").await, "Readers");
    proxy.resume();
    let dn = |uid: &str| format!("uid={uid},{}", world.people());
    world.raw.wait_for(&dn("bob"), |user| user.get("carLicense").is_some_and(|text| text == &["Readers"])).await;
    world.raw.wait_for(&dn("ada"), |user| !user.contains_key("carLicense")).await;
}

#[tokio::test]
async fn a_table_without_such_a_row_pays_nothing() {
    let mut counts = Vec::new();
    for (name, rows) in [("names-without", ""), ("names-with", PLAIN)] {
        let world = world(name, rows).await;
        let ids = world.people_named(&["ada"]).await;
        let group = world.group("Readers", &[]).await;
        let operations = || world.daemon.log().iter().filter(|line| field(line, "op").is_some()).count();
        let before = operations();
        world.patch_group(&group, add(&[&ids[0]])).await;
        let first = operations();
        world.patch_group(&group, add(&[&ids[0]])).await;
        counts.push((first - before, operations() - first));
    }
    let (without, with) = (counts[0], counts[1]);
    assert!(without.0 <= 4, "{counts:?}");
    assert_eq!(with.0 - without.0, 5, "the user and its groups before and after, and one modify: {counts:?}");
    assert_eq!(with.1 - without.1, 2, "nothing to write: {counts:?}");
}

#[tokio::test]
async fn check_and_explain_know_the_row() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("names-check").await;
    let config = Config::for_server(slapd, &base).mapping_text(&table(PLAIN));
    let explained = run_with(&config, &["explain", "-"], &[], r#"{"userName": "ada"}"#);
    assert!(explained.out.contains("the names of the user's groups, written when these change"), "{}", explained.out);
    assert!(!explained.out.contains("carLicense:"), "{}", explained.out);
    let checked = run(&config, &["check"]);
    assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);
    let config = Config::for_server(slapd, &base).mapping_text(&table(&PLAIN.replace("carLicense", "carLicence")));
    let checked = run(&config, &["check"]);
    assert!(checked.out.contains("no attribute carLicence") && checked.out.contains("carLicense"), "{}", checked.out);
}

#[tokio::test]
async fn who_writes_what_is_old_by_then_notices_and_writes_again() {
    let proxy = Proxy::before(Slapd::shared().port());
    let plain = |config: Config| {
        config.urls(&[&proxy.url()]).directory("allow_plaintext = true\nwhen_unreachable = \"refuse\"")
    };
    let world = World::with("names-stale", |config| plain(config).mapping_text(&table(PLAIN))).await;
    let other = Daemon::start(BINARY, &Config::for_server(Slapd::shared(), &world.base).mapping_text(&table(PLAIN)));
    let ids = world.people_named(&["ada"]).await;
    let (one, two) = (world.group("One", &[]).await, world.group("Two", &[]).await);
    proxy.hold_next_modify();
    let meanwhile = async {
        proxy.await_held().await;
        proxy.hold_next_modify();
        proxy.resume();
        // What the user's attribute is to be is computed, and on its way, when another bridge changes it.
        proxy.await_held().await;
        let change = patch(&add(&[&ids[0]]));
        other.scim(BASIC).patch(&format!("/Groups/{two}"), &change).await.expect(204);
        assert_eq!(world.license("ada").await, "One; Two");
        proxy.resume();
    };
    tokio::join!(world.patch_group(&one, add(&[&ids[0]])), meanwhile);
    assert_eq!(world.license("ada").await, "One; Two");
}
