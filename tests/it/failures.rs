//! The directory breaks in every way there is: what the identity provider hears, and what is true afterwards.

use crate::harness::{BASIC, Config, Daemon, Kind, Lease, Proxy, Scim, Slapd};
use crate::world::{BINARY, World, okta_user, patch};
use serde_json::json;
use std::time::{Duration, Instant};

on_every_directory! {
    a_refused_service_account_is_the_directorys_fault_and_says_so,
    a_certificate_of_a_stranger_is_refused,
    start_tls_carries_a_users_life_too,
    connections_that_were_reset_while_idle_are_not_noticed,
    a_directory_that_is_away_is_answered_with_429_and_comes_back_by_itself,
    a_silent_directory_keeps_nobody_waiting,
    a_write_whose_answer_was_lost_is_neither_done_twice_nor_reported_as_a_conflict,
    somebody_elses_entry_of_that_name_is_not_adopted_when_an_answer_is_lost,
    the_second_server_answers_when_the_first_is_away,
    many_changes_of_one_user_at_once_all_arrive,
    one_of_many_creates_of_the_same_name_wins_and_the_others_are_conflicts,
}

const PATIENCE: &str =
    "allow_plaintext = true\nconnect_timeout = 1\noperation_timeout = 3\nwhen_unreachable = \"refuse\"";

/// A bridge that reaches the directory through a stretch of network that can fail.
async fn behind(kind: Kind, name: &str) -> (Proxy, World) {
    let lease = Lease::of(kind).await;
    let proxy = Proxy::to(&lease);
    let world = World::leased(lease, name, |config| config.urls(&[&proxy.url()]).directory(PATIENCE)).await;
    (proxy, world)
}

async fn join(scim: &Scim, name: &str) -> String {
    let created = scim.post("/Users", &okta_user(name, "Ada", "Lovelace")).await;
    created.expect(201);
    created.id()
}

fn assert_try_again(answer: &crate::harness::Answer) {
    answer.expect_error(429, "");
    let seconds: u32 = answer.header("retry-after").parse().expect("Retry-After in whole seconds");
    assert!(seconds > 0);
}

async fn connections_that_were_reset_while_idle_are_not_noticed(kind: Kind) {
    let (proxy, world) = behind(kind, "fail-idle").await;
    for round in 0..5 {
        let id = join(&world.scim, &format!("ada{round}")).await;
        proxy.cut();
        world.scim.get(&format!("/Users/{id}")).await.expect(200);
        proxy.cut();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let change = patch(&json!([{"op": "replace", "path": "title", "value": format!("{round}")}]));
        world.scim.patch(&format!("/Users/{id}"), &change).await.expect(200);
    }
}

async fn a_directory_that_is_away_is_answered_with_429_and_comes_back_by_itself(kind: Kind) {
    let (proxy, world) = behind(kind, "fail-away").await;
    let id = join(&world.scim, "ada").await;
    proxy.refuse();
    let path = format!("/Users/{id}");
    assert_try_again(&world.scim.get(&path).await);
    assert_try_again(&world.scim.get("/Users").await);
    assert_try_again(&world.scim.search("/Users", "userName eq \"x\"").await);
    assert_try_again(&world.scim.post("/Users", &okta_user("bob", "Bob", "B")).await);
    assert_try_again(&world.scim.put(&path, &okta_user("ada", "Ada", "B")).await);
    assert_try_again(&world.scim.delete(&path).await);
    let ready = plain_get(&format!("{}/readyz", world.daemon.base())).await;
    assert_eq!(ready.0, 503, "{}", ready.1);
    assert!(ready.1.contains("corp"), "{}", ready.1);
    assert_eq!(plain_get(&format!("{}/healthz", world.daemon.base())).await.0, 200);
    proxy.resume();
    world.scim.get(&path).await.expect(200);
    assert_eq!(plain_get(&format!("{}/readyz", world.daemon.base())).await.0, 200);
    assert!(!world.has_user("bob").await, "what was not accepted was not done");
}

async fn plain_get(url: &str) -> (u16, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn a_silent_directory_keeps_nobody_waiting(kind: Kind) {
    let (proxy, world) = behind(kind, "fail-silent").await;
    let id = join(&world.scim, "ada").await;
    proxy.stall();
    let began = Instant::now();
    assert_try_again(&world.scim.get(&format!("/Users/{id}")).await);
    let post = world.scim.post("/Users", &okta_user("bob", "Bob", "B")).await;
    assert_try_again(&post);
    assert!(began.elapsed() < Duration::from_secs(55), "clients hang up after 60 s");
    proxy.resume();
    world.scim.get(&format!("/Users/{id}")).await.expect(200);
}

async fn a_write_whose_answer_was_lost_is_neither_done_twice_nor_reported_as_a_conflict(kind: Kind) {
    let (proxy, world) = behind(kind, "fail-unknown").await;
    for round in 0..5 {
        let name = format!("ada{round}");
        world.scim.get("/Users?count=0").await.expect(200);
        proxy.cut_before_next_answer();
        let id = join(&world.scim, &name).await;
        let path = format!("/Users/{id}");

        // The look-up before the write meets the ambush first and is simply repeated.
        proxy.cut_before_next_answer();
        let change = patch(&json!([{"op": "replace", "value": {"title": "Countess", "userName": format!("x{name}")}}]));
        assert_eq!(world.scim.patch(&path, &change).await.expect(200)["title"], "Countess");
        proxy.cut_before_next_answer();
        world.scim.delete(&path).await.expect(204);
    }
    assert!(world.raw.find(&world.people(), &format!("(objectClass={})", kind.facts().person_class)).await.is_empty());
}

async fn somebody_elses_entry_of_that_name_is_not_adopted_when_an_answer_is_lost(kind: Kind) {
    let (proxy, world) = behind(kind, "fail-foreign").await;
    world.add_user("ada", &[("description", &["Foreign"])]).await;
    world.scim.get("/Users?count=0").await.expect(200);
    proxy.cut_before_next_answer();
    world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.expect_error(409, "uniqueness");
    let found = world.user("ada").await;
    assert_eq!((&found["description"][..], found.contains_key("mail")), (&["Foreign".to_owned()][..], false));
}

async fn the_second_server_answers_when_the_first_is_away(kind: Kind) {
    let lease = Lease::of(kind).await;
    let (first, second) = (Proxy::to(&lease), Proxy::to(&lease));
    let change = |config: Config| config.urls(&[&first.url(), &second.url()]).directory(PATIENCE);
    let world = World::leased(lease, "fail-over", change).await;
    let id = join(&world.scim, "ada").await;
    assert_eq!(second.connections(), 0, "the first is preferred");
    first.refuse();
    for _ in 0..3 {
        world.scim.get(&format!("/Users/{id}")).await.expect(200);
    }
    join(&world.scim, "bob").await;
    assert!(second.connections() > 0);
    second.refuse();
    first.resume();
    world.scim.get(&format!("/Users/{id}")).await.expect(200);
}

async fn a_refused_service_account_is_the_directorys_fault_and_says_so(kind: Kind) {
    let lease = Lease::of(kind).await;
    let config = Config::for_server(&lease, &lease.suffix("fail-bind").await);
    let daemon =
        Daemon::start_with(BINARY, &config, &[("SCIM2LDAP__DIRECTORY__CORP__BIND_PASSWORD", "wrong-Secret-99")]);
    let answer = daemon.scim(BASIC).get("/Users").await;
    assert_try_again(&answer);
    daemon.assert_no_secret_in_the_log(&["wrong-Secret-99"]);
    assert!(!answer.text.contains("wrong-Secret-99"));
}

async fn a_certificate_of_a_stranger_is_refused(kind: Kind) {
    let (lease, stranger) = (Lease::of(kind).await, Slapd::own());
    let config = Config::for_server(&lease, &lease.suffix("fail-ca").await);
    let ca = format!("{}", stranger.ca_file().display());
    let daemon = Daemon::start_with(BINARY, &config, &[("SCIM2LDAP__DIRECTORY__CORP__CA_FILE", &ca)]);
    assert_try_again(&daemon.scim(BASIC).get("/Users").await);
}

async fn start_tls_carries_a_users_life_too(kind: Kind) {
    let lease = Lease::of(kind).await;
    let url = lease.url();
    let world = World::leased(lease, "via-starttls", |config| config.urls(&[&url]).directory("start_tls = true")).await;
    live(&world).await;
}

#[tokio::test]
async fn ldapi_carries_a_users_life_too() {
    let url = Slapd::shared().socket_url();
    live(&World::with("via-ldapi", |config| config.urls(&[&url])).await).await;
}

async fn live(world: &World) {
    let id = join(&world.scim, "ada").await;
    world.scim.put(&format!("/Users/{id}"), &okta_user("ada.l", "Ada", "L")).await.expect(200);
    assert_eq!(world.scim.search("/Users", "userName eq \"ADA.L\"").await.total(), 1);
    world.scim.delete(&format!("/Users/{id}")).await.expect(204);
}

async fn many_changes_of_one_user_at_once_all_arrive(kind: Kind) {
    let world = World::on(kind, "parallel").await;
    let id = join(&world.scim, "ada").await;
    let fields = ["title", "displayName", "userType", "preferredLanguage", "profileUrl", "externalId"];
    let path = format!("/Users/{id}");
    for round in 0..5 {
        let requests = fields.map(|field| {
            let change = patch(&json!([{"op": "replace", "path": field, "value": format!("{field}-{round}")}]));
            let (scim, path) = (&world.scim, &path);
            async move { scim.patch(path, &change).await.expect(200).clone() }
        });
        futures_util::future::join_all(requests).await;
        let user = world.scim.get(&path).await;
        for field in fields {
            assert_eq!(user.body[field], format!("{field}-{round}"));
        }
    }
}

async fn one_of_many_creates_of_the_same_name_wins_and_the_others_are_conflicts(kind: Kind) {
    let world = World::on(kind, "race").await;
    let user = okta_user("ada", "Ada", "L");
    let requests = (0..16).map(|_| world.scim.post("/Users", &user));
    let answers = futures_util::future::join_all(requests).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)));
    world.user("ada").await;
}
