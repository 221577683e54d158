//! What is read again because it changed: most of it the bridge has written itself.

use super::*;
use crate::bridge::target::Target;
use crate::scim::ResourceKind;

const ADA: &str = "uid=ada,ou=people,dc=x";
const STAFF: &str = "cn=staff,ou=groups,dc=x";

fn ada(changes: &[(&str, &[&str])]) -> Entry {
    let mut entry = Entry::new(dn(ADA));
    let own = attributes(&[("entryUUID", &["a-1"]), ("memberOf", &[STAFF])]);
    for (name, values) in person("ada").into_iter().chain(own).chain(attributes(changes)) {
        entry.insert(name, values);
    }
    entry
}

fn staff(members: &[&str]) -> Entry {
    let mut entry = Entry::new(dn(STAFF));
    for (name, values) in group("staff", members).into_iter().chain(attributes(&[("entryUUID", &["s-1"])])) {
        entry.insert(name, values);
    }
    entry
}

fn stamp(shadow: &Shadow, at: &str) -> i64 {
    shadow.doc_at(&dn(at)).unwrap().unwrap().stamp
}

#[tokio::test]
async fn what_is_known_is_not_written_again_and_what_is_not_is() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            let changed = |entry, at| shadow.learn_changed(entry, ResourceKind::User, at).unwrap();
            assert_eq!(shadow.learn(staff(&[ADA]), ResourceKind::Group, 1).unwrap(), Learned::Kept);
            assert_eq!(changed(ada(&[]), 1), Learned::Kept);
            assert_eq!((changed(ada(&[]), 2), stamp(&shadow, ADA)), (Learned::Kept, 1));
            assert_eq!((changed(ada(&[("sn", &["King"])]), 3), stamp(&shadow, ADA)), (Learned::Kept, 3));
            assert_eq!(at(&shadow, ADA, &["sn"]).text(&name("sn")), Some("King"));
            let mut spelled = ada(&[("sn", &["King"])]);
            spelled.dn = dn("UID=Ada,ou=people,dc=x");
            assert_eq!((changed(spelled, 4), stamp(&shadow, ADA)), (Learned::Kept, 4));
            assert_eq!(found(&shadow, Scope::Sub, "dc=x", "(sn=King)"), ["UID=Ada"]);
        })
        .await;
}

#[tokio::test]
async fn a_whole_reading_writes_down_that_it_saw_an_entry_and_a_group_is_always_written() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            shadow.learn(ada(&[]), ResourceKind::User, 1).unwrap();
            shadow.learn(ada(&[]), ResourceKind::User, 2).unwrap();
            assert_eq!(stamp(&shadow, ADA), 2);
            let changed = |members: &[&str], at| shadow.learn_changed(staff(members), ResourceKind::Group, at).unwrap();
            assert_eq!(changed(&[ADA], 3), Learned::Kept);
            assert_eq!(changed(&["uid=bob,ou=people,dc=x"], 4), Learned::Kept);
            let held = at(&shadow, STAFF, &["member"]);
            assert_eq!(held.values(&name("member")), values(&["uid=bob,ou=people,dc=x"]));
        })
        .await;
}

/// One round of asking `corp` for what changed.
async fn refreshed(corp: &World, world: &World) -> usize {
    let (store, shape) = (world.store.clone(), Arc::clone(&world.shape));
    corp.run(async move |shadow| refresh(&Target::Shadow(shadow), &store, &shape).await.unwrap()).await
}

/// As if the latest change had been seen so many milliseconds ago.
async fn wait(world: &World, milliseconds: i64) {
    let wait = async move |shadow: Shadow| {
        let (space, mark) = (&shadow.shape.space, "shadow latest User");
        let now = String::from_utf8(shadow.session.mark(space, mark).unwrap().unwrap()).unwrap();
        let (stamp, seen) = now.split_once(' ').unwrap();
        let earlier = seen.parse::<i64>().map_or(seen.to_owned(), |seen| (seen - milliseconds).to_string());
        shadow.session.set_mark(space, mark, format!("{stamp} {earlier}").as_bytes()).unwrap();
    };
    world.run(wait).await;
}

#[tokio::test]
async fn many_changes_of_one_moment_are_read_again_once_and_not_for_ever() {
    let (corp, world) = (World::new().await, World::new().await);
    corp.run(async |shadow| {
        shadow.add(&dn(ADA), &person("ada"), &[]).unwrap();
    })
    .await;
    assert_eq!(refreshed(&corp, &world).await, 1);
    assert_eq!(refreshed(&corp, &world).await, 1, "something as old could still come");
    wait(&world, 60_000).await;
    assert_eq!(refreshed(&corp, &world).await, 1, "what came meanwhile is read");
    assert_eq!(refreshed(&corp, &world).await, 0);
    // A later change; stamps tell whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    corp.run(async |shadow| modify(&shadow, ADA, &[replace("title", &["Dr"])]).unwrap()).await;
    assert_eq!(refreshed(&corp, &world).await, 1);
    let title = world.run(async |shadow| at(&shadow, ADA, &["title"]).text(&name("title")).map(str::to_owned)).await;
    assert_eq!(title.as_deref(), Some("Dr"));
}
