//! Hostile and broken input: a SCIM error, nothing changed, no panic; and names with every character that some syntax
//! on the way gives a meaning to.

use crate::harness::Kind;
use crate::world::{ENTERPRISE, USER, World, okta_user, patch, without_passwords};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

on_every_directory! {
    names_with_every_special_character_live_a_whole_life,
    ldap_metacharacters_in_every_field_arrive_as_they_were_sent,
    a_name_of_any_length_is_taken_or_refused_with_400,
    unknown_attributes_are_ignored_wherever_they_stand,
    patches_that_can_not_be_are_refused_whole,
    ids_that_are_no_ids_are_answered_with_404,
}

const NAMES: [&str; 9] = [
    r#"O'Brien, "J" #1 <ö> +=;\ "#,
    r#" O'Brien, "J" #1 <ö> +=;\"#,
    "# leading",
    "a=b+c=d,dc=example",
    "*)(uid=*))(|(uid=*",
    "日本語 𝒜 🙂",
    "\\00\\2a",
    "tab\tinside",
    "ends with backslash\\",
];

async fn names_with_every_special_character_live_a_whole_life(kind: Kind) {
    // Samba derives keys from userName and password, and can't from a userName like these.
    let world = World::on_with(kind, "escaping", |config| without_passwords(kind, config)).await;
    let fit = |name: &&str| kind.facts().controls_in_names || !name.contains(char::is_control);
    for name in NAMES.into_iter().filter(fit) {
        let mut user = okta_user(name, name, name);
        user["emails"] = json!([{"type": "work", "value": "x@example.com"}]);
        let created = world.scim.post("/Users", &user).await;
        created.expect(201);
        let id = created.id();
        assert_eq!(created.body["userName"], name);
        assert_eq!(created.body["name"]["familyName"], name);
        let quoted = serde_json::to_string(name).unwrap();
        let found = world.scim.search("/Users", &format!("userName eq {quoted}")).await;
        assert_eq!(found.total(), 1, "{name:?}");
        assert_eq!(found.resources()[0]["id"], id);
        world.scim.post("/Users", &user).await.expect_error(409, "uniqueness");

        let renamed = format!("x{name}x");
        let change = patch(&json!([{"op": "replace", "value": {"userName": renamed, "title": name}}]));
        let answer = world.scim.patch(&format!("/Users/{id}"), &change).await;
        assert_eq!(answer.expect(200)["userName"], renamed);
        assert_eq!(answer.body["title"], name);
        assert_eq!(answer.id(), id, "a rename keeps the id");
        let filter = format!("(objectClass={})", kind.facts().person_class);
        let entries = world.raw.find(&world.people(), &filter).await;
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].1[kind.facts().user_name], [renamed]);
        world.scim.delete(&format!("/Users/{id}")).await.expect(204);
        world.scim.delete(&format!("/Users/{id}")).await.expect_error(404, "");
    }
}

async fn a_name_of_any_length_is_taken_or_refused_with_400(kind: Kind) {
    let world = World::on_with(kind, "long-names", |config| without_passwords(kind, config)).await;
    let ada = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.id();
    // 389 Directory Server writes every part of a name into an index, in one transaction: beside the writes of other tests it
    // was seen to give up with operationsError when there were a hundred thousand.
    let longest = if kind == Kind::Ds389 { 10_000 } else { 100_000 };
    for length in [64, 200, 246, 300, 1_000, 10_000, 100_000].into_iter().filter(|length| *length <= longest) {
        // Active Directory's cn takes only the beginning of it.
        let long = format!("{length}{}", "x".repeat(length));
        let (user, group) = (okta_user(&long, "Ada", "Long"), json!({"displayName": long}));
        for (endpoint, body) in [("/Users", user), ("/Groups", group)] {
            let created = world.scim.post(endpoint, &body).await;
            if created.status != 201 {
                created.expect_error(400, "invalidValue");
                continue;
            }
            assert!(created.body.to_string().contains(&long), "{length}: stored whole");
            world.scim.delete(&format!("{endpoint}/{}", created.id())).await.expect(204);
        }
        let rename = patch(&json!([{"op": "replace", "value": {"userName": long, "title": "X"}}]));
        let renamed = world.scim.patch(&format!("/Users/{ada}"), &rename).await;
        if renamed.status != 200 {
            renamed.expect_error(400, "invalidValue");
            let user = world.scim.get(&format!("/Users/{ada}")).await;
            assert_ne!(user.expect(200)["userName"], long);
        }
    }
}

async fn ldap_metacharacters_in_every_field_arrive_as_they_were_sent(kind: Kind) {
    let world = World::on(kind, "metacharacters").await;
    let evil = r#"*)(&|!=,+"\<>;#'"#;
    let user = json!({
        "schemas": [USER], "userName": "ada", "externalId": evil, "title": evil, "displayName": evil, "nickName": evil,
        "name": {"givenName": evil, "familyName": evil, "formatted": evil},
        "addresses": [{"type": "work", "streetAddress": evil, "locality": evil, "region": evil, "postalCode": evil}],
        ENTERPRISE: {"department": evil, "organization": evil},
    });
    let created = world.scim.post("/Users", &user).await;
    let body = created.expect(201);
    for pointer in ["/externalId", "/title", "/displayName", "/name/givenName", "/name/familyName"] {
        assert_eq!(body.pointer(pointer), Some(&json!(evil)), "{pointer}");
    }
    assert_eq!(world.user("ada").await["title"], [evil]);
    let found = world.scim.search("/Users", &format!("title eq {}", serde_json::to_string(evil).unwrap())).await;
    assert_eq!(found.total(), 1);
}

#[tokio::test]
async fn broken_bodies_are_refused_and_change_nothing() {
    let world = World::new("broken").await;
    let created = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    let path = format!("/Users/{}", created.id());
    let before = world.user("ada").await;
    let deep = format!("{}1{}", r#"{"a":"#.repeat(1000), "}".repeat(1000));
    let arrays = format!(r#"{{"userName":{}1{}}}"#, "[".repeat(1000), "]".repeat(1000));
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "\"text\"",
        "{\"userName\": }",
        "{\"userName\": \"x\"",
        "\u{0}",
        deep.as_str(),
        arrays.as_str(),
        "{\"userName\": \"\\ud800\"}",
    ];
    for body in bodies {
        for (method, path) in [(Method::POST, "/Users"), (Method::PUT, path.as_str()), (Method::PATCH, path.as_str())] {
            let answer = world.scim.send_raw(method.clone(), path, &[], Some(("application/scim+json", body))).await;
            answer.expect_error(400, "invalidSyntax");
        }
    }
    let big = format!(r#"{{"userName": "{}"}}"#, "x".repeat(10_000_000));
    for (method, path) in [(Method::POST, "/Users"), (Method::PUT, path.as_str()), (Method::PATCH, path.as_str())] {
        let answer = world.scim.send_raw(method, path, &[], Some(("application/scim+json", &big))).await;
        answer.expect_error(413, "");
    }
    assert_eq!(world.user("ada").await, before);
    assert_eq!(world.scim.get("/Users").await.total(), 1);
}

#[tokio::test]
async fn wrong_types_are_refused_by_name_and_change_nothing() {
    let world = World::new("types").await;
    let id = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.id();
    let before = world.user("ada").await;
    for (field, value) in [
        ("userName", json!({})),
        ("userName", json!([1, 2])),
        ("userName", json!(true)),
        ("name", json!("Ada")),
        ("active", json!("perhaps")),
        ("active", json!({"value": true})),
        ("title", json!("nul\u{0}inside")),
        ("title", json!("bell\u{7}")),
        ("title", json!(["a", "b"])),
        ("emails", json!([[1]])),
        ("emails", json!([true])),
    ] {
        let mut user = okta_user("bob", "Bob", "Lovelace");
        user[field] = value.clone();
        let answer = world.scim.post("/Users", &user).await;
        assert_eq!(answer.status, 400, "{field} {value}: {}", answer.text);
        let detail = answer.expect_error(400, "invalidValue");
        assert!(detail.contains(field), "{field} {value}: {detail}");
        world.scim.put(&format!("/Users/{id}"), &user).await.expect_error(400, "invalidValue");
        let replace = patch(&json!([
            {"op": "replace", "path": "displayName", "value": "changed"},
            {"op": "replace", "path": field, "value": value},
        ]));
        world.scim.patch(&format!("/Users/{id}"), &replace).await.expect_error(400, "invalidValue");
    }
    world.scim.post("/Users", &json!({"schemas": [USER]})).await.expect_error(400, "invalidValue");
    world.scim.post("/Users", &json!({"userName": "  "})).await.expect_error(400, "invalidValue");
    assert_eq!(world.user("ada").await, before);
    assert_eq!(world.scim.get("/Users").await.total(), 1);
}

async fn unknown_attributes_are_ignored_wherever_they_stand(kind: Kind) {
    let world = World::on(kind, "unknown").await;
    let mut user = okta_user("ada", "Ada", "Lovelace");
    user["shoeSize"] = json!({"eu": 38});
    user["name"]["maiden"] = json!("Byron");
    user[ENTERPRISE] = json!({"klueRole": "admin", "department": "Engines"});
    user["urn:okta:custom:group:1.0"] = json!({"description": [1, {}]});
    user["schemas"] = json!(["urn:scim:schemas:core:1.0", "http://schemas.microsoft.com/2006/11/x", 7]);
    let created = world.scim.post("/Users", &user).await;
    assert_eq!(created.expect(201)[ENTERPRISE]["department"], "Engines");
    let text = created.text.clone();
    for unknown in ["shoeSize", "maiden", "klueRole", "custom:group"] {
        assert!(!text.contains(unknown), "{unknown} was never stored and is not answered");
    }
}

async fn patches_that_can_not_be_are_refused_whole(kind: Kind) {
    let world = World::on(kind, "patches-bad").await;
    let id = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.id();
    let before = world.user("ada").await;
    let good = json!({"op": "replace", "path": "title", "value": "changed"});
    for (operation, scim_type) in [
        (json!({"op": "frobnicate", "path": "title", "value": "x"}), "invalidSyntax"),
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "replace", "path": "id", "value": "x"}), "mutability"),
        (json!({"op": "replace", "path": "meta.created", "value": "x"}), "mutability"),
        (json!({"op": "remove", "path": "userName"}), "invalidValue"),
        (json!({"op": "replace", "path": "emails[", "value": "x"}), "invalidFilter"),
        (json!({"op": "replace", "path": "emails[type eq]", "value": "x"}), "invalidFilter"),
        (json!({"op": "replace", "path": "emails[type co \"nothing\"].value", "value": "x"}), "noTarget"),
    ] {
        let answer = world.scim.patch(&format!("/Users/{id}"), &patch(&json!([good, operation]))).await;
        assert_eq!(answer.status, 400, "{operation}: {}", answer.text);
        assert!(
            answer.body["scimType"] == scim_type
                || scim_type == "invalidFilter" && answer.body["scimType"] == "invalidPath",
            "{operation}: {}",
            answer.text
        );
    }
    for body in [json!({"Operations": []}), json!({}), json!({"Operations": "x"}), json!({"Operations": [7]})] {
        let answer = world.scim.patch(&format!("/Users/{id}"), &body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
    }
    assert_eq!(world.user("ada").await, before, "the good operation beside the bad one was not carried out either");
    let nobody = "/Users/00000000-0000-4000-8000-000000000000";
    world.scim.patch(nobody, &patch(&json!([{"op": "remove"}]))).await.expect_error(400, "noTarget");
    world.scim.patch(nobody, &patch(&json!([good]))).await.expect_error(404, "");
    world.scim.put(nobody, &json!({"title": "x"})).await.expect_error(400, "invalidValue");
    world.scim.put(nobody, &okta_user("x", "X", "Y")).await.expect_error(404, "");
}

async fn ids_that_are_no_ids_are_answered_with_404(kind: Kind) {
    let world = World::on(kind, "ids").await;
    let id = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.id();
    let upper = id.to_uppercase();
    for id in ["*", "(uid=*)", "010101001010101011001010101011", "%00", "%C3%A4", "..", "a%2Fb", upper.as_str()] {
        for method in [Method::GET, Method::DELETE] {
            let answer = world.scim.send(method, &format!("/Users/{id}"), None).await;
            assert_eq!(answer.status, 404, "{id}: {}", answer.text);
        }
    }
    let group = world.scim.send(Method::GET, &format!("/Groups/{id}"), None).await;
    assert_eq!(group.status, 404, "a user's id is no group's");
    let body: Value = world.scim.get(&format!("/Users/{id}")).await.expect(200).clone();
    assert_eq!(body["userName"], "ada");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_answered_and_the_bridge_goes_on() {
    let world = World::new("long-heads").await;
    let ask = |target: &str, headers: &str| {
        let mut stream = TcpStream::connect(world.daemon.base().split("//").nth(1).unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // What was sent and not read makes the system break the connection off behind the answer.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    };
    let (within, beyond) = (format!("/scim/v2/Users?x={}", "a".repeat(60_000)), "/a".repeat(33_000));
    let answer = ask(&within, "");
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("api:messages:2.0:Error"), "{answer}");
    let answer = ask(&beyond, "");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let answer = ask("/", &"x: y\r\n".repeat(97));
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    world.scim.get("/Users").await.expect(200);
}
