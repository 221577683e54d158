//! How a mapping table has users disabled and deleted, and what names guard against: read back over raw LDAP.

use crate::harness::{Config, Slapd};
use crate::world::{USER, World, okta_user, patch};
use serde_json::json;

/// The shipped table with some of its keys in `[user]` replaced.
fn table(replace: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(crate::harness::shipped("mapping/openldap.toml")).unwrap();
    for (line, with) in replace {
        let at = text.find(line).unwrap_or_else(|| panic!("no {line} in the shipped table"));
        text.replace_range(at..at + line.len(), with);
    }
    text
}

async fn world(name: &str, replace: &[(&str, &str)]) -> World {
    let text = table(replace);
    World::with(name, |config| config.mapping_text(&text)).await
}

impl World {
    async fn join(&self, name: &str) -> String {
        let created = self.scim.post("/Users", &okta_user(name, "Ada", "Lovelace")).await;
        created.expect(201);
        created.id()
    }

    async fn set_active(&self, id: &str, active: bool) {
        let body = patch(&json!([{"op": "replace", "value": {"active": active}}]));
        assert_eq!(self.scim.patch(&format!("/Users/{id}"), &body).await.expect(200)["active"], active);
        assert_eq!(self.scim.get(&format!("/Users/{id}")).await.expect(200)["active"], active);
        let filter = format!("userName eq \"ada\" and active eq {active}");
        assert_eq!(self.scim.search("/Users", &filter).await.total(), 1);
        let filter = format!("userName eq \"ada\" and active eq {}", !active);
        assert_eq!(self.scim.search("/Users", &filter).await.total(), 0);
    }

    async fn dns(&self) -> Vec<String> {
        let found = self.raw.find(&self.base, "(objectClass=inetOrgPerson)").await;
        found.into_iter().map(|(dn, _)| dn.replace(&format!(",{}", self.base), "")).collect()
    }
}

#[tokio::test]
async fn ppolicy_locks_the_account_for_good_however_often_it_is_said() {
    let world = world("disable-ppolicy", &[]).await;
    let id = world.join("ada").await;
    for _ in 0..3 {
        world.set_active(&id, false).await;
        assert_eq!(world.user("ada").await["pwdAccountLockedTime"], ["000001010000Z"]);
    }
    for _ in 0..3 {
        world.set_active(&id, true).await;
        assert!(!world.user("ada").await.contains_key("pwdAccountLockedTime"));
    }
}

#[tokio::test]
async fn a_user_can_be_created_inactive() {
    let world = world("disable-create", &[]).await;
    let mut user = okta_user("ada", "Ada", "Lovelace");
    user["active"] = json!(false);
    assert_eq!(world.scim.post("/Users", &user).await.expect(201)["active"], false);
    assert_eq!(world.user("ada").await["pwdAccountLockedTime"], ["000001010000Z"]);
}

#[tokio::test]
async fn a_lock_after_wrong_passwords_is_not_taken_for_a_deactivation() {
    let world = world("disable-lockout", &[]).await;
    let id = world.join("ada").await;
    let dn = format!("uid=ada,{}", world.people());
    world.raw.replace(&dn, "pwdAccountLockedTime", &["20260101000000Z"]).await;
    assert_eq!(world.scim.get(&format!("/Users/{id}")).await.expect(200)["active"], true);
    world.set_active(&id, true).await;
    assert_eq!(world.user("ada").await["pwdAccountLockedTime"], ["20260101000000Z"]);
}

#[tokio::test]
async fn an_attribute_pair_says_who_is_active() {
    let pair = r#"disable = { attribute = "businessCategory", enabled = "here", disabled = "gone" }"#;
    let world = world("disable-pair", &[(r#"disable = "ppolicy""#, pair)]).await;
    let id = world.join("ada").await;
    assert_eq!(world.user("ada").await["businessCategory"], ["here"]);
    world.set_active(&id, false).await;
    assert_eq!(world.user("ada").await["businessCategory"], ["gone"]);
    world.set_active(&id, true).await;
    assert_eq!(world.user("ada").await["businessCategory"], ["here"]);
}

#[tokio::test]
async fn a_leaver_moves_to_another_container_and_comes_back_with_the_same_id() {
    let move_to = r#"disable = { move_to = "ou=former,{base_dn}" }"#;
    let world = world("disable-move", &[(r#"disable = "ppolicy""#, move_to)]).await;
    let former = format!("ou=former,{}", world.base);
    world.raw.add(&former, &[("objectClass", &["organizationalUnit"]), ("ou", &["former"])]).await;
    let id = world.join("ada").await;
    world.set_active(&id, false).await;
    assert_eq!(world.dns().await, ["uid=ada,ou=former"]);
    world.scim.post("/Users", &okta_user("ADA", "Other", "Ada")).await.expect_error(409, "uniqueness");

    let mut back = okta_user("ada.lovelace", "Ada", "Lovelace");
    back["active"] = json!(true);
    let answer = world.scim.put(&format!("/Users/{id}"), &back).await;
    assert_eq!(answer.expect(200)["active"], true);
    assert_eq!(answer.id(), id);
    assert_eq!(world.dns().await, ["uid=ada.lovelace,ou=people"], "renamed and moved in one");
}

#[tokio::test]
async fn without_a_way_to_disable_a_deactivation_is_refused_and_not_swallowed() {
    let world = world("disable-none", &[(r#"disable = "ppolicy""#, "")]).await;
    let id = world.join("ada").await;
    let off = patch(&json!([{"op": "replace", "value": {"active": false, "title": "Left"}}]));
    let answer = world.scim.patch(&format!("/Users/{id}"), &off).await;
    assert!(answer.expect_error(400, "invalidValue").contains("disable"));
    assert!(!world.user("ada").await.contains_key("title"), "nothing of the request was carried out");
}

#[tokio::test]
async fn delete_may_disable_and_a_second_delete_does_not_enable() {
    let world = world("delete-disable", &[(r#"delete = "delete""#, r#"delete = "disable""#)]).await;
    let id = world.join("ada").await;
    for _ in 0..2 {
        world.scim.delete(&format!("/Users/{id}")).await.expect(204);
        assert_eq!(world.user("ada").await["pwdAccountLockedTime"], ["000001010000Z"]);
    }
    assert_eq!(world.scim.get(&format!("/Users/{id}")).await.expect(200)["active"], false);
}

#[tokio::test]
async fn delete_may_move_away_and_the_resource_is_gone_even_below_the_base() {
    let policy = r#"delete = { move_to = "ou=bin,ou=people,{base_dn}" }"#;
    let world = world("delete-move", &[(r#"delete = "delete""#, policy)]).await;
    let bin = format!("ou=bin,{}", world.people());
    world.raw.add(&bin, &[("objectClass", &["organizationalUnit"]), ("ou", &["bin"])]).await;
    let id = world.join("ada").await;
    world.scim.delete(&format!("/Users/{id}")).await.expect(204);
    assert_eq!(world.dns().await, ["uid=ada,ou=bin,ou=people"]);
    world.scim.get(&format!("/Users/{id}")).await.expect_error(404, "");
    world.scim.delete(&format!("/Users/{id}")).await.expect_error(404, "");
    assert_eq!(world.scim.get("/Users").await.total(), 0);
    assert_eq!(world.scim.search("/Users", "userName eq \"ada\"").await.total(), 0);
    // The next of that name can be deleted, too.
    let id = world.join("ada").await;
    world.scim.delete(&format!("/Users/{id}")).await.expect(204);
    assert_eq!(world.dns().await, ["uid=ada,ou=bin,ou=people".to_owned(), format!("uid=ada-{id},ou=bin,ou=people")]);
}

#[tokio::test]
async fn new_users_go_where_the_template_says_and_a_name_is_taken_in_all_of_it() {
    let base = r#"base = "ou={{ enterprise.department }},ou=people,{base_dn}""#;
    let world = world("base-template", &[(r#"base = "ou=people,{base_dn}""#, base)]).await;
    for ou in ["Engines", "R&D, Berlin"] {
        let dn = format!("ou={},{}", ou.replace(',', "\\,"), world.people());
        world.raw.add(&dn, &[("objectClass", &["organizationalUnit"]), ("ou", &[ou])]).await;
    }
    let person = |name: &str, department: &str| json!({"userName": name, crate::world::ENTERPRISE: {"department": department}, "schemas": [USER]});
    world.scim.post("/Users", &person("ada", "R&D, Berlin")).await.expect(201);
    assert_eq!(world.dns().await, ["uid=ada,ou=R&D\\2C Berlin,ou=people"]);
    world.scim.post("/Users", &person("ADA", "Engines")).await.expect_error(409, "uniqueness");
    let missing = world.scim.post("/Users", &person("bob", "Nowhere")).await;
    assert!(missing.status >= 400, "{}", missing.text);
    assert!(missing.body["detail"].as_str().unwrap().contains("Nowhere"), "{}", missing.text);
    let other = world.scim.post("/Users", &person("bob", "Engines")).await;
    let rename = patch(&json!([{"op": "replace", "path": "userName", "value": "Ada"}]));
    let path = format!("/Users/{}", other.id());
    world.scim.patch(&path, &rename).await.expect_error(409, "uniqueness");
}

#[tokio::test]
async fn a_taken_name_is_a_conflict_on_post_put_and_patch_and_nothing_of_the_request_is_done() {
    let world = world("conflicts", &[]).await;
    world.join("ada").await;
    let id = world.join("grace").await;
    let before = world.user("grace").await;
    let taken = okta_user("ADA", "New", "Name");
    let detail = world.scim.post("/Users", &taken).await.expect_error(409, "uniqueness").to_owned();
    assert!(detail.contains("ADA"), "{detail}");
    world.scim.put(&format!("/Users/{id}"), &taken).await.expect_error(409, "uniqueness");
    let change = patch(&json!([{"op": "replace", "value": {"userName": "ada", "title": "Admiral"}}]));
    world.scim.patch(&format!("/Users/{id}"), &change).await.expect_error(409, "uniqueness");
    assert_eq!(world.user("grace").await, before);
}

#[tokio::test]
async fn the_servers_own_uniqueness_overlay_is_understood_as_a_conflict() {
    let slapd = Slapd::with(crate::harness::Options { unique: true, ..Default::default() });
    let base = crate::harness::SUFFIX.to_owned();
    let world = World::before(&slapd, base, |config: Config| config).await;
    let inner = format!("ou=inner,{}", world.people());
    world.raw.add(&inner, &[("objectClass", &["organizationalUnit"]), ("ou", &["inner"])]).await;
    let person: [(&str, &[&str]); 4] =
        [("objectClass", &["inetOrgPerson"]), ("uid", &["ada"]), ("cn", &["x"]), ("sn", &["x"])];
    world.raw.add(&format!("uid=ada,{inner}"), &person).await;
    world.scim.post("/Users", &okta_user("ada", "Ada", "L")).await.expect_error(409, "uniqueness");
    let id = world.join("grace").await;
    let rename = patch(&json!([{"op": "replace", "path": "userName", "value": "ada"}]));
    world.scim.patch(&format!("/Users/{id}"), &rename).await.expect_error(409, "uniqueness");
}

#[tokio::test]
async fn a_refused_modify_takes_the_rename_back() {
    let world =
        world("rename-back", &[("  { scim = \"title\", ldap = \"title\" },", "  { scim = \"title\", ldap = \"c\" },")])
            .await;
    let id = world.join("ada").await;
    let before = world.user("ada").await;
    // inetOrgPerson does not allow `c`: the server refuses the modify after the rename went through.
    let change = patch(&json!([{"op": "replace", "value": {"userName": "countess", "title": "GB"}}]));
    let answer = world.scim.patch(&format!("/Users/{id}"), &change).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let after = world.user("ada").await;
    assert_eq!(crate::world::changes(&before, &after), Vec::<String>::new());
    assert_eq!(world.scim.get(&format!("/Users/{id}")).await.expect(200)["userName"], "ada");
}

#[tokio::test]
async fn managers_are_found_by_id_user_name_or_address_and_nobody_is_lost_on_the_way_back() {
    let world = world("managers", &[]).await;
    let boss = world.join("boss@example.com").await;
    let mut ada = okta_user("ada", "Ada", "Lovelace");
    for way in [boss.as_str(), "BOSS@example.com"] {
        ada[crate::world::ENTERPRISE] = json!({"manager": {"value": way}});
        let created = world.scim.post("/Users", &ada).await;
        let manager = &created.expect(201)[crate::world::ENTERPRISE]["manager"];
        assert_eq!(manager["value"], boss);
        assert!(manager["$ref"].as_str().unwrap().ends_with(&format!("/Users/{boss}")));
        let dn = format!("uid=boss@example.com,{}", world.people());
        assert_eq!(world.user("ada").await["manager"], [dn]);
        let list =
            world.scim.search("/Users", &format!("{}:manager.value eq \"{boss}\"", crate::world::ENTERPRISE)).await;
        assert_eq!(list.total(), 1);

        // What was read goes back unchanged, as Okta does it.
        let before = world.user("ada").await;
        world.scim.put(&format!("/Users/{}", created.id()), &created.body).await.expect(200);
        assert_eq!(world.user("ada").await, before);
        world.scim.delete(&format!("/Users/{}", created.id())).await.expect(204);
    }
    ada[crate::world::ENTERPRISE] = json!({"manager": {"value": "nobody.yet"}});
    let created = world.scim.post("/Users", &ada).await;
    created.expect(201);
    assert!(!world.user("ada").await.contains_key("manager"));
    world.daemon.wait_for_log("nothing in the directory is meant by this reference; left out");
}

#[tokio::test]
async fn the_bridge_may_mint_the_id_itself_and_keeps_it_through_a_rename() {
    let world = world("id-minted", &[(r#"id = "entryUUID""#, r#"id = "carLicense""#)]).await;
    let id = world.join("ada").await;
    assert_eq!(world.user("ada").await["carLicense"], [id.as_str()]);
    world.scim.put(&format!("/Users/{id}"), &okta_user("countess", "Ada", "L")).await.expect(200);
    assert_eq!(world.user("countess").await["carLicense"], [id.as_str()]);
    assert_eq!(world.scim.get(&format!("/Users/{id}")).await.expect(200)["userName"], "countess");
}
