//! Paths, queries, methods and media types as clients really send them.

use crate::harness::{Answer, Kind};
use crate::world::{World, okta_user};
use reqwest::Method;
use serde_json::json;

on_every_directory! {
    slashes_too_many_and_names_in_any_case_lead_to_the_same_place,
    bodies_are_read_as_json_whatever_their_type_is_called_and_refused_if_it_is_another,
}

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

async fn slashes_too_many_and_names_in_any_case_lead_to_the_same_place(kind: Kind) {
    let world = World::on(kind, "wire-paths").await;
    let id = world.scim.post("/users/", &okta_user("ada", "Ada", "Lovelace")).await.id();
    let lower = CORE.to_lowercase();
    for path in [
        format!("/Users/{id}/"),
        format!("//Users//{id}"),
        format!("/USERS/{id}"),
        format!("/users/{id}?"),
        format!("/Users/{id}?&"),
        format!("/Users/{id}?&?attributes=userName&&"),
        format!("/%55sers/{id}"),
    ] {
        assert_eq!(world.scim.get(&path).await.expect(200)["userName"], "ada", "{path}");
    }
    for path in ["/Users", "/Users/", "//users", "/Users?", "/Users/?count=5&", "/USERS?COUNT=5&STARTINDEX=1"] {
        assert_eq!(world.scim.get(path).await.total(), 1, "{path}");
    }
    for path in ["/users/.Search", "/Users/.search/", "/.search", "//.SEARCH/"] {
        assert_eq!(world.scim.post(path, &json!({})).await.total(), 1, "{path}");
    }
    for path in
        ["/serviceproviderconfig/", "/ServiceProviderConfigs", "/RESOURCETYPES//user", &format!("/schemas/{lower}")]
    {
        world.scim.get(path).await.expect(200);
    }
    let base = world.daemon.base().to_owned();
    assert_eq!(world.scim.get(&format!("{base}//scim///v2//Users")).await.total(), 1);
}

#[tokio::test]
async fn what_is_no_endpoint_is_a_scim_404() {
    let world = World::new("wire-unknown").await;
    let base = world.daemon.base().to_owned();
    for path in ["", "/", "/Roles", "/Users/1/2", "/Usersx", "/Users/.search/x", "/Me/x", "/Bulk/x", "/.search/x"] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = world.scim.send(method.clone(), path, None).await;
            answer.expect_error(404, "");
        }
    }
    for path in ["/", "/scim", "/scim/v2x/Users", "/SCIM/V2/Users", "/Users"] {
        world.scim.get(&format!("{base}{path}")).await.expect_error(404, "");
    }
}

#[tokio::test]
async fn head_answers_what_get_answers_without_the_body() {
    let world = World::new("wire-head").await;
    let created = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await;
    let path = format!("/Users/{}", created.id());
    for path in [path.as_str(), "/Users", "/Groups?count=0", "/ServiceProviderConfig", "/Schemas", "/Users/nobody"] {
        let get = world.scim.get(path).await;
        let head = world.scim.send(Method::HEAD, path, None).await;
        assert_eq!(head.status, get.status, "{path}");
        for name in ["content-type", "etag", "content-location", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
    }
}

#[tokio::test]
async fn methods_that_an_endpoint_does_not_have_are_405_and_name_those_it_has() {
    let world = World::new("wire-methods").await;
    let id = world.scim.post("/Users", &okta_user("ada", "Ada", "Lovelace")).await.id();
    let resource = format!("/Users/{id}");
    let before = world.user("ada").await;
    let options = Method::OPTIONS;
    let trace = Method::TRACE;
    let cases: [(&str, &[&Method], &str); 6] = [
        ("/Users", &[&Method::PUT, &Method::PATCH, &Method::DELETE, &options, &trace], "GET, HEAD, POST"),
        (&resource, &[&Method::POST, &options, &trace], "GET, HEAD, PUT, PATCH, DELETE"),
        ("/Users/.search", &[&Method::GET, &Method::PUT, &Method::DELETE, &options], "POST"),
        ("/.search", &[&Method::GET, &Method::PATCH, &Method::DELETE, &options], "POST"),
        ("/Schemas", &[&Method::POST, &Method::PUT, &Method::PATCH, &Method::DELETE, &options], "GET, HEAD"),
        ("/ServiceProviderConfig", &[&Method::POST, &Method::DELETE, &options], "GET, HEAD"),
    ];
    for (path, methods, allowed) in cases {
        for method in methods {
            let answer = world.scim.send((*method).clone(), path, None).await;
            answer.expect_error(405, "");
            assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        }
    }
    let unknown = Method::from_bytes(b"BREW").unwrap();
    world.scim.send(unknown, &resource, None).await.expect_error(405, "");
    assert_eq!(world.user("ada").await, before);
}

#[tokio::test]
async fn the_media_type_of_the_answer_is_the_one_that_the_client_takes() {
    let world = World::new("wire-accept").await;
    let (scim, json) = ("application/scim+json", "application/json");
    for (accept, expected) in [
        ("application/scim+json", scim),
        ("application/json", json),
        ("Application/JSON; q=0.5", json),
        ("application/json, application/scim+json", scim),
        ("application/json, */*", scim),
        ("application/json, */*;q=0.1", json),
        ("application/json;q=0.9, application/scim+json;q=0.5", json),
        ("application/json;q=0.5, */*", scim),
        ("application/json, application/scim+json;q=0", json),
        ("*/*", scim),
        ("text/html", scim),
        ("", scim),
    ] {
        for path in ["/Users", "/Users/nobody", "/Schemas"] {
            let answer: Answer = world.scim.send_raw(Method::GET, path, &[("accept", accept)], None).await;
            assert_eq!(answer.header("content-type"), expected, "{accept} for {path}");
        }
    }
}

async fn bodies_are_read_as_json_whatever_their_type_is_called_and_refused_if_it_is_another(kind: Kind) {
    let world = World::on(kind, "wire-types").await;
    let read = [
        "application/scim+json",
        "application/json",
        "APPLICATION/JSON; charset=UTF-8",
        "application/scim+json;charset=\"utf-8\"",
        "text/json",
    ];
    for (number, kind) in read.into_iter().enumerate() {
        let user = json!({"userName": format!("user{number}")}).to_string();
        world.scim.send_raw(Method::POST, "/Users", &[], Some((kind, &user))).await.expect(201);
    }
    let user = json!({"userName": "other"}).to_string();
    for kind in
        ["text/plain", "application/xml", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
    {
        world.scim.send_raw(Method::POST, "/Users", &[], Some((kind, &user))).await.expect_error(415, "");
    }
    let packed = world.scim.send_raw(Method::POST, "/Users", &[("content-encoding", "gzip")], Some((read[0], &user)));
    packed.await.expect_error(415, "");
    assert_eq!(world.scim.get("/Users").await.total(), read.len() as u64);
}
