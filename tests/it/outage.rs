//! The directory is away: the identity provider goes on as if nothing were, and afterwards the directory is as it would
//! have been.

use crate::harness::{Answer, Kind, Proxy, Slapd};
use crate::world::{World, okta_user, patch};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_every_directory! {
    a_whole_conversation_goes_on_during_an_outage_and_the_directory_catches_up,
    what_was_accepted_outlives_the_process,
}

fn owed(answer: &Answer) -> i64 {
    answer.header("scim2ldap-owed").parse().expect("the number of an item")
}

/// Waits until nothing is owed any more: a change is carried out at once again.
async fn settled(world: &World) {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let answer = world.scim.post("/Users", &okta_user("settled-probe", "Pro", "Be")).await;
        answer.expect(201);
        let deleted = world.scim.delete(&format!("/Users/{}", answer.id())).await;
        deleted.expect(204);
        if answer.header("scim2ldap-owed").is_empty() && deleted.header("scim2ldap-owed").is_empty() {
            return;
        }
        assert!(Instant::now() < until, "still owed:\n{}", world.daemon.log_text());
        // Every question is work that is owed, too: a directory that makes accounts slowly has to catch up with it.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn add_members(ids: &[&str]) -> Value {
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    patch(&json!([{"op": "add", "path": "members", "value": members}]))
}

async fn a_whole_conversation_goes_on_during_an_outage_and_the_directory_catches_up(kind: Kind) {
    let (proxy, world) = World::away(kind, "outage-whole").await;
    let scim = &world.scim;
    let boss = scim.post("/Users", &okta_user("boss", "Bo", "Ss")).await;
    boss.expect(201);
    proxy.refuse();

    assert_eq!(scim.search("/Users", "userName eq \"ada\"").await.total(), 0);
    assert_eq!(scim.search("/Users", "userName eq \"boss\"").await.total(), 1);
    let ada = scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    ada.expect(201);
    assert!(owed(&ada) > 0);
    scim.post("/Users", &okta_user("ADA", "Ada", "Again")).await.expect_error(409, "uniqueness");
    let path = format!("/Users/{}", ada.id());
    let read = scim.get(&path).await;
    assert_eq!(read.expect(200)["name"]["familyName"], "Lovelace");
    let mut put = okta_user("ada.king", "Ada", "King");
    put["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = json!({"manager": {"value": boss.id()}});
    put["schemas"] = json!([crate::world::USER, crate::world::ENTERPRISE]);
    scim.put(&path, &put).await.expect(200);
    let gone = patch(&json!([{"op": "replace", "value": {"active": false}}]));
    scim.patch(&path, &gone).await.expect(200);
    let group = scim.post("/Groups", &json!({"displayName": "Staff", "members": []})).await;
    group.expect(201);
    scim.patch(&format!("/Groups/{}", group.id()), &add_members(&[&ada.id(), &boss.id()])).await.expect(204);
    let members = scim.get(&format!("/Groups/{}", group.id())).await;
    assert_eq!(members.expect(200)["members"].as_array().map(Vec::len), Some(2));
    assert!(!world.has_user("ada.king").await, "nothing has arrived yet");

    proxy.resume();
    settled(&world).await;
    let entry = world.user("ada.king").await;
    assert_eq!(entry["sn"], ["King"]);
    assert_eq!(entry["manager"], [world.dn("boss")]);
    assert!(world.locked("ada.king").await);
    assert_eq!(world.members("Staff").await, ["ada.king", "boss"].map(String::from).into());
    let after = scim.get(&path).await;
    assert_eq!(after.expect(200)["id"], ada.id(), "the id that was given out is the one that stays");
    assert_eq!(after.body["userName"], "ada.king");
    let listed = scim.search("/Users", &format!("id eq \"{}\"", ada.id())).await;
    assert_eq!(listed.total(), 1);
    let members = scim.get(&format!("/Groups/{}", group.id())).await;
    assert!(members.body["members"].to_string().contains(&ada.id()));
}

async fn what_was_accepted_outlives_the_process(kind: Kind) {
    let (proxy, mut world) = World::away(kind, "outage-killed").await;
    proxy.refuse();
    let mut ids = Vec::new();
    for number in 0..20 {
        let created = world.scim.post("/Users", &okta_user(&format!("user{number}"), "U", "Ser")).await;
        created.expect(201);
        ids.push(created.id());
    }
    world.daemon.kill();
    world.daemon.restart();
    world.scim = world.daemon.scim(crate::harness::BASIC);
    assert_eq!(world.scim.get("/Users?count=100").await.total(), 20);
    world.scim.get(&format!("/Users/{}", ids[7])).await.expect(200);
    world.scim.delete(&format!("/Users/{}", ids[7])).await.expect(204);
    world.scim.get(&format!("/Users/{}", ids[7])).await.expect(404);
    proxy.resume();
    settled(&world).await;
    let found = world.raw.find(&world.people(), &format!("(objectClass={})", kind.facts().person_class)).await;
    assert_eq!(found.len(), 19);
    for id in ids.iter().enumerate().filter(|(at, _)| *at != 7).map(|(_, id)| id) {
        world.scim.get(&format!("/Users/{id}")).await.expect(200);
    }
}

#[tokio::test]
async fn what_the_directory_did_just_before_the_bridge_was_killed_is_known_in_the_outage() {
    let (proxy, mut world) = World::away(Kind::OpenLdap, "outage-noted").await;
    let create = async |name: &str| {
        let created = world.scim.post("/Users", &okta_user(name, "Ada", "Lovelace")).await;
        created.expect(201);
        created.id()
    };
    let (ada, gone, other) = (create("ada").await, create("gone").await, create("other").await);
    let staff = world.scim.post("/Groups", &json!({"displayName": "Staff", "members": [{"value": gone}]})).await;
    staff.expect(201);
    let (path, group) = (format!("/Users/{ada}"), format!("/Groups/{}", staff.id()));
    // Each of these is in the shadow only if it was noted: the daemon has no time for more.
    let retitled = patch(&json!([{"op": "replace", "value": {"title": "Countess"}}]));
    world.scim.patch(&path, &retitled).await.expect(200);
    world.scim.patch(&group, &add_members(&[&ada, &other])).await.expect(204);
    world.scim.put(&format!("/Users/{other}"), &okta_user("renamed", "Ada", "Lovelace")).await.expect(200);
    world.scim.delete(&format!("/Users/{gone}")).await.expect(204);
    world.daemon.kill();
    proxy.refuse();
    // Killed once more, before or after what was noted is in the tables.
    for _ in 0..2 {
        world.daemon.restart();
        world.scim = world.daemon.scim(crate::harness::BASIC);
        assert_eq!(world.scim.get(&path).await.expect(200)["title"], "Countess");
        assert_eq!(world.scim.search("/Users", "userName eq \"ada\"").await.total(), 1);
        world.scim.get(&format!("/Users/{gone}")).await.expect(404);
        assert_eq!(world.scim.get(&format!("/Users/{other}")).await.expect(200)["userName"], "renamed");
        let read = world.scim.get(&group).await;
        let members = read.expect(200)["members"].to_string();
        assert!(members.contains(&ada) && members.contains(&other) && !members.contains(&gone), "{members}");
        world.daemon.kill();
    }
    world.daemon.restart();
    world.scim = world.daemon.scim(crate::harness::BASIC);
    // What is asked now is planned against what the directory did last.
    let staying = patch(&json!([{"op": "remove", "path": "title", "value": "Countess"}]));
    let answer = world.scim.patch(&path, &staying).await;
    assert!(owed(&answer) > 0);
    assert!(answer.expect(200).get("title").is_none());
    world.scim.post("/Users", &okta_user("renamed", "Some", "Body")).await.expect_error(409, "uniqueness");
    proxy.resume();
    settled(&world).await;
    assert!(!world.user("ada").await.contains_key("title"));
}

#[tokio::test]
async fn who_is_protected_by_a_filter_is_refused_during_an_outage_as_well() {
    let slapd = Slapd::shared();
    let proxy = Proxy::before(slapd.port());
    let base = slapd.suffix("outage-protect").await;
    let raw = slapd.raw().await;
    for (uid, category) in [("vip", "vip"), ("ada", "plain")] {
        let entry: [(&str, &[&str]); 4] = [
            ("objectClass", &["inetOrgPerson"]),
            ("cn", &[uid]),
            ("sn", &["Before"]),
            ("businessCategory", &[category]),
        ];
        raw.add(&format!("uid={uid},ou=people,{base}"), &entry).await;
    }
    // No row of the table for users reads businessCategory.
    let world = World::before(slapd, base, |config| {
        let config = config.urls(&[&proxy.url()]).directory("allow_plaintext = true");
        config.tenant("protect = [\"(businessCategory=vip)\"]")
    });
    let world = world.await;
    world.is_read();
    proxy.refuse();
    let change = async |uid: &str| {
        let found = world.scim.search("/Users", &format!("userName eq \"{uid}\"")).await;
        let path = format!("/Users/{}", found.resources()[0]["id"].as_str().unwrap());
        let title = patch(&json!([{"op": "replace", "path": "title", "value": "Boss"}]));
        world.scim.patch(&path, &title).await
    };
    let refused = change("vip").await;
    assert!(refused.expect_error(403, "").contains("it matches (businessCategory=vip)"));
    assert!(owed(&change("ada").await) > 0);
}
