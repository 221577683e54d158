//! The command line: `check` against a real directory, mistakes in files and in the environment, exit codes.

use crate::harness::{Authority, Config, Daemon, Kind, Lease, SUFFIX, Slapd, ports_free, quoted, shipped};
use crate::world::{BINARY, Ran, World, run, run_with};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

on_every_directory!(check_is_content_with_the_shipped_table_and_changes_nothing);

/// The configuration for a fresh part of the shared directory.
async fn config(name: &str) -> Config {
    let slapd = Slapd::shared();
    Config::for_slapd(slapd, &slapd.suffix(name).await)
}

/// The shipped table with pieces of its text replaced.
fn table(replace: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(shipped("mapping/openldap.toml")).unwrap();
    for (piece, with) in replace {
        assert!(text.contains(piece), "no {piece} in the shipped table");
        text = text.replacen(piece, with, 1);
    }
    text
}

/// `LINE:COLUMN` of a piece of text; a line end before it is not part of it.
fn place(text: &str, piece: &str) -> String {
    let at = text.find(piece).unwrap_or_else(|| panic!("no {piece}"));
    let before = &text[..at + piece.len() - piece.trim_start_matches('\n').len()];
    let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
    format!("{}:{column}", before.matches('\n').count() + 1)
}

/// The finding with this message: the whole line, and the advice below it.
fn finding<'a>(ran: &'a Ran, message: &str) -> (&'a str, &'a str) {
    let mut lines = ran.out.lines();
    let line = lines.find(|line| line.contains(message)).unwrap_or_else(|| panic!("no {message:?} in:\n{}", ran.out));
    (line, lines.next().unwrap_or_default().trim())
}

async fn check_is_content_with_the_shipped_table_and_changes_nothing(kind: Kind) {
    let server = Lease::of(kind).await;
    let base = server.suffix("check-clean").await;
    let before = server.raw().await.find(&base, "(objectClass=*)").await;
    let ran = run(&Config::for_server(&server, &base), &["check"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    // There may be notes about the server, and nothing else.
    assert!(ran.out.ends_with("checked: 1 tenants, 1 directories; found: 0 errors, 0 warnings\n"), "{}", ran.out);
    assert_eq!(ran.err, "");
    assert_eq!(server.raw().await.find(&base, "(objectClass=*)").await, before);
}

#[tokio::test]
async fn check_finds_what_the_schema_does_not_allow_and_says_where_and_what_to_do() {
    let sn = "  { scim = \"name.familyName\", ldap = \"sn\", fallback = \"-\" },\n";
    let several = "{ scim = \"phoneNumbers.value\", ldap = \"preferredLanguage\", multi = true }";
    let text = table(&[
        ("{ scim = \"title\", ldap = \"title\" }", "{ scim = \"title\", ldap = \"titel\" }"),
        ("{ scim = \"preferredLanguage\", ldap = \"preferredLanguage\" }", several),
        ("{ scim = \"profileUrl\", ldap = \"labeledURI\" }", "{ scim = \"profileUrl\", ldap = \"uidNumber\" }"),
        (sn, ""),
    ]);
    let ran = run(&config("check-schema").await.mapping_text(&text), &["check"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let at = |piece: &str| format!("error: DIR/mapping.toml:{}: tenant okta, User: ", place(&text, piece));
    let user = at("\n[user]");
    let rows = [at("{ scim = \"title\""), at(several), at("{ scim = \"profileUrl\"")];
    assert_eq!(
        finding(&ran, "titel"),
        (&*format!("{}the directory has no attribute titel", rows[0]), "help: did you mean title?")
    );
    assert_eq!(
        finding(&ran, "holds one value"),
        (
            &*format!("{}preferredLanguage holds one value only, but the row carries several", rows[1]),
            "help: take multi = true out of the row, or take an attribute that holds several"
        )
    );
    let (line, help) = finding(&ran, "can't have uidNumber");
    assert!(line.starts_with(&rows[2]) && help.contains("posixAccount"), "{line}\n{help}");
    assert_eq!(
        finding(&ran, "demands sn"),
        (
            &*format!("{user}the directory demands sn of every entry, but no row writes it"),
            "help: add a row for sn with a value or a fallback"
        )
    );
    assert!(ran.out.ends_with("found: 4 errors, 0 warnings\n"), "{}", ran.out);
}

#[tokio::test]
async fn check_is_content_with_groups_of_an_auxiliary_class_where_the_server_is() {
    let text = std::fs::read_to_string(shipped("mapping/389ds.toml")).unwrap();
    let (users, _) = text.split_once("\n[group]").unwrap();
    let table = format!(
        "{users}\n[group]\nbase = \"ou=groups,{{base_dn}}\"\nobject_class = [\"top\", \"posixGroup\"]\nrdn = \"cn\"\n\
         members = \"memberUid\"\nattributes = [ {{ scim = \"displayName\", ldap = \"cn\", required = true }},\n\
         {{ ldap = \"gidNumber\", value = \"1000\" }} ]\n"
    );
    let world = World::on_with(Kind::Ds389, "check-auxiliary", |config| config.mapping_text(&table)).await;
    let ids = world.people_named(&["ada"]).await;
    world.group("Staff", &[&ids[0]]).await;
    let entry = world.raw.find_one(&world.base, "(cn=Staff)").await.1;
    assert!(entry["objectClass"].contains(&"posixGroup".to_owned()) && entry["memberUid"] == ["ada"], "{entry:?}");
    let checked = world.daemon.command(&["check"]);
    let out = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && out.ends_with("found: 0 errors, 0 warnings\n"), "{out}");
}

#[tokio::test]
async fn check_misses_the_entries_below_which_others_are_put() {
    let text = table(&[
        ("\"ou=groups,{base_dn}\"", "\"ou=nowhere,{base_dn}\""),
        ("delete = \"delete\"\n\nattributes", "delete = { move_to = \"ou=bin,{base_dn}\" }\n\nattributes"),
    ]);
    let ran = run(&config("check-base").await.mapping_text(&text), &["check"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let (line, help) = finding(&ran, "ou=nowhere,");
    let dn = format!("ou=nowhere,ou=check-base,{SUFFIX}");
    let at = place(&text, "\n[group]");
    assert_eq!(
        line,
        format!(
            "error: DIR/mapping.toml:{at}: tenant okta, Group: the directory has no entry {dn}, the base of the mapping"
        )
    );
    assert_eq!(help, "help: create the entry, let the service account read it, or write another one");
    assert!(finding(&ran, "ou=bin,").0.contains("the delete of the mapping"), "{}", ran.out);
}

#[tokio::test]
async fn check_warns_of_entries_that_the_name_does_not_guard_and_warnings_are_no_problem() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("check-deep").await;
    let raw = slapd.raw().await;
    raw.add(&format!("ou=deep,ou=people,{base}"), &[("objectClass", &["organizationalUnit"])]).await;
    let person: [(&str, &[&str]); 3] = [("objectClass", &["inetOrgPerson"]), ("cn", &["x"]), ("sn", &["x"])];
    raw.add(&format!("uid=ada,ou=deep,ou=people,{base}"), &person).await;
    let ran = run(&Config::for_slapd(slapd, &base), &["check"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    let (line, help) = finding(&ran, "uid=ada,ou=deep");
    assert!(line.starts_with("warning: ") && line.contains("openldap.toml:"), "{line}");
    assert_eq!(help, "help: write unique = \"search\"");
}

#[tokio::test]
async fn check_says_why_a_directory_lets_nobody_in() {
    let good = config("check-door").await;
    let folder = tempfile::tempdir().unwrap();
    let stranger = Authority::new().issue(folder.path()).ca;
    let stranger = stranger.to_string_lossy();
    let nobody = format!("ldaps://localhost:{}", ports_free());
    for (variable, value, message, help) in [
        (
            "BIND_PASSWORD",
            "Wrong-Password-1",
            "wrong",
            "check bind_dn and the password, and that the account is not locked",
        ),
        ("BIND_DN", "cn=nobody,dc=example,dc=test", "wrong", "check bind_dn and the password"),
        ("CA_FILE", &stranger, "authority that is not trusted", "check urls (or srv), ca_file, the firewall"),
        ("URLS", &nobody, "nothing listens there", "whether the server runs"),
    ] {
        let name = format!("SCIM2LDAP__DIRECTORY__CORP__{variable}");
        let ran = run_with(&good, &["check"], &[(&name, value)], "");
        assert_eq!(ran.code, Some(1), "{variable}: {}{}", ran.out, ran.err);
        let (line, advice) = finding(&ran, message);
        assert!(line.starts_with("error: DIR/scim2ldap.toml:8:1: directory corp: "), "{line}");
        assert!(advice.contains(help), "{advice}");
        assert!(!ran.out.contains("Wrong-Password-1") && !ran.err.contains("Wrong-Password-1"), "{}", ran.out);
        assert!(ran.out.ends_with("found: 1 errors, 0 warnings\n"), "{}", ran.out);
    }
}

#[tokio::test]
async fn check_prints_its_findings_as_json() {
    let good = config("check-json").await;
    let ran = run(&good, &["check", "--json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), json!({"ok": true, "findings": []}));

    let text = table(&[("ldap = \"title\"", "ldap = \"titel\"")]);
    let ran = run(&good.clone().mapping_text(&text), &["check", "--json"]);
    assert_eq!(ran.code, Some(1));
    let line: usize = place(&text, "{ scim = \"title\"").split(':').next().unwrap().parse().unwrap();
    let expected = json!({"ok": false, "findings": [{
        "file": "DIR/mapping.toml", "line": line, "column": 3, "severity": "error", "about": "tenant okta, User",
        "message": "the directory has no attribute titel", "help": "did you mean title?"
    }]});
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), expected);

    let ran = run(&good.tenant("groups = \"no\""), &["check", "--json"]);
    assert_eq!(ran.code, Some(78));
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&report["ok"], &report["findings"][0]["file"]), (&json!(false), &json!("DIR/scim2ldap.toml")));
}

#[test]
fn every_mistake_in_every_file_is_reported_at_once_with_its_place() {
    let configuration = r#"[server]
listen = "8080"
[directory.corp]
kind = "openldapp"
urls = ["ldap://ldap.example.com"]
bind_dn = "cn=scim,dc=example,dc=test"
bind_password = "Not-To-Be-Seen"
base_dn = "dc=example,dc=test"
conections = 4
[tenant.okta]
path = "scim/v2"
directory = "corp"
mapping = "mapping.toml"
[[tenant.okta.credential]]
kind = "basic"
username = "scim:user"
password_file = "no/such/file"
"#;
    let mapping = r#"[user]
base = "ou=people,{base_dn}"
object_class = ["inetOrgPerson"]
rdn = "uid"
filter = "(objectClass=inetOrgPerson"
attributes = [
  { scim = "userName", ldap = "uid", requird = true },
  { scim = "nmae.givenName", ldap = "givenName" },
  { ldap = "cn", value = "{{ name.givenName }" },
]
[group]
base = "ou=groups,{base_dn}"
object_class = ["groupOfNames"]
rdn = "cn"
filter = "(objectClass=groupOfNames)"
members = "member"
attributes = [{ scim = "displayName", ldap = "cn", required = "yes" }]
"#;
    for command in ["check", "serve"] {
        let ran = run(&Config::from_text(configuration).mapping_text(mapping), &[command]);
        assert_eq!(ran.code, Some(78), "{}", ran.err);
        assert_eq!(ran.out, "", "mistakes go to standard error");
        assert!(!ran.err.contains("Not-To-Be-Seen") && !ran.err.contains('\u{1b}'), "{}", ran.err);
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!("every_mistake_at_once", ran.err);
        });
    }
}

#[tokio::test]
async fn the_environment_goes_before_the_file_also_in_lists() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("env-good").await;
    let urls = format!("ldaps://localhost:{},{}", ports_free(), slapd.tls_url());
    let environment = [
        ("SCIM2LDAP__DIRECTORY__CORP__URLS", urls.as_str()),
        ("SCIM2LDAP__DIRECTORY__CORP__BASE_DN", base.as_str()),
        ("SCIM2LDAP__SERVER__LISTEN", "127.0.0.1:0,127.0.0.1:0"),
        ("SCIM2LDAP__TENANT__OKTA__PATCH_RESPONSE__USER", "no_content"),
        ("SCIM2LDAP__TENANT__OKTA__PATH", "/elsewhere"),
    ];
    // Neither this URL nor this base would do.
    let config = Config::for_slapd(slapd, "dc=nowhere").urls(&["ldaps://localhost:1"]);
    let daemon = Daemon::start_with(BINARY, &config, &environment);
    crate::harness::wait_until("both listeners", std::time::Duration::from_secs(10), || {
        (daemon.log().into_iter().filter(|line| line["message"] == "listening").count() == 2).then_some(())
    });
    let scim = crate::harness::Scim::new(&format!("{}/elsewhere", daemon.base()), crate::harness::BASIC);
    let id = scim.post("/Users", &crate::world::okta_user("ada", "Ada", "L")).await.id();
    let change = crate::world::patch(&json!([{"op": "replace", "path": "title", "value": "x"}]));
    scim.patch(&format!("/Users/{id}"), &change).await.expect(204);
    assert_eq!(daemon.command(&["check"]).status.code(), Some(0));
}

#[tokio::test]
async fn a_wrong_variable_is_named_and_its_secret_is_not_shown() {
    let config = config("env-wrong").await;
    let environment = [
        ("SCIM2LDAP__DIRECTORY__CORP__PAGE_SIZE", "many"),
        ("SCIM2LDAP__DIRECTORY__CORP__URLS", "ldaps://localhost,http://localhost"),
        ("SCIM2LDAP__SERVER__LISTN", "127.0.0.1:0"),
        ("SCIM2LDAP__TENANT__OKTA__CREDENTIAL__0__PASSWORD", "Not-To-Be-Seen"),
    ];
    let ran = run_with(&config, &["serve"], &environment, "");
    assert_eq!(ran.code, Some(78), "{}", ran.err);
    for (variable, _) in environment {
        assert!(ran.err.contains(&format!("--> environment variable {variable}")), "{variable}:\n{}", ran.err);
    }
    assert!(ran.err.contains("http://localhost") && ran.err.contains("did you mean `listen`?"), "{}", ran.err);
    assert!(!ran.err.contains("Not-To-Be-Seen"), "{}", ran.err);
}

fn bare(arguments: &[&str]) -> Ran {
    let output = Command::new(BINARY).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_64_and_says_why() {
    for (arguments, says) in [
        (&[][..], "Usage: scim2ldap"),
        (&["fly"], "fly"),
        (&["serve", "--loud"], "--loud"),
        (&["check", "extra"], "extra"),
        (&["check", "--config"], "--config"),
        (&["explain", "x.json", "--method", "GET"], "GET"),
    ] {
        let ran = bare(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(64), ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn help_is_there_for_every_command_and_names_the_exit_codes() {
    let help = bare(&["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.out.contains("0 good, 1 found problems, 64 usage, 78 bad configuration"), "{}", help.out);
    for command in ["serve", "check", "explain"] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{}", help.out);
        let own = bare(&[command, "--help"]);
        assert_eq!((own.code, own.err.as_str()), (Some(0), ""));
        assert!(
            own.out.contains("--config <FILE>") && own.out.contains("/etc/scim2ldap/scim2ldap.toml"),
            "{}",
            own.out
        );
        assert_eq!(bare(&["help", command]).out, own.out);
    }
    assert_eq!(bare(&["--version"]).out, format!("scim2ldap {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn exit_codes_tell_a_wrong_configuration_from_a_start_that_failed() {
    for command in ["serve", "check"] {
        let ran = bare(&[command, "--config", "/no/such/scim2ldap.toml"]);
        assert_eq!(ran.code, Some(78));
        assert!(ran.err.contains("can't read /no/such/scim2ldap.toml") && ran.err.contains("--config"), "{}", ran.err);
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = config("exit-codes").await;
    let ran = run(&config.clone().server(&format!("listen = {}", quoted(&address))), &["serve"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains(&format!("can't listen at {address}: Address already in use")), "{}", ran.err);

    let folder = tempfile::tempdir().unwrap();
    let (one, other) =
        (Authority::new().issue(&folder.path().join("a")), Authority::new().issue(&folder.path().join("b")));
    let tls = format!(
        "listen = \"127.0.0.1:0\"\n[server.tls]\ncertificate = {}\nprivate_key = {}",
        quoted(&one.certificate.to_string_lossy()),
        quoted(&other.key.to_string_lossy())
    );
    let ran = run(&config.server(&tls), &["serve"]);
    assert_eq!(ran.code, Some(78), "{}", ran.err);
    assert!(ran.err.contains("can't be used together"), "{}", ran.err);
}

#[tokio::test]
async fn a_directory_that_is_away_does_not_keep_the_daemon_from_starting() {
    let config = config("start-away").await.urls(&[&format!("ldaps://localhost:{}", ports_free())]);
    let mut daemon = Daemon::start(BINARY, &config);
    daemon.scim(crate::harness::BASIC).get("/Users").await.expect_error(429, "");
    assert_eq!(daemon.stop(), Some(0));
}
