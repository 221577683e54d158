//! Large groups. Run by `make soak`, not with the other tests: making a hundred thousand entries takes a while.

use crate::harness::{Config, Options, SUFFIX, Slapd};
use crate::world::{World, patch};
use serde_json::json;
use std::time::Instant;

const MEMBERS: usize = 100_000;
/// The most resident memory of the bridge while such a group is read, in KiB: 100 MB.
const MOST_MEMORY: u64 = 100_000_000 / 1024;
/// Values in one request: OpenLDAP takes 4 MB at most.
const AT_ONCE: usize = 10_000;

async fn fill(world: &World, members: usize) {
    for number in 0..members {
        let (uid, name) = (format!("m{number}"), format!("Member {number}"));
        let dn = format!("uid={uid},{}", world.people());
        let person: [(&str, &[&str]); 5] = [
            ("objectClass", &["inetOrgPerson"]),
            ("uid", &[&uid]),
            ("cn", &["x"]),
            ("sn", &["x"]),
            ("displayName", &[&name]),
        ];
        world.raw.add(&dn, &person).await;
    }
    let dns: Vec<String> = (0..members).map(|number| format!("uid=m{number},{}", world.people())).collect();
    let group = format!("cn=Large,ou=groups,{}", world.base);
    let first: [(&str, &[&str]); 3] = [("objectClass", &["groupOfNames"]), ("cn", &["Large"]), ("member", &[&dns[0]])];
    world.raw.add(&group, &first).await;
    for chunk in dns[1..].chunks(AT_ONCE) {
        let values: Vec<&str> = chunk.iter().map(String::as_str).collect();
        world.raw.add_values(&group, "member", &values).await;
    }
}

#[tokio::test]
#[ignore = "takes minutes; make soak runs it"]
async fn a_group_of_a_hundred_thousand_members_is_read_whole_and_changed_without_reading_it() {
    let slapd = Slapd::with(Options::default());
    // Without a shadow: reading a hundred thousand entries into one takes memory of its own.
    let change = |config: Config| config.directory("when_unreachable = \"refuse\"");
    let world = World::before(&slapd, SUFFIX.to_owned(), change).await;
    fill(&world, MEMBERS).await;
    let found = world.scim.get("/Groups?excludedAttributes=members&filter=displayName+eq+%22Large%22").await;
    let id = found.resources()[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/Groups/{id}");

    let began = Instant::now();
    let group = world.scim.get(&path).await;
    println!(
        "read: {:?}, {} MB, daemon {} MB",
        began.elapsed(),
        group.text.len() / 1_000_000,
        world.daemon.memory_kib() / 1000
    );
    for _ in 0..4 {
        assert_eq!(world.scim.get(&path).await.expect(200)["members"].as_array().unwrap().len(), MEMBERS);
    }
    let peak = world.daemon.peak_memory_kib();
    println!("read five times: daemon at most {} MB", peak * 1024 / 1_000_000);
    assert!(peak < MOST_MEMORY, "{peak} KiB");
    let members = group.expect(200)["members"].as_array().unwrap();
    assert_eq!(members.len(), MEMBERS);
    let known: std::collections::HashSet<&str> =
        members.iter().map(|member| member["value"].as_str().unwrap()).collect();
    assert_eq!(known.len(), MEMBERS, "everybody once");
    assert!(members.iter().all(|member| member["display"].as_str().unwrap().starts_with("Member ")));

    let new = world.scim.post("/Users", &json!({"userName": "newcomer"})).await.id();
    let mut times = Vec::new();
    for _ in 0..10 {
        for op in ["add", "remove"] {
            let change = patch(&json!([{"op": op, "path": "members", "value": [{"value": new}]}]));
            let began = Instant::now();
            world.scim.patch(&path, &change).await.expect(204);
            times.push(began.elapsed());
        }
    }
    times.sort();
    println!("one member more or less: median {:?}", times[times.len() / 2]);

    let began = Instant::now();
    let half: Vec<_> = members[..MEMBERS / 2].iter().map(|member| json!({"value": member["value"]})).collect();
    let answer = world.scim.put(&path, &json!({"displayName": "Large", "members": half})).await;
    assert_eq!(answer.expect(200)["members"].as_array().unwrap().len(), MEMBERS / 2);
    println!(
        "replaced by {} members: {:?}, daemon {} MB",
        MEMBERS / 2,
        began.elapsed(),
        world.daemon.memory_kib() / 1000
    );
    let entry = world.raw.find_one(&world.base, "(cn=Large)").await.1;
    assert_eq!(entry["member"].len(), MEMBERS / 2);
}
