//! Numbers that new entries get from a range, such as gidNumber, read back from the directory itself.

use crate::harness::{BASIC, Config, Daemon, Options, Proxy, Slapd, field, shipped};
use crate::world::{BINARY, World, patch, run_with};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const GID: &str = "urn:example:posix:2.0:Group";

/// POSIX users and groups whose numbers come from ranges.
fn table(groups: &str) -> String {
    let text = std::fs::read_to_string(shipped("mapping/openldap.toml")).unwrap();
    let (users, _) = text.split_once("\n[group]").unwrap();
    let users = users.replace("\"inetOrgPerson\"]", "\"inetOrgPerson\", \"posixAccount\"]").replacen(
        "attributes = [",
        "attributes = [\n  { ldap = \"uidNumber\", next = { from = 5000, to = 5999 } },\n  { ldap = \"gidNumber\", \
         value = \"100\" },\n  { ldap = \"homeDirectory\", value = \"/home/{{ userName }}\", when = \"create-only\" },",
        1,
    );
    format!(
        "{users}\n[group]\nbase = \"ou=groups,{{base_dn}}\"\nobject_class = [\"top\", \"posixGroup\"]\nrdn = \"cn\"\n\
         members = \"memberUid\"\nattributes = [\n  {{ scim = \"displayName\", ldap = \"cn\", required = true }},\n  \
         {{ scim = \"{GID}:gidNumber\", ldap = \"gidNumber\", next = {{ {groups} }} }},\n]\n"
    )
}

const RANGE: &str = "from = 20000, to = 20999";

async fn world(name: &str, range: &str) -> World {
    World::with(name, |config| config.mapping_text(&table(range))).await
}

impl World {
    async fn posix_group(&self, name: &str) -> Value {
        self.scim.post("/Groups", &json!({"displayName": name})).await.expect(201).clone()
    }

    /// What the directory holds for this entry, and for no other one.
    async fn number(&self, filter: &str, attribute: &str) -> u64 {
        let entry = self.raw.find_one(&self.base, filter).await.1;
        assert_eq!(entry[attribute].len(), 1);
        entry[attribute][0].parse().unwrap()
    }

    async fn other_group(&self, name: &str, number: &str) {
        let dn = format!("cn={name},ou=groups,{}", self.base);
        self.raw.add(&dn, &[("objectClass", &["posixGroup"]), ("cn", &[name]), ("gidNumber", &[number])]).await;
    }
}

#[tokio::test]
async fn a_new_group_gets_the_number_behind_the_highest_and_keeps_it() {
    let mut world = world("numbers-next", RANGE).await;
    world.other_group("old", "20004").await;
    world.other_group("hole", "20001").await;
    world.other_group("elsewhere", "70000").await;
    let created = world.posix_group("a").await;
    assert_eq!(created[GID]["gidNumber"], 20005);
    assert_eq!(world.number("(cn=a)", "gidNumber").await, 20005);
    // Somebody else gives the next one meanwhile.
    world.other_group("meanwhile", "20006").await;
    assert_eq!(world.posix_group("b").await[GID]["gidNumber"], 20007);

    let path = format!("/Groups/{}", created["id"].as_str().unwrap());
    let other = json!({"displayName": "renamed", GID: {"gidNumber": 20900}});
    assert_eq!(world.scim.put(&path, &other).await.expect(200)[GID]["gidNumber"], 20005);
    let to_another = json!([{"op": "replace", "path": format!("{GID}:gidNumber"), "value": 20901}]);
    world.scim.patch(&path, &patch(&to_another)).await.expect_error(400, "mutability");
    world.scim.patch(&path, &patch(&json!([{"op": "remove", "path": format!("{GID}:gidNumber")}]))).await;
    world.scim.put(&path, &json!({"displayName": "a"})).await.expect(200);
    assert_eq!(world.number("(cn=a)", "gidNumber").await, 20005, "a number is for good");
    assert_eq!(world.scim.search("/Groups", &format!("{GID}:gidNumber eq 20005")).await.total(), 1);

    // A name that is taken costs no number, and neither does a restart.
    world.scim.post("/Groups", &json!({"displayName": "b"})).await.expect_error(409, "uniqueness");
    assert_eq!(world.posix_group("c").await[GID]["gidNumber"], 20008);
    world.daemon.stop();
    world.daemon.restart();
    world.scim = world.daemon.scim(BASIC);
    assert_eq!(world.posix_group("d").await[GID]["gidNumber"], 20009);
}

#[tokio::test]
async fn a_client_may_choose_a_free_number_of_the_range() {
    let world = world("numbers-chosen", RANGE).await;
    let choose = |name: &str, number: Value| json!({"displayName": name, GID: {"gidNumber": number}});
    let chosen = world.scim.post("/Groups", &choose("a", json!(20500))).await;
    assert_eq!(chosen.expect(201)[GID]["gidNumber"], 20500);
    let taken = world.scim.post("/Groups", &choose("b", json!(20500))).await;
    let detail = taken.expect_error(409, "uniqueness");
    assert!(detail.contains("20500") && detail.contains("cn=a"), "{detail}");
    for wrong in [json!(19999), json!(21000)] {
        let detail = world.scim.post("/Groups", &choose("b", wrong)).await;
        assert!(detail.expect_error(400, "invalidValue").contains("from 20000 to 20999"));
    }
    assert_eq!(world.posix_group("b").await[GID]["gidNumber"], 20501);
    let schemas = world.scim.get("/Schemas").await;
    let own = schemas.resources().iter().find(|schema| schema["id"] == GID).unwrap();
    let attribute = &own["attributes"][0];
    assert_eq!((&attribute["type"], &attribute["mutability"]), (&json!("integer"), &json!("immutable")));
}

#[tokio::test]
async fn numbers_of_who_is_gone_are_given_again_when_the_range_is_at_its_end_and_then_it_is_used_up() {
    let world = world("numbers-end", "from = 300, to = 302").await;
    let first = world.posix_group("a").await;
    world.posix_group("b").await;
    world.scim.delete(&format!("/Groups/{}", first["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(world.posix_group("c").await[GID]["gidNumber"], 302, "as long as there are others");
    assert_eq!(world.posix_group("d").await[GID]["gidNumber"], 300);
    let refused = world.scim.post("/Groups", &json!({"displayName": "e"})).await;
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(refused.status >= 500 && detail.contains("from 300 to 302"), "{}: {detail}", refused.status);
    assert!(detail.contains("mapping.toml:"), "{detail}");
    assert!(world.raw.find(&world.base, "(cn=e)").await.is_empty());
}

#[tokio::test]
async fn users_get_numbers_too_and_thirty_at_once_get_thirty() {
    let world = world("numbers-users", RANGE).await;
    let users: Vec<Value> = (0..30).map(|n| json!({"userName": format!("u{n}"), "displayName": "x"})).collect();
    for answer in join_all(users.iter().map(|user| world.scim.post("/Users", user))).await {
        answer.expect(201);
    }
    let entries = world.raw.find(&world.base, "(objectClass=posixAccount)").await;
    let numbers: BTreeSet<&str> = entries.iter().map(|(_, entry)| entry["uidNumber"][0].as_str()).collect();
    let expected: Vec<String> = (5000..5030).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected.iter().map(String::as_str).collect());
    let scanned = world.raw.find(&world.base, "(gidNumber=100)").await.len();
    assert_eq!(scanned, 30, "what another row writes is nobody's number");
}

#[tokio::test]
async fn a_create_does_not_read_the_whole_directory() {
    let world = World::with("numbers-cost", |config| config.log("debug").mapping_text(&table(RANGE))).await;
    world.posix_group("first").await;
    let searches = || {
        let lines = world.daemon.log();
        let filters = lines.iter().filter_map(|line| field(line, "filter")?.as_str().map(str::to_owned));
        filters.filter(|filter| filter.contains("gidNumber")).collect::<Vec<_>>()
    };
    let before = searches().len();
    world.posix_group("second").await;
    assert_eq!(searches()[before..], ["(gidNumber=20001)", "(gidNumber=20001)"], "is it free, and is it the only one");
}

/// Two bridges that know nothing of each other make groups at the same time.
async fn two_bridges(slapd: &Slapd, name: &str) {
    let base = slapd.suffix(name).await;
    let config = Config::for_server(slapd, &base).mapping_text(&table(RANGE));
    let bridges = [Daemon::start(BINARY, &config), Daemon::start(BINARY, &config)];
    let clients = bridges.each_ref().map(|bridge| bridge.scim(BASIC));
    let create = async |at: usize| {
        let body = json!({"displayName": format!("g{at}")});
        let created = clients[at % 2].post("/Groups", &body).await;
        created.expect(201)[GID]["gidNumber"].as_u64().unwrap()
    };
    let shown: BTreeSet<u64> = join_all((0..40).map(create)).await.into_iter().collect();
    let entries = slapd.raw().await.find(&base, "(objectClass=posixGroup)").await;
    let held: BTreeSet<u64> = entries.iter().map(|(_, entry)| entry["gidNumber"][0].parse().unwrap()).collect();
    assert_eq!((held.len(), &held), (40, &shown), "each its own, and the one that was answered");
}

#[tokio::test]
async fn two_bridges_never_leave_two_groups_with_one_number() {
    two_bridges(Slapd::shared(), "numbers-two").await;
}

#[tokio::test]
async fn a_server_that_refuses_a_number_twice_is_asked_for_the_next_one() {
    let slapd = Slapd::with(Options { unique: true, ..Options::default() });
    two_bridges(&slapd, "numbers-unique").await;
}

#[tokio::test]
async fn explain_tells_the_number_and_does_not_take_it() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("numbers-explain").await;
    let config = Config::for_server(slapd, &base).mapping_text(&table(RANGE));
    for _ in 0..2 {
        let ran = run_with(&config, &["explain", "-", "--kind", "group"], &[], r#"{"displayName": "g"}"#);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("the next free number from 20000 to 20999"), "{}", ran.out);
        assert!(ran.out.contains("gidNumber: 20000\n"), "{}", ran.out);
    }
}

/// A bridge whose next add the network holds back, as long as it takes to do something else in between.
async fn held_back(proxy: &Proxy, name: &str) -> World {
    let plain = |config: Config| {
        config.urls(&[&proxy.url()]).directory("allow_plaintext = true\nwhen_unreachable = \"refuse\"")
    };
    World::with(name, |config| plain(config).mapping_text(&table(RANGE))).await
}

#[tokio::test]
async fn somebody_elses_entry_with_the_same_number_is_noticed_after_the_write() {
    let proxy = Proxy::before(Slapd::shared().port());
    let world = held_back(&proxy, "numbers-race").await;
    for (name, chosen) in [("a", None), ("b", Some(20700))] {
        proxy.hold_next_add();
        let body = chosen.map_or(
            json!({"displayName": name}),
            |number: u64| json!({"displayName": name, GID: {"gidNumber": number}}),
        );
        let meanwhile = async {
            proxy.await_held().await;
            world.other_group(&format!("other-{name}"), &chosen.unwrap_or(20000).to_string()).await;
            proxy.resume();
        };
        let (answer, ()) = tokio::join!(world.scim.post("/Groups", &body), meanwhile);
        // A number that the client chose is not the bridge's to change: it is only told.
        let expected = chosen.unwrap_or(20001);
        assert_eq!(answer.expect(201)[GID]["gidNumber"], expected);
        assert_eq!(world.number(&format!("(cn={name})"), "gidNumber").await, expected);
    }
    let warning = world.daemon.wait_for_log("somebody else gave the same number");
    assert_eq!(field(&warning, "number").unwrap(), 20000);
}

#[tokio::test]
async fn an_add_whose_answer_is_lost_keeps_its_number_and_costs_no_other() {
    let proxy = Proxy::before(Slapd::shared().port());
    let world = held_back(&proxy, "numbers-lost").await;
    proxy.hold_next_add();
    let lost = async {
        proxy.await_held().await;
        proxy.cut_before_next_answer();
        proxy.resume();
    };
    let body = json!({"displayName": "a"});
    let (answer, ()) = tokio::join!(world.scim.post("/Groups", &body), lost);
    assert_eq!(answer.expect(201)[GID]["gidNumber"], 20000);
    world.scim.post("/Groups", &body).await.expect_error(409, "uniqueness");
    assert_eq!(world.posix_group("b").await[GID]["gidNumber"], 20001);
    assert_eq!(world.number("(cn=a)", "gidNumber").await, 20000);
}
