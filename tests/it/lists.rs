//! Filters, order and pages, on a directory that limits the size of plain searches to 500.

use crate::harness::Kind;
use crate::world::{ENTERPRISE, USER, World, okta_user};
use serde_json::{Value, json};

on_every_directory! {
    every_operator_and_every_form_of_filter_finds_exactly_its_users,
    blanks_at_the_ends_of_values_count_in_filters,
    a_filter_that_makes_no_sense_or_asks_for_what_is_not_mapped_is_refused_with_the_reason,
    pages_are_complete_disjoint_and_ordered_beyond_the_size_limit_of_the_server,
    the_edges_of_paging_are_as_the_rfc_has_them,
    a_search_request_asks_what_a_query_asks,
    attributes_and_excluded_attributes_cut_every_answer,
}

/// Five people who differ in everything that the filters below ask for.
fn people() -> Vec<Value> {
    let person = |name: &str, given: &str, family: &str, title: &str, department: &str, active: bool| {
        let mut user = json!({
            "schemas": [USER, ENTERPRISE], "userName": name, "active": active,
            "name": {"givenName": given, "familyName": family},
            "emails": [{"type": "work", "value": format!("{name}@example.com"), "primary": true}],
        });
        if !title.is_empty() {
            user["title"] = json!(title);
        }
        if !department.is_empty() {
            user[ENTERPRISE] = json!({"department": department});
        }
        user
    };
    vec![
        person("ada", "Ada", "Lovelace", "Countess", "Engines", true),
        person("Grace", "Grace", "Hopper", "Rear Admiral", "Navy", true),
        person("alan", "Alan", "Turing", "", "Engines", false),
        person("edsger", "Edsger", "Dijkstra", "Professor (emeritus)", "", true),
        person("o'brien*", "Pat", "O'Brien", "Tester\\*", "R&D", true),
    ]
}

async fn five(kind: Kind, name: &str) -> World {
    let world = World::on(kind, name).await;
    for user in people() {
        world.scim.post("/Users", &user).await.expect(201);
    }
    world
}

async fn matching(world: &World, filter: &str) -> Vec<String> {
    let answer = world.scim.search("/Users", filter).await;
    let list = answer.expect(200);
    let mut names: Vec<String> =
        answer.resources().iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect();
    names.sort_by_key(|name| name.to_lowercase());
    assert_eq!(list["totalResults"], json!(names.len()), "{filter}");
    assert_eq!(list["itemsPerPage"], json!(names.len()), "{filter}");
    names
}

async fn every_operator_and_every_form_of_filter_finds_exactly_its_users(kind: Kind) {
    let world = five(kind, "filters").await;
    let cases: &[(&str, &[&str])] = &[
        (r#"userName eq "ada""#, &["ada"]),
        (r#"userName eq "ADA""#, &["ada"]),
        (r#"USERNAME EQ "grace""#, &["Grace"]),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ada""#, &["ada"]),
        (r#"userName ne "ada""#, &["alan", "edsger", "Grace", "o'brien*"]),
        (r#"userName co "a""#, &["ada", "alan", "Grace"]),
        (r#"userName sw "A""#, &["ada", "alan"]),
        (r#"userName ew "*""#, &["o'brien*"]),
        (r#"userName eq "*""#, &[]),
        (r#"userName eq "a*""#, &[]),
        (r#"userName gt "edsger""#, &["Grace", "o'brien*"]),
        (r#"userName ge "edsger""#, &["edsger", "Grace", "o'brien*"]),
        (r#"userName lt "alan""#, &["ada"]),
        (r#"userName le "alan""#, &["ada", "alan"]),
        ("title pr", &["ada", "edsger", "Grace", "o'brien*"]),
        ("not (title pr)", &["alan"]),
        ("title eq null", &["alan"]),
        (r#"not (title eq "Countess")"#, &["alan", "edsger", "Grace", "o'brien*"]),
        (r#"title co "(""#, &["edsger"]),
        (r#"title eq "Tester\\*""#, &["o'brien*"]),
        ("active eq true", &["ada", "edsger", "Grace", "o'brien*"]),
        (r#"active eq "False""#, &["alan"]),
        ("not (active eq true)", &["alan"]),
        (r#"userName eq "alan" and active eq false"#, &["alan"]),
        (r#"userName eq "ada" and active eq false"#, &[]),
        (r#"title pr and (userName sw "a" or name.familyName eq "hopper")"#, &["ada", "Grace"]),
        (r#"userName eq "ada" or userName eq "alan" and active eq true"#, &["ada"]),
        (r#"emails eq "ada@example.com""#, &["ada"]),
        (r#"emails.value eq "ADA@example.com""#, &["ada"]),
        (r#"emails[type eq "work"] "#, &["ada", "alan", "edsger", "Grace", "o'brien*"]),
        (r#"emails[type eq "home"]"#, &[]),
        (r#"emails[type eq "work" and value co "grace"]"#, &["Grace"]),
        (r#"emails[type eq "work"].value eq "grace@example.com""#, &["Grace"]),
        (r#"emails.type eq "work" and userName sw "g""#, &["Grace"]),
        (r#"name.familyName co "'""#, &["o'brien*"]),
        (r#"name.familyName gt "Hopper" and name.familyName lt "P""#, &["ada", "o'brien*"]),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "engines""#, &["ada", "alan"]),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "R&D""#, &["o'brien*"]),
        (r#"meta.resourceType eq "User" and userName eq "ada""#, &["ada"]),
        (r#"meta.lastModified gt "2000-01-01T00:00:00.123+02:00" and userName sw "a""#, &["ada", "alan"]),
        (r#"meta.lastModified lt "2000-01-01T00:00:00Z""#, &[]),
        (r#"id eq "nobody""#, &[]),
    ];
    for (filter, expected) in cases {
        assert_eq!(matching(&world, filter).await, *expected, "{filter}");
    }
}

async fn blanks_at_the_ends_of_values_count_in_filters(kind: Kind) {
    let world = five(kind, "filters-blanks").await;
    for (name, title) in
        [("before", " Lady x"), ("behind", "x Lady "), ("around", "\u{a0}Lady\u{a0}"), ("none", "x Lady x")]
    {
        let mut user = okta_user(name, "Given", name);
        user["title"] = json!(title);
        world.scim.post("/Users", &user).await.expect(201);
    }
    let cases: &[(&str, &[&str])] = &[
        (r#"title co " Lad""#, &["before", "behind", "none"]),
        (r#"title co "ady ""#, &["before", "behind", "none"]),
        (r#"title sw " Lad""#, &["before"]),
        (r#"title ew "ady ""#, &["behind"]),
        (r#"title sw "x Lady ""#, &["behind", "none"]),
        (r#"title ew " Lady x""#, &["before", "none"]),
        ("title co \"\u{a0}lady\"", &["around"]),
        (r#"title co " " and userName co "be""#, &["before", "behind"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(matching(&world, filter).await, *expected, "{filter}");
    }
}

async fn a_filter_that_makes_no_sense_or_asks_for_what_is_not_mapped_is_refused_with_the_reason(kind: Kind) {
    let world = World::on(kind, "filters-bad").await;
    let cases = [
        "",
        "userName",
        "userName eq",
        "userName eq ada",
        r#"userName is "ada""#,
        r#"(userName eq "a""#,
        r#"userName eq "a" and"#,
        "active gt true",
        r#"emails[type eq "work""#,
        r#"userName eq "a" "b""#,
        "not userName pr",
    ];
    for filter in cases {
        let answer = world.scim.search("/Users", filter).await;
        answer.expect_error(400, "invalidFilter");
    }
    let answer = world.scim.search("/Users", r#"nickName eq "x""#).await;
    let detail = answer.expect_error(400, "invalidFilter");
    assert!(detail.contains("nickName") && detail.contains("userName"), "{detail}");
    let deep = format!("{}userName pr{}", "(".repeat(1000), ")".repeat(1000));
    let long = format!(r#"userName eq "{}""#, "x".repeat(100_000));
    for filter in [deep, long] {
        let body = json!({"schemas": [], "filter": filter});
        world.scim.post("/Users/.search", &body).await.expect_error(400, "invalidFilter");
    }
}

async fn pages_are_complete_disjoint_and_ordered_beyond_the_size_limit_of_the_server(kind: Kind) {
    let world = World::on(kind, "pages").await;
    for number in 0..620 {
        let sn = format!("Name {:04}", 9999 - number);
        world.add_user(&format!("user{number:04}"), &[("sn", &[&sn])]).await;
    }
    let mut seen = std::collections::BTreeSet::new();
    for start in (1..=620).step_by(100) {
        let page = world.scim.get(&format!("/Users?startIndex={start}&count=100")).await;
        let list = page.expect(200);
        assert_eq!(list["totalResults"], 620);
        assert_eq!(list["startIndex"], start);
        for user in page.resources() {
            assert!(seen.insert(user["id"].as_str().unwrap().to_owned()), "twice on different pages");
        }
    }
    assert_eq!(seen.len(), 620);

    let sorted = world.scim.get("/Users?sortBy=name.familyName&startIndex=1&count=3&attributes=userName").await;
    let names: Vec<&Value> = sorted.resources().iter().map(|user| &user["userName"]).collect();
    assert_eq!(names, ["user0619", "user0618", "user0617"]);
    assert!(sorted.resources()[0].get("name").is_none(), "only what was asked for");
    let sorted = world.scim.get("/Users?sortBy=userName&sortOrder=descending&startIndex=619&count=10").await;
    let names: Vec<&Value> = sorted.resources().iter().map(|user| &user["userName"]).collect();
    assert_eq!(names, ["user0001", "user0000"]);

    // What LDAP can't express is decided before the page is cut, so that the total is true.
    let filtered = world.scim.get("/Users?filter=userName%20gt%20%22user0599%22&startIndex=11&count=5").await;
    assert_eq!(filtered.expect(200)["totalResults"], 20);
    assert_eq!(filtered.resources().len(), 5);
    assert_eq!(world.scim.search("/Users", r#"name.familyName sw "Name""#).await.total(), 620);
}

async fn the_edges_of_paging_are_as_the_rfc_has_them(kind: Kind) {
    let world = five(kind, "page-edges").await;
    for (query, total, shown, start) in [
        ("", 5, 5, 1),
        ("?count=0", 5, 0, 1),
        ("?count=-3", 5, 0, 1),
        ("?startIndex=0", 5, 5, 1),
        ("?startIndex=-7&count=2", 5, 2, 1),
        ("?startIndex=5&count=10", 5, 1, 5),
        ("?startIndex=6", 5, 0, 6),
        ("?startIndex=1000000", 5, 0, 1_000_000),
        ("?startIndex=-99999999999999999999&count=2", 5, 2, 1),
        ("?startIndex=2&count=99999999999999999999", 5, 4, 2),
        ("?startIndex=99999999999999999999&count=99999999999999999999", 5, 0, i64::MAX),
        ("?count=-99999999999999999999", 5, 0, 1),
        ("?startIndex=1&count=2&", 5, 2, 1),
        ("?count=2&startIndex=4&unknown=x", 5, 2, 4),
    ] {
        let answer = world.scim.get(&format!("/Users{query}")).await;
        let list = answer.expect(200);
        assert_eq!(list["totalResults"], total, "{query}");
        assert_eq!(list["itemsPerPage"], shown, "{query}");
        assert_eq!(list["startIndex"], start, "{query}");
        assert_eq!(answer.resources().len(), shown, "{query}");
    }
    for query in ["?startIndex=x", "?count=1.5", "?count=%00"] {
        world.scim.get(&format!("/Users{query}")).await.expect_error(400, "invalidValue");
    }
}

async fn a_search_request_asks_what_a_query_asks(kind: Kind) {
    let world = five(kind, "dot-search").await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": r#"userName sw "a""#, "attributes": ["userName"], "sortBy": "userName", "sortOrder": "descending",
        "startIndex": 1, "count": 1,
    });
    let answer = world.scim.post("/Users/.search", &body).await;
    assert_eq!(answer.expect(200)["totalResults"], 2);
    assert_eq!(answer.resources()[0]["userName"], "alan");
    assert!(answer.resources()[0].get("emails").is_none());
    world.scim.post("/Users/.search", &json!({"schemas": ["wrong"]})).await.expect(200);
}

async fn attributes_and_excluded_attributes_cut_every_answer(kind: Kind) {
    let world = five(kind, "projection").await;
    let id =
        world.scim.search("/Users", r#"userName eq "ada""#).await.resources()[0]["id"].as_str().unwrap().to_owned();
    let get = async |query: &str| {
        let answer = world.scim.get(&format!("/Users/{id}{query}")).await;
        let mut keys: Vec<String> = answer.expect(200).as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(get("?attributes=userName").await, ["id", "schemas", "userName"]);
    assert_eq!(get("?attributes=USERNAME,name.familyName").await, ["id", "name", "schemas", "userName"]);
    assert_eq!(get(&format!("?attributes={ENTERPRISE}")).await, ["id", "schemas", ENTERPRISE]);
    assert!(!get("?excludedAttributes=emails,name,meta").await.contains(&"emails".to_owned()));
    assert!(get("?excludedAttributes=id").await.contains(&"id".to_owned()), "id is always returned");
    let patched = world
        .scim
        .patch(
            &format!("/Users/{id}?attributes=title"),
            &json!({"Operations": [{"op": "replace", "path": "title", "value": "Lady"}]}),
        )
        .await;
    assert_eq!(patched.expect(200)["title"], "Lady");
    assert!(patched.body.get("userName").is_none());
}
