//! What is owed to the directory, in the hands of a person: seen, retried, dropped, held and released on the command
//! line, while the daemon runs and while it does not.

use crate::harness::{BASIC, Proxy, Slapd};
use crate::world::{PATIENCE, World, okta_user, patch};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn proxy() -> Proxy {
    Proxy::before(Slapd::shared().port())
}

/// What a command says, and its exit code.
fn ran(world: &World, arguments: &[&str]) -> (String, i32) {
    let output = world.daemon.command(arguments);
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (text, output.status.code().unwrap())
}

fn json_of(world: &World, arguments: &[&str]) -> Value {
    let output = world.daemon.command(arguments);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|fault| panic!("{arguments:?}: {fault}: {output:?}"))
}

fn items(world: &World) -> Vec<Value> {
    json_of(world, &["queue", "list", "--json"])["items"].as_array().unwrap().clone()
}

/// Waits until what the queue holds is as `wanted` says.
async fn until(world: &World, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let items = items(world);
        if wanted(&items) {
            return items;
        }
        assert!(Instant::now() < end, "not {what}: {items:?}\n{}", world.daemon.log_text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn is_parked(items: &[Value]) -> bool {
    items.first().is_some_and(|item| item["state"] == "parked")
}

/// Waits until a question is answered as it should be.
async fn answered(world: &World, path: &str, status: u16, wanted: impl Fn(&Value) -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = world.scim.get(path).await;
        if answer.status == status && wanted(&answer.body) {
            return;
        }
        assert!(Instant::now() < end, "{path}: {} {}\n{}", answer.status, answer.body, world.daemon.log_text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Somebody else took the name that was given away during the outage: the item is parked. Answers the id that was given
/// out, and the number of the item.
async fn parked(world: &World, proxy: &Proxy) -> (String, String) {
    proxy.refuse();
    let ada = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    ada.expect(201);
    world.add_user("ada", &[("sn", &["Other"])]).await;
    proxy.resume();
    let items = until(world, "parked", is_parked).await;
    (ada.id(), items[0]["number"].to_string())
}

#[tokio::test]
async fn an_item_is_shown_with_what_was_asked_and_why_it_waits_and_retried_when_the_reason_is_gone() {
    let proxy = proxy();
    let world = World::behind(&proxy, "queue-retry", PATIENCE).await;
    let (id, number) = parked(&world, &proxy).await;
    let (list, code) = ran(&world, &["queue", "list", "--state", "parked"]);
    assert_eq!(code, 0);
    assert!(list.contains("create user ada") && list.contains(&id) && list.contains("1 parked"), "{list}");
    let (shown, code) = ran(&world, &["queue", "show", &number]);
    assert_eq!(code, 0, "{shown}");
    for part in ["basic scim-user", "\"userName\": \"ada\"", "parked since", "no other item", "is taken"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let change = patch(&json!([{"op": "replace", "path": "title", "value": "Dr"}]));
    world.scim.patch(&format!("/Users/{id}"), &change).await.expect(200);
    let told = json_of(&world, &["queue", "show", &number, "--json"]);
    assert_eq!(told["before"].as_array().map(Vec::len), Some(1), "{told}");
    let later = told["before"][0].to_string();
    let behind = json_of(&world, &["queue", "show", &later, "--json"]);
    assert_eq!(behind["waits_for"], json!([told["number"]]));
    // There is no such user yet, and that is no fault of the item's.
    let why = format!("that can't be said before what it waits for is done: item {number}");
    assert_eq!((&behind["ldif"], &behind["unknown"]), (&Value::Null, &json!(why)));
    let (shown, _) = ran(&world, &["queue", "show", &later]);
    assert!(shown.contains(&format!("reason    it waits for item {number}\n")), "{shown}");

    world.raw.delete(&world.dn("ada")).await;
    let told = json_of(&world, &["queue", "show", &number, "--json"]);
    assert!(told["ldif"].as_str().unwrap().contains("sn: Lovelace"), "{told}");
    let (said, code) = ran(&world, &["queue", "retry", &number]);
    assert_eq!((code, said.trim_end()), (0, &*format!("item {number} (create user ada) is owed again")));
    until(&world, "carried out", <[Value]>::is_empty).await;
    let entry = world.user("ada").await;
    assert_eq!((&entry["sn"], &entry["title"]), (&vec!["Lovelace".to_owned()], &vec!["Dr".to_owned()]));
    answered(&world, &format!("/Users/{id}"), 200, |body| body["title"] == "Dr").await;
}

#[tokio::test]
async fn a_dropped_create_is_gone_and_the_entry_that_was_in_its_way_is_seen() {
    let proxy = proxy();
    let world = World::behind(&proxy, "queue-drop-create", PATIENCE).await;
    let (id, number) = parked(&world, &proxy).await;
    let (said, code) = ran(&world, &["queue", "drop", &number]);
    assert!(code == 64 && said.contains("would be dropped") && said.contains("--yes"), "{code} {said}");
    assert_eq!(items(&world).len(), 1);
    let (said, code) = ran(&world, &["queue", "drop", "--all", "--parked", "--yes"]);
    assert_eq!(code, 0, "{said}");
    assert!(items(&world).is_empty());
    answered(&world, &format!("/Users/{id}"), 404, |_| true).await;
    world.daemon.wait_for_log("what was dropped from the queue is as the directory has it");
    let end = Instant::now() + Duration::from_secs(20);
    for number in 0.. {
        let other = world.scim.post("/Users", &okta_user(&format!("other{number}"), "O", "Ther")).await;
        other.expect(201);
        if other.header("scim2ldap-owed").is_empty() {
            break;
        }
        assert!(Instant::now() < end, "nothing is owed, and changes still wait in the queue");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    proxy.refuse();
    let search = "/Users?filter=userName%20eq%20%22ada%22";
    answered(&world, search, 200, |body| body["Resources"][0]["name"]["familyName"] == "Other").await;
    assert_eq!(ran(&world, &["queue", "drop", &number, "--yes"]).1, 1, "it is gone already");
}

#[tokio::test]
async fn a_dropped_change_is_undone_also_when_the_daemon_was_down_meanwhile() {
    let proxy = proxy();
    let mut world = World::behind(&proxy, "queue-drop-change", PATIENCE).await;
    let bob = world.scim.post("/Users", &okta_user("bob", "Bob", "Builder")).await.id();
    let carol = world.scim.post("/Users", &okta_user("carol", "Carol", "C")).await.id();
    proxy.refuse();
    let path = format!("/Users/{bob}");
    let change = patch(&json!([{"op": "replace", "path": "title", "value": "Boss"}]));
    world.scim.patch(&path, &change).await.expect(200);
    world.scim.delete(&format!("/Users/{carol}")).await.expect(204);
    world.scim.post("/Users", &okta_user("dave", "Dave", "D")).await.expect(201);
    world.daemon.kill();
    let owed = items(&world);
    let numbers: Vec<String> = owed.iter().map(|item| item["number"].to_string()).collect();
    assert_eq!(numbers.len(), 3, "{owed:?}");
    let (said, code) =
        ran(&world, &["queue", "drop", &numbers[0], &numbers[1], &numbers[2], "--tenant", "okta", "--yes"]);
    assert_eq!(code, 0, "{said}");
    world.daemon.restart();
    world.scim = world.daemon.scim(BASIC);
    let dave = world.scim.get("/Users?filter=userName%20eq%20%22dave%22").await;
    assert_eq!(dave.expect(200)["totalResults"], 0, "what was never made is forgotten without the directory");
    proxy.resume();
    world.daemon.wait_for_log("what was dropped from the queue is as the directory has it");
    proxy.refuse();
    answered(&world, &path, 200, |body| body.get("title").is_none()).await;
    answered(&world, &format!("/Users/{carol}"), 200, |body| body["userName"] == "carol").await;
    proxy.resume();
    assert!(!world.user("bob").await.contains_key("title"));
}

#[tokio::test]
async fn what_is_held_waits_with_what_depends_on_it_until_it_is_released() {
    let proxy = proxy();
    let world = World::behind(&proxy, "queue-hold", PATIENCE).await;
    proxy.refuse();
    let eve = world.scim.post("/Users", &okta_user("eve", "Eve", "E")).await.id();
    world.scim.post("/Users", &okta_user("fred", "Fred", "F")).await.expect(201);
    let change = patch(&json!([{"op": "replace", "path": "title", "value": "Dr"}]));
    world.scim.patch(&format!("/Users/{eve}"), &change).await.expect(200);
    let first = items(&world)[0]["number"].to_string();
    assert_eq!(ran(&world, &["queue", "hold", &first]).1, 0);
    proxy.resume();
    let left = until(&world, "only eve's", |items| items.len() == 2).await;
    assert_eq!((&left[0]["state"], &left[1]["state"]), (&json!("held"), &json!("owed")));
    assert!(world.has_user("fred").await && !world.has_user("eve").await);
    let (said, code) = ran(&world, &["queue", "retry", &first]);
    assert!(code == 1 && said.contains("queue release"), "{said}");
    assert_eq!(ran(&world, &["queue", "release", "--tenant", "okta"]).1, 0);
    until(&world, "carried out", <[Value]>::is_empty).await;
    assert_eq!(world.user("eve").await["title"], ["Dr"]);
}

#[tokio::test]
async fn a_command_that_makes_no_sense_is_a_usage_error_and_an_item_that_is_not_there_a_problem() {
    let world = World::new("queue-usage").await;
    for arguments in
        [&["queue"] as &[&str], &["queue", "drop"], &["queue", "hold"], &["queue", "drop", "--all", "--yes"]]
    {
        assert_eq!(ran(&world, arguments).1, 64, "{arguments:?}");
    }
    for arguments in [&["queue", "show", "99"] as &[&str], &["queue", "retry", "99"], &["queue", "drop", "99", "--yes"]]
    {
        let (said, code) = ran(&world, arguments);
        assert!(code == 1 && said.contains("there is no item 99"), "{arguments:?}: {said}");
    }
    let (said, code) = ran(&world, &["queue", "list"]);
    assert_eq!((code, said.trim_end()), (0, "no items\nin all: 0 owed, 0 parked, 0 held, 0 waiting"));
}

#[tokio::test]
async fn a_password_that_waits_is_never_shown_and_without_its_key_the_item_says_so() {
    let proxy = proxy();
    let mut world = World::with("queue-password", |config| {
        let config = config.urls(&[&proxy.url()]).directory(PATIENCE).tenant("password_sync = true");
        config.store("key_file = \"store-key\"").file("store-key", &"7f".repeat(32))
    })
    .await;
    world.is_read();
    proxy.refuse();
    let mut ada = okta_user("ada", "Ada", "Lovelace");
    ada["password"] = "Correct-Horse-9".into();
    world.scim.post("/Users", &ada).await.expect(201);
    let number = items(&world)[0]["number"].to_string();
    for arguments in [&["queue", "show", &number] as &[&str], &["queue", "show", &number, "--json"]] {
        let (shown, code) = ran(&world, arguments);
        assert!(code == 0 && shown.contains("(hidden)") && shown.contains("Lovelace"), "{shown}");
        assert!(!shown.contains("Correct-Horse-9"), "{shown}");
        assert!(shown.contains("nothing listens there"), "the directory is away: {shown}");
    }
    std::fs::write(world.daemon.folder().join("store-key"), "00".repeat(32)).unwrap();
    let (shown, code) = ran(&world, &["queue", "show", &number]);
    assert!(code == 0 && shown.contains("bring the old key back"), "{shown}");
    world.daemon.kill();
}

#[tokio::test]
async fn the_status_tells_how_a_tenant_stands_while_the_daemon_runs_and_while_it_does_not() {
    let proxy = proxy();
    let mut world = World::behind(&proxy, "queue-status", PATIENCE).await;
    world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.expect(201);
    world.scim.post("/Groups", &json!({"displayName": "Staff"})).await.expect(201);
    proxy.refuse();
    world.scim.post("/Users", &okta_user("bob", "Bob", "Builder")).await.expect(201);
    let end = Instant::now() + Duration::from_secs(20);
    let told = loop {
        let told = json_of(&world, &["status", "--json"])["tenants"][0].clone();
        if told["last_sync"].is_string() && told["daemon"]["reachable"] == false {
            break told;
        }
        assert!(Instant::now() < end, "{told}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!((&told["users"], &told["groups"], &told["owed"]), (&json!(2), &json!(1), &json!(1)), "{told}");
    assert_eq!((&told["enabled"], &told["parked"]), (&json!(true), &json!(0)));
    assert!(told["url"].as_str().unwrap().ends_with("/scim/v2"));
    let directory = &told["directory"];
    assert!(directory["reachable"] == false && directory["since"].is_string(), "{told}");
    assert!(told["shadow"]["filled"] == true && told["daemon"]["running"] == true, "{told}");
    let (text, code) = ran(&world, &["status"]);
    assert!(code == 0 && text.contains("corp, away since") && text.contains("1 owed, the oldest"), "{text}");
    world.daemon.stop();
    proxy.resume();
    let told = json_of(&world, &["status", "--json"])["tenants"][0].clone();
    assert_eq!((&told["directory"]["reachable"], &told["owed"]), (&json!(true), &json!(1)), "{told}");
    assert_eq!(told["daemon"]["running"], false, "a daemon that was stopped is not taken for one that runs: {told}");
    let (text, _) = ran(&world, &["status"]);
    assert!(text.contains("daemon    stopped at 2"), "{text}");
}
