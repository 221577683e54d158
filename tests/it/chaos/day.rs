//! A day away: a hundred thousand changes are owed. Run by `make soak`; `DAY_ITEMS` is how many there are.

use super::store;
use crate::harness::{BASIC, Options, Proxy, Raw, SUFFIX, Scim, Server, Slapd};
use crate::world::{World, okta_user};
use futures_util::{StreamExt, stream};
use std::time::{Duration, Instant};

const SIDE_BY_SIDE: usize = 16;
/// What the daemon may hold in memory, in KiB.
const MEMORY: u64 = 100 * 1024;

async fn accept(scim: &Scim, items: usize) {
    stream::iter(0..items)
        .for_each_concurrent(64, async |number| {
            scim.post("/Users", &okta_user(&format!("user{number}"), "U", "Ser")).await.expect(201);
        })
        .await;
}

/// How many entries like those of the queue the directory itself takes in a second.
async fn raw_rate(server: &Server, people: &str, entries: usize) -> f64 {
    let connections: Vec<Raw> = stream::iter(0..SIDE_BY_SIDE).then(|_| server.raw()).collect().await;
    let began = Instant::now();
    stream::iter(0..entries)
        .for_each_concurrent(SIDE_BY_SIDE, async |number| {
            let uid = format!("raw{number}");
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
            connections[number % SIDE_BY_SIDE].add(&format!("uid={uid},{people}"), &entry).await;
        })
        .await;
    rate(entries, began.elapsed())
}

fn rate(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make soak"]
async fn a_hundred_thousand_changes_are_accepted_kept_and_carried_out() {
    let items: usize = std::env::var("DAY_ITEMS").map_or(100_000, |text| text.parse().expect("a number"));
    let slapd = Slapd::with(Options { fsync: true, ..Options::default() });
    let proxy = Proxy::before(slapd.port());
    let change = |config: crate::harness::Config| {
        config.urls(&[&proxy.url()]).directory("allow_plaintext = true\nconnect_timeout = \"1s\"").log("warn")
    };
    let mut world = World::before(&slapd, SUFFIX.to_owned(), change).await;
    while world.scim.get("/Users?count=1").await.status != 200 || !store::is_filled(world.daemon.folder()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.refuse();
    let began = Instant::now();
    accept(&world.scim, items).await;
    println!("accepted: {:.0} a second; memory {} KiB", rate(items, began.elapsed()), world.daemon.memory_kib());
    assert!(world.daemon.memory_kib() < MEMORY, "{} KiB", world.daemon.memory_kib());

    world.daemon.kill();
    let began = Instant::now();
    world.daemon.restart();
    world.scim = world.daemon.scim(BASIC);
    assert_eq!(world.scim.search("/Users", "userName eq \"user7\"").await.total(), 1);
    println!("after a kill the first look-up is answered {:?} after the start", began.elapsed());

    proxy.resume();
    let (began, mut left, mut most, mut took) = (Instant::now(), items, 0, Vec::new());
    let mut looked = Instant::now();
    while left > 0 {
        let name = format!("user{}", fastrand::usize(..items));
        let found = world.scim.search("/Users", &format!("userName eq \"{name}\"")).await;
        assert_eq!(found.total(), 1, "{name}");
        took.push(found.took);
        tokio::time::sleep(Duration::from_millis(5)).await;
        if looked.elapsed() > Duration::from_millis(500) {
            looked = Instant::now();
            left = store::count(world.daemon.folder());
            most = most.max(world.daemon.memory_kib());
        }
    }
    let drained = rate(items, began.elapsed());
    took.sort();
    let share = |percent: usize| took[(took.len() - 1) * percent / 100];
    let raw = raw_rate(&slapd, &world.people(), items / 10).await;
    println!("drained: {drained:.0} a second, memory at most {most} KiB; adds by plain LDAP: {raw:.0} a second");
    println!("look-ups meanwhile: {} of them, median {:?}, p99 {:?}", took.len(), share(50), share(99));
    assert!(most < MEMORY, "{most} KiB");
    assert_eq!(world.scim.get("/Users?count=1").await.total(), u64::try_from(items + items / 10).unwrap());
}
