use std::process::{Command, Stdio};

use super::*;

const PATH: &str = "SCIM2LDAP_TEST_STORE";

/// The store that a child process is to use.
pub(super) fn given_path() -> PathBuf {
    std::env::var_os(PATH).expect("run by another test").into()
}

/// A test that runs in a process of its own, on the store at `path`.
pub(super) fn child(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", &format!("store::tests::{test}")]).env(PATH, path);
    command
}

#[tokio::test]
#[ignore = "a part of another test, which runs it in a process of its own"]
async fn child_pushes_a_hundred_items() {
    let store = Store::open_existing(&at(&given_path())).await.unwrap().expect("a store");
    for _ in 0..100 {
        store.write(Durability::Soon, async |it| it.push(&item("theirs"))).await.unwrap();
    }
}

#[tokio::test]
async fn two_processes_write_at_once_and_each_learns_of_the_other() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let begun = store.changed_elsewhere().await.unwrap();
    for _ in 0..20 {
        store.write(Durability::Soon, async |it| it.push(&item("ours"))).await.unwrap();
    }
    let undone = async |it: Session| it.push(&item("ours")).and(Err::<(), _>(StoreFault::closed()));
    store.write(Durability::Soon, undone).await.unwrap_err();
    store.read(async |it| all_items(&it)).await.unwrap();
    assert_eq!(store.changed_elsewhere().await.unwrap(), begun, "one's own changes are none elsewhere");

    let mut command = child("processes::child_pushes_a_hundred_items", &scratch.path());
    let mut other = command.stdout(Stdio::null()).spawn().unwrap();
    let ended = loop {
        store.write(Durability::Durable, async |it| it.push(&item("ours"))).await.unwrap();
        if let Some(ended) = other.try_wait().unwrap() {
            break ended;
        }
    };
    assert!(ended.success());
    let after = store.changed_elsewhere().await.unwrap();
    assert_ne!(after, begun);
    assert_eq!(store.changed_elsewhere().await.unwrap(), after);
    let theirs = ItemQuery { resource: Some("theirs".into()), ..ItemQuery::default() };
    assert_eq!(store.read(async move |it| it.items(&theirs)).await.unwrap().len(), 100);
}
