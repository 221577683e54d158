//! Many look-ups by id at once: they share searches, and each gets its own answer.

use crate::harness::Kind;
use crate::world::{World, okta_user, patch};
use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

on_every_directory! {
    many_look_ups_at_once_get_an_answer_each_and_the_right_one,
}

/// So many users, and so many questions about each.
const USERS: usize = 40;
const TIMES: usize = 6;

async fn many_look_ups_at_once_get_an_answer_each_and_the_right_one(kind: Kind) {
    let admin = "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"";
    let world = World::on_with(kind, "look-ups", |config| config.server(admin)).await;
    let mut ids = Vec::new();
    for number in 0..USERS {
        let created = world.scim.post("/Users", &okta_user(&format!("user{number}"), "U", "Ser")).await;
        created.expect(201);
        ids.push(created.id());
    }
    let before = searches(&world).await;
    // Each of them, some by another spelling of the id, and between them people who are not there.
    let questions = (0..USERS * TIMES).map(async |number| {
        let user = number % USERS;
        let id = &ids[user];
        match number % 5 {
            0 => {
                let nobody = Uuid::new_v4().to_string();
                world.scim.get(&format!("/Users/{nobody}")).await.expect(404);
            }
            1 => {
                let answer = world.scim.get(&format!("/Users/{}", id.to_uppercase())).await;
                if answer.status != 404 {
                    assert_eq!(answer.expect(200)["userName"], format!("user{user}"));
                }
            }
            2 => {
                let title = patch(&json!([{"op": "replace", "path": "title", "value": format!("T{user}")}]));
                let answer = world.scim.patch(&format!("/Users/{id}"), &title).await;
                assert_eq!(answer.expect(200)["title"], format!("T{user}"));
            }
            _ => {
                let answer = world.scim.get(&format!("/Users/{id}")).await;
                assert_eq!(answer.expect(200)["userName"], format!("user{user}"));
                assert_eq!(answer.body["id"], *id);
            }
        }
    });
    join_all(questions).await;
    let searches = searches(&world).await - before;
    assert!(searches < USERS * TIMES, "{searches} searches for {} questions", USERS * TIMES);
    for user in (0..USERS).filter(|user| (0..TIMES).any(|time| (user + time * USERS) % 5 == 2)) {
        assert_eq!(world.user(&format!("user{user}")).await["title"], [format!("T{user}")]);
    }
}

/// How many searches the directory has answered.
async fn searches(world: &World) -> usize {
    let line = world.daemon.wait_for_log("listening for those who look after the bridge");
    let address = line["fields"]["address"].as_str().or(line["address"].as_str()).unwrap();
    let text = reqwest::get(format!("{address}metrics")).await.unwrap().text().await.unwrap();
    let name = "scim2ldap_ldap_operations_total{operation=\"search\",result=\"success\"}";
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap()
}
