//! Who is let in, in which form, and what becomes of everybody else.

use crate::harness::{Answer, BASIC, BEARER, Config, Credential, Daemon, HEADER, Slapd, quoted, shipped};
use crate::world::{BINARY, World, okta_user};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// A second identity provider with a door and a token of its own.
fn with_entra(config: Config, lines: &str) -> Config {
    let mapping = quoted(&shipped("mapping/openldap.toml").to_string_lossy());
    config.further(&format!(
        "[tenant.entra]\npath = \"/entra\"\ndirectory = \"corp\"\nmapping = {mapping}\n{lines}\n\
         [[tenant.entra.credential]]\n{}",
        ENTRA.to_toml()
    ))
}

const ENTRA: Credential<'static> = Credential::Bearer("Entra-Secret-44-0123456789abcdef");

/// base64 of `user:password`.
fn pair(user: &str, password: &str) -> String {
    STANDARD.encode(format!("{user}:{password}"))
}

fn basic_pair() -> String {
    let Credential::Basic(user, password) = BASIC else { unreachable!() };
    pair(user, password)
}

async fn present(daemon: &Daemon, header: &str, value: &str) -> Answer {
    daemon.scim(Credential::Header(header, value)).get("/Users?count=0").await
}

/// The request's lines in the log.
fn lines_of(daemon: &Daemon, answer: &Answer) -> Vec<Value> {
    let id = answer.header("x-request-id");
    daemon.log().into_iter().filter(|line| line["span"]["request_id"] == id).collect()
}

fn refusal_of(daemon: &Daemon, answer: &Answer) -> Value {
    let lines = lines_of(daemon, answer);
    let found = lines.iter().find(|line| line["message"] == "credentials refused");
    found.unwrap_or_else(|| panic!("no refusal among {lines:#?}")).clone()
}

#[tokio::test]
async fn every_form_of_every_credential_is_let_in_and_the_log_says_which_it_was() {
    let world = World::with("cred-forms", |config| config.log("debug")).await;
    let (pair, token, own) = (basic_pair(), BEARER.secret(), HEADER.secret());
    let unpadded = pair.trim_end_matches('=');
    for (header, value, credential) in [
        ("Authorization", format!("Basic {pair}"), "basic scim-user"),
        ("Authorization", format!("basic {pair}"), "basic scim-user"),
        ("Authorization", format!("BASIC   {unpadded}"), "basic scim-user"),
        ("Authorization", format!("Bearer {pair}"), "basic scim-user"),
        ("Authorization", pair.clone(), "basic scim-user"),
        ("Authorization", format!("Bearer {token}"), "bearer #2"),
        ("Authorization", format!("bEaReR {token}"), "bearer #2"),
        ("Authorization", token.to_owned(), "bearer #2"),
        ("X-Scim-Token", own.to_owned(), "header X-Scim-Token #3"),
        ("x-SCIM-token", format!("Bearer {own}"), "header X-Scim-Token #3"),
    ] {
        let answer = present(&world.daemon, header, &value).await;
        assert_eq!(answer.total(), 0, "{header}: {value}");
        let lines = lines_of(&world.daemon, &answer);
        let line = lines.iter().find(|line| line["message"] == "answered").unwrap();
        assert_eq!(line["span"]["credential"], credential, "{header}: {value}");
    }
    world.daemon.assert_no_secret_in_the_log(&[&pair]);
}

#[tokio::test]
async fn everything_else_is_401_and_the_log_says_tenant_and_reason_and_no_secret() {
    let world = World::with("cred-wrong", |config| config.log("trace")).await;
    let wrong_pair = pair("scim-user", "Wrong-Secret-1");
    let unknown = pair("somebody", "Wrong-Secret-2");
    let (token, own) = (BEARER.secret(), HEADER.secret());
    let capitals = token.to_uppercase();
    for (header, value, reason) in [
        ("Authorization", format!("Basic {wrong_pair}"), "wrong password"),
        ("Authorization", format!("Bearer {wrong_pair}"), "wrong token"),
        ("Authorization", format!("Basic {unknown}"), "unknown user name"),
        ("Authorization", "Basic Wrong-Secret-3!".to_owned(), "the Authorization header can't be decoded"),
        ("Authorization", "Bearer Wrong-Secret-4".to_owned(), "wrong token"),
        ("Authorization", format!("Bearer {capitals}"), "wrong token"),
        ("Authorization", format!("Bearer {token}x"), "wrong token"),
        ("Authorization", "Wrong-Secret-5".to_owned(), "wrong token"),
        ("Authorization", format!("Digest {token}"), "wrong token"),
        ("Authorization", String::new(), "wrong token"),
        // Each secret opens in its own header only.
        ("Authorization", own.to_owned(), "wrong token"),
        ("X-Scim-Token", token.to_owned(), "wrong token"),
        ("X-Scim-Token", "Wrong-Secret-6".to_owned(), "wrong token"),
        ("X-Other-Token", own.to_owned(), "no Authorization header"),
    ] {
        let answer = present(&world.daemon, header, &value).await;
        let detail = answer.expect_error(401, "");
        assert!(detail.contains("credentials"), "{detail}");
        let challenges: Vec<&str> =
            answer.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(challenges, [r#"Basic realm="scim", charset="UTF-8""#, r#"Bearer realm="scim""#]);
        let line = refusal_of(&world.daemon, &answer);
        assert_eq!((&line["reason"], &line["level"]), (&reason.into(), &"WARN".into()), "{header}: {value}");
        assert_eq!(line["span"]["tenant"], "okta");
        assert!(line["remote"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    }
    let mut wrong: Vec<String> = (1..=6).map(|number| format!("Wrong-Secret-{number}")).collect();
    wrong.extend([wrong_pair, unknown, capitals, basic_pair()]);
    world.daemon.assert_no_secret_in_the_log(&wrong.iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test]
async fn nothing_is_read_or_changed_for_who_is_not_let_in() {
    let world = World::with("cred-before", |config| config.log("debug")).await;
    let stranger = world.daemon.scim(Credential::None);
    stranger.post("/Users", &okta_user("ada", "Ada", "L")).await.expect(401);
    stranger.get("/Schemas").await.expect(401);
    stranger.get("/Nonsense").await.expect(401);
    let broken = stranger.send_raw(reqwest::Method::POST, "/Users", &[], Some(("text/plain", "{"))).await;
    broken.expect(401);
    assert!(world.raw.find(&world.people(), "(uid=ada)").await.is_empty());
    // In the background the directory is read; a request has a span.
    let by_request = |line: &serde_json::Value| line["target"] == "scim2ldap::directory" && line["span"].is_object();
    let asked = world.daemon.log().into_iter().find(by_request);
    assert_eq!(asked, None, "the directory was asked");
}

#[tokio::test]
async fn the_credentials_of_one_tenant_open_no_other() {
    let world = World::with("cred-tenants", |config| with_entra(config, "")).await;
    let entra_url = format!("{}/entra", world.daemon.base());
    let entra = |credential| crate::harness::Scim::new(&entra_url, credential);
    assert_eq!(entra(ENTRA).get("/Users").await.total(), 0);
    for credential in [BASIC, BEARER, HEADER] {
        let answer = entra(credential).get("/Users").await;
        answer.expect_error(401, "");
        assert_eq!(refusal_of(&world.daemon, &answer)["span"]["tenant"], "entra");
    }
    let challenge = entra(BASIC).get("/Users").await.header("www-authenticate").to_owned();
    assert_eq!(challenge, r#"Bearer realm="scim""#, "only what this tenant takes is asked for");
    world.daemon.scim(ENTRA).get("/Users").await.expect_error(401, "");
    let resource = entra(ENTRA).post("/Users", &okta_user("ada", "Ada", "L")).await;
    assert!(resource.header("location").starts_with(&entra_url), "{}", resource.header("location"));
}

#[tokio::test]
async fn an_old_and_a_new_secret_are_valid_side_by_side_until_the_old_one_is_taken_out() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("cred-rotation").await;
    let rotation = |config: &Config, secrets: &[&str]| {
        let each = secrets.iter().map(|secret| {
            format!(
                "[[tenant.entra.credential]]\nkind = \"basic\"\nusername = \"same\"\npassword = \"{secret}-basic\"\n\
                 [[tenant.entra.credential]]\nkind = \"bearer\"\ntoken = \"{secret}-bearer\"\n"
            )
        });
        with_entra(config.clone(), "").further(&each.collect::<String>())
    };
    let config = Config::for_slapd(slapd, &base);
    let daemon = Daemon::start(BINARY, &rotation(&config, &["old", "new"]));
    let accepts = async |secret: &str| {
        let url = format!("{}/entra", daemon.base());
        let (password, token) = (format!("{secret}-basic"), format!("{secret}-bearer"));
        let mut statuses = Vec::new();
        for credential in [Credential::Basic("same", &password), Credential::Bearer(&token)] {
            statuses.push(crate::harness::Scim::new(&url, credential).get("/Users?count=0").await.status);
        }
        statuses
    };
    assert_eq!((accepts("old").await, accepts("new").await), (vec![200, 200], vec![200, 200]));
    rotation(&config, &["new"]).write(daemon.folder());
    daemon.reload();
    daemon.wait_for_log("configuration, mapping tables and certificates are read again and in use");
    assert_eq!((accepts("old").await, accepts("new").await), (vec![401, 401], vec![200, 200]));
}

#[tokio::test]
async fn secrets_are_read_from_files_and_one_that_everybody_can_read_is_named() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("cred-files").await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        quoted(&path.to_string_lossy())
    };
    let password = file("password", "From A File: 1\n", 0o600);
    let token = file("token", "From-A-File-2\r\n", 0o644);
    let bind = file("bind", "Service-Account-9\n", 0o600);
    let credentials = format!(
        "[[tenant.entra.credential]]\nkind = \"basic\"\nusername = \"filed\"\npassword_file = {password}\n\
         [[tenant.entra.credential]]\nkind = \"header\"\nname = \"X-Filed\"\ntoken_file = {token}\n"
    );
    let environment = [("SCIM2LDAP__DIRECTORY__CORP__BIND_PASSWORD_FILE", bind.trim_matches('"'))];
    let config = with_entra(Config::for_slapd(slapd, &base).log("trace"), "").further(&credentials);
    let daemon = Daemon::start_with(BINARY, &config, &environment);
    let url = format!("{}/entra", daemon.base());
    for credential in [Credential::Basic("filed", "From A File: 1"), Credential::Header("X-Filed", "From-A-File-2")] {
        assert_eq!(crate::harness::Scim::new(&url, credential).get("/Users").await.total(), 0, "{credential:?}");
    }
    daemon.assert_no_secret_in_the_log(&["From A File: 1", "From-A-File-2"]);

    let public: Vec<Value> = daemon
        .log()
        .into_iter()
        .filter(|line| line["message"].as_str().is_some_and(|message| message.contains("every user of this machine")))
        .collect();
    assert_eq!(public.len(), 1, "{public:#?}");
    assert!(public[0]["message"].as_str().unwrap().contains("token"), "{public:#?}");
    assert!(public[0]["place"].as_str().unwrap().contains("scim2ldap.toml:"), "{public:#?}");
    let check = daemon.command(&["check"]);
    let report = String::from_utf8_lossy(&check.stdout);
    assert!(report.contains("warning: ") && report.contains("chmod o-r"), "{report}");
    assert_eq!(check.status.code(), Some(0), "{report}");
}

#[tokio::test]
async fn a_tenant_that_is_switched_off_answers_403_with_the_reason_and_the_others_go_on() {
    let world = World::with("cred-disabled", |config| with_entra(config, "enabled = false")).await;
    let entra = |credential| crate::harness::Scim::new(&format!("{}/entra", world.daemon.base()), credential);
    for answer in [
        entra(ENTRA).get("/Users").await,
        entra(ENTRA).get("/ServiceProviderConfig").await,
        entra(Credential::None).get("/Users").await,
        entra(ENTRA).post("/Users", &okta_user("ada", "Ada", "L")).await,
    ] {
        assert!(answer.expect_error(403, "").contains("enabled = false"));
    }
    assert!(world.raw.find(&world.people(), "(uid=ada)").await.is_empty());
    assert_eq!(world.scim.get("/Users").await.total(), 0);
}

#[tokio::test]
async fn a_tenant_without_groups_answers_501_for_them_and_does_not_advertise_them() {
    let world = World::with("cred-groups", |config| config.tenant("groups = false")).await;
    for answer in [
        world.scim.get("/Groups").await,
        world.scim.get("/Groups/1").await,
        world.scim.post("/Groups", &serde_json::json!({"displayName": "x"})).await,
        world.scim.delete("/Groups/1").await,
    ] {
        assert!(answer.expect_error(501, "").contains("groups = false"), "{}", answer.text);
    }
    for path in ["/ResourceTypes", "/Schemas", "/ServiceProviderConfig"] {
        let answer = world.scim.get(path).await;
        answer.expect(200);
        assert!(!answer.text.contains("core:2.0:Group") && !answer.text.contains("/Groups"), "{path}");
    }
    for path in ["/ResourceTypes/Group", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:Group"] {
        world.scim.get(path).await.expect_error(404, "");
    }
    assert_eq!(world.scim.get("/Users").await.total(), 0);
}
