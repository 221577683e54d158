use tokio::sync::oneshot;

use super::*;

#[derive(Debug)]
enum Refused {
    Taken(usize),
    Store(StoreFault),
}

impl From<StoreFault> for Refused {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}

/// Keeps the writer busy, so that what is asked for meanwhile waits and shares a transaction.
async fn hold(store: &Store) -> oneshot::Sender<()> {
    let (release, released) = oneshot::channel();
    let (begun, has_begun) = oneshot::channel();
    let store = store.clone();
    tokio::spawn(async move {
        let job = async move |_| {
            begun.send(()).unwrap();
            released.await.unwrap();
            Ok::<_, StoreFault>(())
        };
        store.write(Durability::Soon, job).await.unwrap();
    });
    has_begun.await.unwrap();
    release
}

fn waits_for_disk(session: &Session) -> Result<i64, StoreFault> {
    session.with(|connection| connection.pragma_query_value(None, "synchronous", |row| row.get(0)))
}

#[tokio::test]
async fn a_job_that_fails_is_undone_alone_and_its_error_reaches_the_caller() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let release = hold(&store).await;
    let kept = store.write(Durability::Durable, async |it| it.put("s", &document("kept", "1")));
    let undone = store.write(Durability::Soon, async |it| {
        it.put("s", &document("undone", "1"))?;
        Err::<(), _>(Refused::Taken(it.count("s")?))
    });
    let also_kept = store.write(Durability::Soon, async |it| it.put("s", &document("also", "1")));
    let (kept, undone, also_kept, _) = tokio::join!(kept, undone, also_kept, async { release.send(()) });
    kept.unwrap();
    also_kept.unwrap();
    assert!(matches!(undone, Err(Refused::Taken(2))), "{undone:?}");
    let found = store.read(async |it| it.with_prefix("s", b"", None, 10)).await.unwrap();
    assert_eq!(keys(found), ["also", "kept"]);
}

#[tokio::test]
async fn a_job_that_panics_is_undone_and_the_store_lives_on() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let panicked = store.write(Durability::Durable, async |it| {
        it.put("s", &document("undone", "1"))?;
        assert!(it.count("s")? > 1, "on purpose");
        Ok::<_, Refused>(())
    });
    let Err(Refused::Store(fault)) = panicked.await else { panic!("no fault") };
    assert!(fault.detail.contains("panic"), "{fault}");
    for _ in 0..4 {
        let read = store.read(async |_| if true { panic!("on purpose") } else { Ok::<(), StoreFault>(()) });
        assert!(read.await.unwrap_err().detail.contains("panic"));
    }
    store.write(Durability::Durable, async |it| it.put("s", &document("kept", "1"))).await.unwrap();
    assert_eq!(store.read(async |it| it.count("s")).await.unwrap(), 1);
}

#[tokio::test]
async fn a_session_is_of_no_use_after_its_job() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let writing = store.write(Durability::Soon, async |it| Ok::<_, StoreFault>(it)).await.unwrap();
    let reading = store.read(async |it| Ok::<_, StoreFault>(it)).await.unwrap();
    for session in [writing, reading] {
        assert_eq!(session.put("s", &document("late", "1")).unwrap_err().kind, FaultKind::Closed);
    }
    assert_eq!(store.read(async |it| it.count("s")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_read_sees_one_moment_and_what_was_written_before_it() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    store.write(Durability::Soon, async |it| it.put("s", &document("a", "1"))).await.unwrap();
    let (looked, has_looked) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let reading = store.read(async move |it| {
        let before = it.count("s")?;
        looked.send(()).unwrap();
        released.await.unwrap();
        Ok::<_, StoreFault>((before, it.count("s")?))
    });
    let writing = async {
        has_looked.await.unwrap();
        store.write(Durability::Soon, async |it| it.put("s", &document("b", "1"))).await.unwrap();
        let meanwhile = store.read(async |it| it.count("s")).await.unwrap();
        release.send(()).unwrap();
        meanwhile
    };
    let (seen, meanwhile) = tokio::join!(reading, writing);
    assert_eq!(seen.unwrap(), (1, 1));
    assert_eq!(meanwhile, 2);
}

#[tokio::test]
async fn a_read_changes_nothing() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let fault = store.read(async |it| it.put("s", &document("a", "1"))).await.unwrap_err();
    assert!(fault.detail.contains("store.db"), "{fault}");
    assert_eq!(store.read(async |it| it.count("s")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_batch_waits_for_the_disk_if_one_of_its_jobs_asks_for_that() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let (waits, does_not) = (2, 1);
    for (durability, expected) in
        [(Durability::Soon, does_not), (Durability::Durable, waits), (Durability::Soon, does_not)]
    {
        assert_eq!(store.write(durability, async |it| waits_for_disk(&it)).await.unwrap(), expected);
    }
    let release = hold(&store).await;
    let soon = store.write(Durability::Soon, async |it| waits_for_disk(&it));
    let durable = store.write(Durability::Durable, async |it| waits_for_disk(&it));
    let (soon, durable, _) = tokio::join!(soon, durable, async { release.send(()) });
    assert_eq!((soon.unwrap(), durable.unwrap()), (waits, waits));
}

#[tokio::test]
async fn many_callers_at_once_are_all_served_and_each_gets_its_own_answer() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..3000_u32 {
        let store = store.clone();
        calls.spawn(async move {
            let durability = if number % 3 == 0 { Durability::Durable } else { Durability::Soon };
            let key = number.to_string();
            let row = store.write(durability, async move |it| it.put("s", &document(&key, "1"))).await?;
            let key = number.to_string();
            let found = store.read(async move |it| it.document("s", key.as_bytes())).await?;
            Ok::<_, StoreFault>(found.is_some_and(|found| found.row == row))
        });
    }
    assert!(calls.join_all().await.into_iter().all(|found| found.unwrap()));
    assert_eq!(store.read(async |it| it.count("s")).await.unwrap(), 3000);
}

#[tokio::test]
async fn the_log_is_cut_off_when_nothing_is_asked_for_a_while() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let body = "x".repeat(100_000);
    store.write(Durability::Durable, async move |it| it.put("s", &document("a", &body))).await.unwrap();
    let log = || std::fs::metadata(scratch.folder.path().join("store.db-wal")).unwrap().len();
    assert!(log() > 100_000);
    for _ in 0..200 {
        // Somebody who only asks for the version does not keep the store busy.
        store.changed_elsewhere().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        if log() == 0 {
            return;
        }
    }
    panic!("the log still has {} bytes", log());
}
