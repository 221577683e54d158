//! Thousands of membership changes from several clients at once, against a model of what should come out.

use crate::group_names::{PLAIN, table};
use crate::harness::{BASIC, Config, Kind, Scim};
use crate::world::{World, patch};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

on_every_directory! {
    whatever_several_clients_do_at_once_the_members_are_those_of_the_model,
}

const CLIENTS: usize = 6;
const USERS: usize = 8;
const GROUPS: usize = 3;
const STEPS: usize = 60;

/// The members of each group, by name.
type Model = BTreeMap<usize, BTreeSet<String>>;

/// `MODEL_SEED` repeats a run; otherwise every run is another one.
fn seed() -> u64 {
    std::env::var("MODEL_SEED").map_or_else(|_| fastrand::u64(..), |text| text.parse().expect("a number"))
}

/// One client, with users that no other client touches, so that what is right does not depend on who is faster.
struct Client {
    scim: Scim,
    random: fastrand::Rng,
    users: Vec<(String, String)>,
    groups: Vec<String>,
    model: Model,
}

impl Client {
    async fn play(mut self) -> (Model, usize) {
        let mut operations = 0;
        for _ in 0..STEPS {
            let group = self.random.usize(..GROUPS);
            let body: Vec<Value> = (0..self.random.usize(1..=4)).map(|_| self.operation(group)).collect();
            operations += body.len();
            let path = format!("/Groups/{}", self.groups[group]);
            self.scim.patch(&path, &patch(&json!(body))).await.expect(204);
        }
        (self.model, operations)
    }

    fn operation(&mut self, group: usize) -> Value {
        let count = self.random.usize(1..=3);
        let chosen: Vec<(String, String)> =
            (0..count).map(|_| self.users[self.random.usize(..self.users.len())].clone()).collect();
        let members = self.model.entry(group).or_default();
        let values: Vec<Value> = chosen.iter().map(|(_, id)| json!({"value": id})).collect();
        match self.random.u8(..4) {
            0 | 1 => {
                members.extend(chosen.iter().map(|(name, _)| name.clone()));
                json!({"op": "add", "path": "members", "value": values})
            }
            2 => {
                members.retain(|member| chosen.iter().all(|(name, _)| name != member));
                json!({"op": "Remove", "path": "members", "value": values})
            }
            _ => {
                members.remove(&chosen[0].0);
                json!({"op": "remove", "path": format!("members[value eq \"{}\"]", chosen[0].1)})
            }
        }
    }
}

/// What the users' own attribute says of their groups.
async fn names_held(world: &World) -> BTreeMap<String, String> {
    let users = world.raw.find(&world.people(), "(carLicense=*)").await;
    users.into_iter().map(|(_, user)| (user["uid"][0].clone(), user["carLicense"].join(" | "))).collect()
}

fn names_expected(played: &[(Model, usize)]) -> BTreeMap<String, String> {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (group, members) in played.iter().flat_map(|(model, _)| model) {
        for member in members {
            groups.entry(member.clone()).or_default().insert(format!("g{group}"));
        }
    }
    groups.into_iter().map(|(user, groups)| (user, groups.into_iter().collect::<Vec<_>>().join("; "))).collect()
}

/// `names`: the table keeps the names of a user's groups.
async fn play(kind: Kind, seed: u64, names: bool) {
    println!("MODEL_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let change = |config: Config| if names { config.mapping_text(&table(PLAIN)) } else { config };
    let world = World::on_with(kind, &format!("model-{seed}"), change).await;
    let mut groups = Vec::new();
    for number in 0..GROUPS {
        groups.push(world.scim.post("/Groups", &json!({"displayName": format!("g{number}")})).await.id());
    }
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let mut users = Vec::new();
        for number in 0..USERS {
            let name = format!("u{client}x{number}");
            let created = world.scim.post("/Users", &json!({"userName": name, "displayName": name})).await;
            created.expect(201);
            users.push((name, created.id()));
        }
        let scim = world.daemon.scim(BASIC);
        clients.push(Client { scim, random: random.fork(), users, groups: groups.clone(), model: Model::new() });
    }
    let played = futures_util::future::join_all(clients.into_iter().map(Client::play)).await;
    let operations: usize = played.iter().map(|(_, operations)| operations).sum();
    println!("{operations} operations");
    for (number, id) in groups.iter().enumerate() {
        let expected: BTreeSet<String> =
            played.iter().filter_map(|(model, _)| model.get(&number)).flatten().cloned().collect();
        let mut held = world.members(&format!("g{number}")).await;
        if expected.is_empty() {
            assert_eq!(held, world.nobody(), "an empty group");
            held.clear();
        }
        assert_eq!(held, expected, "in the directory, seed {seed}");
        let shown = world.scim.get(&format!("/Groups/{id}")).await;
        let shown: BTreeSet<String> = shown.expect(200)["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["display"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(shown, expected, "over SCIM, seed {seed}");
    }
    if names {
        assert_eq!(names_held(&world).await, names_expected(&played), "in the users' own attribute, seed {seed}");
    }
}

async fn whatever_several_clients_do_at_once_the_members_are_those_of_the_model(kind: Kind) {
    for names in [false, false, kind == Kind::OpenLdap] {
        play(kind, seed(), names).await;
    }
}
