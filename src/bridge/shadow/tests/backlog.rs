//! Echoes that are noted first and worked in later.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use super::super::notes;
use super::*;
use crate::directory::Rdn;

const ADA: &str = "uid=ada,ou=people,dc=x";
const LOVELACE: &str = "uid=lovelace,ou=people,dc=x";
const STAFF: &str = "cn=staff,ou=groups,dc=x";

/// A world whose echoes wait.
async fn lazy() -> World {
    let mut world = World::new().await;
    let backlog = Arc::new(Backlog::open(&world.store, TENANT).await);
    let shape = Shape::new(TENANT, "corp", &world.mapping, Kind::OpenLdap.dialect(), true);
    world.shape = Arc::new(shape.with_backlog(backlog));
    world
}

/// The same in the next process.
async fn again(mut world: World) -> World {
    let shape = || Shape::new(TENANT, "corp", &world.mapping, Kind::OpenLdap.dialect(), true);
    let (without, with) = (Arc::new(shape()), shape());
    world.shape = without;
    world.shape = Arc::new(with.with_backlog(Arc::new(Backlog::open(&world.store, TENANT).await)));
    world
}

fn owned(text: &str) -> Cow<'static, Dn> {
    Cow::Owned(dn(text))
}

fn shown(at: &str, id: &str) -> Cow<'static, Entry> {
    let mut shown = Entry::new(dn(at));
    shown.insert(name("entryUUID"), values(&[id]));
    Cow::Owned(shown)
}

/// One of each kind, in an order that makes sense.
fn echoes() -> Vec<Echo<'static>> {
    let mut ada = person("ada");
    ada.extend(attributes(&[("userPassword", &["secret-one"])]));
    let staff = group("staff", &[ADA]);
    let changes = vec![
        replace("title", &["Countess"]),
        replace("userPassword", &["secret-two"]),
        add("mail", &["ada@x"]),
        delete("sn", &["none"]),
    ];
    let mut read = Entry::new(dn(ADA));
    read.insert(name("cn"), values(&["as the server has it"]));
    read.insert(name("userPassword"), values(&["secret-three"]));
    let rdn = Rdn::parse("uid=lovelace").unwrap();
    let people = Some(owned("ou=people,dc=x"));
    vec![
        Echo::Added { dn: owned(ADA), attributes: ada.into(), read: Some(shown(ADA, "a-1")) },
        Echo::Added { dn: owned(STAFF), attributes: staff.into(), read: Some(shown(STAFF, "s-1")) },
        Echo::Modified { dn: owned(ADA), modifications: changes.into(), read: Some(Cow::Owned(read)) },
        Echo::Renamed { dn: owned(ADA), rdn: Cow::Owned(rdn), parent: people, read: None },
        Echo::Added { dn: owned(ADA), attributes: person("ada").into(), read: Some(shown(ADA, "a-2")) },
        Echo::Deleted { dn: owned(ADA) },
    ]
}

/// What is there, without the times.
fn all(shadow: &Shadow) -> Vec<Entry> {
    let mut entries = shadow.search(&search(Scope::Sub, "dc=x", "(objectClass=*)")).unwrap();
    for entry in &mut entries {
        entry.remove(&shadow.dialect().modified);
    }
    entries
}

async fn note_all(world: &World) {
    for echo in echoes() {
        note(&world.store, &world.shape, &echo).await;
    }
}

async fn read_only(world: &World) -> Vec<Entry> {
    let shape = Arc::clone(&world.shape);
    let job = async move |session: Session| Ok::<_, StoreFault>(all(&Shadow::open(session, &shape)?));
    world.store.read(job).await.unwrap()
}

#[tokio::test]
async fn what_is_noted_and_worked_in_later_is_what_is_repeated_at_once() {
    let (at_once, later) = (World::new().await, lazy().await);
    note_all(&at_once).await;
    note_all(&later).await;
    let expected = read_only(&at_once).await;
    assert_eq!(expected.len(), 2);
    assert_eq!(expected[0].values(&name("member")), values(&[LOVELACE]));
    assert_eq!(read_only(&later).await, [], "nobody needed it yet");
    assert_eq!(later.shape.backlog.len(), 6);
    later.shape.backlog.catch_up(&later.store, &later.shape, false).await.unwrap();
    assert_eq!(read_only(&later).await, expected);
    assert!(!later.shape.backlog.is_behind());
}

#[tokio::test]
async fn whoever_may_write_finds_what_was_noted_and_what_is_undone_is_not_lost() {
    let world = lazy().await;
    note_all(&world).await;
    let shape = Arc::clone(&world.shape);
    let undone = async move |session: Session| {
        assert_eq!(all(&Shadow::open(session, &shape)?).len(), 2);
        Err::<(), _>(StoreFault { kind: crate::store::FaultKind::Other, detail: "undone".into() })
    };
    world.store.write(Durability::Soon, undone).await.unwrap_err();
    assert_eq!(read_only(&world).await, []);
    let written = world.run(async |shadow| (shadow.run().written(), shadow.run().seen(), all(&shadow).len())).await;
    assert_eq!(written, (Vec::new(), Vec::new(), 2), "it is there, and nobody did it now");
    assert!(world.shape.backlog.is_behind(), "nobody has looked whether it was kept");
    world.shape.backlog.catch_up(&world.store, &world.shape, true).await.unwrap();
    assert_eq!(read_only(&world).await.len(), 2, "nothing is worked in twice");
    assert!(!world.shape.backlog.is_behind());
}

#[tokio::test]
async fn notes_of_an_earlier_process_are_worked_in() {
    let world = lazy().await;
    note_all(&world).await;
    let world = again(world).await;
    assert!(world.shape.backlog.is_behind());
    world.shape.backlog.catch_up(&world.store, &world.shape, false).await.unwrap();
    assert_eq!(read_only(&world).await.len(), 2);
}

#[tokio::test]
async fn a_note_holds_no_password_and_says_when_it_was() {
    let world = World::new().await;
    for echo in echoes() {
        let begun = now();
        let note = notes::written(&echo, &world.shape);
        let text = String::from_utf8_lossy(&note).to_lowercase();
        assert!(!text.contains("secret") && !text.contains("userpassword"), "{text}");
        let (at, read) = notes::read(&note).expect("a note");
        assert!((begun..=now()).contains(&at));
        // What was left out stays out, and the rest comes back.
        let again = notes::written(&read, &world.shape);
        assert_eq!(again[9..], note[9..]);
        for cut in [0, 1, 8, note.len() / 2, note.len() - 1] {
            assert!(notes::read(&note[..cut]).is_none(), "{cut}");
        }
    }
}

#[tokio::test]
async fn a_note_that_cannot_be_read_is_passed_over_and_the_directory_is_read_again() {
    let mut world = lazy().await;
    assert!(world.shape.backlog.is_blind(), "the directory was never read");
    world.shape.backlog.note_read();
    world = again(world).await;
    assert!(!world.shape.backlog.is_blind());
    world.shape.backlog.journal.as_ref().unwrap().add(b"of another version").unwrap();
    note_all(&world).await;
    world.shape.backlog.catch_up(&world.store, &world.shape, false).await.unwrap();
    assert_eq!(read_only(&world).await.len(), 2);
    let backlog = &world.shape.backlog;
    let missed = backlog.missed();
    assert!(missed.load(Ordering::Acquire));
    // Until that is done, what the shadow does not hold may exist.
    assert!(backlog.is_blind());
    backlog.note_read();
    assert!(backlog.is_blind(), "something was missed while the directory was read");
    drop(missed);
    let world = again(world).await;
    let backlog = &world.shape.backlog;
    assert!(backlog.is_blind(), "the next process does not know it");
    backlog.note_read();
    assert!(!backlog.is_blind());
}

#[tokio::test]
async fn what_happened_before_an_entry_was_read_does_not_undo_what_was_read() {
    let world = lazy().await;
    note_all(&world).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let mut read = Entry::new(dn(LOVELACE));
    for (attribute, all) in person("lovelace") {
        read.insert(attribute, all);
    }
    read.insert(name("entryUUID"), values(&["a-1"]));
    read.insert(name("title"), values(&["changed by somebody else"]));
    let learned =
        world.run(async move |shadow| shadow.learn(read, crate::scim::ResourceKind::User, now()).unwrap()).await;
    assert_eq!(learned, Learned::Kept);
    world.shape.backlog.catch_up(&world.store, &world.shape, false).await.unwrap();
    let title =
        world.run(async |shadow| at(&shadow, LOVELACE, &["title"]).text(&name("title")).map(ToOwned::to_owned)).await;
    assert_eq!(title.as_deref(), Some("changed by somebody else"));
}
