//! The daemon is killed in the worst moments, and the directory refuses what was accepted.

use super::store::{self, Owed};
use crate::harness::{Answer, BASIC, Proxy, Scim, Slapd};
use crate::world::{World, okta_user, patch};
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PATIENCE: &str = "allow_plaintext = true\nconnect_timeout = \"500ms\"\noperation_timeout = \"500ms\"";

fn proxy() -> Proxy {
    Proxy::before(Slapd::shared().port())
}

fn restart(world: &mut World) {
    world.daemon.kill();
    world.daemon.restart();
    world.scim = world.daemon.scim(BASIC);
}

/// Waits until only what waits for a person is left in the queue, and returns that.
async fn drained(world: &World) -> Vec<Owed> {
    let until = Instant::now() + Duration::from_mins(2);
    loop {
        let items = store::owed(world.daemon.folder());
        let waits = |item: &Owed| items.iter().any(|first| first.parked && first.resource == item.resource);
        if items.iter().all(waits) {
            return items;
        }
        assert!(Instant::now() < until, "still owed: {items:#?}\n{}", world.daemon.log_text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Creates users until the daemon is gone; those that were acknowledged.
async fn create(scim: Scim, first: usize, count: usize) -> Vec<(String, String)> {
    let mut acknowledged = Vec::new();
    for number in first..first + count {
        let name = format!("user{number}");
        match scim.try_send(Method::POST, "/Users", &[], Some(&okta_user(&name, "U", "Ser"))).await {
            Ok(answer) => {
                answer.expect(201);
                acknowledged.push((name, answer.id()));
            }
            Err(_) => return acknowledged,
        }
    }
    acknowledged
}

/// So many acknowledged creates by four clients, with the daemon killed again and again.
async fn many_creates(name: &str, wanted: usize) {
    let proxy = proxy();
    let mut world = World::behind(&proxy, name, PATIENCE).await;
    proxy.refuse();
    let (mut acknowledged, mut number) = (Vec::new(), 0);
    while acknowledged.len() < wanted {
        let share = wanted / 12 + 1;
        let clients = (0..4).map(|client| tokio::spawn(create(world.scim.clone(), number + client * share, share)));
        let clients = futures_util::future::join_all(clients.collect::<Vec<_>>());
        number += 4 * share;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(100..900))).await;
        restart(&mut world);
        for part in clients.await {
            acknowledged.extend(part.unwrap());
        }
    }
    proxy.resume();
    // And while the queue drains.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(10..300))).await;
        restart(&mut world);
    }
    assert_eq!(drained(&world).await, []);
    let found = world.raw.find(&world.people(), "(objectClass=inetOrgPerson)").await;
    for (name, id) in &acknowledged {
        let there = found.iter().filter(|(_, entry)| entry["uid"] == [name.clone()]).count();
        assert_eq!(there, 1, "{name}");
        assert_eq!(world.scim.get(&format!("/Users/{id}")).await.expect(200)["userName"], **name);
    }
    println!("{} acknowledged, {} entries", acknowledged.len(), found.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_kills_and_is_there_once() {
    many_creates("crash-many", 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make soak"]
async fn a_thousand_acknowledged_writes_survive_kills_and_are_there_once() {
    for round in 0..3 {
        many_creates(&format!("crash-thousand{round}"), 1000).await;
    }
}

#[tokio::test]
async fn killed_between_the_directorys_success_and_the_note_of_it_nothing_is_done_twice_or_lost() {
    let proxy = proxy();
    let mut world = World::behind(&proxy, "crash-between", PATIENCE).await;
    proxy.refuse();
    let boss = world.scim.post("/Users", &okta_user("boss", "Bo", "Ss")).await;
    boss.expect(201);
    let mut members = vec![json!({"value": boss.id()})];
    for number in 0..8 {
        let user = world.scim.post("/Users", &okta_user(&format!("o'neil, {number}"), "O", "Neil")).await;
        user.expect(201);
        members.push(json!({"value": user.id()}));
    }
    let group = world.scim.post("/Groups", &json!({"displayName": "Staff", "members": members})).await;
    group.expect(201);
    // Who leaves a name, and who takes it.
    let path = format!("/Users/{}", boss.id());
    world.scim.put(&path, &okta_user("chief", "Bo", "Ss")).await.expect(200);
    let other = world.scim.post("/Users", &okta_user("boss", "Other", "Boss")).await;
    other.expect(201);
    world.scim.put(&path, &okta_user("retired", "Bo", "Ss")).await.expect(200);
    world.scim.post("/Users", &okta_user("chief", "Third", "Boss")).await.expect(201);
    for _ in 0..12 {
        // What is asked is done, and the daemon hears nothing of it before it dies.
        proxy.half_open();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(50..400))).await;
        world.daemon.kill();
        proxy.resume();
        world.daemon.restart();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..120))).await;
    }
    world.scim = world.daemon.scim(BASIC);
    assert_eq!(drained(&world).await, []);
    let found = world.raw.find(&world.people(), "(objectClass=inetOrgPerson)").await;
    assert_eq!(found.len(), 11);
    assert_eq!(world.user("retired").await["givenName"], ["Bo"]);
    assert_eq!(world.user("boss").await["givenName"], ["Other"]);
    assert_eq!(world.user("chief").await["givenName"], ["Third"]);
    let held = world.raw.find_one(&world.base, "(cn=Staff)").await.1["member"].clone();
    assert_eq!(held.len(), 9);
    assert!(held.contains(&world.dn("retired")), "{held:?}");
    assert_eq!(world.scim.get(&path).await.expect(200)["userName"], "retired");
    assert_eq!(world.scim.get(&format!("/Users/{}", other.id())).await.expect(200)["userName"], "boss");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_falls_silent_in_the_middle_of_a_drain_holds_it_up_no_longer_than_it_is_silent() {
    let proxy = proxy();
    // Whoever asks whether the directory is back has to share the connection with what is under way.
    let patience = [PATIENCE, "\nconnections = 1"].concat();
    let world = World::with("crash-silent", |config| config.urls(&[&proxy.url()]).directory(&patience)).await;
    world.daemon.wait_for_log("the directory was read; an outage is invisible from now on");
    proxy.refuse();
    let scim = &world.scim;
    let accept = async |number: usize| {
        scim.post("/Users", &okta_user(&format!("user{number}"), "U", "Ser")).await.expect(201);
    };
    stream::iter(0..150).for_each_concurrent(16, accept).await;
    for _ in 0..3 {
        proxy.hold_next_add();
        proxy.resume();
        proxy.await_held().await;
        // Longer than an operation may take: all that were under way have ended with a fault.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..1500))).await;
    }
    assert!(!store::owed(world.daemon.folder()).is_empty());
    proxy.resume();
    assert_eq!(drained(&world).await, []);
    assert_eq!(world.raw.find(&world.people(), "(objectClass=inetOrgPerson)").await.len(), 150);
}

/// The operations in the log that began behind its first `lines`: what was done, to which entry, by which filter.
fn operations(world: &World, lines: usize) -> Vec<(String, String, String)> {
    let text = |line: &Value, name: &str| {
        let value = crate::harness::field(line, name).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let log = world.daemon.log();
    let done = log.iter().skip(lines).filter(|line| text(line, "message") == "operation");
    done.map(|line| (text(line, "op"), text(line, "dn"), text(line, "filter"))).collect()
}

#[tokio::test]
async fn what_is_owed_costs_the_directory_no_more_operations_than_it_must() {
    let proxy = proxy();
    let change = |config: crate::harness::Config| {
        config.urls(&[&proxy.url()]).directory(PATIENCE).log("info,scim2ldap::directory=debug")
    };
    let world = World::with("crash-frugal", change).await;
    world.daemon.wait_for_log("the directory was read; an outage is invisible from now on");
    let scim = &world.scim;
    let ada = scim.post("/Users", &okta_user("ada", "Ada", "L")).await;
    let staff = scim.post("/Groups", &json!({"displayName": "Staff", "members": [{"value": ada.id()}]})).await;
    staff.expect(201);
    proxy.refuse();
    scim.post("/Users", &okta_user("bob", "Bob", "B")).await.expect(201);
    let title = json!([{"op": "replace", "path": "title", "value": "Countess"}]);
    scim.patch(&format!("/Users/{}", ada.id()), &patch(&title)).await.expect(200);
    let lines = world.daemon.log().len();
    proxy.resume();
    assert_eq!(drained(&world).await, []);
    let done = operations(&world, lines);
    let count = |op: &str, name: &str| {
        let is_it = |(did, dn, filter): &&(String, String, String)| {
            did == op && (dn.starts_with(name) || (op == "search" && filter.contains(name)))
        };
        done.iter().filter(is_it).count()
    };
    // The answer to the add holds the id: the entry is not read again.
    assert_eq!((count("add", "uid=bob"), count("search", "uid=bob"), count("search", "bob")), (1, 0, 0), "{done:?}");
    // Found by her id, and changed. Nobody asks for the groups that she is in.
    assert_eq!(
        (count("modify", "uid=ada"), count("search", &ada.id()), count("search", "Staff")),
        (1, 1, 0),
        "{done:?}"
    );
}

#[tokio::test]
async fn somebody_elses_entry_of_an_accepted_name_is_not_adopted_and_a_person_is_told() {
    let proxy = proxy();
    let world = World::behind(&proxy, "crash-foreign", PATIENCE).await;
    proxy.refuse();
    world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.expect(201);
    world.scim.post("/Users", &okta_user("bob", "Bob", "Builder")).await.expect(201);
    world.add_user("ada", &[("description", &["Foreign"]), ("sn", &["Stranger"])]).await;
    let before = world.user("ada").await;
    proxy.resume();
    let parked = drained(&world).await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert!(parked[0].reason.contains("ada") && parked[0].reason.contains("taken"), "{parked:?}");
    assert_eq!(world.user("ada").await, before);
    world.user("bob").await;
}

#[tokio::test]
async fn what_the_directory_refuses_for_good_is_parked_and_holds_up_its_own_resource_only() {
    let proxy = proxy();
    // What the mapping lets pass and the schema of the server does not: a country is two letters.
    let table = std::fs::read_to_string(crate::harness::shipped("mapping/openldap.toml")).unwrap();
    let row = "  { scim = \"title\", ldap = \"title\" },\n";
    assert!(table.contains(row));
    let table = table
        .replace(row, "  { scim = \"title\", ldap = \"title\" },\n  { scim = \"nickName\", ldap = \"secretary\" },\n");
    let change = |config: crate::harness::Config| config.mapping_text(&table).urls(&[&proxy.url()]).directory(PATIENCE);
    let world = World::with("crash-parked", change).await;
    world.is_read();
    let scim = &world.scim;
    let ada = scim.post("/Users", &okta_user("ada", "Ada", "L")).await;
    let bob = scim.post("/Users", &okta_user("bob", "Bob", "B")).await;
    let (ada_path, bob_path) = (format!("/Users/{}", ada.id()), format!("/Users/{}", bob.id()));
    proxy.refuse();
    let set = |path: &str, value: &str| patch(&json!([{"op": "replace", "path": path, "value": value}]));
    scim.patch(&ada_path, &set("nickName", "no DN at all")).await.expect(200);
    scim.patch(&ada_path, &set("title", "Countess")).await.expect(200);
    scim.patch(&bob_path, &set("title", "Builder")).await.expect(200);
    proxy.resume();
    let left = drained(&world).await;
    assert_eq!(world.user("bob").await["title"], ["Builder"]);
    assert!(!world.user("ada").await.contains_key("title"), "what comes later for ada waits");
    assert!(!left.is_empty() && left.iter().any(|item| !item.reason.is_empty()), "{left:?}");
    // Others are carried out at once, ada waits, and is shown as she will be.
    let later = scim.patch(&bob_path, &set("title", "Foreman")).await;
    later.expect(200);
    assert_eq!(later.header("scim2ldap-owed"), "");
    let waits = scim.patch(&ada_path, &set("title", "Queen")).await;
    waits.expect(200);
    assert_ne!(waits.header("scim2ldap-owed"), "");
    assert_eq!(scim.get(&ada_path).await.expect(200)["title"], "Queen");
    assert_eq!(world.user("bob").await["title"], ["Foreman"]);
}

#[tokio::test]
async fn a_reload_during_an_outage_and_during_the_drain_loses_nothing() {
    let proxy = proxy();
    let world = World::behind(&proxy, "crash-reload", PATIENCE).await;
    proxy.refuse();
    let mut answers: Vec<Answer> = Vec::new();
    for number in 0..60 {
        answers.push(world.scim.post("/Users", &okta_user(&format!("user{number}"), "U", "Ser")).await);
        if number % 20 == 10 {
            world.daemon.reload();
        }
    }
    proxy.resume();
    for _ in 0..5 {
        world.daemon.reload();
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert_eq!(drained(&world).await, []);
    for answer in &answers {
        answer.expect(201);
        world.scim.get(&format!("/Users/{}", answer.id())).await.expect(200);
    }
    assert_eq!(world.raw.find(&world.people(), "(objectClass=inetOrgPerson)").await.len(), 60);
}

#[tokio::test]
async fn a_bridge_that_never_read_the_directory_asks_for_patience_and_shows_no_empty_list() {
    let proxy = proxy();
    proxy.refuse();
    let world = World::with("crash-unfilled", |config| config.urls(&[&proxy.url()]).directory(PATIENCE)).await;
    let answers: [Answer; 5] = [
        world.scim.get("/Users").await,
        world.scim.search("/Users", "userName eq \"ada\"").await,
        world.scim.post("/Users", &okta_user("ada", "Ada", "L")).await,
        world.scim.get("/Users/5540387a-7aa1-1041-92aa-4f12e0719966").await,
        world.scim.delete("/Users/5540387a-7aa1-1041-92aa-4f12e0719966").await,
    ];
    for answer in answers {
        answer.expect_error(429, "");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    }
}

#[tokio::test]
async fn what_does_not_fit_on_the_disk_is_never_acknowledged() {
    let proxy = proxy();
    let mut world = World::behind(&proxy, "crash-full", PATIENCE).await;
    proxy.refuse();
    let size = std::fs::metadata(world.daemon.folder().join("store.db")).unwrap().len();
    let limit = format!("--fsize={}", size + 200_000);
    let pid = world.daemon.pid().to_string();
    assert!(std::process::Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for number in 0..400 {
        let name = format!("user{number}");
        let answer = world.scim.post("/Users", &okta_user(&name, "U", &"x".repeat(2000))).await;
        if answer.status == 201 {
            acknowledged.push((name, answer.id()));
        } else {
            answer.expect_error(429, "");
            refused += 1;
        }
        if refused > 3 {
            break;
        }
    }
    assert!(refused > 0 && !acknowledged.is_empty(), "{refused} refused, {} accepted", acknowledged.len());
    restart(&mut world);
    proxy.resume();
    assert_eq!(drained(&world).await, []);
    let found = world.raw.find(&world.people(), "(objectClass=inetOrgPerson)").await;
    assert_eq!(found.len(), acknowledged.len());
}

#[tokio::test]
async fn what_could_not_be_noted_on_a_full_disk_is_still_known_to_be_missing_after_a_kill() {
    let proxy = proxy();
    let mut world = World::behind(&proxy, "crash-unnoted", PATIENCE).await;
    let pid = world.daemon.pid().to_string();
    assert!(std::process::Command::new("prlimit").args(["--pid", &pid, "--fsize=0"]).status().unwrap().success());
    world.scim.post("/Users", &okta_user("ada", "Ada", "L")).await.expect(201);
    proxy.refuse();
    // In the same process, and in the next one.
    for _ in 0..2 {
        let answers: [Answer; 3] = [
            world.scim.search("/Users", "userName eq \"ada\"").await,
            world.scim.get("/Users").await,
            world.scim.post("/Users", &okta_user("ada", "Ada", "L")).await,
        ];
        for answer in answers {
            answer.expect_error(429, "");
        }
        restart(&mut world);
    }
    proxy.resume();
    let until = Instant::now() + Duration::from_secs(30);
    while !world.daemon.folder().join("store.db-whole-okta").exists() {
        assert!(Instant::now() < until, "the directory was not read again\n{}", world.daemon.log_text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.refuse();
    restart(&mut world);
    assert_eq!(world.scim.search("/Users", "userName eq \"ada\"").await.total(), 1);
}

#[tokio::test]
async fn two_tenants_of_one_directory_owe_and_drain_by_themselves() {
    let proxy = proxy();
    let second = "[tenant.other]\npath = \"/other/v2\"\ndirectory = \"corp\"\nmapping = \"mapping.toml\"\n\
                  [[tenant.other.credential]]\nkind = \"basic\"\nusername = \"scim-user\"\npassword = \"Basic-Secret-41\"\n";
    let table = std::fs::read_to_string(crate::harness::shipped("mapping/openldap.toml")).unwrap();
    let change = |config: crate::harness::Config| {
        config.mapping_text(&table).further(second).urls(&[&proxy.url()]).directory(PATIENCE)
    };
    let world = World::with("crash-two", change).await;
    let other = Scim::new(&format!("{}/other/v2", world.daemon.base()), BASIC);
    crate::harness::wait_until("both tenants have read the directory", Duration::from_secs(20), || {
        let text = world.daemon.log_text();
        (text.matches("an outage is invisible from now on").count() == 2).then_some(())
    });
    proxy.refuse();
    let ada = world.scim.post("/Users", &okta_user("ada", "Ada", "L")).await;
    let bob = other.post("/Users", &okta_user("bob", "Bob", "B")).await;
    ada.expect(201);
    bob.expect(201);
    proxy.resume();
    assert_eq!(drained(&world).await, []);
    world.user("ada").await;
    world.user("bob").await;
    world.scim.get(&format!("/Users/{}", ada.id())).await.expect(200);
    other.get(&format!("/Users/{}", bob.id())).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_while_a_long_queue_drains_is_answered() {
    let proxy = proxy();
    let world = World::behind(&proxy, "crash-latency", PATIENCE).await;
    proxy.refuse();
    for number in 0..300 {
        world.scim.post("/Users", &okta_user(&format!("user{number}"), "U", "Ser")).await.expect(201);
    }
    proxy.resume();
    let mut slowest = Duration::ZERO;
    let mut asked = 0;
    while store::owed(world.daemon.folder()).iter().any(|item| !item.parked) {
        let name = format!("user{}", asked % 300);
        let found: Answer = world.scim.search("/Users", &format!("userName eq \"{name}\"")).await;
        assert_eq!(found.total(), 1, "{name}");
        slowest = slowest.max(found.took);
        asked += 1;
    }
    println!("{asked} look-ups while 300 items drained, the slowest took {slowest:?}");
    assert!(asked > 0);
    let all: Value = world.scim.get("/Users?count=1").await.body;
    assert_eq!(all["totalResults"], 300);
}
