//! Echoes that are kept as notes until somebody needs the shadow.

use super::super::echo::Echo;
use super::super::notes::{Note, read};
use super::*;
use crate::directory::Rdn;

const ADA: &str = "uid=ada,ou=people,dc=x";

fn entry(dn: &Dn) -> Entry {
    let mut entry = Entry::new(dn.clone());
    entry.insert(name("cn"), vec![b"Ada".to_vec(), vec![0, 255]]);
    entry.insert(name("entryUUID"), values(&["c0ffee00-0000-4000-8000-000000000001"]));
    entry
}

#[tokio::test]
async fn what_was_noted_comes_back_and_passwords_are_never_noted() {
    let world = World::new().await;
    let dn = dn("uid=Zoë,ou=people,dc=x");
    let parent = Dn::parse("ou=gone,dc=x").ok();
    let secret = ("userPassword", &["hidden-41"] as &[&str]);
    let changes = vec![replace("title", &[]), add("mail", &["z@x"]), delete("sn", &["Z"])];
    let with_password = [changes.clone(), vec![replace("userPassword", &["hidden-41"])]].concat();
    let (rdn, shown) = (Rdn::single(&name("uid"), "zoe"), Some(entry(&dn)));
    let sent = attributes(&[("cn", &["Ada"]), ("sn", &["Z"]), secret]);
    let pairs = [
        (
            Echo::Added { dn: dn.clone(), attributes: sent, read: shown.clone() },
            Echo::Added { dn: dn.clone(), attributes: attributes(&[("sn", &["Z"])]), read: shown.clone() },
        ),
        (
            Echo::Modified { dn: dn.clone(), modifications: with_password, read: None },
            Echo::Modified { dn: dn.clone(), modifications: changes, read: None },
        ),
        (
            Echo::Renamed { dn: dn.clone(), rdn: rdn.clone(), parent: parent.clone(), read: shown.clone() },
            Echo::Renamed { dn: dn.clone(), rdn, parent, read: shown },
        ),
        (Echo::Deleted { dn: dn.clone() }, Echo::Deleted { dn }),
    ];
    for (echo, expected) in pairs {
        let Note(bytes) = Note::of(&echo, &world.shape);
        assert!(!bytes.windows(9).any(|window| window == b"hidden-41"));
        let (at, back) = read(&bytes).unwrap();
        assert!((super::super::now() - at).abs() < 60_000);
        assert_eq!(format!("{back:?}"), format!("{expected:?}"));
        assert!(read(bytes.get(..bytes.len() - 1).unwrap()).is_none(), "half a note is none");
    }
}

#[tokio::test]
async fn whoever_changes_the_shadow_finds_in_it_what_was_noted_in_its_order() {
    let world = World::new().await;
    let shape = Arc::clone(&world.shape);
    let job = async move |session: Session| {
        let (ada, king) = (dn(ADA), dn("uid=king,ou=people,dc=x"));
        let attributes = person("ada");
        let echoes = [
            Echo::Added { dn: ada.clone(), attributes, read: Some(entry(&ada)) },
            Echo::Modified { dn: ada.clone(), modifications: vec![replace("title", &["First"])], read: None },
            Echo::Modified { dn: ada.clone(), modifications: vec![replace("title", &["Last"])], read: None },
            Echo::Renamed { dn: ada, rdn: king.rdn().unwrap(), parent: None, read: None },
        ];
        for echo in &echoes {
            Note::of(echo, &shape).keep(&session, &shape)?;
        }
        let before = Shadow::open(session.clone(), &shape)?;
        assert!(found(&before, Scope::Sub, "dc=x", "(uid=king)").is_empty(), "there was no time for it");
        let shadow = Shadow::open_to_write(session.clone(), &shape)?;
        assert_eq!(found(&shadow, Scope::Sub, "dc=x", "(uid=king)"), ["uid=king"]);
        assert_eq!(at(&shadow, "uid=king,ou=people,dc=x", &["title"]).text(&name("title")), Some("Last"));
        assert!(session.first_notes(&shape.space, 1)?.is_empty(), "a note is worked in once");
        Ok::<_, StoreFault>(())
    };
    world.store.write(Durability::Soon, job).await.unwrap();
}
