//! What each identity provider sends for users, in its own dialect. Okta's is in `okta_spec` and `okta_lifecycle`.

use crate::harness::{BEARER, Kind, Scim};
use crate::world::{ENTERPRISE, USER, World, patch};
use reqwest::Method;
use serde_json::{Value, json};

on_every_directory! {
    entra_id_tests_creates_patches_disables_and_deletes,
    entra_ids_newer_flag_sends_dotted_and_urn_keys_without_a_path,
    entra_id_sets_and_removes_a_manager_in_every_form_it_has,
    one_login_sends_its_own_urns_single_objects_and_stray_characters,
    jump_cloud_creates_a_probe_user_patches_attribute_by_attribute_and_deletes_it,
    ping_replaces_without_the_password_and_searches_by_post,
    keycloaks_plug_in_posts_without_a_look_up_and_patches_with_text,
    authentik_reads_the_capabilities_first_and_sends_no_schemas,
}

async fn world(kind: Kind, name: &str) -> (World, Scim) {
    let world = World::on(kind, name).await;
    let client = world.daemon.scim(BEARER);
    (world, client)
}

fn entra_user(name: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE], "externalId": "0a21f0f2-8d2a-4f8e", "userName": name, "active": true,
        "meta": {"resourceType": "User"}, "roles": [], "displayName": "Ada Lovelace", "title": null,
        "name": {"formatted": "Ada Lovelace", "familyName": "Lovelace", "givenName": "Ada"},
        "emails": [{"primary": true, "type": "work", "value": name}],
    })
}

async fn entra_id_tests_creates_patches_disables_and_deletes(kind: Kind) {
    let (world, scim) = world(kind, "entra").await;
    let probe = scim.search("/Users", "userName eq \"7a3a5b9a-0f5b-4a8e-9c57-0b6c7a3f6d11\"").await;
    assert_eq!(probe.expect(200)["Resources"], json!([]));
    let created = scim.post("/Users", &entra_user("ada@example.com")).await;
    created.expect(201);
    let path = format!("/Users/{}", created.id());
    for filter in [
        "userName eq \"ADA@example.com\"",
        "externalId eq \"0a21f0f2-8d2a-4f8e\"",
        "emails[type eq \"work\"].value eq \"ada@example.com\"",
    ] {
        assert_eq!(scim.search("/Users", filter).await.total(), 1, "{filter}");
    }
    assert_eq!(scim.search("/Users", "externalId eq \"0A21F0F2-8D2A-4F8E\"").await.total(), 0, "externalId is exact");

    let verbose = patch(&json!([
        {"op": "Replace", "path": "name.givenName", "value": "Augusta"},
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "augusta@example.com"},
        {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+44 1"},
        {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "London"},
        {"op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Engines"},
    ]));
    scim.patch(&path, &verbose).await.expect(200);
    let entry = world.user("ada@example.com").await;
    for (attribute, value) in [
        ("givenName", "Augusta"),
        ("mail", "augusta@example.com"),
        ("mobile", "+44 1"),
        ("l", "London"),
        (kind.facts().department, "Engines"),
        ("cn", if kind.facts().cn_from_name { "Augusta Lovelace" } else { "ada@example.com" }),
    ] {
        assert_eq!(entry[attribute], [value], "{attribute}");
    }

    for (op, value, locked) in [("Replace", "False", true), ("Add", "True", false), ("replace", "false", true)] {
        scim.patch(&path, &patch(&json!([{"op": op, "path": "active", "value": value}]))).await.expect(200);
        assert_eq!(world.locked("ada@example.com").await, locked, "{value}");
    }
    assert_eq!(scim.search("/Users", "userName eq \"ada@example.com\"").await.resources()[0]["active"], false);
    scim.delete(&path).await.expect(204);
    scim.get(&path).await.expect_error(404, "");
}

async fn entra_ids_newer_flag_sends_dotted_and_urn_keys_without_a_path(kind: Kind) {
    let (world, scim) = world(kind, "entra-flag").await;
    let created = scim.post("/Users", &entra_user("ada@example.com")).await;
    let value = json!({"displayName": "Countess", "name.familyName": "King", "active": false,
        format!("{ENTERPRISE}:department"): "Poetry", ENTERPRISE: {"organization": "Royal Society"}});
    let answer =
        scim.patch(&format!("/Users/{}", created.id()), &patch(&json!([{"op": "replace", "value": value}]))).await;
    answer.expect(200);
    let entry = world.user("ada@example.com").await;
    for (attribute, value) in [
        ("displayName", "Countess"),
        ("sn", "King"),
        ("givenName", "Ada"),
        (kind.facts().department, "Poetry"),
        (kind.facts().organization, "Royal Society"),
        (kind.facts().lock, kind.facts().locked),
    ] {
        assert_eq!(entry[attribute], [value], "{attribute}");
    }
}

async fn entra_id_sets_and_removes_a_manager_in_every_form_it_has(kind: Kind) {
    let (world, scim) = world(kind, "entra-manager").await;
    let boss = scim.post("/Users", &entra_user("boss@example.com")).await.id();
    let mut user = entra_user("ada@example.com");
    user["externalId"] = json!("other");
    let path = format!("/Users/{}", scim.post("/Users", &user).await.id());
    let manager = format!("{ENTERPRISE}:manager");
    let sets = [
        json!({"op": "Add", "path": manager, "value": boss}),
        json!({"op": "Replace", "path": manager, "value": {"value": boss}}),
        json!({"op": "Add", "path": "manager", "value": [{"$ref": "http://x/Users/1", "value": boss}]}),
        json!({"op": "Add", "path": format!("{manager}.value"), "value": boss}),
    ];
    let removals = [
        json!({"op": "Remove", "path": manager}),
        json!({"op": "Replace", "path": manager, "value": ""}),
        json!({"op": "replace", "path": manager, "value": null}),
        json!({"op": "Replace", "path": format!("{manager}.value"), "value": ""}),
    ];
    for (set, removal) in sets.iter().zip(&removals) {
        let answer = scim.patch(&path, &patch(&json!([set]))).await;
        assert_eq!(answer.expect(200)[ENTERPRISE]["manager"]["value"], boss, "{set}");
        assert_eq!(world.user("ada@example.com").await["manager"], [world.dn("boss@example.com")]);
        let answer = scim.patch(&path, &patch(&json!([removal]))).await;
        assert!(answer.expect(200)[ENTERPRISE].get("manager").is_none(), "{removal}");
        assert!(!world.user("ada@example.com").await.contains_key("manager"));
    }
}

async fn one_login_sends_its_own_urns_single_objects_and_stray_characters(kind: Kind) {
    let (world, scim) = world(kind, "onelogin").await;
    let body = json!({
        "schemas": ["urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"],
        "userName": "user01", "name": {"givenName": " User 01", "familyName": "One"},
        "emails": {"value": "user01@example.com", "type": "work", "primary": true}, "active": true,
        "urn:scim:schemas:extension:enterprise:2.0": {"department": "Sales"},
    });
    let found = scim.send_raw(Method::GET, "/Users?filter=userName+eq+%22user01%22&", &[], None).await;
    assert_eq!(found.total(), 0);
    let created = scim.post("/Users", &body).await;
    created.expect(201);
    let mut change = body.clone();
    change["title"] = json!("Seller");
    scim.put(&format!("/Users/{}?", created.id()), &change).await.expect(200);
    let entry = world.user("user01").await;
    assert_eq!(entry["mail"], ["user01@example.com"]);
    assert_eq!(entry[kind.facts().department], ["Sales"]);
    assert_eq!(entry["title"], ["Seller"]);
    let json_only =
        scim.send_raw(Method::GET, &format!("/Users/{}", created.id()), &[("accept", "application/json")], None).await;
    assert_eq!(json_only.header("content-type"), "application/json");
}

async fn jump_cloud_creates_a_probe_user_patches_attribute_by_attribute_and_deletes_it(kind: Kind) {
    let (world, scim) = world(kind, "jumpcloud").await;
    let probe = json!({"schemas": [USER], "userName": "probe@example.com", "active": true,
        "name": {"givenName": "Test", "familyName": "User"}, "emails": [{"value": "probe@example.com", "primary": true}]});
    let created = scim.post("/Users", &probe).await;
    created.expect(201);
    let path = format!("/Users/{}", created.id());
    let changes = patch(&json!([
        {"op": "replace", "path": "name.givenName", "value": "Jo"},
        {"op": "replace", "path": "title", "value": "Probe"},
        {"op": "replace", "path": "active", "value": false},
    ]));
    scim.patch(&path, &changes).await.expect(200);
    let entry = world.user("probe@example.com").await;
    assert_eq!(entry["givenName"], ["Jo"]);
    assert_eq!(entry["mail"], ["probe@example.com"], "the primary address stands in for the work address");
    scim.delete(&path).await.expect(204);
    assert_eq!(scim.get("/Users").await.total(), 0);
}

async fn ping_replaces_without_the_password_and_searches_by_post(kind: Kind) {
    let (world, scim) = world(kind, "ping").await;
    let mut user = json!({"schemas": [USER], "userName": "pat", "name": {"familyName": "P"}, "active": false});
    let created = scim.post("/Users", &user).await;
    assert_eq!(created.expect(201)["active"], false, "created already disabled");
    world.set_password("pat", "Kept-By-The-Directory-1").await;
    let before = world.user("pat").await;
    user["displayName"] = json!("Pat");
    scim.put(&format!("/Users/{}", created.id()), &user).await.expect(200);
    // OpenLDAP unlocks an account that gets a new password; the PUT says again that it is not active.
    let lock = format!("{}:", kind.facts().lock);
    let changes = world.changes(&before, &world.user("pat").await);
    let others: Vec<&String> = changes.iter().filter(|change| !change.starts_with(&lock)).collect();
    assert_eq!(others, ["displayName: [] -> [Pat]"]);
    assert!(world.locked("pat").await);
    scim.patch(
        &format!("/Users/{}", created.id()),
        &patch(&json!([{"op": "replace", "path": "active", "value": true}])),
    )
    .await
    .expect(200);
    assert_eq!(world.try_login("pat", "Kept-By-The-Directory-1").await, Ok(()));
    let search = scim.post("/Users/.search", &json!({"filter": "userName eq \"pat\""})).await;
    assert_eq!(search.total(), 1);
}

async fn keycloaks_plug_in_posts_without_a_look_up_and_patches_with_text(kind: Kind) {
    let (world, scim) = world(kind, "keycloak").await;
    let user = json!({"schemas": [USER], "userName": "kim", "emails": [{"value": "kim@example.com", "primary": true}],
        "active": true, "externalId": "f:1", "name": {"givenName": "Kim", "familyName": "K"}});
    let created = scim.post("/Users", &user).await;
    created.expect(201);
    scim.post("/Users", &user).await.expect_error(409, "uniqueness");
    let path = format!("/Users/{}", created.id());
    let text = json!({"schemas": [USER], "displayName": "Kim K"}).to_string();
    scim.patch(&path, &patch(&json!([{"op": "replace", "value": text}]))).await.expect(200);
    assert_eq!(world.user("kim").await["displayName"], ["Kim K"]);
    let typed =
        scim.send_raw(Method::PUT, &path, &[], Some(("application/json;charset=UTF-8", &user.to_string()))).await;
    assert!(typed.expect(200).get("displayName").is_none(), "what a PUT leaves out is removed");
    scim.delete(&path).await.expect(204);
}

async fn authentik_reads_the_capabilities_first_and_sends_no_schemas(kind: Kind) {
    let (world, scim) = world(kind, "authentik").await;
    let capabilities = scim.get("/ServiceProviderConfig").await;
    let capabilities = capabilities.expect(200);
    assert_eq!(capabilities["patch"]["supported"], true);
    assert_eq!(capabilities["filter"]["supported"], true);
    assert_eq!(capabilities["bulk"]["maxOperations"], 0, "it would take this for the size of a PATCH");
    let user = json!({"userName": "akadmin", "displayName": "authentik Admin", "active": true, "externalId": "uid-1",
        "name": {"formatted": "authentik Admin", "givenName": "authentik", "familyName": "Admin"},
        "emails": [{"value": "admin@example.com", "type": "other", "primary": true}], "photos": null, "locale": null});
    let created = scim.post("/Users", &user).await;
    created.expect(201);
    scim.post("/Users", &user).await.expect_error(409, "uniqueness");
    assert_eq!(world.user("akadmin").await["mail"], ["admin@example.com"]);
    scim.put(&format!("/Users/{}", created.id()), &user).await.expect(200);
    scim.delete(&format!("/Users/{}", created.id())).await.expect(204);
}

#[tokio::test]
async fn klue_style_attributes_inside_the_enterprise_urn_are_tolerated_and_can_be_mapped() {
    let text = std::fs::read_to_string(crate::harness::shipped("mapping/openldap.toml")).unwrap();
    let row = format!(
        "attributes = [\n  {{ scim = \"{ENTERPRISE}:klueRole\", ldap = \"businessCategory\", default = \"consumer\", one_of = [\"admin\", \"curator\", \"consumer\"] }},\n"
    );
    let text = text.replacen("attributes = [\n", &row, 1);
    let world = World::with("klue", |config| config.mapping_text(&text)).await;
    let user = |role: &str| json!({"userName": "kay", ENTERPRISE: {"klueRole": role, "visibilityGroup": "x"}});
    let refused = world.scim.post("/Users", &user("root")).await;
    assert!(refused.expect_error(400, "invalidValue").contains("curator"));
    assert_eq!(world.scim.post("/Users", &user("curator")).await.expect(201)[ENTERPRISE]["klueRole"], "curator");
    assert_eq!(world.user("kay").await["businessCategory"], ["curator"]);
    let schemas = world.scim.get(&format!("/Schemas/{ENTERPRISE}")).await;
    let names: Vec<&Value> = schemas.expect(200)["attributes"].as_array().unwrap().iter().map(|a| &a["name"]).collect();
    assert!(names.contains(&&json!("klueRole")));
}
