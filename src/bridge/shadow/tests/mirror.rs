//! The shadow beside a directory: pins, echoes, and what is read.
//!
//! The part of the directory is played by a shadow in another store.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::*;
use crate::bridge::target::Target;
use crate::directory::Rdn;
use crate::scim::ResourceKind;

const USER: ResourceKind = ResourceKind::User;
const GROUP: ResourceKind = ResourceKind::Group;
const ADA: &str = "uid=ada,ou=people,dc=x";
const BOB: &str = "uid=bob,ou=people,dc=x";
const STAFF: &str = "cn=staff,ou=groups,dc=x";
const ADAS: &str = "00000000-0000-4000-8000-00000000000a";
const BOBS: &str = "00000000-0000-4000-8000-00000000000b";
const STAFFS: &str = "00000000-0000-4000-8000-00000000000c";
fn owned(text: &str) -> Cow<'static, Dn> {
    Cow::Owned(dn(text))
}

/// A time before anything in these tests, and one after it.
const LONG_AGO: i64 = 1;
const LATER: i64 = i64::MAX - 1;

/// An entry as the directory shows it.
fn read(at: &str, id: &str, attributes: Vec<(AttributeName, Vec<Vec<u8>>)>) -> Entry {
    let mut entry = Entry::new(dn(at));
    for (name, values) in attributes {
        entry.insert(name, values);
    }
    entry.insert(name("entryUUID"), values(&[id]));
    entry.insert(name("modifyTimestamp"), values(&["20261122080000Z"]));
    entry
}

fn ada() -> Entry {
    let mut entry = read(ADA, ADAS, person("ada"));
    entry.insert(name("memberOf"), values(&[STAFF, "cn=vpn,ou=elsewhere,dc=x"]));
    entry
}

type Contents = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Everything that is kept, by name.
fn all(shadow: &Shadow) -> Contents {
    let entries = shadow.search(&search(Scope::Sub, "", "(objectClass=*)")).unwrap();
    let texts = |values: &[Vec<u8>]| values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    let whole = |entry: &Entry| entry.attributes().map(|(name, own)| (name.to_string(), texts(own))).collect();
    entries.iter().map(|entry| (entry.dn.as_str().to_owned(), whole(entry))).collect()
}

fn names(shadow: &Shadow) -> Vec<String> {
    all(shadow).into_keys().collect()
}

#[tokio::test]
async fn an_entry_that_was_read_is_kept_and_found_again_by_its_id_under_another_name() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            assert_eq!(shadow.learn(ada(), USER, LONG_AGO).unwrap(), Learned::Kept);
            let staff = read(STAFF, STAFFS, group("staff", &[ADA]));
            assert_eq!(shadow.learn(staff, GROUP, LONG_AGO).unwrap(), Learned::Kept);
            // A group that is known is not kept a second time, one that is not known is.
            let groups = at(&shadow, ADA, &["memberOf"]).values(&name("memberOf")).to_vec();
            assert_eq!(groups, values(&[STAFF, "cn=vpn,ou=elsewhere,dc=x"]));
            modify(&shadow, STAFF, &[replace("member", &[BOB])]).unwrap();
            let groups = at(&shadow, ADA, &["memberOf"]).values(&name("memberOf")).to_vec();
            assert_eq!(groups, values(&["cn=vpn,ou=elsewhere,dc=x"]));
            let renamed = read("uid=lovelace,ou=people,dc=x", ADAS, person("lovelace"));
            assert_eq!(shadow.learn(renamed, USER, LATER).unwrap(), Learned::Kept);
            assert_eq!(names(&shadow), [STAFF, "uid=lovelace,ou=people,dc=x"]);
            // Another entry stands there now.
            let other = read("uid=lovelace,ou=people,dc=x", BOBS, person("lovelace"));
            assert_eq!(shadow.learn(other, USER, LATER).unwrap(), Learned::Kept);
            assert!(found(&shadow, Scope::Sub, "dc=x", &format!("(entryUUID={ADAS})")).is_empty());
            assert_eq!(found(&shadow, Scope::Sub, "dc=x", &format!("(entryUUID={BOBS})")), ["uid=lovelace"]);
            let nobody = Entry::new(dn(ADA));
            assert_eq!(shadow.learn(nobody, USER, LATER).unwrap(), Learned::NoId);
        })
        .await;
}

#[tokio::test]
async fn what_was_written_after_the_question_is_not_overwritten_by_the_answer() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            shadow.learn(ada(), USER, LONG_AGO).unwrap();
            modify(&shadow, ADA, &[replace("sn", &["Lovelace"])]).unwrap();
            assert_eq!(shadow.learn(ada(), USER, now() - 10_000).unwrap(), Learned::Newer);
            assert_eq!(at(&shadow, ADA, &["sn"]).text(&name("sn")), Some("Lovelace"));
            assert_eq!(shadow.learn(ada(), USER, LATER).unwrap(), Learned::Kept);
            assert_eq!(at(&shadow, ADA, &["sn"]).text(&name("sn")), Some("Doe"));
        })
        .await;
}

/// The seventh item has renamed Ada to countess and deleted Bob.
async fn renamed_and_deleted() -> World {
    let world = World::new().await;
    world
        .run(async |shadow| {
            shadow.learn(ada(), USER, LONG_AGO).unwrap();
            shadow.learn(read(BOB, BOBS, person("bob")), USER, LONG_AGO).unwrap();
        })
        .await;
    world
        .run(async |shadow| {
            modify(&shadow, ADA, &[replace("sn", &["Lovelace"])]).unwrap();
            shadow.rename(&dn(ADA), &Rdn::parse("uid=countess").unwrap(), None, &[]).unwrap();
            shadow.delete(&dn(BOB)).unwrap();
            assert_eq!(shadow.run().written(), [ADAS, BOBS]);
            shadow.pin(7).unwrap();
        })
        .await;
    world
}

#[tokio::test]
async fn what_an_item_has_changed_is_held_until_it_is_done() {
    let world = renamed_and_deleted().await;
    world
        .run(async |shadow| {
            let row = shadow.doc_at(&dn("uid=countess,ou=people,dc=x")).unwrap().unwrap().row;
            assert!(shadow.is_pinned(row).unwrap());
            assert_eq!(shadow.learn(ada(), USER, LATER).unwrap(), Learned::Held);
            assert_eq!(shadow.learn(read(BOB, BOBS, person("bob")), USER, LATER).unwrap(), Learned::Held);
            let strange = read(BOB, STAFFS, person("bob"));
            assert_eq!(shadow.learn(strange, USER, LATER).unwrap(), Learned::Held, "the name is still to be left");
            shadow.echo(&Echo::Deleted { dn: owned("uid=countess,ou=people,dc=x") }).unwrap();
            assert_eq!(names(&shadow), ["uid=countess,ou=people,dc=x"]);
            assert_eq!(shadow.forget_unseen(USER, LATER, None).unwrap().map(|_| ()), Some(()));
            assert_eq!(names(&shadow), ["uid=countess,ou=people,dc=x"]);
            shadow.unpin(7).unwrap();
            assert!(!shadow.is_pinned(row).unwrap());
            assert_eq!(shadow.learn(ada(), USER, LATER).unwrap(), Learned::Kept);
            assert_eq!(names(&shadow), [ADA]);
        })
        .await;
}

#[tokio::test]
async fn who_takes_a_name_that_is_still_to_be_left_waits_for_who_leaves_it() {
    let world = renamed_and_deleted().await;
    world
        .run(async |shadow| {
            shadow.add(&dn(BOB), &person("bob"), &[]).unwrap();
            assert_eq!(shadow.run().seen(), [BOBS]);
            shadow.pin(8).unwrap();
        })
        .await;
    world
        .run(async |shadow| {
            shadow.rename(&dn(BOB), &Rdn::parse("uid=ADA").unwrap(), None, &[]).unwrap();
            assert_eq!(shadow.run().seen(), [ADAS]);
        })
        .await;
    world
        .run(async |shadow| {
            shadow.unpin(7).unwrap();
            let row = shadow.doc_at(&dn("uid=countess,ou=people,dc=x")).unwrap().unwrap().row;
            assert!(!shadow.is_pinned(row).unwrap());
            let row = shadow.doc_at(&dn(ADA)).unwrap().unwrap().row;
            assert!(shadow.is_pinned(row).unwrap(), "the other item holds what it made");
            shadow.unpin(8).unwrap();
            let before = now() - 10_000;
            assert_ne!(shadow.learn(ada(), USER, before).unwrap(), Learned::Kept, "it was read before that was done");
            assert_eq!(shadow.learn(ada(), USER, LATER).unwrap(), Learned::Kept);
            assert_eq!(names(&shadow), [ADA]);
            assert!(shadow.session.count("okta/gone").unwrap() > 0);
            shadow.forget_graves(LATER).unwrap();
            assert_eq!(shadow.session.count("okta/gone").unwrap(), 0);
        })
        .await;
}

#[tokio::test]
async fn two_items_that_leave_one_name_both_hold_it() {
    let world = World::new().await;
    world.run(async |shadow| assert_eq!(shadow.learn(ada(), USER, LONG_AGO).unwrap(), Learned::Kept)).await;
    world
        .run(async |shadow| {
            shadow.delete(&dn(ADA)).unwrap();
            shadow.pin(1).unwrap();
        })
        .await;
    world
        .run(async |shadow| {
            shadow.add(&dn(ADA), &person("ada"), &[]).unwrap();
            shadow.pin(2).unwrap();
        })
        .await;
    world
        .run(async |shadow| {
            shadow.delete(&dn(ADA)).unwrap();
            shadow.pin(3).unwrap();
        })
        .await;
    world
        .run(async |shadow| {
            shadow.unpin(1).unwrap();
            shadow.unpin(2).unwrap();
            assert_eq!(shadow.learn(ada(), USER, LATER).unwrap(), Learned::Held);
            shadow.unpin(3).unwrap();
            assert_eq!(shadow.learn(ada(), USER, LATER).unwrap(), Learned::Kept);
        })
        .await;
}

#[tokio::test]
async fn what_the_directory_has_done_is_repeated() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            let mut shown = Entry::new(dn(ADA));
            shown.insert(name("entryUUID"), values(&[ADAS]));
            shown.insert(name("cn"), values(&["as the server has it"]));
            let added = Echo::Added { dn: owned(ADA), attributes: person("ada").into(), read: Some(Cow::Owned(shown)) };
            shadow.echo(&added).unwrap();
            assert_eq!(at(&shadow, ADA, &["cn"]).text(&name("cn")), Some("as the server has it"));
            assert_eq!(found(&shadow, Scope::Sub, "dc=x", &format!("(entryUUID={ADAS})")), ["uid=ada"]);
            shadow.echo(&Echo::Added { dn: owned(BOB), attributes: person("bob").into(), read: None }).unwrap();
            assert_eq!(names(&shadow), [ADA], "nobody knows the id of the other");
            let changes = vec![replace("title", &["Dr"]), add("sn", &["DOE"]), delete("mail", &["none"])];
            shadow.echo(&Echo::Modified { dn: owned(ADA), modifications: changes.into(), read: None }).unwrap();
            assert_eq!(at(&shadow, ADA, &["title"]).text(&name("title")), Some("Dr"));
            let rdn = Rdn::parse("uid=lovelace").unwrap();
            let renamed = Echo::Renamed { dn: owned(ADA), rdn: Cow::Owned(rdn), parent: None, read: None };
            shadow.echo(&renamed).unwrap();
            assert_eq!(names(&shadow), ["uid=lovelace,ou=people,dc=x"]);
            shadow.echo(&renamed).unwrap();
            let group_read = read(STAFF, STAFFS, Vec::new());
            let staff = group("staff", &[BOB]);
            shadow
                .echo(&Echo::Added { dn: owned(STAFF), attributes: staff.into(), read: Some(Cow::Owned(group_read)) })
                .unwrap();
            let modifications = vec![add("member", &[ADA, BOB]), delete("member", &[BOB])];
            shadow.echo(&Echo::Modified { dn: owned(STAFF), modifications: modifications.into(), read: None }).unwrap();
            assert_eq!(at(&shadow, STAFF, &["member"]).values(&name("member")), values(&[ADA]));
            let asked_at = now() - 10_000;
            shadow.echo(&Echo::Deleted { dn: owned("uid=lovelace,ou=people,dc=x") }).unwrap();
            shadow.echo(&Echo::Deleted { dn: owned("uid=lovelace,ou=people,dc=x") }).unwrap();
            assert_eq!(shadow.learn(ada(), USER, asked_at).unwrap(), Learned::Held, "it was read before it went");
            assert_eq!(names(&shadow), [STAFF]);
            assert_eq!(shadow.learn(ada(), USER, LATER).unwrap(), Learned::Kept);
        })
        .await;
}

#[tokio::test]
async fn a_change_that_is_refused_leaves_nothing_behind_in_the_run() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            shadow.learn(ada(), USER, LONG_AGO).unwrap();
            let refused = modify(&shadow, ADA, &[replace("sn", &["x"]), delete("title", &["none"])]);
            assert_eq!(refused, Err((FaultKind::NoSuchValue, Some(16))));
            assert!(shadow.run().written().is_empty());
            assert_eq!(at(&shadow, ADA, &["sn"]).text(&name("sn")), Some("Doe"));
        })
        .await;
}

/// A directory with so many users, and a group that lists them all.
async fn directory(users: usize) -> World {
    let world = World::new().await;
    world
        .run(async move |shadow| {
            let mut members = Vec::new();
            for at in 0..users {
                let dn = dn("ou=people,dc=x").child(&name("uid"), &format!("u{at}"));
                shadow.add(&dn, &person(&format!("u{at}")), &[]).unwrap();
                members.push(dn.as_str().to_owned());
            }
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            shadow.add(&dn(STAFF), &group("staff", &members), &[]).unwrap();
        })
        .await;
    world
}

/// Reads from a directory into a shadow.
async fn reading<T: Send + 'static>(
    from: &World,
    into: &World,
    work: impl AsyncFnOnce(Target, Store, Arc<Shape>) -> T + Send + 'static,
) -> T {
    let (store, shape) = (into.store.clone(), Arc::clone(&into.shape));
    from.run(async move |shadow| work(Target::Shadow(shadow), store, shape).await).await
}

async fn filled(from: &World, into: &World) -> usize {
    reading(from, into, async |directory, store, shape| fill(&directory, &store, &shape, &|_| {}).await.unwrap()).await
}

async fn swept(from: &World, into: &World) -> usize {
    reading(from, into, async |directory, store, shape| sweep(&directory, &store, &shape).await.unwrap()).await
}

async fn refreshed(from: &World, into: &World) -> usize {
    reading(from, into, async |directory, store, shape| refresh(&directory, &store, &shape).await.unwrap()).await
}

async fn is_full(world: &World) -> bool {
    world.run(async |shadow| is_filled(&shadow.session, &shadow.shape).unwrap()).await
}

async fn contents(world: &World) -> Contents {
    world.run(async |shadow| all(&shadow)).await
}

#[tokio::test]
async fn a_shadow_that_was_filled_holds_what_the_directory_holds() {
    let (corp, world) = (directory(1200).await, World::new().await);
    world.run(async |shadow| assert_eq!(shadow.learn(ada(), USER, LONG_AGO).unwrap(), Learned::Kept)).await;
    assert!(!is_full(&world).await);
    assert_eq!(filled(&corp, &world).await, 1201);
    assert!(is_full(&world).await);
    let (now, expected) = (contents(&world).await, contents(&corp).await);
    assert!(now == expected, "{} entries, not {}; what the directory does not hold is gone", now.len(), expected.len());
    let other = World::with(
        Kind::OpenLdap,
        "openldap",
        &[("scim = \"title\", ldap = \"title\"", "scim = \"title\", ldap = \"carLicense\"")],
    )
    .await;
    assert_ne!(other.shape.fingerprint(), world.shape.fingerprint());
    assert_eq!(World::new().await.shape.fingerprint(), world.shape.fingerprint());
}

#[tokio::test]
async fn what_changes_beside_the_bridge_comes_in() {
    let (corp, world) = (directory(3).await, World::new().await);
    filled(&corp, &world).await;
    corp.run(async |shadow| {
        modify(&shadow, "uid=u1,ou=people,dc=x", &[replace("title", &["Dr"])]).unwrap();
        shadow.rename(&dn("uid=u2,ou=people,dc=x"), &Rdn::parse("uid=v2").unwrap(), None, &[]).unwrap();
        shadow.delete(&dn("uid=u0,ou=people,dc=x")).unwrap();
        shadow.add(&dn(ADA), &person("ada"), &[]).unwrap();
    })
    .await;
    assert!(refreshed(&corp, &world).await >= 3);
    let now = contents(&world).await;
    assert_eq!(now["uid=u1,ou=people,dc=x"]["title"], ["Dr"]);
    assert!(now.contains_key("uid=v2,ou=people,dc=x") && now.contains_key(ADA));
    assert!(now.contains_key("uid=u0,ou=people,dc=x"), "who is gone leaves no change stamp");
    assert_eq!(swept(&corp, &world).await, 1);
    assert_eq!(contents(&world).await, contents(&corp).await);
    assert_eq!(swept(&corp, &world).await, 0);
}

#[tokio::test]
async fn a_sweep_reads_what_a_refresh_missed_and_leaves_owed_entries_alone() {
    let (corp, world) = (directory(3).await, World::new().await);
    filled(&corp, &world).await;
    world
        .run(async |shadow| {
            shadow.add(&dn(ADA), &person("ada"), &[]).unwrap();
            shadow.delete(&dn("uid=u1,ou=people,dc=x")).unwrap();
            shadow.pin(1).unwrap();
            let row = shadow.doc_at(&dn("uid=u2,ou=people,dc=x")).unwrap().unwrap().row;
            shadow.session.delete(row).unwrap();
        })
        .await;
    swept(&corp, &world).await;
    filled(&corp, &world).await;
    let mut expected = contents(&corp).await;
    let mut now = contents(&world).await;
    assert!(now.remove(ADA).is_some(), "it is owed to the directory");
    assert!(expected.remove("uid=u1,ou=people,dc=x").is_some(), "it still has to go");
    assert_eq!(now, expected);
}

/// A group of ada, whose manager is bob.
fn with_references(shadow: &Shadow) {
    let mut ada = read(ADA, ADAS, person("ada"));
    ada.insert(name("manager"), values(&[BOB]));
    for (entry, kind) in [(ada, USER), (read(BOB, BOBS, person("bob")), USER)] {
        assert_eq!(shadow.learn(entry, kind, LONG_AGO).unwrap(), Learned::Kept);
    }
    let staff = read(STAFF, STAFFS, group("staff", &[BOB]));
    assert_eq!(shadow.learn(staff, GROUP, LONG_AGO).unwrap(), Learned::Kept);
}

#[tokio::test]
async fn what_refers_to_an_entry_that_the_directory_renamed_or_deleted_follows_it() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            with_references(&shadow);
            let rdn = Rdn::parse("uid=robert").unwrap();
            let renamed = Echo::Renamed { dn: owned(BOB), rdn: Cow::Owned(rdn), parent: None, read: None };
            shadow.echo(&renamed).unwrap();
            let (now, new) = (all(&shadow), "uid=robert,ou=people,dc=x");
            assert_eq!((&now[STAFF]["member"], &now[ADA]["manager"]), (&vec![new.to_owned()], &vec![new.to_owned()]));
            shadow.echo(&Echo::Deleted { dn: owned(new) }).unwrap();
            let now = all(&shadow);
            assert_eq!(now[STAFF]["member"], [""], "the server does not keep the group without a member");
            assert!(!now[ADA].contains_key("manager"));
        })
        .await;
}

#[tokio::test]
async fn whoever_refers_to_somebody_whose_deletion_is_owed_is_told() {
    let world = World::new().await;
    world
        .run(async |shadow| {
            with_references(&shadow);
            let both = [BOBS.to_owned(), ADAS.to_owned()];
            shadow.delete(&dn(BOB)).unwrap();
            assert!(shadow.leaving(&both).unwrap().is_empty(), "nothing is owed yet");
            shadow.pin(7).unwrap();
            assert_eq!(shadow.leaving(&both).unwrap(), [&both[0]]);
            shadow.unpin(7).unwrap();
            assert!(shadow.leaving(&both).unwrap().is_empty());
        })
        .await;
}
