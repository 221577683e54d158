//! Group push as each identity provider does it, from the look-up of the name to the deletion, read back from the
//! directory after every step.

use crate::harness::{BEARER, Kind, Scim};
use crate::world::{World, okta_user, patch};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_every_directory! {
    oktas_custom_apps_push_whole_groups_by_put,
    oktas_catalogue_apps_rename_right_after_creating_and_push_deltas,
    entra_id_creates_without_members_and_removes_by_value_lists,
    one_login_and_jump_cloud_send_members_by_value_alone,
    ping_reads_all_groups_and_keycloak_replaces_members_and_names_together,
    authentik_adds_one_member_an_operation_and_compares_what_it_reads,
    oktas_on_prem_agent_joins_paths_with_two_slashes_and_reads_its_capabilities,
}

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A bridge, a client, and the ids of three users: a, b and c.
async fn world(kind: Kind, name: &str) -> (World, Scim, [String; 3]) {
    let world = World::on(kind, name).await;
    let client = world.daemon.scim(BEARER);
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(client.post("/Users", &okta_user(name, "Given", name)).await.id());
    }
    (world, client, ids.try_into().expect("three"))
}

/// The names of the members that the directory holds. Nobody stands alone, or not at all.
async fn held(world: &World, group: &str) -> BTreeSet<String> {
    let mut held = world.members(group).await;
    assert!(
        held == world.nobody() || (!held.is_empty() && held.is_disjoint(&set(&[""]))),
        "nobody beside somebody: {held:?}"
    );
    held.remove("");
    held
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn by_name(client: &Scim, name: &str) -> u64 {
    let path = format!("/Groups?filter=displayName%20eq%20%22{name}%22&startIndex=1&count=100");
    client.get(&path).await.total()
}

async fn oktas_custom_apps_push_whole_groups_by_put(kind: Kind) {
    let (world, client, [a, b, c]) = world(kind, "push-aiw").await;
    assert_eq!(by_name(&client, "Team").await, 0);
    let empty = json!({"schemas": [GROUP], "displayName": "Team", "members": []});
    let created = client.post("/Groups", &empty).await;
    assert_eq!(created.expect(201)["members"], json!([]));
    let path = format!("/Groups/{}", created.id());
    client.get(&path).await.expect(200);
    let put = |name: &str, members: &[&String]| {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id, "display": "x"})).collect();
        json!({"schemas": [GROUP], "id": created.id(), "displayName": name, "members": members})
    };
    client.put(&path, &put("Team", &[&a, &b])).await.expect(200);
    assert_eq!(held(&world, "Team").await, set(&["a", "b"]));
    client.put(&path, &put("Crew", &[&b, &c])).await.expect(200);
    assert_eq!(held(&world, "Crew").await, set(&["b", "c"]));
    client.put(&path, &put("Crew", &[])).await.expect(200);
    assert_eq!(held(&world, "Crew").await, set(&[]));
    client.delete(&path).await.expect(204);
    assert_eq!(by_name(&client, "Crew").await, 0);
}

async fn oktas_catalogue_apps_rename_right_after_creating_and_push_deltas(kind: Kind) {
    let (world, client, [a, b, c]) = world(kind, "push-oin").await;
    let created = client.post("/Groups", &json!({"schemas": [GROUP], "displayName": "Team"})).await;
    let (id, path) = (created.id(), format!("/Groups/{}", created.id()));
    let name = json!({"op": "replace", "value": {"id": id, "displayName": "Team"}});
    client.patch(&path, &patch(&json!([name]))).await.expect(204);
    let add = json!({"op": "add", "path": "members", "value": [{"value": a, "display": "a@x"}, {"value": b, "display": null}]});
    client.patch(&path, &patch(&json!([name, add]))).await.expect(204);
    assert_eq!(held(&world, "Team").await, set(&["a", "b"]));
    let delta = json!([
        {"op": "remove", "path": format!("members[value eq \"{a}\"]")},
        {"op": "add", "path": "members", "value": [{"value": c}]},
    ]);
    client.patch(&path, &patch(&delta)).await.expect(204);
    assert_eq!(held(&world, "Team").await, set(&["b", "c"]));
    let push_now = json!([{"op": "replace", "path": "members", "value": [{"value": a}]}]);
    client.patch(&path, &patch(&push_now)).await.expect(204);
    assert_eq!(held(&world, "Team").await, set(&["a"]));
    let import = client.get("/Groups?startIndex=1&count=100").await;
    assert_eq!(import.resources()[0]["members"][0]["value"], a);
    client.delete(&path).await.expect(204);
}

async fn entra_id_creates_without_members_and_removes_by_value_lists(kind: Kind) {
    let (world, client, [a, b, c]) = world(kind, "push-entra").await;
    let ad = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
    let body = json!({"schemas": [GROUP, ad], "externalId": "8aa1a0c0", "displayName": "Team", "meta": {"resourceType": "Group"}});
    let created = client.post("/Groups", &body).await;
    created.expect(201);
    let path = format!("/Groups/{}", created.id());
    let found = client.get("/Groups?excludedAttributes=members&filter=displayName+eq+%22team%22").await;
    assert!(found.resources()[0].get("members").is_none());
    assert_eq!(client.search("/Groups", "externalId eq \"8aa1a0c0\"").await.total(), 1);
    let without = client.get(&format!("{path}?excludedAttributes=members")).await;
    assert!(without.expect(200).get("members").is_none());
    let add =
        json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": a}, {"$ref": null, "value": b}]}]);
    client.patch(&path, &patch(&add)).await.expect(204);
    client.patch(&path, &patch(&json!([{"op": "Add", "path": "members", "value": [{"value": c}]}]))).await.expect(204);
    let remove = json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": b}]}]);
    client.patch(&path, &patch(&remove)).await.expect(204);
    assert_eq!(held(&world, "Team").await, set(&["a", "c"]));
    let flag = json!([{"op": "remove", "path": format!("members[value eq \"{c}\"]")}]);
    client.patch(&path, &patch(&flag)).await.expect(204);
    let rename = json!([{"op": "Replace", "path": "displayName", "value": "Crew"}, {"op": "Replace", "path": "externalId", "value": "9bb"}]);
    client.patch(&path, &patch(&rename)).await.expect(204);
    assert_eq!(held(&world, "Crew").await, set(&["a"]));
    // Who is disabled keeps the memberships: Entra does not send them again.
    let off = patch(&json!([{"op": "Replace", "path": "active", "value": "False"}]));
    client.patch(&format!("/Users/{a}"), &off).await.expect(200);
    assert_eq!(held(&world, "Crew").await, set(&["a"]));
    client.delete(&path).await.expect(204);
}

async fn one_login_and_jump_cloud_send_members_by_value_alone(kind: Kind) {
    let (world, client, [a, b, _]) = world(kind, "push-onelogin").await;
    let listed = client.send_raw(Method::GET, "/Groups?", &[], None).await;
    assert_eq!(listed.total(), 0);
    let created =
        client.post("/Groups/", &json!({"schemas": ["urn:scim:schemas:core:2.0"], "displayName": "Team"})).await;
    let path = format!("/Groups/{}", created.id());
    for id in [&a, &b] {
        let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
        client.patch(&path, &patch(&add)).await.expect(204);
    }
    let remove = json!([{"op": "remove", "path": "members", "value": [{"value": a}]}]);
    client.patch(&path, &patch(&remove)).await.expect(204);
    assert_eq!(held(&world, "Team").await, set(&["b"]));
}

async fn ping_reads_all_groups_and_keycloak_replaces_members_and_names_together(kind: Kind) {
    let (world, client, [a, b, _]) = world(kind, "push-keycloak").await;
    let created = client.post("/Groups", &json!({"displayName": "Team", "members": [{"value": a}]})).await;
    let path = format!("/Groups/{}", created.id());
    assert_eq!(client.get("/Groups").await.resources()[0]["displayName"], "Team");
    let whole = json!([
        {"op": "replace", "path": "members", "value": [{"value": b, "$ref": format!("Users/{b}")}]},
        {"op": "replace", "path": "displayName", "value": "Crew"},
        {"op": "replace", "path": "externalId", "value": "kc-1"},
    ]);
    client.patch(&path, &patch(&whole)).await.expect(204);
    assert_eq!(held(&world, "Crew").await, set(&["b"]));
    let empty = json!([{"op": "remove", "path": "members", "value": null}]);
    client.patch(&path, &patch(&empty)).await.expect(204);
    assert_eq!(held(&world, "Crew").await, set(&[]));
    client.delete(&path).await.expect(204);
}

async fn authentik_adds_one_member_an_operation_and_compares_what_it_reads(kind: Kind) {
    let (world, client, [a, b, c]) = world(kind, "push-authentik").await;
    let created = client.post("/Groups", &json!({"displayName": "Team", "externalId": "pk"})).await;
    let path = format!("/Groups/{}", created.id());
    assert_eq!(client.get(&path).await.expect(200)["members"], json!([]), "missing members would mean nobody is added");
    let one = |op: &str, id: &String| json!({"op": op, "path": "members", "value": [{"value": id}]});
    let adds = json!([one("add", &a), one("add", &b), one("add", &c)]);
    client.patch(&path, &patch(&adds)).await.expect(204);
    let removes = json!([one("remove", &a), one("remove", &b)]);
    client.patch(&path, &patch(&removes)).await.expect(204);
    assert_eq!(held(&world, "Team").await, set(&["c"]));
    let whole = json!([{"op": "replace", "value": {"id": created.id(), "externalId": "pk", "schemas": [GROUP], "displayName": "Crew"}}]);
    client.patch(&path, &patch(&whole)).await.expect(204);
    assert_eq!(held(&world, "Crew").await, set(&["c"]));
    let walk = client.get("/Groups?startIndex=2").await;
    assert_eq!(walk.total(), 1);
    client.delete(&path).await.expect(204);
}

async fn oktas_on_prem_agent_joins_paths_with_two_slashes_and_reads_its_capabilities(kind: Kind) {
    let (world, client, _) = world(kind, "push-opp").await;
    let capabilities = client.get("/ServiceProviderConfigs").await;
    let block = &capabilities.expect(200)["urn:okta:schemas:scim:providerconfig:1.0"]["userManagementCapabilities"];
    assert!(block.as_array().is_some_and(|list| list.contains(&json!("GROUP_PUSH"))), "{:#}", capabilities.body);
    let listed = client.send_raw(Method::GET, "//Users?filter=userName%20eq%20%22a%22", &[], None).await;
    assert_eq!(listed.total(), 1);
    let created = client.post("//Groups", &json!({"displayName": "Team", "members": []})).await;
    created.expect(201);
    assert_eq!(held(&world, "Team").await, set(&[]));
}
