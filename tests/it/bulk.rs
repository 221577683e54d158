//! Many operations in one request (RFC 7644 section 3.7).

use crate::harness::{Answer, Config, Kind};
use crate::world::{ENTERPRISE, USER, World, okta_user, patch, without_passwords};
use reqwest::Method;
use serde_json::{Value, json};

on_every_directory! {
    operations_of_all_kinds_are_carried_out_and_answered_in_their_order,
    groups_may_contain_each_other_and_managers_may_come_later,
    a_faulty_operation_gets_its_own_error_and_the_others_go_on,
    after_as_many_errors_as_are_allowed_nothing_more_is_done,
    a_thousand_operations_are_one_request,
}

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

async fn world(kind: Kind, name: &str) -> World {
    World::on_with(kind, name, |config| config.tenant("bulk = true")).await
}

async fn send(world: &World, operations: &Value) -> Vec<Value> {
    operations_of(&world.scim.post("/Bulk", &json!({"schemas": [BULK], "Operations": operations})).await)
}

/// The operations of an answer: each has a status as text, and errors have a SCIM error with the same one.
fn operations_of(answer: &Answer) -> Vec<Value> {
    let body = answer.expect(200);
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    let operations = body["Operations"].as_array().unwrap().clone();
    for operation in &operations {
        let status: u16 = operation["status"].as_str().unwrap().parse().unwrap();
        if status >= 400 {
            assert_eq!(operation["response"]["status"], operation["status"], "{operation:#}");
            assert!(!operation["response"]["detail"].as_str().unwrap().is_empty());
        } else {
            assert!(operation["location"].as_str().unwrap().starts_with("http"), "{operation:#}");
        }
    }
    operations
}

fn statuses(operations: &[Value]) -> Vec<&str> {
    operations.iter().map(|operation| operation["status"].as_str().unwrap()).collect()
}

fn post_user(bulk_id: &str, name: &str) -> Value {
    let data = json!({"schemas": [USER], "userName": name, "displayName": name});
    json!({"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": data})
}

fn post_group(bulk_id: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|member| json!({"value": member})).collect();
    let data = json!({"schemas": [GROUP], "displayName": bulk_id, "members": members});
    json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data})
}

fn members(group: &Answer) -> Vec<String> {
    let mut members: Vec<String> = group.expect(200)["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["display"].as_str().unwrap().to_owned())
        .collect();
    members.sort();
    members
}

#[tokio::test]
async fn bulk_is_off_unless_the_tenant_switches_it_on() {
    let world = World::new("bulk-off").await;
    let config = world.scim.get("/ServiceProviderConfig").await;
    assert_eq!(config.expect(200)["bulk"], json!({"supported": false, "maxOperations": 0, "maxPayloadSize": 0}));
    let body = json!({"Operations": [post_user("a", "ada")]});
    let detail = world.scim.post("/Bulk", &body).await.expect_error(501, "").to_owned();
    assert!(detail.contains("bulk = true"), "{detail}");
    world.scim.get("/Bulk").await.expect_error(501, "");
    assert!(world.raw.find(&world.people(), "(uid=ada)").await.is_empty());
}

#[tokio::test]
async fn switched_on_it_is_advertised_with_its_limits() {
    let world = World::with("bulk-on", |config| {
        config.tenant("bulk = true").server("listen = \"127.0.0.1:0\"\nmax_body = \"64 KiB\"")
    })
    .await;
    let config = world.scim.get("/ServiceProviderConfig").await;
    let expected = json!({"supported": true, "maxOperations": 1000, "maxPayloadSize": 65_536});
    assert_eq!(config.expect(200)["bulk"], expected);
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = world.scim.send(method, "/Bulk", Some(&json!({}))).await;
        answer.expect_error(405, "");
        assert_eq!(answer.header("allow"), "POST");
    }

    let many = |count: usize| json!({"Operations": vec![json!({"method": "DELETE", "path": "/Users/1"}); count]});
    world.scim.post("/Bulk", &many(1001)).await.expect_error(413, "");
    assert_eq!(operations_of(&world.scim.post("/bulk/", &many(1000)).await).len(), 1000);
    let mut user = okta_user("ada", "Ada", "Lovelace");
    user["displayName"] = json!("x".repeat(65_536));
    let large = json!({"Operations": [{"method": "POST", "path": "/Users", "bulkId": "a", "data": user}]});
    world.scim.post("/Bulk", &large).await.expect_error(413, "");
    for body in [json!([]), json!({}), json!({"Operations": []}), json!({"Operations": "x"})] {
        world.scim.post("/Bulk", &body).await.expect_error(400, "invalidSyntax");
    }
    let body = json!({"Operations": [post_user("a", "ada")], "failOnErrors": "some"});
    world.scim.post("/Bulk", &body).await.expect_error(400, "invalidValue");
    assert!(world.raw.find(&world.people(), "(uid=ada)").await.is_empty());
}

async fn operations_of_all_kinds_are_carried_out_and_answered_in_their_order(kind: Kind) {
    let world = world(kind, "bulk-kinds").await;
    let bob = world.scim.post("/Users", &okta_user("bob", "Bob", "B")).await.id();
    let eve = world.scim.post("/Users", &okta_user("eve", "Eve", "E")).await;
    let title = json!([{"op": "replace", "path": "title", "value": "Countess"}]);
    let answers = send(
        &world,
        &json!([
            post_group("staff", &["bulkId:ada", &bob]),
            post_user("ada", "ada"),
            {"method": "patch", "path": "/Users/bulkId:ada", "data": patch(&title)},
            {"method": "PUT", "path": format!("/Users/{bob}"), "bulkId": "x", "data": okta_user("bobby", "Bob", "B")},
            {"method": "DELETE", "path": format!("{}/Users/{}", world.scim.base(), eve.id()),
                "version": eve.header("etag")},
        ]),
    )
    .await;
    assert_eq!(statuses(&answers), ["201", "201", "200", "200", "204"]);
    let methods: Vec<&Value> = answers.iter().map(|answer| &answer["method"]).collect();
    assert_eq!(methods, ["POST", "POST", "PATCH", "PUT", "DELETE"]);
    let bulk_ids: Vec<Option<&str>> = answers.iter().map(|answer| answer.get("bulkId")?.as_str()).collect();
    assert_eq!(bulk_ids, [Some("staff"), Some("ada"), None, Some("x"), None]);
    assert!(answers.iter().all(|answer| answer.get("response").is_none()));
    assert_eq!(answers[3]["location"], format!("{}/Users/{bob}", world.scim.base()));
    assert_eq!(answers[4]["location"], eve.body["meta"]["location"]);
    assert_eq!(answers[1]["location"], answers[2]["location"]);

    let ada = world.scim.get(answers[1]["location"].as_str().unwrap()).await;
    assert_eq!(ada.expect(200)["title"], "Countess");
    assert_eq!(answers[2]["version"], ada.header("etag"));
    let staff = world.scim.get(answers[0]["location"].as_str().unwrap()).await;
    assert_eq!(members(&staff), ["Bob B", "ada"]);
    world.scim.get(&format!("/Users/{}", eve.id())).await.expect(404);
    assert_eq!(world.user("ada").await["title"], ["Countess"]);
}

async fn groups_may_contain_each_other_and_managers_may_come_later(kind: Kind) {
    let world = world(kind, "bulk-circles").await;
    let mut report = post_user("report", "report");
    report["data"][ENTERPRISE] = json!({"manager": {"value": "bulkId:boss"}, "department": "R&D"});
    let mut boss = post_user("boss", "boss");
    boss["data"][ENTERPRISE] = json!({"manager": {"value": "bulkId:boss"}});
    let operations = json!([
        report,
        post_group("one", &["bulkId:two", "bulkId:report"]),
        post_group("two", &["bulkId:three"]),
        post_group("three", &["bulkId:one", "bulkId:report"]),
        boss,
    ]);
    let answers = send(&world, &operations).await;
    assert_eq!(statuses(&answers), ["201"; 5]);
    let get = async |at: usize| world.scim.get(answers[at]["location"].as_str().unwrap()).await;
    assert_eq!(members(&get(1).await), ["report", "two"]);
    assert_eq!(members(&get(2).await), ["three"]);
    assert_eq!(members(&get(3).await), ["one", "report"]);
    let boss = get(4).await;
    assert_eq!(get(0).await.body[ENTERPRISE]["manager"]["value"], boss.id());
    assert_eq!(get(0).await.body[ENTERPRISE]["department"], "R&D");
    assert_eq!(boss.body[ENTERPRISE]["manager"]["value"], boss.id(), "whoever has no boss is their own");
    assert_eq!(answers[4]["version"], boss.header("etag"), "the version after the reference was added");
    assert_eq!(world.user("report").await["manager"], [world.dn("boss")]);
}

async fn a_faulty_operation_gets_its_own_error_and_the_others_go_on(kind: Kind) {
    let world = world(kind, "bulk-faults").await;
    let ada = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    let path = format!("/Users/{}", ada.id());
    let cases = [
        (post_user("dup", "ADA"), "409", "uniqueness"),
        (post_group("of-dup", &["bulkId:dup"]), "409", ""),
        (json!({"method": "DELETE", "path": "/Users/bulkId:nobody"}), "409", ""),
        (json!({"method": "POST", "path": "/Users", "data": {"userName": "x"}}), "400", "invalidValue"),
        (json!({"method": "POST", "path": "/Users", "bulkId": "y"}), "400", "invalidSyntax"),
        (json!({"method": "POST", "path": "/Users", "bulkId": "z", "data": {}}), "400", "invalidValue"),
        (json!({"method": "GET", "path": path}), "405", ""),
        (json!({"method": "POST", "path": path, "bulkId": "p", "data": {}}), "405", ""),
        (json!({"method": "POST", "path": "/Roles", "bulkId": "r", "data": {}}), "404", ""),
        (json!({"method": "POST", "path": "/Bulk", "bulkId": "b", "data": {}}), "404", ""),
        (
            json!({"method": "PUT", "path": "/Users/00000000-0000-4000-8000-000000000000",
            "data": okta_user("x", "X", "Y")}),
            "404",
            "",
        ),
        (json!({"method": "PATCH", "path": path, "data": patch(&json!([{"op": "remove"}]))}), "400", "noTarget"),
        (json!({"method": "DELETE", "path": path, "version": "W/\"0\""}), "412", ""),
        (json!("text"), "400", "invalidSyntax"),
    ];
    let operations: Vec<Value> = cases.iter().map(|(operation, ..)| operation.clone()).collect();
    let mut operations = json!(operations);
    operations.as_array_mut().unwrap().push(post_user("ok", "bob"));
    let answers = send(&world, &operations).await;
    assert_eq!(answers.len(), cases.len() + 1);
    for ((operation, status, kind), answer) in cases.iter().zip(&answers) {
        assert_eq!(answer["status"], *status, "{operation}: {answer:#}");
        let said = answer["response"].get("scimType").and_then(Value::as_str).unwrap_or_default();
        assert_eq!(said, *kind, "{operation}: {answer:#}");
        assert_eq!(
            answer.get("location").is_some(),
            operation["path"].as_str().is_some_and(|it| { it.starts_with("/Users/") }),
            "{operation}: {answer:#}"
        );
    }
    assert_eq!(answers.last().unwrap()["status"], "201");
    assert_eq!(world.scim.get("/Users").await.total(), 2);
    assert_eq!(world.scim.get("/Groups").await.total(), 0);
}

async fn after_as_many_errors_as_are_allowed_nothing_more_is_done(kind: Kind) {
    let world = world(kind, "bulk-stop").await;
    let wrong = json!({"method": "DELETE", "path": "/Users/nobody"});
    let operations = json!([post_user("a", "ada"), wrong, post_user("b", "bob"), wrong, post_user("c", "cyd")]);
    let body = json!({"failOnErrors": 2, "Operations": operations});
    let answers = operations_of(&world.scim.post("/Bulk", &body).await);
    assert_eq!(statuses(&answers), ["201", "404", "201", "404"]);
    assert!(!world.has_user("cyd").await);

    // A circle that is not closed when everything stops is told about; what was made stays.
    let half = json!([post_group("one", &["bulkId:two"]), post_group("two", &["bulkId:one", "nobody"])]);
    let body = json!({"failOnErrors": 1, "Operations": half});
    let answers = operations_of(&world.scim.post("/Bulk", &body).await);
    assert_eq!(statuses(&answers), ["409", "400"]);
    assert!(answers[0]["response"]["detail"].as_str().unwrap().contains("was made"));
    world.scim.get(answers[0]["location"].as_str().unwrap()).await.expect(200);
}

async fn a_thousand_operations_are_one_request(kind: Kind) {
    // Samba takes 20 ms to derive the keys of a password: a thousand take longer than a request may.
    let change = |config: Config| without_passwords(kind, config.tenant("bulk = true"));
    let world = World::on_with(kind, "bulk-thousand", change).await;
    let mut operations: Vec<Value> = (0..999).map(|at| post_user(&format!("u{at}"), &format!("user{at}"))).collect();
    let names: Vec<String> = (0..999).map(|at| format!("bulkId:u{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    operations.insert(0, post_group("all", &names));
    let answers = send(&world, &json!(operations)).await;
    assert_eq!(statuses(&answers), vec!["201"; 1000]);
    let group = world.scim.get(answers[0]["location"].as_str().unwrap()).await;
    assert_eq!(group.expect(200)["members"].as_array().unwrap().len(), 999);
}
