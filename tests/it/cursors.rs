//! Long lists: pages by cursor (RFC 9865) and pages by number, each from one and the same list.

use crate::harness::{Answer, BASIC, Kind, field};
use crate::world::{World, okta_user, patch};
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_every_directory! {
    cursors_lead_through_the_whole_list_and_back,
    cursors_work_with_filter_and_order_in_queries_and_in_search_requests,
    cursors_and_counts_that_make_no_sense_are_refused_by_name,
    what_is_deleted_meanwhile_shortens_its_page_and_what_is_added_is_not_there_yet,
    pages_by_number_come_from_one_list_and_deep_ones_do_not_read_the_directory_again,
    a_write_through_the_bridge_shows_on_every_page_by_number_at_once_and_nobody_is_read_again,
    a_client_that_counts_up_to_the_total_comes_to_an_end,
}

/// A world with this many users, made beside the bridge.
async fn crowd(kind: Kind, name: &str, count: usize) -> World {
    let world = World::on_with(kind, name, |config| config.log("info,scim2ldap::directory=debug")).await;
    for number in 0..count {
        add(&world, number).await;
    }
    world
}

async fn add(world: &World, number: usize) {
    let name = format!("user{number:03}");
    world.add_user(&name, &[("sn", &[&name])]).await;
}

fn names(answer: &Answer) -> Vec<String> {
    answer.resources().iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
}

fn cursor<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.expect(200).get(name).map(|cursor| cursor.as_str().unwrap())
}

/// How many searches the directory was asked for so far.
pub fn searches(world: &World) -> usize {
    // Those of requests: what goes on in the background has no span.
    let is_search =
        |line: &&Value| field(line, "op").and_then(Value::as_str) == Some("search") && line["span"].is_object();
    world.daemon.log().iter().filter(is_search).count()
}

async fn cursors_lead_through_the_whole_list_and_back(kind: Kind) {
    let world = crowd(kind, "cursor-walk", 25).await;
    let mut page = world.scim.get("/Users?cursor&count=10").await;
    let mut seen = names(&page);
    assert_eq!((page.total(), page.body["itemsPerPage"].as_u64()), (25, Some(10)));
    assert_eq!(cursor(&page, "previousCursor"), None);
    while let Some(next) = cursor(&page, "nextCursor") {
        assert!(next.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)), "{next}");
        page = world.scim.get(&format!("/Users?cursor={next}&count=10")).await;
        assert_eq!(page.total(), 25);
        seen.extend(names(&page));
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (25, 25));
    let back = cursor(&page, "previousCursor").unwrap();
    let before = world.scim.get(&format!("/Users?cursor={back}&count=10")).await;
    assert_eq!(names(&before), seen[10..20]);

    // Nothing changes what a cursor stands for, neither another size of the page nor other attributes.
    let again = world.scim.get(&format!("/Users?cursor={back}&count=3&attributes=userName")).await;
    assert_eq!(names(&again), seen[10..13]);
    let single = world.scim.get("/Users?cursor=&count=25").await;
    assert_eq!((cursor(&single, "nextCursor"), single.resources().len()), (None, 25));
    let by_default = world.scim.get("/Users?cursor").await;
    assert_eq!(by_default.resources().len(), 25);
    for none in ["0", "-1"] {
        let total = world.scim.get(&format!("/Users?cursor&count={none}")).await;
        assert_eq!((total.total(), total.resources().len(), cursor(&total, "nextCursor")), (25, 0, None));
    }
    let index = world.scim.get("/Users?count=10").await;
    assert_eq!(cursor(&index, "nextCursor"), None, "only who asks for cursors gets some");
}

async fn cursors_work_with_filter_and_order_in_queries_and_in_search_requests(kind: Kind) {
    let world = crowd(kind, "cursor-filter", 12).await;
    let query = "filter=userName%20gt%20%22user003%22&sortBy=userName&sortOrder=descending&count=5";
    let first = world.scim.get(&format!("/Users?{query}&cursor=")).await;
    assert_eq!((first.total(), names(&first)[0].as_str()), (8, "user011"));
    let next = cursor(&first, "nextCursor").unwrap();
    let second = world.scim.get(&format!("/Users?{query}&cursor={next}")).await;
    assert_eq!(names(&second), ["user006", "user005", "user004"]);
    let body = json!({
        "filter": "userName gt \"user003\"", "sortBy": "userName", "sortOrder": "descending", "count": 2,
        "cursor": next,
    });
    assert_eq!(names(&world.scim.post("/Users/.search", &body).await), ["user006", "user005"]);
    for query in ["filter=userName%20gt%20%22user004%22", "count=2", "sortBy=userName"] {
        world.scim.get(&format!("/Users?{query}&cursor={next}")).await.expect_error(400, "invalidCursor");
    }
    world.scim.get(&format!("/Groups?cursor={next}")).await.expect_error(400, "invalidCursor");
}

async fn cursors_and_counts_that_make_no_sense_are_refused_by_name(kind: Kind) {
    let mut world = crowd(kind, "cursor-faults", 3).await;
    for bad in ["x", "%00", "AAAA", "startIndex", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        world.scim.get(&format!("/Users?cursor={bad}&count=1")).await.expect_error(400, "invalidCursor");
    }
    for bad in ["x", "1.5", ""] {
        world.scim.get(&format!("/Users?cursor&count={bad}")).await.expect_error(400, "invalidCount");
        let body = json!({"cursor": "", "count": bad});
        world.scim.post("/Users/.search", &body).await.expect_error(400, "invalidCount");
    }
    let first = world.scim.get("/Users?cursor&count=1").await;
    let next = cursor(&first, "nextCursor").unwrap().to_owned();
    world.daemon.stop();
    world.daemon.restart();
    let scim = world.daemon.scim(BASIC);
    let answer = scim.get(&format!("/Users?cursor={next}&count=1")).await;
    assert!(answer.expect_error(400, "expiredCursor").contains("Begin again"));
}

async fn what_is_deleted_meanwhile_shortens_its_page_and_what_is_added_is_not_there_yet(kind: Kind) {
    let world = crowd(kind, "cursor-deleted", 6).await;
    let first = world.scim.get("/Users?cursor&count=2&sortBy=userName").await;
    world.raw.delete(&world.dn("user003")).await;
    add(&world, 100).await;
    let next = cursor(&first, "nextCursor").unwrap();
    let second = world.scim.get(&format!("/Users?cursor={next}&count=2&sortBy=userName")).await;
    assert_eq!((names(&second), second.body["itemsPerPage"].as_u64()), (vec!["user002".to_owned()], Some(1)));
    let next = cursor(&second, "nextCursor").unwrap();
    let third = world.scim.get(&format!("/Users?cursor={next}&count=2&sortBy=userName")).await;
    assert_eq!(names(&third), ["user004", "user005"]);
    assert_eq!(cursor(&third, "nextCursor"), None);
}

#[tokio::test]
async fn cursors_are_advertised() {
    let world = World::new("cursor-config").await;
    let config = world.scim.get("/ServiceProviderConfig").await;
    let expected = json!({
        "cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 1000,
        "maxPageSize": 1000, "cursorTimeout": 600,
    });
    assert_eq!(config.expect(200)["pagination"], expected);
}

async fn pages_by_number_come_from_one_list_and_deep_ones_do_not_read_the_directory_again(kind: Kind) {
    let world = crowd(kind, "index-list", 30).await;
    let first = world.scim.get("/Users?startIndex=1&count=10").await;
    let mut seen = names(&first);
    let before = searches(&world);
    // Somebody comes, with whatever id, beside the bridge: the pages still fit together.
    add(&world, 100).await;
    for start in [11, 21] {
        let page = world.scim.get(&format!("/Users?startIndex={start}&count=10")).await;
        assert_eq!(page.total(), 30);
        seen.extend(names(&page));
    }
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 30);
    assert_eq!(searches(&world) - before, 2, "one search for each page");
    assert_eq!(world.scim.get("/Users?startIndex=1&count=10").await.total(), 31, "the first page is always new");
    assert_eq!(world.scim.get("/Users?startIndex=31&count=10").await.resources().len(), 1);
}

async fn a_write_through_the_bridge_shows_on_every_page_by_number_at_once_and_nobody_is_read_again(kind: Kind) {
    let world = crowd(kind, "index-write", 6).await;
    let total = async |start: usize| world.scim.get(&format!("/Users?startIndex={start}&count=2")).await.total();
    assert_eq!(total(1).await, 6);
    let created = world.scim.post("/Users", &okta_user("new", "N", "N")).await;
    let before = searches(&world);
    assert_eq!(total(3).await, 7);
    assert_eq!(searches(&world) - before, 1, "the page itself");
    let retitled = patch(&json!([{"op": "add", "path": "title", "value": "Engineer"}]));
    world.scim.patch(&format!("/Users/{}", created.id()), &retitled).await.expect(200);
    world.scim.delete(&format!("/Users/{}", created.id())).await.expect(204);
    let before = searches(&world);
    assert_eq!(total(5).await, 6);
    assert_eq!(searches(&world) - before, 1);
    add(&world, 100).await;
    assert_eq!(total(3).await, 6, "what is written beside the bridge shows when a client begins anew");
    assert_eq!(total(1).await, 7);
    add(&world, 101).await;
    world.scim.post("/Groups", &json!({"displayName": "other"})).await.expect(201);
    assert_eq!(total(3).await, 7, "a group is no user");
}

async fn a_client_that_counts_up_to_the_total_comes_to_an_end(kind: Kind) {
    let world = crowd(kind, "index-gone", 4).await;
    let first = world.scim.get("/Users?count=2&sortBy=userName").await;
    assert_eq!(first.total(), 4);
    for number in [2, 3] {
        world.raw.delete(&world.dn(&format!("user00{number}"))).await;
    }
    let second = world.scim.get("/Users?startIndex=3&count=2&sortBy=userName").await;
    assert_eq!((second.total(), second.resources().len()), (2, 0), "the total is counted anew");
}
