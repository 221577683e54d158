use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rusqlite::Connection;

use super::*;

async fn why_not(path: &Path) -> StoreFault {
    Store::open(&at(path)).await.unwrap_err()
}

/// The store may not grow by more than this many pages of 4 KiB from now on.
async fn limit(store: &Store, pages: i64) {
    let job = async move |session: Session| {
        session.with(|connection| {
            let now: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            connection.pragma_update(None, "max_page_count", now + pages)
        })
    };
    store.write(Durability::Soon, job).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_to_whoever_was_promised_nothing_yet_and_what_was_promised_is_there() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    limit(&store, 30).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let store = store.clone();
        let large = NewItem { payload: vec![7; 5000], ..item("u") };
        calls.spawn(async move { store.write(Durability::Durable, async move |it| it.push(&large)).await });
    }
    let (mut kept, mut refused) = (Vec::new(), 0);
    for outcome in calls.join_all().await {
        match outcome {
            Ok(number) => kept.push(number),
            Err(fault) => {
                assert!(fault.is_full(), "{fault}");
                assert!(fault.detail.contains("store.db") && fault.detail.contains("make room"), "{fault}");
                refused += 1;
            }
        }
    }
    assert!(refused > 10, "{refused}");
    let there = store.read(async |it| all_items(&it)).await.unwrap();
    kept.sort_unstable();
    assert_eq!(there, kept);

    limit(&store, 1000).await;
    store.write(Durability::Durable, async |it| it.push(&item("u"))).await.unwrap();
}

#[tokio::test]
async fn a_job_can_not_go_on_behind_the_end_of_its_transaction() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    limit(&store, 3).await;
    let stubborn = store.write(Durability::Durable, async |it| {
        let large = NewItem { payload: vec![7; 50_000], ..item("u") };
        let faults = (0..3).filter(|_| it.push(&large).is_err()).count();
        let small = (0..3).filter(|_| it.push(&item("small")).is_ok()).count();
        Ok::<_, StoreFault>((faults, small))
    });
    let outcome = stubborn.await;
    let there = store.read(async |it| all_items(&it)).await.unwrap().len();
    match outcome {
        Ok((faults, small)) => assert_eq!((faults, small), (3, there)),
        Err(fault) => assert!(fault.is_full() && there == 0, "{fault}, {there}"),
    }
}

#[tokio::test]
async fn somebody_who_holds_the_store_for_too_long_is_a_fault_and_later_none() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let impatient = async |it: Session| it.with(|connection| connection.busy_timeout(Duration::from_millis(20)));
    store.write(Durability::Soon, impatient).await.unwrap();
    let other = Connection::open(scratch.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let fault = store.write(Durability::Soon, async |it| it.push(&item("u"))).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Busy, "{fault}");
    other.execute_batch("ROLLBACK").unwrap();
    store.write(Durability::Soon, async |it| it.push(&item("u"))).await.unwrap();
}

#[tokio::test]
async fn a_store_is_made_where_none_is_for_its_owner_alone_and_only_if_asked_for() {
    let scratch = Scratch::new();
    assert!(Store::open_existing(&at(&scratch.path())).await.unwrap().is_none());
    assert!(!scratch.path().exists());
    let store = scratch.open().await;
    assert_eq!(std::fs::metadata(scratch.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(store.path(), scratch.path());
    assert!(Store::open_existing(&at(&scratch.path())).await.unwrap().is_some());
}

#[tokio::test]
async fn all_who_open_a_new_store_at_once_get_it() {
    for _ in 0..10 {
        let scratch = Scratch::new();
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let settings = at(&scratch.path());
            calls.spawn(async move {
                let store = Store::open(&settings).await?;
                store.write(Durability::Soon, async |it| it.push(&item("u"))).await
            });
        }
        let mut numbers: Vec<i64> = calls.join_all().await.into_iter().map(|number| number.unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    }
}

#[tokio::test]
async fn a_store_belongs_to_whom_its_folder_belongs_also_when_root_makes_it() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let scratch = Scratch::new();
    // Only root can give the folder away. For everybody else it is their own, as the files are.
    let _ = chown(scratch.folder.path(), Some(12_345), Some(12_345));
    let owner = std::fs::metadata(scratch.folder.path()).unwrap();
    let store = scratch.open().await;
    store.write(Durability::Soon, async |it| it.push(&item("u"))).await.unwrap();
    for file in std::fs::read_dir(scratch.folder.path()).unwrap() {
        let (name, of_file) = file.map(|file| (file.file_name(), file.metadata().unwrap())).unwrap();
        assert_eq!((of_file.uid(), of_file.gid()), (owner.uid(), owner.gid()), "{name:?}");
    }
}

#[tokio::test]
async fn a_store_that_can_not_be_opened_says_why_and_what_to_do() {
    let scratch = Scratch::new();
    let folder = scratch.folder.path();
    let missing = why_not(&folder.join("none/store.db")).await;
    assert!(missing.detail.contains("none is missing: make it"), "{missing}");

    std::fs::write(folder.join("text"), "no database, ".repeat(500)).unwrap();
    let text = why_not(&folder.join("text")).await;
    assert_eq!(text.kind, FaultKind::Corrupt);
    assert!(text.detail.contains("no SQLite database"), "{text}");
    assert!(why_not(&folder.join("text/store.db")).await.detail.contains("can't open the store"));

    let other = Connection::open(folder.join("other")).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(other);
    let foreign = why_not(&folder.join("other")).await;
    assert!(foreign.detail.contains("database of another program"), "{foreign}");

    let postgres = StoreSettings { url: StoreUrl::Postgres("postgres://me:secret@db/x".to_owned().into()) };
    let postgres = Store::open(&postgres).await.unwrap_err();
    assert!(postgres.detail.contains("PostgreSQL") && !postgres.detail.contains("secret"), "{postgres}");
}

#[tokio::test]
async fn a_store_of_a_later_version_is_left_alone() {
    let scratch = Scratch::new();
    drop(scratch.open().await);
    let later = Connection::open(scratch.path()).unwrap();
    later.pragma_update(None, "user_version", 1000).unwrap();
    let fault = why_not(&scratch.path()).await;
    assert!(fault.detail.contains("later version") && fault.detail.contains("version 1000"), "{fault}");
    assert_eq!(later.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 1000);
}
