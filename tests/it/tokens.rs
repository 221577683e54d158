//! Tokens from the command line: made, used, listed, revoked, while the daemon runs.

use crate::harness::{Config, Credential, Daemon, Scim, Slapd, quoted, shipped};
use crate::world::{BINARY, World, run_with};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

/// A line of standard output of a command that must end well.
fn said(daemon: &Daemon, arguments: &[&str]) -> String {
    let ran = daemon.command(arguments);
    let error = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{arguments:?}: {error}");
    String::from_utf8(ran.stdout).unwrap().trim_end().to_owned()
}

fn json(daemon: &Daemon, arguments: &[&str]) -> Value {
    serde_json::from_str(&said(daemon, arguments)).unwrap()
}

async fn status(daemon: &Daemon, secret: &str) -> u16 {
    daemon.scim(Credential::Bearer(secret)).get("/Users?count=0").await.status
}

/// Waits until a token is answered with this status.
async fn becomes(daemon: &Daemon, secret: &str, expected: u16) {
    for _ in 0..100 {
        if status(daemon, secret).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the token is not answered with {expected}, but with {}", status(daemon, secret).await);
}

#[tokio::test]
async fn a_token_made_while_the_daemon_runs_is_let_in_until_it_is_revoked() {
    let mut world = World::new("token-life").await;
    let secret = said(&world.daemon, &["token", "create", "--description", "Okta, production"]);
    assert!(secret.starts_with("s2l_") && secret.len() == 47, "only the secret: {secret}");
    becomes(&world.daemon, &secret, 200).await;
    let token = json(&world.daemon, &["token", "list", "--json"])["tokens"][0].clone();
    assert_eq!((&token["tenant"], &token["state"]), (&Value::from("okta"), &Value::from("good")));
    assert_eq!(token["description"], "Okta, production");
    let id = token["id"].as_str().unwrap();

    world.daemon.stop();
    world.daemon.restart();
    assert_eq!(status(&world.daemon, &secret).await, 200, "a token survives a restart");
    let used = json(&world.daemon, &["token", "list", "--json"])["tokens"][0]["last_used"].clone();
    assert!(used.is_string(), "the daemon noted the use when it ended: {used}");

    said(&world.daemon, &["token", "revoke", id]);
    becomes(&world.daemon, &secret, 401).await;
    let reason = world.daemon.wait_for_log("credentials refused");
    assert_eq!(reason["reason"], format!("the token {id} was revoked"));
    assert_eq!(json(&world.daemon, &["token", "list", "--json"])["tokens"][0]["state"], "revoked");
    world.daemon.assert_no_secret_in_the_log(&[&secret]);
}

#[tokio::test]
async fn a_token_opens_only_its_own_tenant_and_only_until_it_ends() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("token-doors").await;
    let mapping = quoted(&shipped("mapping/openldap.toml").to_string_lossy());
    let second = format!("[tenant.entra]\npath = \"/entra\"\ndirectory = \"corp\"\nmapping = {mapping}\n");
    let daemon = Daemon::start(BINARY, &Config::for_slapd(slapd, &base).further(&second));
    let line =
        daemon.wait_for_log("nobody can use this tenant: it has no credential; make one with `scim2ldap token create`");
    assert_eq!(line["tenant"], "entra");
    let checked = daemon.command(&["check"]);
    assert!(String::from_utf8_lossy(&checked.stdout).contains("tenant entra: "), "{checked:?}");

    let ambiguous = daemon.command(&["token", "create"]);
    assert_eq!(ambiguous.status.code(), Some(64));
    let create = ["token", "create", "--tenant", "entra", "--expires", "PT4s", "--json"];
    let made = json(&daemon, &create);
    let secret = made["token"].as_str().unwrap();
    let entra = Scim::new(&format!("{}/entra", daemon.base()), Credential::Bearer(secret));
    let mut seen = Vec::new();
    for _ in 0..100 {
        seen.push(entra.get("/Users?count=0").await.status);
        if seen.contains(&200) && seen.last() == Some(&401) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(seen.contains(&200), "it was good for a while: {seen:?}");
    assert_eq!(seen.last(), Some(&401), "and is no more");
    assert_eq!(status(&daemon, secret).await, 401);
    let id = made["id"].as_str().unwrap();
    for reason in [format!("the token {id} has expired"), format!("the token {id} was made for another tenant")] {
        assert!(daemon.log().iter().any(|line| line["reason"] == reason.as_str()), "{reason}");
    }
}

#[tokio::test]
async fn the_store_is_private_and_a_daemon_without_its_folder_says_what_to_do() {
    let world = World::new("token-store").await;
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        let mode = fs::metadata(world.daemon.folder().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let unknown = world.daemon.command(&["token", "revoke", "00000000"]);
    assert_eq!(unknown.status.code(), Some(1));
    let config = Config::for_slapd(Slapd::shared(), &world.base);
    let environment = [("SCIM2LDAP__STORE__URL", "sqlite:/nowhere/at/all/store.db")];
    let ran = run_with(&config, &["serve"], &environment, "");
    assert_eq!(ran.code, Some(78), "{}", ran.err);
    assert!(ran.err.contains("can't open the store /nowhere/at/all/store.db"), "{}", ran.err);
    assert!(ran.err.contains("the folder /nowhere/at/all is missing"), "{}", ran.err);
}
