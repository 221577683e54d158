//! Accounts, names and groups of Active Directory, on a real Samba domain controller.

use crate::harness::{Attributes, Kind};
use crate::world::{ENTERPRISE, World, okta_user, patch};
use serde_json::{Value, json};

const GOOD: &str = "Sehr.Geheim-1";
const OTHER: &str = "Noch.Geheimer-2";

async fn world(name: &str) -> World {
    World::on(Kind::ActiveDirectory, name).await
}

/// With the passwords of the identity provider carried over.
async fn syncing(name: &str) -> World {
    World::on_with(Kind::ActiveDirectory, name, |config| config.tenant("password_sync = true")).await
}

/// With changes to the shipped table.
async fn with_table(name: &str, tenant: &str, changes: &[(&str, &str)]) -> World {
    let mut table = std::fs::read_to_string(crate::harness::shipped("mapping/active-directory.toml")).unwrap();
    for (old, new) in changes {
        assert!(table.contains(old), "{old}");
        table = table.replace(old, new);
    }
    World::on_with(Kind::ActiveDirectory, name, |config| config.mapping_text(&table).tenant(tenant)).await
}

fn user(name: &str, password: &str, active: bool) -> Value {
    let mut user = okta_user(name, "Ada", "Lovelace");
    user["password"] = json!(password);
    user["active"] = json!(active);
    user
}

fn control(entry: &Attributes) -> &str {
    &entry["userAccountControl"][0]
}

#[tokio::test]
async fn a_new_account_has_a_password_that_nobody_knows_and_is_enabled() {
    let world = world("ad-new").await;
    let created = world.scim.post("/Users", &okta_user("ada@example.test", "Ada", "Lovelace")).await;
    assert_eq!(created.expect(201)["active"], true);
    let entry = world.user("ada@example.test").await;
    assert_eq!(control(&entry), "512");
    assert_ne!(entry["pwdLastSet"][0], "0", "it has a password: {entry:#?}");
    assert_eq!(entry["sAMAccountName"][0], "ada");
    let refused = world.try_login("ada@example.test", "1mz050nq").await.unwrap_err();
    assert!(refused.text.contains("data 52e"), "Okta's placeholder is not the password: {}", refused.text);
    world.daemon.assert_no_secret_in_the_log(&["1mz050nq"]);
}

#[tokio::test]
async fn the_disable_bit_and_no_other_follows_active_also_when_repeated() {
    let world = world("ad-active").await;
    let id = world.scim.post("/Users", &user("ada@example.test", "x", false)).await.id();
    assert_eq!(control(&world.user("ada@example.test").await), "514");
    // A bit that belongs to somebody else: the password never expires.
    world.raw.replace(&world.dn("ada@example.test"), "userAccountControl", &["66050"]).await;
    let path = format!("/Users/{id}");
    for (active, expected) in [(true, "66048"), (true, "66048"), (false, "66050"), (false, "66050"), (true, "66048")] {
        let operations = json!([{"op": "replace", "value": {"active": active}}]);
        world.scim.patch(&path, &patch(&operations)).await.expect(200);
        assert_eq!(control(&world.user("ada@example.test").await), expected);
        let answer = world.scim.put(&path, &user("ada@example.test", "x", active)).await;
        assert_eq!(answer.expect(200)["active"], active);
        assert_eq!(control(&world.user("ada@example.test").await), expected);
    }
}

#[tokio::test]
async fn the_clients_password_opens_the_account_from_the_first_moment() {
    let world = syncing("ad-password").await;
    let created = world.scim.post("/Users", &user("ada@example.test", GOOD, true)).await;
    assert!(created.expect(201).get("password").is_none());
    world.try_login("ada@example.test", GOOD).await.unwrap();
    let path = format!("/Users/{}", created.id());
    // PATCH, as Okta's catalogue apps send it.
    let operations = json!([{"op": "replace", "value": {"password": OTHER}}]);
    world.scim.patch(&path, &patch(&operations)).await.expect(200);
    world.try_login("ada@example.test", OTHER).await.unwrap();
    assert!(world.try_login("ada@example.test", GOOD).await.is_err());
    // PUT, as Okta's wizard apps send it; the same one again is fine.
    for _ in 0..2 {
        world.scim.put(&path, &user("ada@example.test", GOOD, true)).await.expect(200);
        world.try_login("ada@example.test", GOOD).await.unwrap();
    }
    // A request without a password leaves it alone.
    let mut without = user("ada@example.test", GOOD, true);
    without.as_object_mut().unwrap().remove("password");
    without["title"] = json!("Countess");
    world.scim.put(&path, &without).await.expect(200);
    world.try_login("ada@example.test", GOOD).await.unwrap();
    world.daemon.assert_no_secret_in_the_log(&[GOOD, OTHER]);
}

#[tokio::test]
async fn a_password_against_the_policy_is_refused_and_leaves_nothing_behind() {
    let world = syncing("ad-weak").await;
    let refused = world.scim.post("/Users", &user("ada@example.test", "abc", true)).await;
    let detail = refused.expect_error(400, "invalidValue");
    assert!(detail.contains("does not meet the domain's policy"), "{detail}");
    assert!(!world.has_user("ada@example.test").await);
    let id = world.scim.post("/Users", &user("ada@example.test", GOOD, true)).await.id();
    let before = world.user("ada@example.test").await;
    let mut change = user("ada2@example.test", "abc", true);
    change["title"] = json!("Countess");
    let refused = world.scim.put(&format!("/Users/{id}"), &change).await;
    assert!(refused.expect_error(400, "invalidValue").contains("policy"));
    let after = world.user("ada@example.test").await;
    assert_eq!(world.changes(&before, &after), [""; 0], "not renamed, not titled: all or nothing");
    world.try_login("ada@example.test", GOOD).await.unwrap();
}

#[tokio::test]
async fn without_a_first_password_a_new_account_stays_disabled_and_says_so() {
    let changes = [("initial_password = \"random\"", "initial_password = \"none\"")];
    let world = with_table("ad-none", "", &changes).await;
    let created = world.scim.post("/Users", &okta_user("ada@example.test", "Ada", "Lovelace")).await;
    assert_eq!(created.expect(201)["active"], false);
    assert_eq!(control(&world.user("ada@example.test").await), "514");
    assert_eq!(world.user("ada@example.test").await["pwdLastSet"][0], "0");
    world
        .daemon
        .wait_for_log("the account is created disabled, because it has no password: initial_password is \"none\"");
}

#[tokio::test]
async fn whoever_must_change_the_first_password_is_told_at_the_first_log_on() {
    let world = with_table("ad-change", "password_sync = true", &[("must_change = false", "must_change = true")]).await;
    let id = world.scim.post("/Users", &user("ada@example.test", GOOD, true)).await.id();
    assert_eq!(control(&world.user("ada@example.test").await), "512");
    let refused = world.try_login("ada@example.test", GOOD).await.unwrap_err();
    assert!(refused.text.contains("data 773"), "{}", refused.text);
    // A password that is set later is not the first one.
    let operations = json!([{"op": "replace", "path": "password", "value": OTHER}]);
    world.scim.patch(&format!("/Users/{id}"), &patch(&operations)).await.expect(200);
    world.try_login("ada@example.test", OTHER).await.unwrap();
}

#[tokio::test]
async fn names_for_older_systems_are_numbered_until_one_is_free_and_then_stay() {
    let world = world("ad-numbered").await;
    // Somebody else's account, elsewhere in the domain and in other letters.
    let elsewhere = format!("CN=elsewhere,{}", world.base);
    world.add_user_at(&elsewhere, "ADA", &[]).await;
    let mut ids = Vec::new();
    for name in ["ada@example.org", "ada@example.com", "ada@example.net"] {
        ids.push(world.scim.post("/Users", &okta_user(name, "Ada", "Lovelace")).await.id());
    }
    // With the domain's own name it would be the principal that the other account is already.
    let refused = world.scim.post("/Users", &okta_user("ada@example.test", "Ada", "Lovelace")).await;
    assert!(refused.expect_error(409, "uniqueness").contains("userPrincipalName \"ada@example.test\" is taken"));
    for (name, account) in [("ada@example.org", "ada2"), ("ada@example.com", "ada3"), ("ada@example.net", "ada4")] {
        assert_eq!(world.user(name).await["sAMAccountName"], [account]);
    }
    let renamed = okta_user("countess@example.org", "Ada", "Lovelace");
    world.scim.put(&format!("/Users/{}", ids[0]), &renamed).await.expect(200);
    assert_eq!(world.user("countess@example.org").await["sAMAccountName"], ["ada2"]);
    let long = "a.very.long.name.indeed";
    for (domain, account) in [("test", "a.very.long.name.ind"), ("org", "a.very.long.name.in2")] {
        let name = format!("{long}@example.{domain}");
        world.scim.post("/Users", &okta_user(&name, "A", "Z")).await.expect(201);
        assert_eq!(world.user(&name).await["sAMAccountName"], [account]);
    }
}

#[tokio::test]
async fn a_user_principal_name_that_is_taken_is_a_conflict_that_names_it() {
    let world = world("ad-upn").await;
    let elsewhere = format!("CN=other,{}", world.base);
    world.add_user_at(&elsewhere, "ada@example.test", &[]).await;
    world.raw.replace(&elsewhere, "sAMAccountName", &["somebody"]).await;
    let refused = world.scim.post("/Users", &okta_user("ada@example.test", "Ada", "Lovelace")).await;
    let detail = refused.expect_error(409, "uniqueness");
    assert!(detail.contains("userPrincipalName \"ada@example.test\" is taken"), "{detail}");
    let id = world.scim.post("/Users", &okta_user("eve@example.test", "Eve", "X")).await.id();
    let refused = world.scim.put(&format!("/Users/{id}"), &okta_user("ada@example.test", "Eve", "X")).await;
    let detail = refused.expect_error(409, "uniqueness");
    assert!(detail.contains("userPrincipalName"), "{detail}");
    let refused = world.scim.post("/Users", &okta_user("eve@example.test", "Eve", "X")).await;
    assert!(refused.expect_error(409, "uniqueness").contains("eve@example.test"));
}

#[tokio::test]
async fn a_short_user_name_gets_the_domain_and_is_found_with_and_without_it() {
    // As an admin switches it on: the row as it is shipped goes, the one behind a # takes its place.
    let row = "  { scim = \"userName\", ldap = \"userPrincipalName\", required = true";
    let (shipped, offered) = ([row, " },\n"].concat(), row.replace("  {", "  # {"));
    let changes = [(&*shipped, ""), (&*offered, row)];
    let world = with_table("ad-suffix", "", &changes).await;
    let created = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    assert_eq!(created.expect(201)["userName"], "ada@example.test");
    for name in ["ada", "ADA", "ada@example.test"] {
        let found = world.scim.search("/Users", &format!("userName eq \"{name}\"")).await;
        assert_eq!(found.total(), 1, "{name}");
    }
    for name in ["ada", "ada@example.test"] {
        world.scim.post("/Users", &okta_user(name, "Ada", "Lovelace")).await.expect_error(409, "uniqueness");
    }
    let path = format!("/Users/{}", created.id());
    let before = world.user("ada@example.test").await;
    world.scim.put(&path, &okta_user("ada", "Ada", "Lovelace")).await.expect(200);
    assert_eq!(world.changes(&before, &world.user("ada@example.test").await), [""; 0]);
    world.scim.post("/Users", &okta_user("eve@example.org", "Eve", "X")).await.expect(201);
    assert_eq!(world.user("eve@example.org").await["sAMAccountName"], ["eve"]);
}

#[tokio::test]
async fn a_group_is_a_security_group_whose_name_for_older_systems_is_free() {
    let world = world("ad-group").await;
    let ada = world.scim.post("/Users", &okta_user("sales@example.test", "Sales", "X")).await.id();
    let members = json!([{"value": ada}]);
    let group = world.scim.post("/Groups", &json!({"displayName": "sales", "members": members})).await;
    assert_eq!(group.expect(201)["members"][0]["value"], ada.as_str());
    let entry = world.raw.find_one(&world.groups(), "(&(objectClass=group)(cn=sales))").await.1;
    assert_eq!(entry["groupType"], ["-2147483646"]);
    assert_eq!(entry["sAMAccountName"], ["sales2"]);
    let user = world.scim.get(&format!("/Users/{ada}")).await;
    assert_eq!(user.expect(200)["groups"][0]["value"], group.id().as_str());
}

#[tokio::test]
async fn members_come_and_go_where_the_server_does_not_forgive_repetition() {
    let world = world("ad-members").await;
    let mut ids = Vec::new();
    for name in ["a@example.test", "b@example.test", "c@example.test"] {
        ids.push(world.scim.post("/Users", &okta_user(name, "A", "B")).await.id());
    }
    let group = world.scim.post("/Groups", &json!({"displayName": "team", "members": [{"value": ids[0]}]})).await.id();
    let path = format!("/Groups/{group}");
    let values = |ids: &[&String]| ids.iter().map(|id| json!({"value": id})).collect::<Vec<_>>();
    let add = |ids: &[&String]| patch(&json!([{"op": "add", "path": "members", "value": values(ids)}]));
    let remove = |ids: &[&String]| patch(&json!([{"op": "remove", "path": "members", "value": values(ids)}]));
    let held = async || world.members("team").await.into_iter().collect::<Vec<_>>().join(" ");
    for _ in 0..2 {
        world.scim.patch(&path, &add(&[&ids[0], &ids[1]])).await.expect(204);
        assert_eq!(held().await, "a@example.test b@example.test");
    }
    for _ in 0..2 {
        world.scim.patch(&path, &remove(&[&ids[0], &ids[2]])).await.expect(204);
        assert_eq!(held().await, "b@example.test");
    }
    world.scim.patch(&path, &remove(&[&ids[1]])).await.expect(204);
    assert_eq!(held().await, "");
}

#[tokio::test]
async fn a_user_is_in_the_primary_group_already_and_can_not_be_taken_out_of_it() {
    let world = world("ad-primary").await;
    let id = world.scim.post("/Users", &okta_user("ada@example.test", "Ada", "X")).await.id();
    let group = world.scim.post("/Groups", &json!({"displayName": "staff", "members": [{"value": id}]})).await.id();
    let (dn, entry) = world.raw.find_one(&world.groups(), "(cn=staff)").await;
    let token = relative_id(&entry["objectSid"][0]);
    world.raw.replace(&world.dn("ada@example.test"), "primaryGroupID", &[&token]).await;
    assert_eq!(world.members("staff").await.len(), 0, "{dn} does not list whose primary group it is");
    let path = format!("/Groups/{group}");
    let members = json!([{"value": id}]);
    let add = patch(&json!([{"op": "add", "path": "members", "value": members}]));
    world.scim.patch(&path, &add).await.expect(204);
    world.scim.put(&path, &json!({"displayName": "staff", "members": members})).await.expect(200);
    let remove = patch(&json!([{"op": "remove", "path": "members", "value": members}]));
    let refused = world.scim.patch(&path, &remove).await;
    assert!(refused.expect_error(400, "invalidValue").contains("primary group"), "{:?}", refused.body);
    // Samba deletes no group that is somebody's primary one, and the next test finds the domain clean.
    world.raw.replace(&world.dn("ada@example.test"), "primaryGroupID", &["513"]).await;
}

/// The last number of a security identifier.
fn relative_id(sid: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let bytes = STANDARD.decode(sid.strip_prefix("base64:").expect("bytes")).unwrap();
    let last: [u8; 4] = bytes[bytes.len() - 4..].try_into().unwrap();
    u32::from_le_bytes(last).to_string()
}

#[tokio::test]
async fn the_shipped_table_fits_the_schema_and_every_row_goes_there_and_comes_back() {
    let world = world("ad-table").await;
    let checked = world.daemon.command(&["check"]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
    let boss = world.scim.post("/Users", &okta_user("boss@example.test", "The", "Boss")).await.id();
    let sent = json!({
        "userName": "ada@example.test", "externalId": "00u1", "displayName": "Ada Lovelace", "title": "Countess",
        "userType": "Employee", "preferredLanguage": "en", "profileUrl": "https://example.test/ada", "active": true,
        "name": {"givenName": "Ada", "familyName": "Lovelace", "middleName": "King"},
        "emails": [{"type": "work", "value": "ada@example.test", "primary": true}],
        "phoneNumbers": [
            {"type": "work", "value": "+44 1", "primary": true}, {"type": "mobile", "value": "+44 2"},
            {"type": "home", "value": "+44 3"}, {"type": "fax", "value": "+44 4"}, {"type": "pager", "value": "+44 5"},
        ],
        "addresses": [{
            "type": "work", "streetAddress": "12 St James's Square", "locality": "London", "region": "Westminster",
            "postalCode": "SW1Y", "country": "United Kingdom", "primary": true,
        }],
        ENTERPRISE: {
            "organization": "Analytical Engines", "division": "Programs", "department": "Notes",
            "employeeNumber": "1815", "manager": {"value": boss},
        },
    });
    let created = world.scim.post("/Users", &sent).await;
    let answer = created.expect(201);
    for (name, value) in sent.as_object().unwrap() {
        let mut shown = answer[name].clone();
        if name == ENTERPRISE {
            shown["manager"].as_object_mut().unwrap().retain(|key, _| key == "value");
        }
        assert_eq!(&shown, value, "{name}");
    }
    let entry = world.user("ada@example.test").await;
    for (attribute, value) in [
        ("cn", "ada@example.test"),
        ("sAMAccountName", "ada"),
        ("employeeNumber", "00u1"),
        ("employeeID", "1815"),
        ("company", "Analytical Engines"),
        ("co", "United Kingdom"),
        ("telephoneNumber", "+44 1"),
        ("mobile", "+44 2"),
        ("mail", "ada@example.test"),
        ("department", "Notes"),
    ] {
        assert_eq!(entry[attribute], [value], "{attribute}");
    }
    assert_eq!(entry["manager"], [world.dn("boss@example.test")]);
    // Everything again is no change, and nothing of it is everything removed.
    let path = format!("/Users/{}", created.id());
    world.scim.put(&path, &sent).await.expect(200);
    assert_eq!(world.changes(&entry, &world.user("ada@example.test").await), [""; 0]);
    world.scim.put(&path, &json!({"userName": "ada@example.test"})).await.expect(200);
    let left = world.user("ada@example.test").await;
    for attribute in ["title", "mail", "mobile", "co", "company", "employeeID", "manager", "displayName"] {
        assert_eq!(left.get(attribute), None, "{attribute}");
    }
    assert_eq!(control(&left), "512");
}
