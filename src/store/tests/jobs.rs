use super::*;

#[tokio::test]
async fn a_job_that_fails_is_undone_alone_and_its_error_reaches_the_caller() {
    #[derive(Debug)]
    enum Refused {
        Taken(usize),
        Store(#[expect(dead_code, reason = "shown when a test fails")] StoreFault),
    }
    impl From<StoreFault> for Refused {
        fn from(fault: StoreFault) -> Self {
            Self::Store(fault)
        }
    }
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let kept = store.write(Durability::Durable, async |it| it.put("s", &document("kept", "1")));
    let undone = store.write(Durability::Soon, async |it| {
        it.put("s", &document("undone", "1"))?;
        Err::<(), _>(Refused::Taken(it.count("s")?))
    });
    let also_kept = store.write(Durability::Soon, async |it| it.put("s", &document("also", "1")));
    let (kept, undone, also_kept) = tokio::join!(kept, undone, also_kept);
    kept.unwrap();
    also_kept.unwrap();
    assert!(matches!(undone, Err(Refused::Taken(2))), "{undone:?}");
    let keys = store.read(async |it| it.with_prefix("s", b"", None, 10)).await.unwrap();
    let keys: Vec<Vec<u8>> = keys.into_iter().map(|it| it.key).collect();
    assert_eq!(keys, [b"also".to_vec(), b"kept".to_vec()]);
}
