//! The log: which request a line belongs to, both formats, and what never stands in it.

use crate::harness::{Answer, BASIC, BEARER, Config, Credential, HEADER, Keeper, Scim, Slapd, ports_free, wait_until};
use crate::world::{BINARY, World, okta_user, patch};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

fn lines_with(world: &World, id: &str) -> Vec<Value> {
    world.daemon.log().into_iter().filter(|line| line["span"]["request_id"] == id).collect()
}

async fn create(world: &World, name: &str, headers: &[(&str, &str)]) -> Answer {
    let body = okta_user(name, "Ada", "L").to_string();
    let answer = world.scim.send_raw(Method::POST, "/Users", headers, Some(("application/json", &body))).await;
    answer.expect(201);
    answer
}

#[tokio::test]
async fn the_clients_request_id_ties_answer_log_and_ldap_operations_together() {
    let world = World::with("log-id", |config| config.log("info,scim2ldap=debug")).await;
    let answer = create(&world, "ada", &[("X-Request-Id", "okta-7f/42")]).await;
    assert_eq!(answer.header("x-request-id"), "okta-7f/42");
    create(&world, "bob", &[("X-Request-Id", "another")]).await;

    let lines = lines_with(&world, "okta-7f/42");
    for line in &lines {
        let span = &line["span"];
        assert_eq!(
            (&span["tenant"], &span["method"], &span["path"]),
            (&json!("okta"), &json!("POST"), &json!("/scim/v2/Users"))
        );
    }
    let answered = lines.iter().find(|line| line["message"] == "answered").expect("a line for the answer");
    assert_eq!((&answered["status"], &answered["level"]), (&json!(201), &json!("INFO")));
    assert!(answered["elapsed_us"].is_u64() && answered["span"]["credential"] == "basic scim-user", "{answered}");

    let operation = lines.iter().find(|line| line["target"] == "scim2ldap::directory" && line["op"] == "add");
    let operation = operation.unwrap_or_else(|| panic!("no LDAP operation among {lines:#?}"));
    assert_eq!(operation["level"], "DEBUG");
    assert_eq!(operation["dn"], format!("uid=ada,{}", world.people()));
    assert_eq!(operation["code"], 0);
    assert!(operation["elapsed_us"].is_u64(), "{operation}");
    assert!(!lines.iter().any(|line| line.to_string().contains("uid=bob")), "somebody else's operation");
}

#[tokio::test]
async fn a_missing_or_harmful_request_id_is_replaced_by_one_that_was_made_here() {
    let world = World::new("log-invented").await;
    let long = "a".repeat(129);
    let mut seen = Vec::new();
    for (number, harmful) in
        [None, Some(""), Some("two words"), Some("tab\there"), Some(&*long)].into_iter().enumerate()
    {
        let headers: Vec<(&str, &str)> = harmful.map(|id| ("X-Request-Id", id)).into_iter().collect();
        let answer = create(&world, &format!("user{number}"), &headers).await;
        let id = answer.header("x-request-id").to_owned();
        assert!((1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?}");
        assert_ne!(Some(id.as_str()), harmful);
        assert!(!lines_with(&world, &id).is_empty(), "no line with the id {id}");
        seen.push(id);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5, "every request has an id of its own");
    let refused = Scim::new(&world.daemon.scim_url(), Credential::None).get("/Users").await;
    assert!(!refused.header("x-request-id").is_empty(), "a refusal has one too");
}

#[tokio::test]
async fn writes_stand_in_the_log_reads_do_not_and_details_only_where_they_are_asked_for() {
    let world = World::new("log-levels").await;
    create(&world, "ada", &[]).await;
    let read = world.scim.get("/Users").await;
    assert_eq!(lines_with(&world, read.header("x-request-id")), [Value::Null; 0]);
    let refused = world.scim.post("/Users", &okta_user("ada", "Ada", "L")).await;
    refused.expect(409);
    let lines = lines_with(&world, refused.header("x-request-id"));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((&lines[0]["status"], &lines[0]["scim_type"]), (&json!(409), &json!("uniqueness")));
    assert!(lines[0].get("detail").is_none(), "{}", lines[0]);
}

#[tokio::test]
async fn every_line_in_json_is_an_object_with_time_level_target_and_message() {
    let world = World::with("log-json", |config| config.log("debug")).await;
    create(&world, "ada", &[]).await;
    let text = world.daemon.log_text();
    assert!(text.lines().count() > 5, "{text}");
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["timestamp", "level", "target", "message"] {
            assert!(line[key].is_string(), "no {key} in {line}");
        }
    }
}

/// Starts the daemon with a log that is not JSON, asks something, and returns what was logged.
async fn human_log(config: &Config, folder: &Path, environment: &[(&str, &str)]) -> String {
    let port = ports_free();
    let file = config.clone().server(&format!("listen = \"127.0.0.1:{port}\"")).write(folder);
    let log = folder.join("log");
    let environment: Vec<(String, String)> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let arguments = ["serve".into(), "--config".into(), file.into_os_string()];
    let mut keeper = Keeper::start(Path::new(BINARY), arguments, &environment, &log, None);
    wait_until("the daemon does not listen", Duration::from_secs(20), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let scim = Scim::new(&format!("http://127.0.0.1:{port}/scim/v2"), BASIC);
    life(&scim).await;
    assert_eq!(keeper.stop(Duration::from_secs(10)), Some(0));
    fs::read_to_string(log).unwrap()
}

#[tokio::test]
async fn lines_for_people_hold_the_same_and_no_colours() {
    let slapd = Slapd::shared();
    let config = Config::for_slapd(slapd, &slapd.suffix("log-human").await);
    let folder = tempfile::tempdir().unwrap();
    let text = human_log(&config, folder.path(), &[("SCIM2LDAP__LOG__FORMAT", "human")]).await;
    let line = text.lines().find(|line| line.contains("answered") && line.contains("method=\"POST\"")).expect("a line");
    for part in [
        " INFO ",
        "request_id=",
        "tenant=\"okta\"",
        "path=\"/scim/v2/Users\"",
        "credential=\"basic scim-user\"",
        "status=201",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    assert!(!text.contains('\u{1b}') && serde_json::from_str::<Value>(line).is_err(), "{line}");
}

/// Okta's life-cycle of a user and a group, passwords in every place they may stand, and what is refused on the way.
async fn life(scim: &Scim) {
    let mut user = okta_user("ada@example.com", "Ada", "Lovelace");
    user["password"] = json!("Hidden-1-create");
    assert_eq!(scim.search("/Users", "userName eq \"ada@example.com\"").await.total(), 0);
    let id = scim.post("/Users", &user).await.id();
    let path = format!("/Users/{id}");
    scim.post("/Users", &user).await.expect_error(409, "uniqueness");
    user["password"] = json!("Hidden-2-put");
    user["title"] = json!("Countess");
    scim.put(&path, &user).await.expect(200);
    for operation in [
        json!({"op": "replace", "value": {"password": "Hidden-3-patch", "active": false}}),
        json!({"op": "replace", "path": "password", "value": "Hidden-4-path"}),
        json!({"op": "replace", "value": {"active": true}}),
    ] {
        scim.patch(&path, &patch(&json!([operation]))).await.expect(200);
    }
    for (status, body) in [
        (400, r#"{"userName": "eve", "password": {"value": "Hidden-5-object"}}"#),
        (400, r#"{"userName": "eve", "password": "Hidden-6-broken"#),
        (400, "{\"userName\": \"eve\", \"password\": \"Hidden-7-control\\u0000\"}"),
        (415, "password=Hidden-8-form"),
    ] {
        let kind = if status == 415 { "application/x-www-form-urlencoded" } else { "application/json" };
        scim.send_raw(Method::POST, "/Users", &[], Some((kind, body))).await.expect(status);
    }
    let group = json!({"displayName": "Analysts", "members": [{"value": id}]});
    let group = scim.post("/Groups", &group).await.id();
    let members = patch(&json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}]));
    scim.patch(&format!("/Groups/{group}"), &members).await.expect(204);
    scim.delete(&format!("/Groups/{group}")).await.expect(204);
    scim.delete(&path).await.expect(204);
}

const HIDDEN: [&str; 2] = ["Hidden-", "A-Wrong-Secret"];

#[tokio::test]
async fn no_password_and_no_token_is_logged_at_trace_while_oktas_life_cycle_is_played() {
    let world = World::with("log-secrets", |config| config.log("trace")).await;
    for credential in [BASIC, BEARER, HEADER] {
        life(&world.daemon.scim(credential)).await;
    }
    world.daemon.scim(Credential::Bearer("A-Wrong-Secret")).get("/Users").await.expect(401);
    let log = world.daemon.log_text();
    assert!(log.contains("\"DEBUG\"") && log.contains("uid=ada@example.com"), "the log is not talkative at all");
    world.daemon.assert_no_secret_in_the_log(&HIDDEN);
}

#[tokio::test]
async fn no_secret_is_logged_either_when_the_environment_makes_every_library_talk() {
    let slapd = Slapd::shared();
    let config = Config::for_slapd(slapd, &slapd.suffix("log-libraries").await);
    let folder = tempfile::tempdir().unwrap();
    let text = human_log(&config, folder.path(), &[("SCIM2LDAP_LOG", "trace")]).await;
    assert!(text.contains("\"TRACE\""), "the log is not talkative at all");
    let encoded =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("scim-user:{}", BASIC.secret()));
    for secret in config.secrets().iter().map(String::as_str).chain([encoded.as_str(), "Hidden-"]) {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret:?} stands in the log: {line:?}");
    }
}
