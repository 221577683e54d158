//! An item waits for a person: whom it is about waits with it, and everybody else goes on. A group goes on without the
//! member who is still to be made, and gets it when that is done.

use crate::harness::{BASIC, Config, Kind, Proxy, Slapd};
use crate::world::{ENTERPRISE, PATIENCE, USER, World, okta_user, patch};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

on_every_directory!(
    a_group_goes_on_without_a_member_who_waits_for_a_person_and_gets_it_in_the_end,
    a_parked_rename_does_not_hold_up_the_groups_of_the_user,
);

fn items(world: &World) -> Vec<Value> {
    let output = world.daemon.command(&["queue", "list", "--json"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|fault| panic!("{fault}: {output:?}"));
    list["items"].as_array().unwrap().clone()
}

fn queue(world: &World, arguments: &[&str]) {
    let output = world.daemon.command(&[&["queue"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// Waits until all items that are left are in one of these states, and as many are as `wanted` says.
async fn left(world: &World, wanted: &[(&str, usize)]) -> Vec<Value> {
    let end = Instant::now() + Duration::from_mins(1);
    let wanted: BTreeMap<&str, usize> = wanted.iter().copied().collect();
    loop {
        let items = items(world);
        let mut found = BTreeMap::new();
        for item in &items {
            *found.entry(item["state"].as_str().unwrap()).or_insert(0) += 1;
        }
        if found == wanted {
            return items;
        }
        assert!(Instant::now() < end, "not {wanted:?}: {items:?}\n{}", world.daemon.log_text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the directory has these members in a group.
async fn has_members(world: &World, group: &str, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(ToString::to_string).collect();
    let wanted = if wanted.is_empty() { world.nobody() } else { wanted };
    let end = Instant::now() + Duration::from_secs(40);
    loop {
        let found = world.members(group).await;
        if found == wanted {
            return;
        }
        assert!(Instant::now() < end, "{group}: {found:?}, not {wanted:?}\n{}", world.daemon.log_text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn change(op: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    patch(&json!([{"op": op, "path": "members", "value": members}]))
}

async fn user(world: &World, name: &str) -> String {
    let made = world.scim.post("/Users", &okta_user(name, "Gi", "Ven")).await;
    made.expect(201);
    made.id()
}

async fn group(world: &World, name: &str, members: &[&str]) -> String {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    let made = world.scim.post("/Groups", &json!({"displayName": name, "members": members})).await;
    made.expect(201);
    made.id()
}

async fn a_group_goes_on_without_a_member_who_waits_for_a_person_and_gets_it_in_the_end(kind: Kind) {
    let (proxy, world) = World::away(kind, "parked-member").await;
    let scim = &world.scim;
    let (bob, staff) = (user(&world, "bob").await, group(&world, "Staff", &[]).await);
    proxy.refuse();
    let ada = user(&world, "ada").await;
    scim.patch(&format!("/Groups/{staff}"), &change("add", &[&ada, &bob])).await.expect(204);
    let crew = group(&world, "Crew", &[&ada, &bob]).await;
    let board = group(&world, "Board", &[]).await;
    let put = json!({"displayName": "Board", "members": [{"value": ada}]});
    scim.put(&format!("/Groups/{board}"), &put).await.expect(200);
    let mut eve = okta_user("eve", "E", "Ve");
    eve["schemas"] = json!([USER, ENTERPRISE]);
    eve[ENTERPRISE] = json!({ "manager": { "value": ada } });
    scim.post("/Users", &eve).await.expect(201);
    world.add_user("ada", &[]).await;
    proxy.resume();

    let items = left(&world, &[("parked", 1), ("waiting", 4)]).await;
    let why = items.iter().find(|item| item["state"] == "waiting").unwrap()["reason"].as_str().unwrap();
    assert!(why.contains(&ada) && why.contains("waits for a person"), "{why}");
    has_members(&world, "Staff", &["bob"]).await;
    has_members(&world, "Crew", &["bob"]).await;
    has_members(&world, "Board", &[]).await;
    assert!(!world.user("eve").await.contains_key("manager"));

    // Nobody else is held up.
    let carol = user(&world, "carol").await;
    let joins = scim.patch(&format!("/Groups/{staff}"), &change("add", &[&carol])).await;
    joins.expect(204);
    assert_eq!(joins.header("scim2ldap-owed"), "");
    has_members(&world, "Staff", &["bob", "carol"]).await;
    // What is said later of the member itself counts.
    scim.patch(&format!("/Groups/{crew}"), &change("remove", &[&ada])).await.expect(204);
    left(&world, &[("parked", 1), ("waiting", 3)]).await;

    world.raw.delete(&world.dn("ada")).await;
    queue(&world, &["retry", "--all"]);
    left(&world, &[]).await;
    has_members(&world, "Staff", &["ada", "bob", "carol"]).await;
    has_members(&world, "Crew", &["bob"]).await;
    has_members(&world, "Board", &["ada"]).await;
    assert_eq!(world.user("eve").await["manager"], [world.dn("ada")]);
}

async fn a_parked_rename_does_not_hold_up_the_groups_of_the_user(kind: Kind) {
    let (proxy, world) = World::away(kind, "parked-rename").await;
    let scim = &world.scim;
    let (ada, carol) = (user(&world, "ada").await, user(&world, "carol").await);
    let staff = group(&world, "Staff", &[&ada]).await;
    proxy.refuse();
    let path = format!("/Users/{ada}");
    scim.put(&path, &okta_user("countess", "Gi", "Ven")).await.expect(200);
    let title = patch(&json!([{"op": "replace", "path": "title", "value": "Dr"}]));
    scim.patch(&path, &title).await.expect(200);
    world.add_user("countess", &[]).await;
    proxy.resume();
    left(&world, &[("parked", 1), ("owed", 1)]).await;
    let joins = scim.patch(&format!("/Groups/{staff}"), &change("add", &[&carol])).await;
    joins.expect(204);
    assert_eq!(joins.header("scim2ldap-owed"), "");
    has_members(&world, "Staff", &["ada", "carol"]).await;
    proxy.refuse();
    let shown = scim.get(&format!("/Groups/{staff}")).await;
    assert!(shown.expect(200)["members"].to_string().contains(&carol), "{}", shown.body);
    assert_eq!(scim.get(&path).await.expect(200)["userName"], "countess");
    proxy.resume();
    world.raw.delete(&world.dn("countess")).await;
    queue(&world, &["retry", "--all"]);
    left(&world, &[]).await;
    has_members(&world, "Staff", &["countess", "carol"]).await;
    assert_eq!(world.user("countess").await["title"], ["Dr"]);
}

#[tokio::test]
async fn when_the_item_is_dropped_nobody_waits_for_its_user_any_more() {
    let (proxy, world) = World::away(Kind::OpenLdap, "parked-dropped").await;
    let (bob, staff) = (user(&world, "bob").await, group(&world, "Staff", &[]).await);
    proxy.refuse();
    let ada = user(&world, "ada").await;
    world.scim.patch(&format!("/Groups/{staff}"), &change("add", &[&ada, &bob])).await.expect(204);
    world.add_user("ada", &[]).await;
    proxy.resume();
    left(&world, &[("parked", 1), ("waiting", 1)]).await;
    queue(&world, &["drop", "--all", "--parked", "--yes"]);
    assert_eq!(items(&world), Vec::<Value>::new());
    has_members(&world, "Staff", &["bob"]).await;
    let carol = user(&world, "carol").await;
    world.scim.patch(&format!("/Groups/{staff}"), &change("add", &[&carol])).await.expect(204);
    has_members(&world, "Staff", &["bob", "carol"]).await;
}

/// Groups as they are to be, and what is done to them.
struct Model {
    world: World,
    users: Vec<(&'static str, String)>,
    groups: Vec<(&'static str, String, BTreeSet<usize>)>,
}

impl Model {
    async fn step(&mut self, rng: &mut Rng) {
        let (at, count) = (rng.usize(..self.groups.len()), rng.usize(1..4));
        let some: BTreeSet<usize> = (0..count).map(|_| rng.usize(..self.users.len())).collect();
        let (name, id, members) = &mut self.groups[at];
        let ids: Vec<&str> = some.iter().map(|user| &*self.users[*user].1).collect();
        let path = format!("/Groups/{id}");
        let answer = match rng.u8(..10) {
            0..4 => {
                members.extend(&some);
                self.world.scim.patch(&path, &change("add", &ids)).await
            }
            4..7 => {
                members.retain(|member| !some.contains(member));
                self.world.scim.patch(&path, &change("remove", &ids)).await
            }
            7 => {
                members.clone_from(&some);
                self.world.scim.patch(&path, &change("replace", &ids)).await
            }
            8 => {
                members.clone_from(&some);
                let ids: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
                self.world.scim.put(&path, &json!({"displayName": name, "members": ids})).await
            }
            _ => {
                members.clear();
                self.world.scim.patch(&path, &patch(&json!([{"op": "remove", "path": "members"}]))).await
            }
        };
        assert!(matches!(answer.status, 200 | 204), "{} {}", answer.status, answer.body);
        println!("{name} {} {} {members:?}", answer.header("scim2ldap-owed"), answer.status);
    }

    /// The directory has exactly these members, apart from some users.
    async fn check(&self, without: &[&str]) {
        for (group, _, members) in &self.groups {
            let names = members.iter().map(|member| self.users[*member].0);
            let wanted: Vec<&str> = names.filter(|name| !without.contains(name)).collect();
            has_members(&self.world, group, &wanted).await;
        }
    }

    fn restart(&mut self) {
        self.world.daemon.kill();
        self.world.daemon.restart();
        self.world.scim = self.world.daemon.scim(BASIC);
    }
}

/// Waits until nothing is owed.
async fn nothing_owed(world: &World) {
    let end = Instant::now() + Duration::from_mins(1);
    while items(world).iter().any(|item| item["state"] == "owed") {
        assert!(Instant::now() < end, "{:?}\n{}", items(world), world.daemon.log_text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn memberships(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    println!("PARKED_SEED={seed}");
    let proxy = Proxy::before(Slapd::shared().port());
    let level = std::env::var("PARKED_LOG").unwrap_or_else(|_| "info".to_owned());
    let change = |config: Config| config.urls(&[&proxy.url()]).directory(PATIENCE).log(&level);
    let world = World::with(&format!("parked-{seed:x}"), change).await;
    world.is_read();
    let mut model = Model { world, users: Vec::new(), groups: Vec::new() };
    for name in ["ann", "ben", "cat"] {
        model.users.push((name, user(&model.world, name).await));
    }
    model.groups.push(("Staff", group(&model.world, "Staff", &[]).await, BTreeSet::new()));
    proxy.refuse();
    for name in ["dan", "eli", "flo"] {
        model.users.push((name, user(&model.world, name).await));
    }
    for name in ["Crew", "Board"] {
        model.groups.push((name, group(&model.world, name, &[]).await, BTreeSet::new()));
    }
    for _ in 0..rng.usize(5..30) {
        model.step(&mut rng).await;
    }
    for name in ["dan", "eli"] {
        model.world.add_user(name, &[]).await;
    }
    proxy.resume();
    nothing_owed(&model.world).await;
    model.check(&["dan", "eli"]).await;
    for _ in 0..rng.usize(0..20) {
        model.step(&mut rng).await;
    }
    nothing_owed(&model.world).await;
    model.check(&["dan", "eli"]).await;
    // One of them is made in the middle of another outage, with the process killed.
    proxy.refuse();
    for _ in 0..rng.usize(0..10) {
        model.step(&mut rng).await;
    }
    model.world.raw.delete(&model.world.dn("dan")).await;
    queue(&model.world, &["retry", "--all"]);
    if rng.bool() {
        model.restart();
    }
    proxy.resume();
    for _ in 0..rng.usize(0..20) {
        model.step(&mut rng).await;
    }
    nothing_owed(&model.world).await;
    model.check(&["eli"]).await;
    model.world.raw.delete(&model.world.dn("eli")).await;
    queue(&model.world, &["retry", "--all"]);
    for _ in 0..rng.usize(0..5) {
        model.step(&mut rng).await;
    }
    left(&model.world, &[]).await;
    model.check(&[]).await;
}

#[tokio::test]
async fn memberships_are_what_was_said_last_however_long_their_users_wait_for_a_person() {
    let seed = std::env::var("PARKED_SEED").ok().map(|seed| seed.parse().unwrap());
    let count = std::env::var("PARKED_HISTORIES").map_or(3, |count| count.parse().unwrap());
    match seed {
        Some(seed) => memberships(seed).await,
        None => {
            for _ in 0..count {
                memberships(fastrand::u64(..)).await;
            }
        }
    }
}
