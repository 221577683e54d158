//! Entity tags and preconditions (RFC 7644 section 3.14, RFC 9110 section 13).

use crate::harness::{Answer, Config, Kind, Lease, Options, Proxy};
use crate::world::{ENTERPRISE, World, okta_user, patch, without_passwords};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

on_every_directory! {
    the_tag_of_a_resource_moves_with_its_content_and_with_nothing_else,
    a_members_new_name_changes_the_tag_of_the_group,
    a_client_that_has_the_resource_already_gets_304,
    a_write_that_expects_another_version_is_refused_with_412_and_changes_nothing,
    a_write_that_is_not_to_meet_this_version_is_refused_with_412_and_changes_nothing,
    the_tag_of_a_group_without_its_members_is_good_for_a_change,
    a_change_between_reading_and_writing_is_noticed_by_who_named_a_version,
    of_many_changes_that_name_the_same_version_one_is_made,
    a_put_that_names_the_version_exchanges_values_of_every_kind,
}

async fn send(world: &World, method: Method, path: &str, header: (&str, &str), body: Option<&Value>) -> Answer {
    let text = body.map(Value::to_string);
    let body = text.as_deref().map(|text| ("application/scim+json", text));
    world.scim.send_raw(method, path, &[header], body).await
}

fn title(value: &str) -> Value {
    patch(&json!([{"op": "replace", "path": "title", "value": value}]))
}

async fn the_tag_of_a_resource_moves_with_its_content_and_with_nothing_else(kind: Kind) {
    let world = World::on(kind, "etag-content").await;
    let created = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    let path = format!("/Users/{}", created.id());
    let tag = async || {
        let answer = world.scim.get(&path).await;
        assert_eq!(answer.expect(200)["meta"]["version"], answer.header("etag"));
        answer.header("etag").to_owned()
    };
    let first = tag().await;
    assert_eq!(created.header("etag"), first);
    assert!(first.starts_with("W/\""), "{first}");
    assert_eq!(tag().await, first);
    let dn = world.dn("ada");
    world.raw.replace(&dn, "description", &["not mapped"]).await;
    assert_eq!(tag().await, first, "what is not shown does not count");
    let patched = world.scim.patch(&path, &title("Countess")).await;
    assert_ne!(patched.header("etag"), first);
    assert_eq!(tag().await, patched.header("etag"));
    world.scim.patch(&path, &patch(&json!([{"op": "remove", "path": "title"}]))).await.expect(200);
    assert_eq!(tag().await, first, "the same content has the same tag");
    let listed = world.scim.search("/Users", "userName eq \"ada\"").await;
    assert_eq!(listed.resources()[0]["meta"]["version"], first);
}

async fn a_members_new_name_changes_the_tag_of_the_group(kind: Kind) {
    let world = World::on(kind, "etag-member").await;
    let ada = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.id();
    let group = json!({"displayName": "staff", "members": [{"value": ada}]});
    let group = format!("/Groups/{}", world.scim.post("/Groups", &group).await.id());
    let before = world.scim.get(&group).await;
    let change = patch(&json!([{"op": "replace", "path": "displayName", "value": "The Countess"}]));
    world.scim.patch(&format!("/Users/{ada}"), &change).await.expect(200);
    let after = world.scim.get(&group).await;
    assert_eq!(after.expect(200)["members"][0]["display"], "The Countess");
    assert_ne!(before.header("etag"), after.header("etag"));
    let known = send(&world, Method::GET, &group, ("if-none-match", before.header("etag")), None).await;
    known.expect(200);
}

async fn a_client_that_has_the_resource_already_gets_304(kind: Kind) {
    let world = World::on(kind, "etag-304").await;
    let created = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    let path = format!("/Users/{}", created.id());
    let tag = created.header("etag");
    let strong = tag.trim_start_matches("W/");
    let several = format!("\"x\", {tag}");
    for known in [tag, strong, several.as_str(), "*"] {
        for method in [Method::GET, Method::HEAD] {
            let answer = send(&world, method, &path, ("if-none-match", known), None).await;
            assert_eq!((answer.status, answer.header("etag")), (304, tag), "{known}");
        }
    }
    for unknown in ["\"x\"", "W/\"0\"", ""] {
        send(&world, Method::GET, &path, ("if-none-match", unknown), None).await.expect(200);
    }
    send(&world, Method::GET, "/Users/nobody", ("if-none-match", "*"), None).await.expect_error(404, "");
}

async fn a_write_that_expects_another_version_is_refused_with_412_and_changes_nothing(kind: Kind) {
    let world = World::on(kind, "etag-412").await;
    let created = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    let path = format!("/Users/{}", created.id());
    let before = world.user("ada").await;
    let put = okta_user("ada", "Augusta", "King");
    for stale in ["W/\"0\"", "\"x\", \"y\""] {
        send(&world, Method::PATCH, &path, ("if-match", stale), Some(&title("X"))).await.expect_error(412, "");
        send(&world, Method::PUT, &path, ("if-match", stale), Some(&put)).await.expect_error(412, "");
        send(&world, Method::DELETE, &path, ("if-match", stale), None).await.expect_error(412, "");
    }
    assert_eq!(world.user("ada").await, before);
    let nobody = "/Users/00000000-0000-4000-8000-000000000000";
    send(&world, Method::PATCH, nobody, ("if-match", "*"), Some(&title("X"))).await.expect_error(404, "");

    let tag = created.header("etag");
    let patched = send(&world, Method::PATCH, &path, ("if-match", tag), Some(&title("Countess"))).await;
    assert_eq!(patched.expect(200)["title"], "Countess");
    send(&world, Method::PATCH, &path, ("if-match", tag), Some(&title("X"))).await.expect_error(412, "");
    let tags = format!("\"other\", {}", patched.header("etag"));
    let renamed = okta_user("countess", "Ada", "Lovelace");
    let replaced = send(&world, Method::PUT, &path, ("if-match", &tags), Some(&renamed)).await;
    assert_eq!(replaced.expect(200)["userName"], "countess");
    send(&world, Method::PATCH, &path, ("if-match", "*"), Some(&title("Any"))).await.expect(200);
    let tag = world.scim.get(&path).await.header("etag").to_owned();
    send(&world, Method::DELETE, &path, ("if-match", &tag), None).await.expect(204);
}

/// A bridge whose next change the network holds back, as long as it takes to do something else in between.
async fn held_back(kind: Kind, name: &str) -> (Proxy, World) {
    let lease = Lease::with(kind, Options { plaintext: true, ..Options::default() }).await;
    let proxy = Proxy::before(lease.port());
    // Without TLS the proxy sees what passes, and no password may.
    let change =
        |config: Config| without_passwords(kind, config).urls(&[&proxy.url()]).directory("allow_plaintext = true");
    let world = World::leased(lease, name, change).await;
    (proxy, world)
}

async fn a_write_that_is_not_to_meet_this_version_is_refused_with_412_and_changes_nothing(kind: Kind) {
    let world = World::on(kind, "etag-none").await;
    let created = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    let path = format!("/Users/{}", created.id());
    let before = world.user("ada").await;
    let several = format!("\"x\", {}", created.header("etag"));
    for met in ["*", created.header("etag"), &several] {
        send(&world, Method::PATCH, &path, ("if-none-match", met), Some(&title("X"))).await.expect_error(412, "");
        let put = okta_user("ada", "Augusta", "King");
        send(&world, Method::PUT, &path, ("if-none-match", met), Some(&put)).await.expect_error(412, "");
        send(&world, Method::DELETE, &path, ("if-none-match", met), None).await.expect_error(412, "");
    }
    assert_eq!(world.user("ada").await, before);
    send(&world, Method::GET, &path, ("if-match", "\"x\""), None).await.expect_error(412, "");
    send(&world, Method::GET, &path, ("if-match", "*"), None).await.expect(200);
    let other = send(&world, Method::PATCH, &path, ("if-none-match", "\"x\""), Some(&title("Countess"))).await;
    assert_eq!(other.expect(200)["title"], "Countess");
}

async fn the_tag_of_a_group_without_its_members_is_good_for_a_change(kind: Kind) {
    let world = World::on(kind, "etag-no-members").await;
    let ids = world.people_named(&["a", "b"]).await;
    let path = format!("/Groups/{}", world.group("G", &[&ids[0]]).await);
    let tag = world.scim.get(&format!("{path}?excludedAttributes=members")).await.header("etag").to_owned();
    let named = |name: &str| patch(&json!([{"op": "replace", "path": "displayName", "value": name}]));
    let answer = send(&world, Method::PATCH, &path, ("if-none-match", &tag), Some(&named("X"))).await;
    answer.expect_error(412, "");
    let add = patch(&json!([{"op": "add", "path": "members", "value": [{"value": ids[1]}]}]));
    send(&world, Method::PATCH, &path, ("if-match", &tag), Some(&add)).await.expect(204);
    send(&world, Method::PATCH, &path, ("if-match", &tag), Some(&named("H"))).await.expect(204);
    send(&world, Method::PATCH, &path, ("if-match", &tag), Some(&named("X"))).await.expect_error(412, "");
    send(&world, Method::GET, &path, ("if-none-match", &tag), None).await.expect(200);
    assert_eq!(world.members("H").await, crate::groups::set(&["a", "b"]));
}

async fn a_change_between_reading_and_writing_is_noticed_by_who_named_a_version(kind: Kind) {
    let (proxy, world) = held_back(kind, "etag-race").await;
    let mut user = okta_user("ada", "Ada", "Lovelace");
    user["title"] = json!("Countess");
    let created = world.scim.post("/Users", &user).await;
    let path = format!("/Users/{}", created.id());
    let dn = world.dn("ada");
    let meanwhile = async |attribute: &str, value: &str| {
        proxy.await_held().await;
        world.raw.replace(&dn, attribute, &[value]).await;
        proxy.resume();
    };

    proxy.hold_next_modify();
    let tag = created.header("etag");
    let change = title("from the client");
    let late = send(&world, Method::PATCH, &path, ("if-match", tag), Some(&change));
    let (late, ()) = tokio::join!(late, meanwhile("title", "from the helpdesk"));
    late.expect_error(412, "");
    assert_eq!(world.user("ada").await["title"], ["from the helpdesk"]);

    // An attribute that had no value: elsewhere nothing ties the write to what was read, and what comes last stays.
    let tag = world.scim.get(&path).await.header("etag").to_owned();
    proxy.hold_next_modify();
    let change = patch(&json!([{"op": "add", "path": "userType", "value": "from the client"}]));
    let late = send(&world, Method::PATCH, &path, ("if-match", &tag), Some(&change));
    let (late, ()) = tokio::join!(late, meanwhile("employeeType", "from the helpdesk"));
    if kind.facts().asserts {
        late.expect_error(412, "");
    } else {
        assert_eq!(late.expect(200)["userType"], "from the client");
    }

    // Something that the client can't see changes: its version still holds, and the write is planned anew.
    let tag = world.scim.get(&path).await.header("etag").to_owned();
    proxy.hold_next_modify();
    let change = title("from the client again");
    let request = send(&world, Method::PATCH, &path, ("if-match", &tag), Some(&change));
    let (answer, ()) = tokio::join!(request, meanwhile("description", "not mapped"));
    assert_eq!(answer.expect(200)["title"], "from the client again");
    assert_eq!(world.user("ada").await["description"], ["not mapped"]);

    // Who names no version wants the change made, whatever the resource looks like.
    proxy.hold_next_modify();
    let last = title("the last word");
    let request = world.scim.patch(&path, &last);
    let (answer, ()) = tokio::join!(request, meanwhile("title", "from the helpdesk"));
    assert_eq!(answer.expect(200)["title"], "the last word");
}

async fn of_many_changes_that_name_the_same_version_one_is_made(kind: Kind) {
    let world = World::on(kind, "etag-parallel").await;
    let created = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    let path = format!("/Users/{}", created.id());
    let tag = created.header("etag");
    let changes: Vec<Value> = (0..12).map(|number| title(&format!("t{number}"))).collect();
    let requests = changes.iter().map(|change| send(&world, Method::PATCH, &path, ("if-match", tag), Some(change)));
    let requests = futures_util::future::join_all(requests);
    let answers = tokio::time::timeout(Duration::from_mins(1), requests).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 412)));
}

/// Also where the write is bound to the values that were read: names, numbers, references, switches, and values that
/// come or go.
async fn a_put_that_names_the_version_exchanges_values_of_every_kind(kind: Kind) {
    let world = World::on(kind, "etag-exchange").await;
    for boss in ["boss", "chief"] {
        world.scim.post("/Users", &okta_user(boss, "The", boss)).await.expect(201);
    }
    let user = |given: &str, title: &str, manager: &str, active: bool| {
        let mut user = okta_user("ada", given, "Lovelace");
        user["title"] = json!(title);
        user["active"] = json!(active);
        user["phoneNumbers"] = json!([{"type": "work", "value": format!("+44 {given}")}]);
        user[ENTERPRISE] = json!({"manager": {"value": manager}, "employeeNumber": given});
        user
    };
    let created = world.scim.post("/Users", &user("Ada", "Countess", "boss", true)).await;
    let path = format!("/Users/{}", created.id());
    for (given, title, manager, active) in
        [("Augusta", "", "chief", false), ("ada", "countess", "boss", true), ("Ada", "COUNTESS", "", false)]
    {
        let tag = world.scim.get(&path).await.header("etag").to_owned();
        let change = user(given, title, manager, active);
        let answer = send(&world, Method::PUT, &path, ("if-match", &tag), Some(&change)).await;
        answer.expect(200);
        let entry = world.user("ada").await;
        let one = |name: &str| entry.get(name).map(|values| values.concat()).unwrap_or_default();
        assert_eq!([one("givenName"), one("title")], [given, title]);
        assert_eq!(one("telephoneNumber"), format!("+44 {given}"));
        assert_eq!(one("manager"), if manager.is_empty() { String::new() } else { world.dn(manager) });
        assert_eq!(world.locked("ada").await, !active);
    }
}
