//! `scim2ldap explain`: what it tells, against what the daemon then really does.

use crate::harness::{Config, SUFFIX, Slapd, ports_free, quoted, shipped};
use crate::world::{Ran, World, okta_user, patch, run, run_with};
use serde_json::{Value, json};

/// Runs `explain -` with this body on standard input.
fn explain(config: &Config, body: &Value, arguments: &[&str]) -> Ran {
    explain_text(config, &body.to_string(), arguments)
}

fn explain_text(config: &Config, body: &str, arguments: &[&str]) -> Ran {
    run_with(config, &[&["explain", "-"], arguments].concat(), &[], body)
}

/// The part behind the table.
fn behind_table(ran: &Ran) -> &str {
    ran.out.split_once("\n\n").unwrap_or_else(|| panic!("no table in {}{}", ran.out, ran.err)).1
}

/// The cells of the table's line about this SCIM path: row, LDAP attribute, outcome.
fn line(ran: &Ran, scim: &str) -> [String; 3] {
    let cells = |line: &str| {
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned);
        cells.collect::<Vec<_>>()
    };
    let found = ran.out.lines().map(cells).find(|cells| cells.get(1).is_some_and(|cell| cell == scim));
    let found = found.unwrap_or_else(|| panic!("no line about {scim} in:\n{}", ran.out));
    [found[0].clone(), found[2].clone(), found[3].clone()]
}

/// `FILE:LINE` of a piece of the shipped table.
fn row(piece: &str) -> String {
    let file = shipped("mapping/openldap.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let at = text.find(piece).unwrap_or_else(|| panic!("no {piece} in the shipped table"));
    format!("{}:{}", file.display(), text[..at].matches('\n').count() + 1)
}

#[tokio::test]
async fn a_post_is_told_row_by_row_with_the_entry_it_would_make_and_nothing_is_written() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("explain-post").await;
    let config = Config::for_slapd(slapd, &base);
    let raw = slapd.raw().await;
    let before = raw.find(&base, "(objectClass=*)").await;
    let mut user = okta_user("ada@example.com", "Ada", "Lovelace");
    user["name"].as_object_mut().unwrap().shift_remove("familyName");
    user["emails"][0]["type"] = json!("home");
    let ran = explain(&config, &user, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);

    let expect = |scim: &str, piece: &str, ldap: &str, outcome: &str| {
        assert_eq!(line(&ran, scim), [row(piece), ldap.to_owned(), outcome.to_owned()]);
    };
    expect("userName", "{ scim = \"userName\"", "uid", "ada@example.com");
    expect("name.familyName", "{ scim = \"name.familyName\"", "sn", "- (fallback)");
    expect("name.formatted", "{ scim = \"name.formatted\"", "cn", "Ada");
    expect("title", "{ scim = \"title\"", "title", "no value");
    expect("emails[type eq \"work\" or primary eq true].value", "{ scim = 'emails", "mail", "ada@example.com");
    let lines: Vec<&str> = ran.out.lines().take_while(|line| !line.is_empty()).collect();
    let column = lines[0].find("LDAP").unwrap();
    for line in &lines[1..] {
        assert!(line.is_char_boundary(column) && line[..column].ends_with("  "), "out of line: {line}");
    }
    let ldif = format!(
        "dn: uid=ada@example.com,ou=people,{base}\nchangetype: add\nobjectClass: top\nobjectClass: person\n\
         objectClass: organizationalPerson\nobjectClass: inetOrgPerson\nuid: ada@example.com\n\
         employeeNumber: 00ujl29u0le5T6Aj10h7\ngivenName: Ada\nsn: -\ncn: Ada\ndisplayName: Ada Lovelace\n\
         mail: ada@example.com\n"
    );
    assert_eq!(behind_table(&ran), ldif);
    assert!(!ran.out.contains("1mz050nq"), "the password is shown");
    assert_eq!(raw.find(&base, "(objectClass=*)").await, before, "the directory was written to");
}

#[tokio::test]
async fn the_ldif_of_a_patch_is_what_the_daemon_then_does_and_a_second_time_nothing_would_change() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("explain-patch").await;
    let config = Config::for_slapd(slapd, &base);
    let world = World::before(slapd, base.clone(), |_| config.clone()).await;
    let id = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.id();
    let before = world.user("ada").await;
    let change = patch(
        &json!([{"op": "replace", "value": {"userName": "countess", "name": {"familyName": "King"}, "active": false}}]),
    );
    let arguments = ["--method", "PATCH", "--id", &id];
    let ran = explain(&config, &change, &arguments);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let (old, new) = (format!("uid=ada,{}", world.people()), format!("uid=countess,{}", world.people()));
    assert_eq!(
        behind_table(&ran),
        format!(
            "dn: {old}\nchangetype: modrdn\nnewrdn: uid=countess\ndeleteoldrdn: 1\n\n\
             dn: {new}\nchangetype: modify\nreplace: sn\nsn: King\n-\nreplace: cn\ncn: Ada King\n-\n\
             replace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n-\n"
        )
    );
    assert_eq!(line(&ran, "name.givenName")[2], "not touched by the patch");
    assert_eq!(line(&ran, "name.familyName")[2], "King");
    assert_eq!(line(&ran, "active")[1..], ["pwdAccountLockedTime", "the account is disabled"]);
    assert_eq!(world.user("ada").await, before, "the directory was written to");

    world.scim.patch(&format!("/Users/{id}"), &change).await.expect(200);
    let expected = [
        "cn: [Ada Lovelace] -> [Ada King]".to_owned(),
        format!("entryDN: [{old}] -> [{new}]"),
        "pwdAccountLockedTime: [] -> [000001010000Z]".to_owned(),
        "sn: [Lovelace] -> [King]".to_owned(),
        "uid: [ada] -> [countess]".to_owned(),
    ];
    assert_eq!(crate::world::changes(&before, &world.user("countess").await), expected);
    let again = explain(&config, &change, &arguments);
    assert_eq!((again.code, behind_table(&again)), (Some(0), "nothing would change\n"));
}

#[tokio::test]
async fn a_put_and_a_delete_and_a_group_are_told_too() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("explain-more").await;
    let config = Config::for_slapd(slapd, &base);
    let world = World::before(slapd, base.clone(), |_| config.clone()).await;
    let mut user = okta_user("ada", "Ada", "Lovelace");
    let id = world.scim.post("/Users", &user).await.id();
    let dn = format!("uid=ada,{}", world.people());
    user["externalId"] = Value::Null;
    let put = explain(&config, &user, &["--method", "put", "--id", &id, "--tenant", "okta"]);
    assert_eq!(behind_table(&put), format!("dn: {dn}\nchangetype: modify\nreplace: employeeNumber\n-\n"));

    let delete = run(&config, &["explain", "--method", "DELETE", "--id", &id]);
    assert_eq!((delete.code, delete.out), (Some(0), format!("dn: {dn}\nchangetype: delete\n")), "{}", delete.err);

    let group = json!({"displayName": "Analysts", "members": [{"value": id}]});
    let ran = explain(&config, &group, &["--kind", "group"]);
    assert_eq!(line(&ran, "members")[1..], ["member", "1 member"]);
    assert!(behind_table(&ran).ends_with(&format!("cn: Analysts\nmember: {dn}\n")), "{}", ran.out);
    assert_eq!(world.scim.get("/Groups").await.total(), 0);
    world.scim.get(&format!("/Users/{id}")).await.expect(200);
}

#[tokio::test]
async fn who_comes_and_who_goes_is_told_for_a_group() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("explain-group").await;
    let config = Config::for_slapd(slapd, &base);
    let world = World::before(slapd, base.clone(), |_| config.clone()).await;
    let mut ids = Vec::new();
    for name in ["ada", "bob", "eve"] {
        ids.push(world.scim.post("/Users", &okta_user(name, "A", "B")).await.id());
    }
    let dn = |name: &str| format!("uid={name},{}", world.people());
    let [ada, bob, eve] = ids.as_slice() else { unreachable!() };
    let group = json!({"displayName": "Analysts", "members": [{"value": ada}, {"value": bob}]});
    let group = world.scim.post("/Groups", &group).await.id();
    let (path, at) = (format!("/Groups/{group}"), format!("cn=Analysts,ou=groups,{base}"));
    let told =
        |body: &Value, method: &str| explain(&config, body, &["--kind", "group", "--method", method, "--id", &group]);
    let modify = |lines: &str| format!("dn: {at}\nchangetype: modify\n{lines}");

    let change = patch(&json!([
        {"op": "add", "path": "members", "value": [{"value": ada}, {"value": eve}]},
        {"op": "remove", "path": format!("members[value eq \"{bob}\"]")},
    ]));
    let ran = told(&change, "PATCH");
    assert_eq!(line(&ran, "members")[2], "1 come, 1 go");
    let lines = format!("add: member\nmember: {}\n-\ndelete: member\nmember: {}\n-\n", dn("eve"), dn("bob"));
    assert_eq!(behind_table(&ran), modify(&lines));
    world.scim.patch(&path, &change).await.expect(204);
    assert_eq!(world.raw.entry(&at).await.unwrap()["member"], [dn("ada"), dn("eve")]);
    assert_eq!(behind_table(&told(&change, "PATCH")), "nothing would change\n");

    let empty = json!({"displayName": "Analysts", "members": []});
    let ran = told(&empty, "PUT");
    let lines = format!("add: member\nmember: \n-\ndelete: member\nmember: {}\nmember: {}\n-\n", dn("ada"), dn("eve"));
    assert_eq!((line(&ran, "members")[2].as_str(), behind_table(&ran)), ("0 come, 2 go", modify(&lines).as_str()));
    world.scim.put(&path, &empty).await.expect(200);
    assert_eq!(behind_table(&told(&empty, "PUT")), "nothing would change\n");
    let ran = told(&json!({"displayName": "Renamed", "members": [{"value": bob}]}), "PUT");
    let rename = format!("dn: {at}\nchangetype: modrdn\nnewrdn: cn=Renamed\ndeleteoldrdn: 1\n\n");
    let now = format!("dn: cn=Renamed,ou=groups,{base}\nchangetype: modify\n");
    let lines = format!("add: member\nmember: {}\n-\ndelete: member\nmember: \n-\n", dn("bob"));
    assert_eq!(behind_table(&ran), format!("{rename}{now}{lines}"));

    let nobody = patch(&json!([{"op": "add", "path": "members", "value": [{"value": "nobody"}]}]));
    let answer = world.scim.patch(&path, &nobody).await;
    let refused = format!("refused: {}\n", answer.expect_error(400, "invalidValue"));
    assert_eq!((told(&nobody, "PATCH").code, told(&nobody, "PATCH").out), (Some(1), refused));
}

#[tokio::test]
async fn a_refused_request_ends_with_1_and_the_detail_that_the_client_gets() {
    let slapd = Slapd::shared();
    let config = Config::for_slapd(slapd, &slapd.suffix("explain-refused").await);
    let base = format!("ou=explain-refused,{SUFFIX}");
    let world = World::before(slapd, base, |_| config.clone()).await;
    let id = world.scim.post("/Users", &okta_user("ada", "Ada", "L")).await.id();
    let other = world.scim.post("/Users", &okta_user("bob", "Bob", "L")).await.id();
    let path = format!("/Users/{id}");
    let taken = okta_user("ADA", "Ada", "L");
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "x",
        "members": [{"value": "0f0f0f0f-0000-4000-8000-000000000000"}]});
    let odd = patch(&json!([{"op": "sing", "path": "title"}]));
    let wrong_type = json!({"userName": "eve", "active": "perhaps"});
    let unknown = "0e0e0e0e-0000-4000-8000-000000000000";
    for (body, arguments, answer) in [
        (
            &json!({"name": {"givenName": "x"}}),
            &[][..],
            world.scim.post("/Users", &json!({"name": {"givenName": "x"}})).await,
        ),
        (&wrong_type, &[], world.scim.post("/Users", &wrong_type).await),
        (&taken, &[], world.scim.post("/Users", &taken).await),
        (&group, &[], world.scim.post("/Groups", &group).await),
        (&odd, &["--method", "PATCH", "--id", &id], world.scim.patch(&path, &odd).await),
        (&taken, &["--method", "PUT", "--id", unknown], world.scim.put(&format!("/Users/{unknown}"), &taken).await),
        (
            &json!({}),
            &["--method", "PUT", "--id", unknown],
            world.scim.put(&format!("/Users/{unknown}"), &json!({})).await,
        ),
    ] {
        assert!(answer.status >= 400, "{}", answer.text);
        let ran = explain(&config, body, arguments);
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        let refused = format!("refused: {}\n", answer.body["detail"].as_str().unwrap());
        assert!(ran.out.ends_with(&refused), "not {refused}\n{}", ran.out);
        assert!(!ran.out.contains("changetype"), "{}", ran.out);
    }
    for broken in ["{\"userName\": \n }", "", "[1]"] {
        let body = Some(("application/json", broken));
        let answer = world.scim.send_raw(reqwest::Method::POST, "/Users", &[], body).await;
        let ran = explain_text(&config, broken, &[]);
        assert_eq!(ran.code, Some(1));
        assert_eq!(ran.out, format!("refused: {}\n", answer.expect_error(400, "invalidSyntax")));
    }
    // A rename to a taken name: the directory's own words can't be known before it is tried.
    let rename = patch(&json!([{"op": "replace", "path": "userName", "value": "ada"}]));
    let ran = explain(&config, &rename, &["--method", "PATCH", "--id", &other]);
    assert_eq!(ran.code, Some(1));
    assert!(behind_table(&ran).starts_with("refused: The userName \"ada\" is taken"), "{}", ran.out);
}

#[tokio::test]
async fn a_refusing_row_is_marked_and_the_others_are_told_all_the_same() {
    let slapd = Slapd::shared();
    let text = std::fs::read_to_string(shipped("mapping/openldap.toml")).unwrap();
    let text = text.replace("ldap = \"title\" }", "ldap = \"title\", max_length = 3 }");
    let config = Config::for_slapd(slapd, &slapd.suffix("explain-marked").await).mapping_text(&text);
    let mut user = okta_user("ada", "Ada", "Lovelace");
    user["title"] = json!("Countess");
    let ran = explain(&config, &user, &[]);
    assert_eq!(ran.code, Some(1));
    let why = "title is longer than the 3 characters that it may have.";
    assert_eq!(line(&ran, "title")[2], format!("refused: {why}"));
    assert_eq!(line(&ran, "name.familyName")[2], "Lovelace");
    assert_eq!(behind_table(&ran), format!("refused: {why}\n"));
}

#[tokio::test]
async fn a_post_needs_no_directory_and_references_are_then_unknown() {
    let slapd = Slapd::shared();
    let away = format!("ldaps://localhost:{}", ports_free());
    let config = Config::for_slapd(slapd, "dc=example,dc=test").urls(&[&away]);
    let mut user = okta_user("ada", "Ada", "Lovelace");
    user[crate::world::ENTERPRISE] = json!({"manager": {"value": "boss@example.com"}});
    let ran = explain(&config, &user, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let manager = format!("{}:manager.value", crate::world::ENTERPRISE);
    assert_eq!(line(&ran, &manager)[2], "unknown: the directory can't be asked what the reference means");
    let rest = behind_table(&ran);
    assert!(rest.starts_with("note: ") && rest.contains("nothing listens there"), "{rest}");
    assert!(rest.contains("\ndn: uid=ada,ou=people,dc=example,dc=test\n") && !rest.contains("manager:"), "{rest}");

    let group = json!({"displayName": "Analysts", "members": [{"value": "0e0e0e0e-0000-4000-8000-000000000000"}]});
    let ran = explain(&config, &group, &["--kind", "group"]);
    assert_eq!((ran.code, &*line(&ran, "members")[2]), (Some(0), "1 named, unknown: the directory can't be asked"));

    let change = patch(&json!([{"op": "replace", "path": "title", "value": "x"}]));
    let ran = explain(&config, &change, &["--method", "PATCH", "--id", "0e0e0e0e-0000-4000-8000-000000000000"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.starts_with("refused: ") && ran.out.contains("nothing listens there"), "{}", ran.out);
}

#[tokio::test]
async fn the_explanation_can_be_had_as_json() {
    let slapd = Slapd::shared();
    let base = slapd.suffix("explain-json").await;
    let config = Config::for_slapd(slapd, &base);
    let ran = explain(&config, &json!({"userName": "ada"}), &["--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&told["ok"], &told["refused"], &told["unknown"]), (&json!(true), &Value::Null, &Value::Null));
    assert!(told["ldif"].as_str().unwrap().starts_with(&format!("dn: uid=ada,ou=people,{base}\nchangetype: add\n")));
    let place = row("{ scim = \"userName\"");
    let (file, line) = place.rsplit_once(':').unwrap();
    let step = json!({"file": file, "line": line.parse::<u32>().unwrap(), "column": 3, "scim": "userName",
        "ldap": "uid", "outcome": "ada", "refused": false});
    assert_eq!(told["steps"][0], step);

    let ran = explain(&config, &json!({}), &["--json"]);
    assert_eq!(ran.code, Some(1));
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&told["ok"], &told["ldif"], &told["steps"][0]["refused"]), (&json!(false), &json!(""), &json!(true)));
    assert!(told["refused"].as_str().unwrap().starts_with("userName is required"), "{told}");
}

#[tokio::test]
async fn a_command_line_that_lacks_something_ends_with_64_and_a_file_that_is_not_there_with_1() {
    let slapd = Slapd::shared();
    let mapping = quoted(&shipped("mapping/openldap.toml").to_string_lossy());
    let one = Config::for_slapd(slapd, SUFFIX);
    let two = one.clone().further(&format!(
        "[tenant.entra]\npath = \"/entra\"\ndirectory = \"corp\"\nmapping = {mapping}\ngroups = false\nenabled = false"
    ));
    for (config, arguments, says) in [
        (&one, &["--method", "PATCH"][..], "need --id"),
        (&one, &["--method", "DELETE"], "need --id"),
        (&one, &["--id", "1"], "a POST has no --id"),
        (&one, &["--method", "GET"], "POST, PUT, PATCH, DELETE"),
        (&one, &["--kind", "robot"], "user, group"),
        (&one, &["--tenant", "otka"], "there is no tenant \"otka\": write --tenant with one of okta"),
        (&two, &[], "the configuration has several tenants: write --tenant with one of okta, entra"),
    ] {
        let ran = explain(config, &json!({"userName": "ada"}), arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(64), ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
    let ran = run(&one, &["explain"]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("the file with the body"), "{}", ran.err);
    let ran = run(&one, &["explain", "/no/such.json"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("can't read /no/such.json"), "{}", ran.err);

    let ran = explain(&two, &json!({"displayName": "x"}), &["--tenant", "entra", "--kind", "group"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.starts_with("refused: This tenant does not serve Groups: "), "{}", ran.out);
    let ran = explain(&one.tenant("pth = 1"), &json!({"userName": "ada"}), &[]);
    assert_eq!(ran.code, Some(78), "{}", ran.err);
}
