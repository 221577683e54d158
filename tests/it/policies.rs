//! How a mapping table has users disabled and deleted, and what names guard against: read back over raw LDAP.

use crate::harness::{Config, Kind, Options, Server};
use crate::world::{USER, World, okta_user, patch};
use serde_json::json;

on_every_directory! {
    the_shipped_way_to_disable_locks_the_account_however_often_it_is_said,
    a_user_can_be_created_inactive,
    an_attribute_pair_says_who_is_active,
    a_leaver_moves_to_another_container_and_comes_back_with_the_same_id,
    without_a_way_to_disable_a_deactivation_is_refused_and_not_swallowed,
    delete_may_disable_and_a_second_delete_does_not_enable,
    delete_may_move_away_and_the_resource_is_gone_even_below_the_base,
    new_users_go_where_the_template_says_and_a_name_is_taken_in_all_of_it,
    a_taken_name_is_a_conflict_on_post_put_and_patch_and_nothing_of_the_request_is_done,
    the_servers_own_rule_of_uniqueness_is_understood_as_a_conflict,
    a_refused_modify_takes_the_rename_back,
    managers_are_found_by_id_user_name_or_address_and_nobody_is_lost_on_the_way_back,
    the_bridge_may_mint_the_id_itself_and_keeps_it_through_a_rename,
}

/// The shipped table with some of its keys in `[user]` replaced.
fn table(kind: Kind, replace: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(crate::harness::shipped(kind.facts().mapping)).unwrap();
    for (line, with) in replace {
        let at = text.find(line).unwrap_or_else(|| panic!("no {line} in the shipped table"));
        text.replace_range(at..at + line.len(), with);
    }
    if !text.contains("disable = \"ad-account-control\"") {
        // What is said about the passwords of new accounts belongs to accounts that are disabled in this way.
        let about_passwords = |line: &&str| line.starts_with("initial_password") || line.starts_with("must_change");
        text = text.lines().filter(|line| !about_passwords(line)).collect::<Vec<_>>().join("\n");
    }
    text
}

/// The line of the shipped table that says how users are disabled.
fn shipped_disable(kind: Kind) -> String {
    format!("disable = \"{}\"", kind.facts().disable)
}

async fn world(kind: Kind, name: &str, replace: &[(&str, &str)]) -> World {
    let text = table(kind, replace);
    World::on_with(kind, name, |config| config.mapping_text(&text)).await
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

    /// The DN of a user without the base.
    fn short(&self, name: &str, place: &str) -> String {
        format!("{}={name},{place}", self.facts().rdn)
    }

    /// Makes a container of the kind that people are in, and returns its DN.
    async fn container(&self, name: &str, parent: &str) -> String {
        let facts = self.facts();
        let dn = format!("{}={name},{parent}", facts.people.split('=').next().unwrap());
        self.raw.add(&dn, &[("objectClass", &[facts.container])]).await;
        dn
    }

    /// Makes an organizational unit right below the base, or below another one, and returns its DN without the base.
    async fn unit(&self, name: &str, parent: &str) -> String {
        let dn = format!("{}={}{}", self.facts().part, name.replace(',', "\\,"), parent);
        self.raw.add(&format!("{dn},{}", self.base), &[("objectClass", &["organizationalUnit"])]).await;
        dn
    }

    /// The DNs of all users, without the base.
    async fn dns(&self) -> Vec<String> {
        let found = self.raw.find(&self.base, &format!("(objectClass={})", self.facts().person_class)).await;
        // A comma in a value has two spellings.
        let short = |dn: &String| dn.replace(&format!(",{}", self.base), "").replace("\\2C", "\\,");
        found.iter().map(|(dn, _)| short(dn)).collect()
    }
}

async fn the_shipped_way_to_disable_locks_the_account_however_often_it_is_said(kind: Kind) {
    let world = world(kind, "disable-shipped", &[]).await;
    let id = world.join("ada").await;
    for _ in 0..3 {
        world.set_active(&id, false).await;
        assert!(world.locked("ada").await);
    }
    for _ in 0..3 {
        world.set_active(&id, true).await;
        assert!(!world.locked("ada").await);
    }
}

async fn a_user_can_be_created_inactive(kind: Kind) {
    let world = world(kind, "disable-create", &[]).await;
    let mut user = okta_user("ada", "Ada", "Lovelace");
    user["active"] = json!(false);
    assert_eq!(world.scim.post("/Users", &user).await.expect(201)["active"], false);
    assert!(world.locked("ada").await);
}

#[tokio::test]
async fn a_lock_after_wrong_passwords_is_not_taken_for_a_deactivation() {
    let world = world(Kind::OpenLdap, "disable-lockout", &[]).await;
    let id = world.join("ada").await;
    let dn = format!("uid=ada,{}", world.people());
    world.raw.replace(&dn, "pwdAccountLockedTime", &["20260101000000Z"]).await;
    assert_eq!(world.scim.get(&format!("/Users/{id}")).await.expect(200)["active"], true);
    world.set_active(&id, true).await;
    assert_eq!(world.user("ada").await["pwdAccountLockedTime"], ["20260101000000Z"]);
}

async fn an_attribute_pair_says_who_is_active(kind: Kind) {
    let spare = kind.facts().spare;
    let pair = format!(r#"disable = {{ attribute = "{spare}", enabled = "here", disabled = "gone" }}"#);
    let world = world(kind, "disable-pair", &[(&shipped_disable(kind), &pair)]).await;
    let id = world.join("ada").await;
    assert_eq!(world.user("ada").await[spare], ["here"]);
    world.set_active(&id, false).await;
    assert_eq!(world.user("ada").await[spare], ["gone"]);
    world.set_active(&id, true).await;
    assert_eq!(world.user("ada").await[spare], ["here"]);
}

async fn a_leaver_moves_to_another_container_and_comes_back_with_the_same_id(kind: Kind) {
    let move_to = r#"disable = { move_to = "ou=former,{base_dn}" }"#;
    let world = world(kind, "disable-move", &[(&shipped_disable(kind), move_to)]).await;
    let former = world.unit("former", "").await;
    let id = world.join("ada").await;
    world.set_active(&id, false).await;
    assert_eq!(world.dns().await, [world.short("ada", &former)]);
    world.scim.post("/Users", &okta_user("ADA", "Other", "Ada")).await.expect_error(409, "uniqueness");

    let mut back = okta_user("ada.lovelace", "Ada", "Lovelace");
    back["active"] = json!(true);
    let answer = world.scim.put(&format!("/Users/{id}"), &back).await;
    assert_eq!(answer.expect(200)["active"], true);
    assert_eq!(answer.id(), id);
    assert_eq!(world.dns().await, [world.short("ada.lovelace", kind.facts().people)], "renamed and moved in one");
}

async fn without_a_way_to_disable_a_deactivation_is_refused_and_not_swallowed(kind: Kind) {
    let world = world(kind, "disable-none", &[(&shipped_disable(kind), "")]).await;
    let id = world.join("ada").await;
    let off = patch(&json!([{"op": "replace", "value": {"active": false, "title": "Left"}}]));
    let answer = world.scim.patch(&format!("/Users/{id}"), &off).await;
    assert!(answer.expect_error(400, "invalidValue").contains("disable"));
    assert!(!world.user("ada").await.contains_key("title"), "nothing of the request was carried out");
}

async fn delete_may_disable_and_a_second_delete_does_not_enable(kind: Kind) {
    let world = world(kind, "delete-disable", &[(r#"delete = "delete""#, r#"delete = "disable""#)]).await;
    let id = world.join("ada").await;
    for _ in 0..2 {
        world.scim.delete(&format!("/Users/{id}")).await.expect(204);
        assert!(world.locked("ada").await);
    }
    assert_eq!(world.scim.get(&format!("/Users/{id}")).await.expect(200)["active"], false);
}

async fn delete_may_move_away_and_the_resource_is_gone_even_below_the_base(kind: Kind) {
    let people = kind.facts().people;
    let bin = format!("{}=bin,{people}", people.split('=').next().unwrap());
    let policy = format!(r#"delete = {{ move_to = "{bin},{{base_dn}}" }}"#);
    let world = world(kind, "delete-move", &[(r#"delete = "delete""#, &policy)]).await;
    world.container("bin", &world.people()).await;
    let id = world.join("ada").await;
    world.scim.delete(&format!("/Users/{id}")).await.expect(204);
    assert_eq!(world.dns().await, [world.short("ada", &bin)]);
    world.scim.get(&format!("/Users/{id}")).await.expect_error(404, "");
    world.scim.delete(&format!("/Users/{id}")).await.expect_error(404, "");
    assert_eq!(world.scim.get("/Users").await.total(), 0);
    assert_eq!(world.scim.search("/Users", "userName eq \"ada\"").await.total(), 0);
    if kind.facts().one_of_a_name {
        world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.expect_error(409, "uniqueness");
        return;
    }
    // The next of that name can be deleted, too.
    let id = world.join("ada").await;
    world.scim.delete(&format!("/Users/{id}")).await.expect(204);
    assert_eq!(world.dns().await, [world.short("ada", &bin), world.short(&format!("ada-{id}"), &bin)]);
}

async fn new_users_go_where_the_template_says_and_a_name_is_taken_in_all_of_it(kind: Kind) {
    let shipped = format!("base = \"{},{{base_dn}}\"", kind.facts().people);
    let base = r#"base = "ou={{ enterprise.department }},ou=staff,{base_dn}""#;
    let world = world(kind, "base-template", &[(&shipped, base)]).await;
    let staff = world.unit("staff", "").await;
    world.unit("Engines", &format!(",{staff}")).await;
    let berlin = world.unit("R&D, Berlin", &format!(",{staff}")).await;
    let person = |name: &str, department: &str| json!({"userName": name, crate::world::ENTERPRISE: {"department": department}, "schemas": [USER]});
    world.scim.post("/Users", &person("ada", "R&D, Berlin")).await.expect(201);
    assert_eq!(world.dns().await, [world.short("ada", &berlin)]);
    world.scim.post("/Users", &person("ADA", "Engines")).await.expect_error(409, "uniqueness");
    let missing = world.scim.post("/Users", &person("bob", "Nowhere")).await;
    assert!(missing.status >= 400, "{}", missing.text);
    assert!(missing.body["detail"].as_str().unwrap().contains("Nowhere"), "{}", missing.text);
    let other = world.scim.post("/Users", &person("bob", "Engines")).await;
    let rename = patch(&json!([{"op": "replace", "path": "userName", "value": "Ada"}]));
    let path = format!("/Users/{}", other.id());
    world.scim.patch(&path, &rename).await.expect_error(409, "uniqueness");
}

async fn a_taken_name_is_a_conflict_on_post_put_and_patch_and_nothing_of_the_request_is_done(kind: Kind) {
    let world = world(kind, "conflicts", &[]).await;
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

async fn the_servers_own_rule_of_uniqueness_is_understood_as_a_conflict(kind: Kind) {
    let server = Server::with(kind, Options { unique: true, ..Options::default() });
    let base = server.suffix("unique").await;
    let world = World::before(&server, base, |config: Config| config).await;
    let inner = world.container("inner", &world.people()).await;
    world.add_user_at(&format!("{}=ada,{inner}", kind.facts().rdn), "ada", &[]).await;
    world.scim.post("/Users", &okta_user("ada", "Ada", "L")).await.expect_error(409, "uniqueness");
    let id = world.join("grace").await;
    if kind.facts().unique_renames {
        let rename = patch(&json!([{"op": "replace", "path": "userName", "value": "ada"}]));
        world.scim.patch(&format!("/Users/{id}"), &rename).await.expect_error(409, "uniqueness");
    }
}

async fn a_refused_modify_takes_the_rename_back(kind: Kind) {
    let foreign = format!(r#"{{ scim = "title", ldap = "{}" }},"#, kind.facts().foreign);
    let world = world(kind, "rename-back", &[(r#"{ scim = "title", ldap = "title" },"#, &foreign)]).await;
    let id = world.join("ada").await;
    let before = world.user("ada").await;
    // The schema does not allow it in a user: the server refuses the modify after the rename went through.
    let change = patch(&json!([{"op": "replace", "value": {"userName": "countess", "title": "GB"}}]));
    let answer = world.scim.patch(&format!("/Users/{id}"), &change).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let after = world.user("ada").await;
    assert_eq!(crate::world::changes(&before, &after), Vec::<String>::new());
    assert_eq!(world.scim.get(&format!("/Users/{id}")).await.expect(200)["userName"], "ada");
}

async fn managers_are_found_by_id_user_name_or_address_and_nobody_is_lost_on_the_way_back(kind: Kind) {
    let world = world(kind, "managers", &[]).await;
    let boss = world.join("boss@example.com").await;
    let mut ada = okta_user("ada", "Ada", "Lovelace");
    for way in [boss.as_str(), "BOSS@example.com"] {
        ada[crate::world::ENTERPRISE] = json!({"manager": {"value": way}});
        let created = world.scim.post("/Users", &ada).await;
        let manager = &created.expect(201)[crate::world::ENTERPRISE]["manager"];
        assert_eq!(manager["value"], boss);
        assert!(manager["$ref"].as_str().unwrap().ends_with(&format!("/Users/{boss}")));
        assert_eq!(world.user("ada").await["manager"], [world.dn("boss@example.com")]);
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

async fn the_bridge_may_mint_the_id_itself_and_keeps_it_through_a_rename(kind: Kind) {
    let shipped = format!("id = \"{}\"", kind.facts().id);
    let world = world(kind, "id-minted", &[(&shipped, r#"id = "carLicense""#)]).await;
    let id = world.join("ada").await;
    assert_eq!(world.user("ada").await["carLicense"], [id.as_str()]);
    world.scim.put(&format!("/Users/{id}"), &okta_user("countess", "Ada", "L")).await.expect(200);
    assert_eq!(world.user("countess").await["carLicense"], [id.as_str()]);
    assert_eq!(world.scim.get(&format!("/Users/{id}")).await.expect(200)["userName"], "countess");
}
