//! A day away: a hundred thousand changes are owed. Run by `make soak`; `DAY_ITEMS` is how many there are.

use super::store;
use crate::harness::{BASIC, Options, Proxy, Raw, SUFFIX, Scim, Slapd};
use crate::world::{World, okta_user, patch};
use futures_util::{StreamExt, stream};
use ldap3::Mod;
use serde_json::json;
use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, Instant};

/// As many changes as the bridge itself carries out side by side.
const SIDE_BY_SIDE: usize = 32;
/// What the daemon may hold in memory, in KiB.
const MEMORY: u64 = 100 * 1024;
/// Groups that people are put into.
const GROUPS: usize = 50;

/// What a day is made of: of ten changes, seven make somebody, two give a title to who was made, one puts him into a group.
#[derive(Clone, Copy)]
enum Change {
    Create,
    Title { of: usize },
    Join { who: usize, group: usize },
}

fn change(number: usize) -> Change {
    // Somebody who came a good while before: at the beginning of an earlier ten.
    let earlier = number.saturating_sub(1000) / 10 * 10;
    match number % 10 {
        7 => Change::Title { of: earlier },
        8 => Change::Title { of: earlier + 1 },
        9 if number > 1000 => Change::Join { who: earlier, group: number / 10 % GROUPS },
        _ => Change::Create,
    }
}

/// Plays the first `items` changes to the bridge.
async fn accept(scim: &Scim, items: usize, groups: &[String]) {
    let ids: Vec<tokio::sync::OnceCell<String>> = (0..items).map(|_| tokio::sync::OnceCell::new()).collect();
    let play = async |number: usize| match change(number) {
        Change::Create => {
            let made = scim.post("/Users", &okta_user(&format!("user{number}"), "U", "Ser")).await;
            made.expect(201);
            ids[number].set(made.id()).unwrap();
        }
        Change::Title { of } => {
            let title = json!([{"op": "replace", "path": "title", "value": format!("Title {number}")}]);
            scim.patch(&format!("/Users/{}", ids[of].get().unwrap()), &patch(&title)).await.expect(200);
        }
        Change::Join { who, group } => {
            let add = json!([{"op": "add", "path": "members", "value": [{"value": ids[who].get().unwrap()}]}]);
            scim.patch(&format!("/Groups/{}", groups[group]), &patch(&add)).await.expect(204);
        }
    };
    // The first ones one after the other: others refer to them.
    for number in 0..10 {
        play(number).await;
    }
    stream::iter(10..items).for_each_concurrent(64, play).await;
}

/// The same changes by plain LDAP.
async fn raw(connections: &[Raw], people: &str, groups: &str, name: &str, items: usize) {
    let dn = |number: usize| format!("uid={name}{number},{people}");
    let play = async |number: usize| {
        let connection = &connections[number % connections.len()];
        match change(number) {
            Change::Create => {
                let uid = format!("{name}{number}");
                let entry: [(&str, &[&str]); 9] = [
                    ("objectClass", &["top", "person", "organizationalPerson", "inetOrgPerson"]),
                    ("uid", &[&uid]),
                    ("cn", &["U Ser"]),
                    ("sn", &["Ser"]),
                    ("givenName", &["U"]),
                    ("displayName", &["U Ser"]),
                    ("employeeNumber", &["00ujl29u0le5T6Aj10h7"]),
                    ("preferredLanguage", &["en-US"]),
                    ("mail", &[&uid]),
                ];
                connection.add(&dn(number), &entry).await;
            }
            Change::Title { of } => {
                let title = format!("Title {number}");
                let change = vec![Mod::Replace("title", HashSet::from([title.as_str()]))];
                connection.try_modify(&dn(of), change).await.unwrap();
            }
            Change::Join { who, group } => {
                let group = format!("cn=group{group},{groups}");
                connection.add_values(&group, "member", &[&dn(who)]).await;
            }
        }
    };
    for number in 0..10 {
        play(number).await;
    }
    stream::iter(10..items).for_each_concurrent(SIDE_BY_SIDE, play).await;
}

/// How fast something went, and what the directory and the bridge worked for each item.
struct Pace {
    items: usize,
    took: Duration,
    slapd: Duration,
    bridge: Duration,
}

impl Pace {
    async fn of(items: usize, (slapd, world): (&Slapd, &World), work: impl Future<Output = ()>) -> Self {
        let (began, before, bridge) = (Instant::now(), slapd.cpu_time(), world.daemon.cpu_time());
        work.await;
        let (slapd, bridge) = (slapd.cpu_time().saturating_sub(before), world.daemon.cpu_time().saturating_sub(bridge));
        Self { items, took: began.elapsed(), slapd, bridge }
    }

    fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.items).unwrap()) / self.took.as_secs_f64()
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = |total: Duration| total.as_micros() / u128::try_from(self.items).unwrap();
        let (slapd, bridge) = (each(self.slapd), each(self.bridge));
        write!(out, "{:.0} a second; for each the directory works {slapd} µs, the bridge {bridge} µs", self.rate())
    }
}

/// How fast the first `items` changes are by plain LDAP, by the same account and over the same way as the bridge.
async fn plain(name: &str, items: usize, proxy: &Proxy, (slapd, world): (&Slapd, &World)) -> Pace {
    let ((account, password), url) = (slapd.service_account(), proxy.url());
    let connections = stream::iter(0..SIDE_BY_SIDE).then(|_| Raw::bind(&url, account, password));
    let connections: Vec<Raw> = connections.collect().await;
    let (people, groups) = (world.people(), world.groups());
    Pace::of(items, (slapd, world), raw(&connections, &people, &groups, name, items)).await
}

/// Looks people up, one at a time, until nothing is owed any more. What the look-ups took, and the most memory.
async fn until_drained(world: &World, items: usize) -> (Vec<Duration>, u64) {
    let (mut left, mut most, mut took, mut looked) = (items, 0, Vec::new(), Instant::now());
    while left > 0 {
        let name = format!("user{}", fastrand::usize(..items / 10) * 10);
        let found = world.scim.search("/Users", &format!("userName eq \"{name}\"")).await;
        assert_eq!(found.total(), 1, "{name}");
        took.push(found.took);
        tokio::time::sleep(Duration::from_millis(5)).await;
        if looked.elapsed() > Duration::from_millis(200) {
            looked = Instant::now();
            left = store::count(world.daemon.folder());
            most = most.max(world.daemon.memory_kib());
        }
    }
    took.sort();
    (took, most)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make soak"]
async fn a_hundred_thousand_changes_are_accepted_kept_and_carried_out() {
    let items: usize = std::env::var("DAY_ITEMS").map_or(100_000, |text| text.parse().expect("a number"));
    let slapd = Slapd::with(Options { fsync: std::env::var_os("DAY_NOSYNC").is_none(), ..Options::default() });
    let proxy = Proxy::before(slapd.port());
    let configure = |config: crate::harness::Config| {
        config
            .urls(&[&proxy.url()])
            .directory("allow_plaintext = true\nconnect_timeout = \"1s\"")
            .log("warn,scim2ldap::http::listener=info")
    };
    let mut world = World::before(&slapd, SUFFIX.to_owned(), configure).await;
    while world.scim.get("/Users?count=1").await.status != 200 || !store::is_filled(world.daemon.folder()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut groups = Vec::new();
    for number in 0..GROUPS {
        let group = world.scim.post("/Groups", &json!({"displayName": format!("group{number}")})).await;
        group.expect(201);
        groups.push(group.id());
    }
    let before = plain("before", items / 10, &proxy, (&slapd, &world)).await;
    proxy.refuse();
    let pace = Pace::of(items, (&slapd, &world), accept(&world.scim, items, &groups)).await;
    println!("accepted: {pace}; memory {} KiB", world.daemon.memory_kib());
    assert!(world.daemon.memory_kib() < MEMORY, "{} KiB", world.daemon.memory_kib());

    world.daemon.kill();
    let began = Instant::now();
    world.daemon.restart();
    let listens = began.elapsed();
    world.scim = world.daemon.scim(BASIC);
    assert_eq!(world.scim.search("/Users", "userName eq \"user10\"").await.total(), 1);
    println!("after a kill it listens after {listens:?}; the first look-up is answered after {:?}", began.elapsed());
    for command in ["status", "queue list"] {
        let (began, arguments) = (Instant::now(), command.split(' ').collect::<Vec<_>>());
        assert!(!world.daemon.command(&arguments).stdout.is_empty(), "{command}");
        println!("{command}: {:?}", began.elapsed());
    }

    proxy.resume();
    let mut look_ups = (Vec::new(), 0);
    let drained = async { look_ups = until_drained(&world, items).await };
    let drained = Pace::of(items, (&slapd, &world), drained).await;
    let (took, most) = look_ups;
    let after = plain("after", items / 10, &proxy, (&slapd, &world)).await;
    let share = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!("plain LDAP before: {before}\nplain LDAP after: {after}\ndrained: {drained}; memory at most {most} KiB");
    // The directory gets slower as it fills: what a change takes on average.
    let mean = 2.0 / (1.0 / before.rate() + 1.0 / after.rate());
    println!("beside plain LDAP: {:.2}", drained.rate() / mean);
    println!("look-ups meanwhile: {} of them, median {:?}, p99 {:?}", took.len(), share(50), share(99));
    assert!(most < MEMORY, "{most} KiB");
    check(&world, items).await;
}

/// Everybody is there, and in the groups that were asked for.
async fn check(world: &World, items: usize) {
    let made = |items: usize| (0..items).filter(|number| matches!(change(*number), Change::Create)).count();
    let all = u64::try_from(made(items) + 2 * made(items / 10)).unwrap();
    assert_eq!(world.scim.get("/Users?count=1").await.total(), all);
    for number in 0..GROUPS {
        let held = world.members(&format!("group{number}")).await;
        let member = |at: &usize| matches!(change(*at), Change::Join { group, .. } if group == number);
        let who = |at: usize| if let Change::Join { who, .. } = change(at) { who } else { 0 };
        let missing = (0..items).filter(member).find(|at| !held.contains(&format!("user{}", who(*at))));
        assert_eq!(missing, None, "group{number}");
    }
}
